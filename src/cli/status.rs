//! `everkey status`: where every integration stands, from the journal; no request to Graph.

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use super::OK;
use super::PENDING;
use super::args::Cli;
use super::args::StatusArgs;
use super::context::Context;
use super::output::Output;
use super::rows;
use super::rows::Limits;
use super::rows::Row;
use super::table;
use super::table::Column;
use crate::error::Error;
use crate::model::Handoff;
use crate::run::RunError;
use crate::run::caps;

/// Too narrow a terminal loses the owner first, then what stops, then the date (the days stay).
const COLUMNS: [Column; 6] = [
    Column::kept("INTEGRATION"),
    Column::dropped("STOPS WORKING IF LEFT", 2),
    Column::dropped("EXPIRES", 3),
    Column::kept("LEFT"),
    Column::kept("STATE"),
    Column::dropped("OWNER", 1),
];

/// Runs it.
pub async fn run(cli: &Cli, args: &StatusArgs, out: &Output) -> Result<u8, Error> {
    let within = args.within.as_deref().map(rows::duration).transpose()?;
    let context = Context::open(cli).await?;
    let now = context.assembled.ports.clock.now();
    let (rows, handoffs) = rows::rows(&context, &context.policies, Limits::default()).await?;
    let shown: Vec<&Row> = rows
        .iter()
        .filter(|row| match (within, row.ends) {
            // What waits for somebody is never "fine".
            (Some(within), Some(ends)) => ends.duration_since(now) <= within || row.is_waiting(),
            _ => true,
        })
        .collect();
    let count = |severity: &str| rows.iter().filter(|row| row.severity == severity).count();
    out.print(&format!(
        "{}, {}.{}\n\n",
        context.settings.tenant_name,
        now.strftime("%Y-%m-%d %H:%M UTC"),
        context.assembled.clock_note
    ));
    out.print(&table(&shown, now, out));
    let fine = rows.len() - shown.len();
    if fine > 0 {
        out.print(&format!("\n{fine} more {} fine. ", if fine == 1 { "is" } else { "are" }));
    } else {
        out.print("\n");
    }
    let waiting: Vec<&Handoff> = handoffs.iter().filter(|h| h.is_waiting()).collect();
    let requests: Vec<&Row> = rows.iter().filter(|row| row.code == "awaiting_certificate").collect();
    let people = waiting.len() + requests.len();
    out.print(&format!("{} expired, {people} waiting for a person.\n", count("expired")));
    if let Some(handoff) = waiting.first() {
        out.print(&format!("Next: everkey handoff show {}\n", handoff.id));
    } else if let Some(row) = requests.first() {
        out.print(&format!("Next: everkey cert request {}\n", row.policy.name));
    }
    let held = caps::held(context.assembled.ports.store.as_ref(), now).await.map_err(RunError::into_error)?;
    for one in &held {
        let until = one.until.strftime("%Y-%m-%d %H:%M UTC");
        out.print(&format!("The daily limit of {} is reached: {} wait until {until}.\n", one.what, one.count));
    }
    let items: Vec<Value> = shown.iter().map(|row| item(row, now)).collect();
    out.document(&json!({
        "schema": "everkey.status/v1", "tenant": context.settings.tenant_name, "checked_at": now,
        "emulator": context.settings.tenant.emulator, "summary": summary(&rows), "items": items,
        "held": held,
    }));
    let attention = rows.iter().any(|row| row.severity != "ok");
    Ok(if args.detailed_exitcode && attention { PENDING } else { OK })
}

/// How many rows of each severity.
pub fn summary(rows: &[Row]) -> Value {
    let count = |severity: &str| rows.iter().filter(|row| row.severity == severity).count();
    json!({
        "expired": count("expired"), "critical": count("critical"), "warning": count("warning"), "ok": count("ok"),
    })
}

fn table(rows: &[&Row], now: Timestamp, out: &Output) -> String {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let (expires, left) = match row.ends {
                Some(ends) => (ends.strftime("%Y-%m-%d").to_string(), left(row, ends, now)),
                None => ("-".to_owned(), "-".to_owned()),
            };
            let owner = row.policy.people.pm.as_deref().unwrap_or(&row.policy.people.owner);
            vec![
                row.policy.name.to_string(),
                row.policy.impact.trim_end_matches('.').to_owned(),
                expires,
                left,
                row.state.clone(),
                owner.split('@').next().unwrap_or(owner).to_owned(),
            ]
        })
        .collect();
    table::fit(&COLUMNS, &cells, out.columns())
}

fn left(row: &Row, ends: Timestamp, now: Timestamp) -> String {
    match row.days_left(now) {
        _ if ends <= now => "EXPIRED".to_owned(),
        Some(1) => "1 day".to_owned(),
        days => format!("{} days", days.unwrap_or_default()),
    }
}

/// A row of the JSON form.
pub fn item(row: &Row, now: Timestamp) -> Value {
    json!({
        "integration": row.policy.name, "slot": row.slot, "credential": row.word,
        "key_id": row.key_id, "replaced_by": row.replaced_by, "not_after": row.ends,
        "days_left": row.days_left(now),
        "state": row.code, "severity": row.severity, "impact": row.policy.impact,
        "owner": row.policy.people.owner, "pm": row.policy.people.pm,
        "sign_in_disabled": row.sign_in.as_ref().map(|was| json!({"by": was.by, "at": was.at, "reason": was.reason})),
    })
}
