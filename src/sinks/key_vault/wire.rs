//! What goes over the wire to a key vault, and what comes back (`entra-contract.md` 8).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::http::Method;
use crate::http::Request;
use crate::model::KeyVaultSpec;
use crate::model::RotationId;
use crate::model::ValueName;
use crate::ports::Payload;
use crate::ports::PortError;
use crate::secret::Fingerprint;
use crate::secret::Secret;
use crate::sinks::error::Result;
use crate::sinks::error::SinkError;
use crate::sinks::error::payload_value;
use crate::sinks::marks::Holder;
use crate::sinks::remote;

/// The tag that says which rotation wrote, as `STORE.ROTATION`.
const MARK: &str = "everkey";

/// The one that names the application.
const MARK_APP: &str = "everkey-app-id";

/// The one that says which credential it is: key id, or thumbprint.
pub(super) const MARK_CREDENTIAL: &str = "everkey-credential";

/// The one that names the slot.
const MARK_SLOT: &str = "everkey-slot";

/// A version as the vault shows it.
#[derive(Debug, Deserialize)]
pub(super) struct Bundle {
    /// The certificate, base64 of DER.
    cer: Option<String>,
    #[serde(default)]
    tags: Option<BTreeMap<String, String>>,
    value: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Text(#[serde(deserialize_with = "remote::secret")] Secret);

impl Bundle {
    /// A tag.
    pub(super) fn tag(&self, name: &str) -> Option<&str> {
        self.tags.as_ref()?.get(name).map(String::as_str)
    }

    /// The rotation of `holder` that wrote it.
    pub(super) fn generation(&self, holder: &Holder) -> Option<RotationId> {
        let (store, number) = self.tag(MARK)?.rsplit_once('.')?;
        let ours = holder.is(store, self.tag(MARK_APP)?, self.tag(MARK_SLOT)?);
        number.parse().ok().filter(|_| ours).map(RotationId)
    }

    /// What it is compared by: the value, or the certificate.
    pub(super) fn fingerprint(&self) -> Option<Fingerprint> {
        match (&self.value, &self.cer) {
            (Some(Text(value)), _) => Some(value.fingerprint()),
            (None, Some(cer)) => BASE64_STANDARD.decode(cer).ok().map(|der| Fingerprint::of(&der)),
            (None, None) => None,
        }
    }
}

/// A page of the versions of a secret.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Versions {
    pub(super) value: Vec<Listed>,
    pub(super) next_link: Option<String>,
}

/// A version as lists show it: without its value.
#[derive(Debug, Deserialize)]
pub(super) struct Listed {
    pub(super) attributes: Validity,
    #[serde(default)]
    tags: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Validity {
    pub(super) created: i64,
    enabled: bool,
    exp: Option<i64>,
}

impl Validity {
    /// Whether it is only its end that hides it.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.enabled && self.exp.is_some_and(|end| end <= now.as_second())
    }
}

impl Listed {
    pub(super) fn hidden(self) -> Bundle {
        Bundle { cer: None, tags: self.tags, value: None }
    }
}

/// A refusal's body, as far as its inner code.
#[derive(Debug, Deserialize)]
pub(super) struct Failed {
    error: FailedError,
}

#[derive(Debug, Deserialize)]
struct FailedError {
    #[serde(default, alias = "innerError")]
    innererror: Option<Inner>,
}

#[derive(Debug, Deserialize)]
struct Inner {
    code: Option<String>,
}

impl Failed {
    /// Whether this is the inner code.
    pub(super) fn is(&self, code: &str) -> bool {
        self.error.innererror.as_ref().and_then(|inner| inner.code.as_deref()) == Some(code)
    }
}

/// What tells one credential from another, and is no secret.
pub(super) fn credential<'p>(spec: &KeyVaultSpec, payload: &'p Payload) -> Result<&'p Secret> {
    payload_value(payload, if spec.certificate { ValueName::Thumbprint } else { ValueName::SecretId })
}

/// What is written.
pub(super) struct Body<'p> {
    certificate: bool,
    expires: Option<i64>,
    password: Option<&'p Secret>,
    tags: BTreeMap<&'static str, String>,
    value: Zeroizing<String>,
    hidden: &'p Secret,
}

#[derive(Serialize)]
struct SecretOut<'a> {
    value: &'a str,
    #[serde(rename = "contentType")]
    content_type: &'a str,
    tags: &'a BTreeMap<&'static str, String>,
    attributes: AttributesOut,
}

#[derive(Serialize)]
struct AttributesOut {
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
}

#[derive(Serialize)]
struct CertificateOut<'a> {
    value: &'a str,
    pwd: &'a str,
    tags: &'a BTreeMap<&'static str, String>,
    attributes: AttributesOut,
    policy: serde_json::Value,
}

impl<'p> Body<'p> {
    pub(super) fn new(spec: &KeyVaultSpec, payload: &'p Payload, holder: &Holder) -> Result<Self> {
        let text = |secret: &Secret| secret.expose_text().map(str::to_owned).ok_or_else(not_text);
        let (store, app) = holder.known()?;
        let tags = BTreeMap::from([
            (MARK, format!("{store}.{}", payload.generation.0)),
            (MARK_APP, app.to_owned()),
            (MARK_SLOT, holder.slot().to_owned()),
            (MARK_CREDENTIAL, text(credential(spec, payload)?)?),
        ]);
        let hidden = payload_value(payload, if spec.certificate { ValueName::Pfx } else { ValueName::Secret })?;
        let (value, password) = match spec.certificate {
            true => (BASE64_STANDARD.encode(hidden.expose()), Some(payload_value(payload, ValueName::PfxPassword)?)),
            false => (text(hidden)?, None),
        };
        let expires = super::seconds(payload_value(payload, ValueName::Expires)?);
        Ok(Self { certificate: spec.certificate, expires, password, tags, value: Zeroizing::new(value), hidden })
    }

    pub(super) fn request(&self, method: Method, path: &str) -> Result<Request, PortError> {
        let request = Request::new(method, path);
        if !self.certificate {
            let attributes = AttributesOut { enabled: true, exp: self.expires };
            let body = SecretOut { value: &self.value, content_type: "text/plain", tags: &self.tags, attributes };
            return Ok(request.json(&body)?.hide(self.hidden));
        }
        let password = self.password.ok_or_else(not_text)?;
        let body = CertificateOut {
            value: &self.value,
            pwd: password.expose_text().ok_or_else(not_text)?,
            tags: &self.tags,
            attributes: AttributesOut { enabled: true, exp: None },
            // Nobody renews it but everkey: no issuer, and nothing that happens by itself.
            policy: serde_json::json!({
                "key_props": {"exportable": true},
                "secret_props": {"contentType": "application/x-pkcs12"},
                "issuer": {"name": "Unknown"},
                "lifetime_actions": [],
            }),
        };
        Ok(request.json(&body)?.hide(password).hide(&Secret::from_text(self.value.to_string())))
    }
}

fn not_text() -> SinkError {
    SinkError::refused("a value for the vault is not text")
}
