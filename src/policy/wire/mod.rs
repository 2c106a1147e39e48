//! The files as they are written: plain types for serde and for the JSON schema. No rule lives here.

use std::sync::LazyLock;

use serde_json::json;

pub(crate) mod policy;
pub(crate) mod sinks;
pub(crate) mod tool;
pub(crate) mod vaults;

/// The JSON schema of a policy file, draft 2020-12, for editors and for our own checks.
pub fn schema_policy() -> serde_json::Value {
    schema::<policy::PolicyFile>("everkey policy")
}

/// The JSON schema of `everkey.toml`.
pub fn schema_tool() -> serde_json::Value {
    schema::<tool::ToolFile>("everkey.toml")
}

/// [`schema_policy`], made once.
pub(crate) fn policy_schema() -> &'static serde_json::Value {
    static SCHEMA: LazyLock<serde_json::Value> = LazyLock::new(schema_policy);
    &SCHEMA
}

/// [`schema_tool`], made once.
pub(crate) fn tool_schema() -> &'static serde_json::Value {
    static SCHEMA: LazyLock<serde_json::Value> = LazyLock::new(schema_tool);
    &SCHEMA
}

fn schema<T: schemars::JsonSchema>(title: &str) -> serde_json::Value {
    let mut schema = schemars::schema_for!(T).to_value();
    schema["title"] = json!(title);
    drop_null(&mut schema);
    schema
}

/// An optional key is left out, never `null`, which TOML does not know.
fn drop_null(schema: &mut serde_json::Value) {
    match schema {
        serde_json::Value::Object(object) => {
            if object.get("default").is_some_and(serde_json::Value::is_null) {
                object.remove("default");
            }
            if let Some(serde_json::Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".into(), only);
                }
            }
            if let Some(serde_json::Value::Array(options)) = object.get_mut("anyOf") {
                options.retain(|option| option["type"] != "null");
                if let [serde_json::Value::Object(only)] = options.as_slice() {
                    let only = only.clone();
                    object.remove("anyOf");
                    object.extend(only);
                }
            }
            object.values_mut().for_each(drop_null);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(drop_null),
        _ => {}
    }
}

/// Schemas of closed word lists; a test holds that the model accepts each word.
macro_rules! words {
    ($($name:ident: $type:ty = [$($word:literal),* $(,)?];)*) => {
        $(pub(crate) fn $name(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
            schemars::json_schema!({ "type": "string", "enum": [$($word),*] })
        })*

        #[cfg(test)]
        #[test]
        fn the_model_accepts_every_word() {
            $($(serde_json::from_value::<$type>(json!($word)).expect($word);)*)*
        }
    };
}

/// A list of key usages.
pub(crate) fn key_uses(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "array", "items": key_use(generator) })
}

/// A list of extended key usages.
pub(crate) fn purposes(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "array", "items": purpose(generator) })
}

words! {
    audience: crate::model::Audience = ["single", "multi", "multi+personal", "personal"];
    cer_encoding: crate::model::CerEncoding = ["base64", "der"];
    confirm_method: crate::model::ConfirmMethod = ["overlap", "person", "sign-in-report", "token-request"];
    consent: crate::model::Consent = ["grant", "link", "none"];
    keep_private_key: crate::model::KeepPrivateKey = ["until-delivered", "until-replaced"];
    key_use: crate::model::KeyUse = ["content-commitment", "data-encipherment", "digital-signature", "key-agreement", "key-encipherment"];
    name_rule: crate::model::NameRule = ["forbidden", "optional", "required"];
    purpose: crate::model::Purpose = ["client-auth", "server-auth"];
    key_type: crate::model::KeyType = ["ec-p256", "ec-p384", "rsa-2048", "rsa-3072", "rsa-4096"];
    kubernetes_type: crate::model::KubernetesType = ["Opaque", "kubernetes.io/tls"];
    mailbox_method: super::MailboxMethod = ["access-policy", "rbac"];
    mode: super::Mode = ["watch", "alert", "rotate"];
    pfx_profile: crate::model::PfxProfile = ["modern", "legacy-3des"];
    platform: crate::model::Platform = ["web", "spa", "public-client"];
    prove: crate::model::Prove = ["accept-blocked", "required"];
    retire: crate::model::Retire = ["after-overlap", "at-expiry"];
    via: crate::model::HandoffVia = ["command", "page", "key-vault", "cms"];
    auth: tool::AuthWord = ["azure-cli", "certificate", "managed-identity", "secret", "workload-identity"];
    cloud: tool::CloudWord = ["public", "usgov", "usgov-dod", "china", "custom"];
    kind: policy::KindWord = ["certificate", "client-secret"];
    mail_auth: super::MailAuth = ["password", "xoauth2"];
    tls: super::Tls = ["starttls", "implicit"];
    transport: super::Transport = ["smtp", "graph"];
    channel: super::Channel = ["smtp", "graph", "teams", "webhook"];
    write: sinks::WriteWord = ["rename", "in-place"];
    value: crate::model::ValueName = ["tenant_id", "client_id", "secret", "secret_id", "certificate", "private_key",
        "pfx", "pfx_password", "thumbprint", "thumbprint_sha256", "expires"];
}
