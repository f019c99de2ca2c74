//! The group type of consistency groups.

use statehold_store::{ReadView, WriteTxn};
use uuid::Uuid;

use crate::{Pairs, errors::Error, ops::groups::CONSISTENCY_TYPE, rows::GroupType};

/// Creates the type of consistency groups with the ID `id`, unless it exists. Returns whether it
/// was created.
///
/// # Errors
/// [`Error::Store`].
// Cinder: cinder/volume/group_types.py, DEFAULT_CGSNAPSHOT_TYPE; a database migration creates it.
pub fn bootstrap_groups(txn: &mut WriteTxn<'_>, now: i64, id: Uuid) -> Result<bool, Error> {
    if txn.find(&GroupType::BY_NAME, CONSISTENCY_TYPE).is_some() {
        return Ok(false);
    }
    let spec = ("consistent_group_snapshot_enabled".into(), "<is> True".into());
    txn.upsert::<GroupType>(GroupType {
        id,
        name: CONSISTENCY_TYPE.into(),
        description: Some("Default group type for migrating cgsnapshot".into()),
        is_public: true,
        group_specs: Pairs::from([spec]),
        created_at: now,
        updated_at: None,
    })?;
    Ok(true)
}
