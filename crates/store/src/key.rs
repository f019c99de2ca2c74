//! Order-preserving keys: the bytes of an encoded key sort as the values do.
//!
//! An owned type names the *shape* of a key (`(String, u64)`), its borrowed form
//! ([`Ref`], here `(&str, u64)`) is what look-ups take, so that nothing is cloned to ask a question.
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
//! | `Option` | `00` for nothing, which sorts first; `01` and the value |
//! | [`Desc`] | the complement of the value's bytes, so that the greatest sorts first |
//! | tuples | the parts, one after the other |
//!
//! Invariant: encodings are prefix-free, so no key's bytes start with another key's bytes of the
//! same shape and `("a", "z")` can't collide with `("a-b", "a")`.

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

/// The longest key, in encoded bytes, that a row may have in any index.
pub const KEY_LEN_MAX: usize = 4096;

/// The borrowed form of a key shape: `Ref<'a, (String, u64)>` is `(&'a str, u64)`.
pub type Ref<'a, K> = <K as Key>::Ref<'a>;

/// A shape of keys whose encoded bytes sort as its values do.
///
/// Implemented for `String`, `Vec<u8>`, `[u8; N]`, `bool`, `char`, the integers up to 128 bits,
/// [`Uuid`](uuid::Uuid), `SystemTime`, `Duration`, `IpAddr`, `SocketAddr` and their two kinds, enums by
/// [`derive(KeyPart)`](macro@crate::KeyPart), `Option` and [`Desc`] of them, and tuples of two to
/// four of them. Not meant to be implemented outside this crate.
pub trait Key: Clone + fmt::Debug + Eq + Hash + Send + Sync + 'static {
    /// What look-ups and index declarations pass.
    type Ref<'a>: Copy + fmt::Debug + Eq + Hash + PartOf<Self>;

    /// The shape of the first part: of a scalar the shape itself.
    type First: Key;

    /// The borrowed form of an owned key, for look-ups in generic code.
    fn borrowed(&self) -> Self::Ref<'_>;

    /// The key as JSON, for a [`Catalog`](crate::Catalog).
    #[doc(hidden)]
    fn to_json(&self) -> Value;

    /// The key that JSON is the form of; `None` when it is of none.
    #[doc(hidden)]
    fn from_json(json: &Value) -> Option<Self>;

    /// Appends the encoding of `key` to `out`.
    fn encode(key: Self::Ref<'_>, out: &mut KeyBuf);

    /// Takes one key off the front of `bytes`; `None` when they are not such an encoding.
    fn decode(bytes: &mut &[u8]) -> Option<Self>;

    /// Writes the key for a message: strings quoted, bytes as hex digits, parts in parentheses.
    #[doc(hidden)]
    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// Appends what a literal of a filter is as the first part of a key; `false` when keys of this
    /// shape hold no such value.
    #[doc(hidden)]
    #[cfg(feature = "planning")]
    fn encode_constant(constant: &Constant, out: &mut KeyBuf) -> bool {
        let _ = (constant, out);
        false
    }

    /// Whether the first part of such keys can hold values of this kind, which is no list and no option.
    #[doc(hidden)]
    #[cfg(feature = "planning")]
    fn holds(kind: Kind) -> bool {
        let _ = kind;
        false
    }

    /// Whether first parts follow each other as filters order the values that stand for them.
    #[doc(hidden)]
    fn orders_as_filters() -> bool {
        true
    }

    /// Whether keys with a greater first part come first.
    #[doc(hidden)]
    fn is_descending() -> bool {
        false
    }

    /// The range of the keys whose first part, as text, starts with `prefix`; or more.
    #[doc(hidden)]
    #[cfg(feature = "planning")]
    fn text_prefix(prefix: &str) -> Option<TextPrefix> {
        let _ = prefix;
        None
    }
}

/// A range that [`Key::text_prefix`] gives.
#[cfg(feature = "planning")]
#[doc(hidden)]
#[derive(Debug)]
pub struct TextPrefix(pub(crate) Span);

#[cfg(test)]
mod tests;
