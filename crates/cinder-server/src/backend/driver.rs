//! The contract between the worker and a storage back end.
//!
//! A [`Driver`] keeps the volumes and snapshots of one back end: a directory, a volume group, a pool of a cluster. No
//! path is part of the contract. Data crosses from one driver to another, and to and from backups, as the extents of
//! a [`ReadExtents`].

use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;

use serde_json::Value;
use uuid::Uuid;

/// The buffer of a copy, in bytes.
const CHUNK: usize = 256 << 10;

/// The prefix of the name of a volume at its back end.
// Cinder: cinder/objects/volume.py, Volume.name, by the option volume_name_template.
pub const VOLUME_PREFIX: &str = "volume-";

/// The prefix of the name of a snapshot at its back end.
// Cinder: cinder/objects/snapshot.py, Snapshot.name, by the option snapshot_name_template.
pub const SNAPSHOT_PREFIX: &str = "snapshot-";

/// Returns the name under which a driver MUST list a volume.
pub fn volume_name(volume: Uuid) -> String {
    format!("{VOLUME_PREFIX}{volume}")
}

/// Returns the name under which a driver MUST list a snapshot.
pub fn snapshot_name(snapshot: Uuid) -> String {
    format!("{SNAPSHOT_PREFIX}{snapshot}")
}

/// The original of a clone, at the same back end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloneSource {
    /// A snapshot.
    Snapshot(Uuid),
    /// A volume, which a host may use meanwhile: the clone MUST be of one moment.
    Volume(Uuid),
}

/// The capacity of a back end, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// The bytes that new data may take.
    pub free: u64,
    /// The bytes of all data together.
    pub total: u64,
}

/// A volume, a snapshot or an unmanaged object at a back end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendObject {
    /// The name at the back end: [`volume_name`], [`snapshot_name`], or the reference of an unmanaged object.
    pub name: String,
    /// The size in GiB, rounded up, and at least 1.
    pub size_gib: u32,
}

/// How a host reaches a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The members of `data` in the connection information, which the host's connector reads. MUST be an object.
    pub data: Value,
    /// The directory below which the host mounts the back end, if it does.
    pub mount_point_base: Option<Box<str>>,
}

/// A failure of a driver.
#[derive(Debug)]
#[non_exhaustive]
pub enum DriverError {
    /// The back end has no such volume.
    NoVolume(Uuid),
    /// The back end has no such snapshot.
    NoSnapshot(Uuid),
    /// The back end has no object of this name that it can adopt.
    NoObject(Box<str>),
    /// An object is larger than the volume that it is to be a snapshot of. Sizes in bytes.
    SnapshotTooLarge {
        /// The size of the object.
        size: u64,
        /// The size of the volume.
        max: u64,
    },
    /// The source of an import has data behind the end of the volume. Sizes in bytes.
    SourceTooLarge {
        /// The size of the source.
        size: u64,
        /// The size of the volume.
        max: u64,
    },
    /// The source of an import can't be read.
    Source(Box<dyn Error + Send + Sync>),
    /// The import is no longer wanted.
    Cancelled,
    /// The storage failed.
    Io(io::Error),
}

impl fmt::Display for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVolume(id) => {
                write!(
                    f,
                    "the back end has no {}; restore its data, or delete it",
                    volume_name(*id)
                )
            }
            Self::NoSnapshot(id) => write!(
                f,
                "the back end has no {}; restore its data, or delete it",
                snapshot_name(*id)
            ),
            Self::NoObject(name) => write!(
                f,
                "the back end has no unmanaged object {name:?}; list them with GET /manageable_volumes"
            ),
            Self::SnapshotTooLarge { size, max } => write!(
                f,
                "the object has {size} bytes, but its volume only {max}; extend the volume first"
            ),
            Self::SourceTooLarge { size, max } => write!(
                f,
                "the source has {size} bytes with data behind the {max} bytes of the volume; use a larger volume"
            ),
            Self::Source(error) => write!(f, "can't read the source: {error}"),
            Self::Cancelled => f.write_str("an operator reset the volume during its import"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl Error for DriverError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Source(error) => Some(&**error),
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for DriverError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The data of a volume, a snapshot or a backup at one moment: extents with data, and zeros between them.
///
/// Dropping it releases the data: a frozen copy is deleted.
pub trait ReadExtents {
    /// Returns the size in bytes.
    fn size(&self) -> u64;

    /// Returns the next extent at or after `from`, in bytes, or `None` if the rest reads as zeros.
    ///
    /// The extent MUST begin at `from` or later, MUST NOT be empty, and MUST end at [`size`](Self::size) at the latest.
    /// It may include zeros.
    ///
    /// # Errors
    /// [`DriverError::Cancelled`] if the copy is no longer wanted, and failures of the storage.
    fn next_extent(&self, from: u64) -> Result<Option<Range<u64>>, DriverError>;

    /// Fills the buffer with the bytes from `offset` on. Bytes behind the end are zeros.
    ///
    /// # Errors
    /// Failures of the storage. The buffer is unspecified then.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), DriverError>;

    /// Returns a file with the same content, if there is one, so that a driver that keeps files can share its blocks.
    ///
    /// The driver MUST NOT write to it.
    fn file(&self) -> Option<&File> {
        None
    }
}

/// Calls `write` with the offset and the bytes of each part of a source that holds data, in ascending order. Parts
/// have at most 256 KiB.
///
/// A driver's [`import_volume`](Driver::import_volume) is this into an unpublished volume of `size` bytes of zeros.
///
/// # Errors
/// [`DriverError::SourceTooLarge`] if the source has data behind `size`; the errors of the source and of `write`.
///
/// # Examples
/// ```
/// use statehold_cinder_server::backend::{DriverError, ReadExtents, copy_extents};
/// # use std::ops::Range;
///
/// /// Eight bytes, of which the middle ones are data.
/// struct Source;
///
/// impl ReadExtents for Source {
///     fn size(&self) -> u64 {
///         8
///     }
///     fn next_extent(&self, from: u64) -> Result<Option<Range<u64>>, DriverError> {
///         Ok((from < 6).then_some(from.max(3)..6))
///     }
///     fn read_at(&self, buffer: &mut [u8], _: u64) -> Result<(), DriverError> {
///         buffer.fill(7);
///         Ok(())
///     }
/// }
///
/// let mut volume = vec![0; 8];
/// copy_extents(&Source, 8, |offset, bytes| {
///     let at = offset as usize;
///     volume[at..at + bytes.len()].copy_from_slice(bytes);
///     Ok(())
/// })?;
/// assert_eq!(volume, [0, 0, 0, 7, 7, 7, 0, 0]);
/// # Ok::<(), DriverError>(())
/// ```
pub fn copy_extents(
    source: &dyn ReadExtents,
    size: u64,
    write: impl FnMut(u64, &[u8]) -> Result<(), DriverError>,
) -> Result<(), DriverError> {
    copy_extents_from(0, source, size, write)
}

/// Checks that a source has no data behind `size`.
pub(crate) fn check_fits(source: &dyn ReadExtents, size: u64) -> Result<(), DriverError> {
    copy_extents_from(size, source, size, |_, _| Ok(()))
}

fn copy_extents_from(
    mut from: u64,
    source: &dyn ReadExtents,
    size: u64,
    mut write: impl FnMut(u64, &[u8]) -> Result<(), DriverError>,
) -> Result<(), DriverError> {
    let mut buffer = vec![0; CHUNK];
    while let Some(extent) = source.next_extent(from)? {
        let mut at = extent.start;
        while at < extent.end {
            let len = usize::try_from(extent.end - at).map_or(CHUNK, |len| len.min(CHUNK));
            let Some(part) = buffer.get_mut(..len) else { break };
            source.read_at(part, at)?;
            let inside =
                usize::try_from(size.saturating_sub(at)).map_or(len, |inside| inside.min(len));
            let (inside, behind) = part.split_at(inside);
            // Zeros behind the end are no loss: the source may be longer than its data.
            if behind.iter().any(|byte| *byte != 0) {
                return Err(DriverError::SourceTooLarge { size: source.size(), max: size });
            }
            if !inside.is_empty() {
                write(at, inside)?;
            }
            at += len as u64;
        }
        from = extent.end;
    }
    Ok(())
}

/// A storage back end.
///
/// The contract of every method, which [`conformance`](crate::backend::conformance()) tests:
///
/// - **Repeatable.** The worker repeats a call that a crash cut short, so a call whose effect exists already MUST
///   succeed. Data written to a volume since then MUST stay.
/// - **Whole or absent.** A volume or snapshot MUST NOT exist under its final name before it is complete and durable.
///   A call that fails leaves the state before it. A method that returns `Ok` is durable.
/// - **Clean after a crash.** Opening the back end again deletes the parts that a crash left.
/// - **One moment.** A snapshot, a clone and a reader hold the data of one moment. Later writes MUST NOT reach them.
/// - **Zeros.** A volume reads as zeros where no data was written.
///
/// The worker calls at most one method at a time for a volume or snapshot, and several for different ones. Methods
/// block: no transaction is open and no request waits meanwhile, except for [`list_objects`](Self::list_objects),
/// [`capacity`](Self::capacity), [`connection`](Self::connection) and the properties, which requests call. Sizes are
/// in GiB unless they are called bytes.
///
/// # Errors
/// [`DriverError::NoVolume`] and [`DriverError::NoSnapshot`] if the object that a call is about, or its source, does
/// not exist; [`DriverError::Io`] if the storage fails. The worker logs the error and sets an error status.
pub trait Driver: fmt::Debug + Send + Sync {
    /// Creates a volume without data. One that exists is kept, and extended to the size if it is smaller.
    fn create_volume(&self, volume: Uuid, size_gib: u32) -> Result<(), DriverError>;

    /// Creates volumes of sizes in GiB without data, like [`create_volume`](Self::create_volume). Returns the outcome
    /// of each, in their order: a failure leaves the others, and those that succeed are durable on return.
    ///
    /// A driver overrides it if it can share one durable write among them.
    fn create_volumes(&self, volumes: &[(Uuid, u32)]) -> Vec<Result<(), DriverError>> {
        volumes.iter().map(|(volume, size_gib)| self.create_volume(*volume, *size_gib)).collect()
    }

    /// Creates a volume with the data of another volume or of a snapshot, which is not larger. One that exists is kept,
    /// and extended to the size if it is smaller.
    fn clone_volume(
        &self,
        volume: Uuid,
        size_gib: u32,
        source: CloneSource,
    ) -> Result<(), DriverError>;

    /// Creates a volume with the data of another back end or of a backup; replaces the data of one that exists.
    ///
    /// The driver MUST read the source to its end before it publishes the volume, because a source may be cancelled, or
    /// found damaged, at its last extent. [`copy_extents`] does so.
    ///
    /// # Errors
    /// [`DriverError::SourceTooLarge`] if the source has data behind the end of the volume, and the errors of the
    /// source. The volume is as before then.
    fn import_volume(
        &self,
        volume: Uuid,
        size_gib: u32,
        source: &dyn ReadExtents,
    ) -> Result<(), DriverError>;

    /// Extends a volume, which a host may use. Never makes one smaller.
    fn extend_volume(&self, volume: Uuid, size_gib: u32) -> Result<(), DriverError>;

    /// Replaces the data of a volume by that of its snapshot. The volume keeps its size.
    fn revert_volume(&self, volume: Uuid, snapshot: Uuid) -> Result<(), DriverError>;

    /// Deletes a volume. An absent one counts as deleted.
    fn delete_volume(&self, volume: Uuid) -> Result<(), DriverError>;

    /// Returns whether a volume exists.
    fn has_volume(&self, volume: Uuid) -> Result<bool, DriverError>;

    /// Creates a snapshot of a volume, which a host may use. One that exists is kept.
    fn create_snapshot(&self, snapshot: Uuid, volume: Uuid) -> Result<(), DriverError>;

    /// Deletes a snapshot. An absent one counts as deleted.
    fn delete_snapshot(&self, snapshot: Uuid) -> Result<(), DriverError>;

    /// Opens a volume that no host uses. Its data MUST stay as it is while the reader exists, because the worker does
    /// nothing else with the volume meanwhile.
    fn open_volume(&self, volume: Uuid) -> Result<Box<dyn ReadExtents>, DriverError>;

    /// Opens a snapshot.
    fn open_snapshot(&self, snapshot: Uuid) -> Result<Box<dyn ReadExtents>, DriverError>;

    /// Opens a copy of a volume as of now, which a host may use. The copy is not listed, and is deleted once the reader
    /// is dropped, or at the next start after a crash. `reader` names it: of two copies, each has another one.
    fn open_frozen_copy(
        &self,
        volume: Uuid,
        reader: Uuid,
    ) -> Result<Box<dyn ReadExtents>, DriverError>;

    /// Returns all objects of the back end, managed or not, in any order.
    fn list_objects(&self) -> Result<Vec<BackendObject>, DriverError>;

    /// Renames the object `reference` to a volume, and extends it to whole GiB. Returns its size in GiB. One that was
    /// adopted already stays.
    ///
    /// # Errors
    /// [`DriverError::NoObject`] if no object of the name is listed. The client chooses the name, so it MUST NOT lead
    /// out of the back end.
    fn adopt_volume(&self, volume: Uuid, reference: &str) -> Result<u32, DriverError>;

    /// Renames the object `reference` to a snapshot of a volume. One that was adopted already stays.
    ///
    /// # Errors
    /// [`DriverError::SnapshotTooLarge`] if the object is larger than the volume, and like
    /// [`adopt_volume`](Self::adopt_volume).
    fn adopt_snapshot(
        &self,
        snapshot: Uuid,
        volume: Uuid,
        reference: &str,
    ) -> Result<(), DriverError>;

    /// Returns the free and total capacity.
    fn capacity(&self) -> Result<Capacity, DriverError>;

    /// Returns how a host reaches a volume, which need not exist.
    fn connection(&self, volume: Uuid) -> Connection;

    /// Returns the protocol by which hosts reach volumes, e.g. `nfs` or `rbd`: the host's connector and the volume
    /// types choose by it.
    fn protocol(&self) -> &str;

    /// Returns whether a host that uses a volume learns of an extension only once it looks again, and reports when it
    /// has. Without it, an extension is complete when [`extend_volume`](Self::extend_volume) returns.
    fn host_completes_extension(&self) -> bool {
        false
    }

    /// Returns the place of the back end, for logs and for `location_info` of its pool: a directory, or a cluster and
    /// its pool.
    fn location(&self) -> String;
}
