//! Column filters: `status=available`, `name~=web`, `metadata={'k':'v'}`,
//! `created_at=gt:2026-01-01`.
//!
//! Strings are compared without regard to case, like the default collation of the reference's
//! database.

// Cinder: cinder/db/sqlalchemy/api.py, _process_volume_filters and its siblings; literals and
// names: cinder/volume/api.py, API.check_volume_filters.
use statehold_filter::{Conjunct, Constant, Kind, Sarg};
use statehold_store::folded;

use super::{Column, column};
use crate::{
    errors::Error,
    id::parse_id,
    python::{Literal, parse_literal},
    rows::{METADATA_PAIR, NAME_FOLDED, metadata_pair},
    schema::boolean_text,
    time::{parse_seconds, seconds},
};

/// Columns whose indexed strings are all in lower case.
const LOWER_CASE: [&str; 2] = ["status", "attach_status"];

/// One plain filter.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition {
    pub(super) column: Box<str>,
    pub(super) predicate: Predicate,
}

/// The test of a filter.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Predicate {
    /// Equals one of these.
    Among(Vec<Operand>),
    /// Contains this string, which is in lower case.
    Like(String),
    /// Has all of these pairs.
    Pairs(Vec<(String, String)>),
    /// Passes any of these comparisons. The reference combines them with OR, so clients may rely on
    /// it.
    Times(Vec<(TimeOperator, i64)>),
    /// Is on this host, or on one of its pools.
    Host(String),
    /// Never passes.
    Never,
}

/// A value to compare a column with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Operand {
    text: String,
    literal: Option<Literal>,
}

/// A comparison of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeOperator {
    Gt,
    Gte,
    Eq,
    Neq,
    Lt,
    Lte,
}

impl TimeOperator {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "gt" => Self::Gt,
            "gte" => Self::Gte,
            "eq" => Self::Eq,
            "neq" => Self::Neq,
            "lt" => Self::Lt,
            "lte" => Self::Lte,
            _ => return None,
        })
    }

    fn holds(self, own: i64, other: i64) -> bool {
        match self {
            Self::Gt => own > other,
            Self::Gte => own >= other,
            Self::Eq => own == other,
            Self::Neq => own != other,
            Self::Lt => own < other,
            Self::Lte => own <= other,
        }
    }
}

impl Operand {
    fn text(text: &str) -> Self {
        Self { text: folded(text), literal: None }
    }

    fn literal(literal: Literal) -> Self {
        let text = literal.clone().into_text().unwrap_or_default();
        Self { text: folded(&text), literal: Some(literal) }
    }

    fn is(&self, column: &Column<'_>) -> bool {
        match column {
            Column::Null => self.literal == Some(Literal::None),
            Column::Text(own) => {
                // `None` matches null alone, never a volume that is named "None".
                self.literal != Some(Literal::None) && column::is_folded_as(own, &self.text)
            }
            Column::Int(own) => {
                // An unquoted number may stand for a column of any kind.
                self.literal == Some(Literal::Int(*own)) || self.text.parse() == Ok(*own)
            }
            Column::Bool(own) => match &self.literal {
                Some(Literal::Bool(value)) => value == own,
                Some(Literal::Int(value)) => *value == i64::from(*own),
                _ => boolean_text(&self.text) == Some(*own),
            },
            Column::Id(own) => parse_id(&self.text) == Some(*own),
            Column::Time(own) => parse_seconds(&self.text.to_uppercase()) == Some(seconds(*own)),
            Column::Pairs(_) => false,
        }
    }
}

impl Condition {
    /// Creates the filter `column=text`; the text is read as a literal if it is one.
    pub(super) fn equal(column: &str, text: &str) -> Self {
        let predicate = match (column, parse_literal(text)) {
            // A name such as `1` is no number.
            ("name", _) | (_, None) => Predicate::Among(vec![Operand::text(text)]),
            (_, Some(Literal::List(items))) => {
                Predicate::Among(items.into_iter().map(Operand::literal).collect())
            }
            (_, Some(Literal::Dict(_))) => Predicate::Never,
            (_, Some(value @ Literal::Text(_))) => Predicate::Among(vec![Operand::literal(value)]),
            (_, Some(value)) => {
                let own = Operand { text: folded(text), literal: Some(value) };
                Predicate::Among(vec![own])
            }
        };
        Self { column: column.into(), predicate }
    }

    /// Creates the filter `column~=text`.
    pub(super) fn like(column: &str, text: &str) -> Self {
        Self { column: column.into(), predicate: Predicate::Like(folded(text)) }
    }

    /// Creates a filter for a boolean column.
    pub(super) fn bool(column: &str, value: bool) -> Self {
        let operand = Operand::literal(Literal::Bool(value));
        Self { column: column.into(), predicate: Predicate::Among(vec![operand]) }
    }

    /// Creates the filter for all pairs of a dictionary. Any other text never passes.
    pub(super) fn pairs(column: &str, text: &str) -> Self {
        let predicate = match parse_literal(text) {
            Some(Literal::Dict(pairs)) => pairs
                .into_iter()
                .map(|(key, value)| Some((key.into_text()?, value.into_text()?)))
                .collect::<Option<_>>()
                .map_or(Predicate::Never, Predicate::Pairs),
            _ => Predicate::Never,
        };
        Self { column: column.into(), predicate }
    }

    /// Makes the filter never pass if one of its pairs has a key that `allowed` rejects.
    pub(super) fn restrict(&mut self, allowed: impl Fn(&str) -> bool) {
        if let Predicate::Pairs(pairs) = &self.predicate
            && !pairs.iter().all(|(key, _)| allowed(key))
        {
            self.predicate = Predicate::Never;
        }
    }

    /// Creates the filter `host=text`.
    pub(super) fn host(column: &str, text: &str) -> Self {
        Self { column: column.into(), predicate: Predicate::Host(text.to_owned()) }
    }

    /// Creates the filter for times: a list of operators with times, of which any may hold.
    pub(super) fn times(column: &str, text: &str) -> Result<Self, Error> {
        let mut times = Vec::new();
        for item in text.split(',') {
            // Without a colon the item is both. Cinder: cinder/api/v3/volumes.py,
            // VolumeController._handle_time_comparison_filters.
            let (operator, time) = item.split_once(':').unwrap_or((item, item));
            let parsed = TimeOperator::parse(operator)
                .ok_or_else(|| Error::request(format!("Invalid {operator} operator")))?;
            let seconds = parse_seconds(time)
                .ok_or_else(|| Error::request(format!("Invalid {time} value")))?;
            times.push((parsed, seconds));
        }
        Ok(Self { column: column.into(), predicate: Predicate::Times(times) })
    }

    /// Returns whether a row with this value passes.
    pub(super) fn passes(&self, column: &Column<'_>) -> bool {
        match &self.predicate {
            Predicate::Among(operand) => operand.iter().any(|operand| operand.is(column)),
            Predicate::Like(part) => match column {
                Column::Text(own) => column::has_folded(own, part),
                Column::Id(own) => own.to_string().contains(part),
                Column::Int(own) => own.to_string().contains(part),
                _ => false,
            },
            Predicate::Pairs(pairs) => match column {
                Column::Pairs(own) => pairs
                    .iter()
                    .all(|(key, value)| own.get(&**key).is_some_and(|own| **own == **value)),
                _ => false,
            },
            Predicate::Times(times) => match column {
                Column::Time(own) => {
                    times.iter().any(|(operator, time)| operator.holds(seconds(*own), *time))
                }
                _ => false,
            },
            Predicate::Host(host) => match column {
                Column::Text(own) => {
                    *own == host || own.strip_prefix(&**host).is_some_and(|r| r.starts_with('#'))
                }
                _ => false,
            },
            Predicate::Never => false,
        }
    }

    /// Returns the only value that the filter accepts of the column `status`, in lower case; none
    /// for other filters.
    pub(super) fn status(&self) -> Option<&str> {
        match &self.predicate {
            Predicate::Among(operand) if *self.column == *"status" => match &operand[..] {
                [operand] if operand.literal != Some(Literal::None) => Some(&operand.text),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns whether the condition searches a string in each row.
    pub(super) fn searches(&self) -> bool {
        matches!(self.predicate, Predicate::Like(_))
    }

    /// Returns the host that the condition demands of the column `host`; `None` for other conditions.
    pub(super) fn host_asked(&self) -> Option<&str> {
        match &self.predicate {
            Predicate::Host(host) if *self.column == *"host" => Some(host),
            _ => None,
        }
    }

    /// Returns the condition that the planner can look up in an index, if any.
    pub(super) fn conjunct(&self) -> Option<Conjunct> {
        if let (Predicate::Pairs(pairs), "metadata") = (&self.predicate, &*self.column) {
            // A row must have all of the pairs, so looking up one of them loses none.
            let (key, value) = pairs.first()?;
            let point = Constant::Text(metadata_pair(key, value).into());
            return Some(Conjunct::new(METADATA_PAIR, Kind::Text, Sarg::Points(vec![point])));
        }
        let Predicate::Among(operand) = &self.predicate else { return None };
        let text = |operand: &Operand| Constant::Text(operand.text.as_str().into());
        if *self.column == *"name" || LOWER_CASE.contains(&&*self.column) {
            // The indexes of strings have no key for null.
            if operand.iter().any(|operand| operand.literal == Some(Literal::None)) {
                return None;
            }
            let selector = if *self.column == *"name" { NAME_FOLDED } else { &self.column };
            let points = operand.iter().map(text).collect();
            return Some(Conjunct::new(selector, Kind::Text, Sarg::Points(points)));
        }
        let ids: Option<Vec<_>> =
            operand.iter().map(|operand| parse_id(&operand.text).map(Constant::Uuid)).collect();
        Some(Conjunct::new(&self.column, Kind::Uuid, Sarg::Points(ids?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_by_the_kind_of_the_column() {
        let passes = |column: &str, text: &str, own| Condition::equal(column, text).passes(&own);
        assert!(passes("status", "AVAILABLE", Column::Text("available")));
        assert!(passes("status", "['error','available']", Column::Text("available")));
        assert!(!passes("status", "['error']", Column::Text("available")));
        assert!(passes("size", "2", Column::Int(2)) && !passes("size", "3", Column::Int(2)));
        assert!(passes("migration_status", "None", Column::Null));
        assert!(!passes("migration_status", "None", Column::Text("none")));
        assert!(passes("name", "None", Column::Text("none")));
        assert!(passes("consumes_quota", "true", Column::Bool(true)));
        assert!(!passes("size", "{'a': 1}", Column::Int(1)));
        assert!(passes("size", "0x1f", Column::Int(31)));
        assert!(passes("status", "u'available'", Column::Text("available")));
    }

    #[test]
    fn metadata_filters_accept_the_forms_of_older_clients() {
        let row = [("k".into(), "v".into()), ("n".into(), "1".into())].into();
        let passes = |text: &str| Condition::pairs("metadata", text).passes(&Column::Pairs(&row));
        for text in ["{u'k': u'v'}", "{'k': 'v', u'n': 1}", "({'k':'v'})", r#"{"k": "v"}"#, "{}"] {
            assert!(passes(text), "{text}");
        }
        // The reference selects nothing for a text that is no dictionary, and rejects none.
        for text in ["junk", "{'k'}", "['k']", "{u'k': u'w'}", "'k'", "1"] {
            assert!(!passes(text), "{text}");
        }
    }

    #[test]
    fn time_comparisons_are_alternatives() {
        let both = Condition::times("created_at", "gt:2030-01-01,lt:2020-01-01").unwrap();
        assert!(both.passes(&Column::Time(0)));
        assert!(!both.passes(&Column::Time(1_700_000_000_000_000_000)));
        let text = |text| Condition::times("created_at", text).unwrap_err().to_string();
        assert_eq!(text("zz:2020-01-01"), "Invalid zz operator");
        assert_eq!(text("gt:bad"), "Invalid bad value");
        assert_eq!(text(""), "Invalid  operator");
        assert_eq!(text("2020-01-01"), "Invalid 2020-01-01 operator");
    }
}
