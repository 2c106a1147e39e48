//! What the vendors' guides ask for, policy by policy.

use everkey::model::Audience;
use everkey::model::Consent;
use everkey::model::CredentialKind;
use everkey::model::PermissionKind;
use everkey::model::SinkTarget;
use everkey::policy::MailboxMethod;
use everkey::policy::Policy;

fn named(name: &str) -> Policy {
    super::five().into_iter().find(|policy| policy.name.as_str() == name).unwrap()
}

fn permissions(policy: &Policy, kind: PermissionKind) -> Vec<&str> {
    let of_kind = policy.app.permissions.iter().filter(|permission| permission.kind == kind);
    of_kind.map(|permission| permission.name.as_str()).collect()
}

fn labels(policy: &Policy) -> Vec<&str> {
    let handoff = policy.credentials[0].sinks.iter().find_map(|sink| sink.handoff()).unwrap();
    handoff.fields.iter().map(|field| field.label.as_str()).collect()
}

fn days(duration: jiff::SignedDuration) -> i64 {
    duration.as_hours() / 24
}

#[test]
fn all_five() {
    for policy in super::five() {
        assert_eq!(policy.credentials.len(), 1, "{}", policy.name);
        assert!(policy.people.pm.is_some() && policy.people.backup.is_some(), "{}", policy.name);
        let consent = if policy.app.permissions.is_empty() { Consent::None } else { Consent::Grant };
        assert_eq!(policy.app.consent, consent, "{}", policy.name);
        assert_eq!(days(policy.credentials[0].rotate_before), 60, "{}", policy.name);
    }
}

#[test]
fn reapit() {
    let policy = named("reapit-lead-imports");
    assert_eq!(policy.app.display_name, "Reapit Lead Imports");
    assert_eq!(policy.app.audience, Audience::Multi);
    assert_eq!(policy.app.redirect_uris[0].uri, "https://localhost/");
    assert_eq!(permissions(&policy, PermissionKind::Role), ["Mail.ReadWrite"]);
    assert_eq!(policy.credentials[0].description, "Reapit Access to Mailbox");
    assert_eq!(days(policy.credentials[0].lifetime), 180);
    assert_eq!(policy.mailboxes.as_ref().unwrap().method, MailboxMethod::AccessPolicy);
    assert_eq!(
        labels(&policy),
        ["Application (client) ID", "Directory (tenant) ID", "Secret ID", "Secret value"],
        "the secret ID is handed over too"
    );
}

#[test]
fn lexzur() {
    let policy = named("lexzur-email-engine");
    assert_eq!(policy.app.audience, Audience::MultiAndPersonal);
    let scopes = permissions(&policy, PermissionKind::Scope);
    let expected = [
        "openid",
        "profile",
        "email",
        "offline_access",
        "Mail.ReadWrite",
        "Mail.Send",
        "User.Read",
        "MailboxSettings.ReadWrite",
    ];
    assert_eq!(scopes, expected);
    assert!(policy.app.redirect_uris[0].uri.ends_with("/api/v2/core/user_authorization_callback"));
    assert_eq!(days(policy.credentials[0].lifetime), 365);
    assert!(!policy.credentials[0].needs_person());
    let SinkTarget::JsonFile(file) = &policy.credentials[0].sinks[0].target else { panic!("a JSON file") };
    let pointers: Vec<&str> = file.values.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(pointers, ["/MS-OfficeMail-365/clientId", "/MS-OfficeMail-365/clientSecret"]);
}

#[test]
fn roger365() {
    let policy = named("roger365-replicator");
    assert_eq!(policy.app.display_name, "ROGER365.io Azure Entra replicator");
    assert_eq!(policy.app.audience, Audience::Single);
    assert_eq!(permissions(&policy, PermissionKind::Role), ["User.Read.All"]);
    assert_eq!(labels(&policy), ["Tenant Id", "Client id (App id)", "Client Secret", "Contact URL", "Country Code"]);
    let handoff = policy.credentials[0].sinks[0].handoff().unwrap();
    assert_eq!(handoff.fields[3].value, None, "Contact URL stays blank");
    assert_eq!(policy.credentials[0].confirm.consumer_use_interval, Some(jiff::SignedDuration::from_hours(24)));
}

#[test]
fn securends() {
    let policy = named("securends-office365");
    assert_eq!(permissions(&policy, PermissionKind::Role), ["User.Read.All", "Directory.Read.All"]);
    let scopes = permissions(&policy, PermissionKind::Scope);
    let expected =
        ["User.Read", "User.Read.All", "User.ReadBasic.All", "Directory.AccessAsUser.All", "Directory.Read.All"];
    assert_eq!(scopes, expected);
    assert_eq!(policy.app.permissions.len(), 7);
}

#[test]
fn enate() {
    let policy = named("enate-graph-mail");
    assert!(matches!(policy.credentials[0].kind, CredentialKind::Certificate(_)));
    assert!(policy.app.hidden_from_users && policy.app.redirect_uris.is_empty());
    assert_eq!(days(policy.credentials[0].lifetime), 365);
    let mailboxes = policy.mailboxes.as_ref().unwrap();
    assert_eq!(mailboxes.method, MailboxMethod::Rbac);
    assert_eq!(mailboxes.permissions, ["Mail.ReadWrite", "Mail.Send"]);
    assert!(policy.app.permissions.is_empty(), "an Entra grant would add up");
    let SinkTarget::Files(files) = &policy.credentials[0].sinks[0].target else { panic!("files") };
    assert!(files.pfx.is_some() && files.pem.is_some() && files.key.is_some() && files.cer.is_some());
    assert_eq!(
        labels(&policy),
        ["Certificate (PFX)", "PFX password", "Thumbprint", "Application (client) ID", "Directory (tenant) ID"]
    );
}
