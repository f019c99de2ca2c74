//! Replication of groups, which no back end supports.

use statehold_store::ReadView;
use uuid::Uuid;

use super::{GroupApi, find_group, reset::require_version};
use crate::{
    access::actions::Rule,
    caller::policy,
    context::Context,
    errors::{Error, GroupRefusal},
    rows::GroupType,
};

/// An action on a group's replication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Replication {
    /// Start replication.
    Enable,
    /// Stop replication.
    Disable,
    /// Fail over to the replica.
    Failover,
}

/// First version with replication of groups.
const REPLICATION_SINCE: u16 = 38;

/// Rejects every action on a group's replication, because no back end replicates.
///
/// # Errors
/// Always: [`GroupRefusal::NotReplicated`] or another [`Error`].
// Cinder: cinder/group/api.py, API.enable_replication and its siblings.
pub fn change_replication(
    view: &impl ReadView,
    cx: &Context<'_>,
    id: &str,
    action: Replication,
) -> Result<(), Error> {
    let rule = match action {
        Replication::Enable => policy::GROUP_ENABLE_REPLICATION,
        Replication::Disable => policy::GROUP_DISABLE_REPLICATION,
        Replication::Failover => policy::GROUP_FAILOVER_REPLICATION,
    };
    let group = find_replicated_group(view, cx, id, rule)?;
    Err(GroupRefusal::CantReplicate { group }.into())
}

/// Returns the replication targets of a group: none.
///
/// # Errors
/// [`GroupRefusal::NotReplicated`] if the group's type does not request replication.
pub fn replication_targets(
    view: &impl ReadView,
    cx: &Context<'_>,
    id: &str,
) -> Result<[Uuid; 0], Error> {
    find_replicated_group(view, cx, id, policy::GROUP_REPLICATION_TARGETS)?;
    Ok([])
}

/// Returns a group whose type requests replication.
fn find_replicated_group(
    view: &impl ReadView,
    cx: &Context<'_>,
    id: &str,
    rule: Rule,
) -> Result<Uuid, Error> {
    require_version(cx, REPLICATION_SINCE)?;
    let group = find_group(view, cx, GroupApi::Groups, id)?;
    cx.caller.check_on(rule, &**group)?;
    let group_type = view.get::<GroupType>(group.group_type_id);
    let has_spec = |key: &str| {
        let spec = group_type.and_then(|row| row.group_specs.get(key));
        spec.is_some_and(|value| **value == *"<is> True")
    };
    let named =
        has_spec("group_replication_enabled") || has_spec("consistent_group_replication_enabled");
    if named { Ok(group.id) } else { Err(GroupRefusal::NotReplicated { group: group.id }.into()) }
}
