//! Why the directory refuses an operation, in its own words. Which HTTP status and error code that is
//! on the wire, `graph::problem` decides.

use uuid::Uuid;

/// A refused operation. The messages are those that real clients match on (entra-contract 3 and 4.4).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// Another object already has this value of a property that must be unique.
    Duplicate {
        /// The property.
        property: &'static str,
    },
    /// A value is not acceptable.
    Invalid {
        /// What a client reads.
        message: String,
    },
    /// The end date of a certificate entry lies beyond the certificate, or in the past.
    KeyEndDate,
    /// The start date of a certificate entry lies before the certificate.
    KeyStartDate,
    /// No such object.
    NotFound {
        /// What was asked for.
        id: String,
    },
    /// An app management policy forbids it.
    Policy {
        /// What about it.
        breach: Breach,
        /// The policy.
        policy: Uuid,
    },
    /// The proof of possession is missing.
    ProofMissing,
    /// The proof of possession does not convince.
    ProofRejected,
}

/// What an app management policy forbids.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Breach {
    /// This sign-in audience.
    Audience,
    /// A credential that lives so long.
    Lifetime,
    /// This type of credential.
    Type,
}

impl Refusal {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid { message: message.into() }
    }

    pub(crate) fn no_object(id: Uuid) -> Self {
        Self::NotFound { id: id.to_string() }
    }
}
