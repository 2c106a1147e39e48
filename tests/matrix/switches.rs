//! Every standing condition of the emulator, either way: a client secret and both kinds of certificate are issued and
//! rotated to the end under it.

use everkey::clock::Clock as _;
use everkey::emulator::Quirks;
use everkey::rotation::Rules;
use jiff::SignedDuration;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::kinds::Kind;
use crate::lab::Lab;
use crate::world::World;

/// Every switch with the settings that differ from its default, and those that must stand beside it to matter. The
/// default is what all other tests run under.
const SWITCHES: [(&str, &[&[&str]]); 28] = [
    ("absent_password_is_404", &[&["absent_password_is_404=true"]]),
    ("base64_key_identifiers", &[&["base64_key_identifiers=true"]]),
    ("certificate_year_cap", &[&["certificate_year_cap=true"]]),
    ("clock_offset", &[&["clock_offset=4m"], &["clock_offset=-4m"]]),
    // Two of ours during an overlap, two of somebody else.
    ("credentials_max", &[&["credentials_max=4"]]),
    ("delta_empty_page", &[&["delta_empty_page=true"]]),
    ("duplicate_certificate_refused", &[&["duplicate_certificate_refused=true"]]),
    ("duplicate_grant_is_400", &[&["duplicate_grant_is_400=true"]]),
    ("echo_null_keeps_key", &[&["echo_null_keeps_key=false"]]),
    ("error_description_lines", &[&["error_description_lines=true", "token_lag=40s"]]),
    ("expired_echo_refused", &[&["expired_echo_refused=true"]]),
    ("fresh_secret_unknown", &[&["fresh_secret_unknown=2m"]]),
    ("front_ends", &[&["front_ends=3", "read_lag=40s"]]),
    ("honours_client_key_id", &[&["honours_client_key_id=false"]]),
    ("password_name_max", &[&["password_name_max=90"]]),
    ("quotas", &[&["quotas=S"], &["quotas=M"], &["quotas=L"]]),
    ("read_flapping", &[&["read_flapping=true", "read_lag=60s"]]),
    ("read_lag", &[&["read_lag=20s"], &["read_lag=2m"]]),
    ("report_lag", &[&["report_lag=72h"]]),
    ("report_rounds_to_day", &[&["report_rounds_to_day=true"]]),
    ("retry_after_on_conflict", &[&["retry_after_on_conflict=true", "write_conflict_window=20s"]]),
    ("sends_as_anybody", &[&["sends_as_anybody=true"]]),
    ("token_flapping", &[&["token_flapping=true", "token_lag=45s"]]),
    ("token_lag", &[&["token_lag=45s"]]),
    (
        "token_refusals",
        &[&[
            r#"token_refusals={"7000215": {"status": 400, "error": "invalid_request"}, "700027": {"status": 400, "error": "x"}}"#,
            "token_lag=40s",
        ]],
    ),
    ("write_conflict_window", &[&["write_conflict_window=2s"], &["write_conflict_window=20s"]]),
    // All at once, and none.
    (
        "*",
        &[&[
            "absent_password_is_404=true",
            "base64_key_identifiers=true",
            "honours_client_key_id=false",
            "front_ends=2",
            "read_lag=30s",
            "token_flapping=true",
            "token_lag=30s",
            "write_conflict_window=2s",
        ]],
    ),
    ("", &[&[]]),
];

fn set(assignments: &[&str]) -> Quirks {
    let mut quirks = Quirks::default();
    for assignment in assignments {
        quirks.assign(assignment).unwrap_or_else(|why| panic!("{assignment}: {why}"));
    }
    quirks
}

/// First issuance and one rotation to its end.
async fn holds(kind: Kind, assignments: &'static [&'static str]) -> Vec<String> {
    let lab = Lab::start().await;
    let quirks = set(assignments);
    lab.emulator.set_quirks(quirks.clone());
    let world = World::new(&lab, kind);
    world.outside.seen().lag = if quirks.token_flapping { SignedDuration::ZERO } else { quirks.token_lag };
    for done in 1..=2 {
        world.recover(Rules::default(), done).await;
        world.jump(world.clock.now() + SignedDuration::from_mins(20));
        world.visit().await;
        world.jump(world.clock.now() + SignedDuration::from_mins(20));
        let violations = world.verdict().await;
        if !violations.is_empty() {
            return vec![format!("{kind:?} under {assignments:?}, rotation {done}:\n  {}", violations.join("\n  "))];
        }
        world.jump(world.clock.now() + SignedDuration::from_hours(3));
    }
    Vec::new()
}

async fn all(kind: Kind) {
    let mut running: JoinSet<_> =
        SWITCHES.iter().flat_map(|(_, settings)| settings.iter()).map(|set| holds(kind, set)).collect();
    let mut wrong = Vec::new();
    while let Some(done) = running.join_next().await {
        wrong.extend(done.unwrap());
    }
    wrong.sort();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_switch_is_left_out_here_or_in_the_reference() {
    let Value::Object(quirks) = serde_json::to_value(Quirks::default()).unwrap() else { panic!("no object") };
    let mut tried: Vec<&str> =
        SWITCHES.iter().map(|(name, _)| *name).filter(|name| !["", "*"].contains(name)).collect();
    // What vaults leave open is met where vaults are: `tests/sinks/stores.rs`.
    tried.push("key_vault");
    tried.sort_unstable();
    let mut known: Vec<&str> = quirks.keys().map(String::as_str).collect();
    known.sort_unstable();
    assert_eq!(tried, known);
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/emulator-switches.md")).unwrap();
    for (name, value) in &quirks {
        let row = page.lines().find(|line| line.contains(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("{name} has no row in emulator-switches.md"));
        if value.is_object() && !value.as_object().is_some_and(serde_json::Map::is_empty) {
            continue;
        }
        let default = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert!(row.contains(&format!("| {default} |")), "{name} is {default} by default: {row}");
    }
    for (name, settings) in SWITCHES.iter().filter(|(name, _)| quirks.contains_key(*name)) {
        for assignments in *settings {
            let set = serde_json::to_value(set(assignments)).unwrap();
            assert_ne!(set[*name], quirks[*name], "{assignments:?} sets no {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_hold_under_every_switch() {
    all(Kind::Secret).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_by_add_key_hold_under_every_switch() {
    all(Kind::AddKey).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_by_patch_hold_under_every_switch() {
    all(Kind::Patch).await;
}
