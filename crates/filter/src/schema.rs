//! The types of data, known before any row exists.
//!
//! A [`Schema`] lists the fields of a struct with their [`Kind`]s. The checker resolves selectors
//! against it, so that evaluation only follows slots.

use std::fmt;

/// The kind of a value, which decides the operators that apply.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// A bool.
    Bool,
    /// A signed integer of that many bits; one of more than 64 is returned as
    /// [`Datum::Int128`](crate::Datum::Int128).
    Int(u8),
    /// An unsigned integer of that many bits; one of more than 64 is returned as
    /// [`Datum::Int128`](crate::Datum::Int128).
    Uint(u8),
    /// A 64-bit float.
    Float,
    /// A 32-bit float.
    Float32,
    /// A string.
    Text,
    /// One of these strings.
    Enum(&'static [&'static str]),
    /// One character.
    Char,
    /// A UUID, compared as a hyphenated lower-case string.
    Uuid,
    /// An address of the Internet Protocol: compared by value by `==`, as a string in its usual
    /// form by other operators.
    Address,
    /// A span of time; returned as [`Datum::Int`](crate::Datum::Int), in nanoseconds.
    Duration,
    /// A point in time; returned as [`Datum::Int`](crate::Datum::Int), in nanoseconds since 1970 in
    /// UTC.
    Timestamp,
    /// A sequence of values of one kind.
    List(&'static Kind),
    /// A sequence of that many values of one kind; [`required`](Self::required) returns it as a
    /// [`Kind::List`].
    Array(&'static Kind, usize),
    /// A map with keys and values of one kind each.
    Map(KeyKind, &'static Kind),
    /// A struct; a function, so that a struct may contain itself behind a pointer.
    Record(fn() -> &'static Schema),
    /// Present or absent.
    Option(&'static Kind),
    /// Known only at evaluation, as in JSON.
    Any,
    /// A kind that only `is nil` applies to.
    Opaque,
}

impl Kind {
    /// Returns the kind without the options around it; an array becomes a list.
    #[must_use]
    pub const fn required(self) -> Self {
        let mut kind = self;
        while let Self::Option(inner) = kind {
            kind = *inner;
        }
        match kind {
            Self::Array(element, _) => Self::List(element),
            other => other,
        }
    }

    /// Returns the number of elements, if it is part of the type.
    pub(crate) const fn elements(self) -> Option<usize> {
        let mut kind = self;
        while let Self::Option(inner) = kind {
            kind = *inner;
        }
        match kind {
            Self::Array(_, elements) => Some(elements),
            _ => None,
        }
    }

    /// Returns the schema of a struct, also behind options.
    pub fn schema(self) -> Option<&'static Schema> {
        match self.required() {
            Self::Record(schema) => Some(schema()),
            _ => None,
        }
    }

    /// Returns whether values of this kind are comparable with `==`.
    pub const fn is_scalar(self) -> bool {
        matches!(
            self.required(),
            Self::Bool
                | Self::Int(_)
                | Self::Uint(_)
                | Self::Float
                | Self::Float32
                | Self::Text
                | Self::Enum(_)
                | Self::Char
                | Self::Uuid
                | Self::Address
                | Self::Duration
                | Self::Timestamp
        )
    }

    /// Returns whether values of this kind are strings, which operators such as `contains` and
    /// `matches` search.
    pub(crate) const fn is_text(self) -> bool {
        matches!(
            self.required(),
            Self::Text | Self::Enum(_) | Self::Char | Self::Uuid | Self::Address
        )
    }

    /// Returns the form of a number of this kind, and its maximum; `None` if the kind is not a
    /// number.
    pub(crate) const fn number_help(self) -> Option<(&'static str, &'static str)> {
        Some(match self.required() {
            Self::Int(65..) => ("a whole number, as in `3`", "128 bits"),
            Self::Uint(65..) => ("a whole number of 0 or more, as in `3`", "128 bits"),
            Self::Int(_) => ("a whole number, as in `3`", "64 bits"),
            Self::Uint(_) => ("a whole number of 0 or more, as in `3`", "64 bits"),
            Self::Float => ("a number, as in `0.5`", "64 bits"),
            Self::Float32 => ("a number, as in `0.5`", "32 bits"),
            _ => return None,
        })
    }

    /// Returns whether values of this kind are integers of more than 64 bits.
    pub(crate) const fn is_128_bit(self) -> bool {
        matches!(self.required(), Self::Int(65..) | Self::Uint(65..))
    }

    /// Returns the unit that the kind implies.
    pub(crate) const fn unit(self) -> Option<Unit> {
        match self.required() {
            Self::Duration => Some(Unit::Nanoseconds),
            Self::Timestamp => Some(Unit::UnixNanoseconds),
            _ => None,
        }
    }

    /// Returns whether the kind is an integer, or contains only integers.
    const fn takes_unit(self) -> bool {
        let mut kind = self;
        loop {
            kind = match kind {
                Self::Option(inner)
                | Self::List(inner)
                | Self::Array(inner, _)
                | Self::Map(_, inner) => *inner,
                other => return matches!(other, Self::Int(_) | Self::Uint(_)),
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.required() {
            Self::Bool => f.write_str("bool"),
            Self::Int(_) => f.write_str("integer"),
            Self::Uint(_) => f.write_str("unsigned integer"),
            Self::Float | Self::Float32 => f.write_str("number"),
            Self::Text | Self::Enum(_) => f.write_str("text"),
            Self::Char => f.write_str("character"),
            Self::Uuid => f.write_str("UUID"),
            Self::Address => f.write_str("address"),
            Self::Duration => f.write_str("duration"),
            Self::Timestamp => f.write_str("time"),
            Self::List(element) => write!(f, "list of {element}"),
            Self::Map(_, value) => write!(f, "map of {value}"),
            Self::Record(schema) => f.write_str(schema().name()),
            // `required` has removed options and arrays.
            Self::Any | Self::Option(_) | Self::Array(..) => f.write_str("anything"),
            Self::Opaque => f.write_str("opaque value"),
        }
    }
}

/// The unit of the integers in a field, for literals such as `10GiB` and `1h30m`.
///
/// # Examples
/// ```
/// use statehold_filter::{Filter, Filterable};
///
/// #[derive(Filterable)]
/// struct Volume {
///     #[filterable(unit = "bytes")]
///     capacity: u64,
///     age: std::time::Duration,
/// }
///
/// let filter = Filter::<Volume>::compile(r#"capacity == "10GiB" and age == "1h30m""#)?;
/// let age = std::time::Duration::from_secs(5_400);
/// assert!(filter.matches(&Volume { capacity: 10 << 30, age }));
/// assert!(Filter::<Volume>::compile(r#"capacity == "10s""#).is_err());
/// # Ok::<(), statehold_filter::CompileError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unit {
    /// Bytes: `unit = "bytes"`.
    Bytes,
    /// A duration in nanoseconds: `unit = "ns"`.
    Nanoseconds,
    /// A point in time, in nanoseconds since 1970 in UTC: `unit = "unix_ns"`.
    UnixNanoseconds,
}

impl Unit {
    /// Returns a literal of this unit, for help lines.
    pub(crate) const fn example(self) -> &'static str {
        match self {
            Self::Bytes => "10GiB",
            Self::Nanoseconds => "1h30m",
            Self::UnixNanoseconds => "2026-01-02T03:04:05Z",
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes => "size",
            Self::Nanoseconds => "duration",
            Self::UnixNanoseconds => "time",
        })
    }
}

/// The kind of a map's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyKind {
    /// Strings.
    Text,
    /// Strings of a named type, or mixed keys: looked up by their string form, not iterated by
    /// `any` and `all`.
    Mixed,
    /// UUIDs, written as hyphenated lower-case strings.
    Uuid,
    /// Addresses of the Internet Protocol, looked up by value in any notation.
    Address,
    /// Signed integers of that many bits.
    Int(u8),
    /// Unsigned integers of that many bits.
    Uint(u8),
    /// Bools.
    Bool,
    /// Floats.
    Float,
}

/// A key to look up, converted once to the kind of the map's keys.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Key {
    /// A string, also for UUID, address and mixed keys.
    Text(Box<str>),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    Uint(u64),
    /// A bool.
    Bool(bool),
    /// A float.
    Float(f64),
}

/// A named field of a struct.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    name: &'static str,
    kind: Kind,
    unit: Option<Unit>,
    flatten: bool,
}

impl Field {
    /// Creates a field that is selected as `name`.
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, unit: kind.unit(), flatten: false }
    }

    /// Creates a field for a struct whose fields are selected like those of the outer struct.
    pub const fn flatten(kind: Kind) -> Self {
        Self { name: "", kind, unit: None, flatten: true }
    }

    /// Sets the unit of its integers, also of those in a list or map.
    ///
    /// # Panics
    /// If the kind neither is nor contains an integer. In a schema, which is a constant, that is a
    /// compile error:
    ///
    /// ```compile_fail
    /// #[derive(statehold_filter::Filterable)]
    /// struct Row {
    ///     #[filterable(unit = "bytes")]
    ///     name: String,
    /// }
    /// # use statehold_filter::Filterable;
    /// # let _ = Row::KIND.schema();
    /// ```
    #[must_use]
    pub const fn with_unit(self, unit: Unit) -> Self {
        assert!(self.kind.takes_unit(), "a unit needs a field of integers");
        Self { unit: Some(unit), ..self }
    }

    /// Returns the unit of its integers, if it has one.
    pub const fn unit(&self) -> Option<Unit> {
        self.unit
    }

    /// Returns the name in expressions; empty for a flattened struct.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the kind of its values.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns whether its own fields are selected in its place.
    pub const fn is_flattened(&self) -> bool {
        self.flatten
    }
}

/// The fields of a struct, in the order of their slots.
///
/// # Examples
/// ```
/// use statehold_filter::{Filterable, Kind};
///
/// #[derive(Filterable)]
/// #[filterable(rename_all = "PascalCase")]
/// struct Volume {
///     plugin_id: String,
///     size: u64,
/// }
///
/// let schema = Volume::KIND.schema().unwrap();
/// assert_eq!(schema.name(), "Volume");
/// assert_eq!(schema.names(), ["PluginId", "Size"]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    name: &'static str,
    fields: &'static [Field],
}

impl Schema {
    /// Creates a schema of these fields. If two share a name, the first one is selected.
    pub const fn new(name: &'static str, fields: &'static [Field]) -> Self {
        Self { name, fields }
    }

    /// Returns the name of the struct.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the fields by slot; a flattened struct is one field.
    pub const fn fields(&self) -> &'static [Field] {
        self.fields
    }

    /// Returns every name that can be selected, including those of flattened structs, in order.
    pub fn names(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        for field in self.fields {
            match field.kind.schema() {
                Some(inner) if field.flatten => names.extend(inner.names()),
                _ => names.push(field.name),
            }
        }
        names
    }

    /// Returns the slots of the path to a field, and its kind; own fields win over those of
    /// flattened structs.
    pub(crate) fn find(&self, name: &str) -> Option<(Vec<usize>, Kind)> {
        self.find_field(name).map(|(slots, field)| (slots, field.kind))
    }

    /// Returns the slots of the path to a field, and the field.
    pub(crate) fn find_field(&self, name: &str) -> Option<(Vec<usize>, &Field)> {
        let own = self.fields.iter().position(|field| !field.flatten && field.name == name);
        if let Some(slot) = own {
            return Some((vec![slot], &self.fields[slot]));
        }
        self.fields.iter().enumerate().filter(|(_, field)| field.flatten).find_map(
            |(slot, field)| {
                let (mut slots, found) = field.kind.schema()?.find_field(name)?;
                slots.insert(0, slot);
                Some((slots, found))
            },
        )
    }
}
