//! Derived tables: the effect of each attribute, and the rejected ones.

use serde::{Deserialize, Serialize};
use statehold_filter::{Filter, Filterable};
use statehold_store::{
    Desc, HexPrefix, Index, KeyPart, KeyRange, Missing, OldRow, Order, ReadView, RowError, Schema,
    SchemaError, Store, Table, WriteError, folded, plan,
};
use uuid::Uuid;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Status {
    Ready,
    Down,
}

impl KeyPart for Status {
    type Shape = u8;

    fn part(&self) -> u8 {
        *self as u8
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Filterable, Table)]
#[table(name = "volumes", version = 3, migrate = Volume::from_old, key(namespace, id))]
#[table(index(name = "status_size", on(status, desc(size)), when = Volume::is_listed))]
#[table(unique(name = "place", on(namespace, fold(name))))]
#[table(also(BY_LENGTH))]
struct Volume {
    namespace: Box<str>,
    id: String,
    name: String,
    #[table(index(serves = "plugin"))]
    plugin: String,
    #[filterable(skip)]
    #[table(index)]
    status: Status,
    #[table(unique(some))]
    #[table(index(name = "external_or_none"))]
    external: Option<String>,
    #[table(index(name = "node", each))]
    nodes: Vec<Uuid>,
    #[table(index(name = "tag", each, fold))]
    tags: Vec<String>,
    size: u64,
}

const BY_LENGTH: Index<Volume, u64> =
    Index::non_unique("length", |row: &Volume, keys| keys.add(row.id.len() as u64));

impl Volume {
    fn new(id: &str) -> Self {
        Self {
            namespace: "default".into(),
            id: id.into(),
            name: id.into(),
            plugin: "ebs".into(),
            status: Status::Ready,
            external: None,
            nodes: vec![],
            tags: vec![],
            size: 1,
        }
    }

    fn is_listed(&self) -> bool {
        self.size > 0
    }

    fn from_old(old: OldRow<'_>) -> Result<Self, RowError> {
        match old.version() {
            2 => old.read::<String>().map(|id| Self::new(&id)),
            _ => Err(old.unknown(Self::VERSION)),
        }
    }
}

/// The table of the earlier version.
#[derive(Serialize, Deserialize, Table)]
#[table(name = "volumes", version = 2, key(namespace, id))]
struct OldVolume {
    #[serde(skip)]
    namespace: Namespace,
    id: String,
}

#[derive(Default)]
struct Namespace;

impl KeyPart for Namespace {
    type Shape = String;

    fn part(&self) -> &'static str {
        "default"
    }
}

fn store(volumes: impl IntoIterator<Item = Volume>) -> Store {
    let store = Store::in_memory(&Schema::new().table::<Volume>());
    let mut txn = store.begin_write().unwrap();
    for volume in volumes {
        txn.upsert::<Volume>(volume).unwrap();
    }
    txn.commit().unwrap();
    store
}

fn ids<'v>(rows: impl Iterator<Item = &'v statehold_store::Entry<Volume>>) -> Vec<&'v str> {
    rows.map(|volume| &*volume.id).collect()
}

#[test]
fn compound_key_and_index_sort_by_their_parts() {
    let sized = |id: &str, size| Volume { size, ..Volume::new(id) };
    let store = store([sized("a", 1), sized("b", 3), sized("c", 2), sized("unlisted", 0)]);
    let view = store.snapshot();
    assert_eq!(view.get::<Volume>(("default", "b")).unwrap().size, 3);
    let all = KeyRange::all();
    let largest_first = view.scan_by(&Volume::BY_STATUS_SIZE, &all, Order::Ascending);
    assert_eq!(ids(largest_first), ["b", "c", "a"], "descending, without unlisted rows");
    let range = KeyRange::<(u8, Desc<u64>)>::starting_with(Status::Down.part());
    assert_eq!(view.scan_by(&Volume::BY_STATUS_SIZE, &range, Order::Ascending).count(), 0);
    let by_length = view.scan_by(&BY_LENGTH, &KeyRange::exact(1), Order::Ascending);
    assert_eq!(ids(by_length), ["a", "b", "c"]);
}

#[test]
fn folded_unique_indexes_apply_only_to_rows_with_a_key() {
    let store = store([Volume::new("a"), Volume::new("b")]);
    let mut txn = store.begin_write().unwrap();
    let again = Volume { name: "A".into(), ..Volume::new("c") };
    let refused = txn.upsert::<Volume>(again).unwrap_err();
    assert!(matches!(refused, WriteError::NotUnique { index: "place", .. }), "{refused}");
    assert!(txn.find(&Volume::BY_PLACE, ("default", &folded("B"))).is_some());
    let with = |id: &str| Volume { external: Some("x".into()), ..Volume::new(id) };
    txn.upsert::<Volume>(with("a")).unwrap();
    let refused = txn.upsert::<Volume>(with("b")).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "table volumes: another row has the key \"x\" in the unique index external; change `external` or \
         remove that row"
    );
    let none = Volume::BY_EXTERNAL_OR_NONE.exact(Missing);
    let without = txn.scan_by(&Volume::BY_EXTERNAL_OR_NONE, &none, Order::Ascending);
    assert_eq!(ids(without), ["b"]);
}

#[test]
fn a_multi_valued_index_has_a_key_for_each_element() {
    let node = Uuid::from_u128(0xA8 << 120);
    let tags = vec!["Red".to_owned(), "BLUE".to_owned()];
    let store = store([Volume { nodes: vec![node, Uuid::nil()], tags, ..Volume::new("a") }]);
    let view = store.snapshot();
    let prefix: HexPrefix = "a8".parse().unwrap();
    let on_node = view.scan_by(&Volume::BY_NODE, &KeyRange::<Uuid>::hex(&prefix), Order::Ascending);
    assert_eq!(ids(on_node), ["a"]);
    assert!(view.find(&Volume::BY_TAG, "red").is_some());
    assert!(view.find(&Volume::BY_TAG, "Red").is_none());
}

#[test]
fn a_planner_uses_the_index_that_serves_a_selector() {
    let store = store((0..40).map(|at| Volume {
        plugin: if at % 8 == 0 { "nfs".into() } else { "ebs".into() },
        ..Volume::new(&format!("v{at:02}"))
    }));
    let view = store.snapshot();
    let filter = Filter::<Volume>::compile("plugin == nfs").unwrap();
    let rows = plan::<Volume>(&view, &KeyRange::all(), Order::Ascending, &filter.conjuncts());
    assert_eq!(rows.index(), Some("plugin"));
    assert_eq!(ids(rows), ["v00", "v08", "v16", "v24", "v32"]);
}

#[derive(Serialize, Deserialize, Filterable, Table)]
#[table(name = "r#keywords", key(r#type, r#fn))]
#[table(index(name = "match", on(r#type, desc(r#fn), each(r#use)), when = Keywords::r#if))]
#[table(index(name = "plain", on(type, fold(fn))))]
struct Keywords {
    #[table(index(serves = "type"))]
    r#type: String,
    #[table(unique)]
    r#fn: String,
    #[table(index(each))]
    r#use: Vec<u64>,
    #[table(index(some))]
    r#loop: Option<u8>,
}

impl Keywords {
    fn r#if(&self) -> bool {
        !self.r#fn.is_empty()
    }
}

#[test]
fn fields_may_be_called_by_keywords() {
    let store = Store::in_memory(&Keywords::schema());
    let mut txn = store.begin_write().unwrap();
    let row =
        || Keywords { r#type: "a".into(), r#fn: "B".into(), r#use: vec![1, 2], r#loop: Some(3) };
    txn.put(row()).unwrap();
    assert!(Keywords::BY_KEY.get(&txn, ("a", "B")).is_some());
    assert!(txn.find(&Keywords::BY_TYPE, "a").is_some());
    assert!(txn.find(&Keywords::BY_FN, "B").is_some());
    assert!(txn.find(&Keywords::BY_USE, 2).is_some());
    assert!(txn.find(&Keywords::BY_LOOP, 3).is_some());
    assert!(txn.find(&Keywords::BY_MATCH, ("a", Desc("B"), 2)).is_some());
    assert!(txn.find(&Keywords::BY_PLAIN, ("a", "b")).is_some());
    assert_eq!(Keywords::BY_TYPE.name(), "type");
    let filter = Filter::<Keywords>::compile("type == a and 1 in use").unwrap();
    assert!(filter.matches(&row()));
}

#[derive(Debug, Serialize, Deserialize, Table)]
#[table(name = "listed")]
#[table(index(name = "pool_tag", on(pool, each(fold(tags)), desc(size))))]
#[table(index(name = "owner_tag", on(some(owner), each(tags)), when = Listed::is_listed))]
#[table(unique(name = "slots", on(pool, each(slots))))]
struct Listed {
    #[table(key)]
    id: u64,
    pool: String,
    tags: Vec<String>,
    owner: Option<String>,
    slots: [u8; 2],
    size: u64,
}

impl Listed {
    fn is_listed(&self) -> bool {
        self.size > 0
    }
}

#[test]
fn compound_index_may_have_a_key_for_each_list_element() {
    let store = Store::in_memory(&Listed::schema());
    let mut txn = store.begin_write().unwrap();
    let row = |id: u8, tags: &[&str], owner: Option<&str>, size| Listed {
        id: id.into(),
        pool: "ssd".into(),
        tags: tags.iter().map(|tag| String::from(*tag)).collect(),
        owner: owner.map(String::from),
        slots: [id, id + 100],
        size,
    };
    txn.put(row(1, &["Red", "blue", "red"], Some("ann"), 5)).unwrap();
    txn.put(row(2, &["red"], None, 9)).unwrap();
    txn.put(row(3, &["red"], Some("ann"), 0)).unwrap();
    txn.put(row(4, &[], Some("ann"), 7)).unwrap();
    let ids = |rows: statehold_store::Scan<'_, Listed>| rows.map(|row| row.id).collect::<Vec<_>>();
    let red = Listed::BY_POOL_TAG.starting_with(("ssd", "red"));
    let largest_first = txn.scan_by(&Listed::BY_POOL_TAG, &red, Order::Ascending);
    assert_eq!(ids(largest_first), [2, 1, 3], "a row once for equal elements");
    let of_ann = Listed::BY_OWNER_TAG.starting_with("ann");
    let tags = txn.scan_by(&Listed::BY_OWNER_TAG, &of_ann, Order::Ascending);
    assert_eq!(ids(tags), [1, 1, 1], "with an owner, listed, once for each tag");
    assert!(txn.find(&Listed::BY_SLOTS, ("ssd", 101)).is_some());
    let taken = Listed { slots: [7, 101], ..row(9, &[], None, 1) };
    let refused = txn.put(taken).map(drop).unwrap_err();
    let WriteError::NotUnique { index: "slots", key, fields, .. } = refused else {
        panic!("{refused}")
    };
    assert_eq!((&*key, fields), (r#"("ssd", 101)"#, ["pool", "slots"].as_slice()));
}

#[derive(Serialize, Deserialize, Filterable, Table)]
#[table(name = "misspelt")]
struct Misspelt {
    #[table(key)]
    id: u64,
    #[table(index(serves = "plugni"))]
    plugin: String,
}

#[derive(Serialize, Deserialize, Filterable, Table)]
#[table(name = "unfit")]
struct Unfit {
    #[table(key)]
    id: u64,
    #[filterable(rename = "size")]
    #[table(index(serves = "size"))]
    label: String,
    #[filterable(rename = "label")]
    #[table(index(serves = "label"))]
    size: u64,
}

#[derive(Serialize, Deserialize, Filterable, Table)]
#[table(name = "swapped")]
struct Swapped {
    #[table(key)]
    id: u64,
    #[table(index(serves = "id"))]
    label: String,
}

#[test]
fn index_that_no_filter_could_use_is_a_schema_error() {
    let error = Schema::new().try_table::<Misspelt>().unwrap_err();
    let SchemaError::UnknownSelector { table, index, selector, known } = &error else {
        panic!("{error}")
    };
    assert_eq!((*table, *index, *selector), ("misspelt", "plugin", "plugni"));
    assert_eq!(**known, ["id", "plugin"]);
    assert!(Schema::new().try_table::<Unfit>().is_ok(), "a selector is not the field's name");
    let error = Schema::new().try_table::<Swapped>().unwrap_err();
    assert!(matches!(error, SchemaError::UnfitKeys { index: "label", selector: "id", .. }));
}

#[test]
fn a_table_may_be_in_a_schema_once() {
    let error = Volume::schema().try_table::<Volume>().unwrap_err();
    assert_eq!(error, SchemaError::TableTwice { table: "volumes" });
}

#[test]
fn rows_of_an_earlier_version_go_through_the_migration() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = Store::open(dir.path(), &Schema::new().table::<OldVolume>()).unwrap();
        let mut txn = store.begin_write().unwrap();
        txn.upsert::<OldVolume>(OldVolume { namespace: Namespace, id: "a".into() }).unwrap();
        txn.commit().unwrap();
    }
    let store = Store::open(dir.path(), &Schema::new().table::<Volume>()).unwrap();
    assert_eq!(**store.snapshot().get::<Volume>(("default", "a")).unwrap(), Volume::new("a"));
}

#[test]
fn mistakes_are_compile_errors_with_a_remedy() {
    trybuild::TestCases::new().compile_fail("tests/derive_errors/*.rs");
}
