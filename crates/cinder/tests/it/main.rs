//! The tests of the Block Storage domain, in one program because each further one would be linked anew.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod backlog;
mod demands;
mod groups;
mod lists;
mod model;
mod rules;
mod services;
mod shapes;
mod states;
mod totals;
mod waiting;
mod wholes;
