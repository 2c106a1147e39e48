//! A signal at every boundary up to the proof: the run ends at a safe point, and the next one finds nothing that it
//! must take for a lost answer (expectation 16). A kill may leave such a thing behind; a stop must not.

use everkey::model::Outcome;
use everkey::rotation::Rules;

use crate::kinds::Kind;
use crate::lab::Lab;
use crate::world::Ended;
use crate::world::World;

async fn stopped_everywhere(kind: Kind) {
    let lab = Lab::start().await;
    for point in 1.. {
        let world = World::new(&lab, kind);
        world.stop_at(Some(point));
        let (ended, passed) = world.live(None, Rules::default(), 1).await;
        let at = format!("{kind:?}, asked to stop at {point} ({:?})", passed.get(point - 1));
        assert_eq!(ended, Ended::Open, "{at}: it went on for ever");
        world.stop_at(None);
        let (ended, _) = world.live(None, Rules::default(), 1).await;
        assert_eq!(ended, Ended::Converged, "{at}");
        let violations = world.verdict().await;
        assert!(violations.is_empty(), "{at}:\n{}", violations.join("\n"));
        for rotation in world.rotations().await {
            assert!(rotation.ambiguous.is_empty(), "{at}: {:?}", rotation.ambiguous);
            let saved = rotation.attempts.iter().all(|attempt| attempt.outcome == Outcome::Saved);
            assert!(saved && rotation.attempts.len() == 1, "{at}: {:?}", rotation.attempts);
        }
        if passed.iter().any(|what| what.contains("commit verified")) {
            assert!(point > 20, "{passed:#?}");
            return;
        }
    }
}

#[tokio::test]
async fn a_secret_is_stopped_without_a_trace() {
    stopped_everywhere(Kind::Secret).await;
}

#[tokio::test]
async fn a_certificate_from_a_ca_is_stopped_without_a_trace() {
    stopped_everywhere(Kind::Ca).await;
}

#[tokio::test]
async fn a_certificate_is_stopped_without_a_trace() {
    stopped_everywhere(Kind::AddKey).await;
}
