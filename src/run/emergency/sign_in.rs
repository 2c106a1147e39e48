//! Sign-in of an application: disabled as the last step of an emergency that asks for it, enabled by a named person.

use crate::error::Class;
use crate::error::Error;
use crate::model::AppRef;
use crate::model::DisabledSignIn;
use crate::model::Event;
use crate::model::Problem;
use crate::model::Rotation;
use crate::policy::Policy;
use crate::ports::Commit;
use crate::ports::Mark;
use crate::ports::PortError;
use crate::ports::Store;
use crate::rotation::numbers::DRAIN;
use crate::run::act::Acted;
use crate::run::engine::Engine;
use crate::run::explain;
use crate::run::provision::entry;
use crate::run::setup::RunError;

/// What everkey disabled of `app`.
pub async fn disabled(store: &dyn Store, app: &AppRef) -> Result<Option<DisabledSignIn>, RunError> {
    let name = DisabledSignIn::record(&app.object_id);
    let mark = store.marks(&name).await?.into_iter().find(|mark| mark.name == name);
    Ok(mark.and_then(|mark| serde_json::from_str(&mark.body?).ok()))
}

fn mark(app: &AppRef, record: Option<&DisabledSignIn>) -> Mark {
    let body = record.and_then(|record| serde_json::to_string(record).ok());
    Mark { name: DisabledSignIn::record(&app.object_id), body }
}

impl Engine {
    /// Disables it. The call is on record before it is sent, as it may land later than somebody enables sign-in again.
    pub(in crate::run) async fn disable_sign_in(&self, r: &Rotation) -> Acted {
        let Some(emergency) = &r.emergency else { return Ok(None) };
        self.ready().await?;
        let principal = match self.ports.directory.principal(&r.app.client_id).await {
            Ok(Some(principal)) => principal,
            Ok(None) => {
                let problem = Problem {
                    code: "R089".into(),
                    summary: "there is no enterprise application whose sign-in could be disabled".into(),
                    fix: Some("without one nobody gets a token; if it was deleted, restore it in Entra".into()),
                    request_id: None,
                };
                return self.fail(r, problem, true).await;
            }
            Err(error) => {
                return self.fail(r, explain::problem(&error, "find the enterprise application"), false).await;
            }
        };
        let before = disabled(self.ports.store.as_ref(), &r.app).await?;
        let sending = DisabledSignIn {
            reason: emergency.reason.clone(),
            by: emergency.by.clone(),
            rotation: r.id,
            at: before.as_ref().and_then(|before| before.at),
            sent: Some(self.now()),
        };
        let mut commit = self.blank();
        commit.marks.push(mark(&r.app, Some(&sending)));
        self.ports.store.commit(self.fence, commit).await?;
        self.fenced().await?;
        match self.ports.directory.set_principal_enabled(&principal.object_id, false).await {
            Ok(()) => {
                let in_flight = before.and_then(|before| before.sent);
                let done = DisabledSignIn { at: Some(self.now()), sent: in_flight, ..sending };
                let mut commit = self.blank();
                commit.marks.push(mark(&r.app, Some(&done)));
                self.commit(r, &Event::SignInDisabled, commit).await?;
                Ok(None)
            }
            Err(error) => {
                if !matches!(error, PortError::Unsure { .. }) {
                    let mut commit = self.blank();
                    commit.marks.push(mark(&r.app, before.as_ref()));
                    self.ports.store.commit(self.fence, commit).await?;
                }
                self.fail(r, explain::problem(&error, "disable sign-in"), false).await
            }
        }
    }

    /// Enables what an emergency of `policy` disabled, in the name of `by`. Gives what it was.
    ///
    /// # Errors
    /// `R087` when everkey disabled nothing, `R088` while it is still being disabled.
    pub async fn enable_sign_in(&self, policy: &Policy, by: &str) -> Result<DisabledSignIn, RunError> {
        let name = &policy.name;
        let nothing = || {
            Error::new(Class::Failed, "R087", format!("everkey did not disable sign-in of {name}"))
                .why("it enables only what it disabled itself: of anything else it does not know why")
                .help("look at Properties of the enterprise application in Entra")
        };
        let records = self.ports.store.integrations().await?;
        let app =
            records.into_iter().find(|record| record.name == *name).map(|record| record.app).ok_or_else(nothing)?;
        let record = disabled(self.ports.store.as_ref(), &app).await?.ok_or_else(nothing)?;
        let busy = |what: String| Error::new(Class::Temporary, "R088", what);
        if record.at.is_none() {
            return Err(busy(format!("sign-in of {name} is still being disabled"))
                .why("the emergency has not got an answer yet")
                .help(format!("everkey revoke {name} --emergency goes on with it; then run this again"))
                .into());
        }
        if let Some(until) = record.sent.map(|sent| sent + DRAIN).filter(|until| *until > self.now()) {
            return Err(busy(format!("a call that disables sign-in of {name} may still land"))
                .why("its answer was lost")
                .help(format!("run the same command again after {}", until.strftime("%Y-%m-%d %H:%M UTC")))
                .into());
        }
        let mut commit = Commit::new(self.now(), by);
        commit.entries.push(entry(name, "emergency", &format!("sign-in is to be enabled, says {by}")));
        self.ports.store.commit(self.fence, commit).await?;
        self.ready().await?;
        let found = self.ports.directory.principal(&app.client_id).await;
        let principal = found.map_err(RunError::port("find the enterprise application"))?.ok_or_else(|| {
            Error::new(Class::Failed, "R089", format!("{name} has no enterprise application"))
                .help(format!("everkey apply --only {name} makes one; then run this again"))
        })?;
        self.fenced().await?;
        let answer = self.ports.directory.set_principal_enabled(&principal.object_id, true).await;
        answer.map_err(RunError::port("enable sign-in"))?;
        let mut commit = Commit::new(self.now(), by);
        commit.entries.push(entry(name, "emergency", &format!("sign-in enabled, says {by}")));
        commit.marks.push(mark(&app, None));
        self.ports.store.commit(self.fence, commit).await?;
        Ok(record)
    }

    /// What to do about a sign-in that is blocked: when everkey blocked it, it says how to end that.
    pub(in crate::run) async fn unblock(&self, r: &Rotation) -> Result<String, RunError> {
        Ok(match disabled(self.ports.store.as_ref(), &r.app).await? {
            Some(_) => {
                format!("sign-in was disabled in an emergency: everkey revoke {} --enable-sign-in", r.integration)
            }
            None => "allow the sign-in (Conditional Access for workload identities, or enable the enterprise \
                     application), or set prove = \"accept-blocked\""
                .to_owned(),
        })
    }
}
