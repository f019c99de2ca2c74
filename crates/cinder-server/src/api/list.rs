//! Pages and filters of lists.

use std::cell::Cell;

use axum::http::StatusCode;
use serde::{Serialize, ser::SerializeMap as _};
use serde_json::{Value, json};
use statehold_cinder::{Error, ListPage, ListRequest, ListResource, list, next_query};
use statehold_filter::{Dialect, Filter, Filterable, Options};
use statehold_store::Snapshot;

use crate::request::{ApiError, CinderReply, CinderRequest};
use statehold_server_core::edge_metrics::RefusalReason;
use statehold_server_core::meter::FILTER_HELP;
use statehold_server_core::rejection::Rejection;

/// Number of rows without a filter that the meter counts at once.
const ROWS_PER_COUNT: u64 = 16;

/// The names of a list in its URL and its body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Collection {
    /// The path after the project.
    pub(crate) path: &'static str,
    /// The member of the body with the rows.
    pub(crate) rows: &'static str,
    /// The member with the link to the next page; `None` for lists without links.
    pub(crate) links: Option<&'static str>,
}

/// Returns the requested page of the rows that `visible` accepts, rendered by `show`.
pub(crate) fn list_visible<'v, T: ListResource, S: Serialize>(
    view: &'v Snapshot,
    call: &CinderRequest<'_>,
    collection: Collection,
    visible: impl Fn(&T) -> bool,
    show: impl Fn(&'v T) -> S,
) -> Result<CinderReply, ApiError> {
    list_visible_by(view, call, call.query, collection, visible, show)
}

/// Like [`list_visible_by`], for a list whose rows are all visible to the caller.
pub(crate) fn list_all_by<'v, T: ListResource, S: Serialize>(
    view: &'v Snapshot,
    call: &CinderRequest<'_>,
    parameters: &[(String, String)],
    collection: Collection,
    show: impl Fn(&'v T) -> S,
) -> Result<CinderReply, ApiError> {
    list_rows(view, call, (parameters, true), collection, |_| true, show)
}

/// Like [`list_visible`], with other parameters than those of the request.
pub(crate) fn list_visible_by<'v, T: ListResource, S: Serialize>(
    view: &'v Snapshot,
    call: &CinderRequest<'_>,
    parameters: &[(String, String)],
    collection: Collection,
    visible: impl Fn(&T) -> bool,
    show: impl Fn(&'v T) -> S,
) -> Result<CinderReply, ApiError> {
    list_rows(view, call, (parameters, false), collection, visible, show)
}

/// Returns a page. `sees_all` states that `visible` accepts each row, so that
/// rows can be counted and skipped without being read.
fn list_rows<'v, T: ListResource, S: Serialize>(
    view: &'v Snapshot,
    call: &CinderRequest<'_>,
    (parameters, sees_all): (&[(String, String)], bool),
    collection: Collection,
    visible: impl Fn(&T) -> bool,
    show: impl Fn(&'v T) -> S,
) -> Result<CinderReply, ApiError> {
    let request = ListRequest::parse::<T>(parameters, call.cx.caller, call.cx.version)?;
    let request = request.seeing_all(sees_all);
    let filter = compile_filter(call, request.filter())?;
    let filtered = filter.is_some();
    let uncounted = Cell::new(0);
    let goes_on = || {
        if filtered {
            return call.count_row(true);
        }
        // Locking the meter costs as much as evaluating a row, so that several rows share one count.
        uncounted.set(uncounted.get() + 1);
        uncounted.get() < ROWS_PER_COUNT || call.count_rows(uncounted.take())
    };
    let listing = list::<T>(view, &request, filter.as_ref(), |row| goes_on() && visible(row));
    // The remainder of the last group.
    call.count_rows(uncounted.take());
    let listing = listing.map_err(|error| match &error {
        // The only request error that reading rows can find: the filter needs too many steps.
        Error::Request(text) => too_costly(call, text),
        _ => error.into(),
    })?;
    page_reply(call, collection, &listing, show)
}

/// Returns the rows that the parameter `filter` accepts, as JSON. For rows that are few or in no table: each is
/// rendered before the filter reads it.
pub(crate) fn filter_rows<S: Serialize>(
    call: &CinderRequest<'_>,
    rows: impl IntoIterator<Item = S>,
) -> Result<Vec<Value>, ApiError> {
    let filter = compile_filter::<Value>(call, call.parameter("filter"))?;
    let rows = rows.into_iter().map(|row| serde_json::to_value(&row));
    let mut rows: Vec<Value> =
        rows.collect::<Result<_, _>>().map_err(|error| Rejection::internal(&error))?;
    let mut passes = row_filter(call, filter.as_ref());
    let mut too_costly = None;
    rows.retain(|row| {
        too_costly.is_none()
            && passes(row).unwrap_or_else(|refusal| {
                too_costly = Some(refusal);
                false
            })
    });
    too_costly.map_or(Ok(rows), Err)
}

/// Returns a function that evaluates `filter` on a row. All rows share one budget of evaluation.
///
/// # Errors
/// The function fails if the evaluation exceeds the budget: the request MUST fail, because a truncated list would look
/// complete.
pub(crate) fn row_filter<T: Filterable>(
    call: &CinderRequest<'_>,
    filter: Option<&Filter<T>>,
) -> impl FnMut(&T) -> Result<bool, ApiError> {
    let mut budget = filter.map(Filter::budget).unwrap_or_default();
    move |row| {
        // `run_handler` fails the request then, so that the truncated list is never sent.
        if !call.count_row(filter.is_some()) {
            return Ok(false);
        }
        match filter.map_or(Ok(true), |filter| filter.matches_within(row, &mut budget)) {
            Ok(passes) => Ok(passes),
            Err(error) if error.is_too_costly() => Err(too_costly(call, &error)),
            // A row on which the filter has no value does not match.
            Err(_) => Ok(false),
        }
    }
}

/// Counts a filter that needs too many steps, and returns its error.
fn too_costly(call: &CinderRequest<'_>, error: &dyn std::fmt::Display) -> ApiError {
    call.state.core().edge().refused(RefusalReason::FilterSteps);
    ApiError::bad_request(&format!("{error}\n{FILTER_HELP}"))
}

/// Compiles the filter of a request, if it has one.
///
/// # Errors
/// 400 for a filter that does not compile.
pub(crate) fn compile_filter<T: Filterable>(
    call: &CinderRequest<'_>,
    filter: Option<&str>,
) -> Result<Option<Filter<T>>, ApiError> {
    // The extended dialect: Cinder has no expressions, so that no existing client depends on the smaller one.
    let limits = call.state.core().limits().for_filters();
    let options = Options::new().dialect(Dialect::Extended).limits(limits);
    let filter = filter.map(|text| Filter::<T>::compile_with(text, &options)).transpose();
    filter.map_err(|error| ApiError::bad_request(&error.to_string()))
}

/// Returns the reply with a page that was read.
pub(crate) fn page_reply<'v, T: ListResource, S: Serialize>(
    call: &CinderRequest<'_>,
    collection: Collection,
    listing: &ListPage<'v, T>,
    show: impl Fn(&'v T) -> S,
) -> Result<CinderReply, ApiError> {
    let last = listing.rows.last().filter(|_| listing.has_next);
    let next =
        last.map(|last| call.viewer.next_page(collection.path, &next_query(call.query, last.id())));
    let show = |row| {
        // Rendering counts too: a page has up to 1,000 rows with their dependents. `run_handler` checks the meter.
        call.count_row(false);
        show(row)
    };
    CinderReply::json(StatusCode::OK, &PageBody { collection, listing, next, show })
}

/// The body of a page, which renders its rows while it is serialized.
struct PageBody<'p, 'v, T, F> {
    collection: Collection,
    listing: &'p ListPage<'v, T>,
    next: Option<String>,
    show: F,
}

impl<'v, T, S: Serialize, F: Fn(&'v T) -> S> Serialize for PageBody<'_, 'v, T, F> {
    fn serialize<Z: serde::Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(self.collection.rows, &PageRows(self))?;
        if let (Some(next), Some(links)) = (&self.next, self.collection.links) {
            map.serialize_entry(links, &json!([{"rel": "next", "href": next}]))?;
        }
        if let Some(count) = self.listing.count {
            map.serialize_entry("count", &count)?;
        }
        map.end()
    }
}

/// The rows of a page.
struct PageRows<'r, 'p, 'v, T, F>(&'r PageBody<'p, 'v, T, F>);

impl<'v, T, S: Serialize, F: Fn(&'v T) -> S> Serialize for PageRows<'_, '_, 'v, T, F> {
    fn serialize<Z: serde::Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let show = |row: &&'v statehold_store::Entry<T>| {
            let row: &'v T = row;
            (self.0.show)(row)
        };
        serializer.collect_seq(self.0.listing.rows.iter().map(show))
    }
}
