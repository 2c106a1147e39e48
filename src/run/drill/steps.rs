//! The steps of a drill: add, sign in, remove, prove that it is gone.

use jiff::SignedDuration;
use jiff::Timestamp;

use super::Drilled;
use super::Evidence;
use super::LIFETIME;
use super::Leftover;
use super::Tell;
use crate::error::Class;
use crate::error::Error;
use crate::model::IntegrationName;
use crate::ports::Commit;
use crate::ports::PortError;
use crate::ports::Probe;
use crate::ports::SignIn;
use crate::run::engine::Engine;
use crate::run::explain;
use crate::run::provision::entry;
use crate::run::setup::RunError;
use crate::secret::Secret;

/// How long Entra may take to accept a new secret, and to refuse a removed one.
const PATIENCE: SignedDuration = SignedDuration::from_secs(120);
/// Between two tries.
const PAUSE: SignedDuration = SignedDuration::from_secs(3);
/// Tries of a removal, which is safe to repeat.
const REMOVALS: u32 = 8;

/// A step under way.
pub(super) struct Watch {
    pub(super) step: &'static str,
    pub(super) began: Timestamp,
}

impl Engine {
    /// Asks for the secret, once. `None` when there is none to go on with.
    pub(super) async fn add_throw_away(
        &self,
        mut left: Leftover,
        drilled: &mut Drilled,
        tell: Tell<'_>,
    ) -> Result<Option<(Leftover, Secret)>, RunError> {
        let mut commit = self.blank();
        commit.marks.push(left.mark());
        commit.entries.push(entry(&left.integration, "drill", &format!("drill {} begins", left.tag)));
        self.ports.store.commit(self.fence, commit).await?;
        let watch = self.watch("add");
        let (start, end) = (left.started, left.started + LIFETIME);
        let name = format!("everkey drill, may be removed {}", left.tag);
        self.fenced().await?;
        match self.ports.directory.add_password(&left.app.object_id, &name, start, end).await {
            Ok(added) => {
                left.key_id = Some(added.entry.key_id.clone());
                drilled.key_id.clone_from(&left.key_id);
                self.keep_mark(&left).await?;
                let until = added.entry.end.strftime("%Y-%m-%d %H:%M UTC");
                let text = format!("client secret {} added; it ends by itself on {until}", added.entry.key_id);
                self.note_step(drilled, tell, &watch, Ok(text), None);
                Ok(Some((left, added.value)))
            }
            Err(error @ PortError::Unsure { .. }) => {
                self.failed(drilled, tell, &watch, &error, "add a throw-away client secret");
                // It may be there: look at once. The mark stays for what lands later.
                for text in self.sweep_drills().await? {
                    let watch = self.watch("clean");
                    self.note_step(drilled, tell, &watch, Ok(text), None);
                }
                Ok(None)
            }
            Err(error) => {
                self.forget(&left).await?;
                self.failed(drilled, tell, &watch, &error, "add a throw-away client secret");
                Ok(None)
            }
        }
    }

    /// Signs in with it until Entra accepts it; true when somebody asked to stop.
    pub(super) async fn use_throw_away(
        &self,
        left: &Leftover,
        secret: &Secret,
        drilled: &mut Drilled,
        tell: Tell<'_>,
    ) -> Result<bool, RunError> {
        let watch = self.watch("sign-in");
        loop {
            match self.ready().await {
                Ok(()) => {}
                Err(RunError::Stopped) => return Ok(true),
                Err(error) => return Err(error),
            }
            let (pause, refusal) = match self.ports.tokens.probe(&left.app, SignIn::ClientSecret(secret)).await {
                Ok(Probe::Accepted { request_id, roles }) => {
                    let after = self.since(&watch);
                    drilled.accepted_after = Some(after);
                    let can = if roles.is_empty() { "no application permission".to_owned() } else { roles.join(", ") };
                    let text = format!("a token was issued {after:.1} s after the secret was added; it carries {can}");
                    self.note_step(drilled, tell, &watch, Ok(text), request_id);
                    return Ok(false);
                }
                Ok(Probe::NotYet { code, message, .. }) => (PAUSE, format!("{code} {message}")),
                Ok(Probe::Inconclusive { code, message }) => {
                    let error =
                        Error::new(Class::Permission, "A020", format!("sign-in is blocked ({code}): {message}")).help(
                            "allow the sign-in: Conditional Access for workload identities, or a disabled enterprise \
                             application",
                        );
                    self.note_step(drilled, tell, &watch, Err(error), None);
                    return Ok(false);
                }
                Err(PortError::Throttled { retry_after, .. }) => {
                    (retry_after.unwrap_or(PAUSE).clamp(PAUSE, PATIENCE), "throttled".to_owned())
                }
                Err(error @ (PortError::Unreachable { .. } | PortError::Unsure { .. })) => (PAUSE, error.to_string()),
                Err(error) => {
                    self.failed(drilled, tell, &watch, &error, "sign in with the throw-away secret");
                    return Ok(false);
                }
            };
            if self.is_late(&watch, pause) {
                let what = format!("Entra did not accept a new secret within {} s", PATIENCE.as_secs());
                let error = Error::new(Class::Failed, "R063", what)
                    .why(refusal)
                    .help("run the drill again; if it stays so, look at the application's sign-in log in Entra");
                self.note_step(drilled, tell, &watch, Err(error), None);
                return Ok(false);
            }
            self.rest_for(pause).await;
        }
    }

    /// Removes it, repeatedly if need be; true when Graph says so.
    pub(super) async fn remove_throw_away(
        &self,
        left: &Leftover,
        drilled: &mut Drilled,
        tell: Tell<'_>,
    ) -> Result<bool, RunError> {
        let Some(key_id) = &left.key_id else { return Ok(false) };
        let watch = self.watch("remove");
        let mut tries = 0;
        loop {
            tries += 1;
            self.fenced().await?;
            let error = match self.ports.directory.remove_password(&left.app.object_id, key_id).await {
                Ok(()) => {
                    self.note_step(drilled, tell, &watch, Ok(format!("client secret {key_id} removed")), None);
                    return Ok(true);
                }
                Err(error) => error,
            };
            let pause = match &error {
                PortError::Throttled { retry_after, .. } => retry_after.unwrap_or(PAUSE).clamp(PAUSE, PATIENCE),
                _ => PAUSE,
            };
            if tries >= REMOVALS || matches!(error, PortError::Denied(_)) || self.is_late(&watch, pause) {
                let cause = explain::explain(&error, "remove the throw-away secret");
                let error = Error::new(Class::Partly, "R062", format!("the throw-away secret {key_id} is still there"))
                    .why(cause.what)
                    .help("run the drill again: it removes it first; by itself it ends within a day");
                self.note_step(drilled, tell, &watch, Err(error), None);
                return Ok(false);
            }
            self.rest_for(pause).await;
        }
    }

    /// Two reads without it, and a refused sign-in.
    pub(super) async fn prove_gone(
        &self,
        left: &Leftover,
        secret: &Secret,
        drilled: &mut Drilled,
        tell: Tell<'_>,
    ) -> Result<(), RunError> {
        let watch = self.watch("gone");
        let mut absent = 0;
        while absent < 2 {
            self.fenced().await?;
            let read = self.ports.directory.application(&left.app.object_id).await;
            let shown =
                read.map(|read| read.value.secrets.iter().any(|entry| Some(&entry.key_id) == left.key_id.as_ref()));
            absent = if matches!(shown, Ok(false)) { absent + 1 } else { 0 };
            if absent < 2 && self.is_late(&watch, PAUSE) {
                let error = Error::new(Class::Partly, "R062", "Graph still lists the throw-away secret")
                    .why("it answered that the secret was removed")
                    .help("run the drill again: it looks first, and removes what is left");
                self.note_step(drilled, tell, &watch, Err(error), None);
                return Ok(());
            }
            if absent == 0 {
                self.rest_for(PAUSE).await;
            }
        }
        self.note_step(drilled, tell, &watch, Ok("two reads in a row do not list it".to_owned()), None);
        let watch = self.watch("refused");
        loop {
            self.fenced().await?;
            match self.ports.tokens.probe(&left.app, SignIn::ClientSecret(secret)).await {
                Ok(Probe::NotYet { code, .. }) => {
                    let after = self.since(&watch);
                    drilled.refused_after = Some(after);
                    let text = format!("a sign-in with it was refused {after:.1} s after its removal ({code})");
                    self.note_step(drilled, tell, &watch, Ok(text), None);
                    return self.forget(left).await;
                }
                // Blocked before and after: the reads have to do.
                Ok(Probe::Inconclusive { code, .. }) => {
                    let text = format!("sign-in is blocked ({code}), so its refusal shows nothing");
                    self.note_step(drilled, tell, &watch, Ok(text), None);
                    return Ok(());
                }
                _ if self.is_late(&watch, PAUSE) => {
                    let what = format!("a removed secret was not seen refused within {} s", PATIENCE.as_secs());
                    let error = Error::new(Class::Partly, "R064", what)
                        .why("Graph does not list it any more; the token endpoint lags behind")
                        .help("run the drill again later: it looks first");
                    self.note_step(drilled, tell, &watch, Err(error), None);
                    return Ok(());
                }
                _ => self.rest_for(PAUSE).await,
            }
        }
    }

    /// Tells the history how it went.
    pub(super) async fn conclude(&self, integration: &IntegrationName, drilled: Drilled) -> Result<Drilled, RunError> {
        let mut commit = self.blank();
        let text = match &drilled.error {
            None => "drill passed".to_owned(),
            Some(error) => format!("drill failed [{}]: {}", error.code, error.what),
        };
        let mut told = entry(integration, "drill", &text);
        told.body = serde_json::to_value(&drilled.steps).unwrap_or_default();
        commit.entries.push(told);
        self.ports.store.commit(self.fence, commit).await?;
        Ok(drilled)
    }

    pub(super) async fn keep_mark(&self, left: &Leftover) -> Result<(), RunError> {
        let mut commit = self.blank();
        commit.marks.push(left.mark());
        Ok(self.ports.store.commit(self.fence, commit).await?)
    }

    pub(super) async fn forget(&self, left: &Leftover) -> Result<(), RunError> {
        let mut commit: Commit = self.blank();
        commit.marks.push(left.no_mark());
        Ok(self.ports.store.commit(self.fence, commit).await?)
    }

    pub(super) fn watch(&self, step: &'static str) -> Watch {
        Watch { step, began: self.now() }
    }

    fn since(&self, watch: &Watch) -> f64 {
        self.now().duration_since(watch.began).as_secs_f64()
    }

    fn is_late(&self, watch: &Watch, pause: SignedDuration) -> bool {
        self.now().duration_since(watch.began) + pause > PATIENCE
    }

    async fn rest_for(&self, pause: SignedDuration) {
        let until = self.now().saturating_add(pause).unwrap_or(Timestamp::MAX);
        self.ports.clock.sleep_until(until).await;
    }

    pub(super) fn failed(&self, drilled: &mut Drilled, tell: Tell<'_>, watch: &Watch, error: &PortError, what: &str) {
        self.note_step(drilled, tell, watch, Err(explain::explain(error, what)), None);
    }

    pub(super) fn note_step(
        &self,
        drilled: &mut Drilled,
        tell: Tell<'_>,
        watch: &Watch,
        seen: Result<String, Error>,
        request_id: Option<String>,
    ) {
        let (ok, text, request_id) = match &seen {
            Ok(text) => (true, text.clone(), request_id),
            Err(error) => (false, format!("{} [{}]", error.what, error.code), error.request_id.clone()),
        };
        let seconds = (self.since(watch) * 10.0).round() / 10.0;
        let evidence = Evidence { step: watch.step, ok, text, at: self.now(), seconds, request_id };
        tell(&evidence);
        drilled.steps.push(evidence);
        // The first failure is the cause; what follows is cleaning up, unless that fails as well.
        if let Err(error) = seen
            && (drilled.error.is_none() || error.class == Class::Partly)
        {
            drilled.error = Some(error);
        }
    }
}
