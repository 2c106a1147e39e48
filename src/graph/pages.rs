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
struct Page<T> {
    value: Vec<T>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
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
        let mut seen = HashSet::new();
        while let Some(link) = page.next.take() {
            let endless = |why: &str| PortError::Unsure { place: self.site.place(), why: why.into() };
            if !seen.insert(link.clone()) {
                return Err(endless("the pages of a list run in a circle"));
            }
            if seen.len() >= PAGES_MAX {
                return Err(endless("a list has more pages than everkey reads"));
            }
            page = self.read_patiently(|| Request::follow(link.as_str()).page()).await?.value;
            entries.append(&mut page.value);
        }
        Ok(entries)
    }
}
