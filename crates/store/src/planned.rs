//! Deletes of rows selected by a filter.

use statehold_filter::Conjunct;

use crate::error::WriteError;
use crate::key::KeyBuf;
use crate::order::Order;
use crate::plan::plan;
use crate::primary::PrimaryKey;
use crate::range::KeyRange;
use crate::table::{Entry, Table};
use crate::txn::WriteTxn;

impl<T: Table> PrimaryKey<T> {
    /// Deletes the rows of a range of primary keys that satisfy `conjuncts` and for which `matches` returns
    /// `true`. Returns the number of deleted rows. An index that serves one of the conjuncts finds the rows:
    /// see [`plan`].
    ///
    /// # Errors
    /// Those of [`PrimaryKey::delete`].
    ///
    /// ```
    /// use serde::{Deserialize, Serialize};
    /// use statehold_filter::{Filter, Filterable};
    /// use statehold_store::{Store, Table};
    ///
    /// #[derive(Debug, Serialize, Deserialize, Filterable, Table)]
    /// #[table(name = "volumes")]
    /// struct Volume {
    ///     #[table(key)]
    ///     id: u64,
    ///     #[table(index(serves = "plugin"))]
    ///     plugin: String,
    /// }
    ///
    /// let store = Store::in_memory(&Volume::schema());
    /// let mut txn = store.begin_write()?;
    /// for id in 0..100 {
    ///     let plugin = if id % 10 == 0 { "nfs" } else { "ebs" };
    ///     txn.put(Volume { id, plugin: plugin.into() })?;
    /// }
    /// let filter: Filter<Volume> = Filter::compile("plugin == nfs and id != 0")?;
    /// let (all, conjuncts) = (Volume::BY_KEY.all(), filter.conjuncts());
    /// let gone = Volume::BY_KEY.delete_planned(&mut txn, &all, &conjuncts, |volume| {
    ///     filter.matches(volume)
    /// })?;
    /// assert_eq!((gone, Volume::BY_KEY.count(&txn)), (9, 91));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete_planned(
        &self,
        txn: &mut WriteTxn<'_>,
        range: &KeyRange<T::Key>,
        conjuncts: &[Conjunct],
        mut matches: impl FnMut(&Entry<T::Row>) -> bool,
    ) -> Result<usize, WriteError> {
        let slot = txn.root.slot::<T>();
        let rows = plan::<T>(txn, range, Order::Ascending, conjuncts);
        let keys = rows
            .filter(|row| matches(row))
            .map(|row| KeyBuf::of::<T::Key>(T::key(row)).finish())
            .collect();
        Ok(txn.remove_all::<T>(slot, keys))
    }
}
