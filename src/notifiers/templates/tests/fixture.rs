//! Notices of every kind.

use jiff::civil::date;

use crate::model::Notice;
use crate::model::NoticeHandoff;
use crate::model::NoticeIds;
use crate::model::NoticeKind;
use crate::model::Problem;
use crate::model::Reader;
use crate::model::StepLine;
use crate::model::Told;

pub(super) const FROM: &str = "everkey@contoso.example";

pub(super) fn handoff_ready() -> Notice {
    Notice {
        key: "reapit-lead-imports/primary/h-0192/ready/pm:priya.shah@contoso.example".to_owned(),
        kind: NoticeKind::HandoffReady,
        reader: Reader::Pm,
        stage: "ready".to_owned(),
        at: "2026-11-20T09:00:00Z".parse().unwrap(),
        timezone: "Europe/London".to_owned(),
        integration: "reapit-lead-imports".into(),
        title: "Reapit lead imports".to_owned(),
        impact: "New portal leads stop arriving in Reapit.".to_owned(),
        to: vec!["priya.shah@contoso.example".to_owned()],
        cc: vec!["platform@contoso.example".to_owned()],
        backup: Some("d.okoro@contoso.example".to_owned()),
        contact: "platform@contoso.example".to_owned(),
        word: "secret".to_owned(),
        stops_at: Some("2026-12-20T10:00:00Z".parse().unwrap()),
        new_until: Some("2027-05-19T09:00:00Z".parse().unwrap()),
        times_a_year: 2,
        handoff: Some(NoticeHandoff {
            id: "h-0192".into(),
            doer: "priya.shah@contoso.example".to_owned(),
            recipient_name: "Reapit support".to_owned(),
            place: "https://support.reapit.example".to_owned(),
            due: date(2026, 12, 4),
            opened: false,
        }),
        next_reminder: Some(date(2026, 11, 27)),
        told: Vec::new(),
        problem: None,
        steps: Vec::new(),
        ids: None,
        thread: "reapit-lead-imports/primary/1d2e3f40".to_owned(),
        calendar_sequence: 3,
        request: None,
        link: Some("https://everkey.contoso.example/h/0192".to_owned()),
        merged: Vec::new(),
        adopt: None,
    }
}

pub(super) fn failed() -> Notice {
    let step = |step: &str, outcome: &str, detail: &str, at: Option<&str>| StepLine {
        step: step.to_owned(),
        outcome: outcome.to_owned(),
        detail: detail.to_owned(),
        at: at.map(|at| at.parse().unwrap()),
    };
    Notice {
        kind: NoticeKind::Failed,
        reader: Reader::Engineer,
        stage: "14".to_owned(),
        integration: "enate-graph-mail".into(),
        title: "Enate e-mail cases".to_owned(),
        impact: "E-mail cases stop arriving and replies are not sent.".to_owned(),
        to: vec!["ops@contoso.example".to_owned()],
        word: "certificate".to_owned(),
        stops_at: Some("2026-12-04T09:00:00Z".parse().unwrap()),
        handoff: None,
        problem: Some(Problem {
            code: "G041".to_owned(),
            summary: "new certificate not accepted".to_owned(),
            fix: Some("everkey compare enate-graph-mail".to_owned()),
            request_id: Some("0c7d9f0e-0000-4000-8000-0000000000f1".to_owned()),
        }),
        steps: vec![
            step("stage", "ok", "certificate 6F2B...11D0 added", Some("2026-11-20T09:03:14Z")),
            step(
                "prove",
                "FAILED",
                "AADSTS700027: the certificate used to sign the client assertion is not registered on the application (6 tries in 10 minutes)",
                Some("2026-11-20T09:13:20Z"),
            ),
            step("deliver", "not started", "every sink still holds the old certificate", None),
            step("retire", "not started", "old certificate valid to 2026-12-04T09:00:00Z", None),
        ],
        ids: Some(NoticeIds {
            tenant_id: "8f0c1d52-0000-4000-8000-0000000031aa".into(),
            client_id: "2b61e0f4-0000-4000-8000-00000000c0de".into(),
            object_id: "51c0aa10-0000-4000-8000-0000000000ab".into(),
            key_id: Some("1d2e3f40-0000-4000-8000-000000000001".into()),
            run: Some("r-20261120-090312".to_owned()),
        }),
        link: Some("https://everkey.contoso.example/i/enate-graph-mail".to_owned()),
        ..handoff_ready()
    }
}

pub(super) fn escalation() -> Notice {
    let told = |person: &str, dates: &[(i8, i8)], answer: &str| Told {
        person: person.to_owned(),
        dates: dates.iter().map(|(month, day)| date(2026, *month, *day)).collect(),
        answer: answer.to_owned(),
    };
    Notice {
        kind: NoticeKind::Escalation,
        reader: Reader::Lead,
        stage: "7".to_owned(),
        at: "2026-12-13T09:00:00Z".parse().unwrap(),
        to: vec!["it-lead@contoso.example".to_owned()],
        told: vec![
            told("priya.shah@contoso.example", &[(11, 20), (11, 27), (12, 4)], "not opened"),
            told("d.okoro@contoso.example", &[(12, 4)], "opened, no answer"),
        ],
        ..handoff_ready()
    }
}

pub(super) fn of(kind: NoticeKind, reader: Reader) -> Notice {
    let base = match reader {
        Reader::Engineer => failed(),
        Reader::Lead => escalation(),
        Reader::Pm => handoff_ready(),
    };
    let merged = if kind == NoticeKind::Summary { vec![handoff_ready(), failed(), of_stopped()] } else { Vec::new() };
    let problem = if kind == NoticeKind::Failed { base.problem.clone() } else { None };
    let handoff = if kind == NoticeKind::Failed { None } else { base.handoff.clone() };
    Notice { kind, reader, merged, problem, handoff, ..base }
}

pub(super) fn of_stopped() -> Notice {
    Notice {
        kind: NoticeKind::Stopped,
        stage: "-2".to_owned(),
        at: "2026-12-22T09:00:00Z".parse().unwrap(),
        next_reminder: Some(date(2026, 12, 23)),
        ..handoff_ready()
    }
}

/// A certificate of somebody else is gone.
pub(super) fn vanished() -> Notice {
    let summary = "certificate \"DR site\" (1d2e3f40-0000-4000-8000-000000000001) with thumbprint \
                   6F1A0000000000000000000000000000000090C2 is gone from \"Enate Prod\"; a change by everkey whose answer was \
                   lost may have dropped it";
    Notice {
        kind: NoticeKind::Vanished,
        stage: "vanished".to_owned(),
        title: "Enate Prod".to_owned(),
        word: "certificate".to_owned(),
        at: "2026-11-20T09:23:00Z".parse().unwrap(),
        contact: "ops@contoso.example".to_owned(),
        problem: Some(Problem {
            code: "A041".to_owned(),
            summary: summary.to_owned(),
            fix: Some("ask whose it is; if nobody took it away, add the same certificate again".to_owned()),
            request_id: None,
        }),
        steps: Vec::new(),
        link: None,
        ..failed()
    }
}

pub(super) const KINDS: [NoticeKind; 12] = [
    NoticeKind::Done,
    NoticeKind::Emergency,
    NoticeKind::Escalation,
    NoticeKind::Failed,
    NoticeKind::HandoffReady,
    NoticeKind::Operation,
    NoticeKind::Reminder,
    NoticeKind::Resolved,
    NoticeKind::Stopped,
    NoticeKind::Summary,
    NoticeKind::Test,
    NoticeKind::Welcome,
];

pub(super) const READERS: [Reader; 3] = [Reader::Engineer, Reader::Lead, Reader::Pm];

/// Every kind for every reader, with and without a hand-off, a link and an end.
pub(super) fn all() -> Vec<Notice> {
    let mut all = Vec::new();
    for kind in KINDS {
        for reader in READERS {
            let full = of(kind, reader);
            let mut bare = full.clone();
            bare.link = None;
            let mut alone = bare.clone();
            alone.handoff = None;
            alone.backup = None;
            alone.next_reminder = None;
            let mut first = full.clone();
            first.stops_at = None;
            first.new_until = None;
            let mut nothing = first.clone();
            nothing.handoff = None;
            nothing.link = None;
            all.extend([full, bare, alone, first, nothing]);
        }
    }
    all
}
