//! The form of request bodies: what an operation takes, as a table, and the texts of refusals.
//!
//! The texts are those of the JSON Schema library that the reference uses. Bodies are closed unless
//! said otherwise: a member that nobody knows is refused, so that a typing error is not ignored.
//!
//! Invariant: nothing here recurses further than the table of the operation does.

use std::fmt;

use serde_json::{Map, Value};

use crate::{error::Error, id::parse_id, python};

/// The largest size of a volume, in GiB.
pub(crate) const SIZE_GIB_MAX: u32 = 2_147_483_647;

/// The most bits that a key may be said to have.
const KEY_BITS_MAX: i64 = 2_147_483_647;

/// The most characters of names, descriptions, keys and values.
pub(crate) const TEXT_MAX: usize = 255;

/// The most texts of a list.
pub(crate) const TEXTS_MAX: usize = 1000;

const META_KEYS: &str = "^[a-zA-Z0-9-_:. /]{1,255}$";
const SPEC_KEYS: &str = "^[a-zA-Z0-9-_:.]{1,255}$";

const TRUE: [&str; 9] = ["True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes"];
const TRUE_SHORT: [&str; 3] = ["yes", "y", "t"];
const FALSE: [&str; 9] = ["False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No"];
const FALSE_SHORT: [&str; 3] = ["no", "n", "f"];

/// What a member has to be like.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    /// Anything.
    Any,
    /// A boolean, or one of the texts for one.
    Bool,
    /// A text of `min` to 255 characters.
    Text { min: usize, null: bool },
    /// A text that the operation checks itself.
    LongText,
    /// A text of 1 to 255 characters that aren't all blank.
    Name,
    /// A UUID in any of its forms.
    Id { null: bool },
    /// A count of GiB, as a number or in digits.
    Size { null: bool },
    /// Metadata: keys may have blanks and slashes.
    Meta { null: bool },
    /// Specs: keys may have neither, values may be null.
    Specs,
    /// An object with any members, at least `min` of them.
    Object { min: usize, null: bool },
    /// One of these texts.
    OneOf { texts: &'static [&'static str], null: bool },
    /// The bits of a key: a whole number that isn't negative, also as a text, or null.
    KeySize,
    /// A list of texts of 1 to 255 characters, at least one, none of them twice.
    Texts,
}

/// The members of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    /// What is known, by name.
    pub(crate) members: &'static [(&'static str, Rule)],
    /// What has to be there.
    pub(crate) required: &'static [&'static str],
    /// Of each of these one has to be there at least; none is no condition.
    pub(crate) any_of: &'static [&'static str],
    /// Whether further members are passed over.
    pub(crate) open: bool,
}

impl Form {
    pub(crate) const fn new(members: &'static [(&'static str, Rule)]) -> Self {
        Self { members, required: &[], any_of: &[], open: false }
    }

    pub(crate) const fn required(mut self, required: &'static [&'static str]) -> Self {
        self.required = required;
        self
    }

    pub(crate) const fn any_of(mut self, any_of: &'static [&'static str]) -> Self {
        self.any_of = any_of;
        self
    }

    pub(crate) const fn open(mut self, open: bool) -> Self {
        self.open = open;
        self
    }

    /// Checks `value`, called `name` in texts.
    pub(crate) fn check(&self, name: &str, value: &Value) -> Result<(), SchemaError> {
        let fail = |reason: String| Err(SchemaError::at(name, value, reason));
        let Value::Object(members) = value else {
            return fail(format!("{} is not of type 'object'", python::repr(value)));
        };
        for (name, rule) in self.members {
            if let Some(value) = members.get(*name) {
                rule.check(name, value)?;
            }
        }
        for required in self.required {
            if !members.contains_key(*required) {
                return fail(format!("'{required}' is a required property"));
            }
        }
        let known = |key: &str| self.members.iter().any(|(name, _)| *name == key);
        if let Some(other) = members.keys().find(|key| !self.open && !known(key)) {
            return fail(format!(
                "Additional properties are not allowed ({} was unexpected)",
                python::quoted(other)
            ));
        }
        if !self.any_of.is_empty() && !self.any_of.iter().any(|key| members.contains_key(*key)) {
            return fail(not_valid(value));
        }
        Ok(())
    }
}

fn not_valid(value: &Value) -> String {
    format!("{} is not valid under any of the given schemas", python::repr(value))
}

impl Rule {
    /// Checks `value`, called `name` in texts.
    pub(crate) fn check(&self, name: &str, value: &Value) -> Result<(), SchemaError> {
        match self.reason(name, value) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn reason(&self, name: &str, value: &Value) -> Option<SchemaError> {
        let fail = |reason: String| Some(SchemaError::at(name, value, reason));
        let repr = || python::repr(value);
        let wrong_type = |types: &str| fail(format!("{} is not of type {types}", repr()));
        match (self, value) {
            (Self::Any, _)
            | (
                Self::Text { null: true, .. }
                | Self::LongText
                | Self::Id { null: true }
                | Self::Size { null: true }
                | Self::Meta { null: true }
                | Self::Object { null: true, .. }
                | Self::OneOf { null: true, .. }
                | Self::KeySize,
                Value::Null,
            )
            | (Self::LongText, Value::String(_)) => None,
            (Self::Bool, _) => match boolean(value) {
                Some(_) => None,
                None => fail(format!("{} is not one of {}", repr(), booleans())),
            },
            (Self::Text { min, .. }, Value::String(text)) => length(text, *min).and_then(fail),
            (Self::LongText | Self::Text { null: true, .. }, _) => wrong_type("'string', 'null'"),
            (Self::Name, Value::String(text)) => {
                if text.trim().is_empty() {
                    return Some(SchemaError::blank(name));
                }
                length(text, 1).and_then(fail)
            }
            (Self::Text { .. } | Self::Name, _) => wrong_type("'string'"),
            (Self::Id { null }, _) => match value {
                Value::String(text) if parse_id(text).is_some() => None,
                _ if *null => fail(not_valid(value)),
                Value::String(_) => fail(format!("{} is not a 'uuid'", repr())),
                _ => wrong_type("'string'"),
            },
            (Self::Size { null }, _) => size_reason(value, *null).and_then(fail),
            (Self::Meta { .. }, _) => map_reason(name, value, META_KEYS, " /", false),
            (Self::Specs, _) => map_reason(name, value, SPEC_KEYS, "", true),
            (Self::Object { min, .. }, Value::Object(members)) => (members.len() < *min)
                .then(|| format!("{} does not have enough properties", repr()))
                .and_then(fail),
            (Self::Object { .. }, _) => wrong_type("'object'"),
            (Self::OneOf { texts, .. }, _) => {
                let known = value.as_str().is_some_and(|text| texts.contains(&text));
                let list: Vec<_> = texts.iter().map(|text| python::quoted(text)).collect();
                (!known)
                    .then(|| format!("{} is not one of [{}]", repr(), list.join(", ")))
                    .and_then(fail)
            }
            (Self::KeySize, Value::String(text)) => (!matches!(text.parse(), Ok(0..=KEY_BITS_MAX)))
                .then(|| format!("{} is not a 'key_size'", repr()))
                .and_then(fail),
            (Self::KeySize, _) => match value.as_i64() {
                Some(0..=KEY_BITS_MAX) => None,
                Some(..0) => fail(format!("{} is less than the minimum of 0", repr())),
                Some(_) => {
                    fail(format!("{} is greater than the maximum of {KEY_BITS_MAX}", repr()))
                }
                None => wrong_type("'string', 'integer', 'null'"),
            },
            (Self::Texts, _) => texts_reason(name, value),
        }
    }
}

fn length(text: &str, min: usize) -> Option<String> {
    let count = text.chars().count();
    let shown = || python::repr(&Value::from(text));
    if count > TEXT_MAX {
        Some(format!("{} is too long", shown()))
    } else if count < min {
        Some(format!("{} is too short", shown()))
    } else {
        None
    }
}

fn size_reason(value: &Value, null: bool) -> Option<String> {
    let repr = || python::repr(value);
    match value {
        Value::Number(number) if number.is_i64() || number.is_u64() => {
            if number.as_i64().is_some_and(|number| number < 1) {
                return Some(format!("{} is less than the minimum of 1", repr()));
            }
            let fits = number.as_u64().is_some_and(|n| n <= u64::from(SIZE_GIB_MAX));
            let more = || format!("{} is greater than the maximum of {SIZE_GIB_MAX}", repr());
            (!fits).then(more)
        }
        Value::String(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
            let fits = text.parse().is_ok_and(|size: u32| (1..=SIZE_GIB_MAX).contains(&size));
            (!fits).then(|| format!("{} is not between 1 and {SIZE_GIB_MAX}", repr()))
        }
        Value::String(_) => Some(format!("{} does not match '^[0-9]+$'", repr())),
        _ => {
            let types = if null { "'integer', 'string', 'null'" } else { "'integer', 'string'" };
            Some(format!("{} is not of type {types}", repr()))
        }
    }
}

fn texts_reason(name: &str, value: &Value) -> Option<SchemaError> {
    let fail = |reason: String| Some(SchemaError::at(name, value, reason));
    let repr = || python::repr(value);
    let Value::Array(items) = value else {
        return fail(format!("{} is not of type 'array'", repr()));
    };
    if items.is_empty() {
        return fail(format!("{} is too short", repr()));
    }
    if items.len() > TEXTS_MAX {
        return fail(format!("{} is too long", repr()));
    }
    let item = Rule::Text { min: 1, null: false };
    let mut seen = std::collections::BTreeSet::new();
    for (at, text) in items.iter().enumerate() {
        if let Some(error) = item.reason(&at.to_string(), text) {
            return Some(error);
        }
        if !seen.insert(text.as_str()) {
            return fail(format!("{} has non-unique elements", repr()));
        }
    }
    None
}

fn map_reason(
    name: &str,
    value: &Value,
    pattern: &str,
    more: &str,
    nulls: bool,
) -> Option<SchemaError> {
    let Value::Object(members) = value else {
        let reason = format!("{} is not of type 'object'", python::repr(value));
        return Some(SchemaError::at(name, value, reason));
    };
    for (key, item) in members {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_:.".contains(c) || more.contains(c);
        if key.is_empty() || key.len() > TEXT_MAX || !key.chars().all(allowed) {
            let shown = python::repr(&Value::from(key.as_str()));
            let reason = format!("{shown} does not match any of the regexes: '{pattern}'");
            return Some(SchemaError::at(name, value, reason));
        }
        match item {
            Value::String(text) => {
                if let Some(reason) = length(text, 0) {
                    return Some(SchemaError::at(key, item, reason));
                }
            }
            Value::Null if nulls => {}
            other => {
                let types = if nulls { "'string', 'null'" } else { "'string'" };
                let reason = format!("{} is not of type {types}", python::repr(other));
                return Some(SchemaError::at(key, item, reason));
            }
        }
    }
    None
}

fn booleans() -> String {
    let texts = |first: &str, long: [&str; 9], short: [&str; 3]| {
        let all = long.iter().chain(&short).map(|text| python::quoted(text));
        std::iter::once(first.to_owned()).chain(all).collect::<Vec<_>>().join(", ")
    };
    format!("[{}, {}]", texts("True", TRUE, TRUE_SHORT), texts("False", FALSE, FALSE_SHORT))
}

/// What a value is as a boolean, if it is one.
pub(crate) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) => boolean_text(text),
        Value::Number(number) => match number.as_i64() {
            Some(1) => Some(true),
            Some(0) => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// What a text is as a boolean, if it is one.
pub(crate) fn boolean_text(text: &str) -> Option<bool> {
    if TRUE.contains(&text) || TRUE_SHORT.contains(&text) {
        Some(true)
    } else if FALSE.contains(&text) || FALSE_SHORT.contains(&text) {
        Some(false)
    } else {
        None
    }
}

/// A place in a body that isn't as it has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaError {
    place: Place,
    reason: Box<str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// The whole body.
    Root,
    /// A member, and its value as texts show it.
    Member { name: Box<str>, value: Box<str> },
}

impl SchemaError {
    pub(crate) fn at(name: &str, value: &Value, reason: String) -> Self {
        let place = if name.is_empty() {
            Place::Root
        } else {
            Place::Member { name: name.into(), value: python::str(value).into() }
        };
        Self { place, reason: reason.into() }
    }

    /// An object without members, where at least one has to be.
    pub(crate) fn empty(name: &str) -> Self {
        let value = Value::Object(Map::new());
        Self::at(name, &value, "{} does not have enough properties".to_owned())
    }

    /// An object with several members, where there has to be one.
    pub(crate) fn too_many(name: &str, value: &Value) -> Self {
        Self::at(name, value, format!("{} has too many properties", python::repr(value)))
    }

    fn blank(name: &str) -> Self {
        let reason =
            format!("An invalid '{name}' value was provided. The '{name}' can not be empty.");
        Self { place: Place::Root, reason: reason.into() }
    }
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Root => f.write_str(&self.reason),
            Place::Member { name, value } => write!(
                f,
                "Invalid input for field/attribute {name}. Value: {value}. {}",
                self.reason
            ),
        }
    }
}

impl std::error::Error for SchemaError {}

/// The one member `key` of a body, checked, and the siblings that `others` allows it.
pub(crate) fn read(
    body: &[u8],
    key: &'static str,
    form: &Form,
    others: &[(&str, Rule)],
) -> Result<Members, Error> {
    let body: Value = serde_json::from_slice(body).map_err(|_| Error::MalformedBody)?;
    let Value::Object(mut members) = body else {
        let reason = format!("{} is not of type 'object'", python::repr(&body));
        return Err(SchemaError::at("", &body, reason).into());
    };
    let root = |reason: String| Err(SchemaError::at("", &Value::Null, reason).into());
    let Some(value) = members.get(key) else {
        return root(format!("'{key}' is a required property"));
    };
    form.check(key, value)?;
    for (name, item) in &members {
        if let Some((_, rule)) = others.iter().find(|(other, _)| other == name) {
            rule.check(name, item)?;
        } else if name != key {
            return root(format!(
                "Additional properties are not allowed ({} was unexpected)",
                python::quoted(name)
            ));
        }
    }
    match members.remove(key) {
        Some(Value::Object(members)) => Ok(Members(members)),
        _ => Err(Error::MalformedBody),
    }
}

/// What a checked object holds.
#[derive(Debug, Default)]
pub(crate) struct Members(pub(crate) Map<String, Value>);

impl Members {
    /// Whether the member is there, be it null.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    pub(crate) fn text(&self, key: &str) -> Option<Box<str>> {
        self.0.get(key).and_then(Value::as_str).map(Box::from)
    }

    pub(crate) fn bool(&self, key: &str) -> Option<bool> {
        self.0.get(key).and_then(boolean)
    }

    pub(crate) fn size(&self, key: &str) -> Option<u32> {
        match self.0.get(key)? {
            Value::String(text) => text.parse().ok(),
            value => value.as_u64().and_then(|size| size.try_into().ok()),
        }
    }

    pub(crate) fn id(&self, key: &str) -> Option<uuid::Uuid> {
        self.0.get(key).and_then(Value::as_str).and_then(parse_id)
    }

    /// The texts of a list.
    pub(crate) fn texts(&self, key: &str) -> Vec<Box<str>> {
        let items = self.0.get(key).and_then(Value::as_array);
        items.into_iter().flatten().filter_map(Value::as_str).map(Box::from).collect()
    }

    /// The pairs of an object of texts; nulls are left out.
    pub(crate) fn pairs(&self, key: &str) -> Option<crate::Pairs> {
        let members = self.0.get(key)?.as_object()?;
        Some(pairs_of(members))
    }
}

/// The pairs of an object of texts; nulls are left out.
pub(crate) fn pairs_of(members: &Map<String, Value>) -> crate::Pairs {
    members
        .iter()
        .filter_map(|(key, value)| Some((key.as_str().into(), value.as_str()?.into())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: Form = Form::new(&[
        ("size", Rule::Size { null: true }),
        ("metadata", Rule::Meta { null: false }),
        ("snapshot_id", Rule::Id { null: true }),
        ("bootable", Rule::Bool),
        ("mode", Rule::OneOf { texts: &["rw", "ro"], null: false }),
        ("name", Rule::Name),
    ]);

    fn refusal(body: &str) -> String {
        read(body.as_bytes(), "volume", &FORM, &[("hints", Rule::Any)]).unwrap_err().to_string()
    }

    #[test]
    fn texts_are_those_that_clients_know() {
        let cases = [
            ("{", "Malformed request body"),
            ("", "Malformed request body"),
            ("[1]", "[1] is not of type 'object'"),
            (r#"{"foo": {}}"#, "'volume' is a required property"),
            (
                r#"{"volume": {"size": 1}, "x": 1}"#,
                "Additional properties are not allowed ('x' was unexpected)",
            ),
            (
                r#"{"volume": {"size": 0}}"#,
                "Invalid input for field/attribute size. Value: 0. 0 is less than the minimum of 1",
            ),
            (
                r#"{"volume": {"size": "1x"}}"#,
                "Invalid input for field/attribute size. Value: 1x. '1x' does not match '^[0-9]+$'",
            ),
            (
                r#"{"volume": {"size": 1.5}}"#,
                "Invalid input for field/attribute size. Value: 1.5. 1.5 is not of type \
                 'integer', 'string', 'null'",
            ),
            (
                r#"{"volume": {"snapshot_id": "abc"}}"#,
                "Invalid input for field/attribute snapshot_id. Value: abc. 'abc' is not valid \
                 under any of the given schemas",
            ),
            (
                r#"{"volume": {"metadata": {"a": 1}}}"#,
                "Invalid input for field/attribute a. Value: 1. 1 is not of type 'string'",
            ),
            (
                r#"{"volume": {"metadata": {"k$": "v"}}}"#,
                "Invalid input for field/attribute metadata. Value: {'k$': 'v'}. 'k$' does not \
                 match any of the regexes: '^[a-zA-Z0-9-_:. /]{1,255}$'",
            ),
            (
                r#"{"volume": {"metadata": "x"}}"#,
                "Invalid input for field/attribute metadata. Value: x. 'x' is not of type 'object'",
            ),
            (
                r#"{"volume": {"mode": "zz"}}"#,
                "Invalid input for field/attribute mode. Value: zz. 'zz' is not one of ['rw', 'ro']",
            ),
            (
                r#"{"volume": {"name": " "}}"#,
                "An invalid 'name' value was provided. The 'name' can not be empty.",
            ),
            (
                r#"{"volume": {"bootable": "x"}}"#,
                "Invalid input for field/attribute bootable. Value: x. 'x' is not one of [True, \
                 'True', 'TRUE', 'true', '1', 'ON', 'On', 'on', 'YES', 'Yes', 'yes', 'y', 't', \
                 False, 'False', 'FALSE', 'false', '0', 'OFF', 'Off', 'off', 'NO', 'No', 'no', \
                 'n', 'f']",
            ),
        ];
        for (body, text) in cases {
            assert_eq!(refusal(body), text, "{body}");
        }
    }

    #[test]
    fn what_is_checked_can_be_read() {
        let body = br#"{"volume": {"size": "7", "bootable": "on", "metadata": {"a": "b"}}}"#;
        let members = read(body, "volume", &FORM, &[]).unwrap();
        assert_eq!((members.size("size"), members.bool("bootable")), (Some(7), Some(true)));
        assert_eq!(members.pairs("metadata").unwrap().len(), 1);
        assert!(!members.has("name"));
    }
}
