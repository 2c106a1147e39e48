//! Proofs of possession for addKey and removeKey: a JWT that a currently valid certificate of the same
//! object signed (entra-contract 3.4).

use jiff::Timestamp;
use uuid::Uuid;

use super::AAD_GRAPH;
use super::Directory;
use super::Refusal;
use crate::emulator::certificate::CertificateFacts;
use crate::emulator::jws::Jws;

/// A proof lives at most ten minutes.
const MAX_LIFE_SECONDS: i64 = 600;
/// Clocks may differ by this much; customary, not documented.
const SKEW_SECONDS: i64 = 300;

impl Directory {
    /// Checks a proof for `holder`: audience AAD Graph, issuer the holder's object id, alive, at most
    /// ten minutes long, no `=` in it, and signed by a certificate that the holder has and that is valid.
    pub fn check_proof(&self, holder: Uuid, proof: &str, now: Timestamp) -> Result<(), Refusal> {
        let held = &self.credentials(holder).ok_or_else(|| Refusal::no_object(holder))?.keys;
        if proof.is_empty() {
            return Err(Refusal::ProofMissing);
        }
        if proof.contains('=') {
            return Err(Refusal::ProofRejected);
        }
        let token = Jws::parse(proof).map_err(|_| Refusal::ProofRejected)?;
        let for_us = token.text("aud") == Some(AAD_GRAPH.to_string().as_str());
        let by_holder = token.text("iss").and_then(|iss| iss.parse().ok()) == Some(holder);
        if !(for_us && by_holder && is_alive(&token, now)) {
            return Err(Refusal::ProofRejected);
        }
        let signed = held.iter().filter(|key| key.is_valid_at(now)).any(|key| {
            let public = CertificateFacts::read(&key.key).and_then(|facts| facts.rsa_public_key);
            public.is_some_and(|public| token.verify(&public))
        });
        if signed { Ok(()) } else { Err(Refusal::ProofRejected) }
    }
}

fn is_alive(token: &Jws, now: Timestamp) -> bool {
    let (Some(nbf), Some(exp)) = (token.seconds("nbf"), token.seconds("exp")) else { return false };
    let now = now.as_second();
    let life = exp.saturating_sub(nbf);
    (1..=MAX_LIFE_SECONDS).contains(&life)
        && nbf.saturating_sub(SKEW_SECONDS) <= now
        && now < exp.saturating_add(SKEW_SECONDS)
}
