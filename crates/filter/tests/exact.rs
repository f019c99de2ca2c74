//! Goal: integers of JSON are compared by value up to 128 bits, and JSON is read as `serde_json` reads it.
//!
//! Method: neighbours at each power of two that matters; a property test against `serde_json`.

use proptest::prelude::*;
use statehold_filter::{Dialect, Filter, Json, Options};

fn holds(text: &str, row: &str) -> bool {
    let options = Options::new().dialect(Dialect::Extended);
    let filter =
        Filter::<Json>::compile_with(text, &options).unwrap_or_else(|error| panic!("{error}"));
    let row: Json = row.parse().unwrap_or_else(|error| panic!("{row}: {error}"));
    filter.try_matches(&row).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn neighbours_of_any_width_differ() {
    let numbers = [
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "18446744073709551617",
        "170141183460469231731687303715884105727",
        "170141183460469231731687303715884105728",
        "340282366920938463463374607431768211454",
        "340282366920938463463374607431768211455",
        "-9223372036854775808",
        "-9223372036854775809",
        "-18446744073709551617",
        "-170141183460469231731687303715884105727",
        "-170141183460469231731687303715884105728",
    ];
    for own in numbers {
        for other in numbers {
            let row = format!(r#"{{"n": {own}, "list": [{own}], "other": {other}}}"#);
            for text in [
                format!("n == {other}"),
                format!("{other} in list"),
                format!("n in [{other}, 7]"),
                format!("list contains any [{other}, 7]"),
                "@n == @other".to_owned(),
                format!("n >= {other} and n <= {other}"),
            ] {
                assert_eq!(holds(&text, &row), own == other, "{text} on {row}");
            }
        }
    }
    assert!(holds(
        "n > 18446744073709551616 and n < `1e20` and n != 3.5",
        r#"{"n":18446744073709551617}"#
    ));
    assert!(holds("n < -18446744073709551616", r#"{"n":-18446744073709551617}"#));
}

#[test]
fn integers_beyond_128_bits_are_floats() {
    let row = r#"{"n": 680564733841876926926749214863536422912}"#;
    assert!(holds("n == 680564733841876926926749214863536422913", row));
    assert!(holds("n > 340282366920938463463374607431768211455", row));
}

#[test]
fn broken_json_is_refused() {
    for text in [
        "",
        "{",
        "[1,]",
        "{\"a\"}",
        "{\"a\":1,}",
        "01",
        "+1",
        "1.",
        ".5",
        "nul",
        "tru",
        "\"a",
        "\"\\x\"",
        "1 2",
        "[1 2]",
        "{1:2}",
        "\"\n\"",
        "NaN",
        "]",
        "-",
    ] {
        assert!(text.parse::<Json>().is_err(), "{text}");
    }
    assert!(Json::from_slice(b"\"\xff\"").is_err());
    assert!(format!("{}1{}", "[".repeat(128), "]".repeat(128)).parse::<Json>().is_ok());
    assert!(format!("{}1{}", "[".repeat(129), "]".repeat(129)).parse::<Json>().is_err());
}

proptest! {
    #[test]
    fn json_is_read_like_serde_json(text in r#"([\[\]{},:"a1\\ u00e9.-]|true|null|\{"a":|1e2){0,12}"#) {
        let known: Result<serde_json::Value, _> = serde_json::from_str(&text);
        let own: Result<Json, _> = text.parse();
        prop_assert_eq!(known.is_ok(), own.is_ok(), "{}: {:?} {:?}", text, known, own);
        if let (Ok(known), Ok(own)) = (known, own) {
            for filter in ["a == 1", "a.0 == a", "a is empty", "a is nil", "0 in a", "any a as x { x == 1 }"] {
                let ours = Filter::<Json>::compile(filter).expect("it compiles").try_matches(&own);
                let theirs = Filter::<serde_json::Value>::compile(filter).expect("it compiles").try_matches(&known);
                prop_assert_eq!(ours, theirs, "{}", filter);
            }
        }
    }
}
