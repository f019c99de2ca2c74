//! How a list is read: by an index that gives few rows, in the order of an index, or by looking at
//! all rows of the project.

use std::cell::{OnceCell, RefCell};

use statehold_filter::{Conjunct, Filter};
use statehold_store::{Entry, KeyRange, Order, ReadView, plan_within};

use super::{Listed, first::First, request::ListRequest, sort::Direction};
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
/// Cost: a page in the order in which rows were made is a seek and the rows looked at; another order
/// looks at all rows that an index can't leave out.
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
    let marker = match &request.marker {
        None => None,
        Some(marker) => {
            let row = marker.id.and_then(|id| view.get::<T>(id));
            let row = row.filter(|row| in_project(row) && visible(row));
            Some(row.ok_or_else(|| T::missing(&marker.text))?)
        }
    };
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
    let passes = |row: &&'v Entry<T>| {
        in_project(row)
            && visible(row)
            && request.conditions.iter().all(|condition| {
                row.column(&condition.column).is_some_and(|column| condition.passes(&column))
            })
            && matches(row)
    };
    let after = |row: &&'v Entry<T>| {
        marker.is_none_or(|marker| request.sort.order::<T>(row, marker).is_gt())
    };
    let mut conjuncts: Vec<Conjunct> =
        request.conditions.iter().filter_map(|condition| condition.conjunct()).collect();
    if let Some(filter) = filter {
        conjuncts.extend(filter.conjuncts());
    }
    let (skip, limit) = (request.offset, request.limit);
    let plan =
        plan_within::<T>(view, &KeyRange::all(), Order::Ascending, &conjuncts, SORTED_ROWS_MAX);
    let planned = plan.index().is_some();
    if let Some(direction) = request.sort.as_made().filter(|_| !planned) {
        let order = match direction {
            Direction::Asc => Order::Ascending,
            Direction::Desc => Order::Descending,
        };
        let from = marker.filter(|_| !request.with_count);
        let rows = as_made(view, request, from, order).take_while(going).filter(passes);
        if !request.with_count {
            let rows: Vec<_> = rows.filter(after).skip(skip).take(limit).collect();
            return complete(page(rows, None, limit));
        }
        let (mut count, mut seen, mut found) = (0, 0, Vec::new());
        for row in rows {
            count += 1;
            if after(&row) {
                seen += 1;
                if seen > skip && found.len() < limit {
                    found.push(row);
                }
            }
        }
        return complete(page(found, Some(count), limit));
    }
    let compare = |a: &T, b: &T| request.sort.order::<T>(a, b);
    let mut first = First::new(skip.saturating_add(limit), compare);
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
        let rows = as_made::<T>(view, request, None, Order::Ascending);
        rows.take_while(going).filter(passes).for_each(&mut see);
    }
    let mut rows = first.into_sorted();
    rows.drain(..skip.min(rows.len()));
    complete(page(rows, request.with_count.then_some(count), limit))
}

fn page<T>(rows: Vec<&Entry<T>>, count: Option<usize>, limit: usize) -> Listing<'_, T> {
    let has_next = !rows.is_empty() && limit <= count.unwrap_or(rows.len());
    Listing { rows, count, has_next }
}

/// The rows of the request's project in the order in which they were made, from `from` on.
fn as_made<'v, T: Listed>(
    view: &'v impl ReadView,
    request: &ListRequest,
    from: Option<&Entry<T>>,
    order: Order,
) -> statehold_store::Scan<'v, T> {
    if let (Some(project), Some(index)) = (&request.project, T::BY_PROJECT) {
        let mut range = KeyRange::<(String, i64, uuid::Uuid)>::within(project);
        if let Some(from) = from {
            range = range.resume((project, from.created_at(), from.id()), order);
        }
        return view.scan_by(index, &range, order);
    }
    let mut range = KeyRange::<(i64, uuid::Uuid)>::all();
    if let Some(from) = from {
        range = range.resume((from.created_at(), from.id()), order);
    }
    view.scan_by(T::BY_CREATED, &range, order)
}
