//! The statuses of rows, with the texts that clients know.

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
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// What clients read.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// The one with this text.
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

statuses! {
    /// What a volume is doing.
    VolumeStatus {
        /// Is being made.
        Creating "creating"
        /// Can be used.
        Available "available"
        /// Is being deleted.
        Deleting "deleting"
        /// Could not be made.
        Error "error"
        /// Could not be deleted.
        ErrorDeleting "error_deleting"
        /// Could not be taken over.
        ErrorManaging "error_managing"
        /// Is being taken over from its back end.
        Managing "managing"
        /// Is being attached.
        Attaching "attaching"
        /// Is attached.
        InUse "in-use"
        /// Is being detached.
        Detaching "detaching"
        /// Is locked while it moves.
        Maintenance "maintenance"
        /// Gets a backup's data.
        RestoringBackup "restoring-backup"
        /// Could not get a backup's data.
        ErrorRestoring "error_restoring"
        /// Is kept for somebody who will attach it.
        Reserved "reserved"
        /// Waits for its new owner.
        AwaitingTransfer "awaiting-transfer"
        /// Is being backed up.
        BackingUp "backing-up"
        /// Could not be backed up.
        ErrorBackingUp "error_backing-up"
        /// Could not be enlarged.
        ErrorExtending "error_extending"
        /// Gets an image's data.
        Downloading "downloading"
        /// Is being written to an image.
        Uploading "uploading"
        /// Gets another type.
        Retyping "retyping"
        /// Is being enlarged.
        Extending "extending"
        /// Goes back to a snapshot.
        Reverting "reverting"
        /// Is being forgotten without its data being deleted.
        Unmanaging "unmanaging"
        /// Could not be forgotten.
        ErrorUnmanaging "error_unmanaging"
        /// Is being deleted after it could not be taken over.
        ErrorManagingDeleting "error_managing_deleting"
    }
}

impl VolumeStatus {
    /// What clients read: the statuses of volumes that are taken over look like others.
    pub fn shown(self) -> &'static str {
        match self {
            Self::Managing => Self::Creating.as_str(),
            Self::ErrorManaging => Self::Error.as_str(),
            Self::ErrorManagingDeleting => Self::Deleting.as_str(),
            status => status.as_str(),
        }
    }

    /// Whether a worker has to bring the volume out of it.
    pub fn is_transitional(self) -> bool {
        matches!(
            self,
            Self::Creating
                | Self::Deleting
                | Self::Extending
                | Self::Retyping
                | Self::Reverting
                | Self::Managing
                | Self::Unmanaging
                | Self::BackingUp
                | Self::RestoringBackup
                | Self::ErrorManagingDeleting
        )
    }
}

statuses! {
    /// Whether somebody uses a volume; also the status of an attachment.
    AttachStatus {
        /// Nobody does.
        Detached "detached"
        /// Somebody is about to.
        Attaching "attaching"
        /// Somebody does.
        Attached "attached"
        /// It is kept for somebody.
        Reserved "reserved"
        /// It could not be attached.
        ErrorAttaching "error_attaching"
        /// It could not be detached.
        ErrorDetaching "error_detaching"
    }
}

statuses! {
    /// How far a volume has come on its way to another back end.
    MigrationStatus {
        /// Was asked for.
        Starting "starting"
        /// Is under way.
        Migrating "migrating"
        /// The new place takes over.
        Completing "completing"
        /// Has arrived.
        Success "success"
        /// Has not arrived.
        Error "error"
        /// The old data goes.
        Deleting "deleting"
    }
}

statuses! {
    /// What a snapshot is doing.
    SnapshotStatus {
        /// Could not be made.
        Error "error"
        /// Can be used.
        Available "available"
        /// Is being made.
        Creating "creating"
        /// Is being deleted.
        Deleting "deleting"
        /// Is gone.
        Deleted "deleted"
        /// Is being changed.
        Updating "updating"
        /// Could not be deleted.
        ErrorDeleting "error_deleting"
        /// Is being forgotten without its data being deleted.
        Unmanaging "unmanaging"
        /// Is being backed up.
        BackingUp "backing-up"
        /// Its volume goes back to it.
        Restoring "restoring"
    }
}

impl SnapshotStatus {
    /// Whether a worker has to bring the snapshot out of it.
    pub fn is_transitional(self) -> bool {
        matches!(
            self,
            Self::Creating | Self::Deleting | Self::Unmanaging | Self::BackingUp | Self::Restoring
        )
    }
}
