//! Mails as a real SMTP server receives them: protected, signed in, whole, and told honestly when they are not.
//!
//! The server is aiosmtpd, written by others (`tests/support/smtp_server.py`); Python's own `email` package takes the
//! messages apart. `EVERKEY_TEST_PYTHON` names the interpreter, `python3` otherwise.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use everkey::alert;
use everkey::clock::ManualClock;
use everkey::model::Notice;
use everkey::model::NoticeHandoff;
use everkey::model::NoticeKind;
use everkey::model::Reader;
use everkey::notifiers::Smtp;
use everkey::notifiers::SmtpOptions;
use everkey::notifiers::SmtpTls;
use everkey::notifiers::preview;
use everkey::ports::Notifier;
use everkey::ports::PortError;
use everkey::secret::Secret;
use jiff::civil::Time;
use jiff::civil::date;
use serde_json::Value;
use tempfile::TempDir;

const PASSWORD: &str = "Canary-7q~pass";

/// A running server; it stops when its standard input closes.
struct Server {
    child: Child,
    directory: TempDir,
    port: u16,
}

impl Server {
    fn start(mode: &str) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a test names its interpreter by environment")]
        let python = std::env::var("EVERKEY_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let directory = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/smtp_server.py");
        let mut child = Command::new(&python)
            .arg(script)
            .arg(directory.path())
            .arg(mode)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("`{python}` does not start ({error}); set EVERKEY_TEST_PYTHON"));
        let ready = directory.path().join("ready");
        while !ready.exists() {
            if let Some(status) = child.try_wait().unwrap() {
                let words: Vec<String> =
                    BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok).collect();
                panic!(
                    "the SMTP server of this test ended ({status}): {}\ninstall what it needs: {python} -m pip install aiosmtpd cryptography icalendar",
                    words.join("\n")
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let port = std::fs::read_to_string(ready).unwrap().parse().unwrap();
        Self { child, directory, port }
    }

    fn options(&self, tls: SmtpTls) -> SmtpOptions {
        SmtpOptions {
            from: "Credential manager <everkey@contoso.example>".to_owned(),
            host: "localhost".to_owned(),
            port: self.port,
            tls,
            username: Some("everkey@contoso.example".to_owned()),
            password: Some(Secret::from_text(PASSWORD.to_owned())),
            ca_pem: Some(std::fs::read(self.directory.path().join("ca.pem")).unwrap()),
            timeout: Duration::from_secs(20),
            clock: Arc::new(ManualClock::new("2026-11-20T09:00:07Z".parse().unwrap())),
        }
    }

    fn mails(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.directory.path().join("mails.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn notice() -> Notice {
    Notice {
        key: "reapit-lead-imports/primary/h-0192/ready/pm:priya.shah@contoso.example".to_owned(),
        kind: NoticeKind::HandoffReady,
        reader: Reader::Pm,
        stage: "ready".to_owned(),
        at: "2026-11-20T09:00:00Z".parse().unwrap(),
        timezone: "Europe/London".to_owned(),
        integration: "reapit-lead-imports".into(),
        title: "Reapit lead imports".to_owned(),
        impact: "New portal leads stop arriving in Reapit.".to_owned(),
        to: vec!["priya.shah@contoso.example".to_owned()],
        cc: vec!["platform@contoso.example".to_owned()],
        backup: Some("d.okoro@contoso.example".to_owned()),
        contact: "platform@contoso.example".to_owned(),
        word: "secret".to_owned(),
        stops_at: Some("2026-12-20T10:00:00Z".parse().unwrap()),
        new_until: Some("2027-05-19T09:00:00Z".parse().unwrap()),
        times_a_year: 2,
        handoff: Some(NoticeHandoff {
            id: "h-0192".into(),
            doer: "priya.shah@contoso.example".to_owned(),
            recipient_name: "Reapit support, Zürich; night".to_owned(),
            place: "https://support.reapit.example".to_owned(),
            due: date(2026, 12, 4),
            opened: false,
        }),
        next_reminder: Some(date(2026, 11, 27)),
        told: Vec::new(),
        problem: None,
        steps: Vec::new(),
        ids: None,
        thread: "reapit-lead-imports/primary/1d2e3f40".to_owned(),
        calendar_sequence: 3,
        request: None,
        link: Some("https://everkey.contoso.example/h/0192".to_owned()),
        merged: Vec::new(),
        adopt: None,
    }
}

fn headers(mail: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    mail["headers"].as_array().unwrap().iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
}

#[tokio::test]
async fn a_mail_arrives_protected_signed_in_and_whole() {
    let server = Server::start("starttls");
    let smtp = Smtp::new(server.options(SmtpTls::StartTls)).unwrap();
    smtp.check().await.unwrap();
    smtp.notify(&notice()).await.unwrap();

    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert_eq!((&mail["tls"], &mail["signed_in"]), (&Value::Bool(true), &Value::Bool(true)));
    assert_eq!(mail["from"], "everkey@contoso.example");
    assert_eq!(mail["rcpt"], serde_json::json!(["priya.shah@contoso.example", "platform@contoso.example"]));

    let headers = headers(mail);
    assert_eq!(headers["Subject"], "[Action by 4 Dec] Reapit lead imports would stop on 20 December");
    assert_eq!(headers["From"], "Credential manager <everkey@contoso.example>");
    assert_eq!(headers["To"], "Priya Shah <priya.shah@contoso.example>");
    assert_eq!(headers["Cc"], "Platform <platform@contoso.example>");
    assert_eq!(headers["Date"], "Fri, 20 Nov 2026 09:00:07 +0000", "the clock's, not the machine's");
    assert_eq!(headers["Auto-Submitted"], "auto-generated");
    assert_eq!(headers["X-Everkey-Integration"], "reapit-lead-imports");
    assert_eq!((headers["X-Everkey-Kind"].as_str(), headers["X-Everkey-Stage"].as_str()), ("handoff-ready", "ready"));
    assert!(headers["Message-ID"].ends_with("@everkey.contoso.example>"), "{}", headers["Message-ID"]);

    let body = &mail["body"];
    assert_eq!(body["type"], "multipart/mixed");
    let (words, calendar) = (&body["parts"][0], &body["parts"][1]);
    assert_eq!(words["type"], "multipart/alternative");
    assert_eq!((&words["parts"][0]["type"], &words["parts"][1]["type"]), (&"text/plain".into(), &"text/html".into()));
    assert!(words["parts"][0]["content"].as_str().unwrap().contains("Zürich"));
    assert_eq!(
        (&calendar["type"], &calendar["method"], &calendar["disposition"]),
        (&"text/calendar".into(), &"PUBLISH".into(), &"attachment".into())
    );
    for part in [body, words, calendar, &words["parts"][0], &words["parts"][1]] {
        assert_eq!(part["defects"], serde_json::json!([]));
    }
    assert_eq!(
        calendar["entry"],
        serde_json::json!({
            "method": "PUBLISH",
            "uid": "reapit-lead-imports.49ea8b85@everkey.contoso.example",
            "sequence": 3,
            "start": "2026-12-04",
            "summary": "Give the new key to Reapit support, Zürich; night (Reapit lead imports stop on 20 Dec)",
            "alarms": 1,
        })
    );
    let raw = mail["raw"].as_str().unwrap();
    assert!(raw.is_ascii() && raw.lines().all(|line| line.len() <= 998));
    assert!(!raw.contains(PASSWORD));
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_log_at_any_level_holds_the_password() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let server = Server::start("starttls");
    let smtp = Smtp::new(server.options(SmtpTls::StartTls)).unwrap();
    let mut copied = notice();
    copied.cc.push("gone.person@contoso.example".to_owned());
    smtp.notify(&copied).await.unwrap();
    drop(guard);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("a recipient of a notice was refused"), "the log was captured: {text}");
    // The password, and the ends of its encodings in AUTH PLAIN and AUTH LOGIN.
    for form in [PASSWORD, "Q2FuYXJ5LTdxfnBhc3M", "AENhbmFyeS03cX5wYXNz", "BDYW5hcnktN3F+cGFzcw", "Y2FuYXJ5LTdxfnBhc3M"]
    {
        assert!(!text.contains(form), "{form} in {text}");
    }
    assert!(!text.contains("AUTH "), "{text}");
}

#[tokio::test]
async fn a_repeat_carries_the_same_id_and_a_thread_the_same_reference() {
    let server = Server::start("starttls");
    let smtp = Smtp::new(server.options(SmtpTls::StartTls)).unwrap();
    let mut later = notice();
    later.key = "reapit-lead-imports/primary/h-0192/half/pm:priya.shah@contoso.example".to_owned();
    for notice in [&notice(), &notice(), &later] {
        smtp.notify(notice).await.unwrap();
    }
    let mails = server.mails();
    let of = |index: usize, name: &str| headers(&mails[index])[name].clone();
    assert_eq!(of(0, "Message-ID"), of(1, "Message-ID"));
    assert_ne!(of(0, "Message-ID"), of(2, "Message-ID"));
    assert_eq!(of(0, "References"), of(2, "References"));
    assert_eq!(mails[0]["peer"], mails[2]["peer"], "one connection for mails in a row");
    assert_eq!(mails[0]["raw"], mails[1]["raw"]);
}

#[tokio::test]
async fn implicit_tls_works_and_plain_is_for_this_machine_only() {
    let server = Server::start("implicit");
    Smtp::new(server.options(SmtpTls::Implicit)).unwrap().notify(&notice()).await.unwrap();
    assert_eq!(server.mails().len(), 1);

    let server = Server::start("plain");
    let open = |host: &str| SmtpOptions {
        username: None,
        password: None,
        host: host.to_owned(),
        ..server.options(SmtpTls::None)
    };
    Smtp::new(open("127.0.0.1")).unwrap().notify(&notice()).await.unwrap();
    assert_eq!(server.mails().len(), 1);
    let refused = Smtp::new(open("smtp.contoso.example")).err().unwrap();
    assert_eq!(refused.code, "M002");
}

#[tokio::test]
async fn a_wrong_password_is_denied_and_never_repeated() {
    let server = Server::start("echo");
    let wrong = "Wrong-canary-91";
    let options =
        SmtpOptions { password: Some(Secret::from_text(wrong.to_owned())), ..server.options(SmtpTls::StartTls) };
    let error = Smtp::new(options).unwrap().notify(&notice()).await.unwrap_err();
    assert!(matches!(&error, PortError::Denied(refusal) if refusal.status == 535), "{error:?}");
    let told = format!("{error} {error:?}");
    assert!(!told.contains("canary") && !told.contains("V3JvbmctY2FuYXJ5"), "{told}");
    assert!(told.contains("withheld"), "{told}");
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn a_server_without_starttls_gets_neither_mail_nor_password() {
    let server = Server::start("stripped");
    let error = Smtp::new(server.options(SmtpTls::StartTls)).unwrap().notify(&notice()).await.unwrap_err();
    assert!(matches!(&error, PortError::Refused(refusal) if refusal.message.contains("STARTTLS")), "{error:?}");
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_not_trusted() {
    let server = Server::start("starttls");
    let other = Server::start("starttls");
    let ca_pem = other.options(SmtpTls::StartTls).ca_pem;
    let error =
        Smtp::new(SmtpOptions { ca_pem, ..server.options(SmtpTls::StartTls) }).unwrap().check().await.unwrap_err();
    assert!(matches!(&error, PortError::Unreachable { .. }), "{error:?}");
    // The right authority, another name.
    let renamed = Server::start("othername");
    let error = Smtp::new(renamed.options(SmtpTls::StartTls)).unwrap().notify(&notice()).await.unwrap_err();
    assert!(matches!(&error, PortError::Unreachable { why, .. } if why.contains("not valid for name")), "{error:?}");
    assert!(renamed.mails().is_empty());
}

#[tokio::test]
async fn a_server_that_is_down_or_busy_is_told_apart() {
    let server = Server::start("busy");
    let error = Smtp::new(server.options(SmtpTls::StartTls)).unwrap().notify(&notice()).await.unwrap_err();
    assert!(matches!(error, PortError::Throttled { .. }), "{error:?}");

    let options = server.options(SmtpTls::StartTls);
    let place = format!("localhost:{}", server.port);
    drop(server);
    let error = Smtp::new(options).unwrap().notify(&notice()).await.unwrap_err();
    assert!(matches!(&error, PortError::Unreachable { place: at, .. } if *at == place), "{error:?}");
}

#[tokio::test]
async fn one_dead_copy_silences_nobody_but_a_dead_addressee_is_an_error() {
    let server = Server::start("starttls");
    let smtp = Smtp::new(server.options(SmtpTls::StartTls)).unwrap();
    let mut copied = notice();
    copied.cc.insert(0, "gone.person@contoso.example".to_owned());
    smtp.notify(&copied).await.unwrap();
    let got: Vec<_> = server.mails().iter().map(|mail| mail["rcpt"][0].as_str().unwrap().to_owned()).collect();
    assert_eq!(got, ["priya.shah@contoso.example", "platform@contoso.example"]);

    let mut lost = notice();
    lost.to = vec!["gone.person@contoso.example".to_owned()];
    let error = smtp.notify(&lost).await.unwrap_err();
    assert!(matches!(&error, PortError::Refused(refusal) if refusal.status == 550), "{error:?}");
    assert_eq!(server.mails().len(), 2, "the copies are not told what the addressee is not");
}

#[tokio::test]
async fn hostile_names_and_titles_add_no_header_and_no_recipient() {
    let server = Server::start("starttls");
    let smtp = Smtp::new(server.options(SmtpTls::StartTls)).unwrap();
    let mut hostile = notice();
    let evil = "x\r\nBcc: thief@elsewhere.example\r\n\r\nbody\u{202e}\u{0}";
    hostile.title = evil.to_owned();
    hostile.integration = evil.into();
    hostile.stage = evil.to_owned();
    hostile.thread = evil.to_owned();
    hostile.to = vec!["\"A\r\nBcc: thief@elsewhere.example\" <priya.shah@contoso.example>".to_owned()];
    smtp.notify(&hostile).await.unwrap();
    let mails = server.mails();
    assert_eq!(mails[0]["rcpt"], serde_json::json!(["priya.shah@contoso.example", "platform@contoso.example"]));
    let headers = headers(&mails[0]);
    assert!(!headers.contains_key("Bcc"));
    assert_eq!(mails[0]["body"]["type"], "multipart/mixed");
    for value in headers.values() {
        assert!(!value.contains(['\r', '\n', '\u{202e}', '\0']), "{value:?}");
    }

    let mut nobody = notice();
    nobody.to = vec!["not an address".to_owned()];
    assert!(matches!(smtp.notify(&nobody).await, Err(PortError::Refused(_))));
}

#[tokio::test]
async fn what_alert_decides_can_be_sent() {
    let rules = alert::Rules {
        before_days: vec![30],
        send_at: Time::constant(9, 0, 0, 0),
        working_days_only: true,
        escalate_to: Vec::new(),
        security_to: None,
        fallback_to: Some("platform@contoso.example".to_owned()),
        public_url: None,
    };
    let now = "2026-11-20T09:00:00Z".parse().unwrap();
    let server = Server::start("starttls");
    let smtp = Smtp::new(server.options(SmtpTls::StartTls)).unwrap();
    smtp.notify(&alert::test_notice("priya.shah@contoso.example", &rules, now)).await.unwrap();
    assert_eq!(headers(&server.mails()[0])["Subject"], "[Test] everkey can send you mail; nothing to do");
}

#[test]
fn a_preview_is_the_whole_message() {
    let eml = preview(&notice());
    for header in
        ["Subject: [Action by 4 Dec] ", "Date: Fri, 20 Nov 2026 09:00:00 +0000", "From: ", "MIME-Version: 1.0"]
    {
        assert!(eml.contains(header), "{header} in {eml}");
    }
    assert_eq!(eml, preview(&notice()), "the same notice gives the same bytes");
}
