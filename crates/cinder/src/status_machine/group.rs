//! The state machines of groups and of group snapshots.
//!
//! A group snapshot, and a group that is copied from another, have no work of their own: they leave `creating` and
//! `deleting` with the last of their members.

use super::{AllowedIn, NextStatus, Transition, find, leads, operations, refused};
use crate::{
    errors::{Error, GroupRefusal},
    rows::{Group, GroupSnapshot, GroupSnapshotStatus, GroupStatus},
};
use AllowedIn::{Except, In, New};
use NextStatus::{Gone, Is, OneOf, Stays};

operations! {
    /// An operation on a group, as far as its status decides.
    GroupOperation of GroupStatus by GROUP_TRANSITIONS {
        /// Creates it.
        Create "create"
        /// Creates it from another group or a group snapshot.
        CreateFrom "create from a group or group snapshot"
        /// Changes its name and description.
        Update "update the name or description"
        /// Adds volumes to it or removes them.
        ChangeVolumes "add or remove volumes"
        /// Creates a volume in it.
        CreateVolume "create a volume in it"
        /// Deletes it before it has a back end.
        DeleteUnplaced "delete without a back end and volumes"
        /// Deletes it.
        Delete "delete"
        /// Deletes it with its volumes.
        DeleteWithVolumes "delete with `delete-volumes`"
        /// Creates a group snapshot of it.
        Snapshot "create a group snapshot"
        /// Sets the status that an operator names, and cancels its work.
        Reset "`reset_status`"
    }
}

const fn row<A: Copy, S: Copy>(
    operation: A,
    allowed: AllowedIn<S>,
    target: NextStatus<S>,
) -> Transition<A, S> {
    Transition::new(operation, allowed, target)
}

/// The state machine of groups. The first row that matches an operation and a status decides.
pub const GROUP_TRANSITIONS: &[Transition<GroupOperation, GroupStatus>] = &[
    // Cinder: cinder/volume/manager.py, VolumeManager.create_group.
    row(GroupOperation::Create, New, Is(GroupStatus::Creating)).queues(
        "create_group",
        Is(GroupStatus::Available),
        Is(GroupStatus::Error),
    ),
    // The volumes of the new group have the work.
    row(GroupOperation::CreateFrom, New, Is(GroupStatus::Creating)).queues(
        "create_volume",
        Is(GroupStatus::Available),
        Is(GroupStatus::Error),
    ),
    row(GroupOperation::Update, Except(&[]), Stays),
    // Cinder: cinder/group/api.py, API.update. Cinder passes through `updating`; this server changes the rows at once.
    row(GroupOperation::ChangeVolumes, In(&[GroupStatus::Available]), Stays),
    row(GroupOperation::CreateVolume, In(&[GroupStatus::Available, GroupStatus::Creating]), Stays),
    // Cinder: cinder/group/api.py, API.delete: no back end has anything to delete.
    row(GroupOperation::DeleteUnplaced, Except(&[]), Gone),
    row(
        GroupOperation::Delete,
        In(&[GroupStatus::Available, GroupStatus::Error]),
        Is(GroupStatus::Deleting),
    )
    .queues("delete_group", Gone, Is(GroupStatus::Error)),
    row(
        GroupOperation::DeleteWithVolumes,
        Except(&[GroupStatus::Creating, GroupStatus::Deleting]),
        Is(GroupStatus::Deleting),
    )
    .queues("delete_group", Gone, Is(GroupStatus::Error)),
    row(
        GroupOperation::Snapshot,
        Except(&[GroupStatus::Creating, GroupStatus::Updating, GroupStatus::Deleting]),
        Stays,
    ),
    row(
        GroupOperation::Reset,
        Except(&[]),
        // Cinder: cinder/api/validation/validators.py, _validate_group_status, refuses `in-use`.
        OneOf(&[
            GroupStatus::Error,
            GroupStatus::Available,
            GroupStatus::Creating,
            GroupStatus::Deleting,
            GroupStatus::Deleted,
            GroupStatus::Updating,
            GroupStatus::ErrorDeleting,
        ]),
    ),
];

impl GroupOperation {
    /// Returns the status that the operation sets on a group.
    ///
    /// # Errors
    /// The refusal of the operation if the status of the group does not allow it.
    pub(crate) fn check(self, row: &Group) -> Result<GroupStatus, Error> {
        match find(GROUP_TRANSITIONS, self, row.status) {
            Some(_) => Ok(self.next(row.status)),
            None => Err(refused(self.refusal(row.status))),
        }
    }

    /// Returns the refusal of the operation on a group in `status`; none for operations that no status refuses.
    pub(super) fn refusal(self, status: GroupStatus) -> Option<Error> {
        let allowed = match self {
            Self::Create | Self::CreateFrom | Self::Update | Self::DeleteUnplaced | Self::Reset => {
                return None;
            }
            Self::ChangeVolumes => "available",
            Self::CreateVolume => {
                return Some(Error::request(
                    "Invalid Group: Originating group status must be one of 'available, creating' \
                     values",
                ));
            }
            Self::Delete | Self::DeleteWithVolumes => "available or error",
            Self::Snapshot if status == GroupStatus::Deleting => "available",
            Self::Snapshot => return Some(GroupRefusal::NothingToSnapshot.into()),
        };
        Some(GroupRefusal::Status { allowed, status }.into())
    }
}

impl GroupStatus {
    /// Returns whether an operation or the end of work leads from this status to `to`, or to the deletion of the
    /// group if
    /// `to` is `None`. An operator can set any status besides.
    pub fn can_become(self, to: Option<Self>) -> bool {
        leads(GROUP_TRANSITIONS, GroupOperation::Reset, &[Self::Available], (self, to))
    }
}

operations! {
    /// An operation on a group snapshot, as far as its status decides.
    GroupSnapshotOperation of GroupSnapshotStatus by GROUP_SNAPSHOT_TRANSITIONS {
        /// Creates it with a snapshot of each volume of its group.
        Create "create"
        /// Creates a group from it.
        Copy "create a group from it"
        /// Deletes it with its snapshots.
        Delete "delete"
        /// Sets the status that an operator names.
        Reset "`reset_status`"
    }
}

/// The state machine of group snapshots. The first row that matches an operation and a status decides.
pub const GROUP_SNAPSHOT_TRANSITIONS: &[Transition<GroupSnapshotOperation, GroupSnapshotStatus>] =
    &[
        // The snapshots of the group snapshot have the work.
        row(GroupSnapshotOperation::Create, New, Is(GroupSnapshotStatus::Creating)).queues(
            "create_snapshot",
            Is(GroupSnapshotStatus::Available),
            Is(GroupSnapshotStatus::Error),
        ),
        // Cinder: cinder/group/api.py, API.create_from_src.
        row(GroupSnapshotOperation::Copy, In(&[GroupSnapshotStatus::Available]), Stays),
        row(
            GroupSnapshotOperation::Delete,
            In(&[GroupSnapshotStatus::Available, GroupSnapshotStatus::Error]),
            Is(GroupSnapshotStatus::Deleting),
        )
        .queues("delete_snapshot", Gone, Is(GroupSnapshotStatus::Error)),
        row(GroupSnapshotOperation::Reset, Except(&[]), OneOf(GroupSnapshotStatus::ALL)),
    ];

impl GroupSnapshotOperation {
    /// Returns the status that the operation sets on a group snapshot.
    ///
    /// # Errors
    /// The refusal of the operation if the status of the group snapshot does not allow it.
    pub(crate) fn check(self, row: &GroupSnapshot) -> Result<GroupSnapshotStatus, Error> {
        match find(GROUP_SNAPSHOT_TRANSITIONS, self, row.status) {
            Some(_) => Ok(self.next(row.status)),
            None => Err(refused(self.refusal())),
        }
    }

    /// Returns the refusal of the operation; none for operations that no status refuses.
    pub(super) fn refusal(self) -> Option<Error> {
        match self {
            Self::Create | Self::Reset => None,
            Self::Copy => Some(Error::request(
                "Invalid GroupSnapshot: Originating group snapshot status must be one of \
                 'available' values",
            )),
            Self::Delete => Some(GroupRefusal::DeleteSnapshot.into()),
        }
    }
}

impl GroupSnapshotStatus {
    /// Returns whether an operation or the end of work leads from this status to `to`, or to the deletion of the group
    /// snapshot if `to` is `None`. An operator can set any status besides.
    pub fn can_become(self, to: Option<Self>) -> bool {
        leads(
            GROUP_SNAPSHOT_TRANSITIONS,
            GroupSnapshotOperation::Reset,
            &[Self::Available],
            (self, to),
        )
    }
}
