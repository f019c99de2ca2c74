//! This machine as a node: its storage providers, its host volumes, and the plugins that create them.

pub(crate) mod csi_dir;
pub(crate) mod csi_work;
mod executable;
mod host;
pub(crate) mod host_volumes;
mod identity;
mod intents;
pub(crate) mod local;
mod mkdir;
pub(crate) mod provider_locks;

pub use host_volumes::{HostVolumeKeeper, KeepError};
pub use local::{LocalNode, NodeOptions, NodeStartError};
