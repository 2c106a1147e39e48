//! What the simulator has found in the engine: each trace failed once, and must never fail again.

use everkey::rotation::Rules;

use crate::chooser::Chooser;
use crate::chooser::read;
use crate::kinds::Kind;
use crate::schedule::Run;
use crate::schedule::Scenario;
use crate::schedule::Stage;

fn passes(scenario: Scenario, trace: &str) {
    let report = Stage::new(scenario).run(Chooser::trace(&read(trace)), Rules::default(), true);
    assert!(report.violations.is_empty(), "{trace}: {:#?}\n{}", report.violations, report.story.join("\n"));
}

/// Rotated on its first day, old and new ended together, and nothing was planned in between.
#[test]
fn an_early_rotation_of_a_hand_off_does_not_let_the_new_one_lapse() {
    passes(Scenario { rotations: 2, ..Scenario::of(Kind::Handoff) }, "write#3=2");
}

/// The call was never applied: two reads after Z say so, and the slot is free again.
#[test]
fn a_capped_audience_goes_on_after_an_answer_that_was_lost() {
    passes(Scenario { rotations: 2, ..Scenario::of(Kind::Capped) }, "write#1=3");
}

/// The tag stays in sight and is nobody's to remove: the rotation goes on.
#[test]
fn a_rotation_goes_on_when_a_person_adopts_what_its_lost_attempt_made() {
    passes(Scenario::of(Kind::Secret), "write#1=2 between#2=5");
}

/// An empty journal gave the first numbers again: what the lost one had delivered under them looked like an orphan, and was
/// swept. The application is looked at before the first issuance as well.
#[test]
fn an_empty_journal_sweeps_nothing_that_a_lost_one_issued() {
    for kind in [Kind::Secret, Kind::Handoff, Kind::Mixed, Kind::Patch] {
        passes(Scenario { issued: false, ..Scenario::of(kind) }, "between#12=6");
        passes(Scenario { issued: false, ..Scenario::of(kind) }, "between#20=6");
    }
}

/// A removal by PATCH got no answer, was sent again, and landed late, between the proof and the delivery of the next
/// certificate, which it did not contain: the proof comes after the drain.
#[test]
fn a_late_patch_of_the_last_rotation_does_not_drop_what_is_proven() {
    passes(Scenario { rotations: 2, ..Scenario::of(Kind::Patch) }, "write#2=2 how-long#1=2");
}

/// Somebody added a certificate, everkey saw it before its next upload, and only then a PATCH from before landed: it is put
/// back when the PATCH can land no more, and not forgotten with the next attempt's pre-image.
#[test]
fn what_a_late_patch_dropped_of_others_is_put_back() {
    for at in 60..75 {
        passes(
            Scenario { rotations: 2, ..Scenario::of(Kind::Patch) },
            &format!("write#2=2 how-long#1=2 foreign#{at}=1"),
        );
    }
}

/// The PATCH that removes the old one got no answer, somebody added a certificate, everkey looked, and only then it landed: no
/// upload follows that would put it back, so people are told.
#[test]
fn what_a_late_removal_dropped_of_others_is_told() {
    let stage = Stage::new(Scenario::of(Kind::Patch));
    let mut missed = 0;
    for at in 1..120 {
        let trace = format!("write#2=2 how-long#1=2 foreign#{at}=1");
        let report = stage.run(Chooser::trace(&read(&trace)), Rules::default(), true);
        assert!(report.violations.is_empty(), "{trace}: {:#?}\n{}", report.violations, report.story.join("\n"));
        missed += report.figures.missed;
    }
    assert!(missed > 0, "none of them was ever missed");
}

/// The clock jumped a year ahead between a look at Graph and a removal, and took Graph's own time, carried on from that look,
/// along: both said that the overlap was over. Graph's time is not carried on further than the clocks may differ.
#[test]
fn a_jump_in_the_middle_of_a_cycle_ends_no_overlap() {
    passes(Scenario::of(Kind::Secret), "boundary#12=2 boundary#39=2 between#5=2 how-long#3=7");
}

/// A restored store left a thousand numbers out, and then an older copy came back by hand: its counter was further behind than
/// everkey would move it, and the sink refused every number that followed.
#[test]
fn a_counter_that_is_far_behind_is_moved() {
    let scenario = Scenario { replicas: 3, rotations: 2, ..Scenario::of(Kind::Secret) };
    passes(scenario, "between#2=7 between#11=6");
}

/// A restored store had a rotation open that was over since: its value, which Entra had no more, was written over the one in
/// use, in a sink that cannot compare. What is not listed is proven again before it is delivered.
#[test]
fn what_is_gone_from_the_application_is_not_delivered_again() {
    passes(Scenario { rotations: 2, ..Scenario::of(Kind::Plain) }, "copy#13=1 between#10=7");
}

/// While its sink cannot be read, what looks like an orphan may be what it shows.
#[test]
fn nothing_is_swept_while_a_sink_cannot_be_read() {
    passes(Scenario::of(Kind::Secret), "copy#3=1 between#4=6 read-back#2=1");
}

/// A clock a year ahead dated a lost answer: the pause after it was to last a year, when the clock was right again.
#[test]
fn a_date_in_the_future_holds_nobody_up() {
    let scenario = Scenario { replicas: 3, rotations: 2, ..Scenario::of(Kind::Secret) };
    passes(scenario, "between#1=2 how-long#1=7 write#1=1 between#2=2");
}

/// Nobody was there for a year; then a value that had ended was written to a sink that cannot compare, late, over its successor.
#[test]
fn what_has_ended_is_not_delivered() {
    let scenario = Scenario { replicas: 3, rotations: 2, ..Scenario::of(Kind::Plain) };
    let trace = "boundary#22=1 sink#1=4 boundary#38=2 between#6=1 how-long#2=3 sink#2=2 how-long#3=4";
    passes(scenario, trace);
}

/// A late write put a former value of the journal's own over the present one, and an orphan was in sight: that is no sign of
/// an older journal, and the orphan leaves when the sink shows the present value again.
#[test]
fn a_late_write_does_not_look_like_an_older_journal() {
    let scenario = Scenario { rotations: 2, issued: false, ..Scenario::of(Kind::Plain) };
    passes(scenario, "write#1=2 how-long#1=3 sink#1=2 how-long#2=3");
}

/// An older journal still had the value of a hand-off to give that was replaced and removed since: a person who asked for it
/// anew put it over the one in use. What Entra does not list is shown to nobody.
#[test]
fn a_hand_off_of_an_older_journal_does_not_show_what_is_gone() {
    passes(Scenario { rotations: 2, ..Scenario::of(Kind::Overlap) }, "copy#12=1 between#14=6");
}

/// An older journal came back right after a lost one had issued something, which the first read, a stale one, did not show:
/// the number was given again, and what carried it already was swept as a second result of the same call. It has other dates.
#[test]
fn what_carries_a_number_that_is_given_again_is_not_swept() {
    passes(
        Scenario { rotations: 2, ..Scenario::of(Kind::Handoff) },
        "boundary#95=1 between#11=6 read#19=1 how-long#1=1",
    );
}

/// An addKey landed nine days late, when its certificate had been replaced and removed: a copy of what was removed is removed.
#[test]
fn a_certificate_that_comes_back_late_leaves_again() {
    passes(Scenario { rotations: 2, ..Scenario::of(Kind::AddKey) }, "write#1=2 how-long#1=4");
}

/// An older journal does not know of a PATCH that the lost one has under way: it proved and delivered a certificate, and then
/// the PATCH landed, and dropped it. The proof waits for the drain.
#[test]
fn an_older_journal_waits_for_a_patch_of_the_lost_one() {
    passes(Scenario { rotations: 2, ..Scenario::of(Kind::Patch) }, "write#2=2 how-long#1=4 between#6=6");
    passes(Scenario { issued: false, ..Scenario::of(Kind::Patch) }, "write#3=2 how-long#1=3 between#8=6");
}

/// A clock a year ahead dated everkey's own sign-ins a year ahead: the report was to tell the consumer's from them after that
/// year only. They are dated as the report dates them, by Graph's clock.
#[test]
fn a_clock_that_is_ahead_does_not_hide_the_consumers_sign_ins() {
    passes(Scenario { issued: false, ..Scenario::of(Kind::Report) }, "boundary#32=2 between#11=2 how-long#2=7");
}

/// A sign-in by `everkey token` whose answer is lost was nowhere on record: the report could take it for the consumer's.
#[test]
fn a_sign_in_is_on_record_before_it_is_made() {
    let stage = Stage::new(Scenario::of(Kind::Secret));
    let recorded = |trace: &str| {
        let run = Run::new(stage.scenario(), stage.begin(), Chooser::trace(&read(trace)), Rules::default());
        stage.block_on(crate::process::token(&run.setting, &run.name()))
    };
    assert_eq!(recorded(""), (true, 2), "intended, and answered");
    assert_eq!(recorded("probe#1=1"), (false, 1), "intended alone");
}
