//! A back end in a directory: a volume is the sparse file `volume-<id>`, a snapshot `snapshot-<id>`.
//!
//! What is made is made as `.new/<name>` and renamed when it is whole and on the disk; what is deleted
//! is renamed into `.trash` first. Both directories are emptied of such files at the start. A directory
//! is locked while a server has it.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use rustix::io::Errno;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::backend::driver::{Driver, Held, Room, Source};
use statehold_server_core::fs::private;
use statehold_server_core::fs::regular;
use statehold_server_core::fs::sparse;

pub(crate) const NEW: &str = ".new";
pub(crate) const TRASH: &str = ".trash";
/// What the name of a copy begins with until it has none.
const STILL: &str = "still-";

#[derive(Debug)]
pub(crate) struct LocalDir {
    dir: PathBuf,
    /// The directory, locked for as long as this is there.
    open: File,
}

impl LocalDir {
    /// Opens a directory; makes it when it is absent. One that another server has is refused.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        let (dir, open) = open(dir, is_own)?;
        private::warn_if_shared(&dir, "directory of the back end");
        Ok(Self { dir, open })
    }

    /// Has `make` make a file, and gives it its name when it is whole.
    fn put(&self, to: &Path, make: impl FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
        self.put_unsynced(to, make)?;
        self.sync()
    }

    /// Like [`put`](Self::put), but the name is durable only after [`sync`](Self::sync), which several files can
    /// share.
    fn put_unsynced(
        &self,
        to: &Path,
        mut make: impl FnMut(&Path) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(name) = to.file_name() else { return Err(ErrorKind::InvalidInput.into()) };
        let new = self.dir.join(NEW).join(name);
        let made = match make(&new) {
            // An earlier attempt left it: rarely, so that it is not looked for each time.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                remove(&new)?;
                make(&new)
            }
            made => made,
        };
        made.inspect_err(|_| drop(remove(&new)))?;
        fs::rename(&new, to)
    }

    /// Gives a file in the directory, of `most` bytes at most, another name, unless that is done.
    fn take(&self, to: &Path, reference: &str, most: u64) -> io::Result<()> {
        if to.try_exists()? {
            return Ok(());
        }
        let plain = !reference.contains(['/', '\0']) && !reference.starts_with('.');
        let from = self.dir.join(reference);
        if !plain || !fs::symlink_metadata(&from)?.is_file() {
            return Err(io::Error::new(ErrorKind::NotFound, "it isn't a file of the back end"));
        }
        if fs::metadata(&from)?.len() > most {
            return Err(io::Error::other("it is larger than its volume"));
        }
        // Before it has the name under which hosts find it: until now its mode was the choice of its maker.
        private::adopt(&regular::open(&from)?)?;
        fs::rename(&from, to)?;
        self.sync()
    }

    fn delete(&self, path: &Path) -> io::Result<()> {
        let Some(name) = path.file_name() else { return Err(ErrorKind::InvalidInput.into()) };
        let trash = self.dir.join(TRASH).join(name);
        match fs::rename(path, &trash) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            done => done?,
        }
        self.sync()?;
        remove(&trash)
    }

    fn sync(&self) -> io::Result<()> {
        self.open.sync_all()
    }
}

/// Makes a directory unless it is there, opens and locks it, and removes what is in `.new` and
/// `.trash` and has a name that `is_own`.
pub(crate) fn open(dir: &Path, is_own: impl Fn(&str) -> bool) -> io::Result<(PathBuf, File)> {
    private::create_dir_all(dir)?;
    let dir = dir.canonicalize()?;
    let open = File::open(&dir)?;
    match rustix::fs::flock(&open, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => return Err(io::Error::other("a server that runs has it")),
        locked => locked?,
    }
    for name in [NEW, TRASH] {
        let inner = dir.join(name);
        private::create_dir_all(&inner)?;
        for entry in fs::read_dir(&inner)? {
            let entry = entry?;
            // What is in there of others stays.
            if !is_own(&entry.file_name().to_string_lossy()) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
    }
    open.sync_all()?;
    Ok((dir, open))
}

/// Returns the name of the file that holds a volume.
pub(crate) fn volume_name(volume: Uuid) -> String {
    format!("volume-{volume}")
}

/// Whether a file is of this program's making.
fn is_own(name: &str) -> bool {
    let ids = ["volume-", "snapshot-", STILL].map(|kind| name.strip_prefix(kind));
    ids.into_iter().flatten().any(|id| Uuid::parse_str(id).is_ok())
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn bytes(gib: u32) -> u64 {
    u64::from(gib) << 30
}

/// GiB that a file of a length takes, at least one.
fn gib_of(len: u64) -> io::Result<u32> {
    u32::try_from(len.div_ceil(1 << 30).max(1)).map_err(io::Error::other)
}

impl Driver for LocalDir {
    fn create_volume(&self, volume: Uuid, gib: u32, source: &Source) -> io::Result<()> {
        let to = self.path(volume);
        if to.try_exists()? {
            return sparse::extend(&to, bytes(gib));
        }
        let from = match source {
            Source::Empty => return self.put(&to, |new| sparse::create(new, bytes(gib))),
            Source::Snapshot(id) => self.snapshot_path(*id),
            Source::Volume(id) => self.path(*id),
            Source::File(path) => path.clone(),
        };
        self.put(&to, |new| sparse::copy(&from, new, bytes(gib)))
    }

    fn create_empty_volumes(&self, volumes: &[(Uuid, u32)]) -> Vec<io::Result<()>> {
        let create = |&(volume, gib): &(Uuid, u32)| {
            let to = self.path(volume);
            // An earlier attempt may have died between the name and the sync below.
            if to.try_exists()? {
                return sparse::extend(&to, bytes(gib));
            }
            self.put_unsynced(&to, |new| sparse::create(new, bytes(gib)))
        };
        let created: Vec<io::Result<()>> = volumes.iter().map(create).collect();
        // One for all names: it costs as much as creating a file.
        match self.sync() {
            Ok(()) => created,
            Err(error) => {
                let (kind, text) = (error.kind(), error.to_string());
                let unsynced = |()| Err(io::Error::new(kind, text.clone()));
                created.into_iter().map(|done| done.and_then(unsynced)).collect()
            }
        }
    }

    fn delete_volume(&self, volume: Uuid) -> io::Result<()> {
        self.delete(&self.path(volume))
    }

    fn extend_volume(&self, volume: Uuid, gib: u32) -> io::Result<()> {
        sparse::extend(&self.path(volume), bytes(gib))
    }

    fn revert_volume(&self, volume: Uuid, snapshot: Uuid) -> io::Result<()> {
        let (from, to) = (self.snapshot_path(snapshot), self.path(volume));
        // One that was taken over may be shorter.
        let len = fs::metadata(&to)?.len();
        self.put(&to, |new| sparse::copy(&from, new, len))
    }

    fn create_snapshot(&self, snapshot: Uuid, volume: Uuid) -> io::Result<()> {
        let (from, to) = (self.path(volume), self.snapshot_path(snapshot));
        if to.try_exists()? {
            return Ok(());
        }
        let len = fs::metadata(&from)?.len();
        self.put(&to, |new| sparse::copy(&from, new, len))
    }

    fn still(&self, volume: Uuid, reader: Uuid) -> io::Result<File> {
        let (from, new) = (self.path(volume), self.dir.join(NEW).join(format!("{STILL}{reader}")));
        remove(&new)?;
        let len = fs::metadata(&from)?.len();
        let copy = sparse::copy(&from, &new, len).and_then(|()| regular::open(&new));
        remove(&new)?;
        copy
    }

    fn delete_snapshot(&self, snapshot: Uuid) -> io::Result<()> {
        self.delete(&self.snapshot_path(snapshot))
    }

    fn path(&self, volume: Uuid) -> PathBuf {
        self.dir.join(volume_name(volume))
    }

    fn snapshot_path(&self, snapshot: Uuid) -> PathBuf {
        self.dir.join(format!("snapshot-{snapshot}"))
    }

    fn fill_volume(
        &self,
        volume: Uuid,
        gib: u32,
        fill: &mut dyn FnMut(&File) -> io::Result<()>,
    ) -> io::Result<()> {
        self.put(&self.path(volume), |new| {
            sparse::create(new, bytes(gib))?;
            let file = File::options().write(true).open(new)?;
            fill(&file)?;
            file.sync_all()
        })
    }

    fn manage_volume(&self, volume: Uuid, reference: &str) -> io::Result<u32> {
        let path = self.path(volume);
        self.take(&path, reference, u64::MAX)?;
        let gib = gib_of(fs::metadata(&path)?.len())?;
        sparse::extend(&path, bytes(gib))?;
        Ok(gib)
    }

    fn manage_snapshot(&self, snapshot: Uuid, volume: Uuid, reference: &str) -> io::Result<()> {
        let most = fs::metadata(self.path(volume))?.len();
        self.take(&self.snapshot_path(snapshot), reference, most)
    }

    fn files(&self) -> io::Result<Vec<Held>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let about = match entry.metadata() {
                // It was deleted a moment ago.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                about => about?,
            };
            if about.is_file() && !name.starts_with('.') {
                files.push(Held { name, gib: gib_of(about.len())? });
            }
        }
        Ok(files)
    }

    fn connection(&self, volume: Uuid) -> Value {
        json!({ "device_path": self.path(volume).to_string_lossy() })
    }

    fn room(&self) -> io::Result<Room> {
        let stat = rustix::fs::statvfs(&self.dir)?;
        let of = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Ok(Room { free: of(stat.f_bavail), total: of(stat.f_blocks) })
    }

    fn place(&self) -> &Path {
        &self.dir
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use super::*;

    fn write(path: &Path, text: &[u8]) {
        File::options().write(true).open(path).unwrap().write_all_at(text, 4096).unwrap();
    }

    fn read(path: &Path) -> [u8; 4] {
        let mut read = [0; 4];
        File::open(path).unwrap().read_exact_at(&mut read, 4096).unwrap();
        read
    }

    #[test]
    fn copies_are_of_their_time_and_everything_can_be_done_again() {
        let dir = tempfile::tempdir().unwrap();
        let driver = LocalDir::open(dir.path()).unwrap();
        let [volume, clone, snapshot] = [1, 2, 3].map(Uuid::from_u128);
        for _ in 0..2 {
            driver.create_volume(volume, 1, &Source::Empty).unwrap();
        }
        write(&driver.path(volume), b"then");
        driver.create_snapshot(snapshot, volume).unwrap();
        write(&driver.path(volume), b"next");
        driver.create_snapshot(snapshot, volume).unwrap();
        driver.create_volume(clone, 2, &Source::Snapshot(snapshot)).unwrap();
        assert_eq!(&read(&driver.path(clone)), b"then");
        assert_eq!(fs::metadata(driver.path(clone)).unwrap().len(), 2 << 30);
        for _ in 0..2 {
            driver.revert_volume(volume, snapshot).unwrap();
            assert_eq!(&read(&driver.path(volume)), b"then");
        }
        for _ in 0..2 {
            driver.extend_volume(volume, 3).unwrap();
            driver.delete_snapshot(snapshot).unwrap();
            driver.delete_volume(clone).unwrap();
        }
        assert_eq!(fs::metadata(driver.path(volume)).unwrap().len(), 3 << 30);
        driver.delete_volume(volume).unwrap();
        for inner in [NEW, TRASH] {
            assert_eq!(fs::read_dir(dir.path().join(inner)).unwrap().count(), 0, "{inner}");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn volumes_are_created_together_and_fail_alone() {
        let dir = tempfile::tempdir().unwrap();
        let driver = LocalDir::open(dir.path()).unwrap();
        let [one, blocked, other] = [1, 2, 3].map(Uuid::from_u128);
        // A directory can't be removed as a file that an earlier attempt left.
        fs::create_dir(dir.path().join(NEW).join(volume_name(blocked))).unwrap();
        for _ in 0..2 {
            let done = driver.create_empty_volumes(&[(one, 1), (blocked, 1), (other, 2)]);
            assert_eq!(done.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
        }
        let len = |id| fs::metadata(driver.path(id)).map(|file| file.len()).ok();
        assert_eq!([one, blocked, other].map(len), [Some(1 << 30), None, Some(2 << 30)]);
    }

    #[test]
    fn a_still_is_of_its_moment_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let driver = LocalDir::open(dir.path()).unwrap();
        let [volume, reader] = [1, 2].map(Uuid::from_u128);
        driver.create_volume(volume, 1, &Source::Empty).unwrap();
        write(&driver.path(volume), b"then");
        let still = driver.still(volume, reader).unwrap();
        write(&driver.path(volume), b"next");
        let mut read = [0; 4];
        still.read_exact_at(&mut read, 4096).unwrap();
        assert_eq!((&read, still.metadata().unwrap().len()), (b"then", 1 << 30));
        assert_eq!(fs::read_dir(dir.path().join(NEW)).unwrap().count(), 0);
        assert!(is_own(&format!("{STILL}{reader}")), "what a crash leaves is known");
    }

    #[test]
    fn a_snapshot_that_is_taken_over_keeps_the_length_of_its_volume() {
        let dir = tempfile::tempdir().unwrap();
        let driver = LocalDir::open(dir.path()).unwrap();
        let [volume, snapshot] = [1, 2].map(Uuid::from_u128);
        driver.create_volume(volume, 1, &Source::Empty).unwrap();
        sparse::create(&dir.path().join("larger"), (1 << 30) + 1).unwrap();
        assert!(driver.manage_snapshot(snapshot, volume, "larger").is_err());
        assert!(dir.path().join("larger").exists());
        sparse::create(&dir.path().join("shorter"), 8 << 10).unwrap();
        driver.manage_snapshot(snapshot, volume, "shorter").unwrap();
        driver.revert_volume(volume, snapshot).unwrap();
        assert_eq!(fs::metadata(driver.path(volume)).unwrap().len(), 1 << 30);
    }

    #[test]
    fn a_copy_that_fails_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let driver = LocalDir::open(dir.path()).unwrap();
        let absent = Source::Volume(Uuid::from_u128(9));
        assert!(driver.create_volume(Uuid::from_u128(1), 1, &absent).is_err());
        assert!(!driver.path(Uuid::from_u128(1)).exists());
        let half = format!("volume-{}", Uuid::from_u128(1));
        for name in [&*half, "of others"] {
            fs::write(dir.path().join(NEW).join(name), "x").unwrap();
        }
        let taken = LocalDir::open(dir.path()).unwrap_err().to_string();
        assert_eq!(taken, "a server that runs has it");
        drop(driver);
        LocalDir::open(dir.path()).unwrap();
        let left: Vec<_> = fs::read_dir(dir.path().join(NEW)).unwrap().collect();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].as_ref().unwrap().file_name(), "of others");
    }
}
