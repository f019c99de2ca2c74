//! Files: private ones, ones that appear whole, regular ones, and sparse copies.

pub mod atomic;
pub mod private;
pub mod regular;
pub mod sparse;
