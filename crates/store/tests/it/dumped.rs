//! A dump loads as the dumped rows, including rows that JSON cannot represent.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use statehold_store::{Order, RestoreError, Schema, Store, Table};

/// Serialises as bytes, which `Vec<u8>` does not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes(bytes))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Bytes, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = seq.next_element()? {
                    bytes.push(byte);
                }
                Ok(Bytes(bytes))
            }
        }

        from.deserialize_byte_buf(Any)
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Newtype(Option<f32>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pair(i16, char);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Choice {
    Unit,
    Newtype(u8),
    Tuple(bool, String),
    Struct { at: Option<i8> },
}

/// Every kind of serde's data model.
#[derive(Clone, Debug, Serialize, Deserialize, Table)]
#[table(name = "kinds", key(id))]
struct Kinds {
    id: u64,
    flag: bool,
    signed: (i8, i16, i32, i64, i128),
    unsigned: (u8, u16, u32, u64, u128),
    single: f32,
    double: f64,
    letter: char,
    text: String,
    bytes: Bytes,
    #[expect(clippy::option_option, reason = "it is to come back as well")]
    twice: Option<Option<u8>>,
    perhaps_nothing: Option<()>,
    perhaps_unit: Option<Unit>,
    nothing: (),
    unit: Unit,
    newtype: Newtype,
    pair: Pair,
    list: Vec<f64>,
    array: [u8; 3],
    choice: Choice,
    choices: Vec<Option<Choice>>,
    by_text: BTreeMap<String, Option<bool>>,
    by_number: BTreeMap<i32, u8>,
    by_letter: BTreeMap<char, u8>,
    by_pair: BTreeMap<(u8, bool), u8>,
    by_option: BTreeMap<Option<String>, u8>,
    by_choice: BTreeMap<Choice, u8>,
    by_bytes: BTreeMap<Bytes, u8>,
}

/// A row that JSON can represent.
fn plain(id: u64) -> Kinds {
    Kinds {
        id,
        flag: true,
        signed: (-1, -2, -3, i64::MIN, i128::MIN),
        unsigned: (1, 2, 3, u64::MAX, u128::MAX),
        single: 0.1,
        double: -0.0,
        letter: 'é',
        text: "\u{0}\"\\\u{2028}".into(),
        bytes: Bytes(vec![0, 255]),
        twice: Some(Some(1)),
        perhaps_nothing: None,
        perhaps_unit: None,
        nothing: (),
        unit: Unit,
        newtype: Newtype(Some(1.5)),
        pair: Pair(-7, 'x'),
        list: vec![0.1, 1e300, 5e-324],
        array: [1, 2, 3],
        choice: Choice::Struct { at: None },
        choices: vec![None, Some(Choice::Unit), Some(Choice::Tuple(false, "b".into()))],
        by_text: [("a".into(), Some(true)), ("b".into(), None)].into(),
        by_number: [(-1, 1)].into(),
        by_letter: [('c', 2)].into(),
        by_pair: BTreeMap::new(),
        by_option: [(Some("some".into()), 1)].into(),
        by_choice: [(Choice::Unit, 1)].into(),
        by_bytes: BTreeMap::new(),
    }
}

fn choice() -> impl Strategy<Value = Choice> {
    prop_oneof![
        Just(Choice::Unit),
        any::<u8>().prop_map(Choice::Newtype),
        any::<(bool, String)>().prop_map(|(flag, text)| Choice::Tuple(flag, text)),
        option::of(any::<i8>()).prop_map(|at| Choice::Struct { at }),
    ]
}

/// Rows of which each part may be one that JSON cannot represent.
fn row() -> impl Strategy<Value = Kinds> {
    let floats = (
        any::<u32>().prop_map(f32::from_bits),
        prop_oneof![any::<u64>().prop_map(f64::from_bits), Just(f64::INFINITY), any::<f64>()],
        vec(any::<u64>().prop_map(f64::from_bits), 0..3),
        option::weighted(0.5, any::<u32>().prop_map(f32::from_bits)),
    );
    let options = (
        option::of(option::of(any::<u8>())),
        option::of(Just(())),
        option::of(Just(Unit)),
        vec(option::of(choice()), 0..3),
    );
    let maps = (
        btree_map(any::<String>(), option::of(any::<bool>()), 0..3),
        btree_map(any::<i32>(), any::<u8>(), 0..3),
        btree_map(any::<char>(), any::<u8>(), 0..3),
        btree_map(any::<(u8, bool)>(), any::<u8>(), 0..2),
        btree_map(option::of(any::<String>()), any::<u8>(), 0..2),
        btree_map(choice(), any::<u8>(), 0..2),
        btree_map(vec(any::<u8>(), 0..3).prop_map(Bytes), any::<u8>(), 0..2),
    );
    let others = (any::<(i8, i16, i32, i64, i128)>(), any::<(u8, u16, u32, u64, u128)>());
    let rest = (any::<(char, String)>(), vec(any::<u8>(), 0..4), choice());
    // Most rows differ from a plain one in a few parts only.
    (0u64..20, any::<[bool; 5]>(), floats, options, maps, others, rest).prop_map(
        |(id, differs, floats, options, maps, others, rest)| {
            let mut row = plain(id);
            if differs[0] {
                (row.single, row.double, row.list, row.newtype.0) = floats;
            }
            if differs[1] {
                (row.twice, row.perhaps_nothing, row.perhaps_unit, row.choices) = options;
            }
            if differs[2] {
                (row.by_text, row.by_number, row.by_letter, ..) = maps.clone();
            }
            if differs[3] {
                (_, _, _, row.by_pair, row.by_option, row.by_choice, row.by_bytes) = maps;
            }
            if differs[4] {
                (row.signed, row.unsigned) = others;
                ((row.letter, row.text), row.bytes.0, row.choice) = rest;
            }
            row
        },
    )
}

fn stored<T: Table<Row = T>>(rows: impl IntoIterator<Item = T>) -> Store {
    let store = Store::in_memory(&T::schema());
    for row in rows {
        let mut txn = store.begin_write().unwrap();
        txn.put(row).unwrap();
        txn.commit().unwrap();
    }
    store
}

fn dumped(store: &Store) -> String {
    let mut dump = Vec::new();
    store.dump(&mut dump).unwrap();
    String::from_utf8(dump).unwrap()
}

fn loaded(schema: &Schema, dump: &str) -> Store {
    let store = Store::in_memory(schema);
    store.load(dump.as_bytes()).unwrap();
    store
}

/// A dump without its header, whose index is that of the store.
fn lines(dump: &str) -> Vec<&str> {
    dump.lines().skip(1).collect()
}

fn records(dump: &str) -> usize {
    dump.lines().filter(|line| line.contains(r#""record":"#)).count()
}

fn shapes(dump: &str) -> usize {
    dump.lines().filter(|line| line.contains(r#""shape":"#)).count()
}

proptest! {
    #[test]
    fn dump_loads_as_the_dumped_rows_of_every_kind(rows in vec(row(), 0..6)) {
        let store = stored(rows);
        let dump = dumped(&store);
        let copy = loaded(&Kinds::schema(), &dump);
        // Not with `PartialEq`: NaN must come back with the same bits, which the record shows.
        let shown = |store: &Store| {
            let (view, all) = (store.snapshot(), Kinds::BY_KEY.all());
            let rows = Kinds::BY_KEY.scan(&view, &all, Order::Ascending);
            rows.map(|row| format!("{row:?}")).collect::<Vec<_>>()
        };
        prop_assert_eq!(shown(&copy), shown(&store));
        let again = dumped(&copy);
        prop_assert_eq!(lines(&again), lines(&dump));
        prop_assert_eq!(shapes(&dump), usize::from(records(&dump) > 0));
    }
}

#[test]
fn only_rows_that_json_cannot_represent_are_dumped_as_records() {
    assert_eq!(records(&dumped(&stored([plain(1)]))), 0);
    let unfit: [fn(&mut Kinds); 10] = [
        |row| row.double = f64::NAN,
        |row| row.single = f32::NEG_INFINITY,
        |row| row.list.push(f64::INFINITY),
        |row| row.newtype.0 = Some(f32::NAN),
        |row| row.twice = Some(None),
        |row| row.perhaps_nothing = Some(()),
        |row| row.perhaps_unit = Some(Unit),
        |row| row.by_pair = [((1, true), 1)].into(),
        |row| row.by_option = [(None, 1)].into(),
        |row| row.by_choice = [(Choice::Newtype(1), 1)].into(),
    ];
    for (at, change) in unfit.iter().enumerate() {
        let mut row = plain(2);
        change(&mut row);
        let dump = dumped(&stored([plain(1), row, plain(3)]));
        assert_eq!((records(&dump), shapes(&dump)), (1, 1), "change {at}: {dump}");
        assert_eq!(lines(&dumped(&loaded(&Kinds::schema(), &dump))), lines(&dump), "change {at}");
    }
}

#[derive(Serialize, Deserialize, Table)]
#[table(name = "hashed", key(id))]
struct Hashed {
    id: u64,
    tags: HashMap<String, u32>,
}

#[test]
fn a_hash_map_in_another_order_is_still_dumped_as_json() {
    let tags = || (0..50).map(|tag| (format!("tag-{tag}"), tag)).collect();
    let dump = dumped(&stored((0..20).map(|id| Hashed { id, tags: tags() })));
    assert_eq!(records(&dump), 0);
    let copy = loaded(&Hashed::schema(), &dump).snapshot();
    let all = Hashed::BY_KEY.all();
    assert!(Hashed::BY_KEY.scan(&copy, &all, Order::Ascending).all(|row| row.tags == tags()));
}

mod renamed {
    use super::{Deserialize, Serialize, Table};

    #[derive(Serialize, Deserialize, Table)]
    #[table(name = "limits", key(id))]
    pub(crate) struct Before {
        pub(crate) id: u64,
        pub(crate) soft: f64,
        pub(crate) hard: f64,
    }

    /// The same bytes as another type.
    #[derive(Serialize, Deserialize, Table)]
    #[table(name = "limits", key(id))]
    pub(crate) struct After {
        pub(crate) id: u64,
        pub(crate) hard: f64,
        pub(crate) soft: f64,
    }
}

#[test]
fn dumped_records_are_refused_by_a_changed_type() {
    use renamed::{After, Before};
    let dump = dumped(&stored([Before { id: 1, soft: 1.0, hard: f64::INFINITY }]));
    let refused = Store::in_memory(&After::schema()).load(dump.as_bytes()).unwrap_err();
    let RestoreError::ShapeChanged { table: "limits", difference, .. } = refused else {
        panic!("{refused}")
    };
    assert!(difference.contains("`soft: f64`"), "{difference}");
    // JSON lines name their fields, so a type with the same names loads them.
    let dump = dumped(&stored([Before { id: 1, soft: 1.0, hard: 2.0 }]));
    let copy = loaded(&After::schema(), &dump).snapshot();
    let row = After::BY_KEY.get(&copy, 1).unwrap();
    assert_eq!((row.soft.to_bits(), row.hard.to_bits()), (1f64.to_bits(), 2f64.to_bits()));
}

#[test]
fn records_of_a_kept_table_are_refused_by_another_type() {
    use renamed::{After, Before};
    let mut backup = Vec::new();
    stored([Before { id: 1, soft: 1.0, hard: 2.0 }]).backup(&mut backup).unwrap();
    let keeper = Store::in_memory(&Schema::new().keep("limits"));
    keeper.restore(backup.as_slice()).unwrap();
    let dump = dumped(&keeper);
    assert_eq!((records(&dump), shapes(&dump)), (1, 1));
    let copy = loaded(&Before::schema(), &dump).snapshot();
    assert!(Before::BY_KEY.contains(&copy, 1));
    let refused = Store::in_memory(&After::schema()).load(dump.as_bytes()).unwrap_err();
    assert!(matches!(refused, RestoreError::ShapeChanged { table: "limits", .. }), "{refused}");
    let again = loaded(&Schema::new().keep("limits"), &dump);
    assert_eq!(lines(&dumped(&again)), lines(&dump));
}
