//! Places where consumers read a credential: a directory of files, or values inside a JSON file.
//!
//! [`Factory`] is the port `Sinks`. Each kind is a folder; what they share stands beside them:
//! `place` (work relative to an open directory), `sidecar` (lock and generation), `owner`,
//! `mounts` and `after`.

mod after;
mod error;
mod factory;
mod files;
mod json_file;
mod mounts;
mod owner;
mod place;
mod sidecar;

pub use factory::Factory;
