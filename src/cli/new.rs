//! `everkey new --from`: a copy of a policy with other values; its comments stay.

use std::path::Path;
use std::path::PathBuf;

use serde_json::json;
use toml_edit::DocumentMut;
use toml_edit::Item;
use toml_edit::Table;
use toml_edit::Value;

use super::OK;
use super::args::Cli;
use super::args::NewArgs;
use super::output::Output;
use super::policy_file;
use super::reader;
use crate::error::Class;
use crate::error::Error;
use crate::error::Result;
use crate::policy;

/// Runs it.
pub async fn run(cli: &Cli, args: &NewArgs, out: &Output) -> Result<u8> {
    let settings = reader::settings(cli)?;
    let dir = policy_file::directory(None, settings.as_ref(), cli.global.policy.as_deref());
    let from = source(&args.from, &dir)?;
    let text = policy::load_file(&from)?;
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
        Error::new(Class::Data, "P002", format!("{} is not valid TOML", from.display()))
            .why(error.message())
            .help("correct it first: everkey validate")
    })?;
    let mut name = None;
    for assignment in &args.set {
        let (key, value) = assignment.split_once('=').ok_or_else(|| wrong(assignment, "it has no `=`"))?;
        let key = key.trim();
        set(document.as_table_mut(), key, value.trim()).map_err(|why| wrong(assignment, &why))?;
        if key == "name" {
            name = Some(value.trim().to_owned());
        }
    }
    let Some(name) = name else {
        return Err(
            Error::new(Class::Usage, "U034", "the copy needs a name of its own").help("--set name=my-integration")
        );
    };
    // It becomes a file name: what the reader would refuse as a name is no path either.
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 64 || !name.chars().all(is_plain) {
        return Err(wrong(&format!("name={name}"), "a name has lower-case letters, digits and `-`, at most 64"));
    }
    let to = args.out.as_deref().unwrap_or(&dir).join(format!("{name}.toml"));
    policy_file::write(&to, &document.to_string(), settings.as_ref())?;
    out.print(&format!("Wrote {}, a copy of {}.\n", to.display(), from.display()));
    out.say(&format!("Next: everkey plan --only {name}"));
    out.document(&json!({"schema": "everkey.new/v1", "policy": name, "file": to, "from": from}));
    Ok(OK)
}

/// A file, or the policy of that name.
fn source(from: &str, dir: &Path) -> Result<PathBuf> {
    let path = Path::new(from);
    let is_file = from.contains('/') || path.extension().is_some_and(|extension| extension == "toml");
    let path = if is_file { path.to_path_buf() } else { dir.join(format!("{from}.toml")) };
    if path.is_file() {
        return Ok(path);
    }
    let loaded = if dir.is_dir() { policy::load_dir(dir)?.value } else { Vec::new() };
    let names: Vec<String> =
        loaded.iter().filter_map(|(path, _)| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    Err(Error::new(Class::Usage, "U002", format!("there is no policy {from:?} in {}", dir.display()))
        .help(format!("known: {}", names.join(", "))))
}

fn wrong(assignment: &str, why: &str) -> Error {
    Error::new(Class::Usage, "U034", format!("cannot set {assignment:?}"))
        .why(why)
        .help("write KEY=VALUE, the key as in the file: app.display_name=\"New\", credential.0.lifetime=90d")
}

/// Sets one value; a text stays a text, anything else keeps its type.
fn set(table: &mut Table, key: &str, value: &str) -> std::result::Result<(), String> {
    let path = key.replace('[', ".").replace(']', "");
    let mut parts: Vec<&str> = path.split('.').collect();
    let last = parts.pop().filter(|last| !last.is_empty()).ok_or("the key is empty")?;
    let mut here: &mut Table = table;
    let mut parts = parts.into_iter().peekable();
    while let Some(part) = parts.next() {
        let item = here.entry(part).or_insert_with(|| Item::Table(Table::new()));
        here = match item {
            Item::Table(table) => table,
            Item::ArrayOfTables(list) => {
                let count = list.len();
                // Without a number the first is meant when it is the only one.
                let index = match parts.peek().and_then(|next| next.parse::<usize>().ok()) {
                    Some(index) => {
                        parts.next();
                        index
                    }
                    None if count == 1 => 0,
                    None => return Err(format!("`{part}` has {count} entries: say which, `{part}.0.…`")),
                };
                list.get_mut(index).ok_or(format!("`{part}` has {count} entries, counted from 0"))?
            }
            _ => return Err(format!("`{part}` is a value, not a table")),
        };
    }
    match here.get_mut(last) {
        Some(Item::Value(old)) => {
            let mut new = if old.is_str() { Value::from(text(value)) } else { typed(value, Some(old))? };
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        Some(Item::None) | None => {
            here.insert(last, Item::Value(typed(value, None)?));
        }
        Some(_) => return Err(format!("`{last}` is a table: set one of its keys")),
    }
    Ok(())
}

/// `"in quotes"` is taken without them.
fn text(value: &str) -> String {
    match value.parse::<Value>() {
        Ok(Value::String(text)) => text.into_value(),
        _ => value.to_owned(),
    }
}

fn typed(value: &str, old: Option<&Value>) -> std::result::Result<Value, String> {
    match (value.parse::<Value>(), old) {
        (Ok(new), Some(old)) if new.type_name() == old.type_name() => Ok(new),
        (_, Some(old)) => Err(format!("it must be of type {}", old.type_name())),
        // Dates and times are texts in a policy.
        (Ok(new), None) if !new.is_datetime() => Ok(new),
        (_, None) => Ok(Value::from(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# mine\nname = \"a\" # the name\nshared = false\n[app]\ndisplay_name = \"A\"\n[[credential]]\nkind = \"client-secret\"\nlifetime = \"180d\" # half a year\n[[credential]]\nkind = \"certificate\"\n";

    fn after(assignments: &[(&str, &str)]) -> std::result::Result<String, String> {
        let mut document: DocumentMut = FILE.parse().unwrap();
        for (key, value) in assignments {
            set(document.as_table_mut(), key, value)?;
        }
        Ok(document.to_string())
    }

    #[test]
    fn values_are_replaced_and_comments_stay() {
        let text = after(&[
            ("name", "b"),
            ("credential.0.lifetime", "90d"),
            ("app.display_name", "\"B = C\""),
            ("shared", "true"),
            ("people.pm", "a@contoso.example"),
        ])
        .unwrap();
        for line in [
            "# mine",
            "name = \"b\" # the name",
            "lifetime = \"90d\" # half a year",
            "display_name = \"B = C\"",
            "shared = true",
            "[people]",
            "pm = \"a@contoso.example\"",
        ] {
            assert!(text.contains(line), "no {line:?} in\n{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (key, value) in [
            ("shared", "maybe"),
            ("credential.lifetime", "1d"),
            ("credential.7.lifetime", "1d"),
            ("app", "x"),
            ("name.first", "x"),
            ("", "x"),
        ] {
            assert!(after(&[(key, value)]).is_err(), "{key}={value}");
        }
    }
}
