//! The emulator's directory on disk: its state, and what tools need in order to use it. Files that hold
//! the operator's credential are readable by their owner only.

use std::fs;
use std::io;
use std::io::BufWriter;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::path::absolute;

use aws_lc_rs::rand;
use jiff::Timestamp;
use p12_keystore::Certificate;
use p12_keystore::KeyStore;
use p12_keystore::KeyStoreEntry;
use p12_keystore::PrivateKey;
use p12_keystore::PrivateKeyChain;
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tempfile::NamedTempFile;
use uuid::Uuid;

use super::EmulatorError;
use super::certificate::hex;
use super::directory::Directory;
use super::machine::Machine;
use super::operator::Operator;
use super::options::MailSettings;
use super::places::Places;

const STATE: &str = "state.json";
const SECRET: &str = "operator.secret";
const PEM: &str = "operator.pem";
const IDENTITY_HEADER: &str = "identity.header";
const PFX: &str = "operator.pfx";
const PFX_PASSWORD: &str = "operator.pfx.password";
const SEAL_KEY: &str = "seal.key";
const SMTP_PASSWORD: &str = "smtp.password";
const VAULT_SECRET_ID: &str = "vault.secret-id";
const VAULT_TOKEN: &str = "vault.token";
const KUBERNETES_TOKEN: &str = "kubernetes.token";

/// The permissions that the five shipped guides ask for: what the ready configuration lets everkey grant.
const GUIDE_PERMISSIONS: [&str; 13] = [
    "Directory.AccessAsUser.All",
    "Directory.Read.All",
    "Mail.ReadWrite",
    "Mail.Send",
    "MailboxSettings.ReadWrite",
    "User.Read",
    "User.Read.All",
    "User.ReadBasic.All",
    "email",
    "offline_access",
    "openid",
    "profile",
    "SMTP.SendAsApp",
];

/// What a state directory remembers of the last run.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Saved {
    /// The emulator's clock when it was saved.
    pub clock: Timestamp,
    /// The address it listened on.
    pub listen: SocketAddr,
}

#[derive(Serialize)]
struct StateOut<'a> {
    schema: &'static str,
    clock: Timestamp,
    listen: SocketAddr,
    operator: &'a Operator,
    directory: &'a Directory,
    places: &'a Places,
}

#[derive(Deserialize)]
struct StateIn {
    operator: Operator,
    directory: Directory,
    #[serde(default)]
    places: Places,
}

/// What the last run in `dir` left behind; `None` when there was none.
pub fn saved(dir: &Path) -> Result<Option<Saved>, EmulatorError> {
    read_state(dir)
}

/// Makes the directory, with its parents.
pub(super) fn create_dir(dir: &Path) -> Result<(), EmulatorError> {
    fs::create_dir_all(dir).map_err(EmulatorError::file("create", dir))
}

/// The tenant and operator of the last run.
pub(super) fn load(dir: &Path) -> Result<Option<(Directory, Operator, Places)>, EmulatorError> {
    let Some(state) = read_state::<StateIn>(dir)? else { return Ok(None) };
    let read = |name| {
        let path = dir.join(name);
        fs::read_to_string(&path).map_err(EmulatorError::file("read", path))
    };
    let operator = Operator { certificate_pem: read(PEM)?, client_secret: read(SECRET)?, ..state.operator };
    Ok(Some((state.directory, operator, state.places)))
}

/// Writes the state, all of it or nothing.
pub(super) fn save(
    dir: &Path,
    listen: SocketAddr,
    operator: &Operator,
    directory: &Directory,
    places: &Places,
    now: Timestamp,
) -> Result<(), EmulatorError> {
    let path = dir.join(STATE);
    let state = StateOut { schema: "everkey.emulator-state/v1", clock: now, listen, operator, directory, places };
    // Written as it is made: a large tenant is not in memory a second time.
    write_by(dir, STATE, |file| {
        let mut out = BufWriter::new(file);
        serde_json::to_writer(&mut out, &state)
            .map_err(|source| EmulatorError::State { path: path.clone(), source })?;
        out.flush().map_err(EmulatorError::file("write", &path))
    })
}

/// Writes the operator's credential, as PEM, PFX and secret, and the key that seals everkey's store.
pub(super) fn write_operator(dir: &Path, operator: &Operator) -> Result<(), EmulatorError> {
    let password = random_hex::<16>()?;
    write(dir, SECRET, operator.client_secret.as_bytes())?;
    write(dir, PEM, operator.certificate_pem.as_bytes())?;
    write(dir, PFX, &pfx(&operator.certificate_pem, &password)?)?;
    write(dir, PFX_PASSWORD, password.as_bytes())?;
    write(dir, SEAL_KEY, random_hex::<32>()?.as_bytes())
}

/// What `write_guide` puts into the files that tools read.
pub(super) struct Guide<'a> {
    pub(super) ca_pem: &'a str,
    pub(super) clock: &'a str,
    pub(super) dir: &'a Path,
    pub(super) machine: Option<&'a Machine>,
    pub(super) mail: Option<&'a MailSettings>,
    pub(super) now: Timestamp,
    pub(super) operator: &'a Operator,
    pub(super) places: &'a Places,
    pub(super) policies: &'a Path,
    pub(super) tenant_id: Uuid,
    pub(super) url: &'a str,
}

/// Writes `ca.pem`, `emulator.json` and a ready `everkey.toml`, anew at every start: the address and the
/// authority may have changed.
pub(super) fn write_guide(guide: &Guide<'_>) -> Result<(), EmulatorError> {
    let dir = guide.dir;
    let path = |name: &str| full(&dir.join(name));
    write(dir, "ca.pem", guide.ca_pem.as_bytes())?;
    let (role_id, secret_id) = guide.places.vault.app_role();
    write(dir, VAULT_SECRET_ID, secret_id.as_bytes())?;
    write(dir, VAULT_TOKEN, guide.places.vault.root_token().as_bytes())?;
    write(dir, KUBERNETES_TOKEN, guide.places.kubernetes.token().as_bytes())?;
    let mut summary = json!({
        "schema": "everkey.emulator/v1",
        "url": guide.url,
        "ca_file": path("ca.pem")?,
        "tenant_id": guide.tenant_id,
        "key_vault": {"suffix": vault_suffix(guide), "by_path": format!("{}/vaults/NAME", guide.url)},
        "vault": {
            "address": guide.url, "mount": "secret", "pki_mount": "pki", "pki_role": "everkey", "role_id": role_id,
            "secret_id_file": path(VAULT_SECRET_ID)?, "token_file": path(VAULT_TOKEN)?,
        },
        "kubernetes": {"address": guide.url, "token_file": path(KUBERNETES_TOKEN)?},
        "clock": {"kind": guide.clock, "started_at": guide.now},
        "operator": {
            "client_id": guide.operator.client_id,
            "client_secret": guide.operator.client_secret,
            "certificate_pem": path(PEM)?,
            "certificate_pfx": path(PFX)?,
            "pfx_password_file": path(PFX_PASSWORD)?,
        },
        "everkey_toml": path("everkey.toml")?,
    });
    if let Some(machine) = guide.machine {
        write(dir, IDENTITY_HEADER, machine.header.as_bytes())?;
        let url = format!("http://{}", machine.address);
        summary["managed_identity"] = json!({
            "variables": {"AZURE_POD_IDENTITY_AUTHORITY_HOST": url},
            "app_service": {
                "variables": {"IDENTITY_ENDPOINT": format!("{url}/msi/token")},
                "identity_header_file": path(IDENTITY_HEADER)?,
            },
        });
    }
    write(dir, "emulator.json", format!("{summary:#}\n").as_bytes())?;
    write(dir, "everkey.toml", tool_configuration(guide)?.as_bytes())
}

/// What comes behind the name of a key vault.
fn vault_suffix(guide: &Guide<'_>) -> String {
    let port = guide.url.rsplit(':').next().unwrap_or_default();
    format!("vault.localhost:{port}")
}

/// A configuration of everkey for this emulator (`policy.md`), its paths absolute.
fn tool_configuration(guide: &Guide<'_>) -> Result<String, EmulatorError> {
    let dir = full(guide.dir)?;
    let quoted = |path: PathBuf| toml::Value::from(path.display().to_string()).to_string();
    let permissions = GUIDE_PERMISSIONS.map(|name| format!("\"{name}\"")).join(", ");
    let mut text = format!(
        r#"# Written by the emulator at every start: a configuration of everkey for it.
version = 1
policies = {policies}
store = {store}
permissions_allowed = [{permissions}]

[seal]
key_file = {seal}

[tenants.emulator]
tenant_id = "{tenant_id}"
client_id = "{client_id}"
cloud = "custom"
login_url = "{url}"
graph_url = "{url}"
vault_suffix = "{vault_suffix}"
ca_file = {ca}
auth = "secret"
secret_file = {secret}
emulator = true
sink_root = {sinks}

[defaults]
tenant = "emulator"
mode = "rotate"
"#,
        policies = quoted(full(guide.policies)?),
        store = toml::Value::from(format!("sqlite://{}", dir.join("everkey.db").display())),
        seal = quoted(dir.join(SEAL_KEY)),
        tenant_id = guide.tenant_id,
        client_id = guide.operator.client_id,
        url = guide.url,
        vault_suffix = vault_suffix(guide),
        ca = quoted(dir.join("ca.pem")),
        secret = quoted(dir.join(SECRET)),
        sinks = quoted(dir.join("sinks")),
    );
    if let Some(mail) = guide.mail {
        write(guide.dir, SMTP_PASSWORD, mail.password.as_bytes())?;
        let ca_file = mail.ca_file.as_deref().map_or_else(|| Ok(dir.join("ca.pem")), full)?;
        text.push_str(&format!(
            r#"
[mail]
from = "everkey <everkey@contoso.example>"
transport = "smtp"
host = "{host}"
port = {port}
tls = "starttls"
ca_file = {ca}
username = "{username}"
password_file = {password}
"#,
            host = mail.host,
            port = mail.port,
            ca = quoted(ca_file),
            username = mail.username,
            password = quoted(dir.join(SMTP_PASSWORD)),
        ));
    }
    Ok(text)
}

fn full(path: &Path) -> Result<PathBuf, EmulatorError> {
    absolute(path).map_err(EmulatorError::file("find", path))
}

fn read_state<T: DeserializeOwned>(dir: &Path) -> Result<Option<T>, EmulatorError> {
    let path = dir.join(STATE);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(EmulatorError::file("read", path)(error)),
    };
    serde_json::from_slice(&text).map(Some).map_err(|source| EmulatorError::State { path, source })
}

/// Writes a file beside its place and moves it there; readable by its owner only.
fn write(dir: &Path, name: &str, content: &[u8]) -> Result<(), EmulatorError> {
    write_by(dir, name, |file| file.write_all(content).map_err(EmulatorError::file("write", dir.join(name))))
}

fn write_by(
    dir: &Path,
    name: &str,
    fill: impl FnOnce(&mut NamedTempFile) -> Result<(), EmulatorError>,
) -> Result<(), EmulatorError> {
    let path = dir.join(name);
    let mut file = NamedTempFile::new_in(dir).map_err(EmulatorError::file("write", &path))?;
    fill(&mut file)?;
    file.as_file().sync_all().map_err(EmulatorError::file("write", &path))?;
    file.persist(&path).map(drop).map_err(|error| EmulatorError::file("write", &path)(error.error))
}

/// The operator's key and certificate as PFX. Its password has 128 random bits, so few iterations do.
fn pfx(pem: &str, password: &str) -> Result<Vec<u8>, EmulatorError> {
    let failed = |error: &dyn std::fmt::Display| EmulatorError::crypto("operator PFX", error.to_string());
    let blocks = pem::parse_many(pem).map_err(|error| failed(&error))?;
    let block = |tag: &str| {
        let found = blocks.iter().find(|block| block.tag() == tag).map(pem::Pem::contents);
        found.ok_or_else(|| EmulatorError::crypto("operator PFX", format!("no {tag}")))
    };
    let key = PrivateKey::from_der(block("PRIVATE KEY")?).map_err(|error| failed(&error))?;
    let certificate = Certificate::from_der(block("CERTIFICATE")?).map_err(|error| failed(&error))?;
    let mut store = KeyStore::new();
    let chain = PrivateKeyChain::new("operator", key, [certificate]);
    store.add_entry("operator", KeyStoreEntry::PrivateKeyChain(chain));
    let writer = store.writer(password).encryption_iterations(2048).mac_iterations(2048);
    writer.write().map_err(|error| failed(&error))
}

pub(super) fn random_hex<const N: usize>() -> Result<String, EmulatorError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|error| EmulatorError::crypto("random key", error))?;
    Ok(hex(&bytes).to_ascii_lowercase())
}
