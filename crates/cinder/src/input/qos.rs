//! Bodies about QoS specs.

use serde_json::{Map, Value};

use crate::{
    Pairs,
    errors::Error,
    ops::QosSpec,
    schema::{
        Check, Field, Rule, TEXT_MAX, Type, closed,
        kinds::{BARE_NAME, LOOSE_SPECS, TEXT_1},
        pairs_of, parse, parse_member,
    },
    version::Microversion,
};

const ALL: Microversion = Microversion::MAX;

/// `POST /qos-specs`.
// Cinder: cinder/api/schemas/qos_specs.py, create.
pub(super) const CREATE: Rule =
    closed(&[Check::Fields(&[Field::required("qos_specs", SPECS)]), Check::Closed]);

pub(super) const SPECS: Rule = closed(&[Check::Fields(&[Field::required("name", BARE_NAME)])]);

/// Reads a body that asks for QoS specs.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn qos_spec(body: &[u8]) -> Result<QosSpec, Error> {
    let mut members = parse_member(body, "qos_specs", &CREATE, ALL)?;
    let name = members.trimmed("name").unwrap_or_default();
    members.0.remove("name");
    check_lengths(&members.0)?;
    let consumer = members.text("consumer");
    members.0.remove("consumer");
    Ok(QosSpec { name, consumer, specs: pairs_of(&members.0) })
}

/// Refuses keys and values of the wrong length, and values that are no strings. The table leaves them
/// open.
// Cinder: cinder/utils.py, validate_dictionary_string_length.
fn check_lengths(specs: &Map<String, Value>) -> Result<(), Error> {
    for (key, value) in specs {
        let refuse = |called: &str, count: usize, min: usize| {
            let reason = if count > TEXT_MAX {
                format!("more than {TEXT_MAX}")
            } else if count < min {
                format!("less than {min}")
            } else {
                return Ok(());
            };
            Err(Error::input(format!("{called} \"{key}\" has {count} characters, {reason}.")))
        };
        refuse("Key", key.chars().count(), 1)?;
        match value {
            Value::Null => {}
            Value::String(text) => refuse("Value for key", text.chars().count(), 0)?,
            _ => {
                let reason = format!("Value for key \"{key}\" is not a string or unicode");
                return Err(Error::input(reason));
            }
        }
    }
    Ok(())
}

/// `PUT /qos-specs/{id}`.
// Cinder: cinder/api/schemas/qos_specs.py, set.
pub(super) const UPDATE: Rule =
    closed(&[Check::Fields(&[Field::required("qos_specs", LOOSE_SPECS)]), Check::Closed]);

/// Reads a body that changes QoS specs: the consumer, if it changes, and limits.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn qos_change(body: &[u8]) -> Result<(Option<Box<str>>, Pairs), Error> {
    let mut members = parse_member(body, "qos_specs", &UPDATE, ALL)?;
    let consumer = members.0.remove("consumer").map(|consumer| match consumer {
        Value::String(consumer) => consumer.into(),
        // Null sets the default.
        _ => "back-end".into(),
    });
    Ok((consumer, pairs_of(&members.0)))
}

/// `PUT /qos-specs/{id}/delete_keys`.
// Cinder: cinder/api/schemas/qos_specs.py, unset.
pub(super) const UNSET: Rule = closed(&[
    Check::Fields(&[Field::required(
        "keys",
        Rule { types: &[Type::Array], checks: &[Check::Items(&TEXT_1), Check::Unique] },
    )]),
    Check::Closed,
]);

/// Reads a body that removes limits: `{"keys": [..]}`.
///
/// # Errors
/// [`Error`] with the status 400.
pub fn qos_keys(body: &[u8]) -> Result<Vec<Box<str>>, Error> {
    Ok(parse(body, &UNSET, ALL)?.texts("keys"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consumer_and_values_are_strings() {
        let refusal = |specs: &str| {
            let body = format!(r#"{{"qos_specs": {{"name": "q", {specs}}}}}"#);
            qos_spec(body.as_bytes()).unwrap_err().to_string()
        };
        for (specs, key) in [(r#""consumer": 5"#, "consumer"), (r#""k": 100"#, "k")] {
            let text = "Invalid input received: Value for key";
            assert_eq!(refusal(specs), format!("{text} \"{key}\" is not a string or unicode"));
        }
        assert!(refusal(r#""": "x""#).ends_with("Key \"\" has 0 characters, less than 1."));
        assert!(qos_change(br#"{"qos_specs": {"k": 5}}"#).is_err());
    }

    #[test]
    fn consumer_without_value_is_the_default() {
        let spec = |consumer: &str| {
            let body = format!(r#"{{"qos_specs": {{"name": "q", "consumer": {consumer}}}}}"#);
            qos_spec(body.as_bytes()).unwrap()
        };
        assert_eq!((spec("null").consumer, spec("null").specs.len()), (None, 0));
        // An empty string is a value, which no consumer has.
        assert_eq!(spec(r#""""#).consumer.as_deref(), Some(""));
        let (consumer, _) = qos_change(br#"{"qos_specs": {"consumer": null}}"#).unwrap();
        assert_eq!(consumer.as_deref(), Some("back-end"));
    }
}
