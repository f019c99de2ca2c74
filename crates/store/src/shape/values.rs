//! Values of a row, as additional dummies for the probe of its type.
//!
//! A type that validates may reject every dummy of the probe. A stored row has a value that it accepts.

use std::borrow::Cow;

/// Maximum number of values of each kind that are taken from a row.
const VALUES_MAX: usize = 128;

/// Maximum length in bytes of a value that is taken: longer ones are content, which types seldom validate.
const VALUE_LEN_MAX: usize = 1024;

/// The values of a row, each kind in the order in which they are written.
#[derive(Debug, Default)]
pub(crate) struct Values {
    strings: Vec<Box<str>>,
    integers: Vec<i128>,
    bytes: Vec<Box<[u8]>>,
}

impl Values {
    pub(super) fn string(&mut self, value: &str) {
        if self.strings.len() < VALUES_MAX && value.len() <= VALUE_LEN_MAX {
            self.strings.push(value.into());
        }
    }

    pub(super) fn integer(&mut self, value: i128) {
        if self.integers.len() < VALUES_MAX {
            self.integers.push(value);
        }
    }

    pub(super) fn bytes(&mut self, value: &[u8]) {
        if self.bytes.len() < VALUES_MAX && value.len() <= VALUE_LEN_MAX {
            self.bytes.push(value.into());
        }
    }

    /// Returns the number of candidates of a place in addition to the dummies of the probe.
    pub(super) fn most(&self) -> usize {
        self.strings.len().max(self.integers.len()).max(self.bytes.len())
    }

    pub(super) fn nth_string(&self, dummies: &[&'static str], at: usize) -> Cow<'static, str> {
        match pick(dummies, &self.strings, at) {
            Pick::Dummy(dummy) => Cow::Borrowed(dummy),
            Pick::Own(value) => Cow::Owned(value.to_string()),
        }
    }

    pub(super) fn nth_integer(&self, dummies: &[i8], at: usize) -> i128 {
        match pick(dummies, &self.integers, at) {
            Pick::Dummy(dummy) => i128::from(*dummy),
            Pick::Own(value) => *value,
        }
    }

    pub(super) fn nth_bytes(&self, lens: &[usize], at: usize) -> Vec<u8> {
        match pick(lens, &self.bytes, at) {
            // Not all zero, because some identifier types reject zero.
            Pick::Dummy(len) => vec![1; *len],
            Pick::Own(value) => value.to_vec(),
        }
    }
}

enum Pick<'v, D, V> {
    Dummy(&'v D),
    Own(&'v V),
}

/// Returns the candidate `at` of the dummies, of which there MUST be one, and the values after them.
fn pick<'v, D, V>(dummies: &'v [D], own: &'v [V], at: usize) -> Pick<'v, D, V> {
    let at = at % (dummies.len() + own.len());
    match own.get(at.wrapping_sub(dummies.len())) {
        Some(value) => Pick::Own(value),
        None => Pick::Dummy(&dummies[at]),
    }
}
