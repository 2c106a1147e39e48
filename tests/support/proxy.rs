//! A proxy in front of PostgreSQL that loses what it is told to lose: a message before it arrives, or the answer to one
//! that has arrived; or that hangs. Threads of its own, for a store that is dropped blocks the one it is on.

use std::io::Read as _;
use std::io::Write as _;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;

/// What happens to a message of the client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Loss {
    /// The connection is cut, and it never arrives.
    Before,
    /// It arrives, and the connection is cut when the answer comes.
    After,
    /// It never arrives, and nobody is told: nothing goes through any more.
    Hang,
    /// It arrives, and nothing comes back: nothing goes through any more.
    HangAfter,
}

/// Which message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum At {
    /// The n-th that the client sends.
    Message(usize),
    /// The n-th COMMIT.
    Commit(usize),
}

#[derive(Default)]
struct State {
    commits: AtomicUsize,
    connections: AtomicUsize,
    hit: AtomicUsize,
    hung: AtomicBool,
    messages: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
    plan: Mutex<Option<(At, Loss)>>,
}

/// The proxy.
pub struct Proxy {
    pub port: u16,
    state: Arc<State>,
}

impl Proxy {
    /// In front of the server on `to`.
    pub fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                // The server may be restarting.
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
                serve(&shared, client, server);
            }
        });
        Self { port, state }
    }

    /// Counts anew, and loses this message.
    pub fn lose(&self, at: At, loss: Loss) {
        self.count_anew();
        *self.state.plan.lock().unwrap() = Some((at, loss));
    }

    /// Counts anew, and loses nothing; what hangs is cut.
    pub fn heal(&self) {
        *self.state.plan.lock().unwrap() = None;
        self.count_anew();
        self.cut();
        self.state.hung.store(false, Ordering::SeqCst);
    }

    /// Cuts all connections.
    pub fn cut(&self) {
        for stream in self.state.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Messages and COMMITs of the client since it was counted anew.
    pub fn seen(&self) -> (usize, usize) {
        (self.state.messages.load(Ordering::SeqCst), self.state.commits.load(Ordering::SeqCst))
    }

    /// Connections that the client has made.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Whether what was to be lost was lost.
    pub fn has_hit(&self) -> bool {
        self.state.hit.load(Ordering::SeqCst) > 0
    }

    fn count_anew(&self) {
        for count in [&self.state.messages, &self.state.commits, &self.state.hit] {
            count.store(0, Ordering::SeqCst);
        }
    }
}

impl State {
    /// What happens to this message.
    fn loss(&self, message: &[u8]) -> Option<Loss> {
        let number = self.messages.fetch_add(1, Ordering::SeqCst) + 1;
        let is_commit = message.windows(7).any(|part| part == b"COMMIT\0");
        let commits = self.commits.fetch_add(usize::from(is_commit), Ordering::SeqCst) + usize::from(is_commit);
        let mut plan = self.plan.lock().unwrap();
        let (at, loss) = (*plan)?;
        let hit = match at {
            At::Message(wanted) => number == wanted,
            At::Commit(wanted) => is_commit && commits == wanted,
        };
        if !hit {
            return None;
        }
        *plan = None;
        self.hit.fetch_add(1, Ordering::SeqCst);
        Some(loss)
    }
}

fn serve(state: &Arc<State>, client: TcpStream, server: TcpStream) {
    state.connections.fetch_add(1, Ordering::SeqCst);
    let dup = |stream: &TcpStream| stream.try_clone().unwrap();
    state.open.lock().unwrap().extend([dup(&client), dup(&server)]);
    let last = Arc::new(AtomicBool::new(false));
    let (up, down) = ((dup(&client), dup(&server)), (server, client));
    let (shared, cut) = (Arc::clone(state), Arc::clone(&last));
    thread::spawn(move || {
        let (mut from, mut to) = up;
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            match shared.loss(&buffer[..count]) {
                Some(Loss::Before) => break,
                Some(Loss::After) => cut.store(true, Ordering::SeqCst),
                Some(Loss::Hang) => shared.hung.store(true, Ordering::SeqCst),
                Some(Loss::HangAfter) => {
                    shared.hung.store(true, Ordering::SeqCst);
                    let _ = to.write_all(&buffer[..count]);
                }
                None => {}
            }
            if !shared.hung.load(Ordering::SeqCst) && to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    });
    let shared = Arc::clone(state);
    thread::spawn(move || {
        let (mut from, mut to) = down;
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let is_lost = last.load(Ordering::SeqCst);
            if is_lost || (!shared.hung.load(Ordering::SeqCst) && to.write_all(&buffer[..count]).is_err()) {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    });
}
