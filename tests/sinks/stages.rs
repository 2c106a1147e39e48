//! A sink that holds one credential and is given the next: what may be seen of it whatever happens meanwhile.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::*;

/// Makes a stage, writes the second credential to it, and looks at it.
pub trait Stage {
    /// The first credential is delivered.
    async fn prepare(stage: &Path);
    /// The second one is.
    async fn write(stage: &Path);
    /// One of them is there, whole; writing the second one again puts everything in order. Whether it was there.
    async fn check(stage: &Path) -> bool;
}

/// Three files behind a symbolic link.
pub struct Files;

impl Stage for Files {
    async fn prepare(stage: &Path) {
        files(files_spec(&stage.join("credential"))).write(&numbered(1)).await.unwrap();
    }

    async fn write(stage: &Path) {
        files(files_spec(&stage.join("credential"))).write(&numbered(2)).await.unwrap();
    }

    async fn check(stage: &Path) -> bool {
        let read = |name: &str| fs::read_to_string(stage.join("credential").join(name)).unwrap();
        let (certificate, key) = (read("enate.crt"), read("enate.key"));
        assert!(["key 1\n", "key 2\n"].contains(&key.as_str()), "{key:?}");
        assert_eq!(certificate.strip_prefix("certificate "), key.strip_prefix("key "));
        let is_new = key == "key 2\n";

        Self::write(stage).await;
        assert_eq!(read("enate.key"), "key 2\n");
        assert_eq!(names(stage).len(), 3, "leftovers: {:?}", names(stage));
        is_new
    }
}

/// Two values in a JSON file that is others' as well.
pub struct Json;

impl Json {
    async fn deliver(stage: &Path, number: u64) {
        let value = format!("value {number}");
        let sink = json(json_spec(&stage.join("integrations.json")));
        sink.write(&credential(number, &value, &value)).await.unwrap();
    }
}

impl Stage for Json {
    async fn prepare(stage: &Path) {
        fs::write(stage.join("integrations.json"), "{\"MS-OfficeMail-365\": {}, \"theirs\": 1}").unwrap();
        Self::deliver(stage, 1).await;
    }

    async fn write(stage: &Path) {
        Self::deliver(stage, 2).await;
    }

    async fn check(stage: &Path) -> bool {
        let text = || fs::read(stage.join("integrations.json")).unwrap();
        let read = || -> Value { serde_json::from_slice(&text()).expect("a whole file") };
        let found = read();
        assert_eq!(found["theirs"], 1);
        let mail = &found["MS-OfficeMail-365"];
        assert_eq!(mail["clientId"], mail["clientSecret"]);
        let is_new = mail["clientId"] == "value 2";
        assert!(is_new || mail["clientId"] == "value 1");

        Self::write(stage).await;
        assert_eq!(read()["MS-OfficeMail-365"]["clientId"], "value 2");
        assert_eq!(names(stage), [".integrations.json.everkey", "integrations.json"]);
        is_new
    }
}
