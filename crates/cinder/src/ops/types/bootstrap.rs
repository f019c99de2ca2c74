//! Creating the default type, and repairing rows of earlier releases.

use statehold_store::{KeyRange, Order, ReadView, WriteTxn};
use uuid::Uuid;

use super::create::TypeSpec;
use crate::{
    config::Config,
    errors::Error,
    quota,
    rows::{TypeAccess, Volume, VolumeType},
    totals,
};

/// Creates the default volume type with the ID `id`, unless it exists. Returns whether it was
/// created.
///
/// Corrects volumes that an earlier release marked as encrypted although it had no key for them:
/// their data was never encrypted, and `encrypted` MUST NOT claim otherwise. Moves access to types
/// to rows of its own. Recounts the totals of volumes and the usage of quota, because directories
/// of earlier releases have no totals.
///
/// Cost: reads all volumes, snapshots, backups and groups.
///
/// # Errors
/// [`Error::Store`].
pub fn bootstrap(
    txn: &mut WriteTxn<'_>,
    config: &Config,
    now: i64,
    id: Uuid,
) -> Result<bool, Error> {
    correct_encrypted_flags(txn, now)?;
    move_type_access(txn)?;
    totals::restore_totals(txn)?;
    quota::restore_usage(txn, config)?;
    if txn.find(&VolumeType::BY_NAME, &config.default_type).is_some() {
        return Ok(false);
    }
    let spec = TypeSpec { name: config.default_type.clone(), ..TypeSpec::default() };
    txn.upsert::<VolumeType>(spec.into_row(id, now))?;
    Ok(true)
}

/// Creates access rows for the projects that a type's row of an earlier release lists.
fn move_type_access(txn: &mut WriteTxn<'_>) -> Result<(), Error> {
    let types: Vec<VolumeType> = txn
        .scan::<VolumeType>(&KeyRange::all(), Order::Ascending)
        .filter(|row| !row.unmoved_projects.is_empty())
        .map(|row| VolumeType::clone(row))
        .collect();
    for mut row in types {
        for project_id in std::mem::take(&mut row.unmoved_projects) {
            txn.upsert::<TypeAccess>(TypeAccess { volume_type_id: row.id, project_id })?;
        }
        txn.upsert::<VolumeType>(row)?;
    }
    Ok(())
}

/// Marks volumes without a key as unencrypted.
fn correct_encrypted_flags(txn: &mut WriteTxn<'_>, now: i64) -> Result<(), Error> {
    let claims: Vec<Volume> = txn
        .scan::<Volume>(&KeyRange::all(), Order::Ascending)
        .filter(|row| row.encrypted && row.encryption_key_id.is_none())
        .map(|row| Volume::clone(row))
        .collect();
    for mut row in claims {
        row.encrypted = false;
        row.updated_at = Some(now);
        totals::put_volume(txn, row)?;
    }
    Ok(())
}
