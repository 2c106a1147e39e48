//! `$search="displayName:word"`: tokens that begin so, joined by AND or OR (entra-contract 2.2).

use serde_json::Value;

use super::Problem;

/// Properties that can be searched.
const PROPERTIES: [&str; 2] = ["description", "displayName"];

/// A parsed search: one of these lists of terms matches whole.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Search(Vec<Vec<Term>>);

#[derive(Clone, Debug, PartialEq)]
struct Term {
    property: &'static str,
    words: Vec<String>,
}

impl Search {
    /// Reads a search; each term stands in double quotes.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let syntax = || Problem::bad_request(format!("Syntax error in the search clause '{text}'."));
        let mut any = vec![Vec::new()];
        let mut rest = text.trim();
        loop {
            let (term, after) = rest.strip_prefix('"').and_then(|rest| rest.split_once('"')).ok_or_else(syntax)?;
            let (name, words) = term.split_once(':').ok_or_else(syntax)?;
            let known = PROPERTIES.iter().find(|known| known.eq_ignore_ascii_case(name.trim()));
            let property =
                *known.ok_or_else(|| Problem::unsupported(format!("Property '{name}' cannot be searched.")))?;
            any.last_mut().ok_or_else(syntax)?.push(Term { property, words: words_of(words) });
            rest = after.trim_start();
            if rest.is_empty() {
                return Ok(Self(any));
            }
            let (word, after) = rest.split_once(' ').ok_or_else(syntax)?;
            match word {
                "AND" => {}
                "OR" => any.push(Vec::new()),
                _ => return Err(syntax()),
            }
            rest = after.trim_start();
        }
    }

    /// Whether an object matches; `property` gives its values.
    pub(super) fn matches(&self, property: &dyn Fn(&str) -> Value) -> bool {
        let hit = |term: &Term| {
            let value = property(term.property);
            let held = words_of(value.as_str().unwrap_or_default());
            term.words.iter().all(|wanted| held.iter().any(|word| word.starts_with(wanted)))
        };
        self.0.iter().any(|all| all.iter().all(hit))
    }
}

fn words_of(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    lower.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn terms_match_the_beginnings_of_words() {
        let object = json!({"displayName": "Payroll-Export (test)", "description": null});
        let matches = |search: &str| Search::parse(search).unwrap().matches(&|name| object[name].clone());
        assert!(matches(r#""displayName:pay""#));
        assert!(matches(r#""displayName:export test""#));
        assert!(matches(r#""displayName:nothing" OR "displayName:exp" AND "displayname:test""#));
        assert!(!matches(r#""displayName:roll""#));
        assert!(!matches(r#""displayName:pay" AND "description:pay""#));
        for nonsense in
            ["", "displayName:x", r#""displayName""#, r#""displayName:x" NOT "displayName:y""#, r#""appId:x""#]
        {
            assert!(Search::parse(nonsense).is_err(), "{nonsense}");
        }
    }
}
