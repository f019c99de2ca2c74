//! Files: private ones that appear whole, regular ones, and sparse copies.

pub mod private;
pub mod regular;
pub mod sparse;
