//! The journal: SQLite or PostgreSQL, with secrets sealed under a key outside it.
//!
//! [`Sqlite`] implements [`crate::ports::Store`]. A write is one transaction, conditional on the epoch of the
//! lease ([`crate::ports::Fence`]) and on the version of the rotation (invariant I6 of the rotation protocol);
//! it is on the disk before the call returns (I3). A write that ends in
//! [`crate::ports::StoreError::Failed`] left nothing half-written, but the disk may have taken the whole of it:
//! read again before deciding anything.
//!
//! [`Memory`] keeps the same promises in memory, for mass simulation. [`Postgres`] implements it as well; it and SQLite
//! share `seal` (encryption at rest), `chain` (the history's hashes), `sql`
//! (every statement), `record` (columns and bodies) and `journal` (what is done with them).

mod chain;
mod examined;
mod fault;
mod fence;
mod hold;
mod memory;
mod place;
mod postgres;
mod record;
mod restore;
mod seal;
mod sql;
mod sqlite;
mod standing;
mod tables;
mod transfer;

pub use examined::Examined;
pub use memory::Memory;
pub use memory::Snapshot;
pub use place::unfit_file_system;
pub use postgres::Postgres;
pub use postgres::Server;
pub use restore::Restored;
pub use restore::Restoring;
pub use restore::SKIPPED;
pub use restore::restore;
pub use restore::set_aside;
pub use seal::SealKey;
pub use sqlite::Options;
pub use sqlite::Sqlite;
pub use standing::Move;
pub use standing::Standing;
pub use transfer::Care;
pub use transfer::Copied;
pub use transfer::Copying;
pub use transfer::Stage;
pub use transfer::copy;
