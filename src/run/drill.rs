//! The drill: a throw-away client secret is added to an application, used once and removed, so that permission,
//! ownership, policy and network are proven before the real date. Nothing that anybody uses is touched.
//!
//! An intent with a name of its own is committed before the secret is asked for; its value is never written anywhere.
//! Whatever a drill leaves behind, stopped at whatever point, is found by that name and removed by the next drill,
//! `apply` or cycle of the daemon ([`Engine::sweep_drills`]).

mod listener;
pub mod sandbox;
mod steps;

pub use listener::Listener;

use jiff::SignedDuration;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::error::Class;
use crate::error::Error;
use crate::model::AppRef;
use crate::model::Audience;
use crate::model::IntegrationName;
use crate::model::KeyId;
use crate::model::State;
use crate::ports::Mark;
use crate::ports::PortError;
use crate::rotation::numbers::CAPPED_SLOTS;
use crate::run::engine::Engine;
use crate::run::setup::RunError;

/// Marks of drills that have not cleaned up begin with this.
const MARKS: &str = "drill/";
/// How long a throw-away secret lives, whatever happens.
const LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// A call without an answer may still take effect for so long (Z of `rotation.md`).
const LATE: SignedDuration = SignedDuration::from_mins(15);
/// Reads that were made this much later show what was (settle of `rotation.md`).
const SETTLED: SignedDuration = SignedDuration::from_mins(5);

/// One step, as it happened.
#[derive(Clone, Debug, Serialize)]
pub struct Evidence {
    /// `clean`, `look`, `add`, `sign-in`, `remove`, `gone` or `refused`; in a sandbox `create`, `stage`, `prove`, `deliver`,
    /// `confirm`, `retire`, `gone`, `delete` or `purge`.
    pub step: &'static str,
    /// Whether it went as it should.
    pub ok: bool,
    /// What was seen.
    pub text: String,
    /// When it was over, by the tenant's clock.
    pub at: Timestamp,
    /// How long it took, replication included.
    pub seconds: f64,
    /// Entra's request id, where it told one.
    pub request_id: Option<String>,
}

/// How a drill went.
#[derive(Debug, Default)]
pub struct Drilled {
    /// Its steps, in order.
    pub steps: Vec<Evidence>,
    /// The throw-away secret's id.
    pub key_id: Option<KeyId>,
    /// From the answer of addPassword to the first token, seconds.
    pub accepted_after: Option<f64>,
    /// From the answer of removePassword to the first refusal, seconds.
    pub refused_after: Option<f64>,
    /// Why it did not pass.
    pub error: Option<Error>,
}

/// What may have been left behind, and where.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Leftover {
    integration: IntegrationName,
    app: AppRef,
    tag: String,
    started: Timestamp,
    #[serde(default)]
    key_id: Option<KeyId>,
    /// The first read, late enough, that did not show it: one replica may be old, two that far apart agree (I4).
    #[serde(default)]
    unseen: Option<Timestamp>,
}

impl Leftover {
    fn mark(&self) -> Mark {
        Mark { name: format!("{MARKS}{}", self.tag), body: serde_json::to_string(self).ok() }
    }

    fn no_mark(&self) -> Mark {
        Mark { name: format!("{MARKS}{}", self.tag), body: None }
    }
}

/// Hears of each step as soon as it is over.
pub type Tell<'a> = &'a (dyn Fn(&Evidence) + Sync);

impl Engine {
    /// Drills `app` for `integration`. The outcome is in the history, whatever it is.
    ///
    /// # Errors
    /// What ended the drill before anything was made: `R061`, `R065`, `R066`; a stop, after cleaning up.
    pub async fn drill(
        &self,
        integration: &IntegrationName,
        app: &AppRef,
        audience: Audience,
        tell: Tell<'_>,
    ) -> Result<Drilled, RunError> {
        let mut drilled = Drilled::default();
        for text in self.sweep_drills().await? {
            let watch = self.watch("clean");
            self.note_step(&mut drilled, tell, &watch, Ok(text), None);
        }
        self.refuse_in_the_middle(app).await?;
        let watch = self.watch("look");
        self.ready().await?;
        match self.ports.directory.application(&app.object_id).await {
            Ok(read) if audience.is_capped() && read.value.secrets.len() >= CAPPED_SLOTS => {
                let what = "both client secrets that this kind of application may have are taken";
                return Err(Error::new(Class::Failed, "R061", format!("no room for a drill: {what}"))
                    .help("drill an application of your own instead, or remove the secret that nobody uses")
                    .into());
            }
            Ok(_) if !self.can_sign_in(app).await => {
                let what = "the application has no service principal in this tenant: nobody can sign in as it";
                return Err(Error::new(Class::Failed, "R066", what)
                    .help(format!("az ad sp create --id {}", app.client_id))
                    .into());
            }
            Ok(read) => {
                let seen = &read.value;
                let held = seen.secrets.len() + seen.certificates.len();
                let noun = if held == 1 { "credential" } else { "credentials" };
                let text = format!("{:?} holds {held} {noun}; what is there is not touched", seen.display_name);
                self.note_step(&mut drilled, tell, &watch, Ok(text), None);
            }
            Err(error) => {
                self.failed(&mut drilled, tell, &watch, &error, "read the application");
                return self.conclude(integration, drilled).await;
            }
        }
        let left = Leftover {
            integration: integration.clone(),
            app: app.clone(),
            tag: format!("[ekd1 {}.{}]", self.ports.store.instance(), &uuid::Uuid::new_v4().simple().to_string()[..10]),
            started: self.now(),
            key_id: None,
            unseen: None,
        };
        let (left, secret) = match self.add_throw_away(left, &mut drilled, tell).await? {
            Some(added) => added,
            None => return self.conclude(integration, drilled).await,
        };
        let stopped = self.use_throw_away(&left, &secret, &mut drilled, tell).await?;
        if self.remove_throw_away(&left, &mut drilled, tell).await? {
            self.prove_gone(&left, &secret, &mut drilled, tell).await?;
        }
        let drilled = self.conclude(integration, drilled).await?;
        if stopped { Err(RunError::Stopped) } else { Ok(drilled) }
    }

    /// Removes what earlier drills left behind; a sentence for each secret.
    pub async fn sweep_drills(&self) -> Result<Vec<String>, RunError> {
        let mut told = Vec::new();
        for mark in self.ports.store.marks(MARKS).await? {
            let left = mark.body.as_deref().and_then(|body| serde_json::from_str::<Leftover>(body).ok());
            let Some(left) = left else { continue };
            self.ready().await?;
            let listed = match self.ports.directory.application(&left.app.object_id).await {
                Ok(read) => read.value.secrets,
                // Gone with its application.
                Err(PortError::Missing(_)) if self.now().duration_since(left.started) >= SETTLED => {
                    self.forget(&left).await?;
                    continue;
                }
                // The obligation stays; whoever needs Graph next tells what is wrong with it.
                Err(_) => continue,
            };
            let named = |name: &Option<String>| name.as_deref().is_some_and(|name| name.ends_with(&left.tag));
            let found = listed.iter().filter(|entry| named(&entry.display_name)).map(|entry| entry.key_id.clone());
            let mut found: Vec<KeyId> = found.collect();
            if found.is_empty() {
                // A call without an answer may still land, and a read may be old.
                let wait = if left.key_id.is_some() { SETTLED } else { LATE };
                let now = self.now();
                match left.unseen {
                    _ if now.duration_since(left.started) < wait => {}
                    Some(first) if now.duration_since(first) >= SETTLED => self.forget(&left).await?,
                    Some(_) => {}
                    None => self.keep_mark(&Leftover { unseen: Some(now), ..left.clone() }).await?,
                }
                // The read may be older than the secret: removing what is not there is harmless.
                found.extend(left.key_id.clone());
            }
            found.retain(|key_id| !self.retains(&left.integration, key_id));
            for key_id in found {
                let listed = listed.iter().any(|entry| entry.key_id == key_id);
                if listed {
                    let text = format!("drill: throw-away secret {key_id} of an earlier drill is to be removed");
                    self.note(&left.integration, "drill", &text).await?;
                }
                self.fenced().await?;
                let removed = self.ports.directory.remove_password(&left.app.object_id, &key_id).await;
                if listed && removed.is_ok() {
                    told.push(format!("throw-away secret {key_id} of an earlier drill removed"));
                }
            }
        }
        Ok(told)
    }

    /// Whether there is a service principal; not known is not absent.
    async fn can_sign_in(&self, app: &AppRef) -> bool {
        !matches!(self.ports.directory.principal(&app.client_id).await, Ok(None))
    }

    /// Between an intent and its outcome, or between two removals, nobody else adds or removes anything.
    async fn refuse_in_the_middle(&self, app: &AppRef) -> Result<(), RunError> {
        let unfinished = self.ports.store.unfinished().await?;
        let busy = unfinished.iter().find(|r| {
            r.app.object_id == app.object_id
                && matches!(r.state, State::Intent | State::UploadIntent | State::Unknown | State::RetireIntent)
        });
        match busy {
            None => Ok(()),
            Some(r) => Err(Error::new(Class::Temporary, "R065", format!("a rotation of {} is at work", r.integration))
                .why(format!("{} is in the middle of {}", r.id, r.state.step()))
                .help(format!("let it get on first: everkey apply --only {}", r.integration))
                .into()),
        }
    }
}
