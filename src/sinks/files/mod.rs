//! The sink `files`: a directory whose key and certificate change as one unit.
//!
//! `DIRECTORY` is a symlink to a generation beside it, `.NAME.r-0042.1`. A write fills a new generation and
//! swaps the symlink. A consumer that reads two files must enter the directory once (open it, or resolve the
//! symlink) and read both from there; the replaced generation is removed right after the swap, because it
//! holds a key, so a consumer that is told "not found" in between resolves the symlink again.

mod content;
mod generation;
mod preflight;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use super::after;
use super::error::Result;
use super::error::SinkError;
use super::factory;
use super::mounts;
use super::owner::Owner;
use crate::model::FilesSpec;
use crate::ports::Payload;
use crate::ports::PortError;
use crate::ports::Sink;
use crate::secret::Fingerprint;

/// Where the generations of one sink live, and whom their files belong to.
#[derive(Clone, Debug)]
struct Layout {
    /// The directory that holds symlink, generations and sidecar.
    parent: PathBuf,
    /// Name of the symlink.
    name: String,
    /// Whom the files are given to.
    owner: Option<Owner>,
    /// Mode of private files.
    mode: u32,
}

impl Layout {
    /// The path consumers read.
    fn link(&self) -> PathBuf {
        self.parent.join(&self.name)
    }

    /// Name of the lock and generation file.
    fn sidecar(&self) -> String {
        format!(".{}.everkey", self.name)
    }
}

/// A directory of files.
#[derive(Debug)]
pub(super) struct FilesSink {
    spec: FilesSpec,
    layout: Arc<Layout>,
    compares: bool,
}

impl FilesSink {
    /// Checks `spec` as far as that is possible without touching the place.
    pub(super) fn new(spec: &FilesSpec) -> Result<Self> {
        content::check(spec)?;
        after::check(&spec.after)?;
        let (parent, name) = factory::split(&spec.directory)?;
        let owner = spec.owner.as_deref().map(Owner::parse).transpose()?;
        let compares = !mounts::is_network(&parent);
        let layout = Arc::new(Layout { parent, name, owner, mode: spec.mode });
        Ok(Self { spec: spec.clone(), layout, compares })
    }
}

#[async_trait]
impl Sink for FilesSink {
    async fn preflight(&self) -> Result<(), PortError> {
        let layout = Arc::clone(&self.layout);
        factory::blocking(move || preflight::check(&layout)).await
    }

    async fn write(&self, payload: &Payload) -> Result<Fingerprint, PortError> {
        let files = content::files(&self.spec, payload)?;
        let (layout, generation) = (Arc::clone(&self.layout), payload.generation);
        factory::blocking(move || generation::publish(&layout, generation, &files)).await
    }

    async fn fingerprint(&self) -> Result<Option<Fingerprint>, PortError> {
        let layout = Arc::clone(&self.layout);
        factory::blocking(move || generation::fingerprint(&layout)).await
    }

    async fn after(&self) -> Result<(), PortError> {
        Ok(after::run(&self.spec.after).await?)
    }

    fn compares(&self) -> bool {
        self.compares
    }

    fn place(&self) -> String {
        self.layout.link().display().to_string()
    }
}

/// A refusal that names the sink's directory.
fn refused(layout: &Layout, why: &str) -> SinkError {
    SinkError::refused(format!("{} {why}", layout.link().display()))
}
