//! The token of a workload: what its platform (Kubernetes, GitHub, another cloud) says it is, in place of a secret.

use std::fmt;

use crate::ports::PortError;
use crate::ports::Refusal;
use crate::secret::Secret;

/// The code of [`Refusal`] when the workload's token cannot be read.
pub const UNREADABLE: &str = "WorkloadTokenUnreadable";

/// Reads the token.
type Read = Box<dyn Fn() -> Result<Secret, String> + Send + Sync>;

/// Where the token is read from, anew for each sign-in: platforms renew it every few minutes or hours.
pub struct Workload(Read);

impl Workload {
    /// A token that `read` gives, or says why not.
    pub fn new(read: impl Fn() -> Result<Secret, String> + Send + Sync + 'static) -> Self {
        Self(Box::new(read))
    }

    /// The token now.
    pub(super) fn token(&self) -> Result<Secret, PortError> {
        let unreadable = |message: String| {
            PortError::Denied(Refusal { status: 0, code: UNREADABLE.to_owned(), message, request_id: None })
        };
        let token = (self.0)().map_err(unreadable)?;
        match token.expose_text().map(str::trim) {
            Some(text) if text.split('.').count() == 3 => Ok(Secret::from_text(text.to_owned())),
            _ => Err(unreadable("it holds no JSON web token".to_owned())),
        }
    }
}

impl fmt::Debug for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Workload(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_token_is_not_sent_and_not_shown() {
        let with = |text: &str| {
            let text = text.to_owned();
            Workload::new(move || Ok(Secret::from_text(text.clone()))).token()
        };
        assert_eq!(with("a.b.c\n").unwrap().expose_text(), Some("a.b.c"));
        for text in ["", "canary", "canary.b", "a.b.c.canary"] {
            let error = with(text).unwrap_err();
            assert_eq!(error.refusal().unwrap().code, UNREADABLE);
            assert!(!format!("{error:?}").contains("canary"));
        }
    }
}
