//! Goal: any stream of JSON values returns its rows, for any white space between them and any size of reads.
//!
//! Method: random values are written with random white space and read back; broken lines are inserted between valid
//! ones.

use std::io::{BufReader, Read};

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::filter_command::*;

/// Returns the rows and the errors of a stream.
fn read(input: &[u8], buffer: usize) -> (Vec<String>, Vec<String>) {
    let mut rows = Rows::new(BufReader::with_capacity(buffer, input));
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next() {
        match row {
            Ok((bytes, _)) => found.push(String::from_utf8_lossy(bytes).into_owned()),
            Err(error) => errors.push(error.to_string()),
        }
    }
    (found, errors)
}

fn rows(input: &str) -> Vec<String> {
    let (found, errors) = read(input.as_bytes(), 7);
    assert_eq!(errors, [""; 0], "{input}");
    found
}

#[test]
fn values_are_separated_in_any_layout() {
    assert_eq!(
        rows("1 2\n\"a\"\"b\"{}{}[3,4][]null"),
        ["1", "2", "\"a\"", "\"b\"", "{}", "{}", "3", "4", "null"]
    );
    assert_eq!(rows("\u{feff}{\"a\":1}\r\n{\"a\":2}\r\n"), ["{\"a\":1}", "{\"a\":2}"]);
    assert_eq!(rows("{\n  \"a\": [\n    1\n  ]\n}\n{}"), ["{\n  \"a\": [\n    1\n  ]\n}", "{}"]);
    assert_eq!(rows(" [[1], [2, 3]\n] "), ["[1]", "[2, 3]"]);
    assert_eq!(rows(""), [""; 0]);
}

#[test]
fn a_broken_line_loses_no_other_line() {
    for broken in ["{\"a\":", "{\"a\" 1}", "\"a", "}", "{]", "[1", "{\"a\":[1,", "\u{1}", "@"] {
        let input = format!("{{\"n\":1}}\n{broken}\n{{\"n\":2}}\n{{\"n\":3}}\n");
        let (found, errors) = read(input.as_bytes(), 5);
        let last = found.iter().map(String::as_str).filter(|row| row.starts_with("{\"n\"")).count();
        assert_eq!(last, 3, "{broken}: {found:?}");
        assert!(
            !errors.is_empty() && (errors[0].starts_with("line 2") || broken == "[1"),
            "{broken}: {errors:?}"
        );
    }
}

#[test]
fn a_part_of_a_broken_value_is_no_row() {
    let input = "{\n  \"a\": {\n    \"n\": 1\n  } oh\n}\n{\"n\":2}";
    let (found, errors) = read(input.as_bytes(), 64);
    assert_eq!(found, ["{\"n\":2}"]);
    assert_eq!(errors, ["line 1: not JSON: expected `,` or the end of the list or object"]);
}

#[test]
fn an_array_continues_after_a_broken_element() {
    let (found, errors) = read(b"[\n{\"n\":1},\n{\"n\":\n,{\"n\":2}\n]\n{\"n\":3}", 64);
    assert_eq!(found, ["{\"n\":1}", "{\"n\":2}", "{\"n\":3}"]);
    assert_eq!(errors.len(), 1, "{errors:?}");
}

/// An array that is generated while it is read, so that the memory of a reader that holds it would grow.
struct Endless {
    left: usize,
    most: usize,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let element: &[u8] = if self.left == self.most { b"[{\"a\":1}" } else { b",{\"a\":1}" };
        if self.left == 0 {
            return Ok(0);
        }
        self.left -= 1;
        if self.left == 0 {
            buffer[..1].copy_from_slice(b"]");
            return Ok(1);
        }
        buffer[..element.len()].copy_from_slice(element);
        Ok(element.len())
    }
}

#[test]
fn a_long_array_on_one_line_is_not_held() {
    let most = 1_000_000;
    let mut rows = Rows::new(BufReader::new(Endless { left: most, most }));
    let mut count = 0;
    while let Some(row) = rows.next() {
        assert_eq!(row.unwrap().0, b"{\"a\":1}");
        count += 1;
    }
    assert_eq!(count, most - 1);
    assert!(rows.row.capacity() < 1_000 && rows.again.capacity() < 1_000);
}

#[test]
fn a_row_larger_than_its_limit_is_an_error() {
    for large in
        ["\"aaaaaaaaaaaaaaaaaaaa\"", "11111111111111111111111", "[[1,1,1,1,1,1,1,1,1,1,1]]"]
    {
        let input = format!("{large}\n1");
        let mut rows = Rows::with_max(input.as_bytes(), 16);
        assert!(rows.next().unwrap().is_err(), "{large}");
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a\"\\\\{}\\[\\],:\n é]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[a\"\\\\ ]{0,3}", inner, 0..3)
                .prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #[test]
    fn rows_are_the_values_that_were_written(
        values in proptest::collection::vec((value(), any::<bool>(), "[ \t\r\n]{1,3}"), 0..6),
        buffer in 1..20_usize,
    ) {
        let (mut text, mut expected) = (String::new(), Vec::new());
        for (value, pretty, space) in &values {
            text += &if *pretty {
                serde_json::to_string_pretty(value).unwrap()
            } else {
                value.to_string()
            };
            text += space;
            match value {
                Value::Array(elements) => expected.extend(elements.iter().cloned()),
                other => expected.push(other.clone()),
            }
        }
        let (found, errors) = read(text.as_bytes(), buffer);
        prop_assert!(errors.is_empty(), "{text}: {errors:?}");
        let found: Vec<Value> = found.iter().map(|row| serde_json::from_str(row).unwrap()).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn any_bytes_end(bytes in proptest::collection::vec(
        prop_oneof![any::<u8>(), proptest::sample::select(b"[]{},:\"\n a1\\".to_vec())], 0..60,
    )) {
        let (found, errors) = read(&bytes, 3);
        prop_assert!(found.len() + errors.len() <= 2 * bytes.len());
    }
}
