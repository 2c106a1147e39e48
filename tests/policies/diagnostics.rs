//! One case per code: a small edit of a good file, and the code, line and column it must be told at.

use std::path::Path;
use std::path::PathBuf;

use everkey::policy;
use everkey::policy::Diagnostic;

/// A policy without a fault; each case changes one line of it. Lines matter: cases name them.
const GOOD: &str = r#"version = 1
name = "p"
title = "Portal"
impact = "New portal leads stop arriving."
mode = "rotate"
tenant = "contoso"
schedule = "0 6 * * MON-FRI"
timezone = "Europe/London"
window = "05:00/10:00"
freeze = ["2026-12-18/2027-01-04"]
[app]
display_name = "Portal"
audience = "multi"
redirect_uris = [{ platform = "web", uri = "https://localhost/" }]
[permissions.graph]
application = ["User.Read.All"]
[consent]
grant = "grant"
[[credential]]
kind = "client-secret"
lifetime = "180d"
retain = ["2b61e0f4-0000-4000-8000-00000000c0de"]
[[credential.deliver]]
to = "handoff"
doer = "priya.shah@contoso.example"
recipient_name = "Vendor"
where = "https://vendor.example"
fields = [{ label = "Secret", value = "secret" }]
[credential.confirm]
method = "person"
[people]
owner = "platform@contoso.example"
pm = "priya.shah@contoso.example"
backup = "d.okoro@contoso.example"
"#;

/// The same with a certificate in files, which has other rules.
const FILES: &str = r#"version = 1
name = "p"
impact = "E-mail cases stop arriving."
mode = "rotate"
[app]
display_name = "P"
[mailboxes]
allow = ["cases@contoso.example"]
permissions = ["Mail.Send"]
[[credential]]
kind = "certificate"
key = "rsa-3072"
issuer = "self-signed"
lifetime = "365d"
[[credential.deliver]]
to = "files"
directory = "/var/lib/p"
pfx = { name = "p.pfx", profile = "modern", password_to = "p.pfx.password" }
key = { name = "p.key" }
mode = "0600"
[people]
owner = "ops@contoso.example"
"#;

pub const TOOL: &str = r#"version = 1
store = "sqlite:///var/lib/everkey/everkey.db"
[tenants.contoso]
tenant_id = "8f0c1d52-0000-4000-8000-0000000031aa"
client_id = "3f0c1d52-0000-4000-8000-00000000e0e0"
cloud = "public"
auth = "secret"
secret_file = "credential:s"
permissions_allowed = ["User.Read.All"]
[defaults]
max_new_rotations_per_day = 5
[alerts]
before = ["60d", "7d"]
digest = "Mon 08:30"
fallback_to = "platform@contoso.example"
[mail]
from = "Credential manager <everkey@contoso.example>"
host = "smtp.contoso.example"
port = 587
[serve]
listen = "127.0.0.1:8080"
public_url = "https://everkey.contoso.example"
"#;

pub fn read(text: &str) -> Vec<Diagnostic> {
    let tool = policy::read_tool(Path::new("everkey.toml"), TOOL).value.expect("the tool file is good");
    policy::read_policies(&[(PathBuf::from("p.toml"), text.to_owned())], &tool).diagnostics
}

fn read_tool(text: &str) -> Vec<Diagnostic> {
    policy::read_tool(Path::new("everkey.toml"), text).diagnostics
}

/// `P012 16:16-16:27`: code, start, end (exclusive).
pub fn places(found: &[Diagnostic]) -> Vec<String> {
    let place = |at: policy::Position| format!("{}:{}", at.line, at.column);
    found.iter().map(|found| format!("{} {}-{}", found.code, place(found.start), place(found.end))).collect()
}

/// Replaces `from`, which must occur exactly once.
pub fn edit(good: &str, from: &str, to: &str) -> String {
    assert_eq!(good.matches(from).count(), 1, "`{from}` must occur once");
    good.replacen(from, to, 1)
}

#[test]
fn the_good_files_are_good() {
    assert_eq!(places(&read(GOOD)), [""; 0]);
    assert_eq!(places(&read(FILES)), [""; 0]);
    assert_eq!(places(&read_tool(TOOL)), [""; 0]);
}

/// Edit, and everything that must be told then.
pub type Case = (&'static str, &'static str, &'static [&'static str]);

const POLICY_CASES: &[Case] = &[
    ("mode = \"rotate\"\n", "mode = \"rotate\n", &["P002 5:15-5:15"]),
    ("title =", "titel =", &["P003 3:1-3:6"]),
    ("audience =", "audience2 =", &["P003 13:1-13:10"]),
    ("title = \"Portal\"", "title = 7", &["P004 3:9-3:10"]),
    ("name = \"p\"\n", "", &["P005 1:1-1:1"]),
    ("kind = \"client-secret\"\n", "", &["P005 19:1-19:15"]),
    ("where = \"https://vendor.example\"\n", "", &["P005 23:1-23:23"]),
    ("to = \"handoff\"\n", "", &["P005 23:1-23:23"]),
    ("\"multi\"", "\"multy\"", &["P006 13:12-13:19"]),
    ("to = \"handoff\"", "to = \"handof\"", &["P006 24:6-24:14"]),
    ("version = 1", "version = 2", &["P007 1:11-1:12"]),
    ("name = \"p\"\n", "name = \"q\"\n", &["P008 2:8-2:11"]),
    ("title = \"Portal\"", "title = \"q7Rk2mXz9LpW4vTn8BcY6sDf\"", &["P009 3:9-3:35"]),
    ("title = \"Portal\"", "password = \"x\"", &["P009 3:12-3:15"]),
    ("\"180d\"", "\"6mo\"", &["P010 21:12-21:17"]),
    ("0 6 * * MON-FRI", "0 6 * 13 MON-FRI", &["P011 7:19-7:21"]),
    ("User.Read.All", "User.Reed.All", &["P012 16:16-16:31"]),
    ("User.Read.All", "openid", &["P013 16:16-16:24"]),
    ("User.Read.All", "Directory.Read.All", &["P014 16:16-16:36"]),
    ("[permissions.graph]", "[permissions.grapf]", &["P015 15:14-15:19"]),
    ("2b61e0f4-0000-4000-8000-00000000c0de", "2b61", &["P016 22:11-22:17"]),
    ("0 6 * * MON-FRI", "0 6 30 2 *", &["P017 7:12-7:24"]),
    ("05:00/10:00", "07:00/10:00", &["P017 9:10-9:23"]),
    ("Europe/London", "Europe/Lodnon", &["P018 8:12-8:27"]),
    ("2026-12-18/2027-01-04", "2027-01-04/2026-12-18", &["P019 10:11-10:34"]),
    ("05:00/10:00", "10:00", &["P019 9:10-9:17"]),
    ("New portal leads stop arriving.", "Stops.", &["P020 4:10-4:18"]),
    ("New portal leads stop arriving.", "The client secrets of the portal end.", &["P020 4:10-4:49"]),
    ("impact = \"New portal leads stop arriving.\"\n", "", &["P020 1:1-1:1"]),
    ("lifetime = \"180d\"", "lifetime = \"180d\"\nrotate_before = \"20d\"", &["P022 22:17-22:22"]),
    ("lifetime = \"180d\"", "lifetime = \"180d\"\noverlap = \"1h\"", &["P022 22:11-22:15"]),
    ("lifetime = \"180d\"", "lifetime = \"180d\"\nrotate_before = \"100d\"", &["P023 22:17-22:23"]),
    ("\"180d\"", "\"110d\"", &["P024 21:12-21:18"]),
    ("method = \"person\"", "method = \"token-request\"", &["P025 30:10-30:25"]),
    ("\"multi\"", "\"personal\"", &["P027 13:12-13:22"]),
    (
        "value = \"secret\" }",
        "value = \"secret\" }, { label = \"F\", value = \"pfx\" }",
        &["P028 28:10-28:82", "P029 28:74-28:79"],
    ),
    ("kind = \"client-secret\"", "kind = \"client-secret\"\nsubject = \"CN=p\"", &["P029 21:1-21:8"]),
    ("backup = \"d.okoro@contoso.example\"\n", "", &["P032 33:6-33:34"]),
    ("\"180d\"", "\"120d\"\nrotate_before = \"60d\"", &["P033 21:12-21:18"]),
    ("[\"User.Read.All\"]", "[\"User.Read.All\", \"User.Read.All\"]", &["P035 16:33-16:48"]),
    ("\"multi\"", "\"multi+personal\"", &[]),
    ("to = \"handoff\"", "to = \"toml-file\"", &["P037 24:6-24:17"]),
    ("method = \"person\"", "method = \"sign-in-report\"", &["P038 30:10-30:26"]),
    ("to = \"handoff\"", "to = \"handoff\"\nvia = \"page\"", &["P038 25:7-25:13"]),
    ("owner = \"platform@contoso.example\"", "owner = \"platform\"", &["P039 32:9-32:19"]),
    ("https://localhost/", "http://vendor.example/", &["P041 14:44-14:68"]),
    ("tenant = \"contoso\"", "tenant = \"contosso\"", &["P049 6:10-6:20"]),
    ("backup = \"d.okoro@contoso.example\"", "backup = \"priya.shah@contoso.example\"", &["P050 34:10-34:38"]),
    ("value = \"secret\"", "value = \"client_id\"", &["P051 28:10-28:53"]),
    ("kind = \"client-secret\"", "kind = \"client-secret\"\nretire = \"after-overlap\"", &["P053 21:10-21:25"]),
    // Several at once: none hides another.
    ("title =", "titel = 1\naudience =", &["P003 3:1-3:6", "P003 4:1-4:9"]),
];

const FILES_CASES: &[Case] = &[
    ("[[credential.deliver]]\nto = \"files\"\n", "[other]\n", &["P021 10:1-10:15", "P003 15:2-15:7"]),
    ("\"365d\"", "\"20d\"", &["P022 14:12-14:17"]),
    ("\"365d\"", "\"10d\"", &["P022 14:12-14:17"]),
    ("rsa-3072", "ec-p256", &["P026 12:7-12:16"]),
    (", password_to = \"p.pfx.password\"", "", &["P028 18:7-18:45"]),
    ("kind = \"certificate\"", "kind = \"client-secret\"", &["P029 12:1-12:4", "P029 13:1-13:7", "P029 16:6-16:13"]),
    (
        "[mailboxes]\nallow = [\"cases@contoso.example\"]\npermissions",
        "[permissions.graph]\napplication",
        &["P031 8:16-8:27"],
    ),
    ("allow =", "denied = \"a@contoso.example\"\nallow =", &[]),
    ("[mailboxes]", "[permissions.graph]\napplication = [\"Mail.Send\"]\n[mailboxes]", &["P034 11:16-11:27"]),
    ("key = { name = \"p.key\" }", "key = { name = \"p.pfx\" }", &["P035 19:16-19:23"]),
    ("\"self-signed\"", "\"azure-key-vault\"", &["P037 13:10-13:27"]),
    ("\"self-signed\"", "\"ca:team-ca\"", &["P006 13:10-13:22"]),
    ("\"self-signed\"", "\"command\"", &["P005 13:10-13:19"]),
    ("issuer = \"self-signed\"", "issuer = \"command\"\nissuer_command = [\"bin/sign\"]", &["P050 14:18-14:30"]),
    ("issuer = \"self-signed\"", "issuer_command = [\"sign\"]", &["P050 13:1-13:15"]),
    ("/var/lib/p", "lib/p", &["P040 17:13-17:20"]),
    ("0600", "0644", &["P040 20:8-20:14"]),
    ("p.key\" }", "../p.key\" }", &["P040 19:16-19:26"]),
    ("modern", "legacy-3des", &["P047 18:35-18:48"]),
    ("password_to =", "password_file = \"/a\", password_to =", &["P050 18:45-18:58"]),
    (
        "pfx = { name = \"p.pfx\", profile = \"modern\", password_to = \"p.pfx.password\" }\nkey =",
        "pem =",
        &["P051 15:1-15:23"],
    ),
    ("permissions = [\"Mail.Send\"]\n", "", &["P052 7:1-7:12"]),
];

const TOOL_CASES: &[Case] = &[
    ("secret_file = \"credential:s\"\n", "", &["P043 3:1-3:18"]),
    ("client_id = \"3f0c1d52-0000-4000-8000-00000000e0e0\"\n", "", &["P043 6:8-6:16"]),
    ("cloud = \"public\"", "emulator = true", &["P044 6:12-6:16"]),
    ("cloud = \"public\"", "sink_root = \"s\"", &["P044 6:1-6:10"]),
    ("cloud = \"public\"", "cloud = \"custom\"\nlogin_url = \"https://l.example\"", &["P044 6:9-6:17"]),
    ("sqlite:///var/lib/everkey/everkey.db", "mysql://x", &["P045 2:9-2:20"]),
    ("sqlite:///var/lib/everkey/everkey.db", "postgres://e:pw@db.contoso.example/e", &["P009 2:9-2:47"]),
    ("127.0.0.1:8080", "localhost", &["P045 21:10-21:21"]),
    ("Mon 08:30", "Mun 08:30", &["P019 14:10-14:21"]),
    ("port = 587", "port = 65536", &["P054 19:8-19:13"]),
    ("port = 587", "port = -1", &["P004 19:8-19:10"]),
    ("https://everkey.contoso.example", "http://everkey.contoso.example", &["P055 22:14-22:46"]),
    ("\"60d\"", "\"36h\"", &["P010 13:11-13:16"]),
    ("host = ", "auth = \"password\"\nhost = ", &["P043 16:1-16:7", "P043 16:1-16:7"]),
];

pub fn run(good: &str, cases: &[Case], read: fn(&str) -> Vec<Diagnostic>) -> Vec<&'static str> {
    let mut seen = Vec::new();
    let mut wrong = String::new();
    for (from, to, expected) in cases {
        let found = read(&edit(good, from, to));
        let mut expected: Vec<&str> = expected.to_vec();
        let mut told = places(&found);
        expected.sort_unstable();
        told.sort_unstable();
        if told != expected {
            let summaries: Vec<&str> = found.iter().map(|found| found.summary.as_str()).collect();
            wrong += &format!("{from:?} -> {to:?}\n  told     {told:?} {summaries:?}\n  expected {expected:?}\n");
        }
        seen.extend(found.iter().map(|found| found.code));
    }
    assert!(wrong.is_empty(), "{wrong}");
    seen
}

#[test]
fn every_code_is_told_at_its_place() {
    let mut seen = [run(GOOD, POLICY_CASES, read), run(FILES, FILES_CASES, read)].concat();
    seen.extend(run(TOOL, TOOL_CASES, read_tool));
    seen.extend(super::store_cases::seen());
    // Those that need several files, two slots, or a file system have tests of their own.
    seen.extend(["P001", "P030", "P036", "P042", "P048", "P060", "P061"]);
    let untold: Vec<&str> = policy::codes().iter().map(|code| code.code).filter(|code| !seen.contains(code)).collect();
    assert_eq!(untold, [""; 0], "codes without a case");
}

#[test]
fn two_files_on_one_app_or_of_one_name() {
    let tool = policy::read_tool(Path::new("everkey.toml"), TOOL).value.unwrap();
    let adopt = "app_id = \"2B61e0f4-0000-4000-8000-00000000c0de\"";
    let one = edit(GOOD, "[app]", &format!("[app]\n{adopt}"));
    let other = edit(&one, "name = \"p\"\n", "name = \"q\"\n");
    let read = |one: &str, other: &str| {
        let files = [(PathBuf::from("p.toml"), one.to_owned()), (PathBuf::from("q.toml"), other.to_owned())];
        let read = policy::read_policies(&files, &tool);
        (read.value.len(), places(&read.diagnostics))
    };
    assert_eq!(read(&one, &other), (1, vec!["P030 12:10-12:48".to_owned()]), "the first stays valid");
    let shared = |text: &str| edit(text, "mode = ", "shared = true\nmode = ");
    assert_eq!(read(&shared(&one), &shared(&other)).1, ["P030 13:10-13:48"], "both describe it");
    let bare = edit(&shared(&other), "display_name = \"Portal\"\n", "");
    assert_eq!(read(&shared(&one), &bare), (2, vec![]), "one describes it");

    let files = [(PathBuf::from("p.toml"), GOOD.to_owned()), (PathBuf::from("x/p.toml"), GOOD.to_owned())];
    assert_eq!(places(&policy::read_policies(&files, &tool).diagnostics), ["P042 2:8-2:11"]);
}

#[test]
fn one_secret_slot_with_personal_accounts() {
    let second = "[[credential]]\nname = \"second\"\nkind = \"client-secret\"\n[[credential.deliver]]\nto = \"handoff\"\n\
                  where = \"w\"\nrecipient_name = \"R\"\n[people]";
    let text = edit(&edit(GOOD, "\"multi\"", "\"multi+personal\""), "[people]", second);
    assert_eq!(places(&read(&text)), ["P036 33:8-33:23"]);
}

#[test]
fn nobody_to_tell() {
    let silent = edit(TOOL, "fallback_to = \"platform@contoso.example\"\n", "");
    let tool = policy::read_tool(Path::new("everkey.toml"), &silent).value.unwrap();
    let text = edit(FILES, "owner = \"ops@contoso.example\"\n", "");
    let read = policy::read_policies(&[(PathBuf::from("p.toml"), text)], &tool);
    assert_eq!(places(&read.diagnostics), ["P048 21:1-21:9"]);
}

#[test]
fn a_missing_directory_is_an_error_with_help() {
    let error = policy::load_dir(Path::new("no/such/directory")).unwrap_err();
    assert_eq!((error.code.as_str(), error.class.exit_code()), ("P001", 78));
    assert!(error.help.is_some() && !error.why.is_empty());
}

#[test]
fn an_unreadable_file_hides_no_other() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.toml"), [0xff, 0xfe]).unwrap();
    std::fs::write(dir.path().join("p.toml"), GOOD).unwrap();
    std::fs::write(dir.path().join(".hidden.toml"), "x").unwrap();
    std::fs::write(dir.path().join("notes.txt"), "x").unwrap();
    let read = policy::load_dir(dir.path()).unwrap();
    let names: Vec<_> = read.value.iter().map(|(path, _)| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!((names, places(&read.diagnostics)), (vec!["p.toml"], vec!["P001 1:1-1:1".to_owned()]));
    assert!(policy::diagnostics::render(&read.diagnostics, &read.value, false).contains("UTF-8"));
}

#[test]
fn unknown_keys_and_permissions_within_two_edits_get_a_suggestion() {
    let labels = |text: &str| -> Vec<String> { read(text).into_iter().filter_map(|found| found.label).collect() };
    for typo in ["lifetme", "lifetimes", "lifteime", "liftme"] {
        assert_eq!(labels(&edit(GOOD, "lifetime =", &format!("{typo} ="))), ["did you mean \"lifetime\"?"], "{typo}");
    }
    for typo in ["User.Read.Al", "User.Raed.All", "user.read.all", "Usr.Read.Alll"] {
        assert_eq!(labels(&edit(GOOD, "User.Read.All", typo)), ["did you mean \"User.Read.All\"?"], "{typo}");
    }
    assert_eq!(labels(&edit(GOOD, "Europe/London", "Europe/Lodnon")), ["did you mean \"Europe/London\"?"]);
}

#[test]
fn sums_are_spelled_out() {
    let summary = |text: &str| read(text)[0].summary.clone();
    assert_eq!(
        summary(&edit(GOOD, "lifetime = \"180d\"", "lifetime = \"180d\"\nrotate_before = \"20d\"")),
        "rotate_before 20 d is less than lead 14 d + overlap 14 d + retry_budget 7 d = 35 d"
    );
    assert_eq!(
        summary(&edit(FILES, "\"365d\"", "\"20d\"")),
        "rotate_before 14 d (overlap 7 d + retry_budget 7 d) + overlap 7 d = 21 d is more than the lifetime 20 d: \
         the next rotation would start before this one ends"
    );
    assert_eq!(
        summary(&edit(GOOD, "lifetime = \"180d\"", "lifetime = \"180d\"\noverlap = \"1h\"")),
        "overlap 1 h is less than consumer_refresh 1 h + 1 h = 2 h"
    );
}

#[test]
fn a_bad_file_never_hides_the_good_ones() {
    let tool = policy::read_tool(Path::new("everkey.toml"), TOOL).value.unwrap();
    let files = [
        (PathBuf::from("a.toml"), "not toml".to_owned()),
        (PathBuf::from("p.toml"), GOOD.to_owned()),
        (PathBuf::from("z.toml"), String::new()),
    ];
    let read = policy::read_policies(&files, &tool);
    assert_eq!(read.value.len(), 1);
    assert_eq!(
        policy::diagnostics::tally(files.len(), read.value.len(), &read.diagnostics),
        "3 policies read: 1 valid, 2 invalid. 4 errors, 0 warnings."
    );
}

/// Wherever a secret is pasted, nothing that is shown repeats it.
#[test]
fn a_secret_is_never_shown_again() {
    let secret = "AbC8Q~dEfGhIjKlMnOpQrStUvWxYz0123456789a";
    let mut pasted = vec![
        edit(GOOD, "title = \"Portal\"", &format!("client_secret = \"{secret}\"")),
        edit(GOOD, "title = \"Portal\"", &format!("title = \"{secret}")),
        edit(GOOD, "title = \"Portal\"", &format!("tile = {secret}")),
        edit(GOOD, "title = \"Portal\"", &format!("\"{secret}\" = 1")),
        edit(GOOD, "title = \"Portal\"", &format!("[\"{secret}\"]")),
        edit(GOOD, "title = \"Portal\"", "secret = \"AbC dEfGhIj\nx = ["),
        format!("{GOOD}x = \"\"\"\n-----BEGIN PRIVATE KEY-----\nMIIdEfGhIj\n-----END PRIVATE KEY-----\"\"\"\n"),
        format!("-----BEGIN PRIVATE KEY-----\ndEfGhIj\n-----END PRIVATE KEY-----\n{GOOD}"),
    ];
    for good in [GOOD, FILES, TOOL] {
        let quotes: Vec<usize> = good.match_indices('"').map(|(at, _)| at).collect();
        let paste = |pair: &[usize]| format!("{}\"{secret}{}", &good[..pair[0]], &good[pair[1]..]);
        pasted.extend(quotes.chunks_exact(2).map(paste));
    }
    for text in pasted {
        let found = [read(&text), read_tool(&text)].concat();
        assert!(!found.is_empty(), "{text}");
        let sources = [(PathBuf::from("p.toml"), text.clone()), (PathBuf::from("everkey.toml"), text)];
        for shown in [
            policy::diagnostics::render(&found, &sources, true),
            policy::diagnostics::to_json(&found),
            policy::diagnostics::to_sarif(&found),
        ] {
            assert!(!shown.contains("dEfGhIj"), "{shown}");
        }
    }
}
