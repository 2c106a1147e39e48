//! `sendMail` in its two forms, JSON and MIME (entra-contract 7.1). Nothing leaves the machine: mails are caught.

use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lettre::message::Attachment;
use lettre::message::Mailbox;
use lettre::message::MultiPart;
use lettre::message::SinglePart;
use lettre::message::header::ContentType;
use lettre::message::header::HeaderName;
use lettre::message::header::HeaderValue;
use mail_parser::MessageParser;
use serde::Deserialize;
use serde_json::Value;

use super::Problem;
use super::Request;
use super::problem::Answer;
use crate::emulator::call::Reply;
use crate::emulator::directory::Directory;
use crate::emulator::mail::CaughtMail;

/// Largest attachment of a sendMail; larger ones need an upload session, which is not emulated.
const ATTACHMENT_BYTES: usize = 3_000_000;
/// Most recipients of a mail.
const RECIPIENTS: usize = 500;

/// The body; the Python SDK writes its members with capitals.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Send {
    #[serde(alias = "Message")]
    message: Message,
    #[serde(default, alias = "SaveToSentItems")]
    save_to_sent_items: Value,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Message {
    attachments: Option<Vec<File>>,
    bcc_recipients: Option<Vec<Recipient>>,
    body: Option<Content>,
    cc_recipients: Option<Vec<Recipient>>,
    from: Option<Recipient>,
    importance: Option<String>,
    internet_message_headers: Option<Vec<Header>>,
    reply_to: Option<Vec<Recipient>>,
    subject: Option<String>,
    to_recipients: Option<Vec<Recipient>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    email_address: Address,
}

#[derive(Deserialize)]
struct Address {
    address: String,
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    content: String,
    #[serde(default)]
    content_type: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    content_bytes: String,
    #[serde(default)]
    content_type: Option<String>,
    name: String,
}

/// Answers a path below `/users`.
pub(super) fn route(request: &mut Request<'_>) -> Answer {
    let names = request.path.names(2);
    if !matches!(names.as_slice(), ["sendmail" | "microsoft.graph.sendmail"]) {
        return Err(Problem::unknown_segment(names.first().unwrap_or(&"users")));
    }
    let call = request.call;
    if call.method != Method::POST {
        return Err(Problem::method(call));
    }
    if !request.caller.has(&["Mail.Send"]) {
        let message = "Access is denied. Check credentials and try again.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "ErrorAccessDenied", message));
    }
    let user = request.path.segments.get(1).map(|segment| segment.raw.clone()).unwrap_or_default();
    let from = mailbox(&request.tenant.directory, &user).ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "ErrorInvalidUser", format!("The requested user '{user}' is invalid."))
    })?;
    let is_mime = call.header(header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/plain"));
    let mail = if is_mime { from_mime(&from, request)? } else { from_json(&from, request)? };
    request.tenant.catch(mail);
    Ok(Reply::empty(StatusCode::ACCEPTED))
}

/// The mailbox of a user, by id or address. Addresses of the tenant's domain need no user: they may be shared.
fn mailbox(directory: &Directory, user: &str) -> Option<String> {
    let known = user.parse().ok().and_then(|id| directory.user(id)).or_else(|| directory.user_by_mail(user));
    let shared = user.rsplit_once('@').filter(|(_, domain)| domain.eq_ignore_ascii_case(directory.domain()));
    known.map(|user| user.mail.clone()).or_else(|| shared.map(|_| user.to_owned()))
}

/// Whether the mailbox may write `written` as its sender.
fn check_sender(mailbox: &str, written: Option<&str>, request: &Request<'_>) -> Result<(), Problem> {
    let own = written.is_none_or(|written| written.eq_ignore_ascii_case(mailbox));
    if own || request.tenant.quirks.sends_as_anybody {
        return Ok(());
    }
    let message = "The user account which was used to submit this request does not have the right to send mail on behalf of the specified sending account.";
    Err(Problem::new(StatusCode::FORBIDDEN, "ErrorSendAsDenied", message))
}

fn from_mime(from: &str, request: &Request<'_>) -> Result<CaughtMail, Problem> {
    let text: Vec<u8> = request.call.body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let data = BASE64_STANDARD.decode(text).map_err(|_| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "ErrorMimeContentInvalidBase64String",
            "Invalid base64 string for MIME content.",
        )
    })?;
    let parsed = MessageParser::default().parse(&data).ok_or_else(no_recipient)?;
    let lists = [parsed.to(), parsed.cc(), parsed.bcc()].into_iter().flatten();
    let to: Vec<String> =
        lists.flat_map(|list| list.iter()).filter_map(|one| Some(one.address()?.to_owned())).collect();
    check_recipients(&to)?;
    let written = parsed.from().and_then(|list| list.first()).and_then(|one| one.address().map(str::to_owned));
    check_sender(from, written.as_deref(), request)?;
    Ok(CaughtMail { data, from: from.to_owned(), to })
}

fn from_json(from: &str, request: &Request<'_>) -> Result<CaughtMail, Problem> {
    let Send { message, save_to_sent_items } = request.body()?;
    // The documents send a text where a boolean belongs; both are taken.
    if !matches!(save_to_sent_items, Value::Null | Value::Bool(_) | Value::String(_)) {
        return Err(Problem::unreadable_body());
    }
    let lists = [&message.to_recipients, &message.cc_recipients, &message.bcc_recipients];
    let to: Vec<String> = lists.into_iter().flatten().flatten().map(|one| one.email_address.address.clone()).collect();
    check_recipients(&to)?;
    check_sender(from, message.from.as_ref().map(|one| one.email_address.address.as_str()), request)?;
    let mut builder = lettre::Message::builder().date(request.call.now.into());
    builder = builder.from(match &message.from {
        Some(written) => parsed(written)?,
        None => from.parse().map_err(|_| no_recipient())?,
    });
    for one in message.reply_to.iter().flatten() {
        builder = builder.reply_to(parsed(one)?);
    }
    for one in message.to_recipients.iter().flatten() {
        builder = builder.to(parsed(one)?);
    }
    for one in message.cc_recipients.iter().flatten() {
        builder = builder.cc(parsed(one)?);
    }
    // Blind copies are in the envelope alone; lettre takes them out of the headers.
    for one in message.bcc_recipients.iter().flatten() {
        builder = builder.bcc(parsed(one)?);
    }
    for Header { name, value } in message.internet_message_headers.iter().flatten() {
        let known = HeaderName::new_from_ascii(name.clone()).ok().filter(|_| name.to_lowercase().starts_with("x-"));
        let known = known.ok_or_else(|| {
            let message = format!("The internet message header name '{name}' should start with 'x-' or 'X-'.");
            Problem::new(StatusCode::BAD_REQUEST, "InvalidInternetMessageHeader", message)
        })?;
        builder = builder.raw_header(HeaderValue::new(known, value.clone()));
    }
    if let Some(importance) = &message.importance {
        let known = ["low", "normal", "high"].into_iter().find(|known| importance.eq_ignore_ascii_case(known));
        let known = known.ok_or_else(Problem::unreadable_body)?;
        let name = HeaderName::new_from_ascii_str("Importance");
        builder = builder.raw_header(HeaderValue::new(name, known.to_owned()));
    }
    let content = message.body.unwrap_or(Content { content: String::new(), content_type: None });
    let is_html = content.content_type.is_some_and(|kind| kind.eq_ignore_ascii_case("html"));
    let text = if is_html { SinglePart::html(content.content) } else { SinglePart::plain(content.content) };
    let mut parts = MultiPart::mixed().singlepart(text);
    for file in message.attachments.iter().flatten() {
        parts = parts.singlepart(attached(file)?);
    }
    let mail = builder.subject(message.subject.unwrap_or_default()).multipart(parts).map_err(|_| no_recipient())?;
    Ok(CaughtMail { data: mail.formatted(), from: from.to_owned(), to })
}

fn attached(file: &File) -> Result<SinglePart, Problem> {
    let refuse = |message: &str| Problem::new(StatusCode::BAD_REQUEST, "ErrorInvalidRequest", message);
    let bytes =
        BASE64_STANDARD.decode(&file.content_bytes).map_err(|_| refuse("The attachment is not valid base64."))?;
    if bytes.len() >= ATTACHMENT_BYTES {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "ErrorMessageSizeExceeded",
            "The message exceeds the maximum supported size.",
        ));
    }
    let kind = file.content_type.as_deref().and_then(|kind| ContentType::parse(kind).ok());
    let kind = kind.or_else(|| ContentType::parse("application/octet-stream").ok());
    Ok(Attachment::new(file.name.clone()).body(bytes, kind.ok_or_else(|| refuse("The attachment has no type."))?))
}

fn parsed(one: &Recipient) -> Result<Mailbox, Problem> {
    let address = one.email_address.address.parse().map_err(|_| no_recipient())?;
    Ok(Mailbox::new(one.email_address.name.clone(), address))
}

fn check_recipients(to: &[String]) -> Result<(), Problem> {
    if to.is_empty() || to.len() > RECIPIENTS { Err(no_recipient()) } else { Ok(()) }
}

fn no_recipient() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "ErrorInvalidRecipients", "At least one recipient is not valid.")
}
