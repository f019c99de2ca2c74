//! The evaluator of the tables: the first failure of a value, worded as the reference words it.
//!
//! The wording is that of the JSON Schema library that the reference uses. A value that passes costs no
//! allocation.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    ITEMS_MAX,
    boolean::{boolean, spellings},
    format::{Misformat, Pattern, integer},
    table::{Check, Field, Rule, Type},
};
use crate::{
    errors::{Error, SchemaError},
    python,
    version::Microversion,
};

impl Rule {
    /// Checks `value`, the member `name` of a body of the version; an empty name is the whole body.
    pub(crate) fn check(
        &self,
        name: &str,
        value: &Value,
        version: Microversion,
    ) -> Result<(), Error> {
        if !self.takes(value) {
            let types: Vec<_> =
                self.types.iter().map(|kind| python::quoted(kind.as_str())).collect();
            let types = types.join(", ");
            return fail(name, value, format!("{} is not of type {types}", shown(value)));
        }
        self.checks.iter().try_for_each(|check| self.check_one(check, name, value, version))
    }

    /// Returns whether `value` is of a type of the rule.
    fn takes(&self, value: &Value) -> bool {
        let flag = || self.checks.iter().any(|check| matches!(check, Check::Flag));
        self.types.is_empty()
            || self.types.iter().any(|kind| is_of(value, *kind))
            // The numbers 0 and 1 are booleans that clients send.
            || (value.is_number() && boolean(value).is_some() && flag())
    }

    fn check_one(
        &self,
        check: &Check,
        name: &str,
        value: &Value,
        version: Microversion,
    ) -> Result<(), Error> {
        let refuse = |good: bool, reason: &str| {
            if good { Ok(()) } else { fail(name, value, format!("{} {reason}", shown(value))) }
        };
        let nowhere = "is not valid under any of the given schemas";
        match (check, value) {
            (Check::MinChars(min), Value::String(text)) => {
                refuse(text.chars().nth(min.saturating_sub(1)).is_some(), "is too short")
            }
            (Check::MaxChars(max), Value::String(text)) => {
                // A string has no more characters than bytes.
                let fits = text.len() <= *max || text.chars().nth(*max).is_none();
                refuse(fits, "is too long")
            }
            (Check::Pattern(pattern), Value::String(text)) if !pattern.matches(text) => {
                let pattern = python::quoted(pattern.as_str());
                refuse(false, &format!("does not match {pattern}"))
            }
            (Check::Min(_) | Check::Max(_), _) => in_range(*check, name, value),
            (Check::OneOf(texts), value) => {
                if value.as_str().is_some_and(|text| texts.contains(&text)) {
                    return Ok(());
                }
                let list: Vec<_> = texts.iter().map(|text| python::quoted(text)).collect();
                refuse(false, &format!("is not one of [{}]", list.join(", ")))
            }
            // Cinder: cinder/api/validation/parameter_types.py, boolean: a list of spellings.
            (Check::Flag, value) if boolean(value).is_none() => {
                refuse(false, &format!("is not one of {}", spellings()))
            }
            (Check::Format(format), value) => match format.check(value) {
                Ok(()) => Ok(()),
                Err(Misformat::Plain(format)) => refuse(false, &format!("is not a '{format}'")),
                Err(Misformat::Own(error)) => Err(error),
            },
            (Check::Either(rules), value) => {
                // The type decides first: no refusal is worded for a rule that is not meant.
                let passes =
                    |rule: &Rule| rule.takes(value) && rule.check(name, value, version).is_ok();
                refuse(rules.iter().any(passes), nowhere)
            }
            (Check::Fields(fields), Value::Object(_)) => check_fields(fields, name, value, version),
            (Check::Closed, Value::Object(members)) => {
                self.check_closed(members, name, value, version)
            }
            (Check::Keys(pattern, rule), Value::Object(_)) => {
                check_keys(*pattern, rule, name, value, version)
            }
            (Check::AnyOf(names), Value::Object(members)) => {
                refuse(names.iter().any(|name| members.contains_key(*name)), nowhere)
            }
            (Check::ExactlyOne(names), Value::Object(members)) => {
                let there: Vec<_> =
                    names.iter().filter(|name| members.contains_key(**name)).collect();
                if there.len() <= 1 {
                    return refuse(there.len() == 1, nowhere);
                }
                // The reference names the forms beyond the first before that one.
                let forms: Vec<_> = there
                    .iter()
                    .skip(1)
                    .chain(there.first())
                    .map(|name| format!("{{'required': ['{name}']}}"))
                    .collect();
                refuse(false, &format!("is valid under each of {}", forms.join(", ")))
            }
            (Check::MinMembers(min), Value::Object(members)) => {
                refuse(members.len() >= *min, "does not have enough properties")
            }
            (Check::MaxMembers(max), Value::Object(members)) => {
                refuse(members.len() <= *max, "has too many properties")
            }
            (Check::MinItems(min), Value::Array(items)) => {
                refuse(items.len() >= *min, "is too short")
            }
            (Check::Items(rule), Value::Array(items)) => {
                refuse(items.len() <= ITEMS_MAX, "is too long")?;
                items
                    .iter()
                    .enumerate()
                    .try_for_each(|(at, item)| rule.check(&at.to_string(), item, version))
            }
            (Check::Unique, Value::Array(items)) => {
                // Items that are no strings were refused before.
                let mut seen = BTreeSet::new();
                let unique = items.iter().all(|item| seen.insert(item.as_str()));
                refuse(unique, "has non-unique elements")
            }
            (Check::Since(minor, check), value) if version.at_least(*minor) => {
                self.check_one(check, name, value, version)
            }
            // The check is about another type than the value's, or passed its guard.
            _ => Ok(()),
        }
    }

    /// Refuses members that no field of the rule names in `version`.
    fn check_closed(
        &self,
        members: &Map<String, Value>,
        name: &str,
        value: &Value,
        version: Microversion,
    ) -> Result<(), Error> {
        let known = |key: &str| {
            self.fields().any(|field| field.name == key && version.at_least(field.since))
        };
        let others: Vec<_> =
            members.keys().filter(|key| !known(key)).map(|key| python::quoted(key)).collect();
        if others.is_empty() {
            return Ok(());
        }
        // jsonschema: _utils.extras_msg.
        let verb = if others.len() == 1 { "was" } else { "were" };
        let others = others.join(", ");
        let reason = format!("Additional properties are not allowed ({others} {verb} unexpected)");
        fail(name, value, reason)
    }

    /// Returns the members that an object of this rule is known to have.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &'static Field> {
        self.checks.iter().flat_map(|check| match check {
            Check::Fields(fields) => *fields,
            _ => &[],
        })
    }
}

fn check_fields(
    fields: &[Field],
    name: &str,
    value: &Value,
    version: Microversion,
) -> Result<(), Error> {
    let Value::Object(members) = value else { return Ok(()) };
    let known = || fields.iter().filter(|field| version.at_least(field.since));
    for field in known() {
        if let Some(value) = members.get(field.name) {
            field.rule.check(field.name, value, version)?;
        }
    }
    match known().find(|field| field.required && !members.contains_key(field.name)) {
        Some(field) => fail(name, value, format!("'{}' is a required property", field.name)),
        None => Ok(()),
    }
}

fn check_keys(
    pattern: Pattern,
    rule: &Rule,
    name: &str,
    value: &Value,
    version: Microversion,
) -> Result<(), Error> {
    let Value::Object(members) = value else { return Ok(()) };
    let mut others = Vec::new();
    for (key, item) in members {
        if pattern.matches(key) {
            rule.check(key, item, version)?;
        } else {
            others.push(python::quoted(key));
        }
    }
    if others.is_empty() {
        return Ok(());
    }
    // jsonschema: _validators.additionalProperties, where patterns exist.
    let verb = if others.len() == 1 { "does" } else { "do" };
    let (others, pattern) = (others.join(", "), pattern.as_str());
    fail(name, value, format!("{others} {verb} not match any of the regexes: '{pattern}'"))
}

/// Checks a number, or a string that reads as one, against a bound.
fn in_range(check: Check, name: &str, value: &Value) -> Result<(), Error> {
    let number = match value {
        Value::String(text) => integer(text),
        Value::Number(number) => {
            number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
        }
        _ => None,
    };
    let Some(number) = number else { return Ok(()) };
    match check {
        Check::Min(min) if number < i128::from(min) => {
            fail(name, value, format!("{number} is less than the minimum of {min}"))
        }
        Check::Max(max) if number > i128::from(max) => {
            fail(name, value, format!("{number} is greater than the maximum of {max}"))
        }
        _ => Ok(()),
    }
}

fn is_of(value: &Value, kind: Type) -> bool {
    match (kind, value) {
        (Type::Object, Value::Object(_))
        | (Type::Array, Value::Array(_))
        | (Type::String, Value::String(_))
        | (Type::Boolean, Value::Bool(_))
        | (Type::Null, Value::Null) => true,
        (Type::Integer, Value::Number(number)) => number.is_i64() || number.is_u64(),
        _ => false,
    }
}

fn shown(value: &Value) -> String {
    python::repr(value)
}

fn fail(name: &str, value: &Value, reason: String) -> Result<(), Error> {
    Err(SchemaError::at(name, value, reason).into())
}
