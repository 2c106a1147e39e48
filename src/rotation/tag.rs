//! The tag at the end of a credential's `displayName` (rule D1): helps to find what an attempt made, never
//! proves ownership.

use super::numbers::DISPLAY_NAME_MAX;
use crate::model::RotationId;

/// A parsed tag.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tag {
    /// Six characters that name the store.
    pub instance: String,
    /// Rotation.
    pub rotation: RotationId,
    /// Attempt.
    pub attempt: u32,
}

/// `[ek1 <instance6>.<rotation>.<attempt>]`
pub fn tag(instance: &str, rotation: RotationId, attempt: u32) -> String {
    format!("[ek1 {instance}.{}.{attempt}]", rotation.0)
}

/// The vendor's description first, the tag behind it, at most 90 characters in all: the description is shortened.
pub fn display_name(description: &str, tag: &str) -> String {
    let room = DISPLAY_NAME_MAX.saturating_sub(tag.chars().count() + 1);
    let short: String = description.chars().filter(|c| !c.is_control()).take(room).collect();
    format!("{} {tag}", short.trim_end())
}

/// The tag at the end of a display name, if there is one.
pub fn parse(display_name: &str) -> Option<Tag> {
    let inner = display_name.strip_suffix(']')?;
    let (_, inner) = inner.rsplit_once("[ek1 ")?;
    let mut parts = inner.split('.');
    let tag = Tag {
        instance: parts.next()?.to_owned(),
        rotation: RotationId(parts.next()?.parse().ok()?),
        attempt: parts.next()?.parse().ok()?,
    };
    parts.next().is_none().then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_name_keeps_the_tag_whole_and_stays_within_ninety_characters() {
        let tag_text = tag("q7m2xa", RotationId(4_000_000), 12);
        for description in ["", "Reapit Access to Mailbox", &"ü".repeat(200)] {
            let name = display_name(description, &tag_text);
            assert!(name.chars().count() <= DISPLAY_NAME_MAX, "{name}");
            let parsed = parse(&name).expect("the tag is found");
            assert_eq!((parsed.rotation, parsed.attempt), (RotationId(4_000_000), 12));
        }
        assert_eq!(parse("[ek1 a.1.2.3]"), None);
        assert_eq!(parse("made by hand"), None);
    }
}
