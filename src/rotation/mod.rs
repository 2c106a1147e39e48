//! The state machines of the rotation protocol: states, events, next step; no input or output.
//!
//! `rotation.md` is the design; the numbers of its tables are kept in the comments (S0 … S6 for client
//! secrets, C0 … C8 for certificates). [`fold::after`] says what an event makes of a record and refuses
//! impossible histories; [`next::next`] says what to do; [`guard::unmet`] is the only gate in front of a removal.

mod dates;
pub mod emergency;
pub mod evidence;
pub mod fold;
pub mod guard;
pub mod next;
pub mod numbers;
pub mod orphan;
mod probes;
mod removals;
pub mod rules;
pub mod tag;
pub mod union;

#[cfg(test)]
mod tests;

pub use fold::Impossible;
pub use fold::after;
pub use next::Action;
pub use next::Next;
pub use next::View;
pub use next::Waiting;
pub use next::certificate_due;
pub use next::next;
pub use rules::Mutation;
pub use rules::Rules;
