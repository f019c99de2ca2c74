//! Errors of expressions beyond a limit.

use expect_test::expect;
use statehold_filter::{CompileErrorKind, Filter, Limits, Options};

use super::Volume;

#[test]
fn limit_errors_name_the_limit() {
    let with = |text: &str, limits: Limits| {
        Filter::<Volume>::compile_with(text, &Options::new().limits(limits))
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    let limits = Limits {
        nesting: 2,
        quantifiers: 1,
        nodes: 3,
        list: 2,
        text: 64,
        pattern: 1 << 10,
        ..Limits::default()
    };
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
