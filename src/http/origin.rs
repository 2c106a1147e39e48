//! Origins: a token goes to the configured scheme, host and port, and nowhere else.

use url::Position;
use url::Url;

use crate::ports::PortError;
use crate::ports::Refusal;

use super::clean;

/// Longest link that is taken, in bytes; Graph's own stay below 4 KiB.
const LINK_MAX_BYTES: usize = 16 * 1024;

/// Whether both URLs have the same scheme, host and effective port. Compares parsed parts, never text.
pub fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme() && a.host() == b.host() && a.port_or_known_default() == b.port_or_known_default()
}

/// Parses the base of a [`super::Site`]: https, a host, no user, no query, no fragment.
pub(super) fn parse_base(text: &str) -> Result<Url, PortError> {
    let refuse = |why: &str| PortError::Local(format!("`{}` is not a usable address: {why}", clean(text)));
    let url = Url::parse(text).map_err(|error| refuse(&error.to_string()))?;
    if url.scheme() != "https" {
        return Err(refuse("it must begin with https://"));
    }
    if has_user(&url) {
        return Err(refuse("it holds a user name or a password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("it has a query or a fragment"));
    }
    Ok(url)
}

/// Appends an already encoded `path` (with its leading slash) and `query` to `base`.
///
/// Refuses a path that parsing would change (`..`, a backslash, a tab): an id must never climb.
pub(super) fn join(base: &Url, path: &str, query: &str) -> Result<Url, PortError> {
    let wanted = format!("{}{path}", base.path().trim_end_matches('/'));
    let mark = if query.is_empty() { "" } else { "?" };
    let text = format!("{}{wanted}{mark}{query}", &base[..Position::BeforePath]);
    match Url::parse(&text) {
        Ok(url) if path.starts_with('/') && same_origin(&url, base) && url.path() == wanted && !has_user(&url) => {
            Ok(url)
        }
        _ => Err(PortError::Local(format!("`{}` is not a usable path", clean(path)))),
    }
}

/// Takes an absolute URL that the far side wrote, if it stays at `base`'s origin.
///
/// The URL that was checked is the URL that is sent: the text is parsed once. Texts that parsers are known to
/// read differently (backslashes, white space, control characters) are refused outright, and so are endless ones.
pub(super) fn adopt(base: &Url, text: &str) -> Result<Url, PortError> {
    let foreign = || {
        PortError::Refused(Refusal {
            status: 0,
            code: "ForeignOrigin".into(),
            message: format!("a link does not stay at {}: `{}`", place(base), clean(text)),
            request_id: None,
        })
    };
    if text.len() > LINK_MAX_BYTES || text.chars().any(|c| c == '\\' || c.is_control() || c.is_whitespace()) {
        return Err(foreign());
    }
    let mut url = Url::parse(text).map_err(|_| foreign())?;
    if url.scheme() != "https" || has_user(&url) || !same_origin(&url, base) {
        return Err(foreign());
    }
    url.set_fragment(None);
    Ok(url)
}

/// Host and port, for people.
pub(super) fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Whether there is a user name or a password, an empty one (`https://@host`) excepted: parsing drops it.
fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Url {
        parse_base("https://graph.contoso.example").unwrap()
    }

    #[test]
    fn links_within_the_origin_are_taken_as_they_are() {
        for text in [
            "https://graph.contoso.example/v1.0/applications?$skiptoken=abc",
            "https://graph.contoso.example:443/v1.0/applications?$skiptoken=abc",
            "HTTPS://GRAPH.contoso.EXAMPLE/v1.0/applications?$skiptoken=abc",
        ] {
            let url = adopt(&base(), text).unwrap();
            assert_eq!(url.as_str(), "https://graph.contoso.example/v1.0/applications?$skiptoken=abc");
        }
    }

    #[test]
    fn another_scheme_host_port_or_user_is_refused() {
        for text in [
            "http://graph.contoso.example/",
            "https://graph.contoso.example:8443/",
            "https://graph.contoso.example.evil.example/",
            "https://graph.contoso.example@evil.example/",
            "https://admin@graph.contoso.example/",
            "https://admin:pw@graph.contoso.example/",
            "https:\\\\graph.contoso.example\\v1.0",
            "//graph.contoso.example/",
            "/v1.0/applications",
            "https://graph.contoso.example\n/",
            "",
        ] {
            let error = adopt(&base(), text).unwrap_err();
            assert_eq!(error.refusal().unwrap().code, "ForeignOrigin", "{text}");
        }
    }

    #[test]
    fn a_path_that_climbs_is_refused() {
        let base = parse_base("https://vault.contoso.example/prefix/").unwrap();
        assert_eq!(join(&base, "/v1/x", "a=b").unwrap().as_str(), "https://vault.contoso.example/prefix/v1/x?a=b");
        for path in ["/../x", "/a/%2e%2e/x", "/a/./x", "/a\\b", "/a?b", "/a#b", "@evil.example/", ":8443/"] {
            assert!(join(&base, path, "").is_err(), "{path}");
        }
    }

    #[test]
    fn a_base_is_https_without_user_or_query() {
        for text in ["http://localhost/", "https://a@localhost/", "https://localhost/?q", "localhost", "file:///x"] {
            assert!(matches!(parse_base(text), Err(PortError::Local(_))), "{text}");
        }
    }

    #[test]
    fn whatever_is_taken_is_at_home() {
        const PIECES: [&str; 20] = [
            "https://",
            "http://",
            "graph.contoso.example",
            "evil.example",
            ":",
            "@",
            "/",
            "//",
            "\\",
            "?",
            "#",
            "%",
            "%2e",
            "..",
            ":443",
            ":8443",
            "[::1]",
            "\t",
            "\u{ff0e}",
            "v1.0",
        ];
        // A linear congruential generator: the same 50,000 links in every run.
        let (mut state, mut taken) = (1u64, 0);
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for round in 0..50_000 {
            let mut link = if round % 2 == 0 { "https://graph.contoso.example".to_owned() } else { String::new() };
            for _ in 0..next(7) {
                link.push_str(PIECES[next(PIECES.len())]);
            }
            if let Ok(url) = adopt(&base(), &link) {
                taken += 1;
                let shown = url.as_str();
                assert!(shown.starts_with("https://graph.contoso.example/"), "{link} became {shown}");
            }
        }
        assert!(taken > 1000, "the generator makes good links too: {taken}");
    }
}
