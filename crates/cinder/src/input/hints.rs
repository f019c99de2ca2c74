//! Scheduler hints in the body that asks for a volume.

use serde_json::Value;
use uuid::Uuid;

use crate::{
    errors::{Error, SchemaError},
    id::parse_id,
    python,
    rows::SchedulerHints,
};

/// The member beside `volume` that holds them.
const HINTS: &str = "OS-SCH-HNT:scheduler_hints";

/// The most volumes that a hint may name: more than any project needs, and few enough to look up at once.
const VOLUMES_MAX: usize = 1000;

/// Reads the scheduler hints of a body that asks for the volume `volume`: `same_host`, `different_host`
/// and `query`. Other hints are for services that are not here, and are ignored.
///
/// # Errors
/// [`Error`] with the status 400.
///
/// ```
/// use statehold_cinder::input::scheduler_hints;
/// let volume = uuid::Uuid::from_u128(1);
/// let body = br#"{"volume": {"size": 1}, "OS-SCH-HNT:scheduler_hints": {"same_host": "x"}}"#;
/// assert_eq!(scheduler_hints(body, volume).unwrap_err().status(), 400);
/// assert!(scheduler_hints(br#"{"volume": {"size": 1}}"#, volume)?.is_empty());
/// # Ok::<(), statehold_cinder::Error>(())
/// ```
// Cinder: cinder/api/schemas/scheduler_hints.py, whose rules these are.
pub fn scheduler_hints(body: &[u8], volume: Uuid) -> Result<SchedulerHints, Error> {
    let body: Value = serde_json::from_slice(body).map_err(|_| Error::MalformedBody)?;
    let mut hints = SchedulerHints { volume, ..SchedulerHints::default() };
    let members = match body.get(HINTS) {
        None | Some(Value::Null) => return Ok(hints),
        Some(Value::Object(members)) => members,
        Some(other) => {
            let reason = format!("{} is not of type 'object', 'null'", python::repr(other));
            return Err(SchemaError::at(HINTS, other, reason).into());
        }
    };
    let volumes = |name: &str| members.get(name).map_or(Ok(Vec::new()), |value| ids(name, value));
    hints.same_host = volumes("same_host")?;
    hints.different_host = volumes("different_host")?;
    if let Some(value) = members.get("local_to_instance").filter(|value| !value.is_null()) {
        // There is no compute service that knows where the instance is, so that only its form is checked.
        if !value.is_string() || ids("local_to_instance", value).is_err() {
            return Err(invalid("local_to_instance", value));
        }
    }
    hints.query = match members.get("query") {
        None => None,
        Some(Value::String(text)) => Some(&**text).filter(|text| !text.is_empty()).map(Box::from),
        Some(value @ Value::Object(query)) => {
            Some(value.to_string().into()).filter(|_| !query.is_empty())
        }
        Some(other) => {
            let reason = format!("{} is not of type 'string', 'object'", python::repr(other));
            return Err(SchemaError::at("query", other, reason).into());
        }
    };
    Ok(hints)
}

fn invalid(name: &str, value: &Value) -> Error {
    let reason = format!("{} is not valid under any of the given schemas", python::repr(value));
    SchemaError::at(name, value, reason).into()
}

/// Reads an ID, or a list of IDs none of which is there twice.
fn ids(name: &str, value: &Value) -> Result<Vec<Uuid>, Error> {
    let items = match value {
        Value::String(_) => std::slice::from_ref(value),
        Value::Array(items) if items.len() <= VOLUMES_MAX => items,
        _ => return Err(invalid(name, value)),
    };
    let mut texts = std::collections::BTreeSet::new();
    let mut id = |item: &Value| {
        let text = item.as_str()?;
        if texts.insert(text.to_owned()) { parse_id(text) } else { None }
    };
    let found: Option<Vec<Uuid>> = items.iter().map(&mut id).collect();
    found.ok_or_else(|| invalid(name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(hints: &str) -> Result<SchedulerHints, String> {
        let body = format!(r#"{{"volume": {{}}, "{HINTS}": {hints}}}"#);
        scheduler_hints(body.as_bytes(), Uuid::nil()).map_err(|error| error.to_string())
    }

    #[test]
    fn hints_are_an_id_or_a_list_of_ids() {
        let one = "30e6632e-3432-4cd1-84a1-a9905457833e";
        let id = parse_id(one).unwrap();
        for text in [format!("\"{one}\""), format!("[\"{one}\"]")] {
            let hints = read(&format!(r#"{{"same_host": {text}, "other": 1}}"#)).unwrap();
            assert_eq!((hints.same_host, hints.different_host), (vec![id], Vec::new()));
        }
        assert!(read("null").unwrap().is_empty() && read("{}").unwrap().is_empty());
        assert!(read(r#"{"different_host": [], "query": "", "local_to_instance": null}"#).is_ok());
    }

    #[test]
    fn malformed_hints_are_rejected_like_cinder() {
        let twice =
            r#"["30e6632e-3432-4cd1-84a1-a9905457833e", "30e6632e-3432-4cd1-84a1-a9905457833e"]"#;
        for value in ["null", "1", "\"x\"", "[1]", "[\"x\"]", "{}", twice] {
            for name in ["same_host", "different_host"] {
                let text = read(&format!(r#"{{"{name}": {value}}}"#)).unwrap_err();
                let start = format!("Invalid input for field/attribute {name}. Value: ");
                assert!(text.starts_with(&start), "{text}");
                assert!(text.ends_with("is not valid under any of the given schemas"), "{text}");
            }
        }
        assert!(read(r#"{"local_to_instance": "x"}"#).is_err());
        assert!(read("1").unwrap_err().ends_with("1 is not of type 'object', 'null'"));
        let query = read(r#"{"query": 1}"#).unwrap_err();
        assert!(query.ends_with("1 is not of type 'string', 'object'"), "{query}");
    }
}
