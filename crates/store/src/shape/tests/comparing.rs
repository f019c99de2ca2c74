//! Recorded shapes beside those of types.

use super::*;

fn part<Was: DeserializeOwned, Is: DeserializeOwned>() -> Option<String> {
    let (was, is) = (explore::explore::<Was>().unwrap(), explore::explore::<Is>().unwrap());
    match compare(&was.text(), &is.text()) {
        Compared::Same => None,
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
fn texts_of_another_form_are_not_compared_and_others_are_errors() {
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
            std::sync::LazyLock::new(|| explore::explore::<(Row, Tree, Expression)>().unwrap().text());
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
