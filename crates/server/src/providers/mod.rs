//! What touches the world: plugins that make directories and files.

pub(crate) mod csi_dir;
pub(crate) mod csi_work;
pub(crate) mod executable;
pub(crate) mod host;
pub(crate) mod host_volumes;
pub(crate) mod identity;
pub(crate) mod intents;
pub(crate) mod local;
pub(crate) mod locks;
pub(crate) mod mkdir;
pub(crate) mod sparse;
pub(crate) mod turns;
