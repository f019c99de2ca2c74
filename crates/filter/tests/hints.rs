//! Goal: a hint, applied to the expression, compiles and means the same as its author meant.
//!
//! Method: expressions transcribed from JSON, shells, URLs, HTML and word processors, next to the row that they are about. The
//! place of the error is replaced by the replacement that the hint names.

#![expect(clippy::unwrap_used, reason = "a test that expects an error fails without one")]

use serde_json::json;
use statehold_filter::{Dialect, Filter, Options};

/// The expression with the hint applied, if the hint names a replacement for the place.
fn applied(text: &str, options: &Options) -> String {
    let error = Filter::<serde_json::Value>::compile_with(text, options).unwrap_err();
    let help = error.help().unwrap_or_else(|| panic!("{error}"));
    let with = help.strip_prefix("use double quotes: ").unwrap_or_else(|| panic!("{error}"));
    let span = error.span();
    format!("{}{with}{}", &text[..span.start()], &text[span.end()..])
}

#[test]
fn quotes_of_other_languages_are_replaced() {
    let row = json!({ "Name": "web-1", "Title": "a b", "Tags": ["web-1"] });
    for (open, close) in [
        ("\\\"", "\\\""),
        ("\\'", "\\'"),
        ("\\`", "\\`"),
        ("'", "'"),
        ("%22", "%22"),
        ("%27", "%27"),
        ("&quot;", "&quot;"),
        ("\u{201c}", "\u{201d}"),
        ("\u{2018}", "\u{2019}"),
    ] {
        for dialect in [Dialect::Bexpr, Dialect::Extended] {
            let options = Options::new().dialect(dialect);
            for clause in [
                "Name == @web-1#",
                "Title == @a b#",
                "Tags contains @web-1# and Name != x",
                "Name matches @^web#",
            ] {
                let text = clause.replace('@', open).replace('#', close);
                let fixed = applied(&text, &options);
                let filter = Filter::compile_with(&fixed, &options)
                    .unwrap_or_else(|error| panic!("{text} -> {fixed}: {error}"));
                assert!(filter.matches(&row), "{text} -> {fixed}");
            }
        }
    }
}

#[test]
fn no_hint_is_about_an_operator_that_is_not_there() {
    for text in ["a == = b", "a contains = b", "a matches =b", "a in == b"] {
        let Err(error) = Filter::<serde_json::Value>::compile(text) else { continue };
        assert!(!error.to_string().contains("==="), "{error}");
    }
    let error = Filter::<serde_json::Value>::compile("a === b").unwrap_err();
    assert_eq!(error.help(), Some("write `==`"));
}
