//! Deferred deallocation of old states.
//!
//! The last owner of a state frees the tree nodes that no newer state shares: a handful after one more commit,
//! all of them after a restore or for a snapshot that was held for hours. A state that is many changes behind
//! is freed on a thread of its own, so that neither the reader that held it nor the writer that replaced it is
//! delayed. The thread ends when no state is left to free.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use parking_lot::Mutex;

use crate::erased_table::ErasedTable;

/// Number of changes up to which an old state is freed by its last owner. Each change is one or two nodes in
/// each tree, so this takes well below a millisecond.
const FREED_IN_PLACE_MAX: u64 = 1024;

type Tables = Box<[Arc<dyn ErasedTable>]>;

/// Frees the old states of one store.
#[derive(Default)]
pub(crate) struct Reclaim {
    /// Number of changes of the newest published state.
    newest: AtomicU64,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    tables: Vec<Tables>,
    running: bool,
}

impl Reclaim {
    /// Records the newest state.
    pub(crate) fn published(&self, changes: u64) {
        self.newest.store(changes, Ordering::Relaxed);
    }

    /// Takes over the tables of a state with `changes` changes, unless freeing them is quick.
    pub(crate) fn defer_drop(self: &Arc<Self>, tables: &mut Tables, changes: u64) {
        let behind = self.newest.load(Ordering::Relaxed).saturating_sub(changes);
        // A thread costs more than freeing a few nodes.
        if behind <= FREED_IN_PLACE_MAX {
            return;
        }
        {
            let mut waiting = self.waiting.lock();
            waiting.tables.push(std::mem::take(tables));
            // The running thread pops until the list is empty, so it frees these tables as well.
            if std::mem::replace(&mut waiting.running, true) {
                return;
            }
        }
        let reclaim = Arc::clone(self);
        let thread = thread::Builder::new().name("statehold-reclaim".to_owned());
        // Without a thread to spawn, the caller frees the tables: slow is better than leaked.
        if thread.spawn(move || reclaim.run()).is_err() {
            self.run();
        }
    }

    fn run(&self) {
        loop {
            let next = {
                let mut waiting = self.waiting.lock();
                let next = waiting.tables.pop();
                waiting.running = next.is_some();
                next
            };
            let Some(tables) = next else { return };
            // Rows may have their own `Drop`, whose panic must not stop the thread with states left in the
            // list.
            let _ = catch_unwind(AssertUnwindSafe(move || drop(tables)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};
    use std::thread::ThreadId;

    use serde::{Deserialize, Serialize};

    use super::FREED_IN_PLACE_MAX;
    use crate::error::CommitError;
    use crate::range::KeyRange;
    use crate::schema::Schema;
    use crate::store::Store;
    use crate::table::Table;

    /// A row that sends the thread that frees it.
    #[derive(Serialize, Deserialize)]
    struct Row {
        id: u64,
        #[serde(skip)]
        freed: Option<Sender<ThreadId>>,
    }

    impl Drop for Row {
        fn drop(&mut self) {
            if let Some(freed) = &self.freed {
                let _ = freed.send(std::thread::current().id());
            }
        }
    }

    struct Rows;

    impl Table for Rows {
        const NAME: &'static str = "rows";
        const VERSION: u16 = 1;
        type Key = u64;
        type Row = Row;

        fn key(row: &Row) -> u64 {
            row.id
        }
    }

    /// Fills a store with `rows`, holds a snapshot, deletes all rows and drops the snapshot. Returns the
    /// threads that freed the rows.
    fn freed_by(rows: usize) -> Result<Vec<ThreadId>, CommitError> {
        let (freed, threads) = channel();
        let store = Store::in_memory(&Schema::new().table::<Rows>());
        let mut txn = store.begin_write().unwrap();
        for id in 0..rows {
            let id = id as u64;
            txn.upsert::<Rows>(Row { id, freed: Some(freed.clone()) }).unwrap();
        }
        txn.commit()?;
        let snapshot = store.snapshot();
        let mut txn = store.begin_write().unwrap();
        Rows::BY_KEY.delete_range(&mut txn, &KeyRange::all()).unwrap();
        txn.commit()?;
        assert!(threads.try_recv().is_err(), "the snapshot holds the rows");
        drop(snapshot);
        drop(freed);
        Ok(threads.iter().take(rows).collect())
    }

    #[test]
    fn old_state_is_not_freed_by_its_reader() {
        let reader = std::thread::current().id();
        let rows = usize::try_from(FREED_IN_PLACE_MAX).unwrap() * 10;
        let threads = freed_by(rows).unwrap();
        assert_eq!(threads.len(), rows, "all of them are freed");
        assert!(threads.iter().all(|thread| *thread != reader));
    }

    #[test]
    fn recent_state_is_freed_by_its_last_owner() {
        let reader = std::thread::current().id();
        assert_eq!(freed_by(10).unwrap(), vec![reader; 10]);
    }
}
