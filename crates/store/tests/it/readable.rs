//! A row that a store accepts can be read back, in every build.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use statehold_store::{Expect, ReadView, Schema, SchemaError, Store, Table, WriteError};
use uuid::Uuid;

/// A table for rows of any type, under one key.
struct Only<R>(std::marker::PhantomData<fn() -> R>);

impl<R: Serialize + DeserializeOwned + Send + Sync + 'static> Table for Only<R> {
    const NAME: &'static str = "only";
    const VERSION: u16 = 1;
    type Key = u8;
    type Row = R;

    fn key(_: &R) -> u8 {
        0
    }
}

/// Writes a row and reads it from a backup, in its form on disk.
fn stored<R>(row: R) -> Result<Arc<dyn std::any::Any>, WriteError>
where
    R: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
{
    let schema = Schema::new().table::<Only<R>>();
    let store = Store::in_memory(&schema);
    let mut txn = store.begin_write().unwrap();
    txn.upsert::<Only<R>>(row)?;
    txn.commit().unwrap();
    let mut backup = Vec::new();
    store.backup(&mut backup).unwrap();
    let restored = Store::in_memory(&schema);
    restored.restore(&*backup).unwrap();
    let row = (**restored.snapshot().get::<Only<R>>(0).unwrap()).clone();
    Ok(Arc::new(row))
}

fn comes_back<R>(row: &R)
where
    R: Serialize + DeserializeOwned + Clone + PartialEq + std::fmt::Debug + Send + Sync + 'static,
{
    let read = stored(row.clone()).unwrap();
    assert_eq!(read.downcast_ref::<R>(), Some(row));
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    #[serde(rename = "ID")]
    id: Uuid,
    address: IpAddr,
    since: SystemTime,
    wait: Duration,
    at: jiff::Timestamp,
    #[expect(clippy::option_option, reason = "it is to come back as well")]
    note: Option<Option<Box<str>>>,
    #[serde(default)]
    parts: Vec<Part>,
    sizes: HashMap<u16, i64>,
    named: BTreeMap<String, [u8; 3]>,
    whole: (i8, u128, char, f64),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Part {
    Empty,
    Leaf(String),
    Pair(u32, bool),
    Branch { left: Box<Part>, right: Option<Box<Part>> },
}

fn part() -> impl Strategy<Value = Part> {
    let leaf = prop_oneof![
        Just(Part::Empty),
        ".{0,8}".prop_map(Part::Leaf),
        any::<(u32, bool)>().prop_map(|(size, on)| Part::Pair(size, on)),
    ];
    leaf.prop_recursive(4, 16, 2, |inner| {
        (inner.clone(), proptest::option::of(inner)).prop_map(|(left, right)| Part::Branch {
            left: Box::new(left),
            right: right.map(Box::new),
        })
    })
}

fn row() -> impl Strategy<Value = Row> {
    let first = (
        any::<u128>(),
        any::<IpAddr>(),
        any::<u32>(),
        any::<u64>(),
        -1_000_000_000_i64..1_000_000_000,
        proptest::option::of(proptest::option::of(".{0,8}")),
    );
    let second = (
        proptest::collection::vec(part(), 0..4),
        proptest::collection::hash_map(any::<u16>(), any::<i64>(), 0..8),
        proptest::collection::btree_map(".{0,4}", any::<[u8; 3]>(), 0..4),
        any::<(i8, u128, char, i32)>(),
    );
    (first, second).prop_map(
        |((id, address, since, wait, at, note), (parts, sizes, named, whole))| Row {
            id: Uuid::from_u128(id),
            address,
            since: SystemTime::UNIX_EPOCH + Duration::from_secs(since.into()),
            wait: Duration::from_nanos(wait),
            at: jiff::Timestamp::from_second(at).unwrap(),
            note: note.map(|note| note.map(String::into_boxed_str)),
            parts,
            sizes,
            named,
            whole: (whole.0, whole.1, whole.2, whole.3.into()),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_row_that_is_accepted_comes_back_equal(row in row()) {
        comes_back(&row);
    }

    #[test]
    fn a_row_of_any_kind_comes_back_equal(
        numbers in any::<(u8, i16, u32, i64, Option<u128>)>(),
        text in ".{0,12}",
        list in proptest::collection::vec(any::<Option<(u16, bool)>>(), 0..9),
        parts in proptest::collection::vec(part(), 0..4),
    ) {
        comes_back(&numbers);
        comes_back(&text.clone());
        comes_back(&(text, list.clone(), numbers));
        comes_back(&list);
        comes_back(&parts);
    }

    #[test]
    fn a_field_that_is_left_out_refuses_just_the_rows_without_it(
        notes in proptest::collection::vec(proptest::option::of(".{0,4}"), 0..4),
        tail in any::<u32>(),
    ) {
        let left_out = notes.iter().any(Option::is_none);
        let row = (notes.into_iter().map(|note| Skipping { note }).collect::<Vec<_>>(), tail);
        match stored(row.clone()) {
            Ok(read) => prop_assert_eq!(read.downcast_ref(), (!left_out).then_some(&row)),
            Err(error) => prop_assert!(left_out, "{error}"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Skipping {
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[test]
fn unreadable_row_is_refused_in_every_build() {
    let refused = stored(("a".to_owned(), Skipping { note: None })).err().unwrap();
    let WriteError::Unstorable { table, key, reason, .. } = &refused else { panic!("{refused}") };
    assert_eq!((*table, &**key), ("only", "0"));
    assert!(reason.starts_with("the field `1.note` was left out"), "{reason}");
    assert!(reason.contains("remove #[serde(skip_serializing_if)]"), "{reason}");
}

#[test]
fn refused_row_changes_nothing_and_the_transaction_continues() {
    let store = Store::in_memory(&Schema::new().table::<Only<Skipping>>());
    let mut txn = store.begin_write().unwrap();
    txn.upsert::<Only<Skipping>>(Skipping { note: Some("kept".into()) }).unwrap();
    assert!(txn.upsert::<Only<Skipping>>(Skipping { note: None }).is_err());
    txn.commit().unwrap();
    let row = store.snapshot().get::<Only<Skipping>>(0).cloned().unwrap();
    assert_eq!(row.note.as_deref(), Some("kept"));
}

/// Writes its bytes as a list and reads them as bytes: two types with the same encoding.
#[derive(Clone, Debug, PartialEq)]
struct Blob(Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl serde::de::Visitor<'_> for Bytes {
            type Value = Blob;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.to_vec()))
            }
        }
        from.deserialize_bytes(Bytes)
    }
}

/// Writes one width and reads another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Narrow {
    #[serde(serialize_with = "wide")]
    size: u16,
    #[serde(serialize_with = "signed")]
    change: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn wide<S: serde::Serializer>(size: &u16, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64((*size).into())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn signed<S: serde::Serializer>(change: &u32, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_i64((*change).into())
}

#[test]
fn other_types_with_equal_bytes_are_accepted() {
    comes_back(&Blob(vec![1, 2, 255]));
    comes_back(&(7_u8, Blob(vec![])));
    comes_back(&Narrow { size: 40_000, change: 0 });
    let refused = stored(Narrow { size: 1, change: 1 }).err().unwrap().to_string();
    assert!(refused.contains("written as u64 and read as u16"), "{refused}");
}

/// A percentage that is checked when it is read but not when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
struct Pct(u8);

impl TryFrom<u8> for Pct {
    type Error = String;

    fn try_from(share: u8) -> Result<Self, String> {
        if share <= 100 { Ok(Self(share)) } else { Err(format!("{share} is over 100")) }
    }
}

impl From<Pct> for u8 {
    fn from(share: Pct) -> Self {
        share.0
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Table)]
#[table(name = "shares")]
struct Shares {
    #[table(key)]
    id: String,
    first: Pct,
    more: Vec<Pct>,
}

fn shares(id: &str, first: u8, more: &[u8]) -> Shares {
    Shares { id: id.to_owned(), first: Pct(first), more: more.iter().copied().map(Pct).collect() }
}

/// Returns the reason why a row cannot be stored.
fn unstorable<T>(result: Result<T, WriteError>) -> String {
    match result.err() {
        Some(WriteError::Unstorable { reason, .. }) => reason.into(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_value_that_its_own_reader_refuses_is_refused() {
    comes_back(&shares("a", 100, &[0, 7]));
    let first = unstorable(stored(shares("a", 200, &[1])));
    assert!(first.starts_with("the field `first` is refused by its own reader"), "{first}");
    assert!(first.contains("(200 is over 100)"), "{first}");
    let more = unstorable(stored(shares("a", 1, &[1, 101, 2])));
    assert!(more.starts_with("the field `more[]` is refused by its own reader"), "{more}");
}

#[test]
fn every_kind_of_write_refuses_a_row_that_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let schema = Schema::new().table::<Shares>();
    let store = Store::open(dir.path(), &schema).unwrap();
    let mut txn = store.begin_write().unwrap();
    txn.put(shares("a", 1, &[])).unwrap();
    unstorable(txn.put(shares("a", 200, &[])));
    unstorable(txn.put(shares("b", 1, &[200])));
    unstorable(txn.upsert::<Shares>(shares("b", 200, &[])));
    unstorable(txn.put_if(shares("b", 200, &[]), Expect::Absent));
    unstorable(Shares::BY_KEY.update(&mut txn, "a", |row| row.first = Pct(200)));
    unstorable(Shares::BY_KEY.modify(&mut txn, "a", |_| shares("a", 200, &[])));
    unstorable(txn.import::<Shares>([shares("b", 1, &[]), shares("c", 200, &[])]));
    assert_eq!(**txn.get::<Shares>("a").unwrap(), shares("a", 1, &[]));
    assert_eq!(txn.count::<Shares>(), 1);
    txn.commit().unwrap();
    drop(store);
    let store = Store::open(dir.path(), &schema).unwrap();
    assert_eq!(**store.snapshot().get::<Shares>("a").unwrap(), shares("a", 1, &[]));
}

/// A list whose writer announces `off` more elements than it writes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(from = "Vec<u8>")]
struct Miscounted {
    list: Vec<u8>,
    off: isize,
}

impl From<Vec<u8>> for Miscounted {
    fn from(list: Vec<u8>) -> Self {
        Self { list, off: 0 }
    }
}

impl Serialize for Miscounted {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq as _;
        let mut to = to.serialize_seq(self.list.len().checked_add_signed(self.off))?;
        self.list.iter().try_for_each(|element| to.serialize_element(element))?;
        to.end()
    }
}

#[test]
fn a_list_with_another_length_than_it_announces_is_refused() {
    let row = |off, tail: u8| (Miscounted { list: vec![1, 2], off }, tail, String::new());
    comes_back(&row(0, 7));
    let more = unstorable(stored(row(1, 7)));
    assert!(more.starts_with("the field `0` is a list or map of 3 elements"), "{more}");
    let fewer = unstorable(stored(row(-1, 0)));
    assert!(fewer.contains("of 1 elements by its Serialize, which then writes 2"), "{fewer}");
}

fn lower<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    String::deserialize(from).map(|name| name.to_lowercase())
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SkippedKey {
    #[serde(skip)]
    id: String,
    name: String,
}

impl Table for SkippedKey {
    const NAME: &'static str = "skipped";
    const VERSION: u16 = 1;
    type Key = String;
    type Row = Self;

    fn key(row: &Self) -> &str {
        &row.id
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct LoweredKey {
    #[serde(deserialize_with = "lower")]
    id: String,
}

impl Table for LoweredKey {
    const NAME: &'static str = "lowered";
    const VERSION: u16 = 1;
    type Key = String;
    type Row = Self;

    fn key(row: &Self) -> &str {
        &row.id
    }
}

#[test]
fn a_row_that_is_read_back_under_another_key_is_refused() {
    let store = Store::in_memory(&Schema::new().table::<SkippedKey>().table::<LoweredKey>());
    let mut txn = store.begin_write().unwrap();
    let skipped = |id: &str| SkippedKey { id: id.to_owned(), name: "x".to_owned() };
    let reason = unstorable(txn.upsert::<SkippedKey>(skipped("a")));
    assert!(reason.starts_with("it is read back under another primary key"), "{reason}");
    let reason = unstorable(txn.upsert::<LoweredKey>(LoweredKey { id: "ABC".to_owned() }));
    assert!(reason.starts_with("it is read back under another primary key"), "{reason}");
    assert_eq!(txn.count::<SkippedKey>() + txn.count::<LoweredKey>(), 0);
    txn.upsert::<LoweredKey>(LoweredKey { id: "abc".to_owned() }).unwrap();
}

/// Writes an option without the byte for its variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Bare {
    #[serde(serialize_with = "bare")]
    count: Option<u8>,
}

#[expect(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes references"
)]
fn bare<S: serde::Serializer>(count: &Option<u8>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u8(count.unwrap_or_default())
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Lowered {
    id: u8,
    #[serde(deserialize_with = "lower")]
    name: String,
    sizes: HashMap<String, u8>,
}

#[test]
fn an_option_that_is_written_as_a_bare_value_is_refused() {
    for count in [None, Some(0), Some(1)] {
        let reason = unstorable(stored((7_u8, Bare { count })));
        assert!(reason.starts_with("the field `1.count` is written as u8 and read as an option"));
    }
}

#[test]
fn a_value_that_its_reader_changes_is_refused() {
    let sizes: HashMap<String, u8> = (0..20).map(|size| (format!("{size}"), size)).collect();
    for sizes in [HashMap::new(), sizes] {
        let row = |name: &str| Lowered { id: 1, name: name.to_owned(), sizes: sizes.clone() };
        comes_back(&row("abc"));
        let reason = unstorable(stored(row("aBC")));
        assert!(
            reason.starts_with("the field `name` is the first one that is read back as another"),
            "{reason}"
        );
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Options<V> {
    id: String,
    options: BTreeMap<String, V>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Either {
    Number(u32),
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    One { size: u8 },
    Two,
}

fn refusal<R: Serialize + DeserializeOwned + Send + Sync + 'static>() -> String {
    let error = Schema::new().try_table::<Only<R>>().unwrap_err();
    assert!(matches!(error, SchemaError::Unreadable { table: "only", .. }));
    error.to_string()
}

#[test]
fn a_type_that_can_never_be_read_back_is_refused_by_the_schema() {
    let json = refusal::<Options<serde_json::Value>>();
    assert!(json.starts_with("table only: the field `options[]` can't be read back: "), "{json}");
    assert!(json.ends_with("store it as a String with its JSON"), "{json}");
    assert!(refusal::<Options<Either>>().contains("#[serde(untagged)]"));
    assert!(refusal::<Options<Option<Tagged>>>().contains("#[serde(tag = ..)]"));
    assert!(Schema::new().try_table::<Only<Options<String>>>().is_ok());
}

#[test]
#[should_panic(expected = "the field `options[]` can't be read back")]
fn a_schema_panics_over_a_type_that_can_never_be_read_back() {
    let _ = Schema::new().table::<Only<Options<serde_json::Value>>>();
}
