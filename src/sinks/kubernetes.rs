//! The sink `kubernetes`: keys of one Secret, by server-side apply under our own manager's name.
//!
//! The resource version that was read goes with every write, so that whoever writes in between makes ours fail. The mark is
//! an annotation of the same object, and its name is the name of the manager: an apply takes away what its manager applied
//! before and does not name again, so that credentials which share a Secret must not share a manager.

mod wire;

use std::collections::BTreeMap;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::error::Result;
use super::error::SinkError;
use super::keyed::Keys;
use super::marks::Holder;
use super::marks::Marked;
use super::remote;
use super::remote::Remote;
use super::remote::Writer;
use super::remote::conflict;
use super::remote::differs;
use super::remote::read_secret;
use crate::http::Method;
use crate::http::Reply;
use crate::http::Request;
use crate::http::Site;
use crate::http::segment;
use crate::model::KubernetesSpec;
use crate::ports::Payload;
use crate::ports::PortError;
use crate::ports::Sink;
use crate::secret::Fingerprint;
use crate::secret::Secret;

/// Most bytes of a Secret.
const MOST_BYTES: usize = 1 << 20;

/// Server-side apply; JSON is YAML as well.
const APPLY: &str = "application/apply-patch+yaml";

/// One Kubernetes Secret.
#[derive(Debug)]
pub(super) struct KubernetesSink {
    keys: Keys,
    path: String,
    site: Site,
    spec: KubernetesSpec,
}

/// What is there.
#[derive(Debug, Default)]
struct Held {
    exists: bool,
    kind: Option<String>,
    managers: Vec<wire::Manager>,
    marked: Option<Marked>,
    revision: Option<String>,
    values: BTreeMap<String, Secret>,
}

impl KubernetesSink {
    pub(super) fn new(spec: &KubernetesSpec, holder: Holder, remote: &Remote) -> Result<Self, PortError> {
        Ok(Self {
            keys: Keys::new(&spec.values, holder)?,
            path: format!("/api/v1/namespaces/{}/secrets/{}", segment(&spec.namespace), segment(&spec.name)),
            site: remote.site(&spec.address, spec.ca_file.as_deref())?,
            spec: spec.clone(),
        })
    }

    async fn send(&self, request: Request) -> Result<Reply, PortError> {
        // Kubernetes renews the file of a pod: it is read for every request.
        let token = read_secret("read the token of the service account", &self.spec.token_file)?;
        self.site.send(request.bearer(&token)?).await
    }

    async fn held(&self) -> Result<Held, PortError> {
        let object: wire::Object = match self.send(Request::get(self.path.as_str())).await?.accept() {
            Ok(reply) => reply.json()?,
            Err(PortError::Missing(_)) => return Ok(Held::default()),
            Err(error) => return Err(error),
        };
        let decoded = |(key, text): (String, Secret)| {
            let bytes = BASE64_STANDARD.decode(text.expose());
            let bytes = bytes
                .map_err(|_| SinkError::refused(format!("{} holds something that is not base64", self.place())))?;
            Ok((key, Secret::new(bytes)))
        };
        let annotations = object.metadata.annotations;
        Ok(Held {
            exists: true,
            kind: object.kind,
            managers: object.metadata.managed_fields,
            marked: self.keys.find(annotations.iter().map(|(name, text)| (name, text.as_str()))),
            revision: object.metadata.resource_version,
            values: object.data.into_iter().map(decoded).collect::<Result<_>>()?,
        })
    }

    fn writer(&self, held: &Held, brought: Option<&BTreeMap<String, Secret>>) -> Writer {
        self.keys.writer(&held.values, held.marked.as_ref().map(|marked| &marked.mark), brought)
    }

    /// Keys that an apply of ours would take away, because its manager owns them and neither the policy nor the mark
    /// names them.
    fn owned_besides(&self, held: &Held, manager: &str) -> Vec<String> {
        let named = |key: &String| {
            self.keys.wants(key) || held.marked.as_ref().is_some_and(|marked| marked.mark.keys.contains(key))
        };
        let ours = held.managers.iter().filter(|other| other.applies_as(manager)).flat_map(wire::Manager::keys);
        ours.filter(|key| held.values.contains_key(key) && !named(key)).collect()
    }

    /// Whoever else owns a field that a new credential changes: an apply without `force` would be refused for ever.
    fn other_owner<'h>(&self, held: &'h Held) -> Option<&'h str> {
        let own = held.marked.as_ref().map(|marked| marked.name.as_str());
        let owns = |other: &&wire::Manager| {
            self.keys.changing().any(|key| other.owns_key(key)) || own.is_some_and(|own| other.owns_annotation(own))
        };
        let others = held.managers.iter().filter(|other| !own.is_some_and(|own| other.applies_as(own)));
        others.filter(owns).map(wire::Manager::name).next()
    }

    /// Whether the namespace is there. Who may not see it tries the write, without effect.
    async fn namespaced(&self) -> Result<(), PortError> {
        let namespace = format!("/api/v1/namespaces/{}", segment(&self.spec.namespace));
        match self.send(Request::get(namespace.as_str())).await?.accept() {
            Ok(_) => return Ok(()),
            Err(PortError::Denied(_)) => {}
            Err(error) => return Err(error),
        }
        let empty: BTreeMap<&str, &str> = self.spec.values.iter().map(|(key, _)| (key.as_str(), "")).collect();
        let metadata = json!({"name": self.spec.name, "namespace": self.spec.namespace});
        let body = wire::Written::new(metadata, self.spec.kind.word(), empty);
        let request = Request::new(Method::PATCH, self.path.as_str())
            .query("dryRun", "All")
            .query("fieldManager", "everkey-preflight")
            .json_as(APPLY, &body)?;
        self.send(request).await?.accept().map(drop)
    }

    /// Refuses what a write could not change: the type of a Secret stays what it is.
    fn fits(&self, held: &Held) -> Result<(), PortError> {
        match held.kind.as_deref() {
            Some(kind) if kind != self.spec.kind.word() => {
                let why = format!("{} has the type {kind}, and a type never changes", self.place());
                Err(SinkError::refused(why).into())
            }
            _ => Ok(()),
        }
    }

    async fn put(&self, held: &Held, values: &BTreeMap<String, Secret>, mark: &Marked) -> Result<(), PortError> {
        let bytes: usize = values.values().map(Secret::len).sum();
        if bytes > MOST_BYTES {
            return Err(SinkError::refused(format!("a Secret holds at most {MOST_BYTES} bytes")).into());
        }
        let data: BTreeMap<&str, Secret> = values
            .iter()
            .map(|(key, value)| (key.as_str(), Secret::from_text(BASE64_STANDARD.encode(value.expose()))))
            .collect();
        let shown: BTreeMap<&str, &str> =
            data.iter().map(|(key, value)| (*key, value.expose_text().unwrap_or_default())).collect();
        let annotations = BTreeMap::from([(mark.name.as_str(), mark.text()?)]);
        let mut metadata =
            json!({"name": self.spec.name, "namespace": self.spec.namespace, "annotations": annotations});
        if let Some(revision) = &held.revision {
            metadata["resourceVersion"] = json!(revision);
        }
        let body = wire::Written::new(metadata, self.spec.kind.word(), shown);
        let force = if self.spec.overwrite_foreign { "true" } else { "false" };
        let mut request = Request::new(Method::PATCH, self.path.as_str())
            .query("fieldManager", &mark.name)
            .query("force", force)
            .json_as(APPLY, &body)?;
        for value in values.values().chain(data.values()) {
            request = request.hide(value);
        }
        let reply = self.send(request).await?;
        let failed: Option<wire::Failed> = (reply.status == 409).then(|| reply.json().ok()).flatten();
        if let Some(failed) = failed.filter(|failed| failed.is("FieldManagerConflict")) {
            // Lasting: whoever owns the field goes on owning it. Another revision passes.
            return Err(self.owned_by(&reply.conceal(failed.message())));
        }
        reply.accept().map(drop)
    }

    fn owned_by(&self, who: &str) -> PortError {
        conflict("foreign-version", format!("somebody else owns what would be written to {}: {who}", self.place()))
    }

    /// Everything of ours from now on: the new values, and what no longer has a place in the policy.
    fn all(&self, held: &Held, values: &BTreeMap<String, Secret>, besides: &[String]) -> BTreeMap<String, Secret> {
        let mut all = self.keys.kept(&held.values, held.marked.as_ref().map(|marked| &marked.mark));
        let besides = besides.iter().filter_map(|key| Some((key.clone(), held.values.get(key)?.duplicate())));
        all.extend(besides);
        all.extend(values.iter().map(|(key, value)| (key.clone(), value.duplicate())));
        all
    }

    /// Refuses to take away what our manager owns besides, unless a person said so; it is kept even then.
    fn besides(&self, held: &Held, manager: Option<&str>) -> Result<Vec<String>, PortError> {
        let besides = manager.map_or_else(Vec::new, |manager| self.owned_besides(held, manager));
        match besides.first() {
            Some(key) if !self.spec.overwrite_foreign => {
                let message = format!("{} holds `{key}` under everkey's name, and the policy does not", self.place());
                Err(conflict("foreign-version", message))
            }
            _ => Ok(besides),
        }
    }
}

#[async_trait]
impl Sink for KubernetesSink {
    async fn preflight(&self) -> Result<(), PortError> {
        let held = self.held().await?;
        if !held.exists {
            return self.namespaced().await;
        }
        self.fits(&held)?;
        self.besides(&held, held.marked.as_ref().map(|marked| marked.name.as_str()))?;
        match (self.writer(&held, None), self.other_owner(&held)) {
            _ if self.spec.overwrite_foreign => Ok(()),
            (Writer::Other, _) => Err(remote::foreign(&self.place())),
            (_, Some(other)) => Err(self.owned_by(other)),
            _ => Ok(()),
        }
    }

    async fn write(&self, payload: &Payload) -> Result<Fingerprint, PortError> {
        let values = self.keys.texts(payload)?;
        let expected = self.keys.fingerprint(&values).ok_or_else(|| differs(&self.place()))?;
        let held = self.held().await?;
        self.fits(&held)?;
        let writer = self.writer(&held, Some(&values));
        writer.yields_to(payload.generation, self.spec.overwrite_foreign, &self.place())?;
        let there = writer == Writer::Ours(payload.generation)
            && self.keys.fingerprint(&held.values).as_ref() == Some(&expected);
        if !there {
            let named = self.keys.mark(payload, &values)?;
            let all = self.all(&held, &values, &self.besides(&held, Some(&named.name))?);
            self.put(&held, &all, &self.keys.mark(payload, &all)?).await?;
        }
        match self.fingerprint().await? {
            Some(found) if found == expected => Ok(found),
            _ => Err(differs(&self.place())),
        }
    }

    async fn fingerprint(&self) -> Result<Option<Fingerprint>, PortError> {
        Ok(self.keys.fingerprint(&self.held().await?.values))
    }

    async fn after(&self) -> Result<(), PortError> {
        Ok(())
    }

    fn compares(&self) -> bool {
        true
    }

    fn place(&self) -> String {
        self.spec.place()
    }
}
