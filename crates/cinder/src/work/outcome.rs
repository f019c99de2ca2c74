//! The outcomes of work.

use uuid::Uuid;

/// The back end that a volume was placed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Its back end, `host@backend#pool`.
    pub host: Box<str>,
    /// The service of the back end.
    pub service: Option<Uuid>,
    /// Whether the back end shares targets.
    pub shared_targets: Option<bool>,
    /// Its availability zone; `None` leaves that of the volume.
    pub zone: Option<Box<str>>,
}

/// The outcome of work.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The work succeeded.
    Done {
        /// The new back end of the volume, if it moved.
        moved: Option<Placement>,
        /// The ID of the volume on its back end, if the back end has one.
        provider_id: Option<Box<str>>,
    },
    /// A backup was created.
    BackedUp {
        /// The number of its own files.
        objects: u32,
    },
    /// A volume was adopted.
    Managed {
        /// Its size in GiB.
        size: u32,
        /// The ID of the message if the size exceeds the quota of the project.
        message: Uuid,
    },
    /// The back end has extended the volume, and the host that uses the volume completes it with
    /// [`complete_extend`](crate::complete_extend). The work stays in the queue until then.
    AwaitsHost,
    /// Others use the target; its row returns to the status before the work.
    Busy,
    /// The work failed.
    Failed {
        /// The cause.
        cause: FailureCause,
        /// The ID of the message to the users.
        message: Uuid,
    },
}

impl Outcome {
    /// Success without details.
    pub const DONE: Self = Self::Done { moved: None, provider_id: None };

    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::BackedUp { .. } | Self::Managed { .. })
    }
}

impl FailureCause {
    /// Returns whether the back end or the backup repository was asked and failed.
    pub(super) fn is_of_driver(self) -> bool {
        matches!(self, Self::Driver | Self::Unreadable | Self::BackupMissing | Self::BackupDamaged)
    }
}

/// The cause of a failure, as messages report it to users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureCause {
    /// A cause that only the log of the server has.
    Unknown,
    /// The back end or the backup repository failed.
    Driver,
    /// The source of the work cannot be read, because its file is missing or not a regular file.
    Unreadable,
    /// The repository has no data of the backup.
    BackupMissing,
    /// The data of the backup is not as it was written, or belongs to another backup.
    BackupDamaged,
    /// A volume that is attached cannot move to another back end.
    Attached,
    /// A volume that has snapshots cannot move to another back end.
    HasSnapshots,
    /// No back end is eligible for the volume.
    NoBackend,
    /// The volume was not extended, by its back end or by the host that uses it.
    Extend,
    /// The quota of the project is exceeded.
    Quota,
    /// No backup service is in the availability zone that the request names.
    NoBackupService,
}
