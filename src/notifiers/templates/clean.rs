//! The door for outside input: titles, names and messages come from policies, Graph and vendors. Control
//! characters (line ends above all) and characters that reorder or hide text do not get in.

use crate::model::Notice;

/// One line of clean text: line ends and tabs become spaces, what cannot be seen goes.
pub(in crate::notifiers) fn line(text: &str) -> String {
    let spaced: String = text
        .chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c })
        .filter(|c| !is_invisible(*c))
        .collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Characters that change how others are shown: bidirectional controls, zero-width ones, tags.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The notice with every text cleaned.
pub(super) fn notice(notice: &Notice) -> Notice {
    let mut clean = notice.clone();
    let texts = [&mut clean.title, &mut clean.impact, &mut clean.contact, &mut clean.word, &mut clean.stage];
    texts.into_iter().for_each(scrub);
    scrub(&mut clean.integration.0);
    clean.to.iter_mut().chain(&mut clean.cc).chain(&mut clean.backup).for_each(scrub);
    if let Some(handoff) = &mut clean.handoff {
        let texts = [&mut handoff.id.0, &mut handoff.doer, &mut handoff.recipient_name, &mut handoff.place];
        texts.into_iter().for_each(scrub);
    }
    if let Some(request) = &mut clean.request {
        scrub(&mut request.subject);
        request.pem = request.pem.lines().map(line).collect::<Vec<_>>().join("\n");
    }
    for told in &mut clean.told {
        scrub(&mut told.person);
        scrub(&mut told.answer);
    }
    if let Some(problem) = &mut clean.problem {
        scrub(&mut problem.code);
        scrub(&mut problem.summary);
        problem.fix.iter_mut().chain(&mut problem.request_id).for_each(scrub);
    }
    for step in &mut clean.steps {
        [&mut step.step, &mut step.outcome, &mut step.detail].into_iter().for_each(scrub);
    }
    if let Some(ids) = &mut clean.ids {
        [&mut ids.tenant_id.0, &mut ids.client_id.0, &mut ids.object_id.0].into_iter().for_each(scrub);
        ids.key_id.iter_mut().map(|key_id| &mut key_id.0).chain(&mut ids.run).for_each(scrub);
    }
    clean.link.iter_mut().for_each(scrub);
    // A link is a link only when a browser would open it, and holds no space.
    clean.link = clean.link.filter(|link| {
        (link.starts_with("https://") || link.starts_with("http://")) && !link.contains(char::is_whitespace)
    });
    clean.merged = clean.merged.iter().map(self::notice).collect();
    clean
}

fn scrub(text: &mut String) {
    *text = line(text);
}
