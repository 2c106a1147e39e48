//! The files of one certificate: PFX, CER, PEM, the key where it is wanted, and a generated password.

use std::path::Path;
use std::path::PathBuf;

use super::files;
use super::files::NewFile;
use super::password::NewPassword;
use super::words;
use crate::cli::args::PfxArgs;
use crate::cli::args::SetArgs;
use crate::error::Class;
use crate::error::Error;
use crate::model::PfxProfile;
use crate::pki;
use crate::ports::CertTool as _;
use crate::run::explain;
use crate::secret::Secret;

/// What goes into the files.
pub struct Contents<'a> {
    /// Private key, PKCS#8 DER.
    pub key: &'a Secret,
    /// The certificate (DER), and after it those of its issuers.
    pub certificates: &'a [Vec<u8>],
    /// Password of the PFX.
    pub password: NewPassword,
}

/// Refuses a name that could lead out of the directory, and files that are there already.
pub fn check(set: &SetArgs, endings: &[&str]) -> Result<(), Error> {
    check_name(&set.name)?;
    let paths: Vec<PathBuf> = endings.iter().map(|ending| path(set, ending)).collect();
    files::refuse_existing(paths.iter().map(PathBuf::as_path), set.force)
}

/// A name of files: letters, digits, `.`, `_` and `-`.
pub fn check_name(name: &str) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !starts || name.len() > 64 || !name.chars().all(plain) {
        return Err(Error::new(Class::Usage, "K017", format!("{name:?} cannot be a file name"))
            .help("letters, digits, `.`, `_` and `-`, at most 64, beginning with a letter or digit"));
    }
    Ok(())
}

/// `DIR/NAME.ending`.
pub fn path(set: &SetArgs, ending: &str) -> PathBuf {
    set.out.join(format!("{}.{ending}", set.name))
}

/// The endings of a set, for [`check`].
pub fn endings(pfx: &PfxArgs) -> Vec<&'static str> {
    let mut endings = vec!["pfx", "cer", "pem"];
    endings.extend(pfx.with_key.then_some("key"));
    endings.extend(pfx.password_file.is_none().then_some("pfx.password"));
    endings
}

/// Makes the files; nothing is written yet.
pub fn make(set: &SetArgs, pfx: &PfxArgs, contents: Contents<'_>) -> Result<Vec<NewFile>, Error> {
    let Some((leaf, chain)) = contents.certificates.split_first() else { return Ok(Vec::new()) };
    let NewPassword { value: password, generated } = contents.password;
    let packed = pki::pfx(contents.key, leaf, chain, &password, pfx.pfx_profile.into(), generated);
    let packed = packed.map_err(|error| words::explain(&error, Path::new("the certificate")))?;
    let pem: String = contents.certificates.iter().map(|der| pki::Tool.certificate_pem(der)).collect();
    let mut made = vec![
        NewFile::private(path(set, "pfx"), packed, "private key, mode 0600   keep for yourself"),
        NewFile::public(path(set, "cer"), leaf.as_slice(), "public part, DER         upload or send this one"),
        NewFile::public(path(set, "pem"), pem, "public part, PEM"),
    ];
    if pfx.with_key {
        let key = pki::Tool.key_pem(contents.key).map_err(|error| explain::explain(&error, "encode the key"))?;
        made.push(NewFile::private(path(set, "key"), key, "private key without a password, mode 0600"));
    }
    if generated {
        made.push(NewFile::private(path(set, "pfx.password"), password, "password of the PFX, mode 0600"));
    }
    Ok(made)
}

/// How a PFX is encrypted, for people.
pub fn encryption(profile: PfxProfile) -> &'static str {
    match profile {
        PfxProfile::Legacy3des => "3DES / SHA-1",
        PfxProfile::Modern => "AES-256 / PBKDF2-SHA256",
    }
}

/// What people should know of the choice that they made.
pub fn warnings(set: &SetArgs, pfx: &PfxArgs, made: &[NewFile]) -> Vec<String> {
    let mut notes = Vec::new();
    if PfxProfile::from(pfx.pfx_profile) == PfxProfile::Legacy3des {
        notes.push("legacy-3des is weak; use it only where Windows Server 2016 or older must read the file".to_owned());
    }
    let stale = path(set, "pfx.password");
    if !made.iter().any(|file| file.path == stale) && stale.exists() {
        notes.push(format!("{} is from before and does not open the new PFX", stale.display()));
    }
    notes
}
