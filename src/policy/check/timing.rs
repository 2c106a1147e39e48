//! The arithmetic of a credential: defaults and refusals of `rotation.md`, "Numbers to start with". Sums that
//! cannot work are spelled out.

use jiff::SignedDuration;

use crate::model::Retire;
use crate::policy::diagnostics::Report;
use crate::policy::tree::At;
use crate::policy::values::days;
use crate::policy::values::show;
use crate::policy::wire::policy::Credential;

use super::plain::duration;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// The durations of a slot, all filled in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub lifetime: SignedDuration,
    pub rotate_before: SignedDuration,
    pub overlap: SignedDuration,
    pub retry_budget: SignedDuration,
    pub consumer_refresh: SignedDuration,
    pub min_life: SignedDuration,
}

/// What the arithmetic depends on besides the durations.
#[derive(Clone, Copy)]
pub(crate) struct Slot {
    pub certificate: bool,
    pub needs_person: bool,
    pub lead: SignedDuration,
    pub retire: Retire,
}

/// Fills in the defaults and reports sums that cannot work.
pub(crate) fn timing(wire: &Credential, slot: Slot, at: At<'_>, report: &mut Report<'_>) -> Timing {
    let mut read = |text: &Option<String>, key: &str| duration(text.as_deref(), at.key(key), report);
    let lifetime = read(&wire.lifetime, "lifetime");
    let rotate_before = read(&wire.rotate_before, "rotate_before");
    let overlap = read(&wire.overlap, "overlap");
    let retry_budget = read(&wire.retry_budget, "retry_budget").unwrap_or(days(7));
    let consumer_refresh = read(&wire.consumer_refresh, "consumer_refresh").unwrap_or(HOUR);
    let min_life = read(&wire.min_life, "min_life").unwrap_or(days(1));
    let least_overlap = consumer_refresh.saturating_add(HOUR);
    let usual_overlap = if slot.needs_person { days(14) } else { days(7) };
    let lifetime = lifetime.unwrap_or(if slot.certificate { days(365) } else { days(180) });
    let overlap = overlap.unwrap_or(usual_overlap.max(least_overlap));
    let least = least_rotate_before(slot, overlap, retry_budget);
    let timing = Timing {
        lifetime,
        rotate_before: rotate_before.unwrap_or((lifetime / 3).min(days(60)).max(least)),
        overlap,
        retry_budget,
        consumer_refresh,
        min_life,
    };
    if overlap < least_overlap {
        let sum = format!("consumer_refresh {} + 1 h = {}", show(consumer_refresh), show(least_overlap));
        report
            .error("P022", at.key("overlap").span(), format!("overlap {} is less than {sum}", show(overlap)))
            .help("a consumer may hold the old value that long: raise `overlap` or lower `consumer_refresh`");
    }
    order(&timing, slot, at, report);
    frequent_handoff(wire, &timing, slot, at, report);
    timing
}

/// lead + overlap + retry budget; where a person hands over at least lead + 14 d.
fn least_rotate_before(slot: Slot, overlap: SignedDuration, retry_budget: SignedDuration) -> SignedDuration {
    let sum = slot.lead.saturating_add(overlap).saturating_add(retry_budget);
    if slot.needs_person { sum.max(slot.lead.saturating_add(days(14))) } else { sum }
}

/// At most one of these is reported: the others follow from it.
fn order(timing: &Timing, slot: Slot, at: At<'_>, report: &mut Report<'_>) {
    let Timing { lifetime, rotate_before, overlap, retry_budget, min_life, .. } = *timing;
    let given = at.key("rotate_before").exists();
    let place = if given { at.key("rotate_before") } else { at.key("lifetime") };
    let parts = if slot.lead.is_zero() {
        format!("overlap {} + retry_budget {}", show(overlap), show(retry_budget))
    } else {
        format!("lead {} + overlap {} + retry_budget {}", show(slot.lead), show(overlap), show(retry_budget))
    };
    let because = if given { String::new() } else { format!(" ({parts})") };
    let least = least_rotate_before(slot, overlap, retry_budget);
    let after_overlap = rotate_before.saturating_add(slot.lead).saturating_add(overlap);
    if given && rotate_before < least {
        let sum = format!("rotate_before {} is less than {parts} = {}", show(rotate_before), show(least));
        let help = format!("set `rotate_before` to {} or more, or leave it out", show(least));
        report.error("P022", place.span(), sum).help(help);
    } else if rotate_before.saturating_add(min_life) >= lifetime {
        let sum = format!(
            "rotate_before {}{because} + min_life {} = {} leaves nothing of the lifetime {}",
            show(rotate_before),
            show(min_life),
            show(rotate_before.saturating_add(min_life)),
            show(lifetime),
        );
        report.error("P022", place.span(), sum).help("raise `lifetime`, or lower what is added up");
    } else if slot.retire == Retire::AtExpiry && rotate_before > lifetime / 2 {
        let sum = format!(
            "rotate_before {}{because} is more than half of the lifetime {}, and the old one stays to its end",
            show(rotate_before),
            show(lifetime),
        );
        let help = format!("set `lifetime` to {} or more, or lower `rotate_before`", show(rotate_before * 2));
        report.error("P023", place.span(), sum).help(help);
    } else if slot.retire == Retire::AfterOverlap && after_overlap > lifetime {
        let lead = if slot.lead.is_zero() { String::new() } else { format!(" + lead {}", show(slot.lead)) };
        let sum = format!(
            "rotate_before {}{because}{lead} + overlap {} = {} is more than the lifetime {}: the next rotation would start before this one ends",
            show(rotate_before),
            show(overlap),
            show(after_overlap),
            show(lifetime),
        );
        report.error("P022", place.span(), sum).help("raise `lifetime`, or lower `rotate_before` or `overlap`");
    }
}

fn frequent_handoff(wire: &Credential, timing: &Timing, slot: Slot, at: At<'_>, report: &mut Report<'_>) {
    let often = slot.needs_person && timing.lifetime < days(120);
    if often && !wire.accept_frequent_handoff {
        let summary = format!("a person would carry a new value at least every {}", show(timing.lifetime));
        report
            .error("P024", at.key("lifetime").span(), summary)
            .help("set `lifetime` to `120d` or more, or `accept_frequent_handoff = true`");
    }
}
