//! Scans: the rows of a range, from either end, optionally with their keys.
//!
//! Invariant: both ends of a scan walk towards each other and stop where they meet, so that no row is returned
//! twice.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use crate::key::{Key, KeyBuf, KeyBytes};
use crate::order::Order;
use crate::page::PageToken;
use crate::range::Span;
use crate::table::{Entry, Table};
use crate::tree::{Iter, IterRev, OrdIndex, Tree};

/// One end of a scan.
enum End<'v, V> {
    Up(Iter<'v, V>),
    Down(IterRev<'v, V>),
}

impl<'v, V: Clone> End<'v, V> {
    fn new(tree: &'v Tree<V>, span: &Span, order: Order) -> Self {
        match order {
            Order::Ascending => Self::Up(tree.iter(span)),
            Order::Descending => Self::Down(tree.iter_rev(span)),
        }
    }

    fn next(&mut self) -> Option<(&'v KeyBytes, &'v V)> {
        match self {
            Self::Up(iter) => iter.next(),
            Self::Down(iter) => iter.next(),
        }
    }

    /// Skips `count` entries, or all if there are fewer.
    fn skip(&mut self, count: usize) {
        match self {
            Self::Up(iter) => iter.skip_entries(count),
            Self::Down(iter) => iter.skip_entries(count),
        }
    }

    /// Returns whether `key`, returned by this end, was returned by the other end already, or is beyond it.
    fn has_met(&self, key: &KeyBytes, other: &KeyBytes) -> bool {
        match self {
            Self::Up(_) => key.as_slice() >= other.as_slice(),
            Self::Down(_) => key.as_slice() <= other.as_slice(),
        }
    }
}

/// The entries of a span, from either end.
pub(crate) struct Entries<'v, V> {
    tree: &'v Tree<V>,
    span: Span,
    order: Order,
    front: End<'v, V>,
    /// Boxed and built on first use, because few scans are read from both ends.
    back: Option<Box<End<'v, V>>>,
    front_last: Option<&'v KeyBytes>,
    back_last: Option<&'v KeyBytes>,
    /// Whether the front skipped to the end. No key then marks the place at which the ends meet.
    is_over: bool,
}

impl<'v, V: Clone> Entries<'v, V> {
    pub(crate) fn new(tree: &'v Tree<V>, span: &Span, order: Order) -> Self {
        Self {
            tree,
            span: span.clone(),
            order,
            front: End::new(tree, span, order),
            back: None,
            front_last: None,
            back_last: None,
            is_over: false,
        }
    }

    #[inline]
    pub(crate) fn next(&mut self) -> Option<(&'v KeyBytes, &'v V)> {
        let (key, value) = self.front.next()?;
        // The back end has returned this key already.
        if self.back_last.is_some_and(|last| self.front.has_met(key, last)) {
            return None;
        }
        self.front_last = Some(key);
        Some((key, value))
    }

    /// Returns the entry after the next `count`. Cost: one path up and down the tree, independent of `count`.
    fn nth(&mut self, count: usize) -> Option<(&'v KeyBytes, &'v V)> {
        if self.back_last.is_some() {
            // A skip would jump over the key at which the ends meet.
            for _ in 0..count {
                self.next()?;
            }
            return self.next();
        }
        self.front.skip(count);
        let entry = self.next();
        self.is_over |= entry.is_none();
        entry
    }

    fn next_back(&mut self) -> Option<(&'v KeyBytes, &'v V)> {
        // The front skipped past the last key, so no entry is left for the back.
        if self.is_over {
            return None;
        }
        let Self { tree, span, order, .. } = self;
        let back = self.back.get_or_insert_with(|| {
            // The back reads in the opposite direction of the scan.
            let reverse = match order {
                Order::Ascending => Order::Descending,
                Order::Descending => Order::Ascending,
            };
            Box::new(End::new(tree, span, reverse))
        });
        let (key, value) = back.next()?;
        // The front end has returned this key already.
        if self.front_last.is_some_and(|last| back.has_met(key, last)) {
            return None;
        }
        self.back_last = Some(key);
        Some((key, value))
    }
}

/// The rows of a scan, in scan order. [`Iterator::rev`] and [`DoubleEndedIterator::next_back`] read from the
/// other end. [`Iterator::skip`] and [`Iterator::nth`] skip rows without reading them.
pub struct Scan<'v, T: Table>(Entries<'v, Entry<T::Row>>);

impl<'v, T: Table> Scan<'v, T> {
    pub(crate) fn new(tree: &'v Tree<Entry<T::Row>>, span: &Span, order: Order) -> Self {
        Self(Entries::new(tree, span, order))
    }
}

impl<'v, T: Table> Iterator for Scan<'v, T> {
    type Item = &'v Entry<T::Row>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(_, entry)| entry)
    }

    fn nth(&mut self, count: usize) -> Option<Self::Item> {
        self.0.nth(count).map(|(_, entry)| entry)
    }
}

impl<T: Table> DoubleEndedIterator for Scan<'_, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(|(_, entry)| entry)
    }
}

impl<T: Table> std::iter::FusedIterator for Scan<'_, T> {}

impl<T: Table> fmt::Debug for Scan<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scan").field(&T::NAME).finish()
    }
}

/// The rows of a scan with the keys under which they were found: see [`crate::PrimaryKey::scan_keyed`] and
/// [`crate::ReadView::scan_by_keyed`].
pub struct KeyedScan<'v, T: Table, K: Key> {
    entries: Entries<'v, Entry<T::Row>>,
    shape: PhantomData<fn() -> K>,
}

impl<'v, T: Table, K: Key> KeyedScan<'v, T, K> {
    pub(crate) fn new(tree: &'v Tree<Entry<T::Row>>, span: &Span, order: Order) -> Self {
        Self { entries: Entries::new(tree, span, order), shape: PhantomData }
    }
}

impl<'v, T: Table, K: Key> Iterator for KeyedScan<'v, T, K> {
    type Item = Keyed<'v, T, K>;

    fn next(&mut self) -> Option<Self::Item> {
        self.entries.next().map(Keyed::new)
    }

    fn nth(&mut self, count: usize) -> Option<Self::Item> {
        self.entries.nth(count).map(Keyed::new)
    }
}

impl<T: Table, K: Key> DoubleEndedIterator for KeyedScan<'_, T, K> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.entries.next_back().map(Keyed::new)
    }
}

impl<T: Table, K: Key> std::iter::FusedIterator for KeyedScan<'_, T, K> {}

impl<T: Table, K: Key> fmt::Debug for KeyedScan<'_, T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyedScan").field(&T::NAME).finish()
    }
}

/// A row with the key under which a scan found it. Dereferences to the [`Entry`].
///
/// In a multi-valued index a row has several keys: this is the one that matched.
pub struct Keyed<'v, T: Table, K: Key> {
    /// The key in the tree: in a non-unique index it ends with the primary key.
    bytes: &'v KeyBytes,
    entry: &'v Entry<T::Row>,
    shape: PhantomData<fn() -> K>,
}

impl<'v, T: Table, K: Key> Keyed<'v, T, K> {
    fn new((bytes, entry): (&'v KeyBytes, &'v Entry<T::Row>)) -> Self {
        Self { bytes, entry, shape: PhantomData }
    }

    /// Decodes and returns the key. Cost: one allocation for each string in it.
    ///
    /// # Panics
    /// Never for the key shapes of this crate: the tree holds only keys that [`Key::encode`] wrote.
    pub fn key(&self) -> K {
        K::decode(&mut self.bytes.as_slice())
            .unwrap_or_else(|| panic!("a key of {:?} is not of its own shape", T::NAME))
    }

    /// Decodes and returns the primary key of the row.
    ///
    /// # Panics
    /// See [`Keyed::key`].
    pub fn primary(&self) -> T::Key {
        let bytes = KeyBuf::of::<T::Key>(T::key(self.entry));
        T::Key::decode(&mut bytes.as_slice())
            .unwrap_or_else(|| panic!("a key of {:?} is not of its own shape", T::NAME))
    }

    /// Returns the row, which lives as long as the view.
    pub fn entry(&self) -> &'v Entry<T::Row> {
        self.entry
    }

    /// Returns the token of the page of `listing` that begins with this row: see [`crate::Index::resume`].
    pub fn token(&self, listing: &str) -> PageToken {
        PageToken::of_bytes(listing, self.bytes.as_slice())
    }
}

impl<T: Table, K: Key> Clone for Keyed<'_, T, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Table, K: Key> Copy for Keyed<'_, T, K> {}

impl<T: Table, K: Key> Deref for Keyed<'_, T, K> {
    type Target = Entry<T::Row>;

    fn deref(&self) -> &Entry<T::Row> {
        self.entry
    }
}

/// Prints the key but not the row, which may hold secrets.
impl<T: Table, K: Key> fmt::Debug for Keyed<'_, T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed")
            .field("table", &T::NAME)
            .field("key", &self.key())
            .finish_non_exhaustive()
    }
}
