//! What a user sees when something goes wrong: a code, what happened, why, and the one thing to try next.
//! Every error that reaches a face of the program is an [`Error`]; its class decides the exit code.

use std::fmt;

use serde::Serialize;

/// The exit classes of `everkey help exit-codes`; 64 to 78 are the sysexits numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// 5: the user said no at a prompt.
    Cancelled,
    /// 78: configuration missing or unreadable.
    Config,
    /// 65: a policy or another input file is invalid.
    Data,
    /// 1: it failed; repeating it will not help.
    Failed,
    /// 77: sign-in failed or a permission is missing.
    Permission,
    /// 3: partly applied; safe to run again.
    Partly,
    /// 75: throttled, or another run holds the lock; later.
    Temporary,
    /// 69: Graph or SMTP cannot be reached.
    Unavailable,
    /// 64: wrong usage.
    Usage,
}

impl Class {
    /// The process exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Cancelled => 5,
            Self::Config => 78,
            Self::Data => 65,
            Self::Failed => 1,
            Self::Partly => 3,
            Self::Permission => 77,
            Self::Temporary => 75,
            Self::Unavailable => 69,
            Self::Usage => 64,
        }
    }
}

/// One problem, told once: code, what, why (outermost cause first), help.
#[derive(Clone, Debug, Serialize)]
pub struct Error {
    /// Exit class.
    pub class: Class,
    /// Stable code, one letter and three digits (`G012`); `everkey explain CODE` tells more.
    pub code: String,
    /// The next step, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The far side's request id, for support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What went wrong, one line.
    #[serde(rename = "summary")]
    pub what: String,
    /// Why, outermost cause first; never repeats `what`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
}

/// The result of anything a face calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A new error; add the rest with the builder methods.
    pub fn new(class: Class, code: &str, what: impl Into<String>) -> Self {
        Self { class, code: code.to_owned(), help: None, request_id: None, what: what.into(), why: Vec::new() }
    }

    /// Adds a cause.
    #[must_use]
    pub fn why(mut self, why: impl fmt::Display) -> Self {
        self.why.push(why.to_string());
        self
    }

    /// Sets the next step.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Sets the far side's request id.
    #[must_use]
    pub fn request_id(mut self, id: Option<String>) -> Self {
        self.request_id = id;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.code, self.what)
    }
}

impl std::error::Error for Error {}
