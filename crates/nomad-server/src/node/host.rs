//! Host-volume plugins as a trait.
//!
//! Contract: calls may block on disks or on another program. Every operation MUST be idempotent: creating an existing
//! volume and deleting an absent one succeed, because interrupted work is repeated.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use statehold_nomad::Labels;
use uuid::Uuid;

/// Creates and deletes directories, or mounts, that allocations of this machine use as volumes.
// Nomad: client/hostvolumemanager/host_volume_plugin.go, HostVolumePlugin.
pub(crate) trait HostVolumePlugin: fmt::Debug {
    /// Returns the plugin's version. An error marks it unhealthy.
    fn fingerprint(&self) -> Result<String, PluginError>;

    /// Creates a volume, or returns the existing one of the same ID.
    fn create(&self, request: &HostVolumeRequest) -> Result<CreatedPath, PluginError>;

    /// Deletes the volume at `path` with its content. Succeeds if it does not exist.
    fn delete(&self, request: &HostVolumeRequest, path: &str) -> Result<(), PluginError>;
}

/// The volume to create or delete.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HostVolumeRequest {
    pub(crate) id: Uuid,
    pub(crate) name: Box<str>,
    pub(crate) namespace: Box<str>,
    pub(crate) node_id: Uuid,
    pub(crate) node_pool: Box<str>,
    /// In bytes; 0 for the plugin's default.
    pub(crate) capacity_min: i64,
    /// In bytes; 0 for no limit.
    pub(crate) capacity_max: i64,
    /// Interpreted by the plugin only.
    pub(crate) parameters: Labels,
}

/// A created volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CreatedPath {
    /// Its path on this machine.
    pub(crate) path: String,
    /// Its size; 0 if the plugin reports none.
    pub(crate) bytes: i64,
}

/// The reason why a plugin's operation failed. Clients see its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PluginError {
    /// This machine has no plugin of that name.
    Missing { plugin: Box<str> },
    /// The plugin's file lacks the permission to execute it.
    NotExecutable { plugin: Box<str> },
    /// The request itself is invalid.
    Invalid(String),
    /// The disk is full, or takes no writes.
    Exhausted(String),
    /// The plugin, or the disk, reported an error.
    Failed(String),
    /// The plugin did not end within its time limit.
    Hung(String),
}

impl PluginError {
    /// Maps an error of the operating system; `doing` begins the message.
    pub(crate) fn io(doing: &str, error: &std::io::Error) -> Self {
        let text = format!("{doing}: {}", reason(error));
        match error.kind() {
            std::io::ErrorKind::TimedOut => Self::Hung(text),
            _ if takes_no_data(error) => Self::Exhausted(text),
            _ => Self::Failed(text),
        }
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Nomad: client/hostvolumemanager/host_volumes.go, ErrPluginNotExists and ErrPluginNotExecutable.
            Self::Missing { plugin } => write!(f, "no such plugin: {plugin:?}"),
            Self::NotExecutable { plugin } => write!(f, "plugin not executable: {plugin:?}"),
            Self::Invalid(text) | Self::Exhausted(text) | Self::Failed(text) | Self::Hung(text) => {
                f.write_str(text)
            }
        }
    }
}

impl std::error::Error for PluginError {}

/// Returns whether an error means that a disk takes no data: it is full, a quota is used up, or it was mounted
/// read-only after a fault. Every provider MUST use this function, so that a full disk always has the same status.
pub(crate) fn takes_no_data(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem)
}

/// Returns the description of an error of the operating system without the number that Rust adds, because clients
/// print it and Go's errors have none.
pub(crate) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    match error.raw_os_error().and_then(|code| text.strip_suffix(&format!(" (os error {code})"))) {
        Some(plain) => plain.to_owned(),
        None => text,
    }
}

/// Returns a path as a string, for rows and replies.
pub(crate) fn text_of(path: &Path) -> Result<String, PluginError> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| PluginError::Failed(format!("{} is not UTF-8", path.display())))
}
