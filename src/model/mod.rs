//! The words of the program: ids, applications, credentials, people, rotations, hand-offs, notices.
//!
//! Plain data without behaviour beyond its own arithmetic. Everything here may be stored, printed and
//! mailed: no type of this room can hold a secret.

pub mod adoption;
pub mod app;
pub mod bytes;
pub mod credential;
pub mod emergency;
pub mod handoff;
pub mod history;
pub mod ids;
mod limits;
pub mod notice;
pub mod people;
pub mod profile;
pub mod rotation;
pub mod sink;
mod tenant;
mod token;
pub mod vaults;

pub use adoption::*;
pub use app::*;
pub use credential::*;
pub use emergency::*;
pub use handoff::*;
pub use history::*;
pub use ids::*;
pub use limits::*;
pub use notice::*;
pub use people::*;
pub use profile::*;
pub use rotation::*;
pub use sink::*;
pub use tenant::*;
pub use token::*;
pub use vaults::*;
