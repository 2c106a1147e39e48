//! Passwords of PFX files: made, and checked before they are used.

use zeroize::Zeroizing;

use super::PkiError;
use crate::secret::Secret;

/// ASCII only: `keytool` and some Windows tools cannot be given other characters reliably.
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// 24 characters of 62 are 142 bits, more than a key of 128.
const LENGTH: usize = 24;

/// A password of 24 random ASCII letters and digits, each equally likely.
pub(super) fn generate() -> Result<Secret, PkiError> {
    let mut password = Vec::with_capacity(LENGTH);
    let mut random = Zeroizing::new([0u8; 64]);
    while password.len() < LENGTH {
        aws_lc_rs::rand::fill(random.as_mut_slice()).map_err(|_| PkiError::Crypto("random numbers"))?;
        password.extend(random.iter().copied().filter_map(character).take(LENGTH - password.len()));
    }
    Ok(Secret::new(password))
}

/// The character for one random byte; `None` for the bytes that would make some characters likelier.
fn character(byte: u8) -> Option<u8> {
    let fair = ALPHABET.len() * (256 / ALPHABET.len());
    let index = usize::from(byte);
    (index < fair).then(|| ALPHABET[index % ALPHABET.len()])
}

/// The password as text, when PKCS#12 can carry it.
///
/// Refused: empty (tools disagree what that means), not UTF-8, control characters (a line end that came
/// with the file), and characters beyond the basic plane (PKCS#12 passwords are UCS-2).
pub(super) fn text(password: &Secret) -> Result<&str, PkiError> {
    let text = password.expose_text().ok_or(PkiError::Password("is not UTF-8 text"))?;
    if text.is_empty() {
        return Err(PkiError::Password("is empty"));
    }
    if text.chars().any(char::is_control) {
        return Err(PkiError::Password("has a control character, perhaps a line end"));
    }
    if text.chars().any(|character| u32::from(character) > 0xffff) {
        return Err(PkiError::Password("has a character that PKCS#12 cannot carry (an emoji, for example)"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_character_is_equally_likely() {
        let mut counts = BTreeMap::new();
        for byte in 0..=u8::MAX {
            if let Some(character) = character(byte) {
                *counts.entry(character).or_insert(0) += 1;
            }
        }
        assert_eq!(counts.len(), 62);
        assert!(counts.values().all(|count| *count == 4), "{counts:?}");
    }

    #[test]
    fn made_passwords_are_24_ascii_characters_and_differ() {
        let (a, b) = (generate().unwrap(), generate().unwrap());
        for password in [&a, &b] {
            assert_eq!(password.len(), 24);
            assert!(password.expose().iter().all(u8::is_ascii_alphanumeric));
        }
        assert_ne!(a.fingerprint(), b.fingerprint());
    }

    #[test]
    fn passwords_that_pkcs12_cannot_carry_are_refused() {
        for bad in ["", "ends in a line\n", "emoji 🔑"] {
            assert!(matches!(text(&Secret::from_text(bad.into())), Err(PkiError::Password(_))), "{bad:?}");
        }
        assert!(text(&Secret::new(vec![0xff, 0xfe])).is_err());
        assert!(text(&Secret::from_text("Pässwort für Priya".into())).is_ok());
    }
}
