//! What goes into a plan and what comes out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::model::Adoption;
use crate::model::AppObserved;
use crate::model::AppSpec;
use crate::model::CredentialSpec;
use crate::model::Grants;
use crate::model::IntegrationName;
use crate::model::IntegrationRecord;
use crate::model::OldCredential;
use crate::model::OwnCredential;
use crate::model::Permission;
use crate::model::PrincipalObserved;
use crate::model::Problem;
use crate::model::Rotation;
use crate::policy::Policy;

/// Sign-ins that prove a new credential (`rotation.md`, numbers).
pub const PROOF_SIGN_INS: u32 = 3;

/// Everything a plan may depend on.
#[derive(Clone, Copy, Debug)]
pub struct PlanInput<'a> {
    /// Now, by the tenant's clock.
    pub now: Timestamp,
    /// Name of the tenant in `everkey.toml`.
    pub tenant: &'a str,
    /// Base of the sign-in pages, for consent links.
    pub login_url: &'a str,
    /// Names everkey may grant by itself (`permissions_allowed`).
    pub permissions_allowed: &'a [String],
    /// Six characters that name the store.
    pub instance: &'a str,
    /// Policies of this tenant.
    pub policies: &'a [Policy],
    /// What was seen.
    pub observed: &'a Observed,
    /// Slots somebody asked to rotate whatever their date (`everkey rotate`).
    pub asked: &'a [IntegrationName],
}

/// What was seen of one integration.
#[derive(Clone, Debug, Default)]
pub struct ObservedIntegration {
    /// The store's record.
    pub record: Option<IntegrationRecord>,
    /// The application in Entra.
    pub app: Option<AppObserved>,
    /// Its service principal.
    pub principal: Option<PrincipalObserved>,
    /// What has been consented.
    pub grants: Grants,
    /// Own credentials that are still attached, as the journal knows them.
    pub own: Vec<OwnCredential>,
    /// Rotations that are not finished.
    pub rotations: Vec<Rotation>,
    /// Credentials of others on the application that a named person adopted for this integration.
    pub adopted: Vec<Adoption>,
}

/// What was seen of everything.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// By integration.
    pub integrations: BTreeMap<IntegrationName, ObservedIntegration>,
    /// Requests made to Graph for it.
    pub requests: u64,
}

/// Why something changes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Somebody asked for it.
    Asked,
    /// The current credential is no longer listed by Entra.
    CredentialVanished,
    /// The current credential has ended.
    Expired,
    /// It ends within `rotate_before`.
    ExpiresWithinRotateBefore,
    /// There is none of ours yet.
    NoneYet,
    /// The application does not have everything the policy asks for.
    NotProvisioned,
}

/// One step of a plan. What it says is all that execution needs.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "action")]
pub enum Step {
    /// Create the application (or find the one an earlier run created under the same unique name).
    CreateApplication {
        /// `uniqueName`.
        unique_name: String,
        /// What it must be.
        spec: AppSpec,
    },
    /// Add what is missing; nothing is taken away.
    UpdateApplication {
        /// What it must be.
        spec: AppSpec,
        /// For people.
        missing: Vec<String>,
    },
    /// Create the service principal.
    CreatePrincipal,
    /// Hide it from users.
    HideFromUsers,
    /// Consent by everkey.
    Grant {
        /// What is missing.
        permissions: Vec<Permission>,
    },
    /// Make, prove, deliver, confirm a credential; retire the old ones later.
    Rotate {
        /// The slot with every default.
        spec: Box<CredentialSpec>,
        /// Why.
        reason: Reason,
        /// When the new one ends.
        not_after: Timestamp,
        /// What it replaces.
        old: Vec<OldCredential>,
        /// Earliest retirement of the old ones.
        retire_not_before: Option<Timestamp>,
        /// Entra allows only two secrets.
        capped: bool,
        /// No time for an overlap is left.
        urgent: bool,
    },
}

/// The steps of one integration.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Change {
    /// Integration.
    pub integration: IntegrationName,
    /// Its title.
    pub title: String,
    /// `secret`, `certificate`.
    pub kinds: Vec<String>,
    /// A person carries it.
    pub needs_person: bool,
    /// Why.
    pub reasons: Vec<Reason>,
    /// In order.
    pub steps: Vec<Step>,
}

/// Something that is not done now, and what it waits for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct WaitingFor {
    /// Integration.
    pub integration: IntegrationName,
    /// `consent`, `rotation`, `handoff`, `permission`.
    pub what: String,
    /// One line.
    pub text: String,
    /// A link a person opens.
    pub link: Option<String>,
}

/// Something a reader should know; never acted on.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Note {
    /// Integration.
    pub integration: IntegrationName,
    /// One line.
    pub text: String,
}

/// A change that the tenant's app management policies forbid.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Forbidden {
    /// Integration.
    pub integration: IntegrationName,
    /// Why, and what to do about it.
    pub problem: Problem,
}

/// What must change.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Plan {
    /// Tenant it is made for.
    pub tenant: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// What changes.
    pub changes: Vec<Change>,
    /// What waits.
    pub waiting: Vec<WaitingFor>,
    /// What the tenant would refuse of it.
    #[serde(default)]
    pub forbidden: Vec<Forbidden>,
    /// Drift, shown and left alone.
    pub notes: Vec<Note>,
    /// Integrations with nothing to do.
    pub fine: Vec<IntegrationName>,
}

impl Plan {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}
