//! One tenant with everything that the calls need, and the client pointed at it. Each cell begins with the same
//! directory.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use everkey::clock::Clock;
use everkey::clock::ManualClock;
use everkey::emulator::Emulator;
use everkey::emulator::Options;
use everkey::emulator::directory::Directory;
use everkey::emulator::directory::KeyEntry;
use everkey::emulator::directory::MICROSOFT_GRAPH;
use everkey::emulator::directory::NewPassword;
use everkey::emulator::directory::PermissionGrant;
use everkey::emulator::directory::Presented;
use everkey::emulator::directory::Verdict;
use everkey::entra::Entra;
use everkey::entra::EntraOptions;
use everkey::entra::OwnSignIn;
use everkey::graph::Graph;
use everkey::graph::GraphOptions;
use everkey::graph::Patience;
use everkey::http;
use everkey::model::AppRef;
use everkey::model::ClientId;
use everkey::model::KeyType;
use everkey::model::TenantId;
use everkey::pki::Tool;
use everkey::ports::CertTool as _;
use everkey::ports::TokenSource as _;
use everkey::secret::Secret;
use jiff::SignedDuration;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

pub const START: &str = "2026-11-20T09:00:00Z";
const YEARS: SignedDuration = SignedDuration::from_hours(24 * 365 * 3);
/// `Application.Read.All` and `User.Read.All`: app roles of Microsoft Graph.
pub const HELD: &str = "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30";
pub const WANTED: &str = "df021288-bdef-4463-88db-98f22de89214";

/// A clock that jumps to whatever instant somebody waits for: the emulator's hands move with it.
#[derive(Clone)]
pub struct Jumping(pub ManualClock);

#[async_trait]
impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    async fn sleep_until(&self, until: Timestamp) {
        self.0.advance_to(until);
    }
}

/// A client with its own patience with slow answers.
pub struct Client {
    pub by_certificate: Entra,
    pub by_secret: Arc<Entra>,
    clock: Arc<dyn Clock>,
    http: http::Client,
    tenant: TenantId,
    url: String,
}

impl Client {
    /// A directory that remembers nothing, with tokens of `source`.
    pub fn graph(&self, tokens: Arc<Entra>) -> Graph {
        Graph::new(GraphOptions {
            http: self.http.clone(),
            graph_url: self.url.clone(),
            tenant: self.tenant.clone(),
            clock: Arc::clone(&self.clock),
            tokens,
            patience: Patience::default(),
        })
        .unwrap()
    }
}

pub struct Bench {
    /// A certificate that is not there yet.
    pub another: Vec<u8>,
    pub app: AppRef,
    /// An application without a service principal.
    pub bare: ClientId,
    pub certificate: Vec<u8>,
    pub clock: ManualClock,
    pub emulator: Emulator,
    pub key: Secret,
    pub key_id: String,
    pub principal: String,
    pub quick: Client,
    /// Object id of Microsoft Graph's service principal.
    pub resource: String,
    pub secret: Secret,
    pub secret_id: String,
    /// A client for faults that only a timeout ends.
    pub slow: Client,
    baseline: Directory,
}

impl Bench {
    pub async fn start() -> Self {
        let clock = ManualClock::new(START.parse().unwrap());
        let mut options = Options::new(Arc::new(clock.clone()));
        options.manual_clock = true;
        let emulator = Emulator::start(options).await.unwrap();
        let key = Tool.generate_key(KeyType::Rsa2048).unwrap();
        let start = clock.now();
        let certificate = Tool.self_signed(&key, "CN=matrix", start, start + YEARS).unwrap().der;
        let another = Tool.self_signed(&key, "CN=another", start, start + YEARS).unwrap().der;
        let owner = emulator.operator().service_principal_id;
        let seeded = emulator.with_directory(|directory, now| sow(directory, owner, &certificate, now));
        let (quick, slow) = (client(&emulator, &clock, 20_000), client(&emulator, &clock, 700));
        // Somebody signed in before: the report has a line.
        quick.by_secret.token().await.unwrap();
        let baseline = emulator.with_directory(|directory, _| directory.clone());
        let app = AppRef {
            tenant_id: emulator.tenant_id().to_string().as_str().into(),
            object_id: seeded.object.to_string().as_str().into(),
            client_id: seeded.client.to_string().as_str().into(),
        };
        Self {
            another,
            app,
            bare: seeded.bare.to_string().as_str().into(),
            certificate,
            clock,
            key,
            key_id: seeded.key_id.to_string(),
            principal: seeded.principal.to_string(),
            quick,
            resource: seeded.resource.to_string(),
            secret: Secret::from_text(seeded.secret),
            secret_id: seeded.secret_id.to_string(),
            slow,
            baseline,
            emulator,
        }
    }

    /// Begins again: the first directory, no faults, an empty log.
    pub fn reset(&self) {
        self.emulator.clear_faults();
        self.emulator.clear_log();
        self.emulator.with_directory(|directory, _| *directory = self.baseline.clone());
    }

    /// The directory, as far as it is somebody's intention: not who signed in when.
    pub fn held(&self) -> Value {
        self.emulator.with_directory(|directory, _| {
            let mut all = serde_json::to_value(&*directory).unwrap();
            for chance in ["entropy", "signIns"] {
                all.as_object_mut().unwrap().remove(chance).unwrap();
            }
            all
        })
    }

    /// Whether one can sign in with this value.
    pub fn works(&self, value: &Secret) -> bool {
        let client = self.app.client_id.as_str().parse().unwrap();
        let shown = Presented::Secret(value.expose_text().unwrap());
        let judged =
            self.emulator.with_directory(|directory, now| directory.judge(client, shown, SignedDuration::ZERO, now));
        matches!(judged, Verdict::Secret(_))
    }

    /// A grant that is to be extended.
    pub fn grant_some(&self) {
        let client_id: Uuid = self.principal.parse().unwrap();
        self.emulator.with_directory(|directory, _| {
            let resource_id = directory.principal_by_app_id(MICROSOFT_GRAPH).unwrap().id;
            let grant: PermissionGrant = serde_json::from_value(json!({
                "clientId": client_id, "consentType": "AllPrincipals", "principalId": null,
                "resourceId": resource_id, "scope": "openid",
            }))
            .unwrap();
            directory.create_grant(grant).unwrap();
        });
    }
}

struct Sown {
    bare: Uuid,
    client: Uuid,
    key_id: Uuid,
    object: Uuid,
    principal: Uuid,
    resource: Uuid,
    secret: String,
    secret_id: Uuid,
}

fn sow(directory: &mut Directory, owner: Uuid, certificate: &[u8], now: Timestamp) -> Sown {
    let conduct = everkey::emulator::Quirks::default().key_conduct();
    let mut made = Vec::new();
    for name in ["matrix", "bare"] {
        let written = json!({"displayName": name, "uniqueName": name}).as_object().unwrap().clone();
        made.push(directory.create_application(written, Some(owner), conduct, now).unwrap());
    }
    let object = made[0];
    let client = directory.application(object).unwrap().app_id;
    let principal = directory.create_principal(client, Some(owner), now).unwrap();
    let graph = directory.principal_by_app_id(MICROSOFT_GRAPH).unwrap().id;
    directory.assign_role(principal, graph, HELD.parse().unwrap(), now).unwrap();
    let new =
        NewPassword { display_name: Some("held".into()), end_date_time: Some(now + YEARS), start_date_time: None };
    let (secret_entry, secret) = directory.add_password(object, new, now).unwrap();
    let entry = KeyEntry {
        key: Some(BASE64_STANDARD.encode(certificate)),
        kind: Some("AsymmetricX509Cert".into()),
        usage: Some("Verify".into()),
        ..KeyEntry::default()
    };
    let key_id = directory.add_key(object, &entry, now).unwrap().key_id;
    let bare = directory.application(made[1]).unwrap().app_id;
    Sown { bare, client, key_id, object, principal, resource: graph, secret, secret_id: secret_entry.key_id }
}

fn client(emulator: &Emulator, clock: &ManualClock, timeout_ms: u64) -> Client {
    let timeout = Duration::from_millis(timeout_ms);
    let ca_pem = Some(emulator.ca_pem().as_bytes().to_vec());
    let http = http::Client::new(&http::Options { ca_pem, timeout, ..http::Options::default() }).unwrap();
    let operator = emulator.operator();
    let tenant: TenantId = emulator.tenant_id().to_string().as_str().into();
    let clock: Arc<dyn Clock> = Arc::new(Jumping(clock.clone()));
    let entra = |own| {
        Entra::new(EntraOptions {
            http: http.clone(),
            login_url: emulator.url(),
            graph_url: emulator.url(),
            tenant: tenant.clone(),
            clock: Arc::clone(&clock),
            own,
        })
        .unwrap()
    };
    let client_id: ClientId = operator.client_id.to_string().as_str().into();
    let secret = Secret::from_text(operator.client_secret.clone());
    let by_secret = Arc::new(entra(OwnSignIn::ClientSecret { client_id: client_id.clone(), secret }));
    let (key, certificate) = everkey::pki::load_pair(operator.certificate_pem.as_bytes(), None).unwrap();
    Client {
        by_certificate: entra(OwnSignIn::Certificate { client_id, key, certificate }),
        by_secret,
        clock,
        http,
        tenant,
        url: emulator.url(),
    }
}
