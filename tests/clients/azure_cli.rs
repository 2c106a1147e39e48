//! azure-cli on a cloud of its own: log in, and what `az ad` and `az rest` do to applications. After each theme the
//! emulator is asked what it now holds.

use serde_json::Value;
use serde_json::json;

use crate::support::Lab;
use crate::support::text;

const GRAPH: &str = "00000003-0000-0000-c000-000000000000";
const MAIL_SEND: &str = "b633e1c5-b582-4048-a93e-9f11b44c7e96";
const USER_READ: &str = "e1fe6dd8-ba31-4d61-89e7-88639da4683d";

/// A lab with azure-cli pointed at it, and an administrator to log in as.
struct Desk {
    administrator: Value,
    lab: Lab,
}

impl Desk {
    /// The commands of `docs/how-to/use-the-emulator.md`, without the login.
    fn open() -> Self {
        let lab = Lab::start();
        let administrator = lab.script("administrator.py", &[]);
        let desk = Self { administrator, lab };
        let url = desk.lab.url().to_owned();
        desk.az(&["config", "set", "core.instance_discovery=false", "core.collect_telemetry=false"]);
        // az rest tells Graph from Resource Manager by the origin alone.
        let manager = url.replace("127.0.0.1", "localhost");
        desk.az(&[
            "cloud",
            "register",
            "--name=emulator",
            &format!("--endpoint-resource-manager={manager}"),
            &format!("--endpoint-active-directory={url}"),
            &format!("--endpoint-active-directory-resource-id={url}/arm"),
            &format!("--endpoint-microsoft-graph-resource-id={url}/"),
            &format!("--endpoint-active-directory-graph-resource-id={url}/"),
            "--skip-endpoint-discovery",
        ]);
        desk.az(&["cloud", "set", "--name=emulator"]);
        desk
    }

    fn login(&self, with: &str) -> Value {
        let app_id = self.administrator["app_id"].as_str().unwrap();
        let tenant = self.lab.word("/tenant_id");
        let user = ["login", "--service-principal", "-u", app_id, "--tenant", tenant, "--allow-no-subscriptions", with];
        self.az(&user)
    }

    fn login_by_secret(&self) -> Value {
        let secret = std::fs::read_to_string(self.lab.path().join("administrator.secret")).unwrap();
        self.login(&format!("--password={secret}"))
    }

    /// What a command that succeeds prints.
    #[track_caller]
    fn az(&self, arguments: &[&str]) -> Value {
        let output = self.lab.az(arguments);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "az {}: {err}", arguments[..2].join(" "));
        if out.trim().is_empty() { Value::Null } else { serde_json::from_str(&out).unwrap() }
    }

    /// What a command that fails says.
    #[track_caller]
    fn az_fails(&self, arguments: &[&str]) -> String {
        let output = self.lab.az(arguments);
        assert!(!output.status.success(), "az {} succeeded", arguments[..2].join(" "));
        text(&output.stderr)
    }

    /// The application as the emulator holds it.
    fn held(&self, app_id: &str) -> Value {
        let state = self.lab.script("state.py", &[]);
        let mut all = state["applications"].as_object().unwrap().values();
        all.find(|one| one["appId"] == app_id).unwrap().clone()
    }
}

#[test]
fn az_logs_in_and_keeps_applications() {
    let desk = Desk::open();
    let by_certificate = desk.login("--certificate=administrator.pem");
    assert_eq!(by_certificate[0]["user"]["name"], desk.administrator["app_id"]);
    desk.az(&["logout"]);
    let refused = desk.az_fails(&["ad", "app", "list"]);
    assert!(refused.contains("az login"), "{refused}");
    let refused = desk.lab.az(&[
        "login",
        "--service-principal",
        "-u",
        desk.administrator["app_id"].as_str().unwrap(),
        "--password=abc8Q~wrong",
        "--tenant",
        desk.lab.word("/tenant_id"),
    ]);
    assert!(text(&refused.stderr).contains("AADSTS7000215"), "{}", text(&refused.stderr));
    let by_secret = desk.login_by_secret();
    assert_eq!(by_secret[0]["tenantId"], desk.lab.word("/tenant_id"));

    let made = desk.az(&["ad", "app", "create", "--display-name=payroll", "--sign-in-audience=AzureADMyOrg"]);
    let (id, app_id) = (made["id"].as_str().unwrap(), made["appId"].as_str().unwrap());
    // The same name again is an update, found by startswith.
    let address = "https://payroll.contoso.example/cb";
    desk.az(&["ad", "app", "create", "--display-name=payroll", &format!("--web-redirect-uris={address}")]);
    let uri = format!("--identifier-uris=api://{app_id}");
    desk.az(&["ad", "app", "update", "--id", app_id, "--display-name=payroll, renamed", &uri]);
    let shown = desk.az(&["ad", "app", "show", "--id", app_id]);
    assert_eq!((&shown["displayName"], &shown["id"]), (&"payroll, renamed".into(), &id.into()));
    let listed = desk.az(&["ad", "app", "list", "--all", "--query", "[].displayName"]);
    assert_eq!(listed.as_array().unwrap().iter().filter(|name| **name == "payroll, renamed").count(), 1, "{listed}");
    let held = desk.held(app_id);
    assert_eq!(held["properties"]["web"]["redirectUris"], json!([address]));
    assert_eq!(held["properties"]["identifierUris"], json!([format!("api://{app_id}")]));

    rest(&desk, id, app_id);
    owners_and_permissions(&desk, app_id);

    desk.az(&["ad", "app", "delete", "--id", app_id]);
    assert!(desk.held(app_id)["deleted"].is_string());
    let gone = desk.az_fails(&["ad", "app", "show", "--id", app_id]);
    assert!(gone.contains("does not exist"), "{gone}");
}

fn rest(desk: &Desk, id: &str, app_id: &str) {
    let url = format!("{}/v1.0/applications", desk.lab.url());
    let found = desk.az(&["rest", "--url", &format!("{url}?$filter=appId eq '{app_id}'&$select=displayName")]);
    assert_eq!(found["value"], json!([{"displayName": "payroll, renamed"}]));
    let body = r#"--body={"notes":"by az rest"}"#;
    desk.az(&["rest", "--method=patch", "--url", &format!("{url}/{id}"), body]);
    assert_eq!(desk.held(app_id)["properties"]["notes"], "by az rest");
}

fn owners_and_permissions(desk: &Desk, app_id: &str) {
    let administrator = desk.administrator["principal"].as_str().unwrap();
    let owner = |what: &str, id: &str| desk.az(&["ad", "app", "owner", what, "--id", app_id, "--owner-object-id", id]);
    owner("add", administrator);
    let owners = desk.az(&["ad", "app", "owner", "list", "--id", app_id, "--query", "[].displayName"]);
    assert_eq!(owners, json!(["administrator"]));
    owner("remove", administrator);
    assert_eq!(desk.held(app_id)["owners"], json!([]));

    let made = desk.az(&["ad", "sp", "create", "--id", app_id]);
    let shown = desk.az(&["ad", "sp", "show", "--id", app_id]);
    assert_eq!((&shown["id"], &shown["displayName"]), (&made["id"], &"payroll, renamed".into()));
    let listed = desk.az(&["ad", "sp", "list", "--display-name=payroll, renamed", "--query", "[].id"]);
    assert_eq!(listed, json!([made["id"]]));

    let (role, scope) = (format!("{MAIL_SEND}=Role"), format!("{USER_READ}=Scope"));
    let add = ["ad", "app", "permission", "add", "--id", app_id, "--api", GRAPH, "--api-permissions", &role, &scope];
    desk.az(&add);
    let wanted = desk.az(&["ad", "app", "permission", "list", "--id", app_id]);
    let access = json!([{"id": MAIL_SEND, "type": "Role"}, {"id": USER_READ, "type": "Scope"}]);
    assert_eq!(wanted, json!([{"resourceAppId": GRAPH, "resourceAccess": access}]));
    // The second grant deletes the first by a path with a capital A, then posts its own.
    for scope in ["User.Read Mail.Read", "User.Read"] {
        desk.az(&["ad", "app", "permission", "grant", "--id", app_id, "--api", GRAPH, "--scope", scope]);
    }
    let grants = desk.az(&["ad", "app", "permission", "list-grants", "--id", app_id, "--query", "[].scope"]);
    assert_eq!(grants, json!(["User.Read"]));
}

#[test]
fn az_resets_lists_and_deletes_credentials() {
    let desk = Desk::open();
    desk.login_by_secret();
    let app = desk.az(&["ad", "app", "create", "--display-name=credentials"]);
    let app_id = app["appId"].as_str().unwrap();
    let reset = |more: &[&str]| {
        desk.az(&[&["ad", "app", "credential", "reset", "--id", app_id], more].concat());
        let held = desk.held(app_id)["credentials"].clone();
        (held["passwords"].as_array().unwrap().len(), held["keys"].as_array().unwrap().len())
    };
    let delete = |more: &[&str], key_id: &Value| {
        let key_id = key_id.as_str().unwrap();
        desk.az(&[&["ad", "app", "credential", "delete", "--id", app_id, "--key-id", key_id], more].concat());
        desk.held(app_id)["credentials"].clone()
    };
    assert_eq!(reset(&["--display-name=first"]), (1, 0));
    assert_eq!(reset(&["--append", "--display-name=second"]), (2, 0));
    // Without --append all secrets give way to the new one.
    assert_eq!(reset(&["--display-name=third", "--years=2"]), (1, 0));
    assert_eq!(reset(&["--cert=@new.pem", "--append"]), (1, 1));
    assert_eq!(reset(&["--create-cert", "--append"]), (1, 2));

    let secrets = desk.az(&["ad", "app", "credential", "list", "--id", app_id]);
    assert_eq!((secrets[0]["displayName"].as_str(), secrets.as_array().unwrap().len()), (Some("third"), 1));
    let keys = desk.az(&["ad", "app", "credential", "list", "--id", app_id, "--cert"]);
    assert_eq!(keys.as_array().unwrap().len(), 2);
    let held = delete(&["--cert"], &keys[0]["keyId"]);
    assert_eq!(held["keys"][0]["keyId"], keys[1]["keyId"], "the other one stays, echoed without its bytes");
    assert_eq!(held["keys"].as_array().unwrap().len(), 1);
    let held = delete(&[], &secrets[0]["keyId"]);
    assert_eq!(held["passwords"], json!([]));
    // Without --append all certificates give way as well.
    assert_eq!(reset(&["--cert=@new.pem"]), (0, 1));
}
