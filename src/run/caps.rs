//! The daily limits of what is taken away (numbers of `rotation.md`), retirements and sweeps apart: a mistake that would
//! remove everything removes little, and somebody notices. An emergency waits for neither.

use jiff::SignedDuration;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::model::KeyId;
use crate::model::Problem;
use crate::ports::Mark;
use crate::ports::Store;
use crate::rotation::numbers::REMOVALS_PER_DAY_MIN;
use crate::run::engine::Engine;
use crate::run::setup::RunError;

/// The limits count over this window.
const WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// The sweeps of the last day, by key id: a second try at the same one is no second sweep.
const SWEPT: &str = "swept/lately";

/// What waits for a limit.
const HELD: &str = "held/";

/// Removals that wait for a daily limit.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Held {
    /// `retirements` or `sweeps`.
    pub what: String,
    /// How many waited when it was reached.
    pub count: usize,
    /// When the next is allowed.
    pub until: Timestamp,
}

/// What waits for a daily limit at `now`.
pub async fn held(store: &dyn Store, now: Timestamp) -> Result<Vec<Held>, RunError> {
    let read = |mark: Mark| serde_json::from_str::<Held>(&mark.body?).ok();
    Ok(store.marks(HELD).await?.into_iter().filter_map(read).filter(|held| held.until > now).collect())
}

impl Engine {
    /// When the next retirement is allowed, if today's limit is reached.
    pub(super) async fn retirement_cap(&self, wanted: usize) -> Result<Option<Timestamp>, RunError> {
        let mut lately = Vec::new();
        for record in self.ports.store.integrations().await? {
            for rotation in self.ports.store.rotations(&record.name).await? {
                lately.extend(rotation.removals.iter().filter_map(|removal| removal.sent));
            }
        }
        self.cap(lately, wanted).await
    }

    /// The same, and says so.
    pub(super) async fn held_retirement(&self, wanted: usize) -> Result<Option<Timestamp>, RunError> {
        let until = self.retirement_cap(wanted).await?;
        if let Some(until) = until {
            self.tell_held(Held { what: "retirements".to_owned(), count: wanted, until }).await?;
        }
        Ok(until)
    }

    /// Counts the sweep of `key_id`, in the commit that comes before its call: a crash forgets none. `Err` says when it is
    /// allowed, if today's limit is reached and it is one that waits.
    pub(super) async fn count_sweep(
        &self,
        key_id: &KeyId,
        waits: bool,
    ) -> Result<Result<Option<Mark>, Timestamp>, RunError> {
        let now = self.now();
        let mark = self.ports.store.marks(SWEPT).await?.pop().and_then(|mark| mark.body);
        let mut lately: Vec<(KeyId, Timestamp)> =
            mark.and_then(|body| serde_json::from_str(&body).ok()).unwrap_or_default();
        lately.retain(|(_, at)| now.duration_since(*at) < WINDOW);
        if lately.iter().any(|(swept, _)| swept == key_id) {
            return Ok(Ok(None));
        }
        if waits && let Some(until) = self.cap(lately.iter().map(|(_, at)| *at).collect(), 1).await? {
            return Ok(Err(until));
        }
        lately.push((key_id.clone(), now));
        Ok(Ok(Some(Mark { name: SWEPT.to_owned(), body: serde_json::to_string(&lately).ok() })))
    }

    /// When `wanted` more are allowed, with those of the window; `None` is now.
    async fn cap(&self, mut lately: Vec<Timestamp>, wanted: usize) -> Result<Option<Timestamp>, RunError> {
        let now = self.now();
        lately.retain(|at| now.duration_since(*at) < WINDOW);
        let apps = self.ports.store.integrations().await?.len();
        if lately.len() + wanted <= REMOVALS_PER_DAY_MIN.max(apps / 20) {
            return Ok(None);
        }
        Ok(lately.into_iter().min().map(|oldest| oldest + WINDOW))
    }

    /// Says that something waits: to `status`, and once to whoever looks after everkey.
    pub(super) async fn tell_held(&self, held: Held) -> Result<(), RunError> {
        let known = self::held(self.ports.store.as_ref(), self.now()).await?;
        if known.iter().any(|known| known.what == held.what) {
            return Ok(());
        }
        let mut commit = self.blank();
        commit.marks.push(Mark { name: format!("{HELD}{}", held.what), body: serde_json::to_string(&held).ok() });
        self.ports.store.commit(self.fence, commit).await?;
        let until = held.until.strftime("%Y-%m-%d %H:%M UTC");
        let problem = Problem {
            code: "R044".into(),
            summary: format!("the daily limit of {} is reached: {} wait until {until}", held.what, held.count),
            fix: Some("look at `everkey history`: is so much to be removed? It goes on by itself".into()),
            request_id: None,
        };
        self.tell_operator(&held.what, problem).await
    }
}
