//! Deterministic simulation: the real engine against a world in memory, in which a seed (or an enumeration) decides what
//! goes wrong; a judge looks from outside at every instant.

mod between;
#[path = "../support/campaign.rs"]
mod campaign_ledger;
mod canonical;
mod chooser;
mod cycles;
mod directory;
mod earlier;
mod found;
mod journal;
mod judge;
mod kinds;
mod models;
mod mutants;
mod places;
mod process;
mod restored;
mod schedule;
mod seeds;
mod singles;
mod states;
mod tools;
mod world;
