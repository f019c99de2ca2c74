//! What a search in a node reads: the common prefix that all keys of the node share, and the first eight
//! bytes of each key after it.
//!
//! Both lie in the node itself, so that a way down fetches no key before the leaf, except where
//! keys agree in these bytes too. Composite keys need the common prefix: their first parts are often
//! the same for a million rows. (Prefix truncation and "poor man's normalized keys" in Graefe,
//! *Modern B-Tree Techniques*, 2011.)

use std::cmp::Ordering;

use arrayvec::ArrayVec;

use super::FANOUT;
use crate::key::KeyBytes;

/// The searchable part of the ascending keys of one node.
#[derive(Clone)]
pub(super) struct KeyPrefixes {
    /// Any key that is or was in the node.
    sample: KeyBytes,
    /// How many bytes of `sample` all keys start with; may be less than they share.
    shared_len: usize,
    /// The next eight bytes of each key, big endian, zeros after its end.
    words: ArrayVec<u64, { FANOUT + 1 }>,
}

/// The first eight bytes as a number that sorts as they do.
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
    /// The heads of ascending keys, at most one more than a node holds.
    pub(super) fn of<'k>(keys: impl DoubleEndedIterator<Item = &'k KeyBytes> + Clone) -> Self {
        let ends = (keys.clone().next(), keys.clone().next_back());
        let (Some(first), Some(last)) = ends else {
            let sample = KeyBytes::from_slice(&[]);
            return Self { sample, shared_len: 0, words: ArrayVec::new() };
        };
        // Keys ascend: what the first and the last share, those between them share too.
        let both = first.as_slice().iter().zip(last.as_slice());
        let shared_len = both.take_while(|(a, b)| a == b).count();
        let words = keys.map(|key| first_word(&key.as_slice()[shared_len..])).collect();
        Self { sample: first.clone(), shared_len, words }
    }

    fn shared(&self) -> &[u8] {
        &self.sample.as_slice()[..self.shared_len]
    }

    /// Notes a key that was put at a position. `false` when it doesn't share the common prefix: then they are
    /// to be made anew.
    #[must_use]
    pub(super) fn insert(&mut self, at: usize, key: &KeyBytes) -> bool {
        let rest = key.as_slice().strip_prefix(self.shared());
        match rest {
            Some(rest) if !self.words.is_empty() => self.words.insert(at, first_word(rest)),
            _ => return false,
        }
        true
    }

    /// Notes that the key at a position was taken out.
    pub(super) fn remove(&mut self, at: usize) {
        self.words.remove(at);
    }

    /// Where `key` is, or where it would go; `key_at` gives the keys in full.
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
        // All words, whatever they are: that is faster than to jump about in them.
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
