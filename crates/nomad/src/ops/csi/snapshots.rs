//! Snapshots, and what else providers have. They keep the record; nothing is stored here.
//!
//! All of these may block, for as long as the provider does.

use std::fmt;

use statehold_store::ReadView;

use super::create::check_answer;
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

/// A snapshot that somebody asks for.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SnapshotSpec {
    /// The volume's ID.
    pub volume_id: Box<str>,
    /// The plugin to ask; empty for the volume's.
    pub plugin_id: Box<str>,
    /// The name; a second snapshot of the same name is the first.
    pub name: Box<str>,
    /// For the provider, beside the volume's; these win.
    pub secrets: Secrets,
    /// For the provider.
    pub parameters: Labels,
}

/// Names the snapshot. What is for the provider is left out.
impl fmt::Debug for SnapshotSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotSpec")
            .field("volume_id", &self.volume_id)
            .field("plugin_id", &self.plugin_id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A snapshot that a provider took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedSnapshot {
    /// The ID of the volume.
    pub volume_id: Box<str>,
    /// The ID of the plugin.
    pub plugin_id: Box<str>,
    /// The provider's answer.
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

/// Why a snapshot couldn't be taken or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SnapshotError {
    /// A request to remove a snapshot names no plugin.
    MissingPluginId,
    /// A request to remove a snapshot names no snapshot.
    MissingSnapshotId,
    /// There is no such volume.
    NoVolume {
        /// Its ID.
        volume: Box<str>,
    },
    /// Nobody runs the plugin.
    NoPlugin {
        /// Its ID.
        plugin: Box<str>,
    },
    /// No plugin is meant, or several.
    Lookup(PluginLookupError),
    /// The plugin takes no snapshots.
    Unsupported {
        /// Its ID, where the request could name several.
        plugin: Option<Box<str>>,
    },
    /// The provider failed to take one.
    Create(ControllerError),
    /// The provider failed to remove one.
    Delete {
        /// The snapshot.
        snapshot: Box<str>,
        /// What it answered.
        error: ControllerError,
    },
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
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

/// Has snapshots taken of volumes of `namespace`.
///
/// All are tried; if any fails that is the answer, although others may have been taken.
pub fn create_snapshots_with_provider(
    view: &impl ReadView,
    providers: &Providers,
    namespace: &str,
    specs: &[SnapshotSpec],
) -> Result<Vec<CreatedSnapshot>, MultiError<SnapshotError>> {
    let (mut taken, mut faults) = (Vec::new(), Vec::new());
    for spec in specs {
        match ask_snapshot(view, providers, namespace, spec) {
            Ok(snapshot) => taken.push(snapshot),
            Err(fault) => faults.push(fault),
        }
    }
    MultiError::check(faults).map(|()| taken)
}

fn ask_snapshot(
    view: &impl ReadView,
    providers: &Providers,
    namespace: &str,
    spec: &SnapshotSpec,
) -> Result<CreatedSnapshot, SnapshotError> {
    let Some(volume) = view.get::<CsiVolumes>((namespace, &spec.volume_id)) else {
        return Err(SnapshotError::NoVolume { volume: spec.volume_id.clone() });
    };
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
        secrets: &volume.secrets.with(&spec.secrets),
    };
    let create = ControllerOperation::CreateSnapshot;
    let snapshot = call_controller(providers, id, create, |provider| {
        let taken = provider.create_snapshot(&request)?;
        check_answer(&taken.id, taken.size)?;
        Ok(taken)
    })
    .map_err(SnapshotError::Create)?;
    Ok(CreatedSnapshot { volume_id: volume.id.clone(), plugin_id: id.clone(), snapshot })
}

/// Has a snapshot removed; `plugin_id` may be the start of one.
pub fn delete_snapshot_with_provider(
    view: &impl ReadView,
    providers: &Providers,
    plugin_id: &str,
    snapshot_id: &str,
    secrets: &Secrets,
) -> Result<(), MultiError<SnapshotError>> {
    let delete = || {
        // The empty string is the start of every plugin's ID: an incomplete request must not destroy.
        if plugin_id.is_empty() {
            return Err(SnapshotError::MissingPluginId);
        }
        if snapshot_id.is_empty() {
            return Err(SnapshotError::MissingSnapshotId);
        }
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
    delete().or_else(|fault| MultiError::check(vec![fault]))
}

/// Why a provider's volumes or snapshots couldn't be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExternalListError {
    /// No plugin is meant, or several.
    Lookup(PluginLookupError),
    /// The plugin can't list volumes.
    VolumesUnsupported,
    /// The plugin can't list snapshots.
    SnapshotsUnsupported,
    /// The provider failed, or can't be asked.
    Controller(ControllerError),
}

impl fmt::Display for ExternalListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lookup(error) => error.fmt(f),
            Self::VolumesUnsupported => f.write_str("unimplemented for this plugin"),
            Self::SnapshotsUnsupported => f.write_str("plugin does not support listing snapshots"),
            Self::Controller(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ExternalListError {}

/// Lists the volumes that a provider has, at most as many as the page wants; `plugin_id` may be the
/// start of one.
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
    found.volumes.truncate(entries_max(page));
    Ok(found)
}

/// Lists the snapshots that a provider has, in the same way.
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
