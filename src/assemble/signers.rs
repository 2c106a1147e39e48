//! The issuers of an installation, from `everkey.toml` and the policies.

use std::collections::BTreeMap;

use crate::config;
use crate::config::Settings;
use crate::error::Class;
use crate::error::Error;
use crate::error::Result;
use crate::model::IssuerKind;
use crate::pki;
use crate::policy::LocalCa;
use crate::ports::Issuer;
use crate::ports::Issuers;
use crate::ports::PortError;
use crate::ports::Refusal;
use crate::sinks::Factory;

/// Everybody who signs certificates for this installation. The key of a CA is read when it signs, and not before.
pub(super) struct Signers {
    authorities: BTreeMap<String, LocalCa>,
    places: Factory,
}

impl Signers {
    /// Those of `[ca.NAME]`, and those that are reached as the sinks are.
    pub(super) fn of(settings: &Settings, places: Factory) -> Self {
        Self { authorities: settings.tool.ca.clone(), places }
    }
}

impl Issuers for Signers {
    fn open(&self, kind: &IssuerKind) -> std::result::Result<Box<dyn Issuer>, PortError> {
        let refused =
            |message: String| PortError::Refused(Refusal { code: "issuer".into(), message, ..Refusal::default() });
        match kind {
            IssuerKind::Command(argv) => Ok(Box::new(pki::CommandIssuer::new(argv.clone()))),
            IssuerKind::Ca(name) => {
                let ca = self.authorities.get(name);
                let ca = ca.ok_or_else(|| refused(format!("everkey.toml has no [ca.{name}]")))?;
                let authority = authority(ca).map_err(|error| {
                    PortError::Local(format!("the CA {name} cannot be used: {error}{}", because(&error)))
                })?;
                Ok(Box::new(pki::LocalCa::new(authority)))
            }
            IssuerKind::VaultPki(spec) => self.places.issuer(spec),
            IssuerKind::Csr | IssuerKind::SelfSigned => Err(refused("nobody is asked for this certificate".into())),
        }
    }
}

fn because(error: &Error) -> String {
    error.why.iter().map(|why| format!(": {why}")).collect()
}

/// The CA that `[ca.NAME]` describes.
///
/// # Errors
/// `C010` for its files, `C016` for what is in them.
fn authority(ca: &LocalCa) -> Result<pki::Authority> {
    let wrong = |error: pki::PkiError| {
        Error::new(Class::Config, "C016", "the CA of everkey.toml cannot be used")
            .why(error)
            .help("check certificate, key_file and key_password_file of its [ca.NAME]")
    };
    let certificate = config::read_bytes(&ca.certificate, "the CA certificate")?;
    let der = pki::open(&certificate, None).map_err(wrong)?.certificates.into_iter().next();
    let der = der.ok_or_else(|| wrong(pki::PkiError::Missing("certificate")))?;
    let password = ca.key_password.as_ref().map(|source| config::secret(source, "the password of the CA key"));
    let sealed = config::secret(&ca.key, "the CA key")?;
    let key = pki::open(sealed.expose(), password.transpose()?.as_ref()).map_err(wrong)?.key;
    pki::Authority::open(&der, key.ok_or_else(|| wrong(pki::PkiError::Missing("private key")))?).map_err(wrong)
}
