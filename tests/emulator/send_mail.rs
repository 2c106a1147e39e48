//! `sendMail`: both forms are caught as mails, and what Exchange refuses is refused.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use everkey::emulator::Quirks;
use everkey::emulator::directory::MICROSOFT_GRAPH;
use everkey::emulator::directory::PermissionKind;
use everkey::emulator::directory::permissions_of;
use serde_json::Value;
use serde_json::json;

use crate::support::Bench;
use crate::support::text;

const PATH: &str = "/users/everkey@contoso.example/sendMail";

fn mail() -> Value {
    let to = |address: &str| json!([{"emailAddress": {"address": address}}]);
    json!({
        "message": {
            "subject": "Secret of payroll ends on 5 May", "importance": "high",
            "body": {"contentType": "Text", "content": "Nothing to do."},
            "toRecipients": to("d.okoro@contoso.example"), "bccRecipients": to("blind@contoso.example"),
            "replyTo": to("platform@contoso.example"),
            "internetMessageHeaders": [{"name": "x-everkey-notice", "value": "7"}],
            "attachments": [{
                "@odata.type": "#microsoft.graph.fileAttachment", "name": "due.ics", "contentType": "text/calendar",
                "contentBytes": BASE64_STANDARD.encode("BEGIN:VCALENDAR"),
            }],
        },
        "saveToSentItems": "false",
    })
}

#[tokio::test]
async fn mails_are_caught_in_both_forms_and_only_from_those_who_may_send() {
    let bench = Bench::start().await;
    assert_eq!(bench.graph("POST", PATH, mail()).await.failure(), (403, "ErrorAccessDenied".to_owned()));
    let principal = bench.emulator.operator().service_principal_id;
    bench.emulator.with_directory(|directory, now| {
        let graph = directory.principal_by_app_id(MICROSOFT_GRAPH).unwrap().id;
        let mut offered = permissions_of(MICROSOFT_GRAPH).iter();
        let role = offered.find(|one| one.kind == PermissionKind::Application && one.name == "Mail.Send").unwrap();
        directory.assign_role(principal, graph, role.id, now).unwrap();
    });
    let token = bench.operator_token().await;
    let send = async |path: &str, body: Value| bench.graph_as(&token, "POST", path, body).await;
    let sent = send(PATH, mail()).await;
    assert_eq!(sent.expect(202), Value::Null);
    let mime = "Subject: by MIME\r\nTo: one@contoso.example\r\nCc: two@contoso.example\r\n\r\nHello\r\n";
    let raw = |body: String| {
        let request = bench.request(&token, "POST", PATH, Value::Null).header("content-type", "text/plain");
        bench.send(request.body(body))
    };
    raw(BASE64_STANDARD.encode(mime)).await.expect(202);
    assert_eq!(raw("not base64!".to_owned()).await.failure(), (400, "ErrorMimeContentInvalidBase64String".to_owned()));

    let caught = bench.emulator.mails();
    assert_eq!(caught.len(), 2);
    assert_eq!(caught[0].from, "everkey@contoso.example");
    assert_eq!(caught[0].to, ["d.okoro@contoso.example", "blind@contoso.example"]);
    let data = String::from_utf8(caught[0].data.clone()).unwrap();
    for part in [
        "Subject: Secret of payroll ends on 5 May\r\n",
        "Reply-To: platform@contoso.example\r\n",
        "x-everkey-notice: 7\r\n",
        "Importance: high\r\n",
        "Nothing to do.",
        "filename=\"due.ics\"",
        "Date: Fri, 20 Nov 2026 09:00:00",
    ] {
        assert!(data.contains(part), "{part:?} in\n{data}");
    }
    assert!(!data.contains("blind@"), "{data}");
    assert_eq!((&caught[1].data, caught[1].to.len()), (&mime.as_bytes().to_vec(), 2));
    let listed = bench.graph("GET", "/_emulator/mails", Value::Null).await.expect(200);
    assert_eq!(listed["mails"][1]["to"], json!(["one@contoso.example", "two@contoso.example"]));
    assert_eq!(text(&listed["mails"][0]["data"]), data);

    let changed = |pointer: &str, value: Value| {
        let mut mail = mail();
        *mail.pointer_mut(pointer).unwrap() = value;
        mail
    };
    let from = |address: &str| {
        let mut mail = mail();
        mail["message"]["from"] = json!({"emailAddress": {"address": address}});
        mail
    };
    let mime = BASE64_STANDARD.encode("From: d.okoro@contoso.example\r\nTo: one@contoso.example\r\n\r\nHello\r\n");
    assert_eq!(raw(mime).await.failure(), (403, "ErrorSendAsDenied".to_owned()));
    for (path, body, status, code) in [
        ("/users/nobody@elsewhere.example/sendMail", mail(), 404, "ErrorInvalidUser"),
        (PATH, json!({"message": {"subject": "to nobody"}}), 400, "ErrorInvalidRecipients"),
        (
            PATH,
            changed("/message/toRecipients/0/emailAddress/address", json!("no address")),
            400,
            "ErrorInvalidRecipients",
        ),
        (PATH, changed("/message/importance", json!("urgent")), 400, "BadRequest"),
        (PATH, from("d.okoro@contoso.example"), 403, "ErrorSendAsDenied"),
        (PATH, changed("/message/internetMessageHeaders/0/name", json!("Bcc")), 400, "InvalidInternetMessageHeader"),
        (PATH, changed("/message/attachments/0/contentBytes", json!("%")), 400, "ErrorInvalidRequest"),
        (
            PATH,
            changed("/message/attachments/0/contentBytes", json!("A".repeat(4_194_000 - 1000))),
            413,
            "ErrorMessageSizeExceeded",
        ),
    ] {
        assert_eq!(send(path, body).await.failure(), (status, code.to_owned()));
    }
    assert_eq!(bench.emulator.mails().len(), 2);
    send(PATH, from("Everkey@contoso.example")).await.expect(202);
    bench.emulator.set_quirks(Quirks { sends_as_anybody: true, ..Quirks::default() });
    send(PATH, from("d.okoro@contoso.example")).await.expect(202);
    assert_eq!(bench.emulator.mails().len(), 4);
}
