//! Files of key material that everkey reads, whole, foreign and damaged.

use everkey::model::KeyType;
use everkey::model::PfxProfile;
use everkey::pki::Format;
use everkey::pki::KeyState;
use everkey::pki::PkiError;
use everkey::pki::Tool;
use everkey::pki::inspect;
use everkey::pki::load_pair;
use everkey::pki::open;
use everkey::ports::CertTool;

use crate::tools::*;

#[test]
fn a_key_is_never_packed_with_the_certificate_of_another() {
    let (key, _) = pair(KeyType::EcP256);
    let (_, other) = pair(KeyType::EcP256);
    let error = Tool.pfx(&key, &other.der, &secret(PERSON), PfxProfile::Modern, true).unwrap_err();
    assert_eq!(error.refusal().unwrap().code, "mismatch");

    let both = format!("{}{}", Tool.key_pem(&key).unwrap().expose_text().unwrap(), Tool.certificate_pem(&other.der));
    assert_eq!(load_pair(both.as_bytes(), None).unwrap_err(), PkiError::Mismatch);
    assert_eq!(inspect(both.as_bytes(), None).unwrap().key, KeyState::Differs);
}

#[test]
fn what_openssl_made_is_opened_by_its_content() {
    let directory = tempfile::tempdir().unwrap();
    openssl(&directory, "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=theirs -days 30");
    openssl(&directory, "rsa -in key.pem -traditional -out pkcs1.pem");
    openssl(&directory, "rsa -in key.pem -traditional -outform DER -out pkcs1.der");
    openssl(&directory, "pkcs8 -topk8 -nocrypt -in key.pem -outform DER -out pkcs8.der");
    openssl(&directory, "x509 -in cert.pem -outform DER -out cert.der");
    for (name, options) in [
        ("modern.pfx", ""),
        ("legacy.pfx", "-keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1 "),
        ("nomac.pfx", "-nomac "),
    ] {
        let arguments = format!("pkcs12 -export -in cert.pem -inkey key.pem {options}-passout pass:theirs -out {name}");
        openssl(&directory, &arguments);
    }
    let theirs = secret("theirs");
    let pkcs8 = get(&directory, "pkcs8.der");
    let cert = get(&directory, "cert.der");

    for (name, format, key, certificates) in [
        ("key.pem", Format::Pem, KeyState::Alone, 0),
        ("pkcs1.pem", Format::Pem, KeyState::Alone, 0),
        ("pkcs1.der", Format::Der, KeyState::Alone, 0),
        ("pkcs8.der", Format::Der, KeyState::Alone, 0),
        ("cert.pem", Format::Pem, KeyState::Absent, 1),
        ("cert.der", Format::Der, KeyState::Absent, 1),
        ("modern.pfx", Format::Pfx, KeyState::Matches, 1),
        ("legacy.pfx", Format::Pfx, KeyState::Matches, 1),
        ("nomac.pfx", Format::Pfx, KeyState::Matches, 1),
    ] {
        let bytes = get(&directory, name);
        let found = inspect(&bytes, Some(&theirs)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((found.format, found.key, found.certificates.len()), (format, key, certificates), "{name}");
        if let Some(facts) = found.certificates.first() {
            assert_eq!((facts.subject.as_str(), facts.issuer.as_str()), ("CN=theirs", "CN=theirs"));
            assert_eq!(facts.key_type, "RSA 2048");
        }
        if let Some(key) = open(&bytes, Some(&theirs)).unwrap().key {
            assert!(key.expose() == pkcs8, "{name}: every form becomes the same PKCS#8");
        }
    }
    for pfx in ["modern.pfx", "legacy.pfx", "nomac.pfx"] {
        let bytes = get(&directory, pfx);
        assert_eq!(open(&bytes, Some(&secret("wrong"))).unwrap_err(), PkiError::WrongPassword, "{pfx}");
        assert_eq!(open(&bytes, None).unwrap_err(), PkiError::WrongPassword, "{pfx}");
    }

    // A chain: the certificate of the key is taken wherever it stands.
    openssl(&directory, "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 30");
    let chain = [get(&directory, "ca.pem"), get(&directory, "cert.pem"), get(&directory, "pkcs1.pem")].concat();
    let (key, leaf) = load_pair(&chain, None).unwrap();
    assert_eq!((key.expose(), &leaf), (pkcs8.as_slice(), &cert));
    let subjects: Vec<_> = inspect(&chain, None).unwrap().certificates.into_iter().map(|facts| facts.subject).collect();
    assert_eq!(subjects, ["CN=theirs", "CN=ca"]);

    // Text around the blocks, CRLF and a byte order mark, as mail and editors leave them.
    let text = String::from_utf8(get(&directory, "cert.pem")).unwrap();
    let dressed = format!("\u{feff}Bag Attributes\r\n{}trailing words\r\n", text.replace('\n', "\r\n"));
    assert_eq!(open(dressed.as_bytes(), None).unwrap().certificates, [cert]);
}

#[test]
fn what_cannot_be_used_is_refused_by_kind() {
    let directory = tempfile::tempdir().unwrap();
    openssl(&directory, "genpkey -algorithm ed25519 -out ed25519.pem");
    openssl(&directory, "genrsa -out rsa1024.pem 1024");
    openssl(&directory, "genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out pss.pem");
    openssl(&directory, "ecparam -name secp521r1 -genkey -noout -out p521.pem");
    openssl(&directory, "genpkey -algorithm RSA -aes256 -pass pass:x -out encrypted.pem");
    openssl(
        &directory,
        "rsa -in encrypted.pem -passin pass:x -traditional -aes256 -passout pass:x -out encrypted1.pem",
    );
    openssl(&directory, "pkey -in ed25519.pem -outform DER -out ed25519.der");
    for (name, expected) in [
        ("ed25519.pem", PkiError::Key),
        ("ed25519.der", PkiError::Key),
        ("rsa1024.pem", PkiError::Key),
        ("pss.pem", PkiError::Key),
        ("p521.pem", PkiError::Key),
        ("encrypted.pem", PkiError::EncryptedKey),
        ("encrypted1.pem", PkiError::Encryption("the old PEM form, `Proc-Type: 4,ENCRYPTED`".into())),
    ] {
        assert_eq!(open(&get(&directory, name), None).unwrap_err(), expected, "{name}");
    }
    for garbage in [&b""[..], b"0", b"not a key", b"-----BEGIN CERTIFICATE-----\n", &[0x30, 0x80], &[0xff; 64]] {
        assert_eq!(open(garbage, None).unwrap_err(), PkiError::Unrecognised, "{garbage:?}");
    }
    let (key, certificate) = pair(KeyType::EcP256);
    assert_eq!(load_pair(&certificate.der, None).unwrap_err(), PkiError::Missing("private key"));
    let alone = Tool.key_pem(&key).unwrap();
    assert_eq!(load_pair(alone.expose(), None).unwrap_err(), PkiError::Missing("certificate"));
}

#[test]
fn an_import_bomb_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    openssl(&directory, "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=bomb -days 1");
    openssl(&directory, "pkcs12 -export -in cert.pem -inkey key.pem -passout pass:x -iter 2000000 -out bomb.pfx");
    let error = open(&get(&directory, "bomb.pfx"), Some(&secret("x"))).unwrap_err();
    assert!(matches!(&error, PkiError::TooMuch(why) if why.contains("6000000 rounds")), "{error}");
    // Below the sum, above what one derivation may take.
    openssl(
        &directory,
        "pkcs12 -export -in cert.pem -inkey key.pem -passout pass:x -iter 1200000 -maciter -out large.pfx",
    );
    let error = open(&get(&directory, "large.pfx"), Some(&secret("x"))).unwrap_err();
    assert!(matches!(&error, PkiError::Pfx(why) if why.contains("out of range")), "{error}");
}

#[test]
fn no_error_and_no_debug_shows_a_secret() {
    let (key, certificate) = pair(KeyType::EcP256);
    let password = secret("canary-password");
    let pem = Tool.key_pem(&key).unwrap();
    let body: String = pem.expose_text().unwrap().lines().nth(1).unwrap().into();
    let pfx = Tool.pfx(&key, &certificate.der, &password, PfxProfile::Modern, true).unwrap();
    let mut damaged = pem.expose().to_vec();
    damaged[60] ^= 1;
    let wrong = secret("canary-wrong");
    let shown = [
        format!("{:?}", open(pem.expose(), None).unwrap()),
        format!("{:?}", inspect(pfx.expose(), Some(&password)).unwrap()),
        format!("{:?}", open(pfx.expose(), Some(&wrong)).unwrap_err()),
        format!("{:?}", open(&damaged, None)),
        format!("{:?} {:?}", pfx, Tool.generate_password().unwrap()),
        format!("{:?}", Tool.pfx(&key, &certificate.der, &secret("canary\n"), PfxProfile::Modern, true)),
    ];
    for text in shown {
        assert!(!text.contains("canary") && !text.contains(&body), "{text}");
    }
}

/// Flips, cuts and repeats bytes of real files: an error is fine, a panic is not.
#[test]
fn damaged_files_are_errors() {
    let (key, certificate) = pair(KeyType::EcP256);
    let password = Tool.generate_password().unwrap();
    let pem =
        format!("{}{}", Tool.key_pem(&key).unwrap().expose_text().unwrap(), Tool.certificate_pem(&certificate.der));
    let pfx = Tool.pfx(&key, &certificate.der, &password, PfxProfile::Legacy3des, true).unwrap();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    let mut refused = 0;
    for (original, rounds) in [(pem.as_bytes(), 1500), (certificate.der.as_slice(), 1500), (pfx.expose(), 150)] {
        for _ in 0..rounds {
            let mut bytes = original.to_vec();
            match random(3) {
                0 => {
                    let place = random(bytes.len());
                    bytes[place] ^= 1 << random(8);
                }
                1 => bytes.truncate(random(bytes.len())),
                _ => {
                    let place = random(bytes.len());
                    let again = bytes[place..].to_vec();
                    bytes.extend(again);
                }
            }
            refused += usize::from(inspect(&bytes, Some(&password)).is_err());
        }
    }
    assert!(refused > 1000, "mutations that hurt nothing test nothing: {refused}");
}
