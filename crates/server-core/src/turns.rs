//! Turns at a scarce resource, shared fairly among callers.
//!
//! Requests queue by caller, and callers alternate: a caller with a thousand requests waits for its own, and others
//! wait for at most one of them. Within a caller, urgent requests go before those that can wait, which are blocking
//! queries woken by a commit, and large writes.
//!
//! A long computation hands its turn on between two slices of time ([`Turn::hand_on`]), so that every turn takes about
//! the same time.
//!
//! More held turns than processors slow each other down, so a caller has fewer turns while another caller is present.
//! A transaction of thousands of rows can't be handed on. So after a long turn that could wait, a caller rests for as
//! long as the turn took while another caller is present: such turns take at most half of the time, and a client that
//! sends one request after the other waits for one of them in hundreds of its own.
//!
//! Invariant: a caller has at most `caller_max` turns, which is less than all of them unless there is only one.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::caller::CallerKey;
use crate::present::PresentCallers;

/// Maximum number of a caller's urgent requests that go before one that can wait, which would otherwise starve.
const BEFORE_LATER_MAX: u32 = 8;

/// A shorter turn is followed by no rest, because it delays others by less than a disk write does.
const REST_MIN: Duration = Duration::from_millis(5);

/// The longest rest.
const REST_MAX: Duration = Duration::from_secs(1);

/// Maximum number of computations that have handed their turn on and wait, each on its own thread. Beyond it,
/// computations keep their turn.
const HANDED_ON_MAX: usize = 64;

/// The urgency of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// A client waits for the reply.
    Now,
    /// The request can wait: a blocking query woken by a commit, or a large write.
    Later,
}

/// The queue of a resource. Clones share it.
#[derive(Clone, Debug)]
pub struct Turns(Arc<TurnsInner>);

#[derive(Debug)]
struct TurnsInner {
    caller_max: usize,
    /// Maximum turns of a caller while another one is present.
    shared_max: usize,
    /// Maximum turns of all requests that can wait.
    later_max: usize,
    present: PresentCallers,
    state: Mutex<QueueState>,
    /// Queued requests, readable without the lock.
    waiting: AtomicUsize,
    /// Whether several callers have turns or wait, readable without the lock.
    several: AtomicBool,
    /// Computations that have handed their turn on and wait.
    handed_on: AtomicUsize,
}

#[derive(Debug)]
struct QueueState {
    free: usize,
    /// Turns held by requests that can wait.
    later: usize,
    callers: HashMap<CallerKey, Queue>,
    /// The callers with queued requests, the next one in front.
    ring: VecDeque<CallerKey>,
    /// The resting callers, each with the end of its rest.
    resting: HashMap<CallerKey, Instant>,
    /// Turns granted so far.
    given: u64,
}

impl QueueState {
    /// Returns whether a caller other than `caller` is present, holds turns or waits.
    fn shares(&self, present: &PresentCallers, caller: CallerKey, now: Instant) -> bool {
        let own = usize::from(self.callers.contains_key(&caller));
        self.callers.len() > own || present.has_other_than(caller, now)
    }

    /// Returns whether `caller` rests, so that its requests that can wait get no turn.
    fn rests(&self, present: &PresentCallers, caller: CallerKey, now: Instant) -> bool {
        self.resting.get(&caller).is_some_and(|until| now < *until)
            && self.shares(present, caller, now)
    }
}

#[derive(Debug, Default)]
struct Queue {
    running: usize,
    now: VecDeque<Waiting>,
    later: VecDeque<Waiting>,
    /// Turns of [`Urgency::Now`] since the last one of [`Urgency::Later`].
    before_later: u32,
    in_ring: bool,
}

/// A queued request.
#[derive(Debug)]
struct Waiting {
    turn: oneshot::Sender<Turn>,
    /// The number of turns that had been granted when it was queued.
    since: u64,
}

impl Waiting {
    fn is_closed(&self) -> bool {
        self.turn.is_closed()
    }
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.now.is_empty() && self.later.is_empty()
    }

    /// Removes dropped requests from the front of the queues, and returns their number.
    fn remove_dropped(&mut self) -> usize {
        let before = self.now.len() + self.later.len();
        // Only those in front: the others are removed when they get there.
        for queue in [&mut self.now, &mut self.later] {
            while queue.front().is_some_and(Waiting::is_closed) {
                queue.pop_front();
            }
        }
        before - self.now.len() - self.later.len()
    }

    /// Removes and returns the next request. One that can wait only if `may_later`.
    fn next(&mut self, may_later: bool) -> Option<(Urgency, Waiting)> {
        let overdue = self.before_later >= BEFORE_LATER_MAX || self.now.is_empty();
        if may_later
            && overdue
            && let Some(next) = self.later.pop_front()
        {
            self.before_later = 0;
            return Some((Urgency::Later, next));
        }
        let next = self.now.pop_front()?;
        // Counted only while a request is delayed by it.
        if !self.later.is_empty() {
            self.before_later = self.before_later.saturating_add(1);
        }
        Some((Urgency::Now, next))
    }
}

impl Turns {
    /// Creates the queue of `turns` turns. One caller has at most `caller_max` of them at a time, and all requests that
    /// can wait at most `later_max`. Each number counts as at least 1.
    pub fn new(turns: usize, caller_max: usize, later_max: usize, present: PresentCallers) -> Self {
        Self::with_shared_max(turns, caller_max, caller_max, later_max, present)
    }

    /// Like [`Turns::new`], with at most `shared_max` turns for a caller while another one is present.
    pub fn with_shared_max(
        turns: usize,
        caller_max: usize,
        shared_max: usize,
        later_max: usize,
        present: PresentCallers,
    ) -> Self {
        let (callers, resting, ring) = (HashMap::new(), HashMap::new(), VecDeque::new());
        let state = QueueState { free: turns.max(1), later: 0, callers, ring, resting, given: 0 };
        Self(Arc::new(TurnsInner {
            caller_max: caller_max.max(1),
            shared_max: shared_max.clamp(1, caller_max.max(1)),
            later_max: later_max.max(1),
            present,
            state: Mutex::new(state),
            waiting: AtomicUsize::new(0),
            several: AtomicBool::new(false),
            handed_on: AtomicUsize::new(0),
        }))
    }

    /// Waits for a turn of `caller`. Dropping the future leaves the queue. Returns `None` if the queue is closed.
    pub async fn take(&self, caller: CallerKey, urgency: Urgency) -> Option<Turn> {
        self.enqueue(caller, urgency, QueueEnd::Back).await.ok()
    }

    /// Like [`Turns::take`], but blocks the thread, which MUST be one that may block.
    pub fn take_blocking(&self, caller: CallerKey, urgency: Urgency) -> Option<Turn> {
        self.enqueue(caller, urgency, QueueEnd::Back).blocking_recv().ok()
    }

    /// Returns the number of queued requests.
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    fn enqueue(
        &self,
        caller: CallerKey,
        urgency: Urgency,
        place: QueueEnd,
    ) -> oneshot::Receiver<Turn> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.0.state.lock();
        let request = Waiting { turn: sender, since: state.given };
        let queue = state.callers.entry(caller).or_default();
        let requests = match urgency {
            Urgency::Now => &mut queue.now,
            Urgency::Later => &mut queue.later,
        };
        match place {
            QueueEnd::Back => requests.push_back(request),
            QueueEnd::Front => requests.push_front(request),
        }
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
        if !queue.in_ring {
            queue.in_ring = true;
            state.ring.push_back(caller);
        }
        // A free turn is granted at once, by the same rules as any other.
        self.grant(&mut state);
        receiver
    }

    /// Returns the maximum number of turns that `caller` may have now.
    fn max_of(&self, state: &QueueState, caller: CallerKey, now: Instant) -> usize {
        if self.0.shared_max < self.0.caller_max && state.shares(&self.0.present, caller, now) {
            self.0.shared_max
        } else {
            self.0.caller_max
        }
    }

    /// Grants the free turns to the next callers.
    fn grant(&self, state: &mut QueueState) {
        self.grant_free(state);
        self.0.several.store(state.callers.len() > 1, Ordering::Relaxed);
    }

    fn grant_free(&self, state: &mut QueueState) {
        let now = Instant::now();
        // The number of callers in a row that got no turn. The loop ends once every caller was skipped.
        let mut passed = 0;
        while state.free > 0 && passed < state.ring.len() {
            let Some(caller) = state.ring.pop_front() else { return };
            let may_later =
                state.later < self.0.later_max && !state.rests(&self.0.present, caller, now);
            let max = self.max_of(state, caller, now);
            // Unreachable: every caller in the ring has a queue.
            let Some(queue) = state.callers.get_mut(&caller) else { continue };
            let dropped = queue.remove_dropped();
            self.0.waiting.fetch_sub(dropped, Ordering::Relaxed);
            let may_run = queue.running < max;
            let next = if may_run { queue.next(may_later) } else { None };
            let given = next.map(|(urgency, request)| {
                self.0.waiting.fetch_sub(1, Ordering::Relaxed);
                let waited = state.given.saturating_sub(request.since);
                let turn = Turn { of: Some(self.clone()), caller, urgency, waited, began: now };
                // Fails if the request was dropped just now: its turn stays free.
                request.turn.send(turn).map_err(Turn::discard).map(|()| urgency)
            });
            match given {
                Some(Ok(urgency)) => {
                    queue.running += 1;
                    state.free -= 1;
                    state.given += 1;
                    state.later += usize::from(urgency == Urgency::Later);
                    passed = 0;
                }
                Some(Err(())) => passed = 0,
                None => passed += 1,
            }
            if queue.is_empty() {
                queue.in_ring = false;
                if queue.running == 0 {
                    state.callers.remove(&caller);
                }
                // The ring is shorter by one, so that no caller is skipped twice.
                passed = passed.saturating_sub(1);
            } else {
                state.ring.push_back(caller);
            }
        }
    }

    /// Frees a turn that began at `began`, and grants it to the next caller.
    fn release(&self, caller: CallerKey, urgency: Urgency, began: Instant) {
        let mut state = self.0.state.lock();
        state.free += 1;
        if urgency == Urgency::Later {
            state.later -= 1;
            self.rest(&mut state, caller, began);
        }
        if let Some(queue) = state.callers.get_mut(&caller) {
            queue.running -= 1;
            if queue.running == 0 && queue.is_empty() {
                state.callers.remove(&caller);
            }
        }
        self.grant(&mut state);
    }

    /// Starts a rest of `caller` after a turn that began at `began`, if the turn was long and another caller is
    /// present.
    fn rest(&self, state: &mut QueueState, caller: CallerKey, began: Instant) {
        let now = Instant::now();
        let took = now.saturating_duration_since(began).min(REST_MAX);
        if took < REST_MIN || !state.shares(&self.0.present, caller, now) {
            return;
        }
        let until = now + took;
        // Removes ended rests, which no other code does.
        state.resting.retain(|_, until| *until > now);
        state.resting.insert(caller, until);
        // No release may come at the end of the rest, so a task grants turns then. Without a runtime, as in tests, the
        // next request does.
        if let Ok(runtime) = Handle::try_current() {
            let turns = self.clone();
            runtime.spawn(async move {
                tokio::time::sleep_until(until.into()).await;
                turns.grant(&mut turns.0.state.lock());
            });
        }
    }

    /// Returns whether a waiting request takes precedence over another slice of `caller` with this urgency, or the
    /// caller holds more turns than it may while another one is present.
    fn should_hand_on(&self, caller: CallerKey, urgency: Urgency) -> bool {
        // Without the lock, because each slice of each computation asks, and mostly in vain.
        if self.waiting() == 0 && !self.0.several.load(Ordering::Relaxed) {
            return false;
        }
        let mut state = self.0.state.lock();
        // A caller that is alone again may use free turns that no release would grant.
        self.grant(&mut state);
        let now = Instant::now();
        let running = state.callers.get(&caller).map_or(0, |queue| queue.running);
        if running > self.max_of(&state, caller, now) {
            return true;
        }
        // Dropped requests stay in a queue until they get to its front.
        let live =
            |requests: &VecDeque<Waiting>| requests.iter().any(|request| !request.is_closed());
        state.ring.iter().filter_map(|other| Some((other, state.callers.get(other)?))).any(
            |(other, queue)| {
                if *other == caller {
                    urgency == Urgency::Later && live(&queue.now)
                } else {
                    queue.running < self.max_of(&state, *other, now)
                        && (live(&queue.now)
                            || live(&queue.later) && !state.rests(&self.0.present, *other, now))
                }
            },
        )
    }
}

/// The end of the queue at which a request enters.
#[derive(Clone, Copy, Debug)]
enum QueueEnd {
    Front,
    Back,
}

/// A turn, released on drop.
#[derive(Debug)]
pub struct Turn {
    of: Option<Turns>,
    caller: CallerKey,
    urgency: Urgency,
    /// Maximum number of other requests' turns that one of its waits took.
    waited: u64,
    began: Instant,
}

impl Turn {
    /// Returns the maximum number of other requests' turns that one of its waits took: the one for the turn, or one
    /// after it was handed on.
    pub fn waited(&self) -> u64 {
        self.waited
    }

    /// Hands the turn on if another request takes precedence, and waits for the next turn. Blocks the thread, which
    /// MUST be one that may block.
    pub fn hand_on(&mut self) {
        let Some(of) = self.of.clone() else { return };
        if !of.should_hand_on(self.caller, self.urgency) {
            return;
        }
        // Each request that waits here holds a thread, and threads are few.
        if of.0.handed_on.fetch_add(1, Ordering::Relaxed) < HANDED_ON_MAX {
            self.of = None;
            // In front of the caller's own requests, so that as few as possible are half done.
            let next = of.enqueue(self.caller, self.urgency, QueueEnd::Front);
            of.release(self.caller, self.urgency, self.began);
            // A closed queue grants no turn: the computation then ends without one.
            if let Ok(next) = next.blocking_recv() {
                let waited = self.waited.max(next.waited);
                *self = next;
                self.waited = waited;
            }
        }
        of.0.handed_on.fetch_sub(1, Ordering::Relaxed);
    }

    /// Drops a turn that was not counted yet, without releasing it.
    fn discard(mut self) {
        self.of = None;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(of) = self.of.take() {
            of.release(self.caller, self.urgency, self.began);
        }
    }
}

#[cfg(test)]
mod tests;
