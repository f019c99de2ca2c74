//! Orders of lists: allowed keys, each with a direction. Every order is total.

use std::cmp::Ordering;

use super::ListResource;
use crate::{errors::Error, version::Microversion};

/// The direction of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Asc,
    Desc,
}

impl Direction {
    fn parse(text: &str) -> Result<Self, Error> {
        match text {
            // Cinder: cinder/api/common.py, get_sort_params; cinder/db/sqlalchemy/api.py,
            // process_sort_params.
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

/// An order: keys with directions. Rows with equal keys are ordered by creation and ID, in the
/// direction of the first key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sort {
    keys: Vec<(&'static str, Direction)>,
    rest: Direction,
}

impl Sort {
    /// Parses `sort=key[:dir],..`, or the older `sort_key` and `sort_dir`.
    pub(super) fn parse<T: ListResource>(
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

    /// Returns the first key and its direction if the other keys repeat the order's own tie-break:
    /// then an index of that key has the order.
    pub(super) fn leading(&self) -> Option<(&'static str, Direction)> {
        let (&(key, direction), others) = self.keys.split_first()?;
        let rest: &[&str] = if key == "created_at" { &["id"] } else { &["created_at", "id"] };
        let redundant = others.len() <= rest.len()
            && others.iter().zip(rest).all(|(other, rest)| *other == (*rest, direction));
        redundant.then_some((key, direction))
    }

    /// Returns the comparison of two rows; only a row and itself compare equal.
    ///
    /// Resolves the columns once, so that a comparison reads values and no names.
    pub(super) fn comparison<T: ListResource>(&self) -> impl Fn(&T, &T) -> Ordering + use<T> {
        let keys: Vec<_> = self
            .keys
            .iter()
            .filter_map(|&(key, direction)| Some((T::getter(key)?, direction)))
            .collect();
        let rest = self.rest;
        move |own, other| {
            keys.iter()
                .map(|(get, direction)| direction.apply(get(own).order(&get(other))))
                .find(|order| order.is_ne())
                .unwrap_or_else(|| {
                    let last = |row: &T| (row.created_at(), row.id());
                    rest.apply(last(own).cmp(&last(other)))
                })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Volume;

    #[test]
    fn an_index_serves_orders_that_repeat_its_tie_break() {
        let leading = |text| {
            let sort = Sort::parse::<Volume>(Some(text), (None, None), Microversion::MAX).unwrap();
            sort.leading()
        };
        assert_eq!(leading("name"), Some(("name", Direction::Desc)));
        assert_eq!(leading("name:asc,created_at:asc"), Some(("name", Direction::Asc)));
        assert_eq!(leading("size,created_at,id"), Some(("size", Direction::Desc)));
        assert_eq!(leading("created_at:asc,id:asc"), Some(("created_at", Direction::Asc)));
        for text in ["name,size", "name:asc,created_at:desc", "name,id", "created_at,id:asc"] {
            assert_eq!(leading(text), None, "{text}");
        }
    }
}
