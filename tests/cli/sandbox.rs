//! `drill --sandbox` through the binary: what it says before, and that a signal leaves nothing behind. (Its whole course,
//! which takes twenty minutes of the tenant's time, is in `tests/crash/sandboxed.rs`.)

use crate::support::World;
use crate::support::until;

const NAME: &str = "everkey drill sandbox, may be deleted";

impl World {
    /// Applications of sandboxes: those that live, and those in the bin.
    fn sandboxes(&self) -> (usize, usize) {
        let state = self.state();
        let all = state["applications"].as_object().unwrap().values();
        let mine: Vec<_> = all.filter(|app| app["displayName"] == NAME).cloned().collect();
        let deleted = mine.iter().filter(|app| !app["deleted"].is_null()).count();
        (mine.len() - deleted, deleted)
    }
}

#[test]
fn a_signal_in_the_middle_of_a_sandbox_deletes_it_first() {
    let world = World::applied();
    let before = world.credentials();
    world.run(&["drill", "--purge", "lexzur-email-engine"]).exits(64);
    world.run(&["drill", "--sandbox", "lexzur-email-engine"]).exits(64);
    world.run(&["drill", "--sandbox", "--no-input"]).fails(64, "U003", &["--yes"]);
    assert_eq!(world.sandboxes(), (0, 0), "nobody said yes");
    let running = world.spawn(&["drill", "--sandbox", "--yes"]);
    until(|| world.sandboxes().0 == 1);
    // Others go on meanwhile: the lasting store is held for a moment only.
    until(|| world.run(&["apply", "--yes"]).code == 0);
    running.signal("INT");
    let ran = running.wait().exits(130).says("Sandbox drill on tenant").says("application");
    assert!(ran.out.contains("two reads in a row do not find it"), "{}", ran.out);
    assert_eq!(world.sandboxes(), (0, 1), "in the bin");
    // Its own are in the bin with it.
    let mut others = world.credentials();
    others.retain(|(app, _)| app != NAME);
    assert_eq!(others, before);
    world.run(&["history"]).exits(0).says("sandbox everkey-");
}
