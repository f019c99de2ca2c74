//! A search that finds its states while searching, and takes the steps of finding them.
//!
//! If states recur, a thread caches them and a byte costs a few nanoseconds. In some strings almost
//! every byte needs a new state, which costs a visit to each state of the pattern: microseconds.
//! The cached search gives up on such a string. A short one is then searched by backtracking, which
//! visits each state at most once for each byte; in a longer one all states are simulated one byte
//! at a time. Both have the same bound, the former is faster.
//!
//! Most strings need neither: they are shorter than any match, or do not contain a literal that the
//! pattern begins with.

use std::panic::{RefUnwindSafe, UnwindSafe};

use regex_automata::Input;
use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::nfa::thompson::NFA;
use regex_automata::nfa::thompson::backtrack::{self, BoundedBacktracker};
use regex_automata::nfa::thompson::pikevm::{self, PikeVM};
use regex_automata::util::pool::Pool;
use regex_automata::util::prefilter::Prefilter;

use super::{PatternError, STATES_FACTOR};
use crate::steps::steps_of;

/// Maximum bytes of states that a thread caches for a pattern.
const KEPT_MAX: usize = 256 << 10;
/// The cached search gives up after it has cleared the cache this many times, ...
const CLEARS_MIN: usize = 3;
/// ... if a cached state has served fewer bytes than this since.
const BYTES_PER_STATE_MIN: usize = 10;
/// Bytes of new states that are found in one step.
const FOUND_PER_STEP: usize = 8;
/// States of the pattern that are visited for one byte in one step.
const VISITED_PER_STEP: u64 = 8;
/// Maximum bytes that a thread uses to record the visited states: longer strings are not searched
/// by backtracking.
const VISITED_MAX: usize = 16 << 10;

type Caches<T> = Pool<T, Box<dyn Fn() -> T + Send + Sync + UnwindSafe + RefUnwindSafe>>;

/// A pattern whose table would be too large.
pub(super) struct Lazy {
    /// `None` if the cache is too small for the states of the pattern.
    kept: Option<(DFA, Caches<Cache>)>,
    /// `None` if the visited states of a single byte exceed the record.
    short: Option<(BoundedBacktracker, Caches<backtrack::Cache>)>,
    each: (PikeVM, Caches<pikevm::Cache>),
    states: u64,
    /// Minimum length of a match in bytes.
    shortest: usize,
    /// Bytes held by the search for literal prefixes.
    literals: usize,
}

impl Lazy {
    /// Creates a search from the states of a pattern, the minimum length of a match, and a search
    /// for literal prefixes.
    pub(super) fn new(
        nfa: NFA,
        shortest: usize,
        literals: Option<Prefilter>,
    ) -> Result<Self, PatternError> {
        let states = nfa.states().len() as u64;
        // An anchored match needs no search for its beginning.
        let literals = literals.filter(|_| !nfa.is_always_start_anchored());
        let held = literals.as_ref().map_or(0, Prefilter::memory_usage);
        let config = Config::new()
            .cache_capacity(KEPT_MAX)
            .minimum_cache_clear_count(Some(CLEARS_MIN))
            .minimum_bytes_per_state(Some(BYTES_PER_STATE_MIN))
            .specialize_start_states(literals.is_some())
            .prefilter(literals.clone());
        let dfa = DFA::builder().configure(config).build_from_nfa(nfa.clone()).ok();
        let kept = dfa.map(|dfa| {
            let own = dfa.clone();
            let caches: Caches<Cache> = Pool::new(Box::new(move || own.create_cache()));
            (dfa, caches)
        });
        let config =
            backtrack::Config::new().visited_capacity(VISITED_MAX).prefilter(literals.clone());
        let short = BoundedBacktracker::builder().configure(config).build_from_nfa(nfa.clone());
        let short = short.ok().filter(|short| short.max_haystack_len() > 0).map(|short| {
            let own = short.clone();
            let caches: Caches<backtrack::Cache> = Pool::new(Box::new(move || own.create_cache()));
            (short, caches)
        });
        let config = pikevm::Config::new().prefilter(literals);
        let each = PikeVM::builder().configure(config).build_from_nfa(nfa);
        let each = each.map_err(|_| PatternError::TooLarge)?;
        let own = each.clone();
        let caches: Caches<pikevm::Cache> = Pool::new(Box::new(move || own.create_cache()));
        Ok(Self { kept, short, each: (each, caches), states, shortest, literals: held })
    }

    /// Returns whether the pattern is found anywhere in `text`; `None` if `spend` rejects the
    /// steps.
    pub(super) fn is_match(&self, text: &[u8], spend: &mut dyn FnMut(u64) -> bool) -> Option<bool> {
        // The length is known, so this takes no step.
        if text.len() < self.shortest {
            return Some(false);
        }
        let input = Input::new(text).earliest(true);
        if let Some((dfa, caches)) = &self.kept {
            if !spend(steps_of(text.len().saturating_mul(STATES_FACTOR))) {
                return None;
            }
            let mut cache = caches.get();
            let (clears, bytes) = (cache.clear_count(), cache.memory_usage());
            let found = dfa.try_search_fwd(&mut cache, &input);
            // Known only afterwards. The excess is at most a few times the cache.
            let cleared = cache.clear_count().wrapping_sub(clears).saturating_mul(KEPT_MAX);
            let new = cleared.saturating_add(cache.memory_usage().saturating_sub(bytes));
            if new > 0 && !spend((new / FOUND_PER_STEP) as u64) {
                return None;
            }
            // An error means that the search gave up: the bounded searches below decide.
            if let Ok(found) = found {
                return Some(found.is_some());
            }
        }
        let steps = (text.len() as u64).saturating_mul(self.states) / VISITED_PER_STEP;
        if !spend(steps) {
            return None;
        }
        if let Some((short, caches)) = &self.short
            && text.len() <= short.max_haystack_len()
            && let Ok(found) = short.try_is_match(&mut caches.get(), input.clone())
        {
            return Some(found);
        }
        let (vm, caches) = &self.each;
        Some(vm.is_match(&mut caches.get(), input))
    }

    /// Returns the bytes held, without the states that threads cache.
    pub(super) fn bytes(&self) -> usize {
        let kept = self.kept.as_ref().map_or(0, |(dfa, _)| dfa.memory_usage());
        size_of::<Self>() + self.each.0.get_nfa().memory_usage() + kept + self.literals
    }
}
