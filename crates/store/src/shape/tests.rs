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

mod comparing;
mod writing;

fn text<R: DeserializeOwned>() -> String {
    let shape = explore::explore::<R>(Values::default()).unwrap();
    let text = shape.text();
    // Every text is read as the shape that it was written of.
    assert_eq!(parse(&text).unwrap().text(), text);
    assert_eq!(compare(&text, &text), Compared::Same);
    text.strip_prefix("1 ").unwrap().to_owned()
}

fn refusal<R: DeserializeOwned>() -> (String, error::Why) {
    let refused = explore::explore::<R>(Values::default()).unwrap_err();
    (refused.field, refused.why)
}

#[test]
fn scalars_and_containers_match_their_readers() {
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
    assert_eq!(text::<Endless>(), "{next: @0}");
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
fn probe_continues_around_an_unguessable_value() {
    assert_eq!(
        text::<Guarded>(),
        "{before: u8, inside: option<string>, many: list<string>, after: string}"
    );
    assert_eq!(text::<Hidden>(), "{before: u8, password: string, after: string}");
    assert_eq!(text::<(u8, Password, u16)>(), "(u8, string, ..)", "a tuple has one order");
}

/// Fields that can't be guessed in every position, and parts that take several passes behind them.
#[derive(Serialize, Deserialize, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Blind {
    first: Password,
    #[serde(skip)]
    left_out: u8,
    kind: Option<Kind>,
    pair: (Kind, Password, u8),
    inner: Vec<Hidden>,
    #[serde(with = "seconds")]
    wait: Duration,
    state: Result<Hidden, Option<Kind>>,
    variant: BlindVariant,
    last: Password,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum BlindVariant {
    Named { password: Password, kind: Kind, size: u32 },
    Tuple(Password, u32),
}

#[test]
fn fields_behind_an_unguessable_value_are_seen() {
    const KIND: &str = "enum{Plain, Sized(u32), Both(u8, string), Named{a: u8, b: option<u32>}}";
    assert_eq!(
        text::<Blind>(),
        format!(
            "{{first: string, kind: option<{KIND}>, pair: (@2, string, ..), \
             inner: list<{{before: u8, password: string, after: string}}>, wait: u64, \
             state: enum{{Ok(@6), Err(option<@2>)}}, \
             variant: enum{{Named{{password: string, kind: @2, size: u32}}, Tuple(string, ..)}}, \
             last: string}}"
        )
    );
}

#[test]
fn aliased_fields_are_counted_behind_an_unguessable_value() {
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Aliased {
        #[serde(alias = "secret", alias = "word")]
        password: Password,
        #[serde(alias = "bytes")]
        size: u32,
    }
    assert_eq!(text::<Aliased>(), "{*: string, *: u32}");
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Strict {
        #[serde(alias = "bytes")]
        size: u32,
        #[serde(alias = "secret")]
        password: Password,
    }
    assert_eq!(text::<Strict>(), "{*: u32, *: string}");
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
fn reader_that_panics_over_a_dummy_does_not_end_the_probe() {
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

#[test]
fn shared_pointers_have_the_shape_of_their_target() {
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
