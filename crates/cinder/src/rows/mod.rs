//! What is stored: rows, keys and indexes.
//!
//! Rows that are deleted are gone: nothing that clients see needs them. What belongs to one row and
//! changes with it, such as metadata and a type's specs, is in that row. A row never grows with the number of
//! its neighbours: the projects that may use a type have rows of their own.

#![allow(clippy::duplicated_attributes, reason = "several indexes of a table have a column")]

mod attachment;
mod backup;
mod group;
mod hints;
mod quota;
mod service;
mod snapshot;
mod status;
mod total;
mod transfer;
mod volume;
mod volume_type;
mod work;

pub(crate) use self::volume_type::MULTIATTACH;
pub use self::{
    attachment::Attachment,
    backup::{Backup, BackupStatus},
    group::{Group, GroupSnapshot, GroupSnapshotStatus, GroupStatus, GroupType},
    hints::SchedulerHints,
    quota::{QuotaClassLimit, QuotaKind, QuotaLimit, QuotaResource, QuotaUsage, Reservation},
    service::Service,
    snapshot::Snapshot,
    status::{AttachStatus, MigrationStatus, SnapshotStatus, VolumeStatus},
    total::Total,
    transfer::Transfer,
    volume::Volume,
    volume_type::{DefaultType, Encryption, QosSpecs, TypeAccess, VolumeType},
    work::{Message, Task, VolumeSource, WorkItem, WorkTarget},
};

/// What the planner knows the indexes of names in lower case by; no filter can write it.
pub(crate) const NAME_FOLDED: &str = "lower(name)";

/// What the planner knows the indexes of pairs of metadata by; no filter can write it.
pub(crate) const METADATA_PAIR: &str = "pair(metadata)";

/// A pair of metadata as a key. No key of metadata has the character between them.
pub(crate) fn pair(key: &str, value: &str) -> String {
    format!("{key}={value}")
}

/// All tables of this crate, for a store to be opened with.
pub fn schema() -> statehold_store::Schema {
    statehold_store::Schema::new()
        .table::<Volume>()
        .table::<Snapshot>()
        .table::<VolumeType>()
        .table::<QosSpecs>()
        .table::<DefaultType>()
        .table::<Attachment>()
        .table::<Backup>()
        .table::<Transfer>()
        .table::<QuotaLimit>()
        .table::<QuotaClassLimit>()
        .table::<QuotaUsage>()
        .table::<Reservation>()
        .table::<WorkItem>()
        .table::<Message>()
        .table::<GroupType>()
        .table::<Group>()
        .table::<GroupSnapshot>()
        .table::<Service>()
        .table::<SchedulerHints>()
        .table::<Total>()
        .table::<TypeAccess>()
}
