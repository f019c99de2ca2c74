//! What is done with groups of volumes, their types and their snapshots.
//!
//! Groups and consistency groups are the same rows: a consistency group is a group of the type
//! [`CONSISTENCY_TYPE`], and each of the two APIs sees its own alone.
//!
//! What takes a back end is done by the work of the members: a group that is made from another, and a
//! group snapshot, are there when all that they consist of is.

mod change;
mod create;
mod delete;
mod refusal;
mod snapshots;
mod source;
mod types;

use statehold_store::{Entry, KeyRange, Order, ReadView, Scan, WriteTxn};
use uuid::Uuid;

pub(crate) use self::{change::check_group_status, snapshots::check_group_snapshot_status};
pub use self::{
    change::{
        GroupChange, Replication, change_replication, replication_targets, reset_group_status,
        update_group,
    },
    create::{GroupSpec, create_group},
    delete::delete_group,
    refusal::{CantAdd, GroupRefusal},
    snapshots::{
        GroupSnapshotSpec, create_group_snapshot, delete_group_snapshot,
        reset_group_snapshot_status,
    },
    source::{GroupSource, GroupSourceSpec, create_group_from},
    types::{
        GroupTypeChange, GroupTypeSpec, bootstrap_groups, create_group_type, default_group_type,
        delete_group_spec, delete_group_type, get_group_spec, get_group_specs, get_group_type,
        set_group_specs, update_group_specs, update_group_type,
    },
};
use crate::{
    caller::policy,
    context::Context,
    error::{Error, Missing},
    id::parse_id,
    rows::{Group, GroupSnapshot, GroupType, Volume},
};

/// The name of the group type of consistency groups.
pub const CONSISTENCY_TYPE: &str = "default_cgsnapshot_type";

/// The most volumes that a group may have.
pub const GROUP_VOLUMES_MAX: usize = 1000;

/// The API that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupApi {
    /// That of groups.
    Groups,
    /// The older one, of consistency groups.
    Consistency,
}

/// Whether groups of a type are consistency groups.
pub(crate) fn is_consistency_type(view: &impl ReadView, group_type: Uuid) -> bool {
    let reserved = view.find(&GroupType::BY_NAME, CONSISTENCY_TYPE);
    reserved.is_some_and(|row| row.id == group_type)
}

impl GroupApi {
    /// Whether lists of this API have what is of a group type.
    pub fn lists(self, view: &impl ReadView, group_type: Uuid) -> bool {
        is_consistency_type(view, group_type) == (self == Self::Consistency)
    }

    /// Refuses what is the other API's.
    fn check(
        self,
        view: &impl ReadView,
        group_type: Uuid,
        missing: impl FnOnce() -> Missing,
    ) -> Result<(), Error> {
        match (self, self.lists(view, group_type)) {
            (_, true) => Ok(()),
            (Self::Groups, false) => Err(GroupRefusal::Reserved { group_type }.into()),
            (Self::Consistency, false) => Err(missing().into()),
        }
    }
}

/// The group that a client calls `id`, if the caller sees it and the API is for it.
///
/// # Errors
/// [`Missing::Group`]; [`GroupRefusal::Reserved`] for a consistency group.
pub fn find_group<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    api: GroupApi,
    id: &str,
) -> Result<&'v Entry<Group>, Error> {
    let row = any_group(view, cx, id)?;
    api.check(view, row.group_type_id, || Missing::Group(id.into()))?;
    Ok(row)
}

/// The group that a client calls `id`, whatever API is for it.
pub(super) fn any_group<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    id: &str,
) -> Result<&'v Entry<Group>, Error> {
    let row = parse_id(id).and_then(|id| view.get::<Group>(id));
    let row = row.filter(|row| cx.caller.sees(&row.project_id));
    cx.caller.check_found(policy::GROUP_GET, row.map(|row| &**row))?;
    Ok(row.ok_or_else(|| Missing::Group(id.into()))?)
}

/// The group snapshot that a client calls `id`, if the caller sees it and the API is for it.
///
/// # Errors
/// [`Missing::GroupSnapshot`]; [`GroupRefusal::Reserved`] for one of a consistency group.
pub fn find_group_snapshot<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    api: GroupApi,
    id: &str,
) -> Result<&'v Entry<GroupSnapshot>, Error> {
    let row = parse_id(id).and_then(|id| view.get::<GroupSnapshot>(id));
    let row = row.filter(|row| cx.caller.sees(&row.project_id));
    cx.caller.check_found(policy::GROUP_SNAPSHOT_GET, row.map(|row| &**row))?;
    let row = row.ok_or_else(|| Missing::GroupSnapshot(id.into()))?;
    api.check(view, row.group_type_id, || Missing::GroupSnapshot(id.into()))?;
    Ok(row)
}

/// The volumes of a group.
pub fn volumes_of(view: &impl ReadView, group: Uuid) -> Scan<'_, Volume> {
    view.scan_by(&Volume::BY_GROUP, &KeyRange::exact(group), Order::Ascending)
}

/// Refuses more volumes than a group may have.
pub(super) fn check_room(
    view: &impl ReadView,
    group: Uuid,
    more: usize,
) -> Result<(), GroupRefusal> {
    let volumes_max = GROUP_VOLUMES_MAX;
    let count = volumes_of(view, group).take(volumes_max).count();
    if count + more > volumes_max {
        return Err(GroupRefusal::Full { group, volumes_max });
    }
    Ok(())
}

/// Writes a group that was changed.
fn write(txn: &mut WriteTxn<'_>, now: i64, mut row: Group) -> Result<(), Error> {
    row.updated_at = Some(now);
    txn.upsert::<Group>(row)?;
    Ok(())
}
