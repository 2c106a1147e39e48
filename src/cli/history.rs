//! `everkey history`: what happened and who did it; verified, told one thing at a time, exported.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;
use serde_json::json;

use super::OK;
use super::args::Cli;
use super::args::Form;
use super::args::HistoryArgs;
use super::args::HistoryCommand;
use super::context::Context;
use super::csv;
use super::output::Output;
use super::output::clean;
use super::table;
use super::table::Column;
use crate::error::Class;
use crate::error::Error;
use crate::model::IntegrationName;
use crate::model::Recorded;
use crate::model::RotationId;
use crate::ports::Store;
use crate::run::explain;

/// Too narrow a terminal loses who did it; then texts are cut.
const COLUMNS: [Column; 3] = [Column::kept("WHEN (UTC)"), Column::dropped("WHO", 1), Column::kept("WHAT")];

/// Fields of an export, in their order.
const FIELDS: [&str; 9] = ["seq", "at", "actor", "integration", "rotation", "kind", "text", "body", "hash"];

/// Runs it.
pub async fn run(cli: &Cli, args: &HistoryArgs, out: &Output) -> Result<u8, Error> {
    let since = match (&args.since, &args.command) {
        (Some(text), _) | (None, Some(HistoryCommand::Export { since: Some(text) })) => Some(instant(text)?),
        _ => None,
    };
    let anchor = match &args.command {
        Some(HistoryCommand::Verify { anchor: Some(text) }) => Some(digest(text)?),
        _ => None,
    };
    let context = Context::open(cli).await?;
    let store = context.assembled.ports.store.as_ref();
    match &args.command {
        Some(HistoryCommand::Verify { .. }) => verify(store, anchor.as_deref(), out).await,
        Some(HistoryCommand::Show { what }) => show(store, what, out).await,
        Some(HistoryCommand::Export { .. }) => export(store, since, out).await,
        None if args.verify => verify(store, None, out).await,
        None => list(store, args, since, out).await,
    }
}

async fn all(store: &dyn Store, name: Option<&IntegrationName>) -> Result<Vec<Recorded>, Error> {
    store.history(name).await.map_err(|error| explain::store(&error))
}

async fn list(store: &dyn Store, args: &HistoryArgs, since: Option<Timestamp>, out: &Output) -> Result<u8, Error> {
    let name = args.name.as_deref().map(IntegrationName::from);
    let mut entries = all(store, name.as_ref()).await?;
    entries.retain(|entry| since.is_none_or(|since| entry.at >= since));
    let skip = entries.len().saturating_sub(args.number.unwrap_or(usize::MAX));
    print(&entries[skip..], name.is_none(), out);
    out.document(&json!({"schema": "everkey.history/v1", "entries": &entries[skip..]}));
    Ok(OK)
}

/// The entries as a table; `named` puts the integration before each text.
fn print(entries: &[Recorded], named: bool, out: &Output) {
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|entry| {
            let about = match &entry.entry.integration {
                Some(integration) if named => format!("{integration}: "),
                _ => String::new(),
            };
            vec![
                entry.at.strftime("%Y-%m-%d %H:%M").to_string(),
                clean(&who(entry)),
                format!("{about}{}", clean(&entry.entry.text)).replace('\n', " "),
            ]
        })
        .collect();
    out.print(&table::fit(&COLUMNS, &rows, out.columns()));
}

/// The actor, and how far that name can be trusted.
fn who(entry: &Recorded) -> String {
    let by = &entry.entry.body["by"];
    match (by["claim"].as_str(), by["os_user"].as_str()) {
        (Some("stated"), Some(user)) => format!("{} (stated, as {user})", entry.actor),
        (Some(claim), _) => format!("{} ({claim})", entry.actor),
        (None, Some(user)) => format!("{} (as {user})", entry.actor),
        (None, None) => entry.actor.clone(),
    }
}

async fn verify(store: &dyn Store, anchor: Option<&str>, out: &Output) -> Result<u8, Error> {
    let broken = store.verify_history().await.map_err(|error| explain::store(&error))?;
    if let Some(seq) = broken {
        return Err(Error::new(Class::Failed, "T020", format!("the chain of history breaks at entry {seq}"))
            .why("an entry was changed, removed or added outside of everkey")
            .help("compare with a backup of the store; entries before it are intact"));
    }
    let entries = all(store, None).await?;
    let anchored = match anchor {
        None => None,
        Some(wanted) => Some(entries.iter().find(|entry| entry.hash == wanted).ok_or_else(|| {
            Error::new(Class::Failed, "T021", "the anchor is not in the chain of history")
                .why(format!(
                    "{} entries are intact among themselves, and none of them is sha256:{wanted}",
                    entries.len()
                ))
                .help("entries were cut off, or an earlier state of the store was put back: compare with a backup")
        })?),
    };
    let head = entries.last().map_or("none", |entry| entry.hash.as_str());
    let since = entries.first().map_or_else(String::new, |entry| format!(" since {}", entry.at.strftime("%Y-%m-%d")));
    let anchored_text = anchored.map_or_else(String::new, |entry| format!(" The anchor is entry {}.", entry.seq));
    out.print(&format!(
        "Chain of {} entries intact{since}. Head sha256:{head}{}\n",
        entries.len(),
        match &*anchored_text {
            "" => String::new(),
            text => format!("\n{}", text.trim_start()),
        }
    ));
    out.document(&json!({
        "schema": "everkey.history-verify/v1", "entries": entries.len(), "head": head,
        "anchor_entry": anchored.map(|entry| entry.seq),
    }));
    Ok(OK)
}

async fn show(store: &dyn Store, what: &str, out: &Output) -> Result<u8, Error> {
    let unknown = || {
        Error::new(Class::Failed, "T022", format!("the history knows no {what:?}"))
            .help("write r-0001, h-0001 or the number of an entry; list them: everkey history")
    };
    let entries = all(store, None).await?;
    let handoffs = store.handoffs().await.map_err(|error| explain::store(&error))?;
    let number = |prefix: &str| what.strip_prefix(prefix).and_then(|digits| digits.parse::<u64>().ok());
    let (rotation, found): (Option<RotationId>, Vec<Recorded>) = if what.starts_with("h-") {
        let handoff = handoffs.iter().find(|handoff| handoff.id.as_str() == what).ok_or_else(unknown)?;
        let of = |entry: &Recorded| {
            entry.entry.rotation == Some(handoff.rotation) && mentions(&entry.entry.text, what)
                || mentions(&entry.entry.body.to_string(), what)
        };
        (Some(handoff.rotation), entries.into_iter().filter(of).collect())
    } else if let Some(id) = number("r-") {
        (
            Some(RotationId(id)),
            entries.into_iter().filter(|entry| entry.entry.rotation == Some(RotationId(id))).collect(),
        )
    } else {
        let seq = number("").ok_or_else(unknown)?;
        (None, entries.into_iter().filter(|entry| entry.seq == seq).collect())
    };
    if found.is_empty() {
        return Err(unknown());
    }
    let record = match rotation {
        Some(id) => store.rotation(id).await.map_err(|error| explain::store(&error))?,
        None => None,
    };
    if let Some(r) = &record {
        out.print(&format!("{} of {} ({}), planned {}: {}\n", r.id, r.integration, r.spec.slot, r.planned, r.reason));
        let state = serde_json::to_value(r.state).unwrap_or_default();
        out.print(&format!("  state      {}\n", state.as_str().unwrap_or_default()));
        if let Some(fresh) = &r.fresh {
            out.print(&format!("  new        {} {}, to {}\n", r.spec.kind.word(), fresh.key_id, fresh.end));
        }
        for old in &r.old {
            out.print(&format!("  old        {}, to {}\n", old.key_id, old.end));
        }
        for handoff in handoffs.iter().filter(|handoff| handoff.rotation == r.id) {
            out.print(&format!("  hand-off   {} on {}, due {}\n", handoff.id, clean(&handoff.doer), handoff.due));
        }
        out.print("\n");
    }
    print(&found, rotation.is_none(), out);
    if let [one] = found.as_slice() {
        out.print(&format!("  sha256:{}\n  {}\n", one.hash, clean(&one.entry.body.to_string())));
    }
    out.document(&json!({
        "schema": "everkey.history-show/v1", "rotation": record.as_ref().map(|r| json!({
            "id": r.id, "integration": r.integration, "slot": r.spec.slot, "state": r.state, "planned": r.planned,
            "reason": r.reason, "key_id": r.fresh.as_ref().map(|fresh| &fresh.key_id),
            "not_after": r.fresh.as_ref().map(|fresh| fresh.end),
            "old": r.old.iter().map(|old| &old.key_id).collect::<Vec<_>>(),
        })),
        "entries": found,
    }));
    Ok(OK)
}

/// Whether `text` names `id`, and not one that begins alike.
fn mentions(text: &str, id: &str) -> bool {
    text.match_indices(id).any(|(at, _)| !text[at + id.len()..].starts_with(|c: char| c.is_ascii_digit()))
}

async fn export(store: &dyn Store, since: Option<Timestamp>, out: &Output) -> Result<u8, Error> {
    let mut entries = all(store, None).await?;
    entries.retain(|entry| since.is_none_or(|since| entry.at >= since));
    match out.form() {
        Form::Json => out.document(&json!({"schema": "everkey.history/v1", "entries": entries})),
        Form::Ndjson => {
            let lines: String = entries.iter().map(|entry| format!("{}\n", line(entry))).collect();
            out.verbatim(&lines);
        }
        // What auditors open, and what a pipe gets when nobody says otherwise.
        Form::Csv | Form::Table | Form::Sarif => out.verbatim(&csv::write(&FIELDS, entries.iter().map(cells))?),
    }
    Ok(OK)
}

fn line(entry: &Recorded) -> Value {
    let mut line = serde_json::to_value(entry).unwrap_or_default();
    line["schema"] = json!("everkey.history-entry/v1");
    line
}

fn cells(entry: &Recorded) -> Vec<String> {
    vec![
        entry.seq.to_string(),
        entry.at.to_string(),
        entry.actor.clone(),
        entry.entry.integration.as_ref().map(ToString::to_string).unwrap_or_default(),
        entry.entry.rotation.map(|id| id.to_string()).unwrap_or_default(),
        entry.entry.kind.clone(),
        entry.entry.text.clone(),
        if entry.entry.body.is_null() { String::new() } else { entry.entry.body.to_string() },
        entry.hash.clone(),
    ]
}

/// A day in UTC, or an instant.
fn instant(text: &str) -> Result<Timestamp, Error> {
    let day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    text.parse::<Timestamp>().ok().or_else(day).ok_or_else(|| {
        Error::new(Class::Usage, "U014", format!("{text:?} is no date"))
            .help("write 2026-11-01 or 2026-11-01T09:00:00Z")
    })
}

/// The 64 hexadecimal digits of an anchor.
fn digest(text: &str) -> Result<String, Error> {
    let digits = text.trim().trim_start_matches("sha256:").to_ascii_lowercase();
    if digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(digits);
    }
    Err(Error::new(Class::Usage, "U016", "the anchor is no head of a history")
        .help("copy what `everkey history verify` printed: sha256: and 64 hexadecimal digits"))
}
