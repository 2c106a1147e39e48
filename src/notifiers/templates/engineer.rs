//! The technical mail: the five steps, the problem, the exact commands, every id.

use crate::model::Notice;
use crate::model::NoticeKind;
use crate::model::StepLine;

use super::letter::Block;
use super::letter::Letter;
use super::text;
use super::when;

/// The five steps of a rotation, in order.
const STEPS: [&str; 5] = ["stage", "prove", "deliver", "confirm", "retire"];

/// Writes it.
pub(super) fn letter(notice: &Notice) -> Letter {
    let mut letter = Letter::default();
    letter.para(first_sentence(notice));
    let over = matches!(notice.kind, NoticeKind::Done | NoticeKind::Resolved);
    if !over && !notice.steps.is_empty() {
        letter.blocks.push(Block::Fixed(notice.steps.iter().flat_map(step_lines).collect()));
    }
    if let Some(request) = &notice.request {
        letter.fact("Request for", request.subject.clone());
        if let Some(due) = request.due {
            letter.fact("Back by", format!("{due}: later, the overlap with the old one gets short"));
        }
        letter.blocks.push(Block::Fixed(request.pem.lines().map(str::to_owned).collect()));
    }
    if let Some(problem) = &notice.problem {
        letter.fact("Problem", format!("{}: {}", problem.code, problem.summary));
        if let Some(fix) = &problem.fix {
            letter.fact("Likely fix", fix.clone());
        }
    }
    let commands = commands(notice);
    if !commands.is_empty() {
        letter.para("Next");
        letter.blocks.push(Block::Fixed(commands));
    }
    if !notice.impact.is_empty() {
        letter.fact("Impact", notice.impact.clone());
    }
    if let Some(at) = notice.stops_at.filter(|_| !over) {
        let label = if at > notice.at { "Stops" } else { "Stopped" };
        letter.fact(label, format!("{at}, {}", when::stop(notice, at)));
    }
    if let Some(next) = notice.next_reminder.filter(|_| !over) {
        letter.fact("Next mail", next.to_string());
    }
    letter.blocks.push(Block::Line);
    ids(notice, &mut letter);
    if let Some(link) = &notice.link {
        letter.fact_with_link("Page", "", Some(link.clone()));
    }
    letter
}

fn first_sentence(notice: &Notice) -> String {
    let name = if notice.adopt.is_some() { notice.title.as_str() } else { notice.integration.as_str() };
    let word = &notice.word;
    match notice.kind {
        NoticeKind::Done | NoticeKind::Resolved => {
            let until = notice.new_until.map(|at| format!(", valid to {at}")).unwrap_or_default();
            format!("{name}: the new {word} is confirmed{until}. Reminders end here.")
        }
        NoticeKind::CertificateRequest => {
            format!("{name}: the next {word} comes from your CA. Give it this request, and bring the {word} back.")
        }
        NoticeKind::Failed => failed_sentence(notice),
        NoticeKind::Stopped => match &notice.problem {
            Some(problem) => format!("{name}: the {word} in use has expired; {}.", problem.summary),
            None => format!("{name}: the {word} in use has expired, and nothing valid is known to be in use."),
        },
        _ if notice.problem.is_some() => format!("{name}: the {word} we knew has expired; nothing has stopped."),
        _ => format!("{name}: the {word} ends and is not renewed by itself."),
    }
}

fn failed_sentence(notice: &Notice) -> String {
    let failed = notice.steps.iter().find(|line| line.outcome == "FAILED").map(|line| line.step.as_str());
    let position = failed.and_then(|step| STEPS.iter().position(|known| *known == step));
    let stopped = match (failed, position) {
        (Some(step), Some(index)) => format!("at step {} of {}, {}", index + 1, STEPS.len(), step.to_uppercase()),
        (Some(step), None) => format!("at {step}"),
        _ => "early".to_owned(),
    };
    let old = match notice.stops_at {
        Some(_) => format!(" The old {} is untouched.", notice.word),
        None => String::new(),
    };
    format!("{}: rotation stopped {stopped}.{old}", notice.integration)
}

fn step_lines(line: &StepLine) -> Vec<String> {
    let at = line.at.map(|at| format!("  {}", at.strftime("%Y-%m-%d %H:%M:%SZ"))).unwrap_or_default();
    let head = format!("{:<8} {:<12}{at}", line.step, line.outcome);
    let mut lines = vec![head.trim_end().to_owned()];
    let indent = " ".repeat(9);
    lines.extend(text::wrap(text::FIXED_WIDTH, &line.detail, &indent, &indent));
    lines
}

fn commands(notice: &Notice) -> Vec<String> {
    let name = &notice.integration;
    if let Some(adopt) = &notice.adopt {
        return vec![adopt.clone()];
    }
    match notice.kind {
        NoticeKind::Done | NoticeKind::Resolved => vec![format!("everkey history {name}")],
        NoticeKind::CertificateRequest => {
            vec![format!("everkey cert request {name}"), format!("everkey cert answer {name} FILE")]
        }
        // The fix of a credential that somebody else replaced is its own command.
        NoticeKind::Reminder if notice.problem.is_some() => vec![format!("everkey show {name}")],
        _ => vec![format!("everkey doctor --only {name}"), format!("everkey apply  --only {name}")],
    }
}

pub(super) fn ids(notice: &Notice, letter: &mut Letter) {
    if let Some(ids) = &notice.ids {
        let mut lines = text::wrap(text::FIXED_WIDTH, &notice.title, "Application  ", "             ");
        lines.extend([
            format!("Client id    {}", ids.client_id),
            format!("Object       {}", ids.object_id),
            format!("Tenant       {}", ids.tenant_id),
        ]);
        lines.extend(ids.key_id.as_ref().map(|key_id| format!("Key id       {key_id}")));
        lines.extend(ids.run.as_ref().map(|run| format!("Run          {run}")));
        let request = notice.problem.as_ref().and_then(|problem| problem.request_id.as_ref());
        lines.extend(request.map(|id| format!("Request      {id}")));
        letter.blocks.push(Block::Fixed(lines));
    }
}
