//! Whatever a file holds, reading it ends with diagnostics whose places lie inside it, and never panics.

use std::path::Path;
use std::path::PathBuf;

use everkey::policy;
use everkey::policy::diagnostics;

use super::schedule::Random;

/// Pieces that parsers and rules are afraid of.
const PIECES: &[&str] = &[
    "\"",
    "'",
    "[",
    "]",
    "{",
    "}",
    "[[",
    "]]",
    "=",
    "\n",
    "\\",
    "\u{0}",
    "é",
    "\u{2028}",
    "#",
    ",",
    ".",
    "-1",
    "99999999999999999999",
    "1e999",
    "nan",
    "true",
    "1979-05-27",
    "\"\"\"",
    "[[credential]]\n",
    "[app]\n",
    "\"P999999999999Y\"",
    "\"-1d\"",
    "\"0s\"",
    "\"* * * * *\"",
    "\"~\"",
    "\"/~2\"",
    "version = 1\n",
    "to = \"files\"\n",
    "\"9999-12-31/9999-12-31\"",
    "\"00:00/00:00\"",
    "\"9223372036854775807s\"",
    "\"175307616h\"",
];

fn mutate(text: &str, random: &mut Random) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(4) {
        let at = random.below(letters.len() as u64 + 1) as usize;
        let to = (at + random.below(12) as usize).min(letters.len());
        match random.below(5) {
            0 => drop(letters.drain(at..to)),
            1 => {
                let copy: Vec<char> = letters[at..to].to_vec();
                letters.splice(at..at, copy);
            }
            2 if !letters.is_empty() => {
                let from = random.below(letters.len() as u64) as usize;
                let end = (from + 40).min(letters.len());
                let piece: Vec<char> = letters[from..end].to_vec();
                letters.splice(at..to, piece);
            }
            _ => {
                let piece = PIECES[random.below(PIECES.len() as u64) as usize];
                letters.splice(at..to, piece.chars());
            }
        }
    }
    letters.into_iter().collect()
}

/// Replaces one quoted value by a piece, so that rules behind the syntax are reached.
fn replace_value(text: &str, random: &mut Random) -> String {
    let quotes: Vec<usize> = text.match_indices('"').map(|(at, _)| at).collect();
    let pair = random.below(quotes.len() as u64 / 2) as usize * 2;
    let piece = PIECES[random.below(PIECES.len() as u64) as usize];
    let (from, to) = (quotes[pair], quotes[pair + 1] + 1);
    let quoted = if piece.starts_with('"') { piece.to_owned() } else { format!("'{piece}'") };
    format!("{}{quoted}{}", &text[..from], &text[to..])
}

fn check(found: &[policy::Diagnostic], files: &[(PathBuf, String)]) {
    for found in found {
        let text = &files.iter().find(|(path, _)| *path == found.file).unwrap().1;
        let lines = text.matches('\n').count() + 1;
        assert!(found.start.line >= 1 && found.end.line <= lines, "{found:?}");
        assert!(found.start <= found.end, "{found:?}");
        assert!(policy::codes().iter().any(|code| code.code == found.code));
    }
    let shown = diagnostics::render(found, files, false);
    assert_eq!(shown.is_empty(), found.is_empty());
    let document: serde_json::Value = serde_json::from_str(&diagnostics::to_json(found)).unwrap();
    assert_eq!(document["diagnostics"].as_array().unwrap().len(), found.len());
}

#[test]
fn mutated_policies_never_panic() {
    let tool = super::tool();
    let good = super::files();
    let mut random = Random(0xdead_beef);
    let mut valid = 0;
    for round in 0..1_500 {
        let (path, text) = &good[random.below(good.len() as u64) as usize];
        let changed = if round % 2 == 0 { mutate(text, &mut random) } else { replace_value(text, &mut random) };
        let files = [(path.clone(), changed)];
        let read = policy::read_policies(&files, &tool);
        check(&read.diagnostics, &files);
        let errors = read.diagnostics.iter().any(|found| found.severity == policy::Severity::Error);
        assert_eq!(read.value.is_empty(), errors, "invalid exactly when there is an error");
        valid += read.value.len();
    }
    assert!(valid > 50, "some mutations are harmless: {valid}");
}

#[test]
fn mutated_json_and_tool_files_never_panic() {
    let tool = super::tool();
    let good = super::files();
    let mut random = Random(0xfeed_f00d);
    for _ in 0..300 {
        let (path, text) = &good[random.below(5) as usize];
        let value: serde_json::Value = serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap();
        let changed = mutate(&serde_json::to_string_pretty(&value).unwrap(), &mut random);
        let files = [(path.with_extension("json"), changed)];
        check(&policy::read_policies(&files, &tool).diagnostics, &files);

        let path = Path::new("everkey.toml");
        let changed = mutate(super::tool_file::CONTRACT, &mut random);
        let read = policy::read_tool(path, &changed);
        let errors = read.diagnostics.iter().any(|found| found.severity == policy::Severity::Error);
        assert_eq!(read.value.is_none(), errors);
        check(&read.diagnostics, &[(path.to_owned(), changed)]);
    }
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    for (name, text) in [("p.toml", format!("a = {}", "[".repeat(100_000))), ("p.json", "{\"a\":".repeat(100_000))] {
        let read = policy::read_policies(&[(PathBuf::from(name), text)], &super::tool());
        assert_eq!(read.diagnostics[0].code, "P002");
    }
}
