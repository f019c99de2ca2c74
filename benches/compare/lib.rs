//! Benches of Statehold beside other expression languages and stores: `cargo bench` in this folder.
