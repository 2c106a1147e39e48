//! Answers: status, the few headers that matter, and a body that nobody prints.

use jiff::SignedDuration;
use jiff::Timestamp;
use reqwest::Response;
use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;
use zeroize::Zeroize;
use zeroize::Zeroizing;

use crate::ports::PortError;
use crate::secret::Secret;

use super::retry::http_date;
use super::retry::retry_after;

/// An answer of any status. Its body may hold a secret (addPassword, the token endpoint), so it is one.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The far side's time, from `Date`.
    pub date: Option<Timestamp>,
    /// Its request id: `request-id` of Graph, `x-ms-request-id` of the token endpoint and of vaults.
    pub request_id: Option<String>,
    /// How long it asks to wait, from `Retry-After`.
    pub retry_after: Option<SignedDuration>,
    /// What it says of its limits.
    pub throttle: Throttle,
    /// Host and port that answered, for people.
    pub place: String,
    /// The body, not longer than the request allowed.
    pub body: Secret,
    /// The id that it was asked with, for people.
    pub(super) sent_as: Option<String>,
    /// Secrets of the request, cut out of error messages.
    pub(super) hidden: Vec<Secret>,
}

/// What an answer says of the far side's limits (`entra-contract.md` 4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Throttle {
    /// How much of a limit is used, 1.0 being all of it: `x-ms-throttle-limit-percentage`.
    pub used: Option<f64>,
    /// What is limited: `x-ms-throttle-scope`.
    pub scope: Option<ThrottleScope>,
}

/// What a limit is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ThrottleScope {
    /// Reads and changes.
    Both,
    /// Reads.
    Read,
    /// Changes.
    Write,
}

impl Throttle {
    fn read(headers: &HeaderMap) -> Self {
        let used = text(headers, "x-ms-throttle-limit-percentage").and_then(|value| value.trim().parse().ok());
        let scope = text(headers, "x-ms-throttle-scope").and_then(|value| match value.split('/').nth(1)? {
            "Read" => Some(ThrottleScope::Read),
            "Write" => Some(ThrottleScope::Write),
            "ReadWrite" => Some(ThrottleScope::Both),
            _ => None,
        });
        Self { used: used.filter(|used: &f64| used.is_finite()), scope }
    }
}

impl Reply {
    /// Reads the body as JSON.
    ///
    /// # Errors
    /// [`PortError::Unsure`]: a success whose body cannot be read leaves open what happened.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, PortError> {
        // serde_json's own message may quote the body, so only its position is told.
        serde_json::from_slice(self.body.expose()).map_err(|error| PortError::Unsure {
            place: self.place.clone(),
            why: format!("the answer is not what was expected (line {}, column {})", error.line(), error.column()),
            request_id: self.call_id(),
        })
    }

    /// What the call is known by, when something is wrong with it.
    pub(super) fn call_id(&self) -> Option<String> {
        self.request_id.clone().or_else(|| self.sent_as.clone())
    }

    /// Reads the headers and the body of `response`.
    pub(super) async fn read(
        mut response: Response,
        place: String,
        max_bytes: usize,
        hidden: Vec<Secret>,
    ) -> Result<Self, PortError> {
        let headers = response.headers();
        let date = text(headers, "date").and_then(http_date);
        let request_id = text(headers, "request-id").or_else(|| text(headers, "x-ms-request-id")).map(super::clean);
        let unsure = |why: String| PortError::Unsure { place: place.clone(), why, request_id: request_id.clone() };
        let retry_after = text(headers, "retry-after").and_then(|value| retry_after(value, date));
        let throttle = Throttle::read(headers);
        let status = response.status().as_u16();

        let mut buffer = Buffer::new(response.content_length());
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if buffer.len() + chunk.len() > max_bytes => {
                    return Err(unsure(format!("the answer is longer than {max_bytes} bytes")));
                }
                Ok(Some(chunk)) => buffer.push(&chunk),
                Ok(None) => break,
                Err(error) => return Err(unsure(format!("the answer broke off: {}", super::client::cause(error)))),
            }
        }
        Ok(Self {
            status,
            date,
            request_id,
            retry_after,
            throttle,
            body: buffer.finish(),
            place,
            sent_as: None,
            hidden,
        })
    }
}

/// A header's value, when it is there and readable.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Collects a body without leaving copies behind when it grows.
struct Buffer(Zeroizing<Vec<u8>>);

impl Buffer {
    /// Largest room reserved on the word of a `Content-Length`, in bytes.
    const TRUSTED_BYTES: usize = 64 * 1024;

    fn new(announced: Option<u64>) -> Self {
        let room = announced.and_then(|length| usize::try_from(length).ok()).unwrap_or(4096);
        Self(Zeroizing::new(Vec::with_capacity(room.min(Self::TRUSTED_BYTES))))
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn push(&mut self, chunk: &[u8]) {
        let needed = self.0.len() + chunk.len();
        if needed > self.0.capacity() {
            let mut larger = Vec::with_capacity(needed.max(self.0.capacity() * 2));
            larger.extend_from_slice(&self.0);
            // Assigning drops the old vector through `Zeroizing`.
            self.0 = Zeroizing::new(larger);
        }
        self.0.extend_from_slice(chunk);
    }

    fn finish(mut self) -> Secret {
        // An exact fit, since `Secret` would otherwise shrink (and so move) it. The old one is zeroed.
        let secret = Secret::new(self.0.to_vec());
        self.0.zeroize();
        secret
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_in_many_chunks_arrives_whole() {
        let mut buffer = Buffer::new(Some(3));
        let mut expected = Vec::new();
        for number in 0..200u8 {
            let chunk = vec![number; usize::from(number)];
            buffer.push(&chunk);
            expected.extend(chunk);
        }
        assert_eq!(buffer.finish().expose(), expected);
    }

    #[test]
    fn what_is_said_of_limits_is_read_or_ignored() {
        let read = |used: &str, scope: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-ms-throttle-limit-percentage", used.parse().unwrap());
            headers.insert("x-ms-throttle-scope", scope.parse().unwrap());
            Throttle::read(&headers)
        };
        let some = read("0.9", "Tenant_Application/Write/8f0c/31aa");
        assert_eq!(some, Throttle { used: Some(0.9), scope: Some(ThrottleScope::Write) });
        for (used, scope) in [("NaN", "Write"), ("inf", ""), ("much", "a/b"), ("", "//")] {
            assert_eq!(read(used, scope), Throttle::default(), "{used} {scope}");
        }
    }

    #[test]
    fn a_huge_announcement_reserves_little() {
        assert!(Buffer::new(Some(u64::MAX)).0.capacity() <= Buffer::TRUSTED_BYTES);
    }
}
