//! `[ca.NAME]` and `[profiles.NAME]` of `everkey.toml`.

use std::collections::BTreeMap;

use crate::model::CertProfile;
use crate::model::KeyUse;
use crate::model::NameRule;
use crate::model::Purpose;

use super::LocalCa;
use super::check::plain;
use super::diagnostics::Report;
use super::read_tool::Base;
use super::tree::At;
use super::wire::tool as wire;

/// Longest validity of a profile that names none, and the most a CA of everkey issues.
const USUAL_DAYS: u32 = 398;

/// `[ca.NAME]`.
pub(super) fn authorities(
    wire: &BTreeMap<String, wire::Ca>,
    base: &Base<'_>,
    at: At<'_>,
    report: &mut Report<'_>,
) -> BTreeMap<String, LocalCa> {
    let mut found = BTreeMap::new();
    for (name, wire) in wire {
        let here = at.key(name);
        named(name, here, report);
        // Without a password the key lies open, which is a choice; two places for one are a mistake.
        let has_password = wire.key_password_file.is_some() || wire.key_password_env.is_some();
        let (file, variable) = (wire.key_password_file.as_ref(), wire.key_password_env.as_ref());
        let key_password = if has_password { base.secret("key_password", file, variable, here, report) } else { None };
        let certificate = base.path(wire.certificate.as_deref().unwrap_or_default());
        let key = base.source(wire.key_file.as_deref().unwrap_or_default());
        found.insert(name.clone(), LocalCa { certificate, key, key_password });
    }
    found
}

/// `[profiles.NAME]`, with the built-in profile beside them.
pub(super) fn profiles(
    wire: &BTreeMap<String, wire::Profile>,
    at: At<'_>,
    report: &mut Report<'_>,
) -> BTreeMap<String, CertProfile> {
    let built_in = CertProfile::entra_client();
    let mut found = BTreeMap::new();
    for (name, wire) in wire {
        let here = at.key(name);
        named(name, here, report);
        if *name == built_in.name {
            report
                .error("P050", here.key_span(), format!("the profile `{name}` is built in"))
                .help("give yours another name");
        }
        if wire.key_usage.as_ref().is_some_and(Vec::is_empty) && !here.key("key_usage").is_broken() {
            let place = here.key("key_usage").span();
            report
                .error("P054", place, "a certificate has at least one key usage")
                .help("for instance `digital-signature`");
        }
        let profile = CertProfile {
            name: name.clone(),
            key_usage: wire.key_usage.clone().unwrap_or_else(|| vec![KeyUse::DigitalSignature]),
            extended_key_usage: wire.extended_key_usage.clone().unwrap_or_else(|| vec![Purpose::ClientAuth]),
            dns_names: wire.dns_names.unwrap_or(NameRule::Optional),
            wildcards: wire.wildcards,
            max_days: days(wire.max_lifetime.as_deref(), here.key("max_lifetime"), report),
        };
        if profile.wildcards && profile.dns_names == NameRule::Forbidden {
            report
                .error("P050", here.key("wildcards").key_span(), "without DNS names there are no wildcards")
                .help("remove it, or allow `dns_names`");
        }
        found.insert(name.clone(), profile);
    }
    found.insert(built_in.name.clone(), built_in);
    found
}

/// These names are typed on a command line and stand in the history.
fn named(name: &str, at: At<'_>, report: &mut Report<'_>) {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || name.len() > 64 || !name.chars().all(plain) {
        report
            .error("P008", at.key_span(), "a name has lower-case letters, digits and `-`, at most 64")
            .help("for instance `team-ca`");
    }
}

fn days(text: Option<&str>, at: At<'_>, report: &mut Report<'_>) -> u32 {
    let Some(lifetime) = plain::duration(text, at, report) else { return USUAL_DAYS };
    let seconds = lifetime.as_secs();
    match u32::try_from(seconds / 86_400) {
        Ok(days) if seconds % 86_400 == 0 && (1..=USUAL_DAYS).contains(&days) => days,
        _ => {
            report
                .error("P054", at.span(), format!("this must be 1 to {USUAL_DAYS} whole days"))
                .help(format!("`{USUAL_DAYS}d` or less; a CA of everkey issues nothing longer"));
            USUAL_DAYS
        }
    }
}
