//! Statehold: a state store and a filter language for control planes.
//!
//! This crate re-exports the libraries behind features; link the single crates when you need one.

#[cfg(feature = "cinder")]
pub use statehold_cinder as cinder;
#[cfg(feature = "filter")]
pub use statehold_filter as filter;
#[cfg(feature = "nomad")]
pub use statehold_nomad as nomad;
#[cfg(feature = "store")]
pub use statehold_store as store;

/// The examples of the README, compiled.
#[cfg(all(doctest, feature = "store"))]
#[doc = include_str!("../README.md")]
pub struct Readme;
