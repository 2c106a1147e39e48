//! The history's hash chain: each entry's hash covers all of it and the hash before.
//!
//! The chain shows damage and careless edits to anybody; the mark beside it ([`super::SealKey::mark`]) shows a
//! chain that was computed anew by somebody without the seal key. A whole store put back to an earlier state is
//! consistent in itself: that is what the counter in the tags is for (rule D1 of the rotation protocol).

use aws_lc_rs::digest;

use crate::model::ChainLink;

use super::seal::hex;

/// The hash before the first entry.
pub(super) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Everything of an entry that its hash covers, as it stands in the columns.
pub(super) struct Link {
    /// Position, from 1.
    pub(super) seq: i64,
    /// When, RFC 3339.
    pub(super) at: String,
    /// Who.
    pub(super) actor: String,
    /// Integration.
    pub(super) integration: Option<String>,
    /// Rotation.
    pub(super) rotation: Option<i64>,
    /// State of the rotation committed with it.
    pub(super) state: Option<String>,
    /// Version of the rotation committed with it.
    pub(super) version: Option<i64>,
    /// Kind.
    pub(super) kind: String,
    /// One line.
    pub(super) text: String,
    /// The event, JSON as it was written.
    pub(super) body: String,
}

impl Link {
    /// As others see it, with its hash.
    pub(super) fn shown(self, hash: String) -> ChainLink {
        let Self { seq, at, actor, integration, rotation, state, version, kind, text, body } = self;
        ChainLink { seq, at, actor, integration, rotation, state, version, kind, text, body, hash }
    }

    /// SHA-256, lower-case hex, after an entry whose hash is `previous`.
    pub(super) fn hash(&self, previous: &str) -> String {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"everkey history 1");
        let mut field = |value: Option<&[u8]>| match value {
            None => context.update(&[0]),
            Some(bytes) => {
                context.update(&[1]);
                context.update(&(bytes.len() as u64).to_be_bytes());
                context.update(bytes);
            }
        };
        field(Some(&self.seq.to_be_bytes()));
        field(Some(self.at.as_bytes()));
        field(Some(self.actor.as_bytes()));
        field(self.integration.as_deref().map(str::as_bytes));
        field(self.rotation.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
        field(self.state.as_deref().map(str::as_bytes));
        field(self.version.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
        field(Some(self.kind.as_bytes()));
        field(Some(self.text.as_bytes()));
        field(Some(self.body.as_bytes()));
        field(Some(previous.as_bytes()));
        hex(context.finish().as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> Link {
        Link {
            seq: 1,
            at: "2026-11-20T09:00:00Z".into(),
            actor: "everkey".into(),
            integration: None,
            rotation: None,
            state: None,
            version: None,
            kind: "sweep".into(),
            text: "text".into(),
            body: "{}".into(),
        }
    }

    #[test]
    fn text_moved_between_fields_gives_another_hash() {
        let moved = Link { actor: "every".into(), kind: "keysweep".into(), ..link() };
        let empty = Link { integration: Some(String::new()), ..link() };
        let shifted = Link { version: Some(1), ..link() };
        let other = Link { rotation: Some(1), ..link() };
        let hashes = [link(), moved, empty, shifted, other].map(|link| link.hash(GENESIS));
        for (i, one) in hashes.iter().enumerate() {
            assert!(!hashes[..i].contains(one), "{i}");
        }
    }

    #[test]
    fn the_hash_is_the_one_that_stands_in_stores_already_written() {
        // Another format would make every existing history look forged. Computed apart, with Python's hashlib.
        let first = link().hash(GENESIS);
        assert_eq!(first, "ba6de68f551149e6a736c55a263f64a75e12eba65cf5bc928b281ca23c876a12");
        let second = Link {
            seq: 2,
            integration: Some("reapit".into()),
            rotation: Some(7),
            state: Some("planned".into()),
            version: Some(1),
            ..link()
        };
        assert_eq!(second.hash(&first), "86f8ee549c6193bfcd6a2ede27aa12ae03c96de9aad97f41061c8709b9195a4b");
    }
}
