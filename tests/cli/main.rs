//! The program through its own face: the real binary against `everkey emulator serve`, as a person or a pipeline
//! runs it. Each test has a directory and an emulator of its own; proofs take a real minute, so what only reads
//! starts from a copy of a tenant that was applied once (`support/applied.rs`).

mod support;

mod adopt;
mod apply;
mod bad_input;
mod bad_places;
#[path = "../support/campaign.rs"]
mod campaign_ledger;
mod certs;
mod certs_bad;
mod certs_convert;
mod certs_sign;
mod check;
mod completions;
mod disks;
mod doctor;
mod emulator_faults;
mod enable;
mod handoffs;
mod history;
mod init;
mod inventory;
mod issuers;
mod json_form;
mod limits;
mod mails;
mod moving;
mod output;
#[expect(dead_code, reason = "the store's own tests use the rest")]
#[path = "../support/postgres.rs"]
mod pg;
mod plans;
mod quick_start;
mod reading;
mod recover;
mod replicas;
mod revoke;
mod rotate;
mod sandbox;
mod secrets;
mod serve;
mod sign_in;
mod signals;
mod store;
mod stores;
mod tables;
mod terminal;
mod trial;
mod vault_pki;
mod vaults;
mod watch;
mod words;
