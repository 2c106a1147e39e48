//! DNS names of certificates: exact ones, and `*.` in front where a profile allows it.

use super::PkiError;
use crate::model::CertProfile;
use crate::model::NameRule;

const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;
const MOST_NAMES: usize = 100;

/// Checks `names` against the profile; the error is what a requester reads.
pub(super) fn check(names: &[String], profile: &CertProfile) -> Result<(), PkiError> {
    let denied = |why: String| Err(PkiError::Denied(why));
    match profile.dns_names {
        NameRule::Forbidden if !names.is_empty() => {
            return denied(format!("profile {} allows no DNS names, and there are {}", profile.name, names.len()));
        }
        NameRule::Required if names.is_empty() => {
            return denied(format!("profile {} needs at least one DNS name", profile.name));
        }
        _ => {}
    }
    if names.len() > MOST_NAMES {
        return denied(format!("{} DNS names; {MOST_NAMES} are the most", names.len()));
    }
    for (place, name) in names.iter().enumerate() {
        let exact = name.strip_prefix("*.");
        if let Some(why) = malformed(exact.unwrap_or(name)) {
            return Err(PkiError::Request(format!("the DNS name {name:?} {why}")));
        }
        if let Some(domain) = exact {
            if !profile.wildcards {
                return denied(format!("profile {} allows no wildcards, and there is {name}", profile.name));
            }
            if !domain.contains('.') {
                return denied(format!("{name} would stand for a whole top-level domain"));
            }
        }
        if names[..place].iter().any(|earlier| earlier.eq_ignore_ascii_case(name)) {
            return Err(PkiError::Request(format!("the DNS name {name} occurs twice")));
        }
    }
    Ok(())
}

/// Why `name` is no host name (RFC 1123, in A-labels).
fn malformed(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Some("is empty or longer than 253 characters");
    }
    for label in name.split('.') {
        if label.is_empty() || label.len() > LONGEST_LABEL {
            return Some("has a part that is empty or longer than 63 characters");
        }
        if !label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Some("has characters other than letters, digits and hyphens; write other letters as xn--");
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Some("has a part that begins or ends with a hyphen");
        }
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    last.bytes().all(|byte| byte.is_ascii_digit()).then_some("is an address, not a name")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn exact_names_and_wildcards() {
        let exact = CertProfile::entra_client();
        let wild = CertProfile { wildcards: true, ..CertProfile::entra_client() };
        for good in ["sync.vendor.example", "localhost", "xn--bcher-kva.example", "a1-b.C"] {
            assert_eq!(check(&names(&[good]), &exact), Ok(()), "{good}");
        }
        assert_eq!(check(&names(&["*.vendor.example", "vendor.example"]), &wild), Ok(()));
        assert!(matches!(check(&names(&["*.vendor.example"]), &exact), Err(PkiError::Denied(_))));
        assert!(matches!(check(&names(&["*.example"]), &wild), Err(PkiError::Denied(_))));
        let long = format!("{}.example", "a".repeat(64));
        for bad in [
            "",
            "*",
            "a.*.example",
            "a..b",
            ".a",
            "a.",
            "a b",
            "bücher.example",
            "-a.b",
            "a-.b",
            "a_b",
            "10.0.0.1",
            "x\n",
            &long,
        ] {
            for profile in [&exact, &wild] {
                assert!(matches!(check(&names(&[bad]), profile), Err(PkiError::Request(_))), "{bad:?}");
            }
        }
        assert!(check(&names(&["a.example", "A.example"]), &exact).is_err());
    }

    #[test]
    fn the_rule_of_the_profile() {
        let with = |rule| CertProfile { dns_names: rule, ..CertProfile::entra_client() };
        assert!(check(&[], &with(NameRule::Required)).is_err());
        assert!(check(&names(&["a.example"]), &with(NameRule::Forbidden)).is_err());
        let many: Vec<String> = (0..101).map(|i| format!("n{i}.example")).collect();
        assert!(check(&many, &with(NameRule::Required)).is_err());
    }
}
