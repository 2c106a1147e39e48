//! The small texts of SMTP: addresses in MAIL and RCPT, credentials in AUTH, names for mail files.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::CaughtMail;

/// The address in `FROM:<a@b> SIZE=…`; the null sender is empty. `None` when the brackets are missing.
pub(super) fn address(argument: &str, keyword: &str) -> Option<String> {
    let head = argument.get(..keyword.len())?;
    if !head.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let rest = argument[keyword.len()..].trim_start().strip_prefix('<')?;
    rest.split_once('>').map(|(address, _)| address.to_owned())
}

/// The number in a `SIZE=` parameter of MAIL.
pub(super) fn declared_size(argument: &str) -> Option<usize> {
    let mut parameters = argument.split_whitespace();
    parameters.find_map(|one| one.to_ascii_uppercase().strip_prefix("SIZE=").and_then(|size| size.parse().ok()))
}

/// Text that the client sent in base64.
pub(super) fn decoded(text: &str) -> Option<String> {
    String::from_utf8(BASE64_STANDARD.decode(text.trim()).ok()?).ok()
}

/// User and password of AUTH PLAIN: `authzid NUL user NUL password` in base64 (RFC 4616).
pub(super) fn plain(text: &str) -> Option<(String, String)> {
    let text = decoded(text)?;
    let mut parts = text.split('\0').skip(1);
    Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
}

/// A file name for a mail: from its subject where that is plain text, else from its first recipient.
pub(super) fn slug(mail: &CaughtMail) -> String {
    let text = String::from_utf8_lossy(&mail.data);
    let headers = text.lines().take_while(|line| !line.is_empty());
    let subject = headers.into_iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("subject").then(|| value.trim().to_owned())
    });
    let recipient = || mail.to.first().cloned().unwrap_or_default();
    let words = subject.filter(|subject| !subject.contains("=?")).unwrap_or_else(recipient).to_lowercase();
    let words = words.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut slug = words.collect::<Vec<_>>().join("-");
    slug.truncate(48);
    if slug.is_empty() { "mail".to_owned() } else { slug }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_out_of_their_brackets() {
        assert_eq!(address("FROM:<a@contoso.example> SIZE=12", "FROM:").as_deref(), Some("a@contoso.example"));
        assert_eq!(address("to: <b@contoso.example>", "TO:").as_deref(), Some("b@contoso.example"));
        assert_eq!(address("FROM:<>", "FROM:").as_deref(), Some(""));
        assert_eq!(address("FROM:a@contoso.example", "FROM:"), None);
        assert_eq!(address("é", "FROM:"), None);
        assert_eq!(declared_size("FROM:<a@contoso.example> BODY=8BITMIME size=12"), Some(12));
    }

    #[test]
    fn a_file_is_named_after_the_subject_or_the_recipient() {
        let mail = |subject: &str| CaughtMail {
            data: format!("To: x\r\nSubject: {subject}\r\n\r\nSubject: not this").into_bytes(),
            from: String::new(),
            to: vec!["d.okoro@contoso.example".to_owned()],
        };
        assert_eq!(
            slug(&mail("[Action by 5 May] Access reviews would stop")),
            "action-by-5-may-access-reviews-would-stop"
        );
        assert_eq!(slug(&mail("=?utf-8?b?w6k=?=")), "d-okoro-contoso-example");
        assert_eq!(slug(&mail("../../etc")), "etc");
    }
}
