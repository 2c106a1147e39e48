//! Names of sealed values, and what is packed from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::AppRef;
use crate::model::CredentialKind;
use crate::model::Fresh;
use crate::model::PfxPassword;
use crate::model::PfxProfile;
use crate::model::Rotation;
use crate::model::RotationId;
use crate::model::SealId;
use crate::model::SinkTarget;
use crate::model::ValueName;
use crate::ports::CertTool;
use crate::ports::Payload;
use crate::ports::PortError;
use crate::ports::Sinks;
use crate::ports::Store;
use crate::ports::StoreError;
use crate::secret::Secret;

/// Column of a client secret.
pub const SECRET: &str = "secret";
/// Column of a private key, PKCS#8 DER.
pub const PRIVATE_KEY: &str = "private_key";
/// Column of a generated PFX password.
pub const PFX_PASSWORD: &str = "pfx_password";

/// The id of a sealed value.
pub fn id(rotation: RotationId, attempt: u32, column: &str) -> SealId {
    SealId(format!("{}/{attempt}/{column}", rotation.0))
}

/// The seal of `column` among `seals`.
pub fn find<'a>(seals: &'a [SealId], column: &str) -> Option<&'a SealId> {
    seals.iter().find(|id| id.as_str().rsplit('/').next() == Some(column))
}

/// How packing failed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The store did not open a value.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A tool failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Opens the sealed value of `column`.
pub async fn open(store: &dyn Store, app: &AppRef, seals: &[SealId], column: &str) -> Result<Secret, PackError> {
    match find(seals, column) {
        Some(id) => Ok(store.unseal(id, app).await?),
        None => Err(PortError::Local(format!("no sealed {column}")).into()),
    }
}

/// Whether a generated PFX password is needed, and whether a PFX is needed at all.
pub fn wants_generated_password(rotation: &Rotation) -> bool {
    if !matches!(rotation.spec.kind, CredentialKind::Certificate(_)) {
        return false;
    }
    let read_from_file = rotation.spec.sinks.iter().any(|sink| match &sink.target {
        SinkTarget::Files(files) => {
            files.pfx.as_ref().is_some_and(|pfx| matches!(pfx.password, PfxPassword::ReadFrom(_)))
        }
        _ => false,
    });
    !read_from_file
}

/// What packing needs.
pub struct Packer<'a> {
    /// The journal.
    pub store: &'a dyn Store,
    /// Key tools.
    pub certs: &'a Arc<dyn CertTool>,
    /// Sinks, for a person's password file.
    pub sinks: &'a dyn Sinks,
}

impl Packer<'_> {
    /// All values of the new credential that `wanted` names. `profile` is used for a PFX.
    pub async fn pack(
        &self,
        rotation: &Rotation,
        fresh: &Fresh,
        wanted: &[ValueName],
        profile: PfxProfile,
    ) -> Result<Payload, PackError> {
        let app = &rotation.app;
        let mut values = BTreeMap::new();
        for name in wanted {
            let value = match name {
                ValueName::Certificate => Secret::from_text(
                    fresh.certificate.as_deref().map(|der| self.certs.certificate_pem(der)).unwrap_or_default(),
                ),
                ValueName::ClientId => Secret::from_text(app.client_id.to_string()),
                ValueName::Expires => Secret::from_text(fresh.end.to_string()),
                ValueName::Pfx => self.pfx(rotation, fresh, profile).await?,
                ValueName::PfxPassword => self.password(rotation, fresh).await?.0,
                ValueName::PrivateKey => {
                    let key = open(self.store, app, &fresh.seals, PRIVATE_KEY).await?;
                    self.certs.key_pem(&key)?
                }
                ValueName::Secret => open(self.store, app, &fresh.seals, SECRET).await?,
                ValueName::SecretId => Secret::from_text(fresh.key_id.to_string()),
                ValueName::TenantId => Secret::from_text(app.tenant_id.to_string()),
                ValueName::Thumbprint => {
                    Secret::from_text(fresh.thumbprint.as_ref().map(ToString::to_string).unwrap_or_default())
                }
                ValueName::ThumbprintSha256 => Secret::from_text(
                    fresh.certificate.as_deref().map(|der| self.certs.thumbprints(der).1).unwrap_or_default(),
                ),
            };
            values.insert(*name, value);
        }
        Ok(Payload { generation: rotation.id, values, certificate: fresh.certificate.clone() })
    }

    async fn pfx(&self, rotation: &Rotation, fresh: &Fresh, profile: PfxProfile) -> Result<Secret, PackError> {
        let key = open(self.store, &rotation.app, &fresh.seals, PRIVATE_KEY).await?;
        let (password, generated) = self.password(rotation, fresh).await?;
        let certificate = fresh.certificate.clone().unwrap_or_default();
        let certs = Arc::clone(self.certs);
        // Key derivation takes long: off the async threads.
        let packed = tokio::task::spawn_blocking(move || certs.pfx(&key, &certificate, &password, profile, generated))
            .await
            .map_err(|error| PortError::Local(format!("packing the PFX: {error}")))?;
        Ok(packed?)
    }

    async fn password(&self, rotation: &Rotation, fresh: &Fresh) -> Result<(Secret, bool), PackError> {
        if find(&fresh.seals, PFX_PASSWORD).is_some() {
            return Ok((open(self.store, &rotation.app, &fresh.seals, PFX_PASSWORD).await?, true));
        }
        let file = rotation.spec.sinks.iter().find_map(|sink| match &sink.target {
            SinkTarget::Files(files) => match &files.pfx.as_ref()?.password {
                PfxPassword::ReadFrom(file) => Some(file),
                PfxPassword::WrittenTo(_) => None,
            },
            _ => None,
        });
        match file {
            Some(file) => Ok((self.sinks.password(file)?, false)),
            None => Err(PortError::Local("no password for the PFX".into()).into()),
        }
    }
}

/// The values a machine's sink carries, and the profile of its PFX.
pub fn wanted(target: &SinkTarget) -> (Vec<ValueName>, PfxProfile) {
    match target {
        SinkTarget::Files(files) => {
            let mut wanted = vec![ValueName::Certificate];
            if files.key.is_some() || files.bundle.is_some() {
                wanted.push(ValueName::PrivateKey);
            }
            let mut profile = PfxProfile::Modern;
            if let Some(pfx) = &files.pfx {
                wanted.extend([ValueName::Pfx, ValueName::PfxPassword]);
                profile = pfx.profile;
            }
            (wanted, profile)
        }
        SinkTarget::AzureKeyVault(spec) => (spec.values(), PfxProfile::Modern),
        SinkTarget::HashicorpVault(spec) => (named(&spec.values), PfxProfile::Modern),
        SinkTarget::Kubernetes(spec) => (named(&spec.values), PfxProfile::Modern),
        SinkTarget::JsonFile(file) => (named(&file.values), PfxProfile::Modern),
        SinkTarget::Handoff(handoff) => {
            (handoff.fields.iter().filter_map(|field| field.value).collect(), PfxProfile::Modern)
        }
    }
}

fn named(values: &[(String, ValueName)]) -> Vec<ValueName> {
    values.iter().map(|(_, name)| *name).collect()
}
