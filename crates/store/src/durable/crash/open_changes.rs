//! Crashes and disk faults at every point of an open that changes rows: by migrating keys, by removing
//! unreadable rows, or by dropping a table.

use super::*;
use crate::codec::OldRow;
use crate::error::{OpenError, RowError};
use crate::salvage::UnreadableRow;

/// A row whose migration drops it.
const DROPPED: u8 = 9;

/// A row whose migration fails, if unreadable rows are wanted.
const UNREADABLE: u8 = 7;

struct Old;

impl Table for Old {
    const NAME: &'static str = "moved";
    const VERSION: u16 = 1;
    type Key = u32;
    type Row = (u32, u8);

    fn key(row: &Self::Row) -> u32 {
        row.0
    }
}

/// Migrates each row to the key of the next one.
struct New;

impl Table for New {
    const NAME: &'static str = "moved";
    const VERSION: u16 = 2;
    type Key = u32;
    type Row = (u32, u8);

    fn key(row: &Self::Row) -> u32 {
        row.0
    }

    fn migrate_row(old: OldRow<'_>) -> Result<Option<Self::Row>, RowError> {
        let (number, value) = old.read::<(u32, u8)>()?;
        Ok((value != DROPPED).then_some((number + 1, value)))
    }
}

/// A number that only some rows have.
#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "u8", into = "u8")]
struct Bit(u8);

impl TryFrom<u8> for Bit {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        if number < 2 { Ok(Self(number)) } else { Err("not a bit") }
    }
}

impl From<Bit> for u8 {
    fn from(bit: Bit) -> Self {
        bit.0
    }
}

/// Fails to read some rows.
struct Picky;

impl Table for Picky {
    const NAME: &'static str = "moved";
    const VERSION: u16 = 2;
    type Key = u32;
    type Row = (u32, Bit);

    fn key(row: &Self::Row) -> u32 {
        row.0
    }

    fn migrate_row(old: OldRow<'_>) -> Result<Option<Self::Row>, RowError> {
        old.read().map(Some)
    }
}

type Rows = Vec<(u32, u8, u64, u64)>;

fn rows<T: Table>(store: &Store, value: impl Fn(&T::Row) -> (u32, u8)) -> Rows {
    let row = |row: &crate::table::Entry<T::Row>| {
        let (number, value) = value(row);
        (number, value, row.create_index(), row.modify_index())
    };
    store.snapshot().scan::<T>(&KeyRange::all(), Order::Ascending).map(row).collect()
}

/// Returns a disk with old rows: some in the file of rows, some in the journal, some changed or deleted after
/// the checkpoint.
fn old(values: [u8; 4]) -> (Disk, Rows) {
    let disk = Arc::new(Mutex::new(Disk::new(Fault::None)));
    let schema = Schema::new().table::<Old>();
    let store = Store::open_files(files(&disk), &schema, &Options::default()).unwrap();
    let put = |number, value| {
        let mut txn = store.begin_write().unwrap();
        txn.upsert::<Old>((number, value)).unwrap();
        txn.commit().unwrap();
    };
    (1..5).zip(values).for_each(|(number, value)| put(number, value));
    put(8, 1);
    store.checkpoint().unwrap();
    put(6, 1);
    // Readable rows are replaced by unreadable ones and the other way round.
    put(1, values[3]);
    put(4, 1);
    let mut txn = store.begin_write().unwrap();
    txn.delete::<Old>(2).unwrap();
    txn.delete::<Old>(6).unwrap();
    txn.commit().unwrap();
    let before = rows::<Old>(&store, |row| *row);
    // Frozen, as after a crash: a close would apply the journal to the rows.
    let mut left = Disk::new(Fault::None);
    left.files.clone_from(&disk.lock().files);
    (left, before)
}

/// Returns every fault of an open with this many calls.
fn faults(disk: &Arc<Mutex<Disk>>) -> Vec<Fault> {
    let (syncs, writes) = {
        let disk = disk.lock();
        (disk.syncs, disk.writes)
    };
    let of_syncs = (0..syncs).flat_map(|at| {
        [Fault::CrashBeforeSync(at), Fault::CrashAfterSync(at), Fault::FailedSync(at)]
    });
    let of_writes = (0..writes)
        .flat_map(|at| [Fault::TornWrite(at), Fault::FailedWrite(at), Fault::DiskFull(at)]);
    of_syncs.chain(of_writes).collect()
}

fn power_off(disk: &Arc<Mutex<Disk>>, seed: u64) {
    let mut disk = disk.lock();
    let mut luck = fastrand::Rng::with_seed(seed);
    disk.files.iter_mut().for_each(|file| file.crash(&mut luck));
    disk.fault = Fault::None;
    disk.frozen = false;
}

#[test]
fn crash_while_keys_migrate_leaves_all_old_or_all_new_rows() {
    let (disk, before) = old([1, 1, DROPPED, 3]);
    let new = Schema::new().table::<New>();
    let open = |disk: &Arc<Mutex<Disk>>| Store::open_files(files(disk), &new, &Options::default());
    let clean = with_fault(&disk, Fault::None);
    let after = rows::<New>(&open(&clean).unwrap(), |row| *row);
    let moved: Rows = before
        .iter()
        .filter(|row| row.1 != DROPPED)
        .map(|(number, value, created, modified)| (number + 1, *value, *created, *modified))
        .collect();
    assert_eq!(after, moved);
    let (mut old_states, mut new_states) = (0, 0);
    for (seed, fault) in (0..).zip(faults(&clean)) {
        let copy = with_fault(&disk, fault);
        drop(open(&copy));
        power_off(&copy, seed);
        // The earlier build reads its own rows, or refuses the new ones.
        let earlier = with_fault(&copy.lock(), Fault::None);
        let schema = Schema::new().table::<Old>();
        match Store::open_files(files(&earlier), &schema, &Options::default()) {
            Ok(store) => {
                assert_eq!(rows::<Old>(&store, |row| *row), before, "{fault:?}");
                old_states += 1;
            }
            Err(OpenError::Row { source: RowError::NewerVersion { .. }, .. }) => new_states += 1,
            Err(error) => panic!("{fault:?}: {error}"),
        }
        let store = open(&copy).unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(rows::<New>(&store, |row| *row), after, "{fault:?}");
        // A key that another row had before is deleted as its new row.
        let mut txn = store.begin_write().unwrap();
        txn.delete::<New>(9).unwrap();
        txn.commit().unwrap();
        drop(store);
        let store = open(&copy).unwrap();
        assert_eq!(rows::<New>(&store, |row| *row), after[..after.len() - 1], "{fault:?}");
    }
    assert!(old_states > 0 && new_states > 0, "{old_states} and {new_states}");
}

#[test]
fn crash_in_a_salvage_loses_no_unsaved_row() {
    let (disk, before) = old([1, 0, UNREADABLE, UNREADABLE]);
    let saved: Arc<Mutex<Vec<UnreadableRow>>> = Arc::default();
    let options = {
        let saved = Arc::clone(&saved);
        Options::default().salvage(move |rows| {
            saved.lock().extend_from_slice(rows);
            Ok(())
        })
    };
    let schema = Schema::new().table::<Picky>();
    let open = |disk: &Arc<Mutex<Disk>>| Store::open_files(files(disk), &schema, &options);
    let value = |row: &(u32, Bit)| (row.0, u8::from(row.1));
    let readable: Rows = before.iter().copied().filter(|row| row.1 != UNREADABLE).collect();
    let keys = |rows: &[UnreadableRow]| -> Vec<Box<[u8]>> {
        let mut keys: Vec<_> = rows.iter().map(|row| row.key.clone()).collect();
        keys.sort();
        keys.dedup();
        keys
    };
    let clean = with_fault(&disk, Fault::None);
    assert_eq!(rows::<Picky>(&open(&clean).unwrap(), value), readable);
    let unreadable = keys(&std::mem::take(&mut *saved.lock()));
    assert_eq!(unreadable.len(), 2);
    for (seed, fault) in (0..).zip(faults(&clean)) {
        let copy = with_fault(&disk, fault);
        drop(open(&copy));
        power_off(&copy, seed);
        let store = open(&copy).unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(rows::<Picky>(&store, value), readable, "{fault:?}");
        drop(store);
        assert_eq!(keys(&std::mem::take(&mut *saved.lock())), unreadable, "{fault:?}");
        assert_eq!(rows::<Picky>(&open(&copy).unwrap(), value), readable, "{fault:?}");
        assert!(saved.lock().is_empty(), "removed rows are not saved again");
    }
}

#[test]
fn crash_while_a_table_is_dropped_leaves_all_of_it_or_none() {
    let disk = Arc::new(Mutex::new(Disk::new(Fault::None)));
    let store = Store::open_files(files(&disk), &schema(), &Options::default()).unwrap();
    let put = |number: u32, name: &str| {
        let mut txn = store.begin_write().unwrap();
        txn.upsert::<Numbers>((number, vec![1; 50])).unwrap();
        txn.upsert::<Names>(name.into()).unwrap();
        txn.commit().unwrap();
    };
    // The dropped table is in the rows and in the journal, in commits of the other table as well.
    (0..4).for_each(|number| put(number, &format!("name {number}")));
    store.checkpoint().unwrap();
    put(2, "late");
    put(7, "later");
    let before = state(&store);
    // Frozen, as after a crash: a close would apply the journal to the rows.
    let mut left = Disk::new(Fault::None);
    left.files.clone_from(&disk.lock().files);
    drop(store);
    let without_names = |(index, rows, _, by_half): State| (index, rows, Vec::new(), by_half);
    let after = without_names(before.clone());

    let drops = Schema::new().table::<Numbers>().drop_table("names");
    let open = |disk: &Arc<Mutex<Disk>>, schema: &Schema| {
        Store::open_files(files(disk), schema, &Options::default())
    };
    let clean = with_fault(&left, Fault::None);
    drop(open(&clean, &drops).unwrap());
    assert_eq!(state(&open(&with_fault(&clean.lock(), Fault::None), &schema()).unwrap()), after);
    let (mut begun, mut done) = (0, 0);
    for (seed, fault) in (0..).zip(faults(&clean)) {
        let copy = with_fault(&left, fault);
        drop(open(&copy, &drops));
        power_off(&copy, seed);
        // A schema that declares the table finds every name or none, and every number.
        let earlier = with_fault(&copy.lock(), Fault::None);
        let store = open(&earlier, &schema()).unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        let found = state(&store);
        if found.2.is_empty() {
            done += 1;
        } else {
            assert_eq!(found.2, before.2, "{fault:?}");
            begun += 1;
        }
        assert_eq!(without_names(found), after, "{fault:?}");
        // The next open that drops it completes the work: afterwards a schema may omit the table.
        drop(open(&copy, &drops).unwrap_or_else(|error| panic!("{fault:?}: {error}")));
        let others = Schema::new().table::<Numbers>();
        let store = open(&copy, &others).unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        let mut txn = store.begin_write().unwrap();
        txn.upsert::<Numbers>((9, Vec::new())).unwrap();
        txn.commit().unwrap();
        drop(store);
        let (index, rows, names, _) = state(&open(&copy, &schema()).unwrap());
        assert_eq!(
            (index, rows.len(), names.len()),
            (after.0 + 1, after.1.len() + 1, 0),
            "{fault:?}"
        );
    }
    assert!(begun > 0 && done > 0, "{begun} and {done}");
}
