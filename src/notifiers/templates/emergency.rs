//! The mails of an emergency: what is done, what the reader does now, and what happens until then.

use crate::model::Notice;
use crate::model::Reader;

use super::letter::Block;
use super::letter::Letter;
use super::letter::Step;
use super::names;

/// Writes it.
pub(super) fn letter(notice: &Notice) -> Letter {
    match (&notice.handoff, notice.reader) {
        (_, Reader::Engineer) => technical(notice),
        (Some(_), Reader::Pm) => carry(notice),
        (Some(_), Reader::Lead) => above(notice),
        (None, _) => plain(notice),
    }
}

/// Whether people are without access already.
fn has_stopped(notice: &Notice) -> bool {
    notice.stops_at.is_some_and(|at| at <= notice.at)
}

/// To security and the owner.
fn technical(notice: &Notice) -> Letter {
    let mut letter = Letter::default();
    letter.para(format!(
        "EMERGENCY: the {} of {} is replaced now, without the usual overlap.",
        notice.word, notice.integration
    ));
    if let Some(problem) = &notice.problem {
        letter.fact("Reason", problem.summary.clone());
    }
    letter.fact("Impact", notice.impact.clone());
    letter.fact(
        "What happens",
        "A new one is made, proven by sign-in and delivered; then the old one is removed. Tokens that were issued with \
         the old one cannot be recalled; they end by themselves, usually within about an hour.",
    );
    letter.para("Next");
    letter.blocks.push(Block::Fixed(vec![
        format!("everkey history {}", notice.integration),
        format!("everkey revoke {} --evidence DIR", notice.integration),
    ]));
    letter.blocks.push(Block::Line);
    super::engineer::ids(notice, &mut letter);
    letter
}

/// To people who have nothing to do.
fn plain(notice: &Notice) -> Letter {
    let mut letter = Letter::default();
    letter.para(names::greeting(notice.to.first().map_or("", String::as_str)));
    letter.para(format!(
        "Somebody may have got hold of the access key of {}. It is being replaced right now.",
        notice.title
    ));
    if let (Reader::Lead, Some(problem)) = (notice.reader, &notice.problem) {
        letter.fact("Reason", problem.summary.clone());
    }
    letter.fact("If it fails", notice.impact.clone());
    letter.fact("What you do", "Nothing now. If you have to hand over a key, another mail comes at once.");
    letter.fact("Questions?", notice.contact.clone());
    letter
}

/// To the doer of a hand-off.
fn carry(notice: &Notice) -> Letter {
    let mut letter = Letter::default();
    letter.para(names::greeting(notice.to.first().map_or("", String::as_str)));
    let Some(handoff) = &notice.handoff else { return letter };
    let recipient = &handoff.recipient_name;
    letter.para(format!(
        "This is urgent. Somebody may have got hold of the access key of {}. The new one is ready and must reach \
         {recipient} now.",
        notice.title
    ));
    if has_stopped(notice) {
        letter.fact("What has stopped", notice.impact.clone());
        letter
            .fact("Why now", format!("The old key no longer works. Until {recipient} has the new one, this stays so."));
    } else {
        letter.fact("What it is for", notice.impact.clone());
        letter.fact(
            "Why now",
            format!("The old key stays valid, also for whoever got hold of it, until you say that {recipient} uses the new one."),
        );
    }
    let first = match &notice.link {
        Some(link) => Step { body: "Open the hand-off page:".into(), link: Some(link.clone()) },
        None => Step { body: format!("Call {} and quote {}.", notice.contact, handoff.id), link: None },
    };
    let give = format!("Give the new key to {recipient} at once, by phone or on their page.");
    let last = match &notice.link {
        Some(_) => format!("Press \"{recipient} confirmed\" when they say it works."),
        None => format!("Tell {} when {recipient} says it works.", notice.contact),
    };
    letter.blocks.push(Block::Steps {
        label: "What you do",
        steps: vec![first, Step { body: give, link: None }, Step { body: last, link: None }],
        last: "Please do this within the hour. You get this mail every hour for two days, then every day until it is done.".to_owned(),
    });
    let backup = notice.backup.as_deref().filter(|backup| !notice.to.iter().any(|to| to == backup));
    letter.fact(
        "Cannot do it?",
        match backup.map(names::display_name) {
            Some(backup) => format!("Call {}; {backup} stands in for you.", notice.contact),
            None => format!("Call {}.", notice.contact),
        },
    );
    letter.fact("Questions?", notice.contact.clone());
    letter
}

/// To somebody above, while the doer has not confirmed.
fn above(notice: &Notice) -> Letter {
    let mut letter = Letter::default();
    let Some(handoff) = &notice.handoff else { return letter };
    let (doer, recipient) = (names::display_name(&handoff.doer), &handoff.recipient_name);
    letter.para(if has_stopped(notice) {
        format!("{} no longer {}: the new key waits for {doer}.", notice.title, names::verb(&notice.title, "work"))
    } else {
        format!(
            "Somebody may have got hold of the access key of {}, and it is still valid: the new one waits for {doer}.",
            notice.title
        )
    });
    if let Some(problem) = &notice.problem {
        letter.fact("Reason", problem.summary.clone());
    }
    letter.fact("Impact", notice.impact.clone());
    let task = format!("Make sure that {doer}, or somebody else, gives the waiting key to {recipient} now");
    match &notice.link {
        Some(link) => letter.fact_with_link("Needed", format!("{task}:"), Some(link.clone())),
        None => letter.fact("Needed", format!("{task}: ask {} and quote {}.", notice.contact, handoff.id)),
    }
    letter.fact("Questions?", notice.contact.clone());
    letter.para(format!(
        "You get this every hour for two days, then every day until it is done, because escalations for {} go to you.",
        notice.title
    ));
    letter
}
