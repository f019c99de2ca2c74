//! A one-shot signal for one waiter: a thread with a deadline, or a task.

use std::fmt;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::sync::{Condvar, Mutex};

/// A one-shot signal. Once notified, it stays notified.
#[derive(Default)]
pub(crate) struct Signal {
    state: Mutex<State>,
    notified: Condvar,
}

#[derive(Default)]
struct State {
    notified: bool,
    waker: Option<Waker>,
}

impl Signal {
    /// Sets the signal and wakes the waiter.
    pub(crate) fn notify(&self) {
        let waker = {
            let mut state = self.state.lock();
            state.notified = true;
            state.waker.take()
        };
        // The lock is released: a waker is foreign code, which may lock anything.
        self.notified.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Returns `Ready` if the signal was notified; else registers the task of `context` to be woken.
    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if state.notified {
            return Poll::Ready(());
        }
        // Tasks may move between executors, so the newest waker is the one to wake.
        if state.waker.as_ref().is_none_or(|waker| !waker.will_wake(context.waker())) {
            state.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// Waits until the signal is notified or `deadline` passes. Returns whether it was notified.
    pub(crate) fn wait_until(&self, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        // A condition variable may wake spuriously.
        while !state.notified {
            if self.notified.wait_until(&mut state, deadline).timed_out() {
                break;
            }
        }
        state.notified
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signal")
    }
}
