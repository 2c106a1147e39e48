//! Keys, certificates and PFX files that everkey makes.

use std::collections::BTreeSet;

use everkey::model::KeyType;
use everkey::model::PfxProfile;
use everkey::pki::KeyState;
use everkey::pki::Tool;
use everkey::pki::inspect;
use everkey::pki::load_pair;
use everkey::pki::open;
use everkey::ports::CertTool;
use everkey::ports::PortError;

use crate::tools::*;

/// Every file that `files` sinks can hold opens in OpenSSL, Java and Python, and the key is the certificate's.
fn opens_everywhere(key_type: KeyType, bits: u32) {
    let directory = tempfile::tempdir().unwrap();
    let (key, certificate) = pair(key_type);
    put(&directory, "key.pem", Tool.key_pem(&key).unwrap().expose());
    put(&directory, "cert.pem", Tool.certificate_pem(&certificate.der).as_bytes());
    put(&directory, "cert.der", &certificate.der);

    assert!(openssl(&directory, "rsa -in key.pem -check -noout").contains("RSA key ok"));
    assert!(openssl(&directory, "rsa -in key.pem -text -noout").contains(&format!("{bits} bit")));
    let public = openssl(&directory, "pkey -in key.pem -pubout");
    assert_eq!(openssl(&directory, "x509 -in cert.pem -pubkey -noout"), public);
    assert_eq!(openssl(&directory, "x509 -in cert.der -inform DER -pubkey -noout"), public);
    openssl(&directory, "verify -x509_strict -check_ss_sig -partial_chain -CAfile cert.pem cert.pem");

    for profile in [PfxProfile::Modern, PfxProfile::Legacy3des] {
        for generated in [true, false] {
            let password = if generated { Tool.generate_password().unwrap() } else { secret(PERSON) };
            let pfx = Tool.pfx(&key, &certificate.der, &password, profile, generated).unwrap();
            put(&directory, "x.pfx", pfx.expose());
            put(&directory, "x.password", password.expose());

            let info = openssl(&directory, "pkcs12 -in x.pfx -passin file:x.password -info -noout");
            let rounds = if generated { "10000" } else { "600000" };
            let expected = match profile {
                PfxProfile::Legacy3des => vec![
                    format!("MAC: sha1, Iteration {rounds}"),
                    format!("pbeWithSHA1And3-KeyTripleDES-CBC, Iteration {rounds}"),
                ],
                PfxProfile::Modern => vec![
                    format!("MAC: sha256, Iteration {rounds}"),
                    format!("PBES2, PBKDF2, AES-256-CBC, Iteration {rounds}, PRF hmacWithSHA256"),
                ],
            };
            for line in &expected {
                assert!(info.contains(line), "{line} is not in\n{info}");
            }
            // Key bag and certificate bag are both encrypted that way.
            assert_eq!(info.matches(expected[1].as_str()).count(), 2, "{info}");

            openssl(&directory, "pkcs12 -in x.pfx -passin file:x.password -nodes -out all.pem");
            assert_eq!(openssl(&directory, "pkey -in all.pem -pubout"), public);
            assert_eq!(openssl(&directory, "x509 -in all.pem -pubkey -noout"), public);

            let list = ["-list", "-v", "-storetype", "PKCS12", "-keystore", "x.pfx", "-storepass:file", "x.password"];
            let listed = run(&directory, "keytool", &list);
            assert!(listed.contains("PrivateKeyEntry") && listed.contains("Owner: CN=enate-graph-mail"), "{listed}");
            assert!(listed.replace(':', "").contains(certificate.thumbprint.as_str()), "{listed}");

            let script = "
from cryptography.hazmat.primitives.serialization import pkcs12, Encoding, PublicFormat
key, cert, others = pkcs12.load_key_and_certificates(open('x.pfx','rb').read(), open('x.password','rb').read())
form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
assert key.public_key().public_bytes(*form) == cert.public_key().public_bytes(*form)
assert cert.public_bytes(Encoding.DER) == open('cert.der','rb').read() and others == []
print(key.key_size)";
            assert_eq!(python(&directory, script).trim(), bits.to_string());

            let (back, der) = load_pair(pfx.expose(), Some(&password)).unwrap();
            assert_eq!((back.expose(), der.as_slice()), (key.expose(), certificate.der.as_slice()));
        }
    }
}

#[test]
fn rsa_2048_opens_everywhere() {
    opens_everywhere(KeyType::Rsa2048, 2048);
}

#[test]
fn rsa_3072_opens_everywhere() {
    opens_everywhere(KeyType::Rsa3072, 3072);
}

#[test]
fn rsa_4096_opens_everywhere() {
    opens_everywhere(KeyType::Rsa4096, 4096);
}

#[test]
fn ec_keys_open_in_openssl_and_come_back() {
    for (key_type, curve, label) in
        [(KeyType::EcP256, "prime256v1", "EC P-256"), (KeyType::EcP384, "secp384r1", "EC P-384")]
    {
        let directory = tempfile::tempdir().unwrap();
        let (key, certificate) = pair(key_type);
        put(&directory, "key.pem", Tool.key_pem(&key).unwrap().expose());
        put(&directory, "cert.pem", Tool.certificate_pem(&certificate.der).as_bytes());
        assert!(openssl(&directory, "pkey -in key.pem -check -text -noout").contains(curve));
        openssl(&directory, "verify -x509_strict -check_ss_sig -partial_chain -CAfile cert.pem cert.pem");
        let password = Tool.generate_password().unwrap();
        let pfx = Tool.pfx(&key, &certificate.der, &password, PfxProfile::Modern, true).unwrap();
        let inspected = inspect(pfx.expose(), Some(&password)).unwrap();
        assert_eq!((inspected.key, inspected.certificates[0].key_type.as_str()), (KeyState::Matches, label));

        openssl(&directory, &format!("ecparam -name {curve} -genkey -out sec1.pem"));
        let text = String::from_utf8(get(&directory, "sec1.pem")).unwrap();
        assert!(text.contains("EC PARAMETERS") && text.contains("EC PRIVATE KEY"), "{text}");
        assert!(open(text.as_bytes(), None).unwrap().key.is_some());
    }
}

#[test]
fn the_certificate_has_the_profile_entra_client() {
    let directory = tempfile::tempdir().unwrap();
    let (_, certificate) = pair(KeyType::Rsa2048);
    put(&directory, "cert.der", &certificate.der);
    let text = openssl(&directory, "x509 -in cert.der -inform DER -text -noout -nameopt RFC2253");
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let after = |line: &str| {
        let position = lines.iter().position(|found| *found == line);
        lines[position.unwrap_or_else(|| panic!("no `{line}` in\n{text}")) + 1]
    };
    assert!(text.contains("Version: 3 (0x2)"));
    assert!(text.contains("Signature Algorithm: sha256WithRSAEncryption"));
    assert!(text.contains("Issuer: CN=enate-graph-mail") && text.contains("Subject: CN=enate-graph-mail"), "{text}");
    assert!(text.contains("Not Before: Nov 20 08:00:00 2026 GMT"));
    assert!(text.contains("Not After : Nov 20 09:00:00 2027 GMT"));
    assert_eq!(after("X509v3 Key Usage: critical"), "Digital Signature");
    assert_eq!(after("X509v3 Extended Key Usage:"), "TLS Web Client Authentication");
    assert_eq!(after("X509v3 Basic Constraints: critical"), "CA:FALSE");
    assert_eq!(after("X509v3 Subject Key Identifier:").split(':').count(), 20);
    assert_eq!(text.matches("X509v3 ").count(), 5, "no other extension, and the heading:\n{text}");

    let script = "
from cryptography import x509
from cryptography.hazmat.primitives import hashes
c = x509.load_der_x509_certificate(open('cert.der','rb').read())
print(c.fingerprint(hashes.SHA1()).hex().upper(), c.fingerprint(hashes.SHA256()).hex(), c.serial_number.bit_length())";
    let told = python(&directory, script);
    let told: Vec<_> = told.split_whitespace().collect();
    assert_eq!(told[..2], [certificate.thumbprint.as_str(), certificate.thumbprint_sha256.as_str()]);
    assert!((121..=127).contains(&told[2].parse::<u32>().unwrap()), "{}", told[2]);
    assert_eq!(Tool.thumbprints(&certificate.der), (certificate.thumbprint, certificate.thumbprint_sha256));
}

#[test]
fn serials_and_keys_are_never_repeated() {
    let (mut serials, mut keys) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..300 {
        let (_, certificate) = pair(KeyType::EcP256);
        let inspected = inspect(&certificate.der, None).unwrap();
        let serial = &inspected.certificates[0].serial;
        assert_eq!(serial.len(), 32, "16 octets, so the top bit is clear: {serial}");
        assert!(serials.insert(serial.clone()), "{serial} twice");
        assert!(keys.insert(certificate.thumbprint_sha256), "a key twice");
    }
}

#[test]
fn dates_are_whole_seconds_in_utc_and_keep_their_century() {
    let directory = tempfile::tempdir().unwrap();
    let key = Tool.generate_key(KeyType::EcP256).unwrap();
    for (start, end, shown) in [
        ("2026-11-20T08:00:00.987Z", "2028-02-29T23:59:59.999Z", "Feb 29 23:59:59 2028 GMT"),
        ("2026-11-20T08:00:00Z", "2049-12-31T23:59:59Z", "Dec 31 23:59:59 2049 GMT"),
        ("2026-11-20T08:00:00Z", "2050-01-01T00:00:00Z", "Jan  1 00:00:00 2050 GMT"),
    ] {
        let certificate = Tool.self_signed(&key, "CN=dates", at(start), at(end)).unwrap();
        assert_eq!(certificate.end.as_second(), at(end).as_second());
        assert_eq!((certificate.start.subsec_nanosecond(), certificate.end.subsec_nanosecond()), (0, 0));
        put(&directory, "cert.der", &certificate.der);
        let told = openssl(&directory, "x509 -in cert.der -inform DER -noout -enddate");
        assert_eq!(told.trim(), format!("notAfter={shown}"));
    }
    for (start, end) in [(END, START), (START, START), ("1969-01-01T00:00:00Z", END)] {
        let error = Tool.self_signed(&key, "CN=dates", at(start), at(end)).unwrap_err();
        assert!(matches!(error, PortError::Refused(_)), "{error}");
    }
}

#[test]
fn subjects_are_written_in_full_or_refused() {
    let directory = tempfile::tempdir().unwrap();
    let key = Tool.generate_key(KeyType::EcP256).unwrap();
    for (subject, shown) in [
        ("CN=a,OU=b,O=Contoso Ltd,L=London,C=GB", "CN=a,OU=b,O=Contoso Ltd,L=London,C=GB"),
        ("CN=a, O=b", "CN=a,O=b"),
        (r"CN=Okoro\, D.,O=x", r"CN=Okoro\, D.,O=x"),
        ("CN=Zürich", "CN=Zürich"),
        ("CN=host,DC=example", "CN=host,DC=example"),
    ] {
        let certificate = Tool.self_signed(&key, subject, at(START), at(END)).unwrap();
        put(&directory, "cert.der", &certificate.der);
        let told =
            openssl(&directory, "x509 -in cert.der -inform DER -noout -subject -issuer -nameopt RFC2253,-esc_msb,utf8");
        assert_eq!(told.trim(), format!("subject={shown}\nissuer={shown}"));
    }
    for lossy in ["CN=a,DC=corp,DC=example,DC=com", "CN=a,OU=x,OU=y", "CN=a+OU=b"] {
        let error = Tool.self_signed(&key, lossy, at(START), at(END)).unwrap_err().to_string();
        assert!(error.contains("without loss") && error.contains(lossy), "{error}");
    }
}

#[test]
fn a_persons_password_may_have_letters_of_other_languages() {
    let directory = tempfile::tempdir().unwrap();
    let (key, certificate) = pair(KeyType::EcP256);
    let password = secret("Schlüssel für Zoë 日本");
    let pfx = Tool.pfx(&key, &certificate.der, &password, PfxProfile::Modern, false).unwrap();
    put(&directory, "x.pfx", pfx.expose());
    put(&directory, "x.password", password.expose());
    let script = "
from cryptography.hazmat.primitives.serialization import pkcs12
print(pkcs12.load_key_and_certificates(open('x.pfx','rb').read(), open('x.password','rb').read())[0].curve.name)";
    assert_eq!(python(&directory, script).trim(), "secp256r1");
    for bad in ["", "with a line end\n", "🔑"] {
        let error = Tool.pfx(&key, &certificate.der, &secret(bad), PfxProfile::Modern, true).unwrap_err();
        assert_eq!(error.refusal().unwrap().code, "password");
    }
}
