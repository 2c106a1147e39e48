//! Places that cannot be used: sinks, store, seal key, configuration. Old content stays, and no credential is left
//! that nobody can use.

use std::path::Path;

use crate::support::World;
use crate::support::until;

const LEXZUR: &str = "lexzur-email-engine";
const ENATE: &str = "enate-graph-mail";

/// Refused before a secret exists; after the cause is gone, one `apply` finishes with one credential.
fn refused_then_finished(policy: &str, spoil: impl Fn(&World), why: &[&str], mend: impl Fn(&World)) {
    let world = World::new();
    world.keep_policies(&[policy]);
    spoil(&world);
    world.run(&["apply", "--yes"]).fails(1, "S010", why);
    assert_eq!(world.credentials(), [], "no credential for a sink that cannot take it");
    world.run(&["status"]).exits(0).says("FAILED at stage (S010)");
    mend(&world);
    world.run(&["apply", "--yes"]).exits(0).says("1 done, 0 failed.");
    assert_eq!(world.credentials().len(), 1);
}

#[test]
fn the_json_file_is_missing() {
    refused_then_finished(
        LEXZUR,
        |world| std::fs::remove_file(world.integrations()).unwrap(),
        &["integrations.json", "there is no such file"],
        |world| std::fs::write(world.integrations(), crate::support::INTEGRATIONS).unwrap(),
    );
}

#[test]
fn the_json_object_is_missing() {
    let other = "{\n  \"version\": \"8.14.2\"\n}\n";
    refused_then_finished(
        LEXZUR,
        |world| std::fs::write(world.integrations(), other).unwrap(),
        &["integrations.json", "MS-OfficeMail-365"],
        |world| {
            assert_eq!(std::fs::read_to_string(world.integrations()).unwrap(), other);
            std::fs::write(world.integrations(), crate::support::INTEGRATIONS).unwrap();
        },
    );
}

#[test]
fn the_json_file_is_damaged() {
    let damaged = "{ \"MS-OfficeMail-365\": {";
    refused_then_finished(
        LEXZUR,
        |world| std::fs::write(world.integrations(), damaged).unwrap(),
        &["integrations.json"],
        |world| {
            assert_eq!(std::fs::read_to_string(world.integrations()).unwrap(), damaged);
            std::fs::write(world.integrations(), crate::support::INTEGRATIONS).unwrap();
        },
    );
}

#[test]
fn the_directory_of_the_files_cannot_be_made() {
    let in_the_way = |world: &World| world.sink("var/lib/enate");
    refused_then_finished(
        ENATE,
        |world| {
            std::fs::create_dir_all(world.sink("var/lib")).unwrap();
            std::fs::write(in_the_way(world), "not a directory").unwrap();
        },
        &["var/lib/enate"],
        |world| {
            assert_eq!(std::fs::read_to_string(in_the_way(world)).unwrap(), "not a directory");
            std::fs::remove_file(in_the_way(world)).unwrap();
        },
    );
}

/// The sink breaks between preflight and delivery: the sealed secret waits, and the next run delivers that one.
#[test]
fn a_sink_that_breaks_while_it_is_proven() {
    let world = World::new();
    world.keep_policies(&[LEXZUR]);
    let run = world.spawn(&["apply", "--yes"]);
    until(|| world.history().contains("accepted (1 of 3)"));
    let aside = world.integrations().with_extension("aside");
    std::fs::rename(world.integrations(), &aside).unwrap();
    run.wait().fails(1, "S010", &["integrations.json"]);
    let sealed = world.credentials();
    assert_eq!(sealed.len(), 1);
    std::fs::rename(&aside, world.integrations()).unwrap();
    world.run(&["apply", "--yes"]).exits(0);
    assert_eq!(world.credentials(), sealed, "the sealed secret is the one that is delivered");
    let file: serde_json::Value = serde_json::from_slice(&std::fs::read(world.integrations()).unwrap()).unwrap();
    let office = &file["MS-OfficeMail-365"];
    let code = world.token_with(office["clientId"].as_str().unwrap(), office["clientSecret"].as_str().unwrap());
    assert_eq!(code, 200);
}

/// One of five fails: the others are done, and the exit code says "partly".
#[test]
fn one_of_two_fails() {
    let world = World::new();
    world.keep_policies(&[LEXZUR, "roger365-replicator"]);
    std::fs::remove_file(world.integrations()).unwrap();
    let ran = world.run(&["apply", "--yes"]).fails(3, "S010", &["there is no such file"]);
    assert!(
        ran.out.contains("1 done, 1 failed.") && ran.out.contains("finished items are not repeated"),
        "{}",
        ran.out
    );
    assert_eq!(world.credentials().len(), 1);
    let report = world.run(&["apply", "--yes", "-o", "json"]).exits(3).json();
    assert_eq!(report["outcome"], "partial");
    let failed = report["results"].as_array().unwrap().iter().find(|one| one["integration"] == LEXZUR).unwrap();
    assert_eq!((&failed["state"], &failed["error"]["code"]), (&"failed".into(), &"S010".into()));
    assert!(failed["error"]["help"].is_string() || failed["error"]["fix"].is_string(), "{failed:#}");
}

#[test]
fn no_configuration_and_no_policies() {
    let world = World::new();
    world.run(&["plan", "-C", "none.toml"]).fails(78, "C010", &["none.toml"]);
    world.run(&["plan", "-p", "none"]).fails(78, "P001", &["none"]);
    std::fs::create_dir(world.path().join("empty")).unwrap();
    let ran = world.run(&["plan", "-p", "empty"]).exits(0);
    assert!(ran.out.contains("Read 0 policies"), "{}", ran.out);
    std::fs::write(world.path().join("damaged.toml"), "version = ").unwrap();
    world.run(&["plan", "-C", "damaged.toml"]).fails(78, "C011", &["damaged.toml:1:"]);
    for (name, code) in [("operator.secret", "C010"), ("seal.key", "C010"), ("ca.pem", "C010")] {
        let path = world.emulator_dir().join(name);
        let aside = path.with_extension("aside");
        std::fs::rename(&path, &aside).unwrap();
        world.run(&["plan"]).fails(78, code, &[name]);
        std::fs::rename(&aside, &path).unwrap();
    }
}

fn with_store(world: &World, store: &Path) {
    let own = format!("sqlite://{}", world.store().display());
    world.replace(&world.config(), &own, &format!("sqlite://{}", store.display()));
}

#[test]
fn a_store_that_cannot_be_written() {
    let world = World::new();
    with_store(&world, Path::new("/proc/everkey/everkey.db"));
    world.run(&["apply", "--yes"]).fails(1, "T010", &["/proc/everkey"]);
    assert_eq!(world.credentials(), []);
}

#[test]
fn a_store_that_is_none() {
    let world = World::new();
    let file = world.path().join("notes.txt");
    std::fs::write(&file, "my notes, not a database\n".repeat(400)).unwrap();
    with_store(&world, &file);
    world.run(&["apply", "--yes"]).fails(1, "T010", &[]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "my notes, not a database\n".repeat(400));
    assert_eq!(world.credentials(), []);
}

#[test]
fn another_seal_key() {
    let world = World::applied();
    let key = world.emulator_dir().join("seal.key");
    let before = std::fs::read_to_string(&key).unwrap();
    std::fs::write(&key, before.chars().rev().collect::<String>()).unwrap();
    let ran = world.run(&["handoff", "open", "h-0002", "--reveal"]).fails(
        78,
        "T016",
        &["does not belong to this store", "[seal] key_file"],
    );
    assert!(ran.out.is_empty(), "{}", ran.err);
    world.run(&["apply", "--yes"]).fails(78, "T016", &[]);
    std::fs::write(&key, "too short").unwrap();
    let ran = world.run(&["plan"]);
    assert!(ran.code != 0 && ran.err.contains("seal"), "{}", ran.err);
    std::fs::write(&key, before).unwrap();
    world.run(&["handoff", "open", "h-0002", "--reveal"]).exits(0).says("Secret value");
    assert_eq!(world.credentials().len(), 5);
}
