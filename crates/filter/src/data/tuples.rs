//! [`Filterable`] for tuples of three and more: a struct whose fields are called `0`, `1` and so on.
//!
//! A pair has no fields of its own, because a list of pairs is a map; derive a struct for it.

use crate::datum::{Datum, Filterable, Record};
use crate::schema::{Field, Kind, Schema};

macro_rules! tuple {
    ($($type:ident $index:tt),*) => {
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
        }
    };
}

tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
