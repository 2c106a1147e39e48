//! The short ones: welcome, test, and the summary that stands for many.

use crate::model::Notice;
use crate::model::NoticeKind;

use super::letter::Block;
use super::letter::Letter;
use super::names;
use super::text;
use super::when;

/// To somebody who is named for the first time.
pub(super) fn welcome(notice: &Notice) -> Letter {
    let mut letter = greeted(notice);
    letter.para(format!(
        "You are named for {}. It uses an access key that runs out from time to time; everkey renews it and tells \
         you when it needs you. This is that sender: please let its mails through.",
        notice.title
    ));
    if !notice.impact.is_empty() {
        letter.fact("If it lapsed", notice.impact.clone());
    }
    if notice.times_a_year > 0 {
        letter.fact("How often", format!("You will be asked about {} a year.", names::times(notice.times_a_year)));
    }
    letter.fact("What you do", "Nothing now.");
    if let Some(backup) = &notice.backup {
        letter.fact("Your backup", names::display_name(backup));
    }
    letter.fact("Questions?", notice.contact.clone());
    letter
}

/// `everkey mail test`.
pub(super) fn test(notice: &Notice) -> Letter {
    let mut letter = greeted(notice);
    letter.para("This is a test. Nothing stops, and there is nothing to do.");
    letter.para("It shows that everkey can send you mail, with text, HTML and headers as in a real alert.");
    if !notice.contact.is_empty() {
        letter.fact("Questions?", notice.contact.clone());
    }
    letter
}

/// everkey itself needs its owner.
pub(super) fn operation(notice: &Notice) -> Letter {
    let mut letter = greeted(notice);
    if let Some(problem) = &notice.problem {
        letter.para(format!("{}.", problem.summary));
        letter.fact("What you do", problem.fix.clone().unwrap_or_default());
        letter.fact("Code", format!("{}, see: everkey explain {}", problem.code, problem.code));
    }
    letter.para("You get this because you look after everkey itself. It comes once a day until it is put right.");
    letter
}

/// To security: a credential that nobody registered.
pub(super) fn appeared(notice: &Notice) -> Letter {
    strange(
        notice,
        (
            "Who",
            "Entra does not tell it here: see its audit log, \"Update application - Certificates and secrets management\".",
        ),
        "Nothing: everkey never removes what it did not make. You hear of this credential once.",
    )
}

/// To security: a credential of somebody else is gone.
pub(super) fn vanished(notice: &Notice) -> Letter {
    strange(
        notice,
        (
            "Why",
            "Graph replaces all certificates of an application at once. A change that got no answer took effect late, and \
             did not hold what was added meanwhile. Or its owner took it away.",
        ),
        "Nothing: everkey cannot tell which of the two it was.",
    )
}

fn strange(notice: &Notice, (label, why): (&'static str, &str), done: &str) -> Letter {
    let mut letter = Letter::default();
    let summary = notice.problem.as_ref().map_or("", |problem| problem.summary.as_str());
    letter.para(format!("A {summary}."));
    letter.fact("Seen", notice.at.strftime("%Y-%m-%d %H:%M UTC").to_string());
    letter.fact(label, why.to_owned());
    if let Some(fix) = notice.problem.as_ref().and_then(|problem| problem.fix.as_ref()) {
        letter.fact("What you do", fix.clone());
    }
    letter.fact("What we did", done.to_owned());
    if !notice.contact.is_empty() {
        letter.fact("Questions?", notice.contact.clone());
    }
    letter.blocks.push(Block::Line);
    super::engineer::ids(notice, &mut letter);
    letter
}

/// Many notices in one.
pub(super) fn summary(notice: &Notice) -> Letter {
    let mut letter = greeted(notice);
    letter.para(format!("{} things need you. They came due together, so they come in one mail.", notice.merged.len()));
    for one in &notice.merged {
        letter.blocks.push(Block::Fixed(text::wrap(text::FIXED_WIDTH, &item(one), "", "    ")));
    }
    letter.fact("Questions?", notice.contact.clone());
    letter
}

fn item(one: &Notice) -> String {
    let day = one.stops_at.map(|at| when::short(when::local(one, at).date()));
    let state = match (one.kind, day) {
        (NoticeKind::Appeared, _) => format!("a {} that nobody registered was added", one.word),
        (NoticeKind::Vanished, _) => format!("a {} of somebody else is gone", one.word),
        (NoticeKind::Done | NoticeKind::Resolved, _) => "done".to_owned(),
        (NoticeKind::Stopped, Some(day)) => format!("STOPPED since {day}"),
        (NoticeKind::Failed, Some(day)) => format!("renewal failed, would stop on {day}"),
        (_, Some(day)) => format!("would stop on {day}"),
        (_, None) => "waits".to_owned(),
    };
    let quote = one.handoff.as_ref().map(|handoff| {
        let due = when::short(handoff.due);
        match &one.link {
            Some(link) => format!(" Hand over by {due}: {link}"),
            None => format!(" Hand over by {due}: ask {} and quote {}.", one.contact, handoff.id),
        }
    });
    format!("- {}: {state}. {}{}", one.title, one.impact, quote.unwrap_or_default())
}

fn greeted(notice: &Notice) -> Letter {
    let mut letter = Letter::default();
    letter.para(names::greeting(notice.to.first().map_or("", String::as_str)));
    letter
}
