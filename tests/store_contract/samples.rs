//! Records to commit, as small as their types allow.

use everkey::model::Acknowledgement;
use everkey::model::AppRef;
use everkey::model::ConfirmMethod;
use everkey::model::ConfirmSpec;
use everkey::model::CredentialKind;
use everkey::model::CredentialSpec;
use everkey::model::CredentialStatus;
use everkey::model::Entry;
use everkey::model::Handoff;
use everkey::model::HandoffStatus;
use everkey::model::HandoffVia;
use everkey::model::IntegrationRecord;
use everkey::model::KeepPrivateKey;
use everkey::model::Notice;
use everkey::model::NoticeKind;
use everkey::model::OwnCredential;
use everkey::model::Prove;
use everkey::model::Reader;
use everkey::model::Retire;
use everkey::model::Rotation;
use everkey::model::RotationId;
use everkey::model::SealId;
use everkey::model::State;
use everkey::ports::Commit;
use everkey::ports::SealItem;
use everkey::secret::Secret;
use jiff::SignedDuration;
use jiff::Timestamp;

/// Half past eight, and a fraction that must survive.
pub fn now() -> Timestamp {
    "2026-11-20T08:30:00.123456789Z".parse().unwrap()
}

pub fn app() -> AppRef {
    AppRef {
        tenant_id: "7f4e0000-0000-4000-8000-000000000001".into(),
        object_id: "7f4e0000-0000-4000-8000-000000000002".into(),
        client_id: "7f4e0000-0000-4000-8000-000000000003".into(),
    }
}

pub fn rotation(id: u64, slot: &str) -> Rotation {
    let spec = CredentialSpec {
        slot: slot.into(),
        kind: CredentialKind::ClientSecret,
        description: "Reapit".into(),
        lifetime: SignedDuration::from_hours(24 * 180),
        rotate_before: SignedDuration::from_hours(24 * 60),
        overlap: SignedDuration::from_hours(24 * 14),
        retry_budget: SignedDuration::from_hours(24 * 7),
        consumer_refresh: SignedDuration::from_hours(1),
        min_life: SignedDuration::from_hours(24),
        retain: Vec::new(),
        prove: Prove::Required,
        keep_private_key: KeepPrivateKey::UntilReplaced,
        retire: Retire::AfterOverlap,
        sinks: Vec::new(),
        confirm: ConfirmSpec { method: ConfirmMethod::Overlap, consumer_use_interval: None },
    };
    Rotation {
        reason: "none-fresh".into(),
        ..Rotation::planned(
            RotationId(id),
            "reapit-lead-imports".into(),
            "Reapit lead imports".into(),
            app(),
            spec,
            now(),
        )
    }
}

/// The next version of `rotation`, in `state`.
pub fn moved(rotation: &Rotation, state: State) -> Rotation {
    Rotation { version: rotation.version + 1, state, ..rotation.clone() }
}

pub fn entry(rotation: u64, text: &str) -> Entry {
    Entry {
        integration: Some("reapit-lead-imports".into()),
        rotation: Some(RotationId(rotation)),
        kind: "rotation".into(),
        text: text.to_owned(),
        body: serde_json::json!({ "event": "verified", "zebra": 1, "alpha": [true, null] }),
    }
}

pub fn seal_item(id: &str, value: &str) -> SealItem {
    SealItem { id: SealId::from(id), app: app(), value: Secret::from_text(value.to_owned()) }
}

pub fn credential(key_id: &str, status: CredentialStatus) -> OwnCredential {
    OwnCredential {
        key_id: key_id.into(),
        integration: "reapit-lead-imports".into(),
        slot: "primary".into(),
        app: app(),
        rotation: RotationId(1),
        attempt: 1,
        word: "secret".into(),
        hint: Some("Q3z".into()),
        thumbprint: None,
        certificate: Some(vec![0x30, 0x82, 0xff]),
        start: now(),
        end: now() + SignedDuration::from_hours(24 * 180),
        status,
        seals: vec!["1/1/secret".into()],
    }
}

pub fn handoff(id: &str) -> Handoff {
    Handoff {
        id: id.into(),
        integration: "reapit-lead-imports".into(),
        title: "Reapit lead imports".into(),
        slot: "primary".into(),
        rotation: RotationId(1),
        sink: "handoff:reapit".into(),
        key_id: "k-1".into(),
        word: "secret".into(),
        app: app(),
        doer: "priya.shah@contoso.example".into(),
        recipient_name: "Reapit support".into(),
        place: "ticket portal".into(),
        via: HandoffVia::Page,
        ticket_text: None,
        fields: Vec::new(),
        seals: vec!["1/1/secret".into()],
        created: now(),
        due: now() + SignedDuration::from_hours(24 * 14),
        old_end: None,
        new_end: now() + SignedDuration::from_hours(24 * 180),
        opened: None,
        status: HandoffStatus::Waiting,
    }
}

pub fn notice(key: &str) -> Notice {
    Notice {
        key: key.to_owned(),
        kind: NoticeKind::HandoffReady,
        reader: Reader::Pm,
        stage: "ready".into(),
        at: now(),
        timezone: "Europe/London".into(),
        integration: "reapit-lead-imports".into(),
        title: "Reapit lead imports".into(),
        impact: "Leads stop.".into(),
        to: vec!["priya.shah@contoso.example".into()],
        cc: Vec::new(),
        backup: None,
        contact: "it@contoso.example".into(),
        word: "secret".into(),
        stops_at: None,
        new_until: None,
        times_a_year: 2,
        handoff: None,
        next_reminder: None,
        told: Vec::new(),
        problem: None,
        steps: Vec::new(),
        ids: None,
        thread: "t-1".into(),
        calendar_sequence: 0,
        request: None,
        link: None,
        merged: Vec::new(),
        adopt: None,
    }
}

pub fn integration() -> IntegrationRecord {
    IntegrationRecord { name: "reapit-lead-imports".into(), app: app(), consented: None }
}

pub fn acknowledgement() -> Acknowledgement {
    Acknowledgement {
        integration: "reapit-lead-imports".into(),
        by: "priya.shah@contoso.example".into(),
        at: now(),
        handoff: Some("h-0001".into()),
        until: None,
    }
}

/// A commit that starts rotation `id` and writes one of everything, named by `id`.
pub fn one_of_everything(id: u64) -> Commit {
    Commit {
        rotation: Some(rotation(id, &format!("slot-{id}"))),
        entries: vec![entry(id, "planned"), entry(id, "ready")],
        seal: vec![seal_item(&format!("{id}/1/secret"), &format!("Q3z8Q~value-{id}"))],
        credentials: vec![credential(&format!("k-{id}"), CredentialStatus::Fresh)],
        handoffs: vec![handoff(&format!("h-{id:04}"))],
        notices: vec![notice(&format!("n-{id}"))],
        integrations: vec![integration()],
        acknowledgements: vec![acknowledgement()],
        sign_ins: vec![(format!("k-{id}").as_str().into(), now(), Some("request".into()))],
        ..Commit::new(now(), "everkey")
    }
}
