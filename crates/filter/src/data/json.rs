//! [`Filterable`] for JSON.
//!
//! JSON has no schema: selectors and literals are checked against each value at evaluation. Its
//! numbers accept literals written as decimal numbers (`3`, `"3e0"`, not `"0x3"`). Integers are
//! exact to 64 bits, as `serde_json` keeps them, and to 128 bits with its feature
//! `arbitrary_precision`; other numbers are floats. [`Json`](crate::Json) keeps every digit.

use serde_json::{Map as Object, Number, Value};

use crate::datum::{Datum, Filterable, Map};
use crate::int128::{Int128, JsonInteger};
use crate::schema::{Key, KeyKind, Kind};

impl Filterable for Value {
    const KIND: Kind = Kind::Any;
    fn datum(&self) -> Datum<'_> {
        match self {
            Self::Null => Datum::Null,
            Self::Bool(value) => Datum::Bool(*value),
            Self::Number(number) => {
                if let Some(value) = number.as_i64() {
                    Datum::JsonInteger(JsonInteger::Int(value))
                } else if let Some(value) = number.as_u64() {
                    Datum::JsonInteger(JsonInteger::Uint(value))
                } else {
                    larger(number)
                }
            }
            Self::String(value) => Datum::Text(value),
            Self::Array(list) => list.datum(),
            Self::Object(map) => map.datum(),
        }
    }
}

/// Reads a number that is not an integer of 64 bits; without `serde_json`'s feature
/// `arbitrary_precision` it is a float.
fn larger(number: &Number) -> Datum<'_> {
    let wide = number.as_i128().map(Int128::from).or_else(|| number.as_u128().map(Int128::from));
    match (wide, number.as_f64()) {
        // Marked as JSON, so that literals are compared as numbers and not by the width of a field.
        (Some(wide), _) => Datum::Int128(wide.of_json()),
        (None, float) => float.map_or(Datum::Opaque, Datum::Float),
    }
}

impl Filterable for Object<String, Value> {
    const KIND: Kind = Kind::Map(KeyKind::Text, &Kind::Any);
    fn datum(&self) -> Datum<'_> {
        Datum::Map(self)
    }
}

impl Map for Object<String, Value> {
    fn len(&self) -> usize {
        Self::len(self)
    }
    fn key(&self) -> KeyKind {
        KeyKind::Text
    }
    fn get(&self, key: &Key) -> Option<Datum<'_>> {
        let Key::Text(text) = key else { return None };
        Self::get(self, &**text).map(Filterable::datum)
    }
    fn any<'a>(&'a self, test: &mut dyn FnMut(Datum<'a>, Datum<'a>) -> bool) -> bool {
        self.iter().any(|(key, value)| test(key.datum(), value.datum()))
    }
}
