//! The writer lock: one thread holds it at a time, and its holder never deadlocks on itself.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};

use crate::commit::Head;
use crate::error::BeginError;

/// How long a writer waits for the current one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LockWait {
    Unlimited,
    Until(Instant),
    None,
}

/// The lock on the newest finished state.
pub(crate) struct Writer {
    head: Mutex<Head>,
    /// The number of the thread that holds the lock; 0 for none.
    holder: AtomicU64,
}

impl Writer {
    pub(crate) fn new(head: Head) -> Self {
        Self { head: Mutex::new(head), holder: AtomicU64::new(0) }
    }

    pub(crate) fn lock(&self, wait: LockWait) -> Result<WriterGuard<'_>, BeginError> {
        let thread = this_thread();
        // Relaxed is enough: a thread always sees its own stores, and any other value means that another thread
        // holds the lock.
        if self.holder.load(Ordering::Relaxed) == thread {
            return Err(BeginError::Nested);
        }
        let head = match wait {
            LockWait::Unlimited => self.head.lock(),
            LockWait::Until(deadline) => {
                self.head.try_lock_until(deadline).ok_or(BeginError::Busy)?
            }
            LockWait::None => self.head.try_lock().ok_or(BeginError::Busy)?,
        };
        // After the lock is taken, so that only its holder writes the number.
        self.holder.store(thread, Ordering::Relaxed);
        Ok(WriterGuard { head, holder: &self.holder, not_send: PhantomData })
    }
}

/// Returns a number that no other thread of the process has. `ThreadId` has no stable conversion to an integer
/// that fits an atomic.
fn this_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static NUMBER: u64 = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}

/// The right to write. Not `Send`, because the lock identifies its holder by the thread.
pub(crate) struct WriterGuard<'w> {
    head: MutexGuard<'w, Head>,
    holder: &'w AtomicU64,
    not_send: PhantomData<std::sync::MutexGuard<'static, ()>>,
}

impl Deref for WriterGuard<'_> {
    type Target = Head;

    fn deref(&self) -> &Head {
        &self.head
    }
}

impl DerefMut for WriterGuard<'_> {
    fn deref_mut(&mut self) -> &mut Head {
        &mut self.head
    }
}

impl Drop for WriterGuard<'_> {
    fn drop(&mut self) {
        // Before the lock is released: afterwards this store could clear the next holder's number.
        self.holder.store(0, Ordering::Relaxed);
    }
}
