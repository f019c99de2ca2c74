//! Errors of input that the grammar rejects.

use expect_test::expect;

use super::check;

#[test]
fn unquoted_dash_points_at_the_dash() {
    check(
        "Name == web-1",
        &expect![[r#"
        '-' is not allowed in an unquoted value
          Name == web-1
                     ^
        help: quote this value: "web-1""#]],
    );
    check(
        "Name == /srv/a",
        &expect![[r#"
        '/' is not allowed in an unquoted value
          Name == /srv/a
                  ^
        help: quote this value: "/srv/a""#]],
    );
    check(
        "Name == 1.2.3",
        &expect![[r#"
        '.' is not allowed in an unquoted value
          Name == 1.2.3
                     ^
        help: quote this value: "1.2.3""#]],
    );
    check(
        "Name == 10GiB and Size == 1",
        &expect![[r#"
        'G' is not allowed in an unquoted value
          Name == 10GiB and Size == 1
                    ^
        help: quote this value: "10GiB""#]],
    );
    check(
        "(Name == e.b.s-x)",
        &expect![[r#"
        '-' is not allowed in an unquoted value
          (Name == e.b.s-x)
                        ^
        help: quote this value: "e.b.s-x""#]],
    );
    check(
        "Name == 'web'",
        &expect![[r#"
            '\'' is not allowed in an unquoted value
              Name == 'web'
                      ^^^^^
            help: use double quotes: "web""#]],
    );
    check(
        "a-b in Tags",
        &expect![[r#"
            '-' is not allowed in an unquoted selector
              a-b in Tags
               ^
            help: quote this value: "a-b""#]],
    );
    check(
        "my-name == x",
        &expect![[r#"
        '-' is not allowed in an unquoted selector
          my-name == x
            ^
        help: write this name as a pointer: "/my-name""#]],
    );
}

#[test]
fn unknown_operator_suggests_the_right_one() {
    check(
        "Name = x",
        &expect![[r#"
        `=` is not an operator
          Name = x
               ^
        help: write `==`"#]],
    );
    check(
        "Name === x",
        &expect![[r#"
            `===` is not an operator
              Name === x
                   ^^^
            help: write `==`"#]],
    );
    check(
        "Size < 3",
        &expect![[r#"
        `<` is not an operator
          Size < 3
               ^
        help: ordering needs the extended dialect; this dialect has `==` and `!=`"#]],
    );
    check(
        "Name == a && Size == 1",
        &expect![[r#"
        `&&` is not an operator
          Name == a && Size == 1
                    ^^
        help: write `and`"#]],
    );
    check(
        "Name == a || Size == 1",
        &expect![[r#"
        `||` is not an operator
          Name == a || Size == 1
                    ^^
        help: write `or`"#]],
    );
    check(
        "!Name == a",
        &expect![[r#"
        `!` is not an operator
          !Name == a
          ^
        help: write `not` followed by a space"#]],
    );
    check(
        "Name =~ `a`",
        &expect![[r#"
        `=~` is not an operator
          Name =~ `a`
               ^^
        help: write `matches`"#]],
    );
    check(
        "Name CONTAINS a",
        &expect![[r#"
        `CONTAINS` is not an operator
          Name CONTAINS a
               ^^^^^^^^
        help: write `contains`"#]],
    );
    check(
        "Name == a AND Size == 1",
        &expect![[r#"
        `AND` is not an operator
          Name == a AND Size == 1
                    ^^^
        help: write `and`"#]],
    );
    check(
        "Name likes a",
        &expect![[r#"
        `likes` is not an operator
          Name likes a
               ^^^^^
        help: the operators are `==`, `!=`, `in`, `contains`, `matches`, `is empty`, `is nil`"#]],
    );
    check(
        "Name is gone",
        &expect![[r#"
            expected `empty` or `nil` after `is`
              Name is gone
                   ^^
            help: write `==`"#]],
    );
}

#[test]
fn unfinished_text_points_at_the_missing_part() {
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
        help: this closes nothing; remove it"#]],
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
fn unfinished_selectors_point_at_the_missing_part() {
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
        help: the selector is left of the operator, except with `in`"#]],
    );
    check(
        "Name in [\"a\", \"b\"]",
        &expect![[r#"
        expected a selector, not a value
          Name in ["a", "b"]
          ^^^^^^^^^^^^^^^^^^
        help: write `(Name == "a" or Name == "b")`; lists of values need the extended dialect"#]],
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
        escaped bytes must be valid UTF-8
          Name == "caf\xe9"
                      ^^^^
        help: for the character U+00E9 write `\u00e9`"#]],
    );
    check(
        "Name == \"a\nb\"",
        &expect![[r#"
        a double-quoted string must not contain a line break
          Name == "a
                    ^
        help: write `\n`, or use backticks"#]],
    );
    check(
        r#"Name == "\ud800""#,
        &expect![[r#"
        this escape is not a valid character
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
