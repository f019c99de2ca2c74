//! Orders of lists: any allowed keys, each in its direction, and always a total order.

use std::cmp::Ordering;

use super::Listed;
use crate::{error::Error, version::Microversion};

/// A direction of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Asc,
    Desc,
}

impl Direction {
    fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "asc" => Ok(Self::Asc),
            "desc" => Ok(Self::Desc),
            _ => Err(Error::input("Unknown sort direction, must be 'desc' or 'asc'.")),
        }
    }

    fn apply(self, order: Ordering) -> Ordering {
        match self {
            Self::Asc => order,
            Self::Desc => order.reverse(),
        }
    }
}

/// An order: keys with directions. When it was made and its ID tell apart what the keys don't, both
/// in the first direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sort {
    keys: Vec<(&'static str, Direction)>,
    rest: Direction,
}

impl Sort {
    /// Reads `sort=key[:dir],..`, or the older `sort_key` and `sort_dir`.
    pub(super) fn parse<T: Listed>(
        sort: Option<&str>,
        old: (Option<&str>, Option<&str>),
        version: Microversion,
    ) -> Result<Self, Error> {
        let mut keys = Vec::new();
        match (sort, old) {
            (Some(_), (Some(_), _) | (_, Some(_))) => {
                return Err(Error::request(
                    "The 'sort_key' and 'sort_dir' parameters are deprecated and cannot be used \
                     with the 'sort' parameter.",
                ));
            }
            (Some(sort), _) => {
                for item in sort.split(',') {
                    let (key, direction) = item.trim().split_once(':').unwrap_or((item, "desc"));
                    keys.push((key.trim(), Direction::parse(direction.trim())?));
                }
            }
            (None, (key, direction)) => {
                let direction = Direction::parse(direction.unwrap_or("desc").trim())?;
                keys.push((key.unwrap_or("created_at").trim(), direction));
            }
        }
        let rest = keys.first().map_or(Direction::Desc, |(_, direction)| *direction);
        let keys = keys
            .into_iter()
            .map(|(key, direction)| {
                let late = key == "name" && !version.at_least(T::NAME_SORTED_SINCE);
                let known = T::SORT_KEYS.iter().find(|known| **known == key).filter(|_| !late);
                known.map(|key| (*key, direction))
            })
            .collect::<Option<_>>()
            .ok_or_else(|| Error::input("Invalid sort key"))?;
        Ok(Self { keys, rest })
    }

    /// The direction when this is the order in which rows were made, for which there are indexes.
    pub(super) fn as_made(&self) -> Option<Direction> {
        match self.keys[..] {
            [("created_at", direction)] => Some(direction),
            [("created_at", direction), ("id", other)] if direction == other => Some(direction),
            _ => None,
        }
    }

    /// How two rows follow each other; equal only for one and the same.
    pub(super) fn order<T: Listed>(&self, own: &T, other: &T) -> Ordering {
        let by_keys = self.keys.iter().map(|(key, direction)| {
            let (own, other) = (own.column(key), other.column(key));
            match (own, other) {
                (Some(own), Some(other)) => direction.apply(own.order(&other)),
                _ => Ordering::Equal,
            }
        });
        by_keys.into_iter().find(|order| order.is_ne()).unwrap_or_else(|| {
            self.rest.apply((own.created_at(), own.id()).cmp(&(other.created_at(), other.id())))
        })
    }
}
