//! Goal: an expression with its hint applied compiles and has the meaning that its author intended.
//!
//! Method: expressions transcribed from JSON, shells, URLs, HTML and word processors, next to a row
//! that they match. The replacement of the hint is put at the span of the error.

use crate::applied;
use serde_json::json;
use statehold_filter::{Dialect, Filter, Limits, Options};

/// Returns the expression with the hint applied, if the hint suggests a replacement for the span.
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
fn hints_only_name_operators_that_are_present() {
    for text in ["a == = b", "a contains = b", "a matches =b", "a in == b"] {
        let Err(error) = Filter::<serde_json::Value>::compile(text) else { continue };
        assert!(!error.to_string().contains("==="), "{error}");
    }
    let error = Filter::<serde_json::Value>::compile("a === b").unwrap_err();
    assert_eq!(error.help(), Some("write `==`"));
}

/// Returns the expression with the hint applied, and the hint.
fn mended(text: &str, options: &Options) -> (String, String) {
    let error = Filter::<serde_json::Value>::compile_with(text, options).unwrap_err();
    let fixed = applied::mended(text, &error).unwrap_or_else(|| panic!("no replacement: {error}"));
    (fixed, error.help().unwrap_or_default().to_owned())
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
        applies(text, fixed, dialect, &row);
    }
}

/// Checks that the hint for `text` leads to `fixed`, which compiles and matches the row.
#[track_caller]
fn applies(text: &str, fixed: &str, dialect: Dialect, row: &serde_json::Value) {
    let options = Options::new().dialect(dialect);
    let (applied, help) = mended(text, &options);
    assert_eq!(applied, fixed, "{text}: {help}");
    let filter = Filter::compile_with(&applied, &options)
        .unwrap_or_else(|error| panic!("{text} -> {applied}: {error}"));
    assert!(filter.matches(row), "{text} -> {applied}");
}

#[test]
fn values_of_other_formats_are_rewritten() {
    let row = json!({
        "Name": "web", "Size": 1000, "Age": "1h30m", "Disk": "10GiB", "Braces": "{x}", "Note": "@Note",
        "Since": "2026-01-02T03:04:05Z", "Large": -1_234_567,
    });
    let (bexpr, extended) = (Dialect::Bexpr, Dialect::Extended);
    for dialect in [bexpr, extended] {
        for (text, fixed) in [
            ("Size == 1,000", "Size == 1000"),
            ("Large == -1,234,567 and Name == web", "Large == -1234567 and Name == web"),
            ("Name == (web)", "Name == web"),
            ("Name == ( \"web\" ) and Size != 1", "Name == \"web\" and Size != 1"),
            ("Braces == {x}", "Braces == \"{x}\""),
            ("Name == \"\"web\"\"", "Name == \"web\""),
            ("Name == \"\"\"web\"\"\"", "Name == \"web\""),
            ("Name == ``web``", "Name == \"web\""),
            ("Name == \"web\"&&Size != 1", "Name == \"web\" and Size != 1"),
            ("Name == \"web\",Size != 1", "Name == \"web\" and Size != 1"),
            ("(Name == web)&& Size != 1", "(Name == web) and  Size != 1"),
            ("Name == web, Size != 1", "Name == web and  Size != 1"),
        ] {
            applies(text, fixed, dialect, &row);
        }
    }
    for (dialect, text, fixed) in [
        (bexpr, "Disk == 10 GiB", "Disk == \"10GiB\""),
        (extended, "Disk == 10 GiB", "Disk == 10GiB"),
        (bexpr, "(Age == 1h 30m)", "(Age == \"1h30m\")"),
        (extended, "Age == 1h 30m and Size != 1", "Age == 1h30m and Size != 1"),
        (extended, "Age == 1h 30 m", "Age == 1h30m"),
        (extended, "Disk between 10 GiB and 11GiB", "Disk between 10GiB and 11GiB"),
        (extended, "Disk between 9GiB and 11 GiB", "Disk between 9GiB and 11GiB"),
        (extended, "Disk in [10 GiB, 11GiB]", "Disk in [10GiB, 11GiB]"),
        (bexpr, "Since == 2026-01-02 03:04:05Z", "Since == \"2026-01-02T03:04:05Z\""),
        (extended, "Since == 2026-01-02 03:04:05Z", "Since == 2026-01-02T03:04:05Z"),
        (bexpr, "Note matches @Note", "Note matches \"@Note\""),
    ] {
        applies(text, fixed, dialect, &row);
    }
}

#[test]
fn lists_of_other_languages_are_rewritten() {
    let row = json!({ "Name": "web", "Size": 3 });
    let (bexpr, extended) = (Dialect::Bexpr, Dialect::Extended);
    for (dialect, text, fixed) in [
        (bexpr, r#"Name in ("web","b")"#, r#"(Name == "web" or Name == "b")"#),
        (bexpr, r#"Name not in ["a", b, 3]"#, r#"(Name != "a" and Name != b and Name != 3)"#),
        (bexpr, "Size == 3 and Name in (web)", "Size == 3 and Name == web"),
        (bexpr, r#"Name not in ["10GiB", 10GiB]"#, r#"(Name != "10GiB" and Name != "10GiB")"#),
        (extended, r#"Name in ("web","b")"#, r#"Name in ["web","b"]"#),
        (extended, "Name not in (a, b) and Size == 3", "Name not in [a, b] and Size == 3"),
        (extended, "Name == [web]", "Name in [web]"),
        (extended, "Name==[\"web\", b]", "Name in [\"web\", b]"),
        (extended, "Name != ( a, b )", "Name not in [a, b]"),
    ] {
        applies(text, fixed, dialect, &row);
    }
    // It may be a list or a string with brackets: a string stays as it is.
    applies("Name == [web]", r#"Name == "[web]""#, bexpr, &json!({ "Name": "[web]" }));
}

#[test]
fn names_of_other_languages_are_rewritten() {
    let row = json!({
        "Name": 1, "-Name": 1, "1Name": 1, "_Name": 1, "srv": { "a": 1 }, "Tags": ["web", "/srv/a"],
        "my-name": { "x": 1 }, "Meta": { "my-key": 1 },
    });
    for dialect in [Dialect::Bexpr, Dialect::Extended] {
        for (text, fixed) in [
            ("-Name == 1", r#""/-Name" == 1"#),
            ("1Name == 1", r#""/1Name" == 1"#),
            ("_Name == 1", r#""/_Name" == 1"#),
            ("_Name==1", r#""/_Name"==1"#),
            ("/srv/a == 1", r#""/srv/a" == 1"#),
            ("my-name.x == 1", r#""/my-name/x" == 1"#),
            ("Meta.my-key == 1", r#"Meta["my-key"] == 1"#),
            ("$Name == 1", "Name == 1"),
            ("not ($srv.a != 1)", "not (srv.a != 1)"),
            ("'Name' == 1", "Name == 1"),
            ("&quot;Name&quot; == 1", "Name == 1"),
            ("'web' in Tags", r#""web" in Tags"#),
            ("/srv/a in Tags", r#""/srv/a" in Tags"#),
        ] {
            applies(text, fixed, dialect, &row);
        }
    }
}

#[test]
fn operators_of_other_languages_are_rewritten() {
    let row = json!({ "Name": "web_1", "Word": "web", "Size": 3, "Gone": null, "Zero": "" });
    for dialect in [Dialect::Bexpr, Dialect::Extended] {
        for (text, fixed) in [
            ("Gone is null", "Gone is nil"),
            ("(Word is not NULL)", "(Word is not nil)"),
            ("Gone is None and Size == 3", "Gone is nil and Size == 3"),
            ("Zero is Empty", "Zero is empty"),
            (r#"Word like "we%""#, r#"Word matches "^we""#),
            (r#"Word like "%b""#, r#"Word matches "b$""#),
            (r#"Word like "%e%" and Size == 3"#, r#"Word matches "e" and Size == 3"#),
            ("Name LIKE 'web__'", r#"Name matches "^web..$""#),
            (r#"Word not like "a.%""#, r#"Word not matches "^a\\.""#),
            (r#"Word ilike "W%B""#, r#"Word matches "(?i)^W.*B$""#),
            (r#"Word like "web""#, r#"Word == "web""#),
            (r#"Word not like "wob""#, r#"Word != "wob""#),
            ("Word &eq; web", "Word == web"),
            ("Word&eq;web", "Word==web"),
            ("Word &ne; x", "Word != x"),
            ("Word &equals;&equals; web", "Word == web"),
            ("Word %3D%3D web", "Word == web"),
            ("Word %21%3d x", "Word != x"),
            ("Word == web &amp;&amp; Size == 3", "Word == web and Size == 3"),
            ("Word == web %26%26 Size == 3", "Word == web and Size == 3"),
            ("Word == x %7C%7C Size == 3", "Word == x or Size == 3"),
            ("(Word == web)%26%26(Size == 3)", "(Word == web) and (Size == 3)"),
            ("Word%20%3D%3D%20%22web%22%20and%20Size+%21%3D+1", r#"Word == "web" and Size != 1"#),
            ("Word+==+%22web%22", r#"Word == "web""#),
        ] {
            applies(text, fixed, dialect, &row);
        }
    }
    for (text, fixed) in [
        ("Size &lt; 4", "Size < 4"),
        ("Size &lt;= 3", "Size <= 3"),
        ("Size&gt;2", "Size>2"),
        ("Size %3E%3D 3", "Size >= 3"),
        ("Size &#60; 4", "Size < 4"),
    ] {
        applies(text, fixed, Dialect::Extended, &row);
    }
}

#[test]
fn ambiguous_mistakes_get_no_replacement() {
    for (dialect, text, help) in [
        (Dialect::Bexpr, "Size &lt; 3", "ordering needs the extended dialect"),
        (Dialect::Bexpr, "Ratio == 1,5", "a number has a decimal point"),
        (Dialect::Bexpr, "Name == a, b", "lists of values need the extended dialect"),
        (Dialect::Extended, "Name == a, b", "a list is written right of `in`"),
        (Dialect::Extended, r#"Tags contains ["a", "b"]"#, "a list is written right of `in`"),
        (
            Dialect::Bexpr,
            r#"Tags contains ["a", "b"]"#,
            "lists of values need the extended dialect",
        ),
        (Dialect::Bexpr, "Name == (web or db)", "parentheses group clauses"),
        (Dialect::Extended, "Name matches @Note", "two fields are compared by `==`"),
        (Dialect::Bexpr, "Name == @Note", "comparing with a field needs the extended dialect"),
        (Dialect::Bexpr, r#"Tags[-1] == "a""#, "an index counts from the start"),
        (Dialect::Bexpr, r#"Tags[0:2] == "a""#, "test elements"),
        (Dialect::Bexpr, r#"Tags[*] == "a""#, "test elements"),
        (Dialect::Bexpr, r#"Name like "web*""#, "write `matches` and a regular expression"),
        (Dialect::Bexpr, "10GiB == Size", "the selector is left"),
        (Dialect::Bexpr, "1.2.3 == Name", "the selector is left"),
    ] {
        let options = Options::new().dialect(dialect);
        let error = Filter::<serde_json::Value>::compile_with(text, &options).unwrap_err();
        let own = error.help().unwrap_or_default();
        assert!(own.starts_with(help), "{text}: {own}");
    }
}

#[test]
fn hints_take_time_linear_in_the_text() {
    // A hint that searched for hints in the rest would recurse once for each of these.
    for (part, times) in [("a == b, ", 8_000), ("a%25", 8_000), ("(", 8_000), ("a in (", 8_000)] {
        let text = part.repeat(times);
        let limits = Limits { text: text.len(), ..Limits::default() };
        for dialect in [Dialect::Bexpr, Dialect::Extended] {
            let options = Options::new().dialect(dialect).limits(limits.clone());
            assert!(Filter::<serde_json::Value>::compile_with(&text, &options).is_err());
        }
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
    assert_eq!(help("a BETWEEN 1 and 3", Dialect::Extended), "write `between`");
    assert_eq!(help("a[] == x", Dialect::Bexpr), r#"write a key, as in `["key"]`"#);
}

#[derive(statehold_filter::Filterable)]
#[filterable(rename_all = "PascalCase")]
struct Volume {
    name: String,
    count: i64,
    ratio: f64,
    tags: Vec<String>,
    #[filterable(unit = "bytes")]
    disk: u64,
    age: std::time::Duration,
}

fn volume() -> Volume {
    Volume {
        name: "10s".to_owned(),
        count: 1_024,
        ratio: 0.5,
        tags: vec!["10s".to_owned()],
        disk: 10 << 30,
        age: std::time::Duration::from_secs(5_400),
    }
}

#[test]
fn quantities_in_words_match_the_fields_of_their_unit() {
    for dialect in [Dialect::Bexpr, Dialect::Extended] {
        let options = Options::new().dialect(dialect);
        for text in ["Disk == 10 GiB", "Age == 1h 30m", "Count == 1,024"] {
            let (applied, help) = mended(text, &options);
            let filter = Filter::compile_with(&applied, &options)
                .unwrap_or_else(|error| panic!("{applied}: {error}"));
            assert!(filter.matches(&volume()), "{text}: {help}");
        }
    }
}

#[test]
fn fields_without_unit_get_no_quantity_hint() {
    let options = Options::new().dialect(Dialect::Extended);
    for (text, help) in [
        ("Ratio == 10s", "the field has no unit; write a number, as in `0.5`"),
        ("Ratio == 10KiB", "the field has no unit; write a number, as in `0.5`"),
        ("Count == 10s", "the field has no unit; write a whole number, as in `3`"),
    ] {
        let error = Filter::<Volume>::compile_with(text, &options).err().unwrap();
        assert_eq!(error.help(), Some(help), "{text}");
    }
}

#[test]
fn each_replacement_for_a_typed_row_compiles_and_matches() {
    let volume = volume();
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
