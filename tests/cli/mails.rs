//! Mail of `apply`, as a server written by others receives it.

use serde_json::Value;

use crate::support::Catcher;
use crate::support::MAIL_PASSWORD;
use crate::support::World;
use crate::support::mail_section;

fn text_of(part: &Value) -> String {
    if part["type"] == "text/plain" {
        return part["content"].as_str().unwrap().to_owned();
    }
    part["parts"].as_array().unwrap().iter().map(text_of).collect()
}

fn header(mail: &Value, name: &str) -> String {
    let found = mail["headers"].as_array().unwrap().iter().find(|pair| pair[0] == name);
    found.map_or_else(String::new, |pair| pair[1].as_str().unwrap().to_owned())
}

#[test]
fn a_handoff_is_told_to_its_doer() {
    let world = World::new();
    world.keep_policies(&["reapit-lead-imports"]);
    let catcher = Catcher::start("starttls");
    catcher.configure(&world);
    world.run(&["apply", "--yes"]).exits(0);
    let mails = catcher.mails();
    let to_doer: Vec<&Value> =
        mails.iter().filter(|mail| mail["rcpt"].to_string().contains("priya.shah@contoso.example")).collect();
    assert_eq!(to_doer.len(), 1, "one mail, one thing to do: {mails:#?}");
    let mail = to_doer[0];
    assert_eq!((&mail["tls"], &mail["signed_in"]), (&true.into(), &true.into()));
    assert!(header(mail, "Subject").chars().count() < 75, "{}", header(mail, "Subject"));
    let text = text_of(&mail["body"]);
    for needed in ["h-0001", "Reapit support", "4 December"] {
        assert!(text.contains(needed), "no {needed:?} in\n{text}");
    }
    let shown = world.run(&["handoff", "open", "h-0001", "--reveal"]).exits(0).out;
    let secret = shown.lines().find(|line| line.contains("Secret value")).unwrap().split_whitespace().last().unwrap();
    assert!(!mail["raw"].as_str().unwrap().contains(secret));
    // Sent once: the next run has nothing new to say.
    world.run(&["apply", "--yes"]).exits(0);
    assert_eq!(catcher.mails().len(), mails.len());
}

/// Mail is down: the rotation is done all the same, the run says so, and the mail goes out later.
#[test]
fn a_server_that_is_down() {
    let world = World::new();
    world.keep_policies(&["reapit-lead-imports"]);
    let before = std::fs::read_to_string(world.config()).unwrap();
    let password = world.path().join("smtp.password");
    std::fs::write(&password, MAIL_PASSWORD).unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    mail_section(&world, free, &world.emulator_dir().join("ca.pem"), &password);
    let ran = world.run(&["apply", "--yes"]).exits(0);
    assert!(ran.out.contains("1 done, 0 failed.") && ran.out.contains("Mail could not be sent"), "{}", ran.out);
    assert!(ran.err.contains("error[M01") && ran.err.contains("  fix:  "), "{}", ran.err);
    let code = ran.err.split(['[', ']']).nth(1).unwrap().to_owned();
    world.run(&["explain", &code]).exits(0);
    let report = world.run(&["apply", "--yes", "-o", "json"]).exits(0).json();
    assert!(report["mail_error"]["code"].as_str().unwrap().starts_with('M'), "{report:#}");
    std::fs::write(world.config(), before).unwrap();
    let catcher = Catcher::start("starttls");
    catcher.configure(&world);
    world.run(&["apply", "--yes"]).exits(0);
    assert!(catcher.mails().iter().any(|mail| mail["raw"].as_str().unwrap().contains("h-0001")), "sent later");
}

#[test]
fn a_wrong_mail_password_is_said_and_not_shown() {
    let world = World::new();
    world.keep_policies(&["reapit-lead-imports"]);
    let catcher = Catcher::start("echo");
    catcher.configure(&world);
    std::fs::write(world.path().join("smtp.password"), "Another-canary-4~pass").unwrap();
    let ran = world.run(&["apply", "--yes"]).exits(0).never_says("Another-canary-4~pass");
    assert!(ran.err.contains("error[M01"), "{}", ran.err);
}
