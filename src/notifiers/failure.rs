//! What an SMTP failure means for the notice, told without the password.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::transport::smtp;

use crate::ports::PortError;
use crate::ports::Refusal;
use crate::secret::Fingerprint;
use crate::secret::Secret;

use super::templates;

/// A server's words are cut here, in characters.
const MAX_MESSAGE_CHARS: usize = 300;

/// Turns lettre's errors into ours, for one server.
pub(super) struct Failures {
    place: String,
    /// What a hostile server could echo: the password and its encodings, kept as length and digest.
    forbidden: Vec<(usize, Fingerprint)>,
}

impl Failures {
    pub(super) fn new(host: &str, port: u16, username: Option<&str>, password: Option<&Secret>) -> Self {
        let mut forbidden = Vec::new();
        if let Some(password) = password.filter(|password| !password.is_empty()) {
            let plain = [b"\0", username.unwrap_or_default().as_bytes(), b"\0", password.expose()].concat();
            let texts = [STANDARD.encode(password.expose()).into_bytes(), STANDARD.encode(plain).into_bytes()];
            forbidden.push((password.len(), password.fingerprint()));
            forbidden.extend(texts.iter().map(|text| (text.len(), Fingerprint::of(text))));
        }
        Self { place: format!("{host}:{port}"), forbidden }
    }

    /// The server greeted us and then did not answer a NOOP.
    pub(super) fn unready(&self) -> PortError {
        PortError::Unreachable { place: self.place.clone(), why: "the server does not answer".to_owned() }
    }

    pub(super) fn classify(&self, error: &smtp::Error) -> PortError {
        let why = self.words(error);
        let place = self.place.clone();
        if let Some(code) = error.status() {
            let status = u16::from(code);
            let refusal = Refusal { status, code: status.to_string(), message: why, request_id: None };
            return match status {
                // 4.x.x: not taken, and worth another try.
                400..=499 => PortError::Throttled { retry_after: None, request_id: None },
                // RFC 4954: authentication required, too weak, failed.
                530 | 534 | 535 | 538 => PortError::Denied(refusal),
                _ => PortError::Refused(refusal),
            };
        }
        if error.is_client() {
            return PortError::Refused(Refusal { code: "smtp".to_owned(), message: why, ..Refusal::default() });
        }
        // lettre has no question for this kind, only a name.
        if error.is_tls() || error.to_string().starts_with("Connection error") {
            return PortError::Unreachable { place, why };
        }
        PortError::Unsure { place, why, request_id: None }
    }

    /// The error and its causes in one line, bounded, and withheld when the server repeats the password.
    fn words(&self, error: &smtp::Error) -> String {
        let text = templates::line(&error.to_string());
        if self.repeats_password(&text) {
            return "the server's answer is withheld because it repeats the password".to_owned();
        }
        text.chars().take(MAX_MESSAGE_CHARS).collect()
    }

    fn repeats_password(&self, text: &str) -> bool {
        self.forbidden.iter().any(|(length, fingerprint)| {
            text.as_bytes().windows(*length).any(|window| Fingerprint::of(window) == *fingerprint)
        })
    }
}
