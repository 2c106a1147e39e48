//! Query options of collections: what anybody may ask, what needs `ConsistencyLevel: eventual`, pages in any order; and
//! the headers of every answer.

use serde_json::Value;
use serde_json::json;

use crate::support::Answer;
use crate::support::Bench;
use crate::support::text;

async fn ask(bench: &Bench, eventual: bool, query: &str) -> Answer {
    let request = bench.request(&bench.token, "GET", &format!("/applications{query}"), Value::Null);
    bench.send(if eventual { request.header("ConsistencyLevel", "eventual") } else { request }).await
}

fn names(body: &Value) -> Vec<&str> {
    body["value"].as_array().unwrap().iter().map(|one| one["displayName"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn advanced_queries_work_with_the_header_and_the_count_and_are_refused_without() {
    let bench = Bench::start().await;
    for name in ["Alpha sync", "beta sync", "Gamma export"] {
        bench.app(name).await;
        bench.advance(600);
    }
    for (query, expected) in [
        (
            "?$filter=displayName ne 'everkey'&$orderby=displayName&$count=true",
            vec!["Alpha sync", "beta sync", "Gamma export"],
        ),
        (
            "?$filter=not startswith(displayName,'everkey')&$orderby=displayName desc&$count=true",
            vec!["Gamma export", "beta sync", "Alpha sync"],
        ),
        (
            "?$filter=endswith(displayName,'SYNC')&$orderby=createdDateTime desc&$count=true",
            vec!["beta sync", "Alpha sync"],
        ),
        ("?$filter=owners/$count eq 0 and displayName ne 'x'&$count=true", vec!["everkey"]),
    ] {
        let body = ask(&bench, true, query).await.expect(200);
        assert_eq!(names(&body), expected, "{query}");
        assert_eq!(body["@odata.count"], json!(expected.len()), "{query}");
        for (eventual, query) in [(false, query.to_owned()), (true, query.replace("&$count=true", ""))] {
            let refused = ask(&bench, eventual, &query).await;
            assert_eq!(refused.failure(), (400, "Request_UnsupportedQuery".to_owned()), "{query}");
        }
    }
    let body = ask(&bench, true, "?$search=\"displayName:sync\" OR \"displayName:gam\"&$orderby=displayName").await;
    assert_eq!(names(&body.expect(200)), ["Alpha sync", "beta sync", "Gamma export"]);
    assert_eq!(ask(&bench, false, "?$search=\"displayName:sync\"").await.failure().1, "Request_UnsupportedQuery");
    // Order alone, dates and `in` are for anybody.
    let body = ask(&bench, false, "?$orderby=displayName&$select=displayName").await.expect(200);
    assert_eq!(names(&body), ["Alpha sync", "beta sync", "everkey", "Gamma export"]);
    let body = ask(
        &bench,
        false,
        "?$filter=createdDateTime ge 2026-11-20T09:10:00Z and displayName in ('beta sync','everkey')",
    );
    assert_eq!(names(&body.await.expect(200)), ["beta sync"]);
    let count = ask(&bench, true, "/$count?$filter=endswith(displayName,'sync')").await.expect(200);
    assert_eq!(count, json!(2));
    for nonsense in [
        "?$top=0",
        "?$top=1000",
        "?$orderby=appId",
        "?$skip=1",
        "?$search=x",
        "?$filter=passwordCredentials/any(p:p eq 'x')",
    ] {
        assert_eq!(ask(&bench, true, nonsense).await.status, 400, "{nonsense}");
    }
}

#[tokio::test]
async fn pages_in_an_order_show_each_object_once() {
    let bench = Bench::start().await;
    bench.graph("POST", "/_emulator/seed", json!({"fill": 25})).await.expect(200);
    let mut seen = Vec::new();
    let mut next = "/applications?$orderby=displayName desc&$top=10".to_owned();
    while !next.is_empty() {
        let body = bench.graph("GET", &next, Value::Null).await.expect(200);
        seen.extend(names(&body).into_iter().map(str::to_owned));
        next = body["@odata.nextLink"].as_str().unwrap_or_default().to_owned();
    }
    let expected: Vec<String> =
        (1..=25).rev().map(|number| format!("filler-{number:04}")).chain(["everkey".to_owned()]).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn every_answer_carries_what_a_support_case_asks_for() {
    let bench = Bench::start().await;
    let id = "11111111-2222-4333-8444-555555555555";
    for path in ["/applications?$top=1".to_owned(), format!("/applications/{id}")] {
        let request = bench.request(&bench.token, "GET", &path, Value::Null).header("client-request-id", id);
        let answer = bench.send(request).await;
        let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
        assert_eq!((header("client-request-id").as_str(), header("odata-version").as_str()), (id, "4.0"));
        assert!(header("x-ms-ags-diagnostic").starts_with(r#"{"ServerInfo":"#));
        assert!(header("content-type").starts_with("application/json;odata.metadata=minimal"), "{path}");
        assert_eq!(header("request-id").len(), 36);
        if answer.status == 404 {
            assert_eq!(answer.body["error"]["innerError"]["request-id"], header("request-id"));
        }
    }
}

#[tokio::test]
async fn a_delta_round_may_begin_with_an_empty_page_and_may_name_its_objects() {
    let bench = Bench::start().await;
    let (id, _) = bench.app("followed").await;
    let (other, _) = bench.app("not followed").await;
    let mut quirks = bench.graph("GET", "/_emulator/quirks", Value::Null).await.expect(200);
    quirks["delta_empty_page"] = json!(true);
    bench.graph("POST", "/_emulator/quirks", quirks).await.expect(204);
    let filter = format!("/applications/delta?$select=displayName&$filter=id eq '{id}'");
    let empty = bench.graph("GET", &filter, Value::Null).await.expect(200);
    assert_eq!(empty["value"], json!([]));
    let full = bench.graph("GET", &text(&empty["@odata.nextLink"]), Value::Null).await.expect(200);
    assert_eq!(full["value"], json!([{"id": id, "displayName": "followed"}]));
    for one in [&id, &other] {
        bench.graph("PATCH", &format!("/applications/{one}"), json!({"displayName": "changed"})).await.expect(204);
    }
    let round = bench.graph("GET", &text(&full["@odata.deltaLink"]), Value::Null).await.expect(200);
    let round = bench.graph("GET", &text(&round["@odata.nextLink"]), Value::Null).await.expect(200);
    assert_eq!(round["value"], json!([{"id": id, "displayName": "changed"}]));
    let refused = bench.graph("GET", "/applications/delta?$filter=displayName eq 'x'", Value::Null).await;
    assert_eq!(refused.failure(), (400, "Request_UnsupportedQuery".to_owned()));
    let latest = bench.graph("GET", "/applications/microsoft.graph.delta()?$deltatoken=latest", Value::Null).await;
    assert!(latest.expect(200)["@odata.deltaLink"].is_string());
}
