//! An emergency: a credential is in the wrong hands, and leaves without the overlap.

use jiff::SignedDuration;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use super::KeyId;
use super::ObjectId;
use super::RotationId;

/// What makes a rotation an emergency, as the journal keeps it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Emergency {
    /// Why, in the words of who asked.
    pub reason: String,
    /// The user of the operating system who asked.
    pub by: String,
    /// The open rotation that it closed.
    pub closed: Option<RotationId>,
    /// Exactly these leave with it; others of its record leave at their own ends.
    pub targets: Vec<KeyId>,
    /// Of those, what nobody can have: in no sink, and its hand-off never opened.
    pub unused: Vec<KeyId>,
    /// When a value that it replaces may last have been written to a sink.
    pub written: Timestamp,
    /// The outage of people who still have to act is accepted.
    pub now: bool,
    /// The old ones leave even when the new one cannot be proven.
    pub force: bool,
    /// That happened: it was delivered unproven.
    pub unproven: bool,
    /// The old ones, seen refused.
    pub refused: Vec<Refused>,
    /// Once the old ones are gone, sign-in of the application is disabled.
    #[serde(default)]
    pub disable_sign_in: bool,
    /// When that happened.
    #[serde(default)]
    pub disabled: Option<Timestamp>,
}

/// Sign-in of an application that everkey disabled, until a named person enables it again.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct DisabledSignIn {
    /// Why, in the words of who asked for the emergency.
    pub reason: String,
    /// Who asked.
    pub by: String,
    /// The emergency.
    pub rotation: RotationId,
    /// When Entra took it; `None` while that is not known.
    pub at: Option<Timestamp>,
    /// When a call was sent whose answer is not known: it may still land.
    pub sent: Option<Timestamp>,
}

impl DisabledSignIn {
    /// The name of its record.
    pub fn record(app: &ObjectId) -> String {
        format!("sign-in/{app}")
    }
}

/// Sign-ins with an old credential after its removal.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Refused {
    /// The old credential.
    pub key_id: KeyId,
    /// First and latest of the refusals in a row.
    pub span: Option<(Timestamp, Timestamp)>,
    /// How many in a row.
    pub count: u32,
    /// First and latest try.
    pub tries: Option<(Timestamp, Timestamp)>,
    /// Why it will not be seen.
    pub unseen: Option<String>,
}

impl Refused {
    /// Nothing seen yet.
    pub fn of(key_id: KeyId) -> Self {
        Self { key_id, span: None, count: 0, tries: None, unseen: None }
    }

    /// Whether it was refused `times` over `span`.
    pub fn is_seen(&self, times: u32, span: SignedDuration) -> bool {
        self.count >= times && self.span.is_some_and(|(first, latest)| latest.duration_since(first) >= span)
    }
}
