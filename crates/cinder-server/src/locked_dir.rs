//! A directory that one server at a time uses, with room for objects that are not complete.
//!
//! An object is created as `.new/<name>`, and renamed to its final name once it is complete and durable. A deletion
//! renames the object to `.trash/<name>` first. Opening the directory empties both, because a crash may have left
//! parts.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use rustix::io::Errno;
use statehold_server_core::fs::private;

/// The directory of objects that are not complete.
pub(crate) const NEW: &str = ".new";

/// The directory of objects that are being deleted.
pub(crate) const TRASH: &str = ".trash";

/// A directory, locked until this is dropped.
#[derive(Debug)]
pub(crate) struct LockedDir {
    path: PathBuf,
    lock: File,
}

impl LockedDir {
    /// Creates a directory unless it exists, locks it, and removes the entries of `.new` and `.trash` whose name
    /// `is_own`. `purpose` names it in the warning about a directory that other users may enter.
    ///
    /// # Errors
    /// Another running server uses the directory, or the file system fails.
    pub(crate) fn open(
        dir: &Path,
        purpose: &str,
        is_own: impl Fn(&str) -> bool,
    ) -> io::Result<Self> {
        private::create_dir_all(dir)?;
        let path = dir.canonicalize()?;
        let lock = File::open(&path)?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => {
                return Err(io::Error::other("directory is locked by another running server"));
            }
            locked => locked?,
        }
        for name in [NEW, TRASH] {
            let inner = path.join(name);
            private::create_dir_all(&inner)?;
            for entry in fs::read_dir(&inner)? {
                let entry = entry?;
                // An operator may have chosen a directory that other programs use too.
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
        lock.sync_all()?;
        private::warn_if_shared(&path, purpose);
        Ok(Self { path, lock })
    }

    /// Returns the canonical path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of an object until it is complete.
    pub(crate) fn new_path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(NEW).join(name)
    }

    /// Returns the path of an object while it is deleted.
    pub(crate) fn trash_path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(TRASH).join(name)
    }

    /// Makes the names in the directory durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.lock.sync_all()
    }
}
