//! The columns, filters and indexes of each resource.

use statehold_store::{Index, folded};
use uuid::Uuid;

use super::{
    AllProjects, AllowedFilters, Column, ColumnGetter, ListResource, allowed, ordered::indexed,
};
use crate::{
    access::actions::Rule,
    caller::policy,
    errors::Missing,
    rows::{
        Attachment, Backup, Group, GroupSnapshot, GroupType, Message, QosSpecs, Snapshot, Transfer,
        Volume, VolumeType,
    },
    totals,
};

macro_rules! list_resource {
    ($row:ident, $rule:expr, $missing:ident, $filters:expr, counted $counted:literal, project $project:tt,
        sort [$($sort:literal)*] $(name since $since:literal)?,
        $(indexes { $($indexes:tt)* },)? $(on host $on_host:path,)? |$this:ident| { $($name:literal => $column:expr,)* }) => {
        impl ListResource for $row {
            const RULE: Rule = $rule;
            const FILTERS: AllowedFilters = $filters;
            const SORT_KEYS: &'static [&'static str] = &["id", "created_at", $($sort),*];
            const NAME_SORTED_SINCE: u16 = 0 $(+ $since)?;
            const COUNTED: bool = $counted;
            const ALL_PROJECTS: AllProjects = list_resource!(@all $row);
            const BY_PROJECT: Option<&'static Index<Self, (String, i64, Uuid)>> =
                list_resource!(@index $row $project);
            const BY_CREATED: &'static Index<Self, (i64, Uuid)> = &Self::BY_CREATED;

            fn id(&self) -> Uuid {
                self.id
            }

            fn project_id(&self) -> Option<&str> {
                list_resource!(@project self $project)
            }

            fn created_at(&self) -> i64 {
                self.created_at
            }

            fn getter(name: &str) -> Option<ColumnGetter<Self>> {
                Some(match name {
                    "id" => |row| Column::Id(row.id),
                    "created_at" => |row| Column::Time(row.created_at),
                    $($name => {
                        let get: ColumnGetter<Self> = |row| {
                            // A constant column reads no row.
                            let $this = row;
                            let _ = $this;
                            $column
                        };
                        get
                    })*
                    _ => return None,
                })
            }

            $(indexed! { $($indexes)* })?

            $(fn count_on_host(
                view: &impl statehold_store::ReadView,
                host: &str,
                project: Option<&str>,
            ) -> Option<usize> {
                $on_host(view, host, project)
            })?

            fn missing(id: &str) -> Missing {
                Missing::$missing(id.into())
            }
        }
    };
    (@all Volume) => { AllProjects::Strict };
    (@all Backup) => { AllProjects::Backups };
    (@all $row:ident) => { AllProjects::Loose };
    (@index $row:ident yes) => { Some(&<$row>::BY_PROJECT) };
    (@index $row:ident no) => { None };
    (@project $this:ident yes) => { Some(&$this.project_id) };
    (@project $this:ident no) => {{ let _ = $this; None }};
}

list_resource!(Volume, policy::VOLUME_GET_ALL, Volume, allowed::VOLUME, counted true, project yes,
    sort ["status" "size" "availability_zone" "updated_at" "name" "display_name" "volume_type_id"
        "bootable" "host" "user_id" "project_id"],
    indexes {
        "name" => (BY_PROJECT_NAME, BY_NAME_FOLDED, |row| row.name.as_deref().map(folded)),
        "display_name" => (BY_PROJECT_NAME, BY_NAME_FOLDED, |row| row.name.as_deref().map(folded)),
        "size" => (BY_PROJECT_SIZE, BY_SIZE, |row| row.size),
        "status" => (BY_PROJECT_STATUS, BY_STATUS, |row| row.status.as_str()),
    },
    on host totals::volumes_on_host,
    |row| {
        "name" => Column::text(row.name.as_deref()),
        "display_name" => Column::text(row.name.as_deref()),
        "description" => Column::text(row.description.as_deref()),
        "display_description" => Column::text(row.description.as_deref()),
        "status" => Column::Text(row.status.as_str()),
        "attach_status" => Column::Text(row.attach_status.as_str()),
        "migration_status" => Column::text(row.migration_status.map(|status| status.as_str())),
        "size" => Column::Int(i64::from(row.size)),
        "availability_zone" => Column::Text(&row.availability_zone),
        "updated_at" => Column::time(row.updated_at),
        "user_id" => Column::Text(&row.user_id),
        "project_id" => Column::Text(&row.project_id),
        "volume_type_id" => Column::id(row.volume_type_id),
        "snapshot_id" => Column::id(row.snapshot_id),
        "source_volid" => Column::id(row.source_volid),
        "group_id" => Column::id(row.group_id),
        "host" => Column::text(row.host.as_deref()),
        // Clusters do not exist here; clients may still filter and find nothing.
        "cluster_name" => Column::Null,
        "bootable" => Column::Bool(row.bootable),
        "multiattach" => Column::Bool(row.multiattach),
        "encryption_key_id" => Column::id(row.encryption_key_id),
        "replication_status" => Column::text(row.replication_status.as_deref()),
        "consumes_quota" => Column::Bool(row.consumes_quota),
        "service_uuid" => Column::id(row.service_uuid),
        "provider_id" => Column::text(row.provider_id.as_deref()),
        "metadata" => Column::Pairs(&row.metadata),
        "glance_metadata" => Column::Pairs(&row.image_metadata),
    }
);

list_resource!(Snapshot, policy::SNAPSHOT_GET_ALL, Snapshot, allowed::SNAPSHOT, counted true, project yes,
    sort ["status" "volume_id" "volume_size" "updated_at" "name" "display_name" "project_id"
        "user_id"] name since 30,
    indexes {
        "name" => (BY_PROJECT_NAME, BY_NAME_FOLDED, |row| row.name.as_deref().map(folded)),
        "display_name" => (BY_PROJECT_NAME, BY_NAME_FOLDED, |row| row.name.as_deref().map(folded)),
        "status" => (BY_PROJECT_STATUS, BY_STATUS, |row| row.status.as_str()),
    },
    |row| {
        "name" => Column::text(row.name.as_deref()),
        "display_name" => Column::text(row.name.as_deref()),
        "description" => Column::text(row.description.as_deref()),
        "status" => Column::Text(row.status.as_str()),
        "volume_id" => Column::Id(row.volume_id),
        "size" => Column::Int(i64::from(row.size)),
        "volume_size" => Column::Int(i64::from(row.size)),
        "progress" => Column::Int(i64::from(row.progress)),
        "updated_at" => Column::time(row.updated_at),
        "user_id" => Column::Text(&row.user_id),
        "project_id" => Column::Text(&row.project_id),
        "volume_type_id" => Column::id(row.volume_type_id),
        "group_snapshot_id" => Column::id(row.group_snapshot_id),
        "consumes_quota" => Column::Bool(row.consumes_quota),
        "metadata" => Column::Pairs(&row.metadata),
    }
);

list_resource!(Backup, policy::BACKUP_GET_ALL, Backup, allowed::BACKUP, counted true, project yes,
    sort ["status" "volume_id" "size" "updated_at" "name" "display_name" "data_timestamp"
        "project_id" "user_id"],
    indexes {
        "name" => (BY_PROJECT_NAME, BY_NAME_FOLDED, |row| row.name.as_deref().map(folded)),
        "display_name" => (BY_PROJECT_NAME, BY_NAME_FOLDED, |row| row.name.as_deref().map(folded)),
        "status" => (BY_PROJECT_STATUS, BY_STATUS, |row| row.status.as_str()),
    },
    |row| {
        "name" => Column::text(row.name.as_deref()),
        "display_name" => Column::text(row.name.as_deref()),
        "description" => Column::text(row.description.as_deref()),
        "display_description" => Column::text(row.description.as_deref()),
        "status" => Column::Text(row.status.as_str()),
        "volume_id" => Column::Id(row.volume_id),
        "snapshot_id" => Column::id(row.snapshot_id),
        "parent_id" => Column::id(row.parent_id),
        "size" => Column::Int(i64::from(row.size)),
        "availability_zone" => Column::text(row.availability_zone.as_deref()),
        "container" => Column::Text(&row.container),
        "object_count" => Column::Int(i64::from(row.object_count)),
        "fail_reason" => Column::text(row.fail_reason.as_deref()),
        "updated_at" => Column::time(row.updated_at),
        "data_timestamp" => Column::Time(row.data_timestamp),
        "user_id" => Column::Text(&row.user_id),
        "project_id" => Column::Text(&row.project_id),
        "metadata" => Column::Pairs(&row.metadata),
    }
);

// The column `status` is absent, because a filter by it selects nothing in the reference;
// `attach_status` works.
list_resource!(Attachment, policy::VOLUME_GET_ALL, Attachment, allowed::ATTACHMENT, counted false, project yes,
    sort ["volume_id" "attach_status" "instance_id" "updated_at" "project_id"],
    |row| {
        "volume_id" => Column::Id(row.volume_id),
        "instance_id" => Column::id(row.instance),
        "instance_uuid" => Column::id(row.instance),
        "attach_status" => Column::Text(row.attach_status.as_str()),
        "attach_mode" => Column::text(row.attach_mode.as_deref()),
        "attached_host" => Column::text(row.host.as_deref()),
        "mountpoint" => Column::text(row.mountpoint.as_deref()),
        "updated_at" => Column::time(row.updated_at),
        "project_id" => Column::Text(&row.project_id),
    }
);

list_resource!(Transfer, policy::TRANSFER_GET_ALL, Transfer, allowed::NONE, counted false, project yes,
    sort ["name" "display_name" "volume_id"],
    |row| {
        "name" => Column::text(row.name.as_deref()),
        "display_name" => Column::text(row.name.as_deref()),
        "volume_id" => Column::Id(row.volume_id),
        "project_id" => Column::Text(&row.project_id),
        "source_project_id" => Column::Text(&row.project_id),
        "no_snapshots" => Column::Bool(row.no_snapshots),
    }
);

list_resource!(VolumeType, policy::TYPE_GET_ALL, VolumeType, allowed::VOLUME_TYPE, counted false, project no,
    sort ["name" "is_public" "description" "updated_at"],
    |row| {
        "name" => Column::Text(&row.name),
        "description" => Column::text(row.description.as_deref()),
        "is_public" => Column::Bool(row.is_public),
        "extra_specs" => Column::Pairs(&row.extra_specs),
        "qos_specs_id" => Column::id(row.qos_specs_id),
        "updated_at" => Column::time(row.updated_at),
    }
);

list_resource!(QosSpecs, policy::QOS_GET_ALL, Qos, allowed::NONE, counted false, project no,
    sort ["name" "consumer" "updated_at"],
    |row| {
        "name" => Column::Text(&row.name),
        "consumer" => Column::Text(&row.consumer),
        "updated_at" => Column::time(row.updated_at),
    }
);

list_resource!(Message, policy::MESSAGE_GET_ALL, Message, allowed::MESSAGE, counted false, project yes,
    sort ["event_id" "resource_type" "resource_uuid" "request_id" "message_level"],
    |row| {
        "event_id" => Column::Text(&row.event_id),
        "resource_type" => Column::Text(&row.resource_type),
        "resource_uuid" => Column::Id(row.resource_uuid),
        "request_id" => Column::Text(&row.request_id),
        "message_level" => Column::Text(Message::LEVEL),
        "project_id" => Column::Text(&row.project_id),
    }
);

list_resource!(GroupType, policy::GROUP_TYPE_GET, GroupType, allowed::NONE, counted false, project no,
    sort ["name" "is_public" "description" "updated_at"],
    |row| {
        "name" => Column::Text(&row.name),
        "description" => Column::text(row.description.as_deref()),
        "is_public" => Column::Bool(row.is_public),
        "updated_at" => Column::time(row.updated_at),
    }
);

list_resource!(Group, policy::GROUP_GET_ALL, Group, allowed::GROUP, counted false, project yes,
    sort ["name" "status" "group_type_id" "availability_zone" "host" "updated_at" "project_id"],
    |row| {
        "name" => Column::text(row.name.as_deref()),
        "description" => Column::text(row.description.as_deref()),
        "status" => Column::Text(row.status.as_str()),
        "group_type_id" => Column::Id(row.group_type_id),
        "availability_zone" => Column::Text(&row.availability_zone),
        "host" => Column::text(row.host.as_deref()),
        "group_snapshot_id" => Column::id(row.group_snapshot_id),
        "source_group_id" => Column::id(row.source_group_id),
        "replication_status" => Column::Text(Group::REPLICATION_STATUS),
        "updated_at" => Column::time(row.updated_at),
        "user_id" => Column::Text(&row.user_id),
        "project_id" => Column::Text(&row.project_id),
    }
);

list_resource!(GroupSnapshot, policy::GROUP_SNAPSHOT_GET_ALL, GroupSnapshot, allowed::GROUP_SNAPSHOT,
    counted false, project yes,
    sort ["name" "status" "group_id" "group_type_id" "updated_at" "project_id"],
    |row| {
        "name" => Column::text(row.name.as_deref()),
        "description" => Column::text(row.description.as_deref()),
        "status" => Column::Text(row.status.as_str()),
        "group_id" => Column::Id(row.group_id),
        "group_type_id" => Column::Id(row.group_type_id),
        "updated_at" => Column::time(row.updated_at),
        "user_id" => Column::Text(&row.user_id),
        "project_id" => Column::Text(&row.project_id),
    }
);
