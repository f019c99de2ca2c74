//! Lists: one engine for all resources.
//!
//! [`ListRequest::parse`] reads what a client asks for, [`list()`] finds the rows, [`next_query`] is
//! the rest of the link to the next page. A page goes on after the row that the client saw last,
//! whatever the order, so rows that come or go between two pages neither repeat nor hide others.

mod allowed;
mod column;
mod condition;
mod first;
mod ordered;
mod request;
mod resources;
mod run;
mod sort;
mod types;

use statehold_filter::Filterable;
use statehold_store::{Index, Order, ReadView, Scan, Table};
use uuid::Uuid;

pub use self::{
    allowed::{AllowedFilters, RESOURCE_FILTERS},
    column::Column,
    request::{ListRequest, PAGE_ROWS_MAX},
    run::{Listing, list},
    types::{asked_public, list_types},
};
use crate::{access::actions::Rule, error::Missing};

/// Reads a column of a row.
pub type Getter<T> = for<'r> fn(&'r T) -> Column<'r>;

/// A part of an index.
#[derive(Debug)]
pub struct Place<'p, T> {
    /// The project; none is all.
    pub project: Option<&'p str>,
    /// The row from which on the index is read.
    pub from: Option<&'p T>,
}

impl<T> Clone for Place<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Place<'_, T> {}

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

    /// Returns the function that reads a column of a row; `None` when there is no such column.
    fn getter(name: &str) -> Option<Getter<Self>>;

    /// Returns the row's value of a column; `None` when there is no such column.
    fn column(&self, name: &str) -> Option<Column<'_>> {
        Self::getter(name).map(|get| get(self))
    }

    /// Returns the rows of a project, or of all, in the order of `key`, and of creation and ID where that is
    /// equal, from the row `from` on; `None` when no index has that order.
    fn ordered<'v>(
        view: &'v impl ReadView,
        key: &str,
        place: Place<'_, Self>,
        order: Order,
    ) -> Option<Scan<'v, Self>> {
        (key == "created_at").then(|| ordered::as_made(view, place, order))
    }

    /// Returns the rows of a project, or of all, that have a status, in the order of creation; `None` when no
    /// index has them.
    fn of_status<'v>(
        view: &'v impl ReadView,
        status: &str,
        place: Place<'_, Self>,
        order: Order,
    ) -> Option<Scan<'v, Self>> {
        let _ = (view, status, place, order);
        None
    }

    /// Returns the number of rows of a project, or of all, that have a status; 0 when no index has them.
    fn count_status(view: &impl ReadView, status: &str, project: Option<&str>) -> usize {
        let _ = (view, status, project);
        0
    }

    /// What is said when there is no row with an ID.
    fn missing(id: &str) -> Missing;
}

/// The query of the link to the next page: all parameters, encoded, and the last row as the marker.
///
/// ```
/// use statehold_cinder::next_query;
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
