//! Writes that read first: rows that are modified in place, and deletes by range or expiry.

use crate::error::{Expect, WriteError};
use crate::key::{Key, KeyBuf, KeyBytes, PartOf, Ref, printed};
use crate::order::Order;
use crate::primary::PrimaryKey;
use crate::range::{KeyRange, Span};
use crate::table::{Entry, Index, Table};
use crate::tree::OrdIndex;
use crate::txn::WriteTxn;
use crate::view::ReadView;

impl<T: Table> PrimaryKey<T> {
    /// Replaces the row with this primary key by `change(row)` and returns the old row. Without such a row,
    /// returns `None` and does not call `change`. The create index stays.
    ///
    /// # Errors
    /// Those of [`WriteTxn::put`], and [`WriteError::KeyChanged`] if `change` returns a row with another
    /// primary key.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use statehold_store::{Store, Table};
    /// # #[derive(Clone, Serialize, Deserialize, Table)]
    /// # #[table(name = "sizes")]
    /// # struct Size { #[table(key)] name: String, bytes: u64 }
    /// # let store = Store::in_memory(&Size::schema());
    /// # let mut txn = store.begin_write()?;
    /// txn.put(Size { name: "web".into(), bytes: 1 })?;
    /// Size::BY_KEY.modify(&mut txn, "web", |size| Size { bytes: 2, name: size.name.clone() })?;
    /// Size::BY_KEY.update(&mut txn, "web", |size| size.bytes += 1)?; // for rows that can be cloned
    /// assert_eq!(Size::BY_KEY.get(&txn, "web").map(|size| size.bytes), Some(3));
    /// assert!(Size::BY_KEY.update(&mut txn, "db", |size| size.bytes += 1)?.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn modify(
        &self,
        txn: &mut WriteTxn<'_>,
        key: impl PartOf<T::Key>,
        change: impl FnOnce(&T::Row) -> T::Row,
    ) -> Result<Option<Entry<T::Row>>, WriteError> {
        let key = KeyBuf::of_part::<T::Key>(key);
        let table = txn.root.table::<T>(txn.root.slot::<T>());
        // A missing row is no error: the caller may insert it in the same transaction.
        let Some(old) = table.primary.get(key.as_slice()) else { return Ok(None) };
        let row = change(old);
        let changed = KeyBuf::of::<T::Key>(T::key(&row));
        // A new key would insert a second row and leave the old one behind.
        if changed.as_slice() != key.as_slice() {
            let printed = |key: &KeyBuf| printed::<T::Key>(key.as_slice());
            let (from, to) = (printed(&key), printed(&changed));
            return Err(WriteError::KeyChanged { table: T::NAME, from, to });
        }
        txn.upsert_if::<T>(row, Expect::Present)
    }

    /// Like [`PrimaryKey::modify`], but changes a clone of the row.
    ///
    /// # Errors
    /// Those of [`PrimaryKey::modify`].
    pub fn update(
        &self,
        txn: &mut WriteTxn<'_>,
        key: impl PartOf<T::Key>,
        change: impl FnOnce(&mut T::Row),
    ) -> Result<Option<Entry<T::Row>>, WriteError>
    where
        T::Row: Clone,
    {
        self.modify(txn, key, |row| {
            let mut row = row.clone();
            change(&mut row);
            row
        })
    }

    /// Deletes the row with this primary key and returns it; `None` if there is no such row.
    ///
    /// # Errors
    /// None today; the result type leaves room for constraints.
    pub fn delete(
        &self,
        txn: &mut WriteTxn<'_>,
        key: impl PartOf<T::Key>,
    ) -> Result<Option<Entry<T::Row>>, WriteError> {
        txn.take::<T>(KeyBuf::of_part::<T::Key>(key), None)
    }

    /// Like [`PrimaryKey::delete`], but fails if the row is not as expected.
    ///
    /// # Errors
    /// [`WriteError::Unexpected`].
    pub fn delete_if(
        &self,
        txn: &mut WriteTxn<'_>,
        key: impl PartOf<T::Key>,
        expect: Expect,
    ) -> Result<Option<Entry<T::Row>>, WriteError> {
        txn.take::<T>(KeyBuf::of_part::<T::Key>(key), Some(expect))
    }

    /// Deletes every row of a range of primary keys. Returns the number of deleted rows.
    ///
    /// # Errors
    /// Those of [`PrimaryKey::delete`].
    pub fn delete_range(
        &self,
        txn: &mut WriteTxn<'_>,
        range: &KeyRange<T::Key>,
    ) -> Result<usize, WriteError> {
        self.delete_where(txn, range, |_| true)
    }

    /// Deletes the rows of a range of primary keys for which `is_gone` returns `true`. Returns the number of
    /// deleted rows.
    ///
    /// # Errors
    /// Those of [`PrimaryKey::delete`].
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use statehold_store::{Store, Table};
    /// # #[derive(Serialize, Deserialize, Table)]
    /// # #[table(name = "sizes")]
    /// # struct Size { #[table(key)] name: String, bytes: u64 }
    /// # let store = Store::in_memory(&Size::schema());
    /// # let mut txn = store.begin_write()?;
    /// txn.put(Size { name: "web".into(), bytes: 0 })?;
    /// let all = Size::BY_KEY.all();
    /// assert_eq!(Size::BY_KEY.delete_where(&mut txn, &all, |size| size.bytes == 0)?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete_where(
        &self,
        txn: &mut WriteTxn<'_>,
        range: &KeyRange<T::Key>,
        mut is_gone: impl FnMut(&Entry<T::Row>) -> bool,
    ) -> Result<usize, WriteError> {
        let slot = txn.root.slot::<T>();
        let rows = txn.root.table::<T>(slot).primary.iter(&range.span);
        // Collected first: the transaction cannot change the table while the scan borrows it.
        let keys = rows.filter(|(_, entry)| is_gone(entry)).map(|(key, _)| key.clone()).collect();
        Ok(txn.remove_all::<T>(slot, keys))
    }
}

impl WriteTxn<'_> {
    /// Deletes every row of a range of a secondary index. Returns the number of deleted rows; a row with
    /// several keys in the range counts once.
    ///
    /// # Errors
    /// Those of [`WriteTxn::delete`].
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

    /// Removes rows. A key that is listed twice counts once.
    pub(crate) fn remove_all<T: Table>(&mut self, slot: usize, keys: Vec<KeyBytes>) -> usize {
        keys.into_iter().filter_map(|key| self.remove::<T>(slot, key)).count()
    }

    /// Deletes up to `limit` of the rows whose expiry is at or before `now`, earliest first: a bounded step for
    /// a task that repeats it while [`Expired::more`] is set.
    ///
    /// The caller supplies the time: `now` is in the unit of the index's keys. A row without a key in the index
    /// never expires, nor does a row whose key is `None`.
    ///
    /// # Errors
    /// Those of [`WriteTxn::delete`].
    ///
    /// ```
    /// use serde::{Deserialize, Serialize};
    /// use statehold_store::{ReadView, Store, Table};
    ///
    /// #[derive(Serialize, Deserialize, Table)]
    /// #[table(name = "locks")]
    /// struct Lock {
    ///     #[table(key)]
    ///     name: String,
    ///     /// `None` never expires: with `some`, such a row is not in the index.
    ///     #[table(index(some))]
    ///     expires_at: Option<u64>,
    /// }
    ///
    /// let store = Store::in_memory(&Lock::schema());
    /// let mut txn = store.begin_write()?;
    /// for (name, expires_at) in [("a", Some(10)), ("b", Some(20)), ("c", None)] {
    ///     txn.put(Lock { name: name.into(), expires_at })?;
    /// }
    /// assert_eq!(txn.next_expiry(&Lock::BY_EXPIRES_AT), Some(10));
    /// let expired = txn.expire_until(&Lock::BY_EXPIRES_AT, 15, 100)?;
    /// assert_eq!((&*expired.rows[0].name, expired.more), ("a", false));
    /// assert_eq!(txn.next_expiry(&Lock::BY_EXPIRES_AT), Some(20));
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
            // One more row than the limit shows that there is more to expire.
            if keys.len() >= limit {
                more = true;
                break;
            }
            keys.push(key_of::<T>(row));
        }
        // A row with several expiries is deleted at the first, so the later keys find no row.
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
    /// The rows, ordered by expiry.
    pub rows: Vec<Entry<T::Row>>,
    /// Whether the limit ended the step, in which case more rows have expired.
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

/// Key shapes that are points in time: integers, `SystemTime`, `Duration` (since an epoch of the caller's
/// choice), and `Option` of them, where `None` means never.
pub trait Expiry: Key + sealed::Expiry {}

impl<K: Key + sealed::Expiry> Expiry for K {}

mod sealed {
    use std::ops::Bound;
    use std::time::{Duration, SystemTime};

    use crate::key::{Key, KeyBuf, Ref};
    use crate::range::Span;

    pub trait Expiry: Key {
        /// Returns the range of keys that have expired at `now`.
        #[expect(private_interfaces, reason = "sealed: no other crate can name this trait")]
        fn until(now: Ref<'_, Self>) -> Span {
            Span::between(Bound::Unbounded, Bound::Included(KeyBuf::of::<Self>(now)))
        }

        /// Returns the range of keys that expire at some time.
        #[expect(private_interfaces, reason = "sealed: no other crate can name this trait")]
        fn some_time() -> Span {
            Span::all()
        }
    }

    macro_rules! moments {
        ($($moment:ty)*) => {$(
            impl Expiry for $moment {}

            impl Expiry for Option<$moment> {
                #[expect(private_interfaces, reason = "sealed: no other crate can name this trait")]
                fn until(now: Ref<'_, Self>) -> Span {
                    // `None` sorts first, and must not pass for an early time.
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

    moments!(u32 u64 u128 i32 i64 i128 SystemTime Duration);
}

pub(crate) fn first_expiry<T: Table, K: Expiry>(
    view: &(impl ReadView + ?Sized),
    index: &Index<T, K>,
) -> Option<K> {
    let range = KeyRange::of_span(K::some_time());
    view.scan_by_keyed(index, &range, Order::Ascending).next().map(|row| row.key())
}

/// Finds the greatest key that consists of `lead` and a prefix of `text`, in a tree whose keys are `lead` and a
/// string. Returns its entry, and the range in which a longer match would be.
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
            // The range still covers every prefix of `text`, so that the insert of one wakes the reader.
            return (None, Span { hi: whole, ..span });
        };
        let found = key.as_slice().get(lead.len()..).unwrap_or_default();
        let found = Vec::<u8>::decode(&mut &*found).unwrap_or_default();
        let common = found.iter().zip(rest).take_while(|(a, b)| a == b).count();
        if common == found.len() {
            let mut own = KeyBuf::default();
            own.push(lead);
            Vec::<u8>::encode(&found, &mut own);
            // If several rows have the key, returns the first one, like a lookup of the key.
            let first = tree.iter(&Span::key(own.as_slice())).next().map_or(value, |(_, row)| row);
            return (Some(first), Span { lo: own.finish(), hi: whole, exact: false });
        }
        // Every prefix of `rest` longer than `common` sorts after the key that was found, and no key is between
        // that key and `rest`.
        rest = &rest[..common];
    }
}
