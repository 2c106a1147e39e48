//! Deterministic simulation: the real engine against a world in memory, in which a seed (or an enumeration) decides what
//! goes wrong; a judge looks from outside at every instant.

#[path = "../support/campaign.rs"]
mod campaign_ledger;
mod chooser;
mod directory;
mod found;
mod journal;
mod judge;
mod kinds;
mod models;
mod mutants;
mod places;
mod process;
mod schedule;
mod seeds;
mod tools;
mod world;
