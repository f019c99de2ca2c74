//! A typed value for data whose shape is known only at run time.

use std::collections::BTreeMap;

use crate::datum::{Datum, Filterable, Record};
use crate::schema::Kind;

/// Data whose shape is known only at run time, with the types that JSON lacks.
///
/// Like JSON it has no schema, so expressions are checked against each value at evaluation and
/// [`Filter::try_matches`](crate::Filter::try_matches) returns an error for a value that does not
/// fit. Unlike JSON it distinguishes signed, unsigned and fractional numbers, and structs from
/// maps.
///
/// # Examples
/// ```
/// use statehold_filter::{Filter, Value};
///
/// let row = Value::Record([("Size".to_owned(), Value::Uint(255))].into());
/// let filter = Filter::<Value>::compile(r#"Size == "0xff""#)?;
/// assert_eq!(filter.try_matches(&row), Ok(true));
///
/// // A struct has the fields it has; a map may miss a key.
/// let filter = Filter::<Value>::compile("Sise == 255")?;
/// assert!(filter.try_matches(&row).is_err());
/// # Ok::<(), statehold_filter::CompileError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Null.
    #[default]
    Null,
    /// A bool.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    Uint(u64),
    /// A float.
    Float(f64),
    /// Text.
    Text(String),
    /// A sequence.
    List(Vec<Value>),
    /// A map: an absent key is missing.
    Map(BTreeMap<String, Value>),
    /// A struct: an absent name is an error.
    Record(BTreeMap<String, Value>),
}

/// The fields of a [`Value::Record`].
impl Record for BTreeMap<String, Value> {
    fn field(&self, _: usize) -> Datum<'_> {
        // Without a schema no program has slots.
        Datum::Missing
    }
    fn named(&self, name: &str) -> Option<Datum<'_>> {
        self.get(name).map(Filterable::datum)
    }
}

impl Filterable for Value {
    const KIND: Kind = Kind::Any;
    fn datum(&self) -> Datum<'_> {
        match self {
            Self::Null => Datum::Null,
            Self::Bool(value) => value.datum(),
            Self::Int(value) => value.datum(),
            Self::Uint(value) => value.datum(),
            Self::Float(value) => value.datum(),
            Self::Text(value) => value.datum(),
            Self::List(list) => list.datum(),
            Self::Map(map) => map.datum(),
            Self::Record(fields) => Datum::Record(fields),
        }
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident),* $(,)?) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

from! {
    bool => Bool,
    i8 => Int,
    i16 => Int,
    i32 => Int,
    i64 => Int,
    u8 => Uint,
    u16 => Uint,
    u32 => Uint,
    u64 => Uint,
    f32 => Float,
    f64 => Float,
    &str => Text,
    String => Text,
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
