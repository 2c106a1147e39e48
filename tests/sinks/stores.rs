//! The contract of a sink, held by the three kinds beyond this machine against the emulator: what is there is never lost,
//! nothing is written twice, and nobody else's value is touched.

use std::sync::Arc;

use everkey::clock::Clock as _;
use everkey::clock::ManualClock;
use everkey::emulator::Effect;
use everkey::emulator::Emulator;
use everkey::emulator::Fault;
use everkey::emulator::Options;
use everkey::entra::Entra;
use everkey::entra::EntraOptions;
use everkey::entra::OwnSignIn;
use everkey::http;
use everkey::model::ClientId;
use everkey::model::KeyVaultSpec;
use everkey::model::KubernetesSpec;
use everkey::model::KubernetesType;
use everkey::model::SinkTarget;
use everkey::model::TenantId;
use everkey::model::ValueName;
use everkey::model::VaultAuth;
use everkey::model::VaultKvSpec;
use everkey::ports::Payload;
use everkey::ports::PortError;
use everkey::ports::Sink;
use everkey::ports::Sinks as _;
use everkey::ports::TokenSource as _;
use everkey::secret::Secret;
use everkey::sinks::Factory;
use everkey::sinks::Remote;
use jiff::SignedDuration;

use crate::support::owner;
use crate::support::payload;
use crate::support::target;

pub const KINDS: [&str; 3] = ["azure-key-vault", "hashicorp-vault", "kubernetes"];

/// An emulator with all three stores, and sinks for one place in each.
pub struct Bench {
    /// Client id and secret of whoever reads and writes.
    pub caller: (String, String),
    pub clock: ManualClock,
    dir: tempfile::TempDir,
    pub emulator: Emulator,
}

impl Bench {
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::new("2026-11-20T09:00:00Z".parse().unwrap());
        let options = Options { dir: Some(dir.path().to_owned()), ..Options::new(Arc::new(clock.clone())) };
        let emulator = Emulator::start(options).await.unwrap();
        let operator = emulator.operator();
        let caller = (operator.client_id.to_string(), operator.client_secret.clone());
        Self { caller, clock, dir, emulator }
    }

    pub fn file(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// The client, and tokens for vaults.
    pub fn tenant(&self) -> (http::Client, Entra) {
        let ca = self.emulator.ca_pem().as_bytes().to_vec();
        let cloud = http::Client::new(&http::Options { ca_pem: Some(ca), ..http::Options::default() }).unwrap();
        let tokens = Entra::new(EntraOptions {
            http: cloud.clone(),
            login_url: self.emulator.url(),
            graph_url: format!("https://vault.localhost:{}", self.emulator.address().port()),
            tenant: TenantId(self.emulator.tenant_id().to_string()),
            clock: Arc::new(self.clock.clone()),
            own: OwnSignIn::ClientSecret {
                client_id: ClientId(self.caller.0.clone()),
                secret: Secret::from_text(self.caller.1.clone()),
            },
        })
        .unwrap();
        (cloud, tokens)
    }

    /// The sink of `kind` for the store `instance`.
    pub fn sink(&self, kind: &str, instance: &str, overwrite_foreign: bool) -> Arc<dyn Sink> {
        self.sink_with(kind, instance, overwrite_foreign, false)
    }

    pub fn sink_with(
        &self,
        kind: &str,
        instance: &str,
        overwrite_foreign: bool,
        recover_deleted: bool,
    ) -> Arc<dyn Sink> {
        let mut spec = self.spec(kind, &["client_secret"]);
        match &mut spec {
            SinkTarget::AzureKeyVault(spec) => {
                (spec.overwrite_foreign, spec.recover_deleted) = (overwrite_foreign, recover_deleted);
            }
            SinkTarget::HashicorpVault(spec) => spec.overwrite_foreign = overwrite_foreign,
            SinkTarget::Kubernetes(spec) => spec.overwrite_foreign = overwrite_foreign,
            _ => unreachable!(),
        }
        self.factory(instance).open(&target(spec), &owner("primary")).unwrap()
    }

    /// Sinks of the store `instance`.
    pub fn factory(&self, instance: &str) -> Factory {
        let (cloud, tokens) = self.tenant();
        Factory::new().reaching(Remote {
            clock: Arc::new(self.clock.clone()),
            cloud,
            instance: Some(instance.to_owned()),
            loopback_only: true,
            proxy: None,
            vault_suffix: Some(format!("vault.localhost:{}", self.emulator.address().port())),
            vault_tokens: Arc::new(tokens),
        })
    }

    /// A place of `kind`; keys that start with `client_id` take the client id, others the secret.
    pub fn spec(&self, kind: &str, keys: &[&str]) -> SinkTarget {
        let value = |key: &&str| if key.starts_with("client_id") { ValueName::ClientId } else { ValueName::Secret };
        let values: Vec<(String, ValueName)> = keys.iter().map(|key| ((*key).to_owned(), value(key))).collect();
        let (address, ca_file) = (self.emulator.url(), Some(self.file("ca.pem")));
        match kind {
            "azure-key-vault" => SinkTarget::AzureKeyVault(KeyVaultSpec {
                vault: "contoso-apps".into(),
                name: "mail".into(),
                certificate: false,
                recover_deleted: false,
                overwrite_foreign: false,
            }),
            "hashicorp-vault" => SinkTarget::HashicorpVault(VaultKvSpec {
                address,
                mount: "secret".into(),
                path: "apps/mail".into(),
                values,
                auth: VaultAuth::Token { token_file: self.file("vault.token") },
                namespace: Some("team".into()),
                ca_file,
                overwrite_foreign: false,
            }),
            _ => SinkTarget::Kubernetes(KubernetesSpec {
                address,
                namespace: "mail".into(),
                name: "mail".into(),
                kind: KubernetesType::Opaque,
                values,
                token_file: self.file("kubernetes.token"),
                ca_file,
                overwrite_foreign: false,
            }),
        }
    }

    /// What the state file says of the places.
    pub fn places(&self) -> serde_json::Value {
        self.emulator.save().unwrap();
        let state = std::fs::read(self.dir.path().join("state.json")).unwrap();
        serde_json::from_slice::<serde_json::Value>(&state).unwrap()["places"].take()
    }

    /// The next write meets `effect`.
    fn fault(&self, kind: &str, effect: Effect) {
        let method = if kind == "azure-key-vault" { "PUT" } else { "PATCH" };
        self.emulator.inject(Fault { count: 1, effect, method: Some(method.into()), path_contains: "mail".into() });
    }

    /// How many writes the state file knows, told by what each kind counts.
    pub fn writes(&self, kind: &str) -> u64 {
        let places = self.places();
        match kind {
            "azure-key-vault" => places["key_vaults"]["vaults"]["contoso-apps"]["mail"]["versions"]
                .as_array()
                .map_or(0, |all| all.len() as u64),
            "hashicorp-vault" => places["vault"]["secrets"]["team:apps/mail"]["current"].as_u64().unwrap_or(0),
            // Counted from its first.
            _ => places["kubernetes"]["revision"].as_u64().unwrap() - 1,
        }
    }
}

pub fn credential(generation: u64, secret: &str) -> Payload {
    payload(
        generation,
        &[
            (ValueName::Secret, secret),
            (ValueName::SecretId, &format!("id of {secret}")),
            (ValueName::ClientId, "3f0c1d52-0000-4000-8000-00000000e0e0"),
            (ValueName::TenantId, "8f0c1d52-0000-4000-8000-0000000031aa"),
            (ValueName::Expires, "2027-05-19T09:00:00Z"),
        ],
    )
}

pub fn status(code: u16, retry_after: Option<u32>) -> Effect {
    Effect::Status { body: None, code, retry_after }
}

pub fn code(error: &PortError) -> &str {
    error.refusal().map_or("", |refusal| refusal.code.as_str())
}

#[tokio::test]
async fn a_value_is_written_once_and_an_older_one_never() {
    let bench = Bench::start().await;
    for kind in KINDS {
        let sink = bench.sink(kind, "abc123", false);
        sink.preflight().await.unwrap();
        assert_eq!(sink.fingerprint().await.unwrap(), None, "{kind}");
        let first = sink.write(&credential(5, "first-value")).await.unwrap();
        let writes = bench.writes(kind);
        assert_eq!(sink.write(&credential(5, "first-value")).await.unwrap(), first, "{kind}");
        assert_eq!(bench.writes(kind), writes, "{kind}: the same again makes no second version");
        assert_eq!(sink.fingerprint().await.unwrap(), Some(first.clone()), "{kind}");

        let error = sink.write(&credential(4, "older-value")).await.unwrap_err();
        assert_eq!(code(&error), "newer-generation", "{kind}: {error}");
        assert_eq!(sink.fingerprint().await.unwrap(), Some(first.clone()), "{kind}");

        let second = sink.write(&credential(6, "second-value")).await.unwrap();
        assert_ne!(first, second, "{kind}");
        assert_eq!(bench.writes(kind), writes + 1, "{kind}");
        // A fresh attempt of the same rotation is another value.
        assert_ne!(sink.write(&credential(6, "third-value")).await.unwrap(), second, "{kind}");
        sink.preflight().await.unwrap();
    }
}

#[tokio::test]
async fn whatever_happens_to_a_write_nothing_is_lost_and_nothing_written_twice() {
    let bench = Bench::start().await;
    for kind in KINDS {
        let sink = bench.sink(kind, "abc123", false);
        let first = sink.write(&credential(1, "first-value")).await.unwrap();
        let before = bench.writes(kind);
        for (effect, wanted) in [
            (status(429, Some(7)), "throttled"),
            (status(403, None), "denied"),
            (status(409, None), "conflict"),
            (status(400, None), "refused"),
            (status(503, None), "unsure"),
            (Effect::ResetBeforeEffect, "unsure"),
        ] {
            bench.fault(kind, effect);
            let error = sink.write(&credential(2, "second-value")).await.unwrap_err();
            let found = match &error {
                PortError::Conflict(_) => "conflict",
                PortError::Denied(_) => "denied",
                PortError::Refused(_) => "refused",
                PortError::Throttled { retry_after, .. } => {
                    assert_eq!(*retry_after, Some(SignedDuration::from_secs(7)));
                    "throttled"
                }
                PortError::Unsure { .. } => "unsure",
                _ => "other",
            };
            assert_eq!(found, wanted, "{kind}: {error}");
            assert!(!error.to_string().contains("second-value"), "{kind}");
            assert_eq!(
                sink.fingerprint().await.unwrap(),
                Some(first.clone()),
                "{kind} {wanted}: the old value is there"
            );
        }
        bench.fault(kind, Effect::ResetAfterEffect);
        sink.write(&credential(2, "second-value")).await.unwrap_err();
        let second = sink.write(&credential(2, "second-value")).await.unwrap();
        assert_ne!(first, second);
        assert_eq!(bench.writes(kind), before + 1, "{kind}: a lost answer makes no second version");
    }
}

/// F5: a call that lands at any later time. Where the store compares it is void; a key vault shows it as drift.
#[tokio::test]
async fn a_write_that_lands_late_is_void_or_seen() {
    let bench = Bench::start().await;
    for kind in KINDS {
        let sink = bench.sink(kind, "abc123", false);
        sink.write(&credential(1, "first-value")).await.unwrap();
        bench.fault(kind, Effect::DelayEffect { seconds: 60 });
        sink.write(&credential(2, "second-value")).await.unwrap_err();
        let third = sink.write(&credential(3, "third-value")).await.unwrap();
        bench.clock.advance_to(bench.clock.now() + SignedDuration::from_secs(120));
        let now = sink.fingerprint().await.unwrap();
        assert_eq!(now == Some(third.clone()), sink.compares(), "{kind}");
        // Delivered again it is right again.
        assert_eq!(sink.write(&credential(3, "third-value")).await.unwrap(), third, "{kind}");
        assert_eq!(sink.fingerprint().await.unwrap(), Some(third), "{kind}");
    }
}

#[tokio::test]
async fn the_values_of_others_are_left_alone() {
    let bench = Bench::start().await;
    for kind in KINDS {
        let theirs = bench.sink(kind, "theirs", false);
        let print = theirs.write(&credential(9, "their-value")).await.unwrap();
        let ours = bench.sink(kind, "abc123", false);
        for error in [ours.preflight().await.unwrap_err(), ours.write(&credential(10, "our-value")).await.unwrap_err()]
        {
            assert_eq!(code(&error), "foreign-version", "{kind}: {error}");
        }
        assert_eq!(theirs.fingerprint().await.unwrap(), Some(print), "{kind}");
        let writes = bench.writes(kind);
        let taking = bench.sink(kind, "abc123", true);
        taking.preflight().await.unwrap();
        let taken = taking.write(&credential(10, "our-value")).await.unwrap();
        assert_eq!(ours.fingerprint().await.unwrap(), Some(taken), "{kind}");
        assert_eq!(bench.writes(kind), writes + 1, "{kind}");
        assert_eq!(code(&theirs.write(&credential(11, "their-value")).await.unwrap_err()), "foreign-version", "{kind}");
    }
}

#[tokio::test]
async fn a_deleted_name_comes_back_on_request_only() {
    let kind = "azure-key-vault";
    let bench = Bench::start().await;
    let sink = bench.sink(kind, "abc123", false);
    sink.write(&credential(1, "first-value")).await.unwrap();
    let (cloud, tokens) = bench.tenant();
    let site = cloud.at(&format!("https://contoso-apps.vault.localhost:{}", bench.emulator.address().port())).unwrap();
    let gone = http::Request::new(http::Method::DELETE, "/secrets/mail").query("api-version", "7.4");
    site.send(gone.bearer(&tokens.token().await.unwrap()).unwrap()).await.unwrap().accept().unwrap();

    assert_eq!(sink.fingerprint().await.unwrap(), None, "a deleted value is no delivery");
    for error in [sink.preflight().await.unwrap_err(), sink.write(&credential(2, "second-value")).await.unwrap_err()] {
        assert_eq!(code(&error), "soft-deleted", "{error}");
    }
    let sink = bench.sink_with(kind, "abc123", false, true);
    sink.preflight().await.unwrap();
    let print = sink.write(&credential(2, "second-value")).await.unwrap();
    assert_eq!(sink.fingerprint().await.unwrap(), Some(print));
    assert_eq!(bench.writes(kind), 2, "the old version is there again as well");
}
