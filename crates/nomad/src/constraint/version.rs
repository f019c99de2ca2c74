//! Versions, and conditions on them such as `>= 1.2, < 2` or `~> 1.4`.
//!
//! go-version: `version.go` and `constraint.go`, which Nomad's `version` operator uses. Nomad:
//! `helper/constraints/semver` for `semver`.

use std::cmp::Ordering;

/// How strictly versions are parsed, and how pre-releases are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Any count of numbers, with an optional `v` in front. A pre-release satisfies only conditions
    /// that name a pre-release of the same version.
    Loose,
    /// Exactly three numbers. A pre-release orders before its release and is compared like any
    /// version.
    Semantic,
}

/// A version: numbers, and an optional pre-release. Build metadata after a `+` is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    numbers: Vec<u64>,
    /// The count of numbers that were written, before padding.
    written: usize,
    pre: Option<Box<str>>,
}

impl Version {
    pub(super) fn parse(text: &str, dialect: Dialect) -> Option<Self> {
        let text = text.trim();
        let text = match dialect {
            // go-version accepts the prefix; semantic versions do not have one.
            Dialect::Loose => text.strip_prefix('v').unwrap_or(text),
            Dialect::Semantic => text,
        };
        // Build metadata is checked for its characters and then ignored.
        let (text, meta) = text.split_once('+').unwrap_or((text, "0"));
        let (numbers, pre) = match text.split_once('-') {
            Some((numbers, pre)) => (numbers, Some(pre)),
            None => (text, None),
        };
        let word = |word: &str| {
            let allowed =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'~' | b'.');
            !word.is_empty() && word.bytes().all(allowed)
        };
        if !word(meta) || pre.is_some_and(|pre| !word(pre)) {
            return None;
        }
        // A sign or a blank would pass `parse`, and is no part of a version.
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let mut numbers: Vec<u64> = (numbers.split('.'))
            .map(|part| if plain(part) { part.parse().ok() } else { None })
            .collect::<Option<_>>()?;
        let written = numbers.len();
        if dialect == Dialect::Semantic && written != 3 {
            return None;
        }
        // Missing numbers are zeros: `1` equals `1.0.0`.
        while numbers.len() < 3 {
            numbers.push(0);
        }
        Some(Self { numbers, written, pre: pre.map(Into::into) })
    }

    fn order(&self, other: &Self) -> Ordering {
        let longest = self.numbers.len().max(other.numbers.len());
        let at = |version: &Self, at: usize| version.numbers.get(at).copied().unwrap_or(0);
        let numbers = (0..longest).map(|place| at(self, place).cmp(&at(other, place)));
        let numbers = numbers.fold(Ordering::Equal, Ordering::then);
        numbers.then_with(|| match (&self.pre, &other.pre) {
            (None, None) => Ordering::Equal,
            // A pre-release orders before its release.
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(own), Some(other)) => order_of_words(own, other),
        })
    }
}

/// Compares word by word: numbers before other words, and numerically.
fn order_of_words(left: &str, right: &str) -> Ordering {
    let (mut lefts, mut rights) = (left.split('.'), right.split('.'));
    loop {
        let order = match (lefts.next(), rights.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(left), Some(right)) => match (left.parse::<u64>(), right.parse::<u64>()) {
                (Ok(left), Ok(right)) => left.cmp(&right),
                // SemVer 2.0, section 11: numeric identifiers order before alphanumeric ones.
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => left.cmp(right),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Relation {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    /// At least that version, and equal to it except for the last number written.
    Compatible,
}

/// Conditions that must all hold.
#[derive(Clone, Debug)]
pub(super) struct Requirements {
    conditions: Vec<(Relation, Version)>,
    dialect: Dialect,
}

impl Requirements {
    pub(super) fn parse(text: &str, dialect: Dialect) -> Option<Self> {
        const RELATIONS: [(&str, Relation); 7] = [
            ("!=", Relation::Unequal),
            ("<=", Relation::AtMost),
            (">=", Relation::AtLeast),
            ("~>", Relation::Compatible),
            ("<", Relation::Less),
            (">", Relation::Greater),
            ("=", Relation::Equal),
        ];
        let condition = |text: &str| {
            let text = text.trim();
            let found = RELATIONS
                .iter()
                .find_map(|(sign, relation)| Some((*relation, text.strip_prefix(sign)?)));
            let (relation, version) = found.unwrap_or((Relation::Equal, text));
            Some((relation, Version::parse(version, dialect)?))
        };
        let conditions = text.split(',').map(condition).collect::<Option<_>>()?;
        Some(Self { conditions, dialect })
    }

    pub(super) fn allow(&self, version: &Version) -> bool {
        self.conditions.iter().all(|(relation, wanted)| self.holds(*relation, wanted, version))
    }

    fn holds(&self, relation: Relation, wanted: &Version, version: &Version) -> bool {
        let order = version.order(wanted);
        let same =
            |count: usize| version.numbers.iter().take(count).eq(wanted.numbers.iter().take(count));
        // go-version: constraint.go, prereleaseCheck.
        let released = self.dialect == Dialect::Semantic
            || match (&version.pre, &wanted.pre) {
                (Some(_), None) => false,
                (Some(_), Some(_)) => same(usize::MAX),
                (None, _) => true,
            };
        match relation {
            Relation::Equal => order == Ordering::Equal,
            Relation::Unequal => order != Ordering::Equal,
            Relation::Less => released && order == Ordering::Less,
            Relation::AtMost => released && order != Ordering::Greater,
            Relation::Greater => released && order == Ordering::Greater,
            Relation::AtLeast => released && order != Ordering::Less,
            Relation::Compatible => {
                // `~> 1.2` allows 1.9, and `~> 1.2.3` allows 1.2.9: all numbers but the last are
                // fixed.
                released && order != Ordering::Less && same(wanted.written.saturating_sub(1))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(requirements: &str, version: &str, dialect: Dialect) -> bool {
        let requirements = Requirements::parse(requirements, dialect).unwrap();
        requirements.allow(&Version::parse(version, dialect).unwrap())
    }

    #[test]
    fn conditions_are_compared_number_by_number() {
        for (requirements, version, expected) in [
            (">= 1.0, < 1.2", "1.1.5", true),
            ("< 1.0, < 1.2", "1.1.5", false),
            ("= 1.0", "1.0.0", true),
            ("1.0", "1.0", true),
            ("!= 1.0", "1.0.1", true),
            ("~> 1.0", "1.9", true),
            ("~> 1.0", "2.0", false),
            ("~> 1.0.9", "1.0.12", true),
            ("~> 1.0.9", "1.1.0", false),
            ("> 1.9", "1.10", true),
            ("> 2.0", "2.1.0-beta", false),
            (">= 2.1.0-a", "2.1.0-beta", true),
            ("= 2.0", "v2.0+build.7", true),
        ] {
            assert_eq!(allows(requirements, version, Dialect::Loose), expected, "{requirements}");
        }
    }

    #[test]
    fn semantic_pre_releases_come_before_their_release() {
        assert!(allows("< 1.0.0", "1.0.0-rc.2", Dialect::Semantic));
        assert!(allows("> 1.0.0-rc.2", "1.0.0-rc.10", Dialect::Semantic));
        assert!(!allows(">= 1.0.0", "1.0.0-1", Dialect::Semantic));
    }

    #[test]
    fn malformed_versions_are_rejected() {
        for text in ["", "one", "1..2", "1.-", "1.0+", "99999999999999999999", ">", "1,,2"] {
            assert!(Requirements::parse(text, Dialect::Loose).is_none(), "{text}");
        }
        assert!(Version::parse("1.0", Dialect::Semantic).is_none());
        assert!(Version::parse("v1.0.0", Dialect::Semantic).is_none());
    }
}
