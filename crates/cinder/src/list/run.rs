//! How a list is read: in the order of an index, by an index that gives few rows, or by looking at all
//! rows of the project.

use std::cell::{OnceCell, RefCell};

use statehold_filter::{Conjunct, Filter};
use statehold_store::{Entry, KeyRange, Order, ReadView, Scan, plan_within};

use super::{Getter, Listed, Place, condition::Condition, first::First, ordered};
use super::{request::ListRequest, sort::Direction};
use crate::error::Error;

/// An index that gives at most this many rows is read before the order of a page is; they are sorted
/// then.
const SORTED_ROWS_MAX: usize = 2000;

/// A page of a list.
#[derive(Debug)]
pub struct Listing<'v, T> {
    /// The rows.
    pub rows: Vec<&'v Entry<T>>,
    /// How many there are on all pages, if that was asked for.
    pub count: Option<usize>,
    /// Whether the page has a link to the next one.
    ///
    /// It is there whenever the page is full, so that after the last row there may be an empty page;
    /// when rows are counted, whenever there are as many as the page may have.
    pub has_next: bool,
}

/// Reads a page of the rows that `request` asks for and `visible` lets the caller see.
///
/// `filter` is the request's own filter, compiled; see [`ListRequest::filter`].
///
/// Cost: a page in the order of creation, name, size or status is a seek and the rows looked at; another
/// order looks at all rows that an index can't leave out. A count looks at no rows if the request has no
/// condition, or none but on `status`, and the caller sees all rows ([`ListRequest::seeing_all`]); the same
/// holds for the rows that an offset leaves out.
///
/// # Errors
/// The marker's row doesn't exist, or not for the caller: the resource's 404. The filter's evaluation needs more
/// steps than [`Filter::budget`] has for all rows, or its limit for one: 400, because a list that lacks rows
/// looks complete.
pub fn list<'v, T: Listed>(
    view: &'v impl ReadView,
    request: &ListRequest,
    filter: Option<&Filter<T>>,
    visible: impl Fn(&T) -> bool,
) -> Result<Listing<'v, T>, Error> {
    let in_project = |row: &T| match (&request.project, row.project_id()) {
        (Some(project), Some(own)) => **project == *own,
        _ => true,
    };
    let marker = find_marker::<T>(view, request, |row| in_project(row) && visible(row))?;
    let budget = RefCell::new(filter.map(Filter::budget).unwrap_or_default());
    let too_costly = OnceCell::new();
    let matches = |row: &T| {
        let Some(filter) = filter else { return true };
        filter.matches_within(row, &mut budget.borrow_mut()).unwrap_or_else(|error| {
            if error.is_too_costly() {
                too_costly.get_or_init(|| error);
            }
            // A row without an answer does not match.
            false
        })
    };
    // No further row is read once one was too costly.
    let going = |_: &&'v Entry<T>| too_costly.get().is_none();
    let complete = |listing| match too_costly.get() {
        None => Ok(listing),
        Some(error) => Err(Error::Request(error.to_string().into())),
    };
    let tests: Option<Vec<(Getter<T>, &Condition)>> = request
        .conditions
        .iter()
        .map(|condition| Some((T::getter(&condition.column)?, condition)))
        .collect();
    let passes = |row: &&'v Entry<T>| {
        let is_wanted = |tests: &Vec<(Getter<T>, &Condition)>| {
            tests.iter().all(|(get, condition)| condition.passes(&get(row)))
        };
        // No row has a column that there is none of.
        in_project(row) && visible(row) && tests.as_ref().is_some_and(is_wanted) && matches(row)
    };
    let compare = request.sort.comparison::<T>();
    let after = |row: &&'v Entry<T>| marker.is_none_or(|marker| compare(row, marker).is_gt());
    let (skip, limit) = (request.offset, request.limit);
    let project = request.project.as_deref();

    // An index has the page: the rows before it and after it are only counted.
    if let Some(indexed) = by_index::<T>(view, request, marker, filter.is_some()) {
        let Indexed { mut rows, has_marker, count } = indexed;
        if let Some(last) = skip.saturating_add(usize::from(has_marker)).checked_sub(1) {
            rows.nth(last);
        }
        let rows: Vec<_> = rows.take(limit).collect();
        return complete(page(rows, count, limit));
    }

    let mut conjuncts: Vec<Conjunct> =
        request.conditions.iter().filter_map(|condition| condition.conjunct()).collect();
    if let Some(filter) = filter {
        conjuncts.extend(filter.conjuncts());
    }
    let plan =
        plan_within::<T>(view, &KeyRange::all(), Order::Ascending, &conjuncts, SORTED_ROWS_MAX);
    let planned = plan.index().is_some();
    // Counted rows are all read, from the first one on.
    let from = marker.filter(|_| !request.with_count);
    let place = Place { project, from: from.map(|from| &**from) };
    let ordered = request
        .sort
        .leading()
        .filter(|_| !planned)
        .and_then(|(key, direction)| T::ordered(view, key, place, order_of(direction)));
    if let Some(rows) = ordered {
        let rows = rows.take_while(going).filter(passes);
        if !request.with_count {
            let rows: Vec<_> = rows.filter(after).skip(skip).take(limit).collect();
            return complete(page(rows, None, limit));
        }
        let (mut count, mut seen, mut found) = (0, 0, Vec::new());
        for row in rows {
            count += 1;
            if found.len() < limit && after(&row) {
                seen += 1;
                if seen > skip {
                    found.push(row);
                }
            }
        }
        return complete(page(found, Some(count), limit));
    }
    let mut first = First::new(skip.saturating_add(limit), &compare);
    let mut count = 0;
    let mut see = |row: &'v Entry<T>| {
        count += 1;
        if after(&row) {
            first.push(row);
        }
    };
    if planned {
        plan.take_while(going).filter(passes).for_each(&mut see);
    } else {
        let place = Place { project, from: None };
        let rows = ordered::as_made::<T>(view, place, Order::Ascending);
        rows.take_while(going).filter(passes).for_each(&mut see);
    }
    let mut rows = first.into_sorted();
    rows.drain(..skip.min(rows.len()));
    complete(page(rows, request.with_count.then_some(count), limit))
}

/// Returns the row after which the page begins.
fn find_marker<'v, T: Listed>(
    view: &'v impl ReadView,
    request: &ListRequest,
    is_seen: impl Fn(&T) -> bool,
) -> Result<Option<&'v Entry<T>>, Error> {
    let Some(marker) = &request.marker else { return Ok(None) };
    let row = marker.id.and_then(|id| view.get::<T>(id)).filter(|row| is_seen(row));
    row.map(Some).ok_or_else(|| T::missing(&marker.text).into())
}

fn order_of(direction: Direction) -> Order {
    match direction {
        Direction::Asc => Order::Ascending,
        Direction::Desc => Order::Descending,
    }
}

/// The rows of a request in their order, from the marker on, none of which has to be looked at.
struct Indexed<'v, T: Listed> {
    rows: Scan<'v, T>,
    /// Whether the marker is the first of them.
    has_marker: bool,
    /// The number of rows on all pages, if that was asked for.
    count: Option<usize>,
}

/// Returns the rows of a request that an index has on its own: without conditions, or with one status.
fn by_index<'v, T: Listed>(
    view: &'v impl ReadView,
    request: &ListRequest,
    marker: Option<&Entry<T>>,
    filtered: bool,
) -> Option<Indexed<'v, T>> {
    let (key, direction) = request.sort.leading().filter(|_| request.sees_all && !filtered)?;
    // Of resources that belong to no project, each row passes whatever the project is.
    let project = request.project.as_deref().filter(|_| T::BY_PROJECT.is_some());
    let place = Place { project, from: marker.map(|marker| &**marker) };
    let order = order_of(direction);
    match &request.conditions[..] {
        [] => {
            let rows = T::ordered(view, key, place, order)?;
            // A count visits nodes that a page does not: in a large tree it costs more than the page.
            let count = request.with_count.then(|| ordered::count::<T>(view, project));
            Some(Indexed { rows, has_marker: marker.is_some(), count })
        }
        [condition] if key == "created_at" => {
            let status = condition.status()?;
            let rows = T::of_status(view, status, place, order)?;
            let count = request.with_count.then(|| T::count_status(view, status, project));
            // A marker of another status has its place in the order, but is none of the rows.
            let has_status =
                |row: &T| row.column("status").is_some_and(|own| condition.passes(&own));
            let has_marker = marker.is_some_and(|marker| has_status(marker));
            Some(Indexed { rows, has_marker, count })
        }
        _ => None,
    }
}

fn page<T>(rows: Vec<&Entry<T>>, count: Option<usize>, limit: usize) -> Listing<'_, T> {
    let has_next = !rows.is_empty() && limit <= count.unwrap_or(rows.len());
    Listing { rows, count, has_next }
}
