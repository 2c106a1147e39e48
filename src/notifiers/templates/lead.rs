//! The mail to somebody above: what stops, who was told and what came of it, and what they can do.

use crate::model::Notice;
use crate::model::NoticeKind;
use crate::model::Told;

use super::letter::Letter;
use super::names;
use super::when;

/// Writes it.
pub(super) fn letter(notice: &Notice) -> Letter {
    let mut letter = Letter::default();
    letter.para(first_sentence(notice));
    let over = matches!(notice.kind, NoticeKind::Done | NoticeKind::Resolved);
    if over {
        letter.fact("Needed", "Nothing more.");
    } else {
        letter.fact("Impact", notice.impact.clone());
        if let Some(at) = notice.stops_at {
            let label = if at > notice.at { "Stops" } else { "Stopped" };
            letter.fact(label, format!("{}.", when::stop(notice, at)));
        }
        letter.fact("Told so far", told(notice));
        needed(notice, &mut letter);
    }
    letter.fact("Questions?", notice.contact.clone());
    letter.para(format!("You get this because escalations for {} go to you.", notice.title));
    letter
}

fn first_sentence(notice: &Notice) -> String {
    let title = &notice.title;
    match (notice.kind, notice.stops_at) {
        (NoticeKind::Done | NoticeKind::Resolved, _) => {
            let until = notice.new_until.map(|at| format!(" until {}", when::full(when::local(notice, at).date())));
            format!("{title}: the new key is in use{}.", until.unwrap_or_default())
        }
        (NoticeKind::Stopped, _) => {
            let unless = notice.problem.as_ref().map(|problem| format!(", {}", problem.summary)).unwrap_or_default();
            format!("{title} no longer {}{unless}.", names::verb(title, "work"))
        }
        (_, Some(at)) => {
            let left = when::soon(when::days_left(notice, at));
            format!("{title} {} {left}, and nobody has confirmed that it is taken care of.", names::verb(title, "stop"))
        }
        (_, None) => format!("The new key for {title} waits, and nobody has confirmed that it was handed over."),
    }
}

fn told(notice: &Notice) -> String {
    if notice.told.is_empty() {
        return "nobody so far".to_owned();
    }
    notice.told.iter().map(told_line).collect::<Vec<_>>().join("\n")
}

/// `Priya Shah, 20 Nov, 27 Nov, 4 Dec: not opened`.
fn told_line(told: &Told) -> String {
    let dates: Vec<String> = told.dates.iter().map(|date| when::short(*date)).collect();
    format!("{}, {}: {}", names::display_name(&told.person), dates.join(", "), told.answer)
}

fn needed(notice: &Notice, letter: &mut Letter) {
    match (&notice.handoff, &notice.link) {
        (Some(handoff), link) => {
            let task = format!("One person gives the waiting key to {} (10 minutes)", handoff.recipient_name);
            match link {
                Some(link) => {
                    letter.fact_with_link("Needed", format!("{task}:"), Some(link.clone()));
                    letter.fact("You can", "reassign it on that page, or accept the stop with a reason.");
                }
                None => {
                    letter.fact("Needed", format!("{task}: ask {} and quote {}.", notice.contact, handoff.id));
                    letter.fact("You can", "name somebody else for it, or accept the stop with a reason.");
                }
            }
        }
        (None, _) => {
            letter.fact("Needed", format!("Somebody renews the key together with {}.", notice.contact));
            letter.fact("You can", "name the person who does it, or accept the stop with a reason.");
        }
    }
}
