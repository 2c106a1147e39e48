//! The one place for secret values: client secrets, private keys, PFX files and their passwords, tokens.
//!
//! A [`Secret`] shows nothing of itself: no `Display`, no `Serialize`, no `Clone`, a redacted `Debug`,
//! zeroed memory on drop. Whoever needs the bytes calls [`Secret::expose`], a word that can be searched for.

use std::fmt;

use secrecy::ExposeSecret;
use secrecy::SecretSlice;
use serde::Deserialize;
use serde::Serialize;

/// A value that must never be printed, logged, mailed or stored in the clear.
pub struct Secret(SecretSlice<u8>);

impl Secret {
    /// Takes over `bytes`; they are zeroed when the secret is dropped.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(SecretSlice::from(bytes))
    }

    /// Takes over `text`.
    pub fn from_text(text: String) -> Self {
        Self::new(text.into_bytes())
    }

    /// The bytes themselves. Keep the borrow short, and never copy them into a type that can be printed.
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// The text of a secret that was made of text; `None` when it is binary.
    pub fn expose_text(&self) -> Option<&str> {
        std::str::from_utf8(self.expose()).ok()
    }

    /// A second owner of the same bytes, for handing one value to several sinks. Named, so that it is seen.
    pub fn duplicate(&self) -> Self {
        Self::new(self.expose().to_vec())
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.expose().len()
    }

    /// Whether there are no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first three characters, which Entra shows as the `hint` of a client secret. Never more.
    pub fn hint(&self) -> String {
        self.expose_text().unwrap_or_default().chars().take(3).collect()
    }

    /// SHA-256 of the bytes. Only meaningful as a comparison, and only safe for values of high entropy.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.expose())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([REDACTED])")
    }
}

/// SHA-256 of delivered content, lower-case hex: what a sink is compared by.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Fingerprint(pub String);

impl Fingerprint {
    /// The fingerprint of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
        Self(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        let secret = Secret::from_text("Q3z8Q~canary".into());
        assert!(!format!("{secret:?}").contains("canary"));
        assert_eq!(secret.hint(), "Q3z");
    }
}
