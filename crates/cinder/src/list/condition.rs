//! Plain filters: `status=available`, `name~=web`, `metadata={'k':'v'}`, `created_at=gt:2026-01-01`.
//!
//! Texts are compared whatever the case of their letters, as the usual collation of the reference's
//! database does.

use statehold_filter::{Conjunct, Constant, Kind, Sarg};
use statehold_store::folded;

use super::{Column, column};
use crate::{
    error::Error,
    id::parse_id,
    python::{Literal, literal},
    rows::{METADATA_PAIR, NAME_FOLDED, pair},
    schema::boolean_text,
    time::{parse_seconds, seconds},
};

/// Columns whose indexed texts are all in lower case.
const LOWER_CASE: [&str; 2] = ["status", "attach_status"];

/// One plain filter.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition {
    pub(super) column: Box<str>,
    pub(super) test: Test,
}

/// What a filter asks of a column.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    /// Is one of these.
    Among(Vec<Wanted>),
    /// Has this text somewhere, which is in lower case.
    Like(String),
    /// Has all of these pairs.
    Pairs(Vec<(String, String)>),
    /// Any of these comparisons holds; so the reference has it, and clients may rely on it.
    Times(Vec<(TimeOperator, i64)>),
    /// Is this host, or a pool of it.
    Host(String),
    /// Nothing passes.
    Never,
}

/// A value that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wanted {
    text: String,
    literal: Option<Literal>,
}

/// How times are compared.
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

impl Wanted {
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
                self.literal != Some(Literal::None) && column::is_folded_as(own, &self.text)
            }
            Column::Int(own) => {
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
    /// The filter `column=text`, whose value is read as a literal where it is one.
    pub(super) fn equal(column: &str, text: &str) -> Self {
        let test = match (column, literal(text)) {
            // A volume may well be called `1`.
            ("name", _) | (_, None) => Test::Among(vec![Wanted::text(text)]),
            (_, Some(Literal::List(items))) => {
                Test::Among(items.into_iter().map(Wanted::literal).collect())
            }
            (_, Some(Literal::Dict(_))) => Test::Never,
            (_, Some(value @ Literal::Text(_))) => Test::Among(vec![Wanted::literal(value)]),
            (_, Some(value)) => {
                let own = Wanted { text: folded(text), literal: Some(value) };
                Test::Among(vec![own])
            }
        };
        Self { column: column.into(), test }
    }

    /// The filter `column~=text`.
    pub(super) fn like(column: &str, text: &str) -> Self {
        Self { column: column.into(), test: Test::Like(folded(text)) }
    }

    /// A filter that a row passes when its column has this boolean.
    pub(super) fn bool(column: &str, value: bool) -> Self {
        let wanted = Wanted::literal(Literal::Bool(value));
        Self { column: column.into(), test: Test::Among(vec![wanted]) }
    }

    /// The filter for all pairs of a dictionary; nothing passes what is none.
    pub(super) fn pairs(column: &str, text: &str) -> Self {
        let test = match literal(text) {
            Some(Literal::Dict(pairs)) => pairs
                .into_iter()
                .map(|(key, value)| Some((key.into_text()?, value.into_text()?)))
                .collect::<Option<_>>()
                .map_or(Test::Never, Test::Pairs),
            _ => Test::Never,
        };
        Self { column: column.into(), test }
    }

    /// Lets nothing pass when a pair has a key that may not be asked for.
    pub(super) fn restrict(&mut self, allowed: impl Fn(&str) -> bool) {
        if let Test::Pairs(pairs) = &self.test
            && !pairs.iter().all(|(key, _)| allowed(key))
        {
            self.test = Test::Never;
        }
    }

    /// The filter `host=text`.
    pub(super) fn host(column: &str, text: &str) -> Self {
        Self { column: column.into(), test: Test::Host(text.to_owned()) }
    }

    /// The filter for times: operators with times, any of which is enough.
    pub(super) fn times(column: &str, text: &str) -> Result<Self, Error> {
        let mut times = Vec::new();
        for item in text.split(',') {
            let (operator, time) = item.split_once(':').unwrap_or(("eq", item));
            let parsed = TimeOperator::parse(operator)
                .ok_or_else(|| Error::request(format!("Invalid {operator} operator")))?;
            let seconds = parse_seconds(time)
                .ok_or_else(|| Error::request(format!("Invalid {time} value")))?;
            times.push((parsed, seconds));
        }
        Ok(Self { column: column.into(), test: Test::Times(times) })
    }

    /// Whether a row with this value passes.
    pub(super) fn passes(&self, column: &Column<'_>) -> bool {
        match &self.test {
            Test::Among(wanted) => wanted.iter().any(|wanted| wanted.is(column)),
            Test::Like(part) => match column {
                Column::Text(own) => column::has_folded(own, part),
                Column::Id(own) => own.to_string().contains(part),
                Column::Int(own) => own.to_string().contains(part),
                _ => false,
            },
            Test::Pairs(pairs) => match column {
                Column::Pairs(own) => pairs
                    .iter()
                    .all(|(key, value)| own.get(&**key).is_some_and(|own| **own == **value)),
                _ => false,
            },
            Test::Times(times) => match column {
                Column::Time(own) => {
                    times.iter().any(|(operator, time)| operator.holds(seconds(*own), *time))
                }
                _ => false,
            },
            Test::Host(host) => match column {
                Column::Text(own) => {
                    *own == host || own.strip_prefix(&**host).is_some_and(|r| r.starts_with('#'))
                }
                _ => false,
            },
            Test::Never => false,
        }
    }

    /// The one value that the filter asks of the column `status`, in lower case; none for other filters.
    pub(super) fn status(&self) -> Option<&str> {
        match &self.test {
            Test::Among(wanted) if *self.column == *"status" => match &wanted[..] {
                [wanted] if wanted.literal != Some(Literal::None) => Some(&wanted.text),
                _ => None,
            },
            _ => None,
        }
    }

    /// What the planner can look for, if anything.
    pub(super) fn conjunct(&self) -> Option<Conjunct> {
        if let (Test::Pairs(pairs), "metadata") = (&self.test, &*self.column) {
            // All of them have to be there, so one is enough to look for.
            let (key, value) = pairs.first()?;
            let point = Constant::Text(pair(key, value).into());
            return Some(Conjunct::new(METADATA_PAIR, Kind::Text, Sarg::Points(vec![point])));
        }
        let Test::Among(wanted) = &self.test else { return None };
        let text = |wanted: &Wanted| Constant::Text(wanted.text.as_str().into());
        if *self.column == *"name" || LOWER_CASE.contains(&&*self.column) {
            if wanted.iter().any(|wanted| wanted.literal == Some(Literal::None)) {
                return None;
            }
            let selector = if *self.column == *"name" { NAME_FOLDED } else { &self.column };
            let points = wanted.iter().map(text).collect();
            return Some(Conjunct::new(selector, Kind::Text, Sarg::Points(points)));
        }
        let ids: Option<Vec<_>> =
            wanted.iter().map(|wanted| parse_id(&wanted.text).map(Constant::Uuid)).collect();
        Some(Conjunct::new(&self.column, Kind::Uuid, Sarg::Points(ids?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_by_the_column() {
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
    fn metadata_is_asked_for_as_older_clients_write_it() {
        let row = [("k".into(), "v".into()), ("n".into(), "1".into())].into();
        let passes = |text: &str| Condition::pairs("metadata", text).passes(&Column::Pairs(&row));
        for text in ["{u'k': u'v'}", "{'k': 'v', u'n': 1}", "({'k':'v'})", r#"{"k": "v"}"#, "{}"] {
            assert!(passes(text), "{text}");
        }
        // The reference lists nothing for what is no dictionary, and refuses none of it.
        for text in ["junk", "{'k'}", "['k']", "{u'k': u'w'}", "'k'", "1"] {
            assert!(!passes(text), "{text}");
        }
    }

    #[test]
    fn several_times_are_alternatives() {
        let both = Condition::times("created_at", "gt:2030-01-01,lt:2020-01-01").unwrap();
        assert!(both.passes(&Column::Time(0)));
        assert!(!both.passes(&Column::Time(1_700_000_000_000_000_000)));
        let text = |text| Condition::times("created_at", text).unwrap_err().to_string();
        assert_eq!(text("zz:2020-01-01"), "Invalid zz operator");
        assert_eq!(text("gt:bad"), "Invalid bad value");
    }
}
