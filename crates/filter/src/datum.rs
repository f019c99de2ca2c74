//! The evaluator's view of data: borrowed, one value at a time.
//!
//! A [`Datum`] is a small copy of a scalar or a reference to a larger value. Every type that can be
//! filtered, or be part of a filtered value, implements [`Filterable`]; structs also implement
//! [`Record`], sequences [`List`] and maps [`Map`].
//!
//! Invariant: nothing here allocates. Invariant: an implementation returns data that fits its
//! [`Filterable::KIND`]; a datum that does not fit evaluates like a missing one and never panics.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use uuid::Uuid;

use crate::decimal::Decimal;
use crate::int128::{Int128, JsonInteger};
use crate::schema::{Key, KeyKind, Kind, Schema};

/// A type that expressions can test.
///
/// Implemented for scalars, strings, options, sequences, maps, [`Uuid`], `serde_json::Value` and
/// [`Value`](crate::Value); `#[derive(Filterable)]` implements it for structs and unit enums.
///
/// # Examples
/// A wrapper that filters like the string inside it:
/// ```
/// use statehold_filter::{Datum, Filter, Filterable, Kind};
///
/// struct Zone(String);
///
/// impl Filterable for Zone {
///     const KIND: Kind = Kind::Text;
///     fn datum(&self) -> Datum<'_> {
///         self.0.datum()
///     }
/// }
///
/// #[derive(Filterable)]
/// struct Node {
///     zone: Zone,
/// }
///
/// let filter = Filter::<Node>::compile(r#"zone matches "^eu-""#)?;
/// assert!(filter.matches(&Node { zone: Zone("eu-1".to_owned()) }));
/// # Ok::<(), statehold_filter::CompileError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be filtered",
    note = "derive it: `#[derive(Filterable)]`, or leave the field out: `#[filterable(skip)]`"
)]
pub trait Filterable {
    /// The kind, which decides the operators that apply; known before any value exists.
    const KIND: Kind;

    /// Returns the value in the evaluator's form.
    fn datum(&self) -> Datum<'_>;

    /// Calls `visitor` with this value; a derived struct passes itself, so its fields are read
    /// without a [`Datum`].
    #[doc(hidden)]
    #[inline]
    fn accept<V: RowVisitor>(&self, visitor: V) -> bool {
        visitor.visit_datum(&self.datum())
    }

    /// The kind of a list of such values if that is a map: a list of pairs whose first part can be
    /// a key.
    #[doc(hidden)]
    const ENTRIES: Option<Kind> = None;

    /// Returns the key and value of an entry of such a map.
    ///
    /// Not named `entry`, because a call would then mean the method of maps.
    #[doc(hidden)]
    fn as_map_entry(&self) -> Option<(Datum<'_>, Datum<'_>)> {
        None
    }

    /// Returns a slice of such values as bytes, if they are bytes.
    #[doc(hidden)]
    fn as_bytes(_: &[Self]) -> Option<&[u8]>
    where
        Self: Sized,
    {
        None
    }
}

/// A test of a row that is compiled for each type of rows.
///
/// [`Filterable::accept`] chooses the method: a struct is visited as itself, because a statically
/// dispatched call of [`Record`] costs one jump to the field, and any other value is visited as a
/// [`Datum`].
#[doc(hidden)]
pub trait RowVisitor {
    /// Tests a struct, statically dispatched.
    fn visit_record(self, record: &impl Record) -> bool;

    /// Tests any other value.
    fn visit_datum(self, datum: &Datum<'_>) -> bool;
}

/// A value in the evaluator's form; borrows from the row.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Datum<'a> {
    /// A map has no such key, or a value before it in the path is absent.
    Missing,
    /// An absent option or a JSON null.
    Null,
    /// A bool.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    Uint(u64),
    /// An integer of 128 bits.
    Int128(Int128),
    /// A 64-bit float.
    Float(f64),
    /// A 32-bit float: literals are rounded to it before they are compared.
    Float32(f32),
    /// An integer of untyped JSON: literals are read as numbers, and compared exactly where both
    /// are integers.
    JsonInteger(JsonInteger),
    /// Any other number of untyped JSON with known digits: compared exactly.
    Decimal(&'a Decimal),
    /// One character, compared as a string of one character.
    Char(char),
    /// A string.
    Text(&'a str),
    /// A UUID, compared as a hyphenated lower-case string.
    Uuid(Uuid),
    /// An address of the Internet Protocol, version 4.
    Ipv4(Ipv4Addr),
    /// An address of the Internet Protocol, version 6.
    Ipv6(Ipv6Addr),
    /// A sequence.
    List(&'a dyn List),
    /// A map.
    Map(&'a dyn Map),
    /// A struct.
    Record(&'a dyn Record),
    /// Present, but of a kind without operators.
    Opaque,
}

impl fmt::Debug for Datum<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("Missing"),
            Self::Null => f.write_str("Null"),
            Self::Bool(value) => write!(f, "Bool({value})"),
            Self::Int(value) => write!(f, "Int({value})"),
            Self::Uint(value) => write!(f, "Uint({value})"),
            Self::Int128(value) => write!(f, "Int128({value})"),
            Self::Float(value) => write!(f, "Float({value})"),
            Self::Float32(value) => write!(f, "Float32({value})"),
            Self::JsonInteger(value) => write!(f, "JsonInteger({value:?})"),
            Self::Decimal(value) => write!(f, "Decimal({value})"),
            Self::Char(value) => write!(f, "Char({value:?})"),
            Self::Text(value) => write!(f, "Text({value:?})"),
            Self::Uuid(value) => write!(f, "Uuid({value})"),
            Self::Ipv4(value) => write!(f, "Ipv4({value})"),
            Self::Ipv6(value) => write!(f, "Ipv6({value})"),
            Self::List(list) => write!(f, "List({} elements)", list.len()),
            Self::Map(map) => write!(f, "Map({} entries)", map.len()),
            Self::Record(_) => f.write_str("Record"),
            Self::Opaque => f.write_str("Opaque"),
        }
    }
}

/// A struct: fields by slot for checked programs, by name for programs without a schema.
///
/// `#[derive(Filterable)]` implements both; a hand-written implementation MUST number its slots in
/// the order of its [`Schema`](crate::Schema).
///
/// # Examples
/// ```
/// use statehold_filter::{Datum, Field, Filter, Filterable, Kind, Record, Schema};
///
/// /// A rectangle whose area is computed on demand.
/// struct Rectangle {
///     width: u32,
///     height: u32,
/// }
///
/// static RECTANGLE: Schema =
///     Schema::new("Rectangle", &[Field::new("width", u32::KIND), Field::new("area", u64::KIND)]);
///
/// impl Record for Rectangle {
///     fn field(&self, slot: usize) -> Datum<'_> {
///         match slot {
///             0 => self.width.datum(),
///             1 => Datum::Uint(u64::from(self.width) * u64::from(self.height)),
///             _ => Datum::Missing,
///         }
///     }
///     fn named(&self, name: &str) -> Option<Datum<'_>> {
///         RECTANGLE.read(self, name)
///     }
/// }
///
/// impl Filterable for Rectangle {
///     const KIND: Kind = Kind::Record(|| &RECTANGLE);
///     fn datum(&self) -> Datum<'_> {
///         Datum::Record(self)
///     }
/// }
///
/// let filter = Filter::<Rectangle>::compile("area == 12 and width != 1")?;
/// assert!(filter.matches(&Rectangle { width: 3, height: 4 }));
/// # Ok::<(), statehold_filter::CompileError>(())
/// ```
pub trait Record {
    /// Returns the field at `slot` of the schema; [`Datum::Missing`] past the last one.
    fn field(&self, slot: usize) -> Datum<'_>;

    /// Returns the field of that name; `None` if the struct has no such field.
    fn named(&self, name: &str) -> Option<Datum<'_>>;

    /// Returns the string at `slot`; `None` for another kind.
    ///
    /// Equals [`field`](Self::field) but is cheaper: a string, number or reference is returned in
    /// registers, a datum is not. The methods below exist for the same reason.
    fn text(&self, slot: usize) -> Option<&str> {
        match self.field(slot) {
            Datum::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the signed integer at `slot`; `None` for another kind.
    fn int(&self, slot: usize) -> Option<i64> {
        match self.field(slot) {
            Datum::Int(value) => Some(value),
            _ => None,
        }
    }

    /// Returns the unsigned integer at `slot`; `None` for another kind.
    fn uint(&self, slot: usize) -> Option<u64> {
        match self.field(slot) {
            Datum::Uint(value) => Some(value),
            _ => None,
        }
    }

    /// Returns the bool at `slot`; `None` for another kind.
    fn bool(&self, slot: usize) -> Option<bool> {
        match self.field(slot) {
            Datum::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// Returns the struct at `slot`; `None` for another kind.
    fn record(&self, slot: usize) -> Option<&dyn Record> {
        match self.field(slot) {
            Datum::Record(record) => Some(record),
            _ => None,
        }
    }

    /// Returns the list at `slot`; `None` for another kind.
    fn list(&self, slot: usize) -> Option<&dyn List> {
        match self.field(slot) {
            Datum::List(list) => Some(list),
            _ => None,
        }
    }

    /// Returns the map at `slot`; `None` for another kind.
    fn map(&self, slot: usize) -> Option<&dyn Map> {
        match self.field(slot) {
            Datum::Map(map) => Some(map),
            _ => None,
        }
    }
}

impl Schema {
    /// Reads a field of `record` by name; the usual implementation of [`Record::named`].
    pub fn read<'a>(&self, record: &'a dyn Record, name: &str) -> Option<Datum<'a>> {
        // Own fields win over those of flattened structs, as in `find_field`.
        let own =
            self.fields().iter().position(|field| !field.is_flattened() && field.name() == name);
        if let Some(slot) = own {
            return Some(record.field(slot));
        }
        self.fields().iter().enumerate().filter(|(_, field)| field.is_flattened()).find_map(
            |(slot, field)| {
                match record.field(slot) {
                    Datum::Record(inner) => inner.named(name),
                    // An absent flattened struct: its fields exist, but without values.
                    _ => field.kind().schema()?.find(name).map(|_| Datum::Missing),
                }
            },
        )
    }
}

/// A sequence of values.
pub trait List {
    /// Returns the number of elements.
    fn len(&self) -> usize;

    /// Returns whether the list has no elements.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether `is nil` holds; only data models of other languages have such lists.
    fn is_nil(&self) -> bool {
        false
    }

    /// Returns the kind of the elements; [`Kind::Any`] if they differ.
    fn element(&self) -> Kind;

    /// Returns the element at a position counted from 0.
    fn get(&self, index: usize) -> Option<Datum<'_>>;

    /// Returns the evaluation steps of [`get`](Self::get); 0 if it costs the same for every index.
    ///
    /// A list that iterates to the element MUST return about a fourth of the elements before it.
    fn steps_to(&self, index: usize) -> u64 {
        let _ = index;
        0
    }

    /// Calls `test` on each element with its position until it returns true; returns whether it
    /// did.
    fn any<'a>(&'a self, test: &mut dyn FnMut(usize, Datum<'a>) -> bool) -> bool;

    /// Returns the elements as bytes, if they are bytes: `matches` then searches them as a string.
    fn bytes(&self) -> Option<&[u8]> {
        None
    }
}

/// A map from strings, numbers or bools to values.
pub trait Map {
    /// Returns the number of entries.
    fn len(&self) -> usize;

    /// Returns whether the map has no entries.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether `is nil` holds; only data models of other languages have such maps.
    fn is_nil(&self) -> bool {
        false
    }

    /// Returns the kind of the keys.
    fn key(&self) -> KeyKind;

    /// Returns the value under a key.
    fn get(&self, key: &Key) -> Option<Datum<'_>>;

    /// Returns the string under a key; `None` for another kind. Cheaper than [`get`](Self::get), as
    /// [`Record::text`] is.
    fn text(&self, key: &Key) -> Option<&str> {
        match self.get(key) {
            Some(Datum::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Calls `test` on each key and value until it returns true; returns whether it did.
    fn any<'a>(&'a self, test: &mut dyn FnMut(Datum<'a>, Datum<'a>) -> bool) -> bool;
}
