//! The primary key of a table as a handle: reads, pages and feeds without type annotations.
//!
//! Its writes are in `ops`, `import` and `planned`, next to those by secondary indexes; its ranges are in
//! `typed`.

use std::fmt;
use std::marker::PhantomData;

#[cfg(feature = "planning")]
use statehold_filter::Conjunct;

use crate::key::{Key, KeyBuf, PartOf};
use crate::ops;
use crate::order::Order;
use crate::page::{PageToken, TokenError};
#[cfg(feature = "planning")]
use crate::plan::{Plan, plan, plan_within};
use crate::range::KeyRange;
use crate::root::TreeId;
use crate::scan::{KeyedScan, Scan};
use crate::table::{Entry, Table};
use crate::tree::OrdIndex as _;
use crate::view::ReadView;

/// The primary key of the table `T`, as [`Table::BY_KEY`]: creates its ranges, and reads and writes by it. The
/// handle knows the table and the key shape, so no call needs a type annotation.
///
/// A key is passed in its borrowed form: `&str` for a `String`, numbers by value, a tuple of such parts for a
/// compound key, or a reference to a field of the row (`&volume.id`) of any type.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use statehold_store::{Order, ReadView, Store, Table};
///
/// #[derive(Clone, Serialize, Deserialize, Table)]
/// #[table(name = "volumes", key(namespace, id))]
/// struct Volume {
///     namespace: String,
///     id: String,
///     #[table(index)]
///     status: String,
/// }
///
/// let store = Store::in_memory(&Volume::schema());
/// let mut txn = store.begin_write()?;
/// for id in ["web-1", "web-2", "db-1"] {
///     let status = String::from("ready");
///     txn.put(Volume { namespace: "default".into(), id: id.into(), status })?;
/// }
/// Volume::BY_KEY.update(&mut txn, ("default", "db-1"), |volume| volume.status = "down".into())?;
/// txn.commit()?;
///
/// let (view, namespace) = (store.snapshot(), String::from("default"));
/// let found = Volume::BY_KEY.get(&view, (&namespace, "db-1"));
/// assert_eq!(found.map(|volume| &*volume.status), Some("down"));
/// let web = Volume::BY_KEY.starting_with_prefix(&namespace, "web-");
/// assert_eq!(Volume::BY_KEY.scan(&view, &web, Order::Ascending).count(), 2);
///
/// // A secondary index is a handle too; the view takes it.
/// let ready = Volume::BY_STATUS.exact("ready");
/// assert_eq!(view.scan_by(&Volume::BY_STATUS, &ready, Order::Ascending).count(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PrimaryKey<T>(PhantomData<fn() -> T>);

impl<T: Table> PrimaryKey<T> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }

    /// Returns the row with this primary key.
    ///
    /// Cost: one descent of the table's tree; no allocation for keys up to 46 bytes.
    pub fn get<'v>(
        &self,
        view: &'v (impl ReadView + ?Sized),
        key: impl PartOf<T::Key>,
    ) -> Option<&'v Entry<T::Row>> {
        let root = view.root();
        let slot = root.slot::<T>();
        let key = KeyBuf::of_part::<T::Key>(key);
        view.track_key(TreeId { table: slot, index: 0 }, key.as_slice());
        root.table::<T>(slot).primary.get(key.as_slice())
    }

    /// Returns whether there is a row with this primary key. Cost: that of [`PrimaryKey::get`].
    pub fn contains(&self, view: &(impl ReadView + ?Sized), key: impl PartOf<T::Key>) -> bool {
        self.get(view, key).is_some()
    }

    /// Returns the rows with these primary keys, in the order of `keys`; `None` for a missing row.
    ///
    /// ```
    /// # use statehold_store::{Store, Table};
    /// # struct Names;
    /// # impl Table for Names {
    /// #     const NAME: &'static str = "names";
    /// #     const VERSION: u16 = 1;
    /// #     type Key = String;
    /// #     type Row = String;
    /// #     fn key(row: &String) -> &str { row }
    /// # }
    /// # let store = Store::in_memory(&Names::schema());
    /// # let mut txn = store.begin_write()?;
    /// # Names::BY_KEY.import(&mut txn, ["web".to_owned()])?;
    /// let found = Names::BY_KEY.get_many(&txn, ["db", "web"]);
    /// assert!(found[0].is_none() && found[1].is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get_many<'v, K: PartOf<T::Key>>(
        &self,
        view: &'v (impl ReadView + ?Sized),
        keys: impl IntoIterator<Item = K>,
    ) -> Vec<Option<&'v Entry<T::Row>>> {
        keys.into_iter().map(|key| self.get(view, key)).collect()
    }

    /// Returns the rows of a range, in key order. Like [`ReadView::scan`].
    pub fn scan<'v>(
        &self,
        view: &'v (impl ReadView + ?Sized),
        range: &KeyRange<T::Key>,
        order: Order,
    ) -> Scan<'v, T> {
        view.scan::<T>(range, order)
    }

    /// Like [`PrimaryKey::scan`], with the primary keys.
    pub fn scan_keyed<'v>(
        &self,
        view: &'v (impl ReadView + ?Sized),
        range: &KeyRange<T::Key>,
        order: Order,
    ) -> KeyedScan<'v, T, T::Key> {
        let root = view.root();
        let slot = root.slot::<T>();
        view.track(TreeId { table: slot, index: 0 }, &range.span);
        KeyedScan::new(&root.table::<T>(slot).primary, &range.span, order)
    }

    /// Returns the row with the lowest primary key.
    pub fn first<'v>(&self, view: &'v (impl ReadView + ?Sized)) -> Option<&'v Entry<T::Row>> {
        self.scan(view, &KeyRange::all(), Order::Ascending).next()
    }

    /// Returns the row with the highest primary key.
    pub fn last<'v>(&self, view: &'v (impl ReadView + ?Sized)) -> Option<&'v Entry<T::Row>> {
        self.scan(view, &KeyRange::all(), Order::Descending).next()
    }

    /// Returns the number of rows of the table. Cost: constant, because the tree keeps the count.
    pub fn count(&self, view: &(impl ReadView + ?Sized)) -> usize {
        view.count::<T>()
    }

    /// Returns the number of rows of a range. Cost: a step for each row.
    pub fn count_range(&self, view: &(impl ReadView + ?Sized), range: &KeyRange<T::Key>) -> usize {
        // A scan, so that the read is tracked on a tracked view.
        self.scan(view, range, Order::Ascending).count()
    }

    /// Plans a read of the rows of a range that satisfy conditions. Like [`plan()`].
    #[cfg(feature = "planning")]
    pub fn plan<'v>(
        &self,
        view: &'v (impl ReadView + ?Sized),
        range: &KeyRange<T::Key>,
        order: Order,
        conjuncts: &[Conjunct],
    ) -> Plan<'v, T> {
        plan(view, range, order, conjuncts)
    }

    /// Like [`PrimaryKey::plan`], but uses an index only if it yields at most `rows_max` rows. Like
    /// [`plan_within()`].
    #[cfg(feature = "planning")]
    pub fn plan_within<'v>(
        &self,
        view: &'v (impl ReadView + ?Sized),
        range: &KeyRange<T::Key>,
        order: Order,
        conjuncts: &[Conjunct],
        rows_max: usize,
    ) -> Plan<'v, T> {
        plan_within(view, range, order, conjuncts, rows_max)
    }

    /// Returns the token of the page of `listing` that begins with the row with the key `next`. Like
    /// [`PageToken::new`].
    pub fn token(&self, listing: &str, next: impl PartOf<T::Key>) -> PageToken {
        PageToken::of_bytes(listing, KeyBuf::of_part::<T::Key>(next).as_slice())
    }

    /// Returns the part of `range` from the row of a page token on, in the direction of `order` and including
    /// that row: the start of a later page of [`PrimaryKey::scan`].
    ///
    /// # Errors
    /// [`TokenError`] if the string is not a token, or is one of another listing.
    ///
    /// ```
    /// use serde::{Deserialize, Serialize};
    /// use statehold_store::{Order, PageToken, Snapshot, Store, Table, TokenError, paginate};
    ///
    /// #[derive(Serialize, Deserialize, Table)]
    /// #[table(name = "volumes")]
    /// struct Volume {
    ///     #[table(key)]
    ///     id: u64,
    /// }
    ///
    /// fn page(
    ///     view: &Snapshot,
    ///     token: Option<&str>,
    /// ) -> Result<(Vec<u64>, Option<PageToken>), TokenError> {
    ///     let mut range = Volume::BY_KEY.all();
    ///     if let Some(token) = token {
    ///         range = Volume::BY_KEY.resume(range, Order::Ascending, "volumes", token)?;
    ///     }
    ///     let page = paginate(Volume::BY_KEY.scan(view, &range, Order::Ascending), Some(2));
    ///     let next = page.next.map(|row| Volume::BY_KEY.token("volumes", row.id));
    ///     Ok((page.rows.iter().map(|row| row.id).collect(), next))
    /// }
    ///
    /// let store = Store::in_memory(&Volume::schema());
    /// let mut txn = store.begin_write()?;
    /// txn.import((1..=3).map(|id| Volume { id }))?;
    /// let view = txn.commit_snapshot()?;
    /// let (first, next) = page(&view, None)?;
    /// let (rest, end) = page(&view, next.as_ref().map(PageToken::as_str))?;
    /// assert_eq!((first, rest, end), (vec![1, 2], vec![3], None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resume(
        &self,
        range: KeyRange<T::Key>,
        order: Order,
        listing: &str,
        token: &str,
    ) -> Result<KeyRange<T::Key>, TokenError> {
        // Decoded instead of used as bytes: a token is client input and may hold a key of another shape.
        let key: T::Key = PageToken::parse(listing, token)?;
        Ok(range.resume(key.borrowed(), order))
    }
}

impl<T: Table<Key = String>> PrimaryKey<T> {
    /// Returns the row whose primary key is the longest prefix of `text`: for routes and mounts.
    ///
    /// Cost: one descent for each prefix of `text` at which other keys branch off, usually one or two.
    ///
    /// ```
    /// # use statehold_store::{Store, Table};
    /// # struct Mounts;
    /// # impl Table for Mounts {
    /// #     const NAME: &'static str = "mounts";
    /// #     const VERSION: u16 = 1;
    /// #     type Key = String;
    /// #     type Row = String;
    /// #     fn key(row: &String) -> &str { row }
    /// # }
    /// # let store = Store::in_memory(&Mounts::schema());
    /// # let mut txn = store.begin_write()?;
    /// Mounts::BY_KEY.import(&mut txn, ["/", "/srv/", "/srv/data/old/"].map(String::from))?;
    /// let mount = Mounts::BY_KEY.longest_prefix(&txn, "/srv/data/new/file");
    /// assert_eq!(mount.map(|mount| mount.as_str()), Some("/srv/"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn longest_prefix<'v>(
        &self,
        view: &'v (impl ReadView + ?Sized),
        text: &str,
    ) -> Option<&'v Entry<T::Row>> {
        let root = view.root();
        let slot = root.slot::<T>();
        let (found, span) = ops::longest_prefix(&root.table::<T>(slot).primary, &[], text);
        view.track(TreeId { table: slot, index: 0 }, &span);
        found
    }
}

impl<A: Key, T: Table<Key = (A, String)>> PrimaryKey<T> {
    /// Like [`PrimaryKey::longest_prefix`], among the rows whose primary key has the first part `first`.
    pub fn longest_prefix_within<'v>(
        &self,
        view: &'v (impl ReadView + ?Sized),
        first: impl PartOf<A>,
        text: &str,
    ) -> Option<&'v Entry<T::Row>> {
        let root = view.root();
        let slot = root.slot::<T>();
        // The first part bounds the search, so a longer prefix in another part never matches.
        let lead = KeyBuf::of_part::<A>(first);
        let tree = &root.table::<T>(slot).primary;
        let (found, span) = ops::longest_prefix(tree, lead.as_slice(), text);
        view.track(TreeId { table: slot, index: 0 }, &span);
        found
    }
}

impl<T> Clone for PrimaryKey<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for PrimaryKey<T> {}

impl<T: Table> fmt::Debug for PrimaryKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrimaryKey").field("table", &T::NAME).finish()
    }
}
