//! Compares a file with the JSON schema of its wire type: unknown keys, wrong types, missing keys, unknown
//! words. Whatever is wrong is reported and taken out of the tree, so that one mistake hides no other and
//! serde accepts what is left.

use serde_json::Value as Json;

use super::diagnostics::Report;
use super::suggest;
use super::tree::Node;
use super::tree::Span;
use super::tree::Value;

/// Words that are documented but that this release cannot carry out: key, word, what to do instead.
pub(crate) const LATER: &[(&str, &str, &str)] = &[
    ("to", "command", "deliver to `files` and name the command in `after`"),
    ("to", "env-file", "deliver to `json-file` or `files`"),
    ("to", "ssh", "run everkey on that host, or use `handoff`"),
    ("to", "toml-file", "deliver to `json-file` or `files`"),
    ("to", "windows-cert-store", "deliver a PFX with `files` and import it there"),
];

/// Reports and removes everything in `node` that `schema` does not allow.
pub(crate) fn check(schema: &Json, node: &mut Node, report: &mut Report<'_>) {
    Checker { root: schema, report }.node(schema, node, &[]);
}

struct Checker<'a, 'r, 't> {
    root: &'a Json,
    report: &'r mut Report<'t>,
}

impl<'a> Checker<'a, '_, '_> {
    /// Whether `node` may stay.
    fn node(&mut self, schema: &'a Json, node: &mut Node, path: &[&str]) -> bool {
        let schema = self.resolve(schema);
        if let Some(branches) = schema.get("oneOf").and_then(Json::as_array) {
            return self.tagged(branches, node, path);
        }
        if !self.type_fits(schema, node, path) || !self.word_fits(schema, node, path) {
            return false;
        }
        match &node.value {
            Value::Array(_) => self.items(schema, node, path),
            Value::Table(_) => self.table(schema, node, path),
            _ => {}
        }
        true
    }

    /// Follows `$ref`.
    fn resolve(&self, schema: &'a Json) -> &'a Json {
        let name = schema.get("$ref").and_then(Json::as_str);
        let target = name.and_then(|name| name.strip_prefix('#')).and_then(|pointer| self.root.pointer(pointer));
        target.map_or(schema, |target| self.resolve(target))
    }

    fn type_fits(&mut self, schema: &Json, node: &Node, path: &[&str]) -> bool {
        let Some(wanted) = schema.get("type") else { return true };
        let wanted = wanted.as_str().unwrap_or_default();
        let fits = match wanted {
            "array" => matches!(node.value, Value::Array(_)),
            "boolean" => matches!(node.value, Value::Boolean(_)),
            "integer" => matches!(node.value, Value::Integer(number) if number >= 0),
            "object" => matches!(node.value, Value::Table(_)),
            "string" => matches!(node.value, Value::Text(_)),
            _ => true,
        };
        if !fits {
            let wanted = article(wanted);
            let summary = format!("`{}` must be {wanted}, not {}", path.join("."), node.kind());
            self.report.error("P004", node.span.clone(), summary);
        }
        fits
    }

    fn word_fits(&mut self, schema: &Json, node: &Node, path: &[&str]) -> bool {
        let Some(words) = schema.get("enum").and_then(Json::as_array) else { return true };
        let words: Vec<&str> = words.iter().filter_map(Json::as_str).collect();
        let Some(text) = node.text() else { return true };
        if words.contains(&text) {
            return true;
        }
        self.unknown_word(text, &words, node.span.clone(), path);
        false
    }

    fn unknown_word(&mut self, word: &str, words: &[&str], span: Span, path: &[&str]) {
        let key = path.last().copied().unwrap_or_default();
        if let Some((_, _, instead)) = LATER.iter().find(|(of, name, _)| *of == key && *name == word) {
            let summary = format!("`{key} = \"{word}\"` is not in this release");
            self.report.error("P037", span, summary).help(*instead);
            return;
        }
        let summary = format!("`{}` does not know \"{word}\"", path.join("."));
        let help = format!("one of: {}", words.join(", "));
        self.report.error("P006", span, summary).suggest(suggest::did_you_mean(word, words.iter().copied())).help(help);
    }

    fn items(&mut self, schema: &'a Json, node: &mut Node, path: &[&str]) {
        let Value::Array(items) = &mut node.value else { return };
        let Some(item_schema) = schema.get("items") else { return };
        let before = items.len();
        items.retain_mut(|item| self.node(item_schema, item, path));
        node.broken |= items.len() < before;
    }

    fn table(&mut self, schema: &'a Json, node: &mut Node, path: &[&str]) {
        let properties = schema.get("properties").and_then(Json::as_object);
        let others = schema.get("additionalProperties");
        let span = node.span.clone();
        let Value::Table(entries) = &mut node.value else { return };
        let mut broken = false;
        entries.retain_mut(|entry| {
            let known = properties.and_then(|properties| properties.get(&entry.key));
            let Some(of) = known.or_else(|| others.filter(|others| others.is_object())) else {
                if others.is_none() {
                    return true;
                }
                let keys = properties.into_iter().flat_map(|properties| properties.keys());
                self.unknown_key(&entry.key, entry.key_span.clone(), keys.map(String::as_str), path);
                return false;
            };
            let key = entry.key.clone();
            let fits = self.node(of, &mut entry.node, &[path, &[key.as_str()]].concat());
            broken |= !fits;
            fits
        });
        node.broken |= broken;
        let required = schema.get("required").and_then(Json::as_array).into_iter().flatten();
        for key in required.filter_map(Json::as_str) {
            if node.get(key).is_none() && !node.broken {
                let place = if path.is_empty() { "the file".to_owned() } else { format!("`{}`", path.join(".")) };
                self.report.error("P005", span.clone(), format!("`{key}` is missing from {place}"));
            }
        }
    }

    fn unknown_key<'k>(&mut self, key: &str, span: Span, keys: impl Iterator<Item = &'k str>, path: &[&str]) {
        let keys: Vec<&str> = keys.filter(|key| !key.starts_with('$')).collect();
        let place = if path.is_empty() { "this file".to_owned() } else { format!("`{}`", path.join(".")) };
        let summary = format!("unknown key `{key}` in {place}");
        let help = format!("known keys: {}", keys.join(", "));
        self.report.error("P003", span, summary).suggest(suggest::did_you_mean(key, keys)).help(help);
    }

    /// A table whose kind is told by one key (`to`).
    fn tagged(&mut self, branches: &'a [Json], node: &mut Node, path: &[&str]) -> bool {
        let Some((tag, words)) = tag_of(branches) else { return true };
        if !matches!(node.value, Value::Table(_)) {
            let summary = format!("`{}` must be a table, not {}", path.join("."), node.kind());
            self.report.error("P004", node.span.clone(), summary);
            return false;
        }
        let Some(found) = node.get(tag) else {
            let summary = format!("`{tag}` is missing from `{}`", path.join("."));
            self.report.error("P005", node.span.clone(), summary).help(format!("one of: {}", words.join(", ")));
            return false;
        };
        let Some(branch) = found.text().and_then(|text| words.iter().position(|word| *word == text)) else {
            let (text, span) = (found.text().unwrap_or_default().to_owned(), found.span.clone());
            self.unknown_word(&text, &words, span, &[path, &[tag]].concat());
            return false;
        };
        self.table(&branches[branch], node, path);
        true
    }
}

/// The key that tells the branches apart and the word of each branch.
fn tag_of(branches: &[Json]) -> Option<(&str, Vec<&str>)> {
    let (tag, _) =
        branches.first()?.get("properties")?.as_object()?.iter().find(|(_, of)| of.get("const").is_some())?;
    let words = branches.iter().filter_map(|branch| branch["properties"][tag]["const"].as_str()).collect();
    Some((tag, words))
}

fn article(kind: &str) -> &'static str {
    match kind {
        "array" => "an array",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "object" => "a table",
        "string" => "a string",
        _ => "another type",
    }
}
