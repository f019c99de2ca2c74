//! The namespaces that a provider's volumes and snapshots belong to.
//!
//! Providers know no namespaces: a caller that names their IDs could read or destroy data of any team. What a
//! provider has belongs to the namespaces of the volumes here that are its data, and a snapshot to those of
//! the volume that it was taken of. Data that no volume here is belongs to no namespace.

use std::fmt;

use statehold_store::ReadView;

use crate::{
    controller::{ControllerError, ControllerOperation, any_controller, call_controller},
    fmt::Quoted,
    provider::{ProviderPage, Providers, Snapshots},
    rows::{CsiPlugins, CsiVolumes},
    secrets::Secrets,
};

/// Snapshots of one page while a snapshot is looked for.
const PAGE: u32 = 1_000;

/// Maximum number of pages that are looked through for a snapshot: a provider that repeats its token would be
/// asked for ever.
const PAGES_MAX: usize = 10_000;

/// Why a caller may not use what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OwnershipError {
    /// The data of a volume belongs to other namespaces.
    ForeignData {
        /// The provider's ID of it.
        external_id: Box<str>,
    },
    /// The volume that the snapshot was taken of belongs to other namespaces.
    ForeignSnapshot {
        /// The provider's ID of the snapshot.
        snapshot: Box<str>,
    },
    /// The plugin can't list snapshots, so the snapshot's volume is not known.
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

/// Whether all volumes that are the data which the plugin's provider calls `external_id` are in namespaces
/// that `sees` refuses. `false` if no volume is.
///
/// Cost: reads those volumes alone.
pub fn is_foreign_data(
    view: &impl ReadView,
    plugin_id: &str,
    external_id: &str,
    sees: impl Fn(&str) -> bool,
) -> bool {
    let mut rows = CsiVolumes::with_data(view, plugin_id, external_id).peekable();
    rows.peek().is_some() && !rows.any(|row| sees(&row.namespace))
}

/// Refuses the data of volumes in namespaces that `sees` refuses: see [`is_foreign_data`].
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

/// Refuses snapshots of volumes in namespaces that `sees` refuses. A snapshot that the provider does not list
/// is nobody's. Callers that may do everything need no check.
///
/// May block, for as long as the provider does. Cost: lists the provider's snapshots up to this one.
///
/// # Errors
/// The snapshot is another namespace's, or its namespace can't be found out.
pub fn check_snapshot(
    view: &impl ReadView,
    providers: &Providers,
    plugin_id: &str,
    snapshot_id: &str,
    secrets: &Secrets,
    sees: impl Fn(&str) -> bool,
) -> Result<(), OwnershipError> {
    // Without the plugin there is no provider to harm; the operation itself refuses the request.
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
    Err(OwnershipError::UnknownSource { snapshot: snapshot_id.into() })
}
