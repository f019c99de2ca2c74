//! The state machine of snapshots.

use super::{AllowedIn, NextStatus, Transition, find, is_transitional, leads, operations, refused};
use crate::{
    errors::{BackupRefusal, Error, SnapshotRefusal, VolumeRefusal},
    rows::{Snapshot, SnapshotStatus},
};
use AllowedIn::{Except, In, New};
use NextStatus::{Gone, Is, OneOf, Stays};
use SnapshotOperation as A;
use SnapshotStatus::{
    Available, BackingUp, Creating, Deleting, Error as Failed, ErrorDeleting, Restoring, Unmanaging,
};
use uuid::Uuid;

operations! {
    /// An operation on a snapshot, as far as its status decides.
    SnapshotOperation of SnapshotStatus by SNAPSHOT_TRANSITIONS {
        /// Creates it, alone or as a member of a group snapshot.
        Create "create"
        /// Adopts a snapshot that a back end has.
        Manage "manage"
        /// Changes its name, description or metadata.
        Update "update, change metadata"
        /// Deletes it.
        Delete "delete"
        /// Deletes it in any status.
        ForceDelete "`os-force_delete`"
        /// Deletes it together with its volume.
        DeleteWithVolume "delete its volume with `cascade`"
        /// Deletes it together with its group snapshot.
        DeleteWithGroup "delete its group snapshot"
        /// Deletes its row and keeps its data.
        Unmanage "`os-unmanage`"
        /// Reverts its volume to it.
        Revert "`revert` its volume"
        /// Creates a volume from it.
        Copy "create a volume from it"
        /// Backs it up.
        BackUp "back up"
        /// Offers it to another project together with its volume.
        Offer "create or accept a transfer of its volume"
        /// Sets the status that a back end reports.
        Report "`os-update_snapshot_status`"
        /// Sets the status that an operator names, and cancels its work.
        Reset "`os-reset_status`"
        /// Ends a status that no work ends.
        CleanUp "clean up workers"
        /// Records that a deletion succeeded although an operator had reset the status.
        Lose "deleted after `os-reset_status`"
    }
}

const fn row(
    operation: SnapshotOperation,
    allowed: AllowedIn<SnapshotStatus>,
    target: NextStatus<SnapshotStatus>,
) -> Transition<SnapshotOperation, SnapshotStatus> {
    Transition::new(operation, allowed, target)
}

/// The state machine of snapshots. The first row that matches an operation and a status decides.
pub const SNAPSHOT_TRANSITIONS: &[Transition<SnapshotOperation, SnapshotStatus>] = &[
    // Cinder: cinder/volume/manager.py, VolumeManager.create_snapshot.
    row(A::Create, New, Is(Creating)).queues("create_snapshot", Is(Available), Is(Failed)),
    row(A::Manage, New, Is(Creating)).queues("manage_snapshot", Is(Available), Is(Failed)),
    row(A::Update, Except(&[]), Stays),
    // Cinder: cinder/volume/api.py, API.delete_snapshot.
    row(A::Delete, In(&[Available, Failed]), Is(Deleting))
        .queues("delete_snapshot", Gone, Is(ErrorDeleting))
        .busy(Is(Available)),
    // The work on the volume releases a snapshot that the volume is being reverted to.
    row(A::ForceDelete, Except(&[Restoring]), Is(Deleting))
        .queues("delete_snapshot", Gone, Is(ErrorDeleting))
        .busy(Is(Available)),
    // Cinder: cinder/volume/api.py, API.delete: a cascade takes no snapshot that a single deletion refuses.
    row(A::DeleteWithVolume, In(&[Available, Failed]), Is(Deleting))
        .queues("delete_snapshot", Gone, Is(ErrorDeleting))
        .busy(Is(Available)),
    row(A::DeleteWithGroup, In(&[Available, Failed, ErrorDeleting]), Is(Deleting))
        .queues("delete_snapshot", Gone, Is(ErrorDeleting))
        .busy(Is(Available)),
    // A member whose deletion is queued already is deleted by that.
    row(A::DeleteWithGroup, In(&[Deleting]), Stays),
    row(A::Unmanage, In(&[Available, Failed]), Is(Unmanaging))
        .queues("delete_snapshot", Gone, Is(ErrorDeleting))
        .busy(Is(Available)),
    // The work reads the snapshot alone, so that a failure leaves it usable.
    row(A::Revert, In(&[Available]), Is(Restoring)).queues(
        "revert_volume",
        Is(Available),
        Is(Available),
    ),
    row(A::Copy, In(&[Available]), Stays),
    // The backup reads the snapshot alone, so that a failure leaves it usable.
    row(A::BackUp, In(&[Available]), Is(BackingUp)).queues(
        "create_backup",
        Is(Available),
        Is(Available),
    ),
    // Cinder: cinder/transfer/api.py, API.create.
    row(A::Offer, In(&[Available]), Stays),
    // Cinder: cinder/api/contrib/snapshot_actions.py, SnapshotActionsController._update_snapshot_status.
    row(A::Report, In(&[Creating]), OneOf(&[Creating, Available, Failed])),
    row(A::Report, In(&[Deleting]), OneOf(&[Deleting, ErrorDeleting])),
    row(A::Reset, Except(&[]), OneOf(SnapshotStatus::ALL)),
    row(A::CleanUp, In(&[BackingUp, Restoring]), Is(Available)),
    row(A::CleanUp, In(&[Deleting]), Is(Deleting))
        .queues("delete_snapshot", Gone, Is(ErrorDeleting))
        .busy(Is(Available)),
    row(A::CleanUp, In(&[Creating, Unmanaging]), Is(Failed)),
    // The data no longer exists, so that no other status is true.
    row(A::Lose, Except(&[]), Is(Failed)),
];

impl SnapshotOperation {
    /// Returns the status that the operation sets on a snapshot.
    ///
    /// # Errors
    /// The refusal of the operation if the status of the snapshot does not allow it.
    pub(crate) fn check(self, row: &Snapshot) -> Result<SnapshotStatus, Error> {
        match find(SNAPSHOT_TRANSITIONS, self, row.status) {
            Some(_) => Ok(self.next(row.status)),
            None => Err(refused(self.refusal(row.volume_id, row.id, row.status))),
        }
    }

    /// Returns the statuses that a back end can report for a snapshot in `status`; none if no work is reported for it.
    pub(crate) fn reports(status: SnapshotStatus) -> Option<&'static [SnapshotStatus]> {
        match find(SNAPSHOT_TRANSITIONS, Self::Report, status)?.target {
            OneOf(statuses) => Some(statuses),
            _ => None,
        }
    }

    /// Returns the refusal of the operation on a snapshot in `status`; none for operations that do nothing in the
    /// statuses that do not allow them.
    pub(super) fn refusal(
        self,
        volume: Uuid,
        snapshot: Uuid,
        status: SnapshotStatus,
    ) -> Option<Error> {
        Some(match self {
            Self::Create
            | Self::Manage
            | Self::Update
            | Self::Reset
            | Self::CleanUp
            | Self::Lose => return None,
            Self::Delete | Self::ForceDelete | Self::Unmanage => SnapshotRefusal::Delete.into(),
            Self::DeleteWithVolume => VolumeRefusal::Delete { force: false }.into(),
            Self::DeleteWithGroup => crate::errors::GroupRefusal::DeleteSnapshot.into(),
            Self::Revert => VolumeRefusal::RevertSnapshot { volume, snapshot }.into(),
            Self::Copy => Error::request(
                "Invalid snapshot: Originating snapshot status must be one of 'available' values",
            ),
            Self::BackUp => BackupRefusal::Snapshot { status }.into(),
            Self::Offer => SnapshotRefusal::Transfer { snapshot }.into(),
            Self::Report => SnapshotRefusal::NoReport { current: status }.into(),
        })
    }
}

impl SnapshotStatus {
    /// Returns whether a worker has to bring the snapshot out of the status.
    pub fn is_transitional(self) -> bool {
        is_transitional(SNAPSHOT_TRANSITIONS, self)
    }

    /// Returns whether an operation or the end of work leads from this status to `to`, or to the deletion of the
    /// snapshot if `to` is `None`. An operator can set any status besides.
    pub fn can_become(self, to: Option<Self>) -> bool {
        leads(SNAPSHOT_TRANSITIONS, A::Reset, &[Available], (self, to))
    }
}
