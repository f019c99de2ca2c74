//! Operations on groups of volumes.
//!
//! Groups and consistency groups share their tables: a consistency group is a group of the type
//! [`CONSISTENCY_TYPE`], and each of the two APIs sees only its own.
//!
//! The work for back ends is queued for the members: a group created from another, and a group
//! snapshot, are complete once all of their members are.

mod create;
mod delete;
mod replication;
mod reset;
mod source;
mod update;

use statehold_store::{Entry, KeyRange, Order, ReadView, Scan, WriteTxn};
use uuid::Uuid;

use crate::{
    caller::policy,
    context::Context,
    errors::{Error, GroupRefusal, Missing},
    id::parse_id,
    rows::{Group, GroupType, Volume},
};

pub(crate) use self::reset::check_group_status;
pub(super) use self::reset::require_version;
pub use self::{
    create::{GroupSpec, create_group},
    delete::delete_group,
    replication::{Replication, change_replication, replication_targets},
    reset::reset_group_status,
    source::{GroupSource, GroupSourceSpec, create_group_from},
    update::{GroupChange, update_group},
};

/// The name of the group type of consistency groups.
// Cinder: cinder/volume/group_types.py, DEFAULT_CGSNAPSHOT_TYPE.
pub const CONSISTENCY_TYPE: &str = "default_cgsnapshot_type";

/// Maximum number of volumes of a group.
pub const GROUP_VOLUMES_MAX: usize = 1000;

/// The API that a request uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupApi {
    /// The API of groups.
    Groups,
    /// The older API, of consistency groups.
    Consistency,
}

/// Returns whether groups of a type are consistency groups.
pub(crate) fn is_consistency_type(view: &impl ReadView, group_type: Uuid) -> bool {
    let reserved = view.find(&GroupType::BY_NAME, CONSISTENCY_TYPE);
    reserved.is_some_and(|row| row.id == group_type)
}

impl GroupApi {
    /// Returns whether groups of a type belong to this API.
    pub fn lists(self, view: &impl ReadView, group_type: Uuid) -> bool {
        is_consistency_type(view, group_type) == (self == Self::Consistency)
    }

    /// Rejects groups of the other API.
    pub(super) fn check(
        self,
        view: &impl ReadView,
        group_type: Uuid,
        missing: impl FnOnce() -> Missing,
    ) -> Result<(), Error> {
        // The reference redirects users of the groups API, and hides groups from the older one.
        match (self, self.lists(view, group_type)) {
            (_, true) => Ok(()),
            (Self::Groups, false) => Err(GroupRefusal::Reserved { group_type }.into()),
            (Self::Consistency, false) => Err(missing().into()),
        }
    }
}

/// Returns the group with the ID `id`, if the caller sees it and it belongs to the API.
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

/// Returns the group with the ID `id`, of either API.
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

/// Returns the volumes of a group.
pub fn volumes_of(view: &impl ReadView, group: Uuid) -> Scan<'_, Volume> {
    view.scan_by(&Volume::BY_GROUP, &KeyRange::exact(group), Order::Ascending)
}

/// Checks that a group can have `more` volumes in addition.
pub(super) fn check_group_limit(
    view: &impl ReadView,
    group: Uuid,
    more: usize,
) -> Result<(), GroupRefusal> {
    let volumes_max = GROUP_VOLUMES_MAX;
    // Counting stops at the limit, which bounds the cost of the check.
    let count = volumes_of(view, group).take(volumes_max).count();
    if count + more > volumes_max {
        return Err(GroupRefusal::Full { group, volumes_max });
    }
    Ok(())
}

/// Writes a changed group.
fn write_group(txn: &mut WriteTxn<'_>, now: i64, mut row: Group) -> Result<(), Error> {
    row.updated_at = Some(now);
    txn.upsert::<Group>(row)?;
    Ok(())
}
