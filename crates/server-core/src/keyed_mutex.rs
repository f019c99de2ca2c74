//! One at a time for each key: whoever wants the same thing waits, everybody else doesn't.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

/// How long somebody waits for a turn.
pub const WAIT_MAX: Duration = Duration::from_secs(120);

type Lock = Arc<tokio::sync::Mutex<()>>;

/// A lock for each key that somebody holds or waits for, and none for the others.
#[derive(Clone, Debug)]
pub struct KeyedMutex<K>(Arc<Mutex<HashMap<K, Lock>>>);

impl<K> Default for KeyedMutex<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Clone + Eq + Hash> KeyedMutex<K> {
    /// Waits for the turn of `key`; none when it took too long.
    pub async fn lock(&self, key: K) -> Option<KeyedGuard<K>> {
        let lock = Arc::clone(self.0.lock().entry(key.clone()).or_default());
        // What removes the lock again, also when this future is dropped while it waits.
        let mut held = KeyedGuard { guard: None, key, locks: self.clone() };
        held.guard = Some(tokio::time::timeout(WAIT_MAX, lock.lock_owned()).await.ok()?);
        Some(held)
    }
}

/// The turn of a key, given on when dropped.
#[derive(Debug)]
pub struct KeyedGuard<K: Clone + Eq + Hash> {
    guard: Option<OwnedMutexGuard<()>>,
    key: K,
    locks: KeyedMutex<K>,
}

impl<K: Clone + Eq + Hash> Drop for KeyedGuard<K> {
    fn drop(&mut self) {
        self.guard = None;
        let mut locks = self.locks.0.lock();
        // Nobody else holds it or waits: those that do were counted under this lock.
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
    async fn a_second_one_waits_and_another_key_does_not() {
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
    async fn nothing_is_left_of_what_nobody_wants() {
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
