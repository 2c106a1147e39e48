//! The client: one pool of TLS connections, and sites (a base address each) that share it.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Certificate;
use reqwest::redirect;
use url::Url;

use crate::ports::PortError;

use super::Reply;
use super::Request;
use super::clean;
use super::names::Names;
use super::origin;
use super::request::Target;
use super::wire;
use super::wire::Wire;

/// How the client connects. The defaults are right for everything but private certificate authorities,
/// proxies and tests.
#[derive(Clone)]
pub struct Options {
    /// Certificates, PEM, that are then the only roots trusted (an emulator, a private cloud).
    pub ca_pem: Option<Vec<u8>>,
    /// Proxy for everything (`http://proxy.contoso.example:3128`, a user and password may be in it); TLS still
    /// ends at the far side.
    pub proxy: Option<String>,
    /// Longest time from connecting to the last byte of the answer, real time.
    pub timeout: Duration,
    /// Longest time for name, TCP and TLS together, real time.
    pub connect_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { ca_pem: None, proxy: None, timeout: Duration::from_secs(20), connect_timeout: Duration::from_secs(5) }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("own_roots", &self.ca_pem.is_some())
            .field("proxy", &self.proxy.is_some())
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .finish()
    }
}

/// Connections and what they trust. Cloning shares the pool.
#[derive(Clone)]
pub struct Client {
    net: reqwest::Client,
    /// Takes the network's place.
    wire: Option<Arc<dyn Wire>>,
}

// reqwest's own print may hold the password of a proxy.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client(..)")
    }
}

impl Client {
    /// A client that follows no redirects, repeats nothing and speaks https only.
    ///
    /// # Errors
    /// [`PortError::Local`] when the certificates, the proxy or the machine's roots cannot be used.
    pub fn new(options: &Options) -> Result<Self, PortError> {
        let local = |what: &str, error| PortError::Local(format!("{what}: {}", cause(error)));
        let mut builder = reqwest::Client::builder()
            .https_only(true)
            .redirect(redirect::Policy::none())
            // reqwest repeats requests that HTTP/2 says were not handled: never here (F1).
            .retry(reqwest::retry::never())
            .referer(false)
            // The environment's door is `config`, so proxies come from the options alone.
            .no_proxy()
            .dns_resolver(Arc::new(Names))
            .timeout(options.timeout)
            .connect_timeout(options.connect_timeout)
            .user_agent(concat!("everkey/", env!("CARGO_PKG_VERSION")));
        if let Some(pem) = &options.ca_pem {
            let roots = Certificate::from_pem_bundle(pem)
                .map_err(|error| local("the CA certificates cannot be read", error))?;
            if roots.is_empty() {
                return Err(PortError::Local("the CA file holds no certificate".into()));
            }
            builder = builder.tls_certs_only(roots);
        }
        if let Some(proxy) = &options.proxy {
            builder = builder
                .proxy(reqwest::Proxy::all(proxy).map_err(|error| local("the proxy address cannot be used", error))?);
        }
        let net = builder.build().map_err(|error| local("TLS cannot be set up", error))?;
        Ok(Self { net, wire: None })
    }

    /// A client whose calls all go along `wire`: nothing of it reaches a network.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn along(wire: Arc<dyn Wire>) -> Result<Self, PortError> {
        Ok(Self { wire: Some(wire), ..Self::new(&Options::default())? })
    }

    /// Binds the client to one base address, the only origin that the site will ever talk to.
    ///
    /// # Errors
    /// [`PortError::Local`] unless `base` is an https address without user, query or fragment.
    pub fn at(&self, base: &str) -> Result<Site, PortError> {
        Ok(Site { client: self.clone(), base: origin::parse_base(base)? })
    }
}

/// One far side: a client and the base address it is bound to.
#[derive(Clone, Debug)]
pub struct Site {
    client: Client,
    base: Url,
}

impl Site {
    /// Host and port, for people.
    pub fn place(&self) -> String {
        origin::place(&self.base)
    }

    /// Sends `request` once and returns the answer, whatever its status (see [`Reply::accept`]).
    ///
    /// # Errors
    /// [`PortError::Local`]: a path that cannot be sent. [`PortError::Refused`] with the code `ForeignOrigin`: a
    /// link that leaves the origin; nothing was sent. [`PortError::Unreachable`]: no connection, nothing sent.
    /// [`PortError::Unsure`]: sent, and then a timeout, a reset or an answer beyond the cap.
    pub async fn send(&self, request: Request) -> Result<Reply, PortError> {
        let url = match &request.target {
            Target::Link(link) => origin::adopt(&self.base, link)?,
            Target::Path(path, query) => origin::join(&self.base, path, query)?,
        };
        let method = request.method.clone();
        let path = clean(url.path());
        // Known on both sides whatever becomes of the answer.
        let sent_as = uuid::Uuid::new_v4().to_string();
        let mut outgoing = self.client.net.request(request.method, url).header("client-request-id", &sent_as);
        for (name, value) in request.headers {
            outgoing = outgoing.header(name, value);
        }
        if let Some(body) = &request.body {
            outgoing = outgoing.body(body.expose().to_vec());
        }
        let sent = match &self.client.wire {
            Some(wire) => wire::exchange(wire, outgoing, self.place()),
            None => outgoing.send().await.map_err(|error| self.failure(error)),
        };
        let result = match sent {
            Ok(response) => Reply::read(response, self.place(), request.max_bytes, request.hidden).await,
            Err(error) => Err(error),
        };
        let result = named(result, sent_as);
        match &result {
            Ok(reply) => {
                let request_id = reply.request_id.as_deref().unwrap_or("-");
                tracing::debug!(%method, path, status = reply.status, request_id, "answered");
            }
            Err(error) => tracing::debug!(%method, path, %error, request_id = error.request_id(), "no answer"),
        }
        result
    }

    /// Only what failed before anything was sent may be called unreachable.
    fn failure(&self, error: reqwest::Error) -> PortError {
        let place = self.place();
        if error.is_builder() {
            PortError::Local(format!("cannot build a request to {place}: {}", cause(error)))
        } else if error.is_connect() {
            PortError::Unreachable { place, why: cause(error) }
        } else if error.is_timeout() {
            PortError::Unsure { place, why: "no answer in time".into(), request_id: None }
        } else {
            PortError::Unsure { place, why: cause(error), request_id: None }
        }
    }
}

/// Where the far side gave no id, the one that the call was sent with stands for it when something is wrong.
fn named(result: Result<Reply, PortError>, sent_as: String) -> Result<Reply, PortError> {
    let sent_as = format!("{sent_as} (client-request-id)");
    match result {
        Ok(reply) => Ok(Reply { sent_as: Some(sent_as), ..reply }),
        Err(PortError::Unsure { place, why, request_id }) => {
            Err(PortError::Unsure { place, why, request_id: request_id.or(Some(sent_as)) })
        }
        error => error,
    }
}

/// The innermost cause of `error`, without its URL (a query may hold more than people should see).
pub(super) fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    clean(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_cannot_work_are_refused_at_once() {
        for options in [
            Options { ca_pem: Some(b"no certificate".to_vec()), ..Options::default() },
            Options { proxy: Some("::".into()), ..Options::default() },
        ] {
            assert!(matches!(Client::new(&options), Err(PortError::Local(_))), "{options:?}");
        }
    }

    #[test]
    fn the_password_of_a_proxy_is_not_shown() {
        let proxy = Some("http://user:canary@proxy.contoso.example:3128".to_owned());
        let options = Options { proxy, ..Options::default() };
        let site = Client::new(&options).unwrap().at("https://graph.contoso.example").unwrap();
        assert!(!format!("{options:?} {site:?}").contains("canary"));
    }
}
