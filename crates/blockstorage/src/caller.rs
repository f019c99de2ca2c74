//! Who calls, and what the default policy lets them do.

use crate::error::Error;

/// Somebody whose token was found good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The user's ID.
    pub user: Box<str>,
    /// The ID of the project that the token is for.
    pub project: Box<str>,
    /// The strongest role.
    pub role: Role,
}

/// The roles that the default policy knows, each with what those before it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// No role that counts here.
    #[default]
    None,
    /// Sees what is in the project.
    Reader,
    /// Changes what is in the project.
    Member,
    /// Everything, in all projects.
    Admin,
}

/// Who may do something, by the default policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// The rule's name, as refusals tell it.
    name: &'static str,
    role: Role,
}

impl Rule {
    const fn admin(name: &'static str) -> Self {
        Self { name, role: Role::Admin }
    }

    const fn reader(name: &'static str) -> Self {
        Self { name, role: Role::Reader }
    }

    const fn member(name: &'static str) -> Self {
        Self { name, role: Role::Member }
    }

    /// The rule's name, as refusals tell it.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The least role that it takes.
    pub fn role(self) -> Role {
        self.role
    }
}

impl Caller {
    /// Whether this is an admin, who sees all projects.
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }

    /// Whether rows of `project` are there for this caller.
    pub fn sees(&self, project: &str) -> bool {
        self.is_admin() || *self.project == *project
    }

    /// Refuses what the policy doesn't allow in the caller's own project.
    ///
    /// # Errors
    /// [`Error::Policy`], which has the status 403.
    pub fn check(&self, rule: Rule) -> Result<(), Error> {
        if self.role >= rule.role { Ok(()) } else { Err(Error::Policy { rule: rule.name }) }
    }

    /// Refuses what the policy doesn't allow in `project`.
    ///
    /// # Errors
    /// As [`Caller::check`].
    pub fn check_in(&self, rule: Rule, project: &str) -> Result<(), Error> {
        if self.sees(project) { self.check(rule) } else { Err(Error::Policy { rule: rule.name }) }
    }
}

/// The default policy: one row a rule.
pub mod policy {
    use super::Rule;

    macro_rules! rules {
        ($($who:ident $name:ident $text:literal)*) => {$(
            #[doc = concat!("`", $text, "`, for the role `", stringify!($who), "` and above.")]
            pub const $name: Rule = Rule::$who($text);
        )*};
    }

    rules! {
        member VOLUME_CREATE "volume:create"
        reader VOLUME_GET "volume:get"
        reader VOLUME_GET_ALL "volume:get_all"
        member VOLUME_UPDATE "volume:update"
        member VOLUME_DELETE "volume:delete"
        admin VOLUME_FORCE_DELETE "volume_extension:volume_admin_actions:force_delete"
        admin VOLUME_FORCE_DETACH "volume_extension:volume_admin_actions:force_detach"
        admin VOLUME_RESET_STATUS "volume_extension:volume_admin_actions:reset_status"
        admin VOLUME_MIGRATE "volume_extension:volume_admin_actions:migrate_volume"
        admin VOLUME_MIGRATE_COMPLETION "volume_extension:volume_admin_actions:migrate_volume_completion"
        admin VOLUME_UNMANAGE "volume_extension:volume_unmanage"
        admin VOLUME_MANAGE "volume_extension:volume_manage"
        member VOLUME_EXTEND "volume:extend"
        member VOLUME_RETYPE "volume:retype"
        member VOLUME_REVERT "volume:revert_to_snapshot"
        member VOLUME_ATTACH "volume_extension:volume_actions:attach"
        member VOLUME_DETACH "volume_extension:volume_actions:detach"
        member VOLUME_RESERVE "volume_extension:volume_actions:reserve"
        member VOLUME_UNRESERVE "volume_extension:volume_actions:unreserve"
        member VOLUME_BEGIN_DETACHING "volume_extension:volume_actions:begin_detaching"
        member VOLUME_ROLL_DETACHING "volume_extension:volume_actions:roll_detaching"
        member VOLUME_SET_BOOTABLE "volume:update"
        member VOLUME_UPDATE_READONLY "volume:update_readonly_flag"
        member VOLUME_UPLOAD_IMAGE "volume_extension:volume_actions:upload_image"
        admin VOLUME_UPLOAD_PUBLIC "volume_extension:volume_actions:upload_public"
        member VOLUME_REIMAGE "volume:reimage"
        member VOLUME_REIMAGE_RESERVED "volume:reimage_reserved"
        member VOLUME_IMAGE_METADATA "volume_extension:volume_image_metadata"
        reader VOLUME_METADATA_GET "volume:get_volume_metadata"
        member VOLUME_METADATA_UPDATE "volume:update_volume_metadata"
        member VOLUME_METADATA_DELETE "volume:delete_volume_metadata"
        member SNAPSHOT_CREATE "volume:create_snapshot"
        reader SNAPSHOT_GET "volume:get_snapshot"
        reader SNAPSHOT_GET_ALL "volume:get_all_snapshots"
        member SNAPSHOT_UPDATE "volume:update_snapshot"
        member SNAPSHOT_DELETE "volume:delete_snapshot"
        admin SNAPSHOT_FORCE_DELETE "volume_extension:snapshot_admin_actions:force_delete"
        admin SNAPSHOT_RESET_STATUS "volume_extension:snapshot_admin_actions:reset_status"
        member SNAPSHOT_UPDATE_STATUS "snapshot_extension:snapshot_actions:update_snapshot_status"
        admin SNAPSHOT_UNMANAGE "snapshot_extension:snapshot_unmanage"
        member BACKUP_CREATE "backup:create"
        reader BACKUP_GET "backup:get"
        reader BACKUP_GET_ALL "backup:get_all"
        member BACKUP_UPDATE "backup:update"
        member BACKUP_DELETE "backup:delete"
        member BACKUP_RESTORE "backup:restore"
        admin BACKUP_EXPORT "backup:export-import"
        admin BACKUP_IMPORT "backup:backup-import"
        admin BACKUP_RESET_STATUS "volume_extension:backup_admin_actions:reset_status"
        admin BACKUP_FORCE_DELETE "volume_extension:backup_admin_actions:force_delete"
        admin VOLUME_LIST_MANAGEABLE "volume_extension:list_manageable"
        admin SNAPSHOT_MANAGE "snapshot_extension:snapshot_manage"
        admin SNAPSHOT_LIST_MANAGEABLE "snapshot_extension:list_manageable"
        reader TYPE_GET "volume_extension:type_get"
        admin TYPE_CREATE "volume_extension:type_create"
        admin TYPE_UPDATE "volume_extension:type_update"
        admin TYPE_DELETE "volume_extension:type_delete"
        admin TYPE_ACCESS "volume_extension:volume_type_access:addProjectAccess"
        admin QOS_GET_ALL "volume_extension:qos_specs_manage:get_all"
        admin QOS_GET "volume_extension:qos_specs_manage:get"
        admin QOS_CREATE "volume_extension:qos_specs_manage:create"
        admin QOS_UPDATE "volume_extension:qos_specs_manage:update"
        admin QOS_DELETE "volume_extension:qos_specs_manage:delete"
        member ATTACHMENT_CREATE "volume:attachment_create"
        member ATTACHMENT_UPDATE "volume:attachment_update"
        member ATTACHMENT_DELETE "volume:attachment_delete"
        member ATTACHMENT_COMPLETE "volume:attachment_complete"
        reader TRANSFER_GET "volume:get_transfer"
        reader TRANSFER_GET_ALL "volume:get_all_transfers"
        member TRANSFER_CREATE "volume:create_transfer"
        member TRANSFER_ACCEPT "volume:accept_transfer"
        member TRANSFER_DELETE "volume:delete_transfer"
        reader MESSAGE_GET "message:get"
        reader MESSAGE_GET_ALL "message:get_all"
        member MESSAGE_DELETE "message:delete"
        admin DEFAULT_TYPE "volume_extension:default_set_or_update"
        reader LIMITS "limits_extension:used_limits"
        reader QUOTA_SHOW "volume_extension:quotas:show"
        admin QUOTA_UPDATE "volume_extension:quotas:update"
        admin QUOTA_DELETE "volume_extension:quotas:delete"
        admin QUOTA_CLASS_GET "volume_extension:quota_classes:get"
        admin QUOTA_CLASS_UPDATE "volume_extension:quota_classes:update"
        reader GROUP_TYPE_GET "group:access_group_types"
        admin GROUP_TYPE_CREATE "group:group_types:create"
        admin GROUP_TYPE_UPDATE "group:group_types:update"
        admin GROUP_TYPE_DELETE "group:group_types:delete"
        admin GROUP_SPEC_GET_ALL "group:group_types_specs:get_all"
        admin GROUP_SPEC_GET "group:group_types_specs:get"
        admin GROUP_SPEC_CREATE "group:group_types_specs:create"
        admin GROUP_SPEC_UPDATE "group:group_types_specs:update"
        admin GROUP_SPEC_DELETE "group:group_types_specs:delete"
        member GROUP_CREATE "group:create"
        reader GROUP_GET "group:get"
        reader GROUP_GET_ALL "group:get_all"
        member GROUP_UPDATE "group:update"
        member GROUP_DELETE "group:delete"
        admin GROUP_RESET_STATUS "group:reset_status"
        member GROUP_ENABLE_REPLICATION "group:enable_replication"
        member GROUP_DISABLE_REPLICATION "group:disable_replication"
        member GROUP_FAILOVER_REPLICATION "group:failover_replication"
        reader GROUP_REPLICATION_TARGETS "group:list_replication_targets"
        member GROUP_SNAPSHOT_CREATE "group:create_group_snapshot"
        reader GROUP_SNAPSHOT_GET "group:get_group_snapshot"
        reader GROUP_SNAPSHOT_GET_ALL "group:get_all_group_snapshots"
        member GROUP_SNAPSHOT_DELETE "group:delete_group_snapshot"
        admin GROUP_SNAPSHOT_RESET_STATUS "group:reset_group_snapshot_status"
        admin SERVICE_GET_ALL "volume_extension:services:index"
        admin SERVICE_UPDATE "volume_extension:services:update"
        admin SERVICE_FREEZE "volume:freeze_host"
        admin SERVICE_THAW "volume:thaw_host"
        admin SERVICE_FAILOVER "volume:failover_host"
        admin HOSTS "volume_extension:hosts"
        admin POOLS "scheduler_extension:scheduler_stats:get_pools"
        admin CAPABILITIES "volume_extension:capabilities"
        admin CLUSTER_GET_ALL "clusters:get_all"
        admin CLUSTER_GET "clusters:get"
        admin CLUSTER_UPDATE "clusters:update"
        admin WORKERS_CLEANUP "workers:cleanup"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_include_those_before_them() {
        let of = |role| Caller { project: "p".into(), role, ..Caller::default() };
        assert!(of(Role::Reader).check(policy::VOLUME_GET).is_ok());
        assert!(of(Role::Reader).check(policy::VOLUME_CREATE).is_err());
        assert!(of(Role::Member).check(policy::VOLUME_CREATE).is_ok());
        assert!(of(Role::Member).check_in(policy::QUOTA_SHOW, "other").is_err());
        assert!(of(Role::Admin).check_in(policy::QUOTA_SHOW, "other").is_ok());
        let refusal = of(Role::Member).check(policy::VOLUME_FORCE_DELETE).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "Policy doesn't allow volume_extension:volume_admin_actions:force_delete to be \
             performed."
        );
    }
}
