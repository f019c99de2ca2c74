//! Searches for a compiled pattern.
//!
//! Most patterns become one table of states, complete before the first search, which then needs no
//! memory of its own. A table larger than [`TABLE_MAX`] is not built: a [`Lazy`] search finds its
//! states, and each thread caches them.
//!
//! Invariant: a search takes the evaluation steps that it costs, even if a string defeats the
//! cache.

mod lazy;

use std::fmt;

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::prefilter::Prefilter;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};

use self::lazy::Lazy;
use super::{GROUPS_MAX, PatternError};
use crate::steps::steps_of;

/// Maximum size of a table of states in bytes.
const TABLE_MAX: usize = 64 << 10;
/// The steps of a search by states, byte by byte, as a multiple of those of a comparison.
const STATES_FACTOR: usize = 4;
/// A compiled pattern.
pub(crate) struct Pattern(Search);

enum Search {
    Table(Box<dense::DFA<Vec<u32>>>, Anchored),
    Lazy(Box<Lazy>),
}

impl Pattern {
    /// Compiles a translated pattern to at most `size_max` bytes, without the states that threads
    /// cache.
    pub(super) fn new(translated: &str, size_max: usize, fold: bool) -> Result<Self, PatternError> {
        let syntax = syntax::Config::new()
            // Not UTF-8: lists of bytes are searched too.
            .utf8(false)
            .case_insensitive(fold)
            .nest_limit(u32::try_from(GROUPS_MAX * 3).unwrap_or(u32::MAX));
        let parsed =
            syntax::parse_with(translated, &syntax).map_err(|error| PatternError::Syntax {
                start: 0,
                end: usize::MAX,
                reason: last_line(&error.to_string()),
                help: None,
            })?;
        let states = thompson::Config::new()
            .utf8(false)
            .which_captures(WhichCaptures::None)
            .nfa_size_limit(Some(size_max));
        let states = NFA::compiler().configure(states).build_from_hir(&parsed);
        let states = states.map_err(|_| PatternError::TooLarge)?;
        if let Some(table) = table(&states, size_max.min(TABLE_MAX)) {
            return Ok(Self(table));
        }
        // Too large for a table: the lazy search also uses literals and the minimum length to skip
        // strings.
        let shortest = parsed.properties().minimum_len().unwrap_or(0);
        let literals = Prefilter::from_hir_prefix(MatchKind::LeftmostFirst, &parsed);
        Ok(Self(Search::Lazy(Box::new(Lazy::new(states, shortest, literals)?))))
    }

    /// Returns whether the pattern is found anywhere in `text`; `None` if `spend` rejects the steps
    /// of the search.
    ///
    /// Time is linear in the length of `text`.
    #[inline]
    pub(crate) fn is_match(&self, text: &[u8], spend: &mut dyn FnMut(u64) -> bool) -> Option<bool> {
        match &self.0 {
            Search::Table(table, anchored) => {
                let steps = steps_of(text.len().saturating_mul(STATES_FACTOR));
                // Short strings are included in the clause, so most searches skip the call.
                if steps > 0 && !spend(steps) {
                    return None;
                }
                // The earliest match is enough: its end is not needed.
                let input = Input::new(text).anchored(*anchored).earliest(true);
                // Fails only at bytes configured to stop a search, and none are.
                Some(matches!(table.try_search_fwd(&input), Ok(Some(_))))
            }
            Search::Lazy(lazy) => lazy.is_match(text, spend),
        }
    }

    /// Returns the bytes held, without the states that threads cache.
    pub(crate) fn bytes(&self) -> usize {
        match &self.0 {
            Search::Table(table, _) => size_of_val(&**table) + table.memory_usage(),
            Search::Lazy(lazy) => lazy.bytes(),
        }
    }
}

/// Builds the table of all states of a pattern; `None` if it is larger than `size_max`.
fn table(states: &NFA, size_max: usize) -> Option<Search> {
    let (starts, anchored) = if states.is_always_start_anchored() {
        (StartKind::Anchored, Anchored::Yes)
    } else {
        (StartKind::Unanchored, Anchored::No)
    };
    // An accelerated state costs ten times as much for each byte where it cannot skip, as in
    // `(a*)*c` on `abab`, so a step would not be a constant amount of work.
    let config = dense::Config::new()
        .accelerate(false)
        .start_kind(starts)
        .dfa_size_limit(Some(size_max))
        .determinize_size_limit(Some(size_max));
    let table = dense::Builder::new().configure(config).build_from_nfa(states).ok()?;
    Some(Search::Table(Box::new(table), anchored))
}

/// Returns the reason, the last line of the error message of the syntax parser.
fn last_line(message: &str) -> String {
    message.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pattern").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}
