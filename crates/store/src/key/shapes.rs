//! The shapes of keys: scalars, strings, options and tuples.

use std::fmt;

use serde_json::Value;
#[cfg(feature = "planning")]
use statehold_filter::{Constant, Kind};
use uuid::Uuid;

#[cfg(feature = "planning")]
use super::TextPrefix;
use super::buf::ESCAPED_ZERO;
use super::json::json_by_serde;
use super::print::Hex;
use super::{Key, KeyBuf};
#[cfg(feature = "planning")]
use crate::hex::HexPrefix;
#[cfg(feature = "planning")]
use crate::range::Span;

pub(super) fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(head)
}

/// Ends an escaped string.
const TERMINATOR: [u8; 2] = [0x00, 0x01];

impl Key for Vec<u8> {
    type Ref<'a> = &'a [u8];
    type First = Self;

    fn borrowed(&self) -> Self::Ref<'_> {
        self
    }

    json_by_serde!();

    fn encode(key: &[u8], out: &mut KeyBuf) {
        out.push_escaped(key);
        out.push(&TERMINATOR);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let mut key = Self::new();
        loop {
            // Every zero byte begins a pair: an escaped zero or the terminator.
            let at = bytes.iter().position(|byte| *byte == 0)?;
            key.extend_from_slice(take(bytes, at)?);
            let pair = take(bytes, 2)?;
            if pair == TERMINATOR {
                return Some(key);
            }
            if pair != ESCAPED_ZERO {
                return None;
            }
            key.push(0);
        }
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(self), f)
    }
}

impl Key for String {
    type Ref<'a> = &'a str;
    type First = Self;

    fn borrowed(&self) -> Self::Ref<'_> {
        self
    }

    json_by_serde!();

    fn encode(key: &str, out: &mut KeyBuf) {
        // UTF-8 sorts by code points, so strings and bytes share one encoding.
        Vec::<u8>::encode(key.as_bytes(), out);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        // The bytes may come from a client's page token, so they need not be UTF-8.
        Self::from_utf8(Vec::<u8>::decode(bytes)?).ok()
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }

    #[cfg(feature = "planning")]
    fn holds(kind: Kind) -> bool {
        matches!(kind, Kind::Text | Kind::Enum(_))
    }

    #[cfg(feature = "planning")]
    fn encode_constant(constant: &Constant, out: &mut KeyBuf) -> bool {
        let Constant::Text(text) = constant else { return false };
        Self::encode(text, out);
        true
    }

    #[cfg(feature = "planning")]
    fn text_prefix(prefix: &str) -> Option<TextPrefix> {
        let mut bytes = KeyBuf::default();
        bytes.push_escaped(prefix.as_bytes());
        Some(TextPrefix(Span::prefix(bytes.as_slice())))
    }
}

impl<K: Key> Key for Option<K> {
    type Ref<'a> = Option<K::Ref<'a>>;
    type First = Self;

    fn borrowed(&self) -> Self::Ref<'_> {
        self.as_ref().map(K::borrowed)
    }

    fn to_json(&self) -> Value {
        self.as_ref().map_or(Value::Null, K::to_json)
    }

    fn from_json(json: &Value) -> Option<Self> {
        if json.is_null() { Some(None) } else { K::from_json(json).map(Some) }
    }

    fn encode(key: Self::Ref<'_>, out: &mut KeyBuf) {
        match key {
            None => out.push(&[0]),
            Some(key) => {
                out.push_some();
                K::encode(key, out);
            }
        }
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        match take(bytes, 1)? {
            [0] => Some(None),
            [1] => K::decode(bytes).map(Some),
            _ => None,
        }
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            None => f.write_str("none"),
            Some(key) => key.print(f),
        }
    }

    #[cfg(feature = "planning")]
    fn holds(kind: Kind) -> bool {
        K::holds(kind)
    }

    #[cfg(feature = "planning")]
    fn encode_constant(constant: &Constant, out: &mut KeyBuf) -> bool {
        // A filter's constant is a value, so only `Some` keys can match it.
        out.push_some();
        K::encode_constant(constant, out)
    }

    fn orders_as_filters() -> bool {
        K::orders_as_filters()
    }

    fn is_descending() -> bool {
        K::is_descending()
    }
}

/// A part of a key in descending order: the greatest value comes first.
///
/// ```
/// use statehold_store::{Desc, Index, IndexSet, Table};
///
/// struct Events;
/// // Newest first within a subject.
/// const NEWEST: Index<Events, (String, Desc<u64>)> =
///     Events::INDEX.non_unique("newest", |event, keys| keys.add((&event.1, Desc(event.0))));
/// # impl Table for Events {
/// #     const NAME: &'static str = "events";
/// #     const VERSION: u16 = 1;
/// #     type Key = u64;
/// #     type Row = (u64, String);
/// #     fn key(row: &(u64, String)) -> u64 { row.0 }
/// #     fn indexes(set: &mut IndexSet<Self>) { set.add(&NEWEST); }
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Desc<K>(pub K);

impl<K: Key> Key for Desc<K> {
    type Ref<'a> = Desc<K::Ref<'a>>;
    type First = Self;

    fn borrowed(&self) -> Self::Ref<'_> {
        Desc(self.0.borrowed())
    }

    fn to_json(&self) -> Value {
        self.0.to_json()
    }

    fn from_json(json: &Value) -> Option<Self> {
        K::from_json(json).map(Self)
    }

    fn encode(key: Self::Ref<'_>, out: &mut KeyBuf) {
        // The whole encoding is complemented, terminator included: it stays prefix-free, and a string sorts
        // before its own prefixes.
        let part = KeyBuf::of::<K>(key.0);
        out.push_complement(part.as_slice());
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        // The length of the part is only known after decoding it, so all remaining bytes are complemented.
        let flipped: Vec<u8> = bytes.iter().map(|byte| !byte).collect();
        let mut rest = flipped.as_slice();
        let key = K::decode(&mut rest)?;
        take(bytes, flipped.len() - rest.len())?;
        Some(Self(key))
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.print(f)
    }

    #[cfg(feature = "planning")]
    fn holds(kind: Kind) -> bool {
        K::holds(kind)
    }

    #[cfg(feature = "planning")]
    fn encode_constant(constant: &Constant, out: &mut KeyBuf) -> bool {
        let mut part = KeyBuf::default();
        let known = K::encode_constant(constant, &mut part);
        out.push_complement(part.as_slice());
        known
    }

    fn orders_as_filters() -> bool {
        K::orders_as_filters()
    }

    fn is_descending() -> bool {
        !K::is_descending()
    }
}

impl Key for bool {
    type Ref<'a> = bool;
    type First = Self;

    fn borrowed(&self) -> Self::Ref<'_> {
        *self
    }

    json_by_serde!();

    fn encode(key: bool, out: &mut KeyBuf) {
        out.push(&[u8::from(key)]);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        match take(bytes, 1)? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }

    #[cfg(feature = "planning")]
    fn holds(kind: Kind) -> bool {
        matches!(kind, Kind::Bool)
    }

    #[cfg(feature = "planning")]
    fn encode_constant(constant: &Constant, out: &mut KeyBuf) -> bool {
        let Constant::Bool(value) = constant else { return false };
        Self::encode(*value, out);
        true
    }
}

impl Key for Uuid {
    type Ref<'a> = Uuid;
    type First = Self;

    fn borrowed(&self) -> Self::Ref<'_> {
        *self
    }

    json_by_serde!();

    fn encode(key: Uuid, out: &mut KeyBuf) {
        out.push(key.as_bytes());
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Uuid::from_slice(take(bytes, 16)?).ok()
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }

    #[cfg(feature = "planning")]
    fn holds(kind: Kind) -> bool {
        matches!(kind, Kind::Uuid)
    }

    #[cfg(feature = "planning")]
    fn encode_constant(constant: &Constant, out: &mut KeyBuf) -> bool {
        let Constant::Uuid(id) = constant else { return false };
        Self::encode(*id, out);
        true
    }

    #[cfg(feature = "planning")]
    fn text_prefix(prefix: &str) -> Option<TextPrefix> {
        // Filters compare IDs as strings, whose prefix is a prefix of the hex digits.
        let (lo, hi) = HexPrefix::parse(prefix).ok()?.bounds();
        Some(TextPrefix(Span { lo, hi, exact: false }))
    }
}

macro_rules! integer_key {
    ($($int:ty, $unsigned:ty, $flip:expr);* $(;)?) => {$(
        impl Key for $int {
            type Ref<'a> = $int;
            type First = Self;

            fn borrowed(&self) -> Self::Ref<'_> {
                *self
            }

            json_by_serde!();

            fn encode(key: $int, out: &mut KeyBuf) {
                // Flipping the sign bit sorts negative numbers before positive ones.
                out.push(&(key.cast_unsigned_key() ^ $flip).to_be_bytes());
            }

            fn decode(bytes: &mut &[u8]) -> Option<Self> {
                let raw = take(bytes, size_of::<$int>())?.try_into().ok()?;
                Some(<$int>::from_unsigned_key(<$unsigned>::from_be_bytes(raw) ^ $flip))
            }

            fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }

            #[cfg(feature = "planning")]
            fn holds(kind: Kind) -> bool {
                // No condition has a constant of more than 64 bits.
                matches!(
                    kind,
                    Kind::Int(..=64) | Kind::Uint(..=64) | Kind::Duration | Kind::Timestamp
                )
            }

            #[cfg(feature = "planning")]
            fn encode_constant(constant: &Constant, out: &mut KeyBuf) -> bool {
                let value = match constant {
                    Constant::Int(value) => <$int>::try_from(*value).ok(),
                    Constant::Uint(value) => <$int>::try_from(*value).ok(),
                    _ => None,
                };
                if let Some(value) = value {
                    Self::encode(value, out);
                }
                value.is_some()
            }
        }
    )*};
}

/// Bit-for-bit conversion to the unsigned type of the same width.
trait Bits<U> {
    fn cast_unsigned_key(self) -> U;
    fn from_unsigned_key(bits: U) -> Self;
}

macro_rules! bits {
    ($($int:ty, $unsigned:ty, $to:expr, $from:expr);* $(;)?) => {$(
        impl Bits<$unsigned> for $int {
            fn cast_unsigned_key(self) -> $unsigned {
                $to(self)
            }
            fn from_unsigned_key(bits: $unsigned) -> Self {
                $from(bits)
            }
        }
    )*};
}

bits! {
    u8, u8, |v| v, |v| v;
    u16, u16, |v| v, |v| v;
    u32, u32, |v| v, |v| v;
    u64, u64, |v| v, |v| v;
    u128, u128, |v| v, |v| v;
    i8, u8, i8::cast_unsigned, u8::cast_signed;
    i16, u16, i16::cast_unsigned, u16::cast_signed;
    i32, u32, i32::cast_unsigned, u32::cast_signed;
    i64, u64, i64::cast_unsigned, u64::cast_signed;
    i128, u128, i128::cast_unsigned, u128::cast_signed;
}

integer_key! {
    u8, u8, 0;
    u16, u16, 0;
    u32, u32, 0;
    u64, u64, 0;
    u128, u128, 0;
    i8, u8, 1 << 7;
    i16, u16, 1 << 15;
    i32, u32, 1 << 31;
    i64, u64, 1 << 63;
    i128, u128, 1 << 127;
}

macro_rules! tuple_key {
    ($($part:ident $at:tt),*) => {
        impl<$($part: Key),*> Key for ($($part,)*) {
            type Ref<'a> = ($($part::Ref<'a>,)*);
            type First = A::First;

            fn borrowed(&self) -> Self::Ref<'_> {
                ($(self.$at.borrowed(),)*)
            }

            fn to_json(&self) -> Value {
                Value::Array(vec![$(self.$at.to_json()),*])
            }

            fn from_json(json: &Value) -> Option<Self> {
                let parts = json.as_array()?;
                let count = [$($at),*].len();
                // An array of another length is a key of another shape, not a shorter key.
                if parts.len() != count {
                    return None;
                }
                Some(($($part::from_json(&parts[$at])?,)*))
            }

            fn encode(key: Self::Ref<'_>, out: &mut KeyBuf) {
                $($part::encode(key.$at, out);)*
            }

            fn decode(bytes: &mut &[u8]) -> Option<Self> {
                Some(($($part::decode(bytes)?,)*))
            }

            fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut separator = "(";
                $(
                    f.write_str(separator)?;
                    self.$at.print(f)?;
                    separator = ", ";
                )*
                let _ = separator;
                f.write_str(")")
            }

            #[cfg(feature = "planning")]
            fn holds(kind: Kind) -> bool {
                // Filters narrow an index by the first part only: the parts after it are no single selector.
                A::holds(kind)
            }

            #[cfg(feature = "planning")]
            fn encode_constant(constant: &Constant, out: &mut KeyBuf) -> bool {
                A::encode_constant(constant, out)
            }

            fn orders_as_filters() -> bool {
                A::orders_as_filters()
            }

            fn is_descending() -> bool {
                A::is_descending()
            }

            #[cfg(feature = "planning")]
            fn text_prefix(prefix: &str) -> Option<TextPrefix> {
                A::text_prefix(prefix)
            }
        }
    };
}

tuple_key!(A 0, B 1);
tuple_key!(A 0, B 1, C 2);
tuple_key!(A 0, B 1, C 2, D 3);
