//! What somebody else put on the application, and what stands on it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use everkey::emulator::Emulator;
use everkey::emulator::directory::KeyEntry;
use everkey::emulator::directory::NewPassword;
use everkey::model::AppRef;
use everkey::pki::Tool;
use everkey::ports::CertTool as _;
use everkey::secret::Fingerprint;
use jiff::SignedDuration;
use jiff::Timestamp;
use uuid::Uuid;

use crate::lab::pooled_key;

/// Longer than any test.
const LIVES: SignedDuration = SignedDuration::from_hours(24 * 365 * 8);

/// One entry of an application, as far as it must not change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listed {
    pub name: Option<String>,
    pub start: Timestamp,
    pub end: Timestamp,
    pub content: Fingerprint,
}

/// Every credential of the application, by key id.
pub fn listed(emulator: &Emulator, app: &AppRef) -> BTreeMap<String, Listed> {
    let id: Uuid = app.object_id.as_str().parse().unwrap();
    emulator.with_directory(|directory, _| {
        let credentials = directory.credentials(id).cloned().unwrap_or_default();
        let secrets = credentials.passwords.iter().map(|one| {
            let content = Fingerprint::of(one.hint.as_bytes());
            let listed = Listed { name: one.display_name.clone(), start: one.start, end: one.end, content };
            (one.key_id.to_string(), listed)
        });
        let keys = credentials.keys.iter().map(|one| {
            let content = Fingerprint::of(&[&one.key[..], one.custom_key_identifier.as_bytes()].concat());
            let listed = Listed { name: one.display_name.clone(), start: one.start, end: one.end, content };
            (one.key_id.to_string(), listed)
        });
        secrets.chain(keys).collect()
    })
}

/// A secret and a certificate of somebody else.
pub fn seed(emulator: &Emulator, app: &AppRef) -> BTreeMap<String, Listed> {
    let before = listed(emulator, app);
    let id: Uuid = app.object_id.as_str().parse().unwrap();
    emulator.with_directory(|directory, now| {
        let end = now + LIVES;
        let new = NewPassword {
            display_name: Some("made by hand, j.lee".to_owned()),
            end_date_time: Some(end),
            start_date_time: None,
        };
        directory.add_password(id, new, now).unwrap();
        directory.add_key(id, &certificate(now), now).unwrap();
    });
    listed(emulator, app).into_iter().filter(|(key_id, _)| !before.contains_key(key_id)).collect()
}

/// A certificate of somebody else, from now on.
pub fn certificate(now: Timestamp) -> KeyEntry {
    let made = Tool.self_signed(&pooled_key(), "CN=somebody else", now, now + LIVES).unwrap();
    KeyEntry {
        display_name: Some("CN=somebody else".to_owned()),
        key: Some(BASE64_STANDARD.encode(made.der)),
        kind: Some("AsymmetricX509Cert".to_owned()),
        usage: Some("Verify".to_owned()),
        ..KeyEntry::default()
    }
}
