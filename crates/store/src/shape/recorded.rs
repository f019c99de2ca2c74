//! The recorded shapes of a table's versions, against which the types of migrations are checked, and rows that
//! reveal more of the table's own type.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use serde::de::DeserializeOwned;

use super::{Compared, Shape, Versions, compare, compare_read};

/// The recorded shapes of a table by version.
#[derive(Debug, Default)]
pub(crate) struct RecordedShapes(BTreeMap<u16, RecordedShape>);

/// The recorded shape of one version.
#[derive(Debug)]
pub(crate) struct RecordedShape {
    text: Arc<str>,
    /// The types that were compared and match: a migration reads every row as the same type.
    agreed: Mutex<Vec<TypeId>>,
    /// Number of gains of the table's own shape that were compared and match.
    compared: AtomicUsize,
}

/// The difference between a type and the rows that it should read.
pub(crate) struct Differing {
    pub(crate) difference: Box<str>,
    pub(crate) was: Box<str>,
    pub(crate) is: Box<str>,
}

impl RecordedShapes {
    /// For rows whose recorded shapes are unknown.
    pub(crate) const NONE: &'static Self = &Self(BTreeMap::new());

    /// Returns these shapes merged with those of `versions`; a version in both has the knowledge of both.
    pub(crate) fn with(&self, versions: &Versions) -> Self {
        let known = self.0.iter().map(|(version, shape)| (*version, Arc::clone(&shape.text)));
        let mut texts: BTreeMap<u16, Arc<str>> = known.collect();
        for (version, text) in versions.iter() {
            let text = match texts.get(&version).map(|known| compare(known, text)) {
                Some(Compared::Same) => continue,
                Some(Compared::Learned(both)) => both.into(),
                // Rows that replace all others have their own shape, which takes precedence.
                _ => text.into(),
            };
            texts.insert(version, text);
        }
        let shape = |(version, text)| {
            let (agreed, compared) = Default::default();
            (version, RecordedShape { text, agreed, compared })
        };
        Self(texts.into_iter().map(shape).collect())
    }

    pub(crate) fn get(&self, version: u16) -> Option<&RecordedShape> {
        self.0.get(&version)
    }
}

impl RecordedShape {
    /// Compares the shape of the table's own type, of which a row may have revealed a part since the open.
    ///
    /// Cost: a few loads, except after a row that revealed a part.
    pub(crate) fn check_own(&self, shape: &Shape) -> Result<(), Differing> {
        let gains = shape.gains();
        if self.compared.load(Ordering::Relaxed) == gains {
            return Ok(());
        }
        self.differing(shape, compare)?;
        self.compared.store(gains, Ordering::Relaxed);
        Ok(())
    }

    /// Compares the type as which a row is read.
    ///
    /// Cost: a lookup, except for the first row.
    pub(crate) fn check<R: DeserializeOwned + 'static>(&self) -> Result<(), Differing> {
        let id = TypeId::of::<R>();
        if self.agreed.lock().contains(&id) {
            return Ok(());
        }
        // A type that can never be read fails in the decoding, with a better message.
        let Ok(shape) = Shape::of::<R>() else { return Ok(()) };
        self.differing(&shape, compare_read)?;
        self.agreed.lock().push(id);
        Ok(())
    }

    fn differing(
        &self,
        shape: &Shape,
        compare: impl FnOnce(&str, &str) -> Compared,
    ) -> Result<(), Differing> {
        let is = shape.latest().text();
        match compare(&self.text, &is) {
            Compared::Differs(difference) => Err(Differing {
                difference: difference.into(),
                was: (*self.text).into(),
                is: is.into(),
            }),
            // Shapes of other forms cannot be compared, as at the open of a directory.
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(texts: &[(u16, &str)]) -> Versions {
        let mut versions = Versions::default();
        for (version, text) in texts {
            versions.insert(*version, text);
        }
        versions
    }

    fn text(shapes: &RecordedShapes, version: u16) -> Option<&str> {
        shapes.get(version).map(|shape| &*shape.text)
    }

    #[test]
    fn shapes_of_other_versions_are_kept_when_merging() {
        let known = RecordedShapes::NONE.with(&versions(&[(1, "1 {a: u8}"), (2, "1 {a: u16}")]));
        let both = known.with(&versions(&[(2, "1 {a: u32}"), (3, "1 {a: u64}")]));
        let texts = [1, 2, 3].map(|version| text(&both, version));
        assert_eq!(texts, [Some("1 {a: u8}"), Some("1 {a: u32}"), Some("1 {a: u64}")]);
    }

    #[test]
    fn unknown_part_does_not_hide_a_known_one() {
        let (whole, part) = ("1 ({a: u8}, u16)", "1 ({a: u8}, ?)");
        let known = RecordedShapes::NONE.with(&versions(&[(1, whole)]));
        assert_eq!(text(&known.with(&versions(&[(1, part)])), 1), Some(whole));
        let known = RecordedShapes::NONE.with(&versions(&[(1, part)]));
        assert_eq!(text(&known.with(&versions(&[(1, whole)])), 1), Some(whole));
    }
}
