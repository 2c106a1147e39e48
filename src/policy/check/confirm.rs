//! `[credential.confirm]`: which evidence fits which sink (`rotation.md`, "Which method fits which sink").

use crate::model::ConfirmMethod;
use crate::model::ConfirmSpec;
use crate::model::Retire;
use crate::policy::diagnostics::Report;
use crate::policy::tree::At;
use crate::policy::wire::policy::Credential;

use super::plain::duration;

/// Who carries the credential.
#[derive(Clone, Copy)]
pub(crate) struct Who {
    /// A person carries it to at least one sink.
    pub needs_person: bool,
    /// At least one sink is a store that many may read.
    pub shared: bool,
    /// Every sink of the policy could be read; else nothing is said about what fits them.
    pub sinks_known: bool,
}

/// The evidence asked for; a person's word where a person carries the value; for a store that many may read the overlap;
/// else a token obtained with what the sink holds.
pub(crate) fn confirm(wire: &Credential, who: Who, at: At<'_>, report: &mut Report<'_>) -> ConfirmSpec {
    let Who { needs_person, shared, sinks_known } = who;
    let at = at.key("confirm");
    let wire = wire.confirm.as_ref();
    let given = wire.and_then(|wire| wire.method);
    let usual = match (needs_person, shared) {
        (true, _) => ConfirmMethod::Person,
        (false, true) => ConfirmMethod::Overlap,
        (false, false) => ConfirmMethod::TokenRequest,
    };
    let method = given.unwrap_or(usual);
    let here = at.key("method");
    if let Some(reason) = misfit(method, needs_person, shared).filter(|_| sinks_known) {
        let help = match (needs_person, shared) {
            (true, _) => "use `person`",
            (false, true) => "use `sign-in-report`, or `overlap`",
            (false, false) => "use `token-request`",
        };
        report
            .error("P025", here.span(), "this evidence does not fit where the credential goes")
            .label(reason)
            .help(help);
    }
    let declared = wire.is_some_and(|wire| wire.consumer_use_interval.is_some());
    if method == ConfirmMethod::SignInReport && needs_person && !declared {
        report
            .warning("P038", here.span(), "without `consumer_use_interval` the report alone never confirms a hand-off")
            .label("somebody trying the new value by hand is not the consumer")
            .help("say how often the consumer signs in: consumer_use_interval = \"24h\"");
    }
    if wire.is_some_and(|wire| wire.within.is_some()) {
        duration(wire.and_then(|wire| wire.within.as_deref()), at.key("within"), report);
        report
            .warning("P038", at.key("within").key_span(), "`within` is not acted on in this release")
            .help("reminders follow the dates of the hand-off");
    }
    let interval = wire.and_then(|wire| wire.consumer_use_interval.as_deref());
    ConfirmSpec { method, consumer_use_interval: duration(interval, at.key("consumer_use_interval"), report) }
}

fn misfit(method: ConfirmMethod, needs_person: bool, shared: bool) -> Option<&'static str> {
    match (method, needs_person) {
        (ConfirmMethod::TokenRequest, false) if shared => {
            Some("what a shared store holds does not show that anybody has read it")
        }
        (ConfirmMethod::Overlap, false) if shared => None,
        (ConfirmMethod::Overlap, true) => Some("time alone says nothing about a hand-off"),
        (ConfirmMethod::Overlap, false) => Some("these sinks can be read back, so time alone is too little"),
        (ConfirmMethod::Person, false) => Some("no person carries this credential"),
        (ConfirmMethod::TokenRequest, true) => Some("everkey cannot read what a person typed in"),
        (ConfirmMethod::Person, true) | (ConfirmMethod::TokenRequest, false) | (ConfirmMethod::SignInReport, _) => None,
    }
}

/// When the old one leaves; what people carry leaves at its own end unless the policy says otherwise.
pub(crate) fn retire(wire: &Credential, needs_person: bool, at: At<'_>, report: &mut Report<'_>) -> Retire {
    if needs_person && wire.retire == Some(Retire::AfterOverlap) {
        report
            .warning("P053", at.key("retire").span(), "the old value of a hand-off would leave on a person's word")
            .label("a mistaken \"done\" then stops the integration")
            .help("leave `retire` out: the old one leaves at its own end");
    }
    wire.retire.unwrap_or(if needs_person { Retire::AtExpiry } else { Retire::AfterOverlap })
}
