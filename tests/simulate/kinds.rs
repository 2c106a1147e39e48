//! The kinds of integration that are simulated, each under a policy as a user would write it.

use std::path::Path;
use std::path::PathBuf;
use std::sync::OnceLock;

use everkey::policy;
use everkey::policy::Policy;

const TOOL: &str = r#"
version = 1
[tenants.contoso]
tenant_id = "8f0c1d52-0000-4000-8000-0000000031aa"
client_id = "3f0c1d52-0000-4000-8000-00000000e0e0"
auth = "workload-identity"
"#;

/// What is rotated, and how it reaches its consumer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A client secret in a sink that compares.
    Secret,
    /// In a sink that cannot compare.
    Plain,
    /// In one of each.
    Two,
    /// Carried by a person; the old one leaves at its own end.
    Handoff,
    /// Carried by a person; the old one leaves after the overlap.
    Overlap,
    /// Carried by a person, and in a machine's sink.
    Mixed,
    /// Carried by a person; the sign-in report confirms.
    Report,
    /// A secret on an application that may have two.
    Capped,
    /// A certificate, by addKey and removeKey.
    AddKey,
    /// A certificate, by PATCH.
    Patch,
}

impl Kind {
    pub const ALL: [Self; 10] = [
        Self::Secret,
        Self::Plain,
        Self::Two,
        Self::Handoff,
        Self::Overlap,
        Self::Mixed,
        Self::Report,
        Self::Capped,
        Self::AddKey,
        Self::Patch,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Plain => "plain",
            Self::Two => "two",
            Self::Handoff => "handoff",
            Self::Overlap => "overlap",
            Self::Mixed => "mixed",
            Self::Report => "report",
            Self::Capped => "capped",
            Self::AddKey => "add-key",
            Self::Patch => "patch",
        }
    }

    pub fn is_certificate(self) -> bool {
        matches!(self, Self::AddKey | Self::Patch)
    }

    /// Its policy; read once.
    pub fn policy(self) -> &'static Policy {
        static READ: OnceLock<Vec<Policy>> = OnceLock::new();
        &READ.get_or_init(|| Self::ALL.into_iter().map(Self::read).collect())[self as usize]
    }

    fn read(self) -> Policy {
        let tool = policy::read_tool(Path::new("everkey.toml"), TOOL);
        let tool = tool.value.unwrap_or_else(|| panic!("{:#?}", tool.diagnostics));
        let text = format!("{}{}{}", self.head(), self.credential(), PEOPLE);
        let files = [(PathBuf::from(format!("{}.toml", self.name())), text)];
        let read = policy::read_policies(&files, &tool);
        let problems = policy::diagnostics::render(&read.diagnostics, &files, false);
        read.value.into_iter().next().unwrap_or_else(|| panic!("{problems}"))
    }

    fn head(self) -> String {
        let audience = if self == Self::Capped { "multi+personal" } else { "single" };
        format!(
            "version = 1\nname = \"{}\"\ntitle = \"Simulated\"\nimpact = \"The test stops.\"\nmode = \"rotate\"\n\
             [app]\ndisplay_name = \"Simulated\"\naudience = \"{audience}\"\n",
            self.name()
        )
    }

    fn credential(self) -> String {
        let machine = "lifetime = \"365d\"\noverlap = \"2h\"\nretry_budget = \"1d\"\n";
        let json = |path: &str| {
            format!(
                "[[credential.deliver]]\nto = \"json-file\"\npath = \"/srv/{path}.json\"\n\
                 values = {{ \"/secret\" = \"secret\" }}\n"
            )
        };
        let secret = "[[credential]]\nkind = \"client-secret\"\n";
        let token = "[credential.confirm]\nmethod = \"token-request\"\n";
        let person = "[credential.confirm]\nmethod = \"person\"\n";
        let report = "[credential.confirm]\nmethod = \"sign-in-report\"\nconsumer_use_interval = \"72h\"\n";
        let life = "lifetime = \"122d\"\n";
        match self {
            Self::Secret | Self::Capped => format!("{secret}{machine}{}{token}", json("compares")),
            // The shortest that a policy may ask for.
            Self::Plain => {
                let short =
                    "lifetime = \"365d\"\nconsumer_refresh = \"5m\"\noverlap = \"65m\"\nretry_budget = \"1d\"\n";
                format!("{secret}{short}{}{token}", json("plain"))
            }
            Self::Two => format!("{secret}{machine}{}{}{token}", json("compares"), json("plain")),
            Self::Handoff => format!("{secret}{life}{HANDOFF}{person}"),
            Self::Overlap => format!("{secret}{life}retire = \"after-overlap\"\n{HANDOFF}{person}"),
            Self::Mixed => {
                format!("{secret}{life}retire = \"after-overlap\"\n{}{HANDOFF}{person}", json("compares"))
            }
            Self::Report => format!("{secret}{life}retire = \"after-overlap\"\n{HANDOFF}{report}"),
            Self::AddKey | Self::Patch => {
                let keep = if self == Self::AddKey { "until-replaced" } else { "until-delivered" };
                format!(
                    "[[credential]]\nkind = \"certificate\"\nkey = \"rsa-2048\"\nsubject = \"CN=simulated\"\n{machine}\
                     keep_private_key = \"{keep}\"\n[[credential.deliver]]\nto = \"files\"\ndirectory = \"/srv/compares\"\n\
                     key = {{ name = \"app.key\" }}\npem = {{ name = \"app.crt\" }}\n{token}"
                )
            }
        }
    }
}

const HANDOFF: &str = r#"[[credential.deliver]]
to = "handoff"
doer = "priya.shah@contoso.example"
recipient_name = "Vendor support"
where = "https://support.vendor.example"
via = "command"
lead = "14d"
ticket_text = "Our new client secret is ready."
fields = [{ label = "Secret value", value = "secret" }]
"#;

const PEOPLE: &str = r#"[people]
owner = "platform@contoso.example"
pm = "priya.shah@contoso.example"
backup = "d.okoro@contoso.example"
vendor = "Vendor support"
"#;
