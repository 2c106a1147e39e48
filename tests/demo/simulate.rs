//! `everkey simulate` through the binary: its verdict is right, repeats byte for byte, and nothing outside is touched.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Output;

use serde_json::Value;

const FROM: &str = "2026-11-21";

/// Runs it in `dir`, where nothing else lies but what the test put there.
fn simulate(dir: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_everkey"))
        .args(["simulate", "--from", FROM])
        .args(more)
        .current_dir(dir)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .output()
        .expect("it starts")
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("one JSON document: {error}\n{}", String::from_utf8_lossy(&output.stderr)))
}

/// A directory with these policies, each a name and what stands below `version` and `name`.
fn policies(texts: &[(&str, String)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("policies")).unwrap();
    for (name, text) in texts {
        let text = format!("version = 1\nname = \"{name}\"\n{text}");
        fs::write(dir.path().join("policies").join(format!("{name}.toml")), text).unwrap();
    }
    dir
}

/// A secret that Priya Shah carries.
const CARRIED: &str = r#"
title = "Leads <script>alert(1)</script> \"&'"
impact = "Leads <b>stop</b> arriving \"for good\"."
mode = "rotate"
[app]
display_name = "Leads"
[people]
owner = "platform@contoso.example"
pm = "priya.shah@contoso.example"
backup = "d.okoro@contoso.example"
[[credential]]
kind = "client-secret"
lifetime = "180d"
[[credential.deliver]]
to = "handoff"
doer = "priya.shah@contoso.example"
recipient_name = "Reapit support"
where = "https://support.reapit.example"
via = "command"
fields = [{ label = "Client secret", value = "secret" }]
[credential.confirm]
method = "person"
"#;

/// A machine's secret, delivered to `place`.
fn delivered(place: &str) -> String {
    format!(
        r#"
impact = "The sync stops."
mode = "rotate"
[app]
display_name = "Sync"
[people]
owner = "platform@contoso.example"
[[credential]]
kind = "client-secret"
lifetime = "180d"
[[credential.deliver]]
{place}
"#
    )
}

fn json_file(path: &Path, more: &str) -> String {
    format!("to = \"json-file\"\npath = \"{}\"\nvalues = {{ \"/app/secret\" = \"secret\" }}\n{more}", path.display())
}

#[test]
fn the_five_guides_never_lapse_in_three_years() {
    let dir = tempfile::tempdir().unwrap();
    let output = simulate(dir.path(), &["-o", "json", "--html", "page.html"]);
    let report = document(&output);
    assert_eq!(output.status.code(), Some(0), "{:#}", report["verdict"]);
    assert_eq!(report["verdict"]["good"], true);
    assert_eq!(report["verdict"]["stops"], serde_json::json!([]));
    assert_eq!(
        (report["from"].as_str(), report["until"].as_str()),
        (Some("2026-11-21T09:00:00Z"), Some("2029-11-21T09:00:00Z"))
    );
    // The figures mean something: each guide was renewed, and its consumer asked around every step.
    let figures = &report["summary"];
    assert!(figures["sign_ins"].as_u64().unwrap() > 1500, "{figures:#}");
    assert_eq!(report["integrations"].as_array().unwrap().len(), 5);
    for one in report["integrations"].as_array().unwrap() {
        assert!(one["rotations"].as_u64().unwrap() >= 3, "{one:#}");
        assert!(one["overlap_days"][0].as_i64().unwrap() >= 7, "{one:#}");
    }
    let priya = report["people"].as_array().unwrap().iter().find(|one| one["name"] == "Priya Shah").unwrap();
    assert_eq!((&priya["handoffs"], &priya["unanswered"]), (&Value::from(12), &Value::from(0)), "{priya:#}");

    let page = fs::read_to_string(dir.path().join("page.html")).unwrap();
    assert_eq!(page.matches("role=\"img\"").count(), 5, "a lane for each credential");
    for foreign in ["<script", "src=", "href=", "url(", "@import", "http://", "https://"] {
        assert!(!page.contains(foreign), "the page reaches out with {foreign}");
    }
}

#[test]
fn equal_seeds_give_equal_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let run = |seed: &str, form: &str| {
        let output = simulate(
            dir.path(),
            &["--for", "6mo", "--faults", "rough", "--people", "slow", "--seed", seed, "-o", form],
        );
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let first = run("7", "json");
    assert_eq!(String::from_utf8_lossy(&first), String::from_utf8_lossy(&run("7", "json")));
    assert_ne!(first, run("8", "json"));
    let report: Value = serde_json::from_slice(&first).unwrap();
    assert!(report["summary"]["failures"].as_u64().unwrap() > 0, "rough weather was felt");
    let lines = String::from_utf8(run("7", "ndjson")).unwrap();
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(Value::from(events), report["events"]);
}

#[test]
fn a_person_who_never_acts_is_named_with_the_exact_instant() {
    let dir = policies(&[("leads", CARRIED.to_owned())]);
    let more = ["-p", "policies", "--for", "8mo", "--people", "absent"];
    let output = simulate(dir.path(), &[&more[..], &["-o", "json", "--html", "page.html"]].concat());
    let report = document(&output);
    assert_eq!(output.status.code(), Some(1));
    let stop = &report["verdict"]["stops"][0];
    let first = &report["integrations"][0]["lives"][0];
    assert_eq!((&stop["at"], &stop["cause"]), (&first["end"], &Value::from("person")), "{stop:#} {first:#}");
    let reason = stop["reason"].as_str().unwrap();
    assert!(reason.starts_with("Priya Shah did not open hand-off 2"), "{reason}");
    assert!(report["verdict"]["text"].as_str().unwrap().contains("leads stops on 2027-05-20"), "{}", report["verdict"]);

    let page = fs::read_to_string(dir.path().join("page.html")).unwrap();
    for hostile in ["<script", "<b>stop</b>", "arriving \"for"] {
        assert!(!page.contains(hostile), "{hostile} was not escaped");
    }
    assert!(page.contains("Leads &#60;script&#62;alert(1)&#60;/script&#62;"), "the title is there, as text");
    assert!(page.contains("<title>STOPPED 2027-05-20"), "the stop is drawn");

    // For people: the same first line, and an error that can be explained.
    let output = simulate(dir.path(), &more);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(out.starts_with("leads stops on 2027-05-20"), "{out}");
    assert!(out.contains("STOPPED") && err.contains("error[D020]"), "{out}{err}");

    // Somebody who stands in is enough.
    let output = simulate(dir.path(), &["-p", "policies", "--for", "8mo", "--absent", "priya.shah@contoso.example"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_freeze_in_the_way_is_named_with_what_it_does() {
    let dir = policies(&[("leads", CARRIED.to_owned())]);
    let tool = |freeze: &str| {
        let text = format!(
            "version = 1\npolicies = \"policies\"\n[tenants.contoso]\ntenant_id = \
             \"8f0c1d52-0000-4000-8000-0000000031aa\"\nauth = \"secret\"\nclient_id = \
             \"3f0c1d52-0000-4000-8000-00000000e0e0\"\nsecret_file = \"never-read\"\n[defaults]\ntenant = \
             \"contoso\"\nfreeze = [\"{freeze}\"]\n"
        );
        fs::write(dir.path().join("everkey.toml"), text).unwrap();
        let output = simulate(dir.path(), &["--for", "8mo", "-o", "json"]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
        document(&output)["integrations"][0]["conflicts"].clone()
    };
    // Longer than the overlap and the time for retries together: waiting would leave no overlap.
    let long = tool("2027-03-01/2027-06-30");
    assert_eq!(long[0]["forced"], true, "{long:#}");
    assert_eq!((&long[0]["step"], &long[0]["freeze_to"]), (&Value::from("stage"), &Value::from("2027-06-30")));
    // It yields when 21 days are left, overlap and retries together, and not when somebody happens to look later.
    assert_eq!(long[0]["actual"], "2027-04-29T09:00:00Z", "{long:#}");
    // A short one is waited for.
    let short = tool("2027-03-15/2027-03-28");
    assert_eq!((&short[0]["forced"], &short[0]["step"]), (&Value::from(false), &Value::from("stage")), "{short:#}");
    assert!(short[0]["actual"].as_str().unwrap().starts_with("2027-03-29"), "{short:#}");
}

#[test]
fn three_hostile_seeds_break_nothing() {
    let dir =
        policies(&[("leads", CARRIED.to_owned()), ("sync", delivered(&json_file(Path::new("/srv/app.json"), "")))]);
    let mut failed = 0;
    for seed in ["1", "2", "3"] {
        let more = ["-p", "policies", "--for", "7mo", "--faults", "hostile", "--seed", seed, "-o", "json"];
        let output = simulate(dir.path(), &more);
        let report = document(&output);
        assert_eq!(output.status.code(), Some(0), "seed {seed}: {:#}", report["verdict"]);
        let happened =
            |what: &str| report["events"].as_array().unwrap().iter().filter(|one| one["what"] == what).count();
        failed += happened("failed");
        for what in ["outage-begins", "crash", "foreign"] {
            assert!(happened(what) > 0, "seed {seed} had no {what}");
        }
        assert!(report["summary"]["rotations"].as_u64().unwrap() >= 2, "{:#}", report["summary"]);
    }
    assert!(failed > 0, "the weather was felt");
}

#[test]
fn nothing_outside_is_touched_and_no_command_runs() {
    let outside = tempfile::tempdir().unwrap();
    let place = |name: &str| outside.path().join(name);
    let certificate = |issuer: &str, directory: &Path| {
        format!(
            "impact = \"Cases stop arriving.\"\nmode = \"rotate\"\n[app]\ndisplay_name = \"Cases\"\n[people]\nowner = \
             \"ops@contoso.example\"\n[[credential]]\nkind = \"certificate\"\nsubject = \"CN=cases\"\nkey = \
             \"rsa-2048\"\nlifetime = \"180d\"\n{issuer}\n[[credential.deliver]]\nto = \"files\"\ndirectory = \
             \"{}\"\npem = {{ name = \"a.crt\" }}\nkey = {{ name = \"a.key\" }}\nafter = [\"touch\", \"{}\"]\n",
            directory.display(),
            place("after-ran").display()
        )
    };
    let issuer = format!("issuer = \"command\"\nissuer_command = [\"touch\", \"{}\"]", place("issuer-ran").display());
    let dir = policies(&[
        (
            "sync",
            delivered(&json_file(&place("app.json"), &format!("after = [\"touch\", \"{}\"]", place("ran").display()))),
        ),
        ("vaulted", delivered("to = \"azure-key-vault\"\nvault = \"contoso-apps\"\nname = \"sync\"")),
        ("signed", certificate(&issuer, &place("signed"))),
        ("asked", certificate("issuer = \"csr\"", &place("asked"))),
    ]);
    let before = fs::read_dir(dir.path()).unwrap().count();
    let output = simulate(dir.path(), &["-p", "policies", "--for", "8mo", "-o", "json"]);
    let report = document(&output);
    assert_eq!(output.status.code(), Some(0), "{:#}", report["verdict"]);
    for one in report["integrations"].as_array().unwrap() {
        assert!(one["rotations"].as_u64().unwrap() >= 1, "{one:#}");
    }
    let left: Vec<_> = fs::read_dir(outside.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), before);
    let notes = report["notes"].to_string();
    for said in
        ["is not run", "issuer's command is not run", "azure-key-vault contoso-apps/secrets/sync is not reached"]
    {
        assert!(notes.contains(said), "{said}: {notes}");
    }
}

#[test]
fn copies_are_spread_and_have_places_of_their_own() {
    let dir = policies(&[("sync", delivered(&json_file(Path::new("/srv/app.json"), "")))]);
    let output = simulate(dir.path(), &["-p", "policies", "--for", "8mo", "--apps", "6", "-o", "json"]);
    let report = document(&output);
    assert_eq!(output.status.code(), Some(0), "{:#}", report["verdict"]);
    let begun: std::collections::BTreeSet<&str> = report["integrations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["lives"][0]["staged"].as_str().unwrap())
        .collect();
    assert_eq!(begun.len(), 6);
}

#[test]
fn the_verdict_notices_a_broken_rule() {
    let dir = policies(&[("sync", delivered(&json_file(Path::new("/srv/app.json"), "")))]);
    let more = ["-p", "policies", "--for", "8mo", "-o", "json"];
    let good = simulate(dir.path(), &more);
    assert_eq!(good.status.code(), Some(0));
    let bad = simulate(dir.path(), &[&more[..], &["--sabotage", "early-retire"]].concat());
    let report = document(&bad);
    assert_eq!(bad.status.code(), Some(1));
    assert_eq!(report["verdict"]["stops"][0]["cause"], "removed", "{:#}", report["verdict"]);
}

#[test]
fn a_wrong_period_or_nothing_to_simulate_is_said() {
    let dir = policies(&[]);
    for (more, code, exit) in [
        (&["--for", "soon"][..], "D023", 64),
        (&["--for", "31y"], "D023", 64),
        (&["--for=-1y"], "D023", 64),
        (&["-p", "policies"], "D021", 65),
        (&["-C", "nowhere.toml"], "C010", 78),
    ] {
        let output = simulate(dir.path(), &[more, &["-o", "json"]].concat());
        assert_eq!(
            (output.status.code(), document(&output)["error"]["code"].as_str()),
            (Some(exit), Some(code)),
            "{more:?}"
        );
    }
}

/// In a short period the copies begin sooner, so that the verdict speaks of every one of them.
#[test]
fn all_copies_begin_within_a_short_period() {
    let dir = policies(&[("sync", delivered(&json_file(Path::new("/srv/sync/settings.json"), "")))]);
    let output = simulate(dir.path(), &["--for", "30d", "--apps", "6", "-o", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let document = document(&output);
    let all = document["integrations"].as_array().unwrap();
    assert_eq!(all.len(), 6);
    for one in all {
        assert_ne!(one["lives"].as_array().unwrap().len(), 0, "{one:#}");
    }
    let notes = document["notes"].to_string();
    assert!(notes.contains("app management policies are not known"), "{notes}");
    let hour = simulate(dir.path(), &["--for", "1h"]);
    assert_eq!(hour.status.code(), Some(64));
}

/// Two places that cannot both be: the problem is told with the user's path, the same in every run.
#[test]
fn a_problem_is_told_without_the_temporary_directory() {
    let files = "to = \"files\"\ndirectory = \"/srv/sync/settings.json/credential\"\nbundle = { name = \"a.pem\" }";
    let below = delivered(files).replace("\"client-secret\"", "\"certificate\"\nsubject = \"CN=beside\"");
    let dir = policies(&[("sync", delivered(&json_file(Path::new("/srv/sync/settings.json"), ""))), ("beside", below)]);
    let run = || simulate(dir.path(), &["--for", "40d", "-o", "json"]).stdout;
    let first = run();
    let text = String::from_utf8_lossy(&first).into_owned();
    assert!(!text.contains("/.tmp"), "{text}");
    assert!(text.contains("/srv/sync/settings.json/credential"), "{text}");
    assert!(first == run(), "the same bytes");
}

/// Lifetimes above what the tenant allows: from the first day on nothing is set up; later on, the renewal is refused and
/// what was made before stops at its own end.
#[test]
fn a_lifetime_above_the_tenants_policy_is_named_with_the_exact_instant() {
    let dir = policies(&[("leads", CARRIED.to_owned())]);
    let run = |more: &[&str]| simulate(dir.path(), &[&["-p", "policies", "--for", "8mo"], more].concat());
    let report = |more: &[&str], exit: i32| {
        let output = run(&[more, &["-o", "json"]].concat());
        assert_eq!(output.status.code(), Some(exit), "{more:?}: {}", String::from_utf8_lossy(&output.stdout));
        document(&output)
    };
    let never = report(&["--max-secret-lifetime", "90d"], 1);
    let stop = &never["verdict"]["stops"][0];
    assert_eq!(
        (&stop["at"], &stop["cause"], &stop["code"]),
        (&never["from"], &Value::from("never-started"), &Value::from("G041")),
        "{stop:#}"
    );
    assert_eq!(never["integrations"][0]["lives"], serde_json::json!([]));
    let notes = never["notes"].to_string();
    assert!(notes.contains("leads/primary: its lifetime of 180 days is above the 90 days"), "{notes}");
    assert!(notes.contains("nothing is issued"), "{notes}");

    let later = ["--max-secret-lifetime", "90d", "--limits-from", "2027-01-15"];
    let refused = report(&later, 1);
    let stop = &refused["verdict"]["stops"][0];
    assert_eq!(stop["at"], refused["integrations"][0]["lives"][0]["end"], "{stop:#}");
    assert_eq!((&stop["cause"], &stop["code"]), (&Value::from("tenant-policy"), &Value::from("G041")), "{stop:#}");
    let (reason, help) = (stop["reason"].as_str().unwrap(), stop["help"].as_str().unwrap());
    assert!(
        reason.starts_with("rotation 2 is refused since 2027-03-22: the tenant forbids client secrets"),
        "{reason}"
    );
    assert!(help.contains("set lifetime = \"90d\""), "{help}");
    assert_eq!(refused["tenant_limits"]["secrets"], "90d");

    // For people: the instant in the first line, and what to change in the error.
    let output = run(&later);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(out.starts_with("leads stops on 2027-05-20 09:00:00 UTC: rotation 2 is refused"), "{out}");
    assert!(err.contains("error[D020]") && err.contains("set lifetime = \"90d\""), "{err}");

    // What is allowed, or of the other kind, goes on.
    report(&["--max-secret-lifetime", "180d"], 0);
    report(&["--max-certificate-lifetime", "90d"], 0);
    for (more, code) in [
        (&["--max-secret-lifetime", "long"][..], "D024"),
        (&["--max-secret-lifetime", "1h"], "D024"),
        (&["--max-certificate-lifetime", "31y"], "D024"),
        (&["--max-secret-lifetime", "90d", "--limits-from", "2028-01-01"], "D024"),
    ] {
        assert_eq!(report(more, 64)["error"]["code"], code, "{more:?}");
    }
    assert_eq!(run(&["--limits-from", "2027-01-15"]).status.code(), Some(64));
}
