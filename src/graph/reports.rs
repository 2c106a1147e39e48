//! The beta sign-in report per credential (`entra-contract.md` 5b): Global cloud, licence, AuditLog.Read.All.

use jiff::Timestamp;
use serde::Deserialize;

use crate::ports::PortError;
use crate::ports::SignInActivity;

use super::Graph;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    key_id: String,
    sign_in_activity: Option<Last>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Last {
    last_sign_in_date_time: Option<Timestamp>,
    last_sign_in_request_id: Option<String>,
}

impl Graph {
    /// See [`crate::ports::Directory::sign_in_activities`].
    pub(super) async fn read_sign_in_report(&self) -> Result<Vec<SignInActivity>, PortError> {
        let lines: Vec<Line> = self.list("/beta/reports/appCredentialSignInActivities", &[]).await?;
        let shown = |line: Line| {
            let last = line.sign_in_activity?;
            Some(SignInActivity {
                key_id: line.key_id.to_ascii_lowercase().into(),
                last: last.last_sign_in_date_time?,
                request_id: last.last_sign_in_request_id,
            })
        };
        Ok(lines.into_iter().filter_map(shown).collect())
    }
}
