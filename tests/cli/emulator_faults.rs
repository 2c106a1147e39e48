//! `emulator serve` with faults: what cannot be followed stops the start with a code; what can be is met.

use crate::support::World;

#[test]
fn faults_that_cannot_be_followed_stop_the_start() {
    let world = World::without_emulator();
    let write = |name: &str, text: &str| std::fs::write(world.path().join(name), text).unwrap();
    write("shape.toml", "seed = 1\n[[fault]]\nefect = 1\n");
    write("meaning.toml", "[[fault]]\ncount = 0\neffect = { kind = \"stall\" }\n");
    for (arguments, code, says) in [
        (["--faults", "absent.toml"], "U050", "cannot read the faults in absent.toml"),
        (["--faults", "shape.toml"], "U051", "shape.toml:3: unknown field `efect`"),
        (["--faults", "meaning.toml"], "U052", "fault 1: count is 0"),
        (["--quirk", "read_lag"], "U053", "is no NAME=VALUE"),
        (["--quirk", "readlag=1s"], "U053", "there are absent_password_is_404, "),
        (["--quirk", "read_lag=soon"], "U053", "read_lag cannot be"),
    ] {
        let mut all = vec!["emulator", "serve", "--listen", "127.0.0.1:0", "--dir", "other"];
        all.extend(arguments);
        world.run(&all).fails(64, code, &[says]);
        assert!(!world.path().join("other").exists(), "nothing was written");
        world.run(&["explain", code]).exits(0).says("emulator");
    }
}
