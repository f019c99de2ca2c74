//! Lists: one engine for all resources.
//!
//! [`ListRequest::parse`] reads the parameters, [`list()`] selects the rows, [`next_query`] returns
//! the query of the link to the next page. A page resumes after the last row that the client
//! received, in every order, so rows that are created or deleted between two pages neither repeat
//! nor hide others.

mod ahead;
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

use crate::{access::actions::Rule, errors::Missing};

pub use self::{
    allowed::{AllowedFilters, RESOURCE_FILTERS},
    column::Column,
    request::{AllProjects, ListRequest, PAGE_ROWS_MAX, named_flag, parse_flag},
    run::{ListPage, list},
    types::{list_types, parse_is_public},
};

/// Reads a column of a row.
pub type ColumnGetter<T> = for<'r> fn(&'r T) -> Column<'r>;

/// The start of a scan in an index.
#[derive(Debug)]
pub struct PageStart<'p, T> {
    /// The project; none is all projects.
    pub project: Option<&'p str>,
    /// The row at which the scan starts; none is the first row.
    pub from: Option<&'p T>,
}

impl<T> Clone for PageStart<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for PageStart<'_, T> {}

/// A resource with lists.
pub trait ListResource: Table<Row = Self, Key = Uuid> + Filterable {
    /// The permission that a list requires.
    const RULE: Rule;
    /// The filters that members may use.
    const FILTERS: AllowedFilters;
    /// The keys that lists may be sorted by.
    const SORT_KEYS: &'static [&'static str];
    /// The first version whose lists may be sorted by `name`.
    const NAME_SORTED_SINCE: u16;
    /// Whether lists return the number of all rows on request, from 3.45 on.
    const COUNTED: bool;
    /// The reading of `all_tenants`.
    const ALL_PROJECTS: AllProjects;
    /// The index of a project's rows in order of creation; none if rows belong to no project.
    const BY_PROJECT: Option<&'static Index<Self, (String, i64, Uuid)>>;
    /// The index of all rows in order of creation.
    const BY_CREATED: &'static Index<Self, (i64, Uuid)>;

    /// Returns the row's ID.
    fn id(&self) -> Uuid;

    /// Returns the project that owns the row.
    fn project_id(&self) -> Option<&str>;

    /// Returns the creation time, in Unix nanoseconds.
    fn created_at(&self) -> i64;

    /// Returns the function that reads a column of a row; `None` if there is no such column.
    fn getter(name: &str) -> Option<ColumnGetter<Self>>;

    /// Returns the row's value of a column; `None` if there is no such column.
    fn column(&self, name: &str) -> Option<Column<'_>> {
        Self::getter(name).map(|get| get(self))
    }

    /// Returns the rows of a project, or of all projects, in the order of `key`, creation and ID,
    /// from the start on; `None` if no index has that order.
    fn ordered<'v>(
        view: &'v impl ReadView,
        key: &str,
        start: PageStart<'_, Self>,
        order: Order,
    ) -> Option<Scan<'v, Self>> {
        (key == "created_at").then(|| ordered::by_creation(view, start, order))
    }

    /// Returns the rows of a project, or of all projects, with a status, in order of creation;
    /// `None` if no index has them.
    fn of_status<'v>(
        view: &'v impl ReadView,
        status: &str,
        start: PageStart<'_, Self>,
        order: Order,
    ) -> Option<Scan<'v, Self>> {
        let _ = (view, status, start, order);
        None
    }

    /// Returns the number of rows of a project, or of all projects, with a status; 0 if no index
    /// has them.
    fn count_status(view: &impl ReadView, status: &str, project: Option<&str>) -> usize {
        let _ = (view, status, project);
        0
    }

    /// Returns the number of rows of a project, or of all, that are on a host or on one of its
    /// pools; `None` if only the rows can answer.
    fn count_on_host(view: &impl ReadView, host: &str, project: Option<&str>) -> Option<usize> {
        let _ = (view, host, project);
        None
    }

    /// Returns the error for an ID without a row.
    fn missing(id: &str) -> Missing;
}

/// Returns the query of the link to the next page: all parameters, encoded, with the last row as
/// the marker.
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
