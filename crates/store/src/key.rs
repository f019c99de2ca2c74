//! Order-preserving keys: encoded keys sort like their values.
//!
//! An owned type names the *shape* of a key (`(String, u64)`). Lookups take its borrowed form ([`Ref`], here
//! `(&str, u64)`), so that they need no clone.
//!
//! | shape | bytes |
//! |---|---|
//! | `String` | UTF-8, `00` escaped as `00 FF`, terminated by `00 01` |
//! | `Vec<u8>` | the bytes, escaped and terminated in the same way |
//! | `bool` | one byte, `00` or `01` |
//! | `u8` to `u128` | big endian |
//! | `i8` to `i128` | big endian with the sign bit flipped |
//! | `Uuid` | its 16 bytes |
//! | `char` | four bytes, big endian |
//! | `[u8; N]` | the bytes |
//! | `SystemTime` | seconds since 1970 as an `i64`, then nanoseconds as a `u32` |
//! | `Duration` | seconds as a `u64`, then nanoseconds as a `u32` |
//! | `Ipv4Addr`, `Ipv6Addr` | the octets; of an `IpAddr` after `04` or `06` |
//! | `SocketAddr` | as its `IpAddr`, then the port as a `u16`; of version 6 then flow and scope as `u32` |
//! | enums by `derive(KeyPart)` | the variant's number as an `i32` |
//! | enums with `derive(KeyPart)` | the variant's number as an `i32` |
//! | `Option` | `00` for `None`, which sorts first; `01` and the value |
//! | [`Desc`] | the complement of the value's bytes, so that the greatest value sorts first |
//!
//! Invariant: encodings are prefix-free: no key's bytes start with those of another key of the same shape, and
//! `("a", "z")` cannot collide with `("a-b", "a")`.

mod buf;
mod enums;
mod json;
mod part_of;
mod print;
mod shapes;
mod values;

use std::fmt;
use std::hash::Hash;

use serde_json::Value;
#[cfg(feature = "planning")]
use statehold_filter::{Constant, Kind};

pub use self::buf::KeyBuf;
pub(crate) use self::buf::{KeyBytes, after_prefix};
pub use self::enums::{EnumKey, EnumVariant};
pub use self::part_of::{Count, KeyPrefix, Missing, PartOf};
pub(crate) use self::print::printed;
pub use self::shapes::Desc;
#[cfg(feature = "planning")]
use crate::range::Span;

/// Maximum length of a key in any index, in encoded bytes.
pub const KEY_LEN_MAX: usize = 4096;

/// The borrowed form of a key shape: `Ref<'a, (String, u64)>` is `(&'a str, u64)`.
pub type Ref<'a, K> = <K as Key>::Ref<'a>;

/// A shape of keys whose encoded bytes sort like its values.
///
/// Implemented for `String`, `Vec<u8>`, `[u8; N]`, `bool`, `char`, the integers up to 128 bits,
/// [`Uuid`](uuid::Uuid), `SystemTime`, `Duration`, `IpAddr`, `SocketAddr` and their two variants' types, enums
/// with [`derive(KeyPart)`](macro@crate::KeyPart), `Option` and [`Desc`] of them, and tuples of two to four of
/// them. Not meant to be implemented outside this crate.
pub trait Key: Clone + fmt::Debug + Eq + Hash + Send + Sync + 'static {
    /// The borrowed form, which lookups and index declarations pass.
    type Ref<'a>: Copy + fmt::Debug + Eq + Hash + PartOf<Self>;

    /// The shape of the first part; for a scalar, the shape itself.
    type First: Key;

    /// Returns the borrowed form of an owned key, for lookups in generic code.
    fn borrowed(&self) -> Self::Ref<'_>;

    /// Returns the key as JSON, for a [`Catalog`](crate::Catalog).
    #[doc(hidden)]
    fn to_json(&self) -> Value;

    /// Parses a key from JSON; `None` if the value is not a key of this shape.
    #[doc(hidden)]
    fn from_json(json: &Value) -> Option<Self>;

    /// Appends the encoding of `key` to `out`.
    fn encode(key: Self::Ref<'_>, out: &mut KeyBuf);

    /// Decodes one key and removes it from the front of `bytes`; `None` if they do not start with one.
    fn decode(bytes: &mut &[u8]) -> Option<Self>;

    /// Prints the key for a message: strings quoted, bytes as hex digits, parts in parentheses.
    #[doc(hidden)]
    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// Appends a filter's literal as the first part of a key. Returns `false` if keys of this shape cannot hold
    /// the value.
    #[doc(hidden)]
    #[cfg(feature = "planning")]
    fn encode_constant(constant: &Constant, out: &mut KeyBuf) -> bool {
        let _ = (constant, out);
        false
    }

    /// Returns whether the first part of such keys can hold values of this kind, which is neither a list nor an
    /// option.
    #[doc(hidden)]
    #[cfg(feature = "planning")]
    fn holds(kind: Kind) -> bool {
        let _ = kind;
        false
    }

    /// Returns whether first parts sort like the values that filters compare.
    #[doc(hidden)]
    fn orders_as_filters() -> bool {
        true
    }

    /// Returns whether keys with a greater first part sort first.
    #[doc(hidden)]
    fn is_descending() -> bool {
        false
    }

    /// Returns a range that contains every key whose first part, as a string, starts with `prefix`.
    #[doc(hidden)]
    #[cfg(feature = "planning")]
    fn text_prefix(prefix: &str) -> Option<TextPrefix> {
        let _ = prefix;
        None
    }
}

/// A range returned by [`Key::text_prefix`].
#[cfg(feature = "planning")]
#[doc(hidden)]
#[derive(Debug)]
pub struct TextPrefix(pub(crate) Span);

#[cfg(test)]
mod tests;
