//! How the evaluator sees data: borrowed, one value at a time.
//!
//! A [`Datum`] is a small copy of a scalar or a reference to something larger. Everything that can be
//! filtered, or can stand inside something that is filtered, implements [`Filterable`]; structs
//! also implement [`Record`], sequences [`List`] and maps [`Map`].
//!
//! Invariant: nothing here allocates. Invariant: an implementation hands out data that fits its
//! [`Filterable::KIND`]; a datum that does not fit answers like a missing one, it never panics.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use uuid::Uuid;

use crate::decimal::Decimal;
use crate::int128::{Int128, JsonInteger};
use crate::schema::{Key, KeyKind, Kind, Schema};

/// Something that an expression can look at.
///
/// Implemented for scalars, strings, options, sequences, maps, [`Uuid`], `serde_json::Value` and
/// [`Value`](crate::Value); `#[derive(Filterable)]` implements it for structs and unit enums.
///
/// # Examples
/// A wrapper that filters like the text inside it:
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
    message = "`{Self}` can't be looked at by a filter",
    note = "derive it: `#[derive(Filterable)]`, or leave the field out: `#[filterable(skip)]`"
)]
pub trait Filterable {
    /// What expressions may do with it, known before any value exists.
    const KIND: Kind;

    /// This value as the evaluator sees it.
    fn datum(&self) -> Datum<'_>;

    /// Calls `visitor` with this value; a derived struct passes itself, so that its fields are read without [`Datum`].
    #[doc(hidden)]
    #[inline]
    fn accept<V: RowVisitor>(&self, visitor: V) -> bool {
        visitor.visit_datum(&self.datum())
    }

    /// The kind of a list of such values where that is a map: of pairs whose first part can be a key.
    #[doc(hidden)]
    const ENTRIES: Option<Kind> = None;

    /// This as the key and value of such a map; not called `entry`, as the method of maps that a call would otherwise mean.
    #[doc(hidden)]
    fn as_map_entry(&self) -> Option<(Datum<'_>, Datum<'_>)> {
        None
    }

    /// A slice of such values as bytes, when they are bytes.
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
/// [`Filterable::accept`] chooses the method: a struct is visited as itself, because a call of [`Record`] through its
/// type costs one jump to the field, and anything else as a [`Datum`].
#[doc(hidden)]
pub trait RowVisitor {
    /// Tests a struct, statically dispatched.
    fn visit_record(self, record: &impl Record) -> bool;

    /// Tests any other value.
    fn visit_datum(self, datum: &Datum<'_>) -> bool;
}

/// A value as the evaluator sees it; borrows from the row.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Datum<'a> {
    /// A map had no such key, or something on the way was absent.
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
    /// An integer of untyped JSON: literals are read as numbers, compared exactly where both are whole.
    JsonInteger(JsonInteger),
    /// Any other number of untyped JSON whose digits are known: compared exactly.
    Decimal(&'a Decimal),
    /// One character, compared as a text of one character.
    Char(char),
    /// Text.
    Text(&'a str),
    /// A UUID, compared as hyphenated lower-case text.
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
    /// Present, but of a kind that no operator knows.
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
/// `#[derive(Filterable)]` writes both; a hand-written one keeps slots in the order of its
/// [`Schema`](crate::Schema).
///
/// # Examples
/// ```
/// use statehold_filter::{Datum, Field, Filter, Filterable, Kind, Record, Schema};
///
/// /// A rectangle whose area is worked out when it is asked for.
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
    /// The field at `slot` of the schema; [`Datum::Missing`] past the last one.
    fn field(&self, slot: usize) -> Datum<'_>;

    /// The field of that name, or `None` when the struct has no such field.
    fn named(&self, name: &str) -> Option<Datum<'_>>;

    /// The text at `slot`, if it is text: what [`field`](Self::field) gives, without the way round.
    ///
    /// This and its siblings exist because a text, number or reference comes back in registers, a datum does not.
    fn text(&self, slot: usize) -> Option<&str> {
        match self.field(slot) {
            Datum::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The signed integer at `slot`, if it is one.
    fn int(&self, slot: usize) -> Option<i64> {
        match self.field(slot) {
            Datum::Int(value) => Some(value),
            _ => None,
        }
    }

    /// The unsigned integer at `slot`, if it is one.
    fn uint(&self, slot: usize) -> Option<u64> {
        match self.field(slot) {
            Datum::Uint(value) => Some(value),
            _ => None,
        }
    }

    /// The bool at `slot`, if it is one.
    fn bool(&self, slot: usize) -> Option<bool> {
        match self.field(slot) {
            Datum::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The struct at `slot`, if it is one.
    fn record(&self, slot: usize) -> Option<&dyn Record> {
        match self.field(slot) {
            Datum::Record(record) => Some(record),
            _ => None,
        }
    }

    /// The list at `slot`, if it is one.
    fn list(&self, slot: usize) -> Option<&dyn List> {
        match self.field(slot) {
            Datum::List(list) => Some(list),
            _ => None,
        }
    }

    /// The map at `slot`, if it is one.
    fn map(&self, slot: usize) -> Option<&dyn Map> {
        match self.field(slot) {
            Datum::Map(map) => Some(map),
            _ => None,
        }
    }
}

impl Schema {
    /// Reads a field of `record` by name: what [`Record::named`] is to return.
    pub fn read<'a>(&self, record: &'a dyn Record, name: &str) -> Option<Datum<'a>> {
        let own =
            self.fields().iter().position(|field| !field.is_flattened() && field.name() == name);
        if let Some(slot) = own {
            return Some(record.field(slot));
        }
        self.fields().iter().enumerate().filter(|(_, field)| field.is_flattened()).find_map(
            |(slot, field)| {
                match record.field(slot) {
                    Datum::Record(inner) => inner.named(name),
                    // An absent flattened struct: its fields exist, without values.
                    _ => field.kind().schema()?.find(name).map(|_| Datum::Missing),
                }
            },
        )
    }
}

/// A sequence of values.
pub trait List {
    /// How many elements it holds.
    fn len(&self) -> usize;

    /// Whether it holds none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether `is nil` holds; only foreign data models have such lists.
    fn is_nil(&self) -> bool {
        false
    }

    /// The kind of every element, [`Kind::Any`] when they differ.
    fn element(&self) -> Kind;

    /// The element at a position counted from 0.
    fn get(&self, index: usize) -> Option<Datum<'_>>;

    /// Returns the evaluation steps of [`get`](Self::get); 0 where it costs the same for every index.
    ///
    /// A list that walks to the element MUST return about a fourth of the elements that it goes through.
    fn steps_to(&self, index: usize) -> u64 {
        let _ = index;
        0
    }

    /// Calls `test` on each element with its position until one answers true; says whether one did.
    fn any<'a>(&'a self, test: &mut dyn FnMut(usize, Datum<'a>) -> bool) -> bool;

    /// The elements as bytes, when they are bytes: then `matches` searches them as text.
    fn bytes(&self) -> Option<&[u8]> {
        None
    }
}

/// A map from text or numbers to values.
pub trait Map {
    /// How many entries it holds.
    fn len(&self) -> usize;

    /// Whether it holds none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether `is nil` holds; only foreign data models have such maps.
    fn is_nil(&self) -> bool {
        false
    }

    /// The kind of its keys.
    fn key(&self) -> KeyKind;

    /// The value under a key.
    fn get(&self, key: &Key) -> Option<Datum<'_>>;

    /// The text under a key, if it is text: what [`get`](Self::get) gives, without the way round.
    fn text(&self, key: &Key) -> Option<&str> {
        match self.get(key) {
            Some(Datum::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Calls `test` on each key and value until one pair answers true; says whether one did.
    fn any<'a>(&'a self, test: &mut dyn FnMut(Datum<'a>, Datum<'a>) -> bool) -> bool;
}
