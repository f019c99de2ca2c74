//! Errors for snapshots whose state does not allow an operation.

use std::fmt;

use uuid::Uuid;

use crate::rows::SnapshotStatus;

/// The reason why the state of a snapshot does not allow an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SnapshotRefusal {
    /// It cannot be deleted in its status, or belongs to a group snapshot.
    Delete,
    /// It cannot be transferred with its volume in its status.
    Transfer {
        /// The snapshot.
        snapshot: Uuid,
    },
    /// It belongs to a group snapshot, which MUST stay in its project.
    InGroupSnapshot {
        /// The snapshot.
        snapshot: Uuid,
        /// The group snapshot.
        group_snapshot: Uuid,
    },
    /// The reported status does not follow from the current one.
    StatusNotAllowed {
        /// The reported status.
        status: Box<str>,
        /// The snapshot's status.
        current: SnapshotStatus,
    },
    /// It is neither being created nor deleted, so no status can be reported.
    NoReport {
        /// The snapshot's status.
        current: SnapshotStatus,
    },
}

impl fmt::Display for SnapshotRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Cinder: cinder/volume/api.py, API.delete_snapshot.
            Self::Delete => f.write_str(
                "Invalid snapshot: Snapshot status must be available or error and must not be \
                 part of a group.",
            ),
            // Cinder: cinder/transfer/api.py, API.create.
            Self::Transfer { snapshot } => {
                write!(f, "Invalid snapshot: snapshot: {snapshot} status must be available")
            }
            // A transferred member would leave the project of its group snapshot.
            Self::InGroupSnapshot { snapshot, group_snapshot } => write!(
                f,
                "Invalid snapshot: snapshot: {snapshot} is part of the group snapshot \
                 {group_snapshot}"
            ),
            // Cinder: cinder/api/contrib/snapshot_actions.py, SnapshotActionsController._update_snapshot_status.
            Self::StatusNotAllowed { status, current } => write!(
                f,
                "Provided snapshot status {status} not allowed for snapshot with status {current}."
            ),
            Self::NoReport { current } => {
                write!(f, "Snapshot status {current} not allowed for update_snapshot_status")
            }
        }
    }
}

impl std::error::Error for SnapshotRefusal {}
