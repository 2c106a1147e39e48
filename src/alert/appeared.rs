//! `credential-appeared` (`mail.md` rule 15): somebody added a credential that everkey did not make. And the other way
//! round: one of somebody else is gone, and a call of everkey's may be the reason.

use jiff::Timestamp;

use crate::model::IntegrationName;
use crate::model::Listed;
use crate::model::Notice;
use crate::model::NoticeIds;
use crate::model::NoticeKind;
use crate::model::Problem;
use crate::model::Reader;

use super::Rules;
use super::build;
use super::merge;

/// A credential of somebody else, that came or went.
#[derive(Clone, Debug)]
pub struct Appeared {
    /// The policy that watches.
    pub integration: IntegrationName,
    /// The application's name.
    pub title: String,
    /// `app` or `sp`.
    pub place: &'static str,
    /// Its ids; `object_id` is the one of the holder.
    pub ids: NoticeIds,
    /// Who hears when no security address is configured.
    pub owner: String,
    /// Zone in which dates are written.
    pub timezone: String,
    /// The credential.
    pub listed: Listed,
    /// What tells it apart for good: its thumbprint, else its key id.
    pub identity: String,
}

/// The mails about what appeared, to `security_to`, else to whoever answers for it; more than ten become one.
pub fn appeared(found: &[Appeared], rules: &Rules, now: Timestamp) -> Vec<Notice> {
    merge::merge(found.iter().filter_map(|one| notice(one, rules, now)).collect(), now)
}

/// What is told of it in one line, also in the history.
pub fn sentence(one: &Appeared) -> String {
    let listed = &one.listed;
    let place = if one.place == "sp" { "service principal of " } else { "" };
    format!(
        "{} appeared on {place}{:?}, valid {} to {}; everkey did not make it",
        called(one),
        one.title,
        listed.start.strftime("%Y-%m-%d %H:%M UTC"),
        listed.end.strftime("%Y-%m-%d"),
    )
}

/// The mails about what is gone, to the same people.
pub fn vanished(lost: &[Appeared], rules: &Rules, now: Timestamp) -> Vec<Notice> {
    let mail = |one: &Appeared| {
        let mut notice = notice(one, rules, now)?;
        // It may come back, and go again.
        notice.key = format!("vanished/{}/{}/{now}", one.ids.object_id, one.identity);
        notice.thread.clone_from(&notice.key);
        notice.kind = NoticeKind::Vanished;
        notice.stage = "vanished".to_owned();
        notice.problem = Some(Problem {
            code: "A041".to_owned(),
            summary: vanished_sentence(one),
            fix: Some("ask whose it is; if nobody took it away, add the same certificate again".to_owned()),
            request_id: None,
        });
        Some(notice)
    };
    merge::merge(lost.iter().filter_map(mail).collect(), now)
}

/// What is told of it in one line, also in the history.
pub fn vanished_sentence(one: &Appeared) -> String {
    let thumbprint =
        one.listed.thumbprint.as_ref().map(|print| format!(" with thumbprint {print}")).unwrap_or_default();
    format!(
        "{}{thumbprint} is gone from {:?}; a change by everkey whose answer was lost may have dropped it",
        called(one),
        one.title,
    )
}

/// Kind, name and key id.
fn called(one: &Appeared) -> String {
    let name = one.listed.name.as_deref().map(|name| format!(" {name:?}")).unwrap_or_default();
    format!("{}{name} ({})", one.listed.kind.label(), one.listed.key_id)
}

fn notice(one: &Appeared, rules: &Rules, now: Timestamp) -> Option<Notice> {
    let to = rules.security_to.clone().or_else(|| rules.fallback_to.clone());
    let to = to.unwrap_or_else(|| one.owner.clone());
    if to.is_empty() {
        return None;
    }
    let key = format!("appeared/{}/{}", one.ids.object_id, one.identity);
    let mut notice = build::bare(key, NoticeKind::Appeared, &to, rules, now);
    notice.reader = Reader::Engineer;
    notice.stage = "appeared".to_owned();
    notice.integration = one.integration.clone();
    notice.title = one.title.clone();
    notice.timezone = one.timezone.clone();
    notice.contact = one.owner.clone();
    notice.word = one.listed.kind.label().to_owned();
    notice.stops_at = Some(one.listed.end);
    notice.problem = Some(Problem {
        code: "A040".to_owned(),
        summary: sentence(one),
        fix: Some(
            "ask who made it; if nobody did, remove it in Entra and look at the application's sign-ins".to_owned(),
        ),
        request_id: None,
    });
    notice.ids = Some(one.ids.clone());
    notice.link = None;
    Some(notice)
}
