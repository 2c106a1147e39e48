//! The only file access of this room: reading the policy files of a directory.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use crate::error::Class;
use crate::error::Error;
use crate::error::Result;

use super::Read;
use super::diagnostics::Report;

/// No policy comes near this; a larger file is a mistake.
const LARGEST_FILE: u64 = 1024 * 1024;

/// The policy files (`*.toml`, `*.json`; not hidden ones) of a directory, by name, each with its text; one that
/// cannot be read is a diagnostic and hides no other.
///
/// # Errors
/// `P001` when the directory itself cannot be read.
pub fn load_dir(dir: &Path) -> Result<Read<Vec<(PathBuf, String)>>> {
    let entries = fs::read_dir(dir).map_err(|error| unreadable(dir, &error))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(dir, &error))?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let wanted = path.extension().is_some_and(|extension| extension == "toml" || extension == "json");
        if wanted && !hidden && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    let mut read = Read { value: Vec::new(), diagnostics: Vec::new() };
    for path in paths {
        match load_file(&path) {
            Ok(text) => read.value.push((path, text)),
            Err(error) => {
                let mut report = Report::new(&path, "");
                report
                    .error("P001", 0..0, "this file cannot be read")
                    .label(error.why.join(": "))
                    .help(error.help.unwrap_or_default());
                read.diagnostics.extend(report.finish());
            }
        }
    }
    Ok(read)
}

/// The text of one file.
///
/// # Errors
/// `P001` when it cannot be read, is larger than 1 MiB, or is not UTF-8.
pub fn load_file(path: &Path) -> Result<String> {
    let size = fs::metadata(path).map_err(|error| unreadable(path, &error))?.len();
    if size > LARGEST_FILE {
        return Err(unreadable(path, &"it is larger than 1 MiB"));
    }
    fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::new(Class::Config, "P001", format!("cannot read `{}`", path.display()))
        .why(why)
        .help("check that it exists, is a text file, and that this user may read it")
}
