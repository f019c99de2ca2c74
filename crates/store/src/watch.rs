//! The registry of parked readers: who is woken by which key.
//!
//! A reader registers the ranges that it read; a commit looks up the keys that it touched. A range
//! that holds one key is found by a hash of that key, any other by going through the ranges of its
//! tree, so a commit pays for the readers parked on wide ranges of the trees that it touched and
//! for no others.
//!
//! Invariant: a reader registers first and then looks at the newest published state again, while a
//! commit publishes first and then looks for readers, so no change falls between the two.
//! Invariant: a wake-up is a hint, the reader looks again. Ranges outside of what was touched are
//! never woken.
//! Limit: [`crate::Options::parked_max`] readers; one more gets [`WatchError::TooMany`].

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use event_listener::{Event, EventListener, Listener as _};
use parking_lot::Mutex;

use crate::error::WatchError;
use crate::key::KeyBytes;
use crate::range::Span;
use crate::state::{Place, Touched};

pub(crate) struct Registry {
    state: Mutex<State>,
    parked_max: usize,
}

#[derive(Default)]
struct State {
    parked: usize,
    next_id: u64,
    trees: HashMap<Place, Watched>,
}

/// The registrations of one tree.
#[derive(Default)]
struct Watched {
    keys: HashMap<KeyBytes, HashMap<u64, Arc<Event>>>,
    ranges: HashMap<u64, (Span, Arc<Event>)>,
}

impl Registry {
    pub(crate) fn new(parked_max: usize) -> Self {
        Self { state: Mutex::default(), parked_max }
    }

    /// Registers a reader of `reads`.
    pub(crate) fn park(self: &Arc<Self>, reads: Vec<(Place, Span)>) -> Result<Parked, WatchError> {
        let event = Arc::new(Event::new());
        let listener = event.listen();
        let mut state = self.state.lock();
        if state.parked >= self.parked_max {
            return Err(WatchError::TooMany { parked_max: self.parked_max });
        }
        state.parked += 1;
        let first_id = state.next_id;
        for ((place, span), id) in reads.iter().zip(first_id..) {
            let watched = state.trees.entry(*place).or_default();
            let event = Arc::clone(&event);
            match one_key(*place, span) {
                Some(key) => {
                    watched.keys.entry(key.clone()).or_default().insert(id, event);
                }
                None => {
                    watched.ranges.insert(id, (span.clone(), event));
                }
            }
        }
        state.next_id += reads.len() as u64;
        drop(state);
        Ok(Parked { registry: Arc::clone(self), first_id, reads, listener: Some(listener) })
    }

    /// Wakes the readers of the keys that a commit touched.
    pub(crate) fn notify(&self, touched: &[Touched]) {
        let state = self.state.lock();
        if state.parked == 0 {
            return;
        }
        for Touched { place, key } in touched {
            let Some(watched) = state.trees.get(place) else { continue };
            if let Some(events) = watched.keys.get(key) {
                for event in events.values() {
                    event.notify(usize::MAX);
                }
            }
            for (span, event) in watched.ranges.values() {
                if span.contains(key.as_slice()) {
                    event.notify(usize::MAX);
                }
            }
        }
    }

    /// The number of parked readers.
    pub(crate) fn parked(&self) -> usize {
        self.state.lock().parked
    }

    fn leave(&self, first_id: u64, reads: &[(Place, Span)]) {
        let mut state = self.state.lock();
        state.parked -= 1;
        for ((place, span), id) in reads.iter().zip(first_id..) {
            let Some(watched) = state.trees.get_mut(place) else { continue };
            match one_key(*place, span) {
                Some(key) => {
                    if let Some(events) = watched.keys.get_mut(key) {
                        events.remove(&id);
                        if events.is_empty() {
                            watched.keys.remove(key);
                        }
                    }
                }
                None => drop(watched.ranges.remove(&id)),
            }
            if watched.keys.is_empty() && watched.ranges.is_empty() {
                state.trees.remove(place);
            }
        }
    }
}

/// The key of a range that a whole key spans. Keys are prefix-free, so in a primary tree nothing
/// else lies in such a range; secondary keys may go on with a primary key.
fn one_key(place: Place, span: &Span) -> Option<&KeyBytes> {
    (place.index == 0 && span.exact).then_some(&span.lo)
}

/// A reader that is parked on what it read: a future that ends when something of it has changed, or
/// may have. Dropping it takes every registration back.
pub struct Parked {
    registry: Arc<Registry>,
    first_id: u64,
    reads: Vec<(Place, Span)>,
    /// `None` once it was waited for.
    listener: Option<EventListener>,
}

impl Parked {
    /// Waits for a change until `deadline`; whether there was one.
    pub fn wait_until(mut self, deadline: Instant) -> bool {
        self.listener.take().is_some_and(|listener| listener.wait_deadline(deadline).is_some())
    }

    /// The ranges that are watched.
    pub(crate) fn reads(&self) -> &[(Place, Span)] {
        &self.reads
    }
}

impl Future for Parked {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.listener {
            Some(listener) => Pin::new(listener).poll(context),
            None => Poll::Ready(()),
        }
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
