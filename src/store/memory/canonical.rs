//! A snapshot as an exploration of states compares it: what a decision may read, and nothing that only grows.

use std::fmt::Write as _;

use super::Snapshot;
use super::state::State;
use crate::model::CertificateEntry;
use crate::model::Fresh;
use crate::model::OwnCredential;
use crate::model::Rotation;

impl Snapshot {
    /// Without the history, which no step of a rotation reads.
    #[must_use]
    pub fn lean(mut self) -> Self {
        self.0.history.clear();
        self
    }

    /// Everything that the steps of a rotation read, as text without secrets: two stores of one policy with the same text
    /// go on in the same way. Left out are the history, epochs and versions, which only tell earlier from later; what was
    /// asked for, which is the policy's; the bytes of certificates, whose thumbprints stay; and, of notices, all but the
    /// keys, by which none is sent twice.
    pub fn canonical(&self) -> String {
        let State { last_rotation, last_handoff, .. } = &self.0;
        let mut text = format!("{last_rotation} {last_handoff}\n");
        for rotation in self.0.rotations.values() {
            line(&mut text, &of_rotation(rotation));
        }
        for own in &self.0.credentials {
            line(&mut text, &OwnCredential { certificate: None, ..own.clone() });
        }
        for handoff in &self.0.handoffs {
            line(&mut text, &(&handoff.id, &handoff.rotation, &handoff.key_id, &handoff.seals, &handoff.status));
            line(&mut text, &(handoff.created, handoff.due, handoff.old_end, handoff.new_end, &handoff.opened));
        }
        line(&mut text, &self.0.sealed.keys());
        line(&mut text, &self.0.acknowledgements);
        line(&mut text, &self.0.integrations);
        line(&mut text, &self.0.marks);
        let mut told: Vec<&str> = self.0.outbox.iter().map(|waiting| waiting.notice.key.as_str()).collect();
        told.sort_unstable();
        line(&mut text, &told);
        text
    }

    /// Everkey's own sign-ins, which only the evidence of the sign-in report reads.
    pub fn sign_ins(&self) -> String {
        format!("{:?}", self.0.sign_ins)
    }
}

fn line(text: &mut String, of: &impl std::fmt::Debug) {
    // Writing into a string cannot fail.
    let _ = writeln!(text, "{of:?}");
}

fn of_rotation(r: &Rotation) -> impl std::fmt::Debug + '_ {
    let fresh = r.fresh.clone().map(|fresh| Fresh { certificate: None, ..fresh });
    let before = |entry: &CertificateEntry| (entry.key_id.clone(), entry.thumbprint.clone(), entry.key.is_some());
    let pre_image: Vec<_> = r.pre_image.iter().map(before).collect();
    let staged = (r.id, r.state, &r.reason, r.planned, r.capped, &r.old, &r.attempts, r.forgotten);
    let made = (fresh, &r.request, pre_image, r.accepted, &r.probes, &r.deliveries, &r.former, &r.confirmations);
    (staged, made, &r.removals, &r.ambiguous, &r.failure, &r.emergency, r.finished)
}
