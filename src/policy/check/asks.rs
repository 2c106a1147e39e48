//! How often people are asked: "asks Priya Shah 3 times a year".

use crate::model::CredentialSpec;
use crate::model::SlotName;
use crate::policy::Policy;
use crate::policy::diagnostics::Report;
use crate::policy::tree::At;
use crate::policy::values::days;

use super::people::person_name;

/// More often than this is worth a warning.
const OFTEN: u32 = 4;

/// One person who carries the credential of one slot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ask {
    /// E-mail address.
    pub doer: String,
    /// Slot.
    pub slot: SlotName,
    /// Times a year, rounded.
    pub times_a_year: u32,
}

impl Ask {
    /// `asks Priya Shah 3 times a year`.
    pub fn sentence(&self) -> String {
        let times = match self.times_a_year {
            0 => "less than once".to_owned(),
            1 => "once".to_owned(),
            2 => "twice".to_owned(),
            times => format!("{times} times"),
        };
        format!("asks {} {times} a year", person_name(&self.doer))
    }
}

/// Who is asked by this policy and how often, hand-off by hand-off.
pub fn asks(policy: &Policy) -> Vec<Ask> {
    let of_slot = |spec: &CredentialSpec| {
        let (slot, times_a_year) = (spec.slot.clone(), times_a_year(spec));
        let doers: Vec<_> = spec.sinks.iter().filter_map(|sink| sink.handoff()).map(|of| of.doer.clone()).collect();
        doers.into_iter().map(move |doer| Ask { doer, slot: slot.clone(), times_a_year })
    };
    policy.credentials.iter().flat_map(of_slot).collect()
}

/// How often a slot is rotated in a year, rounded: one rotation per lifetime less what is cut off its end.
pub fn times_a_year(spec: &CredentialSpec) -> u32 {
    let period = spec.lifetime.saturating_sub(spec.rotate_before).max(days(1));
    (days(365).as_secs_f64() / period.as_secs_f64()).round() as u32
}

/// Warns where one person is asked for one slot more than four times a year; not while the durations are
/// wrong anyway.
pub(crate) fn often(policy: &Policy, at: At<'_>, report: &mut Report<'_>) {
    if report.diagnostics.iter().any(|found| matches!(found.code, "P010" | "P022" | "P023" | "P024")) {
        return;
    }
    for (index, spec) in policy.credentials.iter().enumerate() {
        let times = times_a_year(spec);
        let Some(handoff) = spec.sinks.iter().find_map(|sink| sink.handoff()) else { continue };
        if times > OFTEN {
            let ask = Ask { doer: handoff.doer.clone(), slot: spec.slot.clone(), times_a_year: times };
            report
                .warning(
                    "P033",
                    at.key("credential").item(index).key("lifetime").span(),
                    format!("this {}", ask.sentence()),
                )
                .help("raise `lifetime`, or lower `rotate_before` or `lead`");
        }
    }
}
