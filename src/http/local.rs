//! Plain http, for the one thing that speaks nothing else: the managed identity endpoints of Azure, which answer on
//! this machine or its link alone. Nothing beyond that is ever called, no redirect is followed, no proxy is used, and
//! a request that carries a bearer token is refused.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use reqwest::redirect;
use url::Host;
use url::Url;

use crate::ports::PortError;

use super::Reply;
use super::Request;
use super::clean;
use super::client;
use super::origin;
use super::request::Target;

/// A token endpoint of this machine.
#[derive(Clone, Debug)]
pub struct LocalSite {
    client: reqwest::Client,
    base: Url,
}

impl LocalSite {
    /// The origin of `address`, an http address of this machine (`127.0.0.1`, `localhost`, `[::1]`) or its link
    /// (`169.254.0.0/16`, `fe80::/10`).
    ///
    /// # Errors
    /// [`PortError::Local`] for any other address.
    pub fn at(address: &str) -> Result<Self, PortError> {
        let refuse =
            |why: &str| PortError::Local(format!("`{}` is no managed identity endpoint: {why}", clean(address)));
        let mut base = Url::parse(address).map_err(|error| refuse(&error.to_string()))?;
        if base.scheme() != "http" || !base.username().is_empty() || base.password().is_some() {
            return Err(refuse("it must begin with http:// and hold no user"));
        }
        let near = match base.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_link_local(),
            Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unicast_link_local(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        if !near {
            return Err(refuse("it is neither on this machine nor link-local"));
        }
        base.set_path("");
        base.set_query(None);
        base.set_fragment(None);
        let client = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            // Whatever a resolver says of the name, this machine is meant.
            .resolve("localhost", SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .connect_timeout(Duration::from_secs(2))
            .timeout(Duration::from_secs(10))
            .user_agent(concat!("everkey/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| PortError::Local(format!("http cannot be set up: {}", client::cause(error))))?;
        Ok(Self { client, base })
    }

    /// Host and port, for people.
    pub fn place(&self) -> String {
        origin::place(&self.base)
    }

    /// Sends a read once and returns the answer, whatever its status.
    ///
    /// # Errors
    /// As [`super::Site::send`]; [`PortError::Local`] also for a request with a bearer token or a link.
    pub async fn send(&self, request: Request) -> Result<Reply, PortError> {
        let Target::Path(path, query) = &request.target else {
            return Err(PortError::Local("links are not followed over http".into()));
        };
        if request.headers.iter().any(|(name, _)| *name == AUTHORIZATION) || request.body.is_some() {
            return Err(PortError::Local("no bearer token and no body leaves over http".into()));
        }
        let url = origin::join(&self.base, path, query)?;
        let mut outgoing = self.client.request(request.method, url);
        for (name, value) in request.headers {
            outgoing = outgoing.header(name, value);
        }
        let place = self.place();
        match outgoing.send().await {
            Ok(response) => Reply::read(response, place, request.max_bytes, request.hidden).await,
            Err(error) if error.is_connect() => Err(PortError::Unreachable { place, why: client::cause(error) }),
            Err(error) => Err(PortError::Unsure { place, why: client::cause(error), request_id: None }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn only_this_machine_and_its_link_are_called_over_http() {
        for address in
            ["http://169.254.169.254", "http://127.0.0.1:41741/msi/token/", "http://localhost:42356", "http://[::1]:1"]
        {
            assert!(LocalSite::at(address).is_ok(), "{address}");
        }
        for address in [
            "https://127.0.0.1",
            "http://10.0.0.4",
            "http://graph.microsoft.com",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
            "http://user@127.0.0.1",
            "http://0.0.0.0",
            "ftp://127.0.0.1",
            "",
        ] {
            assert!(matches!(LocalSite::at(address), Err(PortError::Local(_))), "{address}");
        }
    }

    #[tokio::test]
    async fn a_bearer_token_never_leaves_over_http() {
        let token = Secret::from_text("canary-token".into());
        let site = LocalSite::at("http://127.0.0.1:1").unwrap();
        for request in [
            Request::get("/x").bearer(&token).unwrap(),
            Request::get("/x").form(&[("client_secret", "canary")]),
            Request::follow("http://127.0.0.1:1/x"),
        ] {
            let error = site.send(request).await.unwrap_err();
            assert!(matches!(&error, PortError::Local(why) if !why.contains("canary")), "{error:?}");
        }
    }
}
