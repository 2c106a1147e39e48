//! The adapters `http`, `entra` and `graph` against a scripted server over real TLS: what exactly they send, and
//! what they make of every kind of answer. No other room takes part but the walk through a tenant; the emulator meets
//! them elsewhere.

mod calls;
mod consent;
mod egress;
mod jwt;
mod outcomes;
mod patience;
mod secrets;
mod server;
mod tenant;
mod tokens;
mod world;
