//! What can go wrong around the emulator itself: its socket, its files, its keys. What it answers to a
//! client is not an error of ours; those bodies live in `graph::problem` and `login::refusal`.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the emulator could not start, save or stop. `Display` never repeats its source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmulatorError {
    /// A key, certificate or PFX could not be made.
    #[error("cannot make the emulator's {what}: {why}")]
    Crypto {
        /// What was being made.
        what: &'static str,
        /// The crypto library's own words.
        why: String,
    },
    /// A file of the state directory could not be read or written.
    #[error("cannot {what} {}", path.display())]
    File {
        /// The verb: "read", "write", "create".
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: io::Error,
    },
    /// The address is taken or may not be used.
    #[error("cannot listen on {listen}")]
    Listen {
        /// The address asked for.
        listen: SocketAddr,
        /// The operating system's answer.
        #[source]
        source: io::Error,
    },
    /// An address other than loopback was asked for. The emulator hands out tokens to anybody who
    /// knows its operator file, so it never leaves the machine.
    #[error("the emulator listens on loopback only (127.0.0.1 or ::1), not on {listen}")]
    NotLoopback {
        /// The address asked for.
        listen: SocketAddr,
    },
    /// The state file does not parse.
    #[error("{} is not a state file of this emulator", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
}

impl EmulatorError {
    pub(super) fn crypto(what: &'static str, why: impl ToString) -> Self {
        Self::Crypto { what, why: why.to_string() }
    }

    pub(super) fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }
}
