//! `everkey apply`: provision and rotate; goes on while proofs are under way, and finishes what an earlier run
//! began.

use std::sync::Arc;

use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;
use tokio::sync::Notify;

use super::OK;
use super::args::ApplyArgs;
use super::args::Cli;
use super::args::Form;
use super::context::Context;
use super::context::Held;
use super::guard;
use super::output::Output;
use super::progress::Display;
use super::progress::Waits;
use super::saved;
use super::signals::signal_code;
use super::signals::stop_on_signal;
use crate::error::Class;
use crate::error::Error;
use crate::model::IntegrationName;
use crate::model::Rotation;
use crate::model::State;
use crate::plan::Plan;
use crate::plan::explain;
use crate::policy::Policy;
use crate::ports::Store;
use crate::rotation::Waiting;
use crate::run::Pace;
use crate::run::RunError;
use crate::run::Tick;

/// A rotation that goes on within this time is waited for.
const PATIENCE: SignedDuration = SignedDuration::from_secs(120);
/// Failures of one step after which this run gives up on it; the next run goes on.
const GIVE_UP: u32 = 4;

/// Runs it.
pub async fn run(cli: &Cli, args: &ApplyArgs, out: &Output) -> Result<u8, Error> {
    let context = Context::open(cli).await?;
    let policies = context.only(&args.only)?;
    guard::new_store(&context, args.new_store).await?;
    let job = Job {
        out,
        policies: &policies,
        asked: &[],
        yes: args.yes,
        max_changes: args.max_changes,
        pace: Pace::Now,
        command: "apply",
    };
    let saved = args.plan.as_deref().map(|path| saved::read(path, &context, &policies)).transpose()?;
    job.run(&context, saved.as_ref()).await
}

/// One run of the engine from the command line: `apply`, and `rotate` with the slots it asks for.
pub struct Job<'a> {
    /// Output.
    pub out: &'a Output,
    /// Policies to work on.
    pub policies: &'a [Policy],
    /// Rotated whatever their date.
    pub asked: &'a [IntegrationName],
    /// Do not ask.
    pub yes: bool,
    /// Guard for CI.
    pub max_changes: Option<usize>,
    /// Whether rotations wait for their schedule.
    pub pace: Pace,
    /// The command, for its document and for what to run again.
    pub command: &'static str,
}

impl Job<'_> {
    /// Plans, asks, does, waits for proofs, reports.
    pub async fn run(&self, context: &Context, saved: Option<&Plan>) -> Result<u8, Error> {
        let (stop, woken) = stop_on_signal();
        let display = Arc::new(Display::new(self.out, self.out.form() == Form::Table));
        let held = context.engine(self.pace, display.clone(), stop, self.policies).await?;
        let result = self.work(context, &held, &display, &woken, saved).await;
        display.rest();
        held.release().await?;
        match result {
            Err(RunError::Stopped) => {
                super::output::note("Stopped at a safe point. Run the same command again to go on.");
                if self.out.form() == Form::Json {
                    return Err(RunError::Stopped.into_error());
                }
                Ok(signal_code())
            }
            Err(error) => Err(error.into_error()),
            Ok(code) => Ok(code),
        }
    }

    async fn work(
        &self,
        context: &Context,
        held: &Held,
        display: &Display,
        woken: &Notify,
        saved: Option<&Plan>,
    ) -> Result<u8, RunError> {
        let engine = &held.engine;
        let store = &context.assembled.ports.store;
        let observed = engine.observe(self.policies).await?;
        let plan = engine.plan(self.policies, &observed, self.asked).await;
        if let Some(wanted) = saved {
            saved::same(wanted, &plan)?;
        }
        let under_way = self.under_way(store.as_ref()).await?;
        if plan.is_empty() && under_way.is_empty() {
            // Alerts and what is due later still happen.
            let tick = engine.tick(self.policies, &[]).await?;
            self.out.print("No changes.\n");
            // What was read a moment ago is fine; only a look at the whole tenant comes with the tick.
            let watches = |name: &IntegrationName| self.policies.iter().any(|p| p.name == *name && p.watch.is_some());
            let failed: Vec<_> = tick.failed.iter().filter(|(name, _)| watches(name)).cloned().collect();
            let whole = failed.is_empty();
            let code = self.report(store.as_ref(), &Tick { failed, ..tick }, 0, &[]).await?;
            return Ok(if whole { code } else { Class::Partly.exit_code() });
        }
        self.ask(context, &plan, woken).await?;
        let mut tick = engine.tick(self.policies, self.asked).await?;
        let mut failed = std::mem::take(&mut tick.failed);
        loop {
            let waits = display.waits();
            let Some(until) = next_round(&waits, engine_now(context)) else { break };
            display.wait(&waiting_line(&waits));
            tokio::select! {
                () = context.assembled.ports.clock.sleep_until(until) => {}
                () = woken.notified() => {
                    display.rest();
                    return Err(RunError::Stopped);
                }
            }
            display.rest();
            display.forget();
            let mut next = engine.tick(self.policies, &[]).await?;
            let still: Vec<IntegrationName> = next.failed.iter().map(|(name, _)| name.clone()).collect();
            failed.retain(|(name, _)| still.contains(name));
            failed.append(&mut next.failed);
            failed.dedup_by(|a, b| a.0 == b.0);
            tick = next;
        }
        tick.failed = failed;
        let changed = plan.changes.len().max(under_way.len());
        self.report(store.as_ref(), &tick, changed, &display.waits()).await
    }

    async fn ask(&self, context: &Context, plan: &Plan, woken: &Notify) -> Result<(), RunError> {
        if let Some(limit) = self.max_changes
            && plan.changes.len() > limit
        {
            return Err(Error::new(
                Class::Failed,
                "R003",
                format!("{} integrations would change, more than --max-changes {limit}", plan.changes.len()),
            )
            .help("look at `everkey plan`, then raise the limit")
            .into());
        }
        if plan.is_empty() {
            return Ok(());
        }
        self.out.print(&explain::text(plan));
        if self.yes {
            return Ok(());
        }
        let tenant = &context.settings.tenant_name;
        let question = format!("Apply this plan to tenant {tenant}? Nothing is removed today.");
        super::ask::confirm(self.out, &question, woken).await
    }

    async fn under_way(&self, store: &dyn Store) -> Result<Vec<Rotation>, RunError> {
        let early =
            |r: &Rotation| r.is_open() && !matches!(r.state, State::Delivered | State::Confirmed | State::RetireIntent);
        Ok(store.unfinished().await?.into_iter().filter(|r| early(r) && self.covers(&r.integration)).collect())
    }

    fn covers(&self, name: &IntegrationName) -> bool {
        self.policies.iter().any(|policy| policy.name == *name)
    }

    /// Says how it ended; the exit code.
    async fn report(&self, store: &dyn Store, tick: &Tick, changed: usize, waits: &[Waits]) -> Result<u8, RunError> {
        let unfinished = store.unfinished().await?;
        let mut results = Vec::new();
        let (mut done, mut scheduled, mut failures) = (0_usize, 0_usize, Vec::new());
        for policy in self.policies {
            let rotation = unfinished.iter().rfind(|r| r.integration == policy.name);
            let error = tick.failed.iter().find(|(name, _)| *name == policy.name).map(|(_, error)| error.clone());
            let error = error.or_else(|| rotation.filter(|r| is_stuck(r)).and_then(stuck_error));
            let wait = waits.iter().find(|wait| wait.integration == policy.name.as_str());
            let error = error.or_else(|| wait.and_then(unfinished_error));
            if let Some(error) = error {
                self.out.print(&format!("\n{}\n", policy.name));
                if self.out.form() == Form::Table {
                    self.out.error(&error);
                }
                results.push(json!({"integration": policy.name, "state": "failed", "error": error}));
                failures.push(error);
                continue;
            }
            let starts = wait.filter(|wait| wait.why == Waiting::Calendar && wait.rotation.state == State::Planned);
            let result = self.result(store, policy, rotation, changed).await?;
            results.push(match starts.and_then(|wait| wait.until) {
                Some(at) => {
                    scheduled += 1;
                    let when = at.strftime("%Y-%m-%d %H:%M UTC");
                    self.out.print(&format!("{:<26} waits for its schedule until {when}\n", policy.name.as_str()));
                    json!({"integration": policy.name, "state": "scheduled", "starts_at": at})
                }
                None => {
                    done += 1;
                    result
                }
            });
        }
        if let Some(error) = &tick.mail_failed {
            self.out.say("Mail could not be sent; it stays in the outbox and is tried again by the next run.");
            if self.out.form() == Form::Table {
                self.out.error(error);
            }
        }
        let outcome = match (failures.len(), done + scheduled) {
            (0, _) => "done",
            (_, 0) => "failed",
            _ => "partial",
        };
        if changed > 0 || !failures.is_empty() {
            let tail = if failures.is_empty() {
                String::new()
            } else {
                let again = if self.command == "serve" { "serve --once" } else { "apply" };
                format!("\nRun `everkey {again}` again after the fix; finished items are not repeated.")
            };
            let later = if scheduled == 0 { String::new() } else { format!(", {scheduled} scheduled") };
            self.out.print(&format!("\n{done} done{later}, {} failed.{tail}\n", failures.len()));
        }
        let mut document =
            json!({"schema": format!("everkey.{}/v1", self.command), "outcome": outcome, "results": results});
        if let Some(error) = &tick.mail_failed {
            document["mail_error"] = json!(error);
        }
        self.out.document(&document);
        // Nobody reads what a timer prints: a mail that does not leave is then the run's result.
        let unsent = tick.mail_failed.as_ref().filter(|_| self.command == "serve");
        Ok(match (outcome, failures.first()) {
            ("done", _) => unsent.map_or(OK, |error| error.class.exit_code()),
            ("failed", Some(error)) => error.class.exit_code(),
            _ => Class::Partly.exit_code(),
        })
    }

    async fn result(
        &self,
        store: &dyn Store,
        policy: &Policy,
        rotation: Option<&Rotation>,
        changed: usize,
    ) -> Result<Value, RunError> {
        let handoffs: Vec<_> =
            store.handoffs().await?.into_iter().filter(|h| h.integration == policy.name && h.is_waiting()).collect();
        // With nothing to do one line is enough; `status` tells who waits.
        if self.out.form() == Form::Table && changed > 0 {
            for handoff in &handoffs {
                self.out.print(&format!(
                    "{:<26} {} waits for {}: everkey handoff show {}\n",
                    policy.name.as_str(),
                    handoff.id,
                    handoff.doer,
                    handoff.id
                ));
            }
        }
        let request = rotation.filter(|r| r.waits_for_certificate());
        if self.out.form() == Form::Table && request.is_some() {
            let name = policy.name.as_str();
            self.out.print(&format!("{name:<26} waits for your CA's certificate: everkey cert request {name}\n"));
        }
        let state = match rotation.map(|r| r.state) {
            _ if request.is_some() => "awaiting_certificate",
            None => "current",
            Some(State::Delivered | State::Verified) if !handoffs.is_empty() => "awaiting_handoff",
            Some(State::Confirmed | State::RetireIntent | State::Trailing) => "confirmed",
            Some(state) => state.step(),
        };
        Ok(json!({
            "integration": policy.name,
            "state": state,
            "handoff_id": handoffs.first().map(|h| &h.id),
            "handoff_ids": handoffs.iter().map(|h| &h.id).collect::<Vec<_>>(),
            "old_valid_until": rotation.and_then(Rotation::old_end),
        }))
    }
}

fn engine_now(context: &Context) -> Timestamp {
    context.assembled.ports.clock.now()
}

/// When to go on in this run; `None` ends it.
fn next_round(waits: &[Waits], now: Timestamp) -> Option<Timestamp> {
    waits
        .iter()
        .filter(|wait| match wait.why {
            Waiting::Propagation => true,
            Waiting::Backoff => wait.failures < GIVE_UP,
            Waiting::Settling => !matches!(wait.rotation.state, State::Unknown),
            Waiting::Calendar | Waiting::Fuse | Waiting::NoSlot | Waiting::Overlap | Waiting::Person => false,
        })
        .filter_map(|wait| wait.until)
        .filter(|until| until.duration_since(now) <= PATIENCE)
        .min()
}

fn waiting_line(waits: &[Waits]) -> String {
    let proving: Vec<&str> =
        waits.iter().filter(|wait| wait.why == Waiting::Propagation).map(|wait| wait.integration.as_str()).collect();
    if proving.is_empty() {
        return "waiting".to_owned();
    }
    format!("proving by sign-in, three times over a minute: {}", proving.join(", "))
}

/// Whether its failure is this run's result: before delivery any failure is, for then nothing was finished.
fn is_stuck(r: &Rotation) -> bool {
    let delivered = matches!(r.state, State::Delivered | State::Confirmed | State::RetireIntent | State::Trailing);
    r.failure.as_ref().is_some_and(|failure| !delivered || failure.blocked || failure.count >= GIVE_UP)
}

fn stuck_error(r: &Rotation) -> Option<Error> {
    let problem = &r.failure.as_ref()?.problem;
    let class = crate::run::explain::class_of(&problem.code);
    let mut error = Error::new(class, &problem.code, format!("{}: {}", r.state.step(), problem.summary))
        .request_id(problem.request_id.clone());
    error.help.clone_from(&problem.fix);
    Some(error)
}

/// A rotation that has delivered nothing yet and waits for longer than this run does.
fn unfinished_error(wait: &Waits) -> Option<Error> {
    let state = wait.rotation.state;
    let done = matches!(state, State::Delivered | State::Confirmed | State::RetireIntent | State::Trailing);
    match wait.why {
        _ if done || !wait.rotation.is_open() => None,
        Waiting::Backoff => stuck_error(&wait.rotation),
        Waiting::Fuse | Waiting::Settling => {
            let until =
                wait.until.map_or_else(String::new, |at| format!(" until {}", at.strftime("%Y-%m-%d %H:%M UTC")));
            let error = Error::new(Class::Temporary, "R009", format!("{}: not finished, waits{until}", state.step()))
                .why("after a lost answer everkey must not try again at once")
                .help("run the same command again after that; it resumes");
            Some(error)
        }
        _ => None,
    }
}
