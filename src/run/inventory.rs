//! The whole tenant, read page by page: what holds credentials is kept, everything else is only counted. Changes
//! nothing and needs no journal.

use std::collections::HashSet;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::model::Holder;
use crate::model::HolderKind;
use crate::model::Listed;
use crate::model::ListedKind;
use crate::model::ObjectId;
use crate::ports::Directory;
use crate::ports::PortError;

/// A credential that ends later than this from now (ten years and a month) never ends, as far as people are concerned.
const NEVER_AFTER: SignedDuration = SignedDuration::from_hours(24 * 3683);

/// What a walk through the tenant counted and kept.
#[derive(Debug, Default)]
pub struct Inventory {
    /// The far side's time at the first page.
    pub date: Option<Timestamp>,
    /// Applications.
    pub applications: u64,
    /// Service principals.
    pub principals: u64,
    /// Those with credentials.
    pub holders: Vec<Holder>,
    /// Some owners could not be read: whoever seems to have none may have one.
    pub owners_unknown: bool,
}

/// Where a credential stands in time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ends {
    /// It has ended.
    Expired,
    /// In so many days.
    In(i64),
    /// Not within ten years.
    Never,
}

impl Ends {
    /// Where `listed` stands at `now`.
    pub fn of(listed: &Listed, now: Timestamp) -> Self {
        let left = listed.end.duration_since(now);
        if left <= SignedDuration::ZERO {
            Self::Expired
        } else if left > NEVER_AFTER {
            Self::Never
        } else {
            Self::In(left.as_hours() / 24)
        }
    }

    /// `expired`, `critical` (7 days), `warning` (30 days), `ok`, `never`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::In(..7) => "critical",
            Self::In(..30) => "warning",
            Self::In(_) => "ok",
            Self::Never => "never",
        }
    }
}

/// Told while the tenant is read.
pub trait Walking: Send {
    /// So many of a kind were read.
    fn read(&mut self, kind: HolderKind, count: u64);
}

/// Nobody watches.
impl Walking for () {
    fn read(&mut self, _: HolderKind, _: u64) {}
}

/// Reads everything.
///
/// # Errors
/// As [`Directory::holders`]; half a tenant is none.
pub async fn take(directory: &dyn Directory, walking: &mut dyn Walking) -> Result<Inventory, PortError> {
    let mut inventory = Inventory::default();
    for kind in HolderKind::ALL {
        // The same object comes twice when the tenant changes between two pages.
        let mut met: HashSet<ObjectId> = HashSet::new();
        let mut cursor = None;
        loop {
            let page = directory.holders(kind, cursor).await?;
            inventory.date = inventory.date.or(page.date);
            for holder in page.holders {
                if met.insert(holder.object_id.clone()) {
                    inventory.keep(holder);
                }
            }
            walking.read(kind, met.len() as u64);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let count = met.len() as u64;
        match kind {
            HolderKind::Application => inventory.applications = count,
            HolderKind::Principal => inventory.principals = count,
        }
    }
    Ok(inventory)
}

impl Inventory {
    fn keep(&mut self, holder: Holder) {
        if !holder.listed().is_empty() {
            self.owners_unknown |= holder.owners.is_none();
            self.holders.push(holder);
        }
    }

    /// Every credential with what holds it, soonest end first; an active SAML certificate before its successors.
    pub fn rows(&self) -> Vec<(&Holder, Listed)> {
        let mut rows: Vec<(&Holder, Listed)> =
            self.holders.iter().flat_map(|holder| holder.listed().into_iter().map(move |one| (holder, one))).collect();
        rows.sort_by(|(a, one), (b, other)| {
            (one.end, &a.display_name, &one.key_id).cmp(&(other.end, &b.display_name, &other.key_id))
        });
        rows
    }

    /// Applications (not service principals) with credentials and, as far as is known, nobody who owns them.
    pub fn ownerless(&self) -> usize {
        let unowned = |holder: &&Holder| holder.owners.as_ref().is_some_and(Vec::is_empty);
        self.holders.iter().filter(|holder| holder.kind == HolderKind::Application).filter(unowned).count()
    }

    /// Holders with more than one credential of a kind that is still valid at `now`.
    pub fn several(&self, now: Timestamp) -> usize {
        let more = |holder: &&Holder| {
            [ListedKind::Certificate, ListedKind::Saml, ListedKind::Secret]
                .iter()
                .any(|kind| holder.listed().iter().filter(|one| one.kind == *kind && one.end > now).count() > 1)
        };
        self.holders.iter().filter(more).count()
    }
}
