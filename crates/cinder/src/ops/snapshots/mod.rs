//! Operations on snapshots.

mod create;
mod delete;
mod manage;
mod metadata;
mod status;
mod update;

use statehold_store::WriteTxn;

pub(super) use self::create::create_group_member;
pub(crate) use self::status::check_snapshot_status;
pub use self::{
    create::{SnapshotSpec, create_snapshot},
    delete::{delete_snapshot, unmanage_snapshot},
    manage::{ManageSnapshotSpec, manage_snapshot},
    metadata::{delete_snapshot_metadata, set_snapshot_metadata, snapshot_metadata_item},
    status::{report_snapshot_status, reset_snapshot_status},
    update::{SnapshotChange, update_snapshot},
};
use crate::{errors::Error, rows::Snapshot, totals};

fn write_snapshot(txn: &mut WriteTxn<'_>, now: i64, mut row: Snapshot) -> Result<(), Error> {
    row.updated_at = Some(now);
    totals::put_snapshot(txn, row)?;
    Ok(())
}
