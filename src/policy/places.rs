//! Where each value of a file stands, by its dotted key: what `config show` tells.

use std::path::Path;

use super::diagnostics::position;
use super::tree;
use super::tree::Node;
use super::tree::Value;

/// A value of a file and its place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Placed {
    /// `defaults.mode`
    pub key: String,
    /// As JSON.
    pub value: serde_json::Value,
    /// Line, from 1.
    pub line: usize,
}

/// Every value of a TOML or JSON file in its order; empty when it cannot be parsed. Lists are values, not tables.
pub fn places(path: &Path, text: &str) -> Vec<Placed> {
    let json = path.extension().is_some_and(|ending| ending == "json");
    let mut found = Vec::new();
    if let Ok(root) = tree::parse(text, json) {
        collect(&root, "", text, &mut found);
    }
    found
}

fn collect(node: &Node, at: &str, text: &str, found: &mut Vec<Placed>) {
    let Value::Table(entries) = &node.value else { return };
    for entry in entries {
        let key = if at.is_empty() { entry.key.clone() } else { format!("{at}.{}", entry.key) };
        match &entry.node.value {
            Value::Table(_) => collect(&entry.node, &key, text, found),
            _ => {
                found.push(Placed { key, value: entry.node.to_json(), line: position(text, entry.key_span.start).line })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_on_their_lines_in_both_syntaxes() {
        let toml = "version = 1\n\n[seal]\nkey_file = \"k\"\n[tenants.x]\nauth = \"secret\"\n";
        let found = places(Path::new("everkey.toml"), toml);
        let lines: Vec<(&str, usize)> = found.iter().map(|one| (one.key.as_str(), one.line)).collect();
        assert_eq!(lines, [("version", 1), ("seal.key_file", 4), ("tenants.x.auth", 6)]);
        let json = "{\n \"seal\": {\n  \"key_file\": \"k\"\n }\n}";
        let found = places(Path::new("everkey.json"), json);
        assert_eq!((found[0].key.as_str(), found[0].line), ("seal.key_file", 3));
        assert!(places(Path::new("x.toml"), "= nonsense").is_empty());
    }
}
