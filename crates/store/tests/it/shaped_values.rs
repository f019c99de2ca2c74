//! Types that validate their values hide no change, and migrations read the type that the rows have.

use std::marker::PhantomData;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use statehold_store::{
    OldRow, OpenError, Options, ReadView, RestoreError, RowError, Schema, Store, Table, WriteError,
};

/// A name that equals none of the usual dummies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Name(String);

impl TryFrom<String> for Name {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        if name.starts_with("node-") { Ok(Self(name)) } else { Err("a name begins with node-") }
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

/// Rows of these types, with the number as the key.
trait Row: Serialize + DeserializeOwned + Send + Sync + 'static {
    fn id(&self) -> u64;
}

impl<A, B, C> Row for Shape<A, B, C>
where
    Self: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    fn id(&self) -> u64 {
        self.id
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Shape<A, B, C> {
    name: A,
    id: u64,
    size: B,
    inner: C,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Inner<B> {
    owner: Name,
    cores: B,
}

struct Nodes<R>(PhantomData<fn() -> R>);

impl<R: Row> Table for Nodes<R> {
    const NAME: &'static str = "nodes";
    const VERSION: u16 = 1;
    type Key = u64;
    type Row = R;

    fn key(row: &R) -> u64 {
        row.id()
    }
}

type First = Shape<Name, u32, Inner<u8>>;

fn name() -> Name {
    Name("node-1".into())
}

fn first() -> First {
    Shape { name: name(), id: 7, size: 4, inner: Inner { owner: name(), cores: 2 } }
}

fn schema<R: Row>() -> Schema {
    Schema::new().table::<Nodes<R>>()
}

fn put<R: Row>(store: &Store, row: R) {
    let mut txn = store.begin_write().unwrap();
    txn.upsert::<Nodes<R>>(row).unwrap();
    txn.commit().unwrap();
}

fn refusal<R: Row>(dir: &Path) -> String {
    let error = Store::open(dir, &schema::<R>()).unwrap_err();
    assert!(matches!(error, OpenError::ShapeChanged { table: "nodes", version: 1, .. }), "{error}");
    error.to_string()
}

/// Replaces the recorded shape.
fn record(dir: &Path, text: &str) {
    let db = redb::Database::open(dir.join("rows.redb")).unwrap();
    let txn = db.begin_write().unwrap();
    let shapes = redb::TableDefinition::<&str, &str>::new("shapes");
    txn.open_table(shapes).unwrap().insert("nodes/1", text).unwrap();
    txn.commit().unwrap();
}

#[test]
fn a_change_behind_a_validated_field_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    put(&Store::open(dir.path(), &schema::<First>()).unwrap(), first());
    let signed = refusal::<Shape<Name, i32, Inner<u8>>>(dir.path());
    assert!(signed.contains("field 3 was `size: u32`, is `size: i32`"), "{signed}");
    let nested = refusal::<Shape<Name, u32, Inner<i8>>>(dir.path());
    assert!(nested.contains("in `inner` field 2 was `cores: u8`, is `cores: i8`"), "{nested}");
}

#[test]
fn a_validated_field_may_become_the_type_that_it_is_written_as() {
    let dir = tempfile::tempdir().unwrap();
    put(&Store::open(dir.path(), &schema::<First>()).unwrap(), first());
    let store = Store::open(dir.path(), &schema::<Shape<String, u32, Inner<u8>>>()).unwrap();
    assert_eq!(
        store.snapshot().get::<Nodes<Shape<String, u32, Inner<u8>>>>(7).unwrap().name,
        "node-1"
    );
}

#[test]
fn a_recorded_shape_that_lacks_a_part_is_completed_at_open() {
    let dir = tempfile::tempdir().unwrap();
    put(&Store::open(dir.path(), &schema::<First>()).unwrap(), first());
    // As recorded by builds that detected no field behind the name.
    record(dir.path(), "1 {name: string, id: ?, size: ?, inner: ?, ..}");
    drop(Store::open(dir.path(), &schema::<First>()).unwrap());
    let signed = refusal::<Shape<Name, i32, Inner<u8>>>(dir.path());
    assert!(signed.contains("field 3 was `size: u32`, is `size: i32`"), "{signed}");
}

type Pair = Shape<(Name, u32), u32, (Name, Vec<Option<u16>>)>;
type SignedPair = Shape<(Name, i32), u32, (Name, Vec<Option<u16>>)>;
type WiderPair = Shape<(Name, u32), u32, (Name, Vec<Option<u64>>)>;

fn pair() -> Pair {
    Shape { name: (name(), 4), id: 7, size: 4, inner: (name(), vec![]) }
}

/// Copies the directory of an open store, as after a crash.
fn crashed(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in ["rows.redb", "log.redb"] {
        std::fs::copy(dir.join(file), copy.path().join(file)).unwrap();
    }
    copy
}

#[test]
fn first_row_reveals_the_elements_behind_a_validated_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &schema::<Pair>()).unwrap();
    put(&store, pair());
    // Recorded before the commit returned, not at the close.
    let copy = crashed(dir.path());
    drop(store);
    for dir in [dir.path(), copy.path()] {
        let signed = refusal::<SignedPair>(dir);
        assert!(signed.contains("in `name` field 2 was `u32`, is `i32`"), "{signed}");
        refusal::<WiderPair>(dir);
        let store = Store::open(dir, &schema::<Pair>()).unwrap();
        assert_eq!(**store.snapshot().get::<Nodes<Pair>>(7).unwrap(), pair());
    }
}

/// The same types again, so that the shape of [`Pair`] in this process does not learn from theirs.
mod other {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub(super) struct Loaded<A> {
        pub(super) id: u64,
        pub(super) pair: (Name, A),
    }

    impl<A> Row for Loaded<A>
    where
        Self: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        fn id(&self) -> u64 {
            self.id
        }
    }
}

use other::Loaded;

#[test]
fn loaded_rows_reveal_a_change_hidden_by_the_type() {
    let dir = tempfile::tempdir().unwrap();
    put(
        &Store::open(dir.path(), &schema::<Loaded<u32>>()).unwrap(),
        Loaded { id: 7, pair: (name(), 4_u32) },
    );
    // As recorded by builds that did not learn from rows.
    record(dir.path(), "1 {id: u64, pair: (string, ?, ..)}");
    let read_only = Options::default().read_only(true);
    drop(Store::open_with(dir.path(), &schema::<Loaded<u32>>(), &read_only).unwrap());
    drop(Store::open(dir.path(), &schema::<Loaded<u32>>()).unwrap());
    let files =
        || ["rows.redb", "log.redb"].map(|file| std::fs::read(dir.path().join(file)).unwrap());
    let before = files();
    refusal::<Loaded<i32>>(dir.path());
    assert!(before == files(), "the refused files changed");
}

#[test]
fn last_of_many_rows_reveals_a_change() {
    type Late<A> = Loaded<Vec<(Name, A)>>;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &schema::<Late<u16>>()).unwrap();
    let mut txn = store.begin_write().unwrap();
    for id in 0..=10_000 {
        let late = if id == 10_000 { vec![(name(), 4_u16)] } else { vec![] };
        txn.upsert::<Nodes<Late<u16>>>(Loaded { id, pair: (name(), late) }).unwrap();
    }
    txn.commit().unwrap();
    drop(store);
    refusal::<Late<i16>>(dir.path());
}

#[test]
fn row_that_reveals_a_change_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &schema::<Loaded<u64>>()).unwrap();
    put(&store, Loaded { id: 7, pair: (name(), 4_u64) });
    let mut txn = store.begin_write().unwrap();
    txn.delete::<Nodes<Loaded<u64>>>(7).unwrap();
    txn.commit().unwrap();
    drop(store);
    // No row reveals the differing part, and the type hides it.
    let store = Store::open(dir.path(), &schema::<Loaded<i64>>()).unwrap();
    let mut txn = store.begin_write().unwrap();
    for id in [7, 8] {
        let row = Loaded { id, pair: (name(), -4_i64) };
        let error = txn.upsert::<Nodes<Loaded<i64>>>(row).unwrap_err();
        assert!(matches!(error, WriteError::Unstorable { .. }), "{error}");
        assert!(error.to_string().contains("field 2 was `u64`, is `i64`"), "{error}");
    }
    txn.commit().unwrap();
    drop(store);
    let store = Store::open(dir.path(), &schema::<Loaded<u64>>()).unwrap();
    put(&store, Loaded { id: 7, pair: (name(), 4_u64) });
}

#[test]
fn backup_whose_rows_reveal_a_change_is_refused() {
    let store = Store::in_memory(&schema::<Loaded<u16>>());
    put(&store, Loaded { id: 7, pair: (name(), 4_u16) });
    let mut backup = Vec::new();
    store.backup(&mut backup).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let other = Store::open(dir.path(), &schema::<Loaded<i16>>()).unwrap();
    let error = other.restore(backup.as_slice()).unwrap_err();
    assert!(matches!(error, RestoreError::ShapeChanged { table: "nodes", .. }), "{error}");
    assert_eq!(other.index(), 0, "nothing was restored");
}

mod migrations {
    use super::*;

    /// Version 1.
    #[derive(Serialize, Deserialize)]
    struct Volume {
        id: u64,
        owner: String,
        secret: String,
    }

    struct V1;

    impl Table for V1 {
        const NAME: &'static str = "volumes";
        const VERSION: u16 = 1;
        type Key = u64;
        type Row = Volume;

        fn key(row: &Volume) -> u64 {
            row.id
        }
    }

    /// Version 2, whose migration reads rows of version 1 as `Old`.
    struct V2<Old>(PhantomData<fn() -> Old>);

    impl<Old: DeserializeOwned + Into<String> + 'static> Table for V2<Old> {
        const NAME: &'static str = "volumes";
        const VERSION: u16 = 2;
        type Key = String;
        type Row = String;

        fn key(row: &String) -> &str {
            row
        }

        fn migrate(old: OldRow<'_>) -> Result<String, RowError> {
            old.read::<Old>().map(Into::into)
        }
    }

    /// The owner of a row of version 1, with the fields in another order.
    #[derive(Deserialize)]
    struct Swapped {
        #[serde(rename = "id")]
        _id: u64,
        #[serde(rename = "secret")]
        _secret: String,
        owner: String,
    }

    /// The same fields without names.
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only the owner is migrated")]
    struct Unnamed(u64, String, String);

    impl From<Volume> for String {
        fn from(old: Volume) -> Self {
            old.owner
        }
    }

    impl From<Swapped> for String {
        fn from(old: Swapped) -> Self {
            old.owner
        }
    }

    impl From<Unnamed> for String {
        fn from(Unnamed(_, owner, _): Unnamed) -> Self {
            owner
        }
    }

    fn write(store: &Store) {
        let mut txn = store.begin_write().unwrap();
        txn.upsert::<V1>(Volume { id: 1, owner: "ann".into(), secret: "pst".into() }).unwrap();
        txn.commit().unwrap();
    }

    fn check(error: &RowError) {
        let RowError::MigrationShape { table, version, difference, was, is, .. } = error else {
            panic!("{error}")
        };
        assert_eq!((*table, *version), ("volumes", 1));
        assert_eq!(&**difference, "field 2 was `owner: string`, is `secret: string`");
        let message = error.to_string();
        assert!(message.contains(&**was) && message.contains(&**is), "{message}");
    }

    #[test]
    fn a_migration_that_reads_another_type_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        // In the journal, then in the rows as well.
        let store = Store::open(dir.path(), &V1::schema()).unwrap();
        write(&store);
        let journal = crashed(dir.path());
        drop(store);
        for dir in [journal.path(), dir.path()] {
            let error = Store::open(dir, &V2::<Swapped>::schema()).unwrap_err();
            let OpenError::Row { source, .. } = error else { panic!("{error}") };
            check(&source);
            let store = Store::open(dir, &V2::<Volume>::schema()).unwrap();
            assert!(store.snapshot().get::<V2<Volume>>("ann").is_some());
        }
    }

    #[test]
    fn a_migration_may_read_a_tuple() {
        let dir = tempfile::tempdir().unwrap();
        write(&Store::open(dir.path(), &V1::schema()).unwrap());
        let store = Store::open(dir.path(), &V2::<Unnamed>::schema()).unwrap();
        assert!(store.snapshot().get::<V2<Unnamed>>("ann").is_some());
    }

    #[test]
    fn a_backup_that_is_migrated_as_another_type_is_refused() {
        let store = Store::in_memory(&V1::schema());
        write(&store);
        let mut backup = Vec::new();
        store.backup(&mut backup).unwrap();
        let other = Store::in_memory(&V2::<Swapped>::schema());
        let error = other.restore(backup.as_slice()).unwrap_err();
        let RestoreError::Row(source) = error else { panic!("{error}") };
        check(&source);
    }

    #[test]
    fn rows_without_a_recorded_shape_are_migrated_unchecked() {
        let dir = tempfile::tempdir().unwrap();
        write(&Store::open(dir.path(), &V1::schema()).unwrap());
        let db = redb::Database::open(dir.path().join("rows.redb")).unwrap();
        let txn = db.begin_write().unwrap();
        txn.delete_table(redb::TableDefinition::<&str, &str>::new("shapes")).unwrap();
        txn.commit().unwrap();
        drop(db);
        let store = Store::open(dir.path(), &V2::<Swapped>::schema()).unwrap();
        assert!(store.snapshot().get::<V2<Swapped>>("pst").is_some());
    }
}
