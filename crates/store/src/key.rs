//! Order-preserving keys: the bytes of an encoded key sort as the values do.
//!
//! An owned type names the *shape* of a key (`(String, u64)`), its borrowed form
//! ([`Ref`], here `(&str, u64)`) is what look-ups take, so that nothing is cloned to ask a question.
//!
//! | shape | bytes |
//! |---|---|
//! | `String` | UTF-8, `00` escaped as `00 FF`, terminated by `00 01` |
//! | `bool` | one byte, `00` or `01` |
//! | `u16`, `u32`, `u64` | big endian |
//! | `i32`, `i64` | big endian with the sign bit flipped |
//! | `Uuid` | its 16 bytes |
//! | tuples | the parts, one after the other |
//!
//! Invariant: encodings are prefix-free, so no key's bytes start with another key's bytes of the
//! same shape and `("a", "z")` can't collide with `("a-b", "a")`.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

/// Bytes that a [`KeyBytes`] holds without a heap allocation.
const INLINE_MAX: usize = 46;

/// The longest key, in encoded bytes, that a row may have in any index.
pub const KEY_LEN_MAX: usize = 4096;

/// The borrowed form of a key shape: `Ref<'a, (String, u64)>` is `(&'a str, u64)`.
pub type Ref<'a, K> = <K as Key>::Ref<'a>;

/// A shape of keys whose encoded bytes sort as its values do.
///
/// Implemented for `String`, `bool`, `u16`, `u32`, `u64`, `i32`, `i64`, [`Uuid`] and tuples of two
/// to four of them. Not meant to be implemented outside this crate.
pub trait Key: Sized + Send + Sync + 'static {
    /// What look-ups and index declarations pass.
    type Ref<'a>: Copy;

    /// Appends the encoding of `key` to `out`.
    fn encode(key: Self::Ref<'_>, out: &mut KeyBuf);

    /// Takes one key off the front of `bytes`; `None` when they are not such an encoding.
    fn decode(bytes: &mut &[u8]) -> Option<Self>;
}

/// The buffer that keys are encoded into.
#[derive(Clone)]
pub struct KeyBuf {
    inline: [u8; INLINE_MAX],
    len: usize,
    /// Everything, once it outgrew `inline`.
    heap: Option<Vec<u8>>,
}

impl Default for KeyBuf {
    fn default() -> Self {
        Self { inline: [0; INLINE_MAX], len: 0, heap: None }
    }
}

impl fmt::Debug for KeyBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyBuf").field(&self.as_slice()).finish()
    }
}

impl KeyBuf {
    /// Encodes one key.
    pub(crate) fn of<K: Key>(key: Ref<'_, K>) -> Self {
        let mut buf = Self::default();
        K::encode(key, &mut buf);
        buf
    }

    pub(crate) fn push(&mut self, more: &[u8]) {
        if let Some(heap) = &mut self.heap {
            heap.extend_from_slice(more);
            return;
        }
        if let Some(room) = self.inline.get_mut(self.len..self.len + more.len()) {
            room.copy_from_slice(more);
            self.len += more.len();
        } else {
            let mut heap = Vec::with_capacity((self.len + more.len()) * 2);
            heap.extend_from_slice(self.as_slice());
            heap.extend_from_slice(more);
            self.heap = Some(heap);
        }
    }

    /// The text without a terminator: the start of every string that starts with it.
    pub(crate) fn push_escaped(&mut self, text: &str) {
        let mut rest = text.as_bytes();
        while let Some(at) = rest.iter().position(|byte| *byte == 0) {
            self.push(&rest[..at]);
            self.push(&[0x00, 0xFF]);
            rest = &rest[at + 1..];
        }
        self.push(rest);
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        match &self.heap {
            Some(heap) => heap,
            None => &self.inline[..self.len],
        }
    }

    pub(crate) fn finish(self) -> KeyBytes {
        KeyBytes::from_slice(self.as_slice())
    }
}

/// An encoded key as it lies in the trees: short ones inline, long ones shared.
///
/// A node copy clones all of its keys, so a clone must never allocate.
#[derive(Clone)]
pub(crate) struct KeyBytes(Repr);

#[derive(Clone)]
enum Repr {
    Inline { len: u8, bytes: [u8; INLINE_MAX] },
    Heap(Arc<[u8]>),
}

impl KeyBytes {
    pub(crate) fn from_slice(bytes: &[u8]) -> Self {
        let mut inline = [0; INLINE_MAX];
        match (inline.get_mut(..bytes.len()), u8::try_from(bytes.len())) {
            (Some(room), Ok(len)) => {
                room.copy_from_slice(bytes);
                Self(Repr::Inline { len, bytes: inline })
            }
            _ => Self(Repr::Heap(bytes.into())),
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Repr::Heap(bytes) => bytes,
        }
    }
}

impl fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_slice(), f)
    }
}

impl PartialEq for KeyBytes {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for KeyBytes {}

impl std::hash::Hash for KeyBytes {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

impl std::borrow::Borrow<[u8]> for KeyBytes {
    fn borrow(&self) -> &[u8] {
        self.as_slice()
    }
}

/// The least byte string that is greater than every string starting with `prefix`;
/// `None` when there is none.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<KeyBytes> {
    let last = prefix.iter().rposition(|byte| *byte != 0xFF)?;
    let mut next = KeyBuf::default();
    next.push(&prefix[..last]);
    next.push(&[prefix[last] + 1]);
    Some(next.finish())
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(head)
}

impl Key for String {
    type Ref<'a> = &'a str;

    fn encode(key: &str, out: &mut KeyBuf) {
        out.push_escaped(key);
        out.push(&[0x00, 0x01]);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let mut text = Vec::new();
        loop {
            let at = bytes.iter().position(|byte| *byte == 0)?;
            text.extend_from_slice(take(bytes, at)?);
            match take(bytes, 2)? {
                [0x00, 0x01] => return Self::from_utf8(text).ok(),
                [0x00, 0xFF] => text.push(0),
                _ => return None,
            }
        }
    }
}

impl Key for bool {
    type Ref<'a> = bool;

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
}

impl Key for Uuid {
    type Ref<'a> = Uuid;

    fn encode(key: Uuid, out: &mut KeyBuf) {
        out.push(key.as_bytes());
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Uuid::from_slice(take(bytes, 16)?).ok()
    }
}

macro_rules! integer_key {
    ($($int:ty, $unsigned:ty, $flip:expr);* $(;)?) => {$(
        impl Key for $int {
            type Ref<'a> = $int;

            fn encode(key: $int, out: &mut KeyBuf) {
                out.push(&(key.cast_unsigned_key() ^ $flip).to_be_bytes());
            }

            fn decode(bytes: &mut &[u8]) -> Option<Self> {
                let raw = take(bytes, size_of::<$int>())?.try_into().ok()?;
                Some(<$int>::from_unsigned_key(<$unsigned>::from_be_bytes(raw) ^ $flip))
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
    u16, u16, |v| v, |v| v;
    u32, u32, |v| v, |v| v;
    u64, u64, |v| v, |v| v;
    i32, u32, i32::cast_unsigned, u32::cast_signed;
    i64, u64, i64::cast_unsigned, u64::cast_signed;
}

integer_key! {
    u16, u16, 0;
    u32, u32, 0;
    u64, u64, 0;
    i32, u32, 1 << 31;
    i64, u64, 1 << 63;
}

macro_rules! tuple_key {
    ($($part:ident $at:tt),*) => {
        impl<$($part: Key),*> Key for ($($part,)*) {
            type Ref<'a> = ($($part::Ref<'a>,)*);

            fn encode(key: Self::Ref<'_>, out: &mut KeyBuf) {
                $($part::encode(key.$at, out);)*
            }

            fn decode(bytes: &mut &[u8]) -> Option<Self> {
                Some(($($part::decode(bytes)?,)*))
            }
        }
    };
}

tuple_key!(A 0, B 1);
tuple_key!(A 0, B 1, C 2);
tuple_key!(A 0, B 1, C 2, D 3);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes<K: Key>(key: Ref<'_, K>) -> Vec<u8> {
        KeyBuf::of::<K>(key).as_slice().to_vec()
    }

    fn back<K: Key>(bytes: &[u8]) -> Option<K> {
        let mut rest = bytes;
        K::decode(&mut rest).filter(|_| rest.is_empty())
    }

    #[test]
    fn a_pair_never_collides_with_a_longer_first_part() {
        assert!(bytes::<(String, String)>(("a", "z")) < bytes::<(String, String)>(("a-b", "a")));
        assert!(bytes::<(String, String)>(("a", "\0")) != bytes::<(String, String)>(("a\0", "")));
    }

    #[test]
    fn keys_beyond_the_inline_size_keep_every_byte() {
        let long = "x".repeat(INLINE_MAX * 3);
        let key = KeyBuf::of::<String>(&long).finish();
        assert_eq!(back::<String>(key.as_slice()), Some(long));
    }

    #[test]
    fn the_bound_after_a_prefix_of_ff_is_the_end_of_the_key_space() {
        assert_eq!(after_prefix(&[0xFF, 0xFF]), None);
        assert_eq!(after_prefix(&[0x01, 0xFF]).unwrap().as_slice(), [0x02]);
    }

    type Shape = (String, i64, bool, Uuid);

    fn shape() -> impl Strategy<Value = Shape> {
        // Few distinct characters, so that prefixes of one another are common.
        ("[a\u{0}\u{ff}]{0,4}", -3i64..3, any::<bool>(), 0u128..3)
            .prop_map(|(a, b, c, d)| (a, b, c, Uuid::from_u128(d << 100)))
    }

    fn encoded(key: &Shape) -> Vec<u8> {
        bytes::<Shape>((&key.0, key.1, key.2, key.3))
    }

    proptest! {
        #[test]
        fn byte_order_is_value_order(a in shape(), b in shape()) {
            prop_assert_eq!(encoded(&a).cmp(&encoded(&b)), a.cmp(&b));
        }

        #[test]
        fn decoding_gives_the_value_back(key in shape()) {
            prop_assert_eq!(back::<Shape>(&encoded(&key)), Some(key));
        }

        #[test]
        fn decoding_arbitrary_bytes_never_panics(raw in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = back::<Shape>(&raw);
        }
    }
}
