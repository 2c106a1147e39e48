//! A parsed file as one tree of values with their places, the same for TOML and JSON.
//! Everything later asks this tree where a value stands; nothing later knows which syntax it was.

use std::ops::Range;

use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use toml::de::DeTable;
use toml::de::DeValue;

/// Byte range within the file.
pub(crate) type Span = Range<usize>;

/// Deeper than any policy; a hostile file must not exhaust the stack.
const MAX_DEPTH: usize = 64;

/// A value and where it stands.
#[derive(Debug)]
pub(crate) struct Node {
    /// Where; strings with their quotes.
    pub span: Span,
    /// What.
    pub value: Value,
    /// Something wrong was taken out of it, so a missing part is no second error.
    pub broken: bool,
}

/// One key of a table.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// Its value.
    pub node: Node,
}

/// The kinds of values both syntaxes share; TOML dates become strings.
#[derive(Debug)]
pub(crate) enum Value {
    Array(Vec<Node>),
    Boolean(bool),
    Float(f64),
    Integer(i64),
    Null,
    Text(String),
    Table(Vec<Entry>),
}

/// Why a file could not be parsed, and where.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    /// The parser's words.
    pub message: String,
    /// Place.
    pub span: Span,
}

impl Node {
    fn new(span: Span, value: Value) -> Self {
        Self { span, value, broken: false }
    }

    /// What it is, in a reader's words.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Array(_) => "an array",
            Value::Boolean(_) => "a boolean",
            Value::Float(_) => "a number",
            Value::Integer(_) => "an integer",
            Value::Null => "null",
            Value::Text(_) => "a string",
            Value::Table(_) => "a table",
        }
    }

    /// The text of a string.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a key of a table.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Table(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node),
            _ => None,
        }
    }

    /// The same value without places, for serde.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Array(items) => Json::Array(items.iter().map(Node::to_json).collect()),
            Value::Boolean(value) => Json::Bool(*value),
            Value::Float(value) => serde_json::Number::from_f64(*value).map_or(Json::Null, Json::Number),
            Value::Integer(value) => Json::from(*value),
            Value::Null => Json::Null,
            Value::Text(text) => Json::String(text.clone()),
            Value::Table(entries) => {
                Json::Object(entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json())).collect())
            }
        }
    }
}

/// Parses `text` as JSON or TOML; the caller knows which from the file name.
///
/// # Errors
/// Every syntax error the parser reports, with its place.
pub(crate) fn parse(text: &str, json: bool) -> Result<Node, Vec<SyntaxError>> {
    if too_deep(text) {
        return Err(vec![SyntaxError { message: format!("nested deeper than {MAX_DEPTH} levels"), span: 0..0 }]);
    }
    if json { parse_json(text) } else { parse_toml(text) }
}

/// Counts brackets without regard to strings: it may refuse a strange file, never overlook a deep one.
fn too_deep(text: &str) -> bool {
    let mut depth = 0_usize;
    text.bytes().any(|byte| {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > MAX_DEPTH
    })
}

fn parse_toml(text: &str) -> Result<Node, Vec<SyntaxError>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(Node::new(0..0, toml_table(document.get_ref())));
    }
    Err(errors
        .into_iter()
        .map(|error| SyntaxError { message: error.message().to_owned(), span: error.span().unwrap_or(0..0) })
        .collect())
}

fn toml_table(table: &DeTable<'_>) -> Value {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            key_span: key.span(),
            node: Node::new(value.span(), toml_value(value.get_ref())),
        })
        .collect();
    entries.sort_by_key(|entry| entry.key_span.start);
    Value::Table(entries)
}

fn toml_value(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Float(f64::INFINITY),
        },
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Datetime(value) => Value::Text(value.to_string()),
        DeValue::Array(items) => {
            Value::Array(items.iter().map(|item| Node::new(item.span(), toml_value(item.get_ref()))).collect())
        }
        DeValue::Table(table) => toml_table(table),
    }
}

fn parse_json(text: &str) -> Result<Node, Vec<SyntaxError>> {
    let options = jsonc_parser::ParseOptions {
        allow_comments: true,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let error = |message: String, span: Span| vec![SyntaxError { message, span }];
    match jsonc_parser::parse_to_ast(text, &jsonc_parser::CollectOptions::default(), &options) {
        Ok(parsed) => match parsed.value {
            Some(value @ ast::Value::Object(_)) => json_value(&value),
            Some(value) => Err(error("a policy is one JSON object".into(), json_span(&value))),
            None => Err(error("the file is empty".into(), 0..0)),
        },
        Err(problem) => {
            let range = problem.range();
            Err(error(problem.kind().to_string(), range.start..range.end))
        }
    }
}

fn json_span(value: &ast::Value<'_>) -> Span {
    value.range().start..value.range().end
}

fn json_value(value: &ast::Value<'_>) -> Result<Node, Vec<SyntaxError>> {
    let converted = match value {
        ast::Value::StringLit(text) => Value::Text(text.value.to_string()),
        ast::Value::NumberLit(number) => match number.value.parse() {
            Ok(integer) => Value::Integer(integer),
            Err(_) => Value::Float(number.value.parse().unwrap_or(f64::NAN)),
        },
        ast::Value::BooleanLit(value) => Value::Boolean(value.value),
        ast::Value::NullKeyword(_) => Value::Null,
        ast::Value::Array(array) => Value::Array(array.elements.iter().map(json_value).collect::<Result<_, _>>()?),
        ast::Value::Object(object) => {
            let mut entries: Vec<Entry> = Vec::new();
            for property in &object.properties {
                let range = property.name.range();
                let key = property.name.as_str().to_owned();
                if entries.iter().any(|entry| entry.key == key) {
                    // JSON parsers differ in which one wins, so neither does.
                    let message = "duplicate key".to_owned();
                    return Err(vec![SyntaxError { message, span: range.start..range.end }]);
                }
                entries.push(Entry { key, key_span: range.start..range.end, node: json_value(&property.value)? });
            }
            Value::Table(entries)
        }
    };
    Ok(Node::new(json_span(value), converted))
}

/// A place in the tree that may not exist: diagnostics then point at its nearest existing parent.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    node: Option<&'a Node>,
    key_span: Option<&'a Span>,
    nearest: &'a Span,
}

impl<'a> At<'a> {
    /// The whole file.
    pub fn root(node: &'a Node) -> Self {
        Self { node: Some(node), key_span: None, nearest: &node.span }
    }

    /// A key of this table.
    pub fn key(self, key: &str) -> Self {
        let entries = match self.node.map(|node| &node.value) {
            Some(Value::Table(entries)) => entries.as_slice(),
            _ => &[],
        };
        match entries.iter().find(|entry| entry.key == key) {
            Some(entry) => Self { node: Some(&entry.node), key_span: Some(&entry.key_span), nearest: &entry.node.span },
            None => Self { node: None, key_span: None, nearest: self.nearest },
        }
    }

    /// An item of this array.
    pub fn item(self, index: usize) -> Self {
        let item = match self.node.map(|node| &node.value) {
            Some(Value::Array(items)) => items.get(index),
            _ => None,
        };
        match item {
            Some(item) => Self { node: Some(item), key_span: None, nearest: &item.span },
            None => Self { node: None, key_span: None, nearest: self.nearest },
        }
    }

    /// Where it stands, or its nearest existing parent.
    pub fn span(self) -> Span {
        self.nearest.clone()
    }

    /// Where its key stands; the value's own place for items of arrays.
    pub fn key_span(self) -> Span {
        self.key_span.unwrap_or(self.nearest).clone()
    }

    /// Whether the file says it.
    pub fn exists(self) -> bool {
        self.node.is_some()
    }

    /// Whether something was taken out of it after an error.
    pub fn is_broken(self) -> bool {
        self.node.is_some_and(|node| node.broken)
    }
}
