//! [`Filterable`] for sequences and sets.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeSet, BinaryHeap, HashSet, LinkedList, VecDeque};
use std::hash::BuildHasher;
use std::rc::Rc;
use std::sync::Arc;

use super::maps::key_order;
use crate::datum::{Datum, Filterable, List, Map};
use crate::schema::{Key, KeyKind, Kind};
use crate::steps::LISTED_PER_STEP;

/// Returns the kind of a slice: pairs sorted by their keys are a map.
const fn slice<T: Filterable>(list: Kind) -> Kind {
    match T::ENTRIES {
        Some(map) => map,
        None => list,
    }
}

/// Implements `List`, `Map` and `Filterable` for a type that dereferences to a slice.
///
/// As a map the slice MUST be sorted by its keys; otherwise look-ups may miss entries.
macro_rules! slice_like {
    ($([$($generics:tt)*] $type:ty => $kind:expr),* $(,)?) => {$(
        impl<$($generics)*> List for $type {
            fn len(&self) -> usize {
                self[..].len()
            }
            fn element(&self) -> Kind {
                T::KIND
            }
            fn get(&self, index: usize) -> Option<Datum<'_>> {
                self[..].get(index).map(Filterable::datum)
            }
            fn any<'a>(&'a self, test: &mut dyn FnMut(usize, Datum<'a>) -> bool) -> bool {
                self[..].iter().enumerate().any(|(index, item)| test(index, item.datum()))
            }
            fn bytes(&self) -> Option<&[u8]> {
                T::as_bytes(&self[..])
            }
        }

        impl<$($generics)*> Map for $type {
            fn len(&self) -> usize {
                self[..].len()
            }
            fn key(&self) -> KeyKind {
                match T::ENTRIES {
                    Some(Kind::Map(key, _)) => key,
                    _ => KeyKind::Mixed,
                }
            }
            fn get(&self, key: &Key) -> Option<Datum<'_>> {
                let order = |item: &T| {
                    // An item of another kind sorts before every key, so the search finds none.
                    item.as_map_entry().and_then(|(own, _)| key_order(&own, key)).unwrap_or(Ordering::Less)
                };
                let index = self[..].binary_search_by(order).ok()?;
                self[..].get(index)?.as_map_entry().map(|(_, value)| value)
            }
            fn any<'a>(&'a self, test: &mut dyn FnMut(Datum<'a>, Datum<'a>) -> bool) -> bool {
                self[..].iter().filter_map(T::as_map_entry).any(|(key, value)| test(key, value))
            }
        }

        impl<$($generics)*> Filterable for $type {
            const KIND: Kind = slice::<T>($kind);
            fn datum(&self) -> Datum<'_> {
                // A constant of the type, so the branch is resolved at compile time.
                if T::ENTRIES.is_some() { Datum::Map(self) } else { Datum::List(self) }
            }
        }
    )*};
}

slice_like! {
    [T: Filterable] Vec<T> => Kind::List(&T::KIND),
    [T: Filterable, const N: usize] [T; N] => Kind::Array(&T::KIND, N),
    [T: Filterable] Box<[T]> => Kind::List(&T::KIND),
    [T: Filterable] Rc<[T]> => Kind::List(&T::KIND),
    [T: Filterable] Arc<[T]> => Kind::List(&T::KIND),
    [T: Filterable] &[T] => Kind::List(&T::KIND),
    [T: Filterable + Clone] Cow<'_, [T]> => Kind::List(&T::KIND),
}

/// Returns the kind of an element that is not contiguous with the others in memory.
///
/// A pattern cannot search such bytes, so `matches` MUST NOT compile: the kind becomes an option,
/// which `matches` rejects.
const fn apart(element: &'static Kind) -> &'static Kind {
    match element {
        Kind::Uint(8) => &Kind::Option(&Kind::Uint(8)),
        other => other,
    }
}

/// Implements `List` and `Filterable` for a collection without contiguous storage.
macro_rules! iterable {
    ($([$($generics:tt)*] $type:ty, walks: $walks:literal;)*) => {$(
        impl<$($generics)*> List for $type {
            fn len(&self) -> usize {
                <$type>::len(self)
            }
            fn element(&self) -> Kind {
                T::KIND
            }
            fn get(&self, index: usize) -> Option<Datum<'_>> {
                self.iter().nth(index).map(Filterable::datum)
            }
            fn steps_to(&self, index: usize) -> u64 {
                // A list that ends before the index is iterated to its end.
                let walked = if $walks { index.min(<$type>::len(self)) } else { 0 };
                walked as u64 / LISTED_PER_STEP
            }
            fn any<'a>(&'a self, test: &mut dyn FnMut(usize, Datum<'a>) -> bool) -> bool {
                self.iter().enumerate().any(|(index, item)| test(index, item.datum()))
            }
        }

        impl<$($generics)*> Filterable for $type {
            const KIND: Kind = Kind::List(apart(&T::KIND));
            fn datum(&self) -> Datum<'_> {
                Datum::List(self)
            }
        }
    )*};
}

iterable! {
    // A deque and a heap index in constant time; the others iterate.
    [T: Filterable] VecDeque<T>, walks: false;
    [T: Filterable] LinkedList<T>, walks: true;
    [T: Filterable] BinaryHeap<T>, walks: false;
    [T: Filterable] BTreeSet<T>, walks: true;
    [T: Filterable, S: BuildHasher] HashSet<T, S>, walks: true;
}
