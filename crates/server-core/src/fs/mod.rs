//! File primitives: private modes, atomic replacement, regular files only, sparse copies.

pub mod atomic;
pub mod private;
pub mod regular;
pub mod sparse;
