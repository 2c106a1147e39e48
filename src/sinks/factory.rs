//! The port `Sinks`: the sink that a specification names.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::error::Result;
use super::error::SinkError;
use super::files::FilesSink;
use super::json_file::JsonFileSink;
use super::key_vault::KeyVaultSink;
use super::kubernetes::KubernetesSink;
use super::marks::Holder;
use super::remote::Remote;
use super::vault_kv::VaultKvSink;
use super::vault_leases::Leases;
use super::vault_pki::VaultPki;
use crate::model::SinkOwner;
use crate::model::SinkSpec;
use crate::model::SinkTarget;
use crate::model::VaultPkiSpec;
use crate::ports::Issuer;
use crate::ports::PortError;
use crate::ports::Sink;
use crate::ports::Sinks;
use crate::secret::Secret;

/// Makes sinks on this machine.
#[derive(Clone, Debug, Default)]
pub struct Factory {
    leases: Arc<Leases>,
    remote: Option<Arc<Remote>>,
    root: Option<PathBuf>,
}

impl Factory {
    /// Sinks at the places that policies name.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sinks of an emulated tenant (`sink_root`): every place lies below `root`, directories on the way are made,
    /// `owner` and `after` are left out.
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: Some(root.into()), ..Self::default() }
    }

    /// The same with places beyond this machine.
    #[must_use]
    pub fn reaching(mut self, remote: Remote) -> Self {
        self.remote = Some(Arc::new(remote));
        self
    }

    fn remote(&self) -> Result<Arc<Remote>, PortError> {
        let none = || SinkError::refused("places beyond this machine are not reached from here").into();
        self.remote.clone().ok_or_else(none)
    }

    /// The PKI engine that `spec` names, for the port `Issuers`.
    ///
    /// # Errors
    /// [`PortError::Refused`] for an address that may not be reached, [`PortError::Local`] for its CA file.
    pub fn issuer(&self, spec: &VaultPkiSpec) -> Result<Box<dyn Issuer>, PortError> {
        Ok(Box::new(VaultPki::new(spec, &self.remote()?, Arc::clone(&self.leases))?))
    }

    fn sink(&self, spec: &SinkSpec, owner: &SinkOwner) -> Result<Arc<dyn Sink>, PortError> {
        let holder = |remote: &Remote| Holder::new(remote, owner);
        match &spec.target {
            SinkTarget::Files(files) => {
                let mut files = files.clone();
                if let Some(root) = &self.root {
                    files.directory = moved(root, &files.directory)?;
                    files.owner = None;
                    files.after = Vec::new();
                }
                Ok(Arc::new(FilesSink::new(&files)?))
            }
            SinkTarget::JsonFile(json) => {
                let mut json = json.clone();
                if let Some(root) = &self.root {
                    json.path = moved(root, &json.path)?;
                    json.owner = None;
                    json.after = Vec::new();
                }
                Ok(Arc::new(JsonFileSink::new(&json)?))
            }
            SinkTarget::AzureKeyVault(spec) => {
                let remote = self.remote()?;
                Ok(Arc::new(KeyVaultSink::new(spec, holder(&remote), remote)?))
            }
            SinkTarget::Handoff(_) => Err(SinkError::refused("a hand-off goes to a person, not to a file").into()),
            SinkTarget::HashicorpVault(spec) => {
                let remote = self.remote()?;
                Ok(Arc::new(VaultKvSink::new(spec, holder(&remote), remote, Arc::clone(&self.leases))?))
            }
            SinkTarget::Kubernetes(spec) => {
                let remote = self.remote()?;
                Ok(Arc::new(KubernetesSink::new(spec, holder(&remote), &remote)?))
            }
        }
    }
}

impl Sinks for Factory {
    fn open(&self, spec: &SinkSpec, owner: &SinkOwner) -> Result<Arc<dyn Sink>, PortError> {
        self.sink(spec, owner)
    }

    fn password(&self, file: &str) -> Result<Secret, PortError> {
        let path = Path::new(file);
        let mut bytes = std::fs::read(path).map_err(SinkError::io("read the PFX password", path))?;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        if bytes.is_empty() {
            return Err(SinkError::refused(format!("`{file}` holds no password")).into());
        }
        Ok(Secret::new(bytes))
    }
}

/// `path` below `root`; the directory that holds it is made.
fn moved(root: &Path, path: &str) -> Result<String> {
    let mut below = root.to_owned();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(part) => below.push(part),
            Component::CurDir | Component::Prefix(_) | Component::RootDir => {}
            Component::ParentDir => return Err(SinkError::refused(format!("`{path}` must not hold `..`"))),
        }
    }
    let (parent, _) = split(&below.display().to_string())?;
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700).create(&parent).map_err(SinkError::io("create directory", &parent))?;
    Ok(below.display().to_string())
}

/// Parent directory and last part of a path.
pub(super) fn split(path: &str) -> Result<(PathBuf, String)> {
    let refuse = || SinkError::refused(format!("`{path}` does not name a file or directory"));
    if path.contains('\0') {
        return Err(refuse());
    }
    let path = Path::new(path);
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(refuse)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((parent.to_owned(), name.to_owned()))
}

/// Runs file work off the async threads.
pub(super) async fn blocking<T, F>(work: F) -> Result<T, PortError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(PortError::Local("the task that writes files ended unexpectedly".into())),
    }
}
