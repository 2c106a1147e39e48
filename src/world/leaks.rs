//! Scans every file for every secret that ever lived, in the forms in which a leak would show: raw, base64 (both
//! alphabets), hex, URL- and JSON-escaped, UTF-16, and all of them inside gzip. Private keys as DER and PEM.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use flate2::read::GzDecoder;

use super::recorder::Recorder;
use crate::secret::Fingerprint;
use crate::secret::Secret;

/// No file of the demo is larger; a gzip bomb stops here.
const LARGEST: u64 = 64 << 20;

/// What a scan found.
#[derive(Default)]
pub(super) struct Scan {
    /// Files read.
    pub files: usize,
    /// Secrets looked for.
    pub secrets: usize,
    /// File and what was in it.
    pub copies: Vec<(PathBuf, &'static str)>,
}

/// Scans everything below `dir` but the paths for which `allowed` holds.
pub(super) fn scan(dir: &Path, recorder: &Recorder, allowed: impl Fn(&Path) -> bool) -> Scan {
    let mut needles: Vec<(Vec<u8>, &'static str)> = Vec::new();
    let secrets = recorder.with_all(|lived| {
        for (_, one) in lived {
            needles.extend(forms(&one.value).into_iter().map(|form| (form, one.what)));
        }
        lived.len()
    });
    let mut scan = Scan { secrets: secrets.unwrap_or_default(), ..Scan::default() };
    let Ok(finder) = AhoCorasick::new(needles.iter().map(|(form, _)| form)) else { return scan };
    let mut files = Vec::new();
    walk(dir, &mut files);
    for file in files {
        if allowed(&file) {
            continue;
        }
        scan.files += 1;
        let Ok(bytes) = fs::read(&file) else { continue };
        let mut found = BTreeSet::new();
        for content in layers(bytes) {
            found.extend(finder.find_iter(&content).map(|hit| needles[hit.pattern().as_usize()].1));
        }
        scan.copies.extend(found.into_iter().map(|what| (file.clone(), what)));
    }
    scan
}

/// The file as it is, without line breaks (PEM, folded headers), and unpacked.
fn layers(bytes: Vec<u8>) -> Vec<Vec<u8>> {
    let unpacked = bytes.starts_with(&[0x1f, 0x8b]).then(|| {
        let mut out = Vec::new();
        // What unpacks is scanned, even when the end is damaged.
        let _ = GzDecoder::new(bytes.as_slice()).take(LARGEST).read_to_end(&mut out);
        out
    });
    let joined: Vec<u8> = bytes.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    let unfolded = unfold_quoted_printable(&bytes);
    let mut layers = vec![bytes, joined, unfolded];
    layers.extend(unpacked);
    layers
}

/// A mail's body may break a value with `=\r\n`.
fn unfold_quoted_printable(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    text.replace("=\r\n", "").replace("=\n", "").replace("=3D", "=").into_bytes()
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        match fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_dir() => walk(&path, files),
            Ok(meta) if meta.is_file() => files.push(path),
            _ => {}
        }
    }
}

/// The forms of one secret. Values too short to be told from chance are not looked for.
fn forms(value: &Secret) -> Vec<Vec<u8>> {
    let raw = value.expose();
    if raw.len() < 12 {
        return Vec::new();
    }
    let hex: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![
        raw.to_vec(),
        BASE64_STANDARD_NO_PAD.encode(raw).into_bytes(),
        BASE64_URL_SAFE_NO_PAD.encode(raw).into_bytes(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
    ];
    if let Some(text) = value.expose_text() {
        let escaped: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        forms.push(escaped.into_bytes());
        forms.push(serde_json::to_string(text).unwrap_or_default().trim_matches('"').as_bytes().to_vec());
        forms.push(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
        forms.push(text.encode_utf16().flat_map(u16::to_be_bytes).collect());
    }
    forms.retain(|form| form.len() >= 12);
    forms.sort();
    forms.dedup();
    forms
}

/// A file name that tells nothing, for the sabotage that leaks.
pub(super) fn leak(dir: &Path, recorder: &Recorder) {
    let line = recorder.with_all(|lived: &[(Fingerprint, super::recorder::Lived)]| {
        lived.first().map(|(_, one)| BASE64_STANDARD_NO_PAD.encode(one.value.expose())).unwrap_or_default()
    });
    // The sabotage is what is tested; a failing write makes the test fail by itself.
    let _ = fs::write(dir.join("debug.log"), format!("response body: {}\n", line.unwrap_or_default()));
}
