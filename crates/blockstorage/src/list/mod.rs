//! Lists: one engine for all resources.
//!
//! [`ListRequest::parse`] reads what a client asks for, [`list()`] finds the rows, [`next_query`] is
//! the rest of the link to the next page. A page goes on after the row that the client saw last,
//! whatever the order, so rows that come or go between two pages neither repeat nor hide others.

mod allowed;
mod column;
mod condition;
mod first;
mod request;
mod resources;
mod run;
mod sort;
mod types;

use statehold_filter::Filterable;
use statehold_store::{Index, Table};
use uuid::Uuid;

pub use self::{
    allowed::{AllowedFilters, RESOURCE_FILTERS},
    column::Column,
    request::{ListRequest, PAGE_ROWS_MAX},
    run::{Listing, list},
    types::{asked_public, list_types},
};
use crate::{access::actions::Rule, error::Missing};

/// A resource that is listed.
pub trait Listed: Table<Row = Self, Key = Uuid> + Filterable {
    /// Who may list the rows.
    const RULE: Rule;
    /// What members may filter by.
    const FILTERS: AllowedFilters;
    /// What lists may be sorted by.
    const SORT_KEYS: &'static [&'static str];
    /// The version from which lists may be sorted by `name`.
    const NAME_SORTED_SINCE: u16;
    /// Whether lists tell how many rows there are in all, from 3.45 on.
    const COUNTED: bool;
    /// The index of a project's rows in the order in which they were made; none when no project owns
    /// them.
    const BY_PROJECT: Option<&'static Index<Self, (String, i64, Uuid)>>;
    /// The index of all rows in the order in which they were made.
    const BY_CREATED: &'static Index<Self, (i64, Uuid)>;

    /// The row's ID.
    fn id(&self) -> Uuid;

    /// The project that owns the row.
    fn project_id(&self) -> Option<&str>;

    /// When the row was made, in unix nanoseconds.
    fn created_at(&self) -> i64;

    /// The row's value of a column; `None` when there is no such column.
    fn column(&self, name: &str) -> Option<Column<'_>>;

    /// What is said when there is no row with an ID.
    fn missing(id: &str) -> Missing;
}

/// The query of the link to the next page: all parameters, encoded, and the last row as the marker.
///
/// ```
/// use statehold_blockstorage::next_query;
/// let parameters = [("limit".into(), "1".into()), ("sort".into(), "name:asc".into())];
/// assert_eq!(next_query(&parameters, uuid::Uuid::nil()),
///     "limit=1&sort=name%3Aasc&marker=00000000-0000-0000-0000-000000000000");
/// ```
pub fn next_query(parameters: &[(String, String)], last: Uuid) -> String {
    let others = parameters.iter().filter(|(key, _)| key != "marker");
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(others)
        .append_pair("marker", &last.to_string())
        .finish()
}
