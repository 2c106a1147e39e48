//! A tenant's adapters with a store and sinks that do not outlive a command: for the sandbox drill.

use std::path::Path;
use std::sync::Arc;

use crate::error::Result;
use crate::run::Ports;
use crate::run::explain;
use crate::sinks::Factory;
use crate::store;
use crate::store::SealKey;
use crate::store::Sqlite;

use super::Assembled;

/// Where [`throw_away`] has its sinks, below its directory.
pub const THROWN_AWAY_SINKS: &str = "sinks";

/// The same tenant with a store and sinks of its own below `dir`, which is thrown away: nothing of them is known to
/// anybody, the seal key included. Nobody is told by mail.
///
/// # Errors
/// `T0…` for the store.
pub async fn throw_away(assembled: &Assembled, dir: &Path) -> Result<Ports> {
    let failed = |error| explain::store(&error);
    let key = SealKey::generate().and_then(SealKey::read).map_err(failed)?;
    let place = dir.join("store").join("everkey.db");
    let journal = Sqlite::open(&place, key, store::Options::default()).await.map_err(failed)?;
    Ok(Ports {
        notifier: None,
        sinks: Arc::new(Factory::below(dir.join(THROWN_AWAY_SINKS))),
        store: Arc::new(journal),
        ..assembled.ports.clone()
    })
}
