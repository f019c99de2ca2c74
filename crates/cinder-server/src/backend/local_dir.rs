//! A back end in a directory: a volume is the sparse file `volume-<id>`, a snapshot the sparse file `snapshot-<id>`.
//!
//! Files are created and deleted by the rules of [`locked_dir`](crate::locked_dir), which keep the contract of
//! [`Driver`]. Copies share their blocks with the original where the file system can.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use statehold_server_core::fs::private;
use statehold_server_core::fs::regular;
use statehold_server_core::fs::sparse;
use uuid::Uuid;

use crate::backend::driver::{
    BackendObject, Capacity, CloneSource, Connection, Driver, DriverError, ReadExtents,
    SNAPSHOT_PREFIX, VOLUME_PREFIX, check_fits, copy_extents, snapshot_name, volume_name,
};
use crate::backend::export::{Export, MOUNT_POINT_BASE};
use crate::locked_dir::LockedDir;

/// The prefix of the name of a frozen copy, until it is unlinked.
const FROZEN_PREFIX: &str = "still-";

/// A back end in a directory.
#[derive(Debug)]
pub(crate) struct LocalDir {
    dir: LockedDir,
    /// The NFS export of the directory; without it, hosts have the directory under the same path.
    export: Option<Export>,
    /// The number of steps until a simulated crash.
    #[cfg(test)]
    crash_at: tests::CrashAt,
}

impl LocalDir {
    /// Opens a directory, and creates it if it is absent.
    ///
    /// # Errors
    /// Another running server uses the directory, or the file system fails.
    pub(crate) fn open(dir: &Path, export: Option<Export>) -> io::Result<Self> {
        let dir = LockedDir::open(dir, "directory of the back end", is_own)?;
        Ok(Self {
            dir,
            export,
            #[cfg(test)]
            crash_at: tests::CrashAt::default(),
        })
    }

    /// Marks a point between two changes of the file system: a test lets the server die there.
    fn step(&self) {
        #[cfg(test)]
        self.crash_at.step();
        #[cfg(not(test))]
        let _ = self;
    }

    fn volume_path(&self, volume: Uuid) -> PathBuf {
        self.dir.path().join(volume_name(volume))
    }

    fn snapshot_path(&self, snapshot: Uuid) -> PathBuf {
        self.dir.path().join(snapshot_name(snapshot))
    }

    fn open_source(&self, source: CloneSource) -> Result<File, DriverError> {
        match source {
            CloneSource::Volume(id) => regular::open(&self.volume_path(id)).map_err(no_volume(id)),
            CloneSource::Snapshot(id) => {
                regular::open(&self.snapshot_path(id)).map_err(no_snapshot(id))
            }
        }
    }

    fn volume_len(&self, volume: Uuid) -> Result<u64, DriverError> {
        let about = fs::metadata(self.volume_path(volume)).map_err(no_volume(volume))?;
        Ok(about.len())
    }

    /// Creates a file under another name by `write`, which MUST sync it, then renames it. Durable on return.
    fn publish(
        &self,
        to: &Path,
        write: impl FnMut(&Path) -> Result<(), DriverError>,
    ) -> Result<(), DriverError> {
        self.publish_unsynced(to, write)?;
        self.step();
        Ok(self.dir.sync()?)
    }

    /// Like [`publish`](Self::publish), but the name is durable only after a sync of the directory, which several
    /// files can share.
    fn publish_unsynced(
        &self,
        to: &Path,
        mut write: impl FnMut(&Path) -> Result<(), DriverError>,
    ) -> Result<(), DriverError> {
        let Some(name) = to.file_name() else {
            return Err(io::Error::from(ErrorKind::InvalidInput).into());
        };
        let new = self.dir.new_path(name);
        self.step();
        let written = match write(&new) {
            // Only an earlier attempt that failed to clean up leaves the name, so it is not looked for each time.
            Err(DriverError::Io(error)) if error.kind() == ErrorKind::AlreadyExists => {
                remove(&new)?;
                write(&new)
            }
            written => written,
        };
        written.inspect_err(|_| drop(remove(&new)))?;
        self.step();
        Ok(fs::rename(&new, to)?)
    }

    /// Renames an unmanaged file of at most `len_max` bytes, unless it is renamed already. Durable on return.
    fn adopt(&self, to: &Path, reference: &str, len_max: u64) -> Result<(), DriverError> {
        if to.try_exists()? {
            return Ok(());
        }
        // The client chooses the name: it must not lead out of the directory, nor to files that are not complete.
        let is_plain = !reference.contains(['/', '\0']) && !reference.starts_with('.');
        let from = self.dir.path().join(reference);
        let no_object = || DriverError::NoObject(reference.into());
        if !is_plain {
            return Err(no_object());
        }
        let about = fs::symlink_metadata(&from).map_err(|error| match error.kind() {
            ErrorKind::NotFound => no_object(),
            _ => error.into(),
        })?;
        // A symbolic link would lead out of the directory.
        if !about.is_file() {
            return Err(no_object());
        }
        let size = about.len();
        if size > len_max {
            return Err(DriverError::SnapshotTooLarge { size, max: len_max });
        }
        self.step();
        // Before the rename, because hosts find the file by its new name: until now its creator chose the mode.
        private::adopt(&regular::open(&from)?)?;
        self.step();
        fs::rename(&from, to)?;
        self.step();
        Ok(self.dir.sync()?)
    }

    fn delete(&self, path: &Path) -> Result<(), DriverError> {
        let Some(name) = path.file_name() else {
            return Err(io::Error::from(ErrorKind::InvalidInput).into());
        };
        let trash = self.dir.trash_path(name);
        self.step();
        match fs::rename(path, &trash) {
            // An earlier attempt may have ended between the rename and the removal.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            renamed => renamed?,
        }
        self.step();
        self.dir.sync()?;
        self.step();
        Ok(remove(&trash)?)
    }

    fn extend(&self, path: &Path, size_gib: u32) -> io::Result<()> {
        self.step();
        sparse::extend(path, bytes(size_gib))
    }
}

/// Returns whether the server created a file of this name.
fn is_own(name: &str) -> bool {
    let ids = [VOLUME_PREFIX, SNAPSHOT_PREFIX, FROZEN_PREFIX].map(|kind| name.strip_prefix(kind));
    ids.into_iter().flatten().any(|id| Uuid::parse_str(id).is_ok())
}

/// Maps the error of a volume's file.
fn no_volume(volume: Uuid) -> impl Fn(io::Error) -> DriverError {
    move |error| match error.kind() {
        ErrorKind::NotFound => DriverError::NoVolume(volume),
        _ => DriverError::Io(error),
    }
}

/// Maps the error of a snapshot's file.
fn no_snapshot(snapshot: Uuid) -> impl Fn(io::Error) -> DriverError {
    move |error| match error.kind() {
        ErrorKind::NotFound => DriverError::NoSnapshot(snapshot),
        _ => DriverError::Io(error),
    }
}

/// Removes a file if it exists.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn bytes(gib: u32) -> u64 {
    u64::from(gib) << 30
}

/// Returns the GiB that a file of a length takes, at least 1.
fn gib_of(len: u64) -> io::Result<u32> {
    u32::try_from(len.div_ceil(1 << 30).max(1)).map_err(io::Error::other)
}

impl Driver for LocalDir {
    fn create_volume(&self, volume: Uuid, size_gib: u32) -> Result<(), DriverError> {
        let created = self.create_volumes(&[(volume, size_gib)]);
        created.into_iter().collect()
    }

    fn create_volumes(&self, volumes: &[(Uuid, u32)]) -> Vec<Result<(), DriverError>> {
        let create = |&(volume, size_gib): &(Uuid, u32)| {
            let to = self.volume_path(volume);
            // An earlier attempt may have ended between the rename and the sync below.
            if to.try_exists()? {
                return Ok(self.extend(&to, size_gib)?);
            }
            self.publish_unsynced(&to, |new| Ok(sparse::create(new, bytes(size_gib))?))
        };
        let created: Vec<Result<(), DriverError>> = volumes.iter().map(create).collect();
        self.step();
        // One for all names, because it costs as much as the creation of a file.
        match self.dir.sync() {
            Ok(()) => created,
            Err(error) => {
                let (kind, message) = (error.kind(), error.to_string());
                let unsynced = |()| Err(io::Error::new(kind, message.clone()).into());
                created.into_iter().map(|done| done.and_then(unsynced)).collect()
            }
        }
    }

    fn clone_volume(
        &self,
        volume: Uuid,
        size_gib: u32,
        source: CloneSource,
    ) -> Result<(), DriverError> {
        let to = self.volume_path(volume);
        if to.try_exists()? {
            return Ok(self.extend(&to, size_gib)?);
        }
        let from = self.open_source(source)?;
        self.publish(&to, |new| Ok(sparse::copy_file(&from, new, bytes(size_gib))?))
    }

    fn import_volume(
        &self,
        volume: Uuid,
        size_gib: u32,
        source: &dyn ReadExtents,
    ) -> Result<(), DriverError> {
        let len = bytes(size_gib);
        self.publish(&self.volume_path(volume), |new| {
            if let Some(from) = source.file() {
                check_fits(source, len)?;
                return Ok(sparse::copy_file(from, new, len)?);
            }
            sparse::create(new, len)?;
            let to = regular::open_to_write(new)?;
            copy_extents(source, len, |offset, data| {
                self.step();
                Ok(to.write_all_at(data, offset)?)
            })?;
            Ok(to.sync_all()?)
        })
    }

    fn extend_volume(&self, volume: Uuid, size_gib: u32) -> Result<(), DriverError> {
        self.extend(&self.volume_path(volume), size_gib).map_err(no_volume(volume))
    }

    fn revert_volume(&self, volume: Uuid, snapshot: Uuid) -> Result<(), DriverError> {
        let from = self.open_source(CloneSource::Snapshot(snapshot))?;
        // An adopted snapshot may be shorter, and the volume may have been extended since.
        let len = self.volume_len(volume)?;
        self.publish(&self.volume_path(volume), |new| Ok(sparse::copy_file(&from, new, len)?))
    }

    fn delete_volume(&self, volume: Uuid) -> Result<(), DriverError> {
        self.delete(&self.volume_path(volume))
    }

    fn has_volume(&self, volume: Uuid) -> Result<bool, DriverError> {
        match fs::metadata(self.volume_path(volume)) {
            Ok(about) => Ok(about.is_file()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn create_snapshot(&self, snapshot: Uuid, volume: Uuid) -> Result<(), DriverError> {
        let to = self.snapshot_path(snapshot);
        if to.try_exists()? {
            return Ok(());
        }
        let from = self.open_source(CloneSource::Volume(volume))?;
        let len = from.metadata()?.len();
        self.publish(&to, |new| Ok(sparse::copy_file(&from, new, len)?))
    }

    fn delete_snapshot(&self, snapshot: Uuid) -> Result<(), DriverError> {
        self.delete(&self.snapshot_path(snapshot))
    }

    fn open_volume(&self, volume: Uuid) -> Result<Box<dyn ReadExtents>, DriverError> {
        Ok(Box::new(OpenFile::new(self.open_source(CloneSource::Volume(volume))?)?))
    }

    fn open_snapshot(&self, snapshot: Uuid) -> Result<Box<dyn ReadExtents>, DriverError> {
        Ok(Box::new(OpenFile::new(self.open_source(CloneSource::Snapshot(snapshot))?)?))
    }

    fn open_frozen_copy(
        &self,
        volume: Uuid,
        reader: Uuid,
    ) -> Result<Box<dyn ReadExtents>, DriverError> {
        let new = self.dir.new_path(format!("{FROZEN_PREFIX}{reader}"));
        remove(&new)?;
        let from = self.open_source(CloneSource::Volume(volume))?;
        sparse::copy_file(&from, &new, from.metadata()?.len())?;
        self.step();
        let copy = regular::open(&new);
        // Before the result is looked at: an open file stays readable without its name.
        remove(&new)?;
        Ok(Box::new(OpenFile::new(copy?)?))
    }

    fn list_objects(&self) -> Result<Vec<BackendObject>, DriverError> {
        let mut objects = Vec::new();
        for entry in fs::read_dir(self.dir.path())? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let about = match entry.metadata() {
                // The file was deleted after the directory was read.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                about => about?,
            };
            if about.is_file() && !name.starts_with('.') {
                objects.push(BackendObject { name, size_gib: gib_of(about.len())? });
            }
        }
        Ok(objects)
    }

    fn adopt_volume(&self, volume: Uuid, reference: &str) -> Result<u32, DriverError> {
        let path = self.volume_path(volume);
        self.adopt(&path, reference, u64::MAX)?;
        let size_gib = gib_of(fs::metadata(&path)?.len())?;
        self.extend(&path, size_gib)?;
        Ok(size_gib)
    }

    fn adopt_snapshot(
        &self,
        snapshot: Uuid,
        volume: Uuid,
        reference: &str,
    ) -> Result<(), DriverError> {
        self.adopt(&self.snapshot_path(snapshot), reference, self.volume_len(volume)?)
    }

    fn capacity(&self) -> Result<Capacity, DriverError> {
        let stat = rustix::fs::statvfs(self.dir.path()).map_err(io::Error::from)?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        // Blocks that only root may use are not free to others.
        Ok(Capacity { free: bytes(stat.f_bavail), total: bytes(stat.f_blocks) })
    }

    fn connection(&self, volume: Uuid) -> Connection {
        match &self.export {
            Some(export) => Connection {
                data: export.connection(volume),
                mount_point_base: Some(MOUNT_POINT_BASE.into()),
            },
            None => Connection {
                data: json!({ "device_path": self.volume_path(volume).to_string_lossy() }),
                mount_point_base: None,
            },
        }
    }

    fn protocol(&self) -> &'static str {
        if self.export.is_some() { "nfs" } else { "local" }
    }

    fn host_completes_extension(&self) -> bool {
        // A host that mounts the export keeps the old size in its cache of attributes.
        self.export.is_some()
    }

    fn location(&self) -> String {
        self.dir.path().display().to_string()
    }
}

/// A volume, a snapshot, or a frozen copy that has no name.
struct OpenFile {
    file: File,
    len: u64,
}

impl OpenFile {
    fn new(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self { file, len })
    }
}

impl ReadExtents for OpenFile {
    fn size(&self) -> u64 {
        self.len
    }

    fn next_extent(&self, from: u64) -> Result<Option<Range<u64>>, DriverError> {
        Ok(sparse::data(&self.file, from)?)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), DriverError> {
        let read = sparse::read_at(&self.file, buffer, offset)?;
        if let Some(behind) = buffer.get_mut(read..) {
            behind.fill(0);
        }
        Ok(())
    }

    fn file(&self) -> Option<&File> {
        Some(&self.file)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;
    use crate::backend::conformance::{TestBackend, conformance, simulate_crash};
    use crate::locked_dir::{NEW, TRASH};

    /// The number of steps until a simulated crash; negative for none.
    #[derive(Debug)]
    pub(super) struct CrashAt(AtomicI64);

    impl Default for CrashAt {
        fn default() -> Self {
            Self(AtomicI64::new(-1))
        }
    }

    impl CrashAt {
        pub(super) fn step(&self) {
            // Below zero it takes 2^63 steps to come back.
            if self.0.fetch_sub(1, Ordering::Relaxed) == 0 {
                simulate_crash();
            }
        }
    }

    struct Directory(tempfile::TempDir);

    impl TestBackend for Directory {
        type Driver = LocalDir;

        fn open(&mut self) -> LocalDir {
            let driver = LocalDir::open(self.0.path(), None).unwrap();
            for inner in [NEW, TRASH] {
                let left = fs::read_dir(self.0.path().join(inner)).unwrap().count();
                assert_eq!(left, 0, "{inner} has parts");
            }
            driver
        }

        fn write(&mut self, driver: &LocalDir, volume: Uuid, offset: u64, data: &[u8]) {
            let file = File::options().write(true).open(driver.volume_path(volume)).unwrap();
            file.write_all_at(data, offset).unwrap();
        }

        fn create_unmanaged(&mut self, _: &LocalDir, reference: &str, size: u64) {
            sparse::create(&self.0.path().join(reference), size).unwrap();
        }

        fn crash_at(&mut self, driver: &LocalDir, step: Option<u32>) -> bool {
            driver.crash_at.0.store(step.map_or(-1, i64::from), Ordering::Relaxed);
            true
        }
    }

    #[test]
    fn a_directory_keeps_the_contract() {
        conformance(&mut Directory(tempfile::tempdir().unwrap())).unwrap();
    }

    #[test]
    fn a_completed_call_leaves_no_parts() {
        let dir = tempfile::tempdir().unwrap();
        let driver = LocalDir::open(dir.path(), None).unwrap();
        let [volume, snapshot, reader] = [1, 2, 3].map(Uuid::from_u128);
        driver.create_volume(volume, 1).unwrap();
        driver.create_snapshot(snapshot, volume).unwrap();
        driver.revert_volume(volume, snapshot).unwrap();
        drop(driver.open_frozen_copy(volume, reader).unwrap());
        let absent = CloneSource::Volume(reader);
        driver.clone_volume(reader, 1, absent).unwrap_err();
        driver.delete_snapshot(snapshot).unwrap();
        driver.delete_volume(volume).unwrap();
        for inner in [NEW, TRASH] {
            assert_eq!(fs::read_dir(dir.path().join(inner)).unwrap().count(), 0, "{inner}");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn one_volume_of_several_fails_alone() {
        let dir = tempfile::tempdir().unwrap();
        let driver = LocalDir::open(dir.path(), None).unwrap();
        let [one, blocked, other] = [1, 2, 3].map(Uuid::from_u128);
        // A directory can't be removed like a file that an earlier attempt left.
        fs::create_dir(dir.path().join(NEW).join(volume_name(blocked))).unwrap();
        for _ in 0..2 {
            let done = driver.create_volumes(&[(one, 1), (blocked, 1), (other, 2)]);
            assert_eq!(done.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
        }
        let len = |id| driver.volume_len(id).ok();
        assert_eq!([one, blocked, other].map(len), [Some(1 << 30), None, Some(2 << 30)]);
    }

    #[test]
    fn opening_deletes_the_parts_of_this_server_only() {
        let dir = tempfile::tempdir().unwrap();
        let driver = LocalDir::open(dir.path(), None).unwrap();
        let id = Uuid::from_u128(1);
        for name in [volume_name(id), format!("{FROZEN_PREFIX}{id}"), "of others".to_owned()] {
            fs::write(dir.path().join(NEW).join(name), "x").unwrap();
        }
        let locked = LocalDir::open(dir.path(), None).unwrap_err().to_string();
        assert_eq!(locked, "directory is locked by another running server");
        drop(driver);
        LocalDir::open(dir.path(), None).unwrap();
        let left: Vec<_> = fs::read_dir(dir.path().join(NEW)).unwrap().collect();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].as_ref().unwrap().file_name(), "of others");
    }

    #[test]
    fn a_link_is_no_object() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let driver = LocalDir::open(dir.path(), None).unwrap();
        let secret = outside.path().join("secret");
        fs::write(&secret, "x").unwrap();
        std::os::unix::fs::symlink(&secret, dir.path().join("link")).unwrap();
        let error = driver.adopt_volume(Uuid::from_u128(1), "link").unwrap_err();
        assert!(matches!(error, DriverError::NoObject(_)), "{error}");
        assert_eq!(driver.list_objects().unwrap(), []);
    }
}
