//! Where a store stands: the live one, one that has moved away, or a copy that is not finished. At most one of the two
//! databases of a move is ever the live one: a fork of the journal would be two rotations of everything.

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::ports::StoreError;

/// Facts of a store about a move. A copy that is not finished is `ARRIVING`; finished, it `CAME`.
pub(super) const ARRIVING: &str = "arriving";
pub(super) const CAME: &str = "came";
pub(super) const MOVED: &str = "moved";

/// One move, as both of its databases note it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Move {
    /// Names this move.
    pub id: String,
    /// The other database.
    pub place: String,
    /// When it began.
    pub at: Timestamp,
}

/// Where a store stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Standing {
    /// A copy that is not finished.
    Arriving(Move),
    /// The live one; with the move that brought it.
    Live(Option<Move>),
    /// It has moved away.
    Moved(Move),
}

impl Standing {
    /// Refuses all but the live one.
    ///
    /// # Errors
    /// [`StoreError::Moved`], [`StoreError::Arriving`].
    pub fn live(&self) -> Result<(), StoreError> {
        let day = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M UTC");
        match self {
            Self::Live(_) => Ok(()),
            Self::Moved(to) => Err(StoreError::Moved(format!("it moved to {} on {}", to.place, day(to.at)))),
            Self::Arriving(from) => {
                Err(StoreError::Arriving(format!("it is being copied from {} since {}", from.place, day(from.at))))
            }
        }
    }
}
