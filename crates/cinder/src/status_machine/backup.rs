//! The state machine of backups.

use super::{AllowedIn, NextStatus, Transition, find, is_transitional, leads, operations, refused};
use crate::{
    errors::{BackupRefusal, Error},
    rows::{Backup, BackupStatus},
};
use AllowedIn::{Except, In, New};
use BackupOperation as A;
use BackupStatus::{Available, Creating, Deleting, Error as Failed, ErrorDeleting, Restoring};
use NextStatus::{Gone, Is, OneOf, Stays};

operations! {
    /// An operation on a backup, as far as its status decides.
    BackupOperation of BackupStatus by BACKUP_TRANSITIONS {
        /// Creates it.
        Create "create"
        /// Imports its record.
        Import "import a record"
        /// Exports its record.
        Export "export its record"
        /// Changes its name, description or metadata.
        Update "update"
        /// Creates an incremental backup on top of it.
        Extend "create an incremental backup on top of it"
        /// Deletes it.
        Delete "delete"
        /// Deletes it in any status.
        ForceDelete "`os-force_delete`"
        /// Restores it to a volume.
        Restore "restore"
        /// Creates a volume from it.
        Copy "create a volume from it"
        /// Sets the status that an operator names, and cancels its work.
        Reset "`os-reset_status`"
    }
}

const fn row(
    operation: BackupOperation,
    allowed: AllowedIn<BackupStatus>,
    target: NextStatus<BackupStatus>,
) -> Transition<BackupOperation, BackupStatus> {
    Transition::new(operation, allowed, target)
}

/// The state machine of backups. The first row that matches an operation and a status decides.
pub const BACKUP_TRANSITIONS: &[Transition<BackupOperation, BackupStatus>] = &[
    // Cinder: cinder/backup/manager.py, BackupManager.create_backup.
    row(A::Create, New, Is(Creating)).queues("create_backup", Is(Available), Is(Failed)),
    // Cinder: cinder/backup/manager.py, BackupManager.import_record checks that the data exists.
    row(A::Import, New, Is(Creating)).queues("check_backup", Is(Available), Is(Failed)),
    // Cinder: cinder/backup/api.py, API.export_record.
    row(A::Export, In(&[Available]), Stays),
    row(A::Update, Except(&[]), Stays),
    row(A::Extend, In(&[Available]), Stays),
    // Cinder: cinder/backup/api.py, API.delete.
    row(A::Delete, In(&[Available, Failed]), Is(Deleting)).queues(
        "delete_backup",
        Gone,
        Is(ErrorDeleting),
    ),
    row(A::ForceDelete, Except(&[]), Is(Deleting)).queues("delete_backup", Gone, Is(ErrorDeleting)),
    // A restore reads the backup alone, so that its failure leaves the backup usable.
    row(A::Restore, In(&[Available]), Is(Restoring)).queues(
        "restore_backup",
        Is(Available),
        Is(Available),
    ),
    row(A::Copy, In(&[Available]), Is(Restoring)).queues(
        "create_volume",
        Is(Available),
        Is(Available),
    ),
    // Cinder: cinder/api/validation/validators.py, _validate_backup_status.
    row(A::Reset, Except(&[]), OneOf(&[Available, Failed])),
];

impl BackupOperation {
    /// Returns the status that the operation sets on a backup.
    ///
    /// # Errors
    /// The refusal of the operation if the status of the backup does not allow it.
    pub(crate) fn check(self, row: &Backup) -> Result<BackupStatus, Error> {
        match find(BACKUP_TRANSITIONS, self, row.status) {
            Some(_) => Ok(self.next(row.status)),
            None => Err(refused(self.refusal())),
        }
    }

    /// Returns the refusal of the operation; none for operations that no status refuses.
    pub(super) fn refusal(self) -> Option<Error> {
        Some(match self {
            Self::Create | Self::Import | Self::Update | Self::ForceDelete | Self::Reset => {
                return None;
            }
            Self::Export => BackupRefusal::Export.into(),
            Self::Extend => BackupRefusal::ParentStatus.into(),
            Self::Delete => BackupRefusal::Delete.into(),
            Self::Restore => BackupRefusal::Restore.into(),
            Self::Copy => Error::request(
                "Invalid backup: Originating backup status must be one of 'available' values",
            ),
        })
    }
}

impl BackupStatus {
    /// Returns whether a worker has to bring the backup out of the status.
    pub fn is_transitional(self) -> bool {
        is_transitional(BACKUP_TRANSITIONS, self)
    }

    /// Returns whether an operation or the end of work leads from this status to `to`, or to the deletion of the
    /// backup if
    /// `to` is `None`. An operator can set `available` and `error` besides.
    pub fn can_become(self, to: Option<Self>) -> bool {
        leads(BACKUP_TRANSITIONS, A::Reset, &[Available], (self, to))
    }
}
