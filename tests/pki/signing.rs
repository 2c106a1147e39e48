//! Requests and the local CA: what is issued verifies elsewhere, and what should not be issued is not.

use everkey::model::CertProfile;
use everkey::model::KeyType;
use everkey::model::NameRule;
use everkey::model::Purpose;
use everkey::pki::Authority;
use everkey::pki::PkiError;
use everkey::pki::Tool;
use everkey::pki::facts;
use everkey::pki::make_request;
use everkey::pki::open;
use everkey::pki::read_request;
use everkey::pki::request_pem;
use everkey::ports::CertTool;
use jiff::SignedDuration;
use tempfile::TempDir;

use crate::tools::*;

const NOW: &str = "2026-11-21T09:00:00Z";

fn ca(key: KeyType) -> (Authority, Vec<u8>) {
    let key = Tool.generate_key(key).unwrap();
    let made = Authority::certificate(&key, "CN=Team CA,O=Contoso", at(START), at("2036-11-18T09:00:00Z")).unwrap();
    (Authority::open(&made.der, key).unwrap(), made.der)
}

fn request(key: KeyType, subject: &str, names: &[&str]) -> Vec<u8> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    make_request(&Tool.generate_key(key).unwrap(), subject, &names).unwrap()
}

/// The first request of a PEM that openssl wrote.
fn theirs(directory: &TempDir, name: &str) -> Vec<u8> {
    open(&get(directory, name), None).unwrap().requests.remove(0)
}

#[test]
fn requests_are_read_by_openssl_and_python() {
    let directory = tempfile::tempdir().unwrap();
    for key in [KeyType::Rsa2048, KeyType::EcP256, KeyType::EcP384] {
        let der = request(key, "CN=vendor-sync,OU=Integration,O=Vendor", &["sync.vendor.example", "*.vendor.example"]);
        put(&directory, "r.csr", request_pem(&der).as_bytes());
        let shown = openssl(&directory, "req -in r.csr -noout -text -verify");
        assert!(
            shown.contains("verify OK") && shown.contains("DNS:sync.vendor.example, DNS:*.vendor.example"),
            "{shown}"
        );
        python(
            &directory,
            "from cryptography import x509\n\
             assert x509.load_pem_x509_csr(open('r.csr','rb').read()).is_signature_valid",
        );
    }
    for (subject, names) in [("purple=x", &[][..]), ("CN=x", &["not a name"]), ("CN=x", &["a.example", "A.example"])] {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        assert!(make_request(&Tool.generate_key(KeyType::EcP256).unwrap(), subject, &names).is_err(), "{subject}");
    }
}

#[test]
fn what_a_ca_issues_verifies_with_openssl() {
    let directory = tempfile::tempdir().unwrap();
    let profile = CertProfile {
        extended_key_usage: vec![Purpose::ClientAuth, Purpose::ServerAuth],
        dns_names: NameRule::Required,
        ..CertProfile::entra_client()
    };
    for ca_key in [KeyType::Rsa2048, KeyType::EcP256, KeyType::EcP384] {
        let (authority, certificate) = ca(ca_key);
        put(&directory, "ca.pem", Tool.certificate_pem(&certificate).as_bytes());
        for leaf_key in [KeyType::Rsa2048, KeyType::EcP256] {
            let der = request(leaf_key, "CN=vendor-sync,O=Vendor", &["sync.vendor.example"]);
            let made = authority.sign(&read_request(&der).unwrap(), &profile, 180, at(NOW)).unwrap();
            put(&directory, "leaf.pem", Tool.certificate_pem(&made.der).as_bytes());
            openssl(&directory, "verify -x509_strict -attime 1795400000 -CAfile ca.pem leaf.pem");
            let shown = openssl(&directory, "x509 -in leaf.pem -noout -text");
            for words in [
                "CA:FALSE",
                "Digital Signature\n",
                "TLS Web Client Authentication, TLS Web Server Authentication",
                "Subject Key Identifier",
                "Authority Key Identifier",
                "DNS:sync.vendor.example",
                "Not After : May 20 09:00:00 2027 GMT",
                "Not Before: Nov 21 08:00:00 2026 GMT",
            ] {
                assert!(shown.contains(words), "{words}:\n{shown}");
            }
            python(
                &directory,
                "from cryptography import x509\n\
                 load = lambda name: x509.load_pem_x509_certificate(open(name,'rb').read())\n\
                 load('leaf.pem').verify_directly_issued_by(load('ca.pem'))",
            );
            let facts = facts(&made.der).unwrap();
            assert_eq!((facts.serial.len(), facts.is_ca, facts.issuer.as_str()), (32, false, "CN=Team CA,O=Contoso"));
        }
    }
}

/// A CA as Active Directory names them: two DCs and an OU twice. rcgen would lose one of each.
#[test]
fn names_with_repeated_parts_survive() {
    let directory = tempfile::tempdir().unwrap();
    openssl(
        &directory,
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /DC=example/DC=contoso/OU=a/OU=b/CN=AD -days 3650 -addext keyUsage=critical,keyCertSign",
    );
    let certificate = open(&get(&directory, "ca.pem"), None).unwrap().certificates.remove(0);
    let key = open(&get(&directory, "ca.key"), None).unwrap().key.unwrap();
    let authority = Authority::open(&certificate, key).unwrap();
    openssl(
        &directory,
        "req -new -newkey rsa:2048 -nodes -keyout k.pem -out r.csr -subj /O=v/OU=x/OU=y+CN=multi -multivalue-rdn",
    );
    let request = read_request(&theirs(&directory, "r.csr")).unwrap();
    let now = facts(&certificate).unwrap().not_before + SignedDuration::from_mins(1);
    let made = authority.sign(&request, &CertProfile::entra_client(), 30, now).unwrap();
    put(&directory, "leaf.pem", Tool.certificate_pem(&made.der).as_bytes());
    openssl(&directory, "verify -partial_chain -CAfile ca.pem leaf.pem");
    let names = openssl(&directory, "x509 -in leaf.pem -noout -subject -issuer -nameopt RFC2253");
    assert!(names.contains("issuer=CN=AD,OU=b,OU=a,DC=contoso,DC=example"), "{names}");
    assert!(names.contains("OU=x,O=v") && names.contains('+'), "{names}");
}

#[test]
fn weak_forged_and_greedy_requests_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (authority, _) = ca(KeyType::EcP256);
    let new = "req -new -newkey rsa:2048 -nodes -keyout k.pem -subj /CN=x";
    for (name, how) in [
        ("sha1", format!("{new} -sha1")),
        ("md5", format!("{new} -md5")),
        ("short", "req -new -newkey rsa:1024 -nodes -keyout k.pem -subj /CN=x".to_owned()),
        (
            "small-exponent",
            "req -new -newkey rsa:2048 -pkeyopt rsa_keygen_pubexp:3 -nodes -keyout k.pem -subj /CN=x".into(),
        ),
        ("ed25519", "req -new -newkey ed25519 -nodes -keyout k.pem -subj /CN=x".into()),
        ("p521", "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-521 -nodes -keyout k.pem -subj /CN=x".into()),
        ("ca", format!("{new} -addext basicConstraints=CA:TRUE")),
        ("cert-sign", format!("{new} -addext keyUsage=keyCertSign")),
        ("salt", format!("{new} -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:222")),
        ("nameless", "req -new -newkey rsa:2048 -nodes -keyout k.pem -subj /".into()),
    ] {
        openssl(&directory, &format!("{how} -out {name}.csr"));
        let read = read_request(&theirs(&directory, &format!("{name}.csr"))).unwrap();
        let wrong = read.wrong.clone().unwrap_or_else(|| panic!("{name} is taken"));
        let words = match name {
            "sha1" => "SHA-1",
            "md5" => "MD5",
            "short" => "1024",
            "small-exponent" => "exponent 3",
            "ca" => "CA:TRUE",
            "cert-sign" => "keyCertSign",
            "salt" => "222",
            "nameless" => "empty",
            _ => "neither RSA nor EC",
        };
        assert!(wrong.contains(words), "{name}: {wrong}");
        let error = authority.sign(&read, &CertProfile::entra_client(), 30, at(NOW)).unwrap_err();
        assert_eq!(error, PkiError::Request(wrong), "{name}");
    }
    // PSS as it should be, and names that are not DNS.
    openssl(&directory, &format!("{new} -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -out pss.csr"));
    assert_eq!(read_request(&theirs(&directory, "pss.csr")).unwrap().wrong, None);
    openssl(&directory, &format!("{new} -addext subjectAltName=IP:10.0.0.1 -out ip.csr"));
    let read = read_request(&theirs(&directory, "ip.csr")).unwrap();
    let error = authority.sign(&read, &CertProfile::entra_client(), 30, at(NOW)).unwrap_err();
    assert!(matches!(&error, PkiError::Denied(why) if why.contains("IP address")), "{error}");
    // What it asks for besides is shown and not taken.
    openssl(&directory, &format!("{new} -addext extendedKeyUsage=serverAuth,codeSigning -out greedy.csr"));
    let read = read_request(&theirs(&directory, "greedy.csr")).unwrap();
    assert_eq!(read.ignored, ["extKeyUsage"]);
    let made = authority.sign(&read, &CertProfile::entra_client(), 30, at(NOW)).unwrap();
    assert_eq!(facts(&made.der).unwrap().extended_key_usage, ["clientAuth"]);
}

/// Any change of a signed request is noticed: to the subject, the key, the names, the signature.
#[test]
fn no_forged_request_passes() {
    let der = request(KeyType::EcP256, "CN=vendor-sync", &["sync.vendor.example"]);
    assert_eq!(read_request(&der).unwrap().wrong, None);
    let (mut malformed, mut refused) = (0, 0);
    for place in 0..der.len() {
        for bit in 0..8 {
            let mut forged = der.clone();
            forged[place] ^= 1 << bit;
            match read_request(&forged) {
                Err(_) => malformed += 1,
                Ok(read) => {
                    assert!(read.wrong.is_some(), "bit {bit} of byte {place} may be changed");
                    refused += 1;
                }
            }
        }
    }
    assert!(malformed > 100 && refused > 1_000, "{malformed} malformed, {refused} refused");
}

#[test]
fn dates_and_own_names_are_bounded() {
    let (authority, certificate) = ca(KeyType::EcP256);
    let client = CertProfile::entra_client();
    let good = read_request(&request(KeyType::EcP256, "CN=x", &[])).unwrap();
    let terms = authority.terms(&good, &client, 5_000, at(NOW)).unwrap();
    assert_eq!(terms.end.duration_since(terms.start), SignedDuration::from_hours(398 * 24));
    assert!(terms.shortened.unwrap().contains("398"));
    let short = CertProfile { max_days: 90, ..client.clone() };
    let terms = authority.terms(&good, &short, 180, at(NOW)).unwrap();
    assert_eq!(terms.end.duration_since(at(NOW)), SignedDuration::from_hours(90 * 24));
    // Near the CA's end, and after it.
    let late = at("2036-11-01T00:00:00Z");
    let terms = authority.terms(&good, &client, 180, late).unwrap();
    assert_eq!(terms.end, at("2036-11-18T09:00:00Z"));
    assert!(terms.shortened.unwrap().contains("2036-11-18"));
    for wrong in ["2036-11-18T09:00:00Z", "2026-11-20T07:00:00Z"] {
        assert!(matches!(authority.terms(&good, &client, 1, at(wrong)), Err(PkiError::Authority(_))), "{wrong}");
    }
    // Not before the CA itself began.
    assert_eq!(authority.terms(&good, &client, 1, at("2026-11-20T08:30:00Z")).unwrap().start, at(START));

    let same_name = read_request(&request(KeyType::EcP256, "CN=Team CA,O=Contoso", &[])).unwrap();
    assert!(matches!(authority.terms(&same_name, &client, 1, at(NOW)), Err(PkiError::Denied(_))));
    let key = Tool.generate_key(KeyType::EcP256).unwrap();
    let root = Authority::certificate(&key, "CN=Root", at(START), at(END)).unwrap();
    let same_key = read_request(&make_request(&key, "CN=x", &[]).unwrap()).unwrap();
    let root = Authority::open(&root.der, key).unwrap();
    assert!(matches!(root.terms(&same_key, &client, 1, at(NOW)), Err(PkiError::Denied(_))));
    // Neither another's key nor a leaf makes a CA.
    let other = Tool.generate_key(KeyType::EcP256).unwrap();
    assert!(matches!(Authority::open(&certificate, other), Err(PkiError::Mismatch)));
    let (key, leaf) = pair(KeyType::Rsa2048);
    assert!(matches!(Authority::open(&leaf.der, key), Err(PkiError::Authority(_))));
}
