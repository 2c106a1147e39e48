//! What a file may ask for, checked before any work is done: its size, how deep it nests, and how much key
//! derivation its passwords cost.

use super::PkiError;
use super::tlv;
use super::tlv::Tlv;

/// No file of keys and certificates comes near this.
pub const LARGEST_FILE: usize = 4 << 20;

/// A PFX with a chain reaches 14, a certificate with many extensions 12.
const DEEPEST: usize = 32;

/// All derivations of a file together. Ours take three of 600,000, `openssl pkcs12 -iter 1000000` three of those.
const MOST_ROUNDS: u64 = 4_000_000;

/// scrypt's memory; `openssl pkcs8 -scrypt` takes 16 MiB.
const MOST_SCRYPT_BYTES: u64 = 64 << 20;

/// Certificates and keys in one file.
pub(super) const MOST_ITEMS: usize = 1_000;

/// PBKDF2 (RFC 8018), DER content of its identifier.
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
/// The six of PKCS#12 (RFC 7292, appendix C) begin so.
const PKCS12_PBE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01];
/// scrypt (RFC 7914).
const SCRYPT: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x04, 0x0b];

/// Refuses a file that is too large to be one of ours.
pub(super) fn size(bytes: &[u8]) -> Result<(), PkiError> {
    if bytes.len() > LARGEST_FILE {
        return Err(PkiError::TooMuch("it is larger than 4 MiB".into()));
    }
    Ok(())
}

/// Refuses DER that nests too deep, or that asks for too much key derivation in the part that can be read.
///
/// What lies inside an encrypted part shows itself only later: there p12-keystore's own limit per derivation
/// holds, and the caller's deadline.
pub(super) fn check(der: &[u8]) -> Result<(), PkiError> {
    let mut asked = Asked::default();
    if let Some((outer, _)) = Tlv::first(der) {
        mac_rounds(outer, &mut asked);
        walk(outer, 0, &mut asked)?;
    }
    if asked.rounds > MOST_ROUNDS {
        let rounds = if asked.rounds == u64::MAX { "countless".to_owned() } else { asked.rounds.to_string() };
        return Err(PkiError::TooMuch(format!(
            "it asks for {rounds} rounds of key derivation; up to {MOST_ROUNDS} are done"
        )));
    }
    if asked.scrypt_bytes > MOST_SCRYPT_BYTES {
        return Err(PkiError::TooMuch("it asks scrypt for more than 64 MiB of memory".into()));
    }
    Ok(())
}

#[derive(Default)]
struct Asked {
    rounds: u64,
    scrypt_bytes: u64,
}

/// `PFX ::= SEQUENCE { version, authSafe, macData SEQUENCE { digest, salt OCTET STRING, iterations INTEGER } }`.
fn mac_rounds(outer: Tlv<'_>, asked: &mut Asked) {
    let mac = outer.children().nth(2).filter(|mac| mac.tag == tlv::SEQUENCE);
    let rounds = mac.and_then(|mac| mac.children().nth(2)).and_then(Tlv::number);
    asked.rounds = asked.rounds.saturating_add(rounds.unwrap_or(0));
}

fn walk(at: Tlv<'_>, depth: usize, asked: &mut Asked) -> Result<(), PkiError> {
    if depth > DEEPEST {
        return Err(PkiError::TooMuch(format!("it nests deeper than {DEEPEST} levels")));
    }
    if at.tag == tlv::SEQUENCE {
        let mut children = at.children();
        if let (Some(name), Some(parameters)) = (children.next(), children.next())
            && name.tag == tlv::OID
            && parameters.tag == tlv::SEQUENCE
        {
            derivation(name.value, parameters, asked);
        }
    }
    if at.is_constructed() {
        for child in at.children() {
            walk(child, depth + 1, asked)?;
        }
    } else if at.tag == tlv::OCTET_STRING
        && let Some(inside) = Tlv::only(at.value).filter(|inside| inside.tag == tlv::SEQUENCE)
    {
        // The content of a PFX lies in octet strings.
        walk(inside, depth + 1, asked)?;
    }
    Ok(())
}

/// Adds what one key derivation asks for. The salt comes first, then the numbers.
fn derivation(name: &[u8], parameters: Tlv<'_>, asked: &mut Asked) {
    let numbers: Vec<u64> = parameters.children().filter_map(Tlv::number).collect();
    if name == PBKDF2 || name.starts_with(PKCS12_PBE) {
        asked.rounds = asked.rounds.saturating_add(numbers.first().copied().unwrap_or(0));
    } else if name == SCRYPT {
        let [cost, block, parallel] = [0, 1, 2].map(|place| numbers.get(place).copied().unwrap_or(1));
        let memory = 128u64.saturating_mul(cost).saturating_mul(block);
        asked.scrypt_bytes = asked.scrypt_bytes.max(memory);
        // One pass over 64 MiB costs about as much as 250,000 rounds.
        let passes = memory.saturating_mul(parallel) >> 8;
        asked.rounds = asked.rounds.saturating_add(passes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(tag: u8, value: &[u8]) -> Vec<u8> {
        let length = u32::try_from(value.len()).unwrap().to_be_bytes();
        [&[tag, 0x84][..], &length, value].concat()
    }

    #[test]
    fn nesting_is_refused_without_recursing_to_its_end() {
        let mut der = vec![0x05, 0x00];
        for _ in 0..10_000 {
            der = wrapped(0x30, &der);
        }
        assert!(matches!(check(&der), Err(PkiError::TooMuch(why)) if why.contains("deeper")));
    }

    fn derive(name: &[u8], numbers: &[&[u8]]) -> Vec<u8> {
        let mut parameters = wrapped(0x04, b"salt");
        for number in numbers {
            parameters.extend(wrapped(0x02, number));
        }
        wrapped(0x30, &[wrapped(0x06, name), wrapped(0x30, &parameters)].concat())
    }

    #[test]
    fn rounds_add_up_wherever_they_stand() {
        let million = &[0x0f, 0x42, 0x40][..];
        let one = derive(PBKDF2, &[million]);
        assert_eq!(check(&one), Ok(()));
        let hidden = wrapped(0x30, &wrapped(0x04, &wrapped(0x30, &one.repeat(5))));
        assert!(matches!(check(&hidden), Err(PkiError::TooMuch(why)) if why.contains("5000000 rounds")));
        let legacy = derive(&[PKCS12_PBE, &[3]].concat(), &[&[0x7f; 4]]);
        assert!(check(&legacy).is_err());
        assert!(
            matches!(check(&derive(PBKDF2, &[&[0x7f; 12]])), Err(PkiError::TooMuch(why)) if why.contains("countless"))
        );
    }

    #[test]
    fn scrypt_is_bounded_in_memory_and_passes() {
        assert_eq!(check(&derive(SCRYPT, &[&[0x40, 0], &[8], &[1]])), Ok(()), "openssl's own");
        assert!(check(&derive(SCRYPT, &[&[0x20, 0, 0], &[8], &[1]])).is_err(), "2 GiB");
        assert!(check(&derive(SCRYPT, &[&[0x40, 0], &[8], &[0x7f, 0]])).is_err(), "32512 passes");
    }

    #[test]
    fn size_is_bounded() {
        assert!(size(&vec![0; LARGEST_FILE]).is_ok() && size(&vec![0; LARGEST_FILE + 1]).is_err());
    }
}
