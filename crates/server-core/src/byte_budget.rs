//! Bytes, or other things, that clients may make the server hold, together and each.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;

use crate::caller::CallerKey;

/// The part of a pool that one caller may have: half of it, so that no caller can empty it.
const CALLER_SHARE: usize = 2;

/// Bytes of which callers take as long as there are any.
#[derive(Clone, Debug)]
pub struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    max: usize,
    taken: Mutex<Taken>,
    gauge: Gauge,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// Of each caller that has any.
    callers: HashMap<CallerKey, usize>,
}

impl Pool {
    /// Creates a pool of `max` bytes; `gauge` follows how many are taken.
    pub fn new(max: usize, gauge: Gauge) -> Self {
        Self(Arc::new(Shared { max, taken: Mutex::default(), gauge }))
    }

    /// Returns a charge without any bytes.
    pub fn charge(&self, caller: CallerKey) -> Charge {
        Charge { pool: self.clone(), caller, bytes: 0 }
    }

    /// Takes `bytes`; `None` when the pool, or the caller's half of it, lacks them.
    pub fn take(&self, caller: CallerKey, bytes: usize) -> Option<Charge> {
        let mut charge = self.charge(caller);
        charge.grow(bytes).then_some(charge)
    }
}

/// Bytes that are taken from a pool, until it is dropped.
#[derive(Debug)]
pub struct Charge {
    pool: Pool,
    caller: CallerKey,
    bytes: usize,
}

impl Charge {
    /// Takes `more` bytes, or none and returns `false`.
    pub fn grow(&mut self, more: usize) -> bool {
        let shared = &*self.pool.0;
        let mut taken = shared.taken.lock();
        let own = taken.callers.get(&self.caller).copied().unwrap_or_default();
        // A caller's only charge may have all that is there: a half smaller than one request would
        // refuse that request for ever.
        let share = if own == self.bytes { shared.max } else { shared.max / CALLER_SHARE };
        if taken.all.saturating_add(more) > shared.max || own.saturating_add(more) > share {
            return false;
        }
        shared.add(&mut taken, self.caller, more);
        drop(taken);
        self.bytes = self.bytes.saturating_add(more);
        true
    }

    /// Takes `more` bytes whatever the limit is, for answers that MUST not be refused any more.
    pub fn force(&mut self, more: usize) {
        let shared = &*self.pool.0;
        shared.add(&mut shared.taken.lock(), self.caller, more);
        self.bytes = self.bytes.saturating_add(more);
    }
}

impl Shared {
    fn add(&self, taken: &mut Taken, caller: CallerKey, more: usize) {
        taken.all = taken.all.saturating_add(more);
        if more > 0 {
            let own = taken.callers.entry(caller).or_default();
            *own = own.saturating_add(more);
        }
        self.gauge.set(i64::try_from(taken.all).unwrap_or(i64::MAX));
    }
}

impl Charge {
    /// Returns all bytes to the pool.
    pub fn clear(&mut self) {
        if self.bytes == 0 {
            return;
        }
        let shared = &*self.pool.0;
        let mut taken = shared.taken.lock();
        taken.all = taken.all.saturating_sub(self.bytes);
        if let Some(own) = taken.callers.get_mut(&self.caller) {
            *own = own.saturating_sub(self.bytes);
            if *own == 0 {
                taken.callers.remove(&self.caller);
            }
        }
        shared.gauge.set(i64::try_from(taken.all).unwrap_or(i64::MAX));
        self.bytes = 0;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(last: u8) -> CallerKey {
        CallerKey::address([10, 0, 0, last].into())
    }

    #[test]
    fn one_caller_has_at_most_half_and_leaves_the_rest() {
        let pool = Pool::new(100, Gauge::default());
        let held = [pool.take(caller(1), 30).unwrap(), pool.take(caller(1), 20).unwrap()];
        assert!(pool.take(caller(1), 1).is_none());
        let other = pool.take(caller(2), 50).unwrap();
        assert!(pool.take(caller(3), 1).is_none(), "the pool has no more than it has");
        drop(held);
        assert!(pool.take(caller(1), 50).is_some());
        drop(other);
        assert!(pool.0.taken.lock().callers.is_empty(), "callers without bytes are remembered");
        assert_eq!((pool.0.taken.lock().all, pool.0.gauge.get()), (0, 0));
    }

    #[test]
    fn a_charge_grows_as_far_as_there_is_room() {
        let pool = Pool::new(100, Gauge::default());
        let mut charge = pool.charge(caller(1));
        assert!(charge.grow(40) && charge.grow(60), "it is the only one");
        assert!(!charge.grow(1));
        charge.force(10);
        assert_eq!(pool.0.gauge.get(), 110);
        charge.clear();
        let mut other = pool.take(caller(1), 30).unwrap();
        assert!(charge.grow(20) && !charge.grow(1) && !other.grow(1));
        drop(other);
        drop(charge);
        assert_eq!(pool.0.gauge.get(), 0);
    }
}
