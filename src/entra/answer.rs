//! What the token endpoint answers: a token, or an AADSTS code.

use serde::Deserialize;
use serde::Deserializer;
use serde_json::Value;

use crate::http::Reply;
use crate::ports::PortError;
use crate::ports::Refusal;
use crate::secret::Secret;

/// A token as the endpoint gives it.
#[derive(Deserialize)]
pub(super) struct Token {
    /// The token itself.
    #[serde(deserialize_with = "secret")]
    pub access_token: Secret,
    /// Its validity in seconds from the answer on.
    #[serde(deserialize_with = "seconds")]
    pub expires_in: u32,
}

/// An error body of the token endpoint (`entra-contract.md` 1.5).
pub(super) struct Fault {
    /// AADSTS number, `None` when the body holds none.
    pub number: Option<u64>,
    /// First sentence of the description, without the code before it; bounded and escaped.
    pub message: String,
    refusal: Refusal,
}

impl Fault {
    /// Reads the error body of `reply`: `error_codes` first, else `AADSTS…` in the description.
    pub fn read(reply: &Reply) -> Self {
        let body: Value = serde_json::from_slice(reply.body.expose()).unwrap_or(Value::Null);
        let refusal = reply.refusal();
        let number = body["error_codes"][0]
            .as_u64()
            .or_else(|| number_in(body["error_description"].as_str().unwrap_or_default()));
        let message = match body["error_description"].as_str() {
            Some(description) => reply.conceal(first_sentence(description)),
            None => refusal.message.clone(),
        };
        Self { number, message, refusal }
    }

    /// `AADSTS7000215`, or the OAuth error where there is no number.
    pub fn code(&self) -> String {
        self.number.map_or_else(|| self.refusal.code.clone(), |number| format!("AADSTS{number}"))
    }

    /// The refusal with the AADSTS code as its code.
    pub fn into_refusal(self) -> Refusal {
        Refusal { code: self.code(), message: self.message, ..self.refusal }
    }
}

/// The reply of a token request, unless its status says that nothing can be concluded (429, 5xx, 3xx).
pub(super) enum Answer {
    /// A token.
    Token(Token),
    /// A definite no.
    No(Fault),
}

impl Answer {
    /// Sorts `reply`.
    ///
    /// # Errors
    /// [`PortError::Throttled`] for 429; [`PortError::Unsure`] for 408, 5xx, redirects and an unreadable success.
    pub fn read(reply: Reply) -> Result<Self, PortError> {
        match reply.status {
            400..=407 | 409..=428 | 430..=499 => Ok(Self::No(Fault::read(&reply))),
            _ => reply.accept()?.json().map(Self::Token),
        }
    }
}

/// The number after the first `AADSTS` in `text`.
fn number_in(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once("AADSTS")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

/// `AADSTS7000215: Invalid client secret provided. Ensure …` gives `Invalid client secret provided.`
fn first_sentence(description: &str) -> &str {
    let text = match description.split_once(": ") {
        Some((code, text)) if code.starts_with("AADSTS") => text,
        _ => description,
    };
    let line = text.lines().next().unwrap_or_default();
    line.split_inclusive(". ").next().unwrap_or_default().trim()
}

/// Takes a string over as a secret.
pub(super) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::from_text)
}

/// Seconds as a number or as text, where there are any; what cannot be read is none.
pub(super) fn seconds_if_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok())))
}

/// `3599` or `"3599"`: both are seen (`entra-contract.md` 1.1, 1.4).
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u32),
        Text(String),
    }
    match Either::deserialize(deserializer)? {
        Either::Number(seconds) => Ok(seconds),
        Either::Text(text) => text.parse().map_err(serde::de::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_found_in_the_description() {
        assert_eq!(number_in("AADSTS7000215: Invalid client secret"), Some(7_000_215));
        assert_eq!(number_in("see AADSTS53003."), Some(53003));
        for text in ["", "AADSTS", "AADSTS: x", "7000215", "AADSTS99999999999999999999999"] {
            assert_eq!(number_in(text), None, "{text}");
        }
    }

    #[test]
    fn the_first_sentence_stands_without_code_and_trace() {
        for (description, sentence) in [
            ("AADSTS7000215: Invalid client secret provided. Ensure it is.", "Invalid client secret provided."),
            ("AADSTS700016: Application was not found\r\nTrace ID: x", "Application was not found"),
            ("AADSTS50034: it's app: 'x' here", "it's app: 'x' here"),
            ("other: text", "other: text"),
            ("", ""),
        ] {
            assert_eq!(first_sentence(description), sentence);
        }
    }

    #[test]
    fn validity_may_be_a_number_or_text() {
        for body in [r#"{"access_token":"t","expires_in":3599}"#, r#"{"access_token":"t","expires_in":"3599"}"#] {
            assert_eq!(serde_json::from_str::<Token>(body).unwrap().expires_in, 3599);
        }
        assert!(serde_json::from_str::<Token>(r#"{"access_token":"t","expires_in":"soon"}"#).is_err());
    }
}
