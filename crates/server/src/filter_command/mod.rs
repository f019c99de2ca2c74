//! `statehold filter`: a filter for JSON lines.

use std::fmt;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use serde_json::Value;
use serde_json::value::RawValue;
use statehold_filter::{Dialect, Filter, Options};

/// Something matched.
const MATCHED: u8 = 0;
/// Nothing did.
const NOTHING: u8 = 1;
/// The expression or the input is bad.
const BAD: u8 = 2;

/// Why the run stopped.
#[derive(Debug)]
enum FilterError {
    /// The input at a line (from 1) is not JSON.
    Json {
        line: usize,
        source: serde_json::Error,
    },
    /// A value that the expression can't be applied to.
    Value {
        place: Place,
        reason: String,
    },
    Io(io::Error),
}

/// Where a value stands in the input.
#[derive(Clone, Copy, Debug)]
enum Place {
    Line(usize),
    Element(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Element(at) => write!(f, "element {at} of the array"),
        }
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json { line, source } => write!(f, "line {line}: not JSON: {source}"),
            Self::Value { place, reason } => write!(f, "{place}: {reason}"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

/// Filters standard input to standard output.
pub(crate) fn run(expression: &str, extended: bool) -> ExitCode {
    let dialect = if extended { Dialect::Extended } else { Dialect::Bexpr };
    let options = Options::new().dialect(dialect);
    let filter = match Filter::<Value>::compile_with(expression, &options) {
        Ok(filter) => filter,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(BAD);
        }
    };
    let mut output = io::BufWriter::new(io::stdout().lock());
    let result = filter_values(&filter, io::stdin().lock(), &mut output);
    // What matched before the input went bad was right: print it all the same.
    let flushed = output.flush().map_err(FilterError::Io);
    match result.and_then(|matched| flushed.map(|()| matched)) {
        Ok(matched) => ExitCode::from(if matched { MATCHED } else { NOTHING }),
        // Whoever reads the output has seen enough: not an error of ours.
        Err(FilterError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::from(MATCHED)
        }
        Err(error) => {
            eprintln!("statehold filter: {error}");
            ExitCode::from(BAD)
        }
    }
}

/// Writes the values of `input` that match, a line each; whether there was one.
fn filter_values(
    filter: &Filter<Value>,
    mut input: impl BufRead,
    output: &mut impl Write,
) -> Result<bool, FilterError> {
    let mut line = 1;
    // White space before the first value decides nothing.
    loop {
        let ahead = input.fill_buf().map_err(FilterError::Io)?;
        let Some(first) = ahead.first() else { return Ok(false) };
        match first {
            b'\n' => line += 1,
            b' ' | b'\t' | b'\r' => {}
            b'[' => return filter_array(filter, line, input, output),
            _ => return filter_lines(filter, line, input, output),
        }
        input.consume(1);
    }
}

fn filter_lines(
    filter: &Filter<Value>,
    first: usize,
    mut input: impl BufRead,
    output: &mut impl Write,
) -> Result<bool, FilterError> {
    let mut matched = false;
    let mut text = Vec::new();
    for line in first.. {
        text.clear();
        if input.read_until(b'\n', &mut text).map_err(FilterError::Io)? == 0 {
            break;
        }
        let value = text.trim_ascii();
        if value.is_empty() {
            continue;
        }
        let raw = serde_json::from_slice::<&RawValue>(value)
            .map_err(|source| FilterError::Json { line, source })?;
        matched |= filter_one(filter, raw, Place::Line(line), output)?;
    }
    Ok(matched)
}

fn filter_array(
    filter: &Filter<Value>,
    first: usize,
    mut input: impl BufRead,
    output: &mut impl Write,
) -> Result<bool, FilterError> {
    let mut text = Vec::new();
    input.read_to_end(&mut text).map_err(FilterError::Io)?;
    let values: Vec<&RawValue> = serde_json::from_slice(&text).map_err(|source| {
        FilterError::Json { line: first + source.line().saturating_sub(1), source }
    })?;
    let mut matched = false;
    for (raw, element) in values.into_iter().zip(1..) {
        matched |= filter_one(filter, raw, Place::Element(element), output)?;
    }
    Ok(matched)
}

fn filter_one(
    filter: &Filter<Value>,
    raw: &RawValue,
    place: Place,
    output: &mut impl Write,
) -> Result<bool, FilterError> {
    let value: Value = serde_json::from_str(raw.get())
        .map_err(|error| FilterError::Value { place, reason: format!("not JSON: {error}") })?;
    let matched = filter
        .try_matches(&value)
        .map_err(|error| FilterError::Value { place, reason: error.to_string() })?;
    if matched {
        let mut line = one_line(raw.get());
        line.push('\n');
        output.write_all(line.as_bytes()).map_err(FilterError::Io)?;
    }
    Ok(matched)
}

/// A JSON text without the white space between its tokens; numbers and names stay as written.
fn one_line(json: &str) -> String {
    let mut line = String::with_capacity(json.len() + 1);
    let (mut in_string, mut escaped) = (false, false);
    for found in json.chars() {
        if in_string || !matches!(found, ' ' | '\t' | '\r' | '\n') {
            line.push(found);
        }
        match found {
            '"' if !escaped => in_string = !in_string,
            _ => {}
        }
        escaped = in_string && found == '\\' && !escaped;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_on(expression: &str, input: &str) -> (Result<bool, String>, String) {
        let filter = Filter::<Value>::compile(expression).unwrap();
        let mut output = Vec::new();
        let result = filter_values(&filter, input.as_bytes(), &mut output);
        (result.map_err(|error| error.to_string()), String::from_utf8(output).unwrap())
    }

    #[test]
    fn lines_and_arrays_give_the_same_matches() {
        let matches = (Ok(true), "{\"a\":\"x y\",\"n\":1.0}\n".to_owned());
        assert_eq!(
            run_on("a == `x y`", "\n{\"a\": \"x y\", \"n\": 1.0}\n\n{\"a\":\"2\"}"),
            matches
        );
        assert_eq!(
            run_on("a == `x y`", " [{\"a\": \"x y\",\n\"n\": 1.0}, {\"a\":\"2\"}] "),
            matches
        );
    }

    #[test]
    fn nothing_matched_is_told_apart_from_bad_input() {
        assert_eq!(run_on("a == 1", "").0, Ok(false));
        assert_eq!(run_on("a == 1", "{\"a\":2}\n").0, Ok(false));
        assert_eq!(run_on("a == 1", "[]").0, Ok(false));
        let (result, output) = run_on("a == 1", "{\"a\":1}\n{\"a\":\n{\"a\":1}");
        assert!(result.unwrap_err().starts_with("line 2: not JSON"));
        assert_eq!(output, "{\"a\":1}\n", "what came before is printed");
        assert!(run_on("a == 1", "\n[1,\n2,\n}").0.unwrap_err().starts_with("line 4: not JSON"));
    }

    #[test]
    fn one_line_keeps_what_is_inside_strings() {
        assert_eq!(one_line("{ \"a\\\" b\" :\n [ 1 , \"\\\\\" ] }"), "{\"a\\\" b\":[1,\"\\\\\"]}");
    }
}
