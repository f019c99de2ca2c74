//! Goal: the promises of `#[derive(Filterable)]` and of the std implementations.
//!
//! Method: one row that has a field of every supported type, and claims about it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::sync::Arc;

use serde_json::json;
use statehold_filter::{CompileErrorKind, Dialect, Filter, Filterable, Kind, Options, Value};
use uuid::Uuid;

const ID: Uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);

#[derive(Clone, Copy, Filterable)]
#[filterable(rename_all = "kebab-case")]
enum Mode {
    ReadOnly,
    #[filterable(rename = "rw")]
    ReadWrite,
}

#[derive(Clone, Copy, serde::Serialize, Filterable)]
#[serde(rename_all = "snake_case")]
enum Health {
    AllGood,
    #[serde(rename = "bad")]
    Broken,
}

#[derive(Filterable)]
struct Zone(Arc<str>);

/// Contains itself behind a pointer.
#[derive(Filterable)]
struct Inner {
    name: String,
    next: Option<Box<Inner>>,
    children: Vec<Inner>,
}

impl Inner {
    fn named(name: &str) -> Self {
        Self { name: name.to_owned(), next: None, children: Vec::new() }
    }
}

#[derive(Filterable)]
#[filterable(rename_all = "PascalCase")]
struct Stamp {
    create_index: u64,
    modify_index: u64,
}

/// A custom pointer, as a store returns rows.
struct Entry(Arc<Stamp>);

impl std::ops::Deref for Entry {
    type Target = Stamp;
    fn deref(&self) -> &Stamp {
        &self.0
    }
}

#[derive(Filterable)]
#[filterable(rename_all = "PascalCase")]
#[filterable(computed(name = "Schedulable", with = Self::schedulable, ty = bool))]
#[filterable(computed(name = "First", with = Self::first, ty = str))]
#[filterable(computed(name = "Health", with = Self::health, ty = Health))]
struct View<'v> {
    #[filterable(rename = "ID")]
    id: Uuid,
    name: &'v str,
    owned: String,
    boxed: Box<str>,
    shared: Arc<str>,
    cow: Cow<'v, str>,
    letter: char,
    small: i8,
    large: u64,
    ratio: f32,
    exact: f64,
    on: bool,
    note: Option<String>,
    mode: Mode,
    zone: Zone,
    tags: Vec<String>,
    numbers: &'v [i32],
    sorted: BTreeSet<u16>,
    hashed: HashSet<String>,
    fixed: [Option<bool>; 2],
    bytes: Vec<u8>,
    labels: HashMap<String, String>,
    ports: BTreeMap<u16, Inner>,
    pairs: Vec<(Arc<str>, u32)>,
    owners: BTreeMap<Uuid, String>,
    inner: Inner,
    list: Vec<Inner>,
    absent: Option<Inner>,
    json: serde_json::Value,
    value: Value,
    #[filterable(flatten)]
    stamp: Arc<Stamp>,
    #[filterable(skip)]
    secret: &'static str,
}

impl View<'_> {
    fn schedulable(&self) -> bool {
        self.large > 0 && self.secret.is_empty()
    }
    fn first(&self) -> Option<&str> {
        self.tags.first().map(String::as_str)
    }
    fn health(&self) -> Health {
        if self.on { Health::AllGood } else { Health::Broken }
    }
}

fn row(name: &str) -> View<'_> {
    let mut inner = Inner::named("a");
    inner.next = Some(Box::new(Inner::named("b")));
    inner.children = vec![Inner::named("c"), Inner::named("d")];
    View {
        id: ID,
        name,
        owned: "owned".to_owned(),
        boxed: "boxed".into(),
        shared: "shared".into(),
        cow: Cow::Borrowed("cow"),
        letter: 'é',
        small: -3,
        large: u64::MAX,
        ratio: 0.1,
        exact: 0.1,
        on: true,
        note: None,
        mode: Mode::ReadOnly,
        zone: Zone("eu-1".into()),
        tags: vec!["web".to_owned(), "prod".to_owned()],
        numbers: &[1, 42],
        sorted: BTreeSet::from([80, 443]),
        hashed: HashSet::from(["x".to_owned()]),
        fixed: [None, Some(true)],
        bytes: b"bytes".to_vec(),
        labels: HashMap::from([("env".to_owned(), "prod".to_owned())]),
        ports: BTreeMap::from([(80, Inner::named("http"))]),
        pairs: vec![("a".into(), 1), ("b".into(), 2)],
        owners: BTreeMap::from([(ID, "ann".to_owned())]),
        inner,
        list: vec![Inner::named("x"), Inner::named("y")],
        absent: None,
        json: json!({ "a": [1, 2.5, "x", null], "n": null }),
        value: Value::Record([("Size".to_owned(), Value::Uint(3))].into()),
        stamp: Arc::new(Stamp { create_index: 7, modify_index: 9 }),
        secret: "",
    }
}

#[track_caller]
fn holds(text: &str) {
    let filter = Filter::<View<'_>>::compile(text).unwrap_or_else(|error| panic!("{error}"));
    assert!(filter.matches(&row("web-1")), "{text}");
    let negated = format!("not ({text})");
    let filter = Filter::<View<'_>>::compile(&negated).unwrap_or_else(|error| panic!("{error}"));
    assert!(!filter.matches(&row("web-1")), "{negated}");
}

#[track_caller]
fn refused(text: &str) -> CompileErrorKind {
    Filter::<View<'_>>::compile(text).expect_err("it compiles").kind().clone()
}

#[test]
fn every_string_type_filters_as_text() {
    for field in ["Owned", "Boxed", "Shared"] {
        let value = field.to_lowercase();
        holds(&format!("{field} == {value} and {field} contains e and {field} is not empty"));
        holds(&format!("{field} matches `^{value}$` and {field} != x and {field} is not nil"));
    }
    holds("Name == \"web-1\" and Letter == \"é\" and Letter matches `^\\p{L}$` and Letter != ab");
    holds("Zone == \"eu-1\" and \"eu\" in Zone");
    holds("Cow == cow and Cow contains o");
    holds("Bytes matches `^byt` and 98 in Bytes");
}

#[test]
fn numbers_and_bools_accept_go_literals() {
    holds("Small == -3 and Small == \"-0x3\" and Large == 18446744073709551615 and On == t");
    holds("Ratio == 0.1 and Exact == \"1e-1\" and Ratio != \"nan\"");
}

#[test]
fn uuids_equal_their_hyphenated_lower_case_form() {
    holds("ID == \"01234567-89ab-cdef-0123-456789abcdef\" and ID matches `^0123.*def$`");
    holds("ID contains \"89ab-\" and ID != \"01234567-89AB-CDEF-0123-456789ABCDEF\"");
    holds(
        "Owners[\"01234567-89ab-cdef-0123-456789abcdef\"] == ann and any Owners as k, v { v == ann }",
    );
}

#[test]
fn enums_filter_by_serde_or_given_names() {
    holds("Mode == \"read-only\" and Mode != rw and Mode contains read");
    holds("Health == all_good and Health != bad");
    assert_eq!(Mode::KIND.to_string(), "text");
    let filter = Filter::<View<'_>>::compile("Mode == readonly").expect("it compiles");
    assert_eq!(filter.warnings().len(), 1);
    let row = View { mode: Mode::ReadWrite, ..row("x") };
    assert!(Filter::<View<'_>>::compile("Mode == rw").expect("it compiles").matches(&row));
}

#[test]
fn contains_tests_elements_of_lists_and_sets() {
    holds("web in Tags and 42 in Numbers and 443 in Sorted and x in Hashed and true in Fixed");
    holds("Tags.0 == web and Tags.9 is nil and Tags.9 != x and Numbers is not empty");
    holds("any Tags as t { t == prod } and all Tags as i, t { i == 0 or t == prod }");
    holds("any Sorted as i, _ { i == 1 } and not any Fixed as f { f == false }");
}

#[test]
fn map_keys_are_converted_to_their_kind() {
    holds("Labels.env == prod and env in Labels and Labels.none is nil and Labels.none != x");
    holds("Ports.80.name == http and Ports[\"0x50\"].name == http and 80 in Ports");
    holds("Pairs.b == 2 and Pairs.c is nil and any Pairs as k { k == a }");
    assert_eq!(refused("Ports.http.name == x"), CompileErrorKind::BadMapKey);
    assert_eq!(refused("Ports.70000.name == x"), CompileErrorKind::BadMapKey);
}

#[test]
fn nested_structs_are_selected_at_any_depth() {
    holds(
        "inner == x or Inner.name == a and Inner.next.name == b and Inner.children.1.name == d"
            .trim_start_matches("inner == x or "),
    );
    holds("any List as x { x.name == y and x.next is nil } and Inner.next.next.next.name is nil");
    assert!(matches!(refused("Inner.Name == a"), CompileErrorKind::UnknownSelector { .. }));
    assert!(matches!(refused("Inner == a"), CompileErrorKind::OperatorKind { .. }));
}

#[test]
fn absent_values_follow_the_table() {
    for missing in ["Note", "Absent.name", "Labels.none", "Ports.1.name", "Tags.7"] {
        holds(&format!("{missing} != x and not {missing} == x"));
        holds(&format!("x not in {missing} and {missing} not contains x"));
        holds(&format!("{missing} not matches x and {missing} is empty and {missing} is nil"));
    }
    holds(
        "not any Absent.children as c { c.name == x } and all Absent.children as c { c.name == x }",
    );
}

#[test]
fn flattened_fields_are_selected_like_own_fields() {
    holds("CreateIndex == 7 and ModifyIndex != 7");
    assert!(matches!(refused("Stamp.CreateIndex == 7"), CompileErrorKind::UnknownSelector { .. }));

    #[derive(Filterable)]
    struct Row {
        #[filterable(flatten(deref))]
        entry: Entry,
        #[filterable(flatten)]
        inner: Option<Inner>,
    }
    let filter = Filter::<Row>::compile("ModifyIndex == 9 and name != x").expect("it compiles");
    let stamp = Arc::new(Stamp { create_index: 7, modify_index: 9 });
    assert!(filter.matches(&Row { entry: Entry(stamp), inner: None }));
    let names = Row::KIND.schema().expect("a struct").names();
    assert_eq!(names, ["CreateIndex", "ModifyIndex", "name", "next", "children"]);
}

#[test]
fn computed_fields_call_methods() {
    holds("Schedulable == true and First == web");
}

#[test]
fn skipped_fields_do_not_exist() {
    assert!(matches!(refused("Secret == x"), CompileErrorKind::UnknownSelector { near: None, .. }));
}

#[test]
fn json_fields_are_checked_at_evaluation() {
    holds(
        "Json.a.0 == 1 and x in Json.a and Json.n is nil and Json.n.deep != x and Value.Size == 3",
    );
    let filter =
        Filter::<View<'_>>::compile("Json == x or Name == \"web-1\"").expect("it compiles");
    assert!(!filter.matches(&row("web-1")));
    assert!(filter.try_matches(&row("web-1")).is_err());
}

#[test]
fn pointers_filter_like_their_targets() {
    let filter = Filter::<Arc<Inner>>::compile("name == a").expect("it compiles");
    assert!(filter.matches(&Arc::new(Inner::named("a"))));
    let filter = Filter::<&Inner>::compile("name == a").expect("it compiles");
    assert!(filter.matches(&&Inner::named("a")));
}

#[test]
fn generic_structs_are_filterable() {
    #[derive(Filterable)]
    struct Page<T> {
        rows: Vec<T>,
    }
    let filter = Filter::<Page<u8>>::compile("3 in rows").expect("it compiles");
    assert!(filter.matches(&Page { rows: vec![1, 3] }));
    assert!(matches!(Page::<u8>::KIND, Kind::Record(_)));
}

#[test]
fn filters_are_shared_between_threads() {
    fn shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    let filter = Filter::<Inner>::compile("name == a and name matches `^a`").expect("it compiles");
    shared(&filter);
    let clone = filter.clone();
    let thread = std::thread::spawn(move || clone.matches(&Inner::named("a")));
    assert_eq!(thread.join().ok(), Some(true));
    assert!(filter.matches(&Inner::named("a")));
}

#[test]
fn filters_return_text_selectors_and_warnings() {
    let text = "Name == Owned and Small == 300 and any Tags as t { t == x } or Name is empty";
    let filter = Filter::<View<'_>>::compile(text).expect("it compiles");
    assert_eq!(filter.text(), text);
    assert_eq!(filter.selectors().collect::<Vec<_>>(), ["Name", "Small", "Tags"]);
    let warnings: Vec<String> = filter.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "this is compared as text, not with the field of this name",
            "the field has 8 bits and never holds a number this large or small"
        ]
    );
}

#[test]
fn names_of_quantifiers_are_lexically_scoped() {
    holds(
        "any List as x { any Inner.children as y { y.name != x.name and Name == \"web-1\" } }"
            .replace("y.name != x.name", "y.name == d and x.name == y")
            .as_str(),
    );
    holds("any Tags as Tags { Tags == web } and web in Tags");
    holds("any Inner.children as c { any Tags as c { c == prod } and c.name == c }");
    holds("not any Tags as t { t == x } and any Tags as t { t == web } or On == false");
}

#[test]
fn sorted_pairs_are_maps_in_every_sequence() {
    #[derive(Filterable)]
    struct Row<'r> {
        vec: Vec<(String, i64)>,
        array: [(u16, &'static str); 2],
        slice: &'r [(&'static str, bool)],
        shared: Arc<[(i8, u8)]>,
    }
    let row = Row {
        vec: vec![("a".to_owned(), 1), ("b".to_owned(), 2)],
        array: [(80, "http"), (443, "https")],
        slice: &[("on", true)],
        shared: [(-1, 3)].into(),
    };
    let text = "vec.b == 2 and array.443 == https and slice.on == true and shared[\"-1\"] == 3 and c not in vec";
    assert!(Filter::<Row<'_>>::compile(text).expect("it compiles").matches(&row));
}

#[test]
fn pairs_that_are_not_map_entries_are_structs() {
    #[derive(Filterable, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    enum Mode {
        Read,
        Write,
    }
    #[derive(Filterable)]
    struct Row {
        pair: (String, i64),
        maybe: Option<(bool, (u8, f64))>,
        measured: Vec<(f64, String)>,
        modes: Vec<(Mode, u8)>,
        queued: std::collections::VecDeque<(String, u8)>,
        ids: Vec<(Id, u8)>,
        times: [(Option<u8>, u8); 1],
    }
    #[derive(Filterable)]
    struct Id(String);
    let row = Row {
        pair: ("a".to_owned(), 7),
        maybe: Some((true, (1, 0.5))),
        measured: vec![(0.5, "half".to_owned())],
        modes: vec![(Mode::Read, 1), (Mode::Write, 2)],
        queued: [("x".to_owned(), 1)].into(),
        ids: vec![(Id("a".to_owned()), 1), (Id("b".to_owned()), 2)],
        times: [(None, 3)],
    };
    for text in [
        "pair.0 == a and pair.1 == 7",
        "maybe.0 == true and maybe.1.1 == 0.5",
        "any measured as m { m.0 == 0.5 and m.1 == half }",
        "measured.0.1 == half",
        "any modes as m { m.0 == Write and m.1 == 2 }",
        "any queued as q { q.0 == x and q.1 == 1 }",
        "ids.b == 2 and any ids as k, v { k == a and v == 1 }",
        "any times as t { t.0 is nil and t.1 == 3 }",
    ] {
        let filter = Filter::<Row>::compile(text).unwrap_or_else(|error| panic!("{error}"));
        assert!(filter.matches(&row), "{text}");
    }
}

#[test]
fn integers_of_128_bits_are_compared_exactly() {
    #[derive(Filterable)]
    struct Row {
        signed: i128,
        unsigned: u128,
        #[filterable(unit = "bytes")]
        size: u128,
        small: i64,
        list: Vec<i128>,
    }
    let row = Row {
        signed: i128::MIN,
        unsigned: u128::MAX,
        size: 1 << 70,
        small: -1,
        list: vec![3, i128::MAX],
    };
    let options = Options::new().dialect(Dialect::Extended);
    let compiled = |text: &str| Filter::<Row>::compile_with(text, &options);
    for text in [
        "signed == -170141183460469231731687303715884105728 and signed != 0",
        "unsigned == 340282366920938463463374607431768211455 and unsigned != 0",
        "unsigned == \"0xffff_ffff_ffff_ffff_ffff_ffff_ffff_ffff\" and signed < -1 and unsigned > 7",
        "unsigned > 340282366920938463463374607431768211454 and not unsigned in [1, 2]",
        "signed in [-170141183460469231731687303715884105728, 4]",
        "size == \"1024EiB\" and size >= 1024EiB and size between 1EiB and 2000EiB",
        "@signed < @unsigned and @unsigned > @small and @small > @signed and @signed <= @signed",
        "170141183460469231731687303715884105727 in list and 4 not in list and list contains any [3]",
        "any list as x { x > 3 } and all list as x { x >= 3 }",
    ] {
        let filter = compiled(text).unwrap_or_else(|error| panic!("{error}"));
        assert!(filter.matches(&row), "{text}");
        assert!(filter.warnings().is_empty() && filter.try_matches(&row).is_ok(), "{text}");
    }
    for text in [
        "signed == -170141183460469231731687303715884105729",
        "unsigned == 340282366920938463463374607431768211456",
    ] {
        let error = compiled(text).expect_err("it is too large");
        assert!(matches!(error.kind(), CompileErrorKind::ValueRange { .. }), "{error}");
    }
    assert!(compiled("unsigned == -1").is_err() && compiled("signed == x").is_err());
    // No index has keys of 128 bits.
    assert!(compiled("signed == 3 and unsigned > 4").expect("it compiles").conjuncts().is_empty());
}

#[test]
#[expect(clippy::linkedlist, reason = "it is one of them")]
fn every_std_sequence_is_a_list() {
    #[derive(Filterable)]
    struct Row<'r> {
        deque: VecDeque<u8>,
        linked: LinkedList<String>,
        heap: BinaryHeap<u32>,
        cow: Cow<'r, [i64]>,
        pairs: Cow<'r, [(String, bool)]>,
    }
    let row = Row {
        deque: VecDeque::from([1, 2]),
        linked: LinkedList::from(["a".to_owned(), "b".to_owned()]),
        heap: BinaryHeap::from([9, 4]),
        cow: Cow::Borrowed(&[5, 6]),
        pairs: Cow::Owned(vec![("on".to_owned(), true)]),
    };
    let text = "2 in deque and deque.0 == 1 and b in linked and linked.1 == b and 4 in heap and 6 in cow and cow.1 == 6 and pairs.on == true";
    assert!(Filter::<Row<'_>>::compile(text).expect("it compiles").matches(&row));
}
