//! Attributes and tags: as they are written, kept and shown. Dates are whole seconds since 1970.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

use super::Ask;
use super::Problem;
use super::problem::Told;
use super::shelf::Object;

/// How long a deleted object can be recovered.
const RECOVERABLE_DAYS: i64 = 90;

/// Longest tag or value of one, in characters.
const TAG_MAX_CHARS: usize = 256;

/// What is kept.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Attributes {
    pub(super) created: i64,
    pub(super) enabled: bool,
    pub(super) exp: Option<i64>,
    pub(super) nbf: Option<i64>,
    pub(super) updated: i64,
}

/// What a client writes; what it leaves out stays.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Written {
    enabled: Option<bool>,
    exp: Option<i64>,
    nbf: Option<i64>,
}

impl Attributes {
    /// Those of a new version.
    pub(super) fn new(written: Option<&Written>, now: i64) -> Self {
        let mut attributes = Self { created: now, enabled: true, exp: None, nbf: None, updated: now };
        attributes.update(written, now);
        attributes
    }

    /// Takes over what is written.
    pub(super) fn update(&mut self, written: Option<&Written>, now: i64) {
        let Some(written) = written else { return };
        self.enabled = written.enabled.unwrap_or(self.enabled);
        self.exp = written.exp.or(self.exp);
        self.nbf = written.nbf.or(self.nbf);
        self.updated = now;
    }

    /// As a client sees them.
    pub(super) fn shown(&self) -> Value {
        let mut shown = json!({
            "enabled": self.enabled, "created": self.created, "updated": self.updated,
            "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": RECOVERABLE_DAYS,
        });
        for (name, second) in [("nbf", self.nbf), ("exp", self.exp)] {
            if let Some(second) = second {
                shown[name] = json!(second);
            }
        }
        shown
    }
}

/// Refuses more or longer tags than a vault takes.
pub(super) fn check_tags(ask: &Ask<'_>, tags: Option<&BTreeMap<String, String>>) -> Told<()> {
    let Some(tags) = tags else { return Ok(()) };
    let most = ask.quirks.tags;
    if tags.len() > usize::try_from(most).unwrap_or(usize::MAX) {
        return Err(Problem::bad(format!("An object has at most {most} tags.")));
    }
    if tags.iter().any(|(name, value)| name.chars().count().max(value.chars().count()) > TAG_MAX_CHARS) {
        return Err(Problem::bad(format!("A tag has at most {TAG_MAX_CHARS} characters.")));
    }
    Ok(())
}

/// Adds what is told of a deleted object.
pub(super) fn add_deletion(ask: &Ask<'_>, object: &Object, kind: &str, shown: &mut Value) {
    let Some(at) = object.deleted else { return };
    let purge = at.checked_add(SignedDuration::from_hours(24 * RECOVERABLE_DAYS)).unwrap_or(at);
    shown["recoveryId"] = json!(format!("{}/deleted{kind}/{}", ask.url, object.name));
    shown["deletedDate"] = json!(at.as_second());
    shown["scheduledPurgeDate"] = json!(purge.as_second());
}
