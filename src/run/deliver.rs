//! Deliver: every machine's sink is written and read back.

use crate::model::Delivery;
use crate::model::Event;
use crate::model::Fresh;
use crate::model::Problem;
use crate::model::Proof;
use crate::model::Rotation;
use crate::model::SinkId;
use crate::ports::PortError;
use crate::ports::StoreError;
use crate::rotation::guard::ReadBacks;
use crate::rotation::numbers::SETTLE;
use crate::rotation::numbers::SKEW;
use crate::run::act::Acted;
use crate::run::engine::Engine;
use crate::run::explain;
use crate::run::places;
use crate::run::seals;
use crate::run::seals::PackError;
use crate::run::seals::Packer;
use crate::run::upload::READ_PAUSE;
use crate::secret::Fingerprint;

impl Engine {
    /// S3/C5: one sink.
    pub(super) async fn deliver(&self, r: &Rotation, id: &SinkId) -> Acted {
        let (Some(fresh), Some(sink)) = (&r.fresh, r.spec.sinks.iter().find(|sink| sink.id == *id)) else {
            return Ok(None);
        };
        // What has ended is no use to anybody, and written late it would stand over what works.
        let clocks = self.clocks();
        if clocks.far.is_none() && clocks.local >= fresh.end {
            // Graph's own time decides, with its next answer.
            return Ok(Some(self.now() + READ_PAUSE));
        }
        if clocks.both_past(fresh.end, self.options.rules)
            || (!self.is_proven_lately(r) && !self.is_listed(r, fresh).await?)
        {
            return self.unlisted(r).await;
        }
        if let Some(handoff) = sink.handoff() {
            return self.seal_handoff(r, fresh, id, handoff).await;
        }
        let sink = self.present(r, sink);
        let (wanted, profile) = seals::wanted(&sink.target);
        let payload = match self.packer().pack(r, fresh, &wanted, profile).await {
            Ok(payload) => payload,
            Err(PackError::Store(error @ StoreError::Fenced)) => return Err(error.into()),
            // A value that is no longer kept stops this rotation only; a store that fails refuses the commit as well.
            Err(PackError::Store(error)) => {
                let error = PortError::Local(error.to_string());
                return self.fail(r, explain::problem(&error, &format!("pack for {id}")), false).await;
            }
            Err(PackError::Port(error)) => {
                return self.fail(r, explain::problem(&error, &format!("pack for {id}")), false).await;
            }
        };
        self.ready().await?;
        let written = match self.opened(r, &sink) {
            Ok(opened) => match opened.write(&payload).await {
                Ok(fingerprint) => opened.after().await.map(|()| fingerprint),
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        match written {
            Ok(fingerprint) => {
                let delivery = Delivery { sink: id.clone(), at: self.later(), proof: Proof::ReadBack(fingerprint) };
                self.commit(r, &Event::Delivered { delivery }, self.blank()).await?;
                Ok(None)
            }
            Err(error) => self.fail(r, places::problem(&error, &sink, &format!("write {id}")), false).await,
        }
    }

    /// Whether its proof is so young that nothing can have removed it since.
    fn is_proven_lately(&self, r: &Rotation) -> bool {
        let proven = r.probes.successes.map(|(_, latest)| latest);
        proven.is_some_and(|at| self.now().duration_since(at).abs() <= SKEW)
    }

    /// What is about to be delivered, or was, is gone from the application: somebody removed it, or the journal is an older
    /// one. Its value must not take the place of one that works.
    pub(super) async fn unlisted(&self, r: &Rotation) -> Acted {
        let after = self.commit(r, &Event::Unlisted, self.blank()).await?;
        Ok((after.state == r.state).then(|| self.now() + SETTLE + READ_PAUSE))
    }

    pub(super) fn packer(&self) -> Packer<'_> {
        Packer { store: self.ports.store.as_ref(), certs: &self.ports.certs, sinks: self.ports.sinks.as_ref() }
    }

    /// The mutant: delivered before it is saved.
    pub(super) async fn deliver_unsaved(&self, r: &Rotation, fresh: &Fresh, value: &crate::secret::Secret) {
        for sink in r.spec.sinks.iter().filter(|sink| sink.handoff().is_none()) {
            let (wanted, _) = seals::wanted(&sink.target);
            let values = wanted
                .into_iter()
                .map(|name| {
                    let value = match name {
                        crate::model::ValueName::Secret => value.duplicate(),
                        crate::model::ValueName::ClientId => {
                            crate::secret::Secret::from_text(r.app.client_id.0.clone())
                        }
                        _ => crate::secret::Secret::from_text(fresh.key_id.0.clone()),
                    };
                    (name, value)
                })
                .collect();
            let payload = crate::ports::Payload { generation: r.id, values, certificate: None };
            if let Ok(opened) = self.opened(r, sink) {
                // The mutant does not care.
                let _ = opened.write(&payload).await;
            }
        }
    }

    /// The mutant: delivered before Entra has it.
    pub(super) async fn deliver_early(&self, r: &Rotation, fresh: &Fresh) {
        for sink in r.spec.sinks.iter().filter(|sink| sink.handoff().is_none()) {
            let (wanted, profile) = seals::wanted(&sink.target);
            if let (Ok(payload), Ok(opened)) =
                (self.packer().pack(r, fresh, &wanted, profile).await, self.opened(r, sink))
            {
                // The mutant does not care.
                let _ = opened.write(&payload).await;
            }
        }
    }

    /// Every machine's sink, read back now.
    pub(super) async fn read_backs(&self, r: &Rotation) -> Result<ReadBacks, Problem> {
        let shown = self.shown(r).await?;
        let is_same = |one: &Shown| shows_delivered(one.shows.as_ref(), &one.delivery);
        Ok(shown.iter().map(|one| (one.delivery.sink.clone(), is_same(one))).collect())
    }

    /// What every machine's sink shows now, beside what was delivered to it.
    pub(super) async fn shown(&self, r: &Rotation) -> Result<Vec<Shown>, Problem> {
        let mut read = Vec::new();
        for delivery in &r.deliveries {
            let (Proof::ReadBack(_), Some(sink)) =
                (&delivery.proof, r.spec.sinks.iter().find(|sink| sink.id == delivery.sink))
            else {
                continue;
            };
            let sink = self.present(r, sink);
            let shows = match self.opened(r, &sink) {
                Ok(opened) => opened.fingerprint().await,
                Err(error) => Err(error),
            };
            let shows = shows.map_err(|error| places::problem(&error, &sink, &format!("read {} back", sink.id)))?;
            read.push(Shown { delivery: delivery.clone(), shows });
        }
        Ok(read)
    }
}

/// A delivery, and what its sink shows now.
pub(super) struct Shown {
    pub delivery: Delivery,
    pub shows: Option<Fingerprint>,
}

/// Whether a sink that shows `shows` shows what `delivery` put there.
pub(super) fn shows_delivered(shows: Option<&Fingerprint>, delivery: &Delivery) -> bool {
    matches!(&delivery.proof, Proof::ReadBack(delivered) if shows == Some(delivered))
}
