//! Goal: `matches` agrees with the `regex` crate, in every way that a pattern is searched.
//!
//! Method: random patterns, written once in the syntax of the language and once in that of the
//! crate; random strings, and lists of bytes that are not UTF-8.

use proptest::prelude::*;
use regex::bytes::RegexBuilder;
use statehold_filter::{CompileErrorKind, Dialect, Filter, Filterable, Limits, Options, quote};

#[derive(Filterable)]
struct Row {
    text: String,
    bytes: Vec<u8>,
}

/// A pattern in the syntax of the language, and in that of the crate.
type Written = (String, String);

fn same(pattern: &str) -> Written {
    (pattern.to_owned(), pattern.to_owned())
}

/// A part that a repetition may follow.
fn atom() -> BoxedStrategy<Written> {
    let plain = prop::sample::select(&[
        "a",
        "b",
        "B",
        "k",
        "\u{e9}",
        "\u{df}",
        "\u{1F600}",
        "_",
        " ",
        "-",
        ".",
        "(?s:.)",
        "[ab]",
        "[^a]",
        "[^\\n]",
        "[a-k1-3]",
        "[\\x{80}-\\x{10FFFF}]",
        "\\pL",
        "\\p{Greek}",
        "\\PN",
        "[[:alpha:]]",
        "[[:^upper:]]",
        "[\\p{Lu}_]",
        "\\.",
        "\\n",
        "\\x41",
        "\\x{e9}",
        "()",
        "(?:)",
        "(a|)",
        "(|b)",
        "\\x{212A}",
    ])
    .prop_map(same)
    .boxed();
    let translated = prop::sample::select(&[
        ("\\d", "[0-9]"),
        ("\\D", "[^0-9]"),
        ("\\w", "[0-9A-Za-z_]"),
        ("\\W", "[^0-9A-Za-z_]"),
        ("\\s", "[\\t\\n\\f\\r ]"),
        ("\\S", "[^\\t\\n\\f\\r ]"),
        ("[\\w\u{e9}]", "[0-9A-Za-z_\u{e9}]"),
        ("\\Qa.\\E", "(?:a\\.)"),
        ("[a&&b]", "[a\\&b]"),
        ("[[a]", "[\\[a]"),
        ("{", "\\{"),
        ("\\101", "A"),
        ("(?P<n>a)", "a"),
    ])
    .prop_map(|(own, other)| (own.to_owned(), other.to_owned()))
    .boxed();
    prop_oneof![3 => plain, 2 => translated].boxed()
}

fn anchor() -> BoxedStrategy<Written> {
    prop::sample::select(&[
        ("^", "^"),
        ("$", "$"),
        ("\\A", "\\A"),
        ("\\z", "\\z"),
        ("\\b", "(?-u:\\b)"),
        ("\\B", "(?-u:\\B)"),
    ])
    .prop_map(|(own, other)| (own.to_owned(), other.to_owned()))
    .boxed()
}

fn pattern() -> BoxedStrategy<Written> {
    let leaf = prop_oneof![1 => Just(same("")).boxed(), 6 => atom(), 2 => anchor()].boxed();
    let deep = leaf.prop_recursive(4, 16, 4, |inner| {
        let many = || prop::collection::vec(inner.clone(), 1..5);
        let joined = |separator: &'static str| {
            move |parts: Vec<Written>| {
                let (own, other): (Vec<String>, Vec<String>) = parts.into_iter().unzip();
                (own.join(separator), other.join(separator))
            }
        };
        let group =
            prop::sample::select(&["(", "(?:", "(?i:", "(?s:", "(?m:", "(?i-s:", "(?-i:", "(?ms:"]);
        let counts = prop::sample::select(&[
            "*", "+", "?", "{0}", "{2}", "{0,3}", "{1,}", "{12}", "*?", "+?", "{2,4}?",
        ]);
        let flags = prop::sample::select(&["(?i)", "(?s)", "(?m)"]);
        prop_oneof![
            many().prop_map(joined("")).boxed(),
            many().prop_map(joined("|")).boxed(),
            (group, inner.clone())
                .prop_map(|(open, (own, other))| (
                    format!("{open}{own})"),
                    format!("{open}{other})")
                ))
                .boxed(),
            (flags, inner.clone())
                .prop_map(|(flag, (own, other))| (format!("{flag}{own}"), format!("{flag}{other}")))
                .boxed(),
            (inner.clone(), counts.clone())
                .prop_map(|((own, other), count)| (
                    format!("(?:{own}){count}"),
                    format!("(?:{other}){count}")
                ))
                .boxed(),
            (atom(), counts)
                .prop_map(|((own, other), count)| (
                    format!("(?:{own}){count}"),
                    format!("(?:{other}){count}")
                ))
                .boxed(),
        ]
    });
    deep.boxed()
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => "[abABkK1_. \\n-]{0,12}",
        2 => "[ab]{0,40}",
        1 => "[ab\u{e9}\u{c9}\u{df}\u{212A}\u{3b1}\u{1F600}\u{661}\u{a0}]{0,8}",
        1 => ".{0,8}",
    ]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        Just(b'a'),
        Just(b'B'),
        Just(b'\n'),
        Just(0xC3),
        Just(0xA9),
        Just(0xFF),
        any::<u8>()
    ];
    prop::collection::vec(byte, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn matches_finds_what_the_regex_crate_finds(
        (own, other) in pattern(),
        texts in prop::collection::vec(text(), 1..6),
        lists in prop::collection::vec(bytes(), 1..4)
    ) {
        let options = Options::new().dialect(Dialect::Extended);
        for (operator, fold) in [("matches", false), ("matches*", true)] {
            let regex = RegexBuilder::new(&other).case_insensitive(fold).build();
            let compiled = |field: &str| {
                Filter::<Row>::compile_with(&format!("{field} {operator} {}", quote(&own)), &options)
            };
            // Nested counts may exceed a limit that the crate does not have.
            let (Ok(regex), Ok(text), Ok(bytes)) = (regex, compiled("text"), compiled("bytes")) else {
                prop_assert!(own.matches('{').count() > 1, "{own} is refused");
                continue;
            };
            for own_text in &texts {
                let row = Row { text: own_text.clone(), bytes: own_text.clone().into_bytes() };
                let found = regex.is_match(own_text.as_bytes());
                prop_assert_eq!(text.matches(&row), found, "{} {} on {:?}", operator, &own, own_text);
                prop_assert_eq!(bytes.matches(&row), found, "{} {} on {:?}", operator, &own, own_text);
            }
            for list in &lists {
                let row = Row { text: String::new(), bytes: list.clone() };
                prop_assert_eq!(bytes.matches(&row), regex.is_match(list), "{} {} on {:?}", operator, &own, list);
            }
        }
    }
}

#[test]
fn searches_with_and_without_a_table_agree() {
    // Those of the second row have more states than a table may have.
    for pattern in [
        "^web-[0-9]+$",
        "a.b|c$",
        "(?i)\u{e9}+",
        "a.{12}b",
        "^\\pL+$",
        "(a|b|ab){20}c",
        "[^\\pN]{9}$",
    ] {
        let filter = Filter::<Row>::compile(&format!("text matches {}", quote(pattern)))
            .expect("it compiles");
        let regex = RegexBuilder::new(pattern).build().expect("it compiles");
        for text in [
            "web-17",
            "axb",
            "\u{c9}",
            &"ab".repeat(20),
            "\u{3b1}b\u{e9}",
            &("ab".repeat(10) + "c"),
            "",
        ] {
            let row = Row { text: text.to_owned(), bytes: Vec::new() };
            assert_eq!(
                filter.matches(&row),
                regex.is_match(text.as_bytes()),
                "{pattern} on {text}"
            );
        }
    }
}

#[test]
fn classes_that_merge_slowly_count_against_the_limit() {
    let compiled = |pattern: String| {
        Filter::<Row>::compile(&format!("text matches `{pattern}`"))
            .map(drop)
            .map_err(|error| error.kind().clone())
    };
    // Each of these would compile to a few states, but folds a million characters a hundred times
    // and more.
    for class in [r"\pL", r"\PL", "[\u{a2}-\u{10FFFF}]", r"[\D]", "[[:^word:]]"] {
        let folded = compiled(format!("(?i){}", class.repeat(100)));
        assert!(matches!(folded, Err(CompileErrorKind::PatternTooLarge { .. })), "{class}");
        assert_eq!(compiled(format!("(?i)^{class}+ {class}?$")), Ok(()), "{class}");
        assert_eq!(compiled(class.repeat(2)), Ok(()), "{class}");
    }
    assert!(compiled(format!("[{}]", r"\pL\PL".repeat(200))).is_err());
    // The bytes of one pattern are not available to the next.
    let one = r"text matches `(?i)[\pL\PL]`";
    assert!(Filter::<Row>::compile(&[one; 20].join(" or ")).is_err());
    assert!(Filter::<Row>::compile(&[one; 4].join(" or ")).is_ok());
}

#[test]
fn lone_braces_and_brackets_are_characters() {
    for (pattern, text) in [
        ("^{{{1,2$", "{{{1,2"),
        ("^a{1,b}$", "a{1,b}"),
        ("^a{,2}{$", "a{,2}{"),
        ("^[[:a]$", ":"),
        ("^[[:a][[:b]$", "[:"),
        ("^a{2}b{1,}c{0,1}$", "aabb"),
    ] {
        let filter = Filter::<Row>::compile(&format!("text matches `{pattern}`")).expect(pattern);
        assert!(filter.matches(&Row { text: text.to_owned(), bytes: Vec::new() }), "{pattern}");
    }
}

#[test]
fn all_searches_without_a_table_agree() {
    // Few letters, so that the cached search gives up; short strings are then searched by
    // backtracking, long ones by simulation.
    let mut bits = 1_u64;
    let mut next = || {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        bits
    };
    let mut texts: Vec<String> = Vec::new();
    for length in (0..400).map(|n| n % 40).chain([500, 1_000, 3_000]) {
        for letters in ["ab", "abc", "abcdefgh \u{e9}"] {
            let letters: Vec<char> = letters.chars().collect();
            let letter =
                |bits: u64| letters[usize::try_from(bits >> 33).unwrap_or(0) % letters.len()];
            texts.push((0..length).map(|_| letter(next())).collect());
        }
    }
    for pattern in [
        "a.{12}c",
        "^a.{12}c",
        "a[ab]{12}c",
        "a[ab]{500}c",
        "(abc|ba)[ab]{13}c",
        "(?i)A.{12}C$",
        r"\ba.{12}\b",
        "(a.{12}c)?$",
        "[^a]{14}b",
    ] {
        let options = Options::new().limits(Limits { row_steps: u64::MAX, ..Limits::default() });
        let text = format!("text matches {}", quote(pattern));
        let filter = Filter::<Row>::compile_with(&text, &options).expect("it compiles");
        let regex = RegexBuilder::new(pattern).unicode(true).build().expect("it compiles");
        for text in &texts {
            let row = Row { text: text.clone(), bytes: Vec::new() };
            let found = filter.try_matches(&row).expect("it is within the steps");
            let ascii = pattern.contains(r"\b") && !text.is_ascii();
            assert!(ascii || found == regex.is_match(text.as_bytes()), "{pattern} on {text}");
        }
    }
}
