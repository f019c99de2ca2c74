//! The actions that operations check, each with its default: one row for each action.
//!
//! Cinder: `cinder/policies`, one file for each resource.
//!
//! Their names are the reference's (Cinder: `cinder/policies/`), as refusals and policy files have them. One
//! is this server's own: `group:access_group_types` guards reading types of groups, which the reference lets
//! every caller do that has a token.

/// An action, as operations name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    name: &'static str,
    place: usize,
}

impl Rule {
    /// Returns the action's name, as refusals and policy files have it.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Its place in [`ACTIONS`].
    pub(super) fn place(self) -> usize {
        self.place
    }
}

/// The default of an action for members, readers or admins.
macro_rules! default {
    (member) => {
        "rule:xena_system_admin_or_project_member"
    };
    (reader) => {
        "rule:xena_system_admin_or_project_reader"
    };
    (admin) => {
        "rule:admin_api"
    };
}

macro_rules! actions {
    ($($least:ident $name:ident $text:literal)*) => {
        /// The place of each action in [`ACTIONS`].
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "named as the constants")]
        enum Place { $($name),* }

        $(
            #[doc = concat!("`", $text, "`, by default for the role `", stringify!($least), "`.")]
            pub const $name: Rule = Rule { name: $text, place: Place::$name as usize };
        )*

        /// Every action with its default condition.
        pub(super) const ACTIONS: &[(&str, &str)] = &[$(($text, default!($least))),*];
    };
}

/// The action of marking a volume as bootable, which the reference has no name of its own for.
pub const VOLUME_SET_BOOTABLE: Rule = VOLUME_UPDATE;

actions! {
    member VOLUME_CREATE "volume:create"
    reader VOLUME_GET "volume:get"
    reader VOLUME_GET_ALL "volume:get_all"
    member VOLUME_UPDATE "volume:update"
    member VOLUME_DELETE "volume:delete"
    admin VOLUME_FORCE_DELETE "volume:force_delete"
    admin VOLUME_ADMIN_FORCE_DELETE "volume_extension:volume_admin_actions:force_delete"
    admin VOLUME_FORCE_DETACH "volume_extension:volume_admin_actions:force_detach"
    admin VOLUME_RESET_STATUS "volume_extension:volume_admin_actions:reset_status"
    admin VOLUME_MIGRATE "volume_extension:volume_admin_actions:migrate_volume"
    admin VOLUME_MIGRATE_COMPLETION "volume_extension:volume_admin_actions:migrate_volume_completion"
    admin VOLUME_EXTEND_COMPLETION "volume_extension:volume_admin_actions:extend_volume_completion"
    admin VOLUME_UNMANAGE "volume_extension:volume_unmanage"
    admin VOLUME_MANAGE "volume_extension:volume_manage"
    member VOLUME_EXTEND "volume:extend"
    member VOLUME_EXTEND_ATTACHED "volume:extend_attached_volume"
    member VOLUME_RETYPE "volume:retype"
    member VOLUME_REVERT "volume:revert_to_snapshot"
    member VOLUME_ATTACH "volume_extension:volume_actions:attach"
    member VOLUME_DETACH "volume_extension:volume_actions:detach"
    member VOLUME_INITIALIZE "volume_extension:volume_actions:initialize_connection"
    member VOLUME_TERMINATE "volume_extension:volume_actions:terminate_connection"
    member VOLUME_RESERVE "volume_extension:volume_actions:reserve"
    member VOLUME_UNRESERVE "volume_extension:volume_actions:unreserve"
    member VOLUME_BEGIN_DETACHING "volume_extension:volume_actions:begin_detaching"
    member VOLUME_ROLL_DETACHING "volume_extension:volume_actions:roll_detaching"
    member VOLUME_UPDATE_READONLY "volume:update_readonly_flag"
    member VOLUME_UPLOAD_IMAGE "volume_extension:volume_actions:upload_image"
    admin VOLUME_UPLOAD_PUBLIC "volume_extension:volume_actions:upload_public"
    member VOLUME_REIMAGE "volume:reimage"
    member VOLUME_REIMAGE_RESERVED "volume:reimage_reserved"
    reader VOLUME_IMAGE_METADATA_SHOW "volume_extension:volume_image_metadata:show"
    member VOLUME_IMAGE_METADATA_SET "volume_extension:volume_image_metadata:set"
    member VOLUME_IMAGE_METADATA_REMOVE "volume_extension:volume_image_metadata:remove"
    reader VOLUME_METADATA_GET "volume:get_volume_metadata"
    member VOLUME_METADATA_CREATE "volume:create_volume_metadata"
    member VOLUME_METADATA_UPDATE "volume:update_volume_metadata"
    member VOLUME_METADATA_DELETE "volume:delete_volume_metadata"
    reader VOLUME_ENCRYPTION "volume_extension:volume_encryption_metadata"
    admin VOLUME_SHOW_HOST "volume_extension:volume_host_attribute"
    reader VOLUME_SHOW_PROJECT "volume_extension:volume_tenant_attribute"
    admin VOLUME_SHOW_MIGRATION "volume_extension:volume_mig_status_attribute"
    member SNAPSHOT_CREATE "volume:create_snapshot"
    reader SNAPSHOT_GET "volume:get_snapshot"
    reader SNAPSHOT_GET_ALL "volume:get_all_snapshots"
    member SNAPSHOT_UPDATE "volume:update_snapshot"
    member SNAPSHOT_DELETE "volume:delete_snapshot"
    admin SNAPSHOT_FORCE_DELETE "volume_extension:snapshot_admin_actions:force_delete"
    admin SNAPSHOT_RESET_STATUS "volume_extension:snapshot_admin_actions:reset_status"
    member SNAPSHOT_UPDATE_STATUS "snapshot_extension:snapshot_actions:update_snapshot_status"
    reader SNAPSHOT_SHOW_EXTENDED "volume_extension:extended_snapshot_attributes"
    reader SNAPSHOT_METADATA_GET "volume:get_snapshot_metadata"
    member SNAPSHOT_METADATA_UPDATE "volume:update_snapshot_metadata"
    member SNAPSHOT_METADATA_DELETE "volume:delete_snapshot_metadata"
    admin SNAPSHOT_UNMANAGE "snapshot_extension:snapshot_unmanage"
    member BACKUP_CREATE "backup:create"
    reader BACKUP_GET "backup:get"
    reader BACKUP_GET_ALL "backup:get_all"
    admin BACKUP_SHOW_PROJECT "backup:backup_project_attribute"
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
    reader TYPE_GET_ALL "volume_extension:type_get_all"
    admin TYPE_CREATE "volume_extension:type_create"
    admin TYPE_UPDATE "volume_extension:type_update"
    admin TYPE_DELETE "volume_extension:type_delete"
    reader TYPE_SHOW_SPECS "volume_extension:access_types_extra_specs"
    admin TYPE_SHOW_QOS "volume_extension:access_types_qos_specs_id"
    member TYPE_SHOW_ACCESS "volume_extension:volume_type_access"
    reader TYPE_SPEC_GET_ALL "volume_extension:types_extra_specs:index"
    reader TYPE_SPEC_GET "volume_extension:types_extra_specs:show"
    admin TYPE_SPEC_SENSITIVE "volume_extension:types_extra_specs:read_sensitive"
    admin TYPE_SPEC_CREATE "volume_extension:types_extra_specs:create"
    admin TYPE_SPEC_UPDATE "volume_extension:types_extra_specs:update"
    admin TYPE_SPEC_DELETE "volume_extension:types_extra_specs:delete"
    admin TYPE_ENCRYPTION_GET "volume_extension:volume_type_encryption:get"
    admin TYPE_ENCRYPTION_CREATE "volume_extension:volume_type_encryption:create"
    admin TYPE_ENCRYPTION_UPDATE "volume_extension:volume_type_encryption:update"
    admin TYPE_ENCRYPTION_DELETE "volume_extension:volume_type_encryption:delete"
    admin TYPE_ACCESS_GET "volume_extension:volume_type_access:get_all_for_type"
    admin TYPE_ACCESS_ADD "volume_extension:volume_type_access:addProjectAccess"
    admin TYPE_ACCESS_REMOVE "volume_extension:volume_type_access:removeProjectAccess"
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
    admin DEFAULT_TYPE_GET "volume_extension:default_get"
    admin DEFAULT_TYPE_GET_ALL "volume_extension:default_get_all"
    admin DEFAULT_TYPE_UNSET "volume_extension:default_unset"
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
    admin GROUP_TYPE_SHOW_SPECS "group:access_group_types_specs"
    admin GROUP_SPEC_GET_ALL "group:group_types_specs:get_all"
    admin GROUP_SPEC_GET "group:group_types_specs:get"
    admin GROUP_SPEC_CREATE "group:group_types_specs:create"
    admin GROUP_SPEC_UPDATE "group:group_types_specs:update"
    admin GROUP_SPEC_DELETE "group:group_types_specs:delete"
    member GROUP_CREATE "group:create"
    reader GROUP_GET "group:get"
    reader GROUP_GET_ALL "group:get_all"
    admin GROUP_SHOW_PROJECT "group:group_project_attribute"
    member GROUP_UPDATE "group:update"
    member GROUP_DELETE "group:delete"
    admin GROUP_RESET_STATUS "group:reset_status"
    member GROUP_ENABLE_REPLICATION "group:enable_replication"
    member GROUP_DISABLE_REPLICATION "group:disable_replication"
    member GROUP_FAILOVER_REPLICATION "group:failover_replication"
    member GROUP_REPLICATION_TARGETS "group:list_replication_targets"
    member GROUP_SNAPSHOT_CREATE "group:create_group_snapshot"
    reader GROUP_SNAPSHOT_GET "group:get_group_snapshot"
    reader GROUP_SNAPSHOT_GET_ALL "group:get_all_group_snapshots"
    admin GROUP_SNAPSHOT_SHOW_PROJECT "group:group_snapshot_project_attribute"
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
