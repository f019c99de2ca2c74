//! The registry of parked readers, searched by key.
//!
//! A reader registers the ranges that it read; a commit looks up the keys that it touched. A range of one key
//! is found by a hash of that key, a range of all keys with a prefix by a hash of the prefix, for each prefix
//! length in use. Any other range is found by a scan of the ranges of its tree. So a commit pays for the keys
//! that it touches and for readers parked on ranges between two keys, but not for the number of readers.
//!
//! Invariant: a reader registers first and then reads the newest published state again, while a commit
//! publishes first and then searches for readers, so no change is lost between the two.
//! Invariant: a wake-up is a hint; the reader MUST read again. Ranges that no touched key is in are never
//! woken.
//! One lock is enough: parking and leaving together take about a microsecond (measured on one row, on two
//! shared cores), no more than the query between them, and the lock is not held while readers are woken. With
//! several locks by key, readers of ranges and commits would have to take all of them.
//! Limit: [`crate::Options::parked_max`] readers; one more gets [`WatchError::TooMany`].

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::error::WatchError;
use crate::key::{KeyBytes, after_prefix};
use crate::observer::ObserverHandle;
use crate::range::Span;
use crate::root::{TouchedKey, TreeId};
use crate::signal::Signal;
use crate::sync::Mutex;

pub(crate) struct Registry {
    state: Mutex<State>,
    parked_max: usize,
    observer: ObserverHandle,
}

#[derive(Default)]
struct State {
    /// Whether the store is closed, in which case no commit will wake a reader that parks now.
    closed: bool,
    parked: usize,
    next_id: u64,
    trees: HashMap<TreeId, Watched>,
}

/// The registrations of one tree.
#[derive(Default)]
struct Watched {
    keys: Exact,
    /// By prefix length.
    prefixes: BTreeMap<usize, Exact>,
    ranges: HashMap<u64, (Span, Arc<Signal>)>,
}

/// Registrations by a key or a prefix.
type Exact = HashMap<KeyBytes, HashMap<u64, Arc<Signal>>>;

/// Signals of the readers to wake.
type Found = Vec<Arc<Signal>>;

/// The ways in which a range is registered.
enum Form {
    Key,
    Prefix,
    Range,
}

impl Form {
    fn of(tree: TreeId, span: &Span) -> Self {
        // Keys are prefix-free, so in a primary tree the range of a whole key holds only that key. In a
        // non-unique index a primary key follows, so the range is a prefix.
        if tree.index == 0 && span.exact {
            Self::Key
        } else if after_prefix(span.lo.as_slice()) == span.hi {
            Self::Prefix
        } else {
            Self::Range
        }
    }
}

impl Watched {
    fn add(&mut self, form: &Form, span: &Span, id: u64, signal: Arc<Signal>) {
        let exact = match form {
            Form::Key => &mut self.keys,
            Form::Prefix => self.prefixes.entry(span.lo.as_slice().len()).or_default(),
            // A range between two keys has no single hash, so it is found by a scan.
            Form::Range => {
                self.ranges.insert(id, (span.clone(), signal));
                return;
            }
        };
        exact.entry(span.lo.clone()).or_default().insert(id, signal);
    }

    fn remove(&mut self, form: &Form, span: &Span, id: u64) {
        let len = span.lo.as_slice().len();
        let exact = match form {
            Form::Key => Some(&mut self.keys),
            Form::Prefix => self.prefixes.get_mut(&len),
            Form::Range => {
                self.ranges.remove(&id);
                None
            }
        };
        let Some(exact) = exact else { return };
        if let Some(events) = exact.get_mut(&span.lo) {
            events.remove(&id);
            if events.is_empty() {
                exact.remove(&span.lo);
            }
        }
        if matches!(form, Form::Prefix) && exact.is_empty() {
            self.prefixes.remove(&len);
        }
    }

    /// Adds the readers of `key` to `found`.
    fn find(&self, key: &KeyBytes, found: &mut Found) {
        let bytes = key.as_slice();
        found.extend(self.keys.get(bytes).into_iter().flat_map(HashMap::values).cloned());
        for (len, prefixes) in &self.prefixes {
            // Lengths ascend, so every further prefix is longer than the key too.
            let Some(prefix) = bytes.get(..*len) else { break };
            found.extend(prefixes.get(prefix).into_iter().flat_map(HashMap::values).cloned());
        }
        let ranges = self.ranges.values().filter(|(span, _)| span.contains(bytes));
        found.extend(ranges.map(|(_, signal)| Arc::clone(signal)));
    }

    /// Adds all readers to `found`.
    fn find_all(&self, found: &mut Found) {
        let exact = self.keys.values().chain(self.prefixes.values().flat_map(HashMap::values));
        found.extend(exact.flat_map(HashMap::values).cloned());
        found.extend(self.ranges.values().map(|(_, signal)| Arc::clone(signal)));
    }

    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.prefixes.is_empty() && self.ranges.is_empty()
    }
}

impl Registry {
    pub(crate) fn new(parked_max: usize, observer: ObserverHandle) -> Self {
        Self { state: Mutex::default(), parked_max, observer }
    }

    /// Registers a reader of `reads`.
    pub(crate) fn park(self: &Arc<Self>, reads: Vec<(TreeId, Span)>) -> Result<Parked, WatchError> {
        let signal = Arc::new(Signal::default());
        let mut state = self.state.lock();
        if state.closed {
            return Err(WatchError::Closed);
        }
        // A limit instead of a queue: parked readers hold memory and connections until the deadline.
        if state.parked >= self.parked_max {
            return Err(WatchError::TooMany { parked_max: self.parked_max });
        }
        state.parked += 1;
        let parked = state.parked;
        // Consecutive IDs, one for each read, so that `leave` needs only the first.
        let first_id = state.next_id;
        for ((tree, span), id) in reads.iter().zip(first_id..) {
            let form = Form::of(*tree, span);
            state.trees.entry(*tree).or_default().add(&form, span, id, Arc::clone(&signal));
        }
        state.next_id += reads.len() as u64;
        drop(state);
        self.observer.emit(|to| to.parked(parked));
        Ok(Parked { registry: Arc::clone(self), first_id, reads, signal })
    }

    /// Wakes the readers of the keys that a commit touched.
    pub(crate) fn notify(&self, touched: &[TouchedKey]) {
        let mut found = Vec::new();
        {
            let state = self.state.lock();
            // The common case, which must cost a commit no search.
            if state.parked == 0 {
                return;
            }
            for TouchedKey { tree, key } in touched {
                if let Some(watched) = state.trees.get(tree) {
                    watched.find(key, &mut found);
                }
            }
        }
        self.wake(found);
    }

    /// Wakes all readers.
    pub(crate) fn notify_all(&self) {
        let mut found = Vec::new();
        self.state.lock().trees.values().for_each(|watched| watched.find_all(&mut found));
        self.wake(found);
    }

    /// Wakes all readers and rejects new ones.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.notify_all();
    }

    /// Wakes the readers. Runs without the lock, because wakers are foreign code.
    fn wake(&self, mut found: Found) {
        if found.len() > 1 {
            // A reader of several touched ranges was found several times, but counts and wakes once.
            found.sort_unstable_by_key(Arc::as_ptr);
            found.dedup_by(|a, b| Arc::ptr_eq(a, b));
        }
        if !found.is_empty() {
            self.observer.emit(|to| to.woken(found.len()));
        }
        for signal in found {
            signal.notify();
        }
    }

    /// Returns the number of parked readers.
    pub(crate) fn parked(&self) -> usize {
        self.state.lock().parked
    }

    /// Reports whether the rerun of a woken query ended it.
    pub(crate) fn ran_again(&self, useful: bool) {
        self.observer.emit(|to| to.ran_again(useful));
    }

    fn leave(&self, first_id: u64, reads: &[(TreeId, Span)]) {
        let mut state = self.state.lock();
        state.parked -= 1;
        let parked = state.parked;
        for ((tree, span), id) in reads.iter().zip(first_id..) {
            let Some(watched) = state.trees.get_mut(tree) else { continue };
            watched.remove(&Form::of(*tree, span), span, id);
            // Trees without readers are removed, so that the registry does not grow with every tree ever read.
            if watched.is_empty() {
                state.trees.remove(tree);
            }
        }
        drop(state);
        self.observer.emit(|to| to.parked(parked));
    }
}

/// A reader that is parked on the ranges that it read: a future that completes when one of them may have
/// changed. Dropping it removes its registrations.
pub struct Parked {
    registry: Arc<Registry>,
    first_id: u64,
    reads: Vec<(TreeId, Span)>,
    signal: Arc<Signal>,
}

impl Parked {
    /// Waits for a change until `deadline`. Returns whether there was one.
    pub fn wait_until(self, deadline: Instant) -> bool {
        self.signal.wait_until(deadline)
    }

    /// Ends the wait.
    pub(crate) fn wake(&self) {
        self.signal.notify();
    }

    /// Returns the watched ranges.
    pub(crate) fn reads(&self) -> &[(TreeId, Span)] {
        &self.reads
    }
}

impl Future for Parked {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.signal.poll(context)
    }
}

impl fmt::Debug for Parked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parked").field("reads", &self.reads.len()).finish_non_exhaustive()
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        self.registry.leave(self.first_id, &self.reads);
    }
}

/// Readers and committing threads in every interleaving: see [`crate::sync`].
#[cfg(all(test, statehold_loom))]
mod loom_tests {
    use std::pin::pin;

    use loom::future::block_on;
    use loom::sync::atomic::{AtomicU64, Ordering};
    use loom::thread;

    use super::*;

    /// A store reduced to waking: its published index and its parked readers.
    struct Model {
        published: AtomicU64,
        registry: Arc<Registry>,
    }

    const TREE: TreeId = TreeId { table: 0, index: 0 };

    fn span(key: u8) -> Span {
        Span::key(&[key])
    }

    impl Model {
        fn new() -> Arc<Self> {
            let registry = Arc::new(Registry::new(100, ObserverHandle::default()));
            Arc::new(Self { published: AtomicU64::new(0), registry })
        }

        /// Publishes an index, then wakes its readers, in the order of a commit.
        fn commit(&self, index: u64, key: u8) {
            self.published.store(index, Ordering::Release);
            self.registry.notify(&[TouchedKey { tree: TREE, key: KeyBytes::from_slice(&[key]) }]);
        }

        /// Parks unless a newer index is published, as an attempt of a blocking query.
        fn attempt(&self, seen: u64, key: u8) -> Option<Parked> {
            if self.published.load(Ordering::Acquire) > seen {
                return None;
            }
            let parked = self.registry.park(vec![(TREE, span(key))]).unwrap();
            if self.published.load(Ordering::Acquire) > seen {
                parked.wake();
            }
            Some(parked)
        }

        fn is_empty(&self) -> bool {
            let state = self.registry.state.lock();
            state.parked == 0 && state.trees.is_empty()
        }
    }

    #[test]
    fn loom_waiting_thread_sees_every_commit() {
        loom::model(|| {
            let model = Model::new();
            let writer = Arc::clone(&model);
            let writer = thread::spawn(move || (1..=2).for_each(|index| writer.commit(index, 1)));
            for seen in 0..2 {
                while let Some(parked) = model.attempt(seen, 1) {
                    assert!(parked.wait_until(Instant::now()));
                }
            }
            writer.join().unwrap();
            assert!(model.is_empty());
        });
    }

    #[test]
    fn loom_waiting_task_is_woken() {
        loom::model(|| {
            let model = Model::new();
            let writer = Arc::clone(&model);
            let writer = thread::spawn(move || writer.commit(1, 1));
            while let Some(parked) = model.attempt(0, 1) {
                block_on(parked);
            }
            writer.join().unwrap();
            assert!(model.is_empty());
        });
    }

    #[test]
    fn loom_reader_leaving_while_woken_leaves_no_registration() {
        loom::model(|| {
            let model = Model::new();
            let writer = Arc::clone(&model);
            let writer = thread::spawn(move || writer.commit(1, 1));
            if let Some(parked) = model.attempt(0, 1) {
                let mut parked = pin!(parked);
                let _ = parked.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop()));
            }
            assert!(model.is_empty());
            writer.join().unwrap();
        });
    }

    #[test]
    fn loom_concurrent_writers_each_wake_their_reader() {
        loom::model(|| {
            let model = Model::new();
            let writer = Arc::clone(&model);
            let parked = [1, 2].map(|key| model.attempt(0, key).unwrap());
            let writer = thread::spawn(move || writer.commit(1, 1));
            model.commit(2, 2);
            for parked in parked {
                assert!(parked.wait_until(Instant::now()));
            }
            writer.join().unwrap();
            assert!(model.is_empty());
        });
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use proptest::prelude::*;

    use super::*;

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(prop_oneof![0u8..3, Just(0xFF)], 0..4)
    }

    fn span() -> impl Strategy<Value = Span> {
        let between = (bytes(), proptest::option::of(bytes())).prop_map(|(lo, hi)| Span {
            lo: KeyBytes::from_slice(&lo),
            hi: hi.map(|hi| KeyBytes::from_slice(&hi)),
            exact: false,
        });
        prop_oneof![
            Just(Span::all()),
            bytes().prop_map(|prefix| Span::prefix(&prefix)),
            // A whole key ends with a byte that no other key continues with, here 7.
            bytes().prop_map(|mut key| {
                key.push(7);
                Span::key(&key)
            }),
            between,
        ]
    }

    proptest! {
        #[test]
        fn exactly_the_readers_of_a_touched_key_are_woken(
            readers in proptest::collection::vec((0usize..2, 0usize..2, span()), 1..12),
            touched in (0usize..2, 0usize..2, bytes(), any::<bool>()),
        ) {
            let registry = Arc::new(Registry::new(100, ObserverHandle::default()));
            let mut parked = Vec::new();
            for (table, index, span) in &readers {
                let tree = TreeId { table: *table, index: *index };
                parked.push(registry.park(vec![(tree, span.clone())]).unwrap());
            }
            let (table, index, mut key, whole) = touched;
            if whole {
                key.push(7);
            }
            let tree = TreeId { table, index };
            registry.notify(&[TouchedKey { tree, key: KeyBytes::from_slice(&key) }]);
            for (reader, (t, i, span)) in parked.iter_mut().zip(&readers) {
                let woken = Pin::new(reader).poll(&mut Context::from_waker(Waker::noop())).is_ready();
                prop_assert_eq!(woken, (*t, *i) == (table, index) && span.contains(&key));
            }
            drop(parked);
            let state = registry.state.lock();
            prop_assert!(state.parked == 0 && state.trees.is_empty());
        }
    }
}
