//! A local issuing CA: made, opened, and signing requests under a profile.
//!
//! Of a request only the public key, the subject and (by the profile's rule) the DNS names are taken. Leaves are put
//! together from the raw bytes of issuer, subject and key: rcgen keeps a name as a map by type, so it would lose the
//! second `DC` of every Active Directory CA.

use aws_lc_rs::digest::SHA256;
use aws_lc_rs::digest::digest;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280 as ce;
use const_oid::db::rfc5912 as oid;
use der::Decode as _;
use der::Encode;
use der::Sequence;
use der::asn1::AnyRef;
use der::asn1::BitString;
use der::asn1::Ia5String;
use der::asn1::OctetString;
use der::asn1::UintRef;
use der::flagset::FlagSet;
use jiff::SignedDuration;
use jiff::Timestamp;
use rcgen::BasicConstraints as RcgenBasic;
use rcgen::CertificateParams;
use rcgen::IsCa;
use rcgen::KeyUsagePurpose;
use rcgen::SerialNumber;
use rcgen::SigningKey as _;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::AuthorityKeyIdentifier;
use x509_cert::ext::pkix::BasicConstraints;
use x509_cert::ext::pkix::ExtendedKeyUsage;
use x509_cert::ext::pkix::KeyUsage;
use x509_cert::ext::pkix::KeyUsages;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::SubjectKeyIdentifier;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::time::Time;
use x509_cert::time::Validity;

use super::PkiError;
use super::dns;
use super::keys;
use super::name;
use super::public_key::PublicKey;
use super::request::Request;
use super::self_signed;
use super::signature;
use super::tlv::Tlv;
use super::x509;
use crate::model::CertProfile;
use crate::model::KeyUse;
use crate::model::Purpose;
use crate::ports::MadeCertificate;
use crate::secret::Secret;

/// No certificate of a local CA lives longer, whatever its profile says.
pub const MOST_DAYS: u32 = 398;

/// Clocks differ: a certificate is valid from an hour before it was made.
const BACKDATED: SignedDuration = SignedDuration::from_hours(1);

/// Octets of a key identifier (RFC 7093, method 1).
const KEY_ID_OCTETS: usize = 20;

/// A CA that can sign.
pub struct Authority {
    key: Secret,
    /// Its name as it was encoded.
    subject: Vec<u8>,
    /// Its public key as it was encoded.
    public_key: Vec<u8>,
    /// Its subject key identifier.
    key_id: Vec<u8>,
    start: Timestamp,
    end: Timestamp,
}

/// What will be issued for a request, decided before anybody is asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Terms {
    /// notBefore.
    pub start: Timestamp,
    /// notAfter.
    pub end: Timestamp,
    /// Why it ends earlier than asked, if it does.
    pub shortened: Option<String>,
}

/// `TBSCertificate` (RFC 5280, 4.1) with names and key as they were encoded elsewhere.
#[derive(Sequence)]
struct Tbs<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: u8,
    serial: UintRef<'a>,
    algorithm: AnyRef<'a>,
    issuer: AnyRef<'a>,
    validity: Validity,
    subject: AnyRef<'a>,
    public_key: AnyRef<'a>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

#[derive(Sequence)]
struct Signed<'a> {
    content: AnyRef<'a>,
    algorithm: AnyRef<'a>,
    signature: BitString,
}

impl Authority {
    /// Makes the certificate of a new CA that issues leaves only: path length 0, key usage of a CA.
    ///
    /// # Errors
    /// [`PkiError::Subject`], [`PkiError::Validity`].
    pub fn certificate(
        key: &Secret,
        subject: &str,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<MadeCertificate, PkiError> {
        let subject = name::parse(subject)?;
        let signer = keys::signer(key)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = subject.name;
        (params.not_before, params.not_after) = self_signed::validity(start, end)?;
        params.serial_number = Some(SerialNumber::from_slice(&self_signed::serial()?));
        params.is_ca = IsCa::Ca(RcgenBasic::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let made = params.self_signed(signer.pair()).map_err(|_| PkiError::Crypto("signing a certificate"))?;
        self_signed::read_back(made.der(), [&subject.der, &subject.der], &signer.public_key_info(), start, end)
    }

    /// Opens a CA: certificate (DER) and key (PKCS#8 DER).
    ///
    /// # Errors
    /// [`PkiError::Authority`] when the certificate is not a CA's, [`PkiError::Mismatch`] when the key is another's.
    pub fn open(certificate: &[u8], key: Secret) -> Result<Self, PkiError> {
        let refuse = |why: &str| PkiError::Authority(why.to_owned());
        let read = x509::read(certificate)?;
        let public_key = x509::part(certificate, x509::PUBLIC_KEY)?;
        if keys::signer(&key)?.public_key_info() != public_key {
            return Err(PkiError::Mismatch);
        }
        if let Some(why) = PublicKey::read(public_key).weakness() {
            return Err(PkiError::Authority(why));
        }
        let extensions = x509::extensions(&read);
        let basic: Option<BasicConstraints> = x509::extension(extensions)?;
        if !basic.is_some_and(|basic| basic.ca) {
            return Err(refuse("its certificate is not a CA's (basicConstraints CA:TRUE is missing)"));
        }
        let usage: Option<KeyUsage> = x509::extension(extensions)?;
        if usage.is_some_and(|usage| !usage.key_cert_sign()) {
            return Err(refuse("its certificate does not allow signing certificates (key usage keyCertSign)"));
        }
        let key_id: Option<SubjectKeyIdentifier> = x509::extension(extensions)?;
        let validity = read.tbs_certificate().validity();
        Ok(Self {
            subject: x509::part(certificate, x509::SUBJECT)?.to_vec(),
            key_id: key_id.map_or_else(|| key_id_of(public_key), |id| id.0.as_bytes().to_vec()),
            public_key: public_key.to_vec(),
            start: x509::timestamp(&validity.not_before)?,
            end: x509::timestamp(&validity.not_after)?,
            key,
        })
    }

    /// Decides whether `request` gets a certificate of `profile` that is valid for `days`, and which dates it has.
    ///
    /// # Errors
    /// [`PkiError::Request`] when it is not valid, [`PkiError::Denied`] when the profile does not allow it,
    /// [`PkiError::Authority`] when the CA cannot sign now.
    pub fn terms(
        &self,
        request: &Request,
        profile: &CertProfile,
        days: u32,
        now: Timestamp,
    ) -> Result<Terms, PkiError> {
        if let Some(why) = &request.wrong {
            return Err(PkiError::Request(why.clone()));
        }
        if let Some(kind) = request.other_names.first() {
            return Err(PkiError::Denied(format!("it asks for a name of another kind than DNS ({kind})")));
        }
        dns::check(&request.dns_names, profile)?;
        if request.subject_der == self.subject {
            return Err(PkiError::Denied("its subject is the CA's own".into()));
        }
        if request.public_key == self.public_key {
            return Err(PkiError::Denied("its key is the CA's own".into()));
        }
        if now < self.start || now >= self.end {
            return Err(PkiError::Authority(format!(
                "its certificate is valid from {} to {}, and now it is {now}",
                self.start, self.end
            )));
        }
        let most = profile.max_days.min(MOST_DAYS);
        let mut shortened = (days > most).then(|| {
            if most == MOST_DAYS {
                format!("{MOST_DAYS} d is the most a CA of everkey issues")
            } else {
                format!("{most} d is the most of profile {}", profile.name)
            }
        });
        let wanted = now
            .checked_add(SignedDuration::from_hours(24 * i64::from(days.min(most))))
            .map_err(|_| PkiError::Authority("the dates are out of range".into()))?;
        let start = now.checked_sub(BACKDATED).unwrap_or(now).max(self.start);
        // The hour before counts as well.
        let limit = start.checked_add(SignedDuration::from_hours(24 * i64::from(MOST_DAYS))).unwrap_or(wanted);
        let end = wanted.min(limit).min(self.end);
        if self.end < wanted {
            shortened = Some(format!("the CA's own certificate ends on {}", self.end.strftime("%Y-%m-%d")));
        }
        Ok(Terms { start: whole(start), end: whole(end), shortened })
    }

    /// Signs what [`Authority::terms`] allowed. The certificate is read back and its signature checked.
    ///
    /// # Errors
    /// As [`Authority::terms`]; [`PkiError::ReadBack`] when what was made is not what was meant.
    pub fn sign(
        &self,
        request: &Request,
        profile: &CertProfile,
        days: u32,
        now: Timestamp,
    ) -> Result<MadeCertificate, PkiError> {
        let terms = self.terms(request, profile, days, now)?;
        let encode = |_| PkiError::Crypto("encoding a certificate");
        let signer = keys::signer(&self.key)?;
        let algorithm = algorithm(&PublicKey::read(&self.public_key))?;
        let serial = self_signed::serial()?;
        let tbs = Tbs {
            version: 2,
            serial: UintRef::new(&serial).map_err(encode)?,
            algorithm: AnyRef::from_der(&algorithm).map_err(encode)?,
            issuer: AnyRef::from_der(&self.subject).map_err(encode)?,
            validity: Validity::new(time(terms.start)?, time(terms.end)?),
            subject: AnyRef::from_der(&request.subject_der).map_err(encode)?,
            public_key: AnyRef::from_der(&request.public_key).map_err(encode)?,
            extensions: self.extensions(request, profile).map_err(encode)?,
        };
        let content = tbs.to_der().map_err(encode)?;
        let bits = signer.pair().sign(&content).map_err(|_| PkiError::Crypto("signing a certificate"))?;
        let made = Signed {
            content: AnyRef::from_der(&content).map_err(encode)?,
            algorithm: tbs.algorithm,
            signature: BitString::from_bytes(&bits).map_err(encode)?,
        };
        let der = made.to_der().map_err(encode)?;
        signature::verify(&der, &self.public_key).map_err(|_| PkiError::ReadBack("the signature"))?;
        let names = [self.subject.as_slice(), &request.subject_der];
        self_signed::read_back(&der, names, &request.public_key, terms.start, terms.end)
    }

    fn extensions(&self, request: &Request, profile: &CertProfile) -> der::Result<Vec<Extension>> {
        let usages = profile.key_usage.iter().fold(FlagSet::default(), |all, one| all | usage(*one));
        let mut extensions = vec![
            made(ce::ID_CE_BASIC_CONSTRAINTS, true, &BasicConstraints { ca: false, path_len_constraint: None })?,
            made(ce::ID_CE_KEY_USAGE, true, &KeyUsage(usages))?,
        ];
        if !profile.extended_key_usage.is_empty() {
            let purposes = profile.extended_key_usage.iter().map(|one| purpose(*one)).collect();
            extensions.push(made(ce::ID_CE_EXT_KEY_USAGE, false, &ExtendedKeyUsage(purposes))?);
        }
        let own = SubjectKeyIdentifier(OctetString::new(key_id_of(&request.public_key))?);
        extensions.push(made(ce::ID_CE_SUBJECT_KEY_IDENTIFIER, false, &own)?);
        let issuer = AuthorityKeyIdentifier {
            key_identifier: Some(OctetString::new(self.key_id.as_slice())?),
            ..AuthorityKeyIdentifier::default()
        };
        extensions.push(made(ce::ID_CE_AUTHORITY_KEY_IDENTIFIER, false, &issuer)?);
        if !request.dns_names.is_empty() {
            let name = |name: &String| Ia5String::new(name).map(GeneralName::DnsName);
            let names = request.dns_names.iter().map(name).collect::<der::Result<_>>()?;
            extensions.push(made(ce::ID_CE_SUBJECT_ALT_NAME, false, &SubjectAltName(names))?);
        }
        Ok(extensions)
    }
}

fn made(extn_id: ObjectIdentifier, critical: bool, value: &impl Encode) -> der::Result<Extension> {
    Ok(Extension { extn_id, critical, extn_value: OctetString::new(value.to_der()?)? })
}

/// SHA-256 over the key's bits, cut to 20 octets.
fn key_id_of(public_key: &[u8]) -> Vec<u8> {
    let bits = Tlv::only(public_key).and_then(|info| info.children().nth(1)).map(|bits| bits.value.get(1..));
    let hash = digest(&SHA256, bits.flatten().unwrap_or(public_key));
    hash.as_ref()[..KEY_ID_OCTETS].to_vec()
}

/// The AlgorithmIdentifier of what [`keys::signer`] makes with a key of this kind.
fn algorithm(key: &PublicKey) -> Result<Vec<u8>, PkiError> {
    let (name, null) = match key {
        PublicKey::EcP256 => (oid::ECDSA_WITH_SHA_256, false),
        PublicKey::EcP384 => (oid::ECDSA_WITH_SHA_384, false),
        PublicKey::Rsa { .. } => (oid::SHA_256_WITH_RSA_ENCRYPTION, true),
        PublicKey::Other(_) => return Err(PkiError::Key),
    };
    let parameters = null.then_some(AnyRef::NULL);
    let identifier = spki::AlgorithmIdentifierRef { oid: name, parameters };
    identifier.to_der().map_err(|_| PkiError::Crypto("encoding a certificate"))
}

fn usage(one: KeyUse) -> KeyUsages {
    match one {
        KeyUse::ContentCommitment => KeyUsages::NonRepudiation,
        KeyUse::DataEncipherment => KeyUsages::DataEncipherment,
        KeyUse::DigitalSignature => KeyUsages::DigitalSignature,
        KeyUse::KeyAgreement => KeyUsages::KeyAgreement,
        KeyUse::KeyEncipherment => KeyUsages::KeyEncipherment,
    }
}

fn purpose(one: Purpose) -> ObjectIdentifier {
    match one {
        Purpose::ClientAuth => ce::ID_KP_CLIENT_AUTH,
        Purpose::ServerAuth => ce::ID_KP_SERVER_AUTH,
    }
}

/// X.509 has whole seconds.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

fn time(at: Timestamp) -> Result<Time, PkiError> {
    let seconds =
        u64::try_from(at.as_second()).map_err(|_| PkiError::Authority("the dates are out of range".into()))?;
    let date = der::DateTime::from_unix_duration(std::time::Duration::from_secs(seconds));
    date.map(Time::from).map_err(|_| PkiError::Authority("the dates are out of range".into()))
}
