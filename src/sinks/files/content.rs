//! Which files a specification asks for, and their bytes.

use std::collections::BTreeMap;

use crate::model::CerEncoding;
use crate::model::FilesSpec;
use crate::model::PfxPassword;
use crate::model::ValueName;
use crate::ports::Payload;
use crate::secret::Secret;

use super::Result;
use super::SinkError;
use crate::sinks::error::payload_value;

/// One file of a generation.
#[derive(Debug)]
pub(super) struct Content {
    /// Its bytes.
    pub(super) bytes: Secret,
    /// Whether it holds a key or a password: such a file is never readable by others.
    pub(super) private: bool,
}

/// Files by name.
pub(super) type Files = BTreeMap<String, Content>;

/// Refuses specifications that cannot be written as they are.
pub(super) fn check(spec: &FilesSpec) -> Result<()> {
    let names = names(spec);
    if names.is_empty() {
        return Err(SinkError::refused("a files sink without any file"));
    }
    for (position, name) in names.iter().enumerate() {
        if name.is_empty() || matches!(*name, "." | "..") || name.contains(['/', '\0']) {
            return Err(SinkError::refused(format!("`{name}` is not a plain file name")));
        }
        if names[..position].contains(name) {
            return Err(SinkError::refused(format!("two files of the sink are named `{name}`")));
        }
    }
    if spec.mode & 0o600 != 0o600 || spec.mode & !0o660 != 0 {
        let why = "files that hold a key may be readable and writable by owner and group only";
        return Err(SinkError::refused(format!("mode {:04o}: {why} (0600, 0640, 0660)", spec.mode)));
    }
    Ok(())
}

fn names(spec: &FilesSpec) -> Vec<&str> {
    let password = spec.pfx.as_ref().and_then(|pfx| match &pfx.password {
        PfxPassword::ReadFrom(_) => None,
        PfxPassword::WrittenTo(name) => Some(name.as_str()),
    });
    let plain = [&spec.pem, &spec.key, &spec.bundle].into_iter().flatten().map(String::as_str);
    let pfx = spec.pfx.as_ref().map(|pfx| pfx.name.as_str());
    let cer = spec.cer.as_ref().map(|cer| cer.name.as_str());
    plain.chain(pfx).chain(password).chain(cer).collect()
}

/// The files of `payload`.
pub(super) fn files(spec: &FilesSpec, payload: &Payload) -> Result<Files> {
    let value = |name: ValueName| payload_value(payload, name);
    let private = |bytes: Secret| Content { bytes, private: true };
    let public = |bytes: Secret| Content { bytes, private: false };

    let mut files = Files::new();
    if let Some(pfx) = &spec.pfx {
        files.insert(pfx.name.clone(), private(value(ValueName::Pfx)?.duplicate()));
        if let PfxPassword::WrittenTo(name) = &pfx.password {
            files.insert(name.clone(), private(value(ValueName::PfxPassword)?.duplicate()));
        }
    }
    if let Some(name) = &spec.pem {
        files.insert(name.clone(), public(value(ValueName::Certificate)?.duplicate()));
    }
    if let Some(name) = &spec.key {
        files.insert(name.clone(), private(value(ValueName::PrivateKey)?.duplicate()));
    }
    if let Some(name) = &spec.bundle {
        let (certificate, key) = (value(ValueName::Certificate)?, value(ValueName::PrivateKey)?);
        files.insert(name.clone(), private(joined(certificate, key)));
    }
    if let Some(cer) = &spec.cer {
        let bytes = match cer.encoding {
            CerEncoding::Base64 => value(ValueName::Certificate)?.duplicate(),
            CerEncoding::Der => {
                let der = payload.certificate.clone();
                Secret::new(der.ok_or_else(|| SinkError::refused("the credential has no certificate"))?)
            }
        };
        files.insert(cer.name.clone(), public(bytes));
    }
    Ok(files)
}

/// Two PEM texts in one; the buffer has its final size from the start, so that no copy of the key stays behind.
fn joined(certificate: &Secret, key: &Secret) -> Secret {
    let between: &[u8] = if certificate.expose().ends_with(b"\n") { b"" } else { b"\n" };
    Secret::new([certificate.expose(), between, key.expose()].concat())
}
