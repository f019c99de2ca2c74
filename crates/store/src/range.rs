//! Ranges of keys, for scans and for watches.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Bound;

use uuid::Uuid;

use crate::hex::HexPrefix;
use crate::key::{Key, KeyBuf, KeyBytes, Ref, after_prefix};
use crate::view::Order;

/// A range of keys of the shape `K`, for a table's primary key or a secondary index.
///
/// ```
/// use statehold_store::KeyRange;
/// // Every volume of the namespace `default` whose ID starts with `vol-`.
/// let _range = KeyRange::<(String, String)>::within_prefix("default", "vol-");
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
    /// Whether `lo` is a whole key and the range all that starts with it.
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

    /// All that lies between two keys or beginnings of keys.
    pub(crate) fn between(from: Bound<KeyBuf>, to: Bound<KeyBuf>) -> Self {
        let lo = match from {
            Bound::Unbounded => Some(KeyBytes::from_slice(&[])),
            Bound::Included(key) => Some(key.finish()),
            Bound::Excluded(key) => after_prefix(key.as_slice()),
        };
        let hi = match to {
            Bound::Unbounded => None,
            Bound::Included(key) => after_prefix(key.as_slice()),
            Bound::Excluded(key) => Some(key.finish()),
        };
        // Nothing comes after the last key there can be.
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

    /// Every key.
    pub fn all() -> Self {
        Self::new(Span::all())
    }
}

impl<K: Key> KeyRange<K> {
    /// One key: at most one row in a primary key or a unique index.
    pub fn exact(key: Ref<'_, K>) -> Self {
        Self::new(Span::key(KeyBuf::of::<K>(key).as_slice()))
    }

    /// The keys between two bounds.
    ///
    /// ```
    /// use std::ops::Bound::{Excluded, Unbounded};
    /// use statehold_store::KeyRange;
    /// let _larger = KeyRange::<u64>::between(Excluded(10), Unbounded);
    /// ```
    pub fn between(from: Bound<Ref<'_, K>>, to: Bound<Ref<'_, K>>) -> Self {
        Self::new(Span::between(from.map(KeyBuf::of::<K>), to.map(KeyBuf::of::<K>)))
    }

    /// The part of this range from `key` on, in the direction of `order`, `key` included:
    /// where a later page starts.
    #[must_use]
    pub fn resume(mut self, key: Ref<'_, K>, order: Order) -> Self {
        let key = KeyBuf::of::<K>(key);
        self.span.exact = false;
        match order {
            Order::Ascending if key.as_slice() > self.span.lo.as_slice() => {
                self.span.lo = key.finish();
            }
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

fn text(prefix: &str) -> KeyBuf {
    let mut buf = KeyBuf::default();
    buf.push_escaped(prefix.as_bytes());
    buf
}

fn hex(prefix: &HexPrefix) -> Span {
    let (lo, hi) = prefix.bounds();
    Span { lo, hi, exact: false }
}

macro_rules! first_part {
    ($($shape:ty $(, $more:ident)*);* $(;)?) => {$(
        impl<$($more: Key),*> KeyRange<$shape> {
            /// Every key whose (first) text starts with `prefix`.
            pub fn prefix(prefix: &str) -> Self {
                Self::new(Span::prefix(text(prefix).as_slice()))
            }
        }
    )*};
}

first_part! {
    String;
    (String, B), B;
    (String, B, C), B, C;
}

macro_rules! first_id {
    ($($shape:ty $(, $more:ident)*);* $(;)?) => {$(
        impl<$($more: Key),*> KeyRange<$shape> {
            /// Every key whose (first) UUID starts with these hex digits.
            pub fn hex(prefix: &HexPrefix) -> Self {
                Self::new(hex(prefix))
            }
        }
    )*};
}

first_id! {
    Uuid;
    (Uuid, B), B;
    (Uuid, B, C), B, C;
}

macro_rules! within {
    ($($shape:ty, $($more:ident)*);* $(;)?) => {$(
        impl<A: Key, $($more: Key),*> KeyRange<$shape> {
            /// Every key whose first part is `first`.
            pub fn within(first: Ref<'_, A>) -> Self {
                Self::new(Span::prefix(KeyBuf::of::<A>(first).as_slice()))
            }
        }
    )*};
}

within! {
    (A, B), B;
    (A, B, C), B C;
}

impl<A: Key> KeyRange<(A, String)> {
    /// Every key whose first part is `first` and whose second starts with `prefix`.
    pub fn within_prefix(first: Ref<'_, A>, prefix: &str) -> Self {
        let mut buf = KeyBuf::of::<A>(first);
        buf.push_escaped(prefix.as_bytes());
        Self::new(Span::prefix(buf.as_slice()))
    }
}
