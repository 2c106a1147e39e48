//! What `revoke --emergency` says before anybody has to confirm it.

use super::output::clean;
use crate::alert::Rules;
use crate::model::KeyId;
use crate::model::Rotation;
use crate::model::SinkSpec;
use crate::plan::progress;
use crate::policy::Policy;
use crate::run::emergency::Asked;
use crate::run::emergency::Draft;
use crate::run::ring::Entry;

/// The impact first, then what is done, what else is there, and what cannot be done.
pub fn text(policy: &Policy, draft: &Draft, asked: &Asked, rules: &Rules) -> String {
    let mut lines = vec![format!("EMERGENCY for {}. If it goes wrong: {}", policy.title, policy.impact)];
    let word = draft.spec.kind.word();
    let machines: Vec<String> =
        draft.spec.sinks.iter().filter(|sink| sink.handoff().is_none()).map(described).collect();
    let delivers = if machines.is_empty() { String::new() } else { format!(", write {}", machines.join(", ")) };
    let removed: Vec<String> = draft.targets.iter().map(|key_id| named(draft, key_id)).collect();
    match &draft.under_way {
        Some(r) => lines.push(format!("  Under way: {}", under_way(r))),
        None => lines.push(format!(
            "  Will   add a new {word}, prove it{delivers}, then remove {} (no overlap)",
            removed.join(" and ")
        )),
    }
    if let Some(closed) = &draft.closes {
        lines.push(format!("  Closes {}", progress(closed)));
    }
    let people = policy.people.pm.iter().map(|pm| format!("{pm} (PM)"));
    let backup = policy.people.backup.iter().map(|backup| format!("{backup} (backup)"));
    let owner = Some(policy.people.owner.clone()).filter(|owner| !owner.is_empty()).or(rules.fallback_to.clone());
    let above = rules.escalate_to.iter().cloned();
    let mut told: Vec<String> = people.chain(backup).chain(owner).chain(rules.security_to.clone()).collect();
    told.extend(above.filter(|one| !told.contains(one)).collect::<Vec<_>>());
    lines.push(format!("  Tells  {}", told.join(", ")));
    for handoff in draft.spec.sinks.iter().filter_map(SinkSpec::handoff) {
        let (doer, recipient) = (&handoff.doer, &handoff.recipient_name);
        lines.push(if asked.now {
            format!("  NOW    the old one goes before {doer} has given the new one to {recipient}: no access until then")
        } else {
            format!("  Waits  {doer} gives the new one to {recipient}; until that is confirmed the old one stays (--now: at once)")
        });
    }
    if asked.disable_sign_in {
        lines.push(format!(
            "  SIGN-IN is disabled at the end: nobody gets a token until everkey revoke {} --enable-sign-in",
            policy.name
        ));
    }
    if asked.force {
        lines.push("  FORCE  goes on although the new one may not work".to_owned());
    }
    let others: Vec<&Entry> = draft.ring.iter().filter(|one| !draft.targets.contains(&one.key_id)).collect();
    for one in others {
        lines.push(format!("  Also on this app: {}", other(one, draft.usage_known)));
    }
    lines.push(
        "  Note   tokens already issued cannot be recalled; they end by themselves, usually within about an hour"
            .into(),
    );
    lines.iter().map(|line| clean(line).replace('\n', " ") + "\n").collect()
}

fn under_way(r: &Rotation) -> String {
    let reason = r.emergency.as_ref().map_or("", |emergency| emergency.reason.as_str());
    format!("{} since {}, {reason:?}", progress(r), r.planned.strftime("%Y-%m-%d %H:%M UTC"))
}

fn described(sink: &SinkSpec) -> String {
    let (kind, place) = sink.target.described();
    format!("{place} ({kind})")
}

fn named(draft: &Draft, key_id: &KeyId) -> String {
    match draft.ring.iter().find(|one| one.key_id == *key_id) {
        Some(one) if one.owner == "everkey" => format!("{} {}", one.kind, mark(one)),
        Some(one) => format!("{} {} ({})", one.kind, mark(one), one.whose),
        None => format!("{key_id}, which Entra does not list"),
    }
}

fn mark(one: &Entry) -> String {
    match (&one.thumbprint, &one.hint) {
        (Some(thumbprint), _) => crate::run::words::short(thumbprint),
        (None, Some(hint)) => format!("{hint:?}"),
        (None, None) => one.key_id.to_string(),
    }
}

fn other(one: &Entry, usage_known: bool) -> String {
    let name = one.name.as_deref().map(|name| format!(" {name:?}")).unwrap_or_default();
    let used = match (one.last_used, usage_known) {
        (Some(at), _) => format!("last used {}", at.strftime("%Y-%m-%d")),
        (None, true) => "never used as far as the sign-in report knows".to_owned(),
        (None, false) => "last use unknown (sign-in report not readable)".to_owned(),
    };
    let since = one.start.strftime("%Y-%m-%d");
    let fate = match one.owner {
        "everkey" => String::new(),
        _ => format!("; --also {} removes it", one.key_id),
    };
    format!("{} {}{name}, since {since}, {used} ({}{fate})", one.kind, mark(one), one.whose)
}
