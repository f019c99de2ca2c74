//! Goal: each operator compiles for exactly the kinds that the table lists.
//!
//! Method: one field for each kind, including each kind of element, of map key and of option. Every
//! pair of a field and an operator is compiled in both dialects, and the table of the language page
//! is read by the same columns.

use std::collections::{BTreeMap, BTreeSet, LinkedList, VecDeque};

use statehold_filter::{
    Datum, Dialect, Field, Filter, Filterable, KeyKind, Kind, Options, Record, Schema, Unit,
};

/// Columns: bool, number, text, quantity, list of text or anything, list of bytes, list of other
/// scalars, list of structs, lists, maps or opaque values, map, struct or opaque value, JSON.
const COLUMNS: usize = 11;

/// `B` in both dialects, `E` in the extended one, `-` in neither. `x` is the field, `v` a value
/// that fits it.
const TABLE: [(&str, [&str; COLUMNS]); 33] = [
    ("x == v", ["B", "B", "B", "B", "-", "-", "-", "-", "-", "-", "B"]),
    ("x != v", ["B", "B", "B", "B", "-", "-", "-", "-", "-", "-", "B"]),
    ("x < v", ["-", "E", "E", "E", "-", "-", "-", "-", "-", "-", "E"]),
    ("x <= v", ["-", "E", "E", "E", "-", "-", "-", "-", "-", "-", "E"]),
    ("x > v", ["-", "E", "E", "E", "-", "-", "-", "-", "-", "-", "E"]),
    ("x >= v", ["-", "E", "E", "E", "-", "-", "-", "-", "-", "-", "E"]),
    ("x between v and v", ["-", "E", "E", "E", "-", "-", "-", "-", "-", "-", "E"]),
    ("x not between v and v", ["-", "E", "E", "E", "-", "-", "-", "-", "-", "-", "E"]),
    ("x in [v, v]", ["E", "E", "E", "E", "-", "-", "-", "-", "-", "-", "E"]),
    ("x not in [v, v]", ["E", "E", "E", "E", "-", "-", "-", "-", "-", "-", "E"]),
    ("x contains v", ["-", "-", "B", "-", "B", "B", "B", "-", "B", "-", "B"]),
    ("x not contains v", ["-", "-", "B", "-", "B", "B", "B", "-", "B", "-", "B"]),
    ("v in x", ["-", "-", "B", "-", "B", "B", "B", "-", "B", "-", "B"]),
    ("v not in x", ["-", "-", "B", "-", "B", "B", "B", "-", "B", "-", "B"]),
    ("x contains any [v, v]", ["-", "-", "E", "-", "E", "E", "E", "-", "E", "-", "E"]),
    ("x contains all [v, v]", ["-", "-", "E", "-", "E", "E", "E", "-", "E", "-", "E"]),
    ("x matches v", ["-", "-", "B", "-", "-", "B", "-", "-", "-", "-", "B"]),
    ("x not matches v", ["-", "-", "B", "-", "-", "B", "-", "-", "-", "-", "B"]),
    ("x starts with v", ["-", "-", "E", "-", "-", "-", "-", "-", "-", "-", "E"]),
    ("x ends with v", ["-", "-", "E", "-", "-", "-", "-", "-", "-", "-", "E"]),
    ("x ==* v", ["-", "-", "E", "-", "-", "-", "-", "-", "-", "-", "E"]),
    ("x !=* v", ["-", "-", "E", "-", "-", "-", "-", "-", "-", "-", "E"]),
    ("x contains* v", ["-", "-", "E", "-", "E", "-", "-", "-", "-", "-", "E"]),
    ("x matches* v", ["-", "-", "E", "-", "-", "E", "-", "-", "-", "-", "E"]),
    ("x is empty", ["-", "-", "B", "-", "B", "B", "B", "B", "B", "-", "B"]),
    ("x is not empty", ["-", "-", "B", "-", "B", "B", "B", "B", "B", "-", "B"]),
    ("x is nil", ["B", "B", "B", "B", "B", "B", "B", "B", "B", "B", "B"]),
    ("x is not nil", ["B", "B", "B", "B", "B", "B", "B", "B", "B", "B", "B"]),
    ("@x == @x", ["E", "E", "E", "E", "-", "-", "-", "-", "-", "-", "E"]),
    ("@x < @x", ["-", "E", "E", "E", "-", "-", "-", "-", "-", "-", "E"]),
    ("count(x) > 2", ["-", "-", "-", "-", "E", "E", "E", "E", "E", "-", "E"]),
    ("any x as e { e is nil }", ["-", "-", "-", "-", "B", "B", "B", "B", "B", "-", "B"]),
    ("all x as e { e is nil }", ["-", "-", "-", "-", "B", "B", "B", "B", "B", "-", "B"]),
];

const TEXT: Kind = Kind::Text;
const BYTE: Kind = Kind::Uint(8);
const INNER: Kind = Kind::Record(|| &INNER_SCHEMA);
const MAP: Kind = Kind::Map(KeyKind::Text, &Kind::Text);
static INNER_SCHEMA: Schema = Schema::new("Inner", &[Field::new("a", Kind::Text)]);

/// Each kind: its column, and a value that its operators accept.
const KINDS: [(Kind, usize, &str); 53] = [
    (Kind::Bool, 0, "true"),
    (Kind::Option(&Kind::Bool), 0, "true"),
    (Kind::Int(8), 1, "1"),
    (Kind::Int(64), 1, "1"),
    (Kind::Int(128), 1, "1"),
    (Kind::Uint(8), 1, "1"),
    (Kind::Uint(64), 1, "1"),
    (Kind::Uint(128), 1, "1"),
    (Kind::Float, 1, "1"),
    (Kind::Float32, 1, "1"),
    (Kind::Option(&Kind::Option(&Kind::Int(32))), 1, "1"),
    (TEXT, 2, "w"),
    (Kind::Enum(&["w"]), 2, "w"),
    (Kind::Char, 2, "w"),
    (Kind::Uuid, 2, r#""0a64a94d-d3ee-4ce8-8bb5-7a6eb3a8b0b5""#),
    (Kind::Address, 2, r#""10.0.0.1""#),
    (Kind::Option(&TEXT), 2, "w"),
    (Kind::Duration, 3, r#""1h""#),
    (Kind::Timestamp, 3, r#""2026-01-02T03:04:05Z""#),
    (Kind::Option(&Kind::Duration), 3, r#""1h""#),
    (Kind::List(&TEXT), 4, "w"),
    (Kind::List(&Kind::Option(&TEXT)), 4, "w"),
    (Kind::List(&Kind::Enum(&["w"])), 4, "w"),
    (Kind::List(&Kind::Char), 4, "w"),
    (Kind::List(&Kind::Uuid), 4, r#""0a64a94d-d3ee-4ce8-8bb5-7a6eb3a8b0b5""#),
    (Kind::List(&Kind::Address), 4, r#""10.0.0.1""#),
    (Kind::List(&Kind::Any), 4, "w"),
    (Kind::Array(&TEXT, 2), 4, "w"),
    (Kind::Option(&Kind::List(&TEXT)), 4, "w"),
    (Kind::List(&BYTE), 5, "1"),
    (Kind::Array(&BYTE, 2), 5, "1"),
    (Kind::Option(&Kind::List(&BYTE)), 5, "1"),
    (Kind::List(&Kind::Bool), 6, "true"),
    (Kind::List(&Kind::Int(64)), 6, "1"),
    (Kind::List(&Kind::Float), 6, "1"),
    (Kind::List(&Kind::Option(&BYTE)), 6, "1"),
    (Kind::List(&Kind::Duration), 6, r#""1h""#),
    (Kind::List(&Kind::Timestamp), 6, r#""2026-01-02T03:04:05Z""#),
    (Kind::List(&INNER), 7, "w"),
    (Kind::List(&Kind::Option(&INNER)), 7, "w"),
    (Kind::Array(&INNER, 2), 7, "w"),
    (Kind::Option(&Kind::List(&INNER)), 7, "w"),
    (Kind::List(&Kind::List(&TEXT)), 7, "w"),
    (Kind::List(&MAP), 7, "w"),
    (Kind::List(&Kind::Opaque), 7, "w"),
    (MAP, 8, "w"),
    (Kind::Map(KeyKind::Uuid, &INNER), 8, "w"),
    (Kind::Map(KeyKind::Text, &Kind::List(&INNER)), 8, "w"),
    (Kind::Option(&MAP), 8, "w"),
    (INNER, 9, "w"),
    (Kind::Option(&INNER), 9, "w"),
    (Kind::Opaque, 9, "w"),
    (Kind::Any, 10, "w"),
];

const NAMES: [&str; KINDS.len()] = {
    let mut names = [""; KINDS.len()];
    let all = "a00a01a02a03a04a05a06a07a08a09a10a11a12a13a14a15a16a17a18a19a20a21a22a23a24a25a26a27a28a29a30a31a32a33a34a35a36a37a38\
               a39a40a41a42a43a44a45a46a47a48a49a50a51a52";
    let mut at = 0;
    while at < names.len() {
        names[at] = all.split_at(at * 3).1.split_at(3).0;
        at += 1;
    }
    names
};

const FIELDS: [Field; KINDS.len() + 2] = {
    let mut fields = [Field::new("size", Kind::Int(64)).with_unit(Unit::Bytes); KINDS.len() + 2];
    fields[KINDS.len()] = Field::new("sizes", Kind::List(&Kind::Uint(64))).with_unit(Unit::Bytes);
    let mut at = 0;
    while at < KINDS.len() {
        fields[at] = Field::new(NAMES[at], KINDS[at].0);
        at += 1;
    }
    fields
};

static SCHEMA: Schema = Schema::new("Row", &FIELDS);

/// A row of which only the schema matters.
struct Row;

impl Record for Row {
    fn field(&self, _: usize) -> Datum<'_> {
        Datum::Missing
    }
    fn named(&self, name: &str) -> Option<Datum<'_>> {
        SCHEMA.read(self, name)
    }
}

impl Filterable for Row {
    const KIND: Kind = Kind::Record(|| &SCHEMA);
    fn datum(&self) -> Datum<'_> {
        Datum::Record(self)
    }
}

/// Returns the letter of a form, for a field and a value.
fn letter(form: &str, field: &str, value: &str) -> &'static str {
    let put = |word: &str| match word {
        "x" => field.to_owned(),
        "@x" => format!("@{field}"),
        "count(x)" => format!("count({field})"),
        "v" => value.to_owned(),
        "v," => format!("{value},"),
        "[v," => format!("[{value},"),
        "v]" => format!("{value}]"),
        other => other.to_owned(),
    };
    let text = form.split(' ').map(put).collect::<Vec<_>>().join(" ");
    let compiles = |dialect| {
        Filter::<Row>::compile_with(&text, &Options::new().dialect(dialect)).map(|filter| {
            // A row without the value has a result for each of them.
            assert!(filter.try_matches(&Row).is_ok(), "{text}");
        })
    };
    match (compiles(Dialect::Bexpr), compiles(Dialect::Extended)) {
        (Ok(()), Ok(())) => "B",
        (Err(_), Ok(())) => "E",
        (Err(_), Err(_)) => "-",
        (Ok(()), Err(error)) => panic!("{text}: {error}"),
    }
}

#[test]
fn each_operator_applies_to_the_kinds_of_its_row() {
    for (form, cells) in TABLE {
        for (name, (kind, column, value)) in NAMES.iter().zip(KINDS) {
            assert_eq!(letter(form, name, value), cells[column], "{form}: {kind:?}");
        }
        assert_eq!(letter(form, "size", r#""10GiB""#), cells[3], "{form}: size");
        assert_eq!(letter(form, "sizes", r#""10GiB""#), cells[6], "{form}: sizes");
    }
}

#[test]
fn language_page_lists_the_same_cells() {
    let page = include_str!("../../src/language.md");
    let lines: Vec<&str> = page
        .lines()
        .skip_while(|line| !line.starts_with("| operator | bool |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert!(lines.len() > 20);
    for line in lines {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let form = cells.next().unwrap_or_default().trim_matches('`');
        let (_, row) = TABLE.iter().find(|(own, _)| *own == form).unwrap();
        let columns = [0, 1, 2, 3, 4, 7, 8, 9, 10].map(|column| row[column]);
        assert_eq!(cells.collect::<Vec<_>>(), columns, "{form}");
    }
}

#[derive(Filterable)]
struct Inner {
    a: u8,
}

/// Lists of each kind of element.
#[allow(clippy::struct_field_names, reason = "a list of lists")]
#[derive(Filterable, Default)]
#[expect(clippy::linkedlist, reason = "a list whose elements do not lie side by side")]
struct Lists {
    structs: Vec<Inner>,
    boxed: Box<[Inner]>,
    optional: Option<Vec<Inner>>,
    options: Vec<Option<Inner>>,
    lists: VecDeque<Vec<u32>>,
    maps: LinkedList<BTreeMap<String, u32>>,
    map: BTreeMap<String, Inner>,
    bytes: Vec<u8>,
    ring: VecDeque<u8>,
    chain: LinkedList<u8>,
    set: BTreeSet<u8>,
    maybe: Vec<Option<u8>>,
}

#[test]
fn is_empty_tests_the_length_of_every_list() {
    let full = Lists {
        structs: vec![Inner { a: 1 }],
        boxed: Box::new([Inner { a: 1 }]),
        optional: Some(vec![Inner { a: 1 }]),
        options: vec![None],
        lists: VecDeque::from([Vec::new()]),
        maps: LinkedList::from([BTreeMap::new()]),
        map: BTreeMap::from([("k".to_owned(), Inner { a: 1 })]),
        bytes: vec![0],
        ring: VecDeque::from([0]),
        chain: LinkedList::from([0]),
        set: BTreeSet::from([0]),
        maybe: vec![None],
    };
    for field in Lists::KIND.schema().unwrap().names() {
        for (row, empty) in [(&Lists::default(), true), (&full, false)] {
            for (form, answer) in [("is empty", empty), ("is not empty", !empty)] {
                let filter = Filter::<Lists>::compile(&format!("{field} {form}")).unwrap();
                assert_eq!(filter.matches(row), answer, "{field} {form}");
            }
        }
    }
    let none = Filter::<Lists>::compile("optional is nil and optional is empty").unwrap();
    assert!(none.matches(&Lists::default()));
    let some = Filter::<Lists>::compile("any structs as x { x.a == 1 }").unwrap();
    assert!(some.matches(&full));
}

#[test]
fn patterns_search_contiguous_bytes_only() {
    let row = Lists { bytes: b"web".to_vec(), ..Lists::default() };
    assert!(Filter::<Lists>::compile("bytes matches `^w`").unwrap().matches(&row));
    for field in ["ring", "chain", "set", "maybe"] {
        assert!(Filter::<Lists>::compile(&format!("{field} matches `^w`")).is_err(), "{field}");
        assert!(Filter::<Lists>::compile(&format!("{field} contains 1")).is_ok(), "{field}");
    }
}
