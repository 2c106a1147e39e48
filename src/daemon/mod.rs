//! The daemon: looks, does what is due, sleeps until the next instant, and can be asked how it is.
//!
//! It holds two rights. *Leading* keeps a second daemon out for as long as this one lives. The *right to write* it
//! takes for each cycle and gives back before it sleeps, so that `handoff open` and `apply` get in between. Who
//! loses that right in the middle of a cycle has been taken over, and ends.

mod driver;
mod log;
mod status;

pub use driver::Driver;
pub use driver::End;
pub use driver::Loaded;
pub use driver::Loader;
pub use driver::Signal;
pub use log::Logged;
pub use status::Status;
