//! Snapshots, and the volumes that providers list. The provider keeps the record; nothing is stored
//! here.
//!
//! Every function here may block as long as the provider does.
//!
//! Nomad: `nomad/csi_endpoint.go`, `CSIVolume.CreateSnapshot`, `DeleteSnapshot`, `ListSnapshots`
//! and `ListExternal`.

use std::fmt;

use statehold_store::ReadView;

use super::create::check_result;
use crate::{
    controller::{
        ControllerError, ControllerOperation, PluginLookupError, any_controller, call_controller,
        find_plugin,
    },
    fmt::{MultiError, Quoted},
    provider::{CreateSnapshot, ExternalVolumes, ProviderPage, Providers, Snapshot, Snapshots},
    rows::{CsiPlugins, CsiVolumes, Labels},
    secrets::Secrets,
};

/// A requested snapshot.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SnapshotSpec {
    /// The volume's ID.
    pub volume_id: Box<str>,
    /// The plugin; empty selects the volume's.
    pub plugin_id: Box<str>,
    /// The name; a second snapshot of the same name returns the first.
    pub name: Box<str>,
    /// Secrets for the provider, merged with the volume's; these take precedence.
    pub secrets: Secrets,
    /// Parameters for the provider.
    pub parameters: Labels,
}

/// Prints the snapshot's keys. The other fields are left out, because they may hold secrets.
impl fmt::Debug for SnapshotSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotSpec")
            .field("volume_id", &self.volume_id)
            .field("plugin_id", &self.plugin_id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A snapshot that a provider created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedSnapshot {
    /// The ID of the volume.
    pub volume_id: Box<str>,
    /// The ID of the plugin.
    pub plugin_id: Box<str>,
    /// The provider's result.
    pub snapshot: Snapshot,
}

/// A page of the snapshots of one plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginSnapshots {
    /// The ID of the plugin.
    pub plugin_id: Box<str>,
    /// In the provider's order.
    pub snapshots: Vec<Snapshot>,
    /// The token of the next page; empty after the last.
    pub next_token: Box<str>,
}

/// Why a snapshot could not be created or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SnapshotError {
    /// A request to delete a snapshot names no plugin.
    MissingPluginId,
    /// A request to delete a snapshot names no snapshot.
    MissingSnapshotId,
    /// The volume does not exist.
    NoVolume {
        /// Its ID.
        volume: Box<str>,
    },
    /// The plugin does not exist.
    NoPlugin {
        /// Its ID.
        plugin: Box<str>,
    },
    /// The ID matches no plugin, or several.
    Lookup(PluginLookupError),
    /// The plugin does not support snapshots.
    Unsupported {
        /// Its ID, for requests that may name several plugins.
        plugin: Option<Box<str>>,
    },
    /// The provider failed to create the snapshot.
    Create(ControllerError),
    /// The provider failed to delete the snapshot.
    Delete {
        /// The snapshot.
        snapshot: Box<str>,
        /// The provider's error.
        error: ControllerError,
    },
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Nomad: nomad/csi_endpoint.go, CSIVolume.CreateSnapshot and DeleteSnapshot.
            Self::MissingPluginId => f.write_str("missing plugin_id"),
            Self::MissingSnapshotId => f.write_str("missing snapshot_id"),
            Self::NoVolume { volume } => write!(f, "no such volume {}", Quoted(volume)),
            Self::NoPlugin { plugin } => write!(f, "no such plugin {}", Quoted(plugin)),
            Self::Lookup(error) => error.fmt(f),
            Self::Unsupported { plugin: Some(plugin) } => {
                write!(f, "plugin {} does not support snapshot", Quoted(plugin))
            }
            Self::Unsupported { plugin: None } => f.write_str("plugin does not support snapshot"),
            Self::Create(error) => write!(f, "could not create snapshot: {error}"),
            Self::Delete { snapshot, error } => {
                write!(f, "could not delete {}: {error}", Quoted(snapshot))
            }
        }
    }
}

impl std::error::Error for SnapshotError {}

/// Creates snapshots of volumes of `namespace` at their providers.
///
/// Every snapshot is tried. Fails if any failed, although others may have been created.
pub fn create_snapshots_with_provider(
    view: &impl ReadView,
    providers: &Providers,
    namespace: &str,
    specs: &[SnapshotSpec],
) -> Result<Vec<CreatedSnapshot>, MultiError<SnapshotError>> {
    let (mut taken, mut failures) = (Vec::new(), Vec::new());
    for spec in specs {
        match create_snapshot(view, providers, namespace, spec) {
            Ok(snapshot) => taken.push(snapshot),
            Err(error) => failures.push(error),
        }
    }
    MultiError::check(failures).map(|()| taken)
}

fn create_snapshot(
    view: &impl ReadView,
    providers: &Providers,
    namespace: &str,
    spec: &SnapshotSpec,
) -> Result<CreatedSnapshot, SnapshotError> {
    let Some(volume) = view.get::<CsiVolumes>((namespace, &spec.volume_id)) else {
        return Err(SnapshotError::NoVolume { volume: spec.volume_id.clone() });
    };
    // A request without a plugin uses that of the volume, as in Nomad.
    let id = if spec.plugin_id.is_empty() { &volume.plugin_id } else { &spec.plugin_id };
    let Some(plugin) = view.get::<CsiPlugins>(id) else {
        return Err(SnapshotError::NoPlugin { plugin: id.clone() });
    };
    if !any_controller(view, &plugin.id, |controller| controller.supports_create_delete_snapshot) {
        return Err(SnapshotError::Unsupported { plugin: Some(id.clone()) });
    }
    let request = CreateSnapshot {
        external_id: volume.remote_id(),
        name: &spec.name,
        parameters: &spec.parameters,
        // A secret of the request replaces the volume's of the same name.
        secrets: &volume.secrets.with(&spec.secrets),
    };
    let create = ControllerOperation::CreateSnapshot;
    let snapshot = call_controller(providers, id, create, |provider| {
        let taken = provider.create_snapshot(&request)?;
        check_result(&taken.id, taken.size)?;
        Ok(taken)
    })
    .map_err(SnapshotError::Create)?;
    Ok(CreatedSnapshot { volume_id: volume.id.clone(), plugin_id: id.clone(), snapshot })
}

/// Deletes a snapshot at its provider. `plugin_id` may be a unique prefix.
pub fn delete_snapshot_with_provider(
    view: &impl ReadView,
    providers: &Providers,
    plugin_id: &str,
    snapshot_id: &str,
    secrets: &Secrets,
) -> Result<(), MultiError<SnapshotError>> {
    let delete = || {
        // The empty string is a prefix of every plugin's ID: an incomplete request MUST NOT delete
        // anything.
        if plugin_id.is_empty() {
            return Err(SnapshotError::MissingPluginId);
        }
        if snapshot_id.is_empty() {
            return Err(SnapshotError::MissingSnapshotId);
        }
        // A prefix is enough, as on Nomad's command line, but an ambiguous one deletes nothing.
        let plugin = find_plugin(view, plugin_id).map_err(SnapshotError::Lookup)?;
        if !any_controller(view, &plugin.id, |controller| {
            controller.supports_create_delete_snapshot
        }) {
            return Err(SnapshotError::Unsupported { plugin: None });
        }
        let operation = ControllerOperation::DeleteSnapshot;
        call_controller(providers, &plugin.id, operation, |provider| {
            provider.delete_snapshot(snapshot_id, secrets)
        })
        .map_err(|error| SnapshotError::Delete { snapshot: snapshot_id.into(), error })
    };
    delete().or_else(|error| MultiError::check(vec![error]))
}

/// Why a provider's volumes or snapshots could not be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExternalListError {
    /// The ID matches no plugin, or several.
    Lookup(PluginLookupError),
    /// The plugin does not support listing volumes.
    VolumesUnsupported,
    /// The plugin does not support listing snapshots.
    SnapshotsUnsupported,
    /// The provider failed or cannot be reached.
    Controller(ControllerError),
}

impl fmt::Display for ExternalListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lookup(error) => error.fmt(f),
            // Nomad: nomad/csi_endpoint.go, CSIVolume.ListExternal and ListSnapshots.
            Self::VolumesUnsupported => f.write_str("unimplemented for this plugin"),
            Self::SnapshotsUnsupported => f.write_str("plugin does not support listing snapshots"),
            Self::Controller(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ExternalListError {}

/// Lists the volumes of a provider, at most as many as the page requests. `plugin_id` may be a
/// unique prefix.
pub fn list_external_volumes(
    view: &impl ReadView,
    providers: &Providers,
    plugin_id: &str,
    page: &ProviderPage<'_>,
) -> Result<ExternalVolumes, ExternalListError> {
    let plugin = find_plugin(view, plugin_id).map_err(ExternalListError::Lookup)?;
    if !any_controller(view, &plugin.id, |controller| controller.supports_list_volumes) {
        return Err(ExternalListError::VolumesUnsupported);
    }
    let list = ControllerOperation::List;
    let mut found =
        call_controller(providers, &plugin.id, list, |provider| provider.list_volumes(page))
            .map_err(ExternalListError::Controller)?;
    // A provider may exceed `max_entries`; the page of the client MUST NOT.
    found.volumes.truncate(entries_max(page));
    Ok(found)
}

/// Like [`list_external_volumes`], for the snapshots of a provider.
pub fn list_external_snapshots(
    view: &impl ReadView,
    providers: &Providers,
    plugin_id: &str,
    page: &ProviderPage<'_>,
    secrets: &Secrets,
) -> Result<PluginSnapshots, ExternalListError> {
    let plugin = find_plugin(view, plugin_id).map_err(ExternalListError::Lookup)?;
    if !any_controller(view, &plugin.id, |controller| controller.supports_list_snapshots) {
        return Err(ExternalListError::SnapshotsUnsupported);
    }
    let list = ControllerOperation::ListSnapshots;
    let Snapshots { mut snapshots, next_token } =
        call_controller(providers, &plugin.id, list, |provider| {
            provider.list_snapshots(page, secrets)
        })
        .map_err(ExternalListError::Controller)?;
    snapshots.truncate(entries_max(page));
    Ok(PluginSnapshots { plugin_id: plugin.id.clone(), snapshots, next_token })
}

fn entries_max(page: &ProviderPage<'_>) -> usize {
    if page.entries_max == 0 { usize::MAX } else { page.entries_max as usize }
}
