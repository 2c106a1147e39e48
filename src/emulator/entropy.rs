//! Where ids, salts and secret values of the emulated tenant come from: SHA-256 in counter mode over a
//! key. A seed makes a run repeatable; without one the key is random. The key is never written to disk,
//! because whoever has it can compute every secret.

use std::fmt;

use aws_lc_rs::digest::SHA256;
use aws_lc_rs::digest::digest;
use serde::Deserialize;
use serde::Serialize;
use uuid::Builder;
use uuid::Uuid;

/// A deterministic source of ids and secret values.
#[derive(Clone, Serialize, Deserialize)]
pub struct Entropy {
    #[serde(skip, default = "random_key")]
    key: [u8; 32],
    /// Blocks drawn so far; kept on disk so that a reload with the same seed never repeats an id.
    drawn: u64,
}

impl Entropy {
    /// A source that repeats itself for equal seeds; 0 means a fresh random one.
    pub fn new(seed: u64) -> Self {
        Self { key: key(seed), drawn: 0 }
    }

    /// Gives a source read from disk its key again, at the place in the stream where it stopped.
    pub fn rekey(&mut self, seed: u64) {
        self.key = key(seed);
    }

    /// The next 32 bytes.
    pub fn bytes(&mut self) -> [u8; 32] {
        self.drawn += 1;
        sha256(&[&self.key[..], &self.drawn.to_be_bytes()].concat())
    }

    /// The next id, in the form of a random (version 4) UUID.
    pub fn uuid(&mut self) -> Uuid {
        let [head @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = self.bytes();
        Builder::from_random_bytes(head).into_uuid()
    }

    /// The next client secret: 40 characters in the shape of real ones (`abc8Q~…`), which secret
    /// scanners recognise.
    pub fn secret_text(&mut self) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_~";
        let bytes = [self.bytes(), self.bytes()].concat();
        // The first three are letters or digits: they are the public hint, so the slight bias is harmless.
        let hint = bytes.iter().take(3).map(|byte| ALPHABET[usize::from(*byte) % 62]);
        let rest = bytes.iter().skip(3).take(34).map(|byte| ALPHABET[usize::from(*byte & 63)]);
        hint.chain(*b"8Q~").chain(rest).map(char::from).collect()
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entropy").field("drawn", &self.drawn).finish_non_exhaustive()
    }
}

/// SHA-256 of `data`.
pub fn sha256(data: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, data).as_ref());
    out
}

fn key(seed: u64) -> [u8; 32] {
    match seed {
        0 => random_key(),
        seed => sha256(&[b"everkey emulator seed ".as_slice(), &seed.to_be_bytes()].concat()),
    }
}

fn random_key() -> [u8; 32] {
    let [a, b] = [Uuid::new_v4(), Uuid::new_v4()];
    let mut out = [0; 32];
    // aws-lc's generator does not fail once seeded; should it ever, two random UUIDs still are no constant.
    if aws_lc_rs::rand::fill(&mut out).is_err() {
        out = sha256(&[a.as_bytes().as_slice(), b.as_bytes()].concat());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_streams_and_no_seed_gives_a_fresh_one() {
        let draw = |seed| {
            let mut entropy = Entropy::new(seed);
            (entropy.uuid(), entropy.secret_text())
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert_ne!(draw(0), draw(0));
    }

    #[test]
    fn a_secret_has_the_shape_of_a_real_one() {
        let mut entropy = Entropy::new(1);
        for _ in 0..500 {
            let text = entropy.secret_text();
            assert_eq!(text.len(), 40, "{text}");
            assert_eq!(&text[3..6], "8Q~");
            assert!(text[..3].bytes().all(|byte| byte.is_ascii_alphanumeric()));
        }
    }

    #[test]
    fn the_key_is_not_written_and_not_shown() {
        let entropy = Entropy::new(42);
        let json = serde_json::to_string(&entropy).unwrap();
        assert_eq!(json, r#"{"drawn":0}"#);
        assert!(!format!("{entropy:?}").contains("key"));
    }
}
