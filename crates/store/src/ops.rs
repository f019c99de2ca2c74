//! Writes that read first: rows that are modified in place, and deletes by more than a primary key.

use crate::error::{Expect, WriteError};
use crate::key::{Key, KeyBuf, KeyBytes, Ref};
use crate::range::{KeyRange, Span};
use crate::table::{Entry, Index, Table};
use crate::tree::OrdIndex;
use crate::txn::WriteTxn;
use crate::view::{Order, ReadView};

impl WriteTxn<'_> {
    /// Puts `change(row)` in place of the row with this primary key, and returns the old row. Without
    /// such a row, returns `None` and does not call `change`. The create index stays.
    ///
    /// # Errors
    /// As [`WriteTxn::upsert`], and [`WriteError::KeyChanged`] when `change` returns a row with another
    /// primary key.
    ///
    /// ```
    /// # use statehold_store::{ReadView, Schema, Store, Table};
    /// # struct Sizes;
    /// # impl Table for Sizes {
    /// #     const NAME: &'static str = "sizes";
    /// #     const VERSION: u16 = 1;
    /// #     type Key = String;
    /// #     type Row = (String, u64);
    /// #     fn key(row: &Self::Row) -> &str { &row.0 }
    /// # }
    /// # let store = Store::in_memory(&Schema::new().table::<Sizes>());
    /// # let mut txn = store.begin_write()?;
    /// # txn.upsert::<Sizes>(("web".into(), 1))?;
    /// txn.modify::<Sizes>("web", |(name, size)| (name.clone(), size + 1))?;
    /// txn.update::<Sizes>("web", |row| row.1 += 1)?; // the same for rows that can be cloned
    /// assert_eq!(txn.get::<Sizes>("web").map(|row| row.1), Some(3));
    /// assert!(txn.update::<Sizes>("db", |row| row.1 += 1)?.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn modify<T: Table>(
        &mut self,
        key: Ref<'_, T::Key>,
        change: impl FnOnce(&T::Row) -> T::Row,
    ) -> Result<Option<Entry<T::Row>>, WriteError> {
        let Some(old) = self.get::<T>(key) else { return Ok(None) };
        let row = change(old);
        if KeyBuf::of::<T::Key>(T::key(&row)).as_slice() != KeyBuf::of::<T::Key>(key).as_slice() {
            return Err(WriteError::KeyChanged { table: T::NAME });
        }
        self.upsert_if::<T>(row, Expect::Present)
    }

    /// Like [`WriteTxn::modify`], on a clone of the row.
    ///
    /// # Errors
    /// As [`WriteTxn::modify`].
    pub fn update<T: Table>(
        &mut self,
        key: Ref<'_, T::Key>,
        change: impl FnOnce(&mut T::Row),
    ) -> Result<Option<Entry<T::Row>>, WriteError>
    where
        T::Row: Clone,
    {
        self.modify::<T>(key, |row| {
            let mut row = row.clone();
            change(&mut row);
            row
        })
    }

    /// Deletes every row of a range of primary keys, and returns their number.
    ///
    /// # Errors
    /// As [`WriteTxn::delete`].
    pub fn delete_range<T: Table>(
        &mut self,
        range: &KeyRange<T::Key>,
    ) -> Result<usize, WriteError> {
        self.delete_where::<T>(range, |_| true)
    }

    /// Deletes the rows of a range of primary keys for which `is_gone` returns `true`, and returns their
    /// number.
    ///
    /// # Errors
    /// As [`WriteTxn::delete`].
    ///
    /// ```
    /// # use statehold_store::{KeyRange, Schema, Store, Table};
    /// # struct Sizes;
    /// # impl Table for Sizes {
    /// #     const NAME: &'static str = "sizes";
    /// #     const VERSION: u16 = 1;
    /// #     type Key = String;
    /// #     type Row = (String, u64);
    /// #     fn key(row: &Self::Row) -> &str { &row.0 }
    /// # }
    /// # let store = Store::in_memory(&Schema::new().table::<Sizes>());
    /// # let mut txn = store.begin_write()?;
    /// # txn.upsert::<Sizes>(("web".into(), 0))?;
    /// assert_eq!(txn.delete_where::<Sizes>(&KeyRange::all(), |row| row.1 == 0)?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete_where<T: Table>(
        &mut self,
        range: &KeyRange<T::Key>,
        mut is_gone: impl FnMut(&Entry<T::Row>) -> bool,
    ) -> Result<usize, WriteError> {
        let slot = self.root.slot::<T>();
        let rows = self.root.table::<T>(slot).primary.iter(&range.span);
        let keys = rows.filter(|(_, entry)| is_gone(entry)).map(|(key, _)| key.clone()).collect();
        Ok(self.remove_all::<T>(slot, keys))
    }

    /// Deletes every row of a range of a secondary index, and returns their number: one for a row with
    /// several keys there.
    ///
    /// # Errors
    /// As [`WriteTxn::delete`].
    pub fn delete_by<T: Table, K: Key>(
        &mut self,
        index: &Index<T, K>,
        range: &KeyRange<K>,
    ) -> Result<usize, WriteError> {
        let slot = self.root.slot::<T>();
        let rows = self.scan_by(index, range, Order::Ascending).map(key_of::<T>);
        let keys = rows.collect();
        Ok(self.remove_all::<T>(slot, keys))
    }

    /// Removes rows; a key that comes twice counts once.
    pub(crate) fn remove_all<T: Table>(&mut self, slot: usize, keys: Vec<KeyBytes>) -> usize {
        keys.into_iter().filter_map(|key| self.remove::<T>(slot, key)).count()
    }

    /// Deletes up to `limit` of the rows whose expiry is at or before `now`, the earliest first: a
    /// bounded step for a task that calls again while [`Expired::more`].
    ///
    /// The caller has the clock: `now` is in the unit of the index's keys. A row without a key in the
    /// index never expires; nor does one whose key is `None`.
    ///
    /// # Errors
    /// As [`WriteTxn::delete`].
    ///
    /// ```
    /// use statehold_store::{Index, IndexSet, ReadView, Schema, Store, Table};
    ///
    /// struct Locks;
    /// const BY_EXPIRY: Index<Locks, u64> =
    ///     Index::non_unique("expires_at", |lock: &(String, Option<u64>), keys| {
    ///         lock.1.iter().for_each(|at| keys.add(*at));
    ///     });
    /// impl Table for Locks {
    ///     const NAME: &'static str = "locks";
    ///     const VERSION: u16 = 1;
    ///     type Key = String;
    ///     type Row = (String, Option<u64>);
    ///     fn key(row: &Self::Row) -> &str { &row.0 }
    ///     fn indexes(set: &mut IndexSet<Self>) { set.add(&BY_EXPIRY); }
    /// }
    ///
    /// let store = Store::in_memory(&Schema::new().table::<Locks>());
    /// let mut txn = store.begin_write()?;
    /// txn.upsert::<Locks>(("a".into(), Some(10)))?;
    /// txn.upsert::<Locks>(("b".into(), Some(20)))?;
    /// txn.upsert::<Locks>(("c".into(), None))?;
    /// assert_eq!(txn.next_expiry(&BY_EXPIRY), Some(10));
    /// let expired = txn.expire_until(&BY_EXPIRY, 15, 100)?;
    /// assert_eq!((&*expired.rows[0].0, expired.more), ("a", false));
    /// assert_eq!(txn.next_expiry(&BY_EXPIRY), Some(20));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn expire_until<T: Table, K: Expiry>(
        &mut self,
        index: &Index<T, K>,
        now: Ref<'_, K>,
        limit: usize,
    ) -> Result<Expired<T>, WriteError> {
        let slot = self.root.slot::<T>();
        let mut keys: Vec<KeyBytes> = Vec::new();
        let mut more = false;
        for row in self.scan_by(index, &KeyRange::of_span(K::until(now)), Order::Ascending) {
            if keys.len() >= limit {
                more = true;
                break;
            }
            keys.push(key_of::<T>(row));
        }
        // A row with several expiries is gone at the first of them.
        let rows = keys.into_iter().filter_map(|key| self.remove::<T>(slot, key)).collect();
        Ok(Expired { rows, more })
    }
}

fn key_of<T: Table>(row: &Entry<T::Row>) -> KeyBytes {
    KeyBuf::of::<T::Key>(T::key(row)).finish()
}

/// The rows that [`WriteTxn::expire_until`] deleted.
#[non_exhaustive]
pub struct Expired<T: Table> {
    /// The rows, by expiry.
    pub rows: Vec<Entry<T::Row>>,
    /// Whether the limit ended the step: there is more to expire.
    pub more: bool,
}

impl<T: Table> std::fmt::Debug for Expired<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Expired")
            .field("table", &T::NAME)
            .field("rows", &self.rows.len())
            .field("more", &self.more)
            .finish()
    }
}

/// A shape of keys that are points in time: integers, and `Option` of them, of which `None` is never.
pub trait Expiry: Key + sealed::Expiry {}

impl<K: Key + sealed::Expiry> Expiry for K {}

mod sealed {
    use std::ops::Bound;

    use crate::key::{Key, KeyBuf, Ref};
    use crate::range::Span;

    pub trait Expiry: Key {
        /// The range of the keys that have passed at `now`.
        #[expect(private_interfaces, reason = "sealed: no other crate can name this trait")]
        fn until(now: Ref<'_, Self>) -> Span {
            Span::between(Bound::Unbounded, Bound::Included(KeyBuf::of::<Self>(now)))
        }

        /// The range of the keys that pass some time.
        #[expect(private_interfaces, reason = "sealed: no other crate can name this trait")]
        fn some_time() -> Span {
            Span::all()
        }
    }

    macro_rules! moments {
        ($($int:ty)*) => {$(
            impl Expiry for $int {}

            impl Expiry for Option<$int> {
                #[expect(private_interfaces, reason = "sealed: no other crate can name this trait")]
                fn until(now: Ref<'_, Self>) -> Span {
                    // `None` sorts first: it must not pass for a moment long ago.
                    let never = Bound::Excluded(KeyBuf::of::<Self>(None));
                    match now {
                        Some(_) => Span::between(never, Bound::Included(KeyBuf::of::<Self>(now))),
                        None => Span::between(Bound::Unbounded, Bound::Excluded(KeyBuf::default())),
                    }
                }

                #[expect(private_interfaces, reason = "sealed: no other crate can name this trait")]
                fn some_time() -> Span {
                    Span::between(Bound::Excluded(KeyBuf::of::<Self>(None)), Bound::Unbounded)
                }
            }
        )*};
    }

    moments!(u32 u64 u128 i32 i64 i128);
}

pub(crate) fn first_expiry<T: Table, K: Expiry>(
    view: &impl ReadView,
    index: &Index<T, K>,
) -> Option<K> {
    let range = KeyRange::of_span(K::some_time());
    view.scan_by_keyed(index, &range, Order::Ascending).next().map(|row| row.key())
}

/// Looks for the greatest key that is `lead` and a prefix of `text`, in a tree whose keys are `lead`
/// and a string; returns its entry, and the range that a better one would be in.
pub(crate) fn longest_prefix<'t, V>(
    tree: &'t impl OrdIndex<V>,
    lead: &[u8],
    text: &str,
) -> (Option<&'t V>, Span) {
    let end_of = |text: &[u8]| {
        let mut key = KeyBuf::default();
        key.push(lead);
        Vec::<u8>::encode(text, &mut key);
        crate::key::after_prefix(key.as_slice())
    };
    let whole = end_of(text.as_bytes());
    let mut rest = text.as_bytes();
    loop {
        let span = Span { lo: KeyBytes::from_slice(lead), hi: end_of(rest), exact: false };
        let Some((key, value)) = tree.iter_rev(&span).next() else {
            return (None, Span { hi: whole, ..span });
        };
        let found = key.as_slice().get(lead.len()..).unwrap_or_default();
        let found = Vec::<u8>::decode(&mut &*found).unwrap_or_default();
        let common = found.iter().zip(rest).take_while(|(a, b)| a == b).count();
        if common == found.len() {
            let mut own = KeyBuf::default();
            own.push(lead);
            Vec::<u8>::encode(&found, &mut own);
            // Of several rows with the key, the first one, as a look-up of the key returns.
            let first = tree.iter(&Span::key(own.as_slice())).next().map_or(value, |(_, row)| row);
            return (Some(first), Span { lo: own.finish(), hi: whole, exact: false });
        }
        // Every prefix of `rest` that is longer than `common` sorts after the key that was found, and
        // there is no key between that one and `rest`.
        rest = &rest[..common];
    }
}
