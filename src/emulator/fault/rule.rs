//! Which requests a fault hits.

use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use serde::Deserialize;
use serde::Serialize;
use uuid::Uuid;

use super::Effect;

/// A fault that happens to the next `count` requests that match, then never again: the short form of a [`Rule`].
#[derive(Clone, Debug)]
pub struct Fault {
    /// How many requests it hits.
    pub count: u32,
    /// What happens to them.
    pub effect: Effect,
    /// The method, any when absent.
    pub method: Option<String>,
    /// A part of the path (any case); empty matches every path.
    pub path_contains: String,
}

/// Some requests, and what happens to them.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Only requests of this client id: of the token, or of the token request.
    #[serde(default)]
    pub caller: Option<Uuid>,
    /// Hits a request that it could hit with this probability, by the plan's seed.
    #[serde(default = "always")]
    pub chance: f64,
    /// How many requests it hits before it is used up.
    #[serde(default = "one")]
    pub count: u32,
    /// What happens to them.
    pub effect: Effect,
    /// The method, any when absent.
    #[serde(default)]
    pub method: Option<String>,
    /// A name for the log; its number in the plan when absent.
    #[serde(default)]
    pub name: Option<String>,
    /// The first matching request that it may hit, counted from 1.
    #[serde(default = "one")]
    pub nth: u32,
    /// A part of the path (any case); empty matches every path.
    #[serde(default)]
    pub path_contains: String,
}

fn always() -> f64 {
    1.0
}

fn one() -> u32 {
    1
}

impl From<Fault> for Rule {
    fn from(fault: Fault) -> Self {
        Self {
            caller: None,
            chance: always(),
            count: fault.count,
            effect: fault.effect,
            method: fault.method,
            name: None,
            nth: one(),
            path_contains: fault.path_contains,
        }
    }
}

impl Rule {
    /// Whether the request is of the kind that it hits.
    pub fn matches(&self, method: &str, path: &str, caller: Option<Uuid>) -> bool {
        self.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.caller.is_none_or(|wanted| caller == Some(wanted))
            && path.to_ascii_lowercase().contains(&self.path_contains.to_ascii_lowercase())
    }

    /// What makes no sense in it, in one sentence.
    pub fn nonsense(&self) -> Option<String> {
        if self.count == 0 {
            return Some("count is 0, so it never hits".into());
        }
        if self.nth == 0 {
            return Some("nth is 0; the first request is 1".into());
        }
        if !(self.chance > 0.0 && self.chance <= 1.0) {
            return Some(format!("chance is {}; it lies above 0 and is at most 1", self.chance));
        }
        if let Some(method) = &self.method
            && !["GET", "POST", "PATCH", "PUT", "DELETE"].contains(&method.to_ascii_uppercase().as_str())
        {
            return Some(format!("method is {method:?}; it is GET, POST, PATCH, PUT or DELETE"));
        }
        self.effect.nonsense()
    }
}

impl Effect {
    fn nonsense(&self) -> Option<String> {
        match self {
            Self::Answer { status, headers, .. } => {
                let header = headers.iter().find(|(name, value)| !is_header(name, value));
                not_a_status(*status, 200).or(header.map(|(name, _)| format!("{name:?} is no header with a value")))
            }
            Self::Status { code, .. } => not_a_status(*code, 200),
            Self::Redirect { status, to, .. } => {
                let known = [301, 302, 303, 307, 308].contains(status) && HeaderValue::from_str(to).is_ok();
                (!known)
                    .then(|| format!("a redirect by {status} to {to:?}; it is 301, 302, 303, 307 or 308 to an address"))
            }
            Self::Drip { bytes: 0, .. } => Some("drip with 0 bytes never ends; use stall".into()),
            Self::DelayEffect { .. }
            | Self::Drip { .. }
            | Self::NextLink { .. }
            | Self::Page { .. }
            | Self::ResetAfterEffect
            | Self::ResetBeforeEffect
            | Self::Spoil { .. }
            | Self::Stall { .. }
            | Self::Truncate { .. } => None,
        }
    }
}

fn is_header(name: &str, value: &str) -> bool {
    HeaderName::try_from(name).is_ok() && HeaderValue::from_str(value).is_ok()
}

fn not_a_status(code: u16, least: u16) -> Option<String> {
    let known = StatusCode::from_u16(code).is_ok_and(|code| (least..=599).contains(&code.as_u16()));
    (!known).then(|| format!("{code} is no status between {least} and 599"))
}
