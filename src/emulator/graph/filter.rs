//! `$filter`: the basic forms that Graph answers without ConsistencyLevel (entra-contract 2.2): `eq`,
//! `startswith`, `any(x:x eq '…')`, joined by `and` or `or`.

use serde_json::Value;

use super::Problem;

/// A parsed filter.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filter {
    /// All of them.
    And(Vec<Filter>),
    /// A collection contains this value.
    Any(String, Value),
    /// A property equals this value.
    Eq(String, Value),
    /// At least one of them.
    Or(Vec<Filter>),
    /// A text property begins so, in any case.
    StartsWith(String, String),
}

impl Filter {
    /// Reads a filter.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let tokens = tokens(text).ok_or_else(|| syntax(text))?;
        let mut parser = Parser { rest: &tokens, text };
        let filter = parser.disjunction()?;
        if parser.rest.is_empty() { Ok(filter) } else { Err(syntax(text)) }
    }

    /// The properties that it asks about.
    pub(super) fn properties(&self) -> Vec<&str> {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::properties).collect(),
            Self::Any(name, _) | Self::Eq(name, _) | Self::StartsWith(name, _) => vec![name],
        }
    }

    /// Whether an object matches; `property` gives its values.
    pub(super) fn matches(&self, property: &dyn Fn(&str) -> Value) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.matches(property)),
            Self::Any(name, wanted) => {
                property(name).as_array().is_some_and(|all| all.iter().any(|value| same(value, wanted)))
            }
            Self::Eq(name, wanted) => same(&property(name), wanted),
            Self::Or(parts) => parts.iter().any(|part| part.matches(property)),
            Self::StartsWith(name, start) => {
                property(name).as_str().is_some_and(|value| value.to_lowercase().starts_with(&start.to_lowercase()))
            }
        }
    }
}

/// Directory strings compare in any case.
fn same(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::String(value), Value::String(wanted)) => value.to_lowercase() == wanted.to_lowercase(),
        _ => value == wanted,
    }
}

fn syntax(text: &str) -> Problem {
    Problem::bad_request(format!("Invalid filter clause: {text}"))
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Mark(char),
    Text(String),
    Word(String),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' => {}
            '(' | ')' | ',' | ':' => tokens.push(Token::Mark(letter)),
            '\'' => {
                let mut value = String::new();
                loop {
                    match letters.next()? {
                        '\'' if letters.peek() == Some(&'\'') => value.extend(letters.next()),
                        '\'' => break,
                        other => value.push(other),
                    }
                }
                tokens.push(Token::Text(value));
            }
            _ => {
                let mut word = letter.to_string();
                while let Some(next) = letters.next_if(|next| !" (),:'".contains(*next)) {
                    word.push(next);
                }
                // `2026-01-01T00:00:00Z` is one word; elsewhere a colon separates.
                while word.starts_with(|digit: char| digit.is_ascii_digit()) && letters.peek() == Some(&':') {
                    word.extend(letters.next());
                    while let Some(next) = letters.next_if(|next| !" (),:'".contains(*next)) {
                        word.push(next);
                    }
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Some(tokens)
}

struct Parser<'a> {
    rest: &'a [Token],
    text: &'a str,
}

impl Parser<'_> {
    fn disjunction(&mut self) -> Result<Filter, Problem> {
        let mut parts = vec![self.conjunction()?];
        while self.word("or") {
            parts.push(self.conjunction()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Or(parts) })
    }

    fn conjunction(&mut self) -> Result<Filter, Problem> {
        let mut parts = vec![self.term()?];
        while self.word("and") {
            parts.push(self.term()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::And(parts) })
    }

    fn term(&mut self) -> Result<Filter, Problem> {
        if self.mark('(') {
            let inner = self.disjunction()?;
            return self.expect(')').map(|()| inner);
        }
        let name = self.name()?;
        if name.eq_ignore_ascii_case("startswith") {
            self.expect('(')?;
            let property = self.name()?;
            self.expect(',')?;
            let Value::String(start) = self.literal()? else { return Err(syntax(self.text)) };
            self.expect(')')?;
            return Ok(Filter::StartsWith(property, start));
        }
        if let Some(collection) = name.strip_suffix("/any") {
            self.expect('(')?;
            let variable = self.name()?;
            self.expect(':')?;
            let inner = self.term()?;
            self.expect(')')?;
            return match inner {
                Filter::Eq(used, value) if used == variable => Ok(Filter::Any(collection.to_owned(), value)),
                _ => Err(syntax(self.text)),
            };
        }
        if self.word("eq") {
            return Ok(Filter::Eq(name, self.literal()?));
        }
        // ne, not, endsWith and counts are advanced queries; this emulator has none of them.
        Err(Problem::unsupported(format!("Unsupported or invalid query filter clause specified: {}", self.text)))
    }

    fn literal(&mut self) -> Result<Value, Problem> {
        let (first, rest) = self.rest.split_first().ok_or_else(|| syntax(self.text))?;
        self.rest = rest;
        match first {
            Token::Text(text) => Ok(Value::String(text.clone())),
            Token::Word(word) => Ok(match word.as_str() {
                "false" => Value::Bool(false),
                "null" => Value::Null,
                "true" => Value::Bool(true),
                // Ids and instants may come without quotes.
                other => Value::String(other.to_owned()),
            }),
            Token::Mark(_) => Err(syntax(self.text)),
        }
    }

    fn name(&mut self) -> Result<String, Problem> {
        match self.rest.split_first() {
            Some((Token::Word(word), rest)) => {
                self.rest = rest;
                Ok(word.clone())
            }
            _ => Err(syntax(self.text)),
        }
    }

    fn word(&mut self, wanted: &str) -> bool {
        let found = matches!(self.rest.first(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(wanted));
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    fn mark(&mut self, wanted: char) -> bool {
        let found = self.rest.first() == Some(&Token::Mark(wanted));
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    fn expect(&mut self, wanted: char) -> Result<(), Problem> {
        if self.mark(wanted) { Ok(()) } else { Err(syntax(self.text)) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(filter: &str) -> bool {
        let object = json!({
            "appId": "2b61e0f4-0000-4000-8000-00000000c0de", "displayName": "O'Brien (test), and more",
            "tags": ["a", "HideApp"], "accountEnabled": true,
        });
        Filter::parse(filter).unwrap().matches(&|name| object[name].clone())
    }

    #[test]
    fn the_forms_that_real_clients_send_are_understood() {
        assert!(matches("appId eq '2b61e0f4-0000-4000-8000-00000000c0de'"));
        assert!(matches("startswith(displayName,'o''brien (test), and')"));
        assert!(matches("tags/any(t:t eq 'hideapp') and accountEnabled eq true"));
        assert!(matches("displayName eq 'x' or (tags/any(c:c eq 'a') and accountEnabled eq true)"));
        assert!(!matches("startswith(displayName, 'Brien')"));
        assert!(!matches("tags/any(t:t eq 'b')"));
    }

    #[test]
    fn nonsense_and_advanced_queries_are_refused() {
        for filter in [
            "",
            "appId",
            "appId eq",
            "appId eq 'x",
            "(appId eq 'x'",
            "tags/any(t:u eq 'x')",
            "appId ne 'x'",
            "eq eq eq eq",
        ] {
            assert!(Filter::parse(filter).is_err(), "{filter}");
        }
    }
}
