//! `statehold filter`: a filter for a stream of JSON values.
//!
//! [`stream`] reads the rows; this module evaluates and prints them.

mod stream;

use std::cell::RefCell;
use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::process::ExitCode;

use clap::ValueEnum;
use statehold_filter::{Budget, Dialect, EvalErrorKind, Filter, Json, Limits, Options};

use crate::cli::FilterArgs;
use crate::filter_command::stream::{Place, Rows, StreamError};
use crate::{stderr, stdout};

/// Exit status: a row matched.
const MATCHED: u8 = 0;
/// Exit status: no row matched.
const NOTHING: u8 = 1;
/// Exit status: the expression is invalid, or the run stopped.
const BAD: u8 = 2;
/// Maximum number of skipped values that are reported one by one; further ones are only counted.
const REPORTED_MAX: usize = 10;

/// How to treat a value that is not JSON, or for which the expression has no result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnError {
    /// Print the matches before the value, report the error, and exit with status 2.
    #[default]
    Stop,
    /// Skip the value, report the first few on standard error, and count all of them at the end.
    Skip,
}

/// The reason why a row has no result.
#[derive(Debug)]
enum FilterError {
    Stream(StreamError),
    /// The row is not valid JSON, or the expression has no result for it.
    Value {
        place: Place,
        reason: String,
    },
    /// The run reached its step limit at this row.
    Steps {
        place: Place,
        max: u64,
    },
    /// The output can't be written.
    Output(io::Error),
}

impl FilterError {
    /// Returns whether the run can continue with the next row.
    fn is_of_one_value(&self) -> bool {
        match self {
            Self::Stream(StreamError::Json { .. }) | Self::Value { .. } => true,
            Self::Stream(StreamError::Io(_)) | Self::Steps { .. } | Self::Output(_) => false,
        }
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(error) => error.fmt(f),
            Self::Value { place, reason } => write!(f, "{place}: {reason}"),
            Self::Steps { place, max } => write!(
                f,
                "{place}: these rows need more than {max} steps of evaluation (--steps-max)"
            ),
            Self::Output(error) => error.fmt(f),
        }
    }
}

/// The result of a run that reached its end.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    matched: bool,
    skipped: usize,
}

/// Bytes of the input per read.
const INPUT_BUFFER: usize = 64 << 10;

/// An input that flushes the output before each read, which may block: a match of a live stream is printed
/// before the next row arrives.
struct FlushedBefore<'a, R, W> {
    input: R,
    output: &'a RefCell<W>,
}

impl<R: Read, W: Write> Read for FlushedBefore<'_, R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Ignored, because the next write returns the error again.
        let _ = self.output.borrow_mut().flush();
        self.input.read(buffer)
    }
}

/// The output, which the input flushes too.
struct Shared<'a, W>(&'a RefCell<W>);

impl<W: Write> Write for Shared<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.borrow_mut().flush()
    }
}

/// Filters standard input to standard output.
pub(crate) fn run(args: &FilterArgs) -> ExitCode {
    let dialect = if args.extended { Dialect::Extended } else { Dialect::Bexpr };
    let limits = Limits { row_steps: args.row_steps_max, ..Limits::default() };
    let options = Options::new().dialect(dialect).limits(limits);
    let mut budget = args.steps_max.map_or_else(Budget::unlimited, Budget::new);
    let filter = match Filter::<Json>::compile_with(&args.expression, &options) {
        Ok(filter) => filter,
        Err(error) => {
            stderr::write_line(&error);
            return ExitCode::from(BAD);
        }
    };
    // After the expression, whose errors need no output.
    if let Err(error) = stdout::check() {
        stderr::write_line(&format_args!("statehold filter: {error}"));
        return ExitCode::from(BAD);
    }
    let output = RefCell::new(io::BufWriter::new(io::stdout().lock()));
    let input = FlushedBefore { input: io::stdin().lock(), output: &output };
    let input = io::BufReader::with_capacity(INPUT_BUFFER, input);
    let report =
        |error: &FilterError| stderr::write_line(&format_args!("statehold filter: {error}"));
    let result =
        filter_rows(&filter, &mut budget, input, &mut Shared(&output), args.on_error, report);
    let mut output = output.into_inner();
    // Matches before the error are valid, so they are printed.
    let flushed = output.flush().map_err(FilterError::Output);
    match result.and_then(|outcome| flushed.map(|()| outcome)) {
        Ok(Outcome { matched, skipped }) => {
            if skipped > 0 {
                let values = if skipped == 1 { "value" } else { "values" };
                stderr::write_line(&format_args!("statehold filter: skipped {skipped} {values}"));
            }
            ExitCode::from(if matched { MATCHED } else { NOTHING })
        }
        // A reader such as `head` closed the pipe on purpose: not an error.
        Err(FilterError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::from(MATCHED)
        }
        Err(error) => {
            stderr::write_line(&format_args!("statehold filter: {error}"));
            ExitCode::from(BAD)
        }
    }
}

/// Writes the rows of `input` that match, one per line.
fn filter_rows(
    filter: &Filter<Json>,
    budget: &mut Budget,
    input: impl BufRead,
    output: &mut impl Write,
    on_error: OnError,
    mut report: impl FnMut(&FilterError),
) -> Result<Outcome, FilterError> {
    let mut outcome = Outcome::default();
    let mut rows = Rows::new(input);
    while let Some(row) = rows.next() {
        let matches = match row {
            Ok((text, place)) => {
                matches(filter, budget, text, place).map(|matches| matches.then_some(text))
            }
            Err(error) => Err(FilterError::Stream(error)),
        };
        match matches {
            Ok(None) => {}
            Ok(Some(text)) => {
                outcome.matched = true;
                // Values over several lines are joined, so that the output can be counted and piped by line.
                let mut line = one_line(text);
                line.push(b'\n');
                output.write_all(&line).map_err(FilterError::Output)?;
            }
            Err(error) if on_error == OnError::Stop || !error.is_of_one_value() => {
                return Err(error);
            }
            Err(error) => {
                if outcome.skipped < REPORTED_MAX {
                    report(&error);
                }
                outcome.skipped += 1;
            }
        }
    }
    Ok(outcome)
}

fn matches(
    filter: &Filter<Json>,
    budget: &mut Budget,
    text: &[u8],
    place: Place,
) -> Result<bool, FilterError> {
    // Reports the row, and not the run, because `--on-error skip` continues after it.
    let bad = |reason| FilterError::Value { place, reason };
    let row = Json::from_slice(text).map_err(|error| bad(format!("not JSON: {error}")))?;
    // A bare null would count as a missing value, which matches every `!=`. Like a number it is not a row.
    if !text.starts_with(b"{") && !text.starts_with(b"[") {
        return Err(bad("not an object: it has no fields to select".to_owned()));
    }
    filter.matches_within(&row, budget).map_err(|error| match error.kind() {
        // The budget of the run is shared by its rows, so no later row could be evaluated either.
        EvalErrorKind::TooCostly { max, shared: true } => FilterError::Steps { place, max: *max },
        EvalErrorKind::TooCostly { shared: false, .. } => {
            bad(format!("{error}\nhelp: `--row-steps-max` sets the limit"))
        }
        _ => bad(error.to_string()),
    })
}

/// Returns a JSON value without the white space between its tokens; numbers and names stay as written.
fn one_line(json: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(json.len() + 1);
    let (mut in_string, mut escaped) = (false, false);
    for found in json {
        if in_string || !found.is_ascii_whitespace() {
            line.push(*found);
        }
        if *found == b'"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && *found == b'\\' && !escaped;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_on(
        expression: &str,
        input: &str,
        on_error: OnError,
    ) -> (Result<Outcome, String>, String, usize) {
        let filter = Filter::<Json>::compile(expression).unwrap();
        let (mut output, mut reported) = (Vec::new(), 0);
        let result = filter_rows(
            &filter,
            &mut Budget::unlimited(),
            input.as_bytes(),
            &mut output,
            on_error,
            |_| reported += 1,
        );
        (result.map_err(|error| error.to_string()), String::from_utf8(output).unwrap(), reported)
    }

    fn stopping(expression: &str, input: &str) -> (Result<bool, String>, String) {
        let (result, output, _) = run_on(expression, input, OnError::Stop);
        (result.map(|outcome| outcome.matched), output)
    }

    #[test]
    fn lines_and_arrays_give_the_same_matches() {
        let matches = (Ok(true), "{\"a\":\"x y\",\"n\":1.0}\n".to_owned());
        for input in [
            "\n{\"a\": \"x y\", \"n\": 1.0}\n\n{\"a\":\"2\"}",
            " [{\"a\": \"x y\",\n\"n\": 1.0}, {\"a\":\"2\"}] ",
            "{\n  \"a\": \"x y\",\n  \"n\": 1.0\n} {\"a\":\"2\"}",
        ] {
            assert_eq!(stopping("a == `x y`", input), matches, "{input}");
        }
    }

    #[test]
    fn no_match_differs_from_bad_input() {
        assert_eq!(stopping("a == 1", "").0, Ok(false));
        assert_eq!(stopping("a == 1", "{\"a\":2}\n").0, Ok(false));
        assert_eq!(stopping("a == 1", "[]").0, Ok(false));
        let (result, output) = stopping("a == 1", "{\"a\":1}\n{\"a\":\n{\"a\":1}");
        assert!(result.unwrap_err().starts_with("line 2: not JSON"));
        assert_eq!(output, "{\"a\":1}\n", "the rows before it are printed");
        assert!(stopping("a == 1", "\n[1,\n2,\n}").0.unwrap_err().contains("not an object"));
        assert!(stopping("a is nil", "{\"a\": 01}").0.unwrap_err().contains("line 1: not JSON"));
    }

    #[test]
    fn skipped_values_are_counted_and_some_reported() {
        let bad = "{\"a\":\n".repeat(REPORTED_MAX) + "{\"a\":[]}\n{\"a\":1}\n3\n{\"a\":01}\n";
        let (result, output, reported) = run_on("a == 1", &bad, OnError::Skip);
        assert_eq!(output, "{\"a\":1}\n");
        assert_eq!(reported, REPORTED_MAX);
        assert_eq!(result, Ok(Outcome { matched: true, skipped: REPORTED_MAX + 3 }));
    }

    #[test]
    fn one_line_keeps_the_inside_of_strings() {
        assert_eq!(
            one_line(b"{ \"a\\\" b\" :\n [ 1 , \"\\\\\" ] }"),
            b"{\"a\\\" b\":[1,\"\\\\\"]}"
        );
    }
}
