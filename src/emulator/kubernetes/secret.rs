//! A Secret, and who owns which of its fields.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

/// A field that has an owner: where it stands, and its key.
pub(super) type Field = (String, String);

/// One Secret.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Secret {
    pub(super) created: Timestamp,
    pub(super) kind: String,
    /// Fields by manager and operation (`Apply`, `Update`).
    #[serde(with = "owners")]
    pub(super) managers: BTreeMap<(String, String), BTreeSet<Field>>,
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) revision: u64,
    pub(super) uid: Uuid,
    pub(super) changed: Timestamp,
    /// `data`, `annotations` and `labels` by key.
    pub(super) fields: BTreeMap<String, BTreeMap<String, String>>,
}

impl Secret {
    /// As the API shows it.
    pub(super) fn shown(&self) -> Value {
        let mut metadata = json!({
            "name": self.name, "namespace": self.namespace, "uid": self.uid, "creationTimestamp": second(self.created),
            "resourceVersion": self.revision.to_string(), "managedFields": self.managed(),
        });
        for group in ["annotations", "labels"] {
            if let Some(fields) = self.fields.get(group).filter(|fields| !fields.is_empty()) {
                metadata[group] = json!(fields);
            }
        }
        let data = self.fields.get("data").cloned().unwrap_or_default();
        json!({"kind": "Secret", "apiVersion": "v1", "metadata": metadata, "type": self.kind, "data": data})
    }

    fn managed(&self) -> Vec<Value> {
        let entry = |((manager, operation), fields): (&(String, String), &BTreeSet<Field>)| {
            let mut owned = json!({});
            for (group, key) in fields {
                let key = format!("f:{key}");
                match group.as_str() {
                    "data" => owned["f:data"][key] = json!({}),
                    group => owned["f:metadata"][format!("f:{group}")][key] = json!({}),
                }
            }
            json!({
                "manager": manager, "operation": operation, "apiVersion": "v1", "time": second(self.changed),
                "fieldsType": "FieldsV1", "fieldsV1": owned,
            })
        };
        self.managers.iter().map(entry).collect()
    }
}

fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// JSON has no maps by pairs.
mod owners {
    use std::collections::BTreeMap;
    use std::collections::BTreeSet;

    use serde::Deserialize as _;
    use serde::Deserializer;
    use serde::Serialize as _;
    use serde::Serializer;

    use super::Field;

    type Owners = BTreeMap<(String, String), BTreeSet<Field>>;

    pub(super) fn serialize<S: Serializer>(owners: &Owners, serializer: S) -> Result<S::Ok, S::Error> {
        owners.iter().collect::<Vec<_>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Owners, D::Error> {
        Ok(Vec::<((String, String), BTreeSet<Field>)>::deserialize(deserializer)?.into_iter().collect())
    }
}
