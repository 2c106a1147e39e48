//! Where in a JSON text each value stands. Nothing is converted, so that the rest of the file can stay as it is.

use std::ops::Range;

/// Deeper documents are refused (serde_json's own limit for values).
const MAX_DEPTH: usize = 128;

/// One value.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Node {
    /// Bytes of the value, without white space around it.
    pub(super) span: Range<usize>,
    /// What it is.
    pub(super) kind: Kind,
}

/// What a value is.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Array(Vec<Node>),
    Object(Vec<Member>),
    /// String, number, `true`, `false` or `null`.
    Scalar,
}

/// One member of an object.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Member {
    /// The key, unescaped.
    pub(super) key: String,
    /// Bytes of the key with its quotes.
    pub(super) key_span: Range<usize>,
    /// Its value.
    pub(super) value: Node,
}

/// Scans a text that serde_json has accepted; `Err` tells why not, without showing any of it.
pub(super) fn scan(text: &str) -> Result<Node, String> {
    serde_json::from_str::<serde::de::IgnoredAny>(text)
        .map_err(|error| format!("it is not valid JSON (line {}, column {})", error.line(), error.column()))?;
    let mut scanner = Scanner { text, at: 0 };
    let node = scanner.value(0)?;
    scanner.blank();
    if scanner.at == text.len() { Ok(node) } else { Err(scanner.lost()) }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl Scanner<'_> {
    fn value(&mut self, depth: usize) -> Result<Node, String> {
        if depth > MAX_DEPTH {
            return Err(format!("it is nested deeper than {MAX_DEPTH} levels"));
        }
        self.blank();
        let start = self.at;
        let kind = match self.peek() {
            Some(b'{') => Kind::Object(self.list(b'}', |scanner| scanner.member(depth))?),
            Some(b'[') => Kind::Array(self.list(b']', |scanner| scanner.value(depth + 1))?),
            Some(b'"') => {
                self.string()?;
                Kind::Scalar
            }
            _ => {
                while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
                    self.at += 1;
                }
                Kind::Scalar
            }
        };
        if self.at == start { Err(self.lost()) } else { Ok(Node { span: start..self.at, kind }) }
    }

    /// Items between brackets, separated by commas.
    fn list<T>(&mut self, close: u8, mut item: impl FnMut(&mut Self) -> Result<T, String>) -> Result<Vec<T>, String> {
        self.at += 1;
        let mut items = Vec::new();
        self.blank();
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            self.blank();
            let next = self.peek();
            self.at += 1;
            match next {
                Some(b',') => {}
                Some(byte) if byte == close => return Ok(items),
                _ => return Err(self.lost()),
            }
        }
    }

    fn member(&mut self, depth: usize) -> Result<Member, String> {
        self.blank();
        let start = self.at;
        self.string()?;
        let key_span = start..self.at;
        let key = self.text.get(key_span.clone()).and_then(|raw| serde_json::from_str(raw).ok());
        let key = key.ok_or_else(|| self.lost())?;
        self.blank();
        if self.peek() != Some(b':') {
            return Err(self.lost());
        }
        self.at += 1;
        Ok(Member { key, key_span, value: self.value(depth + 1)? })
    }

    /// Steps over a string; escapes matter only so far as they can hide a quote.
    fn string(&mut self) -> Result<(), String> {
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
                None => return Err(self.lost()),
            }
        }
    }

    fn blank(&mut self) {
        while self.peek().is_some_and(|byte| b" \t\r\n".contains(&byte)) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// For texts that serde_json accepts and this does not; none is known.
    fn lost(&self) -> String {
        format!("its structure is not understood at byte {}", self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_cover_values_exactly() {
        let text = " {\"a\\\"b\" : [1, -2.5e+3,\ttrue],\r\n\"c\":{}, \"d\":\"x\\\\\" } ";
        let root = scan(text).unwrap();
        assert_eq!(&text[root.span.clone()], text.trim());
        let Kind::Object(members) = &root.kind else { panic!("{root:?}") };
        let spans: Vec<_> = members.iter().map(|m| (m.key.as_str(), &text[m.value.span.clone()])).collect();
        assert_eq!(spans, [("a\"b", "[1, -2.5e+3,\ttrue]"), ("c", "{}"), ("d", "\"x\\\\\"")]);
    }

    #[test]
    fn what_is_no_json_is_refused_without_showing_it() {
        for bad in ["", "{", "{\"hunter2\":}", "[1,]", "{'a':1}", "// hunter2\n{}", "{} {}", "\"\\ud800"] {
            let error = scan(bad).expect_err(bad);
            assert!(!error.contains("hunter2"), "{error}");
        }
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(scan(&deep).unwrap_err().contains("nested"));
    }
}
