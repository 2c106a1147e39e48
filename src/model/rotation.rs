//! The journal's record of one rotation: its state, its attempts, and the events that move it.
//! The rules that connect them live in the room `rotation`; here are only the words.

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use super::AppRef;
use super::CertificateEntry;
use super::CredentialKind;
use super::CredentialSpec;
use super::Emergency;
use super::HandoffId;
use super::IntegrationName;
use super::IssuerKind;
use super::KeyId;
use super::OwnCredential;
use super::RotationId;
use super::SealId;
use super::SinkId;
use super::Thumbprint;
use crate::secret::Fingerprint;

/// States of the tables in `rotation.md`; S is the client secret's, C the certificate's.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// S0/C0: nothing has happened outside.
    Planned,
    /// S0 with the preflight passed: the next commit is an intent.
    Ready,
    /// C1: the private key is sealed.
    Keyed,
    /// C2: the certificate exists.
    Certified,
    /// S1: addPassword is about to be called.
    Intent,
    /// S1u: the call's outcome is not known and never will be.
    Unknown,
    /// C3: the upload is about to be sent; the pre-image is recorded.
    UploadIntent,
    /// S2/C4: saved and attached; it is being proven.
    Attached,
    /// S3/C5: Entra accepts it.
    Verified,
    /// S4/C6: every required sink has it.
    Delivered,
    /// S4c/C6c: there is evidence that the consumers use it.
    Confirmed,
    /// S5/C7: the old ones may be removed, and no longer come back.
    RetireIntent,
    /// Between S5 and S6: of what it replaces only such are left as leave at their own ends, and they are adopted ones, or
    /// the next rotation is due. Terminal for I4: the slot's next rotation does not wait for them.
    Trailing,
    /// S6/C8: finished.
    Done,
    /// The old one ended by itself before anybody confirmed; terminal, its expired entries are being removed.
    SupersededUnconfirmed,
    /// An emergency took its place; terminal, what it had in hand outside is being settled.
    SupersededByEmergency,
}

impl State {
    /// The step a user sees (`stage`, `prove`, `deliver`, `confirm`, `retire`).
    pub fn step(self) -> &'static str {
        match self {
            Self::Planned
            | Self::Ready
            | Self::Keyed
            | Self::Certified
            | Self::Intent
            | Self::Unknown
            | Self::UploadIntent => "stage",
            Self::Attached => "prove",
            Self::Verified => "deliver",
            Self::Delivered => "confirm",
            Self::Confirmed
            | Self::RetireIntent
            | Self::SupersededByEmergency
            | Self::SupersededUnconfirmed
            | Self::Trailing => "retire",
            Self::Done => "done",
        }
    }
}

/// A credential that this rotation replaces.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct OldCredential {
    /// `keyId`.
    pub key_id: KeyId,
    /// End of validity.
    pub end: Timestamp,
    /// Thumbprint, for a certificate.
    pub thumbprint: Option<Thumbprint>,
    /// First three characters, for a client secret.
    pub hint: Option<String>,
    /// It was made by this slot's rotation and replaced before it was confirmed (`reissue --fresh`): consumers
    /// may hold it, but their stop is not counted from its end.
    #[serde(default)]
    pub replaced: bool,
    /// Somebody else made it and a named person adopted it: consumers that nobody listed may hold it.
    #[serde(default)]
    pub adopted: bool,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Given up after it was attached; the sweep removes it.
    Abandoned,
    /// Under way.
    Open,
    /// Refused: nothing was made.
    Refused,
    /// Saved: the value is sealed in the store.
    Saved,
    /// Not known; the sweep obligation stays for ever.
    Unknown,
}

/// One attempt at making the new credential.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Attempt {
    /// Its number, from 1, never used again.
    pub number: u32,
    /// `[ek1 <instance6>.<rotation>.<attempt>]`, the end of its `displayName` (rule D1).
    pub tag: String,
    /// When its intent was committed.
    pub started: Timestamp,
    /// Start of validity asked for.
    pub start: Timestamp,
    /// End of validity asked for.
    pub end: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// When that was known.
    pub closed: Option<Timestamp>,
    /// Reads of the application that did not show its tag: first and latest.
    pub unseen: Option<(Timestamp, Timestamp)>,
    /// The latest read of the application that looked for its tag, whatever it showed.
    #[serde(default)]
    pub looked: Option<Timestamp>,
    /// An orphan of this attempt was found and removed.
    pub swept: bool,
}

/// The new credential of a rotation.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Fresh {
    /// Attempt that made it.
    pub attempt: u32,
    /// `keyId`; for a certificate before the upload, the one everkey chose.
    pub key_id: KeyId,
    /// First three characters of a client secret.
    pub hint: Option<String>,
    /// Thumbprint of a certificate.
    pub thumbprint: Option<Thumbprint>,
    /// The certificate, DER.
    #[serde(default, with = "super::bytes")]
    pub certificate: Option<Vec<u8>>,
    /// Start of validity.
    pub start: Timestamp,
    /// End of validity.
    pub end: Timestamp,
    /// Sealed values.
    pub seals: Vec<SealId>,
}

impl From<OwnCredential> for Fresh {
    fn from(own: OwnCredential) -> Self {
        Self {
            attempt: own.attempt,
            key_id: own.key_id,
            hint: own.hint,
            thumbprint: own.thumbprint,
            certificate: own.certificate,
            start: own.start,
            end: own.end,
            seals: own.seals,
        }
    }
}

/// The proof by sign-in so far.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Probes {
    /// First and latest of the successes in a row.
    pub successes: Option<(Timestamp, Timestamp)>,
    /// How many successes in a row.
    pub count: u32,
    /// How many tries in all.
    pub tries: u32,
    /// When the first try was made.
    pub first_try: Option<Timestamp>,
    /// When the latest try was made.
    pub last_try: Option<Timestamp>,
    /// Reads of the application that did not list it: since when.
    pub absent_since: Option<Timestamp>,
    /// What Entra said last, when it did not accept (`AADSTS7000215`).
    pub last_refusal: Option<String>,
    /// Sign-in is blocked for a reason that is not the credential's.
    pub inconclusive: bool,
}

/// What shows that a sink has the new value.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// Read back, with this fingerprint.
    ReadBack(Fingerprint),
    /// Sealed for a person, under this hand-off.
    Sealed(HandoffId),
}

/// One delivery.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Delivery {
    /// The sink.
    pub sink: SinkId,
    /// When it was complete.
    pub at: Timestamp,
    /// What shows it.
    pub proof: Proof,
}

/// Evidence that consumers use the new credential.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Confirmation {
    /// The sink it is about; `None` when it covers all.
    pub sink: Option<SinkId>,
    /// The hand-off it is bound to.
    pub handoff: Option<HandoffId>,
    /// When.
    pub at: Timestamp,
    /// One sentence.
    pub evidence: String,
}

/// A removal that RETIRE_INTENT allows.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Removal {
    /// `keyId`.
    pub key_id: KeyId,
    /// When Entra last said that it is gone.
    pub sent: Option<Timestamp>,
    /// When it was last looked for.
    pub looked: Option<Timestamp>,
    /// First and latest of the reads in a row that did not show it.
    pub absent: Option<(Timestamp, Timestamp)>,
}

impl Removal {
    /// Whether two reads, at least `settle` apart, agree that it is gone.
    pub fn is_settled(&self, settle: jiff::SignedDuration) -> bool {
        self.absent.is_some_and(|(first, latest)| latest.duration_since(first) >= settle)
    }
}

/// Calls whose late landing matters (F5, the drain rule).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AmbiguousCall {
    /// addPassword or addKey.
    Add,
    /// PATCH of the key credentials.
    Patch,
    /// removePassword or removeKey.
    Remove,
}

impl AmbiguousCall {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Add, Self::Patch, Self::Remove];
}

/// A problem that people may have to hear of.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Problem {
    /// Error code (`G041`).
    pub code: String,
    /// One line.
    pub summary: String,
    /// The next step.
    pub fix: Option<String>,
    /// The far side's request id.
    pub request_id: Option<String>,
}

/// Consecutive failures of the present step.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Failure {
    /// The latest problem.
    pub problem: Problem,
    /// Since when.
    pub since: Timestamp,
    /// How often in a row.
    pub count: u32,
    /// Not before.
    pub retry_at: Timestamp,
    /// Nobody but a person can get it going again (policy of the tenant, slots taken).
    pub blocked: bool,
}

/// One rotation of one slot, from plan to done.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Rotation {
    /// Its number.
    pub id: RotationId,
    /// Integration.
    pub integration: IntegrationName,
    /// Title of the integration.
    pub title: String,
    /// The application.
    pub app: AppRef,
    /// Whether Entra allows only two secrets on it.
    pub capped: bool,
    /// What was asked for, as it stood when the rotation was planned.
    pub spec: CredentialSpec,
    /// Why it was planned: a reason code of `plan`.
    pub reason: String,
    /// When it was planned.
    pub planned: Timestamp,
    /// Version of the record; every commit names the one it read (I6).
    pub version: u64,
    /// Where it stands.
    pub state: State,
    /// What it replaces; empty at first issuance.
    pub old: Vec<OldCredential>,
    /// All attempts.
    pub attempts: Vec<Attempt>,
    /// Attempts up to this number may be known to a journal that was lost (the store was restored from a backup):
    /// what carries their tags may be in use, so it is never swept, and new attempts get greater numbers.
    #[serde(default)]
    pub forgotten: u32,
    /// The new credential, from S2/C2 on.
    pub fresh: Option<Fresh>,
    /// The certificate request (CSR) of the key in hand, PEM, while an issuer is asked for the certificate.
    #[serde(default)]
    pub request: Option<String>,
    /// The key credentials as they were before the upload, key bytes included.
    pub pre_image: Vec<CertificateEntry>,
    /// When Graph answered that it took the present upload: from then on nothing of it is in flight.
    #[serde(default)]
    pub accepted: Option<Timestamp>,
    /// The proof so far.
    pub probes: Probes,
    /// Deliveries so far.
    pub deliveries: Vec<Delivery>,
    /// Deliveries of values that this rotation itself has replaced: what their sinks show until the next one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<Delivery>,
    /// Evidence so far.
    pub confirmations: Vec<Confirmation>,
    /// What RETIRE_INTENT allows to be removed.
    pub removals: Vec<Removal>,
    /// Calls that may still land: when each was last sent.
    pub ambiguous: Vec<(AmbiguousCall, Timestamp)>,
    /// Consecutive failures of the present step.
    pub failure: Option<Failure>,
    /// What makes it an emergency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<Box<Emergency>>,
    /// When it ended.
    pub finished: Option<Timestamp>,
}

impl Rotation {
    /// A rotation as it is planned: nothing has happened yet.
    pub fn planned(
        id: RotationId,
        integration: IntegrationName,
        title: String,
        app: AppRef,
        spec: CredentialSpec,
        planned: Timestamp,
    ) -> Self {
        Self {
            id,
            integration,
            title,
            app,
            capped: false,
            spec,
            reason: String::new(),
            planned,
            version: 1,
            state: State::Planned,
            old: Vec::new(),
            attempts: Vec::new(),
            forgotten: 0,
            fresh: None,
            request: None,
            pre_image: Vec::new(),
            accepted: None,
            probes: Probes::default(),
            deliveries: Vec::new(),
            former: Vec::new(),
            confirmations: Vec::new(),
            removals: Vec::new(),
            ambiguous: Vec::new(),
            failure: None,
            emergency: None,
            finished: None,
        }
    }

    /// Whether it counts against "one rotation per slot" (I4).
    pub fn is_open(&self) -> bool {
        !matches!(
            self.state,
            State::Done | State::SupersededByEmergency | State::SupersededUnconfirmed | State::Trailing
        )
    }

    /// Whether anything is left to do, removals of a superseded rotation included.
    pub fn is_finished(&self) -> bool {
        self.finished.is_some()
    }

    /// The latest delivery, once all sinks have one: `t_d`.
    pub fn delivered_at(&self) -> Option<Timestamp> {
        let all = self.spec.sinks.iter().all(|sink| self.deliveries.iter().any(|d| d.sink == sink.id));
        if all { self.deliveries.iter().map(|d| d.at).max() } else { None }
    }

    /// The latest confirmation: `t_c`; only meaningful from `Confirmed` on.
    pub fn confirmed_at(&self) -> Option<Timestamp> {
        self.confirmations.iter().map(|c| c.at).max()
    }

    /// When the first consumer that never changes stops: the earliest end among what it replaces. What had ended before
    /// it was planned stops nobody any more, unless there is nothing else.
    pub fn old_end(&self) -> Option<Timestamp> {
        let ends = || self.old.iter().filter(|old| !old.replaced).map(|old| old.end);
        ends().filter(|end| *end > self.planned).min().or_else(|| ends().max())
    }

    /// Whether a person has to bring the certificate of an outside CA.
    pub fn waits_for_certificate(&self) -> bool {
        let outside = matches!(&self.spec.kind, CredentialKind::Certificate(spec) if spec.issuer == IssuerKind::Csr);
        self.state == State::Keyed && self.request.is_some() && outside
    }

    /// The attempt under way or the last one.
    pub fn attempt(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    /// How often it failed in a row. A new attempt clears the failure; one that is refused like those before it is the
    /// same failure again.
    pub fn failed_in_a_row(&self) -> u32 {
        let refused = self.attempts.iter().rev().take_while(|attempt| attempt.outcome == Outcome::Refused).count();
        let refused = u32::try_from(refused.saturating_sub(1)).unwrap_or(u32::MAX);
        self.failure.as_ref().map_or(0, |failure| failure.count).max(refused)
    }
}

/// What happened to a rotation; the fold of its events is its record. Holds no secret.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// Preflight passed.
    PreflightPassed,
    /// An attempt begins (S1, or C1's number).
    AttemptStarted {
        /// Number, greater than all before.
        number: u32,
        /// Its tag.
        tag: String,
        /// Start asked for.
        start: Timestamp,
        /// End asked for.
        end: Timestamp,
    },
    /// Nothing has been made yet, and the policy asks for something else now.
    Respecified {
        /// What it asks for.
        spec: Box<CredentialSpec>,
    },
    /// The policy retains these now, and no others.
    Retains {
        /// Their key ids.
        retain: Vec<KeyId>,
    },
    /// Definitely not applied.
    AttemptRefused,
    /// Not known whether it was applied.
    AttemptUnknown,
    /// A read of the application did or did not show the tag of an attempt that is not settled.
    AttemptSeen {
        /// The attempt.
        number: u32,
        /// Whether the tag was there.
        present: bool,
    },
    /// An orphan of an attempt was removed.
    AttemptSwept {
        /// The attempt.
        number: u32,
        /// The orphan's `keyId`.
        key_id: KeyId,
    },
    /// Entra shows attempts that the journal never made: it is an older one than the one that made them.
    AttemptsForgotten {
        /// The greatest number seen.
        up_to: u32,
    },
    /// The private key is sealed (C1).
    KeySealed {
        /// Sealed values.
        seals: Vec<SealId>,
    },
    /// The request for the certificate is made, and is what every issuer is asked with from now on.
    Requested {
        /// PEM.
        request: String,
    },
    /// The certificate exists (C2).
    CertificateMade {
        /// The new credential, not yet attached.
        fresh: Fresh,
    },
    /// The upload is about to be sent (C3).
    UploadIntended {
        /// The key credentials before it.
        pre_image: Vec<CertificateEntry>,
    },
    /// Graph answered that it took the upload; reads may not show it yet.
    UploadAccepted,
    /// A call may or may not have been applied.
    CallAmbiguous {
        /// Which.
        call: AmbiguousCall,
    },
    /// A call is about to be sent: from now on it may land.
    CallSent {
        /// Which.
        call: AmbiguousCall,
    },
    /// The call sent last has a clear answer: nothing of it is in flight.
    CallAnswered {
        /// Which.
        call: AmbiguousCall,
    },
    /// Saved and attached (S2/C4).
    Attached {
        /// The new credential as Graph reported it.
        fresh: Fresh,
    },
    /// Entra accepted it once.
    ProbeAccepted {
        /// Request id of the sign-in.
        request_id: Option<String>,
    },
    /// Entra does not accept it yet.
    ProbeRefused {
        /// AADSTS code.
        code: String,
        /// Whether the application's read listed the credential.
        listed: bool,
    },
    /// Entra cannot answer for a reason that is not the credential's.
    ProbeInconclusive {
        /// AADSTS code.
        code: String,
    },
    /// Proven (S3/C5).
    Verified,
    /// Given up; the sweep removes it.
    Abandoned,
    /// One sink has it.
    Delivered {
        /// The delivery.
        delivery: Delivery,
    },
    /// A sink no longer shows what was delivered.
    SinkDrifted {
        /// The sink.
        sink: SinkId,
    },
    /// Every sink has it (S4/C6).
    AllDelivered,
    /// Evidence for one sink, or for all.
    EvidenceSeen {
        /// The evidence.
        confirmation: Confirmation,
    },
    /// All evidence is there (S4c/C6c).
    Confirmed,
    /// A hand-off was issued again: its receipt is void.
    ReceiptVoided {
        /// The old hand-off.
        handoff: HandoffId,
        /// The new delivery.
        delivery: Delivery,
    },
    /// A new value takes the place of one that was handed over and lost (`reissue --fresh`).
    Renewed,
    /// The old ones may be removed (S5/C7).
    RetireIntended {
        /// Exactly these.
        key_ids: Vec<KeyId>,
    },
    /// Of what it replaces only such are left as the slot's next rotation does not wait for.
    OwnGone,
    /// Its adoption was taken back before its removal was intended: it is somebody else's again.
    AdoptionEnded {
        /// Which.
        key_id: KeyId,
    },
    /// Own credentials that ended by both clocks may be removed, whatever the state (I2, second form).
    ExpiredIntended {
        /// Exactly these.
        key_ids: Vec<KeyId>,
    },
    /// Entra says it is gone.
    RemovalSent {
        /// Which.
        key_id: KeyId,
    },
    /// A read did or did not show it.
    RemovalSeen {
        /// Which.
        key_id: KeyId,
        /// Whether it was still listed.
        present: bool,
    },
    /// Nobody confirmed before the old one ended by both clocks.
    Superseded,
    /// An emergency takes its place (I4), in the commit that plans that one.
    SupersededByEmergency {
        /// The emergency.
        by: RotationId,
    },
    /// Somebody asks for more in an emergency that is under way.
    EmergencyWidened {
        /// The outage of people is accepted from now on.
        now: bool,
        /// No proof is waited for from now on.
        force: bool,
        /// These leave as well.
        also: Vec<OldCredential>,
        /// Sign-in is disabled at the end.
        #[serde(default)]
        disable_sign_in: bool,
    },
    /// What lies ahead by both clocks was written down by a clock that was wrong: it counts from now.
    Redated,
    /// The new one, which is about to be delivered or was, has ended, or the application does not list it any more.
    Unlisted,
    /// Sign-in of the application is disabled.
    SignInDisabled,
    /// An emergency goes on although the new one could not be proven.
    Unproven,
    /// An emergency removes these before it can make the new one: both slots are taken.
    RoomIntended {
        /// Exactly these.
        key_ids: Vec<KeyId>,
    },
    /// A removed one was refused at sign-in.
    OldRefused {
        /// Which.
        key_id: KeyId,
        /// AADSTS code.
        code: String,
        /// Request id of the sign-in.
        request_id: Option<String>,
    },
    /// A removed one is still accepted at sign-in.
    OldAccepted {
        /// Which.
        key_id: KeyId,
        /// Request id of the sign-in.
        request_id: Option<String>,
    },
    /// It cannot be seen whether a removed one is refused.
    RefusalUnseen {
        /// Which.
        key_id: KeyId,
        /// Why.
        why: String,
    },
    /// Finished (S6/C8, or the tail of a superseded rotation).
    Finished,
    /// The present step failed.
    Failed {
        /// Why.
        problem: Problem,
        /// Not before.
        retry_at: Timestamp,
        /// Only a person can get it going again.
        blocked: bool,
    },
}
