//! `everkey cert expiring`: certificates in files and directories, and when they end.

use std::path::Path;
use std::path::PathBuf;

use comfy_table::ContentArrangement;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use jiff::Timestamp;
use serde_json::json;

use super::files;
use super::password;
use super::words;
use crate::cli::OK;
use crate::cli::args::ExpiringArgs;
use crate::cli::output::Output;
use crate::cli::output::clean;
use crate::cli::rows::duration;
use crate::config;
use crate::error::Class;
use crate::error::Error;
use crate::pki;
use crate::pki::CertificateFacts;
use crate::pki::PkiError;
use crate::secret::Secret;

/// How deep directories are followed, and how many files are looked at.
const DEEPEST: usize = 8;
const MOST_FILES: usize = 10_000;

/// What was found.
#[derive(Default)]
struct Found {
    certificates: Vec<(PathBuf, CertificateFacts)>,
    /// Key files and requests hold none; these could not be opened.
    unread: Vec<(PathBuf, String)>,
    files: usize,
}

/// Runs it.
pub fn run(args: &ExpiringArgs, out: &Output) -> Result<u8, Error> {
    let within = args.within.as_deref().map(duration).transpose()?;
    let password = args.password_file.as_deref().map(password::from_file).transpose()?;
    let now = config::real_now();
    let mut found = Found::default();
    for path in &args.paths {
        if path.is_dir() {
            found.directory(path, password.as_ref(), 0)?;
        } else {
            // A file that was named must be read.
            let bytes = files::read(path)?;
            let opened = pki::inspect(bytes.expose(), password.as_ref());
            found.add(path, opened.map_err(|error| words::explain(&error, path))?);
        }
    }
    found.certificates.sort_by_key(|(path, facts)| (facts.not_after, path.clone()));
    let all = found.certificates.len();
    found.certificates.retain(|(_, facts)| within.is_none_or(|within| facts.not_after.duration_since(now) <= within));
    show(&found, all, now, out);
    let items: Vec<_> = found
        .certificates
        .iter()
        .map(|(path, facts)| {
            let mut item = words::document(facts, now);
            item["file"] = json!(path);
            item
        })
        .collect();
    let unread: Vec<_> = found.unread.iter().map(|(path, why)| json!({"file": path, "why": why})).collect();
    out.document(&json!({
        "schema": "everkey.cert-expiring/v1", "checked_at": now, "certificates": all, "items": items, "unread": unread,
    }));
    Ok(OK)
}

impl Found {
    fn add(&mut self, path: &Path, inspected: pki::Inspected) {
        self.certificates.extend(inspected.certificates.into_iter().map(|facts| (path.to_path_buf(), facts)));
    }

    fn directory(&mut self, dir: &Path, password: Option<&Secret>, depth: usize) -> Result<(), Error> {
        let refuse = |error: std::io::Error| {
            Error::new(Class::Data, "F010", format!("cannot read {}", dir.display()))
                .why(error)
                .help("check the path and its rights")
        };
        let entries = std::fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(refuse)?;
        for entry in entries {
            let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
            if kind.is_dir() && depth < DEEPEST {
                // Links to directories are not followed: they may lead back.
                self.directory(&path, password, depth + 1)?;
            } else if path.is_file() {
                self.files += 1;
                if self.files > MOST_FILES {
                    return Err(Error::new(
                        Class::Data,
                        "K012",
                        format!("more than {MOST_FILES} files below the paths"),
                    )
                    .help("name the directories that hold certificates"));
                }
                self.file(&path, password);
            }
        }
        Ok(())
    }

    /// In a directory, what is no certificate is passed over in silence; what may be one and cannot be opened is told.
    fn file(&mut self, path: &Path, password: Option<&Secret>) {
        let read = match files::read(path) {
            Ok(bytes) => pki::inspect(bytes.expose(), password),
            Err(error) if error.code == "K012" => return,
            Err(error) => {
                self.unread.push((path.to_path_buf(), error.why.join(", ")));
                return;
            }
        };
        match read {
            Ok(inspected) => self.add(path, inspected),
            Err(PkiError::WrongPassword) if password.is_none() => {
                self.unread
                    .push((path.to_path_buf(), "it needs a password; name its file with --password-file".into()));
            }
            Err(PkiError::Unrecognised | PkiError::EncryptedKey | PkiError::Encryption(_) | PkiError::Key) => {}
            Err(error) => self.unread.push((path.to_path_buf(), error.to_string())),
        }
    }
}

fn show(found: &Found, all: usize, now: Timestamp, out: &Output) {
    if !found.certificates.is_empty() {
        let mut table = Table::new();
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(["ENDS", "LEFT", "SUBJECT", "SHA-1", "FILE"]);
        for (path, facts) in &found.certificates {
            let thumbprint: String = facts.thumbprint.as_str().chars().take(8).collect();
            table.add_row([
                words::day(facts.not_after),
                words::left(facts.not_after, now),
                clean(&facts.subject),
                thumbprint,
                clean(&path.display().to_string()),
            ]);
        }
        out.print(&table.lines().map(|line| format!("{}\n", line.trim_end())).collect::<String>());
    }
    let ended = found.certificates.iter().filter(|(_, facts)| facts.not_after <= now).count();
    out.print(&format!("{} of {all} certificates shown, {ended} ended.\n", found.certificates.len()));
    for (path, why) in &found.unread {
        out.print(&format!("Not read: {}: {}\n", clean(&path.display().to_string()), clean(why)));
    }
}
