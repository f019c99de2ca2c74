//! Typed reading of a body that was checked.

use serde_json::{Map, Value};

use super::boolean;
use crate::{Pairs, id::parse_id, python};

/// The members of a checked object.
#[derive(Debug, Default)]
pub(crate) struct Members(pub(crate) Map<String, Value>);

impl Members {
    /// Returns whether the member is there, be it null.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    pub(crate) fn text(&self, key: &str) -> Option<Box<str>> {
        self.0.get(key).and_then(Value::as_str).map(Box::from)
    }

    /// Returns a member that no table checked as the reference writes it into its refusals; null is none.
    pub(crate) fn shown(&self, key: &str) -> Option<Box<str>> {
        match self.0.get(key)? {
            Value::Null => None,
            value => Some(python::str(value).into()),
        }
    }

    /// Returns a string without the blanks around it.
    pub(crate) fn trimmed(&self, key: &str) -> Option<Box<str>> {
        self.0.get(key).and_then(Value::as_str).map(|text| text.trim().into())
    }

    /// Returns a string in lower case; an empty one is none.
    pub(crate) fn lower(&self, key: &str) -> Option<Box<str>> {
        let text = self.0.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.map(|text| text.to_lowercase().into())
    }

    pub(crate) fn bool(&self, key: &str) -> Option<bool> {
        self.0.get(key).and_then(boolean)
    }

    /// Returns a whole number, also of a string.
    pub(crate) fn number(&self, key: &str) -> Option<i64> {
        match self.0.get(key)? {
            Value::String(text) => text.trim_end().parse().ok(),
            value => value.as_i64(),
        }
    }

    pub(crate) fn size(&self, key: &str) -> Option<u32> {
        self.number(key).and_then(|size| size.try_into().ok())
    }

    pub(crate) fn id(&self, key: &str) -> Option<uuid::Uuid> {
        self.0.get(key).and_then(Value::as_str).and_then(parse_id)
    }

    /// Returns the strings of a list.
    pub(crate) fn texts(&self, key: &str) -> Vec<Box<str>> {
        let items = self.0.get(key).and_then(Value::as_array);
        items.into_iter().flatten().filter_map(Value::as_str).map(Box::from).collect()
    }

    /// Returns the pairs of an object of strings; nulls are left out.
    pub(crate) fn pairs(&self, key: &str) -> Option<Pairs> {
        let members = self.0.get(key)?.as_object()?;
        Some(pairs_of(members))
    }
}

/// Returns the pairs of an object of strings; nulls are left out.
pub(crate) fn pairs_of(members: &Map<String, Value>) -> Pairs {
    members
        .iter()
        .filter_map(|(key, value)| Some((key.as_str().into(), value.as_str()?.into())))
        .collect()
}
