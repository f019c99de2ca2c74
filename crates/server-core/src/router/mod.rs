//! The parts of a table of routes that every API shares.

mod pattern;

pub use pattern::{Captures, captures, captures_of};
