//! Crashes and disk faults at every point of a close that compacts the journal's file.

use super::*;
use crate::error::FeedError;

/// Size of one row in bytes: a few of them make the journal large enough for a compaction.
const ROW_LEN: usize = 20_000;

/// Number of commits that the close keeps.
const KEPT: u64 = 70_000;

/// Returns a disk with a journal of which a later close keeps a small part.
fn sparse() -> (Disk, State) {
    let disk = Arc::new(Mutex::new(Disk::new(Fault::None)));
    let store = Store::open_files(files(&disk), &schema(), &Options::default()).unwrap();
    for number in 0..40 {
        let mut txn = store.begin_write().unwrap();
        txn.upsert::<Numbers>((number % 4, vec![1; ROW_LEN])).unwrap();
        txn.upsert::<Names>(format!("name {number}")).unwrap();
        txn.commit().unwrap();
    }
    let before = state(&store);
    drop(store);
    let mut left = Disk::new(Fault::None);
    left.files.clone_from(&disk.lock().files);
    (left, before)
}

fn open(disk: &Arc<Mutex<Disk>>) -> Store {
    let options = Options::default().history_bytes(KEPT);
    Store::open_files(files(disk), &schema(), &options).unwrap()
}

#[test]
fn crash_while_a_close_compacts_the_journal_loses_no_commit() {
    let (disk, before) = sparse();
    let clean = with_fault(&disk, Fault::None);
    // The calls of the close alone: other tests stop those of the open.
    let store = open(&clean);
    let (opened, size) = {
        let disk = clean.lock();
        ((disk.syncs, disk.writes), disk.files[1].current.len())
    };
    store.close().unwrap();
    assert!(store.history_bytes() <= KEPT);
    drop(store);
    let (syncs, writes) = {
        let disk = clean.lock();
        assert!(disk.files[1].current.len() < size / 4, "the file is cut");
        (disk.syncs, disk.writes)
    };
    let of_syncs = (opened.0..syncs).flat_map(|at| {
        [Fault::CrashBeforeSync(at), Fault::CrashAfterSync(at), Fault::FailedSync(at)]
    });
    let of_writes = (opened.1..writes)
        .flat_map(|at| [Fault::TornWrite(at), Fault::FailedWrite(at), Fault::DiskFull(at)]);
    let mut cases = 0;
    for (seed, fault) in (0..).zip(of_syncs.chain(of_writes)) {
        let copy = with_fault(&disk, fault);
        let store = open(&copy);
        let _ = store.close();
        drop(store);
        {
            let mut disk = copy.lock();
            let mut luck = fastrand::Rng::with_seed(seed);
            disk.files.iter_mut().for_each(|file| file.crash(&mut luck));
            disk.fault = Fault::None;
            disk.frozen = false;
        }
        let store = open(&copy);
        assert_eq!(state(&store), before, "{fault:?}");
        // The feed has the end of the history, without a gap.
        let oldest = match store.changes_since(0) {
            Err(FeedError::Compacted { oldest }) => oldest,
            other => other.map(|_| 2).unwrap(),
        };
        let commits: Vec<_> =
            store.changes_since(oldest - 1).unwrap().map(|commit| commit.unwrap().index).collect();
        assert_eq!(commits, (oldest..=before.0).collect::<Vec<_>>(), "{fault:?}");
        cases += 1;
    }
    println!("compaction: {cases} cases");
    assert!(cases > 30, "the close writes");
}
