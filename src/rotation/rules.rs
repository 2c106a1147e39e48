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
    /// In an emergency, disable sign-in before the new one is proven.
    EmergencyDisabledBeforeProof,
    /// Retire over a sink that cannot compare as soon as its consumer has read again: neither an overlap longer than
    /// Z nor a fresh read-back.
    PlainSinkNoDrain,
    /// Deliver a certificate, and remove one, while a PATCH that may still land was built without it.
    PatchWithoutDrain,
    /// Write a certificate into its sinks before Entra has it.
    DeliverBeforeUpload,
    /// Leave what a PATCH dropped of others as it is.
    NoPreImageRepair,
    /// Take everkey's own sign-ins in the report for the consumer's.
    OwnProbeCounts,
    /// Plan nothing after a rotation that nobody confirmed.
    NothingAfterSuperseded,
    /// Wait for a confirmation for ever.
    NoSuperseded,
    /// Let the report confirm as soon as the new one is used, whatever happens with the old one.
    ReportNewUsedAlone,
    /// Take 48 hours for quiet whatever the interval in which the consumer signs in.
    QuietTooShort,
    /// Capped audience: ask again at once when an answer was lost.
    CappedRetryAtOnce,
    /// Capped audience: ask again before a call that was sent can no longer land.
    CappedNoDrain,
    /// Capped audience: believe a single read.
    CappedOneRead,
    /// Capped audience: leave what has ended in its slot.
    CappedExpiredStays,
    /// Capped audience: once blocked, blocked for ever.
    CappedBlockedSticky,
    /// Sweep what a person adopted, because its name looks like ours.
    SweepAdopted,
    /// Let an adoption end although its removal is under way.
    UnadoptLate,
    /// Take a tag of this store for proof that it made the credential.
    TagIsOwnership,
    /// Take no notice of tags beyond the journal's counters, although only an older journal explains them.
    BeyondUnnoticed,
    /// Sweep although the sinks or the current credential show that the journal is an older one.
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
