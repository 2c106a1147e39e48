//! A tenant with many applications: the same for the same seed, whole over its pages, kept over a restart.

use std::collections::BTreeSet;

use everkey::emulator::Options;
use serde_json::Value;

use crate::support::Bench;

#[tokio::test]
async fn a_seeded_crowd_repeats_and_survives() {
    let scratch = tempfile::tempdir().unwrap();
    let start = async |name: &str, seed: u64| {
        let dir = scratch.path().join(name);
        Bench::start_with(|options: &mut Options| {
            (options.dir, options.seed, options.seed_apps) = (Some(dir), seed, 1500);
        })
        .await
    };
    // What is random at every start: the operator's certificate, and what was made with it.
    let applications = async |bench: &Bench| {
        let mut state = bench.graph("GET", "/_emulator/state", Value::Null).await.expect(200);
        let operator = bench.emulator.operator().application_id.to_string();
        state["applications"].as_object_mut().unwrap().remove(&operator);
        (state["applications"].clone(), state["principals"].clone(), state["users"].clone())
    };
    let (first, second) = (start("first", 7).await, start("second", 7).await);
    let crowd = applications(&first).await;
    assert_eq!(crowd, applications(&second).await);
    assert_ne!(crowd, applications(&start("third", 8).await).await);

    let now = first.now().to_string();
    let all: Vec<&Value> = crowd.0.as_object().unwrap().values().collect();
    let secrets: Vec<&Value> = all.iter().flat_map(|one| one["credentials"]["passwords"].as_array().unwrap()).collect();
    let expired = secrets.iter().filter(|one| one["end"].as_str().unwrap() < now.as_str()).count();
    assert!(expired > 200 && secrets.len() - expired > 500, "{expired} of {}", secrets.len());
    assert!(all.iter().filter(|one| one["owners"].as_array().unwrap().is_empty()).count() > 300);
    assert!(crowd.1.to_string().matches("X509CertAndPassword").count() > 50);

    let mut seen = BTreeSet::new();
    let mut next = "/applications?$top=999&$select=id".to_owned();
    while !next.is_empty() {
        let body = first.graph("GET", &next, Value::Null).await.expect(200);
        for one in body["value"].as_array().unwrap() {
            assert!(seen.insert(one["id"].to_string()), "twice: {one}");
        }
        next = body["@odata.nextLink"].as_str().unwrap_or_default().to_owned();
    }
    assert_eq!(seen.len(), 1501);

    first.emulator.stop().await.unwrap();
    let again = start("first", 7).await;
    assert_eq!(crowd, applications(&again).await, "loaded, not sown again");
    // Looked up by client id, which is found through an index that no file holds.
    let app_id = all[0]["appId"].as_str().unwrap();
    again.graph("GET", &format!("/applications(appId='{app_id}')"), Value::Null).await.expect(200);
}
