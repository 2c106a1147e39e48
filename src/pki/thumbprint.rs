//! Digests of a certificate's DER, as Entra shows them.

use aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY;
use aws_lc_rs::digest::SHA256;
use aws_lc_rs::digest::digest;

use crate::model::Thumbprint;

/// SHA-1 in upper case, the name Entra gives a certificate. Not a proof of anything.
pub(super) fn sha1(der: &[u8]) -> Thumbprint {
    Thumbprint(digest(&SHA1_FOR_LEGACY_USE_ONLY, der).as_ref().iter().map(|byte| format!("{byte:02X}")).collect())
}

/// SHA-256 in lower case.
pub(super) fn sha256(der: &[u8]) -> String {
    digest(&SHA256, der).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
