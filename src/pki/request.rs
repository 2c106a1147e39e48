//! Certificate requests (PKCS#10): made for an outside CA, and read from a partner with everything checked that can
//! be checked before a person or a profile decides.

use const_oid::ObjectIdentifier;
use const_oid::db::DB;
use const_oid::db::rfc5280::ID_CE_BASIC_CONSTRAINTS;
use const_oid::db::rfc5280::ID_CE_KEY_USAGE;
use const_oid::db::rfc5280::ID_CE_SUBJECT_ALT_NAME;
use const_oid::db::rfc5912::ID_EXTENSION_REQ;
use der::Decode;
use der::Encode;
use rcgen::CertificateParams;
use rcgen::SanType;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::BasicConstraints;
use x509_cert::ext::pkix::KeyUsage;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::request::CertReq;

use super::PkiError;
use super::dns;
use super::keys;
use super::name;
use super::public_key::PublicKey;
use super::signature;
use super::tlv;
use super::tlv::Tlv;
use crate::model::CertProfile;
use crate::secret::Secret;

/// Microsoft's older name of the same attribute.
const MS_EXTENSION_REQ: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.14");

/// A request as it was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// Subject, RFC 4514.
    pub subject: String,
    /// `RSA 3072`, `EC P-256`, or the algorithm's object identifier.
    pub key_type: String,
    /// DNS names asked for.
    pub dns_names: Vec<String>,
    /// Names of other kinds asked for (`IP address`).
    pub other_names: Vec<String>,
    /// Extensions asked for besides names; none is taken over.
    pub ignored: Vec<String>,
    /// What is wrong with it; `None`: its own signature fits, its key is strong, and it asks for nothing that nobody
    /// should get.
    pub wrong: Option<String>,
    /// Subject as it was encoded.
    pub(super) subject_der: Vec<u8>,
    /// SubjectPublicKeyInfo as it was encoded.
    pub(super) public_key: Vec<u8>,
}

/// A PKCS#10 request, DER, for `key`, `subject` and DNS names.
///
/// # Errors
/// [`PkiError::Subject`] and [`PkiError::Request`] for what cannot be asked for.
pub fn make_request(key: &Secret, subject: &str, dns_names: &[String]) -> Result<Vec<u8>, PkiError> {
    // Which names are allowed is the CA's decision; that they are names is checked here.
    dns::check(dns_names, &CertProfile { wildcards: true, ..CertProfile::entra_client() })?;
    let subject = name::parse(subject)?;
    let signer = keys::signer(key)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = subject.name;
    params.subject_alt_names = alternative_names(dns_names)?;
    let made = params.serialize_request(signer.pair()).map_err(|_| PkiError::Crypto("signing a request"))?;
    let der = made.der().to_vec();
    let back = read_request(&der)?;
    if back.wrong.is_some() || back.subject_der != subject.der || back.dns_names != dns_names {
        return Err(PkiError::ReadBack("the request"));
    }
    Ok(der)
}

/// DNS names for rcgen.
pub(super) fn alternative_names(dns_names: &[String]) -> Result<Vec<SanType>, PkiError> {
    let convert = |name: &String| {
        let text = name.as_str().try_into();
        text.map(SanType::DnsName).map_err(|_| PkiError::Request(format!("the DNS name {name:?} is not ASCII")))
    };
    dns_names.iter().map(convert).collect()
}

/// Reads a request. Only what is no request at all is an error; what is wrong with one stands in
/// [`Request::wrong`], so that it can be shown.
///
/// # Errors
/// [`PkiError::Request`] when it is malformed.
pub fn read_request(der: &[u8]) -> Result<Request, PkiError> {
    let malformed = |why: String| PkiError::Request(format!("it is malformed ({why})"));
    let request = CertReq::from_der(der).map_err(|error| malformed(error.to_string()))?;
    // The bytes themselves: x509-cert sorts what it encodes again.
    let parts = tlv::signed(der).map(|(content, ..)| content.children().collect::<Vec<_>>());
    let Some([_, subject, public_key, ..]) = parts.as_deref() else {
        return Err(malformed("parts are missing".into()));
    };
    let (subject, public_key): (Tlv<'_>, Tlv<'_>) = (*subject, *public_key);
    let mut read = Request {
        subject: request.info.subject.to_string(),
        key_type: PublicKey::read(public_key.whole).label(),
        dns_names: Vec::new(),
        other_names: Vec::new(),
        ignored: Vec::new(),
        wrong: None,
        subject_der: subject.whole.to_vec(),
        public_key: public_key.whole.to_vec(),
    };
    let mut wrong = PublicKey::read(public_key.whole).weakness();
    if let Err(why) = signature::verify(der, public_key.whole) {
        wrong = wrong.or(Some(format!("its own signature {why}")));
    }
    if subject.value.is_empty() {
        wrong = wrong.or(Some("its subject is empty".into()));
    } else if read.subject.chars().any(char::is_control) {
        wrong = wrong.or(Some("its subject has control characters".into()));
    }
    let extensions = extensions(&request).map_err(malformed)?;
    for (place, extension) in extensions.iter().enumerate() {
        if extensions[..place].iter().any(|earlier| earlier.extn_id == extension.extn_id) {
            wrong = wrong.or(Some(format!("it asks twice for {}", label(extension.extn_id))));
        }
        if let Some(why) = read.take(extension).map_err(malformed)? {
            wrong = wrong.or(Some(why));
        }
    }
    read.wrong = wrong;
    Ok(read)
}

impl Request {
    /// Its public key, as SubjectPublicKeyInfo.
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Notes what an extension asks for; some things nobody should get.
    fn take(&mut self, extension: &Extension) -> Result<Option<String>, String> {
        let value = extension.extn_value.as_bytes();
        let unreadable = |error: der::Error| format!("{}: {error}", label(extension.extn_id));
        let refused = match extension.extn_id {
            ID_CE_BASIC_CONSTRAINTS => {
                let ca = BasicConstraints::from_der(value).map_err(unreadable)?.ca;
                ca.then_some("it asks to become a CA itself (basicConstraints CA:TRUE)")
            }
            ID_CE_KEY_USAGE => {
                let usage = KeyUsage::from_der(value).map_err(unreadable)?;
                let of_a_ca = usage.key_cert_sign() || usage.crl_sign();
                of_a_ca.then_some("it asks for the key usage of a CA (keyCertSign or cRLSign)")
            }
            ID_CE_SUBJECT_ALT_NAME => {
                for name in SubjectAltName::from_der(value).map_err(unreadable)?.0 {
                    match name {
                        GeneralName::DnsName(name) => self.dns_names.push(name.as_str().to_owned()),
                        other => self.other_names.push(kind(&other).to_owned()),
                    }
                }
                return Ok(None);
            }
            _ => None,
        };
        self.ignored.push(label(extension.extn_id));
        Ok(refused.map(str::to_owned))
    }
}

fn extensions(request: &CertReq) -> Result<Vec<Extension>, String> {
    let mut found = Vec::new();
    for attribute in request.info.attributes.iter() {
        if attribute.oid == ID_EXTENSION_REQ || attribute.oid == MS_EXTENSION_REQ {
            for value in attribute.values.iter() {
                let der = value.to_der().map_err(|error| error.to_string())?;
                found.extend(Vec::<Extension>::from_der(&der).map_err(|error| error.to_string())?);
            }
        }
    }
    Ok(found)
}

/// The name of an extension as RFC 5280 writes it, without `id-ce-`.
fn label(id: ObjectIdentifier) -> String {
    let name = DB.by_oid(&id).map(|name| name.trim_start_matches("id-ce-").trim_start_matches("id-pe-"));
    name.map_or_else(|| id.to_string(), str::to_owned)
}

pub(super) fn kind(name: &GeneralName) -> &'static str {
    match name {
        GeneralName::DirectoryName(_) => "directory name",
        GeneralName::DnsName(_) => "DNS name",
        GeneralName::EdiPartyName(_) => "EDI party name",
        GeneralName::IpAddress(_) => "IP address",
        GeneralName::OtherName(_) => "other name (a user principal name, for example)",
        GeneralName::RegisteredId(_) => "registered id",
        GeneralName::Rfc822Name(_) => "e-mail address",
        GeneralName::UniformResourceIdentifier(_) => "URI",
    }
}
