//! What vaults hold. Secrets and certificates share one space of names, because a certificate is a secret as
//! well; names are compared in any case.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::Ask;
use super::Problem;
use super::access::Rights;
use super::attributes::Attributes;
use super::problem::Told;

/// Every vault of the tenant.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Vaults {
    grants: BTreeMap<String, BTreeMap<Uuid, Rights>>,
    operator: Option<Uuid>,
    vaults: BTreeMap<String, Shelf>,
}

/// The objects of one vault by lower-case name.
pub(super) type Shelf = BTreeMap<String, Object>;

impl Vaults {
    /// The service principal that may everything.
    pub fn set_operator(&mut self, principal: Uuid) {
        self.operator = Some(principal);
    }

    /// Gives a service principal rights in a vault; none takes them away.
    pub fn grant(&mut self, vault: &str, principal: Uuid, rights: Rights) {
        self.grants.entry(vault.to_ascii_lowercase()).or_default().insert(principal, rights);
    }

    pub(super) fn rights(&self, vault: &str, principal: Uuid) -> Rights {
        if self.operator == Some(principal) {
            return Rights { get: true, set: true };
        }
        self.grants.get(vault).and_then(|grants| grants.get(&principal)).copied().unwrap_or_default()
    }

    pub(super) fn shelf(&mut self, vault: &str) -> &mut Shelf {
        self.vaults.entry(vault.to_owned()).or_default()
    }
}

/// One secret or certificate.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Object {
    /// As it was written first.
    pub(super) name: String,
    /// A certificate with its policy; a plain secret has none.
    pub(super) policy: Option<Value>,
    /// Oldest first; empty while a certificate's first one is pending.
    pub(super) versions: Vec<Version>,
    /// Since when it is deleted.
    pub(super) deleted: Option<Timestamp>,
    /// Until when it is on its way into or out of the deleted ones.
    pub(super) settles: Option<Timestamp>,
    /// A certificate that waits for its signature.
    pub(super) pending: Option<Pending>,
}

/// A key and its request.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Pending {
    pub(super) csr: Vec<u8>,
    pub(super) key: Vec<u8>,
    pub(super) request_id: Uuid,
    pub(super) cancelled: bool,
}

// The key is a secret.
impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("request_id", &self.request_id).finish_non_exhaustive()
    }
}

/// One version.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Version {
    pub(super) attributes: Attributes,
    /// DER, for a certificate.
    pub(super) certificate: Option<Vec<u8>>,
    pub(super) content_type: Option<String>,
    pub(super) id: String,
    pub(super) tags: Option<BTreeMap<String, String>>,
    pub(super) value: String,
}

// The value is a secret.
impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Version").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Object {
    /// One without versions.
    pub(super) fn new(name: &str, policy: Option<Value>) -> Self {
        Self { name: name.to_owned(), policy, versions: Vec::new(), deleted: None, settles: None, pending: None }
    }

    /// Whether it is neither here nor there.
    pub(super) fn moving(&self, now: Timestamp) -> bool {
        self.settles.is_some_and(|settles| settles > now)
    }

    /// Whether it is here, and has something to show.
    pub(super) fn here(&self, now: Timestamp) -> bool {
        self.deleted.is_none() && !self.moving(now) && !self.versions.is_empty()
    }

    /// Whether it can be looked up among the deleted ones.
    pub(super) fn gone(&self, now: Timestamp) -> bool {
        self.deleted.is_some() && !self.moving(now)
    }

    /// The version named, or the latest.
    pub(super) fn version(&mut self, id: &str) -> Option<&mut Version> {
        if id.is_empty() { self.versions.last_mut() } else { self.versions.iter_mut().find(|one| one.id == id) }
    }
}

/// A new version's id.
pub(super) fn version_id() -> String {
    Uuid::new_v4().simple().to_string()
}

/// The object that is here under `name`.
pub(super) fn find<'s>(ask: &Ask<'_>, shelf: &'s mut Shelf, name: &str, certificate: bool) -> Told<&'s mut Object> {
    let now = ask.call.now;
    let object = shelf.get_mut(&name.to_ascii_lowercase());
    let fits = |object: &&mut Object| object.here(now) && (!certificate || object.policy.is_some());
    object.filter(fits).ok_or_else(|| {
        if certificate {
            Problem::missing("CertificateNotFound", format!("A certificate with (name/id) {name} was not found in this key vault. If you recently deleted this certificate you may be able to recover it using the correct recovery command."))
        } else {
            Problem::missing("SecretNotFound", format!("A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret you may be able to recover it using the correct recovery command."))
        }
    })
}

/// Refuses a name that is not one, or that is taken by something deleted or on its way.
pub(super) fn writable(ask: &Ask<'_>, shelf: &Shelf, name: &str) -> Told<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if name.is_empty() || name.len() > 127 || !name.chars().all(plain) {
        return Err(Problem::bad(format!(
            "The request URI contains an invalid name: {name}. Names match ^[0-9a-zA-Z-]{{1,127}}$."
        )));
    }
    let Some(object) = shelf.get(&name.to_ascii_lowercase()) else { return Ok(()) };
    match (object.deleted.is_some(), object.moving(ask.call.now)) {
        (true, true) => Err(Problem::conflict(
            Some("ObjectIsBeingDeleted"),
            format!("Object {name} is currently being deleted and cannot be re-created; retry later."),
        )),
        (true, false) => Err(Problem::conflict(
            Some("ObjectIsDeletedButRecoverable"),
            format!(
                "Object {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the object can only be recovered or purged."
            ),
        )),
        (false, true) => Err(Problem::conflict(
            Some("ObjectIsBeingRecovered"),
            format!("Object {name} is currently being recovered; retry later."),
        )),
        (false, false) => Ok(()),
    }
}

/// Moves an object to the deleted ones.
pub(super) fn delete(ask: &Ask<'_>, shelf: &mut Shelf, name: &str, certificate: bool) -> Told<Object> {
    let object = find(ask, shelf, name, certificate)?;
    object.deleted = Some(ask.call.now);
    object.settles = ask.call.now.checked_add(ask.quirks.transition).ok();
    Ok(object.clone())
}

/// The deleted object under `name`.
pub(super) fn deleted<'s>(ask: &Ask<'_>, shelf: &'s mut Shelf, name: &str, certificate: bool) -> Told<&'s mut Object> {
    let now = ask.call.now;
    let object = shelf.get_mut(&name.to_ascii_lowercase());
    let fits = |object: &&mut Object| object.gone(now) && certificate == object.policy.is_some();
    let code = if certificate { "CertificateNotFound" } else { "SecretNotFound" };
    object.filter(fits).ok_or_else(|| Problem::missing(code, format!("{name} is not among the deleted objects.")))
}

/// Brings it back.
pub(super) fn recover(ask: &Ask<'_>, shelf: &mut Shelf, name: &str, certificate: bool) -> Told<Object> {
    let object = deleted(ask, shelf, name, certificate)?;
    object.deleted = None;
    object.settles = ask.call.now.checked_add(ask.quirks.transition).ok();
    Ok(object.clone())
}

/// Takes it away for good.
pub(super) fn purge(ask: &Ask<'_>, shelf: &mut Shelf, name: &str, certificate: bool) -> Told<()> {
    deleted(ask, shelf, name, certificate)?;
    shelf.remove(&name.to_ascii_lowercase());
    Ok(())
}
