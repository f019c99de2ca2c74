//! What all lists have in common.

use std::cell::Cell;

use axum::http::StatusCode;
use serde::{Serialize, ser::SerializeMap as _};
use serde_json::{Value, json};
use statehold_cinder::{Error, ListPage, ListRequest, ListResource, list, next_query};
use statehold_filter::{Dialect, Filter, Filterable, Options};
use statehold_store::Snapshot;

use crate::request::{Answer, CinderRequest, Refusal};
use statehold_server_core::edge_metrics::RefusalReason;
use statehold_server_core::meter::FILTER_HELP;
use statehold_server_core::rejection::Rejection;

/// Rows that the meter counts at once.
const ROWS_PER_COUNT: u64 = 16;

/// Where a list is found, and what its members are called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The path after the project.
    pub(crate) path: &'static str,
    pub(crate) rows: &'static str,
    /// What the link to the next page is called, if there is one.
    pub(crate) links: Option<&'static str>,
}

/// Answers a list: the page that the request asks for, its rows as `show` shows them.
pub(crate) fn page<'v, T: ListResource, S: Serialize>(
    view: &'v Snapshot,
    call: &CinderRequest<'_>,
    place: Place,
    visible: impl Fn(&T) -> bool,
    show: impl Fn(&'v T) -> S,
) -> Result<Answer, Refusal> {
    page_of(view, call, call.query, place, visible, show)
}

/// Answers a list by parameters, of rows that the caller sees all of.
pub(crate) fn page_of_all<'v, T: ListResource, S: Serialize>(
    view: &'v Snapshot,
    call: &CinderRequest<'_>,
    parameters: &[(String, String)],
    place: Place,
    show: impl Fn(&'v T) -> S,
) -> Result<Answer, Refusal> {
    page_seeing(view, call, (parameters, true), place, |_| true, show)
}

/// The same with other parameters than the request's.
pub(crate) fn page_of<'v, T: ListResource, S: Serialize>(
    view: &'v Snapshot,
    call: &CinderRequest<'_>,
    parameters: &[(String, String)],
    place: Place,
    visible: impl Fn(&T) -> bool,
    show: impl Fn(&'v T) -> S,
) -> Result<Answer, Refusal> {
    page_seeing(view, call, (parameters, false), place, visible, show)
}

/// Answers a list by parameters; `sees_all` states that `visible` holds for each row.
fn page_seeing<'v, T: ListResource, S: Serialize>(
    view: &'v Snapshot,
    call: &CinderRequest<'_>,
    (parameters, sees_all): (&[(String, String)], bool),
    place: Place,
    visible: impl Fn(&T) -> bool,
    show: impl Fn(&'v T) -> S,
) -> Result<Answer, Refusal> {
    let request = ListRequest::parse::<T>(parameters, call.cx.caller, call.cx.version)?;
    let request = request.seeing_all(sees_all);
    let filter = expression(call, request.filter())?;
    let filtered = filter.is_some();
    let uncounted = Cell::new(0);
    let goes_on = || {
        if filtered {
            return call.reads_row(true);
        }
        // The meter's lock costs as much as a plain condition, so that several rows share it.
        uncounted.set(uncounted.get() + 1);
        uncounted.get() < ROWS_PER_COUNT || call.reads_rows(uncounted.take())
    };
    let listing = list::<T>(view, &request, filter.as_ref(), |row| goes_on() && visible(row));
    call.reads_rows(uncounted.take());
    let listing = listing.map_err(|error| match &error {
        // The one fault of a request that a list itself finds.
        Error::Request(text) => too_costly(call, text),
        _ => error.into(),
    })?;
    answer(call, place, &listing, show)
}

/// Of rows that are in no table, or few, those that pass the request's `filter`, as JSON.
pub(crate) fn selected<S: Serialize>(
    call: &CinderRequest<'_>,
    rows: impl IntoIterator<Item = S>,
) -> Result<Vec<Value>, Refusal> {
    let filter = expression::<Value>(call, call.parameter("filter"))?;
    let rows = rows.into_iter().map(|row| serde_json::to_value(&row));
    let mut rows: Vec<Value> =
        rows.collect::<Result<_, _>>().map_err(|error| Rejection::internal(&error))?;
    let mut passes = passing(call, filter.as_ref());
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
pub(crate) fn passing<T: Filterable>(
    call: &CinderRequest<'_>,
    filter: Option<&Filter<T>>,
) -> impl FnMut(&T) -> Result<bool, Refusal> {
    let mut budget = filter.map(Filter::budget).unwrap_or_default();
    move |row| {
        // The dispatcher refuses a list that is cut off here.
        if !call.reads_row(filter.is_some()) {
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
fn too_costly(call: &CinderRequest<'_>, error: &dyn std::fmt::Display) -> Refusal {
    call.cloud.app().edge().refused(RefusalReason::FilterSteps);
    Refusal::bad(&format!("{error}\n{FILTER_HELP}"))
}

/// The expression that rows have to pass, if there is one. No older client has expressions here, so
/// they may have all that the language has.
pub(crate) fn expression<T: Filterable>(
    call: &CinderRequest<'_>,
    filter: Option<&str>,
) -> Result<Option<Filter<T>>, Refusal> {
    let limits = call.cloud.app().limits().for_filters();
    let options = Options::new().dialect(Dialect::Extended).limits(limits);
    let filter = filter.map(|text| Filter::<T>::compile_with(text, &options)).transpose();
    filter.map_err(|error| Refusal::bad(&error.to_string()))
}

/// Answers a page that was read.
pub(crate) fn answer<'v, T: ListResource, S: Serialize>(
    call: &CinderRequest<'_>,
    place: Place,
    listing: &ListPage<'v, T>,
    show: impl Fn(&'v T) -> S,
) -> Result<Answer, Refusal> {
    let last = listing.rows.last().filter(|_| listing.has_next);
    let next =
        last.map(|last| call.viewer.next_page(place.path, &next_query(call.query, last.id())));
    let show = |row| {
        // A page shows up to a thousand rows and what belongs to each. Its refusal is the dispatcher's.
        call.reads_row(false);
        show(row)
    };
    Answer::json(StatusCode::OK, &Page { place, listing, next, show })
}

struct Page<'p, 'v, T, F> {
    place: Place,
    listing: &'p ListPage<'v, T>,
    next: Option<String>,
    show: F,
}

impl<'v, T, S: Serialize, F: Fn(&'v T) -> S> Serialize for Page<'_, 'v, T, F> {
    fn serialize<Z: serde::Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(self.place.rows, &Rows(self))?;
        if let (Some(next), Some(links)) = (&self.next, self.place.links) {
            map.serialize_entry(links, &json!([{"rel": "next", "href": next}]))?;
        }
        if let Some(count) = self.listing.count {
            map.serialize_entry("count", &count)?;
        }
        map.end()
    }
}

struct Rows<'r, 'p, 'v, T, F>(&'r Page<'p, 'v, T, F>);

impl<'v, T, S: Serialize, F: Fn(&'v T) -> S> Serialize for Rows<'_, '_, 'v, T, F> {
    fn serialize<Z: serde::Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let show = |row: &&'v statehold_store::Entry<T>| {
            let row: &'v T = row;
            (self.0.show)(row)
        };
        serializer.collect_seq(self.0.listing.rows.iter().map(show))
    }
}
