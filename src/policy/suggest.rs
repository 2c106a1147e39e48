//! "Did you mean": the nearest known word within two edits, or the same word in another case.

/// The candidate nearest to `word`: equal but for case, else within two edits (one for words of up to
/// three letters). Ties go to the first candidate.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let limit = if word.chars().count() <= 3 { 1 } else { 2 };
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let away = if candidate.to_lowercase() == lower { 0 } else { distance(word, candidate) };
        if away <= limit && best.is_none_or(|(least, _)| away < least) {
            best = Some((away, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// `did you mean "…"?`, when there is a candidate.
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, candidates).map(|candidate| format!("did you mean \"{candidate}\"?"))
}

/// Edits between two words: insert, delete, replace, or swap two neighbours (optimal string alignment).
fn distance(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.chars().collect();
    let other: Vec<char> = other.chars().collect();
    if one.len().abs_diff(other.len()) > 2 {
        return usize::MAX;
    }
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let mut best = (last[j] + usize::from(a != b)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_edits_are_near_and_three_are_far() {
        assert_eq!(distance("lifetime", "liftime"), 1);
        assert_eq!(distance("lifetime", "liftiem"), 2);
        assert_eq!(nearest("audiance", ["audience", "app_id"]), Some("audience"));
        assert_eq!(nearest("mail.readwrite", ["Mail.Read", "Mail.ReadWrite"]), Some("Mail.ReadWrite"));
        assert_eq!(nearest("audxxxce", ["audience"]), None);
        assert_eq!(nearest("to", ["via"]), None);
    }
}
