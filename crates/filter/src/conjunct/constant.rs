//! Literals in the kind of their field.

use std::cmp::Ordering;
use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;

use uuid::Uuid;

use crate::literal::Scalar;
use crate::print::quote;
use crate::quantity::Quantity;
use crate::schema::{Kind, Unit};

/// A literal in the kind of the field that it is compared with.
///
/// Its `Display` is the form in an expression.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Constant {
    /// For [`Kind::Bool`].
    Bool(bool),
    /// For [`Kind::Int`], and in nanoseconds for [`Kind::Duration`] and [`Kind::Timestamp`]. May
    /// exceed the bits of the field, and then equals no value.
    Int(i64),
    /// For [`Kind::Uint`]. May exceed the bits of the field, and then equals no value.
    Uint(u64),
    /// For [`Kind::Float`]. Never NaN, which equals nothing, and never -0, because 0 equals it and
    /// an index MUST keep both under one key.
    Float(f64),
    /// For [`Kind::Float32`], with the rules of [`Float`](Self::Float).
    Float32(f32),
    /// For [`Kind::Text`] and [`Kind::Enum`].
    Text(Box<str>),
    /// For [`Kind::Uuid`].
    Uuid(Uuid),
    /// For [`Kind::Address`].
    Address(IpAddr),
    /// For [`Kind::Char`].
    Char(char),
}

impl Constant {
    /// Reads a literal, or a quantity of the field's unit. Returns `None` for kinds without `==` or
    /// of more than 64 bits, and `Some(None)` for a literal that equals no value.
    ///
    /// The sign of zero is dropped, because `==` ignores it.
    #[expect(clippy::option_option, reason = "no kind with `==`, and no such value, differ")]
    pub(super) fn read(text: &str, kind: Kind, unit: Option<Unit>) -> Option<Option<Self>> {
        let scalar = Scalar::read(text, kind)?.ok().or_else(|| {
            let unit = unit.or(kind.unit());
            let quantity = Quantity::read(text).filter(|read| Some(read.unit) == unit)?;
            Scalar::of_quantity(quantity, kind)
        })?;
        Some(match scalar {
            Scalar::Bool(value) => Some(Self::Bool(value)),
            Scalar::Int(value) => Some(Self::Int(value)),
            Scalar::Uint(value) => Some(Self::Uint(value)),
            // No index has keys of 128 bits.
            Scalar::Int128(_) => return None,
            // Adding 0 turns -0 into 0 and leaves every other value as it is.
            Scalar::Float(value) => (!value.is_nan()).then_some(Self::Float(value + 0.0)),
            Scalar::Float32(value) => (!value.is_nan()).then_some(Self::Float32(value + 0.0)),
            Scalar::Text(value) => Some(Self::Text(value)),
            Scalar::Uuid(value) => Some(Self::Uuid(value)),
            Scalar::Address(value) => Some(Self::Address(value)),
            Scalar::Char(value) => Some(Self::Char(value)),
            Scalar::Never => None,
        })
    }

    /// Orders constants of one kind by value.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(own), Self::Bool(other)) => own.cmp(other),
            (Self::Int(own), Self::Int(other)) => own.cmp(other),
            (Self::Uint(own), Self::Uint(other)) => own.cmp(other),
            (Self::Float(own), Self::Float(other)) => own.total_cmp(other),
            (Self::Float32(own), Self::Float32(other)) => own.total_cmp(other),
            (Self::Text(own), Self::Text(other)) => own.cmp(other),
            (Self::Uuid(own), Self::Uuid(other)) => own.cmp(other),
            (Self::Address(own), Self::Address(other)) => own.cmp(other),
            (Self::Char(own), Self::Char(other)) => own.cmp(other),
            // Unreachable: one selector has one kind.
            _ => Ordering::Equal,
        }
    }
}

impl Display for Constant {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Uint(value) => value.fmt(f),
            // `inf` has no bare form in the grammar.
            Self::Float(value) if !value.is_finite() => f.write_str(&quote(&value.to_string())),
            Self::Float(value) => value.fmt(f),
            Self::Float32(value) if !value.is_finite() => f.write_str(&quote(&value.to_string())),
            Self::Float32(value) => value.fmt(f),
            Self::Text(value) => f.write_str(&quote(value)),
            Self::Uuid(value) => f.write_str(&quote(&value.to_string())),
            Self::Address(value) => f.write_str(&quote(&value.to_string())),
            Self::Char(value) => f.write_str(&quote(value.encode_utf8(&mut [0; 4]))),
        }
    }
}
