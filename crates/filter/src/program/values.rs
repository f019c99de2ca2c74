//! Sets of values of one kind, for look-ups.

use std::cmp::Ordering;

use crate::datum::Datum;
use crate::literal::Scalar;

/// A set of values of one kind.
#[derive(Debug)]
pub(crate) enum Values {
    Texts(Texts),
    /// Ascending, without duplicates and values that equal nothing.
    Scalars(Box<[Scalar]>),
}

impl Values {
    /// Creates a set of literals of one kind; cost: sorting them.
    pub(crate) fn new(mut scalars: Vec<Scalar>) -> Self {
        // NaN has no order, which a binary search needs.
        scalars.retain(Scalar::is_equal_to_itself);
        if scalars.iter().all(|scalar| matches!(scalar, Scalar::Text(_))) {
            let texts = scalars.into_iter().filter_map(|scalar| match scalar {
                Scalar::Text(text) => Some(text),
                _ => None,
            });
            return Self::Texts(Texts::new(texts));
        }
        let order = |one: &Scalar, other: &Scalar| other.order(&one.datum());
        scalars.sort_unstable_by(|one, other| order(one, other).unwrap_or(Ordering::Equal));
        scalars.dedup_by(|one, other| order(one, other) == Some(Ordering::Equal));
        Self::Scalars(scalars.into())
    }

    /// Returns the number of values.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.held.len(),
            Self::Scalars(scalars) => scalars.len(),
        }
    }

    /// Returns the bytes of the longest value, which a look-up may compare.
    pub(crate) fn longest(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.longest,
            Self::Scalars(_) => 0,
        }
    }

    /// Returns whether `datum` is in the set; cost: logarithmic.
    pub(crate) fn contain(&self, datum: &Datum<'_>) -> bool {
        match (self, datum) {
            (Self::Texts(texts), Datum::Text(text)) => texts.contain(text),
            (Self::Texts(_), _) => false,
            (Self::Scalars(scalars), datum) => {
                // Values without order, such as NaN, are not found.
                let order =
                    |own: &Scalar| own.order(datum).map_or(Ordering::Less, Ordering::reverse);
                scalars.binary_search_by(order).is_ok()
            }
        }
    }
}

/// A set of strings, ordered by their ends.
#[derive(Debug)]
pub(crate) struct Texts {
    /// The last bytes of each string, ascending: they differ for most strings, and numbers compare
    /// fast.
    tails: Box<[u64]>,
    /// The strings, ordered by their last bytes, then by all bytes.
    held: Box<[Box<str>]>,
    /// The bytes of the longest string.
    longest: usize,
}

impl Texts {
    pub(crate) fn new(texts: impl Iterator<Item = Box<str>>) -> Self {
        let mut texts: Vec<(u64, Box<str>)> = texts.map(|text| (tail(&text), text)).collect();
        texts.sort_unstable();
        texts.dedup();
        let (tails, texts): (Vec<u64>, Vec<Box<str>>) = texts.into_iter().unzip();
        let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0);
        Self { tails: tails.into(), held: texts.into(), longest }
    }

    /// Returns whether `text` is in the set; cost: logarithmic.
    pub(crate) fn contain(&self, text: &str) -> bool {
        let own = tail(text);
        let mut at = self.tails.partition_point(|tail| *tail < own);
        if self.tails.get(at) != Some(&own) {
            return false;
        }
        let end = at + self.tails[at..].partition_point(|tail| *tail == own);
        at += self.held[at..end].partition_point(|other| **other < *text);
        at < end && *self.held[at] == *text
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.held.iter().map(|text| &**text)
    }
}

/// Returns the last eight bytes of a string, or all of a shorter one.
fn tail(text: &str) -> u64 {
    match text.as_bytes().last_chunk() {
        Some(tail) => u64::from_le_bytes(*tail),
        None => text.bytes().fold(0, |tail, byte| tail << 8 | u64::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Kind;

    #[test]
    fn look_ups_find_exactly_the_values_of_the_set() {
        let texts = ["", "a", "b", "ba", "1-same-end", "2-same-end", "3-same-end", "same-end", "a"];
        let held = Texts::new(texts.iter().map(|text| (*text).into()));
        for text in texts {
            assert!(held.contain(text), "{text}");
        }
        for text in ["\0", "c", "ab", "0-same-end", "4-same-end", "-same-end", "e-end", "\0a"] {
            assert!(!held.contain(text), "{text:?}");
        }
    }

    #[test]
    fn numbers_are_found_by_value() {
        let read = |texts: &[&str], kind| {
            let scalars = texts.iter().filter_map(|text| Scalar::read(text, kind)?.ok());
            Values::new(scalars.collect())
        };
        let ints = read(&["3", "0x3", "-7", "1"], Kind::Int(64));
        let found = |values: &Values, datum| values.contain(&datum);
        assert!([3, -7, 1].into_iter().all(|int| found(&ints, Datum::Int(int))));
        assert!(![2, -8, 4].into_iter().any(|int| found(&ints, Datum::Int(int))));
        let floats = read(&["NaN", "0", "1.5", "-inf"], Kind::Float);
        assert!(
            [-0.0, 1.5, f64::NEG_INFINITY].into_iter().all(|x| found(&floats, Datum::Float(x)))
        );
        assert!(![f64::NAN, 1.0].into_iter().any(|x| found(&floats, Datum::Float(x))));
        assert!(!found(&ints, Datum::Missing) && !found(&floats, Datum::Null));
    }
}
