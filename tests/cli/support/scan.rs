//! Looks for known secrets in streams and files, in every form in which a leak would show: raw, base64 (both
//! alphabets), hex, URL- and JSON-escaped, UTF-16, folded lines, and all of that inside gzip.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use flate2::read::GzDecoder;

/// Secrets, each with a name that may be shown.
#[derive(Default)]
pub struct Canaries {
    known: BTreeSet<(Vec<u8>, String)>,
}

impl Canaries {
    /// Remembers a value; text is taken without its line end.
    pub fn add(&mut self, name: &str, value: &[u8]) {
        let value = value.strip_suffix(b"\n").unwrap_or(value);
        assert!(value.len() >= 12, "{name} is too short to be told from chance");
        self.known.insert((value.to_vec(), name.to_owned()));
    }

    /// Remembers the private keys of a PEM file: the text between its marks and the DER.
    pub fn add_pem(&mut self, name: &str, text: &str) {
        for block in pem::parse_many(text).unwrap().iter().filter(|block| block.tag().contains("PRIVATE KEY")) {
            self.add(name, block.contents());
        }
    }

    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Names of what `bytes` holds.
    pub fn found_in(&self, bytes: &[u8]) -> BTreeSet<&str> {
        let forms: Vec<(Vec<u8>, &str)> = self
            .known
            .iter()
            .flat_map(|(value, name)| forms(value).into_iter().map(|form| (form, name.as_str())))
            .collect();
        let finder = AhoCorasick::new(forms.iter().map(|(form, _)| form)).unwrap();
        layers(bytes)
            .iter()
            .flat_map(|layer| finder.find_iter(layer).map(|hit| forms[hit.pattern().as_usize()].1).collect::<Vec<_>>())
            .collect()
    }

    /// Every file below `dir` that holds one, but those for which `allowed` holds; and how many were read.
    pub fn scan(&self, dir: &Path, allowed: &dyn Fn(&Path) -> bool) -> (usize, Vec<String>) {
        let (mut read, mut hits) = (0, Vec::new());
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let data = std::fs::symlink_metadata(&path).unwrap();
            if data.is_dir() {
                let (more, found) = self.scan(&path, allowed);
                read += more;
                hits.extend(found);
            } else if data.is_file() && !data.file_type().is_fifo() && !allowed(&path) {
                read += 1;
                let found = self.found_in(&std::fs::read(&path).unwrap());
                hits.extend(found.iter().map(|name| format!("{} holds {name}", path.display())));
            }
        }
        (read, hits)
    }
}

/// The bytes as they are, without line breaks (PEM, folded headers, quoted-printable), and unpacked.
fn layers(bytes: &[u8]) -> Vec<Vec<u8>> {
    let joined = bytes.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    let text = String::from_utf8_lossy(bytes);
    let unfolded = text.replace("=\r\n", "").replace("=\n", "").replace("=3D", "=").into_bytes();
    // A list of numbers is how serde writes bytes that nobody told it to encode.
    let numbers = numbers(&text);
    let mut layers = vec![bytes.to_vec(), joined, unfolded, numbers];
    let starts = bytes.windows(2).enumerate().filter(|(_, pair)| *pair == [0x1f, 0x8b]).map(|(at, _)| at);
    for start in starts {
        let mut out = Vec::new();
        // What unpacks is scanned, even when the end is damaged.
        let _ = GzDecoder::new(&bytes[start..]).take(64 << 20).read_to_end(&mut out);
        layers.push(out);
    }
    layers
}

fn numbers(text: &str) -> Vec<u8> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

fn forms(raw: &[u8]) -> Vec<Vec<u8>> {
    let hex: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![raw.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
    // Inside a longer text base64 begins at any of three places: the middle of each is the same every time.
    for skip in 0..3 {
        for text in [BASE64_STANDARD_NO_PAD.encode(&raw[skip..]), BASE64_URL_SAFE_NO_PAD.encode(&raw[skip..])] {
            forms.push(text.as_bytes()[..text.len() - 2].to_vec());
        }
    }
    if let Ok(text) = std::str::from_utf8(raw) {
        forms.push(url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().into_bytes());
        forms.push(serde_json::to_string(text).unwrap().trim_matches('"').as_bytes().to_vec());
        forms.push(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
        forms.push(text.encode_utf16().flat_map(u16::to_be_bytes).collect());
    }
    forms.sort();
    forms.dedup();
    forms
}
