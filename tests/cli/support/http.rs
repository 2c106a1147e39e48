//! Requests of the tests themselves to the emulator: its own routes, and Graph as the operator.

use reqwest::Certificate;
use reqwest::Client;
use reqwest::Method;
use serde_json::Value;

use super::World;

fn client(world: &World) -> Client {
    let ca = Certificate::from_pem(&std::fs::read(world.emulator_dir().join("ca.pem")).unwrap()).unwrap();
    Client::builder().tls_certs_only([ca]).no_proxy().build().unwrap()
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

impl World {
    /// A call of the emulator's own routes.
    pub fn admin(&self, method: Method, what: &str, body: &Value) -> Value {
        let request = client(self).request(method, format!("{}/_emulator/{what}", self.url())).json(body);
        wait(async {
            let answer = request.send().await.unwrap().error_for_status().unwrap().text().await.unwrap();
            if answer.is_empty() { Value::Null } else { serde_json::from_str(&answer).unwrap() }
        })
    }

    /// The whole directory of the tenant.
    pub fn state(&self) -> Value {
        self.admin(Method::GET, "state", &Value::Null)
    }

    /// The next matching call meets this effect (`Fault` of the emulator).
    pub fn fault(&self, fault: &Value) {
        self.admin(Method::POST, "faults", fault);
    }

    /// A token of everkey's own application.
    pub fn operator_token(&self) -> String {
        let operator = &self.guide()["operator"];
        self.token_of(operator["client_id"].as_str().unwrap(), operator["client_secret"].as_str().unwrap())
    }

    /// A token of an application.
    pub fn token_of(&self, client_id: &str, secret: &str) -> String {
        let url = format!("{}/{}/oauth2/v2.0/token", self.url(), self.guide()["tenant_id"].as_str().unwrap());
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("client_secret", secret),
            ("scope", "https://graph.microsoft.com/.default"),
        ];
        let request = client(self).post(url).form(&form);
        let answer: Value = wait(async { request.send().await.unwrap().json().await.unwrap() });
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// A token request with a client secret; status and answer.
    pub fn token_with(&self, client_id: &str, secret: &str) -> u16 {
        let url = format!("{}/{}/oauth2/v2.0/token", self.url(), self.guide()["tenant_id"].as_str().unwrap());
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("client_secret", secret),
            ("scope", "https://graph.microsoft.com/.default"),
        ];
        let request = client(self).post(url).form(&form);
        wait(async { request.send().await.unwrap().status().as_u16() })
    }

    /// A Graph call as the operator.
    pub fn graph(&self, method: Method, path: &str, body: &Value) -> Value {
        let token = self.operator_token();
        let request = client(self).request(method, format!("{}/v1.0{path}", self.url())).bearer_auth(token).json(body);
        wait(async {
            let answer = request.send().await.unwrap().error_for_status().unwrap().text().await.unwrap();
            if answer.is_empty() { Value::Null } else { serde_json::from_str(&answer).unwrap() }
        })
    }
}
