//! The sink `kubernetes`: keys of one Secret, by server-side apply under our own manager's name.
//!
//! The resource version that was read goes with every write, so that whoever writes in between makes ours fail. The mark is
//! an annotation of the same object.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;

use super::error::Result;
use super::error::SinkError;
use super::keyed::Keys;
use super::remote;
use super::remote::MARK;
use super::remote::Remote;
use super::remote::Writer;
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

/// The name under which everkey owns fields.
const MANAGER: &str = "everkey";

/// Most bytes of a Secret.
const MOST_BYTES: usize = 1 << 20;

/// One Kubernetes Secret.
#[derive(Debug)]
pub(super) struct KubernetesSink {
    keys: Keys,
    path: String,
    remote: Arc<Remote>,
    site: Site,
    spec: KubernetesSpec,
}

/// What is there.
#[derive(Debug, Default)]
struct Held {
    kind: Option<String>,
    mark: Option<String>,
    revision: Option<String>,
    values: BTreeMap<String, Secret>,
}

#[derive(Deserialize)]
struct Object {
    #[serde(default, deserialize_with = "remote::secrets")]
    data: BTreeMap<String, Secret>,
    metadata: Metadata,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    resource_version: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: serde_json::Value,
    #[serde(rename = "type")]
    secret_type: &'static str,
    data: BTreeMap<&'a str, &'a str>,
}

impl KubernetesSink {
    pub(super) fn new(spec: &KubernetesSpec, remote: Arc<Remote>) -> Result<Self, PortError> {
        Ok(Self {
            keys: Keys::new(&spec.values)?,
            path: format!("/api/v1/namespaces/{}/secrets/{}", segment(&spec.namespace), segment(&spec.name)),
            site: remote.site(&spec.address, spec.ca_file.as_deref())?,
            remote,
            spec: spec.clone(),
        })
    }

    async fn send(&self, request: Request) -> Result<Reply, PortError> {
        // Kubernetes renews the file of a pod: it is read for every request.
        let token = read_secret("read the token of the service account", &self.spec.token_file)?;
        self.site.send(request.bearer(&token)?).await
    }

    async fn held(&self) -> Result<Held, PortError> {
        let object: Object = match self.send(Request::get(self.path.as_str())).await?.accept() {
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
        Ok(Held {
            kind: object.kind,
            mark: object.metadata.annotations.get(MARK).cloned(),
            revision: object.metadata.resource_version,
            values: object.data.into_iter().map(decoded).collect::<Result<_>>()?,
        })
    }

    fn writer(&self, held: &Held) -> Writer {
        self.keys.writer(&self.remote, &held.values, held.mark.as_deref())
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

    async fn put(&self, held: &Held, values: &BTreeMap<String, Secret>, mark: &str) -> Result<(), PortError> {
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
        let mut metadata =
            json!({"name": self.spec.name, "namespace": self.spec.namespace, "annotations": {MARK: mark}});
        if let Some(revision) = &held.revision {
            metadata["resourceVersion"] = json!(revision);
        }
        let body =
            Written { api_version: "v1", kind: "Secret", metadata, secret_type: self.spec.kind.word(), data: shown };
        let force = if self.spec.overwrite_foreign { "true" } else { "false" };
        let mut request = Request::new(Method::PATCH, self.path.as_str())
            .query("fieldManager", MANAGER)
            .query("force", force)
            .json_as("application/apply-patch+yaml", &body)?;
        for value in values.values().chain(data.values()) {
            request = request.hide(value);
        }
        self.send(request).await?.accept().map(drop)
    }
}

#[async_trait]
impl Sink for KubernetesSink {
    async fn preflight(&self) -> Result<(), PortError> {
        let held = self.held().await?;
        self.fits(&held)?;
        match self.writer(&held) {
            Writer::Other if !self.spec.overwrite_foreign => Err(remote::foreign(&self.place())),
            _ => Ok(()),
        }
    }

    async fn write(&self, payload: &Payload) -> Result<Fingerprint, PortError> {
        let values = self.keys.texts(payload)?;
        let expected = self.keys.fingerprint(&values).ok_or_else(|| differs(&self.place()))?;
        let held = self.held().await?;
        self.fits(&held)?;
        let writer = self.writer(&held);
        writer.yields_to(payload.generation, self.spec.overwrite_foreign, &self.place())?;
        let there = writer == Writer::Ours(payload.generation)
            && self.keys.fingerprint(&held.values).as_ref() == Some(&expected);
        if !there {
            self.put(&held, &values, &self.keys.mark(&self.remote, payload.generation, &expected)).await?;
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
