//! What people are told. A notice holds facts, not sentences: the templates make the mail. No secret fits in it.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use serde::Serialize;

use super::ClientId;
use super::HandoffId;
use super::IntegrationName;
use super::KeyId;
use super::ObjectId;
use super::Problem;
use super::TenantId;

/// Why somebody is told.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeKind {
    /// An outside CA must be asked for a certificate; the request is in the notice.
    CertificateRequest,
    /// Somebody added a credential that everkey did not make.
    Appeared,
    /// Renewed without a person: one "done" mail.
    Done,
    /// A key is replaced at once; or a new one must be handed over at once.
    Emergency,
    /// Nobody acted; the next level hears.
    Escalation,
    /// A rotation failed.
    Failed,
    /// A key waits for the doer.
    HandoffReady,
    /// everkey itself needs its owner: it sees nothing, or was given a configuration that it refuses.
    Operation,
    /// Something stops in so many days and a person is needed.
    Reminder,
    /// A hand-off was confirmed, or what had stopped works again.
    Resolved,
    /// It has stopped.
    Stopped,
    /// Several notices for one person in one run.
    Summary,
    /// `everkey mail test`.
    Test,
    /// A credential of somebody else is gone, and a call of everkey's may be the reason.
    Vanished,
    /// Somebody is named in a policy for the first time.
    Welcome,
}

/// For whom a mail is written.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reader {
    /// Technical, with every id and the exact command.
    Engineer,
    /// Somebody above, who must make others act.
    Lead,
    /// Plain words, no GUID above the line.
    Pm,
}

/// The hand-off a notice speaks of.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct NoticeHandoff {
    /// Its number.
    pub id: HandoffId,
    /// Who carries it.
    pub doer: String,
    /// Who receives it.
    pub recipient_name: String,
    /// Where it goes.
    pub place: String,
    /// Local date by which it should be handed over.
    pub due: Date,
    /// Whether it was opened.
    pub opened: bool,
}

/// A certificate request that somebody takes to a CA. Public: it holds no private key.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct NoticeRequest {
    /// PEM.
    pub pem: String,
    /// Subject that is asked for.
    pub subject: String,
    /// Local date by which the certificate should be back; `None` when nothing ends.
    pub due: Option<Date>,
}

/// Who was told before, for escalations.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Told {
    /// Address.
    pub person: String,
    /// Local dates.
    pub dates: Vec<Date>,
    /// `not opened`, `opened, no answer`, `acknowledged`.
    pub answer: String,
}

/// A line of the five-step table in a technical mail.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct StepLine {
    /// `stage`, `prove`, `deliver`, `confirm`, `retire`.
    pub step: String,
    /// `ok`, `FAILED`, `not started`, `waiting`.
    pub outcome: String,
    /// Detail.
    pub detail: String,
    /// When.
    pub at: Option<Timestamp>,
}

/// The ids a technical mail names.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct NoticeIds {
    /// Tenant.
    pub tenant_id: TenantId,
    /// Application (client) id.
    pub client_id: ClientId,
    /// Object id.
    pub object_id: ObjectId,
    /// Key id of the credential that ends.
    pub key_id: Option<KeyId>,
    /// Rotation number, for `everkey history`.
    pub run: Option<String>,
}

/// One notice for one mail.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Notice {
    /// Drops repeats: the same key is never told twice.
    pub key: String,
    /// Why.
    pub kind: NoticeKind,
    /// For whom it is written.
    pub reader: Reader,
    /// `60`, `30`, `14`, `7`, `3`, `1`, `0`, `ready`, `half`, `deadline`, `escalation`, `failed`, `done` …
    pub stage: String,
    /// When it was decided.
    pub at: Timestamp,
    /// IANA zone in which dates are written.
    pub timezone: String,
    /// Integration.
    pub integration: IntegrationName,
    /// Its title.
    pub title: String,
    /// What stops, a sentence for a project manager.
    pub impact: String,
    /// Recipients.
    pub to: Vec<String>,
    /// Copies.
    pub cc: Vec<String>,
    /// Stands in for the project manager.
    pub backup: Option<String>,
    /// Whom to ask.
    pub contact: String,
    /// `secret` or `certificate`.
    pub word: String,
    /// When it stops if nobody acts.
    pub stops_at: Option<Timestamp>,
    /// Until when the new credential works.
    pub new_until: Option<Timestamp>,
    /// How often a person is asked for it in a year.
    pub times_a_year: u32,
    /// The hand-off it is about.
    pub handoff: Option<NoticeHandoff>,
    /// The certificate request that waits for an answer.
    #[serde(default)]
    pub request: Option<NoticeRequest>,
    /// When that person hears again, unless they act.
    pub next_reminder: Option<Date>,
    /// Who was told before.
    pub told: Vec<Told>,
    /// What failed.
    pub problem: Option<Problem>,
    /// The five steps, in a technical mail.
    pub steps: Vec<StepLine>,
    /// Ids, in a technical mail.
    pub ids: Option<NoticeIds>,
    /// All mails on one credential share a thread.
    pub thread: String,
    /// Grows with each change of a calendar entry's date.
    pub calendar_sequence: u32,
    /// Link to the hand-off page, only when a `public_url` answers.
    pub link: Option<String>,
    /// The notices a summary takes the place of.
    pub merged: Vec<Notice>,
    /// The command that makes a credential of others everkey's business.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt: Option<String>,
}
