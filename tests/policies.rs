//! The five policies of `policies/` are complete: they parse without a warning and say what the vendors' guides say.

#[path = "policies/diagnostics.rs"]
mod diagnostic_cases;
#[path = "policies/guides.rs"]
mod guides;
#[path = "policies/robust.rs"]
mod robust;
#[path = "policies/schedule.rs"]
mod schedule;
#[path = "policies/shapes.rs"]
mod shapes;
#[path = "policies/stores.rs"]
mod store_cases;
#[path = "policies/tool_file.rs"]
mod tool_file;
#[path = "policies/watch.rs"]
mod watch;

use std::path::Path;
use std::path::PathBuf;

use everkey::policy;
use everkey::policy::Policy;
use everkey::policy::ToolConfig;
use everkey::policy::diagnostics;

const TOOL: &str = r#"
version = 1
[tenants.contoso]
tenant_id = "8f0c1d52-0000-4000-8000-0000000031aa"
client_id = "3f0c1d52-0000-4000-8000-00000000e0e0"
auth = "workload-identity"
permissions_allowed = ["Mail.ReadWrite", "Mail.Send", "MailboxSettings.ReadWrite", "User.Read", "User.Read.All",
  "User.ReadBasic.All", "Directory.AccessAsUser.All", "Directory.Read.All", "openid", "profile", "email", "offline_access"]
"#;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn tool() -> ToolConfig {
    let read = policy::read_tool(Path::new("everkey.toml"), TOOL);
    read.value.unwrap_or_else(|| panic!("{:#?}", read.diagnostics))
}

/// The files of `policies/`, with paths relative to the repository.
fn files() -> Vec<(PathBuf, String)> {
    let read = policy::load_dir(&root().join("policies")).unwrap();
    assert!(read.diagnostics.is_empty());
    read.value.into_iter().map(|(path, text)| (path.strip_prefix(root()).unwrap().to_owned(), text)).collect()
}

/// The five.
fn five() -> Vec<Policy> {
    let files = files();
    let read = policy::read_policies(&files, &tool());
    assert_eq!(diagnostics::render(&read.diagnostics, &files, false), "", "no errors and no warnings");
    read.value
}

#[test]
fn the_five_are_valid_without_a_warning() {
    let names: Vec<String> = five().into_iter().map(|policy| policy.name.0).collect();
    let expected = [
        "enate-graph-mail",
        "lexzur-email-engine",
        "reapit-lead-imports",
        "roger365-replicator",
        "securends-office365",
    ];
    assert_eq!(names, expected);
}
