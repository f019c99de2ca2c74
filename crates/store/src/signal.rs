//! A signal that is notified once, for one that waits: a thread until a deadline, or a task.

use std::fmt;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::sync::{Condvar, Mutex};

/// Not notified at first. Once notified it stays notified.
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
    /// Gives the signal. Wakers run without a lock held.
    pub(crate) fn notify(&self) {
        let waker = {
            let mut state = self.state.lock();
            state.notified = true;
            state.waker.take()
        };
        self.notified.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ready when the signal was notified; else the task of `context` is woken when it is.
    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if state.notified {
            return Poll::Ready(());
        }
        if state.waker.as_ref().is_none_or(|waker| !waker.will_wake(context.waker())) {
            state.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// Waits until `deadline`; whether the signal was notified.
    pub(crate) fn wait_until(&self, deadline: Instant) -> bool {
        let mut state = self.state.lock();
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
