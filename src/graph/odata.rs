//! OData addressing: keys and literals, escaped twice (quotes for OData, everything else for the URL).

use crate::http::segment;

/// `/v1.0/<collection>/<id><tail>`: an object by its id. `tail` is empty or begins with a slash.
pub(super) fn by_id(collection: &str, id: &str, tail: &str) -> String {
    format!("/v1.0/{collection}/{}{tail}", segment(id))
}

/// `/v1.0/<collection>(<key>='<value>')`: an object by an alternate key.
pub(super) fn by_key(collection: &str, key: &str, value: &str) -> String {
    format!("/v1.0/{collection}({key}='{}')", segment(&value.replace('\'', "''")))
}

/// `'value'` with its quotes doubled, for a `$filter`.
pub(super) fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_separators_cannot_leave_their_place() {
        assert_eq!(
            by_key("applications", "uniqueName", "a'b/c?d#e"),
            "/v1.0/applications(uniqueName='a%27%27b%2Fc%3Fd%23e')"
        );
        assert_eq!(by_id("applications", "x/../y", "/addKey"), "/v1.0/applications/x%2F..%2Fy/addKey");
        assert_eq!(literal("O'Hara"), "'O''Hara'");
    }
}
