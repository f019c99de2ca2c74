//! The evaluation of a list: by an index in the requested order, by an index with few matching
//! rows, or by a scan of the project's rows.

use std::cell::{OnceCell, RefCell};

use statehold_filter::{Conjunct, Filter};
use statehold_store::{Entry, KeyRange, Order, ReadView, Scan, plan_within};

use super::{
    ColumnGetter, ListResource, PageStart, ahead::ReadAhead, condition::Condition, first::TopRows,
    ordered, request::ListRequest, sort::Direction,
};
use crate::errors::Error;

/// Maximum number of rows for which an index of a filter takes precedence over one in the requested
/// order; the rows are then sorted.
const SORTED_ROWS_MAX: usize = 2000;

/// A page of a list.
#[derive(Debug)]
pub struct ListPage<'v, T> {
    /// The rows.
    pub rows: Vec<&'v Entry<T>>,
    /// The number of rows on all pages, if requested.
    pub count: Option<usize>,
    /// Whether the page has a link to the next one.
    ///
    /// A full page has one, so the page after the last row may be empty. If rows are counted, a
    /// page has one if the list has at least `limit` rows.
    pub has_next: bool,
}

/// Returns the page of the rows that `request` selects and `visible` accepts.
///
/// `filter` is the compiled [`ListRequest::filter`].
///
/// Cost: a page in order of creation, name, size or status costs a seek and the rows read; any
/// other order reads all rows that no index excludes. A count reads no rows if the request has no
/// condition, or only one on `status` or `host`, and the caller sees all rows
/// ([`ListRequest::seeing_all`]); the same holds for the rows that an offset skips.
///
/// # Errors
/// The resource's 404 if the marker's row does not exist or is hidden from the caller. Status 400
/// if the filter needs more steps than [`Filter::budget`] allows for all rows, or than its limit
/// allows for one: a list that lacks rows would look complete.
pub fn list<'v, T: ListResource>(
    view: &'v impl ReadView,
    request: &ListRequest,
    filter: Option<&Filter<T>>,
    visible: impl Fn(&T) -> bool,
) -> Result<ListPage<'v, T>, Error> {
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
            // A row whose evaluation failed does not match.
            false
        })
    };
    // Stop reading: the request fails once a row was too costly.
    let within_budget = |_: &&'v Entry<T>| too_costly.get().is_none();
    let finish = |listing| match too_costly.get() {
        None => Ok(listing),
        Some(error) => Err(Error::Request(error.to_string().into())),
    };
    let tests: Option<Vec<(ColumnGetter<T>, &Condition)>> = request
        .conditions
        .iter()
        .map(|condition| Some((T::getter(&condition.column)?, condition)))
        .collect();
    let is_wanted = |row: &&'v Entry<T>| {
        let passes_all = |tests: &Vec<(ColumnGetter<T>, &Condition)>| {
            tests.iter().all(|(get, condition)| condition.passes(&get(row)))
        };
        // A filter by an unknown column selects nothing.
        visible(row) && tests.as_ref().is_some_and(passes_all) && matches(row)
    };
    let compare = request.sort.comparison::<T>();
    let after = |row: &&'v Entry<T>| marker.is_none_or(|marker| compare(row, marker).is_gt());
    let (skip, limit) = (request.offset, request.limit);
    let project = request.project.as_deref();

    // An index has exactly the requested rows, so an offset skips them unread.
    if let Some(indexed) = by_index::<T>(view, request, marker, filter.is_some()) {
        let Indexed { mut rows, has_marker, count } = indexed;
        if let Some(last) = skip.saturating_add(usize::from(has_marker)).checked_sub(1) {
            rows.nth(last);
        }
        let rows: Vec<_> = rows.take(limit).collect();
        return finish(page(rows, count, limit));
    }

    let mut conjuncts: Vec<Conjunct> =
        request.conditions.iter().filter_map(|condition| condition.conjunct()).collect();
    if let Some(filter) = filter {
        conjuncts.extend(filter.conjuncts());
    }
    let plan =
        plan_within::<T>(view, &KeyRange::all(), Order::Ascending, &conjuncts, SORTED_ROWS_MAX);
    let planned = plan.index().is_some();
    let known = known_count::<T>(view, request, filter.is_some());
    // Counted rows are all read, from the first one on.
    let from = marker.filter(|_| !request.with_count || known.is_some());
    let start = PageStart { project, from: from.map(|from| &**from) };
    let ordered = request
        .sort
        .leading()
        .filter(|_| !planned)
        .and_then(|(key, direction)| T::ordered(view, key, start, order_of(direction)));
    if let Some(rows) = ordered {
        // An index of the project has no row of another one, whose field need not be read.
        let rows = ReadAhead::new(rows, searched_column::<T>(request));
        let rows = rows.take_while(within_budget).filter(is_wanted);
        if !request.with_count || known.is_some() {
            // Behind the last row that passes there is nothing to look for.
            let rows = rows.take(known.unwrap_or(usize::MAX));
            let rows: Vec<_> = rows.filter(after).skip(skip).take(limit).collect();
            return finish(page(rows, known, limit));
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
        return finish(page(found, Some(count), limit));
    }
    let mut top = TopRows::new(skip.saturating_add(limit), &compare);
    let mut count = 0;
    let mut collect = |row: &'v Entry<T>| {
        count += 1;
        if after(&row) {
            top.push(row);
        }
    };
    if planned {
        let in_project = |row: &&'v Entry<T>| in_project(row);
        plan.take_while(within_budget).filter(in_project).filter(is_wanted).for_each(&mut collect);
    } else {
        let start = PageStart { project, from: None };
        let rows = ordered::by_creation::<T>(view, start, Order::Ascending);
        rows.take_while(within_budget).filter(is_wanted).for_each(&mut collect);
    }
    let mut rows = top.into_sorted();
    rows.drain(..skip.min(rows.len()));
    finish(page(rows, request.with_count.then_some(count), limit))
}

/// Returns the requested count, if the totals of hosts have it: the request has one condition, on
/// the host.
fn known_count<T: ListResource>(
    view: &impl ReadView,
    request: &ListRequest,
    filtered: bool,
) -> Option<usize> {
    let [condition] = &request.conditions[..] else { return None };
    let host = condition.host_asked().filter(|_| request.sees_all && !filtered)?;
    request.with_count.then(|| T::count_on_host(view, host, request.project.as_deref()))?
}

/// Returns the column that a condition searches for a string, if there is one.
fn searched_column<T: ListResource>(request: &ListRequest) -> Option<ColumnGetter<T>> {
    let condition = request.conditions.iter().find(|condition| condition.searches())?;
    T::getter(&condition.column)
}

/// Returns the row after which the page begins.
fn find_marker<'v, T: ListResource>(
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

/// The rows of a request in order, from the marker on, selected by an index alone.
struct Indexed<'v, T: ListResource> {
    rows: Scan<'v, T>,
    /// Whether the first of them is the marker.
    has_marker: bool,
    /// The number of rows on all pages, if requested.
    count: Option<usize>,
}

/// Returns the rows of a request that an index selects alone: one without conditions, or with one
/// status.
fn by_index<'v, T: ListResource>(
    view: &'v impl ReadView,
    request: &ListRequest,
    marker: Option<&Entry<T>>,
    filtered: bool,
) -> Option<Indexed<'v, T>> {
    let (key, direction) = request.sort.leading().filter(|_| request.sees_all && !filtered)?;
    // Rows of a resource without owners match every project.
    let project = request.project.as_deref().filter(|_| T::BY_PROJECT.is_some());
    let start = PageStart { project, from: marker.map(|marker| &**marker) };
    let order = order_of(direction);
    match &request.conditions[..] {
        [] => {
            let rows = T::ordered(view, key, start, order)?;
            // A count visits nodes that a page does not: in a large tree it costs more than the
            // page.
            let count = request.with_count.then(|| ordered::count_rows::<T>(view, project));
            Some(Indexed { rows, has_marker: marker.is_some(), count })
        }
        [condition] if key == "created_at" => {
            let status = condition.status()?;
            let rows = T::of_status(view, status, start, order)?;
            let count = request.with_count.then(|| T::count_status(view, status, project));
            // A marker of another status has a position in the order, but is not one of the rows.
            let has_status =
                |row: &T| row.column("status").is_some_and(|own| condition.passes(&own));
            let has_marker = marker.is_some_and(|marker| has_status(marker));
            Some(Indexed { rows, has_marker, count })
        }
        _ => None,
    }
}

fn page<T>(rows: Vec<&Entry<T>>, count: Option<usize>, limit: usize) -> ListPage<'_, T> {
    // Cinder: cinder/api/common.py, ViewBuilder._get_collection_links, which links from a full
    // page.
    let has_next = !rows.is_empty() && limit <= count.unwrap_or(rows.len());
    ListPage { rows, count, has_next }
}
