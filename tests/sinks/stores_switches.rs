//! What is not known of key vaults: the sink's main path holds either way.

use everkey::clock::Clock as _;
use everkey::clock::SystemClock;
use everkey::emulator::KeyVaultQuirks;
use everkey::emulator::Quirks;
use everkey::http;
use everkey::model::ValueName;
use everkey::ports::PortError;
use everkey::ports::TokenSource as _;
use everkey::secret::Secret;
use jiff::SignedDuration;

use crate::stores::Bench;
use crate::stores::credential;

/// What is not known of key vaults, either way: the default, and every switch turned.
#[tokio::test]
async fn the_main_path_holds_under_each_switch_of_key_vaults() {
    let kind = "azure-key-vault";
    let usual = KeyVaultQuirks::default;
    let switched = [
        ("", usual()),
        ("access_policies", KeyVaultQuirks { access_policies: true, ..usual() }),
        ("refuses_outdated", KeyVaultQuirks { refuses_outdated: true, ..usual() }),
        // No more than everkey writes.
        ("tags", KeyVaultQuirks { tags: 4, ..usual() }),
        ("transition", KeyVaultQuirks { transition: SignedDuration::from_secs(5), ..usual() }),
    ];
    let serde_json::Value::Object(known) = serde_json::to_value(usual()).unwrap() else { panic!("no object") };
    let mut named: Vec<&str> = known.keys().map(String::as_str).collect();
    named.sort_unstable();
    assert_eq!(switched.iter().skip(1).map(|(name, _)| *name).collect::<Vec<_>>(), named);
    for (name, key_vault) in switched {
        let mut bench = Bench::start().await;
        bench.emulator.set_quirks(Quirks { key_vault, ..Quirks::default() });
        let sink = bench.sink_with(kind, "abc123", false, true);
        sink.preflight().await.unwrap();
        let first = sink.write(&credential(1, "first-value")).await.unwrap();
        assert_eq!(sink.write(&credential(1, "first-value")).await.unwrap(), first, "{name}");
        assert_eq!((sink.fingerprint().await.unwrap(), bench.writes(kind)), (Some(first), 1), "{name}");

        // Deleted by somebody: while it is on its way, a conflict at most; then it is recovered and written.
        let (cloud, tokens) = bench.tenant();
        let port = bench.emulator.address().port();
        let site = cloud.at(&format!("https://contoso-apps.vault.localhost:{port}")).unwrap();
        let gone = http::Request::new(http::Method::DELETE, "/secrets/mail").query("api-version", "7.4");
        site.send(gone.bearer(&tokens.token().await.unwrap()).unwrap()).await.unwrap().accept().unwrap();
        if name == "transition" {
            let error = sink.write(&credential(2, "second-value")).await.unwrap_err();
            assert!(matches!(error, PortError::Conflict(_)), "{error}");
            bench.clock.advance_to(bench.clock.now() + SignedDuration::from_secs(10));
        }
        let clock = bench.clock.clone();
        let hands = tokio::spawn(async move {
            loop {
                SystemClock.sleep_until(SystemClock.now() + SignedDuration::from_millis(20)).await;
                clock.advance_to(clock.now() + SignedDuration::from_secs(1));
            }
        });
        let second = sink.write(&credential(2, "second-value")).await;
        hands.abort();
        assert_eq!(sink.fingerprint().await.unwrap(), Some(second.unwrap()), "{name}");
        assert_eq!(bench.writes(kind), 2, "{name}");

        // After an outage the version is past its end; it is replaced all the same, unless it is somebody else's.
        bench.clock.advance_to("2027-06-01T09:00:00Z".parse().unwrap());
        sink.preflight().await.unwrap();
        for error in [
            bench.sink(kind, "theirs", false).preflight().await.unwrap_err(),
            sink.write(&credential(1, "older-value")).await.unwrap_err(),
        ] {
            assert!(matches!(error, PortError::Conflict(_)), "{name}: {error}");
        }
        let mut fresh = credential(3, "third-value");
        fresh.values.insert(ValueName::Expires, Secret::from_text("2027-12-01T09:00:00Z".to_owned()));
        let third = sink.write(&fresh).await.unwrap();
        assert_eq!((sink.fingerprint().await.unwrap(), bench.writes(kind)), (Some(third), 3), "{name}");

        // Who may not is told so, in both words for it.
        bench.caller = stranger(&bench);
        let error = bench.sink(kind, "abc123", false).preflight().await.unwrap_err();
        assert!(matches!(error, PortError::Denied(_)), "{name}: {error}");
    }
}

/// An application without rights in any vault.
fn stranger(bench: &Bench) -> (String, String) {
    bench.emulator.with_directory(|directory, now| {
        let written = serde_json::from_value(serde_json::json!({"displayName": "stranger"})).unwrap();
        let id = directory.create_application(written, None, Quirks::default().key_conduct(), now).unwrap();
        let client = directory.application(id).unwrap().app_id;
        directory.create_principal(client, None, now).unwrap();
        let new = serde_json::from_value(serde_json::json!({})).unwrap();
        (client.to_string(), directory.add_password(id, new, now).unwrap().1)
    })
}
