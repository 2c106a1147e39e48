//! Self-signed certificates under a profile, read back before they leave.

use jiff::Timestamp;
use rcgen::CertificateParams;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::KeyUsagePurpose;
use rcgen::SerialNumber;
use time::OffsetDateTime;

use super::PkiError;
use super::dns;
use super::keys;
use super::name;
use super::request;
use super::thumbprint;
use super::x509;
use crate::model::CertProfile;
use crate::model::KeyUse;
use crate::model::Purpose;
use crate::ports::MadeCertificate;
use crate::secret::Secret;

/// 128 bits; the top one is clear, so that the DER integer is positive in 16 octets.
const SERIAL_BYTES: usize = 16;

/// The last second that GeneralizedTime can tell: 9999-12-31T23:59:59Z (RFC 5280, 4.1.2.5).
const LAST_SECOND: i64 = 253_402_300_799;

/// Makes the certificate of `profile`. `start` and `end` lose fractions of a second.
pub(super) fn make(
    key: &Secret,
    subject: &str,
    dns_names: &[String],
    profile: &CertProfile,
    start: Timestamp,
    end: Timestamp,
) -> Result<MadeCertificate, PkiError> {
    dns::check(dns_names, profile)?;
    let subject = name::parse(subject)?;
    let signer = keys::signer(key)?;

    let mut params = CertificateParams::default();
    params.distinguished_name = subject.name;
    (params.not_before, params.not_after) = validity(start, end)?;
    params.serial_number = Some(SerialNumber::from_slice(&serial()?));
    // The explicit form also brings the subject key identifier.
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = profile.key_usage.iter().map(|one| usage(*one)).collect();
    params.extended_key_usages = profile.extended_key_usage.iter().map(|one| purpose(*one)).collect();
    params.subject_alt_names = request::alternative_names(dns_names)?;
    let made = params.self_signed(signer.pair()).map_err(|_| PkiError::Crypto("signing a certificate"))?;

    read_back(made.der(), [&subject.der, &subject.der], &signer.public_key_info(), start, end)
}

fn usage(one: KeyUse) -> KeyUsagePurpose {
    match one {
        KeyUse::ContentCommitment => KeyUsagePurpose::ContentCommitment,
        KeyUse::DataEncipherment => KeyUsagePurpose::DataEncipherment,
        KeyUse::DigitalSignature => KeyUsagePurpose::DigitalSignature,
        KeyUse::KeyAgreement => KeyUsagePurpose::KeyAgreement,
        KeyUse::KeyEncipherment => KeyUsagePurpose::KeyEncipherment,
    }
}

fn purpose(one: Purpose) -> ExtendedKeyUsagePurpose {
    match one {
        Purpose::ClientAuth => ExtendedKeyUsagePurpose::ClientAuth,
        Purpose::ServerAuth => ExtendedKeyUsagePurpose::ServerAuth,
    }
}

/// Random and positive. A first octet of zero, which DER would leave out, is drawn again.
pub(super) fn serial() -> Result<[u8; SERIAL_BYTES], PkiError> {
    let mut serial = [0u8; SERIAL_BYTES];
    while serial[0] == 0 {
        aws_lc_rs::rand::fill(&mut serial).map_err(|_| PkiError::Crypto("random numbers"))?;
        serial[0] &= 0x7f;
    }
    Ok(serial)
}

/// Both dates in the form rcgen wants, in whole seconds.
pub(super) fn validity(start: Timestamp, end: Timestamp) -> Result<(OffsetDateTime, OffsetDateTime), PkiError> {
    let refuse = |why| PkiError::Validity { start, end, why };
    if end.as_second() <= start.as_second() {
        return Err(refuse("the end is not after the start"));
    }
    if start.as_second() < 0 || end.as_second() > LAST_SECOND {
        return Err(refuse("X.509 dates lie between 1970 and 9999"));
    }
    let convert = |at: Timestamp| {
        OffsetDateTime::from_unix_timestamp(at.as_second()).map_err(|_| refuse("the date cannot be expressed"))
    };
    Ok((convert(start)?, convert(end)?))
}

/// Reads the finished DER with another library and compares it, part by part, with what was asked for.
pub(super) fn read_back(
    made: &[u8],
    [issuer, subject]: [&[u8]; 2],
    public_key: &[u8],
    start: Timestamp,
    end: Timestamp,
) -> Result<MadeCertificate, PkiError> {
    let certificate = x509::read(made)?;
    let tbs = certificate.tbs_certificate();
    let validity = tbs.validity();
    let (not_before, not_after) = (x509::timestamp(&validity.not_before)?, x509::timestamp(&validity.not_after)?);
    let same = x509::part(made, x509::ISSUER)? == issuer
        && x509::part(made, x509::SUBJECT)? == subject
        && x509::part(made, x509::PUBLIC_KEY)? == public_key
        && tbs.serial_number().as_bytes().len() == SERIAL_BYTES
        && not_before.as_second() == start.as_second()
        && not_after.as_second() == end.as_second();
    if !same {
        return Err(PkiError::ReadBack("the certificate"));
    }
    Ok(MadeCertificate {
        der: made.to_vec(),
        thumbprint: thumbprint::sha1(made),
        thumbprint_sha256: thumbprint::sha256(made),
        start: not_before,
        end: not_after,
    })
}
