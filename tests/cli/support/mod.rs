//! What the tests share: a world with an emulator, and how its commands ran.

mod applied;
mod az;
mod http;
mod mail;
mod ran;
mod scan;
mod world;

pub use mail::Catcher;
pub use mail::PASSWORD as MAIL_PASSWORD;
pub use mail::section as mail_section;
pub use ran::Ran;
pub use ran::python;
pub use scan::Canaries;
pub use world::INTEGRATIONS;
pub use world::Running;
pub use world::World;
pub use world::binary;
pub use world::until;
