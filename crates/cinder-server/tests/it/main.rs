//! The tests of the crate through its public interface, as the author of a driver has it.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod conformance;
mod memory_driver;
mod served_driver;
