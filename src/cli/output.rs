//! The only door to standard output and standard error. A closed pipe ends the output, silently.

use std::io::IsTerminal as _;
use std::io::Write as _;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use anstream::ColorChoice;
use anstyle::AnsiColor;
use anstyle::Style;
use serde_json::Value;
use serde_json::json;

use super::args::Color;
use super::args::Form;
use super::args::Global;
use crate::error::Error;

const RED: Style = AnsiColor::Red.on_default().bold();
const BOLD: Style = Style::new().bold();

/// Where a command writes.
pub struct Output {
    form: Form,
    quiet: bool,
    progress: bool,
    interactive: bool,
    wrote_document: AtomicBool,
}

impl Output {
    /// Follows the flags; colours are off where the stream is no terminal.
    pub fn new(global: &Global) -> Self {
        match global.color {
            Color::Always => ColorChoice::Always.write_global(),
            Color::Auto => ColorChoice::Auto.write_global(),
            Color::Never => ColorChoice::Never.write_global(),
        }
        let terminal = std::io::stdout().is_terminal();
        Self {
            form: global.output,
            quiet: global.quiet,
            progress: !global.no_progress && std::io::stderr().is_terminal() && global.output == Form::Table,
            interactive: !global.no_input && std::io::stdin().is_terminal() && terminal,
            wrote_document: AtomicBool::new(false),
        }
    }

    /// The form asked for.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Whether a person can be asked.
    pub fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// Whether a moving display may be shown on standard error.
    pub fn shows_progress(&self) -> bool {
        self.progress
    }

    /// Whether standard output is a terminal.
    pub fn is_terminal(&self) -> bool {
        std::io::stdout().is_terminal()
    }

    /// Columns of the terminal on standard output; `None` for a pipe or file.
    pub fn room(&self) -> Option<usize> {
        comfy_table::Table::new().width().map(usize::from).filter(|room| *room > 0)
    }

    /// Whether colours are wanted on standard output.
    pub fn color(&self) -> bool {
        anstream::AutoStream::choice(&std::io::stdout()) != ColorChoice::Never
    }

    /// Text for people; nothing in the JSON form.
    pub fn print(&self, text: &str) {
        if self.form == Form::Table {
            write_out(text);
        }
    }

    /// Text for people that `--quiet` drops.
    pub fn say(&self, text: &str) {
        if self.form == Form::Table && !self.quiet {
            write_out(&format!("{text}\n"));
        }
    }

    /// The one document of the JSON form.
    pub fn document(&self, document: &Value) {
        if self.form == Form::Json {
            self.wrote_document.store(true, Ordering::Relaxed);
            write_out(&format!("{document:#}\n"));
        }
    }

    /// A document whatever the form (schemas, SARIF).
    pub fn verbatim(&self, text: &str) {
        self.wrote_document.store(true, Ordering::Relaxed);
        write_out(text);
    }

    /// An error: text on standard error; in the JSON form a document on standard output, unless there is one.
    pub fn error(&self, error: &Error) {
        if self.form == Form::Json {
            if !self.wrote_document.swap(true, Ordering::Relaxed) {
                write_out(&error_document(error));
            }
            return;
        }
        write_err(&error_text(error));
    }
}

/// `error[G012]: …`, why, fix, more.
pub fn error_text(error: &Error) -> String {
    let mut text = format!("{RED}error[{}]{RED:#}{BOLD}: {}{BOLD:#}\n", error.code, clean(&error.what));
    for why in &error.why {
        text.push_str(&format!("  why:  {}\n", clean(why)));
    }
    if let Some(help) = &error.help {
        text.push_str(&format!("  fix:  {}\n", clean(help).replace('\n', "\n        ")));
    }
    let request = error.request_id.as_ref().map_or_else(String::new, |id| format!("     request id {}", clean(id)));
    text.push_str(&format!("  more: everkey explain {}{request}\n", error.code));
    text
}

/// The `everkey.error/v1` document.
pub fn error_document(error: &Error) -> String {
    format!("{:#}\n", json!({"schema": "everkey.error/v1", "exit_code": error.class.exit_code(), "error": error}))
}

/// Control characters, escaped: names and messages of the outside must not move the cursor.
pub fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && c != '\n' { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

fn write_out(text: &str) {
    // Nobody is left to be told when the reader has gone.
    let mut stream = anstream::stdout().lock();
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
}

fn write_err(text: &str) {
    let mut stream = anstream::stderr().lock();
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
}

/// Text outside of any command: usage errors and help.
pub fn raw(text: &str, to_stderr: bool) {
    if to_stderr { write_err(text) } else { write_out(text) }
}

/// A line on standard error.
pub fn note(text: &str) {
    write_err(&format!("{text}\n"));
}
