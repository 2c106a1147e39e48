//! A scripted HTTPS server, written on the socket so that it can also break the protocol.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::IsCa;
use rcgen::KeyPair;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::Value;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `GET /path?query`.
    pub line: String,
    /// Header lines, names in lower case.
    pub headers: Vec<String>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|header| header.strip_prefix(&format!("{name}: ")))
    }
}

/// What the server does with a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Closes the connection without a word.
    Close,
    /// Leaves the client waiting.
    Hang,
    /// Waits for the signal, then answers.
    Held(Arc<Notify>, Box<Answer>),
    /// Status, extra header lines, body.
    Http(u16, Vec<String>, Vec<u8>),
    /// Exactly these bytes, then the end of the connection.
    Raw(Vec<u8>),
}

impl Answer {
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        Self::Http(status, vec!["content-type: application/json".into()], body.into().into_bytes())
    }

    pub fn empty(status: u16) -> Self {
        Self::Http(status, Vec::new(), Vec::new())
    }

    pub fn with(self, header: &str) -> Self {
        match self {
            Self::Http(status, mut headers, body) => {
                headers.push(header.into());
                Self::Http(status, headers, body)
            }
            other => other,
        }
    }

    /// An error body of Graph.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, serde_json::json!({ "error": { "code": code, "message": message } }).to_string())
    }
}

/// The server: answers in the order of its script, 500 "script is over" afterwards.
pub struct Server {
    /// `https://localhost:<port>`.
    pub url: String,
    pub port: u16,
    script: Arc<Mutex<VecDeque<Answer>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    pub async fn start(script: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Arc::new(Mutex::new(VecDeque::from(script)));
        let seen = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn(accept(listener, script.clone(), seen.clone()));
        Self { url: format!("https://localhost:{port}"), port, script, seen }
    }

    pub fn then(&self, answer: Answer) {
        self.script.lock().unwrap().push_back(answer);
    }

    /// The requests since the last call.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }

    /// The request lines since the last call.
    pub fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }
}

/// The certificate authority of all test servers, PEM.
pub fn ca_pem() -> Vec<u8> {
    ca().pem().into_bytes()
}

fn ca() -> &'static CertifiedIssuer<'static, KeyPair> {
    static CA: OnceLock<CertifiedIssuer<'static, KeyPair>> = OnceLock::new();
    CA.get_or_init(|| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    })
}

fn acceptor() -> TlsAcceptor {
    let names = ["localhost", "127.0.0.1"].map(String::from);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, ca()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn accept(listener: TcpListener, script: Arc<Mutex<VecDeque<Answer>>>, seen: Arc<Mutex<Vec<Seen>>>) {
    let acceptor = acceptor();
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(acceptor.clone(), stream, script.clone(), seen.clone()));
    }
}

/// Serves one connection; ends silently when the client goes away.
async fn serve(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    script: Arc<Mutex<VecDeque<Answer>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
) -> Option<()> {
    let mut stream = BufReader::new(acceptor.accept(stream).await.ok()?);
    loop {
        let request = read(&mut stream).await?;
        seen.lock().unwrap().push(request);
        let answer = script.lock().unwrap().pop_front();
        let mut answer = answer.unwrap_or_else(|| Answer::error(500, "ScriptOver", "the script is over"));
        while let Answer::Held(signal, held) = answer {
            signal.notified().await;
            answer = *held;
        }
        match answer {
            Answer::Held(..) => unreachable!("let go above"),
            Answer::Close => return None,
            Answer::Hang => std::future::pending().await,
            Answer::Http(status, headers, body) => {
                let mut head = format!("HTTP/1.1 {status} -\r\n");
                if status != 204 {
                    head.push_str(&format!("content-length: {}\r\n", body.len()));
                }
                for header in headers {
                    head.push_str(&format!("{header}\r\n"));
                }
                stream.write_all(&[head.as_bytes(), b"\r\n", &body].concat()).await.ok()?;
                stream.flush().await.ok()?;
            }
            Answer::Raw(bytes) => {
                stream.write_all(&bytes).await.ok()?;
                stream.flush().await.ok()?;
                return None;
            }
        }
    }
}

async fn read(stream: &mut (impl AsyncBufReadExt + Unpin)) -> Option<Seen> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let line = lines.remove(0).trim_end_matches(" HTTP/1.1").to_owned();
    let headers: Vec<String> = lines
        .iter()
        .map(|line| line.split_once(": ").map(|(name, value)| format!("{}: {value}", name.to_ascii_lowercase())))
        .collect::<Option<_>>()?;
    let mut seen = Seen { line, headers, body: Vec::new() };
    let length = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
    seen.body = vec![0; length];
    stream.read_exact(&mut seen.body).await.ok()?;
    Some(seen)
}
