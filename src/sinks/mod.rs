//! Places where consumers read a credential: a directory of files, values inside a JSON file, or a vault.
//!
//! [`Factory`] is the port `Sinks`. Each kind is a folder; what they share stands beside them:
//! `place` (work relative to an open directory), `sidecar` (lock and generation), `owner`,
//! `mounts` and `after`; for places beyond this machine `remote`, and `vault` for HashiCorp's, which
//! also signs certificates (`vault_pki`).

mod after;
mod error;
mod factory;
mod files;
mod json_file;
mod key_vault;
mod keyed;
mod kubernetes;
mod marks;
mod mounts;
mod owner;
mod place;
mod remote;
mod sidecar;
mod vault;
mod vault_kv;
mod vault_leases;
mod vault_pki;

pub use factory::Factory;
pub use remote::Remote;
