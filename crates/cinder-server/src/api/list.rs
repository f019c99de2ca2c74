//! What all lists have in common.

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

/// Rows that the meter counts at once.
const ROWS_PER_COUNT: u64 = 16;

/// Where a list is found, and what its members are called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Collection {
    /// The path after the project.
    pub(crate) path: &'static str,
    pub(crate) rows: &'static str,
    /// What the link to the next page is called, if there is one.
    pub(crate) links: Option<&'static str>,
}

/// Answers a list: the page that the request asks for, its rows as `show` shows them.
pub(crate) fn list_visible<'v, T: ListResource, S: Serialize>(
    view: &'v Snapshot,
    call: &CinderRequest<'_>,
    collection: Collection,
    visible: impl Fn(&T) -> bool,
    show: impl Fn(&'v T) -> S,
) -> Result<CinderReply, ApiError> {
    list_visible_by(view, call, call.query, collection, visible, show)
}

/// Answers a list by parameters, of rows that the caller sees all of.
pub(crate) fn list_all_by<'v, T: ListResource, S: Serialize>(
    view: &'v Snapshot,
    call: &CinderRequest<'_>,
    parameters: &[(String, String)],
    collection: Collection,
    show: impl Fn(&'v T) -> S,
) -> Result<CinderReply, ApiError> {
    list_rows(view, call, (parameters, true), collection, |_| true, show)
}

/// The same with other parameters than the request's.
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

/// Answers a list by parameters; `sees_all` states that `visible` holds for each row.
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
        // The meter's lock costs as much as a plain condition, so that several rows share it.
        uncounted.set(uncounted.get() + 1);
        uncounted.get() < ROWS_PER_COUNT || call.count_rows(uncounted.take())
    };
    let listing = list::<T>(view, &request, filter.as_ref(), |row| goes_on() && visible(row));
    call.count_rows(uncounted.take());
    let listing = listing.map_err(|error| match &error {
        // The one fault of a request that a list itself finds.
        Error::Request(text) => too_costly(call, text),
        _ => error.into(),
    })?;
    page_reply(call, collection, &listing, show)
}

/// Of rows that are in no table, or few, those that pass the request's `filter`, as JSON.
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

/// Whether a row passes `filter`; the rows share one budget of evaluation.
///
/// # Errors
/// The evaluation is too costly: the request must be refused, because a list that lacks rows looks complete.
pub(crate) fn row_filter<T: Filterable>(
    call: &CinderRequest<'_>,
    filter: Option<&Filter<T>>,
) -> impl FnMut(&T) -> Result<bool, ApiError> {
    let mut budget = filter.map(Filter::budget).unwrap_or_default();
    move |row| {
        // The dispatcher refuses a list that is cut off here.
        if !call.count_row(filter.is_some()) {
            return Ok(false);
        }
        match filter.map_or(Ok(true), |filter| filter.matches_within(row, &mut budget)) {
            Ok(passes) => Ok(passes),
            Err(error) if error.is_too_costly() => Err(too_costly(call, &error)),
            // A row without an answer does not match.
            Err(_) => Ok(false),
        }
    }
}

/// Counts a filter that is too costly, and returns its refusal.
fn too_costly(call: &CinderRequest<'_>, error: &dyn std::fmt::Display) -> ApiError {
    call.state.app().edge().refused(RefusalReason::FilterSteps);
    ApiError::bad_request(&format!("{error}\n{FILTER_HELP}"))
}

/// The expression that rows have to pass, if there is one. No older client has expressions here, so
/// they may have all that the language has.
pub(crate) fn compile_filter<T: Filterable>(
    call: &CinderRequest<'_>,
    filter: Option<&str>,
) -> Result<Option<Filter<T>>, ApiError> {
    let limits = call.state.app().limits().for_filters();
    let options = Options::new().dialect(Dialect::Extended).limits(limits);
    let filter = filter.map(|text| Filter::<T>::compile_with(text, &options)).transpose();
    filter.map_err(|error| ApiError::bad_request(&error.to_string()))
}

/// Answers a page that was read.
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
        // A page shows up to a thousand rows and what belongs to each. Its refusal is the dispatcher's.
        call.count_row(false);
        show(row)
    };
    CinderReply::json(StatusCode::OK, &PageBody { collection, listing, next, show })
}

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
