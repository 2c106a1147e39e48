//! A store moves to another database: copied in one transaction, compared row for row, and live in one place at a time.
//!
//! Two databases know no common commit, so there are three of them, and each is a state that says what to do next:
//!
//! 1. The copy is written, marked as *arriving*: nobody works with it. Stopped before or after: the source is the live one,
//!    and the next copy begins anew.
//! 2. The source is marked as *moved*, on condition that nothing was written to it since. Stopped before: as above. Stopped
//!    after: neither is live, both say so, and the next copy finishes.
//! 3. The mark of the copy is taken away: it is the live one.
//!
//! A source without its mark beside a copy without its own can never be.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use super::examined::Examined;
use super::seal::SealKey;
use super::standing::Move;
use super::standing::Standing;
use super::tables::Cell;
use super::tables::TABLES;
use super::tables::Table;
use crate::model::Entry;
use crate::ports::Fence;
use crate::ports::Store;
use crate::ports::StoreError;

/// Rows read at a time.
pub(super) const PAGE: i64 = 500;

/// Told of a table and of how many of its rows are done.
pub(super) type Heard<'a> = &'a (dyn Fn(&str, usize) + Sync);

/// What a store's own commands need beyond the port: to look after it, and to move it.
#[async_trait]
pub trait Care: Store {
    /// Where it is, for people.
    fn place(&self) -> String;
    /// Where it stands.
    async fn standing(&self) -> Result<Standing, StoreError>;
    /// Whether nothing was ever done with it.
    async fn is_empty(&self) -> Result<bool, StoreError>;
    /// Everything read: the database's own check, the chain, every sealed value.
    async fn examined(&self) -> Result<Examined, StoreError>;
    /// Whether `key` is the one this store is sealed under.
    fn is_sealed_under(&self, key: &SealKey) -> bool;
    /// Seals every value and marks every entry under `new`, in one transaction; how many values there were.
    async fn reseal(
        &self,
        fence: Fence,
        new: &SealKey,
        at: Timestamp,
        actor: &str,
        entry: &Entry,
    ) -> Result<usize, StoreError>;
    /// Notes in the history, under the right to write.
    async fn announce(&self, fence: Fence, at: Timestamp, actor: &str, entry: &Entry) -> Result<(), StoreError>;
    /// Takes in all that `from` has, in the place of what is here, as a copy that is not finished: one transaction.
    async fn take_in(&self, fence: Fence, from: &dyn Care, moving: &Move, heard: Heard<'_>) -> Result<(), StoreError>;
    /// Marks this one as moved, unless its history has gone on after `head`.
    async fn leave(&self, fence: Fence, moving: &Move, head: &str) -> Result<(), StoreError>;
    /// Makes this one the live one.
    async fn arrive(
        &self,
        fence: Fence,
        moving: &Move,
        at: Timestamp,
        actor: &str,
        entry: &Entry,
    ) -> Result<(), StoreError>;
    /// Makes this one the live one on a person's word, and leaves out the next `skip` numbers.
    async fn claim(&self, fence: Fence, skip: u32, at: Timestamp, actor: &str, entry: &Entry)
    -> Result<(), StoreError>;
    #[doc(hidden)]
    async fn page(&self, table: &'static Table, after: usize) -> Result<Vec<Vec<Cell>>, StoreError>;
    #[doc(hidden)]
    async fn rows(&self, table: &'static Table) -> Result<u64, StoreError>;
}

/// A table, read page by page.
pub(super) struct Reading<'a> {
    from: &'a dyn Care,
    table: &'static Table,
    /// Rows read so far.
    pub(super) done: usize,
}

impl<'a> Reading<'a> {
    pub(super) fn of(from: &'a dyn Care, table: &'static Table) -> Self {
        Self { from, table, done: 0 }
    }

    /// The next page; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Vec<Cell>>>, StoreError> {
        let rows = self.from.page(self.table, self.done).await?;
        self.done += rows.len();
        Ok(if rows.is_empty() { None } else { Some(rows) })
    }
}

/// Where a copy is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage<'a> {
    /// Rows of a table were written.
    Copying(&'a str, usize),
    /// Both are compared.
    Comparing,
    /// The old one is marked, then the new one becomes the live one.
    Switching,
}

/// Who copies, and how.
pub struct Copying<'a> {
    /// The store as it is.
    pub from: &'a dyn Care,
    /// Where it goes.
    pub to: &'a dyn Care,
    /// Names the move.
    pub id: String,
    /// Who acts.
    pub actor: &'a str,
    /// Who holds both meanwhile.
    pub holder: &'a str,
    /// The tenant's time, for the history.
    pub now: Timestamp,
    /// The real time, for the locks.
    pub real: Timestamp,
    /// Told where it is.
    pub progress: &'a (dyn Fn(Stage<'_>) + Sync),
}

/// What came of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Copied {
    /// Entries of the history that were copied, and the hash of the last.
    pub entries: u64,
    /// See `entries`.
    pub head: String,
    /// Sealed values, all of which open.
    pub sealed: usize,
    /// Rows of each table.
    pub rows: BTreeMap<&'static str, u64>,
    /// It was finished, or only found to be done, after an earlier copy that was stopped.
    pub resumed: bool,
}

/// Moves a store. May be stopped at any point and run again.
///
/// # Errors
/// [`StoreError::Held`] while anybody uses one of them, [`StoreError::Place`] when `to` is not empty,
/// [`StoreError::Moved`] and [`StoreError::Arriving`] when `from` is not the live one.
pub async fn copy(copying: Copying<'_>) -> Result<Copied, StoreError> {
    let Copying { from, to, holder, real, .. } = copying;
    // A daemon that rests between two cycles must not find itself beside another store.
    from.lead(holder, real).await?;
    let here = from.acquire(holder, real).await?;
    let result = match to.lead(holder, real).await {
        Ok(()) => match to.acquire(holder, real).await {
            Ok(there) => {
                let result = copy_held(&copying, here, there).await;
                let given = to.release(there).await;
                result.and_then(|copied| given.map(|()| copied))
            }
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    let given = from.release(here).await;
    result.and_then(|copied| given.map(|()| copied))
}

async fn copy_held(copying: &Copying<'_>, here: Fence, there: Fence) -> Result<Copied, StoreError> {
    let Copying { from, to, progress, .. } = *copying;
    let entry = |event: &str, text: String| Entry {
        integration: None,
        rotation: None,
        kind: "store".to_owned(),
        text,
        body: serde_json::json!({"event": event, "from": from.place(), "to": to.place(), "os_user": copying.actor}),
    };
    let (source, target) = (from.standing().await?, to.standing().await?);
    let begun = match (&source, &target) {
        (Standing::Moved(left), Standing::Live(Some(came))) if left.id == came.id => {
            return compared(from, to, true).await;
        }
        (Standing::Moved(left), Standing::Arriving(arriving)) if left.id == arriving.id => Some(left.clone()),
        // What an earlier copy left; the source may have gone on since.
        (Standing::Live(_), Standing::Arriving(_)) if from.instance() == to.instance() => None,
        (Standing::Live(_), Standing::Live(_)) if to.is_empty().await? => None,
        (Standing::Live(_), _) => return Err(StoreError::Place(format!("there is a store in {} already", to.place()))),
        _ => None,
    };
    let resumed = begun.is_some();
    let moving = begun.unwrap_or_else(|| Move { id: copying.id.clone(), place: to.place(), at: copying.now });
    if !resumed {
        source.live()?;
        sound(&from.examined().await?, from)?;
        let text = format!("being moved to {}", to.place());
        from.announce(here, copying.now, copying.actor, &entry("store-moving", text)).await?;
        let arriving = Move { place: from.place(), ..moving.clone() };
        to.take_in(there, from, &arriving, &|table, rows| progress(Stage::Copying(table, rows))).await?;
    }
    progress(Stage::Comparing);
    let copied = compared(from, to, resumed).await?;
    progress(Stage::Switching);
    if !resumed {
        from.leave(here, &moving, &copied.head).await?;
    }
    let came = Move { place: from.place(), ..moving };
    let text = format!("moved here from {}, {} entries", from.place(), copied.entries);
    to.arrive(there, &came, copying.now, copying.actor, &entry("store-moved", text)).await?;
    Ok(copied)
}

fn sound(found: &Examined, store: &dyn Care) -> Result<(), StoreError> {
    if found.is_sound() {
        return Ok(());
    }
    Err(StoreError::Failed(format!("{} is not sound: see `everkey store check`", store.place())))
}

/// Reads both whole: every row of `from` is in `to`, the chain fits and every sealed value opens. What `to` has beyond
/// it (it may have been at work since) is only found to be sound.
async fn compared(from: &dyn Care, to: &dyn Care, resumed: bool) -> Result<Copied, StoreError> {
    let (source, target) = (from.examined().await?, to.examined().await?);
    sound(&source, from)?;
    sound(&target, to)?;
    let mut rows = BTreeMap::new();
    let arriving = matches!(to.standing().await?, Standing::Arriving(_));
    if arriving && source.head != target.head {
        return Err(StoreError::Busy("something was noted in the store while it was copied".to_owned()));
    }
    for table in TABLES {
        rows.insert(table.name, to.rows(table).await?);
        let (mut one, mut two) = (Reading::of(from, table), Reading::of(to, table));
        loop {
            let pages = (one.next().await?, two.next().await?);
            if arriving && pages.0 != pages.1 {
                let what = format!("{} differs in {} and {}", table.name, from.place(), to.place());
                return Err(StoreError::Failed(what));
            }
            if pages == (None, None) {
                break;
            }
        }
    }
    let (entries, head, sealed) = (source.entries, source.head, source.sealed);
    Ok(Copied { entries, head, sealed, rows, resumed })
}
