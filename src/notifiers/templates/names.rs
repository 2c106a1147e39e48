//! How people are called, and verbs that fit a title.

/// A name for a person: what stands before `<`, else made from the address (`priya.shah@…` is Priya Shah).
pub fn display_name(person: &str) -> String {
    if let Some((name, _)) = person.split_once('<')
        && !name.trim().is_empty()
    {
        return name.trim().trim_matches('"').to_owned();
    }
    let local = person.split('@').next().unwrap_or(person).trim_start_matches('<');
    let words: Vec<String> = local.split(['.', '_']).filter(|word| !word.is_empty()).map(capitalised).collect();
    // A letter alone is an initial: `d.okoro` is D. Okoro.
    let word = |word: &String| if word.chars().count() == 1 { format!("{word}.") } else { word.clone() };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// The word to greet with: the first name, or all of it where that is an initial or a team (`platform`).
pub(super) fn greeting(person: &str) -> String {
    let name = display_name(person);
    let first = name.split(' ').next().unwrap_or_default();
    let greeted = if first.ends_with('.') { name.as_str() } else { first };
    if greeted.is_empty() { "Hello,".to_owned() } else { format!("Hello {greeted},") }
}

/// `work` or `works`, as the title is many or one.
pub(super) fn verb(title: &str, verb: &str) -> String {
    let last = title.trim_end_matches(|c: char| !c.is_alphanumeric());
    let many = last.ends_with('s') && !last.ends_with("ss");
    if many { verb.to_owned() } else { format!("{verb}s") }
}

/// `once`, `twice`, `3 times`.
pub(super) fn times(count: u32) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        more => format!("{more} times"),
    }
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
