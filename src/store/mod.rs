//! The journal: SQLite, with secrets sealed under a key outside it.
//!
//! [`Sqlite`] implements [`crate::ports::Store`]. A write is one transaction, conditional on the epoch of the
//! lease ([`crate::ports::Fence`]) and on the version of the rotation (invariant I6 of the rotation protocol);
//! it is on the disk before the call returns (I3). A write that ends in
//! [`crate::ports::StoreError::Failed`] left nothing half-written, but the disk may have taken the whole of it:
//! read again before deciding anything.
//!
//! Not specific to SQLite, and shared with further databases: `seal` (encryption at rest), `chain` (the
//! history's hashes), `sql` (every statement), `record` (columns and bodies).

mod chain;
mod fault;
mod hold;
mod place;
mod record;
mod restore;
mod schema;
mod seal;
mod sql;
mod sqlite;

pub use place::unfit_file_system;
pub use restore::Restored;
pub use restore::Restoring;
pub use restore::restore;
pub use seal::SealKey;
pub use sqlite::Examined;
pub use sqlite::Options;
pub use sqlite::Sqlite;
