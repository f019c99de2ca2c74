//! The `statehold` program.
fn main() {}
