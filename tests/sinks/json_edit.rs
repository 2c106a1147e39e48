//! Byte for byte: what the sink `json-file` changes in a text, and what it does not.

use std::fs;

use everkey::model::JsonFileSpec;
use everkey::model::ValueName;
use serde_json::Value;
use serde_json::json;

use crate::support::*;

/// The text after `values` were written to `before`; `Err` is what preflight and write say.
async fn edited(before: &str, values: &[(&str, &str)]) -> Result<String, String> {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("integrations.json");
    fs::write(&path, before).unwrap();
    let names = [ValueName::ClientId, ValueName::Secret, ValueName::TenantId];
    let pairs: Vec<_> = values.iter().zip(names).collect();
    let mut spec: JsonFileSpec = json_spec(&path);
    spec.values = pairs.iter().map(|((pointer, _), name)| ((*pointer).to_owned(), *name)).collect();
    let payload = payload(1, &pairs.iter().map(|((_, value), name)| (*name, *value)).collect::<Vec<_>>());
    let sink = json(spec);
    let (tried, written) = (sink.preflight().await, sink.write(&payload).await);
    let after = fs::read_to_string(&path).unwrap();
    match (tried, written) {
        (Ok(()), Ok(fingerprint)) => {
            assert_eq!(sink.fingerprint().await.unwrap(), Some(fingerprint));
            assert_eq!(names_left(root.path()), [".integrations.json.everkey", "integrations.json"]);
            Ok(after)
        }
        (Err(tried), Err(written)) => {
            assert_eq!(tried.to_string(), written.to_string(), "preflight foretells what a write says");
            assert_eq!(after, before, "a refusal changes nothing");
            Err(written.to_string())
        }
        (tried, written) => panic!("preflight said {tried:?}, write said {written:?}"),
    }
}

fn names_left(directory: &std::path::Path) -> Vec<String> {
    names(directory)
}

const SECRET: &str = "/MS-OfficeMail-365/clientSecret";

#[tokio::test]
async fn everything_but_the_value_stays_as_it_was() {
    for (before, pointer, value, after) in [
        ("{\"a\":1,\"b\":\"x\"}", "/b", "new", "{\"a\":1,\"b\":\"new\"}"),
        (
            "\t{\r\n\t\t\"b\" :\t\"x\" ,\r\n\t\t\"z\":[1 , 2]\r\n\t}\r\n\r\n",
            "/b",
            "new",
            "\t{\r\n\t\t\"b\" :\t\"new\" ,\r\n\t\t\"z\":[1 , 2]\r\n\t}\r\n\r\n",
        ),
        ("{\n  \"b\": null\n}", "/b", "new", "{\n  \"b\": \"new\"\n}"),
        ("{\"b\": 1.50e+3, \"c\": 1.0}", "/b", "new", "{\"b\": \"new\", \"c\": 1.0}"),
        ("{\"b\": false}", "/b", "\u{0}", "{\"b\": \"\\u0000\"}"),
        ("\u{feff}{\"b\": \"x\"}\n", "/b", "new", "\u{feff}{\"b\": \"new\"}\n"),
        (
            "{\"Größe\\u00e9\": {\"日本\": \"x\"}, \"s\": \"\\/\\u0041\"}",
            "/Größeé/日本",
            "é\"\\\n\u{1}",
            "{\"Größe\\u00e9\": {\"日本\": \"é\\\"\\\\\\n\\u0001\"}, \"s\": \"\\/\\u0041\"}",
        ),
        (
            "{\"a/b\": {\"m~n\": \"x\", \"m/n\": \"y\"}}",
            "/a~1b/m~0n",
            "new",
            "{\"a/b\": {\"m~n\": \"new\", \"m/n\": \"y\"}}",
        ),
        ("{\"a\": [{\"b\": \"x\"}, {\"b\": \"y\"}]}", "/a/1/b", "new", "{\"a\": [{\"b\": \"x\"}, {\"b\": \"new\"}]}"),
        ("[\"x\", \"y\"]", "/0", "new", "[\"new\", \"y\"]"),
        ("{\"\": \"x\"}", "/", "new", "{\"\": \"new\"}"),
        ("{\"a\":{\"d\":1,\"d\":2},\"b\":\"x\"}", "/b", "new", "{\"a\":{\"d\":1,\"d\":2},\"b\":\"new\"}"),
        // A backslash before the closing quote, braces and the key's own text inside strings.
        (
            "{\"a\":\"}\\\\\",\"c\":\"\\\"b\\\":\",\"b\":\"x\"}",
            "/b",
            "new",
            "{\"a\":\"}\\\\\",\"c\":\"\\\"b\\\":\",\"b\":\"new\"}",
        ),
        // The same value in another spelling is not touched.
        ("{\"b\": \"a\\/\\u0062\"}", "/b", "a/b", "{\"b\": \"a\\/\\u0062\"}"),
    ] {
        assert_eq!(edited(before, &[(pointer, value)]).await.as_deref(), Ok(after), "{before}");
    }
}

#[tokio::test]
async fn a_missing_key_is_added_in_the_manner_of_the_file() {
    for (before, after) in [
        (
            "{\n    \"MS-OfficeMail-365\": {\n        \"clientId\": \"i\"\n    }\n}\n",
            "{\n    \"MS-OfficeMail-365\": {\n        \"clientId\": \"i\",\n        \"clientSecret\": \"new\"\n    }\n}\n",
        ),
        (
            "{\r\n\t\"MS-OfficeMail-365\" : {\r\n\t\t\"a\" : 1,\r\n\r\n\t\t\"b\" : 2\r\n\t}\r\n}",
            "{\r\n\t\"MS-OfficeMail-365\" : {\r\n\t\t\"a\" : 1,\r\n\r\n\t\t\"b\" : 2,\r\n\r\n\t\t\"clientSecret\" : \"new\"\r\n\t}\r\n}",
        ),
        (
            "{\n  \"x\": [\n    1\n  ],\n  \"MS-OfficeMail-365\": {}\n}\n",
            "{\n  \"x\": [\n    1\n  ],\n  \"MS-OfficeMail-365\": {\n    \"clientSecret\": \"new\"\n  }\n}\n",
        ),
        (
            "{\n  \"MS-OfficeMail-365\": {\n  }\n}\n",
            "{\n  \"MS-OfficeMail-365\": {\n    \"clientSecret\": \"new\"\n  }\n}\n",
        ),
        ("{\"MS-OfficeMail-365\":{}}", "{\"MS-OfficeMail-365\":{\"clientSecret\":\"new\"}}"),
        ("{\"MS-OfficeMail-365\": {\"a\": 1}}", "{\"MS-OfficeMail-365\": {\"a\": 1,\"clientSecret\": \"new\"}}"),
        (
            "{\"MS-OfficeMail-365\": {\"a\": 1, \"b\": {\"clientSecret\": \"inner\"}}}",
            "{\"MS-OfficeMail-365\": {\"a\": 1, \"b\": {\"clientSecret\": \"inner\"}, \"clientSecret\": \"new\"}}",
        ),
    ] {
        assert_eq!(edited(before, &[(SECRET, "new")]).await.as_deref(), Ok(after), "{before}");
    }
    let both = edited("{}", &[("/id", "1"), ("/secret", "2")]).await.unwrap();
    assert_eq!(both, "{\"id\": \"1\",\"secret\": \"2\"}");
}

#[tokio::test]
async fn what_cannot_be_done_without_guessing_is_refused() {
    for (before, pointer, word) in [
        ("{}", SECRET, "there is no object"),
        ("{\"MS-OfficeMail-365\": \"x\"}", SECRET, "is not an object"),
        ("{\"MS-OfficeMail-365\": {\"clientSecret\": {}}}", SECRET, "not replaced by a value"),
        ("{\"MS-OfficeMail-365\": {\"clientSecret\": []}}", SECRET, "not replaced by a value"),
        ("{\"MS-OfficeMail-365\": {\"clientSecret\": \"a\", \"client\\u0053ecret\": \"b\"}}", SECRET, "occurs twice"),
        ("{\"MS-OfficeMail-365\": {}, \"MS-OfficeMail-365\": {\"clientSecret\": \"a\"}}", SECRET, "occurs twice"),
        ("{\"a\": [1]}", "/a/1", "no item"),
        ("{\"a\": [1]}", "/a/-", "no item"),
        ("{\"a\": [1]}", "/a/00", "no item"),
        ("{\"a\": 1,}", "/a", "not valid JSON (line 1"),
        ("{\n// hunter2\n\"a\": 1}", "/a", "not valid JSON (line 2"),
        ("", "/a", "not valid JSON"),
        ("\"x\"", "/a", "is not an object"),
    ] {
        let error = edited(before, &[(pointer, "new")]).await.expect_err(before);
        assert!(error.contains(word) && error.contains("integrations.json"), "{before}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

/// Against serde_json as oracle: after a write, the document is the old one with the value set.
#[tokio::test]
async fn a_thousand_documents_differ_in_the_value_alone() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for round in 0..1000 {
        let mut document = json!({"target": {"clientSecret": "old"}, "before": random.value(3)});
        let object = document.as_object_mut().unwrap();
        object.insert("after".into(), random.value(3));
        if round % 2 == 0 {
            object.insert("target".into(), json!({"other": random.value(2)}));
        }
        let text = if round % 3 == 0 { document.to_string() } else { serde_json::to_string_pretty(&document).unwrap() };
        let value = random.text();
        let after =
            edited(&text, &[("/target/clientSecret", &value)]).await.unwrap_or_else(|why| panic!("{text}: {why}"));

        document["target"]["clientSecret"] = Value::String(value);
        assert_eq!(serde_json::from_str::<Value>(&after).unwrap(), document, "{text}");
        let common = text.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
        let tail = text.bytes().rev().zip(after.bytes().rev()).take_while(|(a, b)| a == b).count();
        assert!(common + tail >= text.len() - "\"old\"".len(), "only the value may differ: {text}\n{after}");
    }
}

/// xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn text(&mut self) -> String {
        const CHARACTERS: [char; 16] =
            ['a', 'Z', '0', '"', '\\', '/', '\n', '\t', '{', '}', '[', ',', ':', 'é', '日', '\u{7f}'];
        let length = 1 + self.below(12);
        (0..length).map(|_| CHARACTERS[usize::try_from(self.below(16)).unwrap()]).collect()
    }

    fn value(&mut self, depth: u64) -> Value {
        match self.below(if depth == 0 { 4 } else { 6 }) {
            0 => Value::Null,
            1 => json!(self.below(1 << 40)),
            2 => json!(self.below(2) == 0),
            3 => Value::String(self.text()),
            4 => (0..self.below(4)).map(|_| self.value(depth - 1)).collect(),
            _ => {
                let length = self.below(4);
                Value::Object((0..length).map(|_| (self.text(), self.value(depth - 1))).collect())
            }
        }
    }
}
