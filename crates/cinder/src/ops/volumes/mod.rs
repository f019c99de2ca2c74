//! Operations on volumes.
//!
//! Each operation reads the row and its dependents and writes in one transaction, so that nothing
//! changes in between.

mod attach;
mod change;
mod create;
mod delete;
mod image;
mod metadata;
mod resize;

pub(super) use self::{attach::recompute_status, delete::delete_group_member};
pub use self::{
    attach::{
        AttachRequest, attach_volume, begin_detaching, check_connection, check_termination,
        detach_volume, reserve_volume, roll_detaching, unreserve_volume,
    },
    change::{
        StatusReset, VolumeChange, reset_volume_status, set_bootable, set_readonly, update_volume,
    },
    create::{VolumeSpec, create_volume, store_scheduler_hints},
    delete::{DeleteOptions, delete_volume, force_delete_volume, unmanage_volume},
    image::{ReimageRequest, UploadRequest, reimage_volume, upload_volume},
    metadata::{
        add_metadata, delete_metadata, delete_snapshot_metadata, image_metadata,
        set_image_metadata, set_metadata, set_snapshot_metadata, unset_image_metadata,
        volume_metadata_item,
    },
    resize::{
        MigrateRequest, complete_extend, complete_migration, extend_volume, migrate_volume,
        retype_volume, revert_volume,
    },
};

pub(crate) use self::change::{check_attach_status, check_migration_status, check_volume_status};

use statehold_store::{WriteError, WriteTxn};

use crate::{rows::Volume, totals};

/// Writes a changed volume.
pub(super) fn write_volume(
    txn: &mut WriteTxn<'_>,
    now: i64,
    mut row: Volume,
) -> Result<(), WriteError> {
    row.updated_at = Some(now);
    totals::put_volume(txn, row)?;
    Ok(())
}
