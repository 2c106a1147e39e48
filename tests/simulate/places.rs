//! Sinks in memory: one that compares (a write is void once the place has moved on) and one that cannot.

use std::sync::Arc;

use async_trait::async_trait;
use everkey::model::SinkOwner;
use everkey::model::SinkSpec;
use everkey::model::ValueName;
use everkey::ports::Payload;
use everkey::ports::PortError;
use everkey::ports::Sink;
use everkey::ports::Sinks;
use everkey::secret::Fingerprint;
use everkey::secret::Secret;

use crate::chooser::Point;
use crate::directory::refusal;
use crate::directory::unsure;
use crate::world::Late;
use crate::world::Outside;
use crate::world::World;

/// The sinks of one process.
pub struct Places(pub Arc<World>);

/// One sink.
struct Here {
    world: Arc<World>,
    name: String,
    compares: bool,
}

impl Sinks for Places {
    fn open(&self, spec: &SinkSpec, _owner: &SinkOwner) -> Result<Arc<dyn Sink>, PortError> {
        let compares = !spec.id.0.contains("plain");
        let name = if compares { "compares" } else { "plain" }.to_owned();
        Ok(Arc::new(Here { world: Arc::clone(&self.0), name, compares }))
    }

    fn password(&self, _file: &str) -> Result<Secret, PortError> {
        Err(PortError::Local("no password file is simulated".into()))
    }
}

fn print_of(value: &str) -> Fingerprint {
    Fingerprint(format!("print of {value}"))
}

impl Outside {
    /// A write reaches its sink; where that compares, one that is too late changes nothing.
    pub fn write_sink(&mut self, name: &str, value: &str, generation: u64, expects: Option<u64>) {
        let place = self.places.entry(name.to_owned()).or_default();
        if expects.is_some_and(|expected| expected != place.writes) {
            return;
        }
        place.writes += 1;
        place.generation = generation;
        place.value = Some(value.to_owned());
        self.take(name, value);
    }
}

#[async_trait]
impl Sink for Here {
    async fn preflight(&self) -> Result<(), PortError> {
        Ok(())
    }

    async fn write(&self, payload: &Payload) -> Result<Fingerprint, PortError> {
        let value = payload.values.get(&ValueName::Secret).or_else(|| payload.values.get(&ValueName::PrivateKey));
        let value = value.and_then(Secret::expose_text).unwrap_or_default().to_owned();
        let generation = payload.generation.0;
        let expects = {
            // The pre-image that the write is conditional on is read here.
            let mut outside = self.world.lock();
            let place = outside.places.entry(self.name.clone()).or_default();
            if self.compares && place.generation > generation {
                return Err(PortError::Conflict(refusal(409, "newer-generation")));
            }
            self.compares.then_some(place.writes)
        };
        self.world.boundary("before a sink's write").await;
        let answer = {
            let mut outside = self.world.lock();
            outside.delivering(&self.name, &value);
            let way = outside.chooser.fault(Point::Sink, 5);
            outside.tell(|| format!("{} is given {value}, way {way}", self.name));
            match way {
                0 | 1 => {
                    outside.write_sink(&self.name, &value, generation, expects);
                    let shows = outside.places.get(&self.name).and_then(|place| place.value.clone());
                    if way == 0 && shows.as_ref() == Some(&value) { Ok(print_of(&value)) } else { Err(unsure()) }
                }
                2 => {
                    let at = outside.landing(!self.compares);
                    let place = self.name.clone();
                    outside.fly(at, Late::Sink { place, value, generation, expects });
                    Err(unsure())
                }
                3 => Err(unsure()),
                _ => Err(PortError::Local("the disk is full".into())),
            }
        };
        self.world.boundary("after a sink's write").await;
        answer
    }

    async fn fingerprint(&self) -> Result<Option<Fingerprint>, PortError> {
        let mut outside = self.world.lock();
        if outside.chooser.fault(Point::ReadBack, 2) == 1 {
            return Err(unsure());
        }
        Ok(outside.places.get(&self.name).and_then(|place| place.value.as_deref()).map(print_of))
    }

    async fn after(&self) -> Result<(), PortError> {
        Ok(())
    }

    fn compares(&self) -> bool {
        self.compares
    }

    fn place(&self) -> String {
        self.name.clone()
    }
}
