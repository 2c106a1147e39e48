//! What a fence means to every database: a number that is the current one, or nothing is done.

use crate::ports::Fence;
use crate::ports::StoreError;

/// The number as a column holds it.
pub(in crate::store) fn epoch(fence: Fence) -> Result<i64, StoreError> {
    // No epoch is ever that large, so such a fence is not the current one.
    i64::try_from(fence.0).map_err(|_| StoreError::Fenced)
}

/// What a statement that names the record it expects has found: nothing means that it is another's now.
pub(in crate::store) fn found(rows: u64) -> Result<(), StoreError> {
    if rows == 0 { Err(StoreError::Fenced) } else { Ok(()) }
}
