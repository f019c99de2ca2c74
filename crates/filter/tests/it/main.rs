//! The tests of the filter language, one program because each further one would be linked
//! separately.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod allocations;
mod applied;
mod budget;
mod built;
mod completion;
mod conjuncts;
mod derive_errors;
mod derived;
mod errors;
mod exact;
mod extended;
mod foreign;
mod hints;
mod language;
mod mistakes;
mod naive;
mod naive_equal;
mod operators;
mod patterns;
mod properties;
mod vectors;
