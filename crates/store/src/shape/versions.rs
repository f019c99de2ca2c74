//! The recorded shapes of a table's rows by version, for a table without a row type.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Compared, compare};

/// The shapes of a table's rows by version, as strings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Versions(BTreeMap<u16, Arc<str>>);

/// Two shapes of the same version that differ.
#[derive(Debug)]
pub(crate) struct Conflicting {
    pub(crate) version: u16,
    pub(crate) difference: String,
    pub(crate) was: Arc<str>,
    pub(crate) is: Arc<str>,
}

impl Versions {
    pub(crate) fn insert(&mut self, version: u16, text: &str) {
        self.0.insert(version, text.into());
    }

    pub(crate) fn get(&self, version: u16) -> Option<&str> {
        self.0.get(&version).map(|text| &**text)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, &str)> {
        self.0.iter().map(|(version, text)| (*version, &**text))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns a line for each version: `3: 1 {id: string, size: u64}`.
    pub(crate) fn lines(&self) -> String {
        let line = |(version, text): (u16, &str)| format!("{version}: {text}");
        self.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Parses the output of [`Versions::lines`]; `None` for other strings, and for a version that appears
    /// twice.
    pub(crate) fn from_lines(lines: &str) -> Option<Self> {
        let mut versions = Self::default();
        for line in lines.lines() {
            let (version, text) = line.split_once(": ")?;
            let text = Arc::from(text);
            if versions.0.insert(version.parse().ok()?, text).is_some() {
                return None;
            }
        }
        Some(versions)
    }

    /// Adds the versions of `later`. If both have a version and only the form differs, the later one is kept.
    pub(crate) fn extend(&mut self, later: &Self) {
        self.0.extend(later.0.iter().map(|(version, text)| (*version, Arc::clone(text))));
    }

    /// Returns a version for which `is` has another shape, if there is one.
    pub(crate) fn conflicting(&self, is: &Self) -> Option<Conflicting> {
        is.0.iter().find_map(|(version, is)| {
            let was = self.0.get(version)?;
            match compare(was, is) {
                Compared::Differs(difference) => Some(Conflicting {
                    version: *version,
                    difference,
                    was: Arc::clone(was),
                    is: Arc::clone(is),
                }),
                // Shapes of other forms cannot be compared, as at the open of a directory.
                Compared::Same
                | Compared::Learned(_)
                | Compared::Older
                | Compared::Newer
                | Compared::Unreadable => None,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_parsed_back_and_other_strings_are_rejected() {
        let mut versions = Versions::default();
        versions.insert(3, "1 {id: string}");
        versions.insert(12, "1 u8");
        assert_eq!(versions.lines(), "3: 1 {id: string}\n12: 1 u8");
        assert_eq!(Versions::from_lines(&versions.lines()), Some(versions));
        for bad in ["3", "x: 1 u8", "65536: 1 u8", "3: 1 u8\n3: 1 u8", "3: 1 u8\n\n"] {
            assert_eq!(Versions::from_lines(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn only_shapes_of_one_version_conflict() {
        let of = |lines: &str| Versions::from_lines(lines).unwrap();
        assert!(of("1: 1 u8\n2: 1 u16").conflicting(&of("1: 1 u8\n3: 1 u32")).is_none());
        let found = of("1: 1 u8\n2: 1 u16").conflicting(&of("2: 1 u32")).unwrap();
        assert_eq!((found.version, &*found.was, &*found.is), (2, "1 u16", "1 u32"));
    }
}
