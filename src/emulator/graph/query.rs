//! The query options of a read: `$filter`, `$select`, `$top`, `$count`, `$skiptoken` (entra-contract 2.2).

use super::Problem;
use super::filter::Filter;
use crate::emulator::call::Call;

/// Objects on a page when the client does not say.
const DEFAULT_PAGE: usize = 100;
/// Most objects on a page.
const MAX_PAGE: usize = 999;

/// The options of one read.
#[derive(Debug)]
pub(super) struct Query {
    /// Whether the reply carries `@odata.count`.
    pub(super) count: bool,
    /// Whether each object carries its owners.
    pub(super) expand_owners: bool,
    /// Which objects.
    pub(super) filter: Option<Filter>,
    /// Which properties, as the client wrote them; all when `None`.
    pub(super) select: Option<Vec<String>>,
    /// The id after which the page begins.
    pub(super) skip_token: Option<String>,
    /// Objects on a page.
    pub(super) top: usize,
}

impl Query {
    /// Reads the options of a call.
    pub(super) fn of(call: &Call) -> Result<Self, Problem> {
        let eventual = call.header("consistencylevel").is_some_and(|level| level.eq_ignore_ascii_case("eventual"));
        let mut query = Self {
            count: false,
            expand_owners: false,
            filter: None,
            select: None,
            skip_token: None,
            top: DEFAULT_PAGE,
        };
        for (name, value) in call.query_pairs() {
            match name.to_ascii_lowercase().as_str() {
                // Without the header the count is left out, as Graph does.
                "$count" => query.count = eventual && value.eq_ignore_ascii_case("true"),
                "$expand" if value.eq_ignore_ascii_case("owners") => query.expand_owners = true,
                "$filter" => query.filter = Some(Filter::parse(&value)?),
                "$format" => {}
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
                "$search" if !eventual => {
                    return Err(Problem::unsupported(
                        "Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'",
                    ));
                }
                option if option.starts_with('$') => {
                    return Err(Problem::unsupported(format!("The query option '{option}' is not supported here.")));
                }
                _ => {}
            }
        }
        Ok(query)
    }
}
