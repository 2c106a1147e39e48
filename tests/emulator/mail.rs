//! The mail catcher, sent to by lettre as everkey sends: STARTTLS with the emulator's authority, AUTH.

use std::time::Duration;

use everkey::emulator::MailCatcher;
use everkey::emulator::MailOptions;
use everkey::emulator::Tls;
use lettre::AsyncSmtpTransport;
use lettre::AsyncTransport as _;
use lettre::Message;
use lettre::Tokio1Executor;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::authentication::Mechanism;
use lettre::transport::smtp::client::Certificate;
use lettre::transport::smtp::client::CertificateStore;
use lettre::transport::smtp::client::TlsParameters;
use tokio::io::AsyncBufReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::io::BufReader;
use tokio::net::TcpStream;

type Transport = AsyncSmtpTransport<Tokio1Executor>;

async fn catcher(dir: Option<std::path::PathBuf>) -> (MailCatcher, Tls) {
    let tls = Tls::generate().unwrap();
    let options = MailOptions {
        dir,
        listen: "127.0.0.1:0".parse().unwrap(),
        password: "correct horse".to_owned(),
        tls: tls.clone(),
        user: "everkey@contoso.example".to_owned(),
    };
    (MailCatcher::start(options).await.unwrap(), tls)
}

fn transport(catcher: &MailCatcher, tls: &Tls, password: &str, mechanism: Mechanism) -> Transport {
    let parameters = TlsParameters::builder("localhost".to_owned())
        .certificate_store(CertificateStore::None)
        .add_root_certificate(Certificate::from_pem(tls.ca_pem().as_bytes()).unwrap())
        .build_rustls()
        .unwrap();
    Transport::builder_dangerous("127.0.0.1")
        .port(catcher.address().port())
        .tls(lettre::transport::smtp::client::Tls::Required(parameters))
        .credentials(Credentials::new("everkey@contoso.example".to_owned(), password.to_owned()))
        .authentication(vec![mechanism])
        .timeout(Some(Duration::from_secs(20)))
        .build()
}

fn message(subject: &str, body: &str) -> Message {
    Message::builder()
        .from("Credential manager <everkey@contoso.example>".parse().unwrap())
        .to("priya.shah@contoso.example".parse().unwrap())
        .to("d.okoro@contoso.example".parse().unwrap())
        .subject(subject)
        .body(body.to_owned())
        .unwrap()
}

#[tokio::test]
async fn mails_are_caught_in_memory_and_as_files_with_their_dots() {
    let scratch = tempfile::tempdir().unwrap();
    let (catcher, tls) = catcher(Some(scratch.path().join("mails"))).await;
    for mechanism in [Mechanism::Plain, Mechanism::Login] {
        let sender = transport(&catcher, &tls, "correct horse", mechanism);
        sender.send(message("[Action by 5 May] It would stop", "one\r\n.\r\n..two\r\n.end")).await.unwrap();
        sender.send(message("Second in the same session", "x")).await.unwrap();
    }
    assert_eq!(catcher.count(), 4);
    let first = &catcher.mails()[0];
    assert_eq!(first.from, "everkey@contoso.example");
    assert_eq!(first.to, ["priya.shah@contoso.example", "d.okoro@contoso.example"]);
    let text = String::from_utf8(first.data.clone()).unwrap();
    assert!(text.ends_with("\r\n\r\none\r\n.\r\n..two\r\n.end\r\n"), "{text:?}");
    let file = std::fs::read(scratch.path().join("mails/0001-action-by-5-may-it-would-stop.eml")).unwrap();
    assert_eq!(file, first.data);
}

#[tokio::test]
async fn a_wrong_password_and_a_stranger_to_the_authority_are_turned_away() {
    let (catcher, tls) = catcher(None).await;
    let refused = transport(&catcher, &tls, "wrong", Mechanism::Plain).send(message("no", "x")).await.unwrap_err();
    assert!(refused.is_permanent(), "{refused}");
    assert_eq!(refused.status().unwrap().to_string(), "535");
    let other = Tls::generate().unwrap();
    let refused = transport(&catcher, &other, "correct horse", Mechanism::Plain).send(message("no", "x")).await;
    assert!(refused.is_err(), "the certificate is not from an authority that the client trusts");
    assert_eq!(catcher.count(), 0);
}

#[tokio::test]
async fn mails_are_refused_on_request_for_now_or_for_good() {
    let (catcher, tls) = catcher(None).await;
    let sender = transport(&catcher, &tls, "correct horse", Mechanism::Plain);
    catcher.refuse_next(1, 451);
    assert!(sender.send(message("later", "x")).await.unwrap_err().is_transient());
    catcher.refuse_next(1, 550);
    assert!(sender.send(message("never", "x")).await.unwrap_err().is_permanent());
    sender.send(message("now", "x")).await.unwrap();
    assert_eq!(catcher.count(), 1);
}

#[tokio::test]
async fn nothing_is_taken_in_the_clear_and_nothing_sent_ahead_of_tls_is_obeyed() {
    let (catcher, _) = catcher(None).await;
    let mut stream = BufReader::new(TcpStream::connect(catcher.address()).await.unwrap());
    let mut say = async |command: &str, lines: usize| {
        stream.get_mut().write_all(command.as_bytes()).await.unwrap();
        let mut reply = String::new();
        for _ in 0..lines {
            reply.clear();
            stream.read_line(&mut reply).await.unwrap();
        }
        reply[..3].to_owned()
    };
    assert_eq!(say("", 1).await, "220");
    assert_eq!(say("EHLO client.contoso.example\r\n", 7).await, "250");
    assert_eq!(say("AUTH PLAIN AGEAYg==\r\n", 1).await, "538");
    assert_eq!(say("MAIL FROM:<a@contoso.example>\r\n", 1).await, "530");
    assert_eq!(say("RCPT TO:<b@contoso.example>\r\n", 1).await, "503");
    assert_eq!(say("DATA\r\n", 1).await, "503");
    assert_eq!(say("NONSENSE\r\n", 1).await, "502");
    assert_eq!(say("NOOP\r\nRSET\r\n", 2).await, "250");
    assert_eq!(say("STARTTLS\r\nQUIT\r\n", 1).await, "220");
    // No handshake follows: the server gives up at the end of the stream, without a word.
    stream.get_mut().shutdown().await.unwrap();
    let mut rest = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await.unwrap_or_default();
    assert!(!rest.starts_with(b"221"), "the QUIT in the clear was dropped");
}
