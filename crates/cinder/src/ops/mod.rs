//! Operations: one function for each. A failed operation leaves no trace once its transaction is
//! dropped.

mod adoption;
mod attachments;
mod backups;
mod group_snapshots;
mod group_types;
mod groups;
mod messages;
mod qos;
mod services;
mod snapshots;
mod transfers;
mod type_rules;
mod types;
mod volumes;

pub use self::{
    adoption::{Named, check_adopting, named_host},
    attachments::{
        AttachmentSpec, Connector, check_connector, complete_attachment, connect_attachment,
        create_attachment, delete_attachment, find_attachment,
    },
    backups::{
        BackupChange, BackupRecord, BackupSpec, RestoreSpec, create_backup, delete_backup,
        export_backup, import_backup, reset_backup_status, restore_backup, update_backup,
    },
    group_snapshots::{
        GroupSnapshotSpec, create_group_snapshot, delete_group_snapshot, find_group_snapshot,
        reset_group_snapshot_status,
    },
    group_types::{
        GroupTypeChange, GroupTypeSpec, bootstrap_groups, create_group_type, default_group_type,
        delete_group_spec, delete_group_type, get_group_spec, get_group_specs, get_group_type,
        set_group_specs, update_group_specs, update_group_type,
    },
    groups::{
        CONSISTENCY_TYPE, GROUP_VOLUMES_MAX, GroupApi, GroupChange, GroupSource, GroupSourceSpec,
        GroupSpec, Replication, change_replication, create_group, create_group_from, delete_group,
        find_group, replication_targets, reset_group_status, update_group, volumes_of,
    },
    messages::{delete_message, find_message},
    qos::{
        QosSpec, bind_type, create_qos, delete_qos, delete_qos_keys, find_qos, front_end_qos,
        qos_types, unbind_types, update_qos,
    },
    services::{
        HostUsage, StuckFilter, UsageByProject, clean_up_stuck, disable_service, disabled_hosts,
        enable_service, failover_service, find_service, freeze_service, host_usage, is_pending,
        register_service, services, zones,
    },
    snapshots::{
        ManageSnapshotSpec, SnapshotChange, SnapshotSpec, create_snapshot, delete_snapshot,
        delete_snapshot_metadata, manage_snapshot, report_snapshot_status, reset_snapshot_status,
        set_snapshot_metadata, snapshot_metadata_item, unmanage_snapshot, update_snapshot,
    },
    transfers::{
        TransferKey, TransferSpec, accept_transfer, create_transfer, delete_transfer, find_transfer,
    },
    types::{
        EncryptionChange, TypeChange, TypeSpec, bootstrap, create_type, default_type,
        default_types, delete_encryption, delete_extra_spec, delete_type, find_default_type,
        find_type, get_extra_spec, get_type, known_type, set_default_type, set_encryption,
        set_extra_specs, set_type_access, type_access, update_encryption, update_extra_specs,
        update_type,
    },
    volumes::*,
};
pub(crate) use self::{
    backups::{check_backup_status, has_dependents, temporary_volume_name},
    group_snapshots::check_group_snapshot_status,
    groups::{check_group_status, is_consistency_type},
    snapshots::check_snapshot_status,
};
