//! The tests that cross crates, through the facade alone: a table of an application beside those of a domain, in one
//! store.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod application;
mod embedding;
mod guarantees;
mod planning;
