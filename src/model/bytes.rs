//! DER as base64 in JSON: a certificate as a list of numbers is four times as long and slow to read.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize as _;
use serde::Serializer;
use serde::de::Error as _;

/// Writes it.
pub fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
    bytes.as_ref().map(|bytes| BASE64_STANDARD.encode(bytes)).serialize(to)
}

/// Reads it.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
    let text: Option<String> = Option::deserialize(from)?;
    text.map(|text| BASE64_STANDARD.decode(text).map_err(D::Error::custom)).transpose()
}
