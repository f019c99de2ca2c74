//! [`Filterable`] for tuples: a struct with the fields `0`, `1` and so on.
//!
//! A list of pairs whose first part can be a key is a map; any other list of pairs is a list of
//! structs.

use crate::datum::{Datum, Filterable, Record};
use crate::schema::{Field, KeyKind, Kind, Schema};

/// Returns the kind of keys of a sorted list of pairs; `None` if values of `kind` cannot be looked
/// up.
///
/// Variants of an enum are not keys, because they sort by position and not by name.
const fn key(kind: Kind) -> Option<KeyKind> {
    match kind {
        Kind::Text => Some(KeyKind::Text),
        Kind::Uuid => Some(KeyKind::Uuid),
        Kind::Address => Some(KeyKind::Address),
        Kind::Bool => Some(KeyKind::Bool),
        Kind::Int(bits) if bits <= 64 => Some(KeyKind::Int(bits)),
        Kind::Uint(bits) if bits <= 64 => Some(KeyKind::Uint(bits)),
        _ => None,
    }
}

macro_rules! tuple {
    ($($type:ident $index:tt),* $(; $($own:tt)*)?) => {
        impl<$($type: Filterable),*> Record for ($($type,)*) {
            fn field(&self, slot: usize) -> Datum<'_> {
                match slot {
                    $($index => self.$index.datum(),)*
                    _ => Datum::Missing,
                }
            }
            fn named(&self, name: &str) -> Option<Datum<'_>> {
                Self::KIND.schema()?.read(self, name)
            }
        }

        impl<$($type: Filterable),*> Filterable for ($($type,)*) {
            const KIND: Kind = Kind::Record(|| {
                const {
                    &Schema::new(
                        "tuple",
                        const { &[$(Field::new(stringify!($index), $type::KIND)),*] },
                    )
                }
            });
            fn datum(&self) -> Datum<'_> {
                Datum::Record(self)
            }
            $($($own)*)?
        }
    };
}

tuple! {
    A 0, B 1;
    const ENTRIES: Option<Kind> = match key(A::KIND) {
        Some(key) => Some(Kind::Map(key, &B::KIND)),
        None => None,
    };
    fn as_map_entry(&self) -> Option<(Datum<'_>, Datum<'_>)> {
        Some((self.0.datum(), self.1.datum()))
    }
}
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
