//! The kinds of credential that are rotated, each a policy of its own.

use std::path::Path;
use std::path::PathBuf;

use everkey::policy;
use everkey::policy::Policy;
use everkey::policy::ToolConfig;
use jiff::SignedDuration;

/// Where the consumer of a secret finds it, below the sinks.
pub const JSON: &str = "srv/app/settings.json";

/// Where the consumer of a certificate finds it, below the sinks.
pub const DIRECTORY: &str = "srv/app/credential";

const TOOL: &str = r#"
version = 1
[tenants.contoso]
tenant_id = "8f0c1d52-0000-4000-8000-0000000031aa"
client_id = "3f0c1d52-0000-4000-8000-00000000e0e0"
auth = "workload-identity"
[ca.lab]
certificate = "ca.pem"
key_file = "ca.key"
"#;

/// What is rotated, and how it reaches its consumer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A client secret in a JSON file.
    Secret,
    /// A certificate in a directory; its successor is added and it is removed by proof (addKey, removeKey).
    AddKey,
    /// A certificate that a local CA signs.
    Ca,
    /// A certificate whose private key is not kept: its successor comes and it leaves by PATCH.
    Patch,
    /// A client secret that a person carries.
    Handoff,
}

impl Kind {
    /// Name of its integration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Secret => "crash-secret",
            Self::AddKey => "crash-add-key",
            Self::Ca => "crash-ca",
            Self::Patch => "crash-patch",
            Self::Handoff => "crash-handoff",
        }
    }

    /// How long a rotation may take when a call of unknown outcome costs it an hour.
    pub fn horizon(self) -> SignedDuration {
        match self {
            Self::Secret | Self::AddKey | Self::Ca | Self::Patch => SignedDuration::from_hours(8),
            // The old one leaves at its own end.
            Self::Handoff => SignedDuration::from_hours(24 * 62),
        }
    }

    /// Its policy file.
    pub fn text(self) -> String {
        format!("{}{}{}", head(self.name()), self.credential(), PEOPLE)
    }

    /// Its policy.
    pub fn policy(self) -> Policy {
        let files = [(PathBuf::from(format!("{}.toml", self.name())), self.text())];
        let read = policy::read_policies(&files, &tool());
        let problems = policy::diagnostics::render(&read.diagnostics, &files, false);
        read.value.into_iter().next().unwrap_or_else(|| panic!("{problems}"))
    }

    fn credential(self) -> String {
        let certificate = |keep: &str| {
            format!(
                r#"
[[credential]]
kind = "certificate"
key = "rsa-2048"
subject = "CN=crash"
lifetime = "365d"
overlap = "2h"
retry_budget = "1d"
keep_private_key = "{keep}"
[[credential.deliver]]
to = "files"
directory = "/{DIRECTORY}"
bundle = {{ name = "app.pem" }}
key = {{ name = "app.key" }}
pem = {{ name = "app.crt" }}
"#
            )
        };
        match self {
            Self::Secret => format!(
                r#"
[[credential]]
kind = "client-secret"
lifetime = "365d"
overlap = "2h"
retry_budget = "1d"
[[credential.deliver]]
to = "json-file"
path = "/{JSON}"
values = {{ "/app/id" = "client_id", "/app/secret" = "secret" }}
{TOKEN_REQUEST}"#
            ),
            Self::AddKey => certificate("until-replaced") + TOKEN_REQUEST,
            Self::Ca => {
                certificate("until-replaced").replace("subject", "issuer = \"ca:lab\"\nsubject") + TOKEN_REQUEST
            }
            Self::Patch => certificate("until-delivered") + TOKEN_REQUEST,
            Self::Handoff => HANDOFF.to_owned(),
        }
    }
}

const TOKEN_REQUEST: &str = "[credential.confirm]\nmethod = \"token-request\"\n";

const HANDOFF: &str = r#"
[[credential]]
kind = "client-secret"
lifetime = "122d"
[[credential.deliver]]
to = "handoff"
doer = "priya.shah@contoso.example"
recipient_name = "Vendor support"
where = "https://support.vendor.example"
via = "command"
lead = "14d"
ticket_text = "Our new client secret is ready."
fields = [
  { label = "Application (client) ID", value = "client_id" },
  { label = "Secret value", value = "secret" },
]
[credential.confirm]
method = "person"
"#;

const PEOPLE: &str = r#"
[people]
owner = "platform@contoso.example"
pm = "priya.shah@contoso.example"
backup = "d.okoro@contoso.example"
vendor = "Vendor support"
"#;

fn head(name: &str) -> String {
    format!(
        r#"
version = 1
name = "{name}"
title = "Crash test"
impact = "The test stops."
mode = "rotate"
[app]
display_name = "Crash test"
audience = "single"
"#
    )
}

pub fn tool() -> ToolConfig {
    let read = policy::read_tool(Path::new("everkey.toml"), TOOL);
    read.value.unwrap_or_else(|| panic!("{:#?}", read.diagnostics))
}
