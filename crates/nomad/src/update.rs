//! Re-registration of a volume: which fields may change, and whether it must be expanded.
//!
//! All violations of a volume are collected before any is reported. A volume with a violation is
//! not changed.
//!
//! Nomad: `nomad/structs/csi.go`, `CSIVolume.Merge`; `nomad/csi_endpoint.go`,
//! `CSIVolume.expandVolume`. The messages are Nomad's, except that of
//! [`CapacityError::NoController`].

use std::{collections::BTreeSet, fmt};

use crate::{
    controller::ControllerError,
    fmt::{HumanBytes, MultiError},
    rows::{CsiVolume, MountOptions},
    volume_spec::VolumeSpec,
};

/// A change that a registered volume does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MergeViolation {
    /// A different name.
    Name,
    /// A different ID at the provider.
    ExternalId,
    /// A different plugin, or none.
    PluginId,
    /// A different volume as the source of its data.
    CloneId,
    /// A different snapshot as the source of its data.
    SnapshotId,
    /// The capability in use is missing from the requested ones.
    CapabilityInUse,
    /// A different topology request for a volume that has a topology.
    Topology,
    /// Different mount options while the volume is in use.
    MountOptionsInUse,
    /// Different creation parameters.
    Parameters,
}

impl fmt::Display for MergeViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "volume name cannot be updated",
            Self::ExternalId => "volume external ID cannot be updated",
            Self::PluginId => "volume plugin ID cannot be updated",
            Self::CloneId => "volume clone ID cannot be updated",
            Self::SnapshotId => "volume snapshot ID cannot be updated",
            Self::CapabilityInUse => {
                "volume requested capabilities update was not compatible with existing \
                 capability in use"
            }
            Self::Topology => {
                "volume topology request update was not compatible with existing topology"
            }
            Self::MountOptionsInUse => "can not update mount options while volume is in use",
            Self::Parameters => "volume parameters cannot be updated",
        })
    }
}

/// Why a registered volume cannot get the requested capacity.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CapacityError {
    /// The requested maximum is below the requested minimum.
    MaxBelowMin {
        /// The maximum, in bytes.
        max: i64,
        /// The minimum, in bytes.
        min: i64,
    },
    /// The requested maximum is below the current capacity.
    MaxBelowCurrent {
        /// The maximum, in bytes.
        max: i64,
        /// The current capacity, in bytes.
        current: i64,
    },
    /// The volume must be expanded, and its plugin does not support that.
    NotImplemented,
    /// The volume must be expanded, and no provider here reaches its controller.
    NoController,
    /// The controller failed to expand the volume.
    Expand(ControllerError),
}

impl fmt::Display for CapacityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxBelowMin { max, min } => write!(
                f,
                "max requested capacity ({}) less than or equal to min ({})",
                HumanBytes(*max),
                HumanBytes(*min)
            ),
            Self::MaxBelowCurrent { max, current } => write!(
                f,
                "max requested capacity ({}) less than or equal to current ({})",
                HumanBytes(*max),
                HumanBytes(*current)
            ),
            Self::NotImplemented => {
                f.write_str("expand is not implemented by this controller plugin")
            }
            Self::NoController => {
                f.write_str("unable to expand volume: controller expand volume: No path to node")
            }
            Self::Expand(error) => write!(f, "unable to expand volume: {error}"),
        }
    }
}

impl std::error::Error for CapacityError {}

/// Why a registered volume cannot be updated.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpdateError {
    /// Changes that the volume does not allow.
    Merge(MultiError<MergeViolation>),
    /// A capacity that it cannot have.
    Capacity(CapacityError),
}

impl fmt::Display for UpdateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Merge(errors) => errors.fmt(f),
            Self::Capacity(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for UpdateError {}

/// Merges `update` into `volume`. An error leaves `volume` half changed, so the caller MUST pass a
/// copy.
///
/// `can_expand` returns whether the plugin can expand the volume; `larger` is the capacity in bytes
/// after the provider has expanded it.
pub(crate) fn update(
    volume: &mut CsiVolume,
    update: VolumeSpec,
    can_expand: impl FnOnce() -> bool,
    larger: Option<i64>,
) -> Result<(), UpdateError> {
    let (min, max) = (update.requested_capacity_min, update.requested_capacity_max);
    merge(volume, update).map_err(UpdateError::Merge)?;
    request_capacity(volume, min, max, can_expand, larger).map_err(UpdateError::Capacity)
}

fn merge(volume: &mut CsiVolume, update: VolumeSpec) -> Result<(), MultiError<MergeViolation>> {
    // An empty field of a request keeps the stored value.
    let moved = |new: &str, old: &str| !new.is_empty() && new != old;
    let capability_gone = (!volume.access_mode.is_empty() || !volume.attachment_mode.is_empty())
        && !update.requested_capabilities.iter().any(|one| {
            one.access_mode == volume.access_mode && one.attachment_mode == volume.attachment_mode
        });
    let checks = [
        (moved(&update.name, &volume.name), MergeViolation::Name),
        (moved(&update.external_id, &volume.external_id), MergeViolation::ExternalId),
        (update.plugin_id != volume.plugin_id, MergeViolation::PluginId),
        (moved(&update.clone_id, &volume.clone_id), MergeViolation::CloneId),
        (moved(&update.snapshot_id, &volume.snapshot_id), MergeViolation::SnapshotId),
        (capability_gone, MergeViolation::CapabilityInUse),
        (
            !volume.topologies.is_empty()
                && update.requested_topologies != volume.requested_topologies,
            MergeViolation::Topology,
        ),
        (
            volume.is_in_use()
                && !same_options(volume.mount_options.as_ref(), update.mount_options.as_ref()),
            MergeViolation::MountOptionsInUse,
        ),
        (
            !update.parameters.is_empty() && update.parameters != volume.parameters,
            MergeViolation::Parameters,
        ),
    ];
    MultiError::check(
        checks.into_iter().filter_map(|(wrong, violation)| wrong.then_some(violation)).collect(),
    )?;
    volume.requested_capabilities = update.requested_capabilities;
    // The mount options of a volume in use were compared above: they differ in the order of flags
    // at most.
    if !volume.is_in_use() {
        volume.mount_options = update.mount_options;
    }
    volume.secrets = update.secrets;
    // The context belongs to the provider: a request without one MUST NOT erase it.
    if !update.context.is_empty() {
        volume.context = update.context;
    }
    Ok(())
}

/// Returns whether nodes would mount in the same way. The order of the flags does not matter.
// Nomad: nomad/structs/csi.go, CSIMountOptions.Equal.
fn same_options(old: Option<&MountOptions>, new: Option<&MountOptions>) -> bool {
    match (old, new) {
        (None, None) => true,
        (Some(old), Some(new)) => {
            let set = |options: &MountOptions| options.mount_flags.iter().cloned().collect();
            let (old_flags, new_flags): (BTreeSet<Box<str>>, BTreeSet<Box<str>>) =
                (set(old), set(new));
            old.fs_type == new.fs_type && old_flags == new_flags
        }
        _ => false,
    }
}

fn request_capacity(
    volume: &mut CsiVolume,
    min: i64,
    max: i64,
    can_expand: impl FnOnce() -> bool,
    larger: Option<i64>,
) -> Result<(), CapacityError> {
    let unchanged = min == volume.requested_capacity_min && max == volume.requested_capacity_max;
    if (min == 0 && max == 0) || unchanged {
        return Ok(());
    }
    if max > 0 && max < min {
        return Err(CapacityError::MaxBelowMin { max, min });
    }
    if max > 0 && max < volume.capacity {
        return Err(CapacityError::MaxBelowCurrent { max, current: volume.capacity });
    }
    // The request is stored although the volume may be large enough already.
    volume.requested_capacity_min = min;
    volume.requested_capacity_max = max;
    if min <= volume.capacity {
        return Ok(());
    }
    if !can_expand() {
        return Err(CapacityError::NotImplemented);
    }
    volume.capacity = larger.ok_or(CapacityError::NoController)?;
    Ok(())
}

#[cfg(test)]
mod tests;
