//! Readable: a row that a store accepts can be read back, in every build.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use statehold_store::{ReadView, Schema, SchemaError, Store, Table, WriteError};
use uuid::Uuid;

/// A table of any rows, under one key.
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

/// Writes a row and reads it from a backup: as it is on disk.
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
fn a_row_that_cannot_be_read_back_is_refused_in_every_build() {
    let refused = stored(("a".to_owned(), Skipping { note: None })).err().unwrap();
    let WriteError::Unstorable { table, key, reason, .. } = &refused else { panic!("{refused}") };
    assert_eq!((*table, &**key), ("only", "0"));
    assert!(reason.starts_with("the field `1.note` was left out"), "{reason}");
    assert!(reason.contains("remove #[serde(skip_serializing_if)]"), "{reason}");
}

#[test]
fn a_refused_row_changes_nothing_and_the_transaction_goes_on() {
    let store = Store::in_memory(&Schema::new().table::<Only<Skipping>>());
    let mut txn = store.begin_write().unwrap();
    txn.upsert::<Only<Skipping>>(Skipping { note: Some("kept".into()) }).unwrap();
    assert!(txn.upsert::<Only<Skipping>>(Skipping { note: None }).is_err());
    txn.commit().unwrap();
    let row = store.snapshot().get::<Only<Skipping>>(0).cloned().unwrap();
    assert_eq!(row.note.as_deref(), Some("kept"));
}

/// Writes its bytes as a list and reads them as bytes: two kinds, the same bytes.
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

/// Writes a width and reads another one.
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
fn other_kinds_with_the_same_bytes_are_accepted_and_others_not() {
    comes_back(&Blob(vec![1, 2, 255]));
    comes_back(&(7_u8, Blob(vec![])));
    comes_back(&Narrow { size: 40_000, change: 0 });
    let refused = stored(Narrow { size: 1, change: 1 }).err().unwrap().to_string();
    assert!(refused.contains("written as u64 and read as u16"), "{refused}");
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
