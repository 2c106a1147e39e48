//! The loop: a cycle, then sleep until the next instant, a signal, or the hour. It never spins: every cycle is
//! followed by a pause, which grows while cycles fail or change nothing.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::log::line;
use super::status::BLIND_AFTER;
use super::status::Status;
use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::error::Error;
use crate::model::Problem;
use crate::policy::Policy;
use crate::ports::Fence;
use crate::ports::Store;
use crate::ports::StoreError;
use crate::run::Engine;
use crate::run::EngineOptions;
use crate::run::Ports;
use crate::run::RunError;
use crate::run::Tick;
use crate::run::explain;

/// Even when nothing is due the tenant is looked at this often.
const SYNC_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// The longest single sleep: a machine that was suspended notices within this time.
const NAP: SignedDuration = SignedDuration::from_secs(15);
/// The store is written to this often, so that a full disk shows before something is due.
const STORE_CHECK_EVERY: SignedDuration = SignedDuration::from_mins(5);
/// The shortest pause between two cycles, and the first after a failed one.
const PAUSE_MIN: SignedDuration = SignedDuration::from_secs(1);
const PAUSE_FAILED: SignedDuration = SignedDuration::from_secs(15);
/// The longest pause while cycles fail.
const PAUSE_MAX: SignedDuration = SignedDuration::from_mins(15);
/// Somebody else writes: their command takes seconds, or a minute for a proof.
const PAUSE_HELD: SignedDuration = SignedDuration::from_secs(5);

/// What somebody wants of the daemon.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signal {
    /// Read configuration and policies again.
    Reload,
    /// End at the next safe point.
    Stop,
}

/// Everything that a reload may change.
pub struct Loaded {
    /// Adapters.
    pub ports: Ports,
    /// Settings.
    pub options: EngineOptions,
    /// Policies.
    pub policies: Vec<Policy>,
}

/// Reads configuration and policies; what it refuses changes nothing.
#[async_trait]
pub trait Loader: Send + Sync {
    /// Everything, valid, or why not.
    async fn load(&self) -> Result<Loaded, Error>;
}

/// How the daemon ended.
#[derive(Debug)]
pub enum End {
    /// Somebody asked; the journal is consistent.
    Stopped,
    /// Another everkey took the store over, in the middle of a cycle or between two.
    TakenOver,
}

/// The daemon of one tenant.
pub struct Driver {
    /// The engine; the right to write is put into it for each cycle.
    pub engine: Engine,
    /// Policies in effect.
    pub policies: Vec<Policy>,
    /// The tenant's clock.
    pub clock: Arc<dyn Clock>,
    /// The journal.
    pub store: Arc<dyn Store>,
    /// Whether there is anybody to send mail.
    pub mails: bool,
    /// Names this process to others.
    pub holder: String,
    /// What `/readyz` tells.
    pub status: Arc<Status>,
    /// Reads everything again.
    pub loader: Box<dyn Loader>,
    /// From outside.
    pub signals: mpsc::Receiver<Signal>,
}

/// What keeps the loop slow.
#[derive(Debug, Default)]
struct Pauses {
    failed: u32,
    idle: u32,
}

impl Pauses {
    /// When to go on after a cycle that worked and asks for `due`.
    fn after(&mut self, tick: &Tick, now: Timestamp) -> Timestamp {
        self.failed = 0;
        let at_latest = now + SYNC_EVERY;
        let due = tick.next_due.map_or(at_latest, |due| due.min(at_latest));
        // Due at once, time after time, and nothing comes of it: a mistake must not load Graph.
        let stuck = due <= now + PAUSE_MIN && tick.changed.is_empty();
        self.idle = if stuck { self.idle.saturating_add(1) } else { 0 };
        due.max(now + doubled(PAUSE_MIN, self.idle))
    }

    /// When to go on after one that failed.
    fn after_failure(&mut self, now: Timestamp) -> Timestamp {
        self.failed = self.failed.saturating_add(1);
        now + doubled(PAUSE_FAILED, self.failed - 1)
    }
}

/// `first`, doubled `times` times, up to [`PAUSE_MAX`].
fn doubled(first: SignedDuration, times: u32) -> SignedDuration {
    (first * (1 << times.min(16))).min(PAUSE_MAX)
}

impl Driver {
    /// Runs until somebody asks to stop.
    ///
    /// # Errors
    /// Only what no repetition can heal; a failing cycle is logged and repeated.
    pub async fn run(mut self) -> Result<End, Error> {
        let mut pauses = Pauses::default();
        let started = self.clock.now();
        let mut seen_last = started;
        let mut store_checked = started;
        loop {
            let next = match self.cycle(&mut pauses, &mut seen_last).await {
                Ok(next) => next,
                Err(RunError::Stopped) => return Ok(End::Stopped),
                Err(RunError::Store(StoreError::Fenced)) => return Ok(End::TakenOver),
                // No repetition brings it back, and somebody has to say where it is now.
                Err(error @ RunError::Store(StoreError::Moved(_))) => return Err(error.into_error()),
                Err(error) => {
                    let error = error.into_error();
                    self.status.store(false);
                    tracing::error!(code = error.code, "{}", line(&error));
                    pauses.after_failure(self.clock.now())
                }
            };
            tracing::debug!(%next, "sleeps");
            loop {
                let now = self.clock.now();
                if now >= next {
                    break;
                }
                if self.store.is_overtaken() {
                    return Ok(End::TakenOver);
                }
                if now.duration_since(store_checked) >= STORE_CHECK_EVERY {
                    store_checked = now;
                    self.check_store().await;
                }
                tokio::select! {
                    () = self.clock.sleep_until(next.min(now + NAP)) => {}
                    signal = self.signals.recv() => match signal {
                        Some(Signal::Reload) => {
                            self.reload().await?;
                            break;
                        }
                        Some(Signal::Stop) | None => return Ok(End::Stopped),
                    },
                }
            }
        }
    }

    /// One cycle under the right to write, which is given back whatever comes of it; when to go on.
    async fn cycle(&mut self, pauses: &mut Pauses, seen_last: &mut Timestamp) -> Result<Timestamp, RunError> {
        let began = SystemClock.now();
        let fence = match self.store.acquire(&self.holder, began).await {
            Ok(fence) => fence,
            Err(StoreError::Held { holder, since }) => {
                tracing::info!(%holder, %since, "waits: another command writes");
                return Ok(self.clock.now() + PAUSE_HELD);
            }
            Err(error) => return Err(error.into()),
        };
        self.engine.hold(fence);
        let result = self.look(fence, *seen_last).await;
        let given = self.store.release(fence).await;
        let tick = result?;
        given?;
        let now = self.clock.now();
        match tick {
            Ok(tick) => {
                *seen_last = now;
                self.status.synced(now);
                let took = SystemClock.now().duration_since(began).as_millis();
                tracing::info!(
                    applications = tick.applications,
                    requests = tick.requests,
                    changed = tick.changed.len(),
                    failed = tick.failed.len(),
                    duration_ms = i64::try_from(took).unwrap_or(i64::MAX),
                    "sync ok"
                );
                for (integration, error) in &tick.failed {
                    tracing::warn!(%integration, code = error.code, "{}", line(error));
                }
                if let Some(error) = &tick.mail_failed {
                    tracing::warn!(code = error.code, "mail waits: {}", line(error));
                }
                Ok(pauses.after(&tick, now))
            }
            Err(error) => {
                tracing::warn!(code = error.code, "sync failed: {}", line(&error));
                Ok(pauses.after_failure(now))
            }
        }
    }

    /// The engine's tick between two looks at the store. The inner error is one that the next cycle may heal.
    async fn look(&mut self, fence: Fence, seen_last: Timestamp) -> Result<Result<Tick, Error>, RunError> {
        self.store.preflight(fence).await?;
        self.status.store(true);
        let ticked = match self.engine.tick(&self.policies, &[]).await {
            Ok(tick) => Ok(tick),
            Err(RunError::Said(error)) => {
                if self.clock.now().duration_since(seen_last) > BLIND_AFTER {
                    let fix = "see `journalctl -u everkey` and `everkey plan`; until then nothing is renewed";
                    self.engine.tell_operator("blind", problem("R040", &blind(&error, seen_last), fix)).await?;
                }
                Err(error)
            }
            Err(stop) => return Err(stop),
        };
        let waits = self.store.unsent().await?.iter().map(|outgoing| outgoing.created).min();
        self.status.mail(waits.filter(|_| self.mails));
        Ok(ticked)
    }

    /// Whether the store can be written, between two cycles.
    async fn check_store(&self) {
        let works = match self.store.acquire(&self.holder, SystemClock.now()).await {
            Ok(fence) => {
                let works = self.store.preflight(fence).await;
                works.and(self.store.release(fence).await)
            }
            // Somebody else is writing, so it can be.
            Err(StoreError::Held { .. }) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = &works {
            tracing::error!("{}", line(&explain::store(error)));
        }
        self.status.store(works.is_ok());
    }

    /// Takes the new configuration, or keeps the old one and says so to whoever looks after everkey.
    async fn reload(&mut self) -> Result<(), Error> {
        match self.loader.load().await {
            Ok(loaded) => {
                self.engine.reconfigure(loaded.ports.clone(), loaded.options, &loaded.policies);
                self.mails = loaded.ports.notifier.is_some();
                self.policies = loaded.policies;
                tracing::info!(policies = self.policies.len(), "reloaded");
            }
            Err(error) => {
                tracing::error!(code = error.code, "reload refused, the old configuration stays: {}", line(&error));
                let fix = error.help.clone().unwrap_or_else(|| "see `everkey validate`".to_owned());
                let summary = format!("everkey was told to reload and keeps its old configuration: {}", line(&error));
                let problem = problem("R041", &summary, &fix);
                match self.store.acquire(&self.holder, SystemClock.now()).await {
                    Ok(fence) => {
                        self.engine.hold(fence);
                        let told = self.engine.tell_operator("reload", problem).await;
                        let given = self.store.release(fence).await;
                        if let Err(error) = told.and(given.map_err(RunError::from)) {
                            tracing::error!("nobody could be told: {}", line(&error.into_error()));
                        }
                    }
                    Err(error) => tracing::error!("nobody could be told: {}", line(&explain::store(&error))),
                }
            }
        }
        Ok(())
    }
}

fn blind(error: &Error, since: Timestamp) -> String {
    let since = since.strftime("%Y-%m-%d %H:%M UTC");
    format!("everkey has not seen the tenant since {since} and may miss an expiry: {}", line(error))
}

fn problem(code: &str, summary: &str, fix: &str) -> Problem {
    Problem { code: code.to_owned(), summary: summary.to_owned(), fix: Some(fix.to_owned()), request_id: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_failing_loop_slows_down_and_recovers() {
        let mut pauses = Pauses::default();
        let now = at(1_000);
        let waits: Vec<i64> = (0..9).map(|_| pauses.after_failure(now).as_second() - 1_000).collect();
        assert_eq!(waits, [15, 30, 60, 120, 240, 480, 900, 900, 900]);
        assert_eq!(pauses.after(&Tick::default(), now), now + SYNC_EVERY, "nothing due: the hour");
        assert_eq!(pauses.after_failure(now), now + PAUSE_FAILED, "a good cycle makes it quick again");
    }

    #[test]
    fn what_is_due_at_once_for_ever_does_not_spin() {
        let mut pauses = Pauses::default();
        let now = at(1_000);
        let mut tick = Tick { next_due: Some(at(0)), ..Tick::default() };
        let waits: Vec<i64> = (0..12).map(|_| pauses.after(&tick, now).as_second() - 1_000).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
        tick.changed.push("reapit-lead-imports".into());
        assert_eq!(pauses.after(&tick, now), now + PAUSE_MIN, "it gets on: no reason to slow down");
        tick.next_due = Some(at(1_030));
        assert_eq!(pauses.after(&tick, now), at(1_030));
    }
}
