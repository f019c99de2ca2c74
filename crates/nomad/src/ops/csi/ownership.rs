//! The namespaces that own a provider's volumes and snapshots.
//!
//! Providers have no namespaces: a caller that names their IDs could read or destroy the data of
//! any team. Data at a provider belongs to the namespaces of the volumes registered with it, and a
//! snapshot to those of its source volume. Data without a registered volume belongs to no
//! namespace.

use std::fmt;

use statehold_store::ReadView;

use crate::{
    controller::{ControllerError, ControllerOperation, any_controller, call_controller},
    fmt::Quoted,
    provider::{ProviderPage, Providers, Snapshots},
    rows::{CsiPlugins, CsiVolumes},
    secrets::Secrets,
};

/// Number of snapshots on a page of the search for a snapshot.
const PAGE: u32 = 1_000;

/// Maximum number of pages of that search, because a provider that repeats its token would never
/// end it.
const PAGES_MAX: usize = 10_000;

/// Why a caller may not use the data it names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OwnershipError {
    /// The data of a volume belongs to other namespaces.
    ForeignData {
        /// The provider's ID of the data.
        external_id: Box<str>,
    },
    /// The snapshot's source volume belongs to other namespaces.
    ForeignSnapshot {
        /// The provider's ID of the snapshot.
        snapshot: Box<str>,
    },
    /// The plugin does not support listing snapshots, so the snapshot's source is unknown.
    UnknownSource {
        /// The provider's ID of the snapshot.
        snapshot: Box<str>,
    },
    /// The provider failed to list its snapshots.
    Controller(ControllerError),
}

impl fmt::Display for OwnershipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForeignData { external_id } => write!(
                f,
                "external ID {} is the data of a volume in another namespace; only a management token may \
                 use it here",
                Quoted(external_id)
            ),
            Self::ForeignSnapshot { snapshot } => write!(
                f,
                "snapshot {} is of a volume in another namespace; only a management token may use it here",
                Quoted(snapshot)
            ),
            Self::UnknownSource { snapshot } => write!(
                f,
                "the plugin can't list snapshots, so the namespace of snapshot {} is not known; only a \
                 management token may use it",
                Quoted(snapshot)
            ),
            Self::Controller(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OwnershipError {}

/// Returns whether every volume with the data `external_id` of the plugin's provider is in a
/// namespace that `sees` rejects; false if no volume has that data.
///
/// Cost: reads only those volumes.
pub fn is_foreign_data(
    view: &impl ReadView,
    plugin_id: &str,
    external_id: &str,
    sees: impl Fn(&str) -> bool,
) -> bool {
    let mut rows = CsiVolumes::with_data(view, plugin_id, external_id).peekable();
    rows.peek().is_some() && !rows.any(|row| sees(&row.namespace))
}

/// Fails for data of volumes in namespaces that `sees` rejects: see [`is_foreign_data`].
///
/// # Errors
/// [`OwnershipError::ForeignData`].
pub fn check_data(
    view: &impl ReadView,
    plugin_id: &str,
    external_id: &str,
    sees: impl Fn(&str) -> bool,
) -> Result<(), OwnershipError> {
    if is_foreign_data(view, plugin_id, external_id, sees) {
        return Err(OwnershipError::ForeignData { external_id: external_id.into() });
    }
    Ok(())
}

/// Fails for snapshots of volumes in namespaces that `sees` rejects. A snapshot that the provider
/// does not list passes. A management token needs no check.
///
/// May block as long as the provider does. Cost: lists the provider's snapshots up to this one.
///
/// # Errors
/// The snapshot belongs to another namespace, or its namespace cannot be determined.
pub fn check_snapshot(
    view: &impl ReadView,
    providers: &Providers,
    plugin_id: &str,
    snapshot_id: &str,
    secrets: &Secrets,
    sees: impl Fn(&str) -> bool,
) -> Result<(), OwnershipError> {
    // Without the plugin no provider can be harmed; the operation itself rejects the request.
    if view.get::<CsiPlugins>(plugin_id).is_none() {
        return Ok(());
    }
    if !any_controller(view, plugin_id, |controller| controller.supports_list_snapshots) {
        return Err(OwnershipError::UnknownSource { snapshot: snapshot_id.into() });
    }
    let mut token: Box<str> = "".into();
    for _ in 0..PAGES_MAX {
        let page = ProviderPage { entries_max: PAGE, token: &token };
        let list = ControllerOperation::ListSnapshots;
        let listed = call_controller(providers, plugin_id, list, |provider| {
            provider.list_snapshots(&page, secrets)
        });
        let Snapshots { snapshots, next_token } = listed.map_err(OwnershipError::Controller)?;
        if let Some(found) = snapshots.iter().find(|snapshot| *snapshot.id == *snapshot_id) {
            return if is_foreign_data(view, plugin_id, &found.external_volume_id, sees) {
                Err(OwnershipError::ForeignSnapshot { snapshot: snapshot_id.into() })
            } else {
                Ok(())
            };
        }
        if next_token.is_empty() {
            return Ok(());
        }
        token = next_token;
    }
    // Fails closed: the search was cut off before the snapshot was found.
    Err(OwnershipError::UnknownSource { snapshot: snapshot_id.into() })
}
