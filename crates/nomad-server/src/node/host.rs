//! What a host-volume plugin can be asked to do.
//!
//! Calls may block: on disks, or on another program. Every operation is idempotent: creating what is
//! there and deleting what is gone are successes.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use statehold_nomad::Labels;
use uuid::Uuid;

/// Makes and removes directories, or mounts, that allocations of this machine use as volumes.
pub(crate) trait HostVolumePlugin: fmt::Debug {
    /// Says which version it is. An error says that it isn't well.
    fn fingerprint(&self) -> Result<String, PluginError>;

    /// Makes a volume, or finds the one that was made for the same ID.
    fn create(&self, request: &HostVolumeRequest) -> Result<CreatedPath, PluginError>;

    /// Removes what was created at `path`, with everything in it.
    fn delete(&self, request: &HostVolumeRequest, path: &str) -> Result<(), PluginError>;
}

/// The volume that is to be made or removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HostVolumeRequest {
    pub(crate) id: Uuid,
    pub(crate) name: Box<str>,
    pub(crate) namespace: Box<str>,
    pub(crate) node_id: Uuid,
    pub(crate) node_pool: Box<str>,
    /// In bytes; 0 for whatever the plugin likes.
    pub(crate) capacity_min: i64,
    /// In bytes; 0 for no limit.
    pub(crate) capacity_max: i64,
    /// For the plugin only.
    pub(crate) parameters: Labels,
}

/// A volume that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CreatedPath {
    /// Where it is on this machine.
    pub(crate) path: String,
    /// Its size; 0 if the plugin doesn't say.
    pub(crate) bytes: i64,
}

/// Why a plugin didn't do what it was asked. Its text is for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PluginError {
    /// No plugin of that name is on this machine.
    Missing { plugin: Box<str> },
    /// The plugin's file may not be run.
    NotExecutable { plugin: Box<str> },
    /// The request can't be right as it was sent.
    Invalid(String),
    /// The disk has no room left, or takes no writes.
    Exhausted(String),
    /// The plugin, or the disk, refused.
    Failed(String),
    /// The plugin gave no answer in the time it had.
    Hung(String),
}

impl PluginError {
    /// An error of the operating system while something was done.
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
/// read-only after a fault. Every provider asks here, so that a full disk has one status for all their work.
pub(crate) fn takes_no_data(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem)
}

/// Returns the description of an error of the operating system, without the number that Rust adds:
/// clients show it, and Nomad's Go does not have it.
pub(crate) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    match error.raw_os_error().and_then(|code| text.strip_suffix(&format!(" (os error {code})"))) {
        Some(plain) => plain.to_owned(),
        None => text,
    }
}

/// A path as text, as rows and replies have it.
pub(crate) fn text_of(path: &Path) -> Result<String, PluginError> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| PluginError::Failed(format!("{} is not UTF-8", path.display())))
}
