//! The whole seam between the core and the outside, on one page.
//!
//! Each trait is a contract: what a call promises, and what each error means. The engine is written
//! against these; `assemble` names the adapters. Nothing here knows a wire format.

use async_trait::async_trait;
use jiff::SignedDuration;
use jiff::Timestamp;

use crate::model::Acknowledgement;
use crate::model::AppLimits;
use crate::model::AppObserved;
use crate::model::AppRef;
use crate::model::AppSpec;
use crate::model::CertificateEntry;
use crate::model::ChainLink;
use crate::model::ClientId;
use crate::model::Entry;
use crate::model::Grants;
use crate::model::Handoff;
use crate::model::Holder;
use crate::model::HolderKind;
use crate::model::IntegrationName;
use crate::model::IntegrationRecord;
use crate::model::IssuerKind;
use crate::model::KeyId;
use crate::model::KeyType;
use crate::model::Notice;
use crate::model::ObjectId;
use crate::model::OwnCredential;
use crate::model::Permission;
use crate::model::PfxProfile;
use crate::model::PrincipalObserved;
use crate::model::Recorded;
use crate::model::Rotation;
use crate::model::RotationId;
use crate::model::SealId;
use crate::model::SecretEntry;
use crate::model::SlotName;
use crate::model::TenantId;
use crate::model::Thumbprint;
use crate::model::TokenClaims;
use crate::model::ValueName;
use crate::secret::Fingerprint;
use crate::secret::Secret;

/// What the far side said when it refused.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Refusal {
    /// HTTP status, 0 where there is none.
    pub status: u16,
    /// Its error code (`Authorization_RequestDenied`, `AADSTS7000215`).
    pub code: String,
    /// Its message, bounded in length, never holding a secret.
    pub message: String,
    /// Its request id.
    pub request_id: Option<String>,
}

/// How a call to the outside failed. The variants tell what may be assumed about its effect.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PortError {
    /// 409, or a sink that holds something else than expected. Not applied.
    #[error("conflict: {} {}", .0.code, .0.message)]
    Conflict(Refusal),
    /// 401 or 403: sign-in failed or a permission is missing. Not applied.
    #[error("denied: {} {}", .0.code, .0.message)]
    Denied(Refusal),
    /// A fault of this machine (disk, file, child process). Not applied.
    #[error("{0}")]
    Local(String),
    /// 404: not there, or not yet replicated. Not applied.
    #[error("not found: {} {}", .0.code, .0.message)]
    Missing(Refusal),
    /// Another 4xx: not applied; repeating it will not help.
    #[error("refused: {} {}", .0.code, .0.message)]
    Refused(Refusal),
    /// 429. Not applied.
    #[error("throttled")]
    Throttled {
        /// How long the far side asked to wait.
        retry_after: Option<SignedDuration>,
        /// The call's id, for whoever asks the far side about it.
        request_id: Option<String>,
    },
    /// No connection was made: not sent, so not applied.
    #[error("cannot reach {place}: {why}")]
    Unreachable {
        /// Host and port.
        place: String,
        /// Why.
        why: String,
    },
    /// Timeout, reset, 5xx or an unreadable body after sending: applied, not applied, or applied later.
    #[error("no clear answer from {place}: {why}")]
    Unsure {
        /// Host and port.
        place: String,
        /// Why.
        why: String,
        /// The call's id, for whoever asks the far side about it.
        request_id: Option<String>,
    },
}

impl PortError {
    /// The id of the call: the far side's own, or the one that it was sent with.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Conflict(refusal) | Self::Denied(refusal) | Self::Missing(refusal) | Self::Refused(refusal) => {
                refusal.request_id.as_deref()
            }
            Self::Throttled { request_id, .. } | Self::Unsure { request_id, .. } => request_id.as_deref(),
            Self::Local(_) | Self::Unreachable { .. } => None,
        }
    }

    /// The refusal, where the far side gave one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Conflict(refusal) | Self::Denied(refusal) | Self::Missing(refusal) | Self::Refused(refusal) => {
                Some(refusal)
            }
            Self::Local(_) | Self::Throttled { .. } | Self::Unreachable { .. } | Self::Unsure { .. } => None,
        }
    }
}

/// A reply with the far side's own time (the `Date` header), the second clock of `rotation.md`.
#[derive(Clone, Debug)]
pub struct Dated<T> {
    /// The reply.
    pub value: T,
    /// The far side's time when it answered.
    pub date: Option<Timestamp>,
}

/// A client secret just made.
#[derive(Debug)]
pub struct AddedPassword {
    /// What Graph reported; its dates may differ from those asked for.
    pub entry: SecretEntry,
    /// The value, shown this once.
    pub value: Secret,
}

/// One line of the sign-in report per credential.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignInActivity {
    /// `keyId`.
    pub key_id: KeyId,
    /// Last sign-in with it, across all flows; hours late, everkey's own included.
    pub last: Timestamp,
    /// Request id of that sign-in.
    pub request_id: Option<String>,
}

/// Where a list goes on; only the directory that gave it can read it.
#[derive(Debug)]
pub struct Cursor {
    /// The link to the next page.
    pub next: String,
    /// The links followed so far.
    pub seen: std::collections::HashSet<String>,
}

/// One page of a tenant.
#[derive(Debug)]
pub struct HolderPage {
    /// What is on it.
    pub holders: Vec<Holder>,
    /// The next page.
    pub next: Option<Cursor>,
    /// The far side's time.
    pub date: Option<Timestamp>,
}

/// What changed since an earlier look. A changed object is to be read again.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Changes {
    /// New or changed.
    pub changed: Vec<ObjectId>,
    /// Gone, perhaps restorable.
    pub removed: Vec<ObjectId>,
    /// Where the next look begins.
    pub link: String,
}

/// What a directory that cannot be read as a whole says.
fn no_tenant() -> PortError {
    PortError::Refused(Refusal { code: "NoTenant".into(), ..Refusal::default() })
}

/// Microsoft Graph, as far as everkey needs it. No call retries by itself unless it is a read.
#[async_trait]
pub trait Directory: Send + Sync {
    /// The tenant this directory belongs to.
    fn tenant(&self) -> TenantId;

    /// Creates the application, or finds the one that an earlier call with the same `unique_name` made
    /// (`PATCH /applications(uniqueName='…')`, `Prefer: create-if-missing`): safe to repeat.
    async fn create_application(&self, unique_name: &str, spec: &AppSpec) -> Result<AppRef, PortError>;

    /// The application with this client id; `None` when there is none (or not yet).
    async fn find_application(&self, client_id: &ClientId) -> Result<Option<AppRef>, PortError>;

    /// The application that [`Directory::create_application`] made under this name; `None` when there is none (or not
    /// yet, or not any more).
    async fn named_application(&self, _unique_name: &str) -> Result<Option<AppRef>, PortError> {
        Err(no_tenant())
    }

    /// Deletes an application, its service principal with it, into the tenant's bin; one that is not there is success.
    async fn delete_application(&self, _app: &ObjectId) -> Result<(), PortError> {
        Err(no_tenant())
    }

    /// Empties the bin of a deleted application, for good; one that is not there is success.
    async fn purge_application(&self, _app: &ObjectId) -> Result<(), PortError> {
        Err(no_tenant())
    }

    /// Reads one application with all its credentials, without key bytes.
    async fn application(&self, app: &ObjectId) -> Result<Dated<AppObserved>, PortError>;

    /// Sets what `spec` asks for, keeping redirect URIs and permissions that it does not mention.
    async fn update_application(&self, observed: &AppObserved, spec: &AppSpec) -> Result<(), PortError>;

    /// The service principal of an application in this tenant.
    async fn principal(&self, client_id: &ClientId) -> Result<Option<PrincipalObserved>, PortError>;

    /// Creates the service principal; one that exists already is success.
    async fn create_principal(&self, client_id: &ClientId) -> Result<PrincipalObserved, PortError>;

    /// Replaces the tags of a service principal.
    async fn set_principal_tags(&self, principal: &ObjectId, tags: &[String]) -> Result<(), PortError>;

    /// Lets anybody sign in as the application of a service principal, or nobody.
    async fn set_principal_enabled(&self, _principal: &ObjectId, _enabled: bool) -> Result<(), PortError> {
        Err(PortError::Refused(Refusal { code: "NoSwitch".into(), ..Refusal::default() }))
    }

    /// What has been consented for it.
    async fn grants(&self, principal: &ObjectId) -> Result<Grants, PortError>;

    /// Consents, tenant-wide, to those of `permissions` that are not in `present`. Safe to repeat.
    async fn grant(&self, principal: &ObjectId, permissions: &[Permission], present: &Grants) -> Result<(), PortError>;

    /// addPassword. Not idempotent: never repeated by this adapter (F1).
    async fn add_password(
        &self,
        app: &ObjectId,
        display_name: &str,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<AddedPassword, PortError>;

    /// removePassword; one that is not there is success.
    async fn remove_password(&self, app: &ObjectId, key_id: &KeyId) -> Result<(), PortError>;

    /// The key credentials with their key bytes (`$select=keyCredentials` on the single object).
    async fn key_credentials(&self, app: &ObjectId) -> Result<Dated<Vec<CertificateEntry>>, PortError>;

    /// addKey of the certificate in `entry.key`, proven by `proof`.
    async fn add_key(&self, app: &ObjectId, entry: &CertificateEntry, proof: &Secret) -> Result<KeyId, PortError>;

    /// removeKey, proven by `proof`; one that is not there is success.
    async fn remove_key(&self, app: &ObjectId, key_id: &KeyId, proof: &Secret) -> Result<(), PortError>;

    /// Every application of the tenant that may be read, with its credentials and without key bytes. An error means
    /// "unknown", never "none": the right may be missing.
    async fn applications(&self) -> Result<Vec<AppObserved>, PortError> {
        Err(PortError::Refused(Refusal { code: "NoList".into(), ..Refusal::default() }))
    }

    /// Object ids of the owners of an application.
    async fn owners(&self, _app: &ObjectId) -> Result<Vec<ObjectId>, PortError> {
        Err(PortError::Refused(Refusal { code: "NoOwners".into(), ..Refusal::default() }))
    }

    /// What the tenant's app management policies restrict on `app`, or on an application that is made at `now`. An
    /// error means "unknown", never "allowed": the right may be missing.
    async fn app_limits(&self, _app: Option<&ObjectId>, _now: Timestamp) -> Result<AppLimits, PortError> {
        Err(PortError::Refused(Refusal { code: "NoPolicies".into(), ..Refusal::default() }))
    }

    /// The beta sign-in report of the whole tenant. An error means "unknown", never "quiet": the right, the licence
    /// or the cloud may be missing.
    async fn sign_in_activities(&self) -> Result<Vec<SignInActivity>, PortError> {
        Err(PortError::Refused(Refusal { code: "NoReport".into(), ..Refusal::default() }))
    }

    /// How many there are, where Graph counts them (an advanced query; not everywhere).
    async fn count_holders(&self, _kind: HolderKind) -> Result<u64, PortError> {
        Err(no_tenant())
    }

    /// One page of everything of a kind, with credentials and, where Graph gives them, owners; `after` is the
    /// page before it. An object may come twice when the tenant changes meanwhile.
    async fn holders(&self, _kind: HolderKind, _after: Option<Cursor>) -> Result<HolderPage, PortError> {
        Err(no_tenant())
    }

    /// One of them; `None` when it is not there.
    async fn holder(&self, _kind: HolderKind, _id: &ObjectId) -> Result<Option<Holder>, PortError> {
        Err(no_tenant())
    }

    /// What changed since `link` was given; without one nothing but a link for the next time. A link that has
    /// expired is [`PortError::Refused`] with status 410: read everything again.
    async fn changes(&self, _kind: HolderKind, _link: Option<&str>) -> Result<Changes, PortError> {
        Err(no_tenant())
    }

    /// PATCH: replaces the whole collection with `entries`. The caller guarantees that nothing is lost (F3).
    async fn replace_keys(&self, app: &ObjectId, entries: &[CertificateEntry]) -> Result<(), PortError>;
}

/// A credential of a managed application, for a probe or a proof.
pub enum SignIn<'a> {
    /// By certificate: PKCS#8 DER of the key, DER of the certificate.
    Certificate {
        /// Private key, PKCS#8 DER.
        key: &'a Secret,
        /// Certificate, DER.
        certificate: &'a [u8],
    },
    /// By client secret.
    ClientSecret(&'a Secret),
}

/// What a sign-in showed (`rotation.md`, "What a probe's answer means").
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Probe {
    /// A token was issued, with or without roles.
    Accepted {
        /// Request id.
        request_id: Option<String>,
        /// App roles in the token, for people.
        roles: Vec<String>,
    },
    /// Entra does not know or not yet accept it.
    NotYet {
        /// AADSTS code.
        code: String,
        /// Entra's message, first sentence.
        message: String,
        /// Request id.
        request_id: Option<String>,
    },
    /// Entra cannot answer for a reason that is not the credential's (Conditional Access, disabled principal).
    Inconclusive {
        /// AADSTS code.
        code: String,
        /// Entra's message, first sentence.
        message: String,
    },
}

/// The token endpoint.
#[async_trait]
pub trait TokenEndpoint: Send + Sync {
    /// Signs in as a managed application, with a fresh request each time (no cache).
    async fn probe(&self, app: &AppRef, sign_in: SignIn<'_>) -> Result<Probe, PortError>;

    /// The same, with what the token says where one was issued.
    async fn describe(&self, app: &AppRef, sign_in: SignIn<'_>) -> Result<(Probe, Option<TokenClaims>), PortError> {
        Ok((self.probe(app, sign_in).await?, None))
    }

    /// The proof of possession that addKey and removeKey ask for: a JWT signed by a live key of the application.
    fn proof(&self, app: &ObjectId, key: &Secret, certificate: &[u8]) -> Result<Secret, PortError>;
}

/// Gives bearer tokens of everkey's own identity to adapters that need one.
#[async_trait]
pub trait TokenSource: Send + Sync {
    /// A token for the Graph of this tenant, cached until shortly before it ends.
    async fn token(&self) -> Result<Secret, PortError>;

    /// Drops the cached token (after a 401, or when new roles were granted).
    fn forget(&self);
}

/// A certificate just made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MadeCertificate {
    /// DER.
    pub der: Vec<u8>,
    /// SHA-1 thumbprint.
    pub thumbprint: Thumbprint,
    /// SHA-256 thumbprint, lower-case hex.
    pub thumbprint_sha256: String,
    /// notBefore.
    pub start: Timestamp,
    /// notAfter.
    pub end: Timestamp,
}

/// What an issuer is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The request (PKCS#10), PEM. Asking twice with the same one is allowed.
    pub request: &'a str,
    /// The instant of the order.
    pub now: Timestamp,
    /// How long it should live; an outside CA decides by itself.
    pub lifetime: SignedDuration,
}

/// Somebody who makes a certificate of a request: a local CA, or a command.
#[async_trait]
pub trait Issuer: Send + Sync {
    /// The certificate, PEM or DER, alone or with its chain. It is checked by whoever asked.
    async fn issue(&self, order: Order<'_>) -> Result<Vec<u8>, PortError>;
}

/// The issuers of an installation.
pub trait Issuers: Send + Sync {
    /// The issuer of this kind; refused when the installation has none.
    fn open(&self, kind: &IssuerKind) -> Result<Box<dyn Issuer>, PortError>;
}

/// Makes and packs key material. Knows nothing of Graph, sinks or policy. CPU-heavy: call off the async threads.
pub trait CertTool: Send + Sync {
    /// A new private key, PKCS#8 DER.
    fn generate_key(&self, key: KeyType) -> Result<Secret, PortError>;

    /// A self-signed certificate of profile `entra-client`: v3, 128-bit random serial, key usage
    /// digitalSignature, extended key usage clientAuth, CA false, subject key identifier.
    ///
    /// `start` and `end` are taken as they are, in whole seconds UTC.
    fn self_signed(
        &self,
        key: &Secret,
        subject: &str,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<MadeCertificate, PortError>;

    /// The request (PKCS#10) of `key` for `subject`, PEM.
    fn request(&self, key: &Secret, subject: &str) -> Result<String, PortError>;

    /// What an issuer gave back, checked: it holds a certificate for `key`, which names `subject`'s common name.
    /// PEM or DER; of a chain, the one for `key` is taken.
    fn issued(&self, key: &Secret, subject: &str, given: &[u8]) -> Result<MadeCertificate, PortError>;

    /// Packs key and certificate as a PFX after checking that they are one pair, and opens it again to be sure.
    /// `generated` says that the password is random (10,000 rounds instead of 600,000).
    fn pfx(
        &self,
        key: &Secret,
        certificate: &[u8],
        password: &Secret,
        profile: PfxProfile,
        generated: bool,
    ) -> Result<Secret, PortError>;

    /// The key as PKCS#8 PEM.
    fn key_pem(&self, key: &Secret) -> Result<Secret, PortError>;

    /// The certificate as PEM.
    fn certificate_pem(&self, certificate: &[u8]) -> String;

    /// SHA-1 and SHA-256 thumbprints of a DER.
    fn thumbprints(&self, certificate: &[u8]) -> (Thumbprint, String);

    /// A password for a PFX: 24 random ASCII letters and digits.
    fn generate_password(&self) -> Result<Secret, PortError>;
}

/// What is written to a sink: named values, some secret.
pub struct Payload {
    /// Rotation that wrote it: the generation a sink compares.
    pub generation: RotationId,
    /// The values; text values as UTF-8, `pfx` as bytes.
    pub values: std::collections::BTreeMap<ValueName, Secret>,
    /// The certificate, DER, for sinks that write one.
    pub certificate: Option<Vec<u8>>,
}

/// A place where consumers read a credential. One value per sink, written as a whole.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Checks, without writing any secret, that a write would succeed: place, owner, mode, rename, room.
    async fn preflight(&self) -> Result<(), PortError>;

    /// Writes `payload` and reads it back. Refuses with [`PortError::Conflict`] when a newer generation is
    /// there. Atomic: a consumer sees the old or the new value, never a mixture. Writing the same again is
    /// harmless. Returns the fingerprint that [`Sink::fingerprint`] gives from now on.
    async fn write(&self, payload: &Payload) -> Result<Fingerprint, PortError>;

    /// Fingerprint of what the sink holds now; `None` when it holds nothing of ours.
    async fn fingerprint(&self) -> Result<Option<Fingerprint>, PortError>;

    /// Runs the command that tells the consumer (`after`); success when there is none.
    async fn after(&self) -> Result<(), PortError>;

    /// Whether a write compares before it writes (else the drain rule waits Z before a retirement).
    fn compares(&self) -> bool;

    /// Where it is, for people.
    fn place(&self) -> String;
}

/// Makes the sink that a specification names.
pub trait Sinks: Send + Sync {
    /// The sink for `spec` and its `owner`; never called for a hand-off.
    fn open(
        &self,
        spec: &crate::model::SinkSpec,
        owner: &crate::model::SinkOwner,
    ) -> Result<std::sync::Arc<dyn Sink>, PortError>;

    /// A person's PFX password, read from its file; one trailing line end is dropped.
    fn password(&self, file: &str) -> Result<Secret, PortError>;
}

/// Tells people. Delivery is at least once: the notice's key is the message id, so that receivers can drop repeats.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// `Err` leaves the notice in the outbox for the next attempt.
    async fn notify(&self, notice: &Notice) -> Result<(), PortError>;
}

/// The right to commit, held by one process at a time (I6).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fence(pub u64);

/// A value on its way into the store, sealed in the transaction of the commit.
#[derive(Debug)]
pub struct SealItem {
    /// Its id; also bound into the ciphertext, so that rows cannot be swapped.
    pub id: SealId,
    /// The application it belongs to; bound into the ciphertext as well.
    pub app: AppRef,
    /// The value.
    pub value: Secret,
}

/// Everything one journal commit writes, in one transaction or not at all.
#[derive(Debug)]
pub struct Commit {
    /// When, by the clock of the tenant.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// The rotation as it is from now on; its `version` is the one that was read plus one (1 for a new one).
    pub rotation: Option<Rotation>,
    /// Another rotation of the same slot as it is from now on, closed before `rotation` takes its place (I4).
    pub closes: Option<Rotation>,
    /// History entries.
    pub entries: Vec<Entry>,
    /// Values to seal.
    pub seal: Vec<SealItem>,
    /// Sealed values to destroy.
    pub destroy: Vec<SealId>,
    /// Own credentials as they are from now on.
    pub credentials: Vec<OwnCredential>,
    /// Hand-offs as they are from now on.
    pub handoffs: Vec<Handoff>,
    /// Notices to send; one whose key is known already is dropped.
    pub notices: Vec<Notice>,
    /// Integration records as they are from now on.
    pub integrations: Vec<IntegrationRecord>,
    /// Acknowledgements.
    pub acknowledgements: Vec<Acknowledgement>,
    /// Own sign-ins with managed credentials: key id, when, request id.
    pub sign_ins: Vec<(KeyId, Timestamp, Option<String>)>,
    /// Small records as they are from now on.
    pub marks: Vec<Mark>,
}

/// A small record by name: what was seen where, how far a look came. Holds no secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mark {
    /// Its name, `kind/…`.
    pub name: String,
    /// Its content, JSON; `None` in a commit takes it away.
    pub body: Option<String>,
}

impl Commit {
    /// An empty commit.
    pub fn new(at: Timestamp, actor: impl Into<String>) -> Self {
        Self {
            at,
            actor: actor.into(),
            rotation: None,
            closes: None,
            entries: Vec::new(),
            seal: Vec::new(),
            destroy: Vec::new(),
            credentials: Vec::new(),
            handoffs: Vec::new(),
            notices: Vec::new(),
            integrations: Vec::new(),
            acknowledgements: Vec::new(),
            sign_ins: Vec::new(),
            marks: Vec::new(),
        }
    }
}

/// A notice that waits to be sent, or was sent.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The notice.
    pub notice: Notice,
    /// When it was committed.
    pub created: Timestamp,
    /// When it was sent.
    pub sent: Option<Timestamp>,
    /// How often it was tried.
    pub tries: u32,
}

/// How the store failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The record was changed by somebody else, or the fence is another's: nothing was written; stop.
    #[error("another process has taken over the store")]
    Fenced,
    /// Another process holds it.
    #[error("the store is held by {holder} since {since}")]
    Held {
        /// Host, process id and command.
        holder: String,
        /// Since when.
        since: Timestamp,
    },
    /// It is the copy of another store, and not finished: nothing may be done with it yet.
    #[error("{0}")]
    Arriving(String),
    /// The database took nothing of it, and it may be asked again.
    #[error("{0}")]
    Busy(String),
    /// The database server cannot be spoken to in this way: its address, or how it is to be encrypted.
    #[error("{0}")]
    Address(String),
    /// The database server refused the sign-in, or a right is missing.
    #[error("{0}")]
    Denied(String),
    /// It cannot be read or written.
    #[error("{0}")]
    Failed(String),
    /// The seal key is none, or another store's.
    #[error("{0}")]
    Key(String),
    /// It has moved to another database: this one is out of use.
    #[error("{0}")]
    Moved(String),
    /// The place to copy to is not fit: nothing was done.
    #[error("{0}")]
    Place(String),
    /// The present store would be lost from sight: nothing was done.
    #[error("{0}")]
    Present(String),
    /// The database server does not answer. What was being written is there as a whole or not at all.
    #[error("{0}")]
    Unreachable(String),
    /// A sealed value does not open with this key.
    #[error("sealed value {0} does not open: wrong seal key, or a damaged store")]
    Unseal(SealId),
}

/// The journal. Every write goes through [`Store::commit`] but the outbox's own bookkeeping.
#[async_trait]
pub trait Store: Send + Sync {
    /// Six random characters that name this store in every tag (rule D1).
    fn instance(&self) -> String;

    /// Takes the right to write. `holder` names this process for the error others get.
    async fn acquire(&self, holder: &str, now: Timestamp) -> Result<Fence, StoreError>;

    /// Gives the right back.
    async fn release(&self, fence: Fence) -> Result<(), StoreError>;

    /// Makes this process the one daemon of the store, for as long as this handle lives. A daemon takes the right to
    /// write for each cycle only, so that a person's commands get in between; what keeps a second daemon out is this.
    async fn lead(&self, holder: &str, now: Timestamp) -> Result<(), StoreError>;

    /// Whether this process was the daemon and another one is now, as far as the last renewal showed (PostgreSQL: every 15
    /// seconds); no round trip is made. A file has one daemon for as long as it runs.
    fn is_overtaken(&self) -> bool {
        false
    }

    /// A round trip that fails with [`StoreError::Fenced`] unless `fence` is still the current one; made before
    /// every external call.
    async fn check_fence(&self, fence: Fence) -> Result<(), StoreError>;

    /// Writes `commit` durably, in one transaction, on condition of the fence and of the rotation's version.
    async fn commit(&self, fence: Fence, commit: Commit) -> Result<(), StoreError>;

    /// Proves that a commit as large as a secret would succeed (preflight of S0): writes, syncs and removes one.
    async fn preflight(&self, fence: Fence) -> Result<(), StoreError>;

    /// The next rotation number; never given twice.
    async fn next_rotation(&self, fence: Fence) -> Result<RotationId, StoreError>;

    /// The next hand-off number; never given twice.
    async fn next_handoff(&self, fence: Fence) -> Result<u64, StoreError>;

    /// Rotations that are not finished, oldest first.
    async fn unfinished(&self) -> Result<Vec<Rotation>, StoreError>;

    /// All rotations of an integration, oldest first.
    async fn rotations(&self, integration: &IntegrationName) -> Result<Vec<Rotation>, StoreError>;

    /// One rotation.
    async fn rotation(&self, id: RotationId) -> Result<Option<Rotation>, StoreError>;

    /// Own credentials, of one integration or all, retired ones included.
    async fn credentials(&self, integration: Option<&IntegrationName>) -> Result<Vec<OwnCredential>, StoreError>;

    /// Integration records.
    async fn integrations(&self) -> Result<Vec<IntegrationRecord>, StoreError>;

    /// Hand-offs, oldest first.
    async fn handoffs(&self) -> Result<Vec<Handoff>, StoreError>;

    /// Opens a sealed value.
    async fn unseal(&self, id: &SealId, app: &AppRef) -> Result<Secret, StoreError>;

    /// Own sign-ins with a key id, newest first.
    async fn sign_ins(&self, key_id: &KeyId) -> Result<Vec<(Timestamp, Option<String>)>, StoreError>;

    /// Acknowledgements, oldest first.
    async fn acknowledgements(&self) -> Result<Vec<Acknowledgement>, StoreError>;

    /// Every notice ever committed, oldest first.
    async fn outbox(&self) -> Result<Vec<Outgoing>, StoreError>;

    /// Notices not yet sent, oldest first.
    async fn unsent(&self) -> Result<Vec<Outgoing>, StoreError>;

    /// Marks a notice as sent, and says so in the history.
    async fn mark_sent(&self, fence: Fence, key: &str, at: Timestamp) -> Result<(), StoreError>;

    /// Counts a failed try.
    async fn mark_failed(&self, fence: Fence, key: &str, why: &str) -> Result<(), StoreError>;

    /// Small records whose names begin with `prefix`, by name.
    async fn marks(&self, prefix: &str) -> Result<Vec<Mark>, StoreError>;

    /// History entries, oldest first, of one integration or all.
    async fn history(&self, integration: Option<&IntegrationName>) -> Result<Vec<Recorded>, StoreError>;

    /// History entries from `first` to `last`, with everything that their hashes cover.
    async fn links(&self, _first: u64, _last: u64) -> Result<Vec<ChainLink>, StoreError> {
        Err(StoreError::Failed("this store keeps no chain".to_owned()))
    }

    /// Recomputes the hash chain; the sequence number of the first entry that does not fit, if any.
    async fn verify_history(&self) -> Result<Option<u64>, StoreError>;

    /// The slots that have a rotation or credential, for finding what no policy names any more.
    async fn slots(&self) -> Result<Vec<(IntegrationName, SlotName)>, StoreError>;
}
