//! The letter as plain text: labels in a column, lines of at most 76 characters, links never broken.

use super::letter::Block;
use super::letter::Letter;

/// The longest line.
const WIDTH: usize = 76;
/// The longest line of a block that is kept as it is; the block is indented.
pub(super) const FIXED_WIDTH: usize = WIDTH - 2;
/// Where the words beside a label begin.
const COLUMN: usize = 18;

/// Renders it, with `\n` line ends.
pub(super) fn render(letter: &Letter) -> String {
    let margin = " ".repeat(COLUMN);
    let mut out: Vec<String> = Vec::new();
    let mut after_fact = false;
    for block in &letter.blocks {
        let fact = matches!(block, Block::Fact { .. });
        // Facts stand together; everything else has air around it.
        if !(out.is_empty() || after_fact && fact) {
            out.push(String::new());
        }
        after_fact = fact;
        match block {
            Block::Fact { label, body, link } => {
                let mut head = format!("{label:<COLUMN$}");
                for line in body.lines().chain(link.as_deref()) {
                    out.extend(wrap(WIDTH, line, &head, &margin));
                    head.clone_from(&margin);
                }
            }
            Block::Fixed(lines) => out.extend(lines.iter().map(|line| format!("  {line}"))),
            Block::Line => out.push("-".repeat(WIDTH)),
            Block::Para(text) => text.lines().for_each(|line| out.extend(wrap(WIDTH, line, "", ""))),
            Block::Steps { label, steps, last } => {
                let hanging = format!("{margin}   ");
                for (index, step) in steps.iter().enumerate() {
                    let label = if index == 0 { label } else { "" };
                    let head = format!("{label:<COLUMN$}{}. ", index + 1);
                    out.extend(wrap(WIDTH, &step.body, &head, &hanging));
                    out.extend(step.link.iter().map(|link| format!("{hanging}{link}")));
                }
                out.extend(wrap(WIDTH, last, &margin, &margin));
            }
        }
    }
    let lines: Vec<&str> = out.iter().map(|line| line.trim_end()).collect();
    lines.join("\n") + "\n"
}

/// Breaks `text` into lines of `width` characters; the first begins with `head`, the others with `margin`. A word too long for a line is
/// broken, unless it is a link.
pub(super) fn wrap(width: usize, text: &str, head: &str, margin: &str) -> Vec<String> {
    let room = width.saturating_sub(margin.chars().count()).max(20);
    let mut lines = Vec::new();
    let mut line = head.to_owned();
    let mut empty = true;
    for word in text.split_whitespace().flat_map(|word| pieces(word, room)) {
        let gap = usize::from(!empty);
        if !empty && line.chars().count() + gap + word.chars().count() > width {
            lines.push(std::mem::replace(&mut line, margin.to_owned()));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(&word);
        empty = false;
    }
    lines.push(line);
    lines
}

fn pieces(word: &str, room: usize) -> Vec<String> {
    if word.contains("://") || word.chars().count() <= room {
        return vec![word.to_owned()];
    }
    word.chars().collect::<Vec<_>>().chunks(room).map(|piece| piece.iter().collect()).collect()
}
