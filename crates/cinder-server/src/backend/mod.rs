//! Storage back ends: the contract of a driver, and the drivers of this crate.
//!
//! A back end of another kind implements [`Driver`], passes [`conformance`](conformance()), and is handed to
//! [`Setup::with_backends`](crate::Setup::with_backends).

mod conformance;
pub(crate) mod declared;
mod driver;
mod export;
pub(crate) mod hints;
mod host_query;
mod local_dir;
pub(crate) mod scheduler;

pub use conformance::{ContractViolation, TestBackend, conformance, simulate_crash};
pub use declared::BackendFlags;
pub use driver::{
    BackendObject, Capacity, CloneSource, Connection, Driver, DriverError, ReadExtents,
    SNAPSHOT_PREFIX, VOLUME_PREFIX, copy_extents, snapshot_name, volume_name,
};
pub use export::{Export, mount_options};
pub use scheduler::BackendSpec;
