//! The planner: which rows a filter has to be asked about.
//!
//! A filter says what every row that it matches satisfies ([`Conjunct`]); an index says whose values
//! its keys are ([`crate::Index::serves`]). The planner counts what each fitting index would give and
//! takes the smallest, or the table's own range when none is small. It gives rows in the order of
//! their primary keys in either case, so a page goes on from a key whatever plan the page before
//! had.
//!
//! Invariant: the rows of a plan are all that the filter matches in the range, and maybe more: the
//! caller asks the filter about each. Invariant: the index of what was read is that of the whole
//! range, whatever the plan.

use std::fmt;

use statehold_filter::Conjunct;

use crate::key::{KeyBuf, KeyBytes};
use crate::range::{KeyRange, Span};
use crate::state::Place;
use crate::table::{Entry, Table};
use crate::tree::{OrdIndex, Tree};
use crate::view::{Order, ReadView, Scan};

/// Rows that an index may give to be taken: they are put in the order of the primary key, all at
/// once, before the first of them is given.
pub const PLANNED_ROWS_MAX: usize = 10_000;

/// Plans a read of the rows of `range` that satisfy `conjuncts`.
///
/// Cost: up to [`PLANNED_ROWS_MAX`] entries of each fitting index are counted.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use statehold_filter::{Filter, Filterable};
/// use statehold_store::{Index, IndexSet, KeyRange, Order, Schema, Store, Table, plan};
///
/// #[derive(Serialize, Deserialize, Filterable)]
/// struct Volume { id: String, plugin: String, size: u64 }
/// struct Volumes;
///
/// const BY_PLUGIN: Index<Volumes, String> =
///     Index::<Volumes, String>::non_unique("plugin", |volume, keys| keys.add(&volume.plugin))
///         .serves("plugin");
///
/// impl Table for Volumes {
///     const NAME: &'static str = "volumes";
///     const VERSION: u16 = 1;
///     type Key = String;
///     type Row = Volume;
///     fn key(row: &Volume) -> &str { &row.id }
///     fn indexes(set: &mut IndexSet<Self>) { set.add(&BY_PLUGIN); }
/// }
///
/// let store = Store::in_memory(&Schema::new().table::<Volumes>());
/// let mut txn = store.begin_write()?;
/// for at in 0..100 {
///     let plugin = if at % 10 == 0 { "nfs" } else { "ebs" };
///     txn.upsert::<Volumes>(Volume { id: format!("v{at:02}"), plugin: plugin.into(), size: at })?;
/// }
/// txn.commit()?;
///
/// let filter = Filter::<Volume>::compile("plugin == nfs and size != 0")?;
/// let view = store.snapshot();
/// let plan = plan::<Volumes>(&view, &KeyRange::all(), Order::Ascending, &filter.conjuncts());
/// assert_eq!(plan.to_string(), r#"index plugin: 10 rows where plugin == "nfs""#);
/// let found: Vec<_> = plan.filter(|volume| filter.matches(volume)).collect();
/// assert_eq!((found.len(), &*found[0].id), (9, "v10"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// When the table is not in the store's [`crate::Schema`].
pub fn plan<'v, T: Table>(
    view: &'v impl ReadView,
    range: &KeyRange<T::Key>,
    order: Order,
    conjuncts: &[Conjunct],
) -> Plan<'v, T> {
    plan_within(view, range, order, conjuncts, PLANNED_ROWS_MAX)
}

/// Does what [`plan`] does, but takes an index only if it gives `rows_max` rows at the most.
///
/// For callers who have another way to few rows, such as an index in the order of a page that they
/// can stop reading: they look at [`Plan::index`], and go that way when there is none.
///
/// Cost: up to `rows_max` entries of each fitting index are counted.
///
/// # Panics
/// As [`plan`].
pub fn plan_within<'v, T: Table>(
    view: &'v impl ReadView,
    range: &KeyRange<T::Key>,
    order: Order,
    conjuncts: &[Conjunct],
    rows_max: usize,
) -> Plan<'v, T> {
    let root = view.root();
    let slot = root.slot::<T>();
    let table = root.table::<T>(slot);
    let mut best: Option<Choice> = None;
    let mut most = rows_max;
    for conjunct in conjuncts {
        for (at, def) in table.defs.iter().enumerate() {
            let serves = def.selector.is_some_and(|selector| selector == conjunct.selector());
            if !serves {
                continue;
            }
            let Some(spans) = (def.span_of)(conjunct.sarg()) else { continue };
            let Some(rows) = count(&table.secondary[at], &spans, most) else { continue };
            // The next one has to be smaller.
            most = rows.saturating_sub(1);
            let text = conjunct.to_string();
            best = Some(Choice { index: at, name: def.name, spans, rows, text });
            if rows == 0 {
                break;
            }
        }
    }
    // An index that gives no fewer rows than the range costs a sort for nothing.
    let best = best.filter(|best| {
        count(&table.primary, std::slice::from_ref(&range.span), best.rows).is_none()
    });
    let Some(choice) = best else {
        return Plan { rows: Rows::Scan(view.scan::<T>(range, order)), choice: None };
    };
    let tree = &table.secondary[choice.index];
    // The index of an answer must not depend on the plan, or it could go back when that changes. What
    // wakes a reader may: whatever comes to match the filter comes into the index's ranges.
    view.note_index(Place { table: slot, index: 0 }, &range.span);
    let mut rows: Vec<(KeyBytes, &Entry<T::Row>)> = Vec::with_capacity(choice.rows);
    for span in &choice.spans {
        view.note(Place { table: slot, index: choice.index + 1 }, span);
        rows.extend(tree.iter(span).filter_map(|(_, entry)| {
            let key = KeyBuf::of::<T::Key>(T::key(entry)).finish();
            range.span.contains(key.as_slice()).then_some((key, entry))
        }));
    }
    rows.sort_unstable_by(|a, b| a.0.as_slice().cmp(b.0.as_slice()));
    rows.dedup_by(|a, b| a.0 == b.0);
    if order == Order::Descending {
        rows.reverse();
    }
    Plan { rows: Rows::Found(rows.into_iter()), choice: Some(choice) }
}

/// The entries in all spans, unless they are more than `most`.
fn count<V: Clone>(tree: &Tree<V>, spans: &[Span], most: usize) -> Option<usize> {
    let mut entries = 0;
    for span in spans {
        entries += tree.iter(span).take(most + 1 - entries).count();
        if entries > most {
            return None;
        }
    }
    Some(entries)
}

/// An index that was taken.
#[derive(Debug)]
struct Choice {
    index: usize,
    name: &'static str,
    spans: Vec<Span>,
    rows: usize,
    text: String,
}

/// Rows that a filter has to be asked about, in the order of their primary keys. `Display` says where
/// they come from.
pub struct Plan<'v, T: Table> {
    rows: Rows<'v, T>,
    choice: Option<Choice>,
}

#[expect(clippy::large_enum_variant, reason = "one a query, on the stack")]
enum Rows<'v, T: Table> {
    Scan(Scan<'v, T>),
    Found(std::vec::IntoIter<(KeyBytes, &'v Entry<T::Row>)>),
}

impl<T: Table> Plan<'_, T> {
    /// The name of the index that gives the rows; `None` when the table itself does.
    pub fn index(&self) -> Option<&'static str> {
        self.choice.as_ref().map(|choice| choice.name)
    }
}

impl<'v, T: Table> Iterator for Plan<'v, T> {
    type Item = &'v Entry<T::Row>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.rows {
            Rows::Scan(scan) => scan.next(),
            Rows::Found(rows) => rows.next().map(|(_, entry)| entry),
        }
    }
}

impl<T: Table> fmt::Display for Plan<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.choice {
            Some(Choice { name, rows, text, .. }) => {
                write!(f, "index {name}: {rows} rows where {text}")
            }
            None => write!(f, "range of table {}", T::NAME),
        }
    }
}

impl<T: Table> fmt::Debug for Plan<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("choice", &self.choice).finish_non_exhaustive()
    }
}
