//! Operations on CSI volumes, their snapshots, and the plugins that serve them.

mod attach;
mod create;
mod delete;
mod deregister;
mod ownership;
mod plugins;
mod register;
mod snapshots;

pub(super) use self::plugins::{
    delete_allocation_instances, move_instances, update_expected_plugin, update_node_plugins,
};
pub use self::{
    attach::{AttachError, attach_with_provider},
    create::{
        CreateError, ProvidedVolumes, create_with_provider, record_volumes, register_with_provider,
    },
    delete::{DeleteError, delete_with_provider},
    deregister::{DeregisterError, deregister},
    ownership::{OwnershipError, check_data, check_snapshot, is_foreign_data},
    plugins::collect_plugins,
    register::{RegisterError, check_own_data, check_own_sources, register},
    snapshots::{
        CreatedSnapshot, ExternalListError, PluginSnapshots, SnapshotError, SnapshotSpec,
        create_snapshots_with_provider, delete_snapshot_with_provider, list_external_snapshots,
        list_external_volumes,
    },
};
