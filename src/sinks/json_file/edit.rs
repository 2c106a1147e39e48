//! Puts values at JSON pointers (RFC 6901) and leaves every other byte as it is.

use zeroize::Zeroizing;

use super::scan::Kind;
use super::scan::Member;
use super::scan::Node;
use super::scan::scan;

/// A JSON pointer, split into its unescaped parts; never empty.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Pointer {
    text: String,
    parts: Vec<String>,
}

impl Pointer {
    /// Reads `/MS-OfficeMail-365/clientSecret`; `~1` is a slash, `~0` a tilde.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err(format!("JSON pointer `{text}` must begin with a slash"));
        };
        let stray = text.replace("~0", "").replace("~1", "").contains('~');
        if stray {
            return Err(format!("JSON pointer `{text}`: write a tilde as `~0` and a slash as `~1`"));
        }
        let parts = rest.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
        Ok(Self { text: text.to_owned(), parts })
    }

    /// As it stands in the policy.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// What a pointer leads to.
enum Found<'a> {
    /// A string, number, boolean or null.
    Scalar(&'a Node),
    /// Nothing yet, in this object, which can take it.
    Vacant(&'a Node, &'a [Member]),
}

/// The JSON text (with quotes) of the value at each pointer; `None` where the key is not there yet.
///
/// # Errors
/// A sentence about the file, when it cannot take the values.
pub(super) fn read(text: &str, pointers: &[Pointer]) -> Result<Vec<Option<Zeroizing<String>>>, String> {
    let root = scan(body(text))?;
    let raw = |node: &Node| canonical(body(text).get(node.span.clone()).unwrap_or_default());
    let value = |pointer| {
        Ok(match find(&root, pointer)? {
            Found::Scalar(node) => Some(raw(node)),
            Found::Vacant(..) => None,
        })
    };
    pointers.iter().map(value).collect()
}

/// The JSON text of `value`, as it is written and compared.
pub(super) fn quoted(value: &str) -> Zeroizing<String> {
    // A str always serialises.
    Zeroizing::new(serde_json::to_string(value).unwrap_or_default())
}

/// `text` with `values` put in place; equal to `text` when they stand there already.
pub(super) fn apply(text: &str, values: &[(Pointer, Zeroizing<String>)]) -> Result<Zeroizing<String>, String> {
    let mut edited = Zeroizing::new(text.to_owned());
    for (pointer, value) in values {
        let next = put(body(&edited), pointer, value)?;
        let mark = &text[..text.len() - body(text).len()];
        edited = splice(&edited, mark.len()..edited.len(), &next);
    }
    Ok(edited)
}

/// A text without its byte order mark, which some Windows editors leave and which JSON does not know.
fn body(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn put(text: &str, pointer: &Pointer, value: &str) -> Result<Zeroizing<String>, String> {
    let root = scan(text)?;
    let wanted = quoted(value);
    Ok(match find(&root, pointer)? {
        Found::Scalar(node) => {
            let present = text.get(node.span.clone()).unwrap_or_default();
            // The same value in another spelling (`\/` for `/`) is left as it is.
            let same = *canonical(present) == *wanted;
            splice(text, node.span.clone(), if same { present } else { &wanted })
        }
        Found::Vacant(object, members) => {
            let key = quoted(pointer.parts.last().map_or("", String::as_str));
            insert(text, &root, object, members, &key, &wanted)
        }
    })
}

/// Follows a pointer. A key that occurs twice is refused: readers disagree which one counts.
fn find<'a>(root: &'a Node, pointer: &Pointer) -> Result<Found<'a>, String> {
    let mut node = root;
    let mut parts = pointer.parts.iter().peekable();
    while let Some(part) = parts.next() {
        node = match &node.kind {
            Kind::Array(items) => {
                let plain = part == "0" || (!part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit()));
                let index = part.parse::<usize>().ok().filter(|_| plain);
                let item = index.and_then(|index| items.get(index));
                item.ok_or_else(|| format!("`{}`: the list has no item `{part}`", pointer.text))?
            }
            Kind::Object(members) => {
                let mut named = members.iter().filter(|member| member.key == *part);
                match (named.next(), named.next()) {
                    (Some(_), Some(_)) => return Err(format!("`{}`: the key `{part}` occurs twice", pointer.text)),
                    (Some(member), None) => &member.value,
                    (None, _) if parts.peek().is_none() => return Ok(Found::Vacant(node, members)),
                    (None, _) => return Err(format!("`{}`: there is no object `{part}`; add it first", pointer.text)),
                }
            }
            Kind::Scalar => return Err(format!("`{}`: what holds `{part}` is not an object", pointer.text)),
        };
    }
    match node.kind {
        Kind::Scalar => Ok(Found::Scalar(node)),
        Kind::Array(_) | Kind::Object(_) => {
            Err(format!("`{}` is an object or a list, which is not replaced by a value", pointer.text))
        }
    }
}

/// Adds a member at the end of an object, in the manner of the file.
fn insert(text: &str, root: &Node, object: &Node, members: &[Member], key: &str, value: &str) -> Zeroizing<String> {
    let (first, inner_end) = (object.span.start + 1, object.span.end - 1);
    let Some(last) = members.last() else {
        let style = Style::of(text, root);
        let base = line_indent(text, object.span.start);
        let inside = Zeroizing::new(match &style.unit {
            Some(unit) => format!("{0}{base}{unit}{key}{1}{value}{0}{base}", style.newline, style.colon),
            None => format!("{key}{}{value}", style.colon),
        });
        return splice(text, first..inner_end, &inside);
    };
    let lead = lead(text, first, members);
    let colon = text.get(last.key_span.end..last.value.span.start).unwrap_or(":");
    let member = Zeroizing::new(format!(",{lead}{key}{colon}{value}"));
    splice(text, last.value.span.end..last.value.span.end, &member)
}

/// White space before the last key of an object.
fn lead<'a>(text: &'a str, first: usize, members: &[Member]) -> &'a str {
    let Some(last) = members.last() else { return "" };
    let before = members.iter().rev().nth(1).map_or(first, |member| member.value.span.end);
    let between = text.get(before..last.key_span.start).unwrap_or_default();
    between.rsplit(',').next().unwrap_or_default()
}

/// How a file is laid out, seen at the first member of its outermost object.
struct Style<'a> {
    newline: &'static str,
    colon: &'a str,
    /// One step of indentation; `None` for a file on one line.
    unit: Option<&'a str>,
}

impl<'a> Style<'a> {
    fn of(text: &'a str, root: &Node) -> Self {
        let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let Kind::Object(members) = &root.kind else { return Self { newline, colon: ": ", unit: None } };
        let Some(member) = members.first() else { return Self { newline, colon: ": ", unit: None } };
        let lead = text.get(root.span.start + 1..member.key_span.start).unwrap_or_default();
        let unit = lead.rsplit_once('\n').map(|(_, indent)| indent);
        let colon = text.get(member.key_span.end..member.value.span.start).unwrap_or(": ");
        Self { newline, colon, unit }
    }
}

/// White space at the start of the line on which `at` lies.
fn line_indent(text: &str, at: usize) -> &str {
    let line = text.get(..at).unwrap_or_default().rsplit('\n').next().unwrap_or_default();
    let end = line.len() - line.trim_start_matches([' ', '\t']).len();
    &line[..end]
}

/// A string is brought to our own spelling, so that two spellings of one value compare as equal.
fn canonical(raw: &str) -> Zeroizing<String> {
    match serde_json::from_str::<String>(raw) {
        Ok(value) => quoted(&Zeroizing::new(value)),
        Err(_) => Zeroizing::new(raw.to_owned()),
    }
}

/// `text` with `range` replaced; the buffer has its final size from the start.
fn splice(text: &str, range: std::ops::Range<usize>, with: &str) -> Zeroizing<String> {
    let mut spliced = Zeroizing::new(String::with_capacity(text.len() - range.len() + with.len()));
    spliced.push_str(text.get(..range.start).unwrap_or_default());
    spliced.push_str(with);
    spliced.push_str(text.get(range.end..).unwrap_or_default());
    spliced
}
