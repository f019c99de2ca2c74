//! Operations on volumes.
//!
//! Each operation reads the row and its dependents and writes in one transaction, so that nothing
//! changes in between.

mod attach;
mod connection;
mod create;
mod delete;
mod extend;
mod image;
mod manage;
mod metadata;
mod migrate;
mod reserve;
mod reset;
mod retype;
mod revert;
mod update;

pub(super) use self::{
    attach::recompute_status, create::create_restored, delete::delete_group_member,
    metadata::merge_pairs,
};
pub use self::{
    attach::{AttachRequest, attach_volume, detach_volume, force_detach_volume},
    connection::{check_connection, check_termination},
    create::{VolumeSpec, create_volume, store_scheduler_hints},
    delete::{DeleteOptions, delete_volume, force_delete_volume, unmanage_volume},
    extend::{complete_extend, extend_volume},
    image::{ReimageRequest, UploadRequest, reimage_volume, upload_volume},
    manage::{ManageVolumeSpec, manage_volume},
    metadata::{
        add_metadata, delete_metadata, image_metadata, set_image_metadata, set_metadata,
        unset_image_metadata, volume_metadata_item,
    },
    migrate::{MigrateRequest, complete_migration, migrate_volume},
    reserve::{begin_detaching, reserve_volume, roll_detaching, unreserve_volume},
    reset::{StatusReset, reset_volume_status},
    retype::retype_volume,
    revert::revert_volume,
    update::{VolumeChange, set_bootable, set_readonly, update_volume},
};

pub(crate) use self::reset::{check_attach_status, check_migration_status, check_volume_status};

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
