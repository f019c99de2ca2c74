//! Locks of the provider: one request at a time for each volume, snapshot and new name.

use std::collections::HashSet;

use parking_lot::{Condvar, Mutex};

/// The key of a lock.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LockKey {
    /// The volume of the ID.
    Volume(Box<str>),
    /// The snapshot of the ID.
    Snapshot(Box<str>),
    /// The name of a volume being created: a second request for it MUST find the first one's volume.
    VolumeName(Box<str>),
    /// The name of a snapshot being created.
    SnapshotName(Box<str>),
}

/// The locks that requests hold.
#[derive(Debug, Default)]
pub(crate) struct ObjectLocks {
    held: Mutex<HashSet<LockKey>>,
    /// Notified when a request releases its locks.
    released: Condvar,
}

impl ObjectLocks {
    /// Blocks until no other request holds any of `locks`, then locks all of them.
    ///
    /// Locks all in one step: a waiting request holds none, so a cycle is impossible.
    pub(crate) fn lock(&self, locks: impl IntoIterator<Item = LockKey>) -> LockGuard<'_> {
        let locks: Vec<LockKey> = locks.into_iter().collect();
        let mut held = self.held.lock();
        while locks.iter().any(|key| held.contains(key)) {
            self.released.wait(&mut held);
        }
        held.extend(locks.iter().cloned());
        LockGuard { locks, all: self }
    }
}

/// The locks of one request, released on drop.
#[derive(Debug)]
pub(crate) struct LockGuard<'t> {
    locks: Vec<LockKey>,
    all: &'t ObjectLocks,
}

impl Drop for LockGuard<'_> {
    fn drop(&mut self) {
        let mut held = self.all.held.lock();
        for key in &self.locks {
            held.remove(key);
        }
        // All, because any waiting request may be the one whose locks are free now.
        self.all.released.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    fn volume(id: &str) -> LockKey {
        LockKey::Volume(id.into())
    }

    #[test]
    fn another_volume_does_not_wait() {
        let locks = ObjectLocks::default();
        let first = locks.lock([volume("a"), LockKey::VolumeName("a".into())]);
        drop(locks.lock([volume("b"), LockKey::Snapshot("a".into())]));
        drop(first);
        assert!(locks.held.lock().is_empty());
    }

    #[test]
    fn a_second_request_for_a_volume_waits() {
        let locks = ObjectLocks::default();
        let (sender, receiver) = mpsc::channel();
        let first = locks.lock([volume("a")]);
        thread::scope(|scope| {
            let second = sender.clone();
            let locks = &locks;
            scope.spawn(move || {
                let _locks = locks.lock([volume("b"), volume("a")]);
                second.send("second").unwrap();
            });
            sender.send("first").unwrap();
            drop(first);
        });
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), ["first", "second"]);
    }
}
