//! Creation of group types.

use statehold_store::WriteTxn;
use uuid::Uuid;

use super::check_name;
use crate::{Pairs, caller::policy, context::Context, errors::Error, rows::GroupType};

/// A request for a group type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupTypeSpec {
    /// Its name.
    pub name: Box<str>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// Whether all projects may use it.
    pub is_public: bool,
    /// Properties that its groups require.
    pub group_specs: Pairs,
}

/// Creates a group type with the ID `id`. Admins only.
///
/// # Errors
/// [`Error`]; [`Error::Conflict`] if the name is taken.
// Cinder: cinder/volume/group_types.py, create.
pub fn create_group_type(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: Uuid,
    spec: GroupTypeSpec,
) -> Result<(), Error> {
    cx.caller.check(policy::GROUP_TYPE_CREATE)?;
    check_name(txn, &spec.name, id)?;
    txn.upsert::<GroupType>(GroupType {
        id,
        name: spec.name,
        description: spec.description,
        is_public: spec.is_public,
        group_specs: spec.group_specs,
        created_at: cx.now,
        updated_at: None,
    })?;
    Ok(())
}
