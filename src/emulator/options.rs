//! How to start an emulator.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::quirks::Quirks;
use super::tls::Tls;
use crate::clock::Clock;

/// How to start an emulator.
#[derive(Clone)]
pub struct Options {
    /// The clock of tokens, credentials and `Date` headers. TLS uses real time.
    pub clock: Arc<dyn Clock>,
    /// How many seconds the clock advances in each real second; told to whoever asks.
    pub clock_rate: u32,
    /// Where state and the operator's files are kept; in memory only when absent.
    pub dir: Option<PathBuf>,
    /// The loopback address of the managed identity endpoints; none when absent.
    pub imds: Option<SocketAddr>,
    /// The loopback address to listen on; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Mail settings for the ready tool configuration; none are written when absent.
    pub mail: Option<MailSettings>,
    /// Whether the clock stands still until moved; told to whoever asks.
    pub manual_clock: bool,
    /// The policy directory that the ready tool configuration names; made absolute.
    pub policies: PathBuf,
    /// How the service misbehaves.
    pub quirks: Quirks,
    /// Ids and secrets repeat for equal seeds; 0 means random ones. For simulations only: whoever knows
    /// the seed knows the secrets.
    pub seed: u64,
    /// So many applications are in a new tenant; one that is loaded stays as it is.
    pub seed_apps: usize,
    /// The certificate to serve with; one is made when absent. A mail catcher started first shares its.
    pub tls: Option<Tls>,
}

/// The mail server that the ready tool configuration names.
#[derive(Clone)]
pub struct MailSettings {
    /// PEM file of the authority to trust; the emulator's own `ca.pem` when absent.
    pub ca_file: Option<PathBuf>,
    /// The server.
    pub host: String,
    /// The password; written to `smtp.password` in the directory, readable by its owner only.
    pub password: String,
    /// Its port (STARTTLS).
    pub port: u16,
    /// The account.
    pub username: String,
}

impl fmt::Debug for MailSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailSettings").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl Options {
    /// A polite emulator in memory on a free port, run by `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            clock_rate: 1,
            dir: None,
            imds: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            mail: None,
            manual_clock: false,
            policies: PathBuf::from("policies"),
            quirks: Quirks::default(),
            seed: 0,
            seed_apps: 0,
            tls: None,
        }
    }
}
