//! How a command ended: exit code and both streams, with words for what is expected of them.

use std::process::Output;

use serde_json::Value;

/// A command that has ended.
pub struct Ran {
    /// As it was called.
    pub line: String,
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn new(line: String, output: &Output) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        let signal = || output.status.signal().map_or(-1, |signal| -signal);
        Self {
            line,
            code: output.status.code().unwrap_or_else(signal),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    /// The same, if it ended with `code`; a readable panic otherwise.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "`{}`\n--- out\n{}\n--- err\n{}", self.line, self.out, self.err);
        self
    }

    /// The same, if standard output holds `text`.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.out.contains(text), "`{}` does not say {text:?}\n{}\n--- err\n{}", self.line, self.out, self.err);
        self
    }

    /// The same, if neither stream holds `text`.
    #[track_caller]
    pub fn never_says(self, text: &str) -> Self {
        assert!(!self.out.contains(text) && !self.err.contains(text), "`{}` says {text:?}", self.line);
        self
    }

    /// The same, if standard error is an error by the standard: code, why (all of `why`), fix, more.
    #[track_caller]
    pub fn fails(self, exit: i32, code: &str, why: &[&str]) -> Self {
        let ran = self.exits(exit);
        for text in [format!("error[{code}]: "), "\n  fix:  ".to_owned(), format!("everkey explain {code}")] {
            assert!(ran.err.contains(&text), "`{}` lacks {text:?}:\n{}", ran.line, ran.err);
        }
        for text in why {
            assert!(ran.err.contains(text), "`{}` does not tell {text:?}:\n{}", ran.line, ran.err);
        }
        ran
    }

    /// Standard output as the one JSON document it must be, with a schema.
    #[track_caller]
    pub fn json(&self) -> Value {
        let value: Value = serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("`{}`: {error}\n{}\n--- err\n{}", self.line, self.out, self.err));
        assert!(
            value["schema"].is_string() || value["$schema"].is_string(),
            "`{}`: no schema\n{}",
            self.line,
            self.out
        );
        value
    }
}

/// The interpreter of the tests that need Python.
pub fn python() -> String {
    #[expect(clippy::disallowed_methods, reason = "a test names its interpreter by environment")]
    std::env::var("EVERKEY_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}
