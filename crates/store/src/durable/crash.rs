//! Crashes and disk faults at every point: both files are on a simulated disk that loses unsynced writes, tears
//! writes, and fails any call.
//!
//! A first run counts the calls. Then, for each call, a run is stopped there, the disk "crashes", and the store
//! is opened on the remaining bytes: every acknowledged transaction must be present, and the one in progress
//! either completely or not at all.
//!
//! After a failed call that does not stop the program, the store is reopened in place and the script continues,
//! so that every such run includes a recovery.
//! goes on, so that recovery is a part of every such run.

mod compacting;
mod open_changes;

use std::collections::BTreeMap;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake};
use std::time::Duration;

use parking_lot::Mutex;
use redb::StorageBackend;

use super::database::{Access, Backends, Files};
use crate::error::{CommitError, ReopenError};
use crate::observer::Observer;
use crate::options::{Durability, Options};
use crate::order::Order;
use crate::range::KeyRange;
use crate::schema::Schema;
use crate::snapshot::Snapshot;
use crate::store::Store;
use crate::table::{Index, IndexSet, Table};
use crate::view::ReadView;

/// Number of transactions of a run.
const TRANSACTIONS: u32 = 12;

struct Numbers;

/// An index, so that rebuilt data is compared too.
const BY_HALF: Index<Numbers, u32> =
    Index::non_unique("half", |row: &(u32, Vec<u8>), keys| keys.add(row.0 / 2));

impl Table for Numbers {
    const NAME: &'static str = "numbers";
    const VERSION: u16 = 1;
    type Key = u32;
    type Row = (u32, Vec<u8>);

    fn key(row: &Self::Row) -> u32 {
        row.0
    }

    fn indexes(set: &mut IndexSet<Self>) {
        set.add(&BY_HALF);
    }
}

struct Names;

impl Table for Names {
    const NAME: &'static str = "names";
    const VERSION: u16 = 1;
    type Key = String;
    type Row = String;

    fn key(row: &String) -> &str {
        row
    }
}

/// The call at which a run is stopped, and the fault. Calls are counted from 0, over both files.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// Power is lost before the sync takes effect.
    CrashBeforeSync(usize),
    /// Power is lost after the sync took effect and before it returns.
    CrashAfterSync(usize),
    /// Power is lost in the middle of a write.
    TornWrite(usize),
    /// One write fails, and the program goes on.
    FailedWrite(usize),
    /// One sync fails without an effect, and the program goes on.
    FailedSync(usize),
    /// From this write on the disk is full: files cannot grow, and first writes of a block fail, because the
    /// system allocates it then.
    DiskFull(usize),
}

#[derive(Clone, Debug)]
enum Unsynced {
    Write(usize, Vec<u8>),
    Len(usize),
}

#[derive(Clone, Default, Debug)]
struct FileState {
    /// The bytes that survive a crash.
    durable: Vec<u8>,
    /// The bytes that the program sees.
    current: Vec<u8>,
    unsynced: Vec<Unsynced>,
}

fn apply(bytes: &mut Vec<u8>, change: &Unsynced) {
    match change {
        Unsynced::Len(len) if *len <= bytes.len() => bytes.truncate(*len),
        // Much faster than `resize` in unoptimised builds.
        Unsynced::Len(len) => bytes.extend_from_slice(&vec![0; len - bytes.len()]),
        Unsynced::Write(offset, data) => {
            let end = offset + data.len();
            if bytes.len() < end {
                apply(bytes, &Unsynced::Len(end));
            }
            bytes[*offset..offset + data.len()].copy_from_slice(data);
        }
    }
}

impl FileState {
    /// Returns the bytes after a crash: the synced ones, and a random part of the others.
    fn crash(&mut self, luck: &mut fastrand::Rng) {
        for change in std::mem::take(&mut self.unsynced) {
            // Unsynced changes may be lost, torn or applied, each on its own: a disk reorders its cache.
            match (luck.u8(..3), change) {
                (0, _) => {}
                (1, Unsynced::Write(offset, mut data)) => {
                    // A sector is written as a whole.
                    let sectors = data.len() / 512;
                    data.truncate(luck.usize(..=sectors) * 512);
                    apply(&mut self.durable, &Unsynced::Write(offset, data));
                }
                (_, change) => apply(&mut self.durable, &change),
            }
        }
        self.current = self.durable.clone();
    }
}

#[derive(Debug)]
struct Disk {
    files: [FileState; 2],
    fault: Fault,
    syncs: usize,
    writes: usize,
    /// After a crash every call fails.
    frozen: bool,
}

impl Disk {
    fn new(fault: Fault) -> Self {
        Self { files: Default::default(), fault, syncs: 0, writes: 0, frozen: false }
    }

    fn alive(&self) -> io::Result<()> {
        if self.frozen { Err(io::Error::other("power is lost")) } else { Ok(()) }
    }
}

/// One file of the disk, as a backend of redb.
#[derive(Clone, Debug)]
struct File {
    disk: Arc<Mutex<Disk>>,
    at: usize,
}

impl StorageBackend for File {
    fn len(&self) -> io::Result<u64> {
        let disk = self.disk.lock();
        disk.alive()?;
        Ok(disk.files[self.at].current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let disk = self.disk.lock();
        disk.alive()?;
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let bytes = disk.files[self.at]
            .current
            .get(start..start + out.len())
            .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut disk = self.disk.lock();
        disk.alive()?;
        let len = usize::try_from(len).map_err(io::Error::other)?;
        let writes = disk.writes;
        let full = matches!(disk.fault, Fault::DiskFull(at) if writes >= at);
        let file = &mut disk.files[self.at];
        if full && len > file.current.len() {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        // A new length is unsynced too: the file's metadata can be lost like its data.
        let change = Unsynced::Len(len);
        apply(&mut file.current, &change);
        file.unsynced.push(change);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = self.disk.lock();
        disk.alive()?;
        let now = disk.syncs;
        disk.syncs += 1;
        match disk.fault {
            Fault::CrashBeforeSync(at) if at == now => {
                // The program sees an error, and every later call fails as well, as after a power loss.
                disk.frozen = true;
                return disk.alive();
            }
            Fault::FailedSync(at) if at == now => {
                return Err(io::Error::other("the sync failed"));
            }
            _ => {}
        }
        let file = &mut disk.files[self.at];
        for change in std::mem::take(&mut file.unsynced) {
            apply(&mut file.durable, &change);
        }
        if disk.fault == Fault::CrashAfterSync(now) {
            disk.frozen = true;
        }
        disk.alive()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut disk = self.disk.lock();
        disk.alive()?;
        let now = disk.writes;
        disk.writes += 1;
        let mut data = data.to_vec();
        match disk.fault {
            Fault::TornWrite(at) if at == now => {
                data.truncate(data.len() / 2);
                disk.frozen = true;
            }
            Fault::FailedWrite(at) if at == now => {
                return Err(io::Error::other("the write failed"));
            }
            Fault::DiskFull(at) if now >= at => {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            _ => {}
        }
        let change = Unsynced::Write(usize::try_from(offset).map_err(io::Error::other)?, data);
        let file = &mut disk.files[self.at];
        apply(&mut file.current, &change);
        file.unsynced.push(change);
        disk.alive()
    }
}

fn files(disk: &Arc<Mutex<Disk>>) -> Files {
    let backend = |at| {
        let disk = Arc::clone(disk);
        Box::new(move || Box::new(File { disk: Arc::clone(&disk), at }) as Box<dyn StorageBackend>)
            as Box<dyn Fn() -> Box<dyn StorageBackend> + Send + Sync>
    };
    Files::on(Backends { rows: backend(0), log: backend(1) }, Access::Create)
}

fn schema() -> Schema {
    Schema::new().table::<Numbers>().table::<Names>()
}

/// The contents of a store: its index, the rows with their stamps, the order of the index.
type State = (u64, BTreeMap<u32, (Vec<u8>, u64, u64)>, Vec<String>, Vec<u32>);

fn state(store: &Store) -> State {
    state_of(&store.snapshot())
}

fn state_of(view: &Snapshot) -> State {
    let rows = view
        .scan::<Numbers>(&KeyRange::all(), Order::Ascending)
        .map(|row| (row.0, (row.1.clone(), row.create_index(), row.modify_index())))
        .collect();
    let names = view.scan::<Names>(&KeyRange::all(), Order::Ascending).map(|name| name.to_string());
    let by_half = view.scan_by(&BY_HALF, &KeyRange::all(), Order::Ascending).map(|row| row.0);
    (view.index(), rows, names.collect(), by_half.collect())
}

/// The outcome of a run.
struct Run {
    /// The acknowledged states; the first is that of the new store. Empty if that could not be opened: files
    /// get their names once they are complete, so a crash leaves no file to open.
    states: Vec<State>,
    /// The number of states that must survive.
    durable: usize,
    /// The state that the failed transaction would have created.
    in_progress: Option<State>,
    /// Whether the store accepted writes again after a failure.
    reopened: bool,
}

/// Blocks on a future without a runtime.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        std::thread::park();
    }
}

/// Counts the failures it is notified of.
#[derive(Default)]
struct Failures(AtomicUsize);

impl Observer for Failures {
    fn poisoned(&self, _: &CommitError) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Returns a copy of a disk whose calls meet a fault.
fn with_fault(disk: &Disk, fault: Fault) -> Arc<Mutex<Disk>> {
    let mut copy = Disk::new(fault);
    copy.files.clone_from(&disk.files);
    Arc::new(Mutex::new(copy))
}

/// Runs the script of `seed` until it ends or a call fails.
fn run(disk: &Arc<Mutex<Disk>>, seed: u64, durability: Durability) -> Run {
    let model = Store::in_memory(&schema());
    let mut run = Run { states: Vec::new(), durable: 0, in_progress: None, reopened: false };
    let failures = Arc::new(Failures::default());
    // Each bound of the history is the tighter one in some runs.
    let (commits, bytes) = if seed.is_multiple_of(2) { (3, u64::MAX) } else { (u64::MAX, 2_000) };
    let options = Options::default()
        .history(commits)
        .history_bytes(bytes)
        .durability(durability)
        .observer(Arc::clone(&failures) as _);
    let Ok(store) = Store::open_files(files(disk), &schema(), &options) else { return run };
    run.states.push(state(&model));
    let mut luck = fastrand::Rng::with_seed(seed);
    for step in 0..TRANSACTIONS {
        // The next commit reports a failed checkpoint.
        if step % 5 == 4 && store.checkpoint().is_ok() {
            run.durable = run.states.len() - 1;
        }
        // Under `Relaxed` only a flush makes the commits durable.
        if step % 3 == 2 && store.flush().is_ok() {
            run.durable = run.states.len() - 1;
        }
        if store.failure().is_some() && !reopen(&store, disk, &mut run) {
            return run;
        }
        let Ok(mut txn) = store.begin_write() else { return run };
        let mut same = model.begin_write().unwrap();
        for _ in 0..luck.u8(1..5) {
            let number = luck.u32(..20);
            if luck.u8(..4) == 0 {
                txn.delete::<Numbers>(number).unwrap();
                same.delete::<Numbers>(number).unwrap();
            } else {
                // Sometimes larger than a page.
                let len = if luck.u8(..6) == 0 { 6000 } else { luck.usize(..100) };
                let row = (number, vec![luck.u8(..); len]);
                txn.upsert::<Numbers>(row.clone()).unwrap();
                same.upsert::<Numbers>(row).unwrap();
            }
        }
        txn.upsert::<Names>(format!("step {step}")).unwrap();
        same.upsert::<Names>(format!("step {step}")).unwrap();
        let next = state_of(&same.freeze());
        let committed =
            if luck.bool() { txn.commit_snapshot() } else { block_on(txn.commit_async()) };
        let Ok(snapshot) = committed else {
            assert_eq!(state(&store), run.states[run.states.len() - 1], "refused is not visible");
            assert!(store.begin_write().is_err(), "a failed durable write poisons the store");
            assert!(failures.0.load(Ordering::SeqCst) > 0, "the observer is notified");
            run.in_progress = Some(next);
            // The failed transaction must not take effect in the model either.
            drop(same);
            if !reopen(&store, disk, &mut run) {
                return run;
            }
            assert_eq!(state(&store), run.states[run.states.len() - 1], "reopening changes no row");
            continue;
        };
        same.commit().unwrap();
        run.in_progress = None;
        assert_eq!(snapshot.index(), next.0);
        assert_eq!(state(&store), next, "acknowledged is visible");
        run.states.push(next);
        if durability == Durability::Immediate {
            run.durable = run.states.len() - 1;
        }
    }
    run
}

/// Frees the disk and reopens the files. Returns whether the store accepts writes again.
fn reopen(store: &Store, disk: &Arc<Mutex<Disk>>, run: &mut Run) -> bool {
    let fault = {
        let mut disk = disk.lock();
        if disk.frozen {
            return false;
        }
        std::mem::replace(&mut disk.fault, Fault::None)
    };
    match store.reopen() {
        Ok(index) => {
            assert_eq!(index, store.index());
            assert_eq!(store.failure(), None);
            run.reopened = true;
            true
        }
        // The write is in the file only if a sync failed after it.
        Err(ReopenError::Unproved { .. }) if matches!(fault, Fault::FailedSync(_)) => false,
        // Readers have seen commits that are not durable, so the store must not reopen.
        Err(ReopenError::Behind { .. }) => false,
        Err(error) => panic!("{fault:?}: {error}"),
    }
}

/// Crashes at `fault`, opens the remaining bytes, and compares. Returns whether the run continued after a
/// failure.
fn check(fault: Fault, seed: u64, durability: Durability) -> bool {
    let disk = Arc::new(Mutex::new(Disk::new(fault)));
    let run = run(&disk, seed, durability);
    let Some(expected) = run.states.get(run.durable..).filter(|states| !states.is_empty()) else {
        return false;
    };
    {
        let mut disk = disk.lock();
        let mut luck = fastrand::Rng::with_seed(seed ^ 0x5EED);
        disk.files.iter_mut().for_each(|file| file.crash(&mut luck));
        disk.fault = Fault::None;
        disk.frozen = false;
    }
    let store = Store::open_files(files(&disk), &schema(), &Options::default())
        .unwrap_or_else(|error| panic!("{fault:?}, seed {seed}: {error}"));
    let found = state(&store);
    assert!(
        // A transaction whose commit failed may be on disk completely: its outcome is unknown.
        expected.contains(&found) || Some(&found) == run.in_progress.as_ref(),
        "{fault:?}, seed {seed}: found index {}, durable was {}",
        found.0,
        expected[0].0,
    );
    // The store accepts further commits.
    let mut txn = store.begin_write().unwrap();
    assert_eq!(txn.index(), found.0.max(1) + 1, "1 is the index of unchanged data");
    txn.upsert::<Names>("after".into()).unwrap();
    txn.commit().unwrap();
    store.checkpoint().unwrap();
    run.reopened
}

/// Opens the store with a fault, crashes, and opens the remaining bytes: the state must be unchanged.
fn check_open(fault: Fault, seed: u64, before: &[FileState; 2], expected: &State) {
    let mut disk = Disk::new(fault);
    disk.files = before.clone();
    let disk = Arc::new(Mutex::new(disk));
    drop(Store::open_files(files(&disk), &schema(), &Options::default()));
    {
        let mut disk = disk.lock();
        let mut luck = fastrand::Rng::with_seed(seed);
        disk.files.iter_mut().for_each(|file| file.crash(&mut luck));
        disk.fault = Fault::None;
        disk.frozen = false;
    }
    let store = Store::open_files(files(&disk), &schema(), &Options::default())
        .unwrap_or_else(|error| panic!("{fault:?}, seed {seed}: {error}"));
    assert_eq!(state(&store), *expected, "{fault:?}, seed {seed}");
    let mut txn = store.begin_write().unwrap();
    txn.upsert::<Names>("after".into()).unwrap();
    txn.commit().unwrap();
    let (after, id) = (state(&store), store.id());
    drop(store);
    let store = Store::open_files(files(&disk), &schema(), &Options::default()).unwrap();
    assert_eq!((state(&store), store.id()), (after, id), "{fault:?}, seed {seed}");
}

/// Interrupts an open of these files at every call, with every fault.
fn check_opens(before: &[FileState; 2], expected: &State) {
    let disk = Arc::new(Mutex::new(Disk { files: before.clone(), ..Disk::new(Fault::None) }));
    drop(Store::open_files(files(&disk), &schema(), &Options::default()).unwrap());
    let (syncs, writes) = {
        let disk = disk.lock();
        (disk.syncs, disk.writes)
    };
    let mut cases = 0;
    for seed in seeds() {
        let of_syncs = (0..syncs).flat_map(|at| {
            [Fault::CrashBeforeSync(at), Fault::CrashAfterSync(at), Fault::FailedSync(at)]
        });
        let of_writes = (0..writes)
            .flat_map(|at| [Fault::TornWrite(at), Fault::FailedWrite(at), Fault::DiskFull(at)]);
        for fault in of_syncs.chain(of_writes) {
            check_open(fault, seed, before, expected);
            cases += 1;
        }
    }
    println!("open: {cases} cases, seeds {:?}", seeds());
    assert!(cases > 30, "the open writes");
}

fn durable(bytes: Vec<u8>) -> FileState {
    FileState { current: bytes.clone(), durable: bytes, unsynced: Vec::new() }
}

/// Returns the bytes of a complete redb file without tables, which a file has when it gets its name.
fn blank() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("blank");
    drop(redb::Database::create(&path).unwrap());
    std::fs::read(path).unwrap()
}

#[test]
fn creation_interrupted_at_any_call_continues_at_the_next_open() {
    let before = [durable(blank()), durable(blank())];
    check_opens(&before, &state(&Store::in_memory(&schema())));
}

/// Returns the two files of a store written by an older build: the same rows, without an identity.
fn of_format_1(script: impl FnOnce(&Store)) -> ([FileState; 2], State) {
    let disk = Arc::new(Mutex::new(Disk::new(Fault::None)));
    let store = Store::open_files(files(&disk), &schema(), &Options::default()).unwrap();
    script(&store);
    let expected = state(&store);
    // Frozen, so that the close writes nothing more.
    disk.lock().frozen = true;
    drop(store);
    let mut disk = disk.lock();
    let files = std::mem::take(&mut disk.files);
    let files = files.map(|file| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, file.durable).unwrap();
        // Golden files of format 1 would not cover the faults of an upgrade at every call.
        super::downgrade(&path);
        durable(std::fs::read(&path).unwrap())
    });
    (files, expected)
}

#[test]
fn upgrade_interrupted_at_any_call_continues_at_the_next_open() {
    let put = |store: &Store, numbers: std::ops::Range<u32>| {
        for number in numbers {
            let mut txn = store.begin_write().unwrap();
            txn.upsert::<Numbers>((number, vec![7; 50])).unwrap();
            txn.commit().unwrap();
        }
    };
    let (files, expected) = of_format_1(|store| put(store, 0..5));
    check_opens(&files, &expected);
    let (files, expected) = of_format_1(|store| {
        put(store, 0..5);
        store.checkpoint().unwrap();
        put(store, 5..8);
    });
    check_opens(&files, &expected);
}

/// Checks every fault for every seed. Returns the number of runs that continued after a failure.
fn check_all(faults: impl Fn((usize, usize)) -> Vec<Fault>) -> usize {
    check_durability(Durability::Immediate, faults)
}

fn check_durability(
    durability: Durability,
    faults: impl Fn((usize, usize)) -> Vec<Fault>,
) -> usize {
    let (mut cases, mut reopened) = (0, 0);
    for seed in seeds() {
        for fault in faults(calls(seed, durability)) {
            reopened += usize::from(check(fault, seed, durability));
            cases += 1;
        }
    }
    println!("crash: {cases} cases, {reopened} opened again in place, seeds {:?}", seeds());
    reopened
}

/// Returns the number of syncs and writes of a run without a fault.
fn calls(seed: u64, durability: Durability) -> (usize, usize) {
    let disk = Arc::new(Mutex::new(Disk::new(Fault::None)));
    let run = run(&disk, seed, durability);
    assert_eq!(run.states.len(), TRANSACTIONS as usize + 1);
    let disk = disk.lock();
    (disk.syncs, disk.writes)
}

/// Returns the seeds of the scripts, about a thousand cases each; more with `STATEHOLD_CRASH_SEEDS`.
fn seeds() -> std::ops::Range<u64> {
    let more = std::env::var("STATEHOLD_CRASH_SEEDS").ok().and_then(|text| text.parse().ok());
    0..more.unwrap_or(3)
}

#[test]
fn crash_at_every_sync_keeps_acknowledged_commits() {
    check_all(|(syncs, _)| {
        (0..syncs).flat_map(|at| [Fault::CrashBeforeSync(at), Fault::CrashAfterSync(at)]).collect()
    });
}

#[test]
fn failed_sync_keeps_acknowledged_commits_and_poisons() {
    check_all(|(syncs, _)| (0..syncs).map(Fault::FailedSync).collect());
}

#[test]
fn torn_write_keeps_acknowledged_commits() {
    check_all(|(_, writes)| (0..writes).map(Fault::TornWrite).collect());
}

#[test]
fn failed_write_keeps_acknowledged_commits_and_poisons() {
    let reopened = check_all(|(_, writes)| (0..writes).map(Fault::FailedWrite).collect());
    assert!(reopened > 20, "a write that failed is proved to have failed, and the store goes on");
}

#[test]
fn full_disk_keeps_acknowledged_commits_and_writes_resume() {
    let reopened = check_all(|(_, writes)| (0..writes).map(Fault::DiskFull).collect());
    assert!(reopened > 20, "the store goes on where it failed");
}

/// No commit becomes durable by the passing of time here, only by the script.
#[test]
fn relaxed_commits_survive_as_a_prefix_with_all_flushed_ones() {
    // An interval that never elapses keeps the runs deterministic.
    let relaxed = Durability::Relaxed { flush_every: Duration::from_secs(3600) };
    check_durability(relaxed, |(syncs, writes)| {
        let syncs = (0..syncs).flat_map(|at| {
            [Fault::CrashBeforeSync(at), Fault::CrashAfterSync(at), Fault::FailedSync(at)]
        });
        let writes = (0..writes)
            .flat_map(|at| [Fault::TornWrite(at), Fault::FailedWrite(at), Fault::DiskFull(at)]);
        syncs.chain(writes).collect()
    });
}
