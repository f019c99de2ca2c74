//! What changes rows: one function an operation, each of which leaves nothing behind when it fails
//! and its transaction is dropped.

mod attachments;
mod messages;
mod qos;
mod refusal;
mod snapshots;
mod transfers;
mod types;
mod volumes;

pub use self::{
    attachments::{
        ATTACHMENTS_SINCE, AttachmentSpec, Connector, check_connector, complete_attachment,
        connect_attachment, create_attachment, delete_attachment, find_attachment,
    },
    messages::{delete_message, find_message},
    qos::{
        QosSpec, bind_type, create_qos, delete_qos, delete_qos_keys, find_qos, qos_types,
        unbind_types, update_qos,
    },
    refusal::{SnapshotRefusal, VolumeRefusal},
    snapshots::{
        SnapshotChange, SnapshotSpec, create_snapshot, delete_snapshot, report_snapshot_status,
        reset_snapshot_status, snapshot_metadata_item, unmanage_snapshot, update_snapshot,
    },
    transfers::{
        TransferKey, TransferSpec, accept_transfer, create_transfer, delete_transfer, find_transfer,
    },
    types::{
        EncryptionChange, TypeChange, TypeSpec, bootstrap, create_type, default_type,
        default_types, delete_encryption, delete_extra_spec, delete_type, find_default_type,
        find_type, get_extra_spec, get_type, set_default_type, set_encryption, set_extra_specs,
        set_type_access, type_access, update_encryption, update_type,
    },
    volumes::*,
};
