//! A data directory with any bytes in its files is opened or rejected with a typed error. An opened
//! store is consistent and accepts writes; the files of a rejected one must not change.
#![no_main]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use redb::{Database, Table, TableDefinition};
use statehold_store::{Options, Store};
use tempfile::TempDir;
use uuid::Uuid;

#[path = "../tables.rs"]
mod tables;

/// The two files of an intact store: rows that a checkpoint wrote, and commits after it.
static GOOD: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a directory");
    let options = Options::default().id(Uuid::from_u128(ID));
    let store = Store::open_with(dir.path(), &tables::schema(), &options).expect("new");
    (0..4).for_each(|at| tables::put(&store, at));
    store.checkpoint().expect("the disk works");
    (4..8).for_each(|at| tables::put(&store, at));
    // As after a kill: a clean close would apply the journal to the rows.
    NAMES.map(|name| fs::read(dir.path().join(name)).expect("is there"))
});

/// The identity of the intact store.
const ID: u128 = 7;

const NAMES: [&str; 2] = ["rows.redb", "log.redb"];
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("statehold");
const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");
const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows/volumes");

/// Creates a directory in memory if possible, because the files are synced all the time.
fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory")
}

/// Returns an intact file with some bytes changed: each three of `data` are an offset and a value.
fn patched(good: &[u8], data: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for patch in data.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([patch[0], patch[1]]));
        // Headers and the pages in use are at the front; later offsets are in larger steps.
        let at = if at < 0x4000 { at } else { (at - 0x4000) * 16 };
        let len = bytes.len();
        bytes[at % len] ^= patch[2];
    }
    bytes
}

fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

/// Gives a file the identity of the intact store, so that its contents are read.
fn identify(meta: &mut Table<'_, &str, u64>) -> Result<(), redb::Error> {
    meta.insert("format", 2)?;
    meta.insert("id/high", 0)?;
    meta.insert("id/low", ID as u64)?;
    Ok(())
}

/// Writes a well-formed file with any rows and numbers, and correct checksums.
fn rows_file(path: &Path, data: &[u8]) -> Result<(), redb::Error> {
    let write = Database::create(path)?.begin_write()?;
    {
        let mut meta = write.open_table(META)?;
        identify(&mut meta)?;
        meta.insert("index", u64::from(data.first().copied().unwrap_or(0)))?;
        let mut rows = write.open_table(ROWS)?;
        for row in data.split(|byte| *byte == 0xAA).filter(|row| !row.is_empty()) {
            let (key, row) = row.split_at(row.len() / 4);
            rows.insert(key, sealed(row).as_slice())?;
        }
    }
    write.commit()?;
    Ok(())
}

fn log_file(path: &Path, data: &[u8]) -> Result<(), redb::Error> {
    let write = Database::create(path)?.begin_write()?;
    {
        let mut meta = write.open_table(META)?;
        identify(&mut meta)?;
        meta.insert("paired", 1)?;
        let mut records = write.open_table(RECORDS)?;
        for (record, at) in data.split(|byte| *byte == 0xAA).zip(1..) {
            records.insert(at, sealed(record).as_slice())?;
        }
    }
    write.commit()?;
    Ok(())
}

fuzz_target!(
    // The store catches redb's own panics and returns errors: those are not findings, and a panic
    // that escapes the store ends the run without the hook too.
    init: std::panic::set_hook(Box::new(|panic| {
        if panic.location().is_some_and(|place| place.file().ends_with("open_store.rs")) {
            eprintln!("{panic}");
        }
    })),
    |data: &[u8]| {
        let Some((mode, data)) = data.split_first() else { return };
        let dir = directory();
        let paths = NAMES.map(|name| dir.path().join(name));
        for (path, good) in paths.iter().zip(&*GOOD) {
            fs::write(path, good).expect("can be written");
        }
        let file = usize::from(mode & 1);
        let bytes = match mode / 2 % 3 {
            0 => data.to_vec(),
            1 => patched(&GOOD[file], data),
            _ => {
                fs::remove_file(&paths[file]).expect("is there");
                if file == 0 {
                    rows_file(&paths[0], data).expect("a new file");
                } else {
                    log_file(&paths[1], data).expect("a new file");
                    // Rows of no commit, so that the journal is replayed from its first record.
                    fs::remove_file(&paths[0]).expect("is there");
                    rows_file(&paths[0], &[]).expect("a new file");
                }
                fs::read(&paths[file]).expect("is there")
            }
        };
        fs::write(&paths[file], &bytes).expect("can be written");
        let beside = fs::read(&paths[1 - file]).expect("is there");
        // A full check finds pages that changed since the store was created. A plain open may not
        // read pages that only writes need, and redb may fail on them later.
        let checked = match mode / 2 % 3 {
            1 => Store::verify(dir.path(), &tables::schema()).map(drop),
            _ => Ok(()),
        };
        match checked.and_then(|()| Store::open(dir.path(), &tables::schema())) {
            Ok(store) => {
                tables::rows(&store);
                let last = store.index();
                if let Ok(mut txn) = store.begin_write() {
                    if txn.upsert::<tables::Volume>(tables::Volume::new(200)).is_ok()
                        && let Ok(index) = txn.commit()
                    {
                        assert!(index > last);
                    }
                    let _ = store.checkpoint();
                }
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                assert!(fs::read(&paths[file]).expect("is there") == bytes, "it was touched");
                let other = fs::read(&paths[1 - file]).expect("is there");
                assert!(other == beside, "the one beside it was touched");
            }
        }
    }
);
