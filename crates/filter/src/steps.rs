//! Rates of evaluation steps: the work that one step accounts for.
//!
//! Independent of programs and data, so that patterns, lists and the evaluator count alike.

use crate::limits::Limits;

/// Elements of a list compared in one step: a comparison is faster than a clause.
pub(crate) const LISTED_PER_STEP: u64 = 4;
/// Parts of a path that are included in the clause; each further one is a step.
pub(crate) const SHORT_PATH: usize = 8;
/// Steps of formatting an address or a UUID as a string.
pub(crate) const FORMAT_STEPS: u64 = 4;
/// Steps of reading a string as a size, a duration or a time.
pub(crate) const QUANTITY_STEPS: u64 = 8;
/// The steps of a substring search, as a multiple of those of a comparison, if the part almost
/// matches everywhere.
pub(crate) const SUBSTRING_FACTOR: usize = 4;
/// Values of a list `[..]` compared in one step if they cannot be looked up: each is compared by
/// the kind of the data.
pub(crate) const OPEN_PER_STEP: u64 = 2;
/// Levels of a binary search among the values of a list `[..]` in one step.
const LEVELS_PER_STEP: u32 = 3;

/// Returns the steps of searching `bytes`, on top of the clause itself.
#[inline]
pub(crate) fn steps_of(bytes: usize) -> u64 {
    (bytes / Limits::STEP_BYTES) as u64
}

/// Returns the steps of looking up one value among `values` of at most `longest` bytes.
#[inline]
pub(crate) fn look_up_steps(values: usize, longest: usize) -> u64 {
    let levels = values.checked_ilog2().unwrap_or(0);
    steps_of(longest).saturating_add(1 + u64::from(levels / LEVELS_PER_STEP))
}
