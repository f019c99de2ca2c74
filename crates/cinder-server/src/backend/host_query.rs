//! The `query` of scheduler hints: a JSON expression about a back end.
//!
//! `["and", [">=", "$free_capacity_gb", 100], ["=", "$capabilities.vendor_name", "Statehold"]]`: a list is a
//! command and its operands, a string with `$` is looked up in the back end, `.` goes into an object.
//!
//! Invariant: the depth is that of parsed JSON, which the parser bounds.

use std::cmp::Ordering;

use serde_json::Value;

/// A query that has no answer: malformed, or with operands that can't be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoAnswer;

/// Returns whether a back end matches a query.
///
/// # Errors
/// [`NoAnswer`]; a caller MUST treat it as no match, because the client asked for something else.
// Cinder: cinder/scheduler/filters/json_filter.py, JsonFilter. There a nested `not` is a list, which is true
// even if its element is false; here it is the negation that it reads as.
pub(crate) fn matches(query: &str, host: &Value) -> Result<bool, NoAnswer> {
    let query: Value = serde_json::from_str(query).map_err(|_| NoAnswer)?;
    evaluate(&query, host)
}

fn evaluate(query: &Value, host: &Value) -> Result<bool, NoAnswer> {
    if !is_true(query) {
        return Ok(true);
    }
    let (command, operands) =
        query.as_array().and_then(|items| items.split_first()).ok_or(NoAnswer)?;
    let command = command.as_str().ok_or(NoAnswer)?;
    let mut values = Vec::new();
    for operand in operands {
        let value = match operand {
            Value::Array(_) => Some(Value::Bool(evaluate(operand, host)?)),
            Value::String(text) => resolve(text, host),
            other => Some(other.clone()),
        };
        // Operands that the back end lacks are ignored, like in the reference.
        values.extend(value.filter(|value| !value.is_null()));
    }
    let mut all = values.iter();
    Ok(match command {
        "and" => all.all(is_true),
        "or" => all.any(is_true),
        "not" => all.any(|value| !is_true(value)),
        "=" => compare(&values, |first, other| Ok(is_equal(first, other)))?,
        "in" => match values.split_first() {
            Some((first, rest)) => rest.iter().any(|other| is_equal(first, other)),
            None => false,
        },
        "<" => compare(&values, |first, other| Ok(order(first, other)?.is_lt()))?,
        ">" => compare(&values, |first, other| Ok(order(first, other)?.is_gt()))?,
        "<=" => compare(&values, |first, other| Ok(order(first, other)?.is_le()))?,
        ">=" => compare(&values, |first, other| Ok(order(first, other)?.is_ge()))?,
        _ => return Err(NoAnswer),
    })
}

/// Returns the value of an operand: a lookup with `$` before it, or the string itself.
fn resolve(text: &str, host: &Value) -> Option<Value> {
    if text.is_empty() {
        return None;
    }
    let Some(path) = text.strip_prefix('$') else { return Some(text.into()) };
    path.split('.').try_fold(host, |at, name| at.get(name)).cloned()
}

/// Compares the first value with each other one; one value alone compares to nothing, which is false.
fn compare(
    values: &[Value],
    holds: impl Fn(&Value, &Value) -> Result<bool, NoAnswer>,
) -> Result<bool, NoAnswer> {
    let Some((first, rest)) = values.split_first().filter(|(_, rest)| !rest.is_empty()) else {
        return Ok(false);
    };
    for other in rest {
        if !holds(first, other)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns a number as Python compares it: booleans are 0 and 1.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        value => value.as_f64(),
    }
}

fn is_equal(one: &Value, other: &Value) -> bool {
    match (number(one), number(other)) {
        (Some(one), Some(other)) => one.total_cmp(&other).is_eq(),
        _ => one == other,
    }
}

fn order(one: &Value, other: &Value) -> Result<Ordering, NoAnswer> {
    match (number(one), number(other), one.as_str(), other.as_str()) {
        (Some(one), Some(other), ..) => Ok(one.total_cmp(&other)),
        (.., Some(one), Some(other)) => Ok(one.cmp(other)),
        _ => Err(NoAnswer),
    }
}

/// Returns whether a value is true in Python: not empty, not zero.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn host() -> Value {
        json!({
            "host": "m@a#a", "free_capacity_gb": 20.5, "multiattach": true, "none": null,
            "capabilities": {"vendor_name": "Statehold", "deep": {"er": 1}},
        })
    }

    #[test]
    fn queries_compare_and_combine_attributes_of_a_back_end() {
        for (query, wanted) in [
            (r#"["=", "$host", "m@a#a"]"#, true),
            (r#"["=", "$host", "m@a#a", "m@b#b"]"#, false),
            (r#"["in", "$host", "m@b#b", "m@a#a"]"#, true),
            (r#"["in", "$host", "m@b#b"]"#, false),
            (r#"["<", "$free_capacity_gb", 21]"#, true),
            (r#"[">", "$free_capacity_gb", 21]"#, false),
            (r#"["<=", 1, 1.0, 2]"#, true),
            (r#"[">=", "b", "a"]"#, true),
            (r#"["=", "$multiattach", 1]"#, true),
            (r#"["=", "$capabilities.vendor_name", "Statehold"]"#, true),
            (r#"["=", "$capabilities.deep.er", 1]"#, true),
            (r#"["and", ["=", 1, 1], [">", "$free_capacity_gb", 20]]"#, true),
            (r#"["or", ["=", 1, 2], ["=", "$host", "x"]]"#, false),
            (r#"["not", ["=", "$host", "x"]]"#, true),
            // The operand is false although it is a list in the reference.
            (r#"["and", ["not", ["=", "$host", "m@a#a"]], ["=", 1, 1]]"#, false),
            // An operand that the back end lacks compares to nothing.
            (r#"["=", "$nothing", "$none"]"#, false),
            (r#"["=", "$host.part", "x"]"#, false),
            ("[]", true),
            ("null", true),
        ] {
            assert_eq!(matches(query, &host()), Ok(wanted), "{query}");
        }
    }

    #[test]
    fn malformed_queries_have_no_answer() {
        for query in ["{", "{\"a\": 1}", "1", "\"x\"", "[1]", r#"["~", 1, 2]"#, r#"["<", "a", 1]"#]
        {
            assert_eq!(matches(query, &host()), Err(NoAnswer), "{query}");
        }
        let deep = "[\"not\", ".repeat(1000);
        assert_eq!(matches(&deep, &host()), Err(NoAnswer));
    }
}
