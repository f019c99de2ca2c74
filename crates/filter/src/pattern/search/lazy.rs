//! A search whose states are found while searching, with the steps that finding them takes.
//!
//! Where states are found again and again, a thread keeps them and a byte costs a few nanoseconds. A string can be such
//! that almost every byte needs a new state, which costs a visit to each state of the pattern: microseconds. The search by
//! kept states gives up on such a string. A short one is then searched by backtracking, which visits each state at most
//! once for each byte; in a longer one all states are followed one byte at a time. The bound is the same, the former quicker.
//!
//! Most strings need none of that: they are shorter than any match, or hold no literal that the pattern begins with.

use std::panic::{RefUnwindSafe, UnwindSafe};

use regex_automata::Input;
use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::nfa::thompson::NFA;
use regex_automata::nfa::thompson::backtrack::{self, BoundedBacktracker};
use regex_automata::nfa::thompson::pikevm::{self, PikeVM};
use regex_automata::util::pool::Pool;
use regex_automata::util::prefilter::Prefilter;

use super::{Fault, STATES_HEFT};
use crate::steps::steps_of;

/// Maximum number of bytes of states that a thread keeps for a pattern.
const KEPT_MAX: usize = 256 << 10;
/// The search gives up after it dropped all kept states this many times ..
const CLEARS_MIN: usize = 3;
/// .. and a kept state served fewer bytes than this since.
const BYTES_PER_STATE_MIN: usize = 10;
/// Bytes of new states that are found in one step.
const FOUND_PER_STEP: usize = 8;
/// States of the pattern that are visited for one byte in one step.
const VISITED_PER_STEP: u64 = 8;
/// Maximum number of bytes that a thread keeps to note the visited states: longer strings are not searched by backtracking.
const VISITED_MAX: usize = 16 << 10;

type Caches<T> = Pool<T, Box<dyn Fn() -> T + Send + Sync + UnwindSafe + RefUnwindSafe>>;

/// A pattern whose table would be too large.
pub(super) struct Lazy {
    /// `None` where not even a few states are small enough to be kept.
    kept: Option<(DFA, Caches<Cache>)>,
    /// `None` where the states are too many to be noted for a single byte.
    short: Option<(BoundedBacktracker, Caches<backtrack::Cache>)>,
    each: (PikeVM, Caches<pikevm::Cache>),
    states: u64,
    /// Bytes of the shortest match.
    shortest: usize,
    /// Bytes that the search for the first literals holds.
    literals: usize,
}

impl Lazy {
    /// Takes the states of a pattern, the bytes of its `shortest` match, and a search for the literals that it begins with.
    pub(super) fn new(
        nfa: NFA,
        shortest: usize,
        literals: Option<Prefilter>,
    ) -> Result<Self, Fault> {
        let states = nfa.states().len() as u64;
        // A match that begins at the start of the string needs no search for its beginning.
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
        let each = each.map_err(|_| Fault::TooLarge)?;
        let own = each.clone();
        let caches: Caches<pikevm::Cache> = Pool::new(Box::new(move || own.create_cache()));
        Ok(Self { kept, short, each: (each, caches), states, shortest, literals: held })
    }

    /// Whether the pattern is found anywhere in `text`; `None` once `spend` refuses the steps.
    pub(super) fn is_match(&self, text: &[u8], spend: &mut dyn FnMut(u64) -> bool) -> Option<bool> {
        // As the length is known, this takes no step.
        if text.len() < self.shortest {
            return Some(false);
        }
        let input = Input::new(text).earliest(true);
        if let Some((dfa, caches)) = &self.kept {
            if !spend(steps_of(text.len().saturating_mul(STATES_HEFT))) {
                return None;
            }
            let mut cache = caches.get();
            let (clears, bytes) = (cache.clear_count(), cache.memory_usage());
            let found = dfa.try_search_fwd(&mut cache, &input);
            // Known afterwards only. The excess is at most the states that a thread keeps, a few times over.
            let cleared = cache.clear_count().wrapping_sub(clears).saturating_mul(KEPT_MAX);
            let new = cleared.saturating_add(cache.memory_usage().saturating_sub(bytes));
            if new > 0 && !spend((new / FOUND_PER_STEP) as u64) {
                return None;
            }
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

    /// The bytes that it holds, without the states that threads keep.
    pub(super) fn bytes(&self) -> usize {
        let kept = self.kept.as_ref().map_or(0, |(dfa, _)| dfa.memory_usage());
        size_of::<Self>() + self.each.0.get_nfa().memory_usage() + kept + self.literals
    }
}
