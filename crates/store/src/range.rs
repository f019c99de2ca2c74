//! Key ranges, for scans and watches.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Bound;

use uuid::Uuid;

use crate::hex::HexPrefix;
use crate::key::{Key, KeyBuf, KeyBytes, KeyPrefix, PartOf, Ref, after_prefix};
use crate::order::Order;

/// A range of keys of the shape `K`, for a table's primary key or a secondary index.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use statehold_store::{KeyRange, Order, ReadView, Store, Table};
///
/// #[derive(Serialize, Deserialize, Table)]
/// #[table(name = "volumes", key(namespace, id))]
/// struct Volume {
///     namespace: String,
///     id: String,
///     #[table(index)]
///     pool: String,
/// }
///
/// let store = Store::in_memory(&Volume::schema());
/// let (view, pool) = (store.snapshot(), String::from("ssd"));
/// // A key handle knows its shape: every volume of the namespace `default` whose ID starts with `vol-`.
/// let range = Volume::BY_KEY.starting_with_prefix("default", "vol-");
/// assert_eq!(Volume::BY_KEY.scan(&view, &range, Order::Ascending).count(), 0);
/// // Without a handle, the shape is inferred from the read.
/// assert_eq!(view.count_by(&Volume::BY_POOL, &KeyRange::exact(&pool)), 0);
/// ```
#[derive(Clone)]
pub struct KeyRange<K> {
    pub(crate) span: Span,
    shape: PhantomData<fn() -> K>,
}

/// Encoded bounds: inclusive below, exclusive above, `None` for "to the end".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) lo: KeyBytes,
    pub(crate) hi: Option<KeyBytes>,
    /// Whether `lo` is a whole key, and the range holds all keys that start with it.
    pub(crate) exact: bool,
}

impl Span {
    pub(crate) fn all() -> Self {
        Self { lo: KeyBytes::from_slice(&[]), hi: None, exact: false }
    }

    pub(crate) fn prefix(prefix: &[u8]) -> Self {
        Self { lo: KeyBytes::from_slice(prefix), hi: after_prefix(prefix), exact: false }
    }

    pub(crate) fn key(key: &[u8]) -> Self {
        Self { exact: true, ..Self::prefix(key) }
    }

    /// Returns the range between two keys or key prefixes.
    pub(crate) fn between(from: Bound<KeyBuf>, to: Bound<KeyBuf>) -> Self {
        let lo = match from {
            Bound::Unbounded => Some(KeyBytes::from_slice(&[])),
            Bound::Included(key) => Some(key.finish()),
            // Encodings are prefix-free, so everything up to `after_prefix` belongs to the excluded key.
            Bound::Excluded(key) => after_prefix(key.as_slice()),
        };
        let hi = match to {
            Bound::Unbounded => None,
            // An included key may be a prefix of tree keys that continue with further parts.
            Bound::Included(key) => after_prefix(key.as_slice()),
            Bound::Excluded(key) => Some(key.finish()),
        };
        // No key is greater than one of only `FF` bytes: the range is empty.
        let Some(lo) = lo else {
            let nothing = KeyBytes::from_slice(&[]);
            return Self { lo: nothing.clone(), hi: Some(nothing), exact: false };
        };
        Self { lo, hi, exact: false }
    }

    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        key >= self.lo.as_slice() && self.hi.as_ref().is_none_or(|hi| key < hi.as_slice())
    }
}

impl<K> fmt::Debug for KeyRange<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyRange").field(&self.span).finish()
    }
}

impl<K> KeyRange<K> {
    fn new(span: Span) -> Self {
        Self { span, shape: PhantomData }
    }

    pub(crate) fn of_span(span: Span) -> Self {
        Self::new(span)
    }

    /// Returns the range of every key.
    pub fn all() -> Self {
        Self::new(Span::all())
    }
}

impl<K: Key> KeyRange<K> {
    /// Returns the range of one key: at most one row in a primary key or a unique index.
    ///
    /// A string may be passed as `&str`, `&String` or `String`, a field of any type as `&row.field`. The shape
    /// is inferred from the read that takes the range.
    pub fn exact(key: impl PartOf<K>) -> Self {
        Self::new(Span::key(KeyBuf::of_part::<K>(key).as_slice()))
    }

    /// Returns the range between two bounds.
    ///
    /// ```
    /// use std::ops::Bound::{Excluded, Unbounded};
    /// use statehold_store::KeyRange;
    /// let _larger: KeyRange<u64> = KeyRange::between(Excluded(10), Unbounded);
    /// ```
    pub fn between(from: Bound<Ref<'_, K>>, to: Bound<Ref<'_, K>>) -> Self {
        Self::new(Span::between(from.map(KeyBuf::of::<K>), to.map(KeyBuf::of::<K>)))
    }

    /// Returns the part of this range from `key` on, in the direction of `order` and including `key`: the start
    /// of a later page.
    ///
    /// At most one row may have the key, as in a primary key, a unique index, or an index whose keys contain
    /// the primary key. In an index with shared keys a page would start at the first of the rows again and
    /// again: use [`crate::Index::resume`] there.
    #[must_use]
    pub fn resume(self, key: impl PartOf<K>, order: Order) -> Self {
        self.resume_bytes(KeyBuf::of_part::<K>(key).finish(), order)
    }
}

impl<K> KeyRange<K> {
    /// Returns the part of this range from the tree key `key` on.
    pub(crate) fn resume_bytes(mut self, key: KeyBytes, order: Order) -> Self {
        // The rest of an exact range is no longer the whole of its key, so watches must compare bounds.
        self.span.exact = false;
        match order {
            Order::Ascending if key.as_slice() > self.span.lo.as_slice() => self.span.lo = key,
            // Descending pages shrink the range from above; a key at or beyond the end leaves it unchanged.
            Order::Descending => {
                let end = after_prefix(key.as_slice());
                let inside = match (&end, &self.span.hi) {
                    (Some(end), Some(hi)) => end.as_slice() < hi.as_slice(),
                    (Some(_), None) => true,
                    (None, _) => false,
                };
                if inside {
                    self.span.hi = end;
                }
            }
            Order::Ascending => {}
        }
        self
    }
}

impl<K: Key<First = String>> KeyRange<K> {
    /// Returns the range of keys whose first part, a string, starts with `prefix`.
    pub fn prefix(prefix: impl AsRef<str>) -> Self {
        // Escaped but not terminated, so that longer strings match as well.
        let mut buf = KeyBuf::default();
        buf.push_escaped(prefix.as_ref().as_bytes());
        Self::new(Span::prefix(buf.as_slice()))
    }
}

impl<K: Key<First = Uuid>> KeyRange<K> {
    /// Returns the range of keys whose first part, a UUID, starts with these hex digits.
    pub fn hex(prefix: &HexPrefix) -> Self {
        let (lo, hi) = prefix.bounds();
        Self::new(Span { lo, hi, exact: false })
    }
}

impl<K: Key> KeyRange<K> {
    /// Returns the range of keys that start with these parts: the first part, or a tuple of the first parts.
    ///
    /// ```
    /// use statehold_store::KeyRange;
    /// type Range = KeyRange<(String, String, u64)>;
    /// let _one: Range = KeyRange::starting_with("default");
    /// let _two: Range = KeyRange::starting_with(("default", "web"));
    /// ```
    pub fn starting_with<Count>(parts: impl KeyPrefix<K, Count>) -> Self {
        Self::new(Span::prefix(beginning(parts).as_slice()))
    }

    /// Returns the range of keys that start with these parts and whose next part, a string, starts with
    /// `prefix`.
    pub fn starting_with_prefix<P, Count>(parts: P, prefix: impl AsRef<str>) -> Self
    where
        P: KeyPrefix<K, Count>,
        P::Next: Key<First = String>,
    {
        let mut buf = beginning(parts);
        buf.push_escaped(prefix.as_ref().as_bytes());
        Self::new(Span::prefix(buf.as_slice()))
    }

    /// Returns the range of keys that start with these parts and whose next part, a UUID, starts with these hex
    /// digits.
    ///
    /// ```
    /// use statehold_store::{HexPrefix, KeyRange};
    /// use uuid::Uuid;
    /// // The volumes of one namespace whose ID starts with `a8f`.
    /// type Range = KeyRange<(String, Uuid)>;
    /// let _range: Range = KeyRange::starting_with_hex("default", &HexPrefix::parse("a8f")?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn starting_with_hex<P, Count>(parts: P, prefix: &HexPrefix) -> Self
    where
        P: KeyPrefix<K, Count>,
        P::Next: Key<First = Uuid>,
    {
        let parts = beginning(parts);
        let next = |digits: &KeyBytes| {
            let mut buf = parts.clone();
            buf.push(digits.as_slice());
            buf.finish()
        };
        let (lo, hi) = prefix.bounds();
        // Without a UUID above the prefix, the range ends with the parts, not with the index.
        let hi = hi.map_or_else(|| after_prefix(parts.as_slice()), |hi| Some(next(&hi)));
        Self::new(Span { lo: next(&lo), hi, exact: false })
    }

    /// Returns the range of keys that start with these parts and whose next part lies between two bounds.
    ///
    /// ```
    /// use std::ops::Bound::{Included, Unbounded};
    /// use statehold_store::KeyRange;
    /// // The sizes from 10 on of one pool.
    /// type Range = KeyRange<(String, u64, String)>;
    /// let _range: Range = KeyRange::starting_with_between("ssd", Included(10), Unbounded);
    /// ```
    pub fn starting_with_between<P, Count>(
        parts: P,
        from: Bound<Ref<'_, P::Next>>,
        to: Bound<Ref<'_, P::Next>>,
    ) -> Self
    where
        P: KeyPrefix<K, Count>,
    {
        let parts = beginning(parts);
        let end = |bound: Bound<Ref<'_, P::Next>>| {
            let next = |key| {
                let mut buf = parts.clone();
                P::Next::encode(key, &mut buf);
                buf
            };
            match bound {
                // An open end is the end of the parts, not the end of the index.
                Bound::Unbounded => Bound::Included(parts.clone()),
                bound => bound.map(next),
            }
        };
        Self::new(Span::between(end(from), end(to)))
    }
}

fn beginning<K: Key, Count>(parts: impl KeyPrefix<K, Count>) -> KeyBuf {
    let mut buf = KeyBuf::default();
    parts.append_parts(&mut buf);
    buf
}
