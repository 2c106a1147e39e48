//! How everkey itself signs in: what the configuration and the environment say becomes a source of its token.

use std::path::PathBuf;
use std::sync::Arc;

use crate::clock::Clock;
use crate::config;
use crate::config::Settings;
use crate::config::variable;
use crate::entra::AzureCli;
use crate::entra::Endpoints;
use crate::entra::ManagedEndpoint;
use crate::entra::ManagedIdentity;
use crate::entra::OwnSignIn;
use crate::entra::Workload;
use crate::entra::claims;
use crate::error::Class;
use crate::error::Error;
use crate::error::Result;
use crate::model::ClientId;
use crate::model::TokenClaims;
use crate::pki;
use crate::policy::Auth;
use crate::policy::SecretSource;
use crate::ports::TokenSource;
use crate::secret::Secret;

/// Where IMDS answers on every Azure machine.
const IMDS: &str = "http://169.254.169.254";

/// What the token endpoint is asked with; [`OwnSignIn::Elsewhere`] when [`elsewhere`] has the token.
///
/// # Errors
/// `C010`, `C011` for what the configuration names, `G050`, `G055` for the environment of a workload.
pub fn own(settings: &Settings, endpoints: &Endpoints) -> Result<OwnSignIn> {
    match &settings.tenant.auth {
        Auth::Secret(source) => Ok(OwnSignIn::ClientSecret {
            client_id: client_id(settings)?,
            secret: config::secret(source, "everkey's own client secret")?,
        }),
        Auth::Certificate { certificate, key, password } => {
            let what = "everkey's own certificate";
            let password = password.as_ref().map(|source| config::secret(source, "its password")).transpose()?;
            let mut bytes = config::read_bytes(certificate, what)?;
            // One file may hold both; read twice, its key would look like two.
            if !matches!(key, SecretSource::File(path) if path == certificate) {
                bytes.push(b'\n');
                bytes.extend_from_slice(config::secret(key, "the key of everkey's own certificate")?.expose());
            }
            let bytes = Secret::new(bytes);
            let (key, certificate) = pki::load_pair(bytes.expose(), password.as_ref()).map_err(|error| {
                Error::new(Class::Config, "C010", format!("cannot use {what}"))
                    .why(error)
                    .help("certificate_file is a PFX (with password_file), or PEM with its key in it or in key_file")
            })?;
            Ok(OwnSignIn::Certificate { client_id: client_id(settings)?, key, certificate })
        }
        Auth::AzureCli | Auth::ManagedIdentity => Ok(OwnSignIn::Elsewhere),
        Auth::WorkloadIdentity { token_file } => {
            same_cloud(endpoints)?;
            let named = token_file_of(token_file.as_ref());
            let token = Workload::new(move || match &named {
                Some(file) => config::secret_file(file),
                None => Err("neither token_file nor AZURE_FEDERATED_TOKEN_FILE names a file".to_owned()),
            });
            Ok(OwnSignIn::Workload { client_id: client_id(settings)?, token })
        }
    }
}

/// The source of everkey's own token, where that is not the token endpoint; for Graph, unless another `resource` is
/// named (`https://vault.azure.net`).
///
/// # Errors
/// `G054` for a managed identity endpoint that cannot be used.
pub fn elsewhere(
    settings: &Settings,
    endpoints: &Endpoints,
    resource: Option<&str>,
    clock: &Arc<dyn Clock>,
) -> Result<Option<Arc<dyn TokenSource>>> {
    let tenant = &settings.tenant;
    match tenant.auth {
        Auth::AzureCli => {
            let graph = AzureCli::new(Some(tenant.tenant_id.clone()), Arc::clone(clock));
            Ok(Some(match resource {
                Some(resource) => Arc::new(graph.resource(resource)),
                None => Arc::new(graph),
            }))
        }
        Auth::ManagedIdentity => {
            let endpoint = managed_endpoint()?;
            let resource = resource.unwrap_or(&endpoints.graph_url);
            let source = ManagedIdentity::new(endpoint, tenant.client_id.clone(), resource, Arc::clone(clock));
            Ok(Some(Arc::new(source.map_err(|error| unusable(&error.to_string()))?)))
        }
        Auth::Certificate { .. } | Auth::Secret(_) | Auth::WorkloadIdentity { .. } => Ok(None),
    }
}

fn token_file_of(configured: Option<&PathBuf>) -> Option<PathBuf> {
    configured.cloned().or_else(|| variable("AZURE_FEDERATED_TOKEN_FILE").map(PathBuf::from))
}

/// What the workload's token says now; `None` for another way of signing in, and where there is none to read.
pub fn workload_claims(settings: &Settings) -> Option<TokenClaims> {
    let Auth::WorkloadIdentity { token_file } = &settings.tenant.auth else { return None };
    let token = config::secret_file(&token_file_of(token_file.as_ref())?).ok()?;
    Some(claims(&token))
}

fn client_id(settings: &Settings) -> Result<ClientId> {
    let tenant = &settings.tenant;
    tenant.client_id.clone().ok_or_else(|| {
        let or = match tenant.auth {
            Auth::WorkloadIdentity { .. } => "; AZURE_CLIENT_ID is not set either",
            _ => "",
        };
        Error::new(Class::Config, "C011", format!("[tenants.{}] has no client_id{or}", settings.tenant_name))
            .help("client_id is everkey's own app registration")
    })
}

/// The variables that Azure sets where it offers an identity, in the order in which its own libraries read them.
fn managed_endpoint() -> Result<ManagedEndpoint> {
    let given = |name: &str| variable(name).filter(|value| !value.is_empty());
    match (given("IDENTITY_ENDPOINT"), given("IDENTITY_HEADER")) {
        (Some(_), Some(_)) if given("IDENTITY_SERVER_THUMBPRINT").is_some() => {
            Err(unusable("this is Service Fabric, which everkey does not know"))
        }
        (Some(address), Some(header)) => Ok(ManagedEndpoint::AppService { address, header: Secret::from_text(header) }),
        (Some(_), None) if given("IMDS_ENDPOINT").is_some() => {
            Err(unusable("this is an Azure Arc machine, which everkey does not know"))
        }
        _ => Ok(ManagedEndpoint::Imds(given("AZURE_POD_IDENTITY_AUTHORITY_HOST").unwrap_or_else(|| IMDS.to_owned()))),
    }
}

fn unusable(why: &str) -> Error {
    Error::new(Class::Config, "G054", "no usable managed identity endpoint")
        .why(why)
        .help("use auth = \"certificate\" or auth = \"workload-identity\" here")
}

/// The webhook of Kubernetes says which cloud it means; two clouds at once cannot work.
fn same_cloud(endpoints: &Endpoints) -> Result<()> {
    let host = |text: &str| url::Url::parse(text).ok().and_then(|url| url.host_str().map(str::to_owned));
    match variable("AZURE_AUTHORITY_HOST").filter(|text| !text.is_empty()) {
        Some(named) if host(&named) != host(&endpoints.login_url) => {
            Err(Error::new(Class::Config, "G055", "the environment names another cloud")
                .why(format!("AZURE_AUTHORITY_HOST is {named}, the tenant's login is {}", endpoints.login_url))
                .help("correct `cloud` in everkey.toml, or unset the variable"))
        }
        _ => Ok(()),
    }
}
