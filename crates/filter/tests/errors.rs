//! Goal: an error says what is wrong, where, and what to write instead.
//!
//! Method: the rendered text of each is kept here as it is shown.

#![expect(clippy::needless_raw_string_hashes, reason = "written by the snapshot update")]

use expect_test::{Expect, expect};
use serde_json::json;
use statehold_filter::{CompileErrorKind, Filter, Filterable, Limits, Options, Value};

#[derive(Filterable)]
#[filterable(rename_all = "PascalCase")]
struct Volume {
    name: String,
    #[filterable(rename = "PluginID")]
    plugin_id: String,
    size: i64,
    schedulable: bool,
    tags: Vec<String>,
    meta: std::collections::BTreeMap<String, String>,
    topologies: Vec<Topology>,
    mounted: Option<Topology>,
}

#[derive(Filterable)]
#[filterable(rename_all = "PascalCase")]
struct Topology {
    zone: String,
}

#[track_caller]
fn check(text: &str, expected: &Expect) {
    let error = Filter::<Volume>::compile(text).expect_err("it compiles");
    expected.assert_eq(&error.to_string());
}

#[test]
fn unquoted_dash_points_at_the_dash() {
    check(
        "Name == web-1",
        &expect![[r#"
        '-' can't stand in an unquoted value
          Name == web-1
                     ^
        help: quote this value: "web-1""#]],
    );
    check(
        "Name == /srv/a",
        &expect![[r#"
        '/' can't stand in an unquoted value
          Name == /srv/a
                  ^
        help: quote this value: "/srv/a""#]],
    );
    check(
        "Name == 1.2.3",
        &expect![[r#"
        '.' can't stand in an unquoted value
          Name == 1.2.3
                     ^
        help: quote this value: "1.2.3""#]],
    );
    check(
        "Name == 10GiB and Size == 1",
        &expect![[r#"
        'G' can't stand in an unquoted value
          Name == 10GiB and Size == 1
                    ^
        help: quote this value: "10GiB""#]],
    );
    check(
        "(Name == e.b.s-x)",
        &expect![[r#"
        '-' can't stand in an unquoted value
          (Name == e.b.s-x)
                        ^
        help: quote this value: "e.b.s-x""#]],
    );
    check(
        "Name == 'web'",
        &expect![[r#"
        expected a value
          Name == 'web'
                  ^
        help: use double quotes: "web""#]],
    );
    check(
        "a-b in Tags",
        &expect![[r#"
        '-' can't stand in a selector that is written bare
          a-b in Tags
           ^
        help: write this name as a pointer: "/a-b""#]],
    );
    check(
        "my-name == x",
        &expect![[r#"
        '-' can't stand in a selector that is written bare
          my-name == x
            ^
        help: write this name as a pointer: "/my-name""#]],
    );
}

#[test]
fn unknown_selector_names_the_nearest() {
    check(
        "Nmae == x",
        &expect![[r#"
            no field is called `Nmae`
              Nmae == x
              ^^^^
            help: did you mean `Name`?"#]],
    );
    check(
        "plugin_id == x",
        &expect![[r#"
        no field is called `plugin_id`
          plugin_id == x
          ^^^^^^^^^
        help: did you mean `PluginID`?"#]],
    );
    check(
        "Bogus == x",
        &expect![[r#"
        no field is called `Bogus`
          Bogus == x
          ^^^^^
        help: Volume has Name, PluginID, Size, Schedulable, Tags, Meta, Topologies, Mounted"#]],
    );
    check(
        "Mounted.Zoen == x",
        &expect![[r#"
            no field is called `Zoen`
              Mounted.Zoen == x
                      ^^^^
            help: did you mean `Zone`?"#]],
    );
    check(
        "any Topologies as t { t.Region == x }",
        &expect![[r#"
        no field is called `Region`
          any Topologies as t { t.Region == x }
                                  ^^^^^^
        help: Topology has Zone"#]],
    );
    check(
        "Name.First == x",
        &expect![[r#"
        there is nothing inside of a text
          Name.First == x
               ^^^^^"#]],
    );
    check(
        "Topologies.first == x",
        &expect![[r#"
        a list takes an index, counted from 0
          Topologies.first == x
                     ^^^^^
        help: ask about all elements with `any .. as x { .. }`"#]],
    );
}

#[test]
fn unknown_operator_names_the_right_one() {
    check(
        "Name = x",
        &expect![[r#"
        `=` is no operator
          Name = x
               ^
        help: write `==`"#]],
    );
    check(
        "Name === x",
        &expect![[r#"
        `===` is no operator
          Name === x
                 ^
        help: write `==`"#]],
    );
    check(
        "Size < 3",
        &expect![[r#"
        `<` is no operator
          Size < 3
               ^
        help: comparing by order needs the extended dialect; here there are `==` and `!=`"#]],
    );
    check(
        "Name == a && Size == 1",
        &expect![[r#"
        `&&` is no operator
          Name == a && Size == 1
                    ^^
        help: write `and`"#]],
    );
    check(
        "Name == a || Size == 1",
        &expect![[r#"
        `||` is no operator
          Name == a || Size == 1
                    ^^
        help: write `or`"#]],
    );
    check(
        "!Name == a",
        &expect![[r#"
        `!` is no operator
          !Name == a
          ^
        help: write `not` followed by a space"#]],
    );
    check(
        "Name =~ `a`",
        &expect![[r#"
        `=~` is no operator
          Name =~ `a`
               ^^
        help: write `matches`"#]],
    );
    check(
        "Name CONTAINS a",
        &expect![[r#"
        `CONTAINS` is no operator
          Name CONTAINS a
               ^^^^^^^^
        help: operators are written in lower case"#]],
    );
    check(
        "Name == a AND Size == 1",
        &expect![[r#"
        `AND` is no operator
          Name == a AND Size == 1
                    ^^^
        help: write `and`"#]],
    );
    check(
        "Name likes a",
        &expect![[r#"
        `likes` is no operator
          Name likes a
               ^^^^^
        help: the operators are `==`, `!=`, `in`, `contains`, `matches`, `is empty`, `is nil`"#]],
    );
    check(
        "Name is gone",
        &expect![[r#"
        expected `empty` or `nil` after `is`
          Name is gone
                  ^^^^"#]],
    );
}

#[test]
fn unfinished_text_points_at_what_is_missing() {
    check("", &expect!["the expression is empty"]);
    check(
        "Name",
        &expect![[r#"
            expected an operator
              Name
                  ^
            help: compare it, as in `Name == "x"`"#]],
    );
    check(
        "Name ==",
        &expect![[r#"
        expected a value
          Name ==
                 ^"#]],
    );
    check(
        "Name contains",
        &expect![[r#"
        expected a value
          Name contains
                       ^"#]],
    );
    check(
        "Name == a and",
        &expect![[r#"
            expected a clause
              Name == a and
                           ^
            help: a clause is a selector, an operator and a value, as in `Name == "x"`"#]],
    );
    check(
        "(Name == a",
        &expect![[r#"
        this `(` is not closed
          (Name == a
          ^
        help: add `)` at the end"#]],
    );
    check(
        "Name == a)",
        &expect![[r#"
        expected `and`, `or` or the end
          Name == a)
                   ^
        help: nothing is open here; remove it"#]],
    );
    check(
        "Name == \"a",
        &expect![[r#"
        this string is not closed
          Name == "a
                  ^
        help: add the closing quote"#]],
    );
}

#[test]
fn unfinished_selectors_and_quantifiers_point_at_what_is_missing() {
    check(
        "Meta[\"a\" == b",
        &expect![[r#"
        this `[` is not closed
          Meta["a" == b
              ^
        help: add `]` after the key"#]],
    );
    check(
        "Meta[a] == b",
        &expect![[r#"
        expected a quoted key after `[`
          Meta[a] == b
              ^^
        help: quote the key: ["a"]"#]],
    );
    check(
        "Topologies[0].Zone == b",
        &expect![[r#"
        expected a quoted key after `[`
          Topologies[0].Zone == b
                    ^^
        help: write an index as `.0`"#]],
    );
    check(
        "any Topologies as t { t.Zone == a",
        &expect![[r#"
        expected the body of the quantifier in `{ }`
          any Topologies as t { t.Zone == a
                                           ^
        help: add `}` at the end"#]],
    );
    check(
        "any Topologies as t t.Zone == a",
        &expect![[r#"
        expected the body of the quantifier in `{ }`
          any Topologies as t t.Zone == a
                              ^"#]],
    );
    check(
        "any Topologies as 1 { t.Zone == a }",
        &expect![[r#"
        expected a name for the elements
          any Topologies as 1 { t.Zone == a }
                            ^
        help: write `as x`, `as i, v`, `as i, _` or `as _, v`"#]],
    );
    check(
        "Name == \"a\"and Size == 1",
        &expect![[r#"
        expected whitespace
          Name == "a"and Size == 1
                     ^"#]],
    );
    check(
        "Name == big data",
        &expect![[r#"
        expected `and`, `or` or the end
          Name == big data
                      ^^^^
        help: quote a value that holds spaces"#]],
    );
    check(
        "Tags in \"a\"",
        &expect![[r#"
        expected a selector, not a value
          Tags in "a"
                  ^^^
        help: `in` is written value first: `"x" in Tags`"#]],
    );
    check(
        "\"a\" == Name",
        &expect![[r#"
        expected a selector, not a value
          "a" == Name
          ^^^
        help: the selector stands left of the operator, unless that is `in`"#]],
    );
    check(
        "Name in [\"a\", \"b\"]",
        &expect![[r#"
        expected a selector, not a value
          Name in ["a", "b"]
                  ^^^^^
        help: lists of values need the extended dialect"#]],
    );
}

#[test]
fn values_and_operators_have_to_fit_the_field() {
    check(
        "Size == big",
        &expect![[r#"
            this is no integer
              Size == big
                      ^^^
            help: write a whole number, as in `3`"#]],
    );
    check(
        "Size == 99999999999999999999",
        &expect![[r#"
            this integer is too large
              Size == 99999999999999999999
                      ^^^^^^^^^^^^^^^^^^^^
            help: the field has at most 64 bits"#]],
    );
    check(
        "Schedulable == yes",
        &expect![[r#"
        this is no bool
          Schedulable == yes
                         ^^^
        help: write `true` or `false`"#]],
    );
    check(
        "Tags == a",
        &expect![[r#"
        `==` does not apply to a list of text
          Tags == a
               ^^
        help: ask for an element with `contains`"#]],
    );
    check(
        "Size is empty",
        &expect![[r#"
            `is empty` does not apply to an integer
              Size is empty
                   ^^^^^^^^
            help: compare with `==` or `!=`"#]],
    );
    check(
        "Size matches `1`",
        &expect![[r#"
            `matches` does not apply to an integer
              Size matches `1`
                   ^^^^^^^
            help: compare with `==` or `!=`"#]],
    );
    check(
        "Mounted == a",
        &expect![[r#"
        `==` does not apply to a Topology
          Mounted == a
                  ^^
        help: select one of its fields as in `a.field`"#]],
    );
    check(
        "any Name as x { x == a }",
        &expect![[r#"
        `any` and `all` need a list or a map with text keys, not a text
          any Name as x { x == a }
              ^^^^"#]],
    );
    check(
        "any Meta as k { k.x == a }",
        &expect![[r#"
        an index or key has nothing inside
          any Meta as k { k.x == a }
                            ^"#]],
    );
    check(
        "any Meta as k, k { k == a }",
        &expect![[r#"
        the same name is given twice
          any Meta as k, k { k == a }
                         ^
          any Meta as k, k { k == a }
                      - first here
        help: give the element another name than the index"#]],
    );
}

#[test]
fn bad_escapes_and_patterns_point_into_the_string() {
    check(
        r#"Name == "a\qb""#,
        &expect![[r#"
        unknown escape
          Name == "a\qb"
                    ^^
        help: write `\\` for a backslash, or put the text between backticks"#]],
    );
    check(
        r#"Name == "caf\xe9""#,
        &expect![[r#"
        escaped bytes have to make up UTF-8 text
          Name == "caf\xe9"
                      ^^^^
        help: for the character U+00E9 write `\u00e9`"#]],
    );
    check(
        "Name == \"a\nb\"",
        &expect![[r#"
        a double-quoted string ends on its line
          Name == "a
                    ^
        help: write `\n`, or use backticks"#]],
    );
    check(
        r#"Name == "\ud800""#,
        &expect![[r#"
        this escape stands for no character
          Name == "\ud800"
                   ^^^^^^"#]],
    );
    check(
        r#"Name matches "^web-(\\d""#,
        &expect![[r#"
        bad regular expression: this group is not closed
          Name matches "^web-(\\d"
                             ^"#]],
    );
    check(
        r"Name matches `a\Cb`",
        &expect![[r#"
        bad regular expression: `\C` is not supported
          Name matches `a\Cb`
                         ^^
        help: write `(?s:.)` for any character"#]],
    );
    check(
        "Name matches `ab**`",
        &expect![[r#"
        bad regular expression: a repetition of a repetition
          Name matches `ab**`
                           ^"#]],
    );
    check(
        "Name matches `(?=x)`",
        &expect![[r#"
        bad regular expression: look-around is not supported
          Name matches `(?=x)`
                        ^^^"#]],
    );
}

#[test]
fn carets_stand_under_wide_and_combining_characters() {
    check(
        "Name == \"日本\" and Nmae == x",
        &expect![[r#"
            no field is called `Nmae`
              Name == "日本" and Nmae == x
                                 ^^^^
            help: did you mean `Name`?"#]],
    );
    check(
        "Name == \"x\u{301}\" and Nmae == x",
        &expect![[r#"
            no field is called `Nmae`
              Name == "x́" and Nmae == x
                              ^^^^
            help: did you mean `Name`?"#]],
    );
    check(
        "Name ==\t\"😀\"\nand Nmae == x\nand Size == 1",
        &expect![[r#"
            no field is called `Nmae`
              and Nmae == x
                  ^^^^
            help: did you mean `Name`?"#]],
    );
}

#[test]
fn lines_may_end_with_a_carriage_return() {
    check(
        "Name == a\r\nand Nmae == 2\r\n",
        &expect![[r#"
            no field is called `Nmae`
              and Nmae == 2
                  ^^^^
            help: did you mean `Name`?"#]],
    );
}

#[test]
fn long_lines_are_cut_around_the_place() {
    let many = "Size == 1 or ".repeat(20);
    check(
        &format!("{many}Sise == 2 or {many}Size == 3"),
        &expect![[r#"
        no field is called `Sise`
          ...ze == 1 or Size == 1 or Size == 1 or Size == 1 or Sise == 2 or Size == 1 or Size == 1 or Size == 1 o...
                                                               ^^^^
        help: did you mean `Size`?"#]],
    );
}

#[test]
fn limits_name_themselves() {
    let with = |text: &str, limits: Limits| {
        Filter::<Volume>::compile_with(text, &Options::new().limits(limits))
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    let limits =
        Limits { nesting: 2, quantifiers: 1, nodes: 3, list: 2, text: 64, pattern: 1 << 10 };
    assert_eq!(with("((Size == 1))", limits.clone()), Ok(()));
    let texts = [
        "(((Size == 1)))".to_owned(),
        "Size == 1 or Size == 2 or Size == 3".to_owned(),
        "Size == 1 ".repeat(10),
        r"Name matches `\pL{50}`".to_owned(),
        "any Tags as t { all Tags as u { u == t } }".to_owned(),
    ];
    let shown: Vec<String> =
        texts.iter().filter_map(|text| with(text, limits.clone()).err()).collect();
    expect![[r#"
        the expression is nested too deep (limit `nesting`: 2)
          (((Size == 1)))
            ^

        the expression has too many parts (limit `nodes`: 3)
          Size == 1 or Size == 2 or Size == 3
          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

        the expression is too long (limit `text`: 64 bytes)

        the regular expression is too large (limit `pattern`: 1024 bytes)
          Name matches `\pL{50}`
                       ^^^^^^^^^
        help: use smaller counts or classes

        quantifiers are nested too deep (limit `quantifiers`: 1)
          any Tags as t { all Tags as u { u == t } }
                          ^^^"#]]
    .assert_eq(&shown.join("\n\n"));
}

#[test]
fn the_serialised_form_has_five_members() {
    let error = Filter::<Volume>::compile("Name == web-1").expect_err("it compiles");
    assert_eq!(
        serde_json::to_value(&error).ok(),
        Some(json!({
            "kind": "unquoted_value",
            "message": "'-' can't stand in an unquoted value",
            "offset": 11,
            "length": 1,
            "help": "quote this value: \"web-1\"",
        }))
    );
}

#[test]
fn a_row_without_an_answer_points_at_the_clause() -> Result<(), Box<dyn std::error::Error>> {
    let filter = Filter::<Value>::compile("a == 1 or b.c == 2")?;
    let row = Value::Map([("b".to_owned(), Value::from("text"))].into());
    let error = filter.try_matches(&row).expect_err("it has an answer");
    expect![[r#"
        the value on the way has nothing inside
          a == 1 or b.c == 2
                    ^^^^^^^^"#]]
    .assert_eq(&error.to_string());
    Ok(())
}

#[test]
fn all_patterns_of_an_expression_share_one_limit() {
    let limits = Limits { pattern: 8 << 10, ..Limits::default() };
    let options = Options::new().limits(limits);
    let one = "Name matches `^web-[0-9]+$`";
    let with = |count| {
        let text = vec![one; count].join(" or ");
        Filter::<Volume>::compile_with(&text, &options)
            .map(drop)
            .map_err(|error| error.kind().clone())
    };
    assert_eq!(with(2), Ok(()));
    assert_eq!(with(40), Err(CompileErrorKind::PatternTooLarge { max: 8 << 10 }));
}
