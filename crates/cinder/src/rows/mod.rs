//! Stored rows, their keys and indexes.
//!
//! Deleted rows leave no trace: no client reads them. Data that belongs to one row and changes with
//! it, such as metadata and a type's specs, is part of that row. A row never grows with the number
//! of its neighbours: the projects with access to a type have rows of their own.

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

/// Name under which the planner knows the indexes of lower-case names; no filter can spell it.
pub(crate) const NAME_FOLDED: &str = "lower(name)";

/// Name under which the planner knows the indexes of metadata pairs; no filter can spell it.
pub(crate) const METADATA_PAIR: &str = "pair(metadata)";

/// Returns a metadata pair as a key. A metadata key never contains the character between the two.
pub(crate) fn metadata_pair(key: &str, value: &str) -> String {
    format!("{key}={value}")
}

/// Returns the schema with all tables of this crate, to open a store with.
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
