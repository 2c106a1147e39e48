//! `everkey handoff`: list, show, open, confirm, reissue.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use super::OK;
use super::args::Cli;
use super::args::Form;
use super::args::HandoffArgs;
use super::args::HandoffCommand;
use super::context::Context;
use super::output::Output;
use super::output::clean;
use super::table;
use super::table::Column;
use crate::config;
use crate::error::Class;
use crate::error::Error;
use crate::model::Handoff;
use crate::model::HandoffId;
use crate::model::HandoffStatus;
use crate::model::ValueName;
use crate::run::Pace;
use crate::run::Quiet;
use crate::run::RunError;
use crate::run::explain;
use crate::run::people::Opened;

/// Too narrow a terminal loses whether it was opened, then who does it, then the state.
const COLUMNS: [Column; 6] = [
    Column::kept("HAND-OFF"),
    Column::kept("INTEGRATION"),
    Column::dropped("STATE", 3),
    Column::kept("DUE"),
    Column::dropped("BY", 2),
    Column::dropped("VALUE", 1),
];

/// Runs it.
pub async fn run(cli: &Cli, args: &HandoffArgs, out: &Output) -> Result<u8, Error> {
    let context = Context::open(cli).await?;
    match &args.command {
        HandoffCommand::List { all } => list(&context, *all, out).await,
        HandoffCommand::Show { id } => show(&context, id, out).await,
        HandoffCommand::Open { id, by, out: dir, reveal } => {
            open(&context, id, by.as_deref(), dir.as_deref(), *reveal, out).await
        }
        HandoffCommand::Confirm { id, by } => confirm(&context, id, by.as_deref(), out).await,
        HandoffCommand::Reissue { id, by, fresh } => reissue(&context, id, by.as_deref(), *fresh, out).await,
    }
}

async fn all(context: &Context) -> Result<Vec<Handoff>, Error> {
    context.assembled.ports.store.handoffs().await.map_err(|error| explain::store(&error))
}

async fn one(context: &Context, id: &str) -> Result<Handoff, Error> {
    let id = HandoffId::from(id);
    all(context).await?.into_iter().find(|handoff| handoff.id == id).ok_or_else(|| {
        Error::new(Class::Failed, "H010", format!("there is no hand-off {id}"))
            .help("list them with `everkey handoff list`")
    })
}

fn word(status: &HandoffStatus) -> &'static str {
    match status {
        HandoffStatus::Closed => "closed",
        HandoffStatus::Confirmed { .. } => "confirmed",
        HandoffStatus::Void { .. } => "void",
        HandoffStatus::Waiting => "waiting",
    }
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

fn item(handoff: &Handoff) -> Value {
    json!({
        "id": handoff.id, "integration": handoff.integration, "state": word(&handoff.status),
        "doer": handoff.doer, "recipient": handoff.recipient_name, "due": handoff.due,
        "opened_at": handoff.opened.as_ref().map(|(at, _)| at), "new_until": handoff.new_end,
        "old_until": handoff.old_end, "rotation": handoff.rotation,
    })
}

/// A hand-off as the one document of a command.
fn document(handoff: &Handoff) -> Value {
    let mut document = item(handoff);
    document["schema"] = json!("everkey.handoff/v1");
    document
}

async fn list(context: &Context, every: bool, out: &Output) -> Result<u8, Error> {
    let handoffs: Vec<Handoff> =
        all(context).await?.into_iter().filter(|handoff| every || handoff.is_waiting()).collect();
    let rows: Vec<Vec<String>> = handoffs
        .iter()
        .map(|handoff| {
            vec![
                handoff.id.to_string(),
                handoff.integration.to_string(),
                word(&handoff.status).to_owned(),
                day(handoff.due),
                clean(&handoff.doer),
                if handoff.opened.is_some() { "opened" } else { "not opened" }.to_owned(),
            ]
        })
        .collect();
    if !rows.is_empty() {
        out.print(&table::fit(&COLUMNS, &rows, out.columns()));
    }
    if handoffs.is_empty() {
        out.print("Nothing waits for a person.\n");
    }
    out.document(&json!({"schema": "everkey.handoffs/v1", "items": handoffs.iter().map(item).collect::<Vec<_>>()}));
    Ok(OK)
}

async fn show(context: &Context, id: &str, out: &Output) -> Result<u8, Error> {
    let handoff = one(context, id).await?;
    let thumbprint = thumbprint(context, &handoff).await?;
    let public = |name| public_value(&handoff, thumbprint.as_deref(), name);
    out.print(&sheet(&handoff, public));
    let fields: Vec<Value> = handoff
        .fields
        .iter()
        .map(|field| json!({"label": field.label, "value": public(field.value), "note": field.note}))
        .collect();
    let mut document = document(&handoff);
    document["fields"] = json!(fields);
    out.document(&document);
    Ok(OK)
}

/// The sheet: what to do, and the vendor's fields in the vendor's order. No secret is in it.
fn sheet(handoff: &Handoff, public: impl Fn(Option<ValueName>) -> Option<String>) -> String {
    let recipient = clean(&handoff.recipient_name);
    let mut text = format!(
        "Hand-off {}: {}            due {}, {} on {}\n",
        handoff.id,
        clean(&handoff.title),
        day(handoff.due),
        word(&handoff.status),
        clean(&handoff.doer)
    );
    text.push_str(&format!("  1  Open the sealed value (works once):  everkey handoff open {}\n", handoff.id));
    text.push_str(&format!("  2  Give it to {recipient}: {} (never by plain e-mail)\n", clean(&handoff.place)));
    text.push_str(&format!("  3  When {recipient} says it works:      everkey handoff confirm {}\n\n", handoff.id));
    if let Some(ticket) = &handoff.ticket_text {
        text.push_str(&format!("  For the ticket: {}\n\n", clean(ticket)));
    }
    let width = handoff.fields.iter().map(|field| field.label.chars().count()).max().unwrap_or(0).max(24);
    for field in &handoff.fields {
        let shown = match (public(field.value), field.value) {
            (Some(value), _) => value,
            (None, Some(_)) => "shown once in step 1".to_owned(),
            (None, None) => "(blank)".to_owned(),
        };
        let note = field.note.as_ref().map_or_else(String::new, |note| format!("   {}", clean(note)));
        text.push_str(&format!("  {:<width$}  {shown}{note}\n", clean(&field.label)));
    }
    let old =
        handoff.old_end.map_or_else(String::new, |end| format!("     The old one keeps working until {}", day(end)));
    text.push_str(&format!("  {:<width$}  {}{old}\n", "Expires", day(handoff.new_end)));
    text
}

/// The thumbprint of the certificate that a hand-off carries; its credential knows it.
async fn thumbprint(context: &Context, handoff: &Handoff) -> Result<Option<String>, Error> {
    let store = &context.assembled.ports.store;
    let own = store.credentials(Some(&handoff.integration)).await.map_err(|error| explain::store(&error))?;
    let own = own.into_iter().find(|own| own.key_id == handoff.key_id);
    Ok(own.and_then(|own| own.thumbprint).map(|thumbprint| thumbprint.to_string()))
}

/// A value that is no secret.
fn public_value(handoff: &Handoff, thumbprint: Option<&str>, name: Option<ValueName>) -> Option<String> {
    match name? {
        ValueName::ClientId => Some(handoff.app.client_id.to_string()),
        ValueName::TenantId => Some(handoff.app.tenant_id.to_string()),
        ValueName::SecretId => Some(handoff.key_id.to_string()),
        ValueName::Expires => Some(handoff.new_end.to_string()),
        ValueName::Thumbprint => thumbprint.map(str::to_owned),
        _ => None,
    }
}

async fn engine<T, F>(context: &Context, work: F) -> Result<T, Error>
where
    F: AsyncFnOnce(&crate::run::Engine) -> Result<T, RunError>,
{
    let stop = Arc::new(AtomicBool::new(false));
    let held = context.engine(Pace::Now, Arc::new(Quiet), stop, &context.policies).await?;
    let result = work(&held.engine).await;
    held.release().await?;
    result.map_err(RunError::into_error)
}

async fn open(
    context: &Context,
    id: &str,
    by: Option<&str>,
    dir: Option<&Path>,
    reveal: bool,
    out: &Output,
) -> Result<u8, Error> {
    let handoff = one(context, id).await?;
    if dir.is_none() && !reveal && (!out.is_terminal() || out.form() != Form::Table) {
        return Err(Error::new(Class::Usage, "U006", "standard output is not a terminal")
            .why("the value is shown once; it should not end in a log")
            .help("use --out DIR to write it to files of mode 0600, or --reveal to print it all the same"));
    }
    let binary = handoff.fields.iter().any(|field| field.value == Some(ValueName::Pfx));
    if binary && dir.is_none() {
        return Err(Error::new(Class::Usage, "U007", format!("{id} carries a PFX file, which cannot be shown"))
            .help(format!("write it to a directory: everkey handoff open {id} --out DIR")));
    }
    let by = by.unwrap_or(&handoff.doer).to_owned();
    let id = handoff.id.clone();
    // Made before the value is opened: it opens once, and must have a place by then.
    if let Some(dir) = dir {
        config::new_private_dir(dir)?;
    }
    let opened = engine(context, async |engine| engine.open_handoff(&id, &by).await).await;
    match (dir, opened) {
        (Some(dir), Err(error)) => {
            config::remove_empty_dir(dir);
            return Err(error);
        }
        (None, Err(error)) => return Err(error),
        (Some(dir), Ok(opened)) => write_opened(dir, &opened, out)?,
        (None, Ok(opened)) => print_opened(&opened, out),
    }
    Ok(OK)
}

fn print_opened(opened: &Opened, out: &Output) {
    if out.form() == Form::Json {
        let fields: Vec<Value> = opened
            .lines
            .iter()
            .map(|(field, value)| {
                json!({"label": field.label, "value": value.as_ref().and_then(|value| value.expose_text())})
            })
            .collect();
        out.document(&json!({"schema": "everkey.handoff-open/v1", "id": opened.handoff.id, "fields": fields}));
        return;
    }
    let mut text = String::new();
    for (field, value) in &opened.lines {
        let shown = value.as_ref().and_then(|value| value.expose_text()).unwrap_or("(blank)");
        text.push_str(&format!("  {:<28}  {shown}\n", clean(&field.label)));
    }
    out.verbatim(&text);
    super::output::note(&format!(
        "Shown once. When {} says it works: everkey handoff confirm {}",
        clean(&opened.handoff.recipient_name),
        opened.handoff.id
    ));
}

fn write_opened(dir: &Path, opened: &Opened, out: &Output) -> Result<(), Error> {
    let mut names = Vec::new();
    for (field, value) in &opened.lines {
        let (Some(value), Some(name)) = (value, field.value) else { continue };
        let file = match name {
            ValueName::Pfx => format!("{}.pfx", opened.handoff.integration),
            name => serde_json::to_value(name)
                .ok()
                .and_then(|name| name.as_str().map(|name| format!("{name}.txt")))
                .unwrap_or_else(|| "value.txt".to_owned()),
        };
        config::write_private(&dir.join(&file), value)?;
        names.push(file);
    }
    out.print(&format!("Wrote {} to {} (mode 0600).\n", names.join(", "), dir.display()));
    out.print(&format!("When it works: everkey handoff confirm {}\n", opened.handoff.id));
    out.document(&json!({"schema": "everkey.handoff-open/v1", "id": opened.handoff.id, "files": names}));
    Ok(())
}

async fn confirm(context: &Context, id: &str, by: Option<&str>, out: &Output) -> Result<u8, Error> {
    let handoff = one(context, id).await?;
    let by = by.unwrap_or(&handoff.doer).to_owned();
    let id = handoff.id.clone();
    let confirmed = engine(context, async |engine| {
        let confirmed = engine.confirm_handoff(&id, &by).await?;
        let mut tick = crate::run::Tick::default();
        engine.advance(confirmed.rotation, &context.policies, &mut tick).await?;
        Ok(confirmed)
    })
    .await?;
    let old = confirmed
        .old_end
        .map_or_else(String::new, |end| format!(" The old one stays until it expires on {}.", day(end)));
    out.print(&format!("Confirmed.{old}\n"));
    out.document(&document(&confirmed));
    Ok(OK)
}

async fn reissue(context: &Context, id: &str, by: Option<&str>, fresh: bool, out: &Output) -> Result<u8, Error> {
    let handoff = one(context, id).await?;
    let by = by.unwrap_or(&handoff.doer).to_owned();
    let id = handoff.id.clone();
    if fresh {
        engine(context, async |engine| engine.renew_handoff(&id, &by).await).await?;
        out.print(&format!(
            "A new value will take the place of {id}. Go on with: everkey apply --only {}\n",
            handoff.integration
        ));
        out.document(&json!({"schema": "everkey.handoff-reissue/v1", "replaces": id, "fresh": true}));
        return Ok(OK);
    }
    let new = engine(context, async |engine| engine.reissue_handoff(&id, &by).await).await?;
    out.print(&format!(
        "{} takes the place of {id}; it carries the same value. Open it: everkey handoff open {}\n",
        new.id, new.id
    ));
    out.document(&document(&new));
    Ok(OK)
}
