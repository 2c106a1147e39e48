//! `$filter` (entra-contract 2.2): the basic forms that Graph answers to anybody, and the advanced ones that need
//! `ConsistencyLevel: eventual` with `$count=true`.

use jiff::Timestamp;
use serde_json::Value;

use super::Problem;

/// A parsed filter.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filter {
    /// All of them.
    And(Vec<Filter>),
    /// A collection contains a value that passes; the value goes by the variable's name.
    Any(String, Box<Filter>),
    /// A property is at least, or at most, this.
    Bound(String, Bound, Value),
    /// A text property ends so, in any case. Advanced.
    EndsWith(String, String),
    /// A property equals this value.
    Eq(String, Value),
    /// It is not so. Advanced, as is `ne`.
    Not(Box<Filter>),
    /// At least one of them.
    Or(Vec<Filter>),
    /// A text property begins so, in any case.
    StartsWith(String, String),
}

/// A bound of `ge` or `le`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Bound {
    /// `ge`
    Least,
    /// `le`
    Most,
}

impl Filter {
    /// Reads a filter.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let tokens = tokens(text).ok_or_else(|| syntax(text))?;
        let mut parser = Parser { depth: 0, rest: &tokens, text };
        let filter = parser.disjunction()?;
        if parser.rest.is_empty() { Ok(filter) } else { Err(syntax(text)) }
    }

    /// The properties that it asks about.
    pub(super) fn properties(&self) -> Vec<&str> {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::properties).collect(),
            Self::Not(part) => part.properties(),
            Self::Any(name, _)
            | Self::Bound(name, ..)
            | Self::EndsWith(name, _)
            | Self::Eq(name, _)
            | Self::StartsWith(name, _) => vec![name],
        }
    }

    /// Whether only the advanced query engine answers it.
    pub(super) fn is_advanced(&self) -> bool {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::is_advanced),
            Self::EndsWith(..) | Self::Not(_) => true,
            Self::Any(_, inner) => inner.is_advanced(),
            Self::Bound(name, ..) | Self::Eq(name, _) => name.ends_with("/$count"),
            Self::StartsWith(..) => false,
        }
    }

    /// Whether an object matches; `property` gives its values.
    pub(super) fn matches(&self, property: &dyn Fn(&str) -> Value) -> bool {
        let text = |name: &str| property(name).as_str().map(str::to_lowercase);
        match self {
            Self::And(parts) => parts.iter().all(|part| part.matches(property)),
            Self::Any(name, inner) => {
                property(name).as_array().is_some_and(|all| all.iter().any(|one| inner.matches(&|_| one.clone())))
            }
            Self::Bound(name, bound, limit) => order(&property(name), limit).is_some_and(|order| match bound {
                Bound::Least => order.is_ge(),
                Bound::Most => order.is_le(),
            }),
            Self::EndsWith(name, end) => text(name).is_some_and(|value| value.ends_with(&end.to_lowercase())),
            Self::Eq(name, wanted) => same(&property(name), wanted),
            Self::Not(part) => !part.matches(property),
            Self::Or(parts) => parts.iter().any(|part| part.matches(property)),
            Self::StartsWith(name, start) => text(name).is_some_and(|value| value.starts_with(&start.to_lowercase())),
        }
    }
}

/// Instants compare as instants, numbers as numbers.
fn order(value: &Value, limit: &Value) -> Option<std::cmp::Ordering> {
    let limit = limit.as_str()?;
    match value {
        Value::Number(number) => Some(number.as_i64()?.cmp(&limit.parse().ok()?)),
        Value::String(text) => Some(text.parse::<Timestamp>().ok()?.cmp(&limit.parse().ok()?)),
        _ => None,
    }
}

/// Directory strings compare in any case.
fn same(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::String(value), Value::String(wanted)) => value.to_lowercase() == wanted.to_lowercase(),
        (Value::Number(value), Value::String(wanted)) => value.to_string() == *wanted,
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

/// Most terms in a filter.
const MAX_TERMS: usize = 200;

struct Parser<'a> {
    depth: usize,
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
        // Clients nest a little; only an attack nests deep.
        self.depth += 1;
        if self.depth > MAX_TERMS {
            return Err(syntax(self.text));
        }
        if self.mark('(') {
            let inner = self.disjunction()?;
            return self.expect(')').map(|()| inner);
        }
        if self.word("not") {
            return Ok(Filter::Not(Box::new(self.term()?)));
        }
        let name = self.name()?;
        if name.eq_ignore_ascii_case("startswith") || name.eq_ignore_ascii_case("endswith") {
            return self.affix(&name);
        }
        if let Some(collection) = name.strip_suffix("/any") {
            self.expect('(')?;
            let variable = self.name()?;
            self.expect(':')?;
            let inner = self.term()?;
            self.expect(')')?;
            let about_it = inner.properties().iter().all(|used| *used == variable);
            return if about_it {
                Ok(Filter::Any(collection.to_owned(), Box::new(inner)))
            } else {
                Err(syntax(self.text))
            };
        }
        self.comparison(name)
    }

    fn affix(&mut self, function: &str) -> Result<Filter, Problem> {
        self.expect('(')?;
        let property = self.name()?;
        self.expect(',')?;
        let Value::String(text) = self.literal()? else { return Err(syntax(self.text)) };
        self.expect(')')?;
        Ok(if function.eq_ignore_ascii_case("endswith") {
            Filter::EndsWith(property, text)
        } else {
            Filter::StartsWith(property, text)
        })
    }

    fn comparison(&mut self, name: String) -> Result<Filter, Problem> {
        if self.word("eq") {
            return Ok(Filter::Eq(name, self.literal()?));
        }
        if self.word("ne") {
            return Ok(Filter::Not(Box::new(Filter::Eq(name, self.literal()?))));
        }
        for (word, bound) in [("ge", Bound::Least), ("le", Bound::Most)] {
            if self.word(word) {
                return Ok(Filter::Bound(name, bound, self.literal()?));
            }
        }
        if self.word("in") {
            self.expect('(')?;
            let mut parts = vec![Filter::Eq(name.clone(), self.literal()?)];
            while self.mark(',') {
                parts.push(Filter::Eq(name.clone(), self.literal()?));
            }
            return self.expect(')').map(|()| Filter::Or(parts));
        }
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
            "tags": ["a", "HideApp"], "accountEnabled": true, "createdDateTime": "2026-11-20T09:00:00Z", "owners/$count": 2,
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
    fn advanced_forms_are_understood_and_known_to_be_advanced() {
        for filter in [
            "appId ne 'x'",
            "not startswith(displayName,'x')",
            "not (tags/any(t:t eq 'x') or accountEnabled eq false)",
            "endswith(displayName,'MORE')",
            "owners/$count eq 2",
            "tags/any(t:endswith(t,'app'))",
        ] {
            assert!(matches(filter) && Filter::parse(filter).unwrap().is_advanced(), "{filter}");
        }
        for filter in [
            "createdDateTime ge 2026-11-20T09:00:00Z and createdDateTime le 2026-11-20T10:00:00+01:00",
            "appId in ('x', '2b61e0f4-0000-4000-8000-00000000c0de')",
            "tags/any(t:startswith(t,'hide'))",
        ] {
            assert!(matches(filter) && !Filter::parse(filter).unwrap().is_advanced(), "{filter}");
        }
        assert!(!matches("appId ne '2b61e0f4-0000-4000-8000-00000000c0de'"));
        assert!(!matches("createdDateTime ge 2026-11-20T09:00:01Z"));
        assert!(!matches("owners/$count eq 0"));
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(Filter::parse(&"(".repeat(100_000)).is_err());
        for filter in [
            "",
            "appId",
            "appId eq",
            "appId eq 'x",
            "(appId eq 'x'",
            "tags/any(t:u eq 'x')",
            "appId in ()",
            "not",
            "eq eq eq eq",
        ] {
            assert!(Filter::parse(filter).is_err(), "{filter}");
        }
    }
}
