//! Lists: follows `@odata.nextLink` as far as it leads, within bounds and within the origin.

use std::collections::HashSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::http::Request;
use crate::ports::PortError;

use super::Graph;

/// Most pages of one list. With 999 entries a page it is beyond any tenant.
const PAGES_MAX: usize = 10_000;

/// One page.
#[derive(Deserialize)]
pub(super) struct Page<T> {
    pub value: Vec<T>,
    #[serde(rename = "@odata.nextLink")]
    pub next: Option<String>,
    #[serde(rename = "@odata.deltaLink")]
    pub delta: Option<String>,
}

/// The links followed so far: a list that runs in a circle, or without end, is given up.
#[derive(Default)]
pub(super) struct Walk {
    seen: HashSet<String>,
}

impl Walk {
    /// Goes on where an earlier walk stopped.
    pub fn resume(seen: HashSet<String>) -> Self {
        Self { seen }
    }

    /// What [`Walk::resume`] takes.
    pub fn seen(self) -> HashSet<String> {
        self.seen
    }

    /// Notes that `link` is followed.
    ///
    /// # Errors
    /// [`PortError::Unsure`] when it was followed before, or there are more than 10,000 pages.
    pub fn step(&mut self, graph: &Graph, link: &str) -> Result<(), PortError> {
        let endless = |why: &str| PortError::Unsure { place: graph.site.place(), why: why.into(), request_id: None };
        if !self.seen.insert(link.to_owned()) {
            return Err(endless("the pages of a list run in a circle"));
        }
        if self.seen.len() >= PAGES_MAX {
            return Err(endless("a list has more pages than everkey reads"));
        }
        Ok(())
    }
}

impl Graph {
    /// All entries of the list at `path`, in the order Graph gives them.
    ///
    /// # Errors
    /// As a read; [`PortError::Refused`] with the code `ForeignOrigin` when a link leaves Graph;
    /// [`PortError::Unsure`] when links run in a circle or there are more than 10,000 pages: half a list is none.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<T>, PortError> {
        let first =
            || query.iter().fold(Request::get(path), |request, (name, value)| request.query(name, value)).page();
        let mut page: Page<T> = self.read_patiently(first).await?.value;
        let mut entries = page.value;
        let mut walk = Walk::default();
        while let Some(link) = page.next.take() {
            walk.step(self, &link)?;
            page = self.read_patiently(|| Request::follow(link.as_str()).page()).await?.value;
            entries.append(&mut page.value);
        }
        Ok(entries)
    }
}
