//! `everkey check`: the contract of monitoring plug-ins. One line with performance data on standard output, and
//! 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN; whatever goes wrong is UNKNOWN, never OK.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use super::args::CheckArgs;
use super::args::Cli;
use super::args::Form;
use super::context::Context;
use super::output::Output;
use super::output::clean;
use super::rows;
use super::rows::Limits;
use super::rows::Row;
use super::status;
use crate::error::Class;
use crate::error::Error;
use crate::graph::Patience;
use crate::model::AppObserved;
use crate::model::IntegrationName;
use crate::model::KeyId;
use crate::model::Thumbprint;
use crate::policy::Policy;
use crate::ports::Directory;
use crate::ports::Outgoing;
use crate::ports::PortError;
use crate::run::explain;

/// Exit codes of the contract.
const WORDS: [&str; 4] = ["OK", "WARNING", "CRITICAL", "UNKNOWN"];
const UNKNOWN: u8 = 3;

/// From this many policies on, the tenant's list costs fewer requests than one read for each application.
const LIST_FROM: usize = 20;

/// A plug-in is given some seconds: one more try, and no long waits.
const PATIENCE: Patience = Patience { reads: 2, replication: 1 };

/// Mail that waits for so long does not get out by itself.
const MAIL_STUCK: SignedDuration = SignedDuration::from_hours(24);

/// Runs it; every failure is an answer.
pub async fn run(cli: &Cli, args: &CheckArgs, out: &Output) -> u8 {
    let checked = async {
        if !matches!(out.form(), Form::Table | Form::Json) {
            return Err(Error::new(Class::Usage, "U013", "`check` has no such form").help("use -o json, or no -o"));
        }
        let limits = Limits { warning: rows::duration(&args.warning)?, critical: rows::duration(&args.critical)? };
        look(cli, args, limits).await
    };
    match checked.await {
        Ok(found) => found.tell(out),
        Err(error) => unknown(&error, out.form() == Form::Json),
    }
}

/// What any failure says, also of a command line that cannot be understood; the exit code.
pub fn unknown(error: &Error, json: bool) -> u8 {
    let text = if json {
        let word = WORDS[usize::from(UNKNOWN)];
        let document = json!({"schema": "everkey.check/v1", "status": word, "exit_code": UNKNOWN, "error": error});
        format!("{document:#}\n")
    } else {
        let why = error.why.first().map_or_else(String::new, |why| format!(" ({})", one_line(why)));
        format!("everkey UNKNOWN - {} [{}]{why}\n", one_line(&error.what), error.code)
    };
    super::output::raw(&text, false);
    UNKNOWN
}

struct Found {
    rows: Vec<Row>,
    limits: Limits,
    mail_since: Option<Timestamp>,
    now: Timestamp,
}

async fn look(cli: &Cli, args: &CheckArgs, limits: Limits) -> Result<Found, Error> {
    let context = Context::open_with(cli, PATIENCE).await?;
    let policies = context.only(&args.names)?;
    let ports = &context.assembled.ports;
    let now = ports.clock.now();
    let (mut rows, _) = rows::rows(&context, &policies, limits).await?;
    let apps = applications(&context, &policies).await?;
    for policy in &policies {
        let Some(app) = apps.get(&policy.name) else { continue };
        if !rows.iter().any(|row| row.policy.name == policy.name) {
            rows.push(watched(policy, app.as_ref()));
        }
    }
    for row in &mut rows {
        if let Some(app) = apps.get(&row.policy.name) {
            compare(row, app.as_ref());
        }
        row.judge(now, limits);
        if row.code == "gone" {
            row.severity = "critical";
        }
    }
    rows::sort(&mut rows);
    let unsent = ports.store.unsent().await.map_err(|error| explain::store(&error))?;
    // Without [mail] nothing is ever sent: `doctor` tells that.
    let mail_since = ports.notifier.as_ref().and_then(|_| stuck_since(&unsent, now));
    Ok(Found { rows, limits, mail_since, now })
}

/// Since when mail has not gone out, when that is long ago.
pub fn stuck_since(unsent: &[Outgoing], now: Timestamp) -> Option<Timestamp> {
    unsent.iter().map(|one| one.created).min().filter(|since| now.duration_since(*since) >= MAIL_STUCK)
}

/// What Entra shows of the application of each policy; `None` where it is gone.
async fn applications(
    context: &Context,
    policies: &[Policy],
) -> Result<BTreeMap<IntegrationName, Option<AppObserved>>, Error> {
    let ports = &context.assembled.ports;
    let directory = ports.directory.as_ref();
    let failed = |error: &PortError| explain::explain(error, "read the applications");
    let records = ports.store.integrations().await.map_err(|error| explain::store(&error))?;
    let all = if policies.len() >= LIST_FROM { listed(directory).await.map_err(|error| failed(&error))? } else { None };
    let mut found = BTreeMap::new();
    // An answer of Graph even when no policy has an application yet: silence must never look like health.
    if policies.is_empty() || records.is_empty() {
        let own = context.settings.tenant.client_id.as_ref();
        if let Some(own) = own {
            directory.principal(own).await.map_err(|error| failed(&error))?;
        }
    }
    for policy in policies {
        let record = records.iter().find(|record| record.name == policy.name);
        let object_id = match (record, &policy.app.client_id) {
            (Some(record), _) => record.app.object_id.clone(),
            (None, Some(client_id)) => {
                match directory.find_application(client_id).await.map_err(|error| failed(&error))? {
                    Some(app) => app.object_id,
                    None => {
                        found.insert(policy.name.clone(), None);
                        continue;
                    }
                }
            }
            (None, None) => continue,
        };
        let seen = match &all {
            Some(all) => all.iter().find(|app| app.object_id == object_id).cloned(),
            None => match directory.application(&object_id).await {
                Ok(read) => Some(read.value),
                Err(PortError::Missing(_)) => None,
                Err(error) => return Err(failed(&error)),
            },
        };
        found.insert(policy.name.clone(), seen);
    }
    Ok(found)
}

/// The whole list, or none where only single applications may be read.
async fn listed(directory: &dyn Directory) -> Result<Option<Vec<AppObserved>>, PortError> {
    match directory.applications().await {
        Ok(all) => Ok(Some(all)),
        Err(PortError::Denied(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A policy without a credential of its own: what stands in Entra is watched.
fn watched(policy: &Policy, app: Option<&AppObserved>) -> Row {
    Row {
        policy: policy.clone(),
        slot: "any".to_owned(),
        word: "credential",
        key_id: None,
        in_use: None,
        replaced_by: None,
        ends: app.and_then(|app| latest(app, "credential")),
        state: "watched".to_owned(),
        code: "current",
        severity: "ok",
        sign_in: None,
    }
}

/// Corrects a row of the journal by what Entra shows.
fn compare(row: &mut Row, app: Option<&AppObserved>) {
    let gone = match (app, &row.in_use) {
        (None, _) => Some("its application is gone from Entra".to_owned()),
        (Some(app), Some((key_id, thumbprint))) if !shows(app, key_id, thumbprint.as_ref()) => {
            Some(format!("its {} is gone from Entra", row.word))
        }
        _ => None,
    };
    if let Some(gone) = gone {
        (row.state, row.code) = (gone, "gone");
        return;
    }
    // Nothing of ours yet: what others made is what runs.
    if let (Some(app), None, "none") = (app, &row.in_use, row.code)
        && let Some(end) = latest(app, row.word)
    {
        (row.ends, row.state, row.code) = (Some(end), "not everkey's own".to_owned(), "current");
    }
}

fn shows(app: &AppObserved, key_id: &KeyId, thumbprint: Option<&Thumbprint>) -> bool {
    app.secrets.iter().any(|entry| entry.key_id == *key_id)
        || app
            .certificates
            .iter()
            .any(|entry| entry.key_id == *key_id || (thumbprint.is_some() && entry.thumbprint.as_ref() == thumbprint))
}

/// Until when something of this kind is valid.
fn latest(app: &AppObserved, word: &str) -> Option<Timestamp> {
    let secrets = app.secrets.iter().filter(|_| word != "certificate").map(|entry| entry.end);
    let certificates = app.certificates.iter().filter(|_| word != "secret").map(|entry| entry.end);
    secrets.chain(certificates).max()
}

impl Found {
    fn code(&self) -> u8 {
        let has = |severity: &str| self.rows.iter().any(|row| row.severity == severity);
        match () {
            () if has("expired") || has("critical") || self.mail_since.is_some() => 2,
            () if has("warning") => 1,
            () => 0,
        }
    }

    fn tell(&self, out: &Output) -> u8 {
        let code = self.code();
        let word = WORDS[usize::from(code)];
        let line = format!("everkey {word} - {} | {}\n", one_line(&self.text(code)), self.performance());
        out.print(&line);
        let items: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                let mut item = status::item(row, self.now);
                item["text"] = json!(self.sentence(row));
                item
            })
            .collect();
        out.document(&json!({
            "schema": "everkey.check/v1", "status": word, "exit_code": code, "text": self.text(code),
            "checked_at": self.now, "mail_failing_since": self.mail_since,
            "summary": status::summary(&self.rows), "items": items,
        }));
        code
    }

    /// The worst first, then how many of each are left.
    fn text(&self, code: u8) -> String {
        let rank = |row: &&Row| match row.severity {
            "expired" => 0,
            "critical" => 1,
            "warning" => 2,
            _ => 3,
        };
        let mut told: Vec<String> = Vec::new();
        if let Some(since) = self.mail_since {
            told.push(format!("mail does not go out since {}", since.strftime("%Y-%m-%d %H:%M UTC")));
        }
        let worst = self.rows.iter().filter(|row| row.severity != "ok").min_by_key(rank);
        if let Some(row) = worst {
            told.push(self.sentence(row));
        }
        let rest = |severities: &[&str]| {
            let of = |row: &&Row| severities.contains(&row.severity);
            let named = usize::from(worst.as_ref().is_some_and(of));
            self.rows.iter().filter(of).count() - named
        };
        let counts: Vec<String> =
            [(rest(&["expired", "critical"]), "more critical"), (rest(&["warning"]), "warning"), (rest(&["ok"]), "ok")]
                .iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, word)| format!("{count} {word}"))
                .collect();
        if code == 0 {
            let next = self.rows.iter().find(|row| row.ends.is_some());
            let next = next.map_or_else(String::new, |row| format!("; first to end: {}", self.sentence(row)));
            return match self.rows.len() {
                0 => "nothing to watch yet".to_owned(),
                all => format!("{all} ok{next}"),
            };
        }
        if !counts.is_empty() {
            told.push(counts.join(", "));
        }
        told.join("; ")
    }

    /// `securends-office365 secret expired 2 days ago`
    fn sentence(&self, row: &Row) -> String {
        let head = format!("{} {}", row.policy.name, row.word);
        let days = |days: i64| if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
        match (row.code, row.ends, row.days_left(self.now)) {
            ("gone" | "stopped", ..) => format!("{}: {}", row.policy.name, row.state),
            (_, Some(ends), _) if ends <= self.now => {
                // The day it ended on counts as none.
                format!("{head} expired {} ago", days(self.now.duration_since(ends).as_hours().div_euclid(24)))
            }
            ("failed", _, left) => {
                let left = left.map_or_else(String::new, |left| format!(", expires in {}", days(left)));
                format!("{head}: rotation {}{left}", row.state)
            }
            (_, Some(_), Some(left)) => format!("{head} expires in {}", days(left)),
            _ => format!("{head}: {}", row.state),
        }
    }

    fn performance(&self) -> String {
        let expired = self.rows.iter().filter(|row| row.severity == "expired").count();
        let whole = |limit: SignedDuration| limit.as_hours().div_euclid(24);
        let soonest =
            self.rows.iter().filter_map(|row| row.days_left(self.now)).min().map_or_else(String::new, |days| {
                format!(" soonest_days={days};{}:;{}:", whole(self.limits.warning), whole(self.limits.critical))
            });
        format!("expired={expired};;0{soonest} total={}", self.rows.len())
    }
}

/// A bar begins performance data, and a line end a second line: neither may come from a name.
fn one_line(text: &str) -> String {
    clean(text).replace(['\n', '|'], " ")
}
