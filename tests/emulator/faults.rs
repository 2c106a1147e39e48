//! Faults on request: each effect on the wire, as a client without everkey's code sees it; plans, chances and the log.

use everkey::emulator::FaultPlan;
use serde_json::Value;
use serde_json::json;

use crate::support::Bench;
use crate::support::text;

async fn inject(bench: &Bench, rule: Value) {
    bench.graph("POST", "/_emulator/faults", rule).await.expect(204);
}

fn secrets(bench: &Bench, id: &str) -> usize {
    let id = id.parse().unwrap();
    bench.emulator.with_directory(|directory, _| directory.application(id).unwrap().credentials.passwords.len())
}

#[tokio::test]
async fn an_answer_is_given_with_or_without_the_effect() {
    let bench = Bench::start().await;
    let (id, _) = bench.app("answer").await;
    let add = format!("/applications/{id}/addPassword");
    for (wish, header) in [
        (json!(7), "7"),
        (json!(2.5), "2.5"),
        (json!("soon"), "soon"),
        (json!("date+30"), "Fri, 20 Nov 2026 09:00:30 GMT"),
    ] {
        let effect = json!({"kind": "answer", "status": 429, "retry_after": wish, "code": "TooManyRequests"});
        inject(&bench, json!({"path_contains": "addPassword", "effect": effect})).await;
        let answer = bench.graph("POST", &add, Value::Null).await;
        assert_eq!(answer.failure(), (429, "TooManyRequests".to_owned()));
        assert_eq!(answer.headers["retry-after"], header);
        assert!(answer.headers.contains_key("request-id"));
    }
    assert_eq!(secrets(&bench, &id), 0);
    inject(&bench, json!({"effect": {"kind": "answer", "status": 502, "applied": true, "body": "html"}})).await;
    let answer = bench.graph("POST", &add, Value::Null).await;
    assert_eq!((answer.status, answer.headers["content-type"].to_str().unwrap()), (502, "text/html"));
    assert_eq!(secrets(&bench, &id), 1);
    inject(&bench, json!({"effect": {"kind": "redirect", "status": 307, "to": "{base}/v1.0/elsewhere"}})).await;
    let answer = bench.graph("GET", &format!("/applications/{id}"), Value::Null).await;
    assert_eq!(answer.status, 400, "reqwest follows: {}", answer.body);
}

#[tokio::test]
async fn bodies_break_off_or_are_others() {
    let bench = Bench::start().await;
    let (id, _) = bench.app("bodies").await;
    let add = format!("/applications/{id}/addPassword");
    for chunked in [false, true] {
        inject(&bench, json!({"path_contains": "addPassword", "effect": {"kind": "truncate", "chunked": chunked}}))
            .await;
        let cut = bench.request(&bench.token, "POST", &add, Value::Null).send().await.unwrap();
        assert_eq!((cut.status(), cut.headers().contains_key("content-length")), (200.try_into().unwrap(), !chunked));
        cut.bytes().await.unwrap_err();
    }
    assert_eq!(secrets(&bench, &id), 2, "both took effect");
    let body = async |body: &str| {
        inject(&bench, json!({"path_contains": "addPassword", "effect": {"kind": "spoil", "body": body}})).await;
        let answer = bench.request(&bench.token, "POST", &add, Value::Null).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (kind, answer.bytes().await.unwrap())
    };
    assert_eq!(body("empty").await.1, "");
    assert_eq!(body("null").await.1, "null");
    assert_eq!(body("object").await.1, "{}");
    assert_eq!(body("array").await.1, "[]");
    assert_eq!(body("html").await.0, "text/html");
    assert!(std::str::from_utf8(&body("not-utf8").await.1).is_err());
    assert_eq!(body("deep").await.1.len(), 200_000);
    assert_eq!(body("huge").await.1.len(), 40 << 20);
    let (kind, right) = body("wrong-type").await;
    assert_eq!(kind, "text/html");
    assert!(serde_json::from_slice::<Value>(&right).unwrap()["secretText"].is_string());
    let echo = body("echo").await.1;
    assert!(std::str::from_utf8(&echo).unwrap().contains(&bench.token));
    inject(&bench, json!({"effect": {"kind": "drip", "bytes": 100, "interval_ms": 1}})).await;
    bench.graph("GET", &format!("/applications/{id}"), Value::Null).await.expect(200);
    inject(&bench, json!({"path_contains": "addPassword", "effect": {"kind": "stall", "applied": true}})).await;
    let before = secrets(&bench, &id);
    let stalled = bench.request(&bench.token, "POST", &add, Value::Null);
    assert!(stalled.timeout(std::time::Duration::from_millis(200)).send().await.unwrap_err().is_timeout());
    assert_eq!(secrets(&bench, &id), before + 1);
}

#[tokio::test]
async fn pages_come_twice_or_not_at_all_or_lead_away() {
    let bench = Bench::start().await;
    for name in ["a", "b", "c"] {
        bench.app(name).await;
    }
    let list = "/applications?$top=2&$select=id";
    let page = async |effect: Value| {
        inject(&bench, json!({"method": "GET", "path_contains": "/applications", "effect": effect})).await;
        bench.graph("GET", list, Value::Null).await.expect(200)
    };
    let ids = |page: &Value| page["value"].as_array().unwrap().iter().map(|one| text(&one["id"])).collect::<Vec<_>>();
    let plain = bench.graph("GET", list, Value::Null).await.expect(200);
    let (first, next) = (ids(&plain), text(&plain["@odata.nextLink"]));
    let trick = |trick: &str| json!({"kind": "page", "trick": trick});
    let away = page(json!({"kind": "next-link", "to": "https://evil.example/x"})).await;
    assert_eq!(away["@odata.nextLink"], "https://evil.example/x");
    assert!(page(trick("last")).await["@odata.nextLink"].is_null());
    let repeated = page(trick("repeated")).await;
    assert_eq!(ids(&repeated), first);
    let again = bench.graph("GET", &text(&repeated["@odata.nextLink"]), Value::Null).await.expect(200);
    assert_eq!((ids(&again), text(&again["@odata.nextLink"])), (first.clone(), next), "the same page, then the next");
    let empty = page(trick("empty")).await;
    assert!(ids(&empty).is_empty() && empty["@odata.nextLink"].is_string());
    assert_eq!(ids(&page(trick("doubled")).await).len(), 2 * first.len());
    assert_eq!(ids(&page(trick("reversed")).await), first.iter().rev().cloned().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_plan_is_followed_again_and_the_log_tells_it_without_secrets() {
    let bench = Bench::start().await;
    let (id, _) = bench.app("plan").await;
    let operator = bench.emulator.operator().client_id;
    let plan = json!({"seed": 11, "quirks": {"token_lag": "PT0S"}, "fault": [
        {"name": "now and then", "chance": 0.5, "count": 100, "caller": operator, "method": "GET",
            "effect": {"kind": "answer", "status": 503}},
    ]});
    let mut runs = Vec::new();
    for _ in 0..2 {
        bench.graph("PUT", "/_emulator/faults", plan.clone()).await.expect(204);
        bench.graph("DELETE", "/_emulator/log", Value::Null).await.expect(204);
        for _ in 0..20 {
            bench.graph("GET", &format!("/applications/{id}?$select=id"), Value::Null).await;
        }
        bench.operator_token().await;
        let log = bench.graph("GET", "/_emulator/log", Value::Null).await.expect(200);
        let log = log.as_array().unwrap().clone();
        assert_eq!(log.len(), 21);
        assert_eq!(log[0]["caller"], json!(operator));
        assert_eq!((&log[20]["method"], &log[20]["caller"]), (&json!("POST"), &json!(operator)));
        assert_eq!(log[0]["options"], json!([["$select", "id"]]));
        let text = Value::from(log.clone()).to_string();
        assert!(!text.contains(&bench.token) && !text.contains(&bench.emulator.operator().client_secret));
        runs.push(log.iter().map(|one| (one["status"].clone(), one["fault"].clone())).collect::<Vec<_>>());
    }
    assert_eq!(runs[0], runs[1]);
    let hit = runs[0].iter().filter(|(status, fault)| *status == 503 && *fault == "now and then").count();
    assert!((4..=16).contains(&hit), "about half of twenty: {hit}");
    let waiting = bench.graph("GET", "/_emulator/faults", Value::Null).await.expect(200);
    assert_eq!((&waiting["seed"], &waiting["waiting"][0]["hits"]), (&json!(11), &json!(hit)));

    for nonsense in [
        json!({"fault": [{"effect": {"kind": "stall"}}, {"count": 0, "effect": {"kind": "stall"}}]}),
        json!({"fault": [{"effect": {"kind": "no-such"}}]}),
        json!({"faults": []}),
    ] {
        bench.graph("PUT", "/_emulator/faults", nonsense).await.expect(400);
    }
    let waiting = bench.graph("GET", "/_emulator/faults", Value::Null).await.expect(200);
    assert_eq!(waiting["waiting"].as_array().unwrap().len(), 1, "nothing of a bad plan is followed");
}

#[test]
fn files_of_faults_are_read_or_refused_with_a_place() {
    let dir = tempfile::tempdir().unwrap();
    let read = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        FaultPlan::read(&path).map_err(|error| error.to_string())
    };
    let toml = "seed = 3\n[quirks]\nread_lag = \"20s\"\n[[fault]]\nmethod = \"POST\"\npath_contains = \"/addPassword\"\n\
                nth = 2\neffect = { kind = \"answer\", status = 429, retry_after = \"date-30\" }\n";
    let plan = read("good.toml", toml).unwrap();
    assert_eq!((plan.seed, plan.faults[0].nth, plan.quirks.as_ref().unwrap().read_lag.as_secs()), (3, 2, 20));
    let same = read("good.json", &serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(same.faults, plan.faults);
    for (name, text, why) in [
        ("a.toml", "seed = 3\n[[fault]]\nefect = 1\n", "a.toml:3: unknown field `efect`"),
        ("b.toml", "seed =\n", "b.toml:1: "),
        ("c.toml", "[[fault]]\neffect = { kind = \"explode\" }\n", "unknown variant `explode`"),
        ("d.json", "{\n\"fault\": [{}]}", "d.json:2: missing field `effect`"),
        ("e.toml", "[[fault]]\ncount = 0\neffect = { kind = \"stall\" }\n", "fault 1: count is 0"),
        ("f.toml", "[[fault]]\nnth = 0\neffect = { kind = \"stall\" }\n", "fault 1: nth is 0"),
        ("g.toml", "[[fault]]\nchance = 1.5\neffect = { kind = \"stall\" }\n", "fault 1: chance is 1.5"),
        ("h.toml", "[[fault]]\nmethod = \"FETCH\"\neffect = { kind = \"stall\" }\n", "fault 1: method is \"FETCH\""),
        ("i.toml", "[[fault]]\neffect = { kind = \"answer\", status = 42 }\n", "fault 1: 42 is no status"),
        (
            "j.toml",
            "[[fault]]\neffect = { kind = \"redirect\", status = 200, to = \"x\" }\n",
            "fault 1: a redirect by 200",
        ),
        ("k.toml", "[[fault]]\neffect = { kind = \"drip\", bytes = 0, interval_ms = 1 }\n", "fault 1: drip with 0"),
        (
            "l.toml",
            "[[fault]]\neffect = { kind = \"answer\", status = 200, headers = { \"a b\" = \"\" } }\n",
            "is no header",
        ),
    ] {
        let refused = read(name, text).unwrap_err();
        assert!(refused.contains(why), "{name}: {refused}");
    }
    let page = include_str!("../../docs/reference/emulator.md");
    let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert_eq!(read("example.toml", example).unwrap().faults.len(), 2, "the example of the reference");
    assert!(FaultPlan::read(&dir.path().join("none.toml")).unwrap_err().to_string().starts_with("cannot read"));
}
