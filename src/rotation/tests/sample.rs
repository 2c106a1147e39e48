//! Rotations to start from. Time runs in hours from a fixed instant.

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::model::*;
use crate::rotation::Rules;
use crate::rotation::View;
use crate::rotation::guard::Clocks;

/// Name of the store in tags.
pub const INSTANCE: &str = "q7m2xa";

/// `hours` after the start of all samples.
pub fn at(hours: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_hours(hours)
}

/// Both clocks agree on `now`.
pub fn clocks(now: Timestamp) -> Clocks {
    Clocks { local: now, far: Some(now) }
}

pub fn json_sink(id: &str) -> SinkSpec {
    let file = JsonFileSpec {
        path: "/srv/lexzur/integrations.json".into(),
        values: vec![("/clientSecret".into(), ValueName::Secret)],
        mode: None,
        owner: None,
        after: Vec::new(),
        in_place: false,
    };
    SinkSpec { id: id.into(), target: SinkTarget::JsonFile(file) }
}

pub fn person_sink(id: &str) -> SinkSpec {
    let handoff = HandoffSpec {
        doer: "priya.shah@contoso.example".into(),
        recipient_name: "Reapit support".into(),
        place: "https://support.reapit.example".into(),
        via: HandoffVia::Command,
        lead: SignedDuration::from_hours(24 * 14),
        ticket_text: None,
        fields: Vec::new(),
    };
    SinkSpec { id: id.into(), target: SinkTarget::Handoff(handoff) }
}

pub fn app() -> AppRef {
    AppRef { tenant_id: "t".into(), object_id: "o".into(), client_id: "c".into() }
}

/// A client secret for 180 days that replaces `old`, which lives until hour 24 * 30. Just planned, at hour 0.
pub fn planned() -> Rotation {
    let spec = CredentialSpec {
        slot: "primary".into(),
        kind: CredentialKind::ClientSecret,
        description: "Reapit".into(),
        lifetime: SignedDuration::from_hours(24 * 180),
        rotate_before: SignedDuration::from_hours(24 * 60),
        overlap: SignedDuration::from_hours(24 * 7),
        retry_budget: SignedDuration::from_hours(24 * 7),
        consumer_refresh: SignedDuration::from_hours(1),
        min_life: SignedDuration::from_hours(24),
        retain: Vec::new(),
        prove: Prove::Required,
        keep_private_key: KeepPrivateKey::UntilReplaced,
        retire: Retire::AfterOverlap,
        sinks: vec![json_sink("file")],
        confirm: ConfirmSpec { method: ConfirmMethod::TokenRequest, consumer_use_interval: None },
    };
    Rotation {
        reason: "expires-within-rotate-before".into(),
        old: vec![OldCredential {
            key_id: "old".into(),
            end: at(24 * 30),
            thumbprint: None,
            hint: None,
            replaced: false,
            adopted: false,
        }],
        ..Rotation::planned(
            RotationId(7),
            "reapit-lead-imports".into(),
            "Reapit lead imports".into(),
            app(),
            spec,
            at(0),
        )
    }
}

/// The same for a certificate, from this issuer; its key is made.
pub fn keyed(issuer: IssuerKind) -> Rotation {
    let spec = CertificateSpec { subject: "CN=reapit".into(), key: KeyType::Rsa3072, issuer };
    let mut r = planned();
    r.spec.kind = CredentialKind::Certificate(spec);
    r.state = State::Keyed;
    r.attempts = vec![attempt(1, at(0), Outcome::Open)];
    r
}

pub fn attempt(number: u32, started: Timestamp, outcome: Outcome) -> Attempt {
    Attempt {
        number,
        tag: crate::rotation::tag::tag(INSTANCE, RotationId(7), number),
        started,
        start: started,
        end: started + SignedDuration::from_hours(24 * 180),
        outcome,
        closed: (outcome != Outcome::Open).then_some(started),
        unseen: None,
        looked: None,
        swept: false,
    }
}

pub fn fresh() -> Fresh {
    Fresh {
        attempt: 1,
        key_id: "new".into(),
        hint: None,
        thumbprint: None,
        certificate: None,
        start: at(0),
        end: at(24 * 180),
        seals: vec!["7/1/secret".into()],
    }
}

/// The same, saved and attached at hour 0.
pub fn attached() -> Rotation {
    Rotation {
        state: State::Attached,
        attempts: vec![attempt(1, at(0), Outcome::Saved)],
        fresh: Some(fresh()),
        ..planned()
    }
}

/// A sink that was read back.
pub fn delivery(sink: &str, when: Timestamp) -> Delivery {
    let proof = serde_json::from_str(r#"{"read-back": "00ff"}"#).unwrap();
    Delivery { sink: sink.into(), at: when, proof }
}

pub fn confirmation(sink: &str, handoff: Option<&str>, when: Timestamp) -> Confirmation {
    Confirmation { sink: Some(sink.into()), handoff: handoff.map(HandoffId::from), at: when, evidence: "seen".into() }
}

/// Delivered at hour 1.
pub fn delivered() -> Rotation {
    Rotation { state: State::Delivered, deliveries: vec![delivery("file", at(1))], ..attached() }
}

/// Confirmed at hour 2: its overlap of seven days ends at hour 170.
pub fn confirmed() -> Rotation {
    Rotation { state: State::Confirmed, confirmations: vec![confirmation("file", None, at(2))], ..delivered() }
}

/// A hand-off of `confirmed`'s value that is in force.
pub fn handoff(id: &str, status: HandoffStatus) -> Handoff {
    Handoff {
        id: id.into(),
        integration: "reapit-lead-imports".into(),
        title: "Reapit lead imports".into(),
        slot: "primary".into(),
        rotation: RotationId(7),
        sink: "person".into(),
        key_id: "new".into(),
        word: "secret".into(),
        app: app(),
        doer: "priya.shah@contoso.example".into(),
        recipient_name: "Reapit support".into(),
        place: "https://support.reapit.example".into(),
        via: HandoffVia::Command,
        ticket_text: None,
        fields: Vec::new(),
        seals: vec!["7/1/secret".into()],
        created: at(1),
        due: at(24 * 14),
        old_end: Some(at(24 * 30)),
        new_end: at(24 * 180),
        opened: None,
        status,
    }
}

/// A certificate as Graph lists it.
pub fn certificate(key_id: &str, thumbprint: &str) -> CertificateEntry {
    CertificateEntry {
        key_id: key_id.into(),
        display_name: None,
        thumbprint: Some(thumbprint.into()),
        custom_key_identifier: Some(thumbprint.to_owned()),
        kind: "AsymmetricX509Cert".into(),
        usage: "Verify".into(),
        start: at(0),
        end: at(24 * 365),
        key: Some(thumbprint.as_bytes().to_vec()),
    }
}

/// A certificate of ours, as the journal keeps it.
pub fn own(key_id: &str, thumbprint: &str) -> OwnCredential {
    OwnCredential {
        key_id: key_id.into(),
        integration: "reapit-lead-imports".into(),
        slot: "primary".into(),
        app: app(),
        rotation: RotationId(6),
        attempt: 1,
        word: "certificate".into(),
        hint: None,
        thumbprint: Some(thumbprint.into()),
        certificate: Some(thumbprint.as_bytes().to_vec()),
        start: at(0),
        end: at(24 * 365),
        status: CredentialStatus::Current,
        seals: Vec::new(),
    }
}

/// What `next` sees at `now`, with nothing out of the ordinary.
pub fn view(now: Timestamp) -> View<'static> {
    View {
        instance: INSTANCE,
        clocks: clocks(now),
        secrets_present: None,
        handoffs: &[],
        adopted: &[],
        patch_in_flight: None,
        stage_from: now,
        retire_from: now,
        rules: Rules::default(),
    }
}
