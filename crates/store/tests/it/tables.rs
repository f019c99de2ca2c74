//! Tables that the files or a backup have and the schema does not declare, and the reverse.

use crate::common;
use std::fs;
use std::path::Path;

use crate::common::{Names, Volume, Volumes, put_name, schema};
use statehold_store::{
    FeedError, OpenError, Options, ReadView, RestoreError, RestoreOptions, Schema, Store, Table,
};

fn volumes() -> Schema {
    Schema::new().table::<Volumes>()
}

/// Fills a directory with rows of both tables; those of `names` in the rows, or only in the journal.
fn fill(dir: &Path, checkpoint: bool) {
    let source = tempfile::tempdir().unwrap();
    let store = Store::open(source.path(), &schema()).unwrap();
    let mut txn = store.begin_write().unwrap();
    txn.upsert::<Volumes>(Volume::new("default", "vol")).unwrap();
    txn.commit().unwrap();
    store.checkpoint().unwrap();
    let mut txn = store.begin_write().unwrap();
    put_name(&mut txn, "a");
    put_name(&mut txn, "b");
    txn.commit().unwrap();
    if checkpoint {
        store.checkpoint().unwrap();
    }
    fs::create_dir_all(dir).unwrap();
    for name in ["rows.redb", "log.redb"] {
        fs::copy(source.path().join(name), dir.join(name)).unwrap();
    }
}

fn count<T: Table>(dir: &Path, schema: &Schema) -> usize {
    Store::open(dir, schema).unwrap().snapshot().count::<T>()
}

#[test]
fn rows_of_an_undeclared_table_are_refused_by_its_name() {
    for checkpoint in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), checkpoint);
        let read_only = Options::default().read_only(true);
        for options in [Options::default(), read_only] {
            let error = Store::open_with(dir.path(), &volumes(), &options).unwrap_err();
            let message = error.to_string();
            let OpenError::UnknownTable { path, name } = error else { panic!("{message}") };
            assert_eq!(&*name, "names");
            assert!(path.ends_with(if checkpoint { "rows.redb" } else { "log.redb" }));
            assert!(message.contains("keep(\"names\") or drop_table(\"names\")"), "{message}");
        }
        assert_eq!(count::<Names>(dir.path(), &schema()), 2);
    }
}

#[test]
fn a_table_without_rows_may_be_missing_from_the_schema() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), true);
    let store = Store::open(dir.path(), &schema()).unwrap();
    let mut txn = store.begin_write().unwrap();
    for name in ["a", "b"] {
        txn.delete::<Names>(name).unwrap();
    }
    txn.commit().unwrap();
    drop(store);
    assert_eq!(count::<Volumes>(dir.path(), &volumes()), 1);
}

#[test]
fn kept_table_is_unchanged_by_writes_backups_and_dumps() {
    for checkpoint in [false, true] {
        for keep in [volumes().keep("names"), volumes().keep_unknown()] {
            let dir = tempfile::tempdir().unwrap();
            fill(dir.path(), checkpoint);
            let (mut backup, mut dump) = (Vec::new(), Vec::new());
            let store = Store::open(dir.path(), &keep).unwrap();
            let report = store.report();
            assert_eq!(report.tables.iter().map(|table| table.rows).collect::<Vec<_>>(), [1, 2]);
            let mut txn = store.begin_write().unwrap();
            txn.upsert::<Volumes>(Volume::new("default", "other")).unwrap();
            txn.commit().unwrap();
            store.checkpoint().unwrap();
            store.backup(&mut backup).unwrap();
            store.dump(&mut dump).unwrap();
            drop(store);
            let store = Store::open(dir.path(), &schema()).unwrap();
            let stamps = |store: &Store| {
                let view = store.snapshot();
                let row = view.get::<Names>("b").unwrap();
                (row.create_index(), row.modify_index())
            };
            assert_eq!(store.snapshot().count::<Names>(), 2);
            let before = stamps(&store);

            // A store with either schema restores the backup of one with the kept table.
            for schema in [schema(), volumes().keep("names")] {
                let other = tempfile::tempdir().unwrap();
                let store = Store::open(other.path(), &schema).unwrap();
                store.restore(backup.as_slice()).unwrap();
                store.load(dump.as_slice()).unwrap();
                drop(store);
                let store = Store::open(other.path(), &common::schema()).unwrap();
                assert_eq!(store.snapshot().count::<Names>(), 2);
                assert_eq!(stamps(&store), before);
            }
        }
    }
}

#[test]
fn a_damaged_row_of_a_kept_table_is_refused() {
    let source = Store::in_memory(&schema());
    let mut txn = source.begin_write().unwrap();
    put_name(&mut txn, "a");
    txn.commit().unwrap();
    let mut dump = Vec::new();
    let kept = Store::in_memory(&volumes().keep("names"));
    let mut backup = Vec::new();
    source.backup(&mut backup).unwrap();
    kept.restore(backup.as_slice()).unwrap();
    kept.dump(&mut dump).unwrap();
    let text = String::from_utf8(dump).unwrap();
    let record = text.split("\"record\":\"").nth(1).unwrap().split('"').next().unwrap();
    let other = format!("{}A{}", &record[..8], &record[9..]);
    let damaged = text.replace(record, if other == record { "AAAA" } else { &other });
    for schema in [schema(), volumes().keep("names")] {
        let refused = Store::in_memory(&schema).load(damaged.as_bytes());
        assert!(matches!(refused, Err(RestoreError::Row(_))), "{refused:?}");
    }
}

#[test]
fn dropped_table_is_deleted_from_both_files() {
    for checkpoint in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), checkpoint);
        let read_only = Options::default().read_only(true);
        let drops = volumes().drop_table("names");
        assert!(Store::open_with(dir.path(), &drops, &read_only).is_ok());
        assert_eq!(
            Store::open_with(dir.path(), &schema(), &read_only)
                .unwrap()
                .snapshot()
                .count::<Names>(),
            2,
            "a reader drops nothing"
        );
        {
            let store = Store::open(dir.path(), &drops).unwrap();
            assert_eq!(store.snapshot().count::<Volumes>(), 1);
            // A later table of this name would decode the old records as its own rows.
            let feed = store.changes_since(0);
            assert!(matches!(feed, Err(FeedError::Compacted { .. })), "its records are gone");
        }
        // No table is left that a schema has to cover.
        assert_eq!(count::<Volumes>(dir.path(), &volumes()), 1);
        assert_eq!(count::<Names>(dir.path(), &schema()), 0);
    }
}

#[test]
fn a_dropped_table_is_left_out_of_what_is_restored() {
    let (mut backup, mut dump) = (Vec::new(), Vec::new());
    let source = Store::in_memory(&schema());
    let mut txn = source.begin_write().unwrap();
    put_name(&mut txn, "a");
    txn.upsert::<Volumes>(Volume::new("default", "vol")).unwrap();
    txn.commit().unwrap();
    source.backup(&mut backup).unwrap();
    source.dump(&mut dump).unwrap();
    let store = Store::in_memory(&volumes().drop_table("names"));
    store.restore(backup.as_slice()).unwrap();
    store.load(dump.as_slice()).unwrap();
    assert_eq!(store.snapshot().count::<Volumes>(), 1);
}

#[test]
fn backup_without_a_table_empties_it_only_on_request() {
    let (mut backup, mut dump) = (Vec::new(), Vec::new());
    let source = Store::in_memory(&volumes());
    source.backup(&mut backup).unwrap();
    source.dump(&mut dump).unwrap();
    let store = Store::in_memory(&schema());
    let mut txn = store.begin_write().unwrap();
    put_name(&mut txn, "a");
    txn.commit().unwrap();
    let index = store.index();
    for refused in [store.restore(backup.as_slice()), store.load(dump.as_slice())] {
        let error = refused.unwrap_err();
        assert!(
            matches!(error, RestoreError::MissingTable { table: "names", rows: 1 }),
            "{error:?}"
        );
        assert!(error.to_string().contains("RestoreOptions::empty_missing"), "{error}");
    }
    assert_eq!((store.index(), store.snapshot().count::<Names>()), (index, 1));
    let options = RestoreOptions::default().empty_missing(true);
    store.restore_using(&options, backup.as_slice(), |_| ()).unwrap();
    assert_eq!(store.snapshot().count::<Names>(), 0);

    // A table that exists and is empty in the source is not missing.
    let mut txn = store.begin_write().unwrap();
    put_name(&mut txn, "a");
    txn.commit().unwrap();
    let (mut backup, mut dump) = (Vec::new(), Vec::new());
    let empty = Store::in_memory(&schema());
    empty.backup(&mut backup).unwrap();
    empty.dump(&mut dump).unwrap();
    store.load(dump.as_slice()).unwrap();
    assert_eq!(store.snapshot().count::<Names>(), 0);
    store.restore(backup.as_slice()).unwrap();
}

#[test]
fn bytes_after_a_backup_or_dump_are_an_error() {
    let source = Store::in_memory(&schema());
    let mut txn = source.begin_write().unwrap();
    put_name(&mut txn, "a");
    txn.commit().unwrap();
    let (mut backup, mut dump) = (Vec::new(), Vec::new());
    source.backup(&mut backup).unwrap();
    source.dump(&mut dump).unwrap();
    let store = Store::in_memory(&schema());
    let twice = backup.repeat(2);
    for tail in [&b"\0"[..], b"\n", b"x", &twice[backup.len()..]] {
        let longer = [&backup, tail].concat();
        let error = store.restore(longer.as_slice()).unwrap_err();
        assert!(error.to_string().contains("bytes after its checksum"), "{error}");
    }
    for tail in [&b"x"[..], b"\n\n{}\n", b"{\"rows\":1}\n", &dump.clone()] {
        let longer = [&dump, tail].concat();
        let error = store.load(longer.as_slice()).unwrap_err();
        assert!(error.to_string().contains("bytes after its last line"), "{error}");
    }
    assert_eq!(store.index(), 0);
    store.load([dump.as_slice(), b"\n \r\n"].concat().as_slice()).unwrap();
}

#[test]
#[should_panic(expected = "has the table \"volumes\" twice")]
fn a_table_can_not_be_declared_and_dropped() {
    let _ = Schema::new().drop_table("volumes").table::<Volumes>();
}
