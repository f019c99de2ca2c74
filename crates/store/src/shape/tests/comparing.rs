//! Recorded shapes beside those of types.

use super::*;

fn part<Was: DeserializeOwned, Is: DeserializeOwned>() -> Option<String> {
    let (was, is) = (
        explore::explore::<Was>(Values::default()).unwrap(),
        explore::explore::<Is>(Values::default()).unwrap(),
    );
    match compare(&was.text(), &is.text()) {
        Compared::Same | Compared::Learned(_) => None,
        Compared::Differs(difference) => Some(difference),
        other => panic!("{other:?}"),
    }
}

mod before {
    use super::*;

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only read")]
    pub(super) struct Node {
        id: String,
        owner: String,
        secret: String,
        size: u32,
        state: State,
        spec: Vec<Spec>,
    }

    #[derive(Deserialize)]
    pub(super) enum State {
        A,
        B(#[expect(dead_code, reason = "only read")] u8),
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only read")]
    pub(super) struct Spec {
        cpu: u8,
    }
}

/// Rows like [`before::Node`] with one thing changed each.
macro_rules! after {
    ($name:ident { $($field:ident: $ty:ty),* }) => {
        #[derive(Deserialize)]
        #[expect(dead_code, reason = "only read")]
        struct $name { $($field: $ty),* }
    };
}

#[test]
fn a_difference_is_named_by_its_field() {
    use before::{Node, Spec, State};
    #[derive(Deserialize)]
    enum InFront {
        Z,
        A,
        B(#[expect(dead_code, reason = "only read")] u8),
    }
    #[derive(Deserialize)]
    enum Longer {
        A,
        B(#[expect(dead_code, reason = "only read")] u8),
        C,
    }
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Wider {
        cpu: u16,
    }
    after!(Same { id: Meterless, owner: String, secret: Box<str>, size: u32, state: State, spec: Vec<Spec> });
    after!(Swap { id: String, secret: String, owner: String, size: u32, state: State, spec: Vec<Spec> });
    after!(Signed { id: String, owner: String, secret: String, size: i32, state: State, spec: Vec<Spec> });
    after!(Front { id: String, owner: String, secret: String, size: u32, state: InFront, spec: Vec<Spec> });
    after!(End { id: String, owner: String, secret: String, size: u32, state: Longer, spec: Vec<Spec> });
    after!(Nested { id: String, owner: String, secret: String, size: u32, state: State, spec: Vec<Wider> });
    after!(Shorter { id: String, owner: String, secret: String, size: u32, state: State });
    assert_eq!(part::<Node, Same>(), None);
    assert_eq!(part::<Node, Swap>().unwrap(), "field 2 was `owner: string`, is `secret: string`");
    assert_eq!(part::<Node, Signed>().unwrap(), "field 4 was `size: u32`, is `size: i32`");
    assert_eq!(part::<Node, Front>().unwrap(), "in `state` variant 1 was `A`, is `Z`");
    assert_eq!(part::<Node, End>().unwrap(), "in `state` variant 3, `C`, is new");
    assert_eq!(part::<Node, Nested>().unwrap(), "in `spec[]` field 1 was `cpu: u8`, is `cpu: u16`");
    assert_eq!(part::<Node, Shorter>().unwrap(), "field 6, `spec: list<struct>`, is gone");
    assert_eq!(part::<Shorter, Node>().unwrap(), "field 6, `spec: list<struct>`, is new");
    assert_eq!(part::<String, u8>().unwrap(), "the row was `string`, is `u8`");
    assert_eq!(
        part::<Tree, Ping>().unwrap(),
        "field 1 was `name: string`, is `pong: option<struct>`"
    );
}

/// A newtype is no part of a shape.
#[derive(Deserialize)]
struct Meterless(#[expect(dead_code, reason = "only read")] String);

#[test]
fn an_alias_hides_names_and_changes_no_shape() {
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Plain {
        a: u8,
        b: String,
    }
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Aliased {
        a: u8,
        #[serde(alias = "c")]
        b: String,
    }
    assert_eq!(text::<Aliased>(), "{*: u8, *: string}");
    assert_eq!(part::<Plain, Aliased>(), None);
}

#[test]
fn other_forms_are_not_compared_and_malformed_ones_are_errors() {
    assert_eq!(compare("2 whatever", "1 u8"), Compared::Newer);
    assert_eq!(compare("0 whatever", "1 u8"), Compared::Older);
    assert_eq!(compare("1 whatever", "1 u8"), Compared::Unreadable);
    for bad in
        ["", "1", "1 ", "x u8", "1 u9", "1 {a u8}", "1 @0", "1 (u8; 0)", "1 list<u8", "1 u8 "]
    {
        assert!(parse(bad).is_err(), "{bad}");
    }
    let deep = format!("1 {}", "list<".repeat(100_000));
    assert!(parse(&deep).is_err());
    let wide = format!("1 ({})", vec!["u8; 1000000"; 100].join(", "));
    assert!(parse(&wide).is_err());
}

proptest::proptest! {
    #[test]
    fn any_text_is_a_shape_or_an_error(
        cut in 0..400_usize,
        put in "[a-z0-9@;:,<>(){}?*.\" ]{0,6}",
    ) {
        static TEXT: std::sync::LazyLock<String> =
            std::sync::LazyLock::new(|| explore::explore::<(Row, Tree, Expression)>(Values::default()).unwrap().text());
        let at = cut.min(TEXT.len());
        let text = format!("{}{put}{}", &TEXT[..at], &TEXT[(at + put.len() / 2).min(TEXT.len())..]);
        if let Ok(shape) = parse(&text) {
            // Other texts may be of the same shape.
            let again = shape.text();
            proptest::prop_assert_eq!(parse(&again).map(|shape| shape.text()), Ok(again));
        }
        let _ = compare(&text, &TEXT);
        let _ = compare(&TEXT, &text);
    }
}

#[test]
fn cycles_of_different_lengths_end_the_comparison() {
    let cycle = |len: usize| format!("1 {}@0{}", "list<".repeat(len), ">".repeat(len));
    assert_eq!(compare(&cycle(401), &cycle(499)), Compared::Same);
}

#[test]
fn names_may_hold_any_letter() {
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Odd {
        #[serde(rename = "a, b\"\\}")]
        a: u8,
        #[serde(rename = "*")]
        b: u8,
        #[serde(rename = "")]
        c: u8,
        #[serde(rename = "größe")]
        d: u8,
    }
    assert_eq!(text::<Odd>(), r#"{"a, b\"\\}": u8, "*": u8, "": u8, größe: u8}"#);
}

fn learned(was: &str, is: &str) -> Option<String> {
    match compare(was, is) {
        Compared::Learned(text) => {
            assert_eq!(compare(&text, is), Compared::Same, "it is learned once");
            Some(text)
        }
        Compared::Same => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn part_that_one_shape_lacks_is_learned_not_refused() {
    let known = "1 {a: u8, b: string, c: list<(u8, bool)>}";
    assert_eq!(learned("1 {a: u8, b: string, c: ?, ..}", known).unwrap(), known);
    assert_eq!(learned("1 {a: u8, b: ?, ..}", known).unwrap(), known);
    assert_eq!(learned("1 ?", known).unwrap(), known);
    assert_eq!(learned(known, "1 {a: u8, b: string, c: ?, ..}"), None);
    assert_eq!(
        learned("1 {a: (u8, ..), b: enum{A, B?}}", "1 {a: ?, b: enum{A?, B{x: u8}}}").unwrap(),
        "1 {a: (u8, ..), b: enum{A, B{x: u8}}}"
    );
    // A cycle of which the first round was known in part is written out for that round.
    assert_eq!(
        learned("1 option<(u8, ?)>", "1 option<(u8, @0)>").unwrap(),
        "1 option<(u8, option<(u8, @2)>)>"
    );
}

#[test]
fn a_known_part_differs_behind_and_beside_unknown_ones() {
    let differs = |was: &str, is: &str| match compare(was, is) {
        Compared::Differs(difference) => difference,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        differs("1 {a: ?, b: u32}", "1 {a: string, b: i32}"),
        "field 2 was `b: u32`, is `b: i32`"
    );
    assert_eq!(differs("1 {a: ?, b: u32}", "1 {c: ?, b: u32}"), "field 1 was `a: ?`, is `c: ?`");
    assert_eq!(differs("1 (string, u32)", "1 (string)"), "field 2, `u32`, is gone");
    // A list that was not seen to its end may go on, and its last names may be aliases.
    assert_eq!(compare("1 (string, u32)", "1 (string, ..)"), Compared::Same);
    let aliased = "1 {a: string, alias: ?, b: ?, ..}";
    assert_eq!(learned(aliased, "1 {*: string, *: u8}").unwrap(), "1 {*: string, *: u8}");
}

#[test]
fn a_type_that_rows_are_read_as_may_be_a_tuple() {
    let rows = "1 {id: string, spec: {cpu: u64}, state: enum{A, B{x: u8}}}";
    for same in [
        "1 (string, {cpu: u64}, enum{A, B{x: u8}})",
        "1 {id: string, spec: (u64), state: enum{A, B(u8)}}",
        "1 {id: string, spec: u64, state: enum{A, B{x: u8}}}",
        "1 (string, ?, ..)",
        "1 {id: string, spec: {cpu: u64}, state: enum{A, B{x: u8}, C}}",
    ] {
        assert_eq!(compare_read(rows, same), Compared::Same, "{same}");
    }
    for other in [
        "1 (string, {cores: u64}, enum{A, B{x: u8}})",
        "1 {spec: {cpu: u64}, id: string, state: enum{A, B{x: u8}}}",
        "1 (string, {cpu: u64})",
        "1 (string, {cpu: u64}, enum{A})",
        "1 (string, {cpu: u64}, enum{Z, A, B{x: u8}})",
        "1 (string, u32, enum{A, B{x: u8}})",
        "1 (string, u64, enum{A, B{x: u16}})",
    ] {
        assert!(matches!(compare_read(rows, other), Compared::Differs(_)), "{other}");
    }
}
