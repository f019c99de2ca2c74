//! A search whose states are found while searching, with the steps that finding them takes.
//!
//! Where states are found again and again, a thread keeps them and a byte costs a few nanoseconds. A string can be such
//! that almost every byte needs a new state, which costs a visit to each state of the pattern: microseconds. The search by
//! kept states gives up on such a string, and the states are followed one byte at a time.

use std::panic::{RefUnwindSafe, UnwindSafe};

use regex_automata::Input;
use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::nfa::thompson::NFA;
use regex_automata::nfa::thompson::pikevm::{self, PikeVM};
use regex_automata::util::pool::Pool;

use super::Fault;
use crate::budget::steps_of;

/// Maximum number of bytes of states that a thread keeps for a pattern.
const KEPT_MAX: usize = 256 << 10;
/// The search gives up after it dropped all kept states this many times ..
const CLEARS_MIN: usize = 3;
/// .. and a kept state served fewer bytes than this since.
const BYTES_PER_STATE_MIN: usize = 10;
/// How much slower than by a table a string is searched by kept states.
const KEPT_HEFT: u64 = 4;
/// Bytes of new states that are found in one step.
const FOUND_PER_STEP: usize = 8;
/// States of the pattern that are visited for one byte in one step.
const VISITED_PER_STEP: u64 = 8;

type Caches<T> = Pool<T, Box<dyn Fn() -> T + Send + Sync + UnwindSafe + RefUnwindSafe>>;

/// A pattern whose table would be too large.
pub(super) struct Lazy {
    /// `None` where not even a few states are small enough to be kept.
    kept: Option<(DFA, Caches<Cache>)>,
    each: (PikeVM, Caches<pikevm::Cache>),
    states: u64,
}

impl Lazy {
    pub(super) fn new(nfa: NFA) -> Result<Self, Fault> {
        let states = nfa.states().len() as u64;
        let config = Config::new()
            .cache_capacity(KEPT_MAX)
            .minimum_cache_clear_count(Some(CLEARS_MIN))
            .minimum_bytes_per_state(Some(BYTES_PER_STATE_MIN));
        let dfa = DFA::builder().configure(config).build_from_nfa(nfa.clone()).ok();
        let kept = dfa.map(|dfa| {
            let own = dfa.clone();
            let caches: Caches<Cache> = Pool::new(Box::new(move || own.create_cache()));
            (dfa, caches)
        });
        let each = PikeVM::new_from_nfa(nfa).map_err(|_| Fault::TooLarge)?;
        let own = each.clone();
        let caches: Caches<pikevm::Cache> = Pool::new(Box::new(move || own.create_cache()));
        Ok(Self { kept, each: (each, caches), states })
    }

    /// Whether the pattern is found anywhere in `text`; `None` once `spend` refuses the steps.
    pub(super) fn is_match(&self, text: &[u8], spend: &mut dyn FnMut(u64) -> bool) -> Option<bool> {
        let input = Input::new(text).earliest(true);
        if let Some((dfa, caches)) = &self.kept {
            if !spend(steps_of(text.len()).saturating_mul(KEPT_HEFT)) {
                return None;
            }
            let mut cache = caches.get();
            let (clears, bytes) = (cache.clear_count(), cache.memory_usage());
            let found = dfa.try_search_fwd(&mut cache, &input);
            // Known afterwards only. What is too much here is at most the states that a thread keeps, a few times over.
            let cleared = cache.clear_count().wrapping_sub(clears).saturating_mul(KEPT_MAX);
            let new = cleared.saturating_add(cache.memory_usage().saturating_sub(bytes));
            if new > 0 && !spend((new / FOUND_PER_STEP) as u64) {
                return None;
            }
            if let Ok(found) = found {
                return Some(found.is_some());
            }
        }
        let (vm, caches) = &self.each;
        let steps = (text.len() as u64).saturating_mul(self.states) / VISITED_PER_STEP;
        spend(steps).then(|| vm.is_match(&mut caches.get(), input))
    }

    /// The bytes that it holds, without the states that threads keep.
    pub(super) fn bytes(&self) -> usize {
        let kept = self.kept.as_ref().map_or(0, |(dfa, _)| dfa.memory_usage());
        size_of::<Self>() + self.each.0.get_nfa().memory_usage() + kept
    }
}
