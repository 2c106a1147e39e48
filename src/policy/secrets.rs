//! A secret is never allowed in a policy or in `everkey.toml`. This file tells what looks like one; the value
//! itself is never repeated, neither in a message nor in the line shown.

use super::diagnostics::Report;
use super::tree::Entry;
use super::tree::Node;
use super::tree::Span;
use super::tree::Value;
use crate::model::ValueName;

/// Code of the problem; [`super::render`] masks what it marks.
pub(crate) const CODE: &str = "P009";

/// Keys that would hold a secret in another tool; here they do not exist.
const SECRET_KEYS: &[&str] = &[
    "api_key",
    "client_secret",
    "passphrase",
    "password",
    "private_key",
    "pwd",
    "secret",
    "secret_text",
    "secret_value",
    "token",
];

/// Reports everything that looks like a secret and takes it out of the tree, so that no later rule repeats it
/// in its message.
pub(crate) fn check(node: &mut Node, report: &mut Report<'_>) {
    let before = node.broken;
    node.broken = match &mut node.value {
        Value::Array(items) => {
            let count = items.len();
            items.retain_mut(|item| stays(item, report));
            items.len() < count
        }
        Value::Table(entries) => {
            let count = entries.len();
            entries.retain_mut(|entry| entry_stays(entry, report));
            entries.len() < count
        }
        Value::Boolean(_) | Value::Float(_) | Value::Integer(_) | Value::Null | Value::Text(_) => false,
    } || before;
}

/// Whether a value holds no secret itself; those inside it are taken out.
fn stays(node: &mut Node, report: &mut Report<'_>) -> bool {
    if let Some(kind) = node.text().and_then(looks_secret) {
        report
            .error(CODE, node.span.clone(), format!("this value looks like {kind}"))
            .label("no secret may stand here")
            .help("name a file (`…_file`, or `credential:NAME`) or a variable (`…_env`); if it is real, revoke it");
        return false;
    }
    check(node, report);
    true
}

fn entry_stays(entry: &mut Entry, report: &mut Report<'_>) -> bool {
    if let Some(kind) = looks_secret(&entry.key) {
        report
            .error(CODE, entry.key_span.clone(), format!("this key looks like {kind}"))
            .label("no secret may stand here")
            .help("if it is real, revoke it: it has been written down");
        return false;
    }
    // `client_secret = "secret"` among the values of a sink names what goes there.
    let names_a_value = |text: &str| serde_json::from_value::<ValueName>(text.into()).is_ok();
    if entry.node.text().is_some_and(|text| !names_a_value(text))
        && SECRET_KEYS.contains(&entry.key.to_ascii_lowercase().as_str())
    {
        report
            .error(CODE, entry.node.span.clone(), format!("`{}` would hold a secret", entry.key))
            .label("no secret may stand here")
            .help(format!("name a file instead: `{}_file = \"credential:NAME\"`", entry.key));
        return false;
    }
    stays(&mut entry.node, report)
}

/// Places in a raw file that may be secrets, for masking lines of a file that could not even be parsed:
/// quoted values of secret keys, and every word that looks like a secret.
pub(crate) fn suspects(text: &str) -> Vec<Span> {
    let mut found = Vec::new();
    // Private keys spread over lines, whose last one is short and looks like anything.
    for (begin, _) in text.match_indices("-----BEGIN ") {
        let rest = &text[begin..];
        if rest.lines().next().is_some_and(|line| line.contains("PRIVATE KEY")) {
            found.push(begin..begin + rest.find("-----END").unwrap_or(rest.len()));
        }
    }
    let mut line_start = 0;
    for line in text.split_inclusive('\n') {
        let (key, value) = line.split_once(['=', ':']).unwrap_or(("", line));
        let key = key.trim_matches(|c: char| c.is_whitespace() || "\"'{[,".contains(c)).to_ascii_lowercase();
        if SECRET_KEYS.contains(&key.as_str()) && !value.trim_start().starts_with(['{', '[']) {
            let from = line_start + line.len() - value.trim_start().len();
            found.push(from..line_start + line.len());
        }
        let mut at = line_start;
        for word in line.split_inclusive(|c: char| c.is_whitespace() || "\"'`,[]{}()=".contains(c)) {
            let bare = word.trim_end_matches(|c: char| c.is_whitespace() || "\"'`,[]{}()=".contains(c));
            if looks_secret(bare).is_some() {
                found.push(at..at + bare.len());
            }
            at += word.len();
        }
        line_start += line.len();
    }
    found
}

/// What kind of secret `text` looks like.
fn looks_secret(text: &str) -> Option<&'static str> {
    let text = text.trim();
    if text.contains("PRIVATE KEY-----") {
        return Some("a private key");
    }
    if is_client_secret(text) {
        return Some("an Entra client secret");
    }
    if is_jwt(text) {
        return Some("a token");
    }
    if has_userinfo(text) || (text.contains("://") && text.contains("password=")) {
        return Some("a URL with a password");
    }
    let base64 = text.len() >= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=-_".contains(&b));
    if (base64 && classes(text) == 3) || is_random(text) { Some("a secret") } else { None }
}

/// Forty characters with `8Q~` or `7Q~` after the third (`entra-contract.md` 2.6, as observed).
fn is_client_secret(text: &str) -> bool {
    let shape = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"~._-".contains(&b));
    (30..=64).contains(&text.len()) && shape && text.get(4..6) == Some("Q~")
}

fn is_jwt(text: &str) -> bool {
    let mut parts = text.split('.');
    text.starts_with("eyJ")
        && text.len() >= 40
        && parts.by_ref().take(3).all(|part| part.len() >= 8)
        && parts.next().is_none()
}

fn has_userinfo(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

/// A long single word with upper case, lower case and digits mixed as no name mixes them.
fn is_random(text: &str) -> bool {
    let one_word = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"~._-+=!$%^&*".contains(&b));
    let length = text.len();
    if length < 24 || !one_word || classes(text) < 3 {
        return false;
    }
    let kind = |b: u8| match b {
        b'0'..=b'9' => 0,
        b'A'..=b'Z' => 1,
        b'a'..=b'z' => 2,
        _ => 3,
    };
    let bytes = text.as_bytes();
    let changed = |pair: &&[u8]| kind(pair[0]) != kind(pair[1]) && kind(pair[0]) != 3 && kind(pair[1]) != 3;
    let changes = bytes.windows(2).filter(changed).count();
    // Random base64 changes class at about two of three steps; CamelCase and GUID-like names far less.
    changes * 100 / (length - 1) >= 45 && !super::permissions::is_guid(text)
}

/// How many of upper case, lower case and digits occur.
fn classes(text: &str) -> usize {
    let has = |test: fn(&u8) -> bool| usize::from(text.as_bytes().iter().any(test));
    has(u8::is_ascii_uppercase) + has(u8::is_ascii_lowercase) + has(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_recognised_and_names_are_not() {
        for secret in [
            "AbC8Q~dEfGhIjKlMnOpQrStUvWxYz0123456789a",
            "-----BEGIN PRIVATE KEY-----\nMII",
            "-----BEGIN RSA PRIVATE KEY-----",
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0xxxxxxx.c2lnbmF0dXJl",
            "postgres://everkey:hunter2@db.contoso.example/everkey",
            "q7Rk2mXz9LpW4vTn8BcY6sDf",
        ] {
            assert!(looks_secret(secret).is_some(), "{secret}");
        }
        for name in [
            "8f0c1d52-0000-4000-8000-0000000031aa",
            "TeamsTabReadWriteSelfForChat.All",
            "ROGER365.io Azure Entra replicator",
            "/srv/lexzur/application/config/integrations.json",
            "https://myserver.example/app4legal/api/v2/core/user_authorization_callback",
            "postgres://everkey@db.contoso.example/everkey",
            "credential:everkey_seal",
            "everkey-2026-11-20T09-00-00Z",
            "4F0CA91191D30BE74F0CA91191D30BE74F0CA911",
        ] {
            assert_eq!(looks_secret(name), None, "{name}");
        }
    }
}
