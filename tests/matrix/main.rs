//! The fault matrix: every call that the client makes, met by every fault that the emulator can make. The oracle stands
//! outside the client: what the emulator's directory holds afterwards, and what its log says was sent. `calls` are the
//! rows, `faults` the columns, `cell` judges one; `client` runs the adapters, `engine` whole rotations.

mod bench;
mod calls;
mod cell;
mod client;
mod engine;
mod faults;
mod switches;

// The world of whole rotations is that of the crash tests.
#[path = "../crash/breaker.rs"]
mod breaker;
#[path = "../crash/foreign.rs"]
mod foreign;
#[path = "../crash/kinds.rs"]
#[expect(dead_code, reason = "some of what the crash tests do is not needed here")]
mod kinds;
#[path = "../crash/lab.rs"]
mod lab;
#[path = "../crash/outside.rs"]
#[expect(dead_code, reason = "nobody else acts here")]
mod outside;
#[path = "../support/postgres.rs"]
#[expect(dead_code, reason = "the journal is in a file here")]
mod pg;
#[path = "../crash/ports.rs"]
mod ports;
#[expect(dead_code, reason = "the campaign of crashes asks more")]
#[path = "../crash/process.rs"]
mod process;
#[path = "../crash/sealed.rs"]
mod sealed;
#[path = "../crash/world.rs"]
#[expect(dead_code, reason = "some of what the crash tests do is not needed here")]
mod world;
