//! The beta sign-in report per credential (`entra-contract.md` 5b): Global cloud, licence, AuditLog.Read.All.

use jiff::Timestamp;
use serde::Deserialize;

use crate::ports::PortError;
use crate::ports::Refusal;
use crate::ports::SignInActivity;

use super::Graph;

/// Graph of the national clouds, where there is no such report: nobody asks there.
const WITHOUT_REPORT: [&str; 3] = ["graph.microsoft.us", "dod-graph.microsoft.us", "microsoftgraph.chinacloudapi.cn"];

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
        if is_national(&self.site.place()) {
            return Err(PortError::Refused(Refusal {
                code: "NoReport".into(),
                message: "the sign-in report exists in the global cloud only".into(),
                ..Refusal::default()
            }));
        }
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

/// Whether `place` (host, perhaps with a port) is a national cloud's Graph.
fn is_national(place: &str) -> bool {
    let host = place.split(':').next().unwrap_or(place);
    WITHOUT_REPORT.iter().any(|known| host.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_national_clouds_go_without_the_report() {
        for place in ["graph.microsoft.us", "dod-graph.microsoft.us:443", "MicrosoftGraph.chinacloudapi.cn"] {
            assert!(is_national(place), "{place}");
        }
        for place in ["graph.microsoft.com", "127.0.0.1:8443", "graph.microsoft.us.evil.example"] {
            assert!(!is_national(place), "{place}");
        }
    }
}
