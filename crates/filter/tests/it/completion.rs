//! Goal: each candidate is valid at its cursor, and every cursor in every text gets a result.
//!
//! Method: a struct with a field of every kind; examples with `|` for the cursor; candidates
//! checked by the compiler; random text.

use std::collections::BTreeMap;

use proptest::prelude::*;
use statehold_filter::{
    CANDIDATES_MAX, Candidate, CandidateRole, Dialect, Filter, Filterable, Kind, complete,
};
use uuid::Uuid;

#[derive(Filterable)]
#[filterable(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its names count")]
enum Mode {
    Reader,
    ReadWrite,
}

#[derive(Filterable)]
struct Topology {
    zone: String,
    segments: BTreeMap<String, String>,
}

#[derive(Filterable)]
#[filterable(rename_all = "PascalCase")]
struct Volume {
    #[filterable(rename = "ID")]
    id: Uuid,
    name: Option<String>,
    size: u64,
    offset: i32,
    ratio: f64,
    letter: char,
    ready: bool,
    mode: Mode,
    modes: Vec<Mode>,
    tags: Vec<String>,
    bytes: Vec<u8>,
    topologies: Vec<Topology>,
    first: Option<Topology>,
    meta: BTreeMap<String, String>,
    ports: BTreeMap<u16, bool>,
}

fn keys(map: &str) -> Vec<String> {
    let keys: &[&str] = match map {
        "Meta" => &["env", "a b", "0", "\u{e9}t\u{e9}"],
        "Ports" => &["80", "443"],
        "t.segments" | "First.segments" => &["zone"],
        "" => &["name", "not bare"],
        _ => &[],
    };
    keys.iter().map(|key| (*key).to_owned()).collect()
}

fn at(kind: Kind, text: &str) -> Vec<Candidate> {
    at_in(Dialect::Bexpr, kind, text)
}

fn at_in(dialect: Dialect, kind: Kind, text: &str) -> Vec<Candidate> {
    let cursor = text.find('|').unwrap_or(text.len());
    complete(kind, dialect, &text.replace('|', ""), cursor, &keys)
}

fn texts(text: &str) -> Vec<String> {
    at(Volume::KIND, text).iter().map(|candidate| candidate.text().to_owned()).collect()
}

#[test]
fn completion_offers_what_the_grammar_expects() {
    for (text, expected) in [
        ("Na|me == 3", "Name"),
        ("na", "Name"),
        ("m", "Mode|Modes|Meta"),
        ("not T", "Tags|Topologies"),
        ("(Ra", "Ratio"),
        ("Mode == ", "reader|\"read-write\""),
        ("Mode == \"read-", "\"read-write\""),
        ("Mode == r", "reader|\"read-write\""),
        ("Modes contains R", "reader|\"read-write\""),
        ("Ready != ", "true|false"),
        ("Ready != t", "true"),
        ("Ready =", "=="),
        ("Ready !", "!="),
        ("Size == ", ""),
        ("Ready == true", "true"),
        ("Ready == true ", "and|or"),
        ("Size == 3 ", "and|or"),
        ("Size == 3", ""),
        ("Name == \"a b\"", ""),
        ("(Ready == true ", "and|or|)"),
        ("((Ready == true) ", "and|or|)"),
        ("Ready == true a", "and"),
        ("Tags ", "contains|not contains|is empty|is not empty|is nil|is not nil"),
        ("Tags n", "not contains"),
        ("Name is ", "empty|nil|not empty|not nil"),
        ("Size is ", "nil|not nil"),
        ("Name is not ", "empty|nil"),
        ("Name is n", "nil|not empty|not nil"),
        ("Name not ", "contains|matches|in"),
        ("web ", "in|not in"),
        ("3 ", "in|not in"),
        ("web in Ta", "Tags"),
        ("web in Si", ""),
        ("web not in Ta", "Tags"),
        ("any T", "Tags|Topologies"),
        ("any Tags ", "as"),
        ("any Tags as t ", "{"),
        (
            "any Tags as t { ",
            "t|ID|Name|Size|Offset|Ratio|Letter|Ready|Mode|Modes|Tags|Bytes|\
          Topologies|First|Meta|Ports|not|any|all",
        ),
        ("any Topologies as t { t.", "zone|segments"),
        ("any Topologies as t { t.segments.", "zone"),
        ("any Topologies as i, t { t.z", "zone"),
        ("any Topologies as i, _ { i ", "==|!=|is nil|is not nil"),
        ("any Topologies as t { t.zone == a ", "and|or|}"),
        ("any Topologies as t { t.zone == a } ", "and|or"),
        ("any Tags as t { t == a } and t.", ""),
        ("First.", "zone|segments"),
        ("First.segments.z", "zone"),
        ("Meta.", "env|[\"a b\"]|0|[\"\u{e9}t\u{e9}\"]"),
        ("Meta.e", "env"),
        ("Meta[", "[\"env\"]|[\"a b\"]|[\"0\"]|[\"\u{e9}t\u{e9}\"]"),
        ("Meta[\"a", "[\"a b\"]"),
        ("Meta contains ", "env|\"a b\"|\"0\"|\"\u{e9}t\u{e9}\""),
        ("Ports.4", "443"),
        ("Ports.443 == ", "true|false"),
        ("Nope.", ""),
        ("~ Na", ""),
        ("~ and Na", "Name"),
        ("Size == 3 } and Na", "Name"),
    ] {
        let expected: Vec<&str> = expected.split('|').filter(|part| !part.is_empty()).collect();
        assert_eq!(texts(text), expected, "{text}");
    }
}

#[test]
fn rows_without_schema_complete_from_caller_keys() {
    let texts = |text: &str| -> Vec<String> {
        let found = at(serde_json::Value::KIND, text);
        found.iter().map(|candidate| candidate.text().to_owned()).collect()
    };
    assert_eq!(texts("na"), ["name"]);
    assert_eq!(texts("name i"), ["is empty", "is not empty", "is nil", "is not nil", "in"]);
}

#[test]
fn accepting_a_candidate_completes_the_text() {
    for (text, chosen, expected) in [
        ("na", "Name", "Name"),
        ("Meta.", "[\"a b\"]", "Meta[\"a b\"]"),
        ("Meta.a", "[\"a b\"]", "Meta[\"a b\"]"),
        ("Meta[\"a", "[\"a b\"]", "Meta[\"a b\"]"),
        ("Name is n", "not nil", "Name is not nil"),
        ("Ready =", "==", "Ready =="),
        ("Mode == \"re", "\"reader\"", "Mode == \"reader\""),
    ] {
        let candidates = at(Volume::KIND, text);
        let candidate = candidates.iter().find(|candidate| candidate.text() == chosen);
        let candidate = candidate.unwrap_or_else(|| panic!("{text}: no {chosen}"));
        let mut accepted = text.to_owned();
        accepted.replace_range(std::ops::Range::from(candidate.replaces()), candidate.text());
        assert_eq!(accepted, expected);
    }
}

/// The compiler and completion agree on the operators of a field.
#[test]
fn offered_operators_are_exactly_the_applicable_ones() {
    const ALL: [&str; 10] = [
        "==",
        "!=",
        "contains",
        "not contains",
        "matches",
        "not matches",
        "is empty",
        "is not empty",
        "is nil",
        "is not nil",
    ];
    let schema = Volume::KIND.schema().expect("a struct");
    for field in schema.names() {
        let offered = texts(&format!("{field} "));
        for operator in ALL {
            let value = if operator.starts_with("is") { "" } else { "1" };
            let text = format!("{field} {operator} {value}");
            assert_eq!(
                Filter::<Volume>::compile(&text).is_ok(),
                offered.iter().any(|offered| offered == operator),
                "{text}"
            );
        }
    }
}

#[test]
fn a_cursor_inside_a_character_is_rounded_down() {
    let text = "Name == \"\u{e9}\u{20ac}\u{1f600}\" and N";
    for cursor in 0..text.len() + 8 {
        for candidate in complete(Volume::KIND, Dialect::Bexpr, text, cursor, &keys) {
            assert!(candidate.replaces().end() <= cursor);
        }
    }
}

#[test]
fn candidates_are_limited() {
    let many = |_: &str| (0..10_000).map(|n| format!("key{n}")).collect();
    assert_eq!(complete(Volume::KIND, Dialect::Bexpr, "Meta.", 5, &many).len(), CANDIDATES_MAX);
}

fn begun() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        "(not|in|is|and|or|any|all|as|empty|nil|contains|matches) ",
        "(Name|Mode|Meta|Tags|Topologies|t|First)[.\\[]?",
        "(\"|`|\\[\"|\"\\]|\u{e9}|\\\\|zone|segments|env)",
        "[(){}\\[\\],.=!<>_ 0-9-]",
        " (==|!=) ",
        "(in|contains any) \\[|, |\\]| <=? ?|\\*|between |starts with |#",
        "any Topologies as i, t \\{ ",
    ];
    prop::collection::vec(token, 0..16).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_cursor_in_every_text_completes(
        text in prop_oneof![begun(), ".{0,24}"],
        cursor in 0usize..200,
    ) {
        for (kind, dialect) in [
            (Volume::KIND, Dialect::Bexpr),
            (Volume::KIND, Dialect::Extended),
            (serde_json::Value::KIND, Dialect::Extended),
        ] {
            for candidate in complete(kind, dialect, &text, cursor, &keys) {
                let span = candidate.replaces();
                prop_assert!(text.is_char_boundary(span.start()));
                prop_assert!(text.is_char_boundary(span.end()));
                prop_assert!(span.end() <= cursor);
            }
        }
    }

    /// Behind a complete prefix, each offered field compiles.
    #[test]
    fn offered_selectors_compile(prefix in prop_oneof![
        Just(""), Just("not "), Just("Size == 3 and "), Just("("), Just("First."),
        Just("any Topologies as t { "), Just("any Topologies as i, t { t."), Just("Meta."),
    ]) {
        for candidate in at(Volume::KIND, prefix) {
            let selector = [CandidateRole::Selector, CandidateRole::Key];
            if selector.contains(&candidate.role()) {
                let mut text = prefix.to_owned();
                let range = std::ops::Range::from(candidate.replaces());
                text.replace_range(range, candidate.text());
                text += " is nil";
                text += match prefix.chars().next() { Some('a') => " }", Some('(') => ")", _ => "" };
                let result = Filter::<Volume>::compile(&text);
                prop_assert!(result.is_ok(), "{:?}", result.map_err(|error| error.to_string()));
            }
        }
    }
}

#[test]
fn the_default_dialect_has_no_lists_orders_or_comments() {
    for text in ["Size < 3 ", "Mode in [", "Name starts ", "Ready == # x\n"] {
        assert_eq!(texts(text), [""; 0], "{text}");
    }
    let lists = |dialect| {
        let found = at_in(dialect, Volume::KIND, "web in ");
        found.iter().any(|candidate| candidate.text() == "[")
    };
    assert!(lists(Dialect::Extended) && !lists(Dialect::Bexpr));
}

#[test]
fn candidates_are_unique() {
    for dialect in [Dialect::Bexpr, Dialect::Extended] {
        for text in ["", "name ", "name i", "name not ", "web in ", "name is "] {
            let found = at_in(dialect, serde_json::Value::KIND, text);
            for (index, candidate) in found.iter().enumerate() {
                let before = &found[..index];
                assert!(
                    before.iter().all(|other| other.text() != candidate.text()),
                    "{candidate:?}"
                );
            }
        }
    }
}

#[test]
fn the_extended_dialect_has_its_operators_and_lists() {
    let extended = |text: &str| {
        let found = at_in(Dialect::Extended, Volume::KIND, text);
        let texts: Vec<&str> = found.iter().map(Candidate::text).collect();
        texts.join("|")
    };
    for (text, expected) in [
        ("Size ", "==|!=|<|<=|>|>=|between|not between|in|not in|is nil|is not nil"),
        ("Tags c", "contains|contains any|contains all|contains*"),
        ("Name s", "starts with"),
        (
            "Name not ",
            "between|contains|contains any|contains all|starts with|ends with|matches|contains*|matches*|in",
        ),
        ("Name starts ", "with"),
        ("Size < 3 ", "and|or"),
        ("Size <= 3 and Na", "Name"),
        ("Size between 1 ", "and"),
        ("Size between 1 and 2 ", "and|or"),
        ("Mode in [", "reader|\"read-write\""),
        ("Mode in [reader, r", "reader|\"read-write\""),
        ("Mode in [reader ", ",|]"),
        ("Mode in [reader] ", "and|or"),
        ("Modes contains any [", "reader|\"read-write\""),
        ("Meta contains all [e", "env"),
        ("Mode ==* reader ", "and|or"),
        ("Ready == # fal", ""),
        ("Ready == # fal\n", "true|false"),
        ("Ready ==", "true|false"),
    ] {
        assert_eq!(extended(text), expected, "{text}");
    }
}

/// Behind each kind of field, each offered operator compiles with a value, and no other does.
#[test]
fn offered_operators_are_those_that_compile() {
    let fields = [
        "ID",
        "Name",
        "Size",
        "Letter",
        "Ready",
        "Mode",
        "Tags",
        "Bytes",
        "Topologies",
        "First",
        "Meta",
    ];
    let values = ["", " 1", " [1]", " \"a\"", " 1 and 2", " true", " [true]"];
    for dialect in [Dialect::Bexpr, Dialect::Extended] {
        let options = statehold_filter::Options::new().dialect(dialect);
        let all = at_in(Dialect::Extended, serde_json::Value::KIND, "x ");
        for field in fields {
            let offered = at_in(dialect, Volume::KIND, &format!("{field} "));
            for operator in all.iter().map(Candidate::text) {
                let takes = if operator.starts_with("is ") { &values[..1] } else { &values[1..] };
                let compiles = takes.iter().any(|value| {
                    let text = format!("{field} {operator}{value}");
                    Filter::<Volume>::compile_with(&text, &options).is_ok()
                });
                let offered = offered.iter().any(|candidate| candidate.text() == operator);
                assert_eq!(offered, compiles, "{field} {operator}");
            }
        }
    }
}
