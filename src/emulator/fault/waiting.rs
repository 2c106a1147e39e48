//! The rules in force, and which of them hits a request.

use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use super::Effect;
use super::FaultPlan;
use super::Rule;

/// The rules that still wait for their requests.
#[derive(Debug, Default)]
pub struct Faults {
    added: u64,
    rules: Vec<Waiting>,
    seed: u64,
}

#[derive(Debug)]
struct Waiting {
    hits: u32,
    name: String,
    number: u64,
    rule: Rule,
    /// Requests so far that it could have hit.
    seen: u32,
}

impl Faults {
    /// Adds one behind the others; the oldest match wins.
    pub fn push(&mut self, rule: Rule) {
        self.added += 1;
        let name = rule.name.clone().unwrap_or_else(|| format!("#{}", self.added));
        self.rules.push(Waiting { hits: 0, name, number: self.added, rule, seen: 0 });
    }

    /// Replaces all by those of a plan, and counts from the beginning: equal requests meet equal faults again.
    pub fn follow(&mut self, plan: &FaultPlan) {
        self.clear();
        self.seed = plan.seed;
        plan.faults.iter().cloned().for_each(|rule| self.push(rule));
    }

    /// How many requests they will still hit.
    pub fn waiting(&self) -> u32 {
        self.rules.iter().map(|one| one.rule.count.saturating_sub(one.hits)).fold(0, u32::saturating_add)
    }

    /// Drops all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// What waits, for people.
    pub fn shown(&self) -> Value {
        let shown = |one: &Waiting| json!({"name": one.name, "hits": one.hits, "seen": one.seen, "fault": one.rule});
        json!({"seed": self.seed, "waiting": self.rules.iter().map(shown).collect::<Vec<_>>()})
    }

    /// The effect that hits this request, if any, used up by it, with the name of its rule.
    pub fn take(&mut self, method: &str, path: &str, caller: Option<Uuid>) -> Option<(String, Effect)> {
        for one in self.rules.iter_mut().filter(|one| one.rule.matches(method, path, caller)) {
            one.seen += 1;
            if one.seen < one.rule.nth || !one.falls(self.seed) {
                continue;
            }
            one.hits += 1;
            let hit = (one.name.clone(), one.rule.effect.clone());
            self.rules.retain(|one| one.hits < one.rule.count);
            return Some(hit);
        }
        None
    }
}

impl Waiting {
    /// Throws the dice of this rule for this request: the same for the same seed, whatever else happens.
    fn falls(&self, seed: u64) -> bool {
        if self.rule.chance >= 1.0 {
            return true;
        }
        // SplitMix64: a good mixer of a counter, and nothing here is a secret.
        let mut mixed = seed ^ self.number.rotate_left(32) ^ u64::from(self.seen).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // 53 bits: what a fraction holds exactly.
        ((mixed >> 11) as f64) / ((1u64 << 53) as f64) < self.rule.chance
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(json: Value) -> Rule {
        serde_json::from_value(json).unwrap()
    }

    fn hits(faults: &mut Faults, requests: usize) -> Vec<usize> {
        (1..=requests).filter(|_| faults.take("GET", "/v1.0/applications", None).is_some()).collect()
    }

    #[test]
    fn the_nth_matching_request_is_hit_so_often() {
        let mut faults = Faults::default();
        faults.push(rule(json!({"path_contains": "APPLICATIONS", "nth": 3, "count": 2, "effect": {"kind": "stall"}})));
        assert!(faults.take("GET", "/v1.0/servicePrincipals", None).is_none());
        assert_eq!((hits(&mut faults, 6), faults.waiting()), (vec![3, 4], 0));
    }

    #[test]
    fn a_caller_is_told_from_others() {
        let mut faults = Faults::default();
        let caller = Uuid::from_u128(7);
        faults.push(rule(json!({"caller": caller, "effect": {"kind": "stall"}})));
        assert!(faults.take("GET", "/", None).is_none());
        assert!(faults.take("GET", "/", Some(Uuid::from_u128(8))).is_none());
        assert!(faults.take("GET", "/", Some(caller)).is_some());
    }

    #[test]
    fn chance_repeats_by_its_seed() {
        let run = |seed| {
            let mut faults = Faults::default();
            let rule = rule(json!({"chance": 0.25, "count": 1000, "effect": {"kind": "stall"}}));
            faults.follow(&FaultPlan { seed, faults: vec![rule], quirks: None });
            hits(&mut faults, 400)
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        for seed in 0..20 {
            assert!((60..140).contains(&run(seed).len()), "a quarter of 400: {}", run(seed).len());
        }
    }
}
