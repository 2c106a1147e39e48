//! Where credentials are delivered in a simulation: files below a temporary directory, by the real sinks; vaults and
//! clusters are stood in for by a store in memory that compares generations as they do. No command is run.

use std::collections::BTreeMap;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use async_trait::async_trait;

use crate::config;
use crate::model::RotationId;
use crate::model::SinkOwner;
use crate::model::SinkSpec;
use crate::model::SinkTarget;
use crate::model::ValueName;
use crate::ports::Payload;
use crate::ports::PortError;
use crate::ports::Refusal;
use crate::ports::Sink;
use crate::ports::Sinks;
use crate::secret::Fingerprint;
use crate::secret::Secret;
use crate::sinks::Factory;

/// Stands in for a person's PFX password, whose file is not read.
pub(super) const PASSWORD: &str = "stands-in-for-your-password";

/// What a stand-in holds.
#[derive(Default)]
struct Kept {
    generation: Option<RotationId>,
    certificate: Option<Vec<u8>>,
    values: BTreeMap<ValueName, Secret>,
    print: Option<Fingerprint>,
}

/// All places.
pub(super) struct Places {
    files: Factory,
    root: PathBuf,
    shelves: Mutex<BTreeMap<String, Arc<Shelf>>>,
}

/// One stand-in.
pub(super) struct Shelf {
    kept: Mutex<Kept>,
    place: String,
}

impl Places {
    /// Places below `root`.
    pub(super) fn below(root: &Path) -> Self {
        Self { files: Factory::below(root), root: root.to_owned(), shelves: Mutex::default() }
    }

    /// Where a path of a policy lies here.
    pub(super) fn moved(&self, path: &str) -> PathBuf {
        let plain = Path::new(path).components().filter(|part| matches!(part, Component::Normal(_)));
        self.root.join(plain.collect::<PathBuf>())
    }

    /// The stand-in for `spec`.
    pub(super) fn shelf(&self, spec: &SinkSpec) -> Arc<Shelf> {
        let (word, place) = spec.target.described();
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Arc::new(Shelf { kept: Mutex::default(), place: place.clone() });
        Arc::clone(shelves.entry(format!("{word} {place}")).or_insert_with(fresh))
    }

    /// Makes what must be there before the first delivery: the application's own file, with our values unset.
    ///
    /// # Errors
    /// `F010`.
    pub(super) fn furnish(&self, spec: &SinkSpec) -> crate::error::Result<()> {
        let SinkTarget::JsonFile(json) = &spec.target else { return Ok(()) };
        let path = self.moved(&json.path);
        let mut document = config::read_file(&path)
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_else(|| serde_json::json!({}));
        for (pointer, _) in &json.values {
            let mut at = &mut document;
            for part in pointer.split('/').skip(1) {
                let name = part.replace("~1", "/").replace("~0", "~");
                if !at.is_object() {
                    *at = serde_json::json!({});
                }
                at = &mut at[name];
            }
            *at = serde_json::json!("");
        }
        let parent = path.parent().unwrap_or(&self.root);
        std::fs::create_dir_all(parent).map_err(|error| config::cannot_write(parent, &error))?;
        config::write_file(&path, format!("{document:#}\n").as_bytes())
    }
}

impl Sinks for Places {
    fn open(&self, spec: &SinkSpec, owner: &SinkOwner) -> Result<Arc<dyn Sink>, PortError> {
        if spec.target.is_shared_store() {
            return Ok(self.shelf(spec));
        }
        self.files.open(spec, owner)
    }

    fn password(&self, _file: &str) -> Result<Secret, PortError> {
        Ok(Secret::from_text(PASSWORD.to_owned()))
    }
}

impl Shelf {
    /// What a consumer reads: its fingerprint, and the values when it is another one than `known`.
    pub(super) fn read(&self, known: Option<&Fingerprint>) -> Option<(Fingerprint, BTreeMap<ValueName, Secret>)> {
        let kept = self.lock();
        let print = kept.print.clone().filter(|print| known != Some(print))?;
        let mut values: BTreeMap<ValueName, Secret> =
            kept.values.iter().map(|(name, value)| (*name, value.duplicate())).collect();
        if let Some(der) = &kept.certificate {
            values.insert(ValueName::Certificate, Secret::new(der.clone()));
        }
        Some((print, values))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Sink for Shelf {
    async fn preflight(&self) -> Result<(), PortError> {
        Ok(())
    }

    async fn write(&self, payload: &Payload) -> Result<Fingerprint, PortError> {
        let mut kept = self.lock();
        if kept.generation.is_some_and(|there| there > payload.generation) {
            let message = "a newer generation is there".to_owned();
            return Err(PortError::Conflict(Refusal { code: "generation".into(), message, ..Refusal::default() }));
        }
        let mut all = Vec::new();
        for (name, value) in &payload.values {
            all.extend(format!("{name:?}").bytes());
            all.extend(value.expose());
        }
        let print = Fingerprint::of(&all);
        *kept = Kept {
            generation: Some(payload.generation),
            certificate: payload.certificate.clone(),
            values: payload.values.iter().map(|(name, value)| (*name, value.duplicate())).collect(),
            print: Some(print.clone()),
        };
        Ok(print)
    }

    async fn fingerprint(&self) -> Result<Option<Fingerprint>, PortError> {
        Ok(self.lock().print.clone())
    }

    async fn after(&self) -> Result<(), PortError> {
        Ok(())
    }

    fn compares(&self) -> bool {
        true
    }

    fn place(&self) -> String {
        self.place.clone()
    }
}
