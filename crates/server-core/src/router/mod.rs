//! The parts of a table of routes that every API shares.

pub mod openapi;
mod parameter;
mod pattern;

pub use parameter::{Kind, Parameter};
pub use pattern::{Captures, captures, captures_of};
