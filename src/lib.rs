//! everkey keeps the credentials of Microsoft Entra app registrations alive.
//!
//! The whole program is one sentence: **policies and observations go in, a pure plan comes out, a
//! journalled engine carries it out step by step, and people are told.** The rooms below stand in the
//! order in which data passes through them; `ARCHITECTURE.md` says who may import whom, and
//! `tests/architecture.rs` holds it.

// words
pub mod clock;
pub mod error;
pub mod model;
pub mod secret;

// core: pure, synchronous, deterministic
pub mod alert;
pub mod plan;
pub mod policy;
pub mod ports;
pub mod rotation;

// the imperative shell, and the daemon that drives it
pub mod daemon;
pub mod run;

// adapters: each implements ports, none knows another
pub mod emulator;
pub mod entra;
pub mod graph;
pub mod http;
pub mod notifiers;
pub mod pki;
pub mod process;
pub mod sinks;
pub mod store;

// faces
pub mod assemble;
pub mod cli;
pub mod config;
pub mod health;
pub mod telemetry;
pub mod world;
