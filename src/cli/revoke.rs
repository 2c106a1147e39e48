//! `everkey revoke --emergency`: a credential is in the wrong hands. What it does is carried by the journal; this
//! command begins it, waits beside it, and writes the evidence.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use jiff::SignedDuration;
use serde_json::Value;
use serde_json::json;
use tokio::sync::Notify;

use super::OK;
use super::args::Cli;
use super::args::Form;
use super::args::RevokeArgs;
use super::ask;
use super::context::Context;
use super::context::Held;
use super::impact;
use super::output::Output;
use super::progress::Display;
use super::progress::Waits;
use super::signals::signal_code;
use super::signals::stop_on_signal;
use crate::config;
use crate::error::Class;
use crate::error::Error;
use crate::model::KeyId;
use crate::model::Rotation;
use crate::model::RotationId;
use crate::model::SlotName;
use crate::policy::Mode;
use crate::policy::Policy;
use crate::policy::StoreUrl;
use crate::rotation::Waiting;
use crate::rotation::emergency;
use crate::run::Pace;
use crate::run::RunError;
use crate::run::emergency::Asked;
use crate::run::emergency::Draft;
use crate::run::explain;
use crate::run::pack;

/// The command waits beside an emergency as long as something happens within this time: the drain of a plain sink.
const PATIENCE: SignedDuration = SignedDuration::from_mins(20);
/// Failures of one step after which it is left to the daemon or the next run.
const GIVE_UP: u32 = 6;

/// Seconds for which another run may hold the store.
const TRIES: u32 = 60;

/// How an emergency stands when the command ends.
enum Stands {
    Over,
    Person,
    Failed(Error),
    Later(Error),
}

/// Runs it.
pub async fn run(cli: &Cli, args: &RevokeArgs, out: &Output) -> Result<u8, Error> {
    if !args.emergency && !args.enable_sign_in && args.evidence.is_none() {
        return Err(Error::new(
            Class::Usage,
            "U070",
            "revoke removes a credential without overlap, for emergencies only",
        )
        .why("a normal change keeps the old one until the new one is in use")
        .help(format!(
            "everkey rotate {0}; if it is in the wrong hands: everkey revoke {0} --emergency --reason TEXT",
            args.name
        )));
    }
    let context = Context::open(cli).await?;
    let policies = context.only(std::slice::from_ref(&args.name))?;
    let Some(policy) = policies.first() else {
        return Err(Error::new(Class::Usage, "U002", "no policy matches").help("see `everkey status`"));
    };
    if args.enable_sign_in {
        return enable_sign_in(&context, &policies, args, out).await;
    }
    if !args.emergency {
        return evidence_alone(&context, policy, args, out).await;
    }
    if policy.mode != Mode::Rotate {
        return Err(Error::new(
            Class::Failed,
            "R043",
            format!("{} is not rotated: its mode is not \"rotate\"", policy.name),
        )
        .why("everkey changes nothing in Entra for it")
        .help(format!("let it: everkey enable {}", policy.name)));
    }
    if let Some(confirm) = args.confirm.as_deref().filter(|confirm| *confirm != policy.name.as_str()) {
        return Err(Error::new(Class::Usage, "U072", format!("--confirm {confirm:?} is not the integration's name"))
            .help(format!("--confirm {}", policy.name)));
    }
    let (stop, woken) = stop_on_signal();
    let display = Arc::new(Display::new(out, out.form() == Form::Table));
    let held = hold(&context, &display, &stop, &policies).await?;
    let job = Job { args, out, policy, policies: &policies, context: &context, display: &display, woken: &woken };
    let result = job.work(&held).await;
    display.rest();
    held.release().await?;
    match result {
        Err(RunError::Stopped) => {
            super::output::note(
                "Stopped at a safe point. The emergency goes on with the same command, or with everkey serve.",
            );
            if out.form() == Form::Json {
                return Err(RunError::Stopped.into_error());
            }
            Ok(signal_code())
        }
        Err(error) => Err(error.into_error()),
        Ok(code) => Ok(code),
    }
}

/// The store, waited for: a daemon holds it for the moments of a cycle, and an emergency comes after that one.
async fn hold(
    context: &Context,
    display: &Arc<Display>,
    stop: &Arc<AtomicBool>,
    policies: &[Policy],
) -> Result<Held, Error> {
    let clock = &context.assembled.ports.clock;
    for _ in 0..TRIES {
        match context.engine(Pace::Now, display.clone(), Arc::clone(stop), policies).await {
            Err(error) if error.code == "T011" && !stop.load(Ordering::Relaxed) => {
                display.wait(&error.what);
                clock.sleep_until(clock.now() + SignedDuration::from_secs(1)).await;
                display.rest();
            }
            held => return held,
        }
    }
    context.engine(Pace::Now, display.clone(), Arc::clone(stop), policies).await
}

struct Job<'a> {
    args: &'a RevokeArgs,
    out: &'a Output,
    policy: &'a Policy,
    policies: &'a [Policy],
    context: &'a Context,
    display: &'a Display,
    woken: &'a Notify,
}

impl Job<'_> {
    async fn work(&self, held: &Held) -> Result<u8, RunError> {
        let asked = Asked {
            reason: self.args.reason.clone().unwrap_or_default(),
            slot: self.args.slot.as_deref().map(SlotName::from),
            now: self.args.now,
            force: self.args.force,
            also: self.args.also.iter().map(|key_id| KeyId(key_id.trim().to_owned())).collect(),
            disable_sign_in: self.args.disable_sign_in,
        };
        let draft = held.engine.emergency_draft(self.policy, &asked).await?;
        if asked.reason.trim().is_empty() && draft.under_way.is_none() {
            return Err(Error::new(Class::Usage, "U071", "an emergency needs a reason")
                .why("it stands in the history, in the mails and in the evidence")
                .help("--reason \"secret pasted in a ticket\"")
                .into());
        }
        let rules = self.context.settings.alert_rules();
        self.out.print(&impact::text(self.policy, &draft, &asked, &rules));
        self.confirm(&draft, &asked).await?;
        let begun = held.engine.begin_emergency(self.policy, &draft, &asked).await?;
        let stands = self.carry(held, begun.id).await?;
        self.conclude(begun.id, &draft, stands).await
    }

    /// The name, typed or given; going on with what somebody confirmed before needs none.
    async fn confirm(&self, draft: &Draft, asked: &Asked) -> Result<(), RunError> {
        let goes_on = |r: &Rotation| {
            let more = r.emergency.as_deref().is_some_and(|known| asked.is_more_than(known));
            !more && asked.also.iter().all(|key_id| r.old.iter().any(|old| old.key_id == *key_id))
        };
        if self.args.confirm.is_some() || draft.under_way.as_ref().is_some_and(goes_on) {
            return Ok(());
        }
        let outage = asked.now && draft.spec.needs_person();
        let price = if outage { " (people are without access until they have the new one)" } else { "" };
        ask::name(self.out, self.policy.name.as_str(), price, self.woken).await
    }

    /// Ticks until it is over, waits for a person, or does not get on.
    async fn carry(&self, held: &Held, id: RotationId) -> Result<Stands, RunError> {
        let ports = &self.context.assembled.ports;
        loop {
            self.display.forget();
            let tick = held.engine.tick(self.policies, &[]).await?;
            let Some(r) = ports.store.rotation(id).await? else { continue };
            if emergency::is_over(&r) || !r.is_open() {
                return Ok(Stands::Over);
            }
            if let Some((_, error)) = tick.failed.first() {
                return Ok(Stands::Failed(error.clone()));
            }
            let waits = self.display.waits();
            let wait = waits.iter().find(|wait| wait.rotation.id == id);
            let now = ports.clock.now();
            let until = match wait {
                Some(wait) if wait.why == Waiting::Person => return Ok(Stands::Person),
                Some(wait) => match patient(&r, wait, now) {
                    Ok(until) => until,
                    Err(stands) => return Ok(stands),
                },
                // A failure says itself when it goes on.
                None => match &r.failure {
                    Some(failure) if failure.blocked || failure.count >= GIVE_UP => return Ok(stuck(&r)),
                    Some(failure) => failure.retry_at,
                    None => now + SignedDuration::from_secs(1),
                },
            };
            self.display.wait(&format!("emergency of {}: {} under way", r.integration, r.state.step()));
            tokio::select! {
                () = ports.clock.sleep_until(until) => {}
                () = self.woken.notified() => return Err(RunError::Stopped),
            }
            self.display.rest();
        }
    }

    async fn conclude(&self, id: RotationId, draft: &Draft, stands: Stands) -> Result<u8, RunError> {
        let store = &self.context.assembled.ports.store;
        let Some(r) = store.rotation(id).await? else { return Ok(OK) };
        let directory = self.args.evidence.clone().unwrap_or_else(|| place(self.context, &r));
        let written = write(self.context, self.policy, &r, &directory).await;
        let handoffs: Vec<_> =
            store.handoffs().await?.into_iter().filter(|h| h.rotation == id && h.is_waiting()).map(|h| h.id).collect();
        let (outcome, error) = match stands {
            Stands::Over if handoffs.is_empty() => ("done", None),
            Stands::Over => ("removed", None),
            Stands::Person => ("awaiting_handoff", None),
            Stands::Failed(error) => ("failed", Some(error)),
            Stands::Later(error) => ("under_way", Some(error)),
        };
        let error = error.or_else(|| written.as_ref().err().cloned());
        self.out.document(&json!({
            "schema": "everkey.revoke/v1", "integration": r.integration, "slot": r.spec.slot, "rotation": r.id.to_string(),
            "outcome": outcome, "reason": r.emergency.as_ref().map(|e| &e.reason),
            "new_key_id": r.fresh.as_ref().map(|fresh| &fresh.key_id),
            "removed": removed(&r), "handoff_ids": handoffs,
            "others": draft.ring.iter().filter(|one| !draft.targets.contains(&one.key_id)).collect::<Vec<_>>(),
            "sign_in_disabled_at": r.emergency.as_ref().and_then(|e| e.disabled),
            "evidence": written.as_ref().ok(), "error": error,
        }));
        for handoff in &handoffs {
            self.out.print(&format!("Urgent: everkey handoff show {handoff}\n"));
        }
        match outcome {
            "awaiting_handoff" => self.out.print(&format!(
                "The old one stays until that is confirmed. To remove it at once: everkey revoke {} --emergency --now\n",
                r.integration
            )),
            "done" | "removed" => self.out.print(&removed_words(&r)),
            _ => {}
        }
        if r.emergency.as_ref().is_some_and(|e| e.disabled.is_some()) {
            self.out.print(&format!(
                "Sign-in is disabled. To enable it: everkey revoke {} --enable-sign-in\n",
                r.integration
            ));
        }
        if let Ok(path) = &written {
            self.out.print(&format!("Evidence: {}\n", path.display()));
        }
        match error {
            Some(error) => {
                self.out.error(&error);
                Ok(error.class.exit_code())
            }
            None => Ok(OK),
        }
    }
}

/// Sign-in that an emergency disabled.
async fn enable_sign_in(context: &Context, policies: &[Policy], args: &RevokeArgs, out: &Output) -> Result<u8, Error> {
    let by = args.by.clone().unwrap_or_else(config::os_user);
    let (stop, _woken) = stop_on_signal();
    let display = Arc::new(Display::new(out, out.form() == Form::Table));
    let held = hold(context, &display, &stop, policies).await?;
    let mut result = Err(RunError::Stopped);
    for policy in policies {
        result = held.engine.enable_sign_in(policy, &by).await.map(|was| (policy, was));
    }
    held.release().await?;
    let (policy, was) = result.map_err(RunError::into_error)?;
    let since = was.at.map_or_else(String::new, |at| format!(" on {}", at.strftime("%Y-%m-%d %H:%M UTC")));
    out.print(&format!("Sign-in of {} is enabled. {} had it disabled{since}: {}\n", policy.name, was.by, was.reason));
    out.document(&json!({
        "schema": "everkey.revoke/v1", "integration": policy.name, "outcome": "sign_in_enabled", "by": by,
        "rotation": was.rotation.to_string(), "was": {"by": was.by, "at": was.at, "reason": was.reason},
    }));
    Ok(OK)
}

/// When to go on, or why this run does not.
fn patient(r: &Rotation, wait: &Waits, now: jiff::Timestamp) -> Result<jiff::Timestamp, Stands> {
    let given_up = r.failure.as_ref().is_some_and(|failure| failure.blocked || failure.count >= GIVE_UP);
    match wait.until {
        _ if given_up => Err(stuck(r)),
        Some(until) if until.duration_since(now) <= PATIENCE => Ok(until),
        until => {
            let until = until.map_or_else(String::new, |at| format!(" until {}", at.strftime("%Y-%m-%d %H:%M UTC")));
            Err(Stands::Later(
                Error::new(Class::Temporary, "R085", format!("{}: not finished, waits{until}", r.state.step()))
                    .why("after a lost answer, or with both slots taken, everkey must not try again at once")
                    .help("run the same command again after that, or let everkey serve carry it on"),
            ))
        }
    }
}

fn stuck(r: &Rotation) -> Stands {
    let Some(problem) = r.failure.as_ref().map(|failure| &failure.problem) else {
        return Stands::Failed(
            Error::new(Class::Failed, "R085", "the emergency does not get on").help("everkey status"),
        );
    };
    let class = explain::class_of(&problem.code);
    let mut error = Error::new(class, &problem.code, format!("{}: {}", r.state.step(), problem.summary))
        .request_id(problem.request_id.clone());
    error.help.clone_from(&problem.fix);
    Stands::Failed(error)
}

/// One line per credential that left.
fn removed_words(r: &Rotation) -> String {
    let refused = r.emergency.iter().flat_map(|emergency| &emergency.refused);
    refused
        .map(|one| match &one.unseen {
            None => format!("{} is removed, and was refused {} times.\n", one.key_id, one.count),
            Some(why) => format!("{} is removed; not seen refused: {why}.\n", one.key_id),
        })
        .collect()
}

fn removed(r: &Rotation) -> Vec<Value> {
    let refused =
        |key_id: &KeyId| r.emergency.as_ref().and_then(|e| e.refused.iter().find(|one| one.key_id == *key_id));
    r.removals
        .iter()
        .map(|removal| {
            let seen = refused(&removal.key_id);
            json!({
                "key_id": removal.key_id, "removed_at": removal.sent, "refused": seen.map_or(0, |seen| seen.count),
                "not_seen_refused": seen.and_then(|seen| seen.unseen.as_ref()),
            })
        })
        .collect()
}

/// Beside the store, or beside the configuration where the store is on a server.
fn place(context: &Context, r: &Rotation) -> PathBuf {
    let state = match &context.settings.tool.store {
        StoreUrl::Sqlite(path) => path.parent().map(Path::to_path_buf),
        StoreUrl::Postgres(_) => context.settings.policies_dir.parent().map(Path::to_path_buf),
    };
    let name = format!("{}-{}-{}", r.integration, r.planned.strftime("%Y-%m-%d"), r.id);
    state.unwrap_or_else(|| PathBuf::from(".")).join("evidence").join(name)
}

/// Writes both files, each as a whole.
async fn write(context: &Context, policy: &Policy, r: &Rotation, directory: &Path) -> Result<PathBuf, Error> {
    let ports = &context.assembled.ports;
    let made =
        pack::pack(ports.store.as_ref(), r, &policy.impact, ports.clock.now()).await.map_err(RunError::into_error)?;
    config::private_dirs(directory)?;
    config::write_file(&directory.join("evidence.json"), format!("{:#}\n", made.json).as_bytes())?;
    config::write_file(&directory.join("evidence.md"), made.markdown.as_bytes())?;
    Ok(directory.to_path_buf())
}

/// The evidence of the latest emergency, from the journal.
async fn evidence_alone(context: &Context, policy: &Policy, args: &RevokeArgs, out: &Output) -> Result<u8, Error> {
    let slot = args.slot.as_deref().map(SlotName::from);
    let store = context.assembled.ports.store.as_ref();
    let latest = pack::latest(store, &policy.name, slot.as_ref()).await.map_err(RunError::into_error)?;
    let (Some(r), Some(directory)) = (latest, &args.evidence) else {
        return Err(Error::new(Class::Failed, "R084", format!("{} had no emergency", policy.name))
            .help(format!("what happened to it: everkey history {}", policy.name)));
    };
    let written = write(context, policy, &r, directory).await?;
    out.print(&format!("Evidence of {}: {}\n", r.id, written.display()));
    out.document(&json!({
        "schema": "everkey.revoke/v1", "integration": r.integration, "slot": r.spec.slot, "rotation": r.id.to_string(),
        "outcome": "evidence", "evidence": written,
    }));
    Ok(OK)
}
