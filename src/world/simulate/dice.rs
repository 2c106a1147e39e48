//! Chance that repeats: a throw is named by words, so that it never depends on what was thrown before.

/// A number for these words under this seed. FNV-1a mixes the words in, SplitMix64 finishes; nothing here is secret.
pub(super) fn dice(seed: u64, words: &[&str]) -> u64 {
    let mut mixed = 0xcbf2_9ce4_8422_2325_u64 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for byte in words.iter().flat_map(|word| word.bytes().chain([0xff])) {
        mixed = (mixed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A throw between `least` and `most`, both included.
pub(super) fn between(seed: u64, words: &[&str], least: i64, most: i64) -> i64 {
    let span = u64::try_from(most - least).unwrap_or(0) + 1;
    least + i64::try_from(dice(seed, words) % span).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throw_repeats_and_words_do_not_run_together() {
        assert_eq!(dice(1, &["a", "b"]), dice(1, &["a", "b"]));
        assert_ne!(dice(1, &["a", "b"]), dice(1, &["ab"]));
        assert_ne!(dice(1, &["a"]), dice(2, &["a"]));
        let sides: std::collections::BTreeSet<i64> =
            (0..200).map(|throw| between(7, &[&throw.to_string()], 1, 6)).collect();
        assert_eq!(sides, (1..=6).collect());
    }
}
