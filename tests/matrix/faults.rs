//! The columns: everything that can happen to a call.

use everkey::emulator::Effect;
use serde_json::Value;
use serde_json::json;

/// One column.
#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub effect: Effect,
    /// Only a read timeout ends it.
    pub slow: bool,
    /// Repeating a read helps when it happens once.
    pub passes: bool,
}

fn column(name: impl Into<String>, effect: Value, passes: bool) -> Column {
    let name = name.into();
    let effect = serde_json::from_value(effect).unwrap_or_else(|error| panic!("{name}: {error}"));
    Column { name, effect, slow: false, passes }
}

fn slow(name: &str, effect: Value) -> Column {
    Column { slow: true, ..column(name, effect, true) }
}

/// What can happen to any call. `away` is an address that must never be called.
pub fn everywhere(away: &str) -> Vec<Column> {
    let mut all = Vec::new();
    let answer = |status: u16| json!({"kind": "answer", "status": status});
    let with = |mut effect: Value, name: &str, value: Value| {
        effect[name] = value;
        effect
    };
    for wish in [json!(5), json!(2.5), json!(0), json!(-4), json!(1e30)] {
        let name = format!("429, Retry-After: {wish}");
        all.push(column(name, with(answer(429), "retry_after", wish), true));
    }
    for wish in ["date+30", "date-30", "soon", "99999999999999999999999", "NaN", "Fri, 99 Nov 2026 12:00:00 GMT", ""] {
        let effect = with(answer(429), "retry_after", json!(wish));
        all.push(column(format!("429, Retry-After: {wish:?}"), effect, true));
    }
    all.push(column("429 without Retry-After", answer(429), true));
    for status in [408, 500, 503, 504] {
        all.push(column(format!("{status}"), answer(status), true));
        all.push(column(format!("{status}, applied"), with(answer(status), "applied", json!(true)), true));
    }
    let html = with(answer(502), "body", json!("html"));
    all.push(column("502, HTML", html.clone(), true));
    all.push(column("502, HTML, applied", with(html, "applied", json!(true)), true));
    all.push(column("503, Retry-After: 3", with(answer(503), "retry_after", json!(3)), true));
    let concurrent = with(answer(409), "code", json!("Directory_ConcurrencyViolation"));
    all.push(column("409 concurrency", concurrent.clone(), false));
    all.push(column("409 concurrency, Retry-After: 2", with(concurrent, "retry_after", json!(2)), false));
    for status in [400, 401, 403, 404, 405, 410, 412, 413] {
        all.push(column(format!("{status}"), answer(status), status == 401));
    }
    for (status, body) in
        [(400, "echo"), (403, "html"), (403, "empty"), (400, "deep"), (400, "not-utf8"), (500, "echo")]
    {
        let effect = with(answer(status), "body", json!(body));
        all.push(column(format!("{status}, body {body}"), effect, status == 500));
    }
    all.push(column("reset before", json!({"kind": "reset-before-effect"}), true));
    all.push(column("reset after", json!({"kind": "reset-after-effect"}), true));
    all.push(column("delayed 20 s", json!({"kind": "delay-effect", "seconds": 20}), true));
    all.push(column("cut short of its length", json!({"kind": "truncate"}), true));
    all.push(column("cut in a chunk", json!({"kind": "truncate", "chunked": true}), true));
    for body in ["array", "deep", "echo", "empty", "html", "huge", "not-utf8", "null", "object"] {
        all.push(column(format!("200, body {body}"), json!({"kind": "spoil", "body": body}), true));
    }
    all.push(column("200, wrong content type", json!({"kind": "spoil", "body": "wrong-type"}), true));
    for status in [301, 302, 303, 307, 308] {
        let effect = json!({"kind": "redirect", "status": status, "to": away, "applied": status == 303});
        all.push(column(format!("{status} away"), effect, true));
    }
    all.push(column("307 within", json!({"kind": "redirect", "status": 307, "to": "{base}/v1.0/elsewhere"}), true));
    all.push(column("drops, quick", json!({"kind": "drip", "bytes": 400, "interval_ms": 1}), true));
    all.push(slow("drops, endless", json!({"kind": "drip", "bytes": 1, "interval_ms": 60_000})));
    all.push(slow("silence before", json!({"kind": "stall"})));
    all.push(slow("silence after", json!({"kind": "stall", "applied": true})));
    all
}

/// What can happen to lists. `away` as in [`everywhere`].
pub fn of_lists(away: &str) -> Vec<Column> {
    let trick = |name: &str| column(format!("page {name}"), json!({"kind": "page", "trick": name}), true);
    let link = |to: &str| column(format!("next link {to}"), json!({"kind": "next-link", "to": to}), false);
    vec![
        trick("empty"),
        trick("repeated"),
        trick("doubled"),
        trick("reversed"),
        Column { passes: false, ..trick("last") },
        link(away),
        link("{base}@evil.example/v1.0/x"),
        link("//evil.example/v1.0/x"),
        link("http://127.0.0.1/v1.0/x"),
        link("{base}\\@evil.example/v1.0/x"),
    ]
}
