//! Writes that a filter chooses the rows of.

use statehold_filter::Conjunct;

use crate::error::WriteError;
use crate::key::KeyBuf;
use crate::plan::plan;
use crate::range::KeyRange;
use crate::table::{Entry, Table};
use crate::txn::WriteTxn;
use crate::view::Order;

impl WriteTxn<'_> {
    /// Deletes the rows of a range of primary keys that satisfy `conjuncts` and for which `matches` returns
    /// `true`, and returns their number. An index that serves one of the conjuncts finds them: see
    /// [`plan`].
    ///
    /// # Errors
    /// As [`WriteTxn::delete`].
    ///
    /// ```
    /// use serde::{Deserialize, Serialize};
    /// use statehold_filter::{Filter, Filterable};
    /// use statehold_store::{KeyRange, ReadView, Schema, Store, Table};
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
    /// let store = Store::in_memory(&Schema::new().table::<Volume>());
    /// let mut txn = store.begin_write()?;
    /// for id in 0..100 {
    ///     let plugin = if id % 10 == 0 { "nfs" } else { "ebs" };
    ///     txn.upsert::<Volume>(Volume { id, plugin: plugin.into() })?;
    /// }
    /// let filter = Filter::<Volume>::compile("plugin == nfs and id != 0")?;
    /// let gone = txn.delete_planned::<Volume>(&KeyRange::all(), &filter.conjuncts(), |volume| {
    ///     filter.matches(volume)
    /// })?;
    /// assert_eq!((gone, txn.count::<Volume>()), (9, 91));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete_planned<T: Table>(
        &mut self,
        range: &KeyRange<T::Key>,
        conjuncts: &[Conjunct],
        mut matches: impl FnMut(&Entry<T::Row>) -> bool,
    ) -> Result<usize, WriteError> {
        let slot = self.root.slot::<T>();
        let rows = plan::<T>(self, range, Order::Ascending, conjuncts);
        let keys = rows
            .filter(|row| matches(row))
            .map(|row| KeyBuf::of::<T::Key>(T::key(row)).finish())
            .collect();
        Ok(self.remove_all::<T>(slot, keys))
    }
}
