//! Keys and bundles of other people's tools: encrypted PKCS#8 of every kind, P7B, base64, Java's and Python's PFX, and
//! what asks for too much.

use everkey::model::KeyType;
use everkey::pki::Format;
use everkey::pki::KeyState;
use everkey::pki::PkiError;
use everkey::pki::Tool;
use everkey::pki::inspect;
use everkey::pki::open;
use everkey::pki::sealed_key_pem;
use everkey::ports::CertTool;

use crate::tools::*;

#[test]
fn encrypted_keys_of_openssl_and_python() {
    let directory = tempfile::tempdir().unwrap();
    openssl(&directory, "genrsa -out key.pem 2048");
    openssl(&directory, "pkcs8 -topk8 -nocrypt -in key.pem -outform DER -out key.der");
    for (name, options) in [
        ("default.pem", ""),
        ("aes128.pem", "-v2 aes-128-cbc "),
        ("aes256-sha512.pem", "-v2 aes-256-cbc -v2prf hmacWithSHA512 "),
        ("des3-sha1.pem", "-v2 des3 -v2prf hmacWithSHA1 "),
        ("scrypt.pem", "-scrypt "),
        ("default.der", "-outform DER "),
    ] {
        openssl(&directory, &format!("pkcs8 -topk8 -in key.pem {options}-passout pass:theirs -out {name}"));
    }
    python(
        &directory,
        "from cryptography.hazmat.primitives import serialization as s\n\
         key = s.load_pem_private_key(open('key.pem','rb').read(), None)\n\
         best = s.BestAvailableEncryption(b'theirs')\n\
         open('python.pem','wb').write(key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, best))",
    );
    let key = get(&directory, "key.der");
    for name in
        ["default.pem", "aes128.pem", "aes256-sha512.pem", "des3-sha1.pem", "scrypt.pem", "default.der", "python.pem"]
    {
        let bytes = get(&directory, name);
        let opened = open(&bytes, Some(&secret("theirs"))).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(opened.key_was_sealed && opened.key.unwrap().expose() == key, "{name}");
        assert_eq!(open(&bytes, None).unwrap_err(), PkiError::EncryptedKey, "{name}");
        // Some wrong passwords leave valid padding: none of them may look like another fault.
        for wrong in 0..3 {
            let error = open(&bytes, Some(&secret(&format!("wrong {wrong}")))).unwrap_err();
            assert_eq!(error, PkiError::WrongPassword, "{name}");
        }
    }
    openssl(&directory, "pkcs8 -topk8 -in key.pem -v1 PBE-SHA1-3DES -passout pass:theirs -out pbes1.pem");
    let error = open(&get(&directory, "pbes1.pem"), Some(&secret("theirs"))).unwrap_err();
    assert!(matches!(error, PkiError::Encryption(_)), "{error}");
    openssl(&directory, "pkcs8 -topk8 -in key.pem -iter 5000000 -passout pass:theirs -out bomb.pem");
    let error = open(&get(&directory, "bomb.pem"), Some(&secret("theirs"))).unwrap_err();
    assert!(matches!(&error, PkiError::TooMuch(why) if why.contains("5000000")), "{error}");
}

#[test]
fn our_encrypted_keys_open_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    for key in [KeyType::Rsa2048, KeyType::EcP256, KeyType::EcP384] {
        let made = Tool.generate_key(key).unwrap();
        put(&directory, "plain.pem", Tool.key_pem(&made).unwrap().expose());
        put(&directory, "sealed.pem", sealed_key_pem(&made, &secret(PERSON), true).unwrap().expose());
        put(&directory, "password", PERSON.as_bytes());
        let sealed = openssl(&directory, "pkey -in sealed.pem -passin file:password -pubout");
        assert_eq!(sealed, openssl(&directory, "pkey -in plain.pem -pubout"));
        python(
            &directory,
            "from cryptography.hazmat.primitives import serialization as s\n\
             s.load_pem_private_key(open('sealed.pem','rb').read(), open('password','rb').read())",
        );
        let back = open(&get(&directory, "sealed.pem"), Some(&secret(PERSON))).unwrap().key.unwrap();
        assert!(back.expose() == made.expose());
    }
}

#[test]
fn bundles_and_base64() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        openssl(
            &directory,
            &format!("req -x509 -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.pem -subj /CN={name}"),
        );
    }
    openssl(&directory, "crl2pkcs7 -nocrl -certfile a.pem -certfile b.pem -out both.p7b");
    openssl(&directory, "crl2pkcs7 -nocrl -certfile a.pem -certfile b.pem -outform DER -out both.der");
    openssl(&directory, "x509 -in a.pem -outform DER -out a.der");
    openssl(&directory, "pkcs12 -export -in a.pem -inkey a.key -passout pass:x -out a.pfx");
    openssl(&directory, "base64 -in a.der -out a.b64");
    openssl(&directory, "base64 -A -in a.pfx -out a.pfx.b64");
    let a = get(&directory, "a.der");
    for (name, format) in [("both.p7b", Format::Pem), ("both.der", Format::P7b)] {
        let opened = open(&get(&directory, name), None).unwrap();
        assert_eq!((opened.format, opened.certificates.len()), (format, 2), "{name}");
        assert!(opened.certificates.contains(&a), "{name}");
    }
    let opened = open(&get(&directory, "a.b64"), None).unwrap();
    assert_eq!((opened.format, opened.certificates), (Format::Base64, vec![a]));
    let found = inspect(&get(&directory, "a.pfx.b64"), Some(&secret("x"))).unwrap();
    assert_eq!((found.format, found.key), (Format::Base64, KeyState::Matches));
}

#[test]
fn pfx_of_java_python_and_old_openssl() {
    let directory = tempfile::tempdir().unwrap();
    run(
        &directory,
        "keytool",
        &"-genkeypair -keyalg RSA -keysize 2048 -dname CN=java -alias one -storetype PKCS12 -storepass theirs -keystore java.pfx"
            .split(' ')
            .collect::<Vec<_>>(),
    );
    openssl(&directory, "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=theirs -days 30");
    // RC2-40 around the certificates is what Windows and OpenSSL before 3 wrote.
    openssl(&directory, "pkcs12 -export -legacy -in cert.pem -inkey key.pem -passout pass:theirs -out legacy.pfx");
    openssl(
        &directory,
        "pkcs12 -export -in cert.pem -inkey key.pem -keypbe aes-256-cbc -certpbe aes-256-cbc -passout pass:theirs -out aes.pfx",
    );
    python(
        &directory,
        "from cryptography import x509\n\
         from cryptography.hazmat.primitives import serialization as s\n\
         from cryptography.hazmat.primitives.serialization import pkcs12\n\
         key = s.load_pem_private_key(open('key.pem','rb').read(), None)\n\
         cert = x509.load_pem_x509_certificate(open('cert.pem','rb').read())\n\
         best = s.BestAvailableEncryption(b'theirs')\n\
         open('python.pfx','wb').write(pkcs12.serialize_key_and_certificates(b'one', key, cert, None, best))",
    );
    for name in ["java.pfx", "legacy.pfx", "aes.pfx", "python.pfx"] {
        let bytes = get(&directory, name);
        let found = inspect(&bytes, Some(&secret("theirs"))).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((found.key, found.key_type.as_deref()), (KeyState::Matches, Some("RSA 2048")), "{name}");
        assert_eq!(open(&bytes, Some(&secret("wrong"))).unwrap_err(), PkiError::WrongPassword, "{name}");
    }
}

#[test]
fn size_and_nesting_are_bounded() {
    let large = vec![b'A'; 5 << 20];
    assert!(matches!(open(&large, None), Err(PkiError::TooMuch(why)) if why.contains("4 MiB")));
    let mut nested = vec![0x05, 0x00];
    while nested.len() < 60_000 {
        let length = u32::try_from(nested.len()).unwrap().to_be_bytes();
        nested = [&[0x30, 0x84][..], &length, &nested].concat();
    }
    assert!(matches!(open(&nested, None), Err(PkiError::TooMuch(why)) if why.contains("nests")));
}
