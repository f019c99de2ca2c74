//! Benches of Statehold beside other expression languages: `cargo bench` in this folder.
