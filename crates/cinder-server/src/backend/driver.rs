//! What a back end has to be able to do.
//!
//! Invariant: everything can be done again after a crash in the middle of it: what is there already
//! counts as done, and what was half made is never under the name of what is whole.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;
use uuid::Uuid;

/// What is on a new volume.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Empty,
    /// A snapshot on the same back end.
    Snapshot(Uuid),
    /// A volume on the same back end.
    Volume(Uuid),
    /// A file, of another back end.
    File(PathBuf),
}

/// The room of a back end, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) free: u64,
    pub(crate) total: u64,
}

/// Something that a back end has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// What it calls it.
    pub(crate) name: String,
    pub(crate) gib: u32,
}

/// Keeps volumes and snapshots. All of it may wait for a disk.
pub(crate) trait Driver: std::fmt::Debug + Send + Sync {
    /// Makes a volume of a size.
    fn create_volume(&self, volume: Uuid, gib: u32, source: &Source) -> io::Result<()>;

    /// Creates volumes of sizes in GiB without data. Returns the outcome of each, in their order: one that
    /// fails leaves the others, and those that succeed are durable when this returns.
    fn create_empty_volumes(&self, volumes: &[(Uuid, u32)]) -> Vec<io::Result<()>>;

    /// Deletes a volume, if it is there.
    fn delete_volume(&self, volume: Uuid) -> io::Result<()>;

    /// Makes a volume larger.
    fn extend_volume(&self, volume: Uuid, gib: u32) -> io::Result<()>;

    /// Puts back on a volume what was there when a snapshot was made.
    fn revert_volume(&self, volume: Uuid, snapshot: Uuid) -> io::Result<()>;

    /// Makes a snapshot of a volume.
    fn create_snapshot(&self, snapshot: Uuid, volume: Uuid) -> io::Result<()>;

    /// A copy of a volume as it is now, for `reader`. It has no name, and is gone when it is closed.
    fn still(&self, volume: Uuid, reader: Uuid) -> io::Result<File>;

    /// Deletes a snapshot, if it is there.
    fn delete_snapshot(&self, snapshot: Uuid) -> io::Result<()>;

    /// Puts on a volume what `fill` writes into a file that is all zero, or nothing when that fails;
    /// makes the volume when it isn't there.
    fn fill_volume(
        &self,
        volume: Uuid,
        gib: u32,
        fill: &mut dyn FnMut(&File) -> io::Result<()>,
    ) -> io::Result<()>;

    /// Takes over what the back end calls `reference` as a volume; its size in GiB.
    fn manage_volume(&self, volume: Uuid, reference: &str) -> io::Result<u32>;

    /// Takes over what the back end calls `reference` as a snapshot of a volume that isn't smaller.
    fn manage_snapshot(&self, snapshot: Uuid, volume: Uuid, reference: &str) -> io::Result<()>;

    /// What the back end has, managed or not.
    fn files(&self) -> io::Result<Vec<Held>>;

    /// The file that holds a volume.
    fn path(&self, volume: Uuid) -> PathBuf;

    /// The file that holds a snapshot.
    fn snapshot_path(&self, snapshot: Uuid) -> PathBuf;

    /// How this machine reaches a volume.
    fn connection(&self, volume: Uuid) -> Value;

    /// How much room there is.
    fn room(&self) -> io::Result<Room>;

    /// The directory, for log lines.
    fn place(&self) -> &Path;
}
