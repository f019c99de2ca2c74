//! Errors of the extended dialect, as rendered.

#![expect(clippy::needless_raw_string_hashes, reason = "written by the snapshot update")]

use expect_test::{Expect, expect};
use statehold_filter::{CompileErrorKind, Filter, Unit};

use super::{Volume, compile_any, options};

#[track_caller]
fn refused(text: &str, expected: &Expect) {
    let error = Filter::<Volume>::compile_with(text, &options()).expect_err("it compiles");
    expected.assert_eq(&error.to_string());
}

#[test]
fn quantities_of_another_unit_are_rejected() {
    refused(
        "Timeout > 10GiB",
        &expect![[r#"
        this is a size, the field is a duration
          Timeout > 10GiB
                    ^^^^^
        help: write a duration as in `1h30m`"#]],
    );
    refused(
        "Capacity > \"1h\"",
        &expect![[r#"
        this is a duration, the field is a size
          Capacity > "1h"
                     ^^^^
        help: write a size as in `10GiB`"#]],
    );
    refused(
        "Count > 10GiB",
        &expect![[r#"
        this is a size, the field is an integer
          Count > 10GiB
                  ^^^^^
        help: the field has no unit; write the number: 10737418240"#]],
    );
    refused(
        "Name == 1h",
        &expect![[r#"
        this is a duration, the field is a text
          Name == 1h
                  ^^
        help: quote this value: "1h""#]],
    );
    refused(
        "Created > 3x",
        &expect![[r#"
        'x' is not allowed in an unquoted value
          Created > 3x
                     ^
        help: quote this value: "3x""#]],
    );
    refused(
        "Capacity >= Requested",
        &expect![[r#"
        this is not a size
          Capacity >= Requested
                      ^^^^^^^^^
        help: `@Requested` is the field, in the extended dialect"#]],
    );
    refused(
        "Created > \"yesterday\"",
        &expect![[r#"
        this is not a time
          Created > "yesterday"
                    ^^^^^^^^^^^
        help: write it as in "2026-01-02T03:04:05Z""#]],
    );
    refused(
        "Capacity < -1s",
        &expect![[r#"
        this is a duration, the field is a size
          Capacity < -1s
                     ^^^
        help: write a size as in `10GiB`"#]],
    );
    refused(
        "Capacity == 100EiB",
        &expect![[r#"
            this unsigned integer is too large
              Capacity == 100EiB
                          ^^^^^^
            help: the field has at most 64 bits"#]],
    );
    refused(
        "Waited > -1s",
        &expect![[r#"
        this is not an unsigned integer
          Waited > -1s
                   ^^^
        help: the field cannot be negative"#]],
    );
    for text in [
        "Json.s starts with 1h",
        "Json.s ==* 1h",
        "Json.s matches 1h",
        "Tags contains any [1h]",
        "Meta contains 1h",
    ] {
        let error = Filter::<Volume>::compile_with(text, &options()).expect_err(text);
        assert_eq!(error.help(), Some("quote this value: \"1h\""), "{text}");
    }
    let error = Filter::<Volume>::compile_with("Age < 1KB", &options()).expect_err("a size");
    assert!(matches!(error.kind(), CompileErrorKind::UnitMismatch { found: Unit::Bytes, .. }));
}

#[test]
fn list_operators_must_fit_the_kind() {
    for text in
        ["Count contains any []", "Count contains all []", "Tags in []", "On between 1 and 2"]
    {
        let error = Filter::<Volume>::compile_with(text, &options()).expect_err(text);
        assert!(matches!(error.kind(), CompileErrorKind::OperatorKind { .. }), "{text}");
    }
}

#[test]
fn out_of_range_warning_fits_every_operator() {
    for text in ["Small < 300", "Small == 300", "Small in [300]"] {
        let filter = Filter::<Volume>::compile_with(text, &options()).expect(text);
        let shown: Vec<String> = filter.warnings().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["the field has 8 bits and never holds a number this large or small"]);
    }
}

#[test]
fn operators_must_fit_the_kind() {
    refused(
        "On < true",
        &expect![[r#"
        `<` does not apply to a bool
          On < true
             ^
        help: compare with `==` or `!=`"#]],
    );
    refused(
        "Tags in [a]",
        &expect![[r#"
        `in` does not apply to a list of text
          Tags in [a]
               ^^
        help: test elements with `contains any [..]`"#]],
    );
    refused(
        "Count starts with 3",
        &expect![[r#"
        `starts with` does not apply to an integer
          Count starts with 3
                ^^^^^^^^^^^
        help: compare with `==` or `!=`"#]],
    );
    refused(
        "count(Name) > 3",
        &expect![[r#"
        the elements of a text can't be counted
          count(Name) > 3
                ^^^^"#]],
    );
    refused(
        "count(Tags) > many",
        &expect![[r#"
        this is not an integer
          count(Tags) > many
                        ^^^^
        help: a count is a whole number"#]],
    );
    refused(
        "@Name < @Count",
        &expect![[r#"
        a text can't be compared with an integer
          @Name < @Count
                   ^^^^^
          @Name < @Count
           ---- first here"#]],
    );
    refused(
        "@Age == @Capacity",
        &expect![[r#"
        a duration can't be compared with a size
          @Age == @Capacity
                   ^^^^^^^^
          @Age == @Capacity
           --- first here"#]],
    );
    refused(
        "@Tags == @Tags",
        &expect![[r#"
        `==` does not apply to a list of text
          @Tags == @Tags
                ^^
        help: test an element with `contains`"#]],
    );
}

#[test]
fn syntax_errors_suggest_a_fix() {
    refused(
        "Name in [a, b",
        &expect![[r#"
        expected a list of values
          Name in [a, b
                  ^
        help: values are separated by `,` and the list ends with `]`"#]],
    );
    refused(
        "Name in [a b]",
        &expect![[r#"
        expected a list of values
          Name in [a b]
                     ^
        help: values are separated by `,` and the list ends with `]`"#]],
    );
    refused(
        "Name in [web-1]",
        &expect![[r#"
        '-' is not allowed in an unquoted value
          Name in [web-1]
                      ^
        help: quote this value: "web-1""#]],
    );
    refused(
        "Count between 1 or 2",
        &expect![[r#"
        expected `and` and the upper end of the range
          Count between 1 or 2
                          ^^
        help: write both ends, as in `Size between 1 and 3`"#]],
    );
    refused(
        "count(Tags > 3",
        &expect![[r#"
        this `(` is not closed
          count(Tags > 3
               ^
        help: add `)` after the selector"#]],
    );
    refused(
        "count(Tags)",
        &expect![[r#"
        expected an operator
          count(Tags)
                     ^
        help: compare the count, as in `count(Tags) > 2`"#]],
    );
}

#[test]
fn misplaced_operator_suggests_the_right_one() {
    refused(
        "Name contains @Mode",
        &expect![[r#"
        expected a value
          Name contains @Mode
                        ^
        help: two fields are compared by `==`, `!=`, `<`, `<=`, `>` and `>=`; quote a value"#]],
    );
    refused(
        "@Name in Tags",
        &expect![[r#"
        `in` is not an operator
          @Name in Tags
                ^^
        help: two fields are compared by `==`, `!=`, `<`, `<=`, `>` and `>=`"#]],
    );
    refused(
        "Count <> 3",
        &expect![[r#"
        `<>` is not an operator
          Count <> 3
                ^^
        help: write `!=`"#]],
    );
    refused(
        "Count =< 3",
        &expect![[r#"
        `=<` is not an operator
          Count =< 3
                ^^
        help: write `<=`"#]],
    );
    refused(
        "\"a\" in [a]",
        &expect![[r#"
        expected a selector, not a value
          "a" in [a]
                 ^^^
        help: `in [..]` needs a selector on its left"#]],
    );
    refused(
        "Name startswith a",
        &expect![[r#"
        `startswith` is not an operator
          Name startswith a
               ^^^^^^^^^^
        help: write `starts with`"#]],
    );
    refused(
        "Missing < 3",
        &expect![[r#"
            no field is named `Missing`
              Missing < 3
              ^^^^^^^
            help: Volume has Name, ID, Mode, Letter, Capacity, Requested, Parts, Timeout, Modified, Waited, Small, Age, .."#]],
    );
    refused(
        "Missing in []",
        &expect![[r#"
            no field is named `Missing`
              Missing in []
              ^^^^^^^
            help: Volume has Name, ID, Mode, Letter, Capacity, Requested, Parts, Timeout, Modified, Waited, Small, Age, .."#]],
    );
}

#[test]
fn default_dialect_errors_name_the_extended_one() {
    for text in [
        "Count < 3",
        "Count between 1 and 3",
        "Name in [a]",
        "Tags contains any [a]",
        "Name starts with a",
        "Name ends with a",
        "Name ==* a",
        "Name contains* a",
        "Name matches* a",
        "@Name == @Mode",
        "Name == @Mode",
        "count(Tags) > 2",
        "Count == 3 # c",
        "# c",
    ] {
        let error = Filter::<Volume>::compile(text).expect_err("it compiles");
        let help = error.help().unwrap_or_default();
        assert!(help.contains("extended dialect"), "{error}");
        assert!(compile_any(text).is_ok() || text == "# c", "{text}");
    }
}
