//! Locks of the provider: one request at a time for each volume, snapshot and new name.

use std::collections::HashSet;

use parking_lot::{Condvar, Mutex};

/// The key of a lock.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Turn {
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
pub(crate) struct Turns {
    held: Mutex<HashSet<Turn>>,
    /// Notified when a request releases its locks.
    released: Condvar,
}

impl Turns {
    /// Blocks until no other request holds any of `turns`, then locks all of them.
    ///
    /// Locks all in one step: a waiting request holds none, so a cycle is impossible.
    pub(crate) fn take(&self, turns: impl IntoIterator<Item = Turn>) -> Held<'_> {
        let turns: Vec<Turn> = turns.into_iter().collect();
        let mut held = self.held.lock();
        while turns.iter().any(|turn| held.contains(turn)) {
            self.released.wait(&mut held);
        }
        held.extend(turns.iter().cloned());
        Held { turns, all: self }
    }
}

/// The locks of one request, released on drop.
#[derive(Debug)]
pub(crate) struct Held<'t> {
    turns: Vec<Turn>,
    all: &'t Turns,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut held = self.all.held.lock();
        for turn in &self.turns {
            held.remove(turn);
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

    fn volume(id: &str) -> Turn {
        Turn::Volume(id.into())
    }

    #[test]
    fn another_volume_does_not_wait() {
        let turns = Turns::default();
        let first = turns.take([volume("a"), Turn::VolumeName("a".into())]);
        drop(turns.take([volume("b"), Turn::Snapshot("a".into())]));
        drop(first);
        assert!(turns.held.lock().is_empty());
    }

    #[test]
    fn a_second_request_for_a_volume_waits() {
        let turns = Turns::default();
        let (sender, receiver) = mpsc::channel();
        let first = turns.take([volume("a")]);
        thread::scope(|scope| {
            let second = sender.clone();
            let turns = &turns;
            scope.spawn(move || {
                let _turns = turns.take([volume("b"), volume("a")]);
                second.send("second").unwrap();
            });
            sender.send("first").unwrap();
            drop(first);
        });
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), ["first", "second"]);
    }
}
