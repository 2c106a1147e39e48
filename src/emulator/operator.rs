//! The operator: the app registration in the emulated tenant that may manage others, as everkey's own
//! would in a real one. Its roles are exactly those that the documents ask for.

use std::fmt;

use jiff::Timestamp;
use jiff::ToSpan as _;
use jiff::tz::TimeZone;
use rcgen::CertificateParams;
use rcgen::DistinguishedName;
use rcgen::DnType;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use rcgen::PKCS_RSA_SHA256;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::EmulatorError;
use super::directory::Directory;
use super::directory::KeyEntry;
use super::directory::MICROSOFT_GRAPH;
use super::directory::NewPassword;
use super::directory::PermissionKind;
use super::directory::Properties;
use super::directory::Refusal;
use super::directory::permissions_of;
use super::quirks::Quirks;

/// What the operator may do. Not Application.ReadWrite.All: everkey works with ownership.
const ROLES: [&str; 5] = [
    "Application.Read.All",
    "Application.ReadWrite.OwnedBy",
    "AppRoleAssignment.ReadWrite.All",
    "AuditLog.Read.All",
    "DelegatedPermissionGrant.ReadWrite.All",
];

/// The operator's identity and credentials.
#[derive(Clone, Deserialize, Serialize)]
pub struct Operator {
    /// Object id of the application.
    pub application_id: Uuid,
    /// Private key (PKCS#8) and certificate in PEM; an RSA 2048 credential.
    #[serde(skip)]
    pub certificate_pem: String,
    /// Client id.
    pub client_id: Uuid,
    /// Client secret.
    #[serde(skip)]
    pub client_secret: String,
    /// Object id of the service principal.
    pub service_principal_id: Uuid,
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operator").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

impl Operator {
    /// Registers the operator in a tenant, with a secret and a certificate that both live ten years.
    pub(super) fn create(directory: &mut Directory, now: Timestamp) -> Result<Self, EmulatorError> {
        let certificate = certificate(now).map_err(|error| EmulatorError::crypto("operator certificate", error))?;
        register(directory, Some(&certificate), now).map_err(unregistered)
    }

    /// The same with a secret alone, which costs no key.
    pub(super) fn with_secret(directory: &mut Directory, now: Timestamp) -> Result<Self, EmulatorError> {
        register(directory, None, now).map_err(unregistered)
    }
}

fn unregistered(refusal: Refusal) -> EmulatorError {
    EmulatorError::crypto("operator", format!("{refusal:?}"))
}

struct KeyAndCertificate {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

fn register(directory: &mut Directory, made: Option<&KeyAndCertificate>, now: Timestamp) -> Result<Operator, Refusal> {
    let mut written = Properties::new();
    written.insert("displayName".to_owned(), json!("everkey"));
    let conduct = Quirks::default().key_conduct();
    let application_id = directory.create_application(written, None, conduct, now)?;
    let client_id = directory.application(application_id).map_or(Uuid::nil(), |application| application.app_id);
    let service_principal_id = directory.create_principal(client_id, None, now)?;
    grant_roles(directory, service_principal_id, now)?;
    let password = NewPassword {
        display_name: Some("operator".to_owned()),
        end_date_time: ten_years_after(now),
        start_date_time: None,
    };
    let (_, client_secret) = directory.add_password(application_id, password, now)?;
    if let Some(made) = made {
        let entry = KeyEntry {
            key: Some(base64_of(made.certificate.der())),
            kind: Some("AsymmetricX509Cert".to_owned()),
            usage: Some("Verify".to_owned()),
            ..KeyEntry::default()
        };
        directory.add_key(application_id, &entry, now)?;
    }
    Ok(Operator {
        application_id,
        certificate_pem: made
            .map(|made| format!("{}{}", made.key.serialize_pem(), made.certificate.pem()))
            .unwrap_or_default(),
        client_id,
        client_secret,
        service_principal_id,
    })
}

/// Gives a service principal what the operator may do.
pub(super) fn grant_roles(directory: &mut Directory, principal: Uuid, now: Timestamp) -> Result<(), Refusal> {
    let graph = directory.principal_by_app_id(MICROSOFT_GRAPH).map(|principal| principal.id);
    let graph = graph.ok_or_else(|| Refusal::invalid("Microsoft Graph has no service principal"))?;
    for name in ROLES {
        let mut offered = permissions_of(MICROSOFT_GRAPH).iter();
        let role = offered.find(|one| one.kind == PermissionKind::Application && one.name == name);
        let role = role.ok_or_else(|| Refusal::invalid(format!("Microsoft Graph offers no {name}")))?;
        directory.assign_role(principal, graph, role.id, now)?;
    }
    Ok(())
}

/// A self-signed RSA certificate, dated by the emulator's clock, which is what judges it.
fn certificate(now: Timestamp) -> Result<KeyAndCertificate, rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    let at = |instant: Timestamp| {
        OffsetDateTime::from_unix_timestamp(instant.as_second()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    };
    params.not_before = at(now);
    params.not_after = at(ten_years_after(now).unwrap_or(now));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "everkey operator");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let certificate = params.self_signed(&key)?;
    Ok(KeyAndCertificate { certificate, key })
}

fn ten_years_after(now: Timestamp) -> Option<Timestamp> {
    now.to_zoned(TimeZone::UTC).checked_add(10.years()).ok().map(|zoned| zoned.timestamp())
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.encode(bytes)
}
