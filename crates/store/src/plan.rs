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
use crate::order::Order;
use crate::range::{KeyRange, Span};
use crate::root::TreeId;
use crate::scan::Scan;
use crate::table::{Entry, IndexDef, Table};
use crate::tree::{OrdIndex, Tree};
use crate::view::ReadView;

/// Rows that an index may give to be taken: they are put in the order of the primary key, all at
/// once, before the first of them is given.
pub const PLANNED_ROWS_MAX: usize = 10_000;

/// Plans a read of the rows of `range` that satisfy `conjuncts`. `PrimaryKey::plan` does the same, and infers
/// the table.
///
/// Cost: a count of each fitting index, which goes through no entries, and the rows of the one taken.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use statehold_filter::{Filter, Filterable};
/// use statehold_store::{Order, Store, Table};
///
/// #[derive(Serialize, Deserialize, Filterable, Table)]
/// #[table(name = "volumes")]
/// struct Volume {
///     #[table(key)]
///     id: String,
///     #[table(index(serves = "plugin"))]
///     plugin: String,
///     size: u64,
/// }
///
/// let store = Store::in_memory(&Volume::schema());
/// let mut txn = store.begin_write()?;
/// for at in 0..100 {
///     let plugin = if at % 10 == 0 { "nfs" } else { "ebs" };
///     txn.put(Volume { id: format!("v{at:02}"), plugin: plugin.into(), size: at })?;
/// }
/// txn.commit()?;
///
/// let filter: Filter<Volume> = Filter::compile("plugin == nfs and size != 0")?;
/// let (view, all) = (store.snapshot(), Volume::BY_KEY.all());
/// let plan = Volume::BY_KEY.plan(&view, &all, Order::Ascending, &filter.conjuncts());
/// assert_eq!(plan.to_string(), r#"index plugin: 10 rows where plugin == "nfs""#);
/// let found: Vec<_> = plan.filter(|volume| filter.matches(volume)).collect();
/// assert_eq!((found.len(), &*found[0].id), (9, "v10"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// When the table is not in the store's [`crate::Schema`], as all of [`ReadView`] does.
pub fn plan<'v, T: Table>(
    view: &'v (impl ReadView + ?Sized),
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
/// Cost: as [`plan`].
///
/// # Panics
/// As [`plan`].
pub fn plan_within<'v, T: Table>(
    view: &'v (impl ReadView + ?Sized),
    range: &KeyRange<T::Key>,
    order: Order,
    conjuncts: &[Conjunct],
    rows_max: usize,
) -> Plan<'v, T> {
    let root = view.root();
    let slot = root.slot::<T>();
    let table = root.table::<T>(slot);
    let mut best: Option<Choice> = None;
    let mut rejected = Vec::new();
    let mut most = rows_max;
    for conjunct in conjuncts {
        for (at, def) in table.defs.iter().enumerate() {
            let serves = def.selector.is_some_and(|selector| selector == conjunct.selector());
            if !serves {
                continue;
            }
            let mut reject = |reason| rejected.push(Rejected::new(def.name, conjunct, reason));
            if best.as_ref().is_some_and(|best| best.rows == 0) {
                // Nothing gives fewer: the rest is not even counted.
                reject(RejectReason::NotFewest);
                continue;
            }
            let Some(spans) = (def.span_of)(conjunct.sarg()) else {
                reject(RejectReason::NotSearchable);
                continue;
            };
            let Some(rows) = count(&table.secondary[at], &spans, most) else {
                reject(match best {
                    Some(_) => RejectReason::NotFewest,
                    None => RejectReason::TooMany { rows_max },
                });
                continue;
            };
            // The next one has to be smaller.
            most = rows.saturating_sub(1);
            let text = conjunct.to_string();
            let choice = Choice { index: at, name: def.name, spans, rows, text };
            if let Some(beaten) = best.replace(choice) {
                rejected.push(beaten.rejected(RejectReason::NotFewest));
            }
        }
    }
    // An index that gives no fewer rows than the range costs a sort for nothing.
    let choice = match best {
        Some(best)
            if count(&table.primary, std::slice::from_ref(&range.span), best.rows).is_some() =>
        {
            rejected.push(best.rejected(RejectReason::NotFewerThanRange));
            None
        }
        best => best,
    };
    let defs = &*table.defs;
    let Some(choice) = choice else {
        let rows = Rows::Scan(view.scan::<T>(range, order));
        return Plan { rows, choice: None, rejected, defs };
    };
    let tree = &table.secondary[choice.index];
    // The index of an answer must not depend on the plan, or it could go back when that changes. What
    // wakes a reader may: whatever comes to match the filter comes into the index's ranges.
    view.track_index(TreeId { table: slot, index: 0 }, &range.span);
    let mut rows: Vec<(KeyBytes, &Entry<T::Row>)> = Vec::with_capacity(choice.rows);
    for span in &choice.spans {
        view.track(TreeId { table: slot, index: choice.index + 1 }, span);
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
    Plan { rows: Rows::Found(rows.into_iter()), choice: Some(choice), rejected, defs }
}

/// The entries in all spans, unless they are more than `most`.
fn count<V: Clone>(tree: &Tree<V>, spans: &[Span], most: usize) -> Option<usize> {
    let mut entries = 0;
    for span in spans {
        entries += tree.count(span);
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

impl Choice {
    fn rejected(self, reason: RejectReason) -> Rejected {
        Rejected { index: self.name, condition: Some(self.text.into()), reason }
    }
}

/// An index that a plan does not use, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    index: &'static str,
    condition: Option<Box<str>>,
    reason: RejectReason,
}

impl Rejected {
    fn new(index: &'static str, condition: &Conjunct, reason: RejectReason) -> Self {
        Self { index, condition: Some(condition.to_string().into()), reason }
    }

    /// The name of the index.
    pub fn index(&self) -> &'static str {
        self.index
    }

    /// The condition that it was considered for, if the filter has one on its selector.
    pub fn condition(&self) -> Option<&str> {
        self.condition.as_deref()
    }

    /// The reason.
    pub fn reason(&self) -> &RejectReason {
        &self.reason
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "index {}", self.index)?;
        if let Some(condition) = &self.condition {
            write!(f, " where {condition}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// Why a plan does not use an index.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RejectReason {
    /// The index serves no selector: see [`Index::serves`](crate::Index::serves).
    ServesNothing,
    /// No condition that every row must meet is on the selector which the index serves.
    NoCondition {
        /// The selector.
        selector: &'static str,
    },
    /// The condition is no range of the index's keys, for example a pattern on integers, or a value
    /// that such keys can't hold.
    NotSearchable,
    /// The index gives more rows than a plan may put in order.
    TooMany {
        /// The limit.
        rows_max: usize,
    },
    /// Another index gives as few rows, or fewer.
    NotFewest,
    /// The index gives no fewer rows than the range of primary keys.
    NotFewerThanRange,
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServesNothing => f.write_str("serves no selector"),
            Self::NoCondition { selector } => write!(f, "no condition on {selector}"),
            Self::NotSearchable => f.write_str("its keys can't be searched for that"),
            Self::TooMany { rows_max } => write!(f, "more than {rows_max} rows"),
            Self::NotFewest => f.write_str("another index gives no more rows"),
            Self::NotFewerThanRange => f.write_str("the range has no more rows"),
        }
    }
}

/// The rows that a filter MUST be asked about, in the order of their primary keys. `Display` shows
/// where they come from; with `{:#}` it lists, line by line, each index that is not used and why.
pub struct Plan<'v, T: Table> {
    rows: Rows<'v, T>,
    choice: Option<Choice>,
    /// The indexes that some condition is about.
    rejected: Vec<Rejected>,
    defs: &'v [IndexDef<T::Row>],
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

    /// Returns each index that the plan does not use, with the reason: first those that conditions
    /// are about, once for each condition, then the others in the order of their declaration.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use statehold_filter::{Filter, Filterable};
    /// # use statehold_store::{Order, RejectReason, Store, Table};
    /// #[derive(Serialize, Deserialize, Filterable, Table)]
    /// #[table(name = "volumes")]
    /// struct Volume {
    ///     #[table(key)]
    ///     id: String,
    ///     #[table(index(serves = "plugin"))]
    ///     plugin: String,
    ///     #[table(index)]
    ///     node: String,
    /// }
    ///
    /// let store = Store::in_memory(&Volume::schema());
    /// let (view, all) = (store.snapshot(), Volume::BY_KEY.all());
    /// let filter: Filter<Volume> = Filter::compile("node == n1")?;
    /// let plan = Volume::BY_KEY.plan(&view, &all, Order::Ascending, &filter.conjuncts());
    /// assert_eq!(plan.rejected()[1].reason(), &RejectReason::ServesNothing);
    /// assert_eq!(
    ///     format!("{plan:#}"),
    ///     "range of table volumes\n\
    ///      not used: index plugin: no condition on plugin\n\
    ///      not used: index node: serves no selector"
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rejected(&self) -> Vec<Rejected> {
        let mut all = self.rejected.clone();
        for def in self.defs {
            let known = self.index() == Some(def.name)
                || self.rejected.iter().any(|rejected| rejected.index == def.name);
            if !known {
                let reason = match def.selector {
                    Some(selector) => RejectReason::NoCondition { selector },
                    None => RejectReason::ServesNothing,
                };
                all.push(Rejected { index: def.name, condition: None, reason });
            }
        }
        all
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

impl<T: Table> DoubleEndedIterator for Plan<'_, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match &mut self.rows {
            Rows::Scan(scan) => scan.next_back(),
            Rows::Found(rows) => rows.next_back().map(|(_, entry)| entry),
        }
    }
}

impl<T: Table> fmt::Display for Plan<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.choice {
            Some(Choice { name, rows, text, .. }) => {
                write!(f, "index {name}: {rows} rows where {text}")?;
            }
            None => write!(f, "range of table {}", T::NAME)?,
        }
        if f.alternate() {
            self.rejected().iter().try_for_each(|rejected| write!(f, "\nnot used: {rejected}"))?;
        }
        Ok(())
    }
}

impl<T: Table> fmt::Debug for Plan<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("choice", &self.choice).finish_non_exhaustive()
    }
}
