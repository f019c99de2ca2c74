//! A store is opened only if the two files of its directory belong together.

use std::fs;
use std::path::Path;

use crate::common::{Volume, Volumes, schema};
use statehold_store::{BeginError, KeyRange, OpenError, Options, Order, ReadView, Store};
use tempfile::TempDir;
use uuid::Uuid;

fn put(store: &Store, ids: &[&str]) {
    for id in ids {
        let mut txn = store.begin_write().unwrap();
        txn.upsert::<Volumes>(Volume::new("default", id)).unwrap();
        txn.commit().unwrap();
    }
}

fn ids(store: &Store) -> Vec<String> {
    let view = store.snapshot();
    view.scan::<Volumes>(&KeyRange::all(), Order::Ascending).map(|row| row.id.clone()).collect()
}

fn copy(from: &Path, to: &Path, names: &[&str]) {
    for name in names {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

const BOTH: [&str; 2] = ["log.redb", "rows.redb"];

/// Copies the directory of an open store, as after a kill.
fn killed(ids: &[&str], checkpointed: bool) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &schema()).unwrap();
    put(&store, ids);
    if checkpointed {
        store.checkpoint().unwrap();
    }
    let copied = tempfile::tempdir().unwrap();
    copy(dir.path(), copied.path(), &BOTH);
    copied
}

/// Every file of a directory with its bytes.
fn bytes(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).unwrap())
        })
        .filter(|(name, _)| name != "lock")
        .collect();
    files.sort();
    files
}

/// Opens a directory that must be rejected, for writing and for reading; it must stay unchanged.
fn refused(dir: &Path) -> OpenError {
    let before = bytes(dir);
    Store::open_with(dir, &schema(), &Options::default().read_only(true)).unwrap_err();
    Store::verify(dir, &schema()).unwrap_err();
    let error = Store::open(dir, &schema()).unwrap_err();
    assert_eq!(bytes(dir), before, "a directory that is refused stays as it is");
    error
}

#[test]
fn missing_or_empty_file_is_refused_before_a_checkpoint() {
    for checkpointed in [false, true] {
        for name in BOTH {
            let dir = killed(&["a", "b"], checkpointed);
            fs::write(dir.path().join(name), b"").unwrap();
            let error = refused(dir.path());
            assert!(matches!(&error, OpenError::FileMissing { path, .. } if path.ends_with(name)));
            fs::remove_file(dir.path().join(name)).unwrap();
            let error = refused(dir.path());
            assert!(matches!(&error, OpenError::FileMissing { path, .. } if path.ends_with(name)));
        }
    }
}

#[test]
fn a_file_of_another_store_is_refused() {
    for checkpointed in [false, true] {
        for name in BOTH {
            let (dir, other) =
                (killed(&["a", "b"], checkpointed), killed(&["x", "y"], checkpointed));
            copy(other.path(), dir.path(), &[name]);
            let error = refused(dir.path());
            assert!(matches!(error, OpenError::Unpaired { .. }), "{error}");
        }
    }
}

#[test]
fn file_of_a_diverged_copy_is_refused() {
    // Two copies of one directory continue independently, to the same index.
    let origin = killed(&["a", "b"], true);
    let course = |ids: &[&str], checkpointed: bool| {
        let dir = tempfile::tempdir().unwrap();
        copy(origin.path(), dir.path(), &BOTH);
        let store = Store::open(dir.path(), &schema()).unwrap();
        put(&store, ids);
        if checkpointed {
            store.checkpoint().unwrap();
        }
        let copied = tempfile::tempdir().unwrap();
        copy(dir.path(), copied.path(), &BOTH);
        copied
    };
    for checkpointed in [false, true] {
        let (one, other) = (course(&["c", "d"], true), course(&["x", "y"], checkpointed));
        copy(other.path(), one.path(), &["log.redb"]);
        let error = refused(one.path());
        assert!(matches!(error, OpenError::Unpaired { .. }), "{error}");
    }
}

#[test]
fn an_older_journal_beside_newer_rows_is_refused() {
    let (dir, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Store::open(dir.path(), &schema()).unwrap();
    put(&store, &["a"]);
    copy(dir.path(), old.path(), &BOTH);
    put(&store, &["b"]);
    drop(store);
    copy(old.path(), dir.path(), &["log.redb"]);
    assert!(matches!(refused(dir.path()), OpenError::Unpaired { .. }));
}

#[test]
fn a_clean_close_leaves_all_rows_in_the_rows_file() {
    let dir = tempfile::tempdir().unwrap();
    let schema = schema();
    let store = Store::open(dir.path(), &schema).unwrap();
    put(&store, &["a", "b"]);
    drop(store);
    let rows = fs::read(dir.path().join("rows.redb")).unwrap();
    let store = Store::open(dir.path(), &schema).unwrap();
    store.checkpoint().unwrap();
    drop(store);
    assert_eq!(ids(&Store::open(dir.path(), &schema).unwrap()), ["a", "b"]);
    let text = String::from_utf8_lossy(&rows).into_owned();
    assert!(text.contains("default") && text.contains("rows/volumes"));
}

#[test]
fn an_identity_is_given_once_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let given = Uuid::from_u128(7);
    let store = Store::open_with(dir.path(), &schema(), &Options::default().id(given)).unwrap();
    assert_eq!(store.id(), Some(given));
    drop(store);
    let store = Store::open(dir.path(), &schema()).unwrap();
    assert_eq!(store.id(), Some(given));
    assert_eq!(store.report().id, Some(given));
    let other = tempfile::tempdir().unwrap();
    assert_ne!(Store::open(other.path(), &schema()).unwrap().id(), Some(given));
}

#[test]
fn reading_changes_no_byte_and_needs_no_write_permission() {
    for checkpointed in [false, true] {
        let dir = killed(&["a", "b"], checkpointed);
        let before = bytes(dir.path());
        let modified =
            |name: &str| fs::metadata(dir.path().join(name)).unwrap().modified().unwrap();
        let times = BOTH.map(modified);
        let options = Options::default().read_only(true);
        let one = Store::open_with(dir.path(), &schema(), &options).unwrap();
        let other = Store::open_with(dir.path(), &schema(), &options).unwrap();
        assert_eq!((ids(&one), ids(&other)), (vec!["a".into(), "b".into()], ids(&one)));
        assert_eq!(one.begin_write().unwrap_err(), BeginError::ReadOnly);
        one.dump(std::io::sink()).unwrap();
        one.backup(std::io::sink()).unwrap();
        one.checkpoint().unwrap();
        drop((one, other));
        Store::verify(dir.path(), &schema()).unwrap();
        assert_eq!(bytes(dir.path()), before);
        assert_eq!(BOTH.map(modified), times);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "no lock file is created");
    }
}

#[test]
fn readers_and_a_writer_exclude_each_other() {
    let options = Options::default().read_only(true);
    // With the lock file, and without it as in a copy.
    for lock in [true, false] {
        let dir = killed(&["a"], true);
        let in_use = |result: Result<Store, OpenError>| {
            matches!(result.unwrap_err(), OpenError::AlreadyOpen { .. })
        };
        if lock {
            fs::write(dir.path().join("lock"), b"").unwrap();
        }
        let reader = Store::open_with(dir.path(), &schema(), &options).unwrap();
        assert!(in_use(Store::open(dir.path(), &schema())));
        drop(reader);
        let writer = Store::open(dir.path(), &schema()).unwrap();
        assert!(in_use(Store::open_with(dir.path(), &schema(), &options)));
        drop(writer);
    }
}

#[test]
fn reading_a_directory_without_a_store_creates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::default().read_only(true);
    for dir in [dir.path().to_owned(), dir.path().join("absent")] {
        let error = Store::open_with(&dir, &schema(), &options).unwrap_err();
        assert!(matches!(error, OpenError::NoStore { .. }), "{error}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[cfg(unix)]
#[test]
fn a_directory_that_cannot_be_searched_is_not_called_empty() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), b"").unwrap();
    // A loop of links simulates a directory without permission, which does not apply to root.
    std::os::unix::fs::symlink("loop", dir.path().join("loop")).unwrap();
    for name in ["file", "file/below", "loop", "loop/below"] {
        for options in [
            Options::default(),
            Options::default().create(false),
            Options::default().read_only(true),
        ] {
            let error = Store::open_with(dir.path().join(name), &schema(), &options).unwrap_err();
            assert!(matches!(error, OpenError::Io { .. }), "{name}: {error}");
        }
    }
}
