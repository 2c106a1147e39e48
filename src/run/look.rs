//! Looking at the whole tenant: everything the first time, then what changed, then everything again when Graph no
//! longer knows what that is.

use std::collections::BTreeMap;
use std::sync::Mutex;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::model::Holder;
use crate::model::HolderKind;
use crate::run::engine::Engine;
use crate::run::inventory;
use crate::run::setup::RunError;

/// How often the whole tenant is looked at: each process does it in its first tick, and then after so long.
pub(super) const LOOK_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// More changes than this are read with everything else, by pages.
const CHANGES_MAX: usize = 100;

/// What is remembered of the tenant between two looks; nothing that a restart may not forget.
#[derive(Debug, Default)]
pub(super) struct Around(Mutex<Option<Look>>);

#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) at: Timestamp,
    pub(super) holders: Vec<Holder>,
    /// Where the changes after this look begin, per kind; none where Graph gives no delta.
    links: BTreeMap<HolderKind, String>,
}

impl Engine {
    /// The tenant as it was within the last hour.
    pub(super) async fn look_at_tenant(&self) -> Result<Look, RunError> {
        let now = self.now();
        let last = self.around.0.lock().ok().and_then(|look| look.clone());
        let is_fresh = |look: &Look| now.duration_since(look.at) < LOOK_EVERY && look.at <= now;
        let last = match last {
            Some(look) if is_fresh(&look) => return Ok(look),
            other => other,
        };
        self.ready().await?;
        if let Some(look) = self.changes_since(last.as_ref(), now).await? {
            return Ok(self.keep(look));
        }
        // The links first: what changes while everything is read comes again with the next look.
        let mut links = BTreeMap::new();
        for kind in HolderKind::ALL {
            if let Ok(changes) = self.ports.directory.changes(kind, None).await {
                links.insert(kind, changes.link);
            }
        }
        let taken = inventory::take(self.ports.directory.as_ref(), &mut ()).await;
        let taken = taken.map_err(RunError::port("read the applications of the tenant"))?;
        self.far.note(taken.date);
        Ok(self.keep(Look { at: now, holders: taken.holders, links }))
    }

    fn keep(&self, look: Look) -> Look {
        if let Ok(mut kept) = self.around.0.lock() {
            *kept = Some(look.clone());
        }
        look
    }

    /// The earlier look with what changed since; `None` when everything has to be read again: there was none, the
    /// link has expired (410), or more changed than is worth reading one by one.
    async fn changes_since(&self, last: Option<&Look>, now: Timestamp) -> Result<Option<Look>, RunError> {
        let Some(mut look) = last.filter(|look| look.links.len() == HolderKind::ALL.len()).cloned() else {
            return Ok(None);
        };
        let directory = &self.ports.directory;
        for kind in HolderKind::ALL {
            let Ok(changes) = directory.changes(kind, look.links.get(&kind).map(String::as_str)).await else {
                return Ok(None);
            };
            if changes.changed.len() > CHANGES_MAX {
                return Ok(None);
            }
            for id in changes.changed.iter().chain(&changes.removed) {
                look.holders.retain(|holder| holder.kind != kind || holder.object_id != *id);
            }
            for id in &changes.changed {
                let read = directory.holder(kind, id).await;
                let read = read.map_err(RunError::port("read an application that changed"))?;
                look.holders.extend(read.filter(|holder| !holder.listed().is_empty()));
            }
            look.links.insert(kind, changes.link);
        }
        look.at = now;
        Ok(Some(look))
    }
}
