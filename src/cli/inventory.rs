//! `everkey inventory`: every credential of the tenant. Reads only; works without a configuration, with whoever is
//! signed in to the Azure CLI.

use std::collections::BTreeMap;

use indicatif::ProgressBar;
use indicatif::ProgressDrawTarget;
use indicatif::ProgressStyle;
use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use super::OK;
use super::args::Cli;
use super::args::Form;
use super::args::InventoryArgs;
use super::output::Output;
use super::output::clean;
use super::reader::Reader;
use super::table::Column;
use super::table::fit;
use crate::error::Class;
use crate::error::Error;
use crate::model::Holder;
use crate::model::HolderKind;
use crate::model::KeyId;
use crate::model::Listed;
use crate::model::ListedKind;
use crate::ports::PortError;
use crate::run::explain;
use crate::run::inventory;
use crate::run::inventory::Ends;
use crate::run::inventory::Inventory;
use crate::run::inventory::Walking;

/// Left out from the right of this order when the terminal is too narrow: LAST SIGN-IN first, then MANAGED, WHERE,
/// KIND, OWNER, EXPIRES.
const COLUMNS: [Column; 8] = [
    Column::kept("APPLICATION"),
    Column::dropped("WHERE", 3),
    Column::dropped("KIND", 4),
    Column::dropped("EXPIRES", 6),
    Column::kept("LEFT"),
    Column::dropped("OWNER", 5),
    Column::dropped("LAST SIGN-IN", 1),
    Column::dropped("MANAGED", 2),
];

/// Last sign-ins by key id, or why they are not known.
type SignIns = Result<BTreeMap<KeyId, Timestamp>, String>;

/// Runs it.
pub async fn run(cli: &Cli, args: &InventoryArgs, out: &Output) -> Result<u8, Error> {
    let within = args.within.as_deref().map(super::rows::duration).transpose()?;
    let reader = Reader::open(cli, &args.place).await?;
    let directory = reader.directory.as_ref();
    let mut bar = Bar::new(out);
    if out.shows_progress() {
        // The count is for the time left only; not every cloud gives one.
        for kind in HolderKind::ALL {
            bar.expect(directory.count_holders(kind).await.ok());
        }
    }
    let taken = inventory::take(directory, &mut bar).await;
    bar.0.finish_and_clear();
    let inventory = taken.map_err(|error| explain::explain(&error, "read the applications of the tenant"))?;
    let sign_ins = sign_ins(directory.sign_in_activities().await);
    let now = inventory.date.unwrap_or_else(|| reader.clock.now());
    let report = Report { reader: &reader, inventory: &inventory, sign_ins: &sign_ins, now };
    let rows = inventory.rows();
    let is_shown = |(_, one): &&(&Holder, Listed)| {
        within.is_none_or(|within| one.end.duration_since(now) <= within && Ends::of(one, now) != Ends::Never)
    };
    let shown: Vec<&(&Holder, Listed)> = rows.iter().filter(is_shown).collect();
    match out.form() {
        Form::Csv => out.verbatim(&report.csv(&shown)?),
        _ => {
            out.print(&report.head(&rows));
            out.print(&format!("\n{}", report.table(&shown, out.columns())));
            out.say(&format!("\n{}", report.foot(&shown)));
        }
    }
    out.document(&report.document(&rows, &shown));
    Ok(OK)
}

/// A bar on a terminal.
struct Bar(ProgressBar, u64, bool);

impl Bar {
    fn new(out: &Output) -> Self {
        let target = if out.shows_progress() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} read {pos} objects") {
            bar.set_style(style);
        }
        Self(bar, 0, true)
    }

    /// So many more will come; once nobody knows, there is no end to show.
    fn expect(&mut self, count: Option<u64>) {
        let Some(count) = count.filter(|_| self.2) else {
            self.2 = false;
            self.0.unset_length();
            return;
        };
        self.0.set_length(self.0.length().unwrap_or(0) + count);
        if let Ok(style) = ProgressStyle::with_template("{spinner} read {pos} of {len} objects, {eta} left") {
            self.0.set_style(style);
        }
    }
}

impl Walking for Bar {
    fn read(&mut self, kind: HolderKind, count: u64) {
        if kind == HolderKind::Application {
            self.1 = count;
            self.0.set_position(count);
        } else {
            self.0.set_position(self.1 + count);
        }
    }
}

/// The report by key id, or the reason why there is none.
fn sign_ins(read: Result<Vec<crate::ports::SignInActivity>, PortError>) -> SignIns {
    match read {
        Ok(lines) => Ok(lines.into_iter().map(|line| (line.key_id, line.last)).collect()),
        Err(PortError::Denied(_)) => {
            Err("the sign-in report needs AuditLog.Read.All and an Entra ID P1 or P2 licence".to_owned())
        }
        Err(PortError::Missing(_)) => Err("this cloud has no sign-in report per credential".to_owned()),
        Err(error) => Err(format!("the sign-in report could not be read: {}", clean(&error.to_string()))),
    }
}

struct Report<'a> {
    reader: &'a Reader,
    inventory: &'a Inventory,
    sign_ins: &'a SignIns,
    now: Timestamp,
}

impl Report<'_> {
    /// Counts over everything, whatever is shown.
    fn counts(&self, rows: &[(&Holder, Listed)]) -> [usize; 4] {
        let count = |test: &dyn Fn(Ends) -> bool| rows.iter().filter(|(_, one)| test(Ends::of(one, self.now))).count();
        [
            count(&|ends| ends == Ends::Expired),
            count(&|ends| matches!(ends, Ends::In(..30))),
            count(&|ends| matches!(ends, Ends::In(..90))),
            count(&|ends| ends == Ends::Never),
        ]
    }

    fn with_credentials(&self) -> usize {
        self.inventory.holders.iter().filter(|holder| holder.kind == HolderKind::Application).count()
    }

    fn head(&self, rows: &[(&Holder, Listed)]) -> String {
        let [expired, month, quarter, never] = self.counts(rows);
        let inventory = self.inventory;
        let year = self.now.strftime("%Y").to_string().parse::<i32>().unwrap_or(0) + 10;
        let unknown = if inventory.owners_unknown { " (as far as owners could be read)" } else { "" };
        format!(
            "Tenant {}: {} applications, {} with credentials, {} credentials, {} service principals.{}\n  \
             {expired} expired, {month} within 30 days, {quarter} within 90 days. {never} never expire before {year}. \
             {} have no owner{unknown}. {} hold several.\n",
            self.reader.tenant,
            inventory.applications,
            self.with_credentials(),
            rows.len(),
            inventory.principals,
            self.reader.clock_note,
            inventory.ownerless(),
            inventory.several(self.now),
        )
    }

    fn table(&self, shown: &[&(&Holder, Listed)], room: Option<usize>) -> String {
        let row = |(holder, one): &&(&Holder, Listed)| {
            let ends = Ends::of(one, self.now);
            let date = one.end.strftime("%Y-%m-%d").to_string();
            let (expires, left) = match ends {
                Ends::Never => ("never".to_owned(), "-".to_owned()),
                Ends::Expired => (date, format!("{} d", self.days(one))),
                Ends::In(days) => (date, format!("{days} d")),
            };
            let kind = match one.kind {
                ListedKind::Certificate => "cert",
                other => other.word(),
            };
            vec![
                clean(&holder.display_name),
                holder.kind.word().to_owned(),
                kind.to_owned(),
                expires,
                left,
                clean(&owners(holder)),
                self.last(one),
                self.managed(holder, one).unwrap_or("?").to_owned(),
            ]
        };
        let rows: Vec<Vec<String>> = shown.iter().map(row).collect();
        if rows.is_empty() { "Nothing ends in that time.\n".to_owned() } else { fit(&COLUMNS, &rows, room) }
    }

    fn days(&self, one: &Listed) -> i64 {
        one.end.duration_since(self.now).as_hours().div_euclid(24)
    }

    fn last(&self, one: &Listed) -> String {
        match self.sign_ins.as_ref().map(|known| known.get(&one.key_id)) {
            Err(_) => "?".to_owned(),
            Ok(None) => "-".to_owned(),
            Ok(Some(last)) if self.now.duration_since(*last) < SignedDuration::from_hours(24) => "today".to_owned(),
            Ok(Some(last)) => last.strftime("%Y-%m-%d").to_string(),
        }
    }

    /// `yes` for what everkey made, `watched` for what a policy speaks of, `no`; nothing when it cannot be told.
    fn managed(&self, holder: &Holder, one: &Listed) -> Option<&'static str> {
        let known = self.reader.known.as_ref().ok()?;
        let own = known.key_ids.contains(&one.key_id)
            || one.thumbprint.as_ref().is_some_and(|thumbprint| known.thumbprints.contains(thumbprint));
        Some(match () {
            () if own => "yes",
            () if known.all || known.clients.contains_key(&holder.client_id) => "watched",
            () => "no",
        })
    }

    fn foot(&self, shown: &[&(&Holder, Listed)]) -> String {
        let mut foot = String::new();
        if let Err(why) = self.sign_ins {
            foot.push_str(&format!("LAST SIGN-IN unknown: {why}.\n"));
        }
        if let Err(error) = &self.reader.known {
            foot.push_str(&format!("MANAGED unknown: {}.\n", error.what));
        }
        let next = shown.iter().find(|(holder, one)| {
            self.managed(holder, one) == Some("no") && holder.kind == HolderKind::Application && one.end > self.now
        });
        if let Some((holder, _)) = next {
            foot.push_str(&format!(
                "Next: everkey adopt {:?}      writes a policy file, changes nothing in Entra\n",
                clean(&holder.display_name)
            ));
        }
        foot.trim_end().to_owned()
    }

    fn document(&self, rows: &[(&Holder, Listed)], shown: &[&(&Holder, Listed)]) -> Value {
        let [expired, month, quarter, never] = self.counts(rows);
        let inventory = self.inventory;
        let items: Vec<Value> = shown.iter().map(|(holder, one)| self.item(holder, one)).collect();
        json!({
            "schema": "everkey.inventory/v1", "tenant": self.reader.tenant, "checked_at": self.now,
            "emulator": self.reader.emulator,
            "summary": {
                "applications": inventory.applications, "with_credentials": self.with_credentials(),
                "credentials": rows.len(), "service_principals": inventory.principals, "expired": expired,
                "within_30_days": month, "within_90_days": quarter, "never": never,
                "without_owner": inventory.ownerless(), "owners_complete": !inventory.owners_unknown,
                "with_several": inventory.several(self.now),
            },
            "last_sign_in_reason": self.sign_ins.as_ref().err(),
            "items": items,
        })
    }

    fn item(&self, holder: &Holder, one: &Listed) -> Value {
        let ends = Ends::of(one, self.now);
        let last = self.sign_ins.as_ref().ok().and_then(|known| known.get(&one.key_id));
        let reason = match self.sign_ins {
            Err(why) => Some(why.as_str()),
            Ok(_) if last.is_none() => Some("none in the report"),
            Ok(_) => None,
        };
        let managed = self.managed(holder, one);
        let policy = self.reader.known.as_ref().ok().and_then(|known| known.clients.get(&holder.client_id));
        json!({
            "application": holder.display_name, "client_id": holder.client_id, "object_id": holder.object_id,
            "where": holder.kind, "credential": one.kind, "key_id": one.key_id, "name": one.name, "hint": one.hint,
            "thumbprint": one.thumbprint, "signing": self.is_signing(holder, one),
            "not_before": one.start, "not_after": (ends != Ends::Never).then_some(one.end),
            "days_left": (ends != Ends::Never).then(|| self.days(one)), "state": ends.word(),
            "credentials_of_application": holder.listed().len(),
            "owners": holder.owners, "last_sign_in": last, "last_sign_in_reason": reason,
            "managed": managed.map(|word| word == "yes"), "policy": policy,
        })
    }

    /// Whether a SAML certificate is the one in use; nothing for other kinds.
    fn is_signing(&self, holder: &Holder, one: &Listed) -> Option<bool> {
        (one.kind == ListedKind::Saml).then(|| one.thumbprint.is_some() && one.thumbprint == holder.signing)
    }

    fn csv(&self, shown: &[&(&Holder, Listed)]) -> Result<String, Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let wrote = || -> Result<Vec<u8>, csv::Error> {
            writer.write_record([
                "application",
                "where",
                "kind",
                "expires",
                "days_left",
                "state",
                "owners",
                "last_sign_in",
                "managed",
                "client_id",
                "object_id",
                "key_id",
                "name",
            ])?;
            for (holder, one) in shown {
                let ends = Ends::of(one, self.now);
                let last = self.sign_ins.as_ref().ok().and_then(|known| known.get(&one.key_id));
                writer.write_record([
                    guarded(&holder.display_name),
                    holder.kind.word().to_owned(),
                    one.kind.word().to_owned(),
                    if ends == Ends::Never { String::new() } else { one.end.to_string() },
                    if ends == Ends::Never { String::new() } else { self.days(one).to_string() },
                    ends.word().to_owned(),
                    guarded(&owners(holder)),
                    last.map(Timestamp::to_string).unwrap_or_default(),
                    self.managed(holder, one).unwrap_or_default().to_owned(),
                    holder.client_id.to_string(),
                    holder.object_id.to_string(),
                    one.key_id.to_string(),
                    guarded(one.name.as_deref().unwrap_or_default()),
                ])?;
            }
            writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
        };
        let failed = |error: &dyn std::fmt::Display| {
            Error::new(Class::Failed, "F010", "cannot write CSV").why(error).help("use -o json")
        };
        let bytes = wrote().map_err(|error| failed(&error))?;
        String::from_utf8(bytes).map_err(|error| failed(&error))
    }
}

fn owners(holder: &Holder) -> String {
    match &holder.owners {
        None => "?".to_owned(),
        Some(owners) if owners.is_empty() => "(none)".to_owned(),
        Some(owners) => owners.iter().map(crate::model::Owner::label).collect::<Vec<_>>().join(", "),
    }
}

/// Text of others in a spreadsheet's cell: what would be read as a formula gets a quote before it.
fn guarded(text: &str) -> String {
    let risky = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '|']);
    if risky { format!("'{text}") } else { text.to_owned() }
}
