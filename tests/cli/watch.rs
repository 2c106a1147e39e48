//! `watch --all`, and what happens when somebody adds a credential.

use reqwest::Method;
use serde_json::Value;
use serde_json::json;

use crate::inventory::others;
use crate::support::Catcher;
use crate::support::World;

/// A world whose only policy is the one of the whole tenant, with mail.
fn watching() -> (World, Catcher) {
    let world = World::new();
    world.keep_policies(&[]);
    world.seed(&others());
    let mail = Catcher::start("normal");
    mail.configure(&world);
    let text = std::fs::read_to_string(world.config()).unwrap();
    let alerts = "\n[alerts]\nfallback_to = \"platform@contoso.example\"\nsecurity_to = \"soc@contoso.example\"\n\
                  escalate_to = [\"it-lead@contoso.example\"]\n";
    std::fs::write(world.config(), text + alerts).unwrap();
    world.run(&["watch", "--all"]).exits(0).says("watch.toml. It changes nothing in Entra.");
    (world, mail)
}

fn object(world: &World, name: &str) -> Value {
    let apps = world.graph(Method::GET, "/applications?$top=999", &Value::Null);
    let apps = apps["value"].as_array().unwrap();
    apps.iter().find(|app| app["displayName"] == name).unwrap_or_else(|| panic!("{name}")).clone()
}

/// Somebody adds a secret to an application, as its owner would: past Graph's rights, with the same result.
fn add_secret(world: &World, name: &str) -> String {
    let app = object(world, name);
    let me = world.guide()["operator"]["client_id"].as_str().unwrap().to_owned();
    let state = world.state();
    let principal =
        state["principals"].as_object().unwrap().values().find(|one| one["appId"] == me).unwrap()["id"].clone();
    let id = app["id"].as_str().unwrap();
    world.admin(Method::POST, "own", &json!({"object": id, "owner": principal}));
    let end = json!({"passwordCredential": {"displayName": "night shift", "endDateTime": "2028-01-01T00:00:00Z"}});
    let added = world.graph(Method::POST, &format!("/applications/{id}/addPassword"), &end);
    added["keyId"].as_str().unwrap().to_owned()
}

/// Applications and service principals with all they hold; sign-ins are noted beside them.
fn objects(world: &World) -> [Value; 2] {
    let state = world.state();
    [state["applications"].clone(), state["principals"].clone()]
}

fn header(mail: &Value, name: &str) -> String {
    let found = mail["headers"].as_array().unwrap().iter().find(|pair| pair[0] == name);
    found.map_or_else(String::new, |pair| pair[1].as_str().unwrap().to_owned())
}

fn subject(mail: &Value) -> String {
    header(mail, "Subject")
}

fn subjects(mail: &Catcher, to: &str) -> Vec<String> {
    mail.mails().iter().filter(|mail| header(mail, "To").contains(to)).map(subject).collect()
}

#[test]
fn the_whole_tenant_is_watched_and_nothing_is_changed() {
    let (world, mail) = watching();
    let before = objects(&world);
    world.run(&["validate"]).exits(0).says("1 policy read: 1 valid");
    world.run(&["plan", "--detailed-exitcode"]).exits(0).says("No changes.");
    world.run(&["apply", "--yes"]).exits(0).says("No changes.");
    assert_eq!(objects(&world), before, "watching writes nothing into Entra");
    // 14 days left: the owner as Entra names them. The one that ended before anybody watched is no news, and the
    // baseline is silent.
    let okoro = subjects(&mail, "d.okoro@contoso.example");
    assert!(okoro.iter().any(|subject| subject.contains("Enate Prod")), "{okoro:?}\n{:#?}", mail.mails());
    let all: Vec<Value> = mail.mails();
    assert!(!all.iter().any(|mail| subject(mail).contains("SecurEnds")), "{all:#?}");
    assert_eq!(subjects(&mail, "soc@contoso.example"), [""; 0], "the first look is silent");
    let told = all.iter().find(|mail| subject(mail).contains("Enate Prod")).unwrap();
    assert!(told.to_string().contains("everkey adopt "), "{told:#}");

    // Somebody adds a secret: security hears once, within one cycle.
    let key_id = add_secret(&world, "SecurEnds");
    let sent = mail.mails().len();
    world.run(&["apply", "--yes"]).exits(0);
    let soc = subjects(&mail, "soc@contoso.example");
    assert_eq!(soc, ["[New secret] SecurEnds: everkey did not make it"]);
    let text = mail.mails()[sent..].iter().find(|mail| mail.to_string().contains("SecurEnds")).unwrap().to_string();
    for fact in [key_id.as_str(), "night shift", "2028-01-01", "audit log"] {
        assert!(text.contains(fact), "no {fact} in {text}");
    }
    world.run(&["apply", "--yes"]).exits(0);
    assert_eq!(subjects(&mail, "soc@contoso.example").len(), 1, "told once");
    let history = world.history();
    assert_eq!(history.matches("night shift").count(), 1, "{history}");

    // An application made after the first look is news with its first credential; so is a service principal's.
    world.seed(&json!({"applications": [{"displayName": "pop-up", "principal": {"secrets": [{"end": "2028-05-01T00:00:00Z"}]}}]}));
    world.run(&["apply", "--yes"]).exits(0);
    let soc = subjects(&mail, "soc@contoso.example");
    assert_eq!(soc.last().unwrap(), "[New secret] pop-up: everkey did not make it");
    world.run(&["inventory"]).exits(0).says("watched");
}

#[test]
fn what_everkey_makes_is_no_news_and_what_others_add_to_its_apps_is() {
    let world = World::applied();
    let mail = Catcher::start("normal");
    mail.configure(&world);
    let text = std::fs::read_to_string(world.config()).unwrap();
    std::fs::write(world.config(), text + "\n[alerts]\nsecurity_to = \"soc@contoso.example\"\n").unwrap();
    world.run(&["apply", "--yes"]).exits(0);
    // Neither now nor while they were made, when nobody could be mailed: the history would tell.
    assert!(!world.history().contains("everkey did not make it"), "{}", world.history());
    assert!(!mail.mails().iter().any(|mail| subject(mail).starts_with("[New ")), "{:#?}", mail.mails());
    let app = object(&world, "SecurEnds Office 365 Connector");
    let id = app["id"].as_str().unwrap();
    world.graph(Method::POST, &format!("/applications/{id}/addPassword"), &json!({}));
    // And one that borrows the look of ours, on the service principal, where the application does not show it.
    let principal = world.graph(
        Method::GET,
        &format!("/servicePrincipals?$filter=appId%20eq%20'{}'", app["appId"].as_str().unwrap()),
        &Value::Null,
    );
    let principal = principal["value"][0]["id"].as_str().unwrap().to_owned();
    let forged = json!({"passwordCredential": {"displayName": "SecurEnds connector [ek1 zzzzzz.1.1]"}});
    world.graph(Method::POST, &format!("/servicePrincipals/{principal}/addPassword"), &forged);
    world.run(&["apply", "--yes"]).exits(0);
    world.run(&["apply", "--yes"]).exits(0);
    let soc = subjects(&mail, "soc@contoso.example");
    assert_eq!(soc, ["[New secret] SecurEnds Office 365 Connector: everkey did not make it"; 2], "{:#?}", mail.mails());
}

#[test]
fn a_tenant_that_cannot_be_read_is_said_and_not_taken_for_empty() {
    let (world, mail) = watching();
    world.run(&["apply", "--yes"]).exits(0);
    let sent = mail.mails().len();
    world.fault(&json!({"method": "GET", "path_contains": "/v1.0/servicePrincipals", "count": 2, "effect": {"kind": "status", "code": 403}}));
    let ran = world.run(&["apply", "--yes"]).exits(3);
    assert!(ran.err.contains("G012"), "{}", ran.err);
    world.run(&["apply", "--yes"]).exits(0);
    assert_eq!(mail.mails().len(), sent, "half a look is none: nothing appeared and nothing went");
}

#[test]
fn the_file_is_never_overwritten_and_cannot_rotate() {
    let world = World::new();
    world.keep_policies(&[]);
    // The emulator's configuration names nobody.
    world.run(&["watch", "--all"]).fails(65, "F031", &["nobody hears", "people.owner"]);
    assert!(!world.policy("watch").exists());
    world.run(&["watch", "--all", "--owner", "platform@contoso.example"]).exits(0).says("no [mail]");
    world.run(&["watch", "--all", "--owner", "soc@contoso.example"]).fails(1, "F030", &[]);
    assert!(std::fs::read_to_string(world.policy("watch")).unwrap().contains("platform@contoso.example"));
    world.replace(&world.policy("watch"), "mode = \"alert\"", "mode = \"rotate\"");
    let ran = world.run(&["validate"]).exits(65);
    assert!(ran.out.contains("P060") && ran.out.contains("never rotates"), "{}", ran.out);
    world.run(&["watch"]).exits(64);
}
