//! What the documents of Graph leave open, and reads and sign-ins that lag: the protocol passes both ways.

use everkey::clock::Clock as _;
use everkey::emulator::Quirks;
use everkey::rotation::Rules;
use jiff::SignedDuration;

use crate::campaign_ledger::Part;
use crate::faults::settle;
use crate::kinds::Kind;
use crate::lab::Lab;
use crate::world::World;

fn secs(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

fn quirks() -> Vec<(&'static str, Quirks)> {
    let polite = Quirks::default();
    vec![
        ("reads lag 20 s", Quirks { read_lag: secs(20), ..polite.clone() }),
        ("reads lag 2 min", Quirks { read_lag: secs(120), ..polite.clone() }),
        ("reads flap", Quirks { read_lag: secs(120), read_flapping: true, ..polite.clone() }),
        ("sign-ins lag 45 s", Quirks { token_lag: secs(45), ..polite.clone() }),
        ("everything lags", Quirks { read_lag: secs(90), read_flapping: true, token_lag: secs(45), ..polite.clone() }),
        ("sign-ins lag 5 min", Quirks { token_lag: secs(300), ..polite.clone() }),
        ("key ids are Graph's", Quirks { honours_client_key_id: false, ..polite.clone() }),
        (
            "key ids are Graph's, reads flap",
            Quirks { honours_client_key_id: false, read_lag: secs(60), read_flapping: true, ..polite.clone() },
        ),
        ("a null key is lost", Quirks { echo_null_keeps_key: false, ..polite }),
    ]
}

async fn holds(kind: Kind) {
    let mut wrong = Vec::new();
    for (name, quirks) in quirks() {
        let lab = Lab::start().await;
        lab.emulator.set_quirks(quirks.clone());
        let world = World::new(&lab, kind);
        world.outside.seen().lag = quirks.token_lag;
        for done in 1..=3 {
            world.recover(Rules::default(), done).await;
            settle(&world).await;
            let violations = world.verdict().await;
            if !violations.is_empty() {
                wrong.push(format!("{kind:?}, {name}, rotation {done}:\n{}", violations.join("\n")));
                break;
            }
            world.jump(world.clock.now() + SignedDuration::from_hours(3));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let mut part = Part::new(
        format!("quirks-{}", kind.name()),
        format!(
            "{kind:?}: rotations while reads and sign-ins lag and flap, and Graph does what its documents leave open"
        ),
    );
    part.count("services that misbehave in their own way", quirks().len());
    part.count("rotations", quirks().len() * 3);
    part.done();
}

/// Sign-ins lag so long that a whole proof window passes: the attempt is given up and swept, the next one lives.
async fn abandons(kind: Kind) {
    let lab = Lab::start().await;
    let world = World::new(&lab, kind);
    world.recover(Rules::default(), 1).await;
    lab.emulator.set_quirks(Quirks { token_lag: SignedDuration::from_hours(2), ..Quirks::default() });
    world.outside.seen().lag = SignedDuration::from_hours(2);
    world.jump(world.clock.now() + SignedDuration::from_hours(3));
    // Not long enough for a proof: the first attempts are given up.
    world.until_abandoned().await;
    lab.emulator.set_quirks(Quirks::default());
    world.outside.seen().lag = SignedDuration::ZERO;
    world.recover(Rules::default(), 2).await;
    settle(&world).await;
    let violations = world.verdict().await;
    assert!(violations.is_empty(), "{kind:?}:\n{}", violations.join("\n"));
}

#[tokio::test]
async fn secrets_hold_under_every_quirk() {
    holds(Kind::Secret).await;
}

#[tokio::test]
async fn certificates_by_add_key_hold_under_every_quirk() {
    holds(Kind::AddKey).await;
}

#[tokio::test]
async fn certificates_by_patch_hold_under_every_quirk() {
    holds(Kind::Patch).await;
}

#[tokio::test]
async fn an_abandoned_secret_is_swept_and_replaced() {
    abandons(Kind::Secret).await;
}

#[tokio::test]
async fn an_abandoned_certificate_by_add_key_is_swept_and_replaced() {
    abandons(Kind::AddKey).await;
}

#[tokio::test]
async fn an_abandoned_certificate_by_patch_is_swept_and_replaced() {
    abandons(Kind::Patch).await;
}
