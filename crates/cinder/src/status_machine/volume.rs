//! The state machine of volumes.
//!
//! Cinder: `cinder/volume/api.py`, whose methods state the allowed statuses as conditions of one update.

use uuid::Uuid;

use super::{AllowedIn, NextStatus, Transition, find, is_transitional, leads, operations, refused};
use crate::{
    errors::{BackupRefusal, Error, GroupRefusal, VolumeRefusal},
    rows::{Volume, VolumeStatus},
};
use AllowedIn::{Except, In, New};
use NextStatus::{ByAttachments, Gone, Is, Locks, Previous, Stays};
use VolumeOperation as A;
use VolumeStatus::{
    Attaching, Available, AwaitingTransfer, BackingUp, Creating, Deleting, Detaching, Downloading,
    Error as Failed, ErrorBackingUp, ErrorDeleting, ErrorExtending, ErrorManaging,
    ErrorManagingDeleting, ErrorRestoring, ErrorUnmanaging, Extending, InUse, Maintenance,
    Managing, Reserved, RestoringBackup, Retyping, Reverting, Unmanaging, Uploading,
};

operations! {
    /// An operation on a volume, as far as its status decides.
    VolumeOperation of VolumeStatus by VOLUME_TRANSITIONS {
        /// Creates it.
        Create "create"
        /// Adopts a volume that a back end has.
        Manage "manage"
        /// Changes its name, description, metadata or whether it is bootable.
        Update "update, `os-set_bootable`"
        /// Changes its metadata or the metadata of its image.
        UpdateMetadata "change metadata"
        /// Changes whether it is read-only.
        SetReadonly "`os-update_readonly_flag`"
        /// Deletes it before a back end was chosen for it.
        DeleteUnplaced "delete without a back end"
        /// Deletes it, with or without its snapshots.
        Delete "delete"
        /// Deletes it in any status.
        ForceDelete "delete with `force`, `os-force_delete`"
        /// Deletes it together with its group.
        DeleteWithGroup "delete its group"
        /// Deletes its row and keeps its data.
        Unmanage "`os-unmanage`"
        /// Extends it.
        Extend "`os-extend`"
        /// Extends it, with a version that extends attached volumes.
        ExtendInUse "`os-extend` from 3.42"
        /// Completes an extension that waits for its host.
        CompleteExtend "`os-extend_volume_completion`"
        /// Reverts it to its newest snapshot.
        Revert "`revert`"
        /// Changes its type.
        Retype "`os-retype`"
        /// Migrates it to another back end.
        Migrate "`os-migrate_volume`"
        /// Migrates it, and locks it meanwhile.
        MigrateLocked "`os-migrate_volume` with `lock_volume`"
        /// Reserves it before it is attached.
        Reserve "`os-reserve`"
        /// Reserves a volume that several instances may have.
        ReserveShared "`os-reserve`, multiattach"
        /// Ends a reservation.
        Unreserve "`os-unreserve`"
        /// Marks it before it is detached.
        BeginDetaching "`os-begin_detaching`"
        /// Removes that mark.
        RollDetaching "`os-roll_detaching`"
        /// Attaches it.
        Attach "`os-attach`"
        /// Attaches a volume that several instances may have.
        AttachShared "`os-attach`, multiattach"
        /// Detaches it, or changes an attachment of it.
        Detach "`os-detach`, complete or delete an attachment"
        /// Connects or disconnects a host.
        Connect "`os-initialize_connection`, `os-terminate_connection`"
        /// Creates an attachment.
        CreateAttachment "create an attachment"
        /// Creates an attachment of a volume that several instances may have.
        CreateAttachmentShared "create an attachment, multiattach"
        /// Creates another attachment for an instance that has one.
        RepeatAttachment "create another attachment of an instance"
        /// Connects the host of an attachment.
        ConnectAttachment "update an attachment"
        /// Creates an image from it.
        Upload "`os-volume_upload_image`"
        /// Writes an image to it.
        Reimage "`os-reimage`"
        /// Writes an image to it, or to a reserved volume.
        ReimageReserved "`os-reimage` with `reimage_reserved`"
        /// Creates a snapshot of it.
        Snapshot "create a snapshot"
        /// Creates a snapshot of it with `force`.
        SnapshotForced "create a snapshot with `force`"
        /// Creates a snapshot of it, with a version that needs no `force`.
        SnapshotInUse "create a snapshot from 3.66, or of its group"
        /// Adopts a snapshot that its back end has.
        ManageSnapshot "manage a snapshot"
        /// Creates another volume from it.
        Copy "create a volume from it"
        /// Backs it up.
        BackUp "back up"
        /// Backs it up with `force`.
        BackUpForced "back up with `force`"
        /// Overwrites it with a backup.
        Restore "restore a backup to it"
        /// Creates it from a backup.
        RestoreNew "restore a backup to a new one"
        /// Offers it to another project.
        Offer "create a transfer"
        /// Withdraws the offer.
        Withdraw "delete a transfer"
        /// Accepts the offer.
        Accept "accept a transfer"
        /// Adds it to a group.
        AddToGroup "add to a group"
        /// Removes it from a group.
        RemoveFromGroup "remove from a group"
        /// Sets the status that an operator names, and cancels its work.
        Reset "`os-reset_status`"
        /// Ends a status that no work ends.
        CleanUp "clean up workers"
        /// Records that a deletion succeeded although an operator had reset the status.
        Lose "deleted after `os-reset_status`"
    }
}

/// The statuses that [`NextStatus::Previous`] and [`NextStatus::ByAttachments`] stand for.
const SETTLED: &[VolumeStatus] = &[Available, InUse, Attaching, Reserved];

/// The statuses that allow a deletion without `force`.
const DELETABLE: &[VolumeStatus] = &[Available, Failed, ErrorRestoring, ErrorExtending];

/// The statuses of a volume that was never adopted: its data is not this cloud's to delete.
const UNADOPTED: &[VolumeStatus] = &[Managing, ErrorManaging, ErrorManagingDeleting];

/// The statuses of an error: `status.as_str()` contains `error`.
const ERRORS: &[VolumeStatus] = &[
    Failed,
    ErrorDeleting,
    ErrorManaging,
    ErrorRestoring,
    ErrorBackingUp,
    ErrorExtending,
    ErrorUnmanaging,
    ErrorManagingDeleting,
];

/// The statuses of work, an upload or an offer, which a change of attachments leaves.
const BUSY: &[VolumeStatus] = &[
    Creating,
    Deleting,
    Extending,
    Retyping,
    Reverting,
    Managing,
    Unmanaging,
    BackingUp,
    RestoringBackup,
    ErrorManagingDeleting,
    Uploading,
    AwaitingTransfer,
];

const fn row(
    operation: VolumeOperation,
    allowed: AllowedIn<VolumeStatus>,
    target: NextStatus<VolumeStatus>,
) -> Transition<VolumeOperation, VolumeStatus> {
    Transition::new(operation, allowed, target)
}

/// The state machine of volumes. The first row that matches an operation and a status decides.
pub const VOLUME_TRANSITIONS: &[Transition<VolumeOperation, VolumeStatus>] = &[
    // Cinder: cinder/volume/manager.py, VolumeManager.create_volume.
    row(A::Create, New, Is(Creating)).queues("create_volume", Is(Available), Is(Failed)),
    // Cinder: cinder/volume/flows/manager/manage_existing.py, PrepareForQuotaReservationTask.
    row(A::Manage, New, Is(Managing)).queues("manage_volume", Is(Available), Is(ErrorManaging)),
    // Cinder: cinder/volume/api.py, API.update. Deletions of metadata are checked by the next row.
    row(A::Update, Except(&[Maintenance]), Stays),
    row(A::UpdateMetadata, Except(&[Maintenance, Uploading]), Stays),
    // Cinder: cinder/volume/api.py, API.update_readonly_flag.
    row(A::SetReadonly, In(&[Available]), Stays),
    // Cinder: cinder/volume/api.py, API.delete: no back end has anything to delete.
    row(A::DeleteUnplaced, Except(&[]), Gone),
    // Cinder: cinder/volume/api.py, API.delete. A busy back end keeps the volume.
    row(A::Delete, In(DELETABLE), Is(Deleting))
        .queues("delete_volume", Gone, Is(ErrorDeleting))
        .busy(Is(Available)),
    // The data of a volume that was never adopted stays on its back end.
    row(A::Delete, In(&[ErrorManaging]), Is(ErrorManagingDeleting))
        .queues("delete_volume", Gone, Is(ErrorDeleting))
        .busy(Is(ErrorManaging)),
    // `force` does not delete the data of a volume that was never adopted either.
    row(A::ForceDelete, In(UNADOPTED), Is(ErrorManagingDeleting))
        .queues("delete_volume", Gone, Is(ErrorDeleting))
        .busy(Is(ErrorManaging)),
    row(A::ForceDelete, Except(UNADOPTED), Is(Deleting))
        .queues("delete_volume", Gone, Is(ErrorDeleting))
        .busy(Is(Available)),
    row(
        A::DeleteWithGroup,
        In(&[Available, Failed, ErrorDeleting, ErrorRestoring, ErrorExtending]),
        Is(Deleting),
    )
    .queues("delete_volume", Gone, Is(ErrorDeleting))
    .busy(Is(Available)),
    row(A::DeleteWithGroup, In(&[ErrorManaging]), Is(ErrorManagingDeleting))
        .queues("delete_volume", Gone, Is(ErrorDeleting))
        .busy(Is(ErrorManaging)),
    // A member whose deletion is queued already is deleted by that.
    row(A::DeleteWithGroup, In(&[Deleting]), Stays),
    row(
        A::Unmanage,
        In(&[Available, Failed, ErrorRestoring, ErrorExtending, ErrorManaging]),
        Is(Unmanaging),
    )
    .queues("delete_volume", Gone, Is(ErrorUnmanaging))
    .busy(Is(Available)),
    // A failure leaves the size; the volume may be longer on its back end.
    row(A::Extend, In(&[Available]), Is(Extending)).queues(
        "extend_volume",
        Previous,
        Is(ErrorExtending),
    ),
    // Cinder: cinder/volume/api.py, API._extend, called by extend_attached_volume.
    row(A::ExtendInUse, In(&[Available, InUse]), Is(Extending)).queues(
        "extend_volume",
        Previous,
        Is(ErrorExtending),
    ),
    // Cinder: cinder/volume/api.py, API.extend_volume_completion.
    row(A::CompleteExtend, In(&[Extending]), Previous),
    // Cinder: cinder/volume/api.py, API.revert_to_snapshot. A busy back end has changed nothing.
    row(A::Revert, In(&[Available]), Is(Reverting))
        .queues("revert_volume", Is(Available), Is(Failed))
        .busy(Is(Available)),
    // Cinder: cinder/volume/api.py, API.retype. A failed retype leaves the volume as it was.
    row(A::Retype, In(&[Available, InUse]), Is(Retyping)).queues(
        "retype_volume",
        Previous,
        Previous,
    ),
    // Cinder: cinder/volume/api.py, API.migrate_volume. `migration_status` shows the work, not the status.
    row(A::Migrate, In(&[Available, InUse]), Stays).queues("migrate_volume", Previous, Previous),
    // Cinder: cinder/volume/api.py, API.migrate_volume: `lock_volume` locks available volumes alone.
    row(A::MigrateLocked, In(&[Available]), Locks(Maintenance)).queues(
        "migrate_volume",
        Previous,
        Previous,
    ),
    row(A::MigrateLocked, In(&[InUse]), Stays).queues("migrate_volume", Previous, Previous),
    // Cinder: cinder/volume/api.py, API.reserve_volume.
    row(A::Reserve, In(&[Available]), Is(Attaching)),
    row(A::ReserveShared, In(&[Available, InUse]), Is(Attaching)),
    // Cinder: cinder/volume/api.py, API.unreserve_volume, which never fails.
    row(A::Unreserve, In(&[Attaching]), ByAttachments),
    // Cinder: cinder/volume/api.py, API.begin_detaching.
    row(A::BeginDetaching, In(&[InUse]), Is(Detaching)),
    // Cinder: cinder/volume/api.py, API.roll_detaching, which never fails.
    row(A::RollDetaching, In(&[Detaching]), Is(InUse)),
    // Cinder: cinder/volume/manager.py, VolumeManager.attach_volume.
    row(A::Attach, In(&[Available, Attaching]), Is(InUse)),
    row(A::AttachShared, In(&[Available, Attaching, InUse]), Is(InUse)),
    // Cinder: cinder/volume/api.py, API.attachment_delete. Work and transfers keep their status.
    row(A::Detach, Except(BUSY), ByAttachments),
    row(A::Connect, Except(&[Maintenance]), Stays),
    // Cinder: cinder/volume/api.py, API._attachment_reserve.
    row(A::CreateAttachment, In(&[Available, Downloading]), Is(Reserved)),
    row(A::CreateAttachmentShared, In(&[Available, Downloading, InUse]), Is(Reserved)),
    // Cinder: cinder/volume/api.py, API._attachment_reserve: a live migration attaches an instance on two hosts.
    row(A::RepeatAttachment, In(&[InUse, Reserved]), Stays),
    // Cinder: cinder/volume/api.py, API.attachment_update.
    row(A::ConnectAttachment, Except(ERRORS), ByAttachments),
    // Cinder: cinder/volume/api.py, API.copy_volume_to_image. There is no image service, so the status stays.
    row(A::Upload, In(&[Available]), Stays),
    row(A::Reimage, In(&[Available, Failed]), Stays),
    row(A::ReimageReserved, In(&[Available, Failed, Reserved]), Stays),
    // Cinder: cinder/volume/api.py, API.create_snapshot_in_db, as the two rows below.
    row(A::Snapshot, In(&[Available]), Stays),
    row(A::SnapshotForced, In(&[Available, InUse]), Stays),
    row(A::SnapshotInUse, In(&[Available, InUse]), Stays),
    row(A::ManageSnapshot, In(&[Available, InUse]), Stays),
    row(A::Copy, In(&[Available, InUse]), Stays),
    // Cinder: cinder/backup/api.py, API.create. A failure leaves the volume as it was.
    row(A::BackUp, In(&[Available]), Is(BackingUp)).queues("create_backup", Previous, Previous),
    row(A::BackUpForced, In(&[Available, InUse]), Is(BackingUp)).queues(
        "create_backup",
        Previous,
        Previous,
    ),
    // A failed restore leaves a part of the backup on the volume.
    row(A::Restore, In(&[Available]), Is(RestoringBackup)).queues(
        "restore_backup",
        Is(Available),
        Is(ErrorRestoring),
    ),
    row(A::RestoreNew, New, Is(RestoringBackup)).queues(
        "restore_backup",
        Is(Available),
        Is(ErrorRestoring),
    ),
    // Cinder: cinder/transfer/api.py, API.create, as the two rows below.
    row(A::Offer, In(&[Available]), Is(AwaitingTransfer)),
    row(A::Withdraw, In(&[AwaitingTransfer]), Is(Available)),
    row(A::Accept, In(&[AwaitingTransfer]), Is(Available)),
    // Cinder: cinder/group/api.py, API._validate_add_volumes and _validate_remove_volumes.
    row(A::AddToGroup, In(&[Available, InUse]), Stays),
    row(A::RemoveFromGroup, In(&[Available, InUse, Failed, ErrorDeleting]), Stays),
    // The operation refuses the statuses that Cinder's validators refuse.
    row(A::Reset, Except(&[]), NextStatus::OneOf(VolumeStatus::ALL)),
    row(A::CleanUp, In(&[Extending]), Is(ErrorExtending)),
    // Nothing was written to the volume.
    row(A::CleanUp, In(&[Retyping, BackingUp]), Previous),
    row(A::CleanUp, In(&[RestoringBackup]), Is(ErrorRestoring)),
    row(A::CleanUp, In(&[Managing, ErrorManagingDeleting]), Is(ErrorManaging)),
    row(A::CleanUp, In(&[Unmanaging]), Is(ErrorUnmanaging)),
    row(A::CleanUp, In(&[Deleting]), Is(Deleting))
        .queues("delete_volume", Gone, Is(ErrorDeleting))
        .busy(Is(Available)),
    row(A::CleanUp, In(&[Creating, Reverting]), Is(Failed)),
    // The data no longer exists, so that no other status is true.
    row(A::Lose, Except(&[]), Is(Failed)),
];

impl VolumeOperation {
    /// Returns the status that the operation sets on a volume.
    ///
    /// # Errors
    /// The refusal of the operation if the status of the volume does not allow it.
    pub(crate) fn check(self, row: &Volume) -> Result<VolumeStatus, Error> {
        self.check_with(row, row.id)
    }

    /// Like [`check`](Self::check), with the ID of the snapshot or transfer that the refusal names.
    pub(crate) fn check_with(self, row: &Volume, other: Uuid) -> Result<VolumeStatus, Error> {
        match find(VOLUME_TRANSITIONS, self, row.status) {
            Some(_) => Ok(self.next(row.status)),
            None => Err(refused(self.refusal(row.id, row.status, other))),
        }
    }

    /// Returns the status that cleaning up sets on a volume in `status` that had the status `before`.
    pub(crate) fn clean_up(status: VolumeStatus, before: VolumeStatus) -> VolumeStatus {
        match find(VOLUME_TRANSITIONS, Self::CleanUp, status).map(|row| row.target) {
            Some(Previous) => before,
            _ => Self::CleanUp.next(status),
        }
    }

    /// Returns the refusal of the operation on a volume in `status`; none for operations that do nothing in the
    /// statuses that do not allow them.
    pub(super) fn refusal(self, volume: Uuid, status: VolumeStatus, other: Uuid) -> Option<Error> {
        let refusal = match self {
            Self::Create
            | Self::RestoreNew
            | Self::Manage
            | Self::DeleteUnplaced
            | Self::Unreserve
            | Self::RollDetaching
            | Self::Detach
            | Self::Withdraw
            | Self::RepeatAttachment
            | Self::Reset
            | Self::CleanUp
            | Self::Lose => return None,
            Self::CompleteExtend => {
                return Some(Error::request("Invalid volume: Volume is not being extended."));
            }
            Self::Update | Self::Connect => VolumeRefusal::Maintenance,
            Self::UpdateMetadata => VolumeRefusal::Metadata { volume, status },
            Self::SetReadonly => VolumeRefusal::ReadOnlyFlag { volume, status },
            Self::Delete | Self::Unmanage => VolumeRefusal::Delete { force: false },
            Self::ForceDelete => VolumeRefusal::Delete { force: true },
            Self::DeleteWithGroup => return Some(GroupRefusal::Busy { volume, status }.into()),
            Self::Extend | Self::ExtendInUse => VolumeRefusal::Extend { volume, status },
            Self::Revert => VolumeRefusal::Revert { volume, snapshot: other },
            Self::Retype => VolumeRefusal::Retype,
            Self::Migrate | Self::MigrateLocked => VolumeRefusal::Migrate { volume },
            Self::Reserve | Self::ReserveShared => VolumeRefusal::Reserve { status },
            Self::BeginDetaching => VolumeRefusal::BeginDetaching,
            Self::Attach | Self::AttachShared => match status {
                Maintenance => VolumeRefusal::Maintenance,
                InUse => VolumeRefusal::AlreadyAttached,
                status => VolumeRefusal::Attach { status },
            },
            Self::CreateAttachment | Self::CreateAttachmentShared => {
                // Cinder: cinder/volume/api.py, API.attachment_create checks for errors before it reserves.
                if ERRORS.contains(&status) {
                    VolumeRefusal::AttachmentOnError { volume, status }
                } else {
                    VolumeRefusal::AttachmentReserve { volume, status }
                }
            }
            Self::ConnectAttachment => VolumeRefusal::AttachmentOnError { volume, status },
            Self::Upload => VolumeRefusal::Upload { volume },
            Self::Reimage => VolumeRefusal::Reimage { volume, status, reserved: false },
            Self::ReimageReserved => VolumeRefusal::Reimage { volume, status, reserved: true },
            // With `force` before 3.66, the text does not name `in-use` although it is allowed, as in Cinder.
            Self::Snapshot | Self::SnapshotForced => {
                VolumeRefusal::Snapshot { volume, status, in_use_allowed: false }
            }
            Self::SnapshotInUse => VolumeRefusal::Snapshot { volume, status, in_use_allowed: true },
            Self::ManageSnapshot => {
                return Some(Error::request(format!(
                    "Invalid volume: Volume {volume} status must be available or in-use, but \
                     current status is: {status}."
                )));
            }
            Self::Copy => {
                return Some(Error::request(
                    "Invalid volume: Originating source volume status must be one of 'available, \
                     in-use' values",
                ));
            }
            Self::BackUp if status == InUse => return Some(BackupRefusal::InUse.into()),
            Self::BackUp | Self::BackUpForced => {
                return Some(BackupRefusal::Volume { status }.into());
            }
            Self::Restore => return Some(BackupRefusal::RestoreVolume.into()),
            Self::Offer => VolumeRefusal::Transfer,
            Self::Accept => VolumeRefusal::AcceptTransfer { transfer: other },
            Self::AddToGroup => {
                let (volume, group) = (volume.to_string().into(), other);
                let why = crate::errors::CantAdd::Status(status);
                return Some(GroupRefusal::Add { volume, group, why }.into());
            }
            Self::RemoveFromGroup => {
                let (volume, group) = (volume.to_string().into(), other);
                return Some(GroupRefusal::Remove { volume, group, status: Some(status) }.into());
            }
        };
        Some(refusal.into())
    }
}

impl VolumeStatus {
    /// Returns whether a worker has to bring the volume out of the status.
    pub fn is_transitional(self) -> bool {
        // `attaching`, `detaching` and `awaiting-transfer` are absent, because clients end them.
        is_transitional(VOLUME_TRANSITIONS, self)
    }

    /// Returns whether an operation or the end of work leads from this status to `to`, or to the deletion of the
    /// volume if
    /// `to` is `None`. An operator can set any status besides.
    pub fn can_become(self, to: Option<Self>) -> bool {
        leads(VOLUME_TRANSITIONS, A::Reset, SETTLED, (self, to))
    }
}
