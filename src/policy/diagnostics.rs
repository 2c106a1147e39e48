//! A problem in a policy file: code, words, place. How it is shown lives in `render.rs`.

use std::path::Path;
use std::path::PathBuf;

use serde::Serialize;

use super::tree::Span;

pub use super::documents::to_json;
pub use super::documents::to_sarif;
pub use super::render::render;
pub use super::render::tally;

/// Whether the file may be used.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file is invalid.
    Error,
    /// Worth a look; `--strict` makes it an error.
    Warning,
}

/// A place in a file; both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

/// One problem.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// Stable code; `everkey explain` tells more.
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, one line; never holds a value that could be a secret.
    pub summary: String,
    /// Words beside the marked text.
    pub label: Option<String>,
    /// The one thing to try next.
    pub help: Option<String>,
    /// The file, as it was given.
    pub file: PathBuf,
    /// First character.
    pub start: Position,
    /// One past the last character.
    pub end: Position,
    /// The same place in bytes.
    pub span: Span,
}

/// Collects the problems of one file.
pub(crate) struct Report<'a> {
    file: &'a Path,
    text: &'a str,
    pub diagnostics: Vec<Diagnostic>,
}

impl<'a> Report<'a> {
    /// An empty report on `file`, whose content is `text`.
    pub fn new(file: &'a Path, text: &'a str) -> Self {
        Self { file, text, diagnostics: Vec::new() }
    }

    /// Adds an error; label and help are set on what it returns.
    pub fn error(&mut self, code: &'static str, span: Span, summary: impl Into<String>) -> &mut Diagnostic {
        self.add(code, Severity::Error, span, summary.into())
    }

    /// Adds a warning.
    pub fn warning(&mut self, code: &'static str, span: Span, summary: impl Into<String>) -> &mut Diagnostic {
        self.add(code, Severity::Warning, span, summary.into())
    }

    /// Whether the file is invalid.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// The problems in the order of the file.
    pub fn finish(mut self) -> Vec<Diagnostic> {
        self.diagnostics.sort_by_key(|diagnostic| (diagnostic.span.start, diagnostic.severity));
        self.diagnostics
    }

    fn add(&mut self, code: &'static str, severity: Severity, span: Span, summary: String) -> &mut Diagnostic {
        let (start, end) = (position(self.text, span.start), position(self.text, span.end));
        let file = self.file.to_owned();
        let found = Diagnostic { code, severity, summary, label: None, help: None, file, start, end, span };
        self.diagnostics.push(found);
        let last = self.diagnostics.len() - 1;
        &mut self.diagnostics[last]
    }
}

impl Diagnostic {
    /// Sets the words beside the marked text.
    pub(crate) fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = Some(label.into());
        self
    }

    /// Sets the next step.
    pub(crate) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// Sets the label to a suggestion, when there is one.
    pub(crate) fn suggest(&mut self, suggestion: Option<String>) -> &mut Self {
        self.label = suggestion.or(self.label.take());
        self
    }
}

/// Line and column of a byte offset; an offset beyond the text or inside a character is moved back.
pub(crate) fn position(text: &str, offset: usize) -> Position {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_from_one() {
        let text = "a\nbé = 1\n";
        assert_eq!(position(text, 0), Position { line: 1, column: 1 });
        assert_eq!(position(text, text.find('=').unwrap()), Position { line: 2, column: 4 });
        assert_eq!(position(text, 999), Position { line: 3, column: 1 });
    }
}
