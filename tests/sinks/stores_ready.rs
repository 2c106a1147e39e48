//! What stands in the way of a shared store is told before anything is written; tokens are asked for sparingly; an emulated
//! tenant stays on this machine.

use std::sync::Arc;

use everkey::clock::Clock as _;
use everkey::emulator::Effect;
use everkey::emulator::Fault;
use everkey::http::Method;
use everkey::model::SinkTarget;
use everkey::model::VaultAuth;
use everkey::model::VaultKvSpec;
use everkey::ports::PortError;
use everkey::ports::Sinks as _;
use everkey::sinks::Factory;
use everkey::sinks::Remote;
use jiff::SignedDuration;

use crate::stores::Bench;
use crate::stores::KINDS;
use crate::stores::credential;
use crate::stores::status;
use crate::support::owner;
use crate::support::target;

fn kv(bench: &Bench) -> VaultKvSpec {
    let SinkTarget::HashicorpVault(spec) = bench.spec("hashicorp-vault", &["client_secret"]) else { unreachable!() };
    spec
}

fn denied(bench: &Bench, path: &str, count: u32) {
    let fault = Fault { count, effect: status(403, None), method: Some("GET".into()), path_contains: path.to_owned() };
    bench.emulator.inject(fault);
}

#[tokio::test]
async fn only_a_store_with_versions_is_written_to() {
    let bench = Bench::start().await;
    let factory = bench.factory("abc123");
    for (mount, why) in [("kv", "KV version 1"), ("absent", "no handler for route")] {
        let spec = SinkTarget::HashicorpVault(VaultKvSpec { mount: mount.into(), ..kv(&bench) });
        let sink = factory.open(&target(spec), &owner("primary")).unwrap();
        for error in [sink.preflight().await.unwrap_err(), sink.write(&credential(1, "first-value")).await.unwrap_err()]
        {
            assert!(matches!(error, PortError::Missing(_)) && error.to_string().contains(why), "{mount}: {error}");
        }
    }
    assert_eq!(bench.places()["vault"]["plain"], serde_json::json!({}), "nothing is written to version 1");
    // Who may not see the mount reads the configuration; who may see neither writes nothing new.
    let sink = factory.open(&target(SinkTarget::HashicorpVault(kv(&bench))), &owner("primary")).unwrap();
    denied(&bench, "sys/internal", 2);
    sink.preflight().await.unwrap();
    denied(&bench, "secret/config", 1);
    assert!(matches!(sink.preflight().await.unwrap_err(), PortError::Denied(_)));
    sink.write(&credential(1, "first-value")).await.unwrap();
    // What is there shows its version by itself.
    denied(&bench, "sys/internal", 1);
    sink.preflight().await.unwrap();
}

#[tokio::test]
async fn a_namespace_that_is_not_there_is_told_before() {
    let bench = Bench::start().await;
    let spec = bench.spec("kubernetes", &["client_secret"]);
    let sink = bench.factory("abc123").open(&target(spec), &owner("primary")).unwrap();
    sink.preflight().await.unwrap();
    let namespace = "/api/v1/namespaces/mail";
    bench.cluster(Method::DELETE, namespace, &[], None).await;
    // Whoever may not look at the namespace learns it from a write without effect.
    let blind = || {
        bench.emulator.inject(Fault {
            count: 1,
            effect: Effect::Drip { bytes: 4096, interval_ms: 0 },
            method: Some("GET".into()),
            path_contains: "secrets/mail".into(),
        });
        denied(&bench, "namespaces/mail", 1);
    };
    let looks: [&dyn Fn(); 2] = [&|| (), &blind];
    for look in looks {
        look();
        let error = sink.preflight().await.unwrap_err();
        let told = error.to_string();
        assert!(matches!(error, PortError::Missing(_)) && told.contains("namespaces \"mail\" not found"), "{told}");
    }
    bench.cluster(Method::PUT, namespace, &[], None).await;
    blind();
    sink.preflight().await.unwrap();
    assert_eq!(bench.places()["kubernetes"]["secrets"], serde_json::json!({}), "nothing is made by looking");
}

#[tokio::test]
async fn a_token_of_app_role_is_kept_for_half_of_its_lease() {
    let bench = Bench::start().await;
    let factory = bench.factory("abc123");
    let guide: serde_json::Value =
        serde_json::from_slice(&std::fs::read(bench.file("emulator.json")).unwrap()).unwrap();
    let auth = VaultAuth::AppRole {
        role_id: guide["vault"]["role_id"].as_str().unwrap().to_owned(),
        secret_id_file: bench.file("vault.secret-id"),
    };
    let spec = target(SinkTarget::HashicorpVault(VaultKvSpec { auth, ..kv(&bench) }));
    let open = || factory.open(&spec, &owner("primary")).unwrap();
    let tokens = || bench.places()["vault"]["tokens"].as_object().unwrap().len();
    open().preflight().await.unwrap();
    open().write(&credential(1, "first-value")).await.unwrap();
    open().fingerprint().await.unwrap();
    assert_eq!(tokens(), 1);
    // One that was revoked is asked for again, once.
    denied(&bench, "apps/mail", 1);
    open().write(&credential(2, "second-value")).await.unwrap();
    assert_eq!(tokens(), 2);
    denied(&bench, "apps/mail", 2);
    assert!(matches!(open().fingerprint().await.unwrap_err(), PortError::Denied(_)));
    assert_eq!(tokens(), 3);
    bench.clock.advance_to(bench.clock.now() + SignedDuration::from_mins(31));
    open().fingerprint().await.unwrap();
    assert_eq!(tokens(), 4);
}

#[tokio::test]
async fn a_key_vault_of_an_emulated_tenant_is_on_this_machine() {
    let bench = Bench::start().await;
    let (cloud, tokens) = bench.tenant();
    let factory = Factory::new().reaching(Remote {
        clock: Arc::new(bench.clock.clone()),
        cloud,
        instance: Some("abc123".into()),
        loopback_only: true,
        proxy: None,
        vault_suffix: Some("vault.azure.net".into()),
        vault_tokens: Arc::new(tokens),
    });
    let Err(error) = factory.open(&target(bench.spec(KINDS[0], &[])), &owner("primary")) else {
        panic!("an emulated tenant would send a token to another machine")
    };
    assert!(error.to_string().contains("another machine"), "{error}");
}

#[test]
fn a_namespace_is_part_of_the_place() {
    let place = |namespace: Option<&str>| {
        VaultKvSpec {
            address: "https://vault.contoso.example".into(),
            mount: "secret".into(),
            path: "apps/mail".into(),
            values: Vec::new(),
            auth: VaultAuth::Token { token_file: String::new() },
            namespace: namespace.map(str::to_owned),
            ca_file: None,
            overwrite_foreign: false,
        }
        .place()
    };
    assert_eq!(place(None), "https://vault.contoso.example/secret/apps/mail");
    assert_eq!(place(Some("team/")), "https://vault.contoso.example/team/secret/apps/mail");
}
