//! Creation of groups.

use statehold_store::{ReadView, WriteTxn};
use uuid::Uuid;

use super::{CONSISTENCY_TYPE, GroupApi};
use crate::{
    caller::policy,
    context::Context,
    errors::{Error, Missing},
    ops::{group_types::find_group_type, types::find_type},
    quota,
    rows::{Group, GroupStatus, GroupType, Task, WorkTarget},
    work::queue,
};

/// A request for a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupSpec {
    /// Its name.
    pub name: Option<Box<str>>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// Its type, by ID or name; ignored for consistency groups, which have a type of their own.
    pub group_type: Box<str>,
    /// The types that its volumes may have, by ID or name.
    pub volume_types: Vec<Box<str>>,
    /// Its availability zone.
    pub availability_zone: Option<Box<str>>,
}

/// Creates a group with the ID `id`. Its row is `creating`, and a worker chooses its back end.
///
/// # Errors
/// [`Error`]: a named type or zone does not exist, or the quota is exceeded.
// Cinder: cinder/group/api.py, API.create.
pub fn create_group(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    api: GroupApi,
    id: Uuid,
    spec: GroupSpec,
) -> Result<(), Error> {
    cx.caller.check(policy::GROUP_CREATE)?;
    let group_type = match api {
        GroupApi::Groups => find_group_type(txn, cx.caller, &spec.group_type)?.id,
        GroupApi::Consistency => txn
            .find(&GroupType::BY_NAME, CONSISTENCY_TYPE)
            .map(|row| row.id)
            .ok_or_else(|| Missing::GroupTypeName(CONSISTENCY_TYPE.into()))?,
    };
    api.check(txn, group_type, || Missing::GroupTypeName(spec.group_type.clone()))?;
    let mut volume_types = Vec::new();
    for text in &spec.volume_types {
        let found = find_type(txn, cx.caller, text)?.id;
        // A repeated type would be stored and shown twice.
        if !volume_types.contains(&found) {
            volume_types.push(found);
        }
    }
    let zone = spec.availability_zone.unwrap_or_else(|| cx.config.default_zone.clone());
    if !cx.config.zones.contains(&zone) {
        return Err(Error::input(format!("Availability zone '{zone}' is invalid.")));
    }
    quota::charge(txn, cx.config, &cx.caller.project, &quota::of_groups(1))?;
    txn.upsert::<Group>(Group {
        id,
        project_id: cx.caller.project.clone(),
        user_id: cx.caller.user.clone(),
        name: spec.name,
        description: spec.description,
        status: GroupStatus::Creating,
        group_type_id: group_type,
        volume_types,
        availability_zone: zone,
        created_at: cx.now,
        updated_at: None,
        group_snapshot_id: None,
        source_group_id: None,
        host: None,
    })?;
    queue(txn, cx, (WorkTarget::Group, id), Task::CreateGroup, None)?;
    Ok(())
}
