//! `everkey status`: where every integration stands, from the journal; no request to Graph.

use comfy_table::ContentArrangement;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use super::OK;
use super::PENDING;
use super::args::Cli;
use super::args::StatusArgs;
use super::context::Context;
use super::output::Output;
use crate::error::Class;
use crate::error::Error;
use crate::model::CredentialStatus;
use crate::model::Handoff;
use crate::model::OwnCredential;
use crate::model::Rotation;
use crate::model::State;
use crate::policy::Policy;
use crate::run::explain;

/// Days left at which a row is critical, and a warning.
const CRITICAL_DAYS: i64 = 7;
const WARNING_DAYS: i64 = 30;

struct Row {
    policy: Policy,
    slot: String,
    key_id: Option<String>,
    replaced_by: Option<String>,
    ends: Option<Timestamp>,
    state: String,
    code: &'static str,
    severity: &'static str,
}

/// Runs it.
pub async fn run(cli: &Cli, args: &StatusArgs, out: &Output) -> Result<u8, Error> {
    let within = args.within.as_deref().map(within).transpose()?;
    let context = Context::open(cli).await?;
    let store = &context.assembled.ports.store;
    let now = context.assembled.ports.clock.now();
    let handoffs = store.handoffs().await.map_err(|error| explain::store(&error))?;
    let mut rows = Vec::new();
    for policy in &context.policies {
        let rotations = store.rotations(&policy.name).await.map_err(|error| explain::store(&error))?;
        let own = store.credentials(Some(&policy.name)).await.map_err(|error| explain::store(&error))?;
        for spec in &policy.credentials {
            let latest = rotations.iter().rfind(|r| r.spec.slot == spec.slot);
            let current = own.iter().find(|own| own.slot == spec.slot && own.status == CredentialStatus::Current);
            rows.push(row(policy, spec.slot.as_str(), latest, current, &handoffs, now));
        }
    }
    rows.sort_by_key(|row| row.ends.unwrap_or(Timestamp::MAX));
    let shown: Vec<&Row> = rows
        .iter()
        .filter(|row| match (within, row.ends) {
            (Some(within), Some(ends)) => ends.duration_since(now) <= within,
            // Without an end there is no "fine": it waits, it failed, or there is none yet.
            (Some(_), None) => true,
            (None, _) => true,
        })
        .collect();
    let count = |severity: &str| rows.iter().filter(|row| row.severity == severity).count();
    out.print(&format!(
        "{}, {}.{}\n\n",
        context.settings.tenant_name,
        now.strftime("%Y-%m-%d %H:%M UTC"),
        context.assembled.clock_note
    ));
    out.print(&format!("{}\n", table(&shown, now)));
    let fine = rows.len() - shown.len();
    if fine > 0 {
        out.print(&format!("\n{fine} more {} fine. ", if fine == 1 { "is" } else { "are" }));
    } else {
        out.print("\n");
    }
    let waiting: Vec<&Handoff> = handoffs.iter().filter(|h| h.is_waiting()).collect();
    out.print(&format!("{} expired, {} waiting for a person.\n", count("expired"), waiting.len()));
    if let Some(handoff) = waiting.first() {
        out.print(&format!("Next: everkey handoff show {}\n", handoff.id));
    }
    let summary = json!({
        "expired": count("expired"), "critical": count("critical"), "warning": count("warning"), "ok": count("ok"),
    });
    let items: Vec<Value> = shown.iter().map(|row| item(row, now)).collect();
    out.document(&json!({
        "schema": "everkey.status/v1", "tenant": context.settings.tenant_name, "checked_at": now,
        "emulator": context.settings.tenant.emulator, "summary": summary, "items": items,
    }));
    let attention = rows.iter().any(|row| row.severity != "ok");
    Ok(if args.detailed_exitcode && attention { PENDING } else { OK })
}

fn row(
    policy: &Policy,
    slot: &str,
    latest: Option<&Rotation>,
    current: Option<&OwnCredential>,
    handoffs: &[Handoff],
    now: Timestamp,
) -> Row {
    let fresh = latest.and_then(|r| r.fresh.as_ref());
    let mut row = Row {
        policy: policy.clone(),
        slot: slot.to_owned(),
        key_id: current.map(|current| current.key_id.to_string()),
        replaced_by: None,
        ends: current.map(|current| current.end),
        state: "no credential yet".to_owned(),
        code: "none",
        severity: "ok",
    };
    let waiting = latest.and_then(|r| handoffs.iter().find(|h| h.rotation == r.id && h.is_waiting()));
    match latest {
        Some(r) if r.is_open() => {
            row.ends = match r.state {
                State::Confirmed | State::RetireIntent => fresh.map(|fresh| fresh.end),
                _ => r.old_end(),
            };
            row.replaced_by = fresh.filter(|_| !r.old.is_empty()).map(|fresh| fresh.key_id.to_string());
            (row.state, row.code) = match (&r.failure, r.state, waiting) {
                (Some(failure), ..) if failure.count > 1 || failure.blocked => {
                    (format!("FAILED at {} ({})", r.state.step(), failure.problem.code), "failed")
                }
                (_, State::Verified | State::Delivered, Some(handoff)) => {
                    (format!("awaiting hand-off {}", handoff.id), "awaiting_handoff")
                }
                (_, State::Confirmed | State::RetireIntent, _) => (confirmed(r), "confirmed"),
                (_, state, _) => (format!("{} under way", state.step()), "rotating"),
            };
        }
        Some(r) if r.state == State::SupersededUnconfirmed && waiting.is_some() => {
            let (word, code) = if r.old.is_empty() {
                ("never confirmed", "unconfirmed")
            } else {
                ("STOPPED unless already changed", "stopped")
            };
            row.state = waiting.map_or_else(|| word.to_owned(), |h| format!("{word}, hand-off {}", h.id));
            row.code = code;
        }
        _ if current.is_some() => (row.state, row.code) = ("current".to_owned(), "current"),
        _ => {}
    }
    row.severity = severity(&row, now);
    row
}

fn confirmed(r: &Rotation) -> String {
    match r.old_end() {
        Some(end) => format!("confirmed, old one to {}", end.strftime("%-d %b")),
        None => "confirmed".to_owned(),
    }
}

fn severity(row: &Row, now: Timestamp) -> &'static str {
    if row.code == "stopped" {
        return "expired";
    }
    let Some(ends) = row.ends else { return if row.code == "failed" { "warning" } else { "ok" } };
    let days = ends.duration_since(now).as_hours().div_euclid(24);
    match days {
        _ if ends <= now => "expired",
        days if days <= CRITICAL_DAYS => "critical",
        days if days <= WARNING_DAYS || row.code == "failed" => "warning",
        _ => "ok",
    }
}

fn table(rows: &[&Row], now: Timestamp) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["INTEGRATION", "STOPS WORKING IF LEFT", "EXPIRES", "LEFT", "STATE", "OWNER"]);
    for row in rows {
        let (expires, left) = match row.ends {
            Some(ends) => (ends.strftime("%Y-%m-%d").to_string(), left(ends, now)),
            None => ("-".to_owned(), "-".to_owned()),
        };
        let owner = row.policy.people.pm.as_deref().unwrap_or(&row.policy.people.owner);
        table.add_row([
            row.policy.name.to_string(),
            row.policy.impact.trim_end_matches('.').to_owned(),
            expires,
            left,
            row.state.clone(),
            owner.split('@').next().unwrap_or(owner).to_owned(),
        ]);
    }
    table
}

fn left(ends: Timestamp, now: Timestamp) -> String {
    let days = ends.duration_since(now).as_hours().div_euclid(24);
    if ends <= now { "EXPIRED".to_owned() } else { format!("{days} days") }
}

fn item(row: &Row, now: Timestamp) -> Value {
    json!({
        "integration": row.policy.name, "slot": row.slot,
        "credential": row.policy.credentials.first().map(|spec| spec.kind.word()),
        "key_id": row.key_id, "replaced_by": row.replaced_by, "not_after": row.ends,
        "days_left": row.ends.map(|ends| ends.duration_since(now).as_hours().div_euclid(24)),
        "state": row.code, "severity": row.severity, "impact": row.policy.impact,
        "owner": row.policy.people.owner, "pm": row.policy.people.pm,
    })
}

/// A duration of the command line: `60d`, `12h`.
pub(super) fn within(text: &str) -> Result<SignedDuration, Error> {
    let parsed = text
        .strip_suffix('d')
        .and_then(|days| days.parse::<i64>().ok())
        .map(|days| SignedDuration::from_hours(24 * days))
        .or_else(|| text.parse::<SignedDuration>().ok());
    parsed.ok_or_else(|| Error::new(Class::Usage, "U005", format!("{text:?} is no duration")).help("write 60d or 12h"))
}
