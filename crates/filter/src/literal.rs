//! Right-hand values, converted once to the kinds that they can be compared with.

use std::cmp::Ordering;
use std::net::IpAddr;

use uuid::Uuid;

use crate::coerce::{self, CoerceError};
use crate::datum::Datum;
use crate::decimal::Decimal;
use crate::int128::Int128;
use crate::quantity::Quantity;
use crate::schema::{Key, KeyKind, Kind, Unit};

/// A literal of its field's kind.
#[derive(Debug)]
pub(crate) enum Scalar {
    Bool(bool),
    Int(i64),
    Uint(u64),
    Int128(Int128),
    Float(f64),
    Float32(f32),
    Text(Box<str>),
    Uuid(Uuid),
    Address(IpAddr),
    Char(char),
    /// A text that is not the form of any value of the kind, so no value equals it.
    Never,
}

impl Scalar {
    /// Reads `text` as a value of a scalar kind; `None` if the kind is not scalar.
    pub(crate) fn read(text: &str, kind: Kind) -> Option<Result<Self, CoerceError>> {
        Some(match kind.required() {
            Kind::Bool => coerce::bool(text).map(Self::Bool),
            kind if kind.is_128_bit() => {
                coerce::int128(text, matches!(kind, Kind::Int(_))).map(Self::Int128)
            }
            Kind::Int(_) | Kind::Duration | Kind::Timestamp => coerce::int(text).map(Self::Int),
            Kind::Uint(_) => coerce::uint(text).map(Self::Uint),
            Kind::Float => coerce::float(text).map(Self::Float),
            Kind::Float32 => coerce::float32(text).map(Self::Float32),
            Kind::Text | Kind::Enum(_) => Ok(Self::Text(text.into())),
            // Not an error: go-bexpr has no kind of addresses and UUIDs, and compares their text.
            Kind::Address => Ok(text.parse().map_or(Self::Never, Self::Address)),
            Kind::Uuid => Ok(coerce::canonical_uuid(text).map_or(Self::Never, Self::Uuid)),
            Kind::Char => {
                let mut chars = text.chars();
                Ok(match (chars.next(), chars.next()) {
                    (Some(char), None) => Self::Char(char),
                    _ => Self::Never,
                })
            }
            _ => return None,
        })
    }

    /// Returns whether `datum` is the same value of the same kind.
    ///
    /// Takes a reference, because reading a freshly written datum field by field is faster than
    /// copying it.
    #[inline]
    #[expect(clippy::float_cmp, reason = "`==` on numbers means exactly that")]
    pub(crate) fn equals(&self, datum: &Datum<'_>) -> bool {
        match self {
            Self::Text(own) => matches!(datum, Datum::Text(other) if same_text(own, other)),
            Self::Int(own) => matches!(datum, Datum::Int(other) if own == other),
            Self::Uint(own) => matches!(datum, Datum::Uint(other) if own == other),
            Self::Bool(own) => matches!(datum, Datum::Bool(other) if own == other),
            Self::Int128(own) => matches!(datum, Datum::Int128(other) if own == other),
            Self::Address(own) => address_of(datum) == Some(*own),
            Self::Uuid(own) => matches!(datum, Datum::Uuid(other) if own == other),
            Self::Float(own) => matches!(datum, Datum::Float(other) if own == other),
            Self::Float32(own) => matches!(datum, Datum::Float32(other) if own == other),
            Self::Char(own) => matches!(datum, Datum::Char(other) if own == other),
            Self::Never => false,
        }
    }

    /// Converts a quantity to the number that a field of `kind` and of the same unit holds; `None`
    /// if it needs more than 64 bits.
    ///
    /// Durations and times beyond 64 bits saturate, so that a far future can be written.
    pub(crate) fn of_quantity(quantity: Quantity, kind: Kind) -> Option<Self> {
        match kind.required() {
            Kind::Int(65..) => Some(Self::Int128(quantity.value.into())),
            Kind::Uint(65..) => {
                u128::try_from(quantity.value).ok().map(|value| Self::Int128(value.into()))
            }
            Kind::Uint(_) => u64::try_from(quantity.value).ok().map(Self::Uint),
            _ if quantity.unit == Unit::Bytes => i64::try_from(quantity.value).ok().map(Self::Int),
            _ => Some(Self::Int(quantity.saturated())),
        }
    }

    /// Returns whether any value equals this; none equals NaN.
    pub(crate) fn is_equal_to_itself(&self) -> bool {
        self.equals(&self.datum())
    }

    /// Returns the literal as a value.
    pub(crate) fn datum(&self) -> Datum<'_> {
        match self {
            Self::Bool(value) => Datum::Bool(*value),
            Self::Int(value) => Datum::Int(*value),
            Self::Uint(value) => Datum::Uint(*value),
            Self::Int128(value) => Datum::Int128(*value),
            Self::Float(value) => Datum::Float(*value),
            Self::Float32(value) => Datum::Float32(*value),
            Self::Text(value) => Datum::Text(value),
            Self::Uuid(value) => Datum::Uuid(*value),
            Self::Address(IpAddr::V4(value)) => Datum::Ipv4(*value),
            Self::Address(IpAddr::V6(value)) => Datum::Ipv6(*value),
            Self::Char(value) => Datum::Char(*value),
            Self::Never => Datum::Missing,
        }
    }

    /// Compares a value with this; `None` if it is of another kind, or without order.
    pub(crate) fn order(&self, datum: &Datum<'_>) -> Option<Ordering> {
        match (datum, self) {
            (Datum::Text(value), Self::Text(own)) => Some((**value).cmp(own)),
            (Datum::Ipv4(_) | Datum::Ipv6(_), Self::Address(own)) => {
                address_of(datum).map(|value| value.cmp(own))
            }
            (Datum::Uuid(value), Self::Uuid(own)) => Some(value.cmp(own)),
            (Datum::Char(value), Self::Char(own)) => Some(value.cmp(own)),
            (Datum::Bool(value), Self::Bool(own)) => Some(value.cmp(own)),
            (Datum::Int(value), Self::Int(own)) => Some(value.cmp(own)),
            (Datum::Uint(value), Self::Uint(own)) => Some(value.cmp(own)),
            (Datum::Int128(value), Self::Int128(own)) => Some(value.cmp(own)),
            (Datum::Float(value), Self::Float(own)) => value.partial_cmp(own),
            (Datum::Float32(value), Self::Float32(own)) => value.partial_cmp(own),
            _ => None,
        }
    }
}

/// A literal or path part for values whose kind is known only at evaluation.
#[derive(Debug)]
pub(crate) struct Literal {
    text: Key,
    bool: Result<bool, CoerceError>,
    int: Result<i64, CoerceError>,
    uint: Result<u64, CoerceError>,
    float: Result<f64, CoerceError>,
    float32: Result<f32, CoerceError>,
    /// The exact value, if it is an integer in decimal notation, as `3`, `3.0` and `3e0` are.
    integer: Option<Int128>,
    /// The exact value, if it is another number in decimal notation.
    decimal: Option<Box<Decimal>>,
    uuid: Option<Uuid>,
}

impl Literal {
    pub(crate) fn new(text: &str) -> Self {
        let float = coerce::float(text);
        let (mut integer, mut decimal) = (Int128::read(text), None);
        // Only if it is a number at all: reading it again costs its length.
        if integer.is_none() && float.is_ok() {
            decimal = coerce::decimal(text);
            integer = decimal.as_ref().and_then(Decimal::to_integer);
        }
        Self {
            text: Key::Text(text.into()),
            bool: coerce::bool(text),
            int: coerce::int(text),
            uint: coerce::uint(text),
            float,
            float32: coerce::float32(text),
            integer,
            decimal: decimal.filter(|_| integer.is_none()).map(Box::new),
            uuid: coerce::canonical_uuid(text),
        }
    }

    pub(crate) fn text(&self) -> &str {
        match &self.text {
            Key::Text(text) => text,
            _ => "",
        }
    }

    /// Reads it as an integer of 128 bits; not stored, because such values are rare.
    fn int128(&self, signed: bool) -> Result<Int128, CoerceError> {
        coerce::int128(self.text(), signed)
    }

    /// Returns the exact value, if it is an integer in decimal notation.
    pub(crate) fn integer(&self) -> Option<Int128> {
        self.integer
    }

    /// Returns the bytes that its exact value holds.
    pub(crate) fn decimal_bytes(&self) -> usize {
        self.decimal.as_ref().map_or(0, |decimal| size_of::<Decimal>() + decimal.len())
    }

    /// Returns whether it is comparable with values of `kind`; `None` for kinds without `==`.
    pub(crate) fn fits(&self, kind: Kind) -> Option<Result<(), CoerceError>> {
        Some(match kind.required() {
            Kind::Bool => self.bool.map(drop),
            kind if kind.is_128_bit() => self.int128(matches!(kind, Kind::Int(_))).map(drop),
            Kind::Int(_) | Kind::Duration | Kind::Timestamp => self.int.map(drop),
            Kind::Uint(_) => self.uint.map(drop),
            Kind::Float => self.float.map(drop),
            Kind::Float32 => self.float32.map(drop),
            Kind::Text | Kind::Enum(_) | Kind::Uuid | Kind::Address | Kind::Char => Ok(()),
            _ => return None,
        })
    }

    /// Compares with a scalar by the scalar's kind; `None` for any other value.
    #[expect(clippy::float_cmp, reason = "`==` on numbers means exactly that")]
    pub(crate) fn equals(&self, datum: Datum<'_>) -> Option<Result<bool, CoerceError>> {
        Some(match datum {
            Datum::Bool(value) => self.bool.map(|own| own == value),
            Datum::Int(value) => self.int.map(|own| own == value),
            Datum::Uint(value) => self.uint.map(|own| own == value),
            // The float decides whether the literal is a number; the order below is exact.
            Datum::Int128(value) if value.is_json() => {
                self.float.map(|own| self.order_integer(own, value).is_some_and(Ordering::is_eq))
            }
            Datum::Int128(value) => self.int128(value.is_signed()).map(|own| own == value),
            Datum::Float(value) => self.float.map(|own| own == value),
            Datum::Float32(value) => self.float32.map(|own| own == value),
            // Two integers are compared directly, the common case of untyped rows.
            Datum::JsonInteger(value) => self.float.map(|own| match self.integer {
                Some(integer) => integer == value.to_int128(),
                None => self.order_integer(own, value.to_int128()).is_some_and(Ordering::is_eq),
            }),
            Datum::Decimal(value) => {
                self.float.map(|own| self.order_decimal(own, value).is_some_and(Ordering::is_eq))
            }
            Datum::Text(value) => Ok(self.text() == value),
            Datum::Ipv4(_) | Datum::Ipv6(_) => Ok(self.text().parse().ok() == address_of(&datum)),
            Datum::Uuid(value) => Ok(self.uuid == Some(value)),
            Datum::Char(value) => Ok(self.text() == &*value.encode_utf8(&mut [0; 4])),
            _ => return None,
        })
    }

    /// Compares a number with this; `None` for any other value.
    pub(crate) fn order(&self, datum: Datum<'_>) -> Option<Result<Option<Ordering>, CoerceError>> {
        Some(match datum {
            Datum::Int(value) => self.int.map(|own| Some(value.cmp(&own))),
            Datum::Uint(value) => self.uint.map(|own| Some(value.cmp(&own))),
            Datum::Int128(value) if value.is_json() => {
                self.float.map(|own| self.order_integer(own, value))
            }
            Datum::Int128(value) => self.int128(value.is_signed()).map(|own| Some(value.cmp(&own))),
            Datum::Float(value) => self.float.map(|own| value.partial_cmp(&own)),
            Datum::Float32(value) => self.float32.map(|own| value.partial_cmp(&own)),
            Datum::JsonInteger(value) => {
                self.float.map(|own| self.order_integer(own, value.to_int128()))
            }
            Datum::Decimal(value) => self.float.map(|own| self.order_decimal(own, value)),
            _ => return None,
        })
    }

    /// Compares an integer with this exactly; only infinities, NaN and hexadecimal numbers are
    /// compared as floats.
    fn order_integer(&self, float: f64, value: Int128) -> Option<Ordering> {
        match (self.integer, &self.decimal) {
            (Some(own), _) => Some(value.cmp(&own)),
            (None, Some(own)) => Some(own.cmp_int128(value).reverse()),
            (None, None) => value.cmp_float(float),
        }
    }

    /// Compares a decimal with this, exactly if this is in decimal notation.
    fn order_decimal(&self, float: f64, value: &Decimal) -> Option<Ordering> {
        match (self.integer, &self.decimal) {
            (Some(own), _) => Some(value.cmp_int128(own)),
            (None, Some(own)) => Some(value.cmp(own)),
            (None, None) => value.float().partial_cmp(&float),
        }
    }

    /// Calls `look_up` with this as a key of `kind`; `None` if it cannot be one.
    pub(crate) fn with_key<T>(&self, kind: KeyKind, look_up: impl FnOnce(&Key) -> T) -> Option<T> {
        // mapstructure decodes an empty string weakly: as zero or false, whatever the kind of the
        // key.
        let empty = self.text().is_empty();
        let key = match kind {
            KeyKind::Text | KeyKind::Mixed | KeyKind::Uuid | KeyKind::Address => {
                return Some(look_up(&self.text));
            }
            KeyKind::Int(bits) => {
                let value = if empty { 0 } else { self.int.ok()? };
                fits_int(value, bits).then_some(Key::Int(value))?
            }
            KeyKind::Uint(bits) => {
                let value = if empty { 0 } else { self.uint.ok()? };
                fits_uint(value, bits).then_some(Key::Uint(value))?
            }
            KeyKind::Bool => Key::Bool(!empty && self.bool.ok()?),
            KeyKind::Float => Key::Float(if empty { 0.0 } else { self.float.ok()? }),
        };
        Some(look_up(&key))
    }

    /// Returns this as the index of a list.
    pub(crate) fn index(&self) -> Option<i64> {
        if self.text().is_empty() { Some(0) } else { self.int.ok() }
    }
}

/// Returns the address, if the value is one.
fn address_of(datum: &Datum<'_>) -> Option<IpAddr> {
    match datum {
        Datum::Ipv4(value) => Some((*value).into()),
        Datum::Ipv6(value) => Some((*value).into()),
        _ => None,
    }
}

/// Compares two strings, the last byte before the others, because names in one list mostly differ
/// at the end. Short strings are compared in place, without a call.
#[inline]
pub(crate) fn same_text(own: &str, other: &str) -> bool {
    let (own, other) = (own.as_bytes(), other.as_bytes());
    if own.len() != other.len() || own.last() != other.last() {
        return false;
    }
    match own.len() {
        // Equal: the last byte is compared already.
        0 | 1 => true,
        2 | 3 => own[..2] == other[..2],
        // The two halves may overlap; together they cover the string.
        4..=8 => {
            own.first_chunk::<4>() == other.first_chunk()
                && own.last_chunk::<4>() == other.last_chunk()
        }
        _ => own == other,
    }
}

/// Returns whether a number fits a signed integer of `bits` bits.
pub(crate) fn fits_int(value: i64, bits: u8) -> bool {
    let spare = 64 - u32::from(bits.clamp(1, 64));
    value << spare >> spare == value
}

/// Returns whether a number fits an unsigned integer of `bits` bits.
pub(crate) fn fits_uint(value: u64, bits: u8) -> bool {
    let spare = 64 - u32::from(bits.clamp(1, 64));
    value << spare >> spare == value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_each_length_differ_by_any_byte() {
        for len in 0..20 {
            let own = "a".repeat(len);
            assert!(same_text(&own, &"a".repeat(len)));
            assert!(!same_text(&own, &"a".repeat(len + 1)));
            for at in 0..len {
                let mut other = own.clone();
                other.replace_range(at..=at, "b");
                assert!(!same_text(&own, &other), "{len}, {at}");
            }
        }
    }
}
