//! What the engine tells a face while it works. No secret fits in it.

use crate::model::Event;
use crate::model::Rotation;
use crate::rotation::Waiting;
use jiff::Timestamp;

/// Hears of every step; a face shows it.
pub trait Progress: Send + Sync {
    /// A step of provisioning was done.
    fn provisioned(&self, integration: &str, what: &str);

    /// An event was committed to a rotation, which now stands as given.
    fn committed(&self, rotation: &Rotation, event: &Event);

    /// A rotation waits.
    fn waiting(&self, rotation: &Rotation, until: Option<Timestamp>, why: &Waiting);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn provisioned(&self, _integration: &str, _what: &str) {}

    fn committed(&self, _rotation: &Rotation, _event: &Event) {}

    fn waiting(&self, _rotation: &Rotation, _until: Option<Timestamp>, _why: &Waiting) {}
}
