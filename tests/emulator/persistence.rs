//! The emulator's directory: what is written, what survives a restart, and that no secret is in the state.

use std::path::Path;

use everkey::emulator::EmulatorError;
use everkey::emulator::MailSettings;
use everkey::emulator::Options;
use everkey::emulator::Tls;
use everkey::emulator::saved;
use serde_json::Value;
use serde_json::json;

use crate::support::Bench;
use crate::support::text;

fn read(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join(name)).unwrap()
}

#[tokio::test]
async fn everything_survives_a_restart_and_no_secret_is_in_the_state() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("emu");
    let start = async || Bench::start_with(|options: &mut Options| options.dir = Some(dir.clone())).await;
    let bench = start().await;
    let (id, client) = bench.app("kept").await;
    let secret = text(
        &bench.graph("POST", &format!("/applications/{id}/addPassword"), Value::Null).await.expect(200)["secretText"],
    );
    let operator = bench.emulator.operator().clone();
    let tenant = bench.emulator.tenant_id();
    let Bench { emulator, clock, .. } = bench;
    clock.advance_to("2026-12-24T18:00:00Z".parse().unwrap());
    emulator.stop().await.unwrap();

    let state = read(&dir, "state.json");
    for secret in [&secret, &operator.client_secret] {
        assert!(!state.contains(secret.as_str()));
    }
    assert!(!state.contains("PRIVATE KEY"));
    assert_eq!(saved(&dir).unwrap().unwrap().clock, "2026-12-24T18:00:00Z".parse().unwrap());

    let bench = start().await;
    assert_eq!(bench.emulator.tenant_id(), tenant);
    assert_eq!(bench.emulator.operator().client_secret, operator.client_secret);
    bench.secret_token(&client, &secret).await.expect(200);
    let state = bench.graph("GET", "/_emulator/state", Value::Null).await.expect(200);
    assert!(state["applications"][&id].is_object());
    assert!(!state.to_string().contains(&secret));
}

#[tokio::test]
async fn the_directory_holds_all_that_a_tool_needs() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("emu");
    let bench = Bench::start_with(|options: &mut Options| {
        options.dir = Some(dir.clone());
        options.policies = "policies".into();
    })
    .await;
    let summary: Value = serde_json::from_str(&read(&dir, "emulator.json")).unwrap();
    assert_eq!((&summary["schema"], &summary["url"]), (&json!("everkey.emulator/v1"), &json!(bench.emulator.url())));
    assert_eq!(summary["tenant_id"], bench.emulator.tenant_id().to_string());
    assert_eq!(read(&dir, "ca.pem"), bench.emulator.ca_pem());
    let operator = &summary["operator"];
    assert_eq!(operator["client_secret"], read(&dir, "operator.secret"));
    bench.secret_token(&text(&operator["client_id"]), &text(&operator["client_secret"])).await.expect(200);
    for name in ["certificate_pem", "certificate_pfx", "pfx_password_file"] {
        assert!(Path::new(&text(&operator[name])).is_absolute());
        assert!(Path::new(&text(&operator[name])).exists(), "{name}");
    }
    let store = std::fs::read(dir.join("operator.pfx")).unwrap();
    let store = p12_keystore::KeyStore::from_pkcs12(
        &store,
        &read(&dir, "operator.pfx.password"),
        p12_keystore::Pkcs12ImportPolicy::Strict,
    )
    .unwrap();
    let (_, chain) = store.private_key_chain().unwrap();
    let pem = pem::parse_many(read(&dir, "operator.pem")).unwrap();
    assert_eq!((chain.key().as_der(), chain.certs()[0].as_der()), (pem[0].contents(), pem[1].contents()));

    let configuration: toml::Table = read(&dir, "everkey.toml").parse().unwrap();
    let tenant = &configuration["tenants"]["emulator"];
    assert_eq!(tenant["graph_url"].as_str(), Some(bench.emulator.url().as_str()));
    assert_eq!(tenant["emulator"].as_bool(), Some(true));
    assert!(Path::new(configuration["policies"].as_str().unwrap()).is_absolute());
    assert_eq!(read(&dir, "seal.key").len(), 64);
    assert!(configuration.get("mail").is_none());

    #[cfg(unix)]
    for name in [
        "operator.secret",
        "operator.pem",
        "operator.pfx",
        "operator.pfx.password",
        "seal.key",
        "emulator.json",
        "state.json",
    ] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(dir.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_mail_server_beside_it_is_named_in_the_configuration() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("emu");
    let tls = Tls::generate().unwrap();
    let bench = Bench::start_with(|options: &mut Options| {
        options.dir = Some(dir.clone());
        options.tls = Some(tls.clone());
        options.mail = Some(MailSettings {
            ca_file: None,
            host: "localhost".to_owned(),
            password: "correct horse".to_owned(),
            port: 2525,
            username: "everkey@contoso.example".to_owned(),
        });
    })
    .await;
    assert_eq!(bench.emulator.ca_pem(), tls.ca_pem(), "one authority for https and mail");
    let configuration: toml::Table = read(&dir, "everkey.toml").parse().unwrap();
    let mail = &configuration["mail"];
    assert_eq!((mail["port"].as_integer(), mail["tls"].as_str()), (Some(2525), Some("starttls")));
    assert_eq!(std::fs::read_to_string(mail["password_file"].as_str().unwrap()).unwrap(), "correct horse");
    assert_eq!(std::fs::read_to_string(mail["ca_file"].as_str().unwrap()).unwrap(), tls.ca_pem());
    assert!(!read(&dir, "everkey.toml").contains("correct horse"));
}

#[tokio::test]
async fn equal_seeds_give_equal_tenants() {
    let tenant = async |seed| {
        let bench = Bench::start_with(|options: &mut Options| options.seed = seed).await;
        let (id, _) = bench.app("seeded").await;
        (bench.emulator.tenant_id(), id, bench.emulator.operator().client_secret.clone())
    };
    assert_eq!(tenant(7).await, tenant(7).await);
    assert_ne!(tenant(7).await.0, tenant(8).await.0);
    assert_ne!(tenant(0).await.2, tenant(0).await.2);
}

#[tokio::test]
async fn only_loopback_addresses_are_listened_on() {
    let clock = everkey::clock::SystemClock;
    let mut options = Options::new(std::sync::Arc::new(clock));
    options.listen = "0.0.0.0:0".parse().unwrap();
    let refused = everkey::emulator::Emulator::start(options).await.unwrap_err();
    assert!(matches!(refused, EmulatorError::NotLoopback { .. }), "{refused}");
}
