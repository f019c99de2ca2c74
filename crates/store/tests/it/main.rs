//! The integration tests of the store, in one program to save link time.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod backup;
mod blocking;
mod common;
mod derived;
mod dumped;
mod durability;
mod durable;
mod feed;
mod format_1;
mod history;
mod key_kinds;
mod look_ups;
mod migrations;
mod model;
mod observer;
mod operations;
mod pages;
mod pages_by_index;
mod pairing;
mod plan;
mod readable;
mod replayed;
mod shaped;
mod shaped_values;
mod tables;
mod typed;
mod writers;
