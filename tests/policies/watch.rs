//! `[watch]`, the file of a whole tenant, and the lines that `everkey adopt` leaves for a person.

use std::path::Path;
use std::path::PathBuf;

use everkey::policy;
use everkey::policy::Mode;
use everkey::policy::Policy;

const TOOL: &str = "version = 1\n[tenants.contoso]\ntenant_id = \"8f0c1d52-0000-4000-8000-0000000031aa\"\n\
                    auth = \"azure-cli\"\n[defaults]\nmode = \"rotate\"\n";
const WATCH: &str = "version = 1\nname = \"watch\"\nmode = \"alert\"\n[watch]\nall = true\n\
                     except = [\"2B61E0F4-0000-4000-8000-00000000C0DE\"]\n[people]\nowner = \"ops@contoso.example\"\n";

fn read(files: &[(&str, &str)]) -> (Vec<Policy>, Vec<String>) {
    let tool = policy::read_tool(Path::new("everkey.toml"), TOOL).value.unwrap();
    let files: Vec<(PathBuf, String)> =
        files.iter().map(|(name, text)| (PathBuf::from(format!("{name}.toml")), (*text).to_owned())).collect();
    let read = policy::read_policies(&files, &tool);
    let place = |found: &policy::Diagnostic| format!("{} {}:{}", found.code, found.start.line, found.start.column);
    (read.value, read.diagnostics.iter().map(place).collect())
}

#[test]
fn a_tenant_is_watched_without_an_app() {
    let (policies, told) = read(&[("watch", WATCH)]);
    assert_eq!(told, [""; 0]);
    let watch = policies[0].watch.as_ref().unwrap();
    assert_eq!(watch.except[0].as_str(), "2b61e0f4-0000-4000-8000-00000000c0de");
    assert_eq!((policies[0].mode, &policies[0].app.client_id), (Mode::Alert, &None));
    assert!(policies[0].credentials.is_empty());
}

#[test]
fn what_does_not_go_with_it_is_refused_at_its_place() {
    for (from, to, expected) in [
        ("all = true", "all = false", "P060 4:1"),
        ("mode = \"alert\"\n", "mode = \"rotate\"\nimpact = \"Something stops for somebody.\"\n", "P060 3:8"),
        ("[people]", "[app]\ndisplay_name = \"X\"\n[people]", "P060 7:2"),
        ("[people]", "[permissions.graph]\napplication = [\"User.Read.All\"]\n[people]", "P060 7:2"),
        ("except = [\"2B61E0F4", "except = [\"XB61E0F4", "P016 6:11"),
        ("all = true", "al = true", "P003 5:1"),
    ] {
        let text = WATCH.replacen(from, to, 1);
        assert_ne!(text, WATCH, "{from}");
        let (_, told) = read(&[("watch", &text)]);
        assert!(told.iter().any(|told| told == expected), "{from} -> {to}: {told:?}, not {expected}");
    }
    // Without a mode the default counts, and that one may be to rotate.
    let (policies, told) = read(&[("watch", &WATCH.replace("mode = \"alert\"\n", ""))]);
    assert!(policies.is_empty() && told.iter().any(|told| told.starts_with("P060")), "{told:?}");
    let again = WATCH.replace("\"watch\"", "\"again\"");
    assert_eq!(read(&[("again", &again), ("watch", WATCH)]).1, ["P060 2:8"], "one file for a tenant");
}

#[test]
fn lines_left_for_a_person_are_warnings_at_their_place() {
    let text = "version = 1\nname = \"p\"\n# TODO impact = \"What stops.\"\nmode = \"alert\"\n[app]\n\
                app_id = \"2b61e0f4-0000-4000-8000-00000000c0de\" # TODO later is no mark\n[people]\n\
                owner = \"ops@contoso.example\"\n  # TODO vendor = \"x\"\n";
    let (policies, told) = read(&[("p", text)]);
    assert_eq!(told, ["P061 3:1", "P061 9:3"]);
    assert_eq!(policies.len(), 1, "a warning hides nothing");
}
