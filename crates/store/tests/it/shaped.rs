//! A row type that changed without a new version is detected when the store is opened or a backup is restored.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use statehold_store::{OpenError, ReadView, RestoreError, RowError, Schema, Store, Table};

/// A table of the rows `R` in the version `V`.
struct Nodes<R, const V: u16>(std::marker::PhantomData<fn() -> R>);

impl<R: Node, const V: u16> Table for Nodes<R, V> {
    const NAME: &'static str = "nodes";
    const VERSION: u16 = V;
    type Key = String;
    type Row = R;

    fn key(row: &R) -> &str {
        row.id()
    }

    fn migrate(old: statehold_store::OldRow<'_>) -> Result<R, RowError> {
        R::from_first(old.read()?)
    }
}

trait Node: Serialize + DeserializeOwned + Send + Sync + 'static {
    fn id(&self) -> &str;
    fn from_first(first: First) -> Result<Self, RowError>;
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct First {
    id: String,
    owner: String,
    secret: String,
    size: u32,
    state: State,
    spec: Spec,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum State {
    Ready,
    Down,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Spec {
    cpu: u64,
    pools: Vec<String>,
}

impl Node for First {
    fn id(&self) -> &str {
        &self.id
    }

    fn from_first(first: First) -> Result<Self, RowError> {
        Ok(first)
    }
}

/// A changed [`First`], to which rows migrate with their keys only.
macro_rules! changed {
    ($name:ident { $($field:ident: $ty:ty = $value:expr),* $(,)? }) => {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct $name { id: String, $($field: $ty),* }

        impl Node for $name {
            fn id(&self) -> &str {
                &self.id
            }

            fn from_first(first: First) -> Result<Self, RowError> {
                Ok(Self { id: first.id, $($field: $value),* })
            }
        }
    };
}

fn spec() -> Spec {
    Spec { cpu: 1, pools: vec!["a".into()] }
}

changed!(Swapped {
    secret: String = "s".into(),
    owner: String = "o".into(),
    size: u32 = 3,
    state: State = State::Ready,
    spec: Spec = spec(),
});

changed!(Signed {
    owner: String = "o".into(),
    secret: String = "s".into(),
    size: i32 = 3,
    state: State = State::Ready,
    spec: Spec = spec(),
});

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum InFront {
    New,
    Ready,
    Down,
}

changed!(Fronted {
    owner: String = "o".into(),
    secret: String = "s".into(),
    size: u32 = 3,
    state: InFront = InFront::Ready,
    spec: Spec = spec(),
});

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Renamed {
    cores: u64,
    pools: Vec<String>,
}

changed!(Nested {
    owner: String = "o".into(),
    secret: String = "s".into(),
    size: u32 = 3,
    state: State = State::Ready,
    spec: Renamed = Renamed { cores: 1, pools: vec![] },
});

/// Another type of the same shape.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Text(String);

changed!(Same {
    owner: Text = Text("o".into()),
    secret: Box<str> = "s".into(),
    size: u32 = 3,
    state: State = State::Ready,
    spec: Spec = spec(),
});

fn first(id: &str) -> First {
    First {
        id: id.into(),
        owner: "ann".into(),
        secret: "pst".into(),
        size: 4,
        state: State::Ready,
        spec: spec(),
    }
}

fn schema<R: Node, const V: u16>() -> Schema {
    Schema::new().table::<Nodes<R, V>>()
}

/// Opens, writes a row and closes: the row is in the journal, and after the next open in the rows as well.
fn write(dir: &Path) {
    let store = Store::open(dir, &schema::<First, 1>()).unwrap();
    let mut txn = store.begin_write().unwrap();
    txn.upsert::<Nodes<First, 1>>(first("a")).unwrap();
    txn.commit().unwrap();
}

fn files(dir: &Path) -> [Vec<u8>; 2] {
    ["rows.redb", "log.redb"].map(|name| std::fs::read(dir.join(name)).unwrap())
}

/// Opens with a changed type. Returns the message.
fn refused<R: Node>(dir: &Path) -> String {
    let before = files(dir);
    let error = Store::open(dir, &schema::<R, 1>()).unwrap_err();
    assert!(matches!(error, OpenError::ShapeChanged { table: "nodes", version: 1, .. }), "{error}");
    assert!(before == files(dir), "the refused files changed");
    error.to_string()
}

#[test]
fn changed_row_type_without_a_version_is_refused_by_field() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let swapped = refused::<Swapped>(dir.path());
    assert!(
        swapped.contains(
            "the row type of the table nodes changed and its version is still 1: \
             field 2 was `owner: string`, is `secret: string`. Raise the version and migrate"
        ),
        "{swapped}"
    );
    assert!(refused::<Signed>(dir.path()).contains("field 4 was `size: u32`, is `size: i32`"));
    assert!(refused::<Fronted>(dir.path()).contains("in `state` variant 1 was `Ready`, is `New`"));
    assert!(
        refused::<Nested>(dir.path()).contains("in `spec` field 1 was `cpu: u64`, is `cores: u64`")
    );
    // The store is unchanged.
    let store = Store::open(dir.path(), &schema::<First, 1>()).unwrap();
    assert_eq!(**store.snapshot().get::<Nodes<First, 1>>("a").unwrap(), first("a"));
}

#[test]
fn a_change_with_a_new_version_is_migrated_and_recorded_as_well() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    {
        let store = Store::open(dir.path(), &schema::<Swapped, 2>()).unwrap();
        assert_eq!(store.snapshot().get::<Nodes<Swapped, 2>>("a").unwrap().secret, "s");
    }
    let error = Store::open(dir.path(), &schema::<Signed, 2>()).unwrap_err();
    assert!(matches!(error, OpenError::ShapeChanged { version: 2, .. }), "{error}");
    refused::<Swapped>(dir.path());
}

#[test]
fn another_type_of_the_same_shape_opens_the_store() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let store = Store::open(dir.path(), &schema::<Same, 1>()).unwrap();
    assert_eq!(store.snapshot().get::<Nodes<Same, 1>>("a").unwrap().owner, Text("ann".into()));
}

#[test]
fn a_table_that_was_never_written_to_may_change() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path(), &schema::<Swapped, 1>()).unwrap());
    drop(Store::open(dir.path(), &schema::<Signed, 1>()).unwrap());
    write(dir.path());
    refused::<Signed>(dir.path());
}

#[test]
fn directory_without_shapes_opens_and_records_them() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let db = redb::Database::open(dir.path().join("rows.redb")).unwrap();
    let txn = db.begin_write().unwrap();
    let shapes = redb::TableDefinition::<&str, &str>::new("shapes");
    assert!(txn.delete_table(shapes).unwrap());
    txn.commit().unwrap();
    drop(db);
    drop(Store::open(dir.path(), &schema::<First, 1>()).unwrap());
    refused::<Swapped>(dir.path());
}

#[test]
fn shape_of_another_form_is_skipped_and_a_malformed_one_damage() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let set = |text: &str| {
        let db = redb::Database::open(dir.path().join("rows.redb")).unwrap();
        let txn = db.begin_write().unwrap();
        let shapes = redb::TableDefinition::<&str, &str>::new("shapes");
        txn.open_table(shapes).unwrap().insert("nodes/1", text).unwrap();
        txn.commit().unwrap();
    };
    set("99 whatever a later build writes");
    drop(Store::open(dir.path(), &schema::<First, 1>()).unwrap());
    set("0 whatever an earlier build wrote");
    drop(Store::open(dir.path(), &schema::<First, 1>()).unwrap());
    refused::<Swapped>(dir.path());
    set("1 {id: str");
    let error = Store::open(dir.path(), &schema::<First, 1>()).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}

/// A backup of a store with a row of [`First`].
fn backup() -> Vec<u8> {
    let store = Store::in_memory(&schema::<First, 1>());
    let mut txn = store.begin_write().unwrap();
    txn.upsert::<Nodes<First, 1>>(first("a")).unwrap();
    txn.commit().unwrap();
    backup_of(&store)
}

fn backup_of(store: &Store) -> Vec<u8> {
    let mut backup = Vec::new();
    store.backup(&mut backup).unwrap();
    backup
}

/// Offset of the length of the first table's shape: after the header and the name `nodes`.
const SHAPE_AT: usize = 8 + 1 + 8 + 2 + 2 + "nodes".len();

/// The same backup with another shape.
fn with_shape(backup: &[u8], shape: &str) -> Vec<u8> {
    let len = u32::from_le_bytes(backup[SHAPE_AT..SHAPE_AT + 4].try_into().unwrap());
    let rows = SHAPE_AT + 4 + usize::try_from(len).unwrap();
    let mut other = backup[..SHAPE_AT].to_vec();
    other.extend_from_slice(&u32::try_from(shape.len()).unwrap().to_le_bytes());
    other.extend_from_slice(shape.as_bytes());
    other.extend_from_slice(&backup[rows..backup.len() - 4]);
    let sum = crc32fast::hash(&other);
    other.extend_from_slice(&sum.to_le_bytes());
    other
}

/// Restores into a directory with a row, whose row type changed since. Returns the message.
fn restore_refused<R: Node>(backup: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &schema::<R, 1>()).unwrap();
    let mut txn = store.begin_write().unwrap();
    txn.upsert::<Nodes<R, 1>>(R::from_first(first("b")).unwrap()).unwrap();
    txn.commit().unwrap();
    let before = (store.index(), backup_of(&store));
    let error = store.restore(backup).unwrap_err();
    assert_eq!((store.index(), backup_of(&store)), before, "the refused backup changed the store");
    let message = error.to_string();
    let RestoreError::ShapeChanged { table, version, difference, was, is, .. } = error else {
        panic!("{message}")
    };
    assert_eq!((table, version), ("nodes", 1));
    assert!(message.contains(&*difference), "{message}");
    let shape = |schema: Schema| schema.shapes().next().unwrap().text;
    assert_eq!((&*was, &*is), (&*shape(schema::<First, 1>()), &*shape(schema::<R, 1>())));
    drop(store);
    let store = Store::open(dir.path(), &schema::<R, 1>()).unwrap();
    assert_eq!((store.index(), backup_of(&store)), before, "the refused backup changed the files");
    message
}

#[test]
fn a_backup_of_a_row_type_that_changed_since_is_refused() {
    let backup = backup();
    let swapped = restore_refused::<Swapped>(&backup);
    assert!(
        swapped.contains(
            "the row type of the table nodes changed since the backup and its version is still 1: \
             field 2 was `owner: string`, is `secret: string`. Restore with a build that has"
        ),
        "{swapped}"
    );
    assert!(restore_refused::<Signed>(&backup).contains("field 4 was `size: u32`, is `size: i32`"));
    assert!(
        restore_refused::<Fronted>(&backup).contains("in `state` variant 1 was `Ready`, is `New`")
    );
    assert!(
        restore_refused::<Nested>(&backup)
            .contains("in `spec` field 1 was `cpu: u64`, is `cores: u64`")
    );
}

#[test]
fn a_backup_is_migrated_by_a_changed_type_with_a_new_version() {
    let store = Store::in_memory(&schema::<Swapped, 2>());
    store.restore(backup().as_slice()).unwrap();
    assert_eq!(store.snapshot().get::<Nodes<Swapped, 2>>("a").unwrap().secret, "s");
    // Its own backups hold the rows and the shape of the new version.
    let backup = backup_of(&store);
    let other = Store::in_memory(&schema::<Signed, 2>());
    let error = other.restore(backup.as_slice()).unwrap_err();
    assert!(matches!(error, RestoreError::ShapeChanged { version: 2, .. }), "{error}");
    let earlier = Store::in_memory(&schema::<Swapped, 1>());
    let error = earlier.restore(backup.as_slice()).unwrap_err();
    assert!(
        matches!(error, RestoreError::Row(RowError::NewerVersion { found: 2, known: 1, .. })),
        "{error}"
    );
}

#[test]
fn a_backup_is_restored_by_another_type_of_the_same_shape() {
    let store = Store::in_memory(&schema::<Same, 1>());
    store.restore(backup().as_slice()).unwrap();
    assert_eq!(store.snapshot().get::<Nodes<Same, 1>>("a").unwrap().owner, Text("ann".into()));
}

#[test]
fn a_backup_without_rows_of_the_changed_type_is_restored() {
    let empty = backup_of(&Store::in_memory(&schema::<First, 1>()));
    Store::in_memory(&schema::<Swapped, 1>()).restore(empty.as_slice()).unwrap();
}

/// A backup's only table, from its shape to its last row.
fn table_of(backup: &[u8]) -> &[u8] {
    &backup[SHAPE_AT..backup.len() - 4]
}

#[test]
fn a_backup_of_a_kept_table_carries_the_shapes_of_its_rows() {
    let backup = backup();
    let kept = Store::in_memory(&Schema::new().keep("nodes"));
    kept.restore(backup.as_slice()).unwrap();
    assert_eq!(table_of(&backup_of(&kept)), table_of(&backup));
    let error = Store::in_memory(&schema::<Swapped, 1>()).restore(backup_of(&kept).as_slice());
    assert!(matches!(error, Err(RestoreError::ShapeChanged { .. })), "{error:?}");
    Store::in_memory(&Schema::new().drop_table("nodes")).restore(backup.as_slice()).unwrap();
}

#[test]
fn a_restore_records_the_shapes_of_a_kept_table() {
    let dir = tempfile::tempdir().unwrap();
    let keeps = Schema::new().keep("nodes");
    Store::open(dir.path(), &keeps).unwrap().restore(backup().as_slice()).unwrap();
    // Through a backup of the reopened store as well.
    let again = backup_of(&Store::open(dir.path(), &keeps).unwrap());
    assert_eq!(table_of(&again), table_of(&backup()));
    let error = Store::open(dir.path(), &schema::<Swapped, 1>()).unwrap_err();
    assert!(matches!(error, OpenError::ShapeChanged { table: "nodes", .. }), "{error}");
    let store = Store::open(dir.path(), &schema::<First, 1>()).unwrap();
    assert_eq!(**store.snapshot().get::<Nodes<First, 1>>("a").unwrap(), first("a"));
}

#[test]
fn a_kept_table_refuses_rows_of_another_type_for_its_version() {
    let dir = tempfile::tempdir().unwrap();
    let keeps = Schema::new().keep("nodes");
    {
        let store = Store::open(dir.path(), &schema::<Swapped, 1>()).unwrap();
        let mut txn = store.begin_write().unwrap();
        txn.upsert::<Nodes<Swapped, 1>>(Swapped {
            id: "b".into(),
            secret: "s".into(),
            owner: "o".into(),
            size: 3,
            state: State::Ready,
            spec: spec(),
        })
        .unwrap();
        txn.commit().unwrap();
    }
    let store = Store::open(dir.path(), &keeps).unwrap();
    let before = backup_of(&store);
    let error = store.restore(backup().as_slice()).unwrap_err();
    assert!(matches!(error, RestoreError::KeptShapeChanged { table: "nodes", version: 1, .. }));
    assert!(error.to_string().contains("drop the table from the store first"), "{error}");
    assert_eq!(backup_of(&store), before);
    drop(store);
    // The remedy that the error describes.
    drop(Store::open(dir.path(), &Schema::new().drop_table("nodes")).unwrap());
    Store::open(dir.path(), &keeps).unwrap().restore(backup().as_slice()).unwrap();
    Store::open(dir.path(), &schema::<First, 1>()).unwrap();
}

#[test]
fn backup_shape_of_another_or_no_form_is_not_compared() {
    let backup = backup();
    let shape = schema::<First, 1>().shapes().next().unwrap().text;
    assert_eq!(with_shape(&backup, &format!("1: {shape}")), backup);
    for other in ["", "1: 99 whatever a later build writes", "1: 0 whatever an earlier build wrote"]
    {
        let store = Store::in_memory(&schema::<First, 1>());
        store.restore(with_shape(&backup, other).as_slice()).unwrap();
        assert_eq!(**store.snapshot().get::<Nodes<First, 1>>("a").unwrap(), first("a"));
    }
}

#[test]
fn a_shape_in_a_backup_that_cannot_be_read_is_damage() {
    let backup = backup();
    let store = Store::in_memory(&schema::<First, 1>());
    for bad in ["1", "1: ", "1: 1 {id: str", "65536: 1 u8", "-1: 1 u8", ": 1 u8", "1 {id: string}"]
    {
        let error = store.restore(with_shape(&backup, bad).as_slice()).unwrap_err();
        assert!(
            error.to_string().contains("the shape of the table nodes can't be read"),
            "{bad:?}: {error}"
        );
    }
    // A changed byte that still parses as a shape is damage, not a changed type.
    let mut flipped = backup.clone();
    let at = backup.windows(5).position(|bytes| bytes == b"owner").unwrap();
    flipped[at] = b'a';
    let error = store.restore(flipped.as_slice()).unwrap_err();
    assert!(error.to_string().contains("its checksum does not match"), "{error}");
    assert_eq!(store.index(), 0);
}
