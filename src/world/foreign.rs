//! What others have in the tenant, on managed applications too: seeded, and compared at the end.

use jiff::SignedDuration;
use jiff::Timestamp;
use uuid::Uuid;

use crate::emulator::Emulator;
use crate::emulator::Quirks;
use crate::emulator::directory::Directory;
use crate::emulator::directory::KeyEntry;
use crate::emulator::directory::NewPassword;
use crate::error::Class;
use crate::error::Error;
use crate::error::Result;
use crate::pki::Tool;
use crate::ports::CertTool as _;

use base64::Engine as _;

/// How long the credentials of others live: longer than the story, so that none leaves by itself.
const LIVES: SignedDuration = SignedDuration::from_hours(24 * 365 * 4);

/// A credential that somebody else made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Foreign {
    application: Uuid,
    key_id: Uuid,
    name: Option<String>,
    start: Timestamp,
    end: Timestamp,
}

/// Adds credentials of others, by hand as it were: to every application that everkey manages, and to one of
/// their own.
pub(super) fn seed(emulator: &Emulator) -> Result<Vec<Foreign>> {
    let certificate = certificate(emulator)?;
    emulator
        .with_directory(|directory, now| {
            let operator = emulator.operator().application_id;
            let theirs = serde_json::json!({"displayName": "Old Power BI export", "signInAudience": "AzureADMyOrg"});
            let theirs = serde_json::from_value(theirs).unwrap_or_default();
            directory.create_application(theirs, None, Quirks::default().key_conduct(), now)?;
            let apps: Vec<(Uuid, bool)> = directory
                .applications()
                .filter(|app| app.id != operator)
                .map(|app| (app.id, app.allows_personal_accounts()))
                .collect();
            for (app, personal) in apps {
                // A foreign secret would take the second slot where personal accounts sign in, and block.
                if !personal {
                    let new = NewPassword {
                        display_name: Some("made by hand, j.lee".to_owned()),
                        end_date_time: now.checked_add(LIVES).ok(),
                        start_date_time: None,
                    };
                    directory.add_password(app, new, now)?;
                }
                let entry = KeyEntry {
                    display_name: Some("CN=somebody else".to_owned()),
                    key: Some(certificate.clone()),
                    kind: Some("AsymmetricX509Cert".to_owned()),
                    usage: Some("Verify".to_owned()),
                    ..KeyEntry::default()
                };
                directory.add_key(app, &entry, now)?;
            }
            Ok(list(directory, operator))
        })
        .map_err(|refusal: crate::emulator::directory::Refusal| {
            Error::new(Class::Failed, "D010", "cannot seed the tenant").why(format!("{refusal:?}"))
        })
        .map(|mut all| {
            all.retain(|foreign| foreign.name.as_deref().is_some_and(|name| !name.contains("[ek1 ")));
            all
        })
}

fn certificate(emulator: &Emulator) -> Result<String> {
    let failed = |error: crate::ports::PortError| {
        Error::new(Class::Failed, "D010", "cannot make a certificate for somebody else").why(error)
    };
    let now = emulator.with_directory(|_, now| now);
    let key = Tool.generate_key(crate::model::KeyType::Rsa2048).map_err(failed)?;
    let end = now.checked_add(LIVES).unwrap_or(now);
    let made = Tool.self_signed(&key, "CN=somebody else", now, end).map_err(failed)?;
    Ok(base64::prelude::BASE64_STANDARD.encode(made.der))
}

/// Every credential of every application but the operator's.
fn list(directory: &Directory, operator: Uuid) -> Vec<Foreign> {
    let mut all = Vec::new();
    for app in directory.applications().filter(|app| app.id != operator) {
        let Some(credentials) = directory.credentials(app.id) else { continue };
        for password in &credentials.passwords {
            all.push(Foreign {
                application: app.id,
                key_id: password.key_id,
                name: password.display_name.clone(),
                start: password.start,
                end: password.end,
            });
        }
        for key in &credentials.keys {
            all.push(Foreign {
                application: app.id,
                key_id: key.key_id,
                name: key.display_name.clone(),
                start: key.start,
                end: key.end,
            });
        }
    }
    all
}

/// How many of `seeded` are gone or changed.
pub(super) fn touched(emulator: &Emulator, seeded: &[Foreign]) -> usize {
    let operator = emulator.operator().application_id;
    let now = emulator.with_directory(|directory, _| list(directory, operator));
    seeded.iter().filter(|foreign| !now.contains(foreign)).count()
}
