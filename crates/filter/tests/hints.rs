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

/// The expression with the replacement that the hint names, put in the place that the hint is about.
fn mended(text: &str, options: &Options) -> (String, String) {
    let error = Filter::<serde_json::Value>::compile_with(text, options).unwrap_err();
    let help = error.help().unwrap_or_else(|| panic!("{error}")).to_owned();
    let (start, end) = (error.span().start(), error.span().end());
    let word_start = text[..start].rfind([' ', '(']).map_or(0, |at| at + 1);
    let word_end = text[start..].find([' ', ')']).map_or(text.len(), |at| start + at);
    let bracket_end = text[start..].find(']').map_or(text.len(), |at| start + at + 1);
    let named = |before: &str, after: &str| help.strip_prefix(before)?.strip_suffix(after);
    let (start, end, with) = if let Some(with) = named("write `", "` with a space on both sides") {
        (start, end, format!(" {with} "))
    } else if help == "write `not` followed by a space" {
        (start, end, "not ".to_owned())
    } else if let Some(with) = named("write an index as `", "`") {
        (start, bracket_end, with.to_owned())
    } else if let Some(with) = named("quote the key: ", "") {
        (start, bracket_end, with.to_owned())
    } else if let Some(with) =
        named("quote this value: ", "").or(named("write this name as a pointer: ", ""))
    {
        (word_start, word_end, with.to_owned())
    } else if let Some(with) = named("use double quotes: ", "").or(named("write `", "`")) {
        (start, end, with.to_owned())
    } else if let Some(with) = named("add `", "` at the end") {
        (text.len(), text.len(), with.to_owned())
    } else if help == "nothing is open here; remove it" {
        (start, end, String::new())
    } else {
        panic!("no replacement: {error}")
    };
    (format!("{}{with}{}", &text[..start], &text[end..]), help)
}

#[test]
fn each_replacement_compiles_and_matches_its_row() {
    let row = json!({
        "Name": "web-1", "Word": "web", "Quoted": "it's", "Size": 3, "Tags": ["web-1", "b"],
        "Meta": { "a": "x", "a-b": "y" }, "my-name": "z", "Gone": null
    });
    let bexpr = Dialect::Bexpr;
    let extended = Dialect::Extended;
    for (dialect, text, fixed) in [
        (bexpr, "Word = web", "Word == web"),
        (bexpr, "Word === web", "Word == web"),
        (bexpr, "Word !== x", "Word != x"),
        (bexpr, "Word eq web", "Word == web"),
        (bexpr, "Word <> x", "Word != x"),
        (bexpr, "Word =~ `^w`", "Word matches `^w`"),
        (bexpr, "Word !~ `^x`", "Word not matches `^x`"),
        (bexpr, "Tags has b", "Tags contains b"),
        (bexpr, "!(Word == x)", "not (Word == x)"),
        (bexpr, "Word == web && Size == 3", "Word == web and Size == 3"),
        (bexpr, "Word == web&&Size == 3", "Word == web and Size == 3"),
        (bexpr, "Word == x||Size == 3", "Word == x or Size == 3"),
        (bexpr, "Word == web & Size == 3", "Word == web and Size == 3"),
        (bexpr, "Word == x | Size == 3", "Word == x or Size == 3"),
        (bexpr, "Word == web AND Size == 3", "Word == web and Size == 3"),
        (extended, "Word == web, Size == 3", "Word == web and  Size == 3"),
        (bexpr, "Name == web-1", r#"Name == "web-1""#),
        (bexpr, r#"Word == web""#, r#"Word == "web""#),
        (bexpr, "Word == 'web", r#"Word == "web""#),
        (bexpr, r#"Word == \"web\"#, r#"Word == "web""#),
        (bexpr, "Word == '''web'''", r#"Word == "web""#),
        (bexpr, "Word == ''web''", r#"Word == "web""#),
        (bexpr, r"Quoted == 'it\'s'", r#"Quoted == "it's""#),
        (bexpr, "Word == \u{ab}web\u{bb}", r#"Word == "web""#),
        (bexpr, "Word == &#39;web&#39;", r#"Word == "web""#),
        (extended, "Word == &#39;web&#39;", r#"Word == "web""#),
        (bexpr, "web-1 in Tags", r#""web-1" in Tags"#),
        (bexpr, "my-name == z", r#""/my-name" == z"#),
        (bexpr, "Meta[a] == x", r#"Meta["a"] == x"#),
        (bexpr, "Meta['a'] == x", r#"Meta["a"] == x"#),
        (bexpr, r#"Meta[\"a-b\"] == y"#, r#"Meta["a-b"] == y"#),
        (bexpr, "Tags[1] == b", "Tags.1 == b"),
        (bexpr, "(Word == web", "(Word == web)"),
        (bexpr, "any Tags as x { x == b", "any Tags as x { x == b}"),
        (bexpr, "Word == web)", "Word == web"),
        (extended, "Size ge 3", "Size >= 3"),
        (extended, "Size =< 3", "Size <= 3"),
        (extended, "Word startswith we", "Word starts with we"),
        (extended, "Word begins with we", "Word starts with we"),
        (extended, "Word ENDS WITH eb", "Word ends with eb"),
    ] {
        let options = Options::new().dialect(dialect);
        let (applied, help) = mended(text, &options);
        assert_eq!(applied, fixed, "{text}: {help}");
        let filter = Filter::compile_with(&applied, &options)
            .unwrap_or_else(|error| panic!("{text} -> {applied}: {error}"));
        assert!(filter.matches(&row), "{text} -> {applied}");
    }
}

#[test]
fn hints_about_dialects_name_operators_of_the_text() {
    let help = |text: &str, dialect| {
        let options = Options::new().dialect(dialect);
        let error = Filter::<serde_json::Value>::compile_with(text, &options).unwrap_err();
        error.help().unwrap_or_default().to_owned()
    };
    assert!(help("a ==* b", Dialect::Bexpr).contains("ignoring case"));
    assert_eq!(help("a == *", Dialect::Bexpr), r#"quote this value: "*""#);
    for text in ["a && b == c", "a and b == c", "a || b == c"] {
        assert_eq!(help(text, Dialect::Bexpr), r#"compare it, as in `a == "x"`"#);
    }
    let lower = "operators are written in lower case";
    assert_eq!(help("a BETWEEN 1 and 3", Dialect::Extended), lower);
    assert_eq!(help("a[] == x", Dialect::Bexpr), r#"write a key, as in `["key"]`"#);
}

#[derive(statehold_filter::Filterable)]
#[filterable(rename_all = "PascalCase")]
struct Volume {
    name: String,
    count: i64,
    tags: Vec<String>,
}

#[test]
fn each_replacement_for_a_typed_row_compiles_and_matches() {
    let volume = Volume { name: "10s".to_owned(), count: 1_024, tags: vec!["10s".to_owned()] };
    let options = Options::new().dialect(Dialect::Extended);
    for (text, fixed) in [
        ("Nam == \"10s\"", "Name == \"10s\""),
        ("Name == 10s", "Name == \"10s\""),
        ("Tags contains 10s", "Tags contains \"10s\""),
        ("Count == 1KiB", "Count == 1024"),
    ] {
        let error = Filter::<Volume>::compile_with(text, &options).err().unwrap();
        let help = error.help().unwrap_or_else(|| panic!("{error}"));
        let with =
            ["did you mean `", "quote this value: ", "the field has no unit; write the number: "]
                .iter()
                .find_map(|before| help.strip_prefix(before))
                .unwrap_or_else(|| panic!("{error}"));
        let with = with.trim_end_matches("`?");
        let span = error.span();
        let applied = format!("{}{with}{}", &text[..span.start()], &text[span.end()..]);
        assert_eq!(applied, fixed, "{text}: {help}");
        let filter = Filter::compile_with(&applied, &options).unwrap();
        assert!(filter.matches(&volume), "{text} -> {applied}");
    }
}
