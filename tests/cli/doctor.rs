//! `doctor`: each kind of trouble is found, named and given a remedy; nothing secret is shown.

use reqwest::Method;
use serde_json::Value;
use serde_json::json;

use crate::support::Catcher;
use crate::support::World;
use crate::support::mail_section;

fn report(world: &World, args: &[&str], code: i32) -> Value {
    let mut line = vec!["doctor", "-o", "json"];
    line.extend(args);
    world.run(&line).exits(code).json()
}

#[track_caller]
fn found<'a>(report: &'a Value, id: &str, status: &str) -> &'a Value {
    let items = report["items"].as_array().unwrap();
    let one = items.iter().find(|item| item["id"] == id && item["status"] == status);
    let one = one.unwrap_or_else(|| panic!("no {status} {id} in {report:#}"));
    assert!(status == "ok" || status == "skip" || one["fix"].is_string(), "{one:#}");
    one
}

#[test]
fn a_tenant_at_work_is_told_line_by_line() {
    let world = World::applied();
    let report = report(&world, &[], 0);
    assert_eq!((&report["schema"], &report["ok"]), (&json!("everkey.doctor/v1"), &json!(true)));
    for id in ["config", "policies", "store", "sign-in", "clock", "credential", "permission", "owner"] {
        found(&report, id, "ok");
    }
    for id in ["seal key", "escrow", "backup", "self", "excess", "theft", "mail"] {
        found(&report, id, "warn");
    }
    let theft = found(&report, "theft", "warn");
    assert!(theft["text"].as_str().unwrap().contains("AppRoleAssignment.ReadWrite.All"), "{theft}");
    assert!(found(&report, "excess", "warn")["text"].as_str().unwrap().contains("AuditLog.Read.All"));
    let ran = world.run(&["doctor"]).exits(0);
    assert!(ran.out.is_ascii() && ran.out.contains("ok    config      emu/everkey.toml (mode 0600)"), "{}", ran.out);
    for name in ["seal.key", "operator.secret"] {
        let secret = std::fs::read_to_string(world.emulator_dir().join(name)).unwrap();
        assert!(!ran.out.contains(secret.trim()), "{name}");
    }
    world.run(&["store", "backup", "b.db"]).exits(0);
    let later = crate::doctor::report(&world, &[], 0);
    found(&later, "backup", "ok");
}

#[test]
fn what_lies_wrong_on_this_machine() {
    use std::os::unix::fs::PermissionsExt;
    let mut world = World::applied();
    world.stop();
    let chmod = |path: &std::path::Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    let quiet = report(&world, &["--online=false"], 0);
    found(&quiet, "online", "skip");
    chmod(&world.config(), 0o666);
    assert!(
        found(&report(&world, &["--online=false"], 1), "config", "fail")["fix"].as_str().unwrap().contains("chmod")
    );
    chmod(&world.config(), 0o600);
    let key = world.emulator_dir().join("seal.key");
    chmod(&key, 0o644);
    found(&report(&world, &["--online=false"], 1), "seal key", "fail");
    chmod(&key, 0o600);
    world.replace(&world.policy("enate-graph-mail"), "version = 1", "version = 7");
    let broken = report(&world, &["--online=false"], 1);
    assert!(found(&broken, "policies", "fail")["text"].as_str().unwrap().contains("C012"), "{broken:#}");
    world.run(&["doctor", "--systemd-drop-in"]).fails(78, "C017", &["C012"]);
    world.replace(&world.policy("enate-graph-mail"), "version = 7", "version = 1");
    let text = std::fs::read_to_string(&key).unwrap();
    std::fs::write(&key, text.chars().rev().collect::<String>()).unwrap();
    assert!(found(&report(&world, &["--online=false"], 1), "store", "fail")["text"].as_str().unwrap().contains("T016"));
    std::fs::write(&key, text).unwrap();
    // No emulator any more: sign-in fails, and the rest is still told.
    let offline = report(&world, &[], 1);
    found(&offline, "sign-in", "fail");
    found(&offline, "store", "ok");
    world.run(&["doctor", "-C", "none.toml"]).exits(1).says("FAIL  config");
}

#[test]
fn what_entra_lacks() {
    let world = World::applied();
    let guide = world.guide();
    let own = guide["operator"]["client_id"].as_str().unwrap();
    let principal = world.graph(Method::GET, &format!("/servicePrincipals(appId='{own}')"), &Value::Null);
    let principal = principal["id"].as_str().unwrap();
    // It owns one application no more.
    let state = world.state();
    let (app, _) = state["applications"]
        .as_object()
        .unwrap()
        .iter()
        .find(|(_, app)| app["displayName"].as_str().unwrap().contains("LEXZUR"))
        .unwrap();
    world.graph(Method::DELETE, &format!("/applications/{app}/owners/{principal}/$ref"), &Value::Null);
    let lacking = report(&world, &[], 1);
    let owner = found(&lacking, "owner", "fail");
    assert!(owner["text"].as_str().unwrap().contains("1 of 5"), "{owner}");
    assert!(owner["fix"].as_str().unwrap().contains(&format!("--owner-object-id {principal}")), "{owner}");
    // And lost the permission that it works with.
    let path = format!("/servicePrincipals/{principal}/appRoleAssignments");
    let roles = world.graph(Method::GET, &path, &Value::Null);
    let owned_by = roles["value"]
        .as_array()
        .unwrap()
        .iter()
        .find(|role| role["appRoleId"] == "18a4783c-866b-4cc7-a460-3d5e5662c884");
    world.graph(Method::DELETE, &format!("{path}/{}", owned_by.unwrap()["id"].as_str().unwrap()), &Value::Null);
    let lacking = report(&world, &[], 1);
    let permission = found(&lacking, "permission", "fail");
    assert!(permission["text"].as_str().unwrap().contains("Application.ReadWrite.OwnedBy (to rotate)"), "{permission}");
    assert!(permission["fix"].as_str().unwrap().contains("/adminconsent?client_id="), "{permission}");
    // A wrong secret of its own.
    std::fs::write(world.emulator_dir().join("operator.secret"), "wrong").unwrap();
    let denied = report(&world, &[], 1);
    assert!(found(&denied, "sign-in", "fail")["text"].as_str().unwrap().contains("A010"), "{denied:#}");
}

#[test]
fn the_mail_server_is_tried_without_a_mail() {
    let world = World::applied();
    let catcher = Catcher::start("normal");
    catcher.configure(&world);
    let works = report(&world, &[], 0);
    assert!(found(&works, "mail", "ok")["text"].as_str().unwrap().contains("signed in as everkey@contoso.example"));
    assert_eq!(catcher.mails().len(), 0, "nothing is sent");
    std::fs::write(world.path().join("smtp.password"), "wrong").unwrap();
    let refused = report(&world, &[], 1);
    assert!(found(&refused, "mail", "fail")["text"].as_str().unwrap().contains("M011"), "{refused:#}");
    let text = std::fs::read_to_string(world.config()).unwrap();
    let port = text.lines().find(|line| line.starts_with("port = ")).unwrap();
    world.replace(&world.config(), port, "port = 1");
    let gone = report(&world, &[], 1);
    assert!(found(&gone, "mail", "fail")["text"].as_str().unwrap().contains("M010"), "{gone:#}");
}

#[test]
fn mail_that_waits_for_a_day_is_a_failure() {
    let world = World::applied_at("2026-11-22T10:00:00Z");
    let password = world.path().join("smtp.password");
    std::fs::write(&password, "nobody-asks").unwrap();
    mail_section(&world, 1, &world.emulator_dir().join("ca.pem"), &password);
    let waits = report(&world, &[], 1);
    assert!(found(&waits, "outbox", "fail")["text"].as_str().unwrap().contains("since 2026-11-20"), "{waits:#}");
}

/// For a container: quick, local, makes nothing.
#[test]
fn health_needs_no_network_and_makes_nothing() {
    let mut world = World::applied();
    world.stop();
    world.run(&["doctor", "--health"]).exits(0).says("healthy");
    assert_eq!(world.run(&["doctor", "--health", "-o", "json"]).exits(0).json()["healthy"], true);
    let store = world.store();
    std::fs::rename(&store, world.path().join("aside.db")).unwrap();
    world.run(&["doctor", "--health"]).exits(0);
    assert!(!store.exists());
    std::fs::write(&store, "no database".repeat(1000)).unwrap();
    world.run(&["doctor", "--health"]).exits(1);
    world.run(&["doctor", "--health", "-C", "none.toml"]).exits(78);
}

#[test]
fn the_drop_in_opens_what_the_policies_deliver_to() {
    let mut world = World::without_emulator();
    world.start(None);
    let ran = world.run(&["doctor", "--systemd-drop-in"]).exits(0);
    for line in [
        "[Service]\n",
        "User=everkey\n",
        "ReadWritePaths=/srv/lexzur/application/config /var/lib/enate\n",
        "CapabilityBoundingSet=CAP_CHOWN\n",
        "SystemCallFilter=@chown\n",
        "`systemctl reload lexzur-email`",
    ] {
        assert!(ran.out.contains(line), "{line}\n{}", ran.out);
    }
    world.keep_policies(&["reapit-lead-imports"]);
    let ran = world.run(&["doctor", "--systemd-drop-in"]).exits(0);
    assert!(!ran.out.contains("ReadWritePaths") && !ran.out.contains("CAP_CHOWN"), "{}", ran.out);
}
