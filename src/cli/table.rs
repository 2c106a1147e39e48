//! Tables that fit the terminal: under its width columns are left out in the order that each table documents, and
//! if that is not enough the longest texts are cut. No row ever wraps.

use comfy_table::ContentArrangement;
use comfy_table::Table;
use comfy_table::presets::NOTHING;

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its heading.
    pub title: &'static str,
    /// The lowest goes first when there is too little room; `None` stays.
    pub dropped: Option<u8>,
}

impl Column {
    /// A column that stays.
    pub const fn kept(title: &'static str) -> Self {
        Self { title, dropped: None }
    }

    /// A column that goes as number `order` when there is too little room.
    pub const fn dropped(title: &'static str, order: u8) -> Self {
        Self { title, dropped: Some(order) }
    }
}

/// Shorter than this no text is cut.
const SHORTEST: usize = 12;

/// The table in at most `room` columns; `None` is a pipe, where nothing is left out.
pub fn fit(columns: &[Column], rows: &[Vec<String>], room: Option<usize>) -> String {
    let mut shown: Vec<usize> = (0..columns.len()).collect();
    let room = room.unwrap_or(usize::MAX);
    while width(&draw(columns, rows, &shown, usize::MAX)) > room {
        let next = shown.iter().filter_map(|at| Some((columns[*at].dropped?, *at))).min();
        let Some((_, out)) = next else { break };
        shown.retain(|at| *at != out);
    }
    let mut longest = usize::MAX;
    loop {
        let text = draw(columns, rows, &shown, longest);
        let wide = width(&text);
        if wide <= room || longest <= SHORTEST {
            return text;
        }
        let cells = rows.iter().flat_map(|row| shown.iter().map(|at| row[*at].chars().count()));
        let now = cells.map(|length| length.min(longest)).max().unwrap_or(0);
        longest = now.saturating_sub((wide - room).clamp(1, 4)).max(SHORTEST);
    }
}

fn draw(columns: &[Column], rows: &[Vec<String>], shown: &[usize], longest: usize) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(shown.iter().map(|at| columns[*at].title));
    for row in rows {
        table.add_row(shown.iter().map(|at| cut(&row[*at], longest)));
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn cut(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let kept: String = text.chars().take(longest.saturating_sub(3)).collect();
    format!("{}...", kept.trim_end())
}

fn width(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] =
        [Column::kept("NAME"), Column::dropped("WHAT", 2), Column::kept("LEFT"), Column::dropped("OWNER", 1)];

    fn rows() -> Vec<Vec<String>> {
        let row = |name: &str, what: &str| vec![name.to_owned(), what.to_owned(), "12 days".into(), "platform".into()];
        vec![row("reapit-lead-imports", "New portal leads stop arriving in Reapit"), row("x", "y")]
    }

    #[test]
    fn columns_go_in_their_order_and_then_texts_are_cut() {
        for (room, there, gone) in [
            (None, &["OWNER", "WHAT", "arriving in Reapit"][..], &[][..]),
            (Some(400), &["OWNER", "WHAT"], &[]),
            (Some(78), &["WHAT", "arriving in Reapit"], &["OWNER"]),
            (Some(60), &["NAME", "LEFT", "reapit-lead-imports"], &["OWNER", "WHAT"]),
            (Some(25), &["reapit-lead-...", "12 days"], &["OWNER", "WHAT"]),
        ] {
            let text = fit(&COLUMNS, &rows(), room);
            assert!(room.is_none_or(|room| width(&text) <= room), "{room:?}\n{text}");
            assert!(there.iter().all(|word| text.contains(word)), "{room:?}\n{text}");
            assert!(!gone.iter().any(|word| text.contains(word)), "{room:?}\n{text}");
            assert_eq!(text.lines().count(), 3, "{room:?}: no row wraps\n{text}");
        }
    }

    #[test]
    fn hopeless_room_still_gives_whole_rows() {
        let text = fit(&COLUMNS, &rows(), Some(3));
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("reapit-le..."), "{text}");
    }
}
