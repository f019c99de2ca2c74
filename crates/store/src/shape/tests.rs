use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZero;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::text::parse;
use super::*;

fn text<R: DeserializeOwned>() -> String {
    let shape = explore::explore::<R>().unwrap();
    let text = shape.text();
    // Every text is read as the shape that it was written of.
    assert_eq!(parse(&text).unwrap().text(), text);
    assert_eq!(compare(&text, &text), Compared::Same);
    text.strip_prefix("1 ").unwrap().to_owned()
}

fn refusal<R: DeserializeOwned>() -> (String, error::Why) {
    let refused = explore::explore::<R>().unwrap_err();
    (refused.field, refused.why)
}

#[test]
fn scalars_and_containers_are_what_their_readers_ask_for() {
    assert_eq!(text::<String>(), "string");
    assert_eq!(text::<(u8, i16, u32, i64, u128, i128)>(), "(u8, i16, u32, i64, u128, i128)");
    assert_eq!(text::<(bool, f32, f64, char, ())>(), "(bool, f32, f64, char, unit)");
    assert_eq!(text::<usize>(), "u64");
    assert_eq!(text::<Option<Option<u8>>>(), "option<option<u8>>");
    assert_eq!(text::<Vec<(u8, String)>>(), "list<(u8, string)>");
    assert_eq!(text::<[u8; 16]>(), "(u8; 16)");
    assert_eq!(text::<BTreeMap<String, BTreeSet<u8>>>(), "map<string, list<u8>>");
    assert_eq!(text::<HashMap<u8, Box<str>>>(), "map<u8, string>");
    assert_eq!(text::<Cow<'static, str>>(), "string");
    assert_eq!(text::<NonZero<u32>>(), "u32");
    assert_eq!(text::<Uuid>(), "bytes");
    assert_eq!(text::<Duration>(), "{secs: u64, nanos: u32}");
    assert_eq!(text::<SystemTime>(), "{secs_since_epoch: u64, nanos_since_epoch: u32}");
    assert_eq!(text::<IpAddr>(), "enum{V4((u8; 4)), V6((u8; 16))}");
    assert_eq!(text::<Result<u8, String>>(), "enum{Ok(u8), Err(string)}");
    assert_eq!(text::<std::ops::Range<u8>>(), "{start: u8, end: u8}");
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Nothing;

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Empty {}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Meters(u32);

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Pair(u32, String);

#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum Kind {
    Plain,
    Sized(Meters),
    Both(u8, String),
    Named { a: u8, b: Option<Meters> },
}

/// A row with the attributes that rows may have.
#[derive(Serialize, Deserialize, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Row {
    long_name: String,
    #[serde(rename = "ID")]
    id: Uuid,
    #[serde(default)]
    kind: Option<Kind>,
    #[serde(skip)]
    cache: Vec<u8>,
    #[serde(with = "seconds")]
    wait: Duration,
    pair: Pair,
    nothing: Nothing,
    empty: Empty,
}

mod seconds {
    use super::*;

    pub(super) fn serialize<S: Serializer>(wait: &Duration, to: S) -> Result<S::Ok, S::Error> {
        wait.as_secs().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_secs)
    }
}

#[test]
fn a_struct_has_the_names_that_serde_has_for_it() {
    assert_eq!(
        text::<Row>(),
        "{longName: string, ID: bytes, kind: option<enum{Plain, Sized(u32), Both(u8, string), \
         Named{a: u8, b: option<u32>}}>, wait: u64, pair: (u32, string), nothing: unit, empty: {}}"
    );
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Tree {
    name: String,
    below: Vec<Tree>,
    best: Option<Box<Tree>>,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum Expression {
    And(Box<Expression>, Box<Expression>),
    Not(Box<Expression>),
    Is(String),
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Lists(Vec<Lists>);

#[derive(Serialize, Deserialize, Debug)]
struct Endless {
    next: Box<Endless>,
}

#[derive(Serialize, Deserialize, Debug)]
enum Never {}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Ping {
    pong: Option<Box<Pong>>,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Pong {
    ping: Vec<Ping>,
    size: u8,
}

#[test]
fn a_type_that_holds_itself_is_a_cycle() {
    assert_eq!(text::<Tree>(), "{name: string, below: list<@0>, best: option<@0>}");
    assert_eq!(text::<Expression>(), "enum{And(@0; 2), Not(@0), Is(string)}");
    assert_eq!(text::<Lists>(), "list<@0>");
    assert_eq!(text::<Ping>(), "{pong: option<{ping: list<@0>, size: u8}>}");
}

#[test]
fn a_type_without_values_ends_the_probe() {
    assert_eq!(text::<Endless>(), "{next: @0, ..}");
    assert_eq!(text::<(u8, Never, u8)>(), "(u8, enum{}, ..)");
    assert_eq!(text::<Option<Never>>(), "option<enum{}>");
}

#[derive(Serialize, Deserialize, Debug)]
struct Wrap<T> {
    inner: T,
}

#[test]
fn generic_types_of_one_name_are_told_apart() {
    assert_eq!(text::<Wrap<Wrap<Wrap<u8>>>>(), "{inner: {inner: {inner: u8}}}");
    assert_eq!(text::<(Wrap<u8>, Wrap<String>, Wrap<u8>)>(), "({inner: u8}, {inner: string}, @1)");
}

/// A string with a rule: the kind of type that refuses dummies.
#[derive(Serialize, Deserialize, Debug, PartialEq)]
#[serde(try_from = "String", into = "String")]
struct Address(IpAddr);

impl Clone for Address {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

impl TryFrom<String> for Address {
    type Error = std::net::AddrParseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.0.to_string()
    }
}

/// Accepts one string, which no list of candidates has.
#[derive(Serialize, Debug, PartialEq)]
struct Password(String);

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text == "sesame" { Ok(Self(text)) } else { Err(D::Error::custom("not the password")) }
    }
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Guarded {
    before: u8,
    inside: Option<Password>,
    many: Vec<Password>,
    after: String,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Hidden {
    before: u8,
    password: Password,
    after: String,
}

#[test]
fn values_with_rules_are_guessed() {
    assert_eq!(text::<Vec<Address>>(), "list<string>");
    assert_eq!(text::<(Address, u8, Address)>(), "(string, u8, string)");
    assert_eq!(text::<jiff::Timestamp>(), "string");
    assert_eq!(text::<(jiff::Span, jiff::civil::Date, u8)>(), "(string; 2, u8)");
    assert_eq!(text::<(SocketAddr, u8)>(), "(enum{V4(((u8; 4), u16)), V6(((u8; 16), u16))}, u8)");
}

#[test]
fn the_probe_goes_around_a_value_that_can_not_be_guessed() {
    assert_eq!(
        text::<Guarded>(),
        "{before: u8, inside: option<string>, many: list<string>, after: string}"
    );
    assert_eq!(text::<Hidden>(), "{before: u8, password: string, after: ?, ..}");
}

#[derive(Debug)]
struct Panics;

impl<'de> Deserialize<'de> for Panics {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        assert!(text.len() > 100, "on purpose");
        Ok(Self)
    }
}

#[test]
fn a_reader_that_panics_over_a_dummy_ends_no_probe() {
    assert_eq!(text::<(u8, Option<Panics>, u16)>(), "(u8, option<string>, u16)");
}

#[derive(Serialize, Deserialize, Debug)]
#[serde(tag = "kind")]
enum Tagged {
    One { size: u8 },
}

#[derive(Serialize, Deserialize, Debug)]
#[serde(untagged)]
enum Untagged {
    Text(String),
    Number(u8),
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
#[serde(tag = "kind", content = "value")]
enum Adjacent {
    Text(String),
    Number(u8),
}

#[derive(Serialize, Deserialize, Debug)]
struct Flat {
    id: String,
    #[serde(flatten)]
    pair: Empty,
}

#[derive(Serialize, Deserialize, Debug)]
struct Outer<T> {
    id: String,
    parts: Vec<Wrap<T>>,
}

#[test]
fn types_that_need_a_format_with_kinds_are_refused() {
    use error::Why;
    assert_eq!(refusal::<serde_json::Value>(), (String::new(), Why::Json));
    assert_eq!(refusal::<Outer<serde_json::Value>>(), ("parts[].inner".to_owned(), Why::Json));
    assert_eq!(
        refusal::<Outer<Option<Tagged>>>(),
        ("parts[].inner".to_owned(), Why::InternallyTagged)
    );
    assert_eq!(refusal::<Outer<Untagged>>(), ("parts[].inner".to_owned(), Why::Untagged));
    assert_eq!(refusal::<Outer<Flat>>(), ("parts[].inner".to_owned(), Why::Flatten));
    assert_eq!(refusal::<Flat>(), (String::new(), Why::Flatten));
    assert_eq!(
        refusal::<(u8, BTreeMap<String, Adjacent>)>(),
        ("1[]".to_owned(), Why::AdjacentlyTagged)
    );
    assert_eq!(refusal::<Wrap<serde::de::IgnoredAny>>(), ("inner".to_owned(), Why::Ignored));
}

/// A pair whose first value says of which kind the second one is.
#[derive(Debug, PartialEq)]
enum Versioned {
    Old(String),
    New(u8),
}

impl Serialize for Versioned {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Old(value) => (false, value).serialize(to),
            Self::New(value) => (true, value).serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Versioned {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pair;
        impl<'de> serde::de::Visitor<'de> for Pair {
            type Value = Versioned;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a pair")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut from: A,
            ) -> Result<Versioned, A::Error> {
                let ended = || A::Error::custom("too short");
                if from.next_element()?.ok_or_else(ended)? {
                    Ok(Versioned::New(from.next_element()?.ok_or_else(ended)?))
                } else {
                    let value: String = from.next_element()?.ok_or_else(ended)?;
                    // Empty strings are refused, so that the probe tries another dummy.
                    if value.is_empty() { Err(ended()) } else { Ok(Versioned::Old(value)) }
                }
            }
        }
        from.deserialize_tuple(2, Pair)
    }
}

#[test]
fn a_value_whose_kind_depends_on_another_one_is_unknown() {
    assert_eq!(text::<Versioned>(), "(bool, ?)");
}

fn written<R: Serialize + DeserializeOwned>(row: &R) -> Outcome {
    let shape = explore::explore::<R>().unwrap();
    let walk = Walk::new(&shape);
    let config = bincode::config::standard();
    let checked = bincode::serde::encode_to_vec(walk.row(row), config);
    if let Ok(bytes) = &checked {
        assert_eq!(*bytes, bincode::serde::encode_to_vec(row, config).unwrap());
    }
    walk.outcome(checked.is_ok())
}

fn agrees<R: Serialize + DeserializeOwned>(row: &R) -> bool {
    matches!(written(row), Outcome::Agrees)
}

#[test]
fn rows_that_are_written_as_they_are_read_agree() {
    let kinds = [
        Some(Kind::Plain),
        Some(Kind::Sized(Meters(3))),
        Some(Kind::Both(1, "x".into())),
        Some(Kind::Named { a: 1, b: Some(Meters(2)) }),
        None,
    ];
    for kind in kinds {
        assert!(agrees(&Row {
            long_name: "a".into(),
            id: Uuid::nil(),
            kind,
            cache: vec![1],
            wait: Duration::from_secs(3),
            pair: Pair(1, "b".into()),
            nothing: Nothing,
            empty: Empty {},
        }));
    }
    let leaf = || Tree { name: "leaf".into(), below: vec![], best: None };
    let below = vec![leaf(), leaf()];
    assert!(agrees(&Tree { name: "root".into(), below, best: Some(Box::new(leaf())) }));
    let is = || Box::new(Expression::Is("x".into()));
    assert!(agrees(&Expression::And(is(), Box::new(Expression::Not(is())))));
    assert!(agrees(&Lists(vec![Lists(vec![]), Lists(vec![Lists(vec![])])])));
    assert!(agrees(&Address(IpAddr::V4(Ipv4Addr::LOCALHOST))));
    assert!(agrees(&(
        SystemTime::UNIX_EPOCH,
        Duration::from_millis(5),
        jiff::Timestamp::UNIX_EPOCH
    )));
    assert!(agrees(&HashMap::from([(1_u8, [0_u64; 3]), (2, [1; 3])])));
    assert!(agrees(&(NonZero::new(7_u8).unwrap(), Cow::Borrowed("x"), 'x', 1.5_f32)));
    assert!(agrees(&Guarded {
        before: 1,
        inside: Some(Password("sesame".into())),
        many: vec![],
        after: "x".into()
    }));
}

#[test]
fn a_row_whose_reader_is_not_known_is_to_be_read_back() {
    let row = Hidden { before: 1, password: Password("sesame".into()), after: "x".into() };
    assert!(matches!(written(&row), Outcome::Unknown));
    assert!(matches!(written(&Versioned::New(3)), Outcome::Unknown));
}

fn disagrees<R: Serialize + DeserializeOwned>(row: &R) -> (bool, String) {
    match written(row) {
        Outcome::Disagrees { certain, reason } => (certain, reason),
        _ => panic!("the row is accepted"),
    }
}

#[derive(Serialize, Deserialize)]
struct SkipsIf {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct SkipsWriting {
    id: String,
    #[serde(skip_serializing, default)]
    #[expect(dead_code, reason = "it is not written")]
    note: String,
}

#[derive(Serialize, Deserialize)]
struct SkipsReading {
    id: String,
    #[serde(skip_deserializing)]
    note: String,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type")]
struct TaggedStruct {
    id: String,
}

#[derive(Serialize, Deserialize, Debug)]
enum SkipsVariant {
    First,
    #[serde(skip)]
    #[expect(dead_code, reason = "it moves the ones after it")]
    Skipped,
    Second,
    Third,
}

#[derive(Serialize, Deserialize)]
struct Swapped {
    #[serde(rename(serialize = "b", deserialize = "a"))]
    a: String,
    #[serde(rename(serialize = "a", deserialize = "b"))]
    b: String,
}

#[derive(Serialize, Deserialize)]
struct WritesSigned {
    #[serde(serialize_with = "signed")]
    size: u32,
}

fn signed<S: Serializer>(size: &u32, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_i64((*size).into())
}

#[derive(Deserialize)]
struct NoLength(#[expect(dead_code, reason = "only written")] Vec<u8>);

impl Serialize for NoLength {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq as _;
        to.serialize_seq(None)?.end()
    }
}

#[test]
fn rows_that_are_written_otherwise_than_read_are_refused() {
    let skips = |note: Option<&str>| SkipsIf { id: "a".into(), note: note.map(str::to_owned) };
    assert!(agrees(&skips(Some("x"))));
    let (certain, reason) = disagrees(&Wrap { inner: vec![skips(Some("x")), skips(None)] });
    assert!(certain && reason.starts_with("the field `inner[].note` was left out"), "{reason}");
    let (certain, reason) = disagrees(&SkipsWriting { id: "a".into(), note: "b".into() });
    assert!(certain && reason.contains("1 fields and read with 2"), "{reason}");
    let (certain, reason) = disagrees(&SkipsReading { id: "a".into(), note: "b".into() });
    assert!(certain && reason.contains("more than the 1"), "{reason}");
    assert!(disagrees(&TaggedStruct { id: "a".into() }).0);
    let (certain, reason) = disagrees(&(1_u8, NoLength(vec![])));
    assert!(
        certain && reason.starts_with("the field `1` is a list or map whose length"),
        "{reason}"
    );
    let (certain, reason) = disagrees(&Swapped { a: "a".into(), b: "b".into() });
    assert!(certain && reason.starts_with("the field `b` is written in another place"), "{reason}");
    assert!(agrees(&SkipsVariant::First));
    assert!(!disagrees(&SkipsVariant::Second).0, "reading it back finds another variant");
    assert!(disagrees(&SkipsVariant::Third).0);
    let (certain, reason) = disagrees(&WritesSigned { size: 1 });
    assert!(!certain && reason.starts_with("the field `size` is written as i64 and read as u32"));
}

#[test]
fn shared_pointers_are_what_they_point_to() {
    // serde implements `Rc` only with a feature: what it does there is this.
    fn rc<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Rc<T>, D::Error> {
        T::deserialize(from).map(Rc::new)
    }
    #[derive(Deserialize)]
    struct Shared {
        #[serde(deserialize_with = "rc")]
        #[expect(dead_code, reason = "only read")]
        inner: Rc<Tree>,
    }
    assert!(text::<Shared>().starts_with("{inner: {name: string, "));
}

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
