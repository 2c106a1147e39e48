//! How delivery to this machine fails. No variant holds a value, only paths and words.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use crate::model::RotationId;
use crate::model::ValueName;
use crate::ports::Payload;
use crate::ports::PortError;
use crate::ports::Refusal;
use crate::secret::Secret;

/// How delivery to this machine fails.
#[derive(Debug, thiserror::Error)]
pub(super) enum SinkError {
    /// The command after the write.
    #[error("the command `{command}` {why}")]
    After {
        /// Its program, without arguments.
        command: String,
        /// What became of it, with the end of what it said on standard error.
        why: String,
    },
    /// Another process writes there.
    #[error("{} is being written by another process (its lock is held); try again later, or find the process that hangs", .path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {doing} {}", .path.display())]
    Io {
        /// What was tried, as in "cannot … PATH".
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A newer rotation has written there.
    #[error("{} holds {theirs}, newer than {ours}; if the store was made anew, check the place and remove {}", .place.display(), .sidecar.display())]
    Newer {
        /// The place.
        place: PathBuf,
        /// The file that remembers the generation.
        sidecar: PathBuf,
        /// What was to be written.
        ours: RotationId,
        /// What is there.
        theirs: RotationId,
    },
    /// What was written does not read back.
    #[error("{} does not hold what was written to it", .0.display())]
    ReadBack(PathBuf),
    /// The place, the specification or the payload does not allow it; a person must change something.
    #[error("{0}")]
    Refused(String),
}

/// The result of work in this room.
pub(super) type Result<T, E = SinkError> = std::result::Result<T, E>;

impl SinkError {
    /// For `map_err`: "cannot DOING PATH".
    pub(super) fn io<E: Into<io::Error>>(doing: &'static str, path: &Path) -> impl FnOnce(E) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source: source.into() }
    }

    /// A refusal with its sentence.
    pub(super) fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }
}

impl From<SinkError> for PortError {
    fn from(error: SinkError) -> Self {
        let refusal =
            |code: &str, message: String| Refusal { status: 0, code: code.to_owned(), message, request_id: None };
        match error {
            SinkError::Io { ref source, .. } => Self::Local(format!("{error}: {source}")),
            SinkError::Newer { .. } => Self::Conflict(refusal("newer-generation", error.to_string())),
            SinkError::Refused(message) => Self::Refused(refusal("sink", message)),
            SinkError::After { .. } | SinkError::Held { .. } | SinkError::ReadBack(_) => Self::Local(error.to_string()),
        }
    }
}

/// A value of `payload`. One that is missing or empty is refused: it would replace a value that works.
pub(super) fn payload_value(payload: &Payload, name: ValueName) -> Result<&Secret> {
    match payload.values.get(&name) {
        Some(value) if !value.is_empty() => Ok(value),
        Some(_) => Err(SinkError::refused(format!("the credential's value {name:?} is empty"))),
        None => Err(SinkError::refused(format!("the credential has no value {name:?}"))),
    }
}
