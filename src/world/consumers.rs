//! The consumers: each knows only its sink, or what a person typed in, and may hold a value for G. They ask the
//! token endpoint over https; nobody tells them what everkey knows.

use std::path::PathBuf;

use jiff::SignedDuration;
use jiff::Timestamp;

use super::recorder::Recorder;
use super::stage::INTEGRATIONS_PATH;
use crate::model::AppRef;
use crate::model::ClientId;
use crate::model::ObjectId;
use crate::model::TenantId;
use crate::pki;
use crate::ports::Probe;
use crate::ports::SignIn;
use crate::secret::Fingerprint;
use crate::secret::Secret;

/// How long a consumer may hold what it read (G, the policies' default).
const HOLDS: SignedDuration = SignedDuration::from_hours(1);

/// Where a consumer gets its value.
enum Feed {
    /// LEXZUR's `integrations.json`.
    JsonFile(PathBuf),
    /// Enate's directory.
    Files(PathBuf),
    /// A person types it in.
    Person,
}

/// A value a consumer holds.
pub(super) enum Held {
    /// Key (PKCS#8 DER) and certificate (DER).
    Certificate { key: Secret, certificate: Vec<u8> },
    /// Client secret.
    ClientSecret(Secret),
}

impl Held {
    fn fingerprint(&self) -> Fingerprint {
        match self {
            Self::Certificate { key, .. } => key.fingerprint(),
            Self::ClientSecret(secret) => secret.fingerprint(),
        }
    }
}

/// One consumer.
pub(super) struct Consumer {
    /// Integration it belongs to.
    pub integration: String,
    feed: Feed,
    client_id: Option<ClientId>,
    /// Values with the instant until which one may still be held; the last has none.
    held: Vec<(Held, Option<Timestamp>)>,
}

/// What the consumers found.
#[derive(Default)]
pub(super) struct Findings {
    /// Instants checked.
    pub instants: u64,
    /// Token requests made.
    pub requests: u64,
    /// When, which integration, and what Entra said.
    pub down: Vec<(Timestamp, String, String)>,
}

/// All consumers.
pub(super) struct Consumers {
    /// Each.
    pub all: Vec<Consumer>,
    tenant: TenantId,
    /// What they found.
    pub findings: Findings,
}

impl Consumers {
    /// The consumers of the five policies.
    pub fn new(sinks: &std::path::Path, tenant: TenantId) -> Self {
        let person = |name: &str| Consumer::new(name, Feed::Person);
        Self {
            all: vec![
                Consumer::new("lexzur-email-engine", Feed::JsonFile(sinks.join(INTEGRATIONS_PATH))),
                Consumer::new("enate-graph-mail", Feed::Files(sinks.join("var/lib/enate/credential"))),
                person("enate-graph-mail"),
                person("reapit-lead-imports"),
                person("roger365-replicator"),
                person("securends-office365"),
            ],
            tenant,
            findings: Findings::default(),
        }
    }

    /// A person types a value into the consumer of `integration` that is fed by people.
    pub fn typed(&mut self, integration: &str, client_id: ClientId, value: Held, now: Timestamp) {
        let wanted =
            |consumer: &&mut Consumer| consumer.integration == integration && matches!(consumer.feed, Feed::Person);
        if let Some(consumer) = self.all.iter_mut().find(wanted) {
            consumer.client_id = Some(client_id);
            consumer.take(value, now);
        }
    }

    /// What an administrator configured once beside the files: the client id of a file-fed consumer.
    pub fn configure(&mut self, integration: &str, client_id: &ClientId) {
        for consumer in self.all.iter_mut().filter(|consumer| consumer.integration == integration) {
            consumer.client_id.get_or_insert_with(|| client_id.clone());
        }
    }

    /// Every consumer reads its sink and signs in with everything it may hold now.
    pub async fn check(&mut self, recorder: &Recorder, now: Timestamp) {
        self.findings.instants += 1;
        for consumer in &mut self.all {
            consumer.read(recorder, now);
            consumer.held.retain(|(_, until)| until.is_none_or(|until| until > now));
            let Some(client_id) = consumer.client_id.clone() else { continue };
            let app = AppRef { tenant_id: self.tenant.clone(), object_id: ObjectId(String::new()), client_id };
            for (value, _) in &consumer.held {
                self.findings.requests += 1;
                let sign_in = match value {
                    Held::Certificate { key, certificate } => SignIn::Certificate { key, certificate },
                    Held::ClientSecret(secret) => SignIn::ClientSecret(secret),
                };
                let said = match recorder.endpoint().probe(&app, sign_in).await {
                    Ok(Probe::Accepted { .. }) => continue,
                    Ok(Probe::NotYet { code, .. } | Probe::Inconclusive { code, .. }) => code,
                    Err(error) => error.to_string(),
                };
                self.findings.down.push((now, consumer.integration.clone(), said));
            }
        }
    }
}

impl Consumer {
    fn new(integration: &str, feed: Feed) -> Self {
        Self { integration: integration.to_owned(), feed, client_id: None, held: Vec::new() }
    }

    /// Takes a new value; the one before may be held for G.
    fn take(&mut self, value: Held, now: Timestamp) {
        let fingerprint = value.fingerprint();
        if self.held.iter().any(|(held, until)| until.is_none() && held.fingerprint() == fingerprint) {
            return;
        }
        for (_, until) in &mut self.held {
            until.get_or_insert(now + HOLDS);
        }
        self.held.push((value, None));
    }

    fn read(&mut self, recorder: &Recorder, now: Timestamp) {
        let read = match &self.feed {
            Feed::JsonFile(path) => read_json(path),
            Feed::Files(dir) => {
                if let Ok(password) = std::fs::read(dir.join("enate.pfx.password")) {
                    recorder.remember("PFX password", &Secret::new(password));
                }
                read_files(dir).map(|value| (None, value))
            }
            Feed::Person => None,
        };
        if let Some((client_id, value)) = read {
            if client_id.is_some() {
                self.client_id = client_id;
            }
            self.take(value, now);
        }
    }
}

fn read_json(path: &std::path::Path) -> Option<(Option<ClientId>, Held)> {
    let text = std::fs::read_to_string(path).ok()?;
    let document: serde_json::Value = serde_json::from_str(&text).ok()?;
    let mail = document.get("MS-OfficeMail-365")?;
    let secret = mail.get("clientSecret")?.as_str().filter(|secret| !secret.is_empty())?;
    let client_id = mail.get("clientId")?.as_str()?;
    Some((Some(ClientId::from(client_id)), Held::ClientSecret(Secret::from_text(secret.to_owned()))))
}

fn read_files(dir: &std::path::Path) -> Option<Held> {
    let mut pem = std::fs::read(dir.join("enate.crt")).ok()?;
    pem.push(b'\n');
    pem.extend(std::fs::read(dir.join("enate.key")).ok()?);
    let pem = Secret::new(pem);
    let (key, certificate) = pki::load_pair(pem.expose(), None).ok()?;
    Some(Held::Certificate { key, certificate })
}
