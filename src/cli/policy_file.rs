//! Writing new policy files: checked before they are written, beside all that are there, and never over one.

use std::path::Path;
use std::path::PathBuf;

use crate::config;
use crate::config::Settings;
use crate::error::Class;
use crate::error::Error;
use crate::error::Result;
use crate::policy;
use crate::policy::Severity;

/// Writes `text` to `path`, which must not exist, once the policy reader accepts it beside the others there.
///
/// # Errors
/// `F030` when the file exists; `F031` with every problem when the reader refuses it; `F010`.
pub fn write(path: &Path, text: &str, settings: Option<&Settings>) -> Result<()> {
    check(path, text, settings)?;
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        std::fs::create_dir_all(dir).map_err(|error| {
            Error::new(Class::Failed, "F010", format!("cannot make {}", dir.display()))
                .why(error)
                .help("check its path and rights")
        })?;
    }
    config::write_new(path, text.as_bytes())
}

/// Refuses what the reader has problems with, alone or because of another file beside it.
///
/// # Errors
/// `F031`, and `F030` when the file exists.
pub fn check(path: &Path, text: &str, settings: Option<&Settings>) -> Result<()> {
    if path.exists() {
        return Err(taken(path));
    }
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut files: Vec<(PathBuf, String)> = if dir.is_dir() { policy::load_dir(dir)?.value } else { Vec::new() };
    files.push((path.to_path_buf(), text.to_owned()));
    let default;
    let tool = match settings {
        Some(settings) => &settings.tool,
        None => {
            default = config::default_tool()?;
            &default
        }
    };
    let read = policy::read_policies(&files, tool);
    let mut errors =
        read.diagnostics.iter().filter(|found| found.file == path && found.severity == Severity::Error).peekable();
    if errors.peek().is_none() {
        return Ok(());
    }
    let mut refused =
        Error::new(Class::Data, "F031", format!("{} would not be a valid policy; nothing was written", path.display()));
    for error in errors {
        let help = error.help.as_deref().map(|help| format!(" ({help})")).unwrap_or_default();
        refused = refused
            .why(format!("{}:{}: [{}] {}{help}", error.start.line, error.start.column, error.code, error.summary));
    }
    Err(refused.help("correct what the lines above name and run the command again"))
}

fn taken(path: &Path) -> Error {
    Error::new(Class::Failed, "F030", format!("{} exists already", path.display()))
        .help("edit it, or remove it and run the command again; everkey never overwrites a policy")
}

/// Where new policies go: `--out`, the policies of the configuration, or `policies` here.
pub fn directory(out: Option<&Path>, settings: Option<&Settings>, policies: Option<&Path>) -> PathBuf {
    let known = out.or(settings.map(|settings| settings.policies_dir.as_path())).or(policies);
    known.unwrap_or(Path::new("policies")).to_path_buf()
}

/// A name as policies have them, made of what people call it: `SecurEnds (prod)` gives `securends-prod`.
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug: String = slug.chars().take(56).collect();
    let slug = slug.trim_end_matches('-').to_owned();
    if slug.is_empty() { "app".to_owned() } else { slug }
}

/// A text as TOML writes it, always on one line: a name of somebody else's must not get out of a comment. JSON's
/// escapes are TOML's as well, but for the one control character that JSON leaves alone.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_on_its_line_and_comes_back_as_it_was() {
        for text in ["Lead \"sync\"", "a\n[people]\nowner = 'x'", "\u{7f}\u{1}\t\\", "日本 'x'", ""] {
            assert_eq!(quoted(text).lines().count(), 1, "{text:?}");
            let table: toml::Table = format!("key = {}", quoted(text)).parse().unwrap();
            assert_eq!(table["key"].as_str(), Some(text));
        }
    }

    #[test]
    fn names_of_applications_become_names_of_files() {
        for (name, wanted) in [
            ("SecurEnds", "securends"),
            ("Old Power BI  export (2)", "old-power-bi-export-2"),
            ("../../etc/passwd", "etc-passwd"),
            ("=cmd|'/c calc'!A1", "cmd-c-calc-a1"),
            ("日本", "app"),
            ("Über", "ber"),
        ] {
            assert_eq!(slug(name), wanted);
        }
        assert!(slug(&"x".repeat(200)).len() <= 64);
    }
}
