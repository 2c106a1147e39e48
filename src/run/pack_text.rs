//! The evidence pack as a person reads it: made from the document itself, so that the two cannot differ.

use serde_json::Value;

/// `evidence.md`.
pub(super) fn markdown(json: &Value) -> String {
    let mut text = format!("# Emergency: {}\n\n", words(&json["title"]));
    let mut line = |name: &str, value: String| text.push_str(&format!("- **{name}**: {value}\n"));
    line("Reason", words(&json["reason"]));
    let asked = &json["asked"];
    line("Asked by", format!("{} ({}), {}", words(&asked["by"]), words(&asked["how"]), words(&asked["at"])));
    line(
        "Integration",
        format!("{} ({}), {}", words(&json["integration"]), words(&json["slot"]), words(&json["rotation"])),
    );
    let app = &json["application"];
    line("Application", format!("client {}, tenant {}", words(&app["client_id"]), words(&app["tenant_id"])));
    line("What depends on it", words(&json["impact"]));
    line("Outcome on the day of this document", format!("{}, {}", words(&json["outcome"]), words(&json["made_at"])));
    let new = &json["new"];
    if new.is_object() {
        line("New", format!("{} {}, to {}", words(&new["kind"]), words(&new["key_id"]), words(&new["end"])));
    }
    if json["sign_in_disabled_at"].is_string() {
        line("Sign-in of the application", format!("disabled {}", words(&json["sign_in_disabled_at"])));
    }
    list(&mut text, "Removed", &json["removed"], |one| {
        let seen = match (&one["refused"], &one["not_seen_refused"]) {
            (seen, _) if seen.is_object() => {
                format!(
                    "refused {} times from {} to {}",
                    words(&seen["times"]),
                    words(&seen["first"]),
                    words(&seen["latest"])
                )
            }
            (_, Value::String(why)) => format!("not seen refused: {}", escaped(why)),
            _ => "not yet seen refused".to_owned(),
        };
        format!("{}, removed {}, {seen}", words(&one["key_id"]), words(&one["removed_at"]))
    });
    list(&mut text, "Proof of the new one: sign-ins that Entra accepted", &json["proof"], sign_in);
    list(&mut text, "Refusals of the old ones", &json["refusals"], sign_in);
    list(&mut text, "Delivered", &json["delivered"], |one| {
        let how = if one["read_back"] == true {
            "read back".to_owned()
        } else {
            format!("hand-off {}", words(&one["handoff"]))
        };
        format!("{} {}, {}, {how}", words(&one["to"]), words(&one["place"]), words(&one["at"]))
    });
    list(&mut text, "Hand-offs", &json["handoffs"], |one| {
        let confirmed = &one["confirmed"];
        let state = if confirmed.is_object() {
            format!("confirmed by {}, {}", words(&confirmed["by"]), words(&confirmed["at"]))
        } else {
            "not confirmed".to_owned()
        };
        format!("{} to {}, by {}: {state}", words(&one["id"]), words(&one["recipient"]), words(&one["doer"]))
    });
    list(&mut text, "Not done", &json["not_done"], words);
    for (name, ring) in [("before", &json["ring"]["before"]), ("after", &json["ring"]["after"])] {
        let title = format!("Credentials of the application {name} ({})", words(&ring["at"]));
        list(&mut text, &title, &ring["credentials"], |one| {
            let mark = [&one["thumbprint"], &one["hint"]].into_iter().find(|mark| mark.is_string());
            format!(
                "{} {} {}, {} to {}, {}",
                words(&one["kind"]),
                words(&one["key_id"]),
                mark.map(words).unwrap_or_default(),
                words(&one["start"]),
                words(&one["end"]),
                words(&one["whose"])
            )
        });
    }
    list(&mut text, "Timeline", &json["timeline"], |one| {
        format!("{} {} ({}): {}", words(&one["at"]), words(&one["rotation"]), words(&one["actor"]), words(&one["text"]))
    });
    let history = &json["history"];
    text.push_str(&format!(
        "\n## How to check this\n\nThe entries of the history are in `evidence.json`, with everything that their hashes cover. \
         Their last hash is the anchor:\n\n    everkey history verify --anchor sha256:{}\n\nBy hand, from `previous` ({}): {}\n",
        words(&history["anchor"]),
        words(&history["previous"]),
        words(&history["format"]),
    ));
    text
}

fn sign_in(one: &Value) -> String {
    let code = one["code"].as_str().map(|code| format!("{}, ", escaped(code))).unwrap_or_default();
    let key_id = one["key_id"].as_str().map(|id| format!("{}, ", escaped(id))).unwrap_or_default();
    format!("{}, {key_id}{code}request id {}", words(&one["at"]), words(&one["request_id"]))
}

fn list(text: &mut String, title: &str, items: &Value, line: impl Fn(&Value) -> String) {
    let items = items.as_array().map_or(&[][..], Vec::as_slice);
    text.push_str(&format!("\n## {title}\n\n"));
    if items.is_empty() {
        text.push_str("None.\n");
    }
    for item in items {
        text.push_str(&format!("- {}\n", line(item)));
    }
}

/// A field as text.
fn words(value: &Value) -> String {
    match value {
        Value::Null => "unknown".to_owned(),
        Value::String(text) => escaped(text),
        other => other.to_string(),
    }
}

/// Text of the outside on one line, which no reader of Markdown takes for anything but text.
fn escaped(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut out = String::new();
    for c in text.chars().map(plain) {
        if matches!(c, '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '#' | '|' | '!') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
