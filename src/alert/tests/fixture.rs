//! A credential, its people, and a clock that steps.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::civil::Time;
use jiff::civil::date;

use crate::alert::AlertInput;
use crate::alert::Rules;
use crate::alert::Situation;
use crate::alert::Watched;
use crate::alert::keys_of;
use crate::alert::look;
use crate::model::Acknowledgement;
use crate::model::AppRef;
use crate::model::Calendar;
use crate::model::Handoff;
use crate::model::HandoffId;
use crate::model::HandoffStatus;
use crate::model::HandoffVia;
use crate::model::IntegrationName;
use crate::model::Notice;
use crate::model::NoticeIds;
use crate::model::People;
use crate::model::Problem;
use crate::model::Reader;
use crate::model::RotationId;
use crate::model::SinkId;

pub(super) const PM: &str = "priya.shah@contoso.example";
pub(super) const BACKUP: &str = "d.okoro@contoso.example";
pub(super) const OWNER: &str = "platform@contoso.example";
pub(super) const LEAD: &str = "it-lead@contoso.example";

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) const HOUR: SignedDuration = SignedDuration::from_hours(1);
pub(super) const DAY: SignedDuration = SignedDuration::from_hours(24);

/// 20 December 2026 is a Sunday.
pub(super) fn end() -> Timestamp {
    at("2026-12-20T10:00:00Z")
}

pub(super) fn rules() -> Rules {
    Rules {
        before_days: vec![60, 30, 14, 7, 3, 1, 0],
        send_at: Time::constant(9, 0, 0, 0),
        working_days_only: true,
        escalate_to: vec![LEAD.to_owned()],
        security_to: None,
        fallback_to: Some("fallback@contoso.example".to_owned()),
        public_url: Some("https://everkey.contoso.example".to_owned()),
    }
}

pub(super) fn calendar() -> Calendar {
    Calendar {
        schedule: "0 6 * * MON-FRI".to_owned(),
        timezone: "Europe/London".to_owned(),
        freeze: Vec::new(),
        window: None,
        holidays: vec![date(2026, 12, 25)],
    }
}

pub(super) fn watched(situation: Situation) -> Watched {
    Watched {
        integration: IntegrationName::from("reapit-lead-imports"),
        title: "Reapit lead imports".to_owned(),
        impact: "New portal leads stop arriving in Reapit.".to_owned(),
        slot: "primary".into(),
        word: "secret".to_owned(),
        people: People {
            owner: OWNER.to_owned(),
            pm: Some(PM.to_owned()),
            backup: Some(BACKUP.to_owned()),
            vendor: None,
        },
        calendar: calendar(),
        ids: NoticeIds {
            tenant_id: "8f0c1d52-0000-4000-8000-0000000031aa".into(),
            client_id: "2b61e0f4-0000-4000-8000-00000000c0de".into(),
            object_id: "51c0aa10-0000-4000-8000-0000000000ab".into(),
            key_id: Some("1d2e3f40-0000-4000-8000-000000000001".into()),
            run: None,
        },
        needs_person: true,
        times_a_year: 2,
        ends: Some(end()),
        new_until: None,
        situation,
        thread: "reapit-lead-imports/primary/1d2e3f40".to_owned(),
        adopt: None,
    }
}

pub(super) fn handoff(created: Timestamp, due: Timestamp) -> Handoff {
    Handoff {
        id: HandoffId::from("h-0192"),
        integration: IntegrationName::from("reapit-lead-imports"),
        title: "Reapit lead imports".to_owned(),
        slot: "primary".into(),
        rotation: RotationId(7),
        sink: SinkId::from("handoff:reapit"),
        key_id: "aaaa3f40-0000-4000-8000-000000000002".into(),
        word: "secret".to_owned(),
        app: AppRef {
            tenant_id: "8f0c1d52-0000-4000-8000-0000000031aa".into(),
            client_id: "2b61e0f4-0000-4000-8000-00000000c0de".into(),
            object_id: "51c0aa10-0000-4000-8000-0000000000ab".into(),
        },
        doer: PM.to_owned(),
        recipient_name: "Reapit support".to_owned(),
        place: "https://support.reapit.example".to_owned(),
        via: HandoffVia::Command,
        ticket_text: None,
        fields: Vec::new(),
        seals: Vec::new(),
        created,
        due,
        old_end: Some(end()),
        new_end: at("2027-05-19T09:00:00Z"),
        opened: None,
        status: HandoffStatus::Waiting,
    }
}

pub(super) fn waiting() -> Watched {
    let handoff = handoff(at("2026-11-20T09:00:00Z"), at("2026-12-04T17:00:00Z"));
    watched(Situation::Waiting { handoffs: vec![handoff] })
}

pub(super) fn failed(since: Timestamp) -> Watched {
    let problem = Problem {
        code: "G041".to_owned(),
        summary: "AADSTS700027: not registered".to_owned(),
        fix: None,
        request_id: None,
    };
    let mut watched = watched(Situation::Failed { problem, since, step: "prove".to_owned(), steps: Vec::new() });
    watched.needs_person = false;
    watched
}

pub(super) fn seen(by: &str, when: &str) -> Acknowledgement {
    Acknowledgement {
        integration: IntegrationName::from("reapit-lead-imports"),
        by: by.to_owned(),
        at: at(when),
        handoff: None,
        until: None,
    }
}

/// A world in which `due` is asked again and again, and everything it gives is committed.
pub(super) struct World {
    pub(super) rules: Rules,
    pub(super) watched: Vec<Watched>,
    pub(super) words: Vec<Acknowledgement>,
    pub(super) sent: BTreeMap<String, Timestamp>,
    pub(super) mails: Vec<Notice>,
}

impl World {
    pub(super) fn new(watched: Watched) -> Self {
        Self { rules: rules(), watched: vec![watched], words: Vec::new(), sent: BTreeMap::new(), mails: Vec::new() }
    }

    pub(super) fn input(&self, now: Timestamp) -> AlertInput<'_> {
        AlertInput { now, rules: &self.rules, watched: &self.watched, sent: &self.sent, acknowledgements: &self.words }
    }

    /// Asks once; the number of mails.
    pub(super) fn tick(&mut self, now: Timestamp) -> usize {
        let notices = look(&self.input(now)).due;
        for notice in &notices {
            for key in keys_of(notice) {
                assert!(self.sent.insert(key.to_owned(), now).is_none(), "told twice: {key}");
            }
        }
        self.mails.extend(notices.clone());
        notices.len()
    }

    /// Asks every hour from `from` up to `to`.
    pub(super) fn hourly(&mut self, from: Timestamp, to: Timestamp) -> &mut Self {
        let mut now = from;
        while now <= to {
            self.tick(now);
            now += HOUR;
        }
        self
    }

    /// `stage date` of each mail to one kind of reader.
    pub(super) fn told(&self, reader: Reader) -> Vec<String> {
        let line = |n: &Notice| format!("{} {}", n.stage, n.at.strftime("%m-%dT%H"));
        self.mails.iter().filter(|n| n.reader == reader).map(line).collect()
    }
}
