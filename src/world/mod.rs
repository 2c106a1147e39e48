//! `demo`: emulator, mail server, engine, consumers and people in one process, under a clock that everkey moves.
//! Nothing inside the program is mocked; only the far side is the embedded emulator, spoken to over https.
//!
//! The three figures of its result are computed here from outside: by consumers that know only their sink, by
//! a scan of every file, and by a comparison of what others put into the tenant.

mod clockwork;
mod consumers;
mod foreign;
mod leaks;
mod people;
mod recorder;
pub mod simulate;
mod stage;
mod story;

pub use stage::DemoOptions;
pub use story::Report;
pub use story::demo;
#[cfg(feature = "mutants")]
pub(crate) use story::rules;

/// Tells the story while it happens.
pub trait Narrator: Send + Sync {
    /// A heading or a line, as it is shown.
    fn line(&self, text: &str);
}

/// A promise that a test build can break, to see that its figure notices.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "mutants", derive(clap::ValueEnum))]
pub enum Sabotage {
    /// Remove the old one before anybody uses the new one: instants with an integration down.
    EarlyRetire,
    /// Write a secret into a log file: copies outside the sinks.
    Leak,
    /// Sweep what others made: foreign credentials touched.
    TouchForeign,
}
