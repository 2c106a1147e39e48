//! The evidence pack of an emergency: everything that the journal says of it, for an auditor and for a program. No
//! value is in it. Its part of the history stands there whole, since the hashes cover it: with the entries of other
//! integrations in those hours, and with the fingerprint that a place's read-back was compared by.

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use crate::model::ChainLink;
use crate::model::Emergency;
use crate::model::Handoff;
use crate::model::HandoffStatus;
use crate::model::IntegrationName;
use crate::model::KeyId;
use crate::model::Proof;
use crate::model::Recorded;
use crate::model::Rotation;
use crate::model::SlotName;
use crate::ports::Store;
use crate::rotation::emergency;
use crate::run::setup::RunError;

/// The hash before the first entry of a history.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// How the hash of an entry is made, for whoever computes it anew.
const FORMAT: &str = "hash = SHA-256 of \"everkey history 1\" and then of the fields seq, at, actor, integration, \
    rotation, state, version, kind, text, body, and the hash of the entry before, in this order. A field that is null is \
    one byte 0. Every other field is one byte 1, the length of its content as 8 bytes, big-endian, and its content: text \
    as UTF-8, a number as 8 bytes, big-endian.";

/// What an emergency came to, in both forms.
#[derive(Clone, Debug)]
pub struct Pack {
    /// `evidence.json`.
    pub json: Value,
    /// `evidence.md`.
    pub markdown: String,
}

/// The latest emergency of an integration, or of one of its slots.
pub async fn latest(
    store: &dyn Store,
    integration: &IntegrationName,
    slot: Option<&SlotName>,
) -> Result<Option<Rotation>, RunError> {
    let all = store.rotations(integration).await?;
    let mine = |r: &Rotation| r.emergency.is_some() && slot.is_none_or(|slot| *slot == r.spec.slot);
    Ok(all.into_iter().rfind(mine))
}

/// Packs what the journal says of the emergency `r`, as of `now`.
pub async fn pack(store: &dyn Store, r: &Rotation, impact: &str, now: Timestamp) -> Result<Pack, RunError> {
    let Some(emergency) = r.emergency.as_deref() else {
        return Ok(Pack { json: Value::Null, markdown: String::new() });
    };
    let whole = store.history(None).await?;
    let handoffs: Vec<Handoff> = store.handoffs().await?.into_iter().filter(|h| h.rotation == r.id).collect();
    let concerns = |entry: &&Recorded| {
        entry.entry.rotation == Some(r.id)
            || (entry.entry.rotation.is_some() && entry.entry.rotation == emergency.closed && entry.at >= r.planned)
    };
    let entries: Vec<&Recorded> = whole.iter().filter(concerns).collect();
    let first = entries.first().map_or(1, |entry| entry.seq);
    let last = entries.last().map_or(first, |entry| entry.seq);
    // One entry before the first is the hash that the chain goes on from.
    let mut links = store.links(first.saturating_sub(2).max(1), last).await?;
    let before = i64::try_from(first).unwrap_or(i64::MAX).saturating_sub(1).max(1);
    let at = links.iter().position(|link| link.seq == before).unwrap_or(0);
    let rest = links.split_off(at);
    let previous = links.last().map_or(GENESIS, |link| link.hash.as_str());
    let head = whole.last();
    let facts = Facts { r, emergency, entries: &entries, handoffs: &handoffs };
    let json = json!({
        "schema": "everkey.evidence/v1",
        "made_at": now,
        "integration": r.integration, "title": r.title, "impact": impact, "slot": r.spec.slot, "rotation": r.id.to_string(),
        "application": r.app,
        "reason": emergency.reason,
        "asked": {"by": emergency.by, "how": "user of the operating system", "at": r.planned,
                  "now": emergency.now, "force": emergency.force,
                  "disable_sign_in": emergency.disable_sign_in},
        "sign_in_disabled_at": emergency.disabled,
        "closed_rotation": emergency.closed.map(|id| id.to_string()),
        "outcome": facts.outcome(),
        "new": r.fresh.as_ref().map(|fresh| json!({
            "key_id": fresh.key_id, "kind": r.spec.kind.word(), "hint": fresh.hint, "thumbprint": fresh.thumbprint,
            "start": fresh.start, "end": fresh.end,
        })),
        "removed": facts.removed(),
        "proof": facts.events("probe-accepted"),
        "refusals": facts.events("old-refused"),
        "delivered": facts.delivered(),
        "handoffs": facts.handoffs(),
        "not_done": facts.not_done(),
        "ring": {"before": facts.ring(true), "after": facts.ring(false)},
        "timeline": entries.iter().map(|entry| json!({
            "seq": entry.seq, "at": entry.at, "actor": entry.actor, "rotation": entry.entry.rotation.map(|id| id.to_string()), "text": entry.entry.text,
        })).collect::<Vec<_>>(),
        "history": {
            "format": FORMAT,
            "previous": previous,
            "entries": rest,
            "anchor": rest.last().map(|link: &ChainLink| &link.hash),
            "head": head.map(|entry| json!({"seq": entry.seq, "hash": entry.hash})),
        },
    });
    let markdown = super::pack_text::markdown(&json);
    Ok(Pack { json, markdown })
}

struct Facts<'a> {
    r: &'a Rotation,
    emergency: &'a Emergency,
    entries: &'a [&'a Recorded],
    handoffs: &'a [Handoff],
}

impl Facts<'_> {
    fn outcome(&self) -> &'static str {
        let waits = self.handoffs.iter().any(Handoff::is_waiting);
        match (emergency::is_over(self.r), waits) {
            (true, false) => "done",
            (true, true) => "removed, a hand-off waits for a person",
            (false, true) => "waits for a person",
            (false, false) => "under way",
        }
    }

    /// Sign-ins that the journal tells of, with their request ids.
    fn events(&self, name: &str) -> Vec<Value> {
        let mut found: Vec<Value> = Vec::new();
        for entry in self.entries.iter().filter(|entry| entry.entry.rotation == Some(self.r.id)) {
            let body = &entry.entry.body;
            if body["event"] == "attached" && name == "probe-accepted" {
                // Of several attempts the last one counts.
                found.clear();
            }
            if body["event"] == name {
                found.push(json!({
                    "at": entry.at, "key_id": body["key_id"], "code": body["code"], "request_id": body["request_id"],
                }));
            }
        }
        found
    }

    fn removed(&self) -> Vec<Value> {
        let old = |key_id: &KeyId| self.r.old.iter().find(|old| old.key_id == *key_id);
        self.r
            .removals
            .iter()
            .map(|removal| {
                let known = old(&removal.key_id);
                let seen = self.emergency.refused.iter().find(|seen| seen.key_id == removal.key_id);
                json!({
                    "key_id": removal.key_id, "removed_at": removal.sent, "not_listed": removal.absent,
                    "hint": known.and_then(|old| old.hint.as_ref()),
                    "thumbprint": known.and_then(|old| old.thumbprint.as_ref()),
                    "made_by_everkey": known.is_some_and(|old| !old.adopted),
                    "refused": seen.filter(|seen| seen.unseen.is_none()).map(|seen| json!({
                        "times": seen.count, "first": seen.span.map(|span| span.0), "latest": seen.span.map(|span| span.1),
                    })),
                    "not_seen_refused": seen.and_then(|seen| seen.unseen.as_ref()),
                })
            })
            .collect()
    }

    fn delivered(&self) -> Vec<Value> {
        self.r
            .deliveries
            .iter()
            .map(|delivery| {
                let sink = self.r.spec.sinks.iter().find(|sink| sink.id == delivery.sink);
                let (kind, place) = sink.map(|sink| sink.target.described()).unwrap_or_default();
                match &delivery.proof {
                    Proof::ReadBack(_) => json!({"to": kind, "place": place, "at": delivery.at, "read_back": true}),
                    Proof::Sealed(id) => json!({"to": kind, "place": place, "at": delivery.at, "handoff": id}),
                }
            })
            .collect()
    }

    fn handoffs(&self) -> Vec<Value> {
        self.handoffs
            .iter()
            .map(|handoff| {
                let confirmed = match &handoff.status {
                    HandoffStatus::Confirmed { at, by } => Some(json!({"at": at, "by": by})),
                    _ => None,
                };
                json!({
                    "id": handoff.id, "doer": handoff.doer, "recipient": handoff.recipient_name,
                    "created": handoff.created, "due": handoff.due,
                    "opened": handoff.opened.as_ref().map(|(at, by)| json!({"at": at, "by": by})),
                    "confirmed": confirmed,
                })
            })
            .collect()
    }

    fn ring(&self, before: bool) -> Value {
        let rings = self.entries.iter().filter(|entry| entry.entry.kind == "emergency");
        let mut rings = rings.filter(|entry| entry.entry.body["ring"].is_array());
        let found = if before { rings.next() } else { rings.rfind(|entry| entry.entry.body["reason"].is_null()) };
        found.map_or(Value::Null, |entry| json!({"at": entry.at, "credentials": entry.entry.body["ring"]}))
    }

    /// What an auditor must not take for done.
    fn not_done(&self) -> Vec<String> {
        let (r, emergency) = (self.r, self.emergency);
        let mut not_done = vec![
            "Tokens that were issued with the old credential were not recalled: they cannot be; they end by themselves, \
             usually within about an hour."
                .to_owned(),
        ];
        if emergency.unproven {
            not_done.push("The new credential was not proven by sign-in: --force.".to_owned());
        }
        for key_id in emergency.targets.iter().filter(|key_id| r.spec.retain.contains(key_id)) {
            not_done.push(format!("{key_id} was not removed: the policy retains it."));
        }
        let left = |key_id: &&KeyId| {
            r.old.iter().any(|old| old.key_id == **key_id)
                && !r.spec.retain.contains(key_id)
                && !r.removals.iter().any(|removal| removal.key_id == **key_id && removal.sent.is_some())
        };
        not_done.extend(emergency.targets.iter().filter(left).map(|key_id| format!("{key_id} is not removed yet.")));
        if emergency.disable_sign_in && emergency.disabled.is_none() {
            not_done.push("Sign-in of the application is not disabled yet.".to_owned());
        }
        for seen in &emergency.refused {
            if let Some(why) = &seen.unseen {
                not_done.push(format!("{} was removed and not seen refused: {why}.", seen.key_id));
            }
        }
        for handoff in self.handoffs.iter().filter(|handoff| handoff.is_waiting()) {
            not_done.push(format!(
                "Hand-off {} to {} is not confirmed by {}.",
                handoff.id, handoff.recipient_name, handoff.doer
            ));
        }
        let after = self.ring(false);
        for other in after["credentials"].as_array().into_iter().flatten().filter(|one| one["owner"] != "everkey") {
            let (kind, key_id) =
                (other["kind"].as_str().unwrap_or_default(), other["key_id"].as_str().unwrap_or_default());
            let whose = other["whose"].as_str().unwrap_or_default();
            not_done.push(format!("The {kind} {key_id} ({whose}) is still on the application: nobody named it."));
        }
        not_done
    }
}
