//! The project manager's mail: what stops, when, what to do, what happens otherwise, whom to ask. Plain words and
//! no id (rules 2 and 3); whatever the credential is, it is called a key.

use crate::model::Notice;
use crate::model::NoticeHandoff;
use crate::model::NoticeKind;

use super::letter::Block;
use super::letter::Letter;
use super::letter::Step;
use super::names;
use super::when;

/// Writes it.
pub(super) fn letter(notice: &Notice) -> Letter {
    let mut letter = Letter::default();
    letter.para(names::greeting(notice.to.first().map_or("", String::as_str)));
    match notice.kind {
        NoticeKind::Done | NoticeKind::Resolved => over(notice, &mut letter),
        NoticeKind::Failed => failed(notice, &mut letter),
        NoticeKind::Stopped => stopped(notice, &mut letter),
        _ => ahead(notice, &mut letter),
    }
    letter
}

/// Something stops unless somebody acts.
fn ahead(notice: &Notice, letter: &mut Letter) {
    what_and_when(notice, letter);
    let often = match notice.times_a_year {
        0 => String::new(),
        count => format!(" This is normal; it happens about {} a year.", names::times(count)),
    };
    if notice.stops_at.is_some() {
        letter.fact("Why", format!("The access key behind {} runs out on that day.{often}", notice.title));
    } else {
        letter.fact("Why", format!("{} needs its first access key to work.", notice.title));
    }
    match &notice.handoff {
        Some(handoff) => {
            let meanwhile = if notice.stops_at.is_some() { " The current one keeps working meanwhile." } else { "" };
            letter.fact("What we did", format!("A new key is ready.{meanwhile}"));
            letter.blocks.push(to_do(notice, handoff));
        }
        None => letter.fact(
            "What you do",
            format!("Plan an hour for it, or ask {} to do it. They make the new key with you.", notice.contact),
        ),
    }
    if let Some(at) = notice.stops_at {
        let day = when::medium(when::local(notice, at).date(), when::today(notice));
        let verb = names::verb(&notice.title, "stop");
        letter.para(format!("If nothing happens, {} {verb} on {day} until it is done.", notice.title));
    } else {
        letter.para(format!("If nothing happens, {} cannot start to work.", notice.title));
    }
    cannot(notice, letter);
    letter.fact("Questions?", notice.contact.clone());
    closing(notice, letter);
}

fn what_and_when(notice: &Notice, letter: &mut Letter) {
    let label = if notice.stops_at.is_some() { "What would stop" } else { "If it is missing" };
    letter.fact(label, notice.impact.clone());
    match (notice.stops_at, &notice.handoff) {
        (Some(at), _) => letter.fact("When", format!("{}.", when::stop(notice, at))),
        (None, Some(handoff)) => {
            letter.fact("When", format!("It has not started yet; please act by {}.", when::weekday(handoff.due)));
        }
        (None, None) => {}
    }
}

fn to_do(notice: &Notice, handoff: &NoticeHandoff) -> Block {
    let recipient = &handoff.recipient_name;
    let (first, last) = match &notice.link {
        Some(link) => (
            Step { body: "Open the hand-off page:".into(), link: Some(link.clone()) },
            format!("Press \"{recipient} confirmed\" when they say it works."),
        ),
        None => (
            Step { body: format!("Ask {} and quote {}.", notice.contact, handoff.id), link: None },
            format!("Tell {} when {recipient} says it works.", notice.contact),
        ),
    };
    let page = if notice.link.is_some() { "as the page explains" } else { "as they explain" };
    let give = format!("Give the new key to {recipient} {page} (about 10 minutes).");
    let late = if handoff.due < when::today(notice) { "This was due on" } else { "Please do this by" };
    let steps = vec![first, Step { body: give, link: None }, Step { body: last, link: None }];
    Block::Steps { label: "What you do", steps, last: format!("{late} {}.", when::weekday(handoff.due)) }
}

fn cannot(notice: &Notice, letter: &mut Letter) {
    let backup = notice.backup.as_deref().filter(|backup| !notice.to.iter().any(|to| to == backup));
    match (backup.map(names::display_name), &notice.handoff, &notice.link) {
        (Some(backup), Some(_), Some(_)) => {
            letter.fact("Cannot do it?", format!("Press \"Pass to my backup\" on that page ({backup})."));
        }
        (Some(backup), ..) => {
            letter.fact("Cannot do it?", format!("Tell {}; {backup} stands in for you.", notice.contact));
        }
        (None, ..) => letter.fact("Cannot do it?", format!("Tell {}.", notice.contact)),
    }
}

fn closing(notice: &Notice, letter: &mut Letter) {
    let mut lines = String::new();
    let today = when::today(notice);
    if let Some(handoff) = notice.handoff.as_ref().filter(|handoff| handoff.due >= today) {
        lines += &format!("The attached calendar entry reminds you on {}.\n", when::medium(handoff.due, today));
    }
    lines += &because(notice);
    if let Some(next) = notice.next_reminder {
        let next = when::medium(next, today);
        lines += &format!("\nNext reminder: {next}, unless you confirm or acknowledge before.");
    }
    letter.para(lines);
}

fn because(notice: &Notice) -> String {
    let doer = notice.handoff.as_ref().is_some_and(|handoff| notice.to.contains(&handoff.doer));
    let role = if doer { "the person who hands over the key" } else { "project manager" };
    format!("You get this because you are named as {role} for {}.", notice.title)
}

/// The renewal does not get on by itself; the owner works on it.
fn failed(notice: &Notice, letter: &mut Letter) {
    what_and_when(notice, letter);
    letter.fact("Why", "The automatic renewal of its access key did not succeed so far.");
    letter.fact("What we do", format!("{} was told and works on it. The current key still works.", notice.contact));
    letter.fact("What you do", format!("Nothing yet. Ask {} how it stands if the day comes near.", notice.contact));
    if let Some(at) = notice.stops_at {
        let day = when::medium(when::local(notice, at).date(), when::today(notice));
        let verb = names::verb(&notice.title, "stop");
        letter.para(format!("If nothing happens, {} {verb} on {day} until it is repaired.", notice.title));
    }
    letter.fact("Questions?", notice.contact.clone());
    closing(notice, letter);
}

fn stopped(notice: &Notice, letter: &mut Letter) {
    let verb = names::verb(&notice.title, "work");
    let unless = notice.problem.as_ref().map(|problem| format!(", {}", problem.summary)).unwrap_or_default();
    letter.para(format!("{} no longer {verb}{unless}.", notice.title));
    letter.fact("What stopped", notice.impact.clone());
    if let Some(at) = notice.stops_at {
        letter.fact("When", format!("{}.", when::stop(notice, at)));
    }
    letter.fact("Why", "Its access key ran out, and nobody has confirmed a new one.");
    match &notice.handoff {
        Some(handoff) => letter.blocks.push(to_do(notice, handoff)),
        None => letter.fact("What you do", format!("Call {} now. A new key can be made today.", notice.contact)),
    }
    cannot(notice, letter);
    letter.fact("Questions?", notice.contact.clone());
    let today = when::today(notice);
    let next = notice.next_reminder.map(|day| format!(" Next mail: {}.", when::medium(day, today)));
    letter.para(format!("{}{}", because(notice), next.unwrap_or_default()));
}

fn over(notice: &Notice, letter: &mut Letter) {
    let until = notice.new_until.map(|at| format!(" until {}", when::full(when::local(notice, at).date())));
    let until = until.unwrap_or_default();
    let who = notice.handoff.as_ref().map(|handoff| handoff.recipient_name.as_str());
    letter.para(match who {
        Some(who) => format!("{}: {who} uses the new key{until}.", notice.title),
        None => format!("{}: the new key is in use{until}.", notice.title),
    });
    letter.fact("What you do", "Nothing. Reminders end here, and the calendar entry is taken back.");
    letter.fact("Questions?", notice.contact.clone());
    letter.para(because(notice));
}
