//! The imperative shell: observe (no decisions), the engine (the one loop and the one journal writer), act
//! (one arm per step), people (what a person says), tell (alerts and mail).
//!
//! The engine never sleeps: a tick does everything that is due, journals what it waits for, and returns the
//! next due instant. `apply` and `serve` sleep until then; `demo` and `simulate` jump there.

mod act;
mod adoption;
mod around;
pub mod caps;
pub mod codes;
mod deliver;
pub mod drill;
mod dropped;
pub mod emergencies;
pub mod emergency;
pub mod engine;
mod execute;
pub mod explain;
pub mod inventory;
pub mod issue;
pub mod issuers;
mod limits;
mod look;
pub mod observe;
mod older;
pub mod pack;
mod pack_text;
pub mod people;
pub mod places;
pub mod progress;
mod prove;
pub mod provision;
pub mod report;
mod restore;
mod retire;
pub mod ring;
pub mod seals;
pub mod setup;
pub mod signing;
mod stage;
mod stakes;
pub mod sweep;
pub mod tell;
pub mod token;
pub mod upkeep;
pub mod upload;
mod view;
pub mod watching;
pub mod words;

pub use engine::Engine;
pub use explain::explain;
pub use progress::Progress;
pub use progress::Quiet;
pub use setup::EngineOptions;
pub use setup::Limits;
pub use setup::Pace;
pub use setup::Ports;
pub use setup::RunError;
pub use setup::Tick;
