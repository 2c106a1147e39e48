//! Builds the stage: directories, policies, configuration, emulator, mail server, what others have in the tenant.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use super::Sabotage;
use super::recorder::Recorder;
use crate::assemble;
use crate::assemble::Assembled;
use crate::clock::ManualClock;
use crate::config;
use crate::config::Settings;
use crate::emulator::Emulator;
use crate::emulator::EmulatorError;
use crate::emulator::MailCatcher;
use crate::emulator::MailOptions;
use crate::emulator::MailSettings;
use crate::emulator::Options;
use crate::emulator::Tls;
use crate::error::Class;
use crate::error::Error;
use crate::error::Result;
use crate::graph::Patience;
use crate::policy::Policy;

/// Where the demo's emulator listens when it can.
const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 18443);
const MAIL_USER: &str = "everkey@contoso.example";

/// The shipped policies, so that `everkey demo` works from any directory.
pub(super) const POLICIES: [(&str, &str); 5] = [
    ("enate-graph-mail.toml", include_str!("../../policies/enate-graph-mail.toml")),
    ("lexzur-email-engine.toml", include_str!("../../policies/lexzur-email-engine.toml")),
    ("reapit-lead-imports.toml", include_str!("../../policies/reapit-lead-imports.toml")),
    ("roger365-replicator.toml", include_str!("../../policies/roger365-replicator.toml")),
    ("securends-office365.toml", include_str!("../../policies/securends-office365.toml")),
];

/// What the LEXZUR host's file looks like before everkey touches it: other settings, odd spacing, all kept.
pub(super) const INTEGRATIONS: &str = r#"{
    "version": "8.14.2",
    "MS-OfficeMail-365": {
        "clientId":     "",
        "clientSecret": "",
        "folders": ["Inbox", "Matters"],   "pollSeconds": 60
    },
    "DocuSign": { "enabled": false, "accountId": "änd‑so‑on \u00e9" }
}
"#;

/// Where that file is, below the sinks.
pub(super) const INTEGRATIONS_PATH: &str = "srv/lexzur/application/config/integrations.json";

/// How to run the demo.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Where everything is written; must be empty or absent.
    pub dir: PathBuf,
    /// When the story begins.
    pub start: Timestamp,
    /// A promise to break.
    pub sabotage: Option<Sabotage>,
}

/// Everything on the stage.
pub(super) struct Stage {
    pub assembled: Assembled,
    pub clock: ManualClock,
    pub dir: PathBuf,
    pub emulator: Emulator,
    pub mail: MailCatcher,
    pub policies: Vec<Policy>,
    pub recorder: Arc<Recorder>,
    pub settings: Settings,
}

impl Stage {
    /// Builds it.
    pub async fn build(options: &DemoOptions) -> Result<Self> {
        let dir = &options.dir;
        refuse_unless_empty(dir)?;
        for (name, text) in POLICIES {
            put(&dir.join("policies").join(name), text)?;
        }
        put(&dir.join("sinks").join(INTEGRATIONS_PATH), INTEGRATIONS)?;

        let clock = ManualClock::new(options.start);
        let tls = Tls::generate().map_err(failed)?;
        let mail_password = uuid::Uuid::new_v4().simple().to_string();
        let mail = MailCatcher::start(MailOptions {
            dir: Some(dir.join("mails")),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            password: mail_password.clone(),
            tls: tls.clone(),
            user: MAIL_USER.to_owned(),
        })
        .await
        .map_err(failed)?;
        let emulator = start_emulator(dir, &clock, tls, &mail, mail_password).await?;
        put(&dir.join("everkey.toml"), &configuration(&emulator, &mail))?;

        let settings = config::load(&dir.join("everkey.toml"), None, None)?;
        let policies = settings.policies()?;
        let mut assembled = assemble::assemble_with(&settings, Some(Arc::new(clock.clone())), Patience::NONE).await?;
        let recorder = Arc::new(Recorder::new(Arc::clone(&assembled.ports.tokens)));
        assembled.ports.tokens = recorder.clone();
        Ok(Self { assembled, clock, dir: dir.clone(), emulator, mail, policies, recorder, settings })
    }
}

async fn start_emulator(
    dir: &Path,
    clock: &ManualClock,
    tls: Tls,
    mail: &MailCatcher,
    mail_password: String,
) -> Result<Emulator> {
    let mut options = Options::new(Arc::new(clock.clone()));
    options.dir = Some(dir.join("emulator"));
    options.listen = SocketAddr::from(LISTEN);
    options.manual_clock = true;
    options.policies = dir.join("policies");
    options.tls = Some(tls);
    options.mail = Some(MailSettings {
        ca_file: None,
        host: "localhost".to_owned(),
        password: mail_password,
        port: mail.address().port(),
        username: MAIL_USER.to_owned(),
    });
    match Emulator::start(options.clone()).await {
        // Another demo runs, or something else has the port: any free one serves.
        Err(EmulatorError::Listen { .. }) => {
            options.listen = SocketAddr::from((LISTEN.0, 0));
            Emulator::start(options).await.map_err(failed)
        }
        other => other.map_err(failed),
    }
}

/// The tool configuration of the demo's directory; paths are relative to it.
fn configuration(emulator: &Emulator, mail: &MailCatcher) -> String {
    format!(
        r#"# Written by `everkey demo`. Serve its emulator again with:
#   everkey emulator serve --dir emulator
version = 1
policies = "policies"
store = "sqlite://everkey.db"

[seal]
key_file = "emulator/seal.key"

[tenants.contoso]
tenant_id = "{tenant}"
client_id = "{client}"
cloud = "custom"
login_url = "{url}"
graph_url = "{url}"
ca_file = "emulator/ca.pem"
auth = "secret"
secret_file = "emulator/operator.secret"
emulator = true
sink_root = "sinks"

[defaults]
tenant = "contoso"
mode = "rotate"
schedule = "0 6 * * MON-FRI"
timezone = "Europe/London"

[alerts]
before = ["60d", "30d", "14d", "7d", "3d", "1d", "0d"]
send_at = "09:00"
fallback_to = "platform@contoso.example"
escalate_to = ["it-lead@contoso.example"]

[mail]
from = "Credential manager <everkey@contoso.example>"
host = "localhost"
port = {port}
ca_file = "emulator/ca.pem"
username = "{MAIL_USER}"
password_file = "emulator/smtp.password"
"#,
        tenant = emulator.tenant_id(),
        client = emulator.operator().client_id,
        url = emulator.url(),
        port = mail.address().port(),
    )
}

fn refuse_unless_empty(dir: &Path) -> Result<()> {
    let taken = fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    if taken || (dir.exists() && !dir.is_dir()) {
        return Err(Error::new(Class::Usage, "U012", format!("{} is not empty", dir.display()))
            .help("name a directory that does not exist yet: everkey demo --keep ./everkey-demo"));
    }
    Ok(())
}

fn put(path: &Path, text: &str) -> Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(|error| {
        Error::new(Class::Failed, "F010", format!("cannot create {}", parent.display()))
            .why(error)
            .help("choose another --keep directory")
    })?;
    config::write_file(path, text.as_bytes())
}

/// An emulator's failure for the user.
pub(super) fn failed(error: EmulatorError) -> Error {
    Error::new(Class::Failed, "D010", "the demo's far side cannot start").why(&error).help("see the reason above")
}
