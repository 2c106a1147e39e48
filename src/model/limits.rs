//! What the app management policies of a tenant allow on one application (`entra-contract.md` 3.7).

use jiff::SignedDuration;
use jiff::Span;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Audience;
use super::CredentialKind;
use super::CredentialSpec;

/// The restrictions that bind one application; without any, everything is allowed.
#[derive(Clone, Debug, Default)]
pub struct AppLimits {
    /// Id of the policy that they come from.
    pub policy: String,
    /// Its name.
    pub name: String,
    /// Audiences that an application may not have.
    pub audiences: Vec<Audience>,
    /// How long a certificate may live.
    pub certificate_lifetime: Option<Span>,
    /// Whether client secrets are forbidden.
    pub no_secrets: bool,
    /// How long a client secret may live.
    pub secret_lifetime: Option<Span>,
}

/// What a credential would be refused for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Breach {
    /// Its kind.
    Kind,
    /// Its lifetime, which may be this at most.
    Lifetime(SignedDuration),
}

impl AppLimits {
    /// What a credential like `spec`, made at `now`, would be refused for.
    pub fn breach(&self, spec: &CredentialSpec, now: Timestamp) -> Option<Breach> {
        let (forbidden, lifetime) = match spec.kind {
            CredentialKind::Certificate(_) => (false, self.certificate_lifetime),
            CredentialKind::ClientSecret => (self.no_secrets, self.secret_lifetime),
        };
        if forbidden {
            return Some(Breach::Kind);
        }
        // Months and years are as long as the calendar says.
        let latest = now.to_zoned(TimeZone::UTC).checked_add(lifetime?).ok()?.timestamp();
        let allowed = latest.duration_since(now);
        (spec.lifetime > allowed).then_some(Breach::Lifetime(allowed))
    }
}
