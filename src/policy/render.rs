//! Problems for people, in the form of rustc; the JSON document and the SARIF form live in
//! [`super::documents`]. What looks like a secret is masked before a line of the file is shown.

use std::borrow::Cow;
use std::path::Path;
use std::path::PathBuf;

use annotate_snippets::AnnotationKind;
use annotate_snippets::Level;
use annotate_snippets::Origin;
use annotate_snippets::Renderer;
use annotate_snippets::Snippet;

use super::Diagnostic;
use super::Severity;
use super::secrets;

/// The problems as text, one paragraph each, without a final newline. `sources` are the files as they were
/// read; a problem of a file that is not among them is shown without its line.
pub fn render(diagnostics: &[Diagnostic], sources: &[(PathBuf, String)], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut shown = Vec::new();
    let mut source: Option<(&Path, Option<String>)> = None;
    for diagnostic in diagnostics {
        // Problems of one file stand together, so its text is masked once.
        let file = diagnostic.file.as_path();
        if source.as_ref().is_none_or(|(last, _)| *last != file) {
            let text = sources.iter().find(|(of, _)| of == file).map(|(_, text)| masked(text, diagnostics, file));
            source = Some((file, text));
        }
        let text = source.as_ref().and_then(|(_, text)| text.as_deref());
        shown.push(one(&renderer, diagnostic, text));
    }
    shown.join("\n\n")
}

/// The line under the problems: `5 policies read: 4 valid, 1 invalid. 1 error, 1 warning.`
pub fn tally(read: usize, valid: usize, diagnostics: &[Diagnostic]) -> String {
    let count = |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    format!(
        "{read} {} read: {valid} valid, {} invalid. {errors} {}, {warnings} {}.",
        plural(read, "policy", "policies"),
        read.saturating_sub(valid),
        plural(errors, "error", "errors"),
        plural(warnings, "warning", "warnings"),
    )
}

fn plural<'a>(count: usize, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}

fn one(renderer: &Renderer, diagnostic: &Diagnostic, source: Option<&str>) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let path = diagnostic.file.display().to_string();
    let title = level.primary_title(clean(&diagnostic.summary)).id(diagnostic.code);
    let group = match source {
        // An empty file has no line to show.
        Some(source) if !source.trim().is_empty() => {
            let marked = AnnotationKind::Primary.span(shown_span(source, diagnostic));
            let label = diagnostic.label.as_deref().map(clean);
            title.element(Snippet::source(source).path(path).annotation(marked.label(label)))
        }
        _ => {
            let origin = Origin::path(path).line(diagnostic.start.line).char_column(diagnostic.start.column);
            let label = diagnostic.label.as_deref().map(|label| Level::NOTE.message(clean(label)));
            title.element(origin).elements(label)
        }
    };
    let help = diagnostic.help.as_deref().map(|help| Level::HELP.message(clean(help)));
    renderer.render(&[group.elements(help)])
}

/// The first line of a span: a table's span may be many lines long, its first one says enough.
fn shown_span(source: &str, diagnostic: &Diagnostic) -> std::ops::Range<usize> {
    let start = diagnostic.span.start.min(source.len());
    let end = diagnostic.span.end.clamp(start, source.len());
    match source.get(start..end) {
        Some(text) => start..start + text.find('\n').unwrap_or(text.len()),
        None => start..start,
    }
}

/// Control characters of a file must not reach a terminal.
fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_control) {
        Cow::Owned(text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// The file with everything that may be a secret replaced by `*`, byte for byte, so that places stay right.
fn masked(text: &str, diagnostics: &[Diagnostic], file: &Path) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let reported = diagnostics.iter().filter(|found| found.code == secrets::CODE && found.file == file);
    let spans = reported.map(|found| found.span.clone()).chain(secrets::suspects(text));
    for span in spans {
        for byte in bytes.get_mut(span).into_iter().flatten() {
            if !matches!(byte, b'"' | b'\'' | b'\n') {
                *byte = b'*';
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}
