//! A storage provider of files: each volume and each snapshot is a directory with a sparse file `data` and its
//! description `meta.json`.
//!
//! It implements a complete provider on one machine without a cluster: it creates, copies, expands, attaches and lists
//! volumes and takes snapshots. Attaching a volume returns the path of its file; nothing is mounted.
//!
//! Invariant: a directory gets its final name after its content is on disk, and loses it before its content is deleted,
//! so a crash leaves complete volumes or none.

mod meta;
mod object_dir;
mod object_locks;
mod own;
mod pending;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use statehold_nomad::provider::{
    AttachVolume, CreateSnapshot, CreateVolume, CreatedVolume, CsiProvider, DetachVolume,
    ExpandVolume, ExpandedVolume, ExternalVolume, ExternalVolumes, ProviderError,
    ProviderErrorKind as Kind, ProviderInfo, ProviderPage, Snapshot, Snapshots, ValidateVolume,
    VolumeSource,
};
use statehold_nomad::{
    Capability, ControllerInfo, Labels, NodeInfo, Secrets, access_mode, attachment_mode,
};
use uuid::Uuid;

use crate::node::host::{reason, takes_no_data};
use crate::node::intents::Intents;
use meta::{Attachment, SnapshotMeta, VolumeMeta};
use object_dir::ObjectDir;
use object_locks::{LockKey, ObjectLocks};
pub(crate) use pending::Pending;
use statehold_server_core::fs::sparse;

/// The name that the provider reports.
const NAME: &str = "statehold.csi-dir";

/// The capacity of a volume when the request names none, in bytes: 1 GiB.
const CAPACITY_DEFAULT: i64 = 1 << 30;

/// The largest volume, in bytes: 8 TiB, which is below the maximum file size of common file systems.
const CAPACITY_MAX: i64 = 8 << 40;

/// The longest name of a volume or a snapshot, in bytes.
// CSI specification, "Size Limits": string fields have at most 128 bytes.
const NAME_MAX: usize = 128;

/// Maximum number of volumes that can be attached to the node of the provider.
const ATTACHED_MAX: i64 = 1024;

/// Returns the time in Unix seconds.
type Clock = fn() -> i64;

/// The provider and the contents of its directory.
///
/// Requests run in parallel unless they name the same volume, snapshot or new name, so that a copy of a large volume
/// delays no other volume.
pub(crate) struct CsiDir {
    dir: PathBuf,
    external_node_id: Box<str>,
    clock: Clock,
    pending: Intents<Pending>,
    /// The intents of requests in flight.
    in_flight: Mutex<BTreeSet<Uuid>>,
    volumes: ObjectDir<VolumeMeta>,
    snapshots: ObjectDir<SnapshotMeta>,
    locks: ObjectLocks,
}

impl CsiDir {
    /// Opens the directory of a provider, and creates it if absent. `external_node_id` is the provider's ID of this
    /// machine.
    pub(crate) fn open(
        dir: impl Into<PathBuf>,
        external_node_id: &str,
        clock: Clock,
    ) -> io::Result<Self> {
        let dir = dir.into();
        let volumes = ObjectDir::open(dir.join("volumes"))?;
        let snapshots = ObjectDir::open(dir.join("snapshots"))?;
        let pending = Intents::open(dir.join("intents"))?;
        let (locks, in_flight) = (ObjectLocks::default(), Mutex::default());
        Ok(Self {
            dir,
            external_node_id: external_node_id.into(),
            clock,
            pending,
            in_flight,
            volumes,
            snapshots,
            locks,
        })
    }

    /// Returns the ID of the volume that was created under a name.
    pub(crate) fn find_volume(&self, name: &str) -> Option<Box<str>> {
        self.volumes.find(|meta| *meta.name == *name).map(|(id, _)| id)
    }

    /// Returns whether a volume has data, even if its description is unreadable.
    pub(crate) fn has_volume(&self, id: &str) -> bool {
        self.volumes.get(id).is_some() || self.volumes.is_damaged(id)
    }
}

impl fmt::Debug for CsiDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsiDir").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl CsiProvider for CsiDir {
    fn probe(&self) -> Result<ProviderInfo, ProviderError> {
        // Read on each probe: the disk may be gone although its descriptions are in memory.
        for shelf in ["volumes", "snapshots"] {
            let shelf = self.dir.join(shelf);
            std::fs::read_dir(&shelf).map_err(|error| failed("read", &shelf, &error))?;
        }
        Ok(ProviderInfo {
            name: NAME.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            controller: ControllerInfo {
                supports_create_delete: true,
                supports_attach_detach: true,
                supports_list_volumes: true,
                supports_create_delete_snapshot: true,
                supports_list_snapshots: true,
                supports_clone: true,
                supports_read_only_attach: true,
                supports_expand: true,
                supports_list_volumes_attached_nodes: true,
                supports_condition: true,
                supports_get_capacity: false,
                supports_get: false,
            },
            node: NodeInfo {
                id: self.external_node_id.clone(),
                max_volumes: ATTACHED_MAX,
                ..NodeInfo::default()
            },
        })
    }

    fn create_volume(&self, request: &CreateVolume<'_>) -> Result<CreatedVolume, ProviderError> {
        check_name(request.name)?;
        check_capabilities(request.capabilities)?;
        // The source, too: it MUST be neither deleted nor expanded while it is copied.
        let source = request.source.map(|source| match source {
            VolumeSource::Volume(id) => LockKey::Volume(id.into()),
            VolumeSource::Snapshot(id) => LockKey::Snapshot(id.into()),
        });
        let key = LockKey::VolumeName(request.name.into());
        let _locks = self.locks.lock([key].into_iter().chain(source));
        let Self { volumes, snapshots, .. } = self;
        // CSI specification, "CreateVolume": idempotent by name; ALREADY_EXISTS if the volume is incompatible.
        if let Some((id, meta)) = volumes.find(|meta| *meta.name == *request.name) {
            return if fits(meta.capacity, request) && meta.is_copy_of(request.source) {
                Ok(created(&id, meta.capacity))
            } else {
                Err(ProviderError::new(
                    Kind::AlreadyExists,
                    format!("volume {:?} exists with another capacity or source", request.name),
                ))
            };
        }
        let mut meta = VolumeMeta { name: request.name.into(), ..VolumeMeta::default() };
        let source = match request.source {
            None => None,
            Some(VolumeSource::Volume(id)) => {
                meta.clone_id = id.into();
                let source = volumes.get(id).ok_or_else(|| no_volume(id))?;
                Some((volumes.data(id), source.capacity))
            }
            Some(VolumeSource::Snapshot(id)) => {
                meta.snapshot_id = id.into();
                let source = snapshots.get(id).ok_or_else(|| no_snapshot(id))?;
                Some((snapshots.data(id), source.size))
            }
        };
        let least = source.as_ref().map_or(0, |(_, size)| *size);
        meta.capacity = capacity(request.capacity_min, request.capacity_max, least)?;
        let id = volumes.free_id("vol");
        let created = created(&id, meta.capacity);
        let len = bytes(meta.capacity);
        let made = volumes.put(&id, meta, |data| match &source {
            Some((from, _)) => sparse::copy(from, data, len),
            None => sparse::create(data, len),
        });
        made.map_err(|error| failed("create", &volumes.data(&id), &error))?;
        Ok(created)
    }

    fn delete_volume(&self, external_id: &str, _: &Secrets) -> Result<(), ProviderError> {
        let _lock = self.locks.lock([LockKey::Volume(external_id.into())]);
        let volumes = &self.volumes;
        let Some(meta) = volumes.get(external_id) else {
            return gone(volumes, external_id);
        };
        // CSI specification, "DeleteVolume Errors": FAILED_PRECONDITION for a volume in use.
        if let Some(node) = meta.attached.keys().next() {
            return Err(ProviderError::new(
                Kind::FailedPrecondition,
                format!("volume {external_id:?} is attached to node {node:?}"),
            ));
        }
        volumes
            .remove(external_id)
            .map_err(|error| failed("remove", &volumes.data(external_id), &error))
    }

    fn validate_volume(&self, request: &ValidateVolume<'_>) -> Result<(), ProviderError> {
        check_capabilities(request.capabilities)?;
        let found = self.volumes.get(request.external_id);
        found.map(drop).ok_or_else(|| no_volume(request.external_id))
    }

    fn expand_volume(&self, request: &ExpandVolume<'_>) -> Result<ExpandedVolume, ProviderError> {
        let id = request.external_id;
        let _lock = self.locks.lock([LockKey::Volume(id.into())]);
        let volumes = &self.volumes;
        let meta = volumes.get(id).ok_or_else(|| no_volume(id))?;
        let capacity = capacity(request.capacity_min, request.capacity_max, meta.capacity)?;
        if capacity > meta.capacity {
            let data = volumes.data(id);
            let error = |error| failed("expand", &data, &error);
            // The file first, so that a crash never leaves a description with more capacity than the file.
            sparse::extend(&data, bytes(capacity)).map_err(error)?;
            volumes.change(id, |meta| meta.capacity = capacity).map_err(error)?;
        }
        Ok(ExpandedVolume { capacity, node_expansion_required: false })
    }

    fn attach_volume(&self, request: &AttachVolume<'_>) -> Result<Labels, ProviderError> {
        let (id, node) = (request.external_id, request.external_node_id);
        check_capabilities(std::slice::from_ref(request.capability))?;
        let _lock = self.locks.lock([LockKey::Volume(id.into())]);
        let volumes = &self.volumes;
        let meta = volumes.get(id).ok_or_else(|| no_volume(id))?;
        let wanted = Attachment { read_only: request.read_only };
        let single = request.capability.access_mode.starts_with("single-node");
        if let Some(other) = meta.attached.keys().find(|&other| single && **other != *node) {
            return Err(ProviderError::new(
                Kind::FailedPrecondition,
                format!("volume {id:?} is attached to node {other:?}"),
            ));
        }
        // A repeated request writes nothing.
        if meta.attached.get(node) != Some(&wanted) {
            let change = |meta: &mut VolumeMeta| {
                meta.attached.insert(node.into(), wanted);
            };
            volumes
                .change(id, change)
                .map_err(|error| failed("attach", &volumes.data(id), &error))?;
        }
        let path = volumes.data(id).to_string_lossy().into();
        Ok([("path".into(), path)].into())
    }

    fn detach_volume(&self, request: &DetachVolume<'_>) -> Result<(), ProviderError> {
        let (id, node) = (request.external_id, request.external_node_id);
        let _lock = self.locks.lock([LockKey::Volume(id.into())]);
        let volumes = &self.volumes;
        // CSI specification, "ControllerUnpublishVolume": idempotent; an absent volume counts as detached.
        if !volumes.get(id).is_some_and(|meta| meta.attached.contains_key(node)) {
            return Ok(());
        }
        volumes
            .change(id, |meta| {
                meta.attached.remove(node);
            })
            .map_err(|error| failed("detach", &volumes.data(id), &error))
    }

    fn list_volumes(&self, page: &ProviderPage<'_>) -> Result<ExternalVolumes, ProviderError> {
        let (volumes, next_token) = self.volumes.page(page, |id, meta| ExternalVolume {
            external_id: id.into(),
            capacity: meta.capacity,
            context: Labels::new(),
            clone_id: meta.clone_id.clone(),
            snapshot_id: meta.snapshot_id.clone(),
            attached_to: meta.attached.keys().cloned().collect(),
            abnormal: false,
            status: "".into(),
        })?;
        Ok(ExternalVolumes { volumes, next_token })
    }

    fn create_snapshot(&self, request: &CreateSnapshot<'_>) -> Result<Snapshot, ProviderError> {
        let id = request.external_id;
        check_name(request.name)?;
        let locks = [LockKey::SnapshotName(request.name.into()), LockKey::Volume(id.into())];
        let _locks = self.locks.lock(locks);
        let Self { volumes, snapshots, .. } = self;
        if let Some((found, meta)) = snapshots.find(|meta| *meta.name == *request.name) {
            return if *meta.external_volume_id == *id {
                Ok(meta.to_snapshot(&found))
            } else {
                Err(ProviderError::new(
                    Kind::AlreadyExists,
                    format!("snapshot {:?} is of another volume", request.name),
                ))
            };
        }
        let size = volumes.get(id).ok_or_else(|| no_volume(id))?.capacity;
        let meta = SnapshotMeta {
            name: request.name.into(),
            external_volume_id: id.into(),
            size,
            create_time: (self.clock)(),
        };
        let snapshot = snapshots.free_id("snap");
        let taken = meta.to_snapshot(&snapshot);
        let from = volumes.data(id);
        snapshots
            .put(&snapshot, meta, |data| sparse::copy(&from, data, bytes(size)))
            .map_err(|error| failed("create", &snapshots.data(&snapshot), &error))?;
        Ok(taken)
    }

    fn delete_snapshot(&self, id: &str, _: &Secrets) -> Result<(), ProviderError> {
        let _lock = self.locks.lock([LockKey::Snapshot(id.into())]);
        let snapshots = &self.snapshots;
        if snapshots.get(id).is_none() {
            return gone(snapshots, id);
        }
        snapshots.remove(id).map_err(|error| failed("remove", &snapshots.data(id), &error))
    }

    fn list_snapshots(
        &self,
        page: &ProviderPage<'_>,
        _: &Secrets,
    ) -> Result<Snapshots, ProviderError> {
        let (snapshots, next_token) = self.snapshots.page(page, |id, meta| meta.to_snapshot(id))?;
        Ok(Snapshots { snapshots, next_token })
    }
}

fn created(id: &str, capacity: i64) -> CreatedVolume {
    CreatedVolume { external_id: id.into(), capacity, ..CreatedVolume::default() }
}

/// Returns whether a capacity is within the range of the request.
fn fits(capacity: i64, request: &CreateVolume<'_>) -> bool {
    let max = if request.capacity_max == 0 { i64::MAX } else { request.capacity_max };
    (request.capacity_min..=max).contains(&capacity)
}

/// Returns the smallest capacity that satisfies a request, and is at least `least`.
fn capacity(min: i64, max: i64, least: i64) -> Result<i64, ProviderError> {
    let limit = if max == 0 { CAPACITY_MAX } else { max };
    let wanted = if min == 0 && least == 0 { CAPACITY_DEFAULT.min(limit) } else { min.max(least) };
    if min < 0 || max < 0 || wanted > limit || wanted > CAPACITY_MAX {
        return Err(ProviderError::new(
            Kind::OutOfRange,
            format!(
                "no capacity from {min} to {limit} bytes: it is {least} at least, {CAPACITY_MAX} at most"
            ),
        ));
    }
    Ok(wanted)
}

fn bytes(capacity: i64) -> u64 {
    u64::try_from(capacity).unwrap_or_default()
}

fn check_name(name: &str) -> Result<(), ProviderError> {
    let problem = if name.is_empty() {
        "missing Name".to_owned()
    } else if name.len() > NAME_MAX {
        format!("the name is longer than {NAME_MAX} bytes")
    } else {
        return Ok(());
    };
    Err(ProviderError::new(Kind::InvalidArgument, problem))
}

/// Rejects unknown modes. A file supports every access and attachment mode of CSI.
fn check_capabilities(capabilities: &[Capability]) -> Result<(), ProviderError> {
    const ACCESS: [&str; 5] = [
        access_mode::SINGLE_NODE_READER,
        access_mode::SINGLE_NODE_WRITER,
        access_mode::MULTI_NODE_READER,
        access_mode::MULTI_NODE_SINGLE_WRITER,
        access_mode::MULTI_NODE_MULTI_WRITER,
    ];
    const ATTACHMENT: [&str; 2] = [attachment_mode::FILE_SYSTEM, attachment_mode::BLOCK_DEVICE];
    let unknown = |what, mode: &str| {
        ProviderError::new(Kind::InvalidArgument, format!("unknown volume {what} mode: {mode}"))
    };
    for capability in capabilities {
        if !ATTACHMENT.contains(&&*capability.attachment_mode) {
            return Err(unknown("attachment", &capability.attachment_mode));
        }
        if !ACCESS.contains(&&*capability.access_mode) {
            return Err(unknown("access", &capability.access_mode));
        }
    }
    Ok(())
}

/// Returns the result of deleting an unknown ID: success, unless its description is damaged, because a success would
/// delete the row of existing data.
fn gone<M: Serialize + DeserializeOwned + Clone>(
    objects: &ObjectDir<M>,
    id: &str,
) -> Result<(), ProviderError> {
    if !objects.is_damaged(id) {
        return Ok(());
    }
    let text =
        format!("the description of {id:?} can't be read; repair its meta.json, or remove it");
    Err(ProviderError::new(Kind::Internal, text))
}

fn no_volume(id: &str) -> ProviderError {
    ProviderError::new(Kind::NotFound, format!("no such volume: {id:?}"))
}

fn no_snapshot(id: &str) -> ProviderError {
    ProviderError::new(Kind::NotFound, format!("no such snapshot: {id:?}"))
}

/// Maps an error of the operating system.
fn failed(doing: &str, path: &Path, error: &io::Error) -> ProviderError {
    let kind = match error.kind() {
        io::ErrorKind::FileTooLarge => Kind::OutOfRange,
        _ if takes_no_data(error) => Kind::ResourceExhausted,
        _ => Kind::Internal,
    };
    ProviderError::new(kind, format!("can't {doing} {}: {}", path.display(), reason(error)))
}

#[cfg(test)]
mod tests;
