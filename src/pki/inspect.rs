//! What a file of key material holds, for people and for `everkey cert inspect`. Shows no secret.

use const_oid::ObjectIdentifier;
use const_oid::db::DB;
use jiff::Timestamp;
use serde::Serialize;
use x509_cert::ext::pkix::BasicConstraints;
use x509_cert::ext::pkix::ExtendedKeyUsage;
use x509_cert::ext::pkix::KeyUsage;
use x509_cert::ext::pkix::KeyUsages;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::Format;
use super::Opened;
use super::PkiError;
use super::keys;
use super::load;
use super::public_key::PublicKey;
use super::request;
use super::signature;
use super::thumbprint;
use super::x509;
use crate::model::Thumbprint;
use crate::secret::Secret;

/// Whether a private key is there, and whose.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// No private key in the file.
    Absent,
    /// A private key without any certificate.
    Alone,
    /// It belongs to none of the certificates.
    Differs,
    /// It belongs to the first certificate of [`Inspected::certificates`].
    Matches,
}

/// One certificate, for people.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct CertificateFacts {
    /// Subject, RFC 4514.
    pub subject: String,
    /// Issuer, RFC 4514.
    pub issuer: String,
    /// Whether issuer and subject are the same.
    pub self_issued: bool,
    /// Serial number, lower-case hexadecimal without separators.
    pub serial: String,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
    /// `RSA 3072`, `EC P-256`, or the algorithm's object identifier.
    pub key_type: String,
    /// `RSA with SHA-256`, or the algorithm's object identifier.
    pub signature: String,
    /// Key usages; empty when the certificate does not limit them.
    pub key_usage: Vec<String>,
    /// Extended key usages; empty when the certificate does not limit them.
    pub extended_key_usage: Vec<String>,
    /// Alternative names, each with its kind (`DNS:sync.vendor.example`).
    pub names: Vec<String>,
    /// Whether it is a CA's.
    pub is_ca: bool,
    /// SHA-1 thumbprint, as Entra shows it.
    pub thumbprint: Thumbprint,
    /// SHA-256 thumbprint.
    pub thumbprint_sha256: String,
    /// Why Entra takes no sign-in with it, its dates aside.
    pub not_for_entra: Option<String>,
}

/// One certificate request, for people.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct RequestFacts {
    /// Subject, RFC 4514.
    pub subject: String,
    /// As of a certificate.
    pub key_type: String,
    /// DNS names, and the kinds of others.
    pub names: Vec<String>,
    /// Why no CA should sign it: forged, weak, or asking for too much.
    pub wrong: Option<String>,
}

/// What a file holds.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Inspected {
    /// How it is written.
    pub format: Format,
    /// Whether a private key is there, and whose.
    pub key: KeyState,
    /// Its kind.
    pub key_type: Option<String>,
    /// Whether it lay under a password.
    pub key_was_sealed: bool,
    /// The certificates; the one that belongs to the key first, else in the order of the file.
    pub certificates: Vec<CertificateFacts>,
    /// Certificate requests.
    pub requests: Vec<RequestFacts>,
}

/// Tells what `bytes` hold; `password` is that of a PFX or of an encrypted key.
///
/// # Errors
/// As [`open`](super::open).
pub fn inspect(bytes: &[u8], password: Option<&Secret>) -> Result<Inspected, PkiError> {
    describe(load::open(bytes, password)?)
}

/// Tells what an opened file holds.
///
/// # Errors
/// [`PkiError::Certificate`], [`PkiError::Request`].
pub fn describe(mut opened: Opened) -> Result<Inspected, PkiError> {
    let key = match &opened.key {
        None => KeyState::Absent,
        Some(_) if opened.certificates.is_empty() => KeyState::Alone,
        Some(key) => match load::matching(key, &opened.certificates)? {
            None => KeyState::Differs,
            Some(position) => {
                opened.certificates[..=position].rotate_right(1);
                KeyState::Matches
            }
        },
    };
    let key_type = opened.key.as_ref().map(|key| keys::signer(key).map(|signer| signer.public_key_info()));
    let certificates = opened.certificates.iter().map(|der| facts(der)).collect::<Result<_, _>>()?;
    let requests = opened.requests.iter().map(|der| request_facts(der)).collect::<Result<_, _>>()?;
    Ok(Inspected {
        format: opened.format,
        key,
        key_type: key_type.transpose()?.map(|info| PublicKey::read(&info).label()),
        key_was_sealed: opened.key.is_some() && opened.key_was_sealed,
        certificates,
        requests,
    })
}

/// What a certificate (DER) says.
///
/// # Errors
/// [`PkiError::Certificate`].
pub fn facts(der: &[u8]) -> Result<CertificateFacts, PkiError> {
    let certificate = x509::read(der)?;
    let tbs = certificate.tbs_certificate();
    let extensions = x509::extensions(&certificate);
    let key = PublicKey::read(x509::part(der, x509::PUBLIC_KEY)?);
    let usage: Option<KeyUsage> = x509::extension(extensions)?;
    let purposes: Option<ExtendedKeyUsage> = x509::extension(extensions)?;
    let names: Option<SubjectAltName> = x509::extension(extensions)?;
    let basic: Option<BasicConstraints> = x509::extension(extensions)?;
    Ok(CertificateFacts {
        subject: tbs.subject().to_string(),
        issuer: tbs.issuer().to_string(),
        self_issued: x509::part(der, x509::ISSUER)? == x509::part(der, x509::SUBJECT)?,
        serial: tbs.serial_number().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect(),
        not_before: x509::timestamp(&tbs.validity().not_before)?,
        not_after: x509::timestamp(&tbs.validity().not_after)?,
        key_type: key.label(),
        signature: signature::name(certificate.signature_algorithm().oid),
        key_usage: usage
            .map(|usage| usage.0.into_iter().map(usage_name).map(str::to_owned).collect())
            .unwrap_or_default(),
        extended_key_usage: purposes.map(|all| all.0.iter().map(purpose_name).collect()).unwrap_or_default(),
        names: names.map(|names| names.0.iter().map(shown).collect()).unwrap_or_default(),
        is_ca: basic.is_some_and(|basic| basic.ca),
        thumbprint: thumbprint::sha1(der),
        thumbprint_sha256: thumbprint::sha256(der),
        not_for_entra: key.not_for_entra(),
    })
}

fn request_facts(der: &[u8]) -> Result<RequestFacts, PkiError> {
    let request = request::read_request(der)?;
    let dns = request.dns_names.iter().map(|name| format!("DNS:{name}"));
    Ok(RequestFacts {
        subject: request.subject,
        key_type: request.key_type,
        names: dns.chain(request.other_names).collect(),
        wrong: request.wrong,
    })
}

fn usage_name(usage: KeyUsages) -> &'static str {
    match usage {
        KeyUsages::CRLSign => "cRLSign",
        KeyUsages::DataEncipherment => "dataEncipherment",
        KeyUsages::DecipherOnly => "decipherOnly",
        KeyUsages::DigitalSignature => "digitalSignature",
        KeyUsages::EncipherOnly => "encipherOnly",
        KeyUsages::KeyAgreement => "keyAgreement",
        KeyUsages::KeyCertSign => "keyCertSign",
        KeyUsages::KeyEncipherment => "keyEncipherment",
        KeyUsages::NonRepudiation => "contentCommitment",
    }
}

/// `clientAuth`; const-oid writes `id-kp-clientAuth`.
fn purpose_name(id: &ObjectIdentifier) -> String {
    DB.by_oid(id).map_or_else(|| id.to_string(), |name| name.trim_start_matches("id-kp-").to_owned())
}

fn shown(name: &GeneralName) -> String {
    match name {
        GeneralName::DnsName(name) => format!("DNS:{}", name.as_str()),
        GeneralName::IpAddress(octets) => format!("IP:{}", address(octets.as_bytes())),
        GeneralName::Rfc822Name(name) => format!("email:{}", name.as_str()),
        GeneralName::UniformResourceIdentifier(uri) => format!("URI:{}", uri.as_str()),
        other => request::kind(other).to_owned(),
    }
}

fn address(octets: &[u8]) -> String {
    if let Ok(four) = <[u8; 4]>::try_from(octets) {
        return std::net::Ipv4Addr::from(four).to_string();
    }
    match <[u8; 16]>::try_from(octets) {
        Ok(sixteen) => std::net::Ipv6Addr::from(sixteen).to_string(),
        Err(_) => "of unknown form".to_owned(),
    }
}
