//! The spellings of booleans.

use serde_json::Value;

use crate::python;

/// The number of spellings of `true`.
const SPELLINGS_OF_TRUE: usize = 12;

/// The spellings of `true`, then those of `false`.
pub(super) const SPELLINGS: [&str; 24] = [
    "True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes", "y", "t", "False", "FALSE",
    "false", "0", "OFF", "Off", "off", "NO", "No", "no", "n", "f",
];

/// Returns a value as a boolean: `true` and `false`, the numbers 1 and 0, or a spelling.
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

/// Returns a string as a boolean, if it is a spelling of one.
pub(crate) fn boolean_text(text: &str) -> Option<bool> {
    let place = SPELLINGS.iter().position(|spelling| *spelling == text)?;
    Some(place < SPELLINGS_OF_TRUE)
}

/// Returns the list of spellings that a refusal shows.
pub(super) fn spellings() -> String {
    let (yes, no) = SPELLINGS.split_at(SPELLINGS_OF_TRUE);
    let list = |first: &str, rest: &[&str]| {
        let rest = rest.iter().map(|text| python::quoted(text));
        std::iter::once(first.to_owned()).chain(rest).collect::<Vec<_>>().join(", ")
    };
    format!("[{}, {}]", list("True", yes), list("False", no))
}
