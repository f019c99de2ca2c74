//! Rates: how much work one step of evaluation stands for.
//!
//! Knows neither programs nor data, so that patterns, lists and the evaluator count alike.

use crate::limits::Limits;

/// Elements of a list that are compared in one step: a comparison is quicker than a clause.
pub(crate) const LISTED_PER_STEP: u64 = 4;
/// Path parts that belong to the clause itself; each further one is a step.
pub(crate) const SHORT_PATH: usize = 8;
/// Steps of writing an address or a UUID as a string.
pub(crate) const SHOWN_STEPS: u64 = 4;
/// Steps of reading a string as a size, a duration or a time.
pub(crate) const QUANTITY_STEPS: u64 = 8;
/// How much slower than it is compared a string is searched for a part of it, where the part almost fits everywhere.
pub(crate) const PART_HEFT: usize = 4;
/// Values of a list `[..]` that are compared in one step where they can't be looked up: each is compared by the kind of the data.
pub(crate) const OPEN_PER_STEP: u64 = 2;
/// Values of a list `[..]`, as a power of two, that a look-up of an element tells apart in one step.
const LEVELS_PER_STEP: u32 = 3;

/// The steps of searching `bytes`, on top of the clause itself.
#[inline]
pub(crate) fn steps_of(bytes: usize) -> u64 {
    (bytes / Limits::STEP_BYTES) as u64
}

/// The steps of looking up one value among `values` of at most `longest` bytes.
#[inline]
pub(crate) fn look_up_steps(values: usize, longest: usize) -> u64 {
    let levels = values.checked_ilog2().unwrap_or(0);
    steps_of(longest).saturating_add(1 + u64::from(levels / LEVELS_PER_STEP))
}
