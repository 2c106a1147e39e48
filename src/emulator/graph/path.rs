//! Paths of Graph, taken apart: segments in any case, keys in parentheses such as
//! `applications(appId='…')`.

use url::form_urlencoded;
use uuid::Uuid;

use super::Problem;

/// A path below the host.
#[derive(Clone, Debug)]
pub(super) struct Path {
    /// What follows the version.
    pub(super) segments: Vec<Segment>,
    /// `v1.0` or `beta`.
    pub(super) version: String,
}

/// One segment.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// The key in parentheses: property in lower case, value without its quotes.
    pub(super) key: Option<(String, String)>,
    /// The name in lower case.
    pub(super) name: String,
    /// The segment as written, decoded.
    pub(super) raw: String,
}

/// How a request names one object of a collection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Address {
    /// `(appId='…')`.
    AppId(Uuid),
    /// `/{id}`.
    Id(Uuid),
    /// `(uniqueName='…')`.
    UniqueName(String),
}

impl Path {
    /// Takes a percent-encoded path apart.
    pub(super) fn parse(path: &str) -> Result<Self, Problem> {
        let mut pieces = path.split('/').filter(|piece| !piece.is_empty()).map(decode);
        let version = pieces.next().unwrap_or_default().to_ascii_lowercase();
        Ok(Self { segments: pieces.map(Segment::parse).collect::<Result<_, _>>()?, version })
    }

    /// The object that a path below a collection names, and the number of segments used up for that;
    /// `None` when it names the collection itself.
    pub(super) fn address(&self) -> Result<Option<(Address, usize)>, Problem> {
        let Some(collection) = self.segments.first() else { return Ok(None) };
        if let Some((property, value)) = &collection.key {
            let address = match property.as_str() {
                "appid" => Address::AppId(guid(value)?),
                "id" | "" => Address::Id(guid(value)?),
                "uniquename" => Address::UniqueName(value.clone()),
                _ => return Err(Problem::unknown_segment(&collection.raw)),
            };
            return Ok(Some((address, 1)));
        }
        match self.segments.get(1) {
            None => Ok(None),
            Some(segment) if segment.name.starts_with('$') || segment.is_delta() => Ok(None),
            Some(segment) => Ok(Some((Address::Id(guid(&segment.raw)?), 2))),
        }
    }

    /// The names of the segments from `start` on.
    pub(super) fn names(&self, start: usize) -> Vec<&str> {
        self.segments.iter().skip(start).map(|segment| segment.name.as_str()).collect()
    }
}

impl Segment {
    /// `delta`, or as the SDKs write it `microsoft.graph.delta()`.
    fn is_delta(&self) -> bool {
        self.name == "delta" || self.name == "microsoft.graph.delta"
    }

    fn parse(raw: String) -> Result<Self, Problem> {
        // The SDKs shorten the namespace of a type: `deletedItems/graph.application`.
        let raw = raw.strip_prefix("graph.").map(|rest| format!("microsoft.graph.{rest}")).unwrap_or(raw);
        let Some((name, rest)) = raw.split_once('(') else {
            return Ok(Self { key: None, name: raw.to_ascii_lowercase(), raw });
        };
        let inside = rest.strip_suffix(')').ok_or_else(|| Problem::unknown_segment(&raw))?;
        let (property, value) = inside.split_once('=').unwrap_or(("", inside));
        let value = value.trim();
        let value = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')).unwrap_or(value);
        let key = (property.trim().to_ascii_lowercase(), value.replace("''", "'"));
        Ok(Self { key: Some(key), name: name.to_ascii_lowercase(), raw: raw.clone() })
    }
}

/// The id that a segment is.
pub(super) fn guid(text: &str) -> Result<Uuid, Problem> {
    Uuid::parse_str(text).map_err(|_| Problem::bad_request(format!("Invalid object identifier '{text}'.")))
}

/// The object id in a skip token that we gave.
pub(super) fn object_id(after: Option<&str>) -> Option<Uuid> {
    after.and_then(|after| Uuid::parse_str(after).ok())
}

/// Percent-decodes one segment. The form decoder does it once the characters that mean something to it
/// alone are out of its way.
fn decode(segment: &str) -> String {
    let masked = segment.replace('+', "%2B").replace('=', "%3D").replace('&', "%26");
    let decoded = form_urlencoded::parse(masked.as_bytes()).next();
    decoded.map(|(name, _)| name.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_named_by_id_or_by_key_in_any_case_and_encoding() {
        let id = Uuid::from_u128(7);
        let address = |path: &str| Path::parse(path).unwrap().address();
        assert_eq!(address(&format!("/v1.0/Applications/{id}/owners")).unwrap(), Some((Address::Id(id), 2)));
        assert_eq!(address(&format!("/v1.0/applications(AppId='{id}')")).unwrap(), Some((Address::AppId(id), 1)));
        assert_eq!(
            address("/beta/applications(uniqueName%3D%27a%2Bb''c%27)").unwrap(),
            Some((Address::UniqueName("a+b'c".to_owned()), 1))
        );
        assert_eq!(address("/v1.0/applications/$count").unwrap(), None);
        assert_eq!(address("/v1.0/applications").unwrap(), None);
        assert!(address("/v1.0/applications/not-a-guid").is_err());
        assert!(Path::parse("/v1.0/applications(appId='x'").is_err());
    }
}
