//! Budgets of bytes, or of other units, shared by all callers with a cap for each.
//!
//! A [`Pool`] has a total; a [`Charge`] is taken from it for one caller and returned when it is dropped.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;

use crate::caller::CallerKey;

/// The divisor for the share of one caller: a half, so that no caller can empty a pool.
const CALLER_SHARE: usize = 2;

/// A budget that callers charge. Clones share it.
#[derive(Clone, Debug)]
pub struct Pool(Arc<PoolInner>);

#[derive(Debug)]
struct PoolInner {
    max: usize,
    taken: Mutex<Usage>,
    gauge: Gauge,
}

#[derive(Debug, Default)]
struct Usage {
    all: usize,
    /// Bytes by caller; a caller without bytes has no entry.
    callers: HashMap<CallerKey, usize>,
}

impl Pool {
    /// Creates a pool of `max` bytes; `gauge` shows the bytes that are charged.
    pub fn new(max: usize, gauge: Gauge) -> Self {
        Self(Arc::new(PoolInner { max, taken: Mutex::default(), gauge }))
    }

    /// Returns an empty charge of `caller`.
    pub fn charge(&self, caller: CallerKey) -> Charge {
        Charge { pool: self.clone(), caller, bytes: 0 }
    }

    /// Charges `bytes` to `caller`. Returns `None` if the pool, or the caller's half of it, lacks them.
    pub fn take(&self, caller: CallerKey, bytes: usize) -> Option<Charge> {
        let mut charge = self.charge(caller);
        charge.grow(bytes).then_some(charge)
    }
}

/// Bytes charged to a caller; returned to the pool on drop.
#[derive(Debug)]
pub struct Charge {
    pool: Pool,
    caller: CallerKey,
    bytes: usize,
}

impl Charge {
    /// Charges `more` bytes. Returns `false`, and charges none, if they do not fit.
    pub fn grow(&mut self, more: usize) -> bool {
        let shared = &*self.pool.0;
        let mut taken = shared.taken.lock();
        let own = taken.callers.get(&self.caller).copied().unwrap_or_default();
        // A caller's only charge may use the whole pool: with a half smaller than one request, that request
        // would be rejected for ever. `own == self.bytes` means that the caller has no other charge.
        let share = if own == self.bytes { shared.max } else { shared.max / CALLER_SHARE };
        if taken.all.saturating_add(more) > shared.max || own.saturating_add(more) > share {
            return false;
        }
        shared.add(&mut taken, self.caller, more);
        drop(taken);
        self.bytes = self.bytes.saturating_add(more);
        true
    }

    /// Charges `more` bytes beyond any limit, for replies that MUST be sent because their write took effect.
    pub fn force(&mut self, more: usize) {
        let shared = &*self.pool.0;
        shared.add(&mut shared.taken.lock(), self.caller, more);
        self.bytes = self.bytes.saturating_add(more);
    }
}

impl PoolInner {
    fn add(&self, taken: &mut Usage, caller: CallerKey, more: usize) {
        taken.all = taken.all.saturating_add(more);
        // An empty charge creates no entry, which its drop would not remove.
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
                // Otherwise the map would grow with every address that ever sent a request.
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
    fn one_caller_gets_at_most_half_of_a_pool() {
        let pool = Pool::new(100, Gauge::default());
        let held = [pool.take(caller(1), 30).unwrap(), pool.take(caller(1), 20).unwrap()];
        assert!(pool.take(caller(1), 1).is_none());
        let other = pool.take(caller(2), 50).unwrap();
        assert!(pool.take(caller(3), 1).is_none(), "the pool is exhausted");
        drop(held);
        assert!(pool.take(caller(1), 50).is_some());
        drop(other);
        assert!(pool.0.taken.lock().callers.is_empty(), "a caller without bytes keeps an entry");
        assert_eq!((pool.0.taken.lock().all, pool.0.gauge.get()), (0, 0));
    }

    #[test]
    fn a_charge_grows_up_to_the_limit_of_its_pool() {
        let pool = Pool::new(100, Gauge::default());
        let mut charge = pool.charge(caller(1));
        assert!(charge.grow(40) && charge.grow(60), "the only charge may use the whole pool");
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
