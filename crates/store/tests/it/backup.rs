//! Backups and dumps: a restore yields exactly the rows that were written.

use std::cell::RefCell;
use std::fs;
use std::future::pending;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::common::{BY_EXTERNAL, BY_NODE, Names, Volume, Volumes, put_name, schema};
use statehold_store::{
    Entry, KeyRange, OpenError, Order, Progress, ReadView, RestoreError, Schema, Step, Store,
    Table, Tracked,
};
use uuid::Uuid;

const NODE: Uuid = Uuid::from_u128(0xA8 << 120);

fn filled(store: &Store, volumes: u32) {
    for at in 0..volumes {
        let mut txn = store.begin_write().unwrap();
        let mut volume = Volume::new("default", &format!("vol-{at:03}"));
        volume.external = format!("ext-{at}");
        volume.nodes = vec![NODE];
        txn.upsert::<Volumes>(volume).unwrap();
        put_name(&mut txn, &format!("name-{at}"));
        if at > 1 {
            txn.delete::<Names>(&format!("name-{}", at - 2)).unwrap();
        }
        txn.commit().unwrap();
    }
}

type Stamped = (Volume, u64, u64);

fn rows(view: &impl ReadView) -> (Vec<Stamped>, Vec<String>, usize) {
    let stamped = |row: &Entry<Volume>| ((**row).clone(), row.create_index(), row.modify_index());
    (
        view.scan::<Volumes>(&KeyRange::all(), Order::Ascending).map(stamped).collect(),
        view.scan::<Names>(&KeyRange::all(), Order::Ascending).map(|n| n.to_string()).collect(),
        view.scan_by(&BY_NODE, &KeyRange::exact(NODE), Order::Ascending).count(),
    )
}

#[test]
fn long_operations_report_their_progress() {
    const ROWS: u64 = 5000;
    let dir = tempfile::tempdir().unwrap();
    let told = RefCell::new(Vec::new());
    let tell = |progress: Progress| told.borrow_mut().push(progress);
    let steps = || -> Vec<(Step, u64, Option<u64>)> {
        let told = told.take();
        told.iter().map(|told| (told.step, told.rows, told.rows_total)).collect()
    };
    let done = (Step::Done, ROWS, Some(ROWS));
    let (mut backup, mut dump) = (Vec::new(), Vec::new());
    {
        let store = Store::open(dir.path(), &schema()).unwrap();
        let mut txn = store.begin_write().unwrap();
        (0..ROWS).for_each(|at| put_name(&mut txn, &format!("name-{at}")));
        txn.commit().unwrap();
        store.backup_with(&mut backup, tell).unwrap();
        let written = [0, 4096].map(|rows| (Step::Writing, rows, Some(ROWS)));
        assert_eq!(steps(), [written[0], written[1], done]);
        store.dump_with(&mut dump, tell).unwrap();
        assert_eq!(steps(), [written[0], written[1], done]);
        let read = [0, 4096].map(|rows| (Step::Reading, rows, None));
        let replaced = (Step::Replacing, 0, Some(ROWS));
        store.restore_with(backup.as_slice(), tell).unwrap();
        assert_eq!(steps(), [read[0], read[1], replaced, done]);
        store.load_with(dump.as_slice(), tell).unwrap();
        assert_eq!(steps(), [read[0], read[1], replaced, done]);
    }
    Store::verify_with(dir.path(), &schema(), tell).unwrap();
    assert_eq!(steps(), [(Step::CheckingFiles, 0, None), (Step::Loading, 0, None), done]);
}

#[test]
fn restore_at_an_index_continues_after_it() {
    let store = Store::in_memory(&schema());
    let mut txn = store.begin_write_at(7).unwrap();
    put_name(&mut txn, "a");
    txn.commit().unwrap();
    let mut backup = Vec::new();
    store.backup(&mut backup).unwrap();

    let other = Store::in_memory(&schema());
    let small = other.restore_at(6, backup.as_slice());
    assert!(matches!(small, Err(RestoreError::IndexTooSmall { given: 6, least: 7 })));
    other.restore_at(7, backup.as_slice()).unwrap();
    assert_eq!(other.index(), 7);
    assert_eq!(other.snapshot().get::<Names>("a").unwrap().modify_index(), 7);
    assert_eq!(other.begin_write_at(8).unwrap().index(), 8);
    let again = other.restore_at(7, backup.as_slice());
    assert!(matches!(again, Err(RestoreError::Begin(_))), "{again:?}");
}

#[test]
fn backup_with_a_row_newer_than_itself_is_refused() {
    let store = Store::in_memory(&schema());
    for name in ["a", "b"] {
        let mut txn = store.begin_write().unwrap();
        put_name(&mut txn, name);
        txn.commit().unwrap();
    }
    let mut backup = Vec::new();
    store.backup(&mut backup).unwrap();
    // Changes the index in the header and corrects the checksum.
    backup[9] = 1;
    let sum = backup.len() - 4;
    let crc = crc32fast::hash(&backup[..sum]);
    backup[sum..].copy_from_slice(&crc.to_le_bytes());
    let other = Store::in_memory(&schema());
    let refused = other.restore(backup.as_slice());
    assert!(matches!(refused, Err(RestoreError::Row(_))), "{refused:?}");
    assert_eq!(other.index(), 0);
}

#[test]
fn restored_store_has_exactly_the_backups_rows_after_a_reopen() {
    let source = Store::in_memory(&schema());
    filled(&source, 40);
    let mut backup = Vec::new();
    assert_eq!(source.backup(&mut backup).unwrap(), 41);
    let mut dump = Vec::new();
    assert_eq!(source.dump(&mut dump).unwrap(), 41);
    for compact in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &schema()).unwrap();
        filled(&store, 60);
        let index = if compact {
            store.restore(backup.as_slice()).unwrap()
        } else {
            store.load(dump.as_slice()).unwrap()
        };
        assert_eq!(index, 62, "greater than its own last index");
        assert_eq!(rows(&store.snapshot()), rows(&source.snapshot()));
        assert!(store.snapshot().find(&BY_EXTERNAL, "ext-50").is_none());
        drop(store);
        let store = Store::open(dir.path(), &schema()).unwrap();
        assert_eq!(rows(&store.snapshot()), rows(&source.snapshot()));
        store.checkpoint().unwrap();
        drop(store);
        let store = Store::open(dir.path(), &schema()).unwrap();
        assert_eq!(rows(&store.snapshot()), rows(&source.snapshot()));
        assert_eq!(store.begin_write().unwrap().index(), 63);
    }
}

#[test]
fn restore_continues_after_the_greater_index_and_wakes_all() {
    let source = Store::in_memory(&schema());
    filled(&source, 30);
    let mut backup = Vec::new();
    source.backup(&mut backup).unwrap();
    let store = Store::in_memory(&schema());
    filled(&store, 5);
    let mut context = Context::from_waker(Waker::noop());
    let name = |view: &Tracked| view.get::<Names>("never").is_some();
    let volume =
        |view: &Tracked| view.scan_by(&BY_NODE, &KeyRange::all(), Order::Ascending).count();
    let mut absent = pin!(store.blocking_async(6, pending(), name));
    let mut scan = pin!(store.blocking_async(6, pending(), volume));
    assert!(absent.as_mut().poll(&mut context).is_pending());
    assert!(scan.as_mut().poll(&mut context).is_pending());
    assert_eq!(store.restore(backup.as_slice()).unwrap(), 32, "greater than the backup's index");
    let Poll::Ready(answer) = absent.as_mut().poll(&mut context) else { panic!("not woken") };
    assert_eq!(answer.unwrap().index, 32);
    let Poll::Ready(answer) = scan.as_mut().poll(&mut context) else { panic!("not woken") };
    assert_eq!((answer.as_ref().unwrap().value, answer.unwrap().index), (30, 32));
}

#[test]
fn a_damaged_backup_changes_nothing() {
    let source = Store::in_memory(&schema());
    filled(&source, 3);
    let mut backup = Vec::new();
    source.backup(&mut backup).unwrap();
    let store = Store::in_memory(&schema());
    filled(&store, 2);
    let before = (store.index(), rows(&store.snapshot()));
    for at in 0..backup.len() {
        assert!(store.restore(&backup[..at]).is_err(), "cut off at {at}");
        let mut bad = backup.clone();
        bad[at] ^= 0x20;
        assert!(store.restore(bad.as_slice()).is_err(), "byte {at} changed");
    }
    assert_eq!((store.index(), rows(&store.snapshot())), before);
}

#[test]
fn malformed_line_is_named_and_changes_nothing() {
    let source = Store::in_memory(&schema());
    filled(&source, 3);
    let mut dump = Vec::new();
    source.dump(&mut dump).unwrap();
    let text = String::from_utf8(dump).unwrap();
    let store = Store::in_memory(&schema());
    for (find, put, told) in [
        ("\"plugin\":\"ebs\"", "\"plugin\":7", "line 2: invalid type"),
        (
            "{\"table\":\"names\"",
            "{\"table\":\"nmaes\"",
            "the table \"nmaes\", which the schema lacks",
        ),
        ("\"statehold_dump\":1", "\"statehold_dump\":9", "format 9"),
        ("statehold_dump", "statehold", "first line"),
        ("ext-1", "ext-0", "unique index external"),
    ] {
        let error = store.load(text.replacen(find, put, 1).as_bytes()).unwrap_err();
        assert!(error.to_string().contains(told), "{find}: {error}");
    }
    let lines: Vec<&str> = text.lines().collect();
    for kept in 0..lines.len() {
        let error = store.load(lines[..kept].join("\n").as_bytes()).unwrap_err();
        assert!(matches!(error, RestoreError::Damaged { .. }), "{kept} lines: {error}");
    }
    let late = text.replacen("\"modify_index\":2,", "\"modify_index\":99,", 1);
    let error = store.load(late.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("indexes are not between"), "{error}");
    let (last, rows) = lines.split_last().unwrap();
    let count = format!("\"rows\":{}", rows.len() - 1);
    let more = last.replace(&count, &format!("\"rows\":{}", rows.len()));
    let twice = format!("{}\n{}\n{more}\n", rows.join("\n"), rows[1]);
    let error = store.load(twice.as_bytes()).unwrap_err();
    assert!(matches!(error, RestoreError::Unordered { table: "volumes" }), "{error}");
    assert_eq!(store.index(), 0);
}

struct Others;

impl Table for Others {
    const NAME: &'static str = "others";
    const VERSION: u16 = 1;
    type Key = u64;
    type Row = u64;

    fn key(row: &u64) -> u64 {
        *row
    }
}

#[test]
fn a_backup_of_another_schema_is_refused_by_the_tables_name() {
    let source = Store::in_memory(&schema());
    let mut backup = Vec::new();
    source.backup(&mut backup).unwrap();
    let store = Store::in_memory(&Schema::new().table::<Others>());
    let error = store.restore(backup.as_slice()).unwrap_err();
    assert!(matches!(error, RestoreError::UnknownTable { .. }), "{error}");
}

#[test]
fn verify_finds_every_changed_byte_that_matters() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &schema()).unwrap();
    filled(&store, 12);
    store.checkpoint().unwrap();
    filled(&store, 3);
    assert!(matches!(Store::verify(dir.path(), &schema()), Err(OpenError::AlreadyOpen { .. })));
    let report = store.report();
    drop(store);
    assert_eq!(Store::verify(dir.path(), &schema()).unwrap().index, report.index);
    let path = dir.path().join("rows.redb");
    let good = fs::read(&path).unwrap();
    let mut bad = good.clone();
    // Every copy of the row, because an earlier checkpoint left some in unused pages.
    for (at, _) in good.windows(7).enumerate().filter(|(_, bytes)| bytes == b"vol-003") {
        bad[at + 5] ^= 1;
    }
    assert!(bad != good);
    fs::write(&path, &bad).unwrap();
    let error = Store::verify(dir.path(), &schema()).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. } | OpenError::Row { .. }), "{error}");
}

#[test]
fn report_counts_rows_and_has_the_oldest_commit() {
    let store = Store::in_memory(&schema());
    filled(&store, 5);
    let report = store.report();
    assert_eq!((report.index, report.oldest_change), (6, 1));
    let tables: Vec<_> = report.tables.iter().map(|t| (t.name, t.rows, t.last_index)).collect();
    assert_eq!(tables, [("volumes", 5, 6), ("names", 2, 6)]);
}
