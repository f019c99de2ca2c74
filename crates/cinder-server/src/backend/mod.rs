//! Storage back ends: their declaration, their driver, and the scheduler that chooses one.

pub(crate) mod declared;
pub(crate) mod driver;
pub(crate) mod export;
pub(crate) mod hints;
mod host_query;
pub(crate) mod local_dir;
pub(crate) mod scheduler;

pub use declared::BackendFlags;
pub use export::{Export, mount_options};
