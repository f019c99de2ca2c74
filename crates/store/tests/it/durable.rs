//! The data directory: its contents, and concurrent and foreign opens.

use std::collections::BTreeSet;
use std::fs;

use crate::common::{BY_EXTERNAL, Names, Volume, Volumes, put_name, schema};
use statehold_store::{
    BeginError, Expect, KeyRange, OpenError, Options, Order, ReadView, RowError, Schema, Store,
    Table, WriteError,
};

#[test]
fn indexes_continue_and_deletes_persist_after_a_reopen() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = Store::open(dir.path(), &schema()).unwrap();
        for name in ["a", "b"] {
            let mut txn = store.begin_write().unwrap();
            put_name(&mut txn, name);
            txn.commit().unwrap();
        }
        let mut txn = store.begin_write().unwrap();
        assert!(txn.delete::<Names>("a").unwrap().is_some());
        assert_eq!(txn.commit().unwrap(), 4);
    }
    let store = Store::open(dir.path(), &schema()).unwrap();
    assert_eq!(store.index(), 4);
    let view = store.tracked();
    assert!(view.get::<Names>("a").is_none());
    assert_eq!(view.index(), 4, "the delete was the table's last change");
    let untouched = store.tracked();
    assert_eq!(untouched.count::<Volumes>(), 0);
    assert_eq!(untouched.index(), 1);
    assert_eq!(store.begin_write().unwrap().index(), 5);
}

#[test]
fn a_second_store_on_a_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _store = Store::open(dir.path(), &schema()).unwrap();
    let second = Store::open(dir.path(), &schema()).unwrap_err();
    assert!(matches!(&second, OpenError::AlreadyOpen { dir: d } if d == dir.path()));
    assert!(second.to_string().contains("in use by another process"), "{second}");
}

#[test]
fn foreign_files_are_refused_and_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("rows.redb");
    for bytes in [b"hello".to_vec(), vec![0u8; 8192], vec![0xFF; 100]] {
        fs::write(&file, &bytes).unwrap();
        let error = Store::open(dir.path(), &schema()).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. } | OpenError::Io { .. }), "{error}");
        assert_eq!(fs::read(&file).unwrap(), bytes);
    }
}

#[test]
fn flipped_bit_is_refused_or_loses_no_row() {
    let dir = tempfile::tempdir().unwrap();
    let names = |store: &Store| -> Vec<String> {
        let view = store.snapshot();
        let all = view.scan::<Names>(&KeyRange::all(), Order::Ascending);
        all.map(|name| name.to_string()).collect()
    };
    let written = {
        let store = Store::open(dir.path(), &schema()).unwrap();
        for at in 0..20 {
            let mut txn = store.begin_write().unwrap();
            put_name(&mut txn, &format!("name-{at}"));
            txn.commit().unwrap();
            if at == 10 {
                store.checkpoint().unwrap();
            }
        }
        names(&store)
    };
    for file in ["rows.redb", "log.redb"] {
        let path = dir.path().join(file);
        let good = fs::read(&path).unwrap();
        let used: Vec<usize> = (0..good.len()).filter(|at| good[*at] != 0).collect();
        // A prime step, so that all parts of the file are covered.
        for at in used.iter().step_by(used.len() / 397 + 1) {
            let mut bad = good.clone();
            bad[*at] ^= 1 << (at % 8);
            fs::write(&path, &bad).unwrap();
            if let Ok(store) = Store::open(dir.path(), &schema()) {
                assert_eq!(names(&store), written, "byte {at} of {file}");
            }
            fs::write(&path, &good).unwrap();
        }
    }
}

struct NewNames;

impl Table for NewNames {
    const NAME: &'static str = "names";
    const VERSION: u16 = 4;
    type Key = String;
    type Row = String;

    fn key(row: &String) -> &str {
        row
    }
}

#[test]
fn rows_of_another_version_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = Store::open(dir.path(), &schema()).unwrap();
        let mut txn = store.begin_write().unwrap();
        put_name(&mut txn, "a");
        txn.commit().unwrap();
    }
    let error = Store::open(dir.path(), &Schema::new().table::<NewNames>()).unwrap_err();
    let OpenError::Row { source, .. } = error else { panic!("{error}") };
    assert_eq!(source, RowError::OlderVersion { table: "names", found: 3, known: 4 });
    // The build that wrote them can still open them.
    assert_eq!(Store::open(dir.path(), &schema()).unwrap().index(), 2);
}

#[test]
fn concurrent_commits_get_ascending_indexes_and_are_on_disk() {
    const THREADS: usize = 8;
    const COMMITS: usize = 25;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &schema()).unwrap();
    let indexes: Vec<Vec<u64>> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let store = &store;
                scope.spawn(move || {
                    (0..COMMITS)
                        .map(|at| {
                            let mut txn = store.begin_write().unwrap();
                            let id = format!("{thread}-{at}");
                            txn.upsert::<Volumes>(Volume::new("default", &id)).unwrap();
                            put_name(&mut txn, &id);
                            let index = txn.commit().unwrap();
                            let seen = store.snapshot();
                            assert!(seen.index() >= index, "acknowledged is visible");
                            index
                        })
                        .collect()
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    for of_thread in &indexes {
        assert!(of_thread.is_sorted_by(|a, b| a < b));
    }
    let all: BTreeSet<u64> = indexes.into_iter().flatten().collect();
    assert_eq!(all, (2..=(THREADS * COMMITS) as u64 + 1).collect());
    drop(store);
    let store = Store::open(dir.path(), &schema()).unwrap();
    let view = store.snapshot();
    assert_eq!(view.count::<Volumes>(), THREADS * COMMITS);
    for volume in view.scan::<Volumes>(&KeyRange::all(), Order::Ascending) {
        let name = view.get::<Names>(&volume.id).unwrap();
        assert_eq!(name.modify_index(), volume.modify_index(), "both or none");
    }
}

#[test]
fn a_refused_write_leaves_the_transaction_as_it_was() {
    let store = Store::in_memory(&schema());
    let mut txn = store.begin_write().unwrap();
    let holder = Volume { external: "vol-x".into(), ..Volume::new("default", "a") };
    txn.upsert::<Volumes>(holder.clone()).unwrap();
    let rival = Volume { external: "vol-x".into(), ..Volume::new("default", "b") };
    let (key, fields) = ("\"vol-x\"".into(), [].as_slice());
    assert_eq!(
        txn.upsert::<Volumes>(rival).unwrap_err(),
        WriteError::NotUnique { table: "volumes", index: "external", key, fields }
    );
    let long = Volume::new("default", &"x".repeat(5000));
    assert!(matches!(
        txn.upsert::<Volumes>(long).unwrap_err(),
        WriteError::KeyTooLong { table: "volumes", index: None, .. }
    ));
    let long = Volume { external: "x".repeat(5000), ..Volume::new("default", "c") };
    let refused = txn.upsert::<Volumes>(long).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!(
            "table volumes: the key \"{}… of the index external has 5002 bytes, the limit is 4096: \
             shorten the fields it is made of",
            "x".repeat(199)
        )
    );
    let key = r#"("default", "a")"#.to_owned().into_boxed_str();
    assert_eq!(
        txn.upsert_if::<Volumes>(holder.clone(), Expect::Absent).unwrap_err(),
        WriteError::Unexpected {
            table: "volumes",
            key: key.clone(),
            expected: Expect::Absent,
            found: Some(2)
        }
    );
    assert_eq!(
        Volumes::BY_KEY.delete_if(&mut txn, ("default", "a"), Expect::ModifyIndex(9)).unwrap_err(),
        WriteError::Unexpected {
            table: "volumes",
            key,
            expected: Expect::ModifyIndex(9),
            found: Some(2)
        }
    );
    txn.commit().unwrap();
    let view = store.snapshot();
    assert_eq!(view.count::<Volumes>(), 1);
    assert_eq!(view.find(&BY_EXTERNAL, "vol-x").map(|v| v.id.clone()), Some("a".into()));
}

#[test]
fn own_index_must_grow_and_an_empty_commit_takes_it() {
    let store = Store::in_memory(&schema());
    assert_eq!(store.begin_write_at(40).unwrap().commit().unwrap(), 40);
    assert_eq!(store.index(), 40);
    assert_eq!(
        store.begin_write_at(40).unwrap_err(),
        BeginError::IndexNotGreater { given: 40, last: 40 }
    );
    let mut txn = store.begin_write().unwrap();
    assert_eq!(txn.index(), 41);
    put_name(&mut txn, "a");
    assert_eq!(txn.commit().unwrap(), 41);
    assert_eq!(store.begin_write_at(u64::MAX).unwrap().commit().unwrap(), u64::MAX);
    assert_eq!(store.begin_write().unwrap_err(), BeginError::NoIndexLeft);
}

#[test]
fn commit_snapshot_has_no_later_commit() {
    let store = Store::in_memory(&schema());
    let mut txn = store.begin_write().unwrap();
    put_name(&mut txn, "a");
    let committed = txn.commit_snapshot().unwrap();
    let mut txn = store.begin_write().unwrap();
    txn.delete::<Names>("a").unwrap();
    txn.commit().unwrap();
    assert_eq!(committed.index(), 2);
    assert!(committed.get::<Names>("a").is_some());
}

/// The files of a rejected directory, before and after the open.
fn refused(dir: &std::path::Path, schema: &Schema) -> OpenError {
    let names = ["rows.redb", "log.redb"];
    let read = || names.map(|name| fs::read(dir.join(name)).unwrap());
    let before = read();
    let error = Store::open(dir, schema).unwrap_err();
    for ((name, before), after) in names.iter().zip(before).zip(read()) {
        assert!(before == after, "{name} was touched, and then: {error}");
    }
    error
}

#[test]
fn file_without_a_redb_header_is_damage_not_an_io_error() {
    for name in ["rows.redb", "log.redb"] {
        let dir = tempfile::tempdir().unwrap();
        drop(Store::open(dir.path(), &schema()).unwrap());
        fs::write(dir.path().join(name), vec![0; 40_000]).unwrap();
        let error = refused(dir.path(), &schema());
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    }
}

#[test]
fn files_of_a_newer_build_are_refused_and_unchanged() {
    let meta = redb::TableDefinition::<&str, u64>::new("statehold");
    for name in ["rows.redb", "log.redb"] {
        let dir = tempfile::tempdir().unwrap();
        drop(Store::open(dir.path(), &schema()).unwrap());
        {
            let db = redb::Database::open(dir.path().join(name)).unwrap();
            let write = db.begin_write().unwrap();
            write.open_table(meta).unwrap().insert("format", 9).unwrap();
            write.commit().unwrap();
        }
        let error = refused(dir.path(), &schema());
        assert!(matches!(error, OpenError::NewerFormat { found: 9, known: 2, .. }), "{error}");
    }
}

#[test]
fn unloadable_rows_are_refused_and_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    let rows = redb::TableDefinition::<&[u8], &[u8]>::new("rows/names");
    {
        let store = Store::open(dir.path(), &schema()).unwrap();
        let mut txn = store.begin_write().unwrap();
        put_name(&mut txn, "a");
        txn.commit().unwrap();
        store.checkpoint().unwrap();
    }
    let newer = Schema::new().table::<Volumes>().table::<NewNames>();
    let error = refused(dir.path(), &newer);
    assert!(matches!(error, OpenError::Row { source: RowError::OlderVersion { .. }, .. }));
    {
        let db = redb::Database::open(dir.path().join("rows.redb")).unwrap();
        let write = db.begin_write().unwrap();
        write.open_table(rows).unwrap().insert([1].as_slice(), [2].as_slice()).unwrap();
        write.commit().unwrap();
    }
    let error = refused(dir.path(), &schema());
    assert!(matches!(error, OpenError::Row { source: RowError::Damaged { .. }, .. }));
}

#[test]
fn directory_without_a_store_is_reported_and_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::default().create(false);
    for there in [dir.path().to_owned(), dir.path().join("absent")] {
        let refused = Store::open_with(&there, &schema(), &options).unwrap_err();
        assert!(matches!(&refused, OpenError::NoStore { dir } if *dir == there), "{refused}");
        let refused = Store::verify(&there, &schema()).unwrap_err();
        assert!(matches!(&refused, OpenError::NoStore { dir } if *dir == there), "{refused}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    drop(Store::open(dir.path(), &schema()).unwrap());
    assert!(Store::open_with(dir.path(), &schema(), &options).is_ok());
}

#[test]
fn close_applies_the_last_commit_to_the_rows() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &schema()).unwrap();
    let mut txn = store.begin_write().unwrap();
    put_name(&mut txn, "the-last-one");
    txn.commit().unwrap();
    let in_rows = || {
        let rows = fs::read(dir.path().join("rows.redb")).unwrap();
        rows.windows(12).any(|bytes| bytes == b"the-last-one")
    };
    assert!(!in_rows(), "it is in the journal");
    store.close().unwrap();
    assert!(in_rows());
}
