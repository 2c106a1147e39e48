//! Marks: what everkey writes beside its values, so that it knows them again, and nobody else's.

use serde::Deserialize;
use serde::Serialize;

use super::error::Result;
use super::error::SinkError;
use super::remote::Remote;
use crate::model::RotationId;
use crate::model::SinkOwner;
use crate::secret::Fingerprint;

/// Front of the name of a mark; the rest is a digest of whose it is.
const FRONT: &str = "everkey-";

/// Characters of a digest.
const DIGEST_CHARS: usize = 16;

/// Whose marks are ours: this store's, for one credential of one application.
#[derive(Clone, Debug)]
pub(super) struct Holder {
    store: Option<String>,
    app: Option<String>,
    slot: String,
}

impl Holder {
    pub(super) fn new(remote: &Remote, owner: &SinkOwner) -> Self {
        Self {
            store: remote.instance.clone(),
            app: owner.app.as_ref().map(|app| app.0.clone()),
            slot: owner.slot.0.clone(),
        }
    }

    /// Whether a mark that says this is ours. What is not known here, where nothing is written, is not compared.
    pub(super) fn is(&self, store: &str, app: &str, slot: &str) -> bool {
        let same = |known: &Option<String>, said: &str| known.as_deref().is_none_or(|known| known == said);
        same(&self.store, store) && same(&self.app, app) && self.slot == slot
    }

    /// Store and application, which whoever writes must know.
    pub(super) fn known(&self) -> Result<(&str, &str)> {
        let none = || SinkError::refused("nothing is written from here: store and application are not known");
        Ok((self.store.as_deref().ok_or_else(none)?, self.app.as_deref().ok_or_else(none)?))
    }

    /// The credential within its integration.
    pub(super) fn slot(&self) -> &str {
        &self.slot
    }

    /// A mark of ours, and its name.
    pub(super) fn mark(&self, generation: RotationId, keys: Vec<String>, print: &Fingerprint) -> Result<Marked> {
        let (store, app) = self.known()?;
        let whole = Fingerprint::of(format!("{store}/{app}/{}", self.slot).as_bytes());
        let name = format!("{FRONT}{}", digest(&whole));
        let (store, app) = (store.to_owned(), app.to_owned());
        let slot = self.slot.clone();
        Ok(Marked { name, mark: Mark { store, rotation: generation.0, app, slot, keys, digest: digest(print) } })
    }

    /// Our mark among what is named there.
    pub(super) fn find<'n>(&self, mut named: impl Iterator<Item = (&'n String, &'n str)>) -> Option<Marked> {
        named.find_map(|(name, text)| {
            name.strip_prefix(FRONT)?;
            let mark: Mark = serde_json::from_str(text).ok()?;
            self.is(&mark.store, &mark.app, &mark.slot).then(|| Marked { name: name.clone(), mark })
        })
    }
}

/// What a mark says, as JSON.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Mark {
    store: String,
    rotation: u64,
    app: String,
    slot: String,
    /// Every key that everkey keeps there for this credential.
    pub(super) keys: Vec<String>,
    digest: String,
}

impl Mark {
    /// The rotation that wrote.
    pub(super) fn generation(&self) -> RotationId {
        RotationId(self.rotation)
    }

    /// Whether values with this fingerprint are what was written.
    pub(super) fn says(&self, print: &Fingerprint) -> bool {
        self.digest == digest(print)
    }
}

/// A mark under its name: a key of the secret, or an annotation and the manager of its fields.
#[derive(Clone, Debug)]
pub(super) struct Marked {
    pub(super) name: String,
    pub(super) mark: Mark,
}

impl Marked {
    pub(super) fn text(&self) -> Result<String> {
        serde_json::to_string(&self.mark).map_err(|error| SinkError::refused(format!("no mark: {error}")))
    }
}

fn digest(print: &Fingerprint) -> String {
    print.0.chars().take(DIGEST_CHARS).collect()
}
