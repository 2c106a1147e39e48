//! A mail server that catches what is sent to it: STARTTLS and AUTH as a real submission server asks for
//! them, and then no mail ever leaves the machine.

mod envelope;
mod session;

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::EmulatorError;
use super::tls::Tls;

/// How to start a mail catcher.
#[derive(Clone)]
pub struct MailOptions {
    /// Where every mail is also written, as `0001-<slug>.eml`; in memory only when absent.
    pub dir: Option<PathBuf>,
    /// The loopback address to listen on; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The password that AUTH has to give.
    pub password: String,
    /// The certificate for STARTTLS.
    pub tls: Tls,
    /// The account that AUTH has to name.
    pub user: String,
}

impl fmt::Debug for MailOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailOptions").field("listen", &self.listen).field("user", &self.user).finish_non_exhaustive()
    }
}

/// One mail as it was handed over.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CaughtMail {
    /// The message: headers and body, CRLF line ends, dots unstuffed.
    pub data: Vec<u8>,
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
}

/// A running mail catcher. Dropped, it stops.
pub struct MailCatcher {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What all sessions share.
struct Shared {
    acceptor: TlsAcceptor,
    letters: Mutex<MailBox>,
    dir: Option<PathBuf>,
    password: String,
    user: String,
}

#[derive(Default)]
struct MailBox {
    mails: Vec<CaughtMail>,
    refuse: u32,
    refuse_with: u16,
}

impl MailCatcher {
    /// Starts to listen.
    ///
    /// Fails on an address that is not loopback or is taken, or when `dir` cannot be made.
    pub async fn start(options: MailOptions) -> Result<Self, EmulatorError> {
        let listen = options.listen;
        if !listen.ip().is_loopback() {
            return Err(EmulatorError::NotLoopback { listen });
        }
        if let Some(dir) = &options.dir {
            fs::create_dir_all(dir).map_err(EmulatorError::file("create", dir))?;
        }
        let cannot_listen = |source| EmulatorError::Listen { listen, source };
        let listener = TcpListener::bind(listen).await.map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let shared = Arc::new(Shared {
            acceptor: TlsAcceptor::from(options.tls.server(&[])?),
            letters: Mutex::new(MailBox::default()),
            dir: options.dir,
            password: options.password,
            user: options.user,
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, task })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All mails caught so far, oldest first.
    pub fn mails(&self) -> Vec<CaughtMail> {
        self.shared.lock().mails.clone()
    }

    /// How many mails were caught so far.
    pub fn count(&self) -> usize {
        self.shared.lock().mails.len()
    }

    /// Refuses the next `count` mails after their DATA with `code`: 4xx is temporary, 5xx is final.
    pub fn refuse_next(&self, count: u32, code: u16) {
        let mut letters = self.shared.lock();
        (letters.refuse, letters.refuse_with) = (count, code);
    }
}

impl Drop for MailCatcher {
    fn drop(&mut self) {
        // The sessions live in a set that the task owns: they end with it.
        self.task.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, MailBox> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a mail, or gives the code to refuse it with.
    fn keep(&self, mail: CaughtMail) -> Result<usize, u16> {
        let mut letters = self.lock();
        if letters.refuse > 0 {
            letters.refuse -= 1;
            return Err(letters.refuse_with);
        }
        let number = letters.mails.len() + 1;
        if let Some(dir) = &self.dir
            && write(dir, number, &mail).is_err()
        {
            // Local error in processing: the sender keeps the mail and tries again.
            return Err(451);
        }
        letters.mails.push(mail);
        Ok(number)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    sessions.spawn(session::serve(stream, Arc::clone(&shared)));
                }
            }
            Some(_) = sessions.join_next(), if !sessions.is_empty() => {}
        }
    }
}

fn write(dir: &Path, number: usize, mail: &CaughtMail) -> std::io::Result<()> {
    let path = dir.join(format!("{number:04}-{}.eml", envelope::slug(mail)));
    fs::write(path, &mail.data)
}
