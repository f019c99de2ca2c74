//! Goal: hints lead from the mistakes of users of other languages to the intended expression.
//!
//! Method: the hint of each error is applied, again and again, until the expression compiles; the
//! result is compared with the intended expression. If the intention is ambiguous, the hint must
//! not suggest a replacement.

use crate::applied;
use serde_json::Value;
use statehold_filter::{Dialect, Filter, Options, parse_with};

/// Maximum number of hints for one mistake.
const HINTS_MAX: usize = 12;

/// Returns the expression that the hints lead to; an error if a hint suggests no replacement.
fn mended(text: &str, options: &Options) -> Result<String, String> {
    let mut text = text.to_owned();
    for _ in 0..HINTS_MAX {
        let Err(error) = Filter::<Value>::compile_with(&text, options) else { return Ok(text) };
        text = applied::mended(&text, &error).ok_or_else(|| error.to_string())?;
    }
    Err(format!("{text}: too many hints"))
}

/// Checks mistakes and their intended expressions in the given dialects.
fn lead_to(dialects: &[Dialect], mistakes: &[(&str, &str)]) {
    for dialect in dialects {
        let options = Options::new().dialect(*dialect);
        for (mistake, meant) in mistakes {
            assert!(Filter::<Value>::compile_with(mistake, &options).is_err(), "{mistake}");
            let fixed =
                mended(mistake, &options).unwrap_or_else(|error| panic!("{mistake}: {error}"));
            let (tree, meant) = (parse_with(&fixed, &options), parse_with(meant, &options));
            assert_eq!(tree.unwrap().to_string(), meant.unwrap().to_string(), "{mistake}: {fixed}");
        }
    }
}

const BOTH: &[Dialect] = &[Dialect::Bexpr, Dialect::Extended];
const EXTENDED: &[Dialect] = &[Dialect::Extended];

#[test]
fn mistakes_of_sql_lead_to_their_meaning() {
    lead_to(
        BOTH,
        &[
            ("Word = 'web'", "Word == web"),
            ("Word='web'", "Word == web"),
            ("Word <> 'x'", "Word != x"),
            ("Word = \"web\" AND Size = 3", "Word == web and Size == 3"),
            ("Word = 'x' OR Size = 3", "Word == x or Size == 3"),
            ("Size = 3;", "Size == 3"),
            ("Word = 'web';", "Word == web"),
            ("Word == web;", "Word == web"),
            ("Word LIKE 'we%'", "Word matches `^we`"),
            ("Word NOT LIKE 'x%'", "Word not matches `^x`"),
            ("Word ILIKE 'WE%'", "Word matches `(?i)^WE`"),
            ("Word IS NULL", "Word is nil"),
            ("Word IS NOT NULL", "Word is not nil"),
            ("Gone is null", "Gone is nil"),
            ("Word is not null", "Word is not nil"),
            ("Tags IS EMPTY", "Tags is empty"),
            ("Tags IS NOT EMPTY", "Tags is not empty"),
            ("Tags Is Empty", "Tags is empty"),
            ("NOT Word = 'x'", "not Word == x"),
            ("NOT (Word = 'x')", "not (Word == x)"),
            ("Not (Word == x)", "not (Word == x)"),
            ("not Word = 'x'", "not Word == x"),
            ("Size = 3 AND NOT (Word = 'x')", "Size == 3 and not (Word == x)"),
            ("Ready is true", "Ready == true"),
            ("Ready IS TRUE", "Ready == TRUE"),
            ("Ready IS NOT FALSE", "Ready != FALSE"),
            ("Ready = TRUE", "Ready == TRUE"),
            ("Quoted = 'it''s'", "Quoted == `it's`"),
            ("Quoted == 'it''s' and Size = 3", "Quoted == `it's` and Size == 3"),
            ("`Word` = 'web'", "Word == web"),
            ("\"Word\" = 'web'", "Word == web"),
            ("\"my-name\" = 'web'", "\"/my-name\" == web"),
            ("'a' IN Tags", "a in Tags"),
            ("'web-1' IN Tags", "`web-1` in Tags"),
            ("a IN Tags", "a in Tags"),
            ("\"a\" IN Tags", "a in Tags"),
            ("\"a\" NOT IN Tags", "a not in Tags"),
            ("Word REGEXP '^w'", "Word matches `^w`"),
            ("Word RLIKE '^w'", "Word matches `^w`"),
            ("Word NOT REGEXP '^w'", "Word not matches `^w`"),
            ("Word ~ '^w'", "Word matches `^w`"),
            ("Word !~ '^x'", "Word not matches `^x`"),
            ("Size != 4 AND Ready = false", "Size != 4 and Ready == false"),
        ],
    );
    lead_to(
        EXTENDED,
        &[
            ("Word IN ('web', 'db')", "Word in [web, db]"),
            ("Word NOT IN ('x', 'y')", "Word not in [x, y]"),
            ("Size IN (1, 2, 3)", "Size in [1, 2, 3]"),
            ("Word In [web, db]", "Word in [web, db]"),
            ("Size BETWEEN 1 AND 5", "Size between 1 and 5"),
            ("Size NOT BETWEEN 7 AND 9", "Size not between 7 and 9"),
            ("Size > 2 AND Size < 5", "Size > 2 and Size < 5"),
            ("LENGTH(Tags) = 2", "count(Tags) == 2"),
            ("COUNT(Tags) > 1", "count(Tags) > 1"),
            ("Word ~* '^W'", "Word matches* `^W`"),
            ("Word !~* '^W'", "Word not matches* `^W`"),
            ("Word == 'web' -- the comment", "Word == web"),
            ("Created > '2025-01-01'", "Created > `2025-01-01`"),
        ],
    );
}

#[test]
fn mistakes_of_jq_lead_to_their_meaning() {
    lead_to(
        BOTH,
        &[
            (".Word == \"web\"", "Word == web"),
            (".Word==\"web\"", "Word == web"),
            (".Word == \"web\" and .Size == 3", "Word == web and Size == 3"),
            (".Word != \"x\" or .Size == 4", "Word != x or Size == 4"),
            ("(.Word == \"x\") or (.Size == 3)", "(Word == x) or (Size == 3)"),
            (".Meta.a == \"x\"", "Meta.a == x"),
            (".Meta[\"a-b\"] == \"y\"", "Meta[`a-b`] == y"),
            (".Tags[0] == \"a\"", "Tags.0 == a"),
            (".Nodes[0].ID == \"n1\"", "Nodes.0.ID == n1"),
            ("has(Meta.a)", "Meta.a is not nil"),
        ],
    );
    lead_to(
        EXTENDED,
        &[(".Size > 2", "Size > 2"), (".Size >= 2 and .Size < 5", "Size >= 2 and Size < 5")],
    );
}

#[test]
fn mistakes_of_cel_and_javascript_lead_to_their_meaning() {
    lead_to(
        BOTH,
        &[
            ("Word == \"web\" && Size == 3", "Word == web and Size == 3"),
            ("Word == \"web\" || Size == 4", "Word == web or Size == 4"),
            ("Word==\"web\"&&Size==3", "Word == web and Size == 3"),
            ("!(Word == \"x\")", "not (Word == x)"),
            ("!(Word == \"x\") && !(Size == 4)", "not (Word == x) and not (Size == 4)"),
            ("Word.contains(\"e\")", "Word contains e"),
            ("Word.contains('e') && Size == 3", "Word contains e and Size == 3"),
            ("Word.matches(\"^w\")", "Word matches `^w`"),
            ("Word.match(/^w/)", "Word matches `^w`"),
            ("Word.match(/^w/i)", "Word matches `(?i)^w`"),
            ("Tags.includes(\"a\")", "Tags contains a"),
            ("Tags.includes('a')", "Tags contains a"),
            ("!Tags.includes(\"z\")", "not Tags contains z"),
            ("Meta.has('a')", "Meta contains a"),
            ("Word.equals('web')", "Word == web"),
            ("contains(Word, 'e')", "Word contains e"),
            ("matches(Word, '^w')", "Word matches `^w`"),
            ("Word === \"web\"", "Word == web"),
            ("Word !== \"x\"", "Word != x"),
            ("Word === 'web' && Size === 3", "Word == web and Size == 3"),
            ("Meta['a'] === \"x\"", "Meta.a == x"),
            ("Meta['a-b'] === 'y'", "Meta[`a-b`] == y"),
            ("Tags[0] === 'a'", "Tags.0 == a"),
            ("Size === 3;", "Size == 3"),
            ("Word == \"web\"; Size == 3", "Word == web and Size == 3"),
            ("Ready === true", "Ready == true"),
            ("Ready == !false", "Ready == true"),
            ("Size == 3u", "Size == 3"),
            ("Size == 3n", "Size == 3"),
            ("Ratio == 0.5f", "Ratio == 0.5"),
            ("Word == \"web\" & Size == 3", "Word == web and Size == 3"),
            ("Word == \"web\" | Size == 4", "Word == web or Size == 4"),
            ("Word matches /^w/", "Word matches `^w`"),
            ("Word matches /^W/i", "Word matches `(?i)^W`"),
            ("Tags == []", "Tags is empty"),
            ("Tags != []", "Tags is not empty"),
            ("Tags===[]", "Tags is empty"),
            ("Meta == {}", "Meta is empty"),
        ],
    );
    lead_to(
        EXTENDED,
        &[
            ("Word.startsWith(\"we\")", "Word starts with we"),
            ("Word.endsWith('b')", "Word ends with b"),
            ("startswith(Word, 'we')", "Word starts with we"),
            ("size(Tags) == 2", "count(Tags) == 2"),
            ("Tags.size() > 1", "count(Tags) > 1"),
            ("Tags.length() > 1 && Size <= 3", "count(Tags) > 1 and Size <= 3"),
            ("len(Tags) == 2", "count(Tags) == 2"),
            ("Size > 2 && Size <= 3", "Size > 2 and Size <= 3"),
            ("Word == \"web\" // the comment", "Word == web"),
            ("Word in ('web', \"db\")", "Word in [web, db]"),
        ],
    );
}

#[test]
fn mistakes_of_shells_lead_to_their_meaning() {
    lead_to(
        BOTH,
        &[
            ("Name == web-1", "Name == `web-1`"),
            ("Name=web-1", "Name == `web-1`"),
            ("$Word == web", "Word == web"),
            ("${Word} == web", "Word == web"),
            ("Word -eq web", "Word == web"),
            ("Size -eq 3", "Size == 3"),
            ("Size -ne 4", "Size != 4"),
            ("Word == 'web' -a Size == 3", "Word == web and Size == 3"),
            ("Word == 'x' -o Size == 3", "Word == x or Size == 3"),
            ("! Word == x", "not Word == x"),
            ("Word =~ ^w", "Word matches `^w`"),
            ("Word == web\\ ", "Word == web"),
            ("Word == \\\"web\\\"", "Word == web"),
            ("Word == \\'web\\'", "Word == web"),
            ("\"Word == \\\"web\\\"\"", "Word == web"),
            ("'Word == \"web\"'", "Word == web"),
            ("'Word == web and Size == 3'", "Word == web and Size == 3"),
            ("\"Word\" == \"web\"", "Word == web"),
            ("'Word' == 'web'", "Word == web"),
            ("\"Size\" == 3", "Size == 3"),
            ("Word == \"web", "Word == web"),
            ("Word == web\"", "Word == web"),
            ("Word == 'web", "Word == web"),
            ("Word == \"\"web\"\"", "Word == web"),
            ("(Word == web", "Word == web"),
            ("Word == web)", "Word == web"),
            ("((Word == web)", "Word == web"),
        ],
    );
    lead_to(
        EXTENDED,
        &[
            ("Size -gt 2", "Size > 2"),
            ("Size -lt 5", "Size < 5"),
            ("Size -ge 3", "Size >= 3"),
            ("Size -le 3", "Size <= 3"),
        ],
    );
}

#[test]
fn mistakes_of_json_and_yaml_lead_to_their_meaning() {
    lead_to(
        BOTH,
        &[
            ("Word == \\\\\\\"web\\\\\\\"", "Word == web"),
            ("Word == \\u0022web\\u0022", "Word == web"),
            ("Word == \\u0027web\\u0027 and Size == 3", "Word == web and Size == 3"),
            ("\"Word\": \"web\"", "Word == web"),
            ("Word: \"web\"", "Word == web"),
            ("Word: web", "Word == web"),
            ("Word:web", "Word == web"),
            ("Size: 3", "Size == 3"),
            ("Meta.a-b == y", "Meta[`a-b`] == y"),
            ("Meta[a-b] == y", "Meta[`a-b`] == y"),
            ("Meta[\"a-b\"] = \"y\"", "Meta[`a-b`] == y"),
            ("Nodes[0].ID == n1", "Nodes.0.ID == n1"),
            ("csi:id == x", "\"/csi:id\" == x"),
        ],
    );
}

#[test]
fn words_of_english_lead_to_their_meaning() {
    lead_to(
        BOTH,
        &[
            ("Tags contain a", "Tags contains a"),
            ("Tags has a", "Tags contains a"),
            ("Tags include \"a\"", "Tags contains a"),
            ("Tags includes a", "Tags contains a"),
            ("Tags not has a", "Tags not contains a"),
            ("Tags does not contain z", "Tags not contains z"),
            ("Tags doesn't contain z", "Tags not contains z"),
            ("Tags !contains z", "Tags not contains z"),
            ("Tags not contain z", "Tags not contains z"),
            ("Tags CONTAINS a", "Tags contains a"),
            ("Tags NOT CONTAINS a", "Tags not contains a"),
            ("Word not equals x", "Word != x"),
            ("Word does not equal x", "Word != x"),
            ("Word is equal to web", "Word == web"),
            ("Word is web", "Word == web"),
            ("Word is \"web\"", "Word == web"),
            ("Word is 'web'", "Word == web"),
            ("Word is not x", "Word != x"),
            ("Word is not \"x\" and Size is 3", "Word != x and Size == 3"),
            ("Word equals web", "Word == web"),
            ("Word equal web", "Word == web"),
            ("Word Matches \"^w\"", "Word matches `^w`"),
            ("Word MATCHES '^w'", "Word matches `^w`"),
            ("Word does not match '^x'", "Word not matches `^x`"),
            ("Gone IS NIL", "Gone is nil"),
            ("Gone is Nil", "Gone is nil"),
            ("Tags isEmpty", "Tags is empty"),
            ("Tags is notempty", "Tags is not empty"),
            ("Word \u{2260} x", "Word != x"),
            ("Word == \u{201c}web\u{201d}", "Word == web"),
            ("Word == web, Size == 3", "Word == web and Size == 3"),
            ("any t in Tags { t == \"a\" }", "any Tags as t { t == a }"),
            ("any Nodes n { n.ID == \"n1\" }", "any Nodes as n { n.ID == n1 }"),
            ("any Nodes as n { n.ID = \"n1\" }", "any Nodes as n { n.ID == n1 }"),
            ("all Tags as t { t != \"z\"", "all Tags as t { t != z }"),
            ("not(Word == x)", "not (Word == x)"),
        ],
    );
    lead_to(
        EXTENDED,
        &[
            ("Word starts_with we", "Word starts with we"),
            ("Word startsWith we", "Word starts with we"),
            ("Word ends_with \"b\"", "Word ends with b"),
            ("Word begins with we", "Word starts with we"),
            ("Word does not start with x", "Word not starts with x"),
            ("Size => 3", "Size >= 3"),
            ("Size =< 3", "Size <= 3"),
            ("Size \u{2265} 3", "Size >= 3"),
            ("Size\u{2264}3", "Size <= 3"),
            ("Size greater than 2", "Size > 2"),
            ("Size is greater than 2", "Size > 2"),
            ("Size is less than or equal to 3", "Size <= 3"),
            ("Size less than 5", "Size < 5"),
            ("Size gte 3", "Size >= 3"),
            ("Size at least 3", "Size >= 3"),
            ("Size is between 1 and 5", "Size between 1 and 5"),
            ("Word is one of [web, db]", "Word in [web, db]"),
            ("Word is in [web, db]", "Word in [web, db]"),
        ],
    );
}

#[test]
fn constructs_without_counterpart_get_no_replacement() {
    for mistake in [
        "SELECT * FROM volumes WHERE Word = 'web'",
        "LOWER(Word) = 'web'",
        "Word.toLowerCase() === \"web\"",
        "'a' = ANY(Tags)",
        "Tags.some(t => t === \"a\")",
        "Tags.exists(t, t == \"a\")",
        "Tags.indexOf(\"a\") >= 0",
        "Nodes.exists(n, n.ID == \"n1\" && n.Up)",
        "int(Size) == 3",
        "any(Nodes as n { n.ID == \"n1\" })",
        "any Nodes as n ( n.ID == \"n1\" )",
        "any Tags { it == \"a\" }",
        "Word == \"web\" ? true : false",
        "Word == \"web\" Size == 3",
        "Word == web xor Size == 3",
        "Name == web-*",
        "Meta == {\"a\": \"x\"}",
        "{\"Word\": \"web\"}",
        "Size % 2 == 1",
        "Size + 1 == 4",
        "1 < Size < 5",
        "3 == Size",
        "\"web\" == Word",
        "Word == web or db",
        "Word == \"web\" or \"db\"",
        "Word == (web or db)",
        "Tags contains \"a\", \"b\"",
        "Word == web and",
        "and Word == web",
        "Meta?.a == x",
    ] {
        for dialect in BOTH {
            let options = Options::new().dialect(*dialect);
            let led = mended(mistake, &options);
            assert!(led.is_err(), "{mistake}: {led:?}");
        }
    }
}
