//! What is told of deliveries to vaults and clusters, and where.

use std::path::Path;
use std::path::PathBuf;

use everkey::policy;

use super::diagnostic_cases::Case;
use super::diagnostic_cases::TOOL;
use super::diagnostic_cases::places;
use super::diagnostic_cases::read;
use super::diagnostic_cases::run;

/// One of each store.
const VAULTS: &str = r#"version = 1
name = "p"
impact = "New portal leads stop arriving."
mode = "rotate"
[app]
display_name = "Portal"
[people]
owner = "ops@contoso.example"
[[credential]]
kind = "client-secret"
[[credential.deliver]]
to = "azure-key-vault"
vault = "contoso-apps"
name = "portal"
[[credential.deliver]]
to = "hashicorp-vault"
address = "https://vault.contoso.example:8200"
path = "apps/portal"
values = { client_secret = "secret" }
token_file = "/run/vault/token"
[[credential.deliver]]
to = "kubernetes"
namespace = "portal"
name = "portal"
values = { clientSecret = "secret" }
"#;

const VAULTS_CASES: &[Case] = &[
    ("vault = \"contoso-apps\"", "vault = \"contoso.evil.example\"", &["P071 13:9-13:31"]),
    ("vault = \"contoso-apps\"\n", "", &["P005 11:1-11:23"]),
    ("name = \"portal\"\n[[", "name = \"no_name\"\n[[", &["P071 14:8-14:17"]),
    ("https://vault", "http://vault", &["P055 17:11-17:46"]),
    ("apps/portal", "../sys", &["P071 18:8-18:16"]),
    ("client_secret = ", "\"client secret\" = ", &["P071 19:12-19:27"]),
    ("client_secret = \"secret\"", "client_id = \"client_id\"", &["P051 15:1-15:23"]),
    ("token_file = \"/run/vault/token\"", "", &["P072 15:1-15:23"]),
    ("/run/vault/token", "run/vault/token", &["P040 20:14-20:31"]),
    ("namespace = \"portal\"", "namespace = \"Portal\"", &["P071 23:13-23:21"]),
    ("namespace = ", "type = \"kubernetes.io/tls\"\nnamespace = ", &["P070 23:8-23:27"]),
    ("namespace = ", "address = \"https://k.contoso.example\"\nnamespace = ", &["P072 23:11-23:38"]),
    ("[[credential]]", "[[credential]]\nconfirm = { method = \"token-request\" }", &["P025 10:22-10:37"]),
    ("[[credential]]", "[[credential]]\nconfirm = { method = \"sign-in-report\" }", &[]),
    (
        "values = { clientSecret = \"secret\" }\n",
        "values = { clientSecret = \"secret\" }\n[[credential]]\nname = \"second\"\nkind = \"client-secret\"\n[[credential.deliver]]\nto = \"kubernetes\"\nnamespace = \"portal\"\nname = \"portal\"\nvalues = { clientSecret = \"secret\" }\n",
        &["P081 29:1-29:23"],
    ),
    (
        "values = { clientSecret = \"secret\" }\n",
        "values = { clientSecret = \"secret\" }\n[[credential]]\nname = \"second\"\nkind = \"client-secret\"\n[[credential.deliver]]\nto = \"kubernetes\"\nnamespace = \"portal\"\nname = \"portal\"\nvalues = { other = \"secret\" }\n",
        &[],
    ),
    (
        "values = { clientSecret = \"secret\" }\n",
        "values = { clientSecret = \"secret\" }\n[[credential]]\nname = \"second\"\nkind = \"client-secret\"\n[[credential.deliver]]\nto = \"azure-key-vault\"\nvault = \"Contoso-Apps\"\nname = \"PORTAL\"\n",
        &["P081 29:1-29:23"],
    ),
];

/// A certificate that a Vault signs.
const SIGNED: &str = r#"version = 1
name = "p"
impact = "New portal leads stop arriving."
mode = "rotate"
[app]
display_name = "Portal"
[people]
owner = "ops@contoso.example"
[[credential]]
kind = "certificate"
issuer = "vault-pki"
[credential.vault_pki]
address = "https://vault.contoso.example:8200"
role = "entra-apps"
role_id = "8d1e6f0a-0000-4000-8000-000000000a11"
secret_id_file = "/etc/everkey/vault.secret-id"
[[credential.deliver]]
to = "files"
directory = "/var/lib/p"
pem = { name = "p.crt" }
key = { name = "p.key" }
"#;

const SIGNED_CASES: &[Case] = &[
    ("https://vault", "http://vault", &["P055 13:11-13:46"]),
    ("role = \"entra-apps\"", "role = \"../roles\"", &["P071 14:8-14:18"]),
    ("role = \"entra-apps\"\n", "", &["P005 12:1-12:23"]),
    ("role_id = \"8d1e6f0a-0000-4000-8000-000000000a11\"\n", "", &["P072 12:1-12:23"]),
    ("/etc/everkey", "etc/everkey", &["P040 16:18-16:47"]),
    ("\"vault-pki\"", "\"self-signed\"", &["P050 12:13-12:22"]),
    ("[credential.vault_pki]", "[unheard-of]", &["P005 11:10-11:21", "P003 12:2-12:12"]),
];
#[test]
fn two_policies_at_one_place() {
    let tool = policy::read_tool(Path::new("everkey.toml"), TOOL).value.unwrap();
    let read = |other: &str| {
        let files = [("p.toml", VAULTS), ("q.toml", other)].map(|(name, text)| (PathBuf::from(name), text.to_owned()));
        let read = policy::read_policies(&files, &tool);
        (read.value.len(), places(&read.diagnostics))
    };
    let same = VAULTS.replace("name = \"p\"", "name = \"q\"");
    let told = ["P081 11:1-11:23", "P081 15:1-15:23", "P081 21:1-21:23"].map(str::to_owned).to_vec();
    assert_eq!(read(&same), (1, told));
    let apart = same.replace("name = \"portal\"", "name = \"other\"").replace("client_secret =", "other =");
    assert_eq!(read(&apart), (2, vec![]));
}

/// Every code that the cases tell.
pub fn seen() -> Vec<&'static str> {
    assert!(read(VAULTS).is_empty() && read(SIGNED).is_empty());
    [run(VAULTS, VAULTS_CASES, read), run(SIGNED, SIGNED_CASES, read)].concat()
}
