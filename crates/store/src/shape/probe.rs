//! The deserializer that supplies dummy values and records the requests.
//!
//! It behaves like bincode's: not human readable, structs and tuples as sequences, variants by position. So a
//! reader takes the same path through both.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::error::Why;
use super::explore::{Explorer, Key, Kind, Place};
use super::{Id, Scalar};

/// Strings that types stored in a `String` are likely to accept: identifiers, times, durations, addresses,
/// versions, paths.
const STRINGS: [&str; 42] = [
    "",
    "0",
    "a",
    "1",
    "00000000-0000-0000-0000-000000000001",
    "2000-01-01T00:00:00Z",
    "2000-01-01",
    "00:00:00",
    "2000-01-01T00:00:00",
    "2000-01-01T00:00:00+00:00[UTC]",
    "2000-01-01 00:00:00 UTC",
    "Sat, 01 Jan 2000 00:00:00 GMT",
    "PT1S",
    "1s",
    "127.0.0.1",
    "::1",
    "127.0.0.1:80",
    "[::1]:80",
    "10.0.0.0/8",
    "fd00::/8",
    "1.0.0",
    ">=1.0.0",
    "1GiB",
    "0.0",
    "http://localhost/",
    "/",
    "/a",
    "a/b",
    "a:b",
    "a=b",
    "a@example.com",
    "example.com",
    "UTC",
    "en",
    "text/plain",
    "true",
    "00:00:00:00:00:00",
    "00",
    "0x0",
    "AAAA",
    "A",
    "{}",
];

/// Number of dummies tried at a place.
pub(super) const CANDIDATES: usize = STRINGS.len();

const INTEGERS: [i8; 12] = [0, 1, 2, 3, 7, 10, 12, 16, 32, 64, 100, 127];

const BYTES: [usize; 13] = [0, 16, 4, 1, 2, 8, 3, 6, 12, 20, 24, 32, 64];

const CHARS: [char; 4] = ['a', '0', 'A', '/'];

const FLOATS: [u8; 3] = [0, 1, 100];

/// The error of a reader over a dummy. Its message is never shown.
#[derive(Debug)]
pub(super) struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a dummy value was refused")
    }
}

impl std::error::Error for Refused {}

impl serde::de::Error for Refused {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// Supplies the value at a place.
#[derive(Clone, Copy)]
pub(super) struct Probe<'x> {
    explorer: &'x RefCell<Explorer>,
    place: Place,
    /// Whether it is a field read by its number: the reader ignores a field that it does not have.
    numbered: bool,
}

impl<'x> Probe<'x> {
    /// Reads the value at a place.
    pub(super) fn enter<T>(
        explorer: &'x RefCell<Explorer>,
        place: Place,
        read: impl FnOnce(Self) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let outer = explorer.borrow_mut().enter(place).ok_or(Refused)?;
        let result = read(Self { explorer, place, numbered: false });
        explorer.borrow_mut().leave(place, outer, result.is_err());
        result
    }

    /// Reads a field of a struct at its place.
    fn field<T>(
        explorer: &'x RefCell<Explorer>,
        place: Place,
        numbered: bool,
        read: impl FnOnce(Self) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let result = Self::enter(explorer, place, |probe| read(Self { numbered, ..probe }));
        if result.is_err() {
            explorer.borrow_mut().field_failed(place);
        }
        result
    }

    fn node<V>(&self, kind: Kind, name: &'static str, len: usize) -> Id {
        self.named_node::<V>(kind, name, len, &[])
    }

    fn named_node<V>(
        &self,
        kind: Kind,
        name: &'static str,
        len: usize,
        names: &'static [&'static str],
    ) -> Id {
        let key = Key { kind, visitor: std::any::type_name::<V>(), name, len, variant: None };
        self.explorer.borrow_mut().node(self.place, key, names)
    }

    /// Records the scalar. Returns the number of the candidate to use.
    fn scalar(&self, scalar: Scalar) -> usize {
        let kind = Kind::Scalar(scalar);
        let key = Key { kind, visitor: "", name: "", len: 0, variant: None };
        let mut explorer = self.explorer.borrow_mut();
        explorer.node(self.place, key, &[]);
        explorer.candidate()
    }

    fn refuse(&self, why: Why) -> Refused {
        self.explorer.borrow_mut().refuse(why);
        Refused
    }

    /// Reads the single value of an option, list or map, if it should have one.
    fn filled<T>(
        &self,
        id: Id,
        fill: impl FnOnce() -> Result<T, Refused>,
        empty: impl FnOnce() -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        if !self.explorer.borrow_mut().fills(id) {
            return empty();
        }
        let since = self.explorer.borrow().steps();
        let result = fill();
        self.explorer.borrow_mut().tried(id, 0, since, result.is_err());
        result
    }

    fn fields<'de, V: Visitor<'de>>(
        explorer: &'x RefCell<Explorer>,
        id: Id,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let mut elements = Elements { explorer, id, next: 0, len };
        let value = visitor.visit_seq(&mut elements)?;
        explorer.borrow_mut().whole(id, elements.next);
        Ok(value)
    }

    fn named_fields<'de, V: Visitor<'de>>(
        explorer: &'x RefCell<Explorer>,
        id: Id,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        if !explorer.borrow().has_dead_field(id, len) {
            return Self::fields(explorer, id, len, visitor);
        }
        // A derived reader takes fields in any order from a map, and reports the missing unreadable one only
        // after it has read the others.
        let result = visitor.visit_map(Numbered { explorer, id, next: 0, len, accepted: false });
        if result.is_err() {
            explorer.borrow_mut().incomplete();
        }
        result
    }
}

fn nth<T: Copy>(list: &[T], candidate: usize) -> T {
    list[candidate % list.len()]
}

macro_rules! integers {
    ($($method:ident $visit:ident $scalar:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            let candidate = self.scalar(Scalar::$scalar);
            let value = self.explorer.borrow().values.nth_integer(&INTEGERS, candidate);
            // A value of a row may exceed a narrower type.
            visitor.$visit(value.try_into().map_err(|_| Refused)?)
        })*
    };
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Refused;

    // As bincode: types such as `Uuid` choose their form by it.
    fn is_human_readable(&self) -> bool {
        false
    }

    integers! {
        deserialize_i8 visit_i8 I8
        deserialize_i16 visit_i16 I16
        deserialize_i32 visit_i32 I32
        deserialize_i64 visit_i64 I64
        deserialize_i128 visit_i128 I128
        deserialize_u8 visit_u8 U8
        deserialize_u16 visit_u16 U16
        deserialize_u32 visit_u32 U32
        deserialize_u64 visit_u64 U64
        deserialize_u128 visit_u128 U128
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_bool(self.scalar(Scalar::Bool) % 2 == 1)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_f32(nth(&FLOATS, self.scalar(Scalar::F32)).into())
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_f64(nth(&FLOATS, self.scalar(Scalar::F64)).into())
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_char(nth(&CHARS, self.scalar(Scalar::Char)))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let candidate = self.scalar(Scalar::String);
        let value = self.explorer.borrow().values.nth_string(&STRINGS, candidate);
        match value {
            // Readers of `&str` accept only borrowed strings.
            Cow::Borrowed(value) => visitor.visit_borrowed_str(value),
            Cow::Owned(value) => visitor.visit_string(value),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let candidate = self.scalar(Scalar::String);
        let value = self.explorer.borrow().values.nth_string(&STRINGS, candidate);
        visitor.visit_string(value.into_owned())
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let candidate = self.scalar(Scalar::Bytes);
        let value = self.explorer.borrow().values.nth_bytes(&BYTES, candidate);
        visitor.visit_bytes(&value)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let candidate = self.scalar(Scalar::Bytes);
        let value = self.explorer.borrow().values.nth_bytes(&BYTES, candidate);
        visitor.visit_byte_buf(value)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        // A unit adds no bytes, but it is a part with a kind of its own.
        self.scalar(Scalar::Unit);
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        // A newtype adds no bytes, so it gets no node.
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let id = self.node::<V>(Kind::Option, "", 0);
        let explorer = self.explorer;
        // Only one of the two closures runs, but both need the visitor.
        let visitor = std::cell::Cell::new(Some(visitor));
        let visitor = || visitor.take().ok_or(Refused);
        let place = Place { parent: id, slot: 0 };
        self.filled(
            id,
            || Self::enter(explorer, place, |inner| visitor()?.visit_some(inner)),
            || visitor()?.visit_none(),
        )
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let id = self.node::<V>(Kind::Seq, "", 0);
        let explorer = self.explorer;
        // Only one of the two closures runs, but both need the visitor.
        let visitor = std::cell::Cell::new(Some(visitor));
        let read = |len| {
            let visitor = visitor.take().ok_or(Refused)?;
            visitor.visit_seq(&mut Elements { explorer, id, next: 0, len })
        };
        self.filled(id, || read(1), || read(0))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let id = self.node::<V>(Kind::Map, "", 0);
        let explorer = self.explorer;
        // Only one of the two closures runs, but both need the visitor.
        let visitor = std::cell::Cell::new(Some(visitor));
        let read = |entries| {
            let visitor = visitor.take().ok_or(Refused)?;
            visitor.visit_map(Entries { explorer, id, left: entries })
        };
        self.filled(id, || read(1), || read(0))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let id = self.node::<V>(Kind::Tuple, "", len);
        Self::fields(self.explorer, id, len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let id = self.node::<V>(Kind::Tuple, name, len);
        Self::fields(self.explorer, id, len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let id = self.named_node::<V>(Kind::Struct, name, fields.len(), fields);
        Self::named_fields(self.explorer, id, fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let id = self.named_node::<V>(Kind::Enum, name, variants.len(), variants);
        let explorer = self.explorer;
        let at = explorer.borrow_mut().variant(id).ok_or(Refused)?;
        let since = explorer.borrow().steps();
        let result = visitor.visit_enum(OneVariant { explorer, id, at });
        explorer.borrow_mut().tried(id, at, since, result.is_err());
        result
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
        Err(self.refuse(Why::any(std::any::type_name::<V>())))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        if self.numbered {
            // A number past the last field: the list of names includes aliases.
            self.explorer.borrow_mut().whole(self.place.parent, self.place.slot);
            return visitor.visit_unit();
        }
        Err(self.refuse(Why::Ignored))
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
        let around = self.explorer.borrow().kind(self.place.parent);
        Err(self.refuse(match around {
            Kind::Map => Why::Flatten,
            // The tag is the first field of the struct that represents the enum.
            Kind::Struct if self.place.slot == 0 => Why::AdjacentlyTagged,
            _ => Why::Identifier,
        }))
    }
}

/// Supplies the fields of a struct or tuple, or the elements of a list.
struct Elements<'x> {
    explorer: &'x RefCell<Explorer>,
    id: Id,
    next: usize,
    len: usize,
}

impl<'de> SeqAccess<'de> for &mut Elements<'_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Refused> {
        if self.next == self.len {
            return Ok(None);
        }
        let place = Place { parent: self.id, slot: self.next };
        let read = |probe: Probe<'_>| seed.deserialize(probe);
        // Fields can later be skipped by number; elements of a tuple cannot.
        let of_struct = self.explorer.borrow().kind(self.id) == Kind::Struct;
        let value = if of_struct {
            Probe::field(self.explorer, place, false, read)
        } else {
            Probe::enter(self.explorer, place, read)
        }?;
        self.next += 1;
        Ok(Some(value))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.len - self.next)
    }
}

struct Entries<'x> {
    explorer: &'x RefCell<Explorer>,
    id: Id,
    left: usize,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Refused> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let place = Place { parent: self.id, slot: 0 };
        Probe::enter(self.explorer, place, |probe| seed.deserialize(probe)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        let place = Place { parent: self.id, slot: 1 };
        Probe::enter(self.explorer, place, |probe| seed.deserialize(probe))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// Supplies the readable fields of a struct, each after its number.
struct Numbered<'x> {
    explorer: &'x RefCell<Explorer>,
    id: Id,
    next: usize,
    len: usize,
    /// Whether the reader accepted a number.
    accepted: bool,
}

impl<'de> MapAccess<'de> for Numbered<'_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Refused> {
        let mut explorer = self.explorer.borrow_mut();
        let len = explorer.taken(self.id).unwrap_or(self.len);
        while self.next < len && explorer.is_dead(Place { parent: self.id, slot: self.next }) {
            self.next += 1;
        }
        if self.next >= len {
            explorer.whole(self.id, len);
            return Ok(None);
        }
        drop(explorer);
        let number = u64::try_from(self.next).map_err(|_| Refused)?;
        let key = seed.deserialize(IntoDeserializer::<Refused>::into_deserializer(number));
        match key {
            Ok(key) => {
                self.accepted = true;
                Ok(Some(key))
            }
            Err(refused) => {
                // With `deny_unknown_fields`, the first number past the last field is rejected. A reader that
                // rejects every number accepts only names, and its fields stay unknown.
                if self.accepted {
                    self.explorer.borrow_mut().whole(self.id, self.next);
                }
                Err(refused)
            }
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        let place = Place { parent: self.id, slot: self.next };
        self.next += 1;
        Probe::field(self.explorer, place, true, |probe| seed.deserialize(probe))
    }
}

/// Supplies an enum with the variant `at`.
struct OneVariant<'x> {
    explorer: &'x RefCell<Explorer>,
    id: Id,
    at: usize,
}

impl<'de> EnumAccess<'de> for OneVariant<'_> {
    type Error = Refused;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Refused> {
        let position = u32::try_from(self.at).map_err(|_| Refused)?;
        let position = IntoDeserializer::<Refused>::into_deserializer(position);
        match seed.deserialize(position) {
            Ok(variant) => Ok((variant, self)),
            Err(refused) => {
                // The list of variants may have aliases, so it can be longer than the enum.
                self.explorer.borrow_mut().absent(self.id, self.at);
                Err(refused)
            }
        }
    }
}

impl OneVariant<'_> {
    /// Reads the content of the variant.
    fn content<T>(
        &self,
        kind: Kind,
        len: usize,
        names: &'static [&'static str],
        read: impl FnOnce(Id) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let place = Place { parent: self.id, slot: self.at };
        let key = Key { kind, visitor: "", name: "", len, variant: Some(place) };
        Probe::enter(self.explorer, place, |_| {
            let id = self.explorer.borrow_mut().node(place, key, names);
            read(id)
        })
    }
}

impl<'de> VariantAccess<'de> for OneVariant<'_> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        self.content(Kind::Scalar(Scalar::Unit), 0, &[], |_| Ok(()))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refused> {
        self.content(Kind::Tuple, 1, &[], |id| {
            // Set before it is read: it has one value, whether or not a dummy is accepted for it.
            self.explorer.borrow_mut().whole(id, 1);
            let place = Place { parent: id, slot: 0 };
            Probe::enter(self.explorer, place, |probe| seed.deserialize(probe))
        })
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        let read = |id| Probe::fields(self.explorer, id, len, visitor);
        self.content(Kind::Tuple, len, &[], read)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let read = |id| Probe::named_fields(self.explorer, id, fields.len(), visitor);
        self.content(Kind::Struct, fields.len(), fields, read)
    }
}
