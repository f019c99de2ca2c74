//! Deletes volumes at their provider.
//!
//! Nomad: `nomad/csi_endpoint.go`, `CSIVolume.Delete`.

use std::fmt;

use statehold_store::ReadView;

use crate::{
    controller::{ControllerError, ControllerOperation, call_controller},
    fmt::Quoted,
    health::VolumeHealth,
    provider::Providers,
    rows::{CsiPlugins, CsiVolumes},
    secrets::Secrets,
};

/// Why volumes could not be deleted at their provider.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeleteError {
    /// The request names no volumes.
    MissingIds,
    /// The volume does not exist.
    NotFound {
        /// Its ID.
        volume: Box<str>,
    },
    /// An allocation claims the volume.
    InUse {
        /// Its ID.
        volume: Box<str>,
    },
    /// Another volume has the same data, which would be deleted with this one's.
    Shared {
        /// Its ID.
        volume: Box<str>,
    },
    /// The volume's plugin has no controller that could delete it.
    NoController {
        /// The plugin's ID.
        plugin: Box<str>,
        /// The volume's ID.
        volume: Box<str>,
    },
    /// The volume's plugin does not exist.
    NoPlugin {
        /// Its ID.
        plugin: Box<str>,
    },
    /// The provider failed or cannot be reached.
    Controller(ControllerError),
}

impl fmt::Display for DeleteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingIds => f.write_str("missing volume IDs"),
            Self::NotFound { volume } => write!(f, "volume not found: {volume}"),
            Self::InUse { volume } => write!(f, "volume in use: {volume}"),
            Self::Shared { volume } => write!(
                f,
                "volume {volume} has the same external ID as another volume: deregister it instead, \
                 which keeps the data"
            ),
            Self::NoController { plugin, volume } => {
                write!(f, "plugin {} for volume {} not found", Quoted(plugin), Quoted(volume))
            }
            Self::NoPlugin { plugin } => write!(f, "plugin not found: {plugin}"),
            Self::Controller(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DeleteError {}

/// Deletes volumes at their providers; [`deregister`](super::deregister()) then deletes their rows.
/// May block as long as the providers do.
///
/// No provider is called before all volumes are checked: a claimed volume is never deleted. A claim
/// that is taken while the provider works does not stop it. `secrets` are merged with those of each
/// volume, and take precedence.
pub fn delete_with_provider(
    view: &impl ReadView,
    providers: &Providers,
    namespace: &str,
    ids: &[&str],
    secrets: &Secrets,
) -> Result<(), DeleteError> {
    if ids.is_empty() {
        return Err(DeleteError::MissingIds);
    }
    let mut volumes = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(volume) = view.get::<CsiVolumes>((namespace, id)) else {
            return Err(DeleteError::NotFound { volume: (*id).into() });
        };
        let plugin = volume.plugin_id.clone();
        // Nomad: nomad/csi_endpoint.go, CSIVolume.deleteVolume. Without a controller there is no
        // data to delete remotely.
        if !VolumeHealth::for_claim(view, volume).plugin.controller_required {
            return Err(DeleteError::NoController { plugin, volume: (*id).into() });
        }
        if view.get::<CsiPlugins>(&plugin).is_none() {
            return Err(DeleteError::NoPlugin { plugin });
        }
        // Checked before the provider is called, because deleted data cannot be restored.
        if volume.is_in_use() {
            return Err(DeleteError::InUse { volume: (*id).into() });
        }
        // Two rows may share data on purpose; deleting it would break the other one.
        let mut same = CsiVolumes::with_data(view, &volume.plugin_id, volume.remote_id());
        if same.any(|row| (&row.namespace, &row.id) != (&volume.namespace, &volume.id)) {
            return Err(DeleteError::Shared { volume: (*id).into() });
        }
        volumes.push(volume);
    }
    for volume in volumes {
        // The secrets of a request replace outdated ones of the row.
        let secrets = volume.secrets.with(secrets);
        let delete = ControllerOperation::Delete;
        call_controller(providers, &volume.plugin_id, delete, |provider| {
            provider.delete_volume(volume.remote_id(), &secrets)
        })
        .map_err(DeleteError::Controller)?;
    }
    Ok(())
}
