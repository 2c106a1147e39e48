//! The query options of a read, and which of them need `ConsistencyLevel: eventual` (entra-contract 2.2).

use super::Problem;
use super::filter::Filter;
use super::search::Search;
use crate::emulator::call::Call;

/// Objects on a page when the client does not say.
const DEFAULT_PAGE: usize = 100;
/// Most objects on a page.
const MAX_PAGE: usize = 999;
/// Properties that a collection can be ordered by.
const SORTABLE: [&str; 3] = ["createdDateTime", "displayName", "deletedDateTime"];

/// The options of one read.
#[derive(Debug)]
pub(super) struct Query {
    /// Whether the reply carries `@odata.count`.
    pub(super) count: bool,
    /// Whether each object carries its owners.
    pub(super) expand_owners: bool,
    /// Which objects.
    pub(super) filter: Option<Filter>,
    /// By which properties they come, and whether backwards; by id when empty.
    pub(super) order: Vec<(&'static str, bool)>,
    /// Which objects, by words.
    pub(super) search: Option<Search>,
    /// Which properties, as the client wrote them; all when `None`.
    pub(super) select: Option<Vec<String>>,
    /// Where the page begins.
    pub(super) skip_token: Option<String>,
    /// Objects on a page.
    pub(super) top: usize,
}

impl Query {
    /// Reads the options of a call.
    pub(super) fn of(call: &Call) -> Result<Self, Problem> {
        let (query, counted) = Self::read(call)?;
        query.check(is_eventual(call) && counted)?;
        Ok(query)
    }

    /// Reads the options of a `$count` segment, which counts without saying so.
    pub(super) fn counting(call: &Call) -> Result<Self, Problem> {
        if !is_eventual(call) {
            return Err(Problem::unsupported("$count is not currently supported."));
        }
        Ok(Self::read(call)?.0)
    }

    fn read(call: &Call) -> Result<(Self, bool), Problem> {
        let mut counted = false;
        let mut query = Self {
            count: false,
            expand_owners: false,
            filter: None,
            order: Vec::new(),
            search: None,
            select: None,
            skip_token: None,
            top: DEFAULT_PAGE,
        };
        for (name, value) in call.query_pairs() {
            match name.to_ascii_lowercase().as_str() {
                "$count" => counted = value.eq_ignore_ascii_case("true"),
                "$expand" if value.eq_ignore_ascii_case("owners") => query.expand_owners = true,
                "$filter" => query.filter = Some(Filter::parse(&value)?),
                "$format" => {}
                "$orderby" => query.order = order(&value)?,
                "$search" if !is_eventual(call) => {
                    return Err(Problem::unsupported(
                        "Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'",
                    ));
                }
                "$search" => query.search = Some(Search::parse(&value)?),
                "$select" => {
                    let names = value.split(',').map(|name| name.trim().to_owned());
                    query.select = Some(names.filter(|name| !name.is_empty()).collect());
                }
                "$skiptoken" => query.skip_token = Some(value),
                "$top" => {
                    let top = value.parse().ok().filter(|top| (1..=MAX_PAGE).contains(top));
                    query.top = top.ok_or_else(|| {
                        Problem::unsupported(format!(
                            "Invalid page size specified: '{value}'. Must be between 1 and {MAX_PAGE} inclusive."
                        ))
                    })?;
                }
                option if option.starts_with('$') => {
                    return Err(Problem::unsupported(format!("The query option '{option}' is not supported here.")));
                }
                _ => {}
            }
        }
        // Without the header the count is left out, as Graph does.
        query.count = counted && is_eventual(call);
        Ok((query, counted))
    }

    fn check(&self, advanced: bool) -> Result<(), Problem> {
        let asks = self.filter.as_ref().is_some_and(|filter| filter.is_advanced() || !self.order.is_empty());
        if asks && !advanced {
            return Err(Problem::unsupported(
                "The specified query needs the header 'ConsistencyLevel: eventual' and the query option $count=true.",
            ));
        }
        Ok(())
    }
}

fn is_eventual(call: &Call) -> bool {
    call.header("consistencylevel").is_some_and(|level| level.eq_ignore_ascii_case("eventual"))
}

/// `displayName desc, createdDateTime`
fn order(text: &str) -> Result<Vec<(&'static str, bool)>, Problem> {
    let refuse = || Problem::unsupported(format!("Sorting by '{text}' is not supported."));
    let read = |part: &str| {
        let mut words = part.split_whitespace();
        let name = words.next().ok_or_else(refuse)?;
        let backwards = match (words.next().map(str::to_ascii_lowercase).as_deref(), words.next()) {
            (None | Some("asc"), None) => false,
            (Some("desc"), None) => true,
            _ => return Err(refuse()),
        };
        let known = SORTABLE.iter().find(|known| known.eq_ignore_ascii_case(name));
        known.map(|known| (*known, backwards)).ok_or_else(refuse)
    };
    text.split(',').map(read).collect()
}
