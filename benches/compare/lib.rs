//! Benches of Statehold beside other expression languages and stores: run `cargo bench` in this
//! folder.
