//! A mutex for each key: tasks with the same key wait for each other, tasks with other keys do not.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

/// Maximum time that a task waits for a lock.
pub const WAIT_MAX: Duration = Duration::from_secs(120);

type Lock = Arc<tokio::sync::Mutex<()>>;

/// A lock for each key that a task holds or waits for. Clones share the locks. Memory grows with the used keys only.
#[derive(Clone, Debug)]
pub struct KeyedMutex<K>(Arc<Mutex<HashMap<K, Lock>>>);

impl<K> Default for KeyedMutex<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Clone + Eq + Hash> KeyedMutex<K> {
    /// Waits for the lock of `key`. Returns `None` after [`WAIT_MAX`].
    pub async fn lock(&self, key: K) -> Option<KeyedGuard<K>> {
        let lock = Arc::clone(self.0.lock().entry(key.clone()).or_default());
        // The guard exists before the wait, because it removes the entry even if this future is dropped meanwhile.
        let mut held = KeyedGuard { guard: None, key, locks: self.clone() };
        // Tokio's mutex is fair, so no task starves.
        held.guard = Some(tokio::time::timeout(WAIT_MAX, lock.lock_owned()).await.ok()?);
        Some(held)
    }
}

/// The lock of a key, released on drop.
#[derive(Debug)]
pub struct KeyedGuard<K: Clone + Eq + Hash> {
    guard: Option<OwnedMutexGuard<()>>,
    key: K,
    locks: KeyedMutex<K>,
}

impl<K: Clone + Eq + Hash> Drop for KeyedGuard<K> {
    fn drop(&mut self) {
        // Released first: its reference would count below.
        self.guard = None;
        let mut locks = self.locks.0.lock();
        // A count of 1 is the map's own reference: holders and waiting tasks clone it under this lock.
        if locks.get(&self.key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            locks.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn a_second_holder_waits_and_another_key_does_not() {
        let locks = KeyedMutex::default();
        let held = locks.lock("a").await.unwrap();
        locks.lock("b").await.unwrap();
        let mut second = pin!(locks.lock("a"));
        let mut context = Context::from_waker(Waker::noop());
        assert!(second.as_mut().poll(&mut context).is_pending());
        drop(held);
        second.await.unwrap();
    }

    #[tokio::test]
    async fn keyed_mutex_is_empty_when_unused() {
        let locks = KeyedMutex::default();
        let held = locks.lock(1).await.unwrap();
        {
            let mut second = pin!(locks.lock(1));
            let mut context = Context::from_waker(Waker::noop());
            assert!(second.as_mut().poll(&mut context).is_pending());
        }
        assert_eq!(locks.0.lock().len(), 1);
        drop(held);
        assert!(locks.0.lock().is_empty());
    }
}
