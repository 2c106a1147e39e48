//! The switches of the test builds: each breaks one rule of the protocol, so that a test can show that the
//! rule is needed. A release cannot break any.

/// A rule that a test build can break. The names are those of the mutants in `rotation.md`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mutation {
    /// Write the sinks before the received secret is saved.
    DeliverBeforePersist,
    /// Deliver as soon as Graph shows it, without a sign-in.
    DeliverWithoutProbe,
    /// Build the PATCH body from the read alone.
    PatchFromReadOnly,
    /// Count a receipt whatever hand-off it was given for.
    ReceiptUnbound,
    /// Remove the old one as soon as the new one is delivered to any sink.
    RetireEarly,
    /// Sweep everything that is not current, foreign entries included.
    SweepEverything,
    /// Let the local clock alone decide that an old credential has ended.
    LocalClockAlone,
    /// Never sweep orphans.
    NoSweep,
    /// Sweep what the journal does not know: what others made.
    SweepForeign,
    /// In an emergency, remove the old one before the new one is proven.
    EmergencyBeforeProof,
    /// In an emergency, remove the old one before machines have the new one.
    EmergencyBeforeDelivery,
    /// In an emergency, remove the old one although a write of it may still land in a sink that cannot compare.
    EmergencyWithoutDrain,
    /// Sweep although the journal may be an older one.
    SweepOlder,
}

/// The rules in force.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    #[cfg(feature = "mutants")]
    broken: Option<Mutation>,
}

impl Rules {
    /// All rules but one.
    #[cfg(feature = "mutants")]
    pub fn without(mutation: Mutation) -> Self {
        Self { broken: Some(mutation) }
    }

    /// Whether this rule is broken; never in a release.
    #[cfg(feature = "mutants")]
    pub fn breaks(self, mutation: Mutation) -> bool {
        self.broken == Some(mutation)
    }

    /// Whether this rule is broken; never in a release.
    #[cfg(not(feature = "mutants"))]
    pub fn breaks(self, _mutation: Mutation) -> bool {
        false
    }
}
