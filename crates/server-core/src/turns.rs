//! Turns at something that few requests can have at a time, shared fairly by caller.
//!
//! Requests queue by caller, and callers take turns: one that sends a thousand requests waits for its
//! own, and the others wait for one of them at most. Within a caller, requests that a client waits for go before
//! those that can wait: a blocking query that a commit woke or a large write.
//!
//! A long computation hands its turn on between two slices of time ([`Turn::hand_on`]), so that a turn
//! is worth the same whatever is computed in it.
//!
//! Turns are worth less when more of them are held than the machine has processors. So beside another
//! caller that is present a caller has fewer turns than alone. And some turns cannot be handed on: a transaction
//! of thousands of rows ends when it ends. So a caller rests after a long turn of what can wait, for as long as the
//! turn took, while another caller is present: such turns take half of the time, and a client that sends one
//! request after the other waits for one of them in hundreds of its own.
//!
//! Invariant: a caller has at most `caller_max` turns, which is less than there are unless there is one.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::caller::CallerKey;
use crate::present::PresentCallers;

/// Turns of a caller that go to requests that can wait not, before one that can gets one: it would
/// never get any otherwise.
const BEFORE_LATER_MAX: u32 = 8;

/// Turns that took less are followed by no rest: they delay others by less than a disk does.
const REST_MIN: Duration = Duration::from_millis(5);

/// The longest rest.
const REST_MAX: Duration = Duration::from_secs(1);

/// Computations that wait in the middle, each with a thread of its own; further ones go on instead.
const HANDED_ON_MAX: usize = 64;

/// Whether a client waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// A client asked just now.
    Now,
    /// It can wait: a query that a commit woke, a large write.
    Later,
}

/// Gives turns.
#[derive(Clone, Debug)]
pub struct Turns(Arc<TurnsInner>);

#[derive(Debug)]
struct TurnsInner {
    caller_max: usize,
    /// The turns of a caller while another one is present.
    shared_max: usize,
    /// How many of the turns those who can wait may have at a time.
    later_max: usize,
    present: PresentCallers,
    state: Mutex<QueueState>,
    /// Requests in queues, for a look without the lock.
    waiting: AtomicUsize,
    /// Whether several callers have turns or wait, for a look without the lock.
    several: AtomicBool,
    /// Computations that wait in the middle.
    handed_on: AtomicUsize,
}

#[derive(Debug)]
struct QueueState {
    free: usize,
    /// Turns that requests have that can wait.
    later: usize,
    callers: HashMap<CallerKey, Queue>,
    /// The callers with requests in their queues, the next one in front.
    ring: VecDeque<CallerKey>,
    /// The callers that rest from what can wait, each until its time.
    resting: HashMap<CallerKey, Instant>,
    /// Turns that were given so far.
    given: u64,
}

impl QueueState {
    /// Whether another caller than `caller` is present, or has turns or waits.
    fn shares(&self, present: &PresentCallers, caller: CallerKey, now: Instant) -> bool {
        let own = usize::from(self.callers.contains_key(&caller));
        self.callers.len() > own || present.has_other_than(caller, now)
    }

    /// Whether `caller` rests from what can wait.
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
    /// Turns of [`Urgency::Now`] since the last other one.
    before_later: u32,
    in_ring: bool,
}

/// A request in a queue.
#[derive(Debug)]
struct Waiting {
    turn: oneshot::Sender<Turn>,
    /// The turns that had been given when it came.
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

    /// Forgets requests that were dropped while they waited.
    fn remove_dropped(&mut self) -> usize {
        let before = self.now.len() + self.later.len();
        // In front is enough: the rest is looked at when it comes there.
        for queue in [&mut self.now, &mut self.later] {
            while queue.front().is_some_and(Waiting::is_closed) {
                queue.pop_front();
            }
        }
        before - self.now.len() - self.later.len()
    }

    /// The request whose turn it is, if its kind may have one.
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
        if !self.later.is_empty() {
            self.before_later = self.before_later.saturating_add(1);
        }
        Some((Urgency::Now, next))
    }
}

impl Turns {
    /// Creates `turns` turns, of which one caller has at most `caller_max` at a time and requests that
    /// can wait at most `later_max`. Each number counts as at least 1.
    pub fn new(turns: usize, caller_max: usize, later_max: usize, present: PresentCallers) -> Self {
        Self::with_shared_max(turns, caller_max, caller_max, later_max, present)
    }

    /// The same, where a caller has at most `shared_max` turns while another one is present.
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

    /// Waits for a turn of `caller`. Dropping the future gives the place in the queue up.
    pub async fn take(&self, caller: CallerKey, urgency: Urgency) -> Option<Turn> {
        self.enqueue(caller, urgency, QueueEnd::Back).await.ok()
    }

    /// The same for a thread, which it blocks: it MUST be one that may block.
    pub fn take_blocking(&self, caller: CallerKey, urgency: Urgency) -> Option<Turn> {
        self.enqueue(caller, urgency, QueueEnd::Back).blocking_recv().ok()
    }

    /// Requests that wait for a turn.
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
        self.grant(&mut state);
        receiver
    }

    /// The turns that `caller` may have now.
    fn max_of(&self, state: &QueueState, caller: CallerKey, now: Instant) -> usize {
        if self.0.shared_max < self.0.caller_max && state.shares(&self.0.present, caller, now) {
            self.0.shared_max
        } else {
            self.0.caller_max
        }
    }

    /// Gives the turns that are free to the callers whose turn it is.
    fn grant(&self, state: &mut QueueState) {
        self.grant_free(state);
        self.0.several.store(state.callers.len() > 1, Ordering::Relaxed);
    }

    fn grant_free(&self, state: &mut QueueState) {
        let now = Instant::now();
        // Callers that were looked at in vain since the last turn was given.
        let mut passed = 0;
        while state.free > 0 && passed < state.ring.len() {
            let Some(caller) = state.ring.pop_front() else { return };
            let may_later =
                state.later < self.0.later_max && !state.rests(&self.0.present, caller, now);
            let max = self.max_of(state, caller, now);
            let Some(queue) = state.callers.get_mut(&caller) else { continue };
            let dropped = queue.remove_dropped();
            self.0.waiting.fetch_sub(dropped, Ordering::Relaxed);
            let may_run = queue.running < max;
            let next = if may_run { queue.next(may_later) } else { None };
            let given = next.map(|(urgency, request)| {
                self.0.waiting.fetch_sub(1, Ordering::Relaxed);
                let waited = state.given.saturating_sub(request.since);
                let turn = Turn { of: Some(self.clone()), caller, urgency, waited, began: now };
                // The client may have left just now: its turn is then nobody's.
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
                // The ring is shorter by one, so that none is looked at twice in vain.
                passed = passed.saturating_sub(1);
            } else {
                state.ring.push_back(caller);
            }
        }
    }

    /// Takes back a turn that began at `began`.
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

    /// Lets `caller` rest after a turn that began at `began`, if that was long and another caller is present.
    fn rest(&self, state: &mut QueueState, caller: CallerKey, began: Instant) {
        let now = Instant::now();
        let took = now.saturating_duration_since(began).min(REST_MAX);
        if took < REST_MIN || !state.shares(&self.0.present, caller, now) {
            return;
        }
        let until = now + took;
        state.resting.retain(|_, until| *until > now);
        state.resting.insert(caller, until);
        // No release may come when the rest is over. Without a runtime the next request grants.
        if let Ok(runtime) = Handle::try_current() {
            let turns = self.clone();
            runtime.spawn(async move {
                tokio::time::sleep_until(until.into()).await;
                turns.grant(&mut turns.0.state.lock());
            });
        }
    }

    /// Whether a request waits that goes before another turn of `caller` with this urgency, or the caller
    /// has more turns than it may have beside another one.
    fn should_hand_on(&self, caller: CallerKey, urgency: Urgency) -> bool {
        if self.waiting() == 0 && !self.0.several.load(Ordering::Relaxed) {
            return false;
        }
        let mut state = self.0.state.lock();
        // A caller that is alone again has free turns that no release gives to it.
        self.grant(&mut state);
        let now = Instant::now();
        let running = state.callers.get(&caller).map_or(0, |queue| queue.running);
        if running > self.max_of(&state, caller, now) {
            return true;
        }
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

/// Where a request queues.
#[derive(Clone, Copy, Debug)]
enum QueueEnd {
    Front,
    Back,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    of: Option<Turns>,
    caller: CallerKey,
    urgency: Urgency,
    /// Turns of other requests that it waited for at most, before it or in its middle.
    waited: u64,
    began: Instant,
}

impl Turn {
    /// Returns for how many turns of other requests it waited, before it or at one time in its middle.
    pub fn waited(&self) -> u64 {
        self.waited
    }

    /// Hands the turn on if another request should have it now, and waits for the next one. Blocks the
    /// thread; it MUST be one that may block.
    pub fn hand_on(&mut self) {
        let Some(of) = self.of.clone() else { return };
        if !of.should_hand_on(self.caller, self.urgency) {
            return;
        }
        // Each request that waits here has a thread, and threads are few.
        if of.0.handed_on.fetch_add(1, Ordering::Relaxed) < HANDED_ON_MAX {
            self.of = None;
            // In front of the caller's own requests, so that as few as possible are in the middle.
            let next = of.enqueue(self.caller, self.urgency, QueueEnd::Front);
            of.release(self.caller, self.urgency, self.began);
            if let Ok(next) = next.blocking_recv() {
                let waited = self.waited.max(next.waited);
                *self = next;
                self.waited = waited;
            }
        }
        of.0.handed_on.fetch_sub(1, Ordering::Relaxed);
    }

    /// Takes back a turn that was not counted yet.
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
