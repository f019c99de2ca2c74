//! The search data of a node: the length of the prefix that all keys of the node share, and the next eight
//! bytes of each key.
//!
//! Both are in the node itself, so a descent fetches no key before the leaf, unless keys agree in these bytes
//! too. Composite keys need the shared prefix: their first parts are often the same for a million rows. (Prefix
//! truncation and "poor man's normalized keys" in Graefe, *Modern B-Tree Techniques*, 2011.)

use std::cmp::Ordering;

use arrayvec::ArrayVec;

use super::FANOUT;
use crate::key::KeyBytes;

/// The search data of the ascending keys of one node.
#[derive(Clone)]
pub(super) struct KeyPrefixes {
    /// Any key that is or was in the node.
    sample: KeyBytes,
    /// Length in bytes of the prefix of `sample` that all keys start with; they may share more.
    shared_len: usize,
    /// The next eight bytes of each key, big endian, zero-padded.
    words: ArrayVec<u64, { FANOUT + 1 }>,
}

/// Returns the first eight bytes as a number that sorts like them.
fn first_word(rest: &[u8]) -> u64 {
    match rest.first_chunk() {
        Some(bytes) => u64::from_be_bytes(*bytes),
        None => rest
            .iter()
            .zip((0..8).rev())
            .fold(0, |word, (byte, at)| word | u64::from(*byte) << (8 * at)),
    }
}

impl KeyPrefixes {
    /// Computes the search data of ascending keys, at most one more than a node holds.
    pub(super) fn of<'k>(keys: impl DoubleEndedIterator<Item = &'k KeyBytes> + Clone) -> Self {
        let ends = (keys.clone().next(), keys.clone().next_back());
        let (Some(first), Some(last)) = ends else {
            let sample = KeyBytes::from_slice(&[]);
            return Self { sample, shared_len: 0, words: ArrayVec::new() };
        };
        // Keys ascend, so the prefix that the first and the last share is shared by those between them.
        let both = first.as_slice().iter().zip(last.as_slice());
        let shared_len = both.take_while(|(a, b)| a == b).count();
        let words = keys.map(|key| first_word(&key.as_slice()[shared_len..])).collect();
        Self { sample: first.clone(), shared_len, words }
    }

    fn shared(&self) -> &[u8] {
        &self.sample.as_slice()[..self.shared_len]
    }

    /// Adds a key that was inserted at a position. Returns `false` if it does not share the prefix: the caller
    /// MUST then rebuild the search data.
    #[must_use]
    pub(super) fn insert(&mut self, at: usize, key: &KeyBytes) -> bool {
        let rest = key.as_slice().strip_prefix(self.shared());
        match rest {
            Some(rest) if !self.words.is_empty() => self.words.insert(at, first_word(rest)),
            _ => return false,
        }
        true
    }

    /// Removes the key at a position.
    pub(super) fn remove(&mut self, at: usize) {
        self.words.remove(at);
    }

    /// Returns the position of `key`, or the one at which to insert it; `key_at` returns whole keys.
    pub(super) fn search<'k>(
        &self,
        key: &[u8],
        key_at: impl Fn(usize) -> &'k [u8],
    ) -> Result<usize, usize> {
        let shared = self.shared();
        match key[..key.len().min(shared.len())].cmp(shared) {
            Ordering::Less => return Err(0),
            Ordering::Greater => return Err(self.words.len()),
            Ordering::Equal => {}
        }
        let rest = &key[self.shared_len..];
        let own = first_word(rest);
        // A scan of all words without branches is faster than a binary search.
        let mut at = self.words.iter().map(|word| usize::from(*word < own)).sum();
        let mut end = at + self.words[at..].iter().take_while(|word| **word == own).count();
        while at < end {
            let middle = usize::midpoint(at, end);
            match key_at(middle)[self.shared_len..].cmp(rest) {
                Ordering::Less => at = middle + 1,
                Ordering::Equal => return Ok(middle),
                Ordering::Greater => end = middle,
            }
        }
        Err(at)
    }
}
