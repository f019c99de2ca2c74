//! Statehold: a state store and a filter language for control planes.
//!
//! This crate re-exports the libraries behind features; link the single crates when you need one.

#[cfg(feature = "blockstorage")]
pub use statehold_blockstorage as blockstorage;
#[cfg(feature = "filter")]
pub use statehold_filter as filter;
#[cfg(feature = "store")]
pub use statehold_store as store;
#[cfg(feature = "volumes")]
pub use statehold_volumes as volumes;

/// The examples of the README, compiled.
#[cfg(all(doctest, feature = "store"))]
#[doc = include_str!("../README.md")]
pub struct Readme;
