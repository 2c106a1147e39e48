//! `everkey.toml`: every key of the contract, its defaults, and how paths and secrets are named.

use std::path::Path;
use std::path::PathBuf;

use everkey::model::CertProfile;
use everkey::model::NameRule;
use everkey::policy;
use everkey::policy::Auth;
use everkey::policy::Cloud;
use everkey::policy::MailAuth;
use everkey::policy::Mode;
use everkey::policy::SecretSource;
use everkey::policy::StoreUrl;
use everkey::policy::Tls;
use everkey::policy::ToolConfig;
use everkey::policy::diagnostics;

/// The example of the contract (`policy.md`), with its commented keys written out.
pub const CONTRACT: &str = r#"version = 1
policies = "policies"
store = "sqlite:///var/lib/everkey/everkey.db"

[seal]
key_file = "credential:everkey_seal"
recovery_recipient = "/etc/everkey/recovery.pem"

[tenants.contoso]
tenant_id = "8f0c1d52-0000-4000-8000-0000000031aa"
client_id = "3f0c1d52-0000-4000-8000-00000000e0e0"
cloud = "public"
auth = "workload-identity"

[tenants.emu]
tenant_id = "8f0c1d52-0000-4000-8000-0000000031ab"
client_id = "3f0c1d52-0000-4000-8000-00000000e0e1"
cloud = "custom"
login_url = "https://127.0.0.1:8443/"
graph_url = "https://127.0.0.1:8443"
vault_suffix = ".vault.localhost"
ca_file = "emu/ca.pem"
auth = "certificate"
certificate_file = "emu/operator.pem"
emulator = true
sink_root = "./emu/sinks"

[defaults]
tenant = "contoso"
mode = "alert"
schedule = "0 6 * * MON-FRI"
timezone = "Europe/London"
freeze = ["2026-12-18/2027-01-04"]
max_new_rotations_per_day = 5
window = "06:00/10:00"
jitter = "15m"

[alerts]
before = ["60d", "30d", "14d", "7d", "3d", "1d", "0d"]
send_at = "09:00"
working_days_only = true
holidays = "holidays.ics"
fallback_to = "platform@contoso.example"
security_to = "soc@contoso.example"
digest = "Mon 08:30"
heartbeat_url = "https://heartbeat.contoso.example/everkey"
templates = "/etc/everkey/templates"
people."priya.shah@contoso.example" = { channel = "smtp", language = "en" }
escalate_to = ["it-lead@contoso.example"]

[mail]
from = "Credential manager <everkey@contoso.example>"
transport = "smtp"
host = "smtp.contoso.example"
port = 587
tls = "starttls"
username = "everkey@contoso.example"
password_file = "credential:smtp_password"
ca_file = "smtp-ca.pem"

[ca.team-ca]
certificate = "/etc/everkey/team-ca.pem"
key_file = "credential:team_ca_key"
key_password_file = "team-ca.password"

[profiles.web-client]
key_usage = ["digital-signature", "key-encipherment"]
extended_key_usage = ["client-auth", "server-auth"]
dns_names = "required"
wildcards = true
max_lifetime = "90d"

[serve]
listen = "127.0.0.1:8080"
public_url = "https://everkey.contoso.example"
"#;

fn read(text: &str) -> ToolConfig {
    let path = Path::new("/etc/everkey/everkey.toml");
    let read = policy::read_tool(path, text);
    let shown = diagnostics::render(&read.diagnostics, &[(path.to_owned(), text.to_owned())], false);
    read.value.unwrap_or_else(|| panic!("{shown}"))
}

#[test]
fn every_key_of_the_contract_is_read() {
    let tool = read(CONTRACT);
    assert_eq!(tool.policies, Path::new("/etc/everkey/policies"));
    assert_eq!(tool.store, StoreUrl::Sqlite(PathBuf::from("/var/lib/everkey/everkey.db")));
    assert_eq!(tool.seal.unwrap().key, SecretSource::Credential("everkey_seal".into()));
    assert_eq!(tool.tenants["contoso"].auth, Auth::WorkloadIdentity { token_file: None });
    assert_eq!(tool.tenants["contoso"].permissions_allowed, Some(vec![]), "nothing may be granted unless listed");
    let emulator = &tool.tenants["emu"];
    let certificate = PathBuf::from("/etc/everkey/emu/operator.pem");
    assert_eq!(
        emulator.auth,
        Auth::Certificate { certificate: certificate.clone(), key: SecretSource::File(certificate), password: None }
    );
    let Cloud::Custom { login_url, ca_file, .. } = &emulator.cloud else { panic!("custom") };
    assert_eq!(
        (login_url.as_str(), ca_file.as_deref()),
        ("https://127.0.0.1:8443", Some(Path::new("/etc/everkey/emu/ca.pem")))
    );
    assert_eq!(emulator.sink_root.as_deref(), Some(Path::new("/etc/everkey/./emu/sinks")));
    assert_eq!(emulator.permissions_allowed, None, "an emulator may grant anything");
    assert_eq!((tool.defaults.mode, tool.defaults.jitter), (Mode::Alert, jiff::SignedDuration::from_mins(15)));
    assert_eq!(tool.alerts.before_days, [60, 30, 14, 7, 3, 1, 0]);
    assert_eq!(tool.alerts.holidays_file.as_deref(), Some(Path::new("/etc/everkey/holidays.ics")));
    assert_eq!(tool.alerts.digest.unwrap().0, jiff::civil::Weekday::Monday);
    let mail = tool.mail.unwrap();
    assert_eq!((mail.auth, mail.tls, mail.port), (Some(MailAuth::Password), Tls::Starttls, 587));
    assert_eq!(mail.password, Some(SecretSource::Credential("smtp_password".into())));
    let ca = &tool.ca["team-ca"];
    assert_eq!(ca.key, SecretSource::Credential("team_ca_key".into()));
    assert_eq!(ca.key_password, Some(SecretSource::File("/etc/everkey/team-ca.password".into())));
    let profile = &tool.profiles["web-client"];
    assert_eq!((profile.key_usage.len(), profile.extended_key_usage.len()), (2, 2));
    assert_eq!((profile.dns_names, profile.wildcards, profile.max_days), (NameRule::Required, true, 90));
    assert_eq!(tool.profiles["entra-client"], CertProfile::entra_client());
}

#[test]
fn little_is_enough() {
    let tool = read(
        "version = 1\nstore = 'sqlite:everkey.db'\n[tenants.t]\ntenant_id = '8f0c1d52-0000-4000-8000-0000000031aa'\nauth = 'azure-cli'\n\
         [mail]\nfrom = 'everkey@contoso.example'\nhost = 'smtp.contoso.example'\ntls = 'implicit'\n",
    );
    assert_eq!(tool.store, StoreUrl::Sqlite(PathBuf::from("/etc/everkey/everkey.db")));
    assert_eq!(tool.defaults.tenant.as_deref(), Some("t"), "the only tenant is the default one");
    assert_eq!((tool.defaults.schedule.as_str(), tool.defaults.timezone.as_str()), ("0 6 * * MON-FRI", "UTC"));
    let mail = tool.mail.unwrap();
    assert_eq!((mail.port, mail.auth), (465, None));
    assert!(tool.seal.is_none() && tool.serve.is_none());
}

#[test]
fn policies_take_their_defaults_from_it() {
    let tool = read(CONTRACT).with_holidays("BEGIN:VEVENT\nDTSTART;VALUE=DATE:20261225\nEND:VEVENT\n").unwrap();
    let text = "version = 1\nname = 'p'\n[app]\napp_id = '2b61e0f4-0000-4000-8000-00000000c0de'\n";
    let read = policy::read_policies(&[(PathBuf::from("p.toml"), text.into())], &tool);
    let [policy] = read.value.as_slice() else { panic!("{:?}", read.diagnostics) };
    assert_eq!((policy.mode, policy.tenant.as_str(), policy.title.as_str()), (Mode::Alert, "contoso", "p"));
    assert_eq!(policy.people.owner, "platform@contoso.example");
    assert_eq!(policy.calendar.timezone, "Europe/London");
    assert_eq!(policy.calendar.freeze.len(), 1);
    assert_eq!(policy.calendar.holidays, [jiff::civil::date(2026, 12, 25)]);
    assert!(policy.calendar.window.is_some() && policy.credentials.is_empty() && policy.owns_app);
    let start = policy::gate::next_start(&policy.calendar, "2026-12-17T23:00:00Z".parse().unwrap());
    assert_eq!(start.to_string(), "2027-01-05T06:00:00Z");
}

#[test]
fn secrets_have_two_ways_and_exactly_one_counts() {
    let base = "version = 1\n[tenants.t]\ntenant_id = '8f0c1d52-0000-4000-8000-0000000031aa'\n\
                client_id = '3f0c1d52-0000-4000-8000-00000000e0e0'\nauth = 'secret'\n";
    let tool = read(&format!("{base}secret_env = 'EVERKEY_CLIENT_SECRET'\n"));
    assert_eq!(tool.tenants["t"].auth, Auth::Secret(SecretSource::Environment("EVERKEY_CLIENT_SECRET".into())));
    let both = format!("{base}secret_env = 'A'\nsecret_file = 'b'\n");
    let found = policy::read_tool(Path::new("everkey.toml"), &both);
    assert_eq!(found.diagnostics[0].code, "P050");
    assert!(found.value.is_none());
}

#[test]
fn authorities_and_profiles_that_contradict_themselves() {
    let base = "version = 1\n[tenants.t]\ntenant_id = '8f0c1d52-0000-4000-8000-0000000031aa'\nauth = 'azure-cli'\n";
    for (text, code) in [
        ("[ca.x]\nkey_file = 'k'", "P005"),
        ("[ca.x]\ncertificate = 'c'", "P005"),
        ("[ca.X]\ncertificate = 'c'\nkey_file = 'k'", "P008"),
        ("[ca.x]\ncertificate = 'c'\nkey_file = 'k'\nkey_password_file = 'a'\nkey_password_env = 'B'", "P050"),
        ("[ca.x]\ncertificate = 'c'\nkey_file = 'k'\nkey_password = 'secret'", "P003"),
        ("[profiles.entra-client]\nwildcards = true", "P050"),
        ("[profiles.x]\nkey_usage = []", "P054"),
        ("[profiles.x]\nkey_usage = ['key-cert-sign']", "P006"),
        ("[profiles.x]\nmax_lifetime = '399d'", "P054"),
        ("[profiles.x]\nmax_lifetime = '12h'", "P054"),
        ("[profiles.x]\nmax_lifetime = 'long'", "P010"),
        ("[profiles.x]\ndns_names = 'forbidden'\nwildcards = true", "P050"),
        ("[profiles.x]\nwildcard = true", "P003"),
    ] {
        let found = policy::read_tool(Path::new("everkey.toml"), &format!("{base}{text}\n"));
        let codes: Vec<&str> = found.diagnostics.iter().map(|found| found.code).collect();
        assert!(found.value.is_none() && codes == [code], "{text}: {codes:?}");
    }
}
