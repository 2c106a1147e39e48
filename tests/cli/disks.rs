//! A store on a real file system of one mebibyte that runs full: nothing that Entra gave is lost, and one run after
//! there is room finishes with one credential.

use std::process::Command;

use crate::support::World;
use crate::support::binary;

const LEXZUR: &str = "lexzur-email-engine";

#[test]
fn a_disk_that_runs_full_loses_no_secret() {
    let world = World::new();
    world.keep_policies(&[LEXZUR]);
    std::fs::create_dir(world.path().join("disk")).unwrap();
    let own = format!("sqlite://{}", world.store().display());
    let there = world.path().join("disk/everkey.db");
    world.replace(&world.config(), &own, &format!("sqlite://{}", there.display()));
    let script = r#"
        mount -t tmpfs -o size=1m,mode=700 none disk || exit 99
        ek() { "$EK" -C emu/everkey.toml "$@"; }
        fill() { cat /dev/zero > disk/filler 2>/dev/null; }
        ek status > /dev/null; echo "status $?"
        fill
        ek apply --yes > first.out 2> first.err; echo "first $?"
        ek history 2>&1 | grep -c 'attempt 1'
        rm disk/filler
        ek apply --yes > second.out 2> second.err &
        until ek history | grep -q 'accepted (1 of 3)'; do sleep 0.2; done
        fill
        wait $!; echo "second $?"
        rm disk/filler
        ek apply --yes > third.out 2> third.err; echo "third $?"
        ek store check > check.out; echo "check $?"
        cp disk/everkey.db kept.db
    "#;
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", script]).current_dir(world.path());
    command.env_clear().env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").env("EK", binary());
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let read = |name: &str| std::fs::read_to_string(world.path().join(name)).unwrap_or_default();
    let all = format!("{said}\n{}\n{}\n{}", read("first.err"), read("second.err"), read("third.err"));
    assert!(said.starts_with("status 0\nfirst 1\n0\n"), "refused before anything was made\n{all}");
    assert!(read("first.err").contains("error[T010]") && read("first.err").contains("free space"), "{all}");
    assert!(said.contains("second 1\n") && read("second.err").contains("T010"), "{all}");
    assert!(said.contains("third 0\ncheck 0\n"), "{all}");
    assert_eq!(world.credentials().len(), 1, "the one that was saved is the one that is delivered");
    let file: serde_json::Value = serde_json::from_slice(&std::fs::read(world.integrations()).unwrap()).unwrap();
    let office = &file["MS-OfficeMail-365"];
    let code = world.token_with(office["clientId"].as_str().unwrap(), office["clientSecret"].as_str().unwrap());
    assert_eq!(code, 200);
}
