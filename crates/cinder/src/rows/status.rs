//! The statuses of rows, with the strings that clients read.

// A status is stored by its variant and shown by its string, so both stay as they are for ever.
macro_rules! statuses {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $text:literal)* }) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize,
            serde::Deserialize, statehold_filter::Filterable,
        )]
        pub enum $name {
            $($(#[$variant_doc])* #[filterable(rename = $text)] $variant,)*
        }

        impl $name {
            /// All statuses.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Returns the string that clients read.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// Returns the status with this string.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|status| status.as_str() == text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl statehold_store::KeyPart for $name {
            type Shape = String;

            fn part(&self) -> &str {
                self.as_str()
            }
        }
    };
}

pub(super) use statuses;

// Cinder: cinder/objects/fields.py, VolumeStatus.
statuses! {
    /// The status of a volume.
    VolumeStatus {
        /// Is being created.
        Creating "creating"
        /// Is ready for use.
        Available "available"
        /// Is being deleted.
        Deleting "deleting"
        /// Creation or another operation failed.
        Error "error"
        /// Deletion failed.
        ErrorDeleting "error_deleting"
        /// Could not be adopted.
        ErrorManaging "error_managing"
        /// Is being adopted from its back end.
        Managing "managing"
        /// Is being attached.
        Attaching "attaching"
        /// Is attached.
        InUse "in-use"
        /// Is being detached.
        Detaching "detaching"
        /// Is locked during its migration.
        Maintenance "maintenance"
        /// A backup is being restored to it.
        RestoringBackup "restoring-backup"
        /// A restore failed.
        ErrorRestoring "error_restoring"
        /// Is reserved for an attachment.
        Reserved "reserved"
        /// Is offered to another project.
        AwaitingTransfer "awaiting-transfer"
        /// Is being backed up.
        BackingUp "backing-up"
        /// Its backup failed.
        ErrorBackingUp "error_backing-up"
        /// Its extension failed.
        ErrorExtending "error_extending"
        /// An image is being written to it.
        Downloading "downloading"
        /// Is being written to an image.
        Uploading "uploading"
        /// Its type is being changed.
        Retyping "retyping"
        /// Is being extended.
        Extending "extending"
        /// Is being reverted to a snapshot.
        Reverting "reverting"
        /// Its record is being removed; the data stays on the back end.
        Unmanaging "unmanaging"
        /// Removal of its record failed.
        ErrorUnmanaging "error_unmanaging"
        /// Is being deleted after a failed adoption.
        ErrorManagingDeleting "error_managing_deleting"
    }
}

impl VolumeStatus {
    /// Returns the string that clients read: the statuses of adoption are shown as their plain
    /// counterparts.
    pub fn shown(self) -> &'static str {
        // Cinder: cinder/api/v2/views/volumes.py, ViewBuilder._get_volume_status.
        match self {
            Self::Managing => Self::Creating.as_str(),
            Self::ErrorManaging => Self::Error.as_str(),
            Self::ErrorManagingDeleting => Self::Deleting.as_str(),
            status => status.as_str(),
        }
    }
}

// Cinder: cinder/objects/fields.py, VolumeAttachStatus.
statuses! {
    /// Whether a volume is in use; also the status of an attachment.
    AttachStatus {
        /// Is not attached.
        Detached "detached"
        /// Is being attached.
        Attaching "attaching"
        /// Is attached.
        Attached "attached"
        /// Is reserved.
        Reserved "reserved"
        /// Attaching failed.
        ErrorAttaching "error_attaching"
        /// Detaching failed.
        ErrorDetaching "error_detaching"
    }
}

// Cinder: cinder/volume/manager.py, VolumeManager.migrate_volume and migrate_volume_completion.
statuses! {
    /// The progress of a volume's migration to another back end.
    MigrationStatus {
        /// Was requested.
        Starting "starting"
        /// Is in progress.
        Migrating "migrating"
        /// The new location replaces the old one.
        Completing "completing"
        /// Succeeded.
        Success "success"
        /// Failed.
        Error "error"
        /// The old data is being deleted.
        Deleting "deleting"
    }
}

// Cinder: cinder/objects/fields.py, SnapshotStatus.
statuses! {
    /// The status of a snapshot.
    SnapshotStatus {
        /// Creation failed.
        Error "error"
        /// Is ready for use.
        Available "available"
        /// Is being created.
        Creating "creating"
        /// Is being deleted.
        Deleting "deleting"
        /// Was deleted.
        Deleted "deleted"
        /// Is being changed.
        Updating "updating"
        /// Deletion failed.
        ErrorDeleting "error_deleting"
        /// Its record is being removed; the data stays on the back end.
        Unmanaging "unmanaging"
        /// Is being backed up.
        BackingUp "backing-up"
        /// Its volume is being reverted to it.
        Restoring "restoring"
    }
}
