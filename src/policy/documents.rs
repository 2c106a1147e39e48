//! Problems for machines: the document `everkey.validate/v1` and SARIF 2.1.0 for code scanning.

use std::path::Path;

use serde::Serialize;
use serde_json::json;

use super::Diagnostic;
use super::Position;
use super::Severity;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    valid: bool,
    error_count: usize,
    warning_count: usize,
    diagnostics: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    code: &'a str,
    severity: Severity,
    summary: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    range: Place<'a>,
}

#[derive(Serialize)]
struct Place<'a> {
    file: &'a Path,
    start: Position,
    end: Position,
}

/// The document `everkey.validate/v1`, one line of JSON; lines and columns count from 1, ends are exclusive.
/// `help` is the suggestion where there is one, else the help.
pub fn to_json(diagnostics: &[Diagnostic]) -> String {
    let count = |severity| diagnostics.iter().filter(|found| found.severity == severity).count();
    let errors = count(Severity::Error);
    let document = Document {
        schema: "everkey.validate/v1",
        valid: errors == 0,
        error_count: errors,
        warning_count: count(Severity::Warning),
        diagnostics: diagnostics.iter().map(item).collect(),
    };
    // Only a path that is not UTF-8 can fail here; its diagnostics are then shown without a file.
    serde_json::to_string(&document).unwrap_or_else(|_| {
        let without_files = document.diagnostics.into_iter();
        let diagnostics =
            without_files.map(|item| Item { range: Place { file: Path::new("?"), ..item.range }, ..item }).collect();
        serde_json::to_string(&Document { diagnostics, ..document }).unwrap_or_default()
    })
}

fn item(found: &Diagnostic) -> Item<'_> {
    Item {
        code: found.code,
        severity: found.severity,
        summary: &found.summary,
        help: suggestion(found).or(found.help.as_deref()),
        range: Place { file: &found.file, start: found.start, end: found.end },
    }
}

fn suggestion(found: &Diagnostic) -> Option<&str> {
    found.label.as_deref().filter(|label| label.starts_with("did you mean"))
}

/// SARIF 2.1.0 with one rule per code that occurs.
pub fn to_sarif(diagnostics: &[Diagnostic]) -> String {
    let mut codes: Vec<&str> = diagnostics.iter().map(|found| found.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let rules: Vec<_> = codes.iter().map(|code| rule(code)).collect();
    let results: Vec<_> = diagnostics.iter().map(result).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{ "tool": { "driver": { "name": "everkey", "rules": rules } }, "columnKind": "unicodeCodePoints", "results": results }],
    })
    .to_string()
}

fn rule(code: &str) -> serde_json::Value {
    match super::codes().iter().find(|known| known.code == code) {
        Some(known) => json!({
            "id": code,
            "shortDescription": { "text": known.title },
            "fullDescription": { "text": known.explanation },
            "help": { "text": known.help },
        }),
        None => json!({ "id": code }),
    }
}

fn result(found: &Diagnostic) -> serde_json::Value {
    let words = [Some(found.summary.as_str()), suggestion(found), found.help.as_deref()];
    let level = if found.severity == Severity::Error { "error" } else { "warning" };
    json!({
        "ruleId": found.code,
        "level": level,
        "message": { "text": words.into_iter().flatten().collect::<Vec<_>>().join("; ") },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": found.file.to_string_lossy().replace('\\', "/") },
            "region": {
                "startLine": found.start.line, "startColumn": found.start.column,
                "endLine": found.end.line, "endColumn": found.end.column,
            },
        }}],
    })
}
