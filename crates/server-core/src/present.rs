//! The callers that are present: those that sent a request within [`PRESENT`].
//!
//! A caller leaves turns free for another one, which may be between two requests: a client that sends its
//! requests one after the other is in no queue for half of the time. Every queue therefore reserves turns
//! for as long as another caller is present.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::caller::CallerKey;

/// The time for which a caller that sent a request counts as present.
///
/// Long enough for a client between two requests, short enough that a caller that is alone again soon gets
/// all turns.
pub(crate) const PRESENT: Duration = Duration::from_secs(1);

/// The last two callers that sent a request, with the time of their last one.
type LastCallers = [Option<(CallerKey, Instant)>; 2];

/// The callers that are present. Clones share them.
///
/// Two are enough to find out for any caller whether another one is present.
#[derive(Clone, Debug, Default)]
pub struct PresentCallers(Arc<Mutex<LastCallers>>);

impl PresentCallers {
    /// Records a request of `caller`.
    pub fn note(&self, caller: CallerKey, now: Instant) {
        let mut last = self.0.lock();
        if last[0].is_none_or(|(last, _)| last != caller) {
            last[1] = last[0];
        }
        last[0] = Some((caller, now));
    }

    /// Whether another caller than `caller` is present.
    pub fn has_other_than(&self, caller: CallerKey, now: Instant) -> bool {
        self.0
            .lock()
            .iter()
            .flatten()
            .any(|(other, at)| *other != caller && now.saturating_duration_since(*at) < PRESENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_present_for_a_while_after_its_request() {
        let caller = |last| CallerKey::address([10, 0, 0, last].into());
        let (present, now) = (PresentCallers::default(), Instant::now());
        present.note(caller(1), now);
        assert!(!present.has_other_than(caller(1), now), "the caller is alone");
        assert!(present.has_other_than(caller(2), now));
        present.note(caller(2), now);
        // Many requests of one caller do not hide another caller.
        (0..64).for_each(|_| present.note(caller(1), now + PRESENT / 2));
        assert!(present.has_other_than(caller(1), now + PRESENT / 2));
        assert!(!present.has_other_than(caller(1), now + PRESENT));
        assert!(present.has_other_than(caller(2), now + PRESENT));
    }
}
