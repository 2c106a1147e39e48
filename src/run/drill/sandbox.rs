//! The sandbox drill: an application of its own, a client secret and a certificate on it, each issued, then rotated
//! through all five steps by the engine itself, with a store and sinks that are thrown away; then deleted.
//!
//! Its name is marked in the lasting store before it is made, and only what answers to that name is ever deleted
//! ([`Engine::sweep_sandboxes`]).

use jiff::SignedDuration;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use super::Drilled;
use super::LATE;
use super::SETTLED;
use super::Tell;
use super::listener::Listener;
use super::steps::Watch;
use crate::error::Class;
use crate::error::Error;
use crate::model::AppRef;
use crate::model::Entry;
use crate::model::IntegrationName;
use crate::model::ObjectId;
use crate::policy::Policy;
use crate::ports::Mark;
use crate::ports::PortError;
use crate::run::engine::Engine;
use crate::run::explain;
use crate::run::setup::RunError;

/// Its policy. The times in it are those that the policy's rules allow; [`hasten`] shortens them.
pub const POLICY: &str = include_str!("sandbox.toml");
/// Name of that policy, and of the file it is said to stand in.
pub const NAME: &str = "everkey-drill-sandbox";

/// The file that its client secret is put into, below the sinks, and what stands in it before.
pub const FURNITURE: (&str, &str) = ("secret.json", "{ \"clientId\": \"\", \"clientSecret\": \"\" }\n");

/// Marks of sandboxes that are not known to be gone begin with this.
const MARKS: &str = "sandbox/";
/// A sandbox ends by itself after so long, done or not.
const LIMIT: SignedDuration = SignedDuration::from_mins(60);
/// One that is older is not at work any more: what is left of it may be deleted by others.
const RUNNING: SignedDuration = SignedDuration::from_hours(2);
/// How long its credentials live.
const LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// Between two tries of a deletion, and two looks.
const PAUSE: SignedDuration = SignedDuration::from_secs(3);
/// Tries of a deletion, and looks that must show it gone.
const TRIES: u32 = 40;
/// A signal is heard after so long at the latest.
const ATTENTION: SignedDuration = SignedDuration::from_secs(1);

/// A sandbox: what is marked before its application is made.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Sandbox {
    /// `uniqueName` of its application; nothing else is ever deleted.
    pub unique_name: String,
    /// When it began, by the local clock.
    pub started: Timestamp,
    /// Whether the tenant's bin is emptied of it.
    pub purge: bool,
    /// The first read, late enough, that did not show it.
    #[serde(default)]
    unseen: Option<Timestamp>,
}

impl Sandbox {
    /// One that begins now.
    pub fn new(unique_name: String, started: Timestamp, purge: bool) -> Self {
        Self { unique_name, started, purge, unseen: None }
    }

    fn mark(&self, here: bool) -> Mark {
        let body = here.then(|| serde_json::to_string(self).unwrap_or_default());
        Mark { name: format!("{MARKS}{}", self.unique_name), body }
    }
}

/// Shortens the times of the sandbox's policy: its one consumer is everkey, which holds no value (G = 0), so that the
/// guard's own least overlap (skew alone) is all that is waited for.
pub fn hasten(policy: &mut Policy) {
    for spec in &mut policy.credentials {
        spec.lifetime = LIFETIME;
        spec.rotate_before = SignedDuration::from_hours(1);
        spec.overlap = SignedDuration::ZERO;
        spec.consumer_refresh = SignedDuration::ZERO;
        spec.min_life = SignedDuration::from_hours(1);
        spec.retry_budget = SignedDuration::from_hours(1);
    }
}

/// Who hears of a sandbox.
pub struct Audience<'a> {
    /// Each step as soon as it is over.
    pub tell: Tell<'a>,
    /// What is waited for, in words; empty when nothing is.
    pub wait: &'a (dyn Fn(&str) + Sync),
}

impl Engine {
    /// Marks `sandbox` in the lasting store, before anything of it is made.
    pub async fn announce_sandbox(&self, sandbox: &Sandbox) -> Result<(), RunError> {
        let mut commit = self.blank();
        commit.marks.push(sandbox.mark(true));
        commit.entries.push(told(format!("sandbox {} begins", sandbox.unique_name), serde_json::Value::Null));
        Ok(self.ports.store.commit(self.fence, commit).await?)
    }

    /// Tells the lasting store how it went, and forgets it when it is `gone`, so late that nothing can land any more.
    pub async fn close_sandbox(&self, sandbox: &Sandbox, drilled: &Drilled, gone: bool) -> Result<(), RunError> {
        let mut commit = self.blank();
        if gone && self.now().duration_since(sandbox.started) >= LATE {
            commit.marks.push(sandbox.mark(false));
        }
        let text = match &drilled.error {
            None => "sandbox drill passed".to_owned(),
            Some(error) => format!("sandbox drill failed [{}]: {}", error.code, error.what),
        };
        commit.entries.push(told(text, serde_json::to_value(&drilled.steps).unwrap_or_default()));
        Ok(self.ports.store.commit(self.fence, commit).await?)
    }

    /// Issues the policy's credentials and rotates each once: the whole protocol, by this engine and its own store.
    /// What went wrong is in `drilled`.
    ///
    /// # Errors
    /// A stop, and a store that failed; the application is to be deleted all the same.
    pub async fn play_sandbox(
        &self,
        policy: &Policy,
        listener: &Listener,
        audience: &Audience<'_>,
        drilled: &mut Drilled,
    ) -> Result<(), RunError> {
        let began = self.now();
        let name = [policy.name.clone()];
        let policies = std::slice::from_ref(policy);
        let mut asked: &[IntegrationName] = &name;
        let mut turns = 1;
        let mut trouble = String::new();
        let mut watch = self.watch("create");
        loop {
            let tick = self.tick(policies, asked).await;
            asked = &[];
            for heard in listener.take() {
                (audience.wait)("");
                watch = Watch { step: heard.step, ..watch };
                match heard.failed {
                    Some((true, problem)) => {
                        self.note_step(drilled, audience.tell, &watch, Err(unfinished(&problem)), heard.request_id);
                        return Ok(());
                    }
                    Some((false, problem)) => {
                        let text = format!("{}; it is tried again", heard.text);
                        self.note_step(drilled, audience.tell, &watch, Ok(text), heard.request_id);
                        trouble = problem;
                    }
                    None => self.note_step(drilled, audience.tell, &watch, Ok(heard.text), heard.request_id),
                }
                watch = self.watch(heard.step);
            }
            let tick = match tick {
                Ok(tick) => tick,
                Err(RunError::Said(error)) => {
                    self.note_step(drilled, audience.tell, &watch, Err(error), None);
                    return Ok(());
                }
                Err(other) => return Err(other),
            };
            if let Some((_, error)) = tick.failed.into_iter().next() {
                if !matches!(error.class, Class::Temporary | Class::Unavailable) {
                    self.note_step(drilled, audience.tell, &watch, Err(error), None);
                    return Ok(());
                }
                trouble = format!("{} [{}]", error.what, error.code);
            }
            let all = self.ports.store.rotations(&policy.name).await?;
            let done = all.iter().filter(|rotation| rotation.is_finished()).count();
            let wanted = policy.credentials.len();
            if done >= wanted * 2 {
                return Ok(());
            }
            if turns == 1 && done == wanted {
                turns = 2;
                asked = &name;
                continue;
            }
            if self.now().duration_since(began) >= LIMIT {
                self.note_step(drilled, audience.tell, &watch, Err(unfinished(&trouble)), None);
                return Ok(());
            }
            (audience.wait)(&listener.waits());
            let until = tick.next_due.unwrap_or_else(|| self.now() + PAUSE).max(self.now() + ATTENTION);
            let until = until.min(began + LIMIT);
            while self.now() < until {
                self.ready().await?;
                self.ports.clock.sleep_until(until.min(self.now() + ATTENTION)).await;
            }
        }
    }

    /// Deletes the sandbox's application and sees it gone. Whether it is.
    pub async fn delete_sandbox(
        &self,
        sandbox: &Sandbox,
        audience: &Audience<'_>,
        drilled: &mut Drilled,
    ) -> Result<bool, RunError> {
        (audience.wait)("");
        let watch = self.watch("delete");
        let known = self.ports.store.integrations().await?.into_iter().next().map(|record| record.app);
        let mut deleted: Option<ObjectId> = None;
        let (mut absent, mut trouble) = (0, None);
        for tries in 1..=TRIES {
            let found = self.ports.directory.named_application(&sandbox.unique_name).await;
            // A read may be older than the application: the first removal takes what the answer to its creation said.
            let target = match (&found, &known, &deleted) {
                (Ok(Some(app)), ..) => Some(app.clone()),
                (_, Some(app), None) => Some(app.clone()),
                _ => None,
            };
            absent = if matches!(found, Ok(None)) && target.is_none() { absent + 1 } else { 0 };
            if absent >= 2 {
                self.tell_gone(deleted.as_ref(), &watch, audience, drilled);
                return Ok(self.purge_sandbox(sandbox, deleted.as_ref(), audience, drilled).await);
            }
            match self.delete_one(target.as_ref()).await {
                Ok(Some(id)) => deleted = Some(id),
                Ok(None) => {}
                Err(error @ PortError::Denied(_)) => {
                    trouble = Some(error);
                    break;
                }
                Err(error) => trouble = Some(error),
            }
            if tries < TRIES {
                self.ports.clock.sleep_until(self.now() + PAUSE).await;
            }
        }
        let mut error =
            Error::new(Class::Partly, "R068", format!("the application {} is still there", sandbox.unique_name))
                .help("delete it by its name in the portal; or everkey apply, two hours later, does it");
        if let Some(trouble) = trouble {
            error = error.why(explain::explain(&trouble, "delete the sandbox").what);
        }
        self.note_step(drilled, audience.tell, &watch, Err(error), None);
        Ok(false)
    }

    async fn delete_one(&self, target: Option<&AppRef>) -> Result<Option<ObjectId>, PortError> {
        let Some(app) = target else { return Ok(None) };
        self.ports.directory.delete_application(&app.object_id).await.map(|()| Some(app.object_id.clone()))
    }

    fn tell_gone(&self, deleted: Option<&ObjectId>, watch: &Watch, audience: &Audience<'_>, drilled: &mut Drilled) {
        let text = match deleted {
            Some(id) => format!("application {id} deleted; two reads in a row do not find it"),
            None => "there is no application to delete".to_owned(),
        };
        self.note_step(drilled, audience.tell, watch, Ok(text), None);
    }

    /// Empties the bin, where that is asked for; true when nothing is left that was promised to go.
    async fn purge_sandbox(
        &self,
        sandbox: &Sandbox,
        deleted: Option<&ObjectId>,
        audience: &Audience<'_>,
        drilled: &mut Drilled,
    ) -> bool {
        let (Some(id), true) = (deleted, sandbox.purge) else { return true };
        let watch = self.watch("purge");
        match self.ports.directory.purge_application(id).await {
            Ok(()) => {
                let text = "the tenant's bin is emptied of it".to_owned();
                self.note_step(drilled, audience.tell, &watch, Ok(text), None);
            }
            Err(error) => {
                let cause = explain::explain(&error, "empty the bin").what;
                let error = Error::new(Class::Partly, "R069", "the application is deleted, and still in the bin")
                    .why(cause)
                    .help(format!("Entra empties the bin after 30 days, or an administrator does: deleted item {id}"));
                self.note_step(drilled, audience.tell, &watch, Err(error), None);
            }
        }
        true
    }

    /// Deletes what is left of sandboxes that are not at work any more.
    pub async fn sweep_sandboxes(&self) -> Result<(), RunError> {
        for mark in self.ports.store.marks(MARKS).await? {
            let left = mark.body.as_deref().and_then(|body| serde_json::from_str::<Sandbox>(body).ok());
            let now = self.now();
            let Some(left) = left.filter(|left| now.duration_since(left.started) >= RUNNING) else { continue };
            self.ready().await?;
            let mut commit = self.blank();
            match (self.ports.directory.named_application(&left.unique_name).await, left.unseen) {
                (Ok(Some(app)), _) => {
                    let text = format!("sandbox {}: its application is to be deleted", left.unique_name);
                    commit.entries.push(told(text, serde_json::Value::Null));
                    self.ports.store.commit(self.fence, commit).await?;
                    self.fenced().await?;
                    // What does not succeed is tried again by the next tick.
                    let _ = self.ports.directory.delete_application(&app.object_id).await;
                    continue;
                }
                (Ok(None), Some(first)) if now.duration_since(first) >= SETTLED => {
                    commit.marks.push(left.mark(false));
                }
                (Ok(None), None) => commit.marks.push(Sandbox { unseen: Some(now), ..left }.mark(true)),
                _ => continue,
            }
            self.ports.store.commit(self.fence, commit).await?;
        }
        Ok(())
    }
}

fn unfinished(trouble: &str) -> Error {
    let error = Error::new(Class::Failed, "R067", "the sandbox's rotation did not come to its end");
    let error = if trouble.is_empty() { error } else { error.why(trouble) };
    error.help("what it met is what a real rotation would meet: everkey doctor, and the message above")
}

fn told(text: String, body: serde_json::Value) -> Entry {
    Entry { integration: None, rotation: None, kind: "drill".to_owned(), text, body }
}
