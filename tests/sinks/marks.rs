//! Marks of shared stores: two credentials at one place, values that a policy names no longer, owners of fields, and
//! deleted names.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use everkey::http;
use everkey::http::Method;
use everkey::http::Request;
use everkey::model::ClientId;
use everkey::model::SinkOwner;
use everkey::model::SinkTarget;
use everkey::ports::PortError;
use everkey::ports::Sink;
use everkey::ports::Sinks as _;
use everkey::ports::TokenSource as _;
use everkey::secret::Secret;
use serde_json::Value;
use serde_json::json;

use crate::stores::Bench;
use crate::stores::KINDS;
use crate::stores::code;
use crate::stores::credential;
use crate::support::owner;
use crate::support::target;

const SECRET: &str = "/api/v1/namespaces/mail/secrets/mail";

impl Bench {
    fn open(&self, spec: SinkTarget, owner: &SinkOwner) -> Arc<dyn Sink> {
        self.factory("abc123").open(&target(spec), owner).unwrap()
    }

    /// A person's call to the cluster.
    pub async fn cluster(&self, method: Method, path: &str, query: &[(&str, &str)], body: Option<&Value>) -> Value {
        let token = std::fs::read_to_string(self.file("kubernetes.token")).unwrap();
        let mut request = Request::new(method, path);
        for (key, value) in query {
            request = request.query(key, value);
        }
        if let Some(body) = body {
            let apply = query.iter().any(|(key, _)| *key == "fieldManager");
            let kind = if apply { "application/apply-patch+yaml" } else { "application/json" };
            request = request.json_as(kind, body).unwrap();
        }
        let site = self.tenant().0.at(&self.emulator.url()).unwrap();
        let reply = site.send(request.bearer(&Secret::from_text(token)).unwrap()).await.unwrap();
        reply.accept().unwrap().json().unwrap()
    }

    /// What a place with keys holds under `key`.
    async fn held(&self, kind: &str, key: &str) -> Value {
        if kind == "kubernetes" {
            let text = self.cluster(Method::GET, SECRET, &[], None).await["data"][key].take();
            let Some(text) = text.as_str() else { return Value::Null };
            return String::from_utf8(BASE64_STANDARD.decode(text).unwrap()).unwrap().into();
        }
        let entry = &self.places()["vault"]["secrets"]["team:apps/mail"];
        entry["versions"][entry["current"].to_string()]["data"][key].clone()
    }
}

async fn is_foreign(sink: &dyn Sink, generation: u64) {
    let value = format!("value-{generation}");
    for error in [sink.preflight().await.unwrap_err(), sink.write(&credential(generation, &value)).await.unwrap_err()] {
        assert_eq!(code(&error), "foreign-version", "{}: {error}", sink.place());
    }
}

#[tokio::test]
async fn the_value_of_another_slot_or_application_is_somebody_elses() {
    let bench = Bench::start().await;
    for kind in KINDS {
        let spec = || bench.spec(kind, &["client_secret"]);
        let ours = bench.open(spec(), &owner("primary"));
        let print = ours.write(&credential(5, "first-value")).await.unwrap();
        let other_app =
            SinkOwner { app: Some(ClientId::from("5a0c1d52-0000-4000-8000-00000000abba")), ..owner("primary") };
        for other in [owner("second"), other_app] {
            is_foreign(bench.open(spec(), &other).as_ref(), 6).await;
        }
        assert_eq!(ours.fingerprint().await.unwrap(), Some(print), "{kind}");
        ours.preflight().await.unwrap();
    }
}

#[tokio::test]
async fn credentials_that_share_a_place_keep_their_own_keys() {
    let bench = Bench::start().await;
    for kind in &KINDS[1..] {
        let first = bench.open(bench.spec(kind, &["one"]), &owner("first"));
        let second = bench.open(bench.spec(kind, &["two"]), &owner("second"));
        first.write(&credential(5, "first-value")).await.unwrap();
        second.preflight().await.unwrap();
        let print = second.write(&credential(6, "second-value")).await.unwrap();
        first.preflight().await.unwrap();
        let renewed = first.write(&credential(7, "renewed-value")).await.unwrap();
        assert_eq!(second.fingerprint().await.unwrap(), Some(print.clone()), "{kind}");
        assert_eq!(second.write(&credential(6, "second-value")).await.unwrap(), print, "{kind}");
        assert_eq!(first.fingerprint().await.unwrap(), Some(renewed), "{kind}");
        assert_eq!(bench.held(kind, "one").await, "renewed-value", "{kind}");
        assert_eq!(bench.held(kind, "two").await, "second-value", "{kind}");
    }
}

#[tokio::test]
async fn a_policy_that_names_other_keys_finds_its_own_values_again() {
    let bench = Bench::start().await;
    for kind in &KINDS[1..] {
        let sink = |keys: &[&str]| bench.open(bench.spec(kind, keys), &owner("primary"));
        sink(&["client_secret"]).write(&credential(1, "first-value")).await.unwrap();
        // More keys, fewer, and more again.
        for (generation, keys) in [
            (2, &["client_id", "client_secret"] as &[&str]),
            (3, &["client_secret"]),
            (4, &["client_id", "client_secret"]),
        ] {
            sink(keys).preflight().await.unwrap();
            sink(keys).write(&credential(generation, &format!("value-{generation}"))).await.unwrap();
            assert_eq!(bench.held(kind, "client_secret").await, format!("value-{generation}"), "{kind}");
            let kept = bench.held(kind, "client_id").await;
            assert_eq!(kept, "3f0c1d52-0000-4000-8000-00000000e0e0", "{kind}: what leaves the policy stays");
        }
        // A key that somebody else has filled is theirs.
        let theirs = bench.factory("theirs").open(&target(bench.spec(kind, &["other"])), &owner("primary")).unwrap();
        theirs.write(&credential(1, "their-value")).await.unwrap();
        is_foreign(sink(&["client_secret", "other"]).as_ref(), 5).await;
        assert_eq!(bench.held(kind, "other").await, "their-value", "{kind}");
    }
}

#[tokio::test]
async fn a_field_that_another_manager_owns_as_well_is_told_before() {
    let bench = Bench::start().await;
    let mut spec = bench.spec("kubernetes", &["client_secret"]);
    let sink = bench.open(spec.clone(), &owner("primary"));
    sink.write(&credential(1, "first-value")).await.unwrap();
    // The same value, applied by something else: ours to read, and no longer ours to change.
    let body = json!({
        "metadata": {"name": "mail"}, "type": "Opaque", "data": {"client_secret": BASE64_STANDARD.encode("first-value")},
    });
    bench.cluster(Method::PATCH, SECRET, &[("fieldManager", "gitops")], Some(&body)).await;
    is_foreign(sink.as_ref(), 2).await;
    assert!(sink.preflight().await.unwrap_err().to_string().contains("gitops"));
    assert_eq!(bench.held("kubernetes", "client_secret").await, "first-value");
    let SinkTarget::Kubernetes(taking) = &mut spec else { unreachable!() };
    taking.overwrite_foreign = true;
    let taking = bench.open(spec, &owner("primary"));
    taking.preflight().await.unwrap();
    taking.write(&credential(2, "second-value")).await.unwrap();
    sink.preflight().await.unwrap();
}

#[tokio::test]
async fn what_our_manager_owns_besides_is_never_taken_away() {
    let bench = Bench::start().await;
    let spec = bench.spec("kubernetes", &["client_secret"]);
    let sink = bench.open(spec.clone(), &owner("primary"));
    sink.write(&credential(1, "first-value")).await.unwrap();
    let found = bench.cluster(Method::GET, SECRET, &[], None).await;
    let manager = found["metadata"]["managedFields"][0]["manager"].as_str().unwrap();
    let annotations = &found["metadata"]["annotations"];
    assert!(manager.starts_with("everkey-") && annotations[manager].is_string(), "{annotations}");
    let body = json!({
        "metadata": {"name": "mail", "annotations": annotations}, "type": "Opaque",
        "data": {"client_secret": found["data"]["client_secret"], "other": BASE64_STANDARD.encode("their-value")},
    });
    bench.cluster(Method::PATCH, SECRET, &[("fieldManager", manager)], Some(&body)).await;
    is_foreign(sink.as_ref(), 2).await;
    let SinkTarget::Kubernetes(mut taking) = spec else { unreachable!() };
    taking.overwrite_foreign = true;
    let taking = bench.open(SinkTarget::Kubernetes(taking), &owner("primary"));
    taking.write(&credential(2, "second-value")).await.unwrap();
    assert_eq!(bench.held("kubernetes", "other").await, "their-value");
}

#[tokio::test]
async fn a_deleted_object_of_somebody_else_is_never_brought_back() {
    let bench = Bench::start().await;
    let theirs = bench.factory("theirs").open(&target(bench.spec(KINDS[0], &[])), &owner("primary")).unwrap();
    theirs.write(&credential(1, "their-value")).await.unwrap();
    let (cloud, tokens) = bench.tenant();
    let site = cloud.at(&format!("https://contoso-apps.vault.localhost:{}", bench.emulator.address().port())).unwrap();
    let gone = http::Request::new(Method::DELETE, "/secrets/mail").query("api-version", "7.4");
    site.send(gone.bearer(&tokens.token().await.unwrap()).unwrap()).await.unwrap().accept().unwrap();
    let SinkTarget::AzureKeyVault(mut spec) = bench.spec(KINDS[0], &[]) else { unreachable!() };
    (spec.recover_deleted, spec.overwrite_foreign) = (true, true);
    let ours = bench.open(SinkTarget::AzureKeyVault(spec), &owner("primary"));
    is_foreign(ours.as_ref(), 2).await;
    assert!(matches!(ours.fingerprint().await, Ok(None)), "it is still deleted");
    assert!(matches!(theirs.preflight().await.unwrap_err(), PortError::Refused(_)), "soft-deleted");
}
