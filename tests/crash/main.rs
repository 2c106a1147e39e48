//! The rotation protocol under crashes and faults, in process: real emulator over https, real journal, real sinks;
//! the process is killed at every boundary, calls fail in every way, rules are broken on purpose. Whatever
//! happens, nobody loses access, no secret is lost, no orphan stays, nobody else's credential is touched.

mod admins;
mod adopted;
mod breaker;
mod campaign;
#[path = "../support/campaign.rs"]
mod campaign_ledger;
mod caps;
mod clocks;
mod confirmed_late;
mod doubles;
mod drilled;
mod emergency;
mod emergency_odd;
mod emergency_sign_in;
mod failing;
mod faults;
mod foreign;
mod kinds;
mod lab;
mod lost;
mod mended;
mod mutants;
mod outside;
mod pace;
#[path = "../support/postgres.rs"]
#[allow(dead_code, reason = "other test binaries stop their server and read its log")]
mod pg;
mod ports;
mod process;
mod quirks;
mod real;
mod real_failing;
mod real_killed;
mod restored;
mod retained;
mod sandboxed;
mod sealed;
mod stops;
mod world;
