//! `to = "files"`: certificate files in one directory.

use crate::model::CerEncoding;
use crate::model::CerFile;
use crate::model::FilesSpec;
use crate::model::PfxFile;
use crate::model::PfxPassword;
use crate::model::PfxProfile;
use crate::policy::diagnostics::Report;
use crate::policy::tree::At;
use crate::policy::wire::sinks::Files;
use crate::policy::wire::sinks::Pfx;

use super::plain;

/// Mode of files that hold a key when the policy says none.
const KEY_MODE: u32 = 0o600;

/// The files of one sink.
pub(crate) fn files(wire: &Files, certificate: bool, at: At<'_>, report: &mut Report<'_>) -> FilesSpec {
    if !certificate {
        report
            .error("P029", at.key("to").span(), "`files` writes certificates, and this is a client secret")
            .help("use `json-file` or `handoff`");
    }
    match &wire.directory {
        Some(directory) => plain::absolute(directory, at.key("directory"), report),
        None if at.is_broken() => {}
        None => {
            report
                .error("P005", at.span(), "`directory` is missing from `credential.deliver`")
                .help("absolute, for instance `/var/lib/enate/credential`");
        }
    }
    if wire.chain.is_some() {
        report
            .error("P037", at.key("chain").key_span(), "`chain` is not in this release")
            .help("a self-signed certificate has no chain: remove it");
    }
    names(wire, at, report);
    if let Some(owner) = &wire.owner {
        plain::owner(owner, at.key("owner"), report);
    }
    plain::argv(&wire.after, at.key("after"), report);
    let name = |file: &Option<crate::policy::wire::sinks::Named>| file.as_ref().and_then(|file| file.name.clone());
    FilesSpec {
        directory: wire.directory.clone().unwrap_or_default(),
        pfx: wire.pfx.as_ref().map(|wire| pfx(wire, at.key("pfx"), report)),
        pem: name(&wire.pem),
        key: name(&wire.key),
        bundle: name(&wire.bundle),
        cer: wire.cer.as_ref().map(|wire| CerFile {
            name: wire.name.clone().unwrap_or_default(),
            encoding: wire.encoding.unwrap_or(CerEncoding::Base64),
        }),
        mode: wire.mode.as_deref().and_then(|mode| plain::mode(mode, at.key("mode"), report)).unwrap_or(KEY_MODE),
        owner: wire.owner.clone(),
        after: wire.after.clone(),
    }
}

/// A PFX with exactly one way for its password.
fn pfx(wire: &Pfx, at: At<'_>, report: &mut Report<'_>) -> PfxFile {
    let password = match (&wire.password_to, &wire.password_file) {
        (Some(name), None) => PfxPassword::WrittenTo(name.clone()),
        (None, Some(path)) => {
            plain::absolute(path, at.key("password_file"), report);
            PfxPassword::ReadFrom(path.clone())
        }
        (Some(name), Some(_)) => {
            report
                .error("P050", at.key("password_file").key_span(), "a PFX has one password: written, or read")
                .help("keep `password_to` or `password_file`");
            PfxPassword::WrittenTo(name.clone())
        }
        (None, None) => {
            if !at.is_broken() {
                report
                    .error("P028", at.span(), "this PFX has no way for its password")
                    .help("`password_to = \"enate.pfx.password\"` writes a generated one beside it, `password_file` reads yours");
            }
            PfxPassword::WrittenTo(String::new())
        }
    };
    let profile = wire.profile.unwrap_or(PfxProfile::Modern);
    if profile == PfxProfile::Legacy3des {
        report
            .warning("P047", at.key("profile").span(), "3DES and SHA-1 protect this PFX only weakly")
            .help("use `modern` unless Windows Server 2016 or older must read it");
    }
    PfxFile { name: wire.name.clone().unwrap_or_default(), profile, password }
}

/// Plain, distinct names, and at least one file that holds the key.
fn names(wire: &Files, at: At<'_>, report: &mut Report<'_>) {
    let pfx = wire.pfx.as_ref();
    let named = |file: &Option<crate::policy::wire::sinks::Named>| file.as_ref().and_then(|file| file.name.clone());
    let all = [
        (at.key("pfx").key("name"), pfx.and_then(|pfx| pfx.name.clone())),
        (at.key("pfx").key("password_to"), pfx.and_then(|pfx| pfx.password_to.clone())),
        (at.key("pem").key("name"), named(&wire.pem)),
        (at.key("key").key("name"), named(&wire.key)),
        (at.key("bundle").key("name"), named(&wire.bundle)),
        (at.key("cer").key("name"), wire.cer.as_ref().and_then(|cer| cer.name.clone())),
    ];
    let mut seen: Vec<String> = Vec::new();
    for (place, name) in all.into_iter().filter_map(|(place, name)| Some((place, name?))) {
        plain::file_name(&name, place, report);
        if seen.contains(&name) {
            report
                .error("P035", place.span(), format!("two files are called `{name}`"))
                .help("give each a name of its own");
        }
        seen.push(name);
    }
    if wire.pfx.is_none() && wire.key.is_none() && wire.bundle.is_none() && !at.is_broken() {
        report
            .error("P051", at.span(), "nothing of the credential goes there")
            .help("write `pfx`, `key` or `bundle` as well: without the private key nobody can sign in");
    }
}
