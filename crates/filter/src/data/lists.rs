//! [`Filterable`] for sequences and sets.

use std::borrow::Cow;
use std::collections::{BTreeSet, BinaryHeap, HashSet, LinkedList, VecDeque};
use std::hash::BuildHasher;
use std::rc::Rc;
use std::sync::Arc;

use crate::datum::{Datum, Filterable, List};
use crate::schema::Kind;

/// Gives a type that dereferences to a slice its `List` and `Filterable`.
macro_rules! slice_like {
    ($([$($generics:tt)*] $type:ty),* $(,)?) => {$(
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

        impl<$($generics)*> Filterable for $type {
            const KIND: Kind = Kind::List(&T::KIND);
            fn datum(&self) -> Datum<'_> {
                Datum::List(self)
            }
        }
    )*};
}

slice_like! {
    [T: Filterable] Vec<T>,
    [T: Filterable, const N: usize] [T; N],
    [T: Filterable] Box<[T]>,
    [T: Filterable] Rc<[T]>,
    [T: Filterable] Arc<[T]>,
    [T: Filterable] &[T],
    [T: Filterable + Clone] Cow<'_, [T]>,
}

/// Gives a collection without contiguous storage its `List` and `Filterable`.
macro_rules! iterable {
    ($([$($generics:tt)*] $type:ty),* $(,)?) => {$(
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
            fn any<'a>(&'a self, test: &mut dyn FnMut(usize, Datum<'a>) -> bool) -> bool {
                self.iter().enumerate().any(|(index, item)| test(index, item.datum()))
            }
        }

        impl<$($generics)*> Filterable for $type {
            const KIND: Kind = Kind::List(&T::KIND);
            fn datum(&self) -> Datum<'_> {
                Datum::List(self)
            }
        }
    )*};
}

iterable! {
    [T: Filterable] VecDeque<T>,
    [T: Filterable] LinkedList<T>,
    [T: Filterable] BinaryHeap<T>,
    [T: Filterable] BTreeSet<T>,
    [T: Filterable, S: BuildHasher] HashSet<T, S>,
}
