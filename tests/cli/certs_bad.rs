//! Files that are wrong, damaged, or made to hurt: a typed error, exit 65, within bounds.

use std::process::Command;

use crate::certs::openssl;
use crate::support::Ran;
use crate::support::World;
use crate::support::binary;

/// Runs `cert inspect` with 512 MiB of address space and 20 seconds of processor time at most.
fn bounded(world: &World, file: &str) -> Ran {
    let line = format!(
        "ulimit -v 524288; ulimit -t 20; exec '{}' cert inspect {file} --password-file pw.txt",
        binary().display()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &line]).current_dir(world.path()).env_clear().env("PATH", "/usr/bin:/bin");
    Ran::new(line, &command.output().unwrap())
}

#[test]
fn wrong_damaged_and_hostile_files() {
    let world = World::without_emulator();
    let put = |name: &str, bytes: &[u8]| std::fs::write(world.path().join(name), bytes).unwrap();
    put("pw.txt", b"theirs");
    openssl(&world, "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=app -days 30");
    openssl(&world, "req -new -key key.pem -subj /CN=app -outform DER -out request.der");
    let export = "pkcs12 -export -in cert.pem -inkey key.pem";
    openssl(&world, &format!("{export} -passout pass:theirs -out good.pfx"));
    openssl(&world, &format!("{export} -passout pass:others -out others.pfx"));
    openssl(
        &world,
        &format!("{export} -passout pass:theirs -iter 100000000 -nomac -certpbe NONE -keypbe NONE -out open.pfx"),
    );
    openssl(&world, "pkcs8 -topk8 -in key.pem -passout pass:others -out others.key");
    openssl(&world, "rsa -in key.pem -traditional -aes256 -passout pass:theirs -out old.key");
    openssl(&world, "genpkey -algorithm ed25519 -out ed25519.key");
    openssl(&world, "genrsa -out short.key 1024");
    let good = std::fs::read(world.path().join("good.pfx")).unwrap();
    let pem = std::fs::read(world.path().join("cert.pem")).unwrap();
    let request = std::fs::read(world.path().join("request.der")).unwrap();
    put("empty", b"");
    put("half.pfx", &good[..good.len() / 2]);
    put("half.pem", &pem[..pem.len() / 2]);
    put("half.csr", &request[..request.len() - 9]);
    put("text", b"no certificate at all\n");
    put("zeros", &[0; 4096]);
    let mut nested = vec![0x05, 0x00];
    while nested.len() < 60_000 {
        let length = u32::try_from(nested.len()).unwrap().to_be_bytes();
        nested = [&[0x30, 0x84][..], &length, &nested].concat();
    }
    put("nested", &nested);
    put("nested.pem", pem::encode(&pem::Pem::new("CERTIFICATE", nested)).as_bytes());
    // The rounds of the MAC, the last number of a PFX: 2048 becomes two thousand million.
    let at = good.len() - 4;
    assert_eq!(&good[at..], [0x02, 0x02, 0x08, 0x00], "openssl's own");
    let mut bomb = good[..at].to_vec();
    bomb.extend([0x02, 0x04, 0x7f, 0xff, 0xff, 0xff]);
    // Two more octets, in the length of the whole and in that of the MAC.
    let mac = bomb.windows(2).rposition(|pair| pair == [0x30, 0x41]).unwrap();
    bomb[mac + 1] += 2;
    let length = u16::from_be_bytes([bomb[2], bomb[3]]) + 2;
    bomb[2..4].copy_from_slice(&length.to_be_bytes());
    put("bomb.pfx", &bomb);
    let large = std::fs::File::create(world.path().join("large")).unwrap();
    large.set_len(100 << 20).unwrap();
    for (file, code, why) in [
        ("others.pfx", "K010", "others.pfx"),
        ("others.key", "K010", "or the file is damaged"),
        ("empty", "K011", "neither PEM"),
        ("half.pfx", "K011", ""),
        ("half.pem", "K011", ""),
        ("half.csr", "K011", ""),
        ("text", "K011", ""),
        ("zeros", "K011", ""),
        ("nested", "K012", "nests deeper"),
        ("nested.pem", "K012", "nests deeper"),
        ("bomb.pfx", "K012", "2147"),
        ("large", "K012", "larger than 4 MiB"),
        ("/dev/zero", "K012", "larger than 4 MiB"),
        ("old.key", "K013", "Proc-Type"),
        ("ed25519.key", "K013", "no supported kind"),
        ("short.key", "K013", "no supported kind"),
        ("missing", "F010", "No such file"),
        (".", "F010", "directory"),
    ] {
        let ran = bounded(&world, file).fails(65, code, &[why]).never_says("theirs").never_says("panicked");
        assert!(ran.out.is_empty(), "{file}: {}", ran.out);
        let document =
            world.run(&["cert", "inspect", file, "--password-file", "pw.txt", "-o", "json"]).exits(65).json();
        assert_eq!(document["error"]["code"], code, "{file}");
    }
    bounded(&world, "good.pfx").exits(0).says("with its private key");
    bounded(&world, "open.pfx").exits(0).says("with its private key");
}
