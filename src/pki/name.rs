//! Subjects: RFC 4514 text in, the same name for rcgen and for the comparison out.
//!
//! rcgen keeps a name as a map by attribute type, so a second `DC` or `OU` would silently replace the
//! first, and it knows no RDN with two values. Both are refused here, in words, before a key is used.

use der::Encode;
use der::Tag;
use der::Tagged;
use der::asn1::Ia5StringRef;
use der::asn1::PrintableStringRef;
use der::asn1::Utf8StringRef;
use rcgen::DistinguishedName;
use rcgen::DnType;
use rcgen::DnValue;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::RdnSequence;
use x509_cert::name::RelativeDistinguishedName;

use super::PkiError;

/// Upper bound of most naming attributes (RFC 5280, appendix A.1: `ub-common-name` and its siblings).
const MAX_VALUE_CHARS: usize = 64;

/// A subject that rcgen can write without loss.
#[derive(Debug)]
pub(super) struct Subject {
    /// For rcgen, in the order of the encoding.
    pub(super) name: DistinguishedName,
    /// The DER that must be found in the finished certificate.
    pub(super) der: Vec<u8>,
}

/// Reads `CN=enate-graph-mail` or `CN=a,OU=b,O=c` (RFC 4514; spaces after a comma are tolerated).
pub(super) fn parse(text: &str) -> Result<Subject, PkiError> {
    let refuse = |why: String| PkiError::Subject { subject: text.to_owned(), why };
    if text.chars().any(char::is_control) {
        return Err(refuse("control characters are not allowed".into()));
    }

    let mut rdns = RdnSequence::default();
    let mut seen = Vec::new();
    let mut name = DistinguishedName::new();
    // RFC 4514 writes the most specific part first, the encoding holds it last.
    for part in split(text).map_err(&refuse)?.into_iter().rev() {
        let attribute: AttributeTypeAndValue =
            part.parse().map_err(|_| refuse(format!("`{part}` is not TYPE=value with a known type")))?;
        let value = value_of(&attribute).map_err(|why| refuse(format!("`{part}`: {why}")))?;
        if seen.contains(&attribute.oid) {
            let kind = part.split('=').next().unwrap_or_default();
            return Err(refuse(format!("`{kind}` occurs more than once, which cannot be written without loss")));
        }
        seen.push(attribute.oid);
        name.push(DnType::CustomDnType(attribute.oid.arcs().map(u64::from).collect()), value);
        let rdn = RelativeDistinguishedName::try_from(vec![attribute])
            .map_err(|_| refuse(format!("`{part}` cannot be encoded")))?;
        rdns.push(rdn);
    }
    if seen.is_empty() {
        return Err(refuse("it is empty".into()));
    }
    let der = rdns.to_der().map_err(|_| refuse("it cannot be encoded".into()))?;
    Ok(Subject { name, der })
}

/// The parts between unescaped commas, trimmed. Refuses what RFC 4514 wants escaped, and `+`.
pub(super) fn split(text: &str) -> Result<Vec<String>, String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for character in text.chars() {
        match character {
            ',' if !escaped => {
                parts.push(String::new());
                continue;
            }
            '+' if !escaped => return Err("a part with two values (`+`) cannot be written without loss".into()),
            ';' | '"' | '<' | '>' if !escaped => {
                return Err(format!("`{character}` must be written `\\{character}`; parts are separated by commas"));
            }
            _ => {}
        }
        escaped = character == '\\' && !escaped;
        if let Some(part) = parts.last_mut() {
            part.push(character);
        }
    }
    if escaped {
        return Err("it ends in a lone backslash".into());
    }
    Ok(parts.iter().map(|part| part.trim().to_owned()).collect())
}

/// The value as rcgen writes it, in the string type that x509-cert chose for its attribute.
fn value_of(attribute: &AttributeTypeAndValue) -> Result<DnValue, String> {
    let unreadable = |_| "the value has characters that this type cannot hold".to_owned();
    let raw = &attribute.value;
    let (text, value) = match raw.tag() {
        Tag::Utf8String => {
            let text = Utf8StringRef::try_from(raw).map_err(unreadable)?.as_str().to_owned();
            (text.clone(), DnValue::Utf8String(text))
        }
        Tag::PrintableString => {
            let text = PrintableStringRef::try_from(raw).map_err(unreadable)?.as_str().to_owned();
            let value = text.as_str().try_into().map_err(|_| "not a printable string".to_owned())?;
            (text, DnValue::PrintableString(value))
        }
        Tag::Ia5String => {
            let text = Ia5StringRef::try_from(raw).map_err(unreadable)?.as_str().to_owned();
            let value = text.as_str().try_into().map_err(|_| "not ASCII".to_owned())?;
            (text, DnValue::Ia5String(value))
        }
        other => return Err(format!("a value of type {other} is not supported")),
    };
    if text.is_empty() {
        return Err("the value is empty".into());
    }
    // Escapes (`\0A`) are resolved only now.
    if text.chars().any(char::is_control) {
        return Err("control characters are not allowed".into());
    }
    if text.chars().count() > MAX_VALUE_CHARS {
        return Err(format!("longer than {MAX_VALUE_CHARS} characters"));
    }
    let is_country = attribute.oid == const_oid::db::rfc4519::COUNTRY_NAME;
    if is_country && !(text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic())) {
        return Err("a country is two letters".into());
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_can_be_written_without_loss() {
        for text in [
            "CN=enate-graph-mail",
            "CN=a, OU=b, O=Contoso Ltd,C=GB",
            r"CN=Okoro\, D.,O=Contoso \+ Sons",
            "CN=Zürich 日本",
            "CN=a,DC=example",
            r"CN=trailing backslash\\,O=c",
            "2.5.4.3=by number",
        ] {
            let subject = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!(!subject.der.is_empty());
        }
    }

    #[test]
    fn refuses_what_would_be_lost_or_is_ambiguous() {
        for (text, word) in [
            ("", "TYPE=value"),
            ("CN", "TYPE=value"),
            ("CN=", "empty"),
            ("CN=a,", "TYPE=value"),
            ("CN=a,DC=corp,DC=example", "more than once"),
            ("CN=a,OU=x,OU=y", "more than once"),
            ("CN=a,2.5.4.3=b", "more than once"),
            ("CN=a+OU=b", "two values"),
            ("CN=a;O=b", "separated by commas"),
            ("CN=\"a\"", "must be written"),
            ("CN=a\nO=b", "control"),
            (r"CN=a\0Ab", "control"),
            (r"CN=a\", "lone backslash"),
            ("C=Britain", "two letters"),
            ("C=US/ST=California", "two letters"),
            ("DC=exämple", "cannot hold"),
            ("purple=x", "known type"),
            ("CN=#0c0141ff", "known type"),
            ("CN=#020101", "not supported"),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
        let long = format!("CN={}", "x".repeat(65));
        assert!(parse(&long).unwrap_err().to_string().contains("64"));
    }

    #[test]
    fn the_most_specific_part_is_encoded_last() {
        let der = parse("CN=leaf,O=root").unwrap().der;
        let position = |needle: &[u8]| der.windows(needle.len()).position(|window| window == needle).unwrap();
        assert!(position(b"root") < position(b"leaf"));
    }
}
