//! One request at a time for each volume, snapshot and new name of the provider.

use std::collections::HashSet;

use parking_lot::{Condvar, Mutex};

/// A thing that one request at a time works with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Turn {
    /// The volume of that ID.
    Volume(Box<str>),
    /// The snapshot of that ID.
    Snapshot(Box<str>),
    /// The volume that a request creates under that name: asking twice finds the first one.
    VolumeName(Box<str>),
    /// The snapshot that a request takes under that name.
    SnapshotName(Box<str>),
}

/// The turns that requests hold.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    held: Mutex<HashSet<Turn>>,
    /// Notified when a request gives up its turns.
    released: Condvar,
}

impl Turns {
    /// Blocks until no other request holds any of `turns`, then holds all of them.
    ///
    /// All are taken in one step: a request that waits holds none, so that no two wait for each other.
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

/// Turns of one request, released when dropped.
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
        // All: any of those that wait may be the one whose turns are free now.
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
    fn the_same_volume_waits_for_its_turn() {
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
