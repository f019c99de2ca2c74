//! The rendering of errors, independent of their kind.

use expect_test::expect;
use serde_json::json;
use statehold_filter::{Filter, Value};

use super::{Volume, check};

#[test]
fn carets_align_under_wide_and_combining_chars() {
    check(
        "Name == \"日本\" and Nmae == x",
        &expect![[r#"
            no field is named `Nmae`
              Name == "日本" and Nmae == x
                                 ^^^^
            help: did you mean `Name`?"#]],
    );
    check(
        "Name == \"x\u{301}\" and Nmae == x",
        &expect![[r#"
            no field is named `Nmae`
              Name == "x́" and Nmae == x
                              ^^^^
            help: did you mean `Name`?"#]],
    );
    check(
        "Name ==\t\"😀\"\nand Nmae == x\nand Size == 1",
        &expect![[r#"
            no field is named `Nmae`
              and Nmae == x
                  ^^^^
            help: did you mean `Name`?"#]],
    );
}

#[test]
fn carets_ignore_a_trailing_carriage_return() {
    check(
        "Name == a\r\nand Nmae == 2\r\n",
        &expect![[r#"
            no field is named `Nmae`
              and Nmae == 2
                  ^^^^
            help: did you mean `Name`?"#]],
    );
}

#[test]
fn long_lines_are_cut_around_the_error() {
    let many = "Size == 1 or ".repeat(20);
    check(
        &format!("{many}Sise == 2 or {many}Size == 3"),
        &expect![[r#"
        no field is named `Sise`
          ...ze == 1 or Size == 1 or Size == 1 or Size == 1 or Sise == 2 or Size == 1 or Size == 1 or Size == 1 o...
                                                               ^^^^
        help: did you mean `Size`?"#]],
    );
}

#[test]
fn serialised_errors_have_five_members() {
    let error = Filter::<Volume>::compile("Name == web-1").expect_err("it compiles");
    assert_eq!(
        serde_json::to_value(&error).ok(),
        Some(json!({
            "kind": "unquoted_value",
            "message": "'-' is not allowed in an unquoted value",
            "offset": 11,
            "length": 1,
            "help": "quote this value: \"web-1\"",
        }))
    );
}

#[test]
fn eval_errors_point_at_the_clause() -> Result<(), Box<dyn std::error::Error>> {
    let filter = Filter::<Value>::compile("a == 1 or b.c == 2")?;
    let row = Value::Map([("b".to_owned(), Value::from("text"))].into());
    let error = filter.try_matches(&row).expect_err("it has an answer");
    expect![[r#"
        a value in the path has no fields or elements
          a == 1 or b.c == 2
                    ^^^^^^^^"#]]
    .assert_eq(&error.to_string());
    Ok(())
}
