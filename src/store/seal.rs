//! Encryption at rest: each value under a data key of its own, which the store's seal key wraps.
//!
//! AES-256-GCM with random nonces for both. The associated data is (tenant, object id, seal id), each with its
//! length before it, so a row moved to another place does not open. Of the seal key itself only keys derived
//! from it by HMAC-SHA-256 are kept: one wraps, one marks the history, one yields the key's public id.

use std::fmt;

use aws_lc_rs::aead::AES_256_GCM;
use aws_lc_rs::aead::Aad;
use aws_lc_rs::aead::Nonce;
use aws_lc_rs::aead::RandomizedNonceKey;
use aws_lc_rs::digest;
use aws_lc_rs::hmac;
use aws_lc_rs::rand;
use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::GeneralPurpose;
use base64::engine::GeneralPurposeConfig;
use zeroize::Zeroizing;

use crate::model::AppRef;
use crate::model::SealId;
use crate::ports::StoreError;
use crate::secret::Secret;

/// Bytes of a seal key and of a data key.
const KEY_BYTES: usize = 32;
/// Bytes of a nonce, which stands before its ciphertext.
const NONCE_BYTES: usize = 12;
/// Bytes of a tag, which stands after it.
const TAG_BYTES: usize = 16;
/// Bytes of a wrapped data key.
const WRAPPED_BYTES: usize = NONCE_BYTES + KEY_BYTES + TAG_BYTES;
/// First byte of a sealed value: this format.
const FORMAT: u8 = 1;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The key that seals the store. It lives outside the store (a file, an environment variable, a vault).
pub struct SealKey {
    wrap: RandomizedNonceKey,
    mac: hmac::Key,
    id: String,
}

impl SealKey {
    /// Reads a key of 32 bytes: as they are, or as text in hexadecimal or base64 (either alphabet, padded or
    /// not), with white space around it. The error says what was wrong, never what was given.
    pub fn read(given: Secret) -> Result<Self, StoreError> {
        let bytes = decode(given.expose()).ok_or_else(|| refused("it is not 32 bytes as raw, hex or base64"))?;
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return Err(refused("it is the same byte 32 times"));
        }
        let wrap = derive(&bytes, b"everkey store: wrap 1");
        let mac = derive(&bytes, b"everkey store: history 1");
        let public = derive(&bytes, b"everkey store: key id 1");
        let digest = digest::digest(&digest::SHA256, public.as_slice());
        Ok(Self {
            wrap: RandomizedNonceKey::new(&AES_256_GCM, wrap.as_slice()).map_err(|_| crypto("load the seal key"))?,
            mac: hmac::Key::new(hmac::HMAC_SHA256, mac.as_slice()),
            id: hex(&digest.as_ref()[..4]),
        })
    }

    /// A new key in base64, for the file or the vault that will hold it.
    pub fn generate() -> Result<Secret, StoreError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        rand::fill(bytes.as_mut_slice()).map_err(|_| crypto("make a seal key"))?;
        Ok(Secret::from_text(STANDARD.encode(bytes.as_slice())))
    }

    /// Eight hexadecimal digits that tell keys apart and tell nothing about them.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Seals `value` for `app` under the name `id`.
    pub(super) fn seal(&self, id: &SealId, app: &AppRef, value: &Secret) -> Result<Vec<u8>, StoreError> {
        let bound = bound(id, app);
        let mut data_key = Zeroizing::new([0; KEY_BYTES]);
        rand::fill(data_key.as_mut_slice()).map_err(|_| crypto("seal a value"))?;
        let inner = RandomizedNonceKey::new(&AES_256_GCM, data_key.as_slice()).map_err(|_| crypto("seal a value"))?;
        let mut sealed = vec![FORMAT];
        sealed.extend(encrypt(&self.wrap, &bound, data_key.as_slice())?);
        sealed.extend(encrypt(&inner, &bound, value.expose())?);
        Ok(sealed)
    }

    /// Opens what [`SealKey::seal`] made for the same app and name.
    pub(super) fn open(&self, id: &SealId, app: &AppRef, sealed: &[u8]) -> Result<Secret, StoreError> {
        self.try_open(&bound(id, app), sealed).ok_or_else(|| StoreError::Unseal(id.clone()))
    }

    /// The store's mark on a link of the history: whoever lacks the key cannot make it.
    pub(super) fn mark(&self, link: &str) -> String {
        hex(hmac::sign(&self.mac, link.as_bytes()).as_ref())
    }

    fn try_open(&self, bound: &[u8], sealed: &[u8]) -> Option<Secret> {
        let sealed = sealed.strip_prefix(&[FORMAT])?;
        let (wrapped, body) = sealed.split_at_checked(WRAPPED_BYTES)?;
        let data_key = decrypt(&self.wrap, bound, wrapped)?;
        let inner = RandomizedNonceKey::new(&AES_256_GCM, data_key.expose()).ok()?;
        decrypt(&inner, bound, body)
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKey({})", self.id)
    }
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The 32 bytes that `given` stands for.
fn decode(given: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    // 32 printable characters are a passphrase or half a key in hex: far from 256 bits of chance.
    if given.len() == KEY_BYTES && !given.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return Some(Zeroizing::new(given.to_vec()));
    }
    let text = given.trim_ascii();
    // Room for any text of 32 bytes, so that no copy of the key is left behind by growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * KEY_BYTES));
    if text.len() == 2 * KEY_BYTES {
        for pair in text.chunks_exact(2) {
            bytes.push(nibble(pair[0])? << 4 | nibble(pair[1])?);
        }
        return Some(bytes);
    }
    if text.len() > 2 * KEY_BYTES {
        return None;
    }
    let is_decoded = [STANDARD, URL_SAFE].iter().any(|engine| {
        bytes.clear();
        engine.decode_vec(text, &mut bytes).is_ok() && bytes.len() == KEY_BYTES
    });
    is_decoded.then_some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// A key for one use, from the seal key: HMAC-SHA-256 as a pseudo-random function.
fn derive(key: &[u8], purpose: &[u8]) -> Zeroizing<Vec<u8>> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    Zeroizing::new(hmac::sign(&key, purpose).as_ref().to_vec())
}

/// The associated data. Each part has its length before it, so that no two triples give the same bytes.
fn bound(id: &SealId, app: &AppRef) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in [app.tenant_id.as_str(), app.object_id.as_str(), id.as_str()] {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(part.as_bytes());
    }
    bytes
}

/// Nonce, ciphertext, tag.
fn encrypt(key: &RandomizedNonceKey, bound: &[u8], plain: &[u8]) -> Result<Vec<u8>, StoreError> {
    // Sized beforehand: growing would leave a copy of the plain value in freed memory.
    let mut buffer = Zeroizing::new(Vec::with_capacity(plain.len() + TAG_BYTES));
    buffer.extend_from_slice(plain);
    let nonce = key.seal_in_place_append_tag(Aad::from(bound), &mut *buffer).map_err(|_| crypto("seal a value"))?;
    Ok([nonce.as_ref().as_slice(), buffer.as_slice()].concat())
}

fn decrypt(key: &RandomizedNonceKey, bound: &[u8], sealed: &[u8]) -> Option<Secret> {
    let (nonce, body) = sealed.split_at_checked(NONCE_BYTES)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut buffer = Zeroizing::new(body.to_vec());
    let plain = key.open_in_place(nonce, Aad::from(bound), &mut buffer).ok()?;
    Some(Secret::new(plain.to_vec()))
}

fn refused(why: &str) -> StoreError {
    StoreError::Key(format!(
        "the seal key is not usable: {why}; a key is 32 random bytes, for example from `openssl rand -base64 32`"
    ))
}

fn crypto(what: &str) -> StoreError {
    StoreError::Failed(format!("cannot {what}: the cryptography library refused"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> AppRef {
        AppRef { tenant_id: "tenant".into(), object_id: "object".into(), client_id: "client".into() }
    }

    fn key(text: &str) -> Result<SealKey, StoreError> {
        SealKey::read(Secret::from_text(text.to_owned()))
    }

    #[test]
    fn every_spelling_of_a_key_is_the_same_key() {
        let bytes: Vec<u8> = (0..32).map(|i| 0xf0_u8.wrapping_add(i * 7)).collect();
        let raw = SealKey::read(Secret::new(bytes.clone())).unwrap();
        let padded = STANDARD.encode(&bytes);
        for text in [
            hex(&bytes),
            hex(&bytes).to_uppercase(),
            format!("\n {padded} \n"),
            padded.trim_end_matches('=').to_owned(),
            URL_SAFE.encode(&bytes),
        ] {
            assert_eq!(key(&text).unwrap().id(), raw.id(), "{text}");
        }
        assert_eq!(raw.id().len(), 8);
    }

    #[test]
    fn what_is_no_key_is_refused_without_repeating_it() {
        let bad = [
            "",
            "short",
            "sixteen bytes hx",
            "0123456789abcdef0123456789abcdef",
            "correct horse battery staple ...",
            &"0".repeat(64),
            &"ab".repeat(40),
            &"zz".repeat(32),
        ];
        for text in bad {
            let said = key(text).unwrap_err().to_string();
            assert!(said.contains("openssl rand"), "{said}");
            assert!(text.len() < 10 || !said.contains(text), "{said}");
        }
    }

    #[test]
    fn made_keys_differ_and_can_be_read() {
        let (one, two) = (SealKey::generate().unwrap(), SealKey::generate().unwrap());
        assert_ne!(SealKey::read(one).unwrap().id(), SealKey::read(two).unwrap().id());
    }

    #[test]
    fn the_key_id_is_no_digest_of_the_key() {
        let given = Secret::new((1..=32).chain([]).map(|i: u8| i.wrapping_mul(37)).collect());
        let digest = given.fingerprint().0;
        assert!(!digest.starts_with(SealKey::read(given).unwrap().id()));
    }

    #[test]
    fn a_value_opens_only_in_its_place() {
        let key = SealKey::read(SealKey::generate().unwrap()).unwrap();
        let id = SealId::from("1/1/secret");
        let value = Secret::from_text("Q3z8Q~canary".into());
        let sealed = key.seal(&id, &app(), &value).unwrap();
        assert_eq!(key.open(&id, &app(), &sealed).unwrap().expose(), value.expose());

        assert!(key.open(&"1/2/secret".into(), &app(), &sealed).is_err());
        for other in [
            AppRef { tenant_id: "other".into(), ..app() },
            AppRef { object_id: "other".into(), ..app() },
            // The same characters, divided otherwise.
            AppRef { tenant_id: "tenanto".into(), object_id: "bject".into(), ..app() },
        ] {
            assert!(matches!(key.open(&id, &other, &sealed), Err(StoreError::Unseal(_))));
        }
        let stranger = SealKey::read(SealKey::generate().unwrap()).unwrap();
        assert!(stranger.open(&id, &app(), &sealed).is_err());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let key = SealKey::read(SealKey::generate().unwrap()).unwrap();
        let id = SealId::from("1/1/secret");
        let sealed = key.seal(&id, &app(), &Secret::from_text("Q3z8Q~canary".into())).unwrap();
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert!(key.open(&id, &app(), &bent).is_err(), "byte {at}");
            assert!(key.open(&id, &app(), &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn equal_values_are_sealed_differently_and_debug_shows_no_key() {
        let text = SealKey::generate().unwrap();
        let key = SealKey::read(text).unwrap();
        let id = SealId::from("1/1/secret");
        let value = Secret::from_text(String::new());
        assert_ne!(key.seal(&id, &app(), &value).unwrap(), key.seal(&id, &app(), &value).unwrap());
        assert_eq!(format!("{key:?}"), format!("SealKey({})", key.id()));
    }
}
