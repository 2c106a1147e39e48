//! From a rendered mail to a MIME message: headers, parts, and ids that repeat when the notice does.

use jiff::Timestamp;
use lettre::Message;
use lettre::message::Mailbox;
use lettre::message::MultiPart;
use lettre::message::SinglePart;
use lettre::message::header::ContentDisposition;
use lettre::message::header::ContentType;
use lettre::message::header::HeaderName;
use lettre::message::header::HeaderValue;

use crate::model::Notice;
use crate::ports::PortError;
use crate::ports::Refusal;
use crate::secret::Fingerprint;

use super::templates;
use super::templates::CalendarPart;

/// What a notice would look like as a file of type `.eml`, without a server. The sender is a stand-in at the
/// domain of the contact.
pub fn preview(notice: &Notice) -> String {
    let domain = notice.contact.rsplit('@').next().map(|domain| domain.trim_end_matches('>')).unwrap_or_default();
    let made = mailbox(&format!("Credential manager <everkey@{domain}>"))
        .or_else(|_| mailbox("Credential manager <everkey@localhost>"))
        .and_then(|from| compose(notice, &from, notice.at));
    match made {
        Ok(message) => String::from_utf8_lossy(&message.formatted()).into_owned(),
        Err(error) => format!("this notice cannot become a mail: {error}\n"),
    }
}

/// Makes the message. The same notice gives the same `Message-ID`, so that receivers can drop repeats.
///
/// # Errors
/// [`PortError::Refused`] when an address is not one, or nobody is named.
pub(super) fn compose(notice: &Notice, from: &Mailbox, date: Timestamp) -> Result<Message, PortError> {
    let mail = templates::render(notice, from.email.as_ref());
    let domain = from.email.domain();
    let mut builder = Message::builder()
        .from(from.clone())
        .subject(mail.subject)
        .date(date.into())
        .message_id(Some(id(&notice.key, domain)))
        .references(id(&notice.thread, domain));
    for to in &notice.to {
        builder = builder.to(mailbox(to)?);
    }
    for cc in &notice.cc {
        builder = builder.cc(mailbox(cc)?);
    }
    let builder = builder
        .raw_header(header(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated"))
        .raw_header(header(HeaderName::new_from_ascii_str("X-Everkey-Integration"), notice.integration.as_str()))
        // `14` of a failure is another mail than `14` of a reminder.
        .raw_header(header(HeaderName::new_from_ascii_str("X-Everkey-Kind"), &kind(notice)))
        .raw_header(header(HeaderName::new_from_ascii_str("X-Everkey-Stage"), &notice.stage));
    let words = MultiPart::alternative()
        .boundary(boundary(&notice.key, "words"))
        .singlepart(SinglePart::plain(mail.text))
        .singlepart(SinglePart::html(mail.html));
    let mut body = MultiPart::mixed().boundary(boundary(&notice.key, "mail")).multipart(words);
    if let Some(calendar) = mail.calendar {
        body = body.singlepart(calendar_part(calendar)?);
    }
    builder.multipart(body).map_err(|error| refused(error.to_string()))
}

/// An address, with the name people call its owner by. Accepts `a@b` and `Name <a@b>`.
pub(super) fn mailbox(person: &str) -> Result<Mailbox, PortError> {
    // Names come from outside: lettre panics on a line end in a display name.
    let person = templates::line(person);
    let address = match person.rsplit_once('<') {
        Some((_, rest)) => rest.trim_end_matches('>'),
        None => &person,
    };
    let email = address.trim().parse().map_err(|_| refused(format!("`{person}` is not an e-mail address")))?;
    let name = templates::display_name(&person);
    Ok(Mailbox::new(Some(name).filter(|name| !name.is_empty()), email))
}

fn calendar_part(calendar: CalendarPart) -> Result<SinglePart, PortError> {
    let kind = format!("text/calendar; charset=utf-8; method={}", calendar.method);
    let kind = ContentType::parse(&kind).map_err(|error| refused(error.to_string()))?;
    Ok(SinglePart::builder().header(kind).header(ContentDisposition::attachment("everkey.ics")).body(calendar.body))
}

/// `handoff-ready`, `reminder`, as in the journal.
fn kind(notice: &Notice) -> String {
    let kind = serde_json::to_value(notice.kind).ok();
    kind.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

fn header(name: HeaderName, value: &str) -> HeaderValue {
    HeaderValue::new(name, templates::line(value))
}

fn id(text: &str, domain: &str) -> String {
    format!("<{}@everkey.{domain}>", &digest(text)[..32])
}

fn boundary(key: &str, part: &str) -> String {
    format!("everkey-{part}-{}", &digest(key)[..24])
}

fn digest(text: &str) -> String {
    Fingerprint::of(text.as_bytes()).0
}

pub(super) fn refused(message: String) -> PortError {
    PortError::Refused(Refusal { code: "mail".to_owned(), message, ..Refusal::default() })
}
