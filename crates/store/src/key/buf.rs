//! Encoded keys: the buffer that builds one, and its form in the trees.

use std::fmt;
use std::sync::Arc;

use super::{Key, PartOf, Ref};

/// Number of bytes that a [`KeyBytes`] holds without a heap allocation.
pub(super) const INLINE_MAX: usize = 46;

/// Follows a zero byte in an escaped string.
pub(super) const ESCAPED_ZERO: [u8; 2] = [0x00, 0xFF];

/// The buffer into which keys are encoded.
#[derive(Clone)]
pub struct KeyBuf {
    inline: [u8; INLINE_MAX],
    len: usize,
    /// All bytes, once they outgrew `inline`.
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

    /// Encodes one key from a value in any of its borrowed forms.
    pub(crate) fn of_part<K: Key>(key: impl PartOf<K>) -> Self {
        let mut buf = Self::default();
        key.append(&mut buf);
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
            // Doubled, because a compound key usually grows further.
            let mut heap = Vec::with_capacity((self.len + more.len()) * 2);
            heap.extend_from_slice(self.as_slice());
            heap.extend_from_slice(more);
            self.heap = Some(heap);
        }
    }

    /// Appends the bytes without a terminator: the prefix of every string that starts with them.
    pub(crate) fn push_escaped(&mut self, mut rest: &[u8]) {
        while let Some(at) = rest.iter().position(|byte| *byte == 0) {
            self.push(&rest[..at]);
            self.push(&ESCAPED_ZERO);
            rest = &rest[at + 1..];
        }
        self.push(rest);
    }

    /// Begins the value of an `Option` that is `Some`.
    pub(super) fn push_some(&mut self) {
        self.push(&[1]);
    }

    /// Complements each byte, which reverses the order.
    pub(super) fn push_complement(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.push(&[!byte]);
        }
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

/// An encoded key in a tree: short ones inline, long ones shared.
///
/// A node copy clones all of its keys, so a clone MUST NOT allocate.
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
        // Inline keys keep a node's keys in its own allocation, which saves a cache miss for each comparison.
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

/// Returns the lowest byte string that is greater than every string starting with `prefix`; `None` if there is
/// none.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<KeyBytes> {
    // A byte `FF` cannot be incremented, so the last byte before the trailing ones is.
    let last = prefix.iter().rposition(|byte| *byte != 0xFF)?;
    let mut next = KeyBuf::default();
    next.push(&prefix[..last]);
    next.push(&[prefix[last] + 1]);
    Some(next.finish())
}
