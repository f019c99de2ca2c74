//! Directories, backups and dumps written by builds with format 1 can be opened and are upgraded.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use statehold_store::{
    Index, IndexSet, KeyRange, OpenError, Options, Order, ReadView, Schema, Store, Table,
};
use tempfile::TempDir;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Volume {
    id: String,
    owner: String,
    size: u64,
    tags: Vec<String>,
}

struct Volumes;

const BY_OWNER: Index<Volumes, String> =
    Index::non_unique("owner", |volume: &Volume, keys| keys.add(&volume.owner));

impl Table for Volumes {
    const NAME: &'static str = "volumes";
    const VERSION: u16 = 1;
    type Key = String;
    type Row = Volume;

    fn key(row: &Volume) -> &str {
        &row.id
    }

    fn indexes(set: &mut IndexSet<Self>) {
        set.add(&BY_OWNER);
    }
}

fn schema() -> Schema {
    Schema::new().table::<Volumes>()
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/store/format-1")
}

/// A copy of a golden directory.
fn directory(name: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in ["log.redb", "rows.redb"] {
        fs::copy(golden().join(name).join(file), dir.path().join(file)).unwrap();
    }
    dir
}

/// Returns the rows in the golden files: index, number, and modify index of each row.
fn expected(name: &str) -> (u64, Vec<(u64, u64)>) {
    match name {
        "new" => (0, vec![]),
        // Commit n + 2 wrote volume n.
        "journal" => (21, (0..20).map(|n| (n, n + 2)).collect()),
        // 0 to 19, a checkpoint, 10 to 29 again, and a delete of 0.
        _ => (42, (1..10).map(|n| (n, n + 2)).chain((10..30).map(|n| (n, n + 12))).collect()),
    }
}

fn check(store: &Store, name: &str) {
    let (index, rows) = expected(name);
    assert_eq!(store.index(), index);
    check_rows(store, &rows);
}

fn check_rows(store: &Store, rows: &[(u64, u64)]) {
    let view = store.snapshot();
    let found: Vec<_> = view
        .scan::<Volumes>(&KeyRange::all(), Order::Ascending)
        .map(|row| {
            let n: u64 = row.id["vol-".len()..].parse().unwrap();
            let same = Volume {
                id: format!("vol-{n:03}"),
                owner: format!("owner-{}", n % 3),
                size: n << 30,
                tags: vec![format!("tag{n}")],
            };
            assert_eq!(**row, same);
            (n, row.modify_index())
        })
        .collect();
    assert_eq!(found, rows);
    let by_owner = view.scan_by(&BY_OWNER, &KeyRange::all(), Order::Ascending).count();
    assert_eq!(by_owner, rows.len());
}

#[test]
fn directory_of_format_1_opens_and_is_upgraded_once() {
    for name in ["new", "journal", "both"] {
        let dir = directory(name);
        let store = Store::open(dir.path(), &schema()).unwrap();
        check(&store, name);
        let id = store.id();
        assert!(id.is_some());
        let mut txn = store.begin_write().unwrap();
        txn.delete::<Volumes>("vol-001").unwrap();
        txn.commit().unwrap();
        if name == "both" {
            let feed = store.changes_since(22).unwrap();
            let last = feed.map(|commit| commit.unwrap().index).last();
            assert_eq!(last, Some(43), "records of both formats are read");
        }
        // Copied as after a kill, so that records of both formats are replayed.
        let killed = tempfile::tempdir().unwrap();
        for file in ["log.redb", "rows.redb"] {
            fs::copy(dir.path().join(file), killed.path().join(file)).unwrap();
        }
        drop(store);
        for dir in [&dir, &killed] {
            let store = Store::open(dir.path(), &schema()).unwrap();
            assert_eq!(store.id(), id);
            let (_, rows) = expected(name);
            let rows: Vec<_> = rows.into_iter().filter(|(n, _)| *n != 1).collect();
            check_rows(&store, &rows);
        }
        Store::verify(dir.path(), &schema()).unwrap();
    }
}

#[test]
fn a_directory_of_format_1_is_read_without_being_upgraded() {
    for name in ["new", "journal", "both"] {
        let dir = directory(name);
        let options = Options::default().read_only(true);
        let store = Store::open_with(dir.path(), &schema(), &options).unwrap();
        check(&store, name);
        assert_eq!(store.id(), None);
        drop(store);
        Store::verify(dir.path(), &schema()).unwrap();
        for file in ["log.redb", "rows.redb"] {
            let before = fs::read(golden().join(name).join(file)).unwrap();
            assert!(fs::read(dir.path().join(file)).unwrap() == before, "{name}/{file}");
        }
    }
}

#[test]
fn a_directory_of_format_1_without_its_journal_is_refused() {
    for name in ["journal", "both"] {
        let dir = directory(name);
        fs::remove_file(dir.path().join("log.redb")).unwrap();
        let error = Store::open(dir.path(), &schema()).unwrap_err();
        assert!(matches!(error, OpenError::FileMissing { .. }), "{error}");
        assert!(!dir.path().join("log.redb").exists());
    }
}

#[test]
fn upgraded_and_older_files_are_refused_together() {
    for file in ["log.redb", "rows.redb"] {
        let dir = directory("both");
        drop(Store::open(dir.path(), &schema()).unwrap());
        fs::copy(golden().join("both").join(file), dir.path().join(file)).unwrap();
        let error = Store::open(dir.path(), &schema()).unwrap_err();
        assert!(matches!(error, OpenError::Unpaired { .. }), "{error}");
    }
}

#[test]
fn a_backup_and_a_dump_of_format_1_are_restored() {
    let (_, rows) = expected("both");
    let store = Store::in_memory(&schema());
    store.restore(fs::File::open(golden().join("backup")).unwrap()).unwrap();
    check_rows(&store, &rows);
    let store = Store::in_memory(&schema());
    let dump = fs::File::open(golden().join("dump.jsonl")).unwrap();
    store.load(std::io::BufReader::new(dump)).unwrap();
    check_rows(&store, &rows);
}
