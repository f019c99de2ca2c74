//! A storage backend that defers all writes until the file is accepted.
//!
//! redb writes to a file as soon as it opens it: an open flag, and the results of a repair. Until the store has
//! read and verified everything, this backend keeps these writes in memory. Then it applies them, in order and
//! with their syncs, or discards them, which leaves a rejected file unchanged.

use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;
use redb::{BackendError, StorageBackend};

/// The storage under a file, and whether writes go through to it.
#[derive(Clone, Debug)]
pub(super) struct DeferredBackend(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    storage: Box<dyn StorageBackend>,
    state: RwLock<State>,
    /// Whether a sync ever failed, after which a later sync proves nothing about earlier writes (Rebello et
    /// al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020).
    sync_failed: AtomicBool,
}

impl Inner {
    fn sync(&self) -> io::Result<()> {
        self.storage.sync_data().inspect_err(|_| self.sync_failed.store(true, Ordering::Relaxed))
    }
}

#[derive(Debug)]
enum State {
    Open,
    Deferring(DeferredWrites),
    /// Reads and writes fail.
    Refused,
}

/// Writes that were not applied yet.
#[derive(Debug)]
struct DeferredWrites {
    /// The length of the file on disk.
    len_below: u64,
    /// Its length after the writes.
    len: u64,
    writes: Vec<Write>,
}

#[derive(Debug)]
enum Write {
    Data(u64, Vec<u8>),
    Len(u64),
    Sync,
}

fn refused() -> io::Error {
    io::Error::other("the file was refused")
}

/// Returns the overlap of `offset..offset + len` with the bytes `at..at + of`: its position in both, and its
/// length.
fn overlap(offset: u64, len: usize, at: u64, of: usize) -> Option<(usize, usize, usize)> {
    let start = offset.max(at);
    let end = (offset + len as u64).min(at + of as u64);
    let count = usize::try_from(end.checked_sub(start)?).ok()?;
    let (to, from) = (start - offset, start - at);
    Some((usize::try_from(to).ok()?, usize::try_from(from).ok()?, count))
}

impl DeferredWrites {
    /// Reads into `out` as if the writes had been applied.
    fn read(&self, storage: &dyn StorageBackend, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if offset + out.len() as u64 > self.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // A file that was extended by a deferred `set_len` reads as zeros.
        out.fill(0);
        let below = usize::try_from(self.len_below).unwrap_or(usize::MAX);
        if let Some((_, _, count)) = overlap(offset, out.len(), 0, below) {
            storage.read(offset, &mut out[..count])?;
        }
        for write in &self.writes {
            match write {
                Write::Data(at, data) => {
                    if let Some((to, from, count)) = overlap(offset, out.len(), *at, data.len()) {
                        out[to..to + count].copy_from_slice(&data[from..from + count]);
                    }
                }
                // Truncated bytes read as zero when the file grows again.
                Write::Len(len) => {
                    let kept = usize::try_from(len.saturating_sub(offset)).unwrap_or(usize::MAX);
                    out.iter_mut().skip(kept).for_each(|byte| *byte = 0);
                }
                Write::Sync => {}
            }
        }
        Ok(())
    }
}

impl DeferredBackend {
    pub(super) fn new(storage: Box<dyn StorageBackend>) -> io::Result<Self> {
        let len = storage.len()?;
        let deferred = DeferredWrites { len_below: len, len, writes: Vec::new() };
        // A read lock for the common path: after the acceptance, reads and writes run in parallel.
        let state = RwLock::new(State::Deferring(deferred));
        Ok(Self(Arc::new(Inner { storage, state, sync_failed: AtomicBool::new(false) })))
    }

    /// Returns whether a sync of the file ever failed.
    pub(super) fn sync_failed(&self) -> bool {
        self.0.sync_failed.load(Ordering::Relaxed)
    }

    /// Applies the deferred writes; later ones go through.
    pub(super) fn open(&self) -> io::Result<()> {
        let mut state = self.0.state.write();
        if let State::Deferring(deferred) = &*state {
            for write in &deferred.writes {
                match write {
                    Write::Data(offset, data) => self.0.storage.write(*offset, data)?,
                    Write::Len(len) => self.0.storage.set_len(*len)?,
                    Write::Sync => self.0.sync()?,
                }
            }
            *state = State::Open;
        }
        Ok(())
    }

    /// Discards the deferred writes and fails later ones, unless the backend is open. Returns whether it
    /// discarded them.
    pub(super) fn refuse(&self) -> bool {
        let mut state = self.0.state.write();
        // Refusing an open file would lose writes that redb believes to be done.
        let open = matches!(*state, State::Open);
        if !open {
            *state = State::Refused;
        }
        !open
    }

    /// Applies a change, or defers it.
    fn change(
        &self,
        through: impl FnOnce(&dyn StorageBackend) -> io::Result<()>,
        hold: impl FnOnce(&mut DeferredWrites),
    ) -> io::Result<()> {
        {
            let state = self.0.state.read();
            match *state {
                State::Open => return through(&*self.0.storage),
                State::Refused => return Err(refused()),
                State::Deferring(_) => {}
            }
        }
        // The state may have changed between the two locks.
        let mut state = self.0.state.write();
        match &mut *state {
            State::Deferring(deferred) => hold(deferred),
            State::Open => return through(&*self.0.storage),
            State::Refused => return Err(refused()),
        }
        Ok(())
    }
}

impl StorageBackend for DeferredBackend {
    fn len(&self) -> io::Result<u64> {
        match &*self.0.state.read() {
            State::Open => self.0.storage.len(),
            State::Deferring(deferred) => Ok(deferred.len),
            State::Refused => Err(refused()),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match &*self.0.state.read() {
            State::Open => self.0.storage.read(offset, out),
            State::Deferring(deferred) => deferred.read(&*self.0.storage, offset, out),
            State::Refused => Err(refused()),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(
            |storage| storage.set_len(len),
            |deferred| {
                deferred.len = len;
                deferred.writes.push(Write::Len(len));
            },
        )
    }

    fn sync_data(&self) -> io::Result<()> {
        self.change(|_| self.0.sync(), |deferred| deferred.writes.push(Write::Sync))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(
            |storage| storage.write(offset, data),
            |deferred| {
                deferred.len = deferred.len.max(offset + data.len() as u64);
                deferred.writes.push(Write::Data(offset, data.to_vec()));
            },
        )
    }

    fn close(&self) -> io::Result<()> {
        self.0.storage.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.storage.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.0.storage.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.storage.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.storage.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.storage.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.storage.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use redb::backends::InMemoryBackend;

    use super::*;

    fn bytes(storage: &dyn StorageBackend) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(storage.len().unwrap()).unwrap()];
        storage.read(0, &mut bytes).unwrap();
        bytes
    }

    fn write() -> impl Strategy<Value = (u64, Option<Vec<u8>>)> {
        (0u64..40, proptest::option::of(proptest::collection::vec(any::<u8>(), 1..10)))
    }

    proptest! {
        #[test]
        fn deferred_writes_read_as_applied_and_are_applied_on_open(
            before in proptest::collection::vec(any::<u8>(), 1..40),
            writes in proptest::collection::vec(write(), 0..12),
            after in proptest::collection::vec(write(), 0..4),
            part in (0u64..10, 0usize..10),
        ) {
            let plain = InMemoryBackend::new();
            let below = InMemoryBackend::new();
            for storage in [&plain, &below] {
                storage.set_len(before.len() as u64).unwrap();
                storage.write(0, &before).unwrap();
            }
            let deferred = DeferredBackend::new(Box::new(below)).unwrap();
            let both = |offset: u64, data: Option<Vec<u8>>| {
                for storage in [&plain as &dyn StorageBackend, &deferred] {
                    match &data {
                        Some(data) => {
                            let len = storage.len().unwrap().max(offset + data.len() as u64);
                            storage.set_len(len).unwrap();
                            storage.write(offset, data).unwrap();
                        }
                        None => storage.set_len(offset).unwrap(),
                    }
                    storage.sync_data().unwrap();
                }
            };
            for (offset, data) in writes {
                both(offset, data);
                prop_assert_eq!(bytes(&deferred), bytes(&plain));
            }
            prop_assert_eq!(bytes(&*deferred.0.storage), before, "the file is unchanged");
            let whole = bytes(&plain);
            let (at, count) = part;
            let mut found = vec![7; count];
            let expected = whole.get(usize::try_from(at).unwrap()..).and_then(|rest| rest.get(..count));
            prop_assert_eq!(deferred.read(at, &mut found).is_ok(), expected.is_some());
            if let Some(expected) = expected {
                prop_assert_eq!(found, expected);
            }
            deferred.open().unwrap();
            prop_assert_eq!(bytes(&*deferred.0.storage), whole);
            for (offset, data) in after {
                both(offset, data);
                prop_assert_eq!(bytes(&*deferred.0.storage), bytes(&plain));
            }
            prop_assert!(!deferred.refuse());
        }
    }
}
