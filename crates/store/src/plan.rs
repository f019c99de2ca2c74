//! The planner: finds the rows for which a filter must be evaluated.
//!
//! A filter yields conditions that every matching row satisfies ([`Conjunct`]); an index declares the selector
//! whose values its keys hold ([`crate::Index::serves`]). The planner counts the rows of each fitting index and
//! uses the smallest, or the table's own range if none is small. The rows come in primary-key order in either
//! case, so a later page continues from a key, independent of the plan of the page before.
//!
//! Invariant: the rows of a plan are a superset of the rows in the range that the filter matches: the caller
//! MUST evaluate the filter for each. Invariant: the index of the read is that of the whole range, independent
//! of the plan.

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

/// Maximum number of rows of an index that a plan uses: they are sorted by primary key, all at once, before the
/// first is returned.
pub const PLANNED_ROWS_MAX: usize = 10_000;

/// Plans a read of the rows of `range` that satisfy `conjuncts`. `PrimaryKey::plan` is the same and infers the
/// table.
///
/// Cost: a count of each fitting index, which visits no entries, and the rows of the index that is used.
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
/// If the table is not in the store's [`crate::Schema`], as for every method of [`ReadView`].
pub fn plan<'v, T: Table>(
    view: &'v (impl ReadView + ?Sized),
    range: &KeyRange<T::Key>,
    order: Order,
    conjuncts: &[Conjunct],
) -> Plan<'v, T> {
    plan_within(view, range, order, conjuncts, PLANNED_ROWS_MAX)
}

/// Like [`plan`], but uses an index only if it yields at most `rows_max` rows.
///
/// For callers with another way to a few rows, such as an index in page order that they can stop reading: they
/// check [`Plan::index`], and take the other way if it is `None`.
///
/// Cost: that of [`plan`].
///
/// # Panics
/// See [`plan`].
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
    let mut count_max = rows_max;
    for conjunct in conjuncts {
        for (at, def) in table.defs.iter().enumerate() {
            let serves = def.selector.is_some_and(|selector| selector == conjunct.selector());
            if !serves {
                continue;
            }
            let mut reject = |reason| rejected.push(Rejected::new(def.name, conjunct, reason));
            if best.as_ref().is_some_and(|best| best.rows == 0) {
                // No index yields fewer than zero rows, so the rest is not counted.
                reject(RejectReason::NotFewest);
                continue;
            }
            let Some(spans) = (def.span_of)(conjunct.sarg()) else {
                reject(RejectReason::NotSearchable);
                continue;
            };
            let Some(rows) = count(&table.secondary[at], &spans, count_max) else {
                reject(match best {
                    Some(_) => RejectReason::NotFewest,
                    None => RejectReason::TooMany { rows_max },
                });
                continue;
            };
            // The next index is used only if it is smaller.
            count_max = rows.saturating_sub(1);
            let text = conjunct.to_string();
            let choice = Choice { index: at, name: def.name, spans, rows, text };
            if let Some(beaten) = best.replace(choice) {
                rejected.push(beaten.rejected(RejectReason::NotFewest));
            }
        }
    }
    // An index that yields as many rows as the range costs a sort for nothing.
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
    // The index of a result must not depend on the plan, or it could decrease when the plan changes. The
    // set of ranges that wake a reader may depend on it: a row that comes to match the filter enters the
    // index's ranges.
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
    // A row may be in several of the spans, as with `in` on a multi-valued index.
    rows.dedup_by(|a, b| a.0 == b.0);
    if order == Order::Descending {
        rows.reverse();
    }
    Plan { rows: Rows::Found(rows.into_iter()), choice: Some(choice), rejected, defs }
}

/// Returns the number of entries in all spans, unless it exceeds `count_max`.
fn count<V: Clone>(tree: &Tree<V>, spans: &[Span], count_max: usize) -> Option<usize> {
    let mut entries = 0;
    for span in spans {
        entries += tree.count(span);
        if entries > count_max {
            return None;
        }
    }
    Some(entries)
}

/// An index that a plan uses.
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

    /// Returns the name of the index.
    pub fn index(&self) -> &'static str {
        self.index
    }

    /// Returns the condition for which it was considered, if the filter has one on its selector.
    pub fn condition(&self) -> Option<&str> {
        self.condition.as_deref()
    }

    /// Returns the reason.
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

/// Reasons why a plan does not use an index.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RejectReason {
    /// The index serves no selector: see [`Index::serves`](crate::Index::serves).
    ServesNothing,
    /// The filter has no required condition on the selector that the index serves.
    NoCondition {
        /// The selector.
        selector: &'static str,
    },
    /// The condition is not a range of the index's keys, for example a pattern on integers, or a value that
    /// such keys cannot hold.
    NotSearchable,
    /// The index yields more rows than a plan may sort.
    TooMany {
        /// The limit.
        rows_max: usize,
    },
    /// Another index yields at most as many rows.
    NotFewest,
    /// The index yields no fewer rows than the range of primary keys.
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

/// The rows for which a filter MUST be evaluated, in primary-key order. `Display` shows their source; `{:#}`
/// also lists, line by line, each index that is not used and the reason.
pub struct Plan<'v, T: Table> {
    rows: Rows<'v, T>,
    choice: Option<Choice>,
    /// The indexes with a matching condition.
    rejected: Vec<Rejected>,
    defs: &'v [IndexDef<T::Row>],
}

#[expect(clippy::large_enum_variant, reason = "one a query, on the stack")]
enum Rows<'v, T: Table> {
    Scan(Scan<'v, T>),
    Found(std::vec::IntoIter<(KeyBytes, &'v Entry<T::Row>)>),
}

impl<T: Table> Plan<'_, T> {
    /// Returns the name of the index that yields the rows; `None` if the table itself does.
    pub fn index(&self) -> Option<&'static str> {
        self.choice.as_ref().map(|choice| choice.name)
    }

    /// Returns each index that the plan does not use, with the reason: first those with a matching condition,
    /// once for each condition, then the others in declaration order.
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
