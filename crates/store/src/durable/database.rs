//! Opening redb files: where they are, and what can be wrong with them.

use std::fs::{self, File, TryLockError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::panicking;

use redb::backends::FileBackend;
use redb::{Database, DatabaseError, StorageBackend, StorageError};

use super::gate::Gate;
use crate::error::OpenError;

/// An open redb file.
///
/// redb checks the bytes that it reads, but on a clean open not those of its allocator, and closing a
/// file that somebody damaged there can panic. Nothing is lost by that: what is closed is durable.
///
/// Until it is accepted nothing of the file is changed, and when it never is nothing ever was.
pub(crate) struct Db {
    db: Option<Database>,
    gate: Gate,
}

impl std::ops::Deref for Db {
    type Target = Database;

    fn deref(&self) -> &Database {
        match &self.db {
            Some(db) => db,
            None => unreachable!("a file is closed when it is dropped and not before"),
        }
    }
}

impl Db {
    /// Checks every checksum; whether all were right.
    pub(crate) fn check_integrity(mut self) -> Result<bool, DatabaseError> {
        self.db.as_mut().map_or(Ok(true), Database::check_integrity)
    }

    /// Takes the file for ours: from here on it is written to.
    pub(crate) fn accept(&self) -> io::Result<()> {
        self.gate.open()
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        let db = self.db.take();
        let refused = self.gate.refuse();
        let _ = catch_unwind(AssertUnwindSafe(move || {
            let _closed = db;
            if refused && cfg!(panic = "unwind") && !panicking() {
                // An unwinding thread closes a file without writing to it. What is wrong with this one
                // may be just what a last write would stumble over, twice, which ends the process.
                resume_unwind(Box::new(()));
            }
        }));
    }
}

/// The two files of a data directory, and the lock that keeps others out.
pub(crate) struct Files {
    dir: PathBuf,
    rows: PathBuf,
    log: PathBuf,
    /// Locked as long as it is open.
    lock: Option<File>,
    #[cfg(test)]
    backends: Option<Backends>,
}

/// Makes the storage under each file; tests inject faults here.
#[cfg(test)]
pub(crate) struct Backends {
    pub(crate) rows: Box<dyn Fn() -> Box<dyn redb::StorageBackend>>,
    pub(crate) log: Box<dyn Fn() -> Box<dyn redb::StorageBackend>>,
}

impl Files {
    /// The files in `dir`, which is left as it is when there are none and none are to be made.
    pub(crate) fn in_dir(dir: &Path, create: bool) -> Result<Self, OpenError> {
        let (rows, log) = (dir.join("rows.redb"), dir.join("log.redb"));
        if create {
            create_dir(dir)?;
        } else if !rows.exists() && !log.exists() {
            return Err(OpenError::NoStore { dir: dir.to_owned() });
        }
        let path = dir.join("lock");
        let lock = File::create(&path).map_err(|source| io_error(&path, source))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => OpenError::AlreadyOpen { dir: dir.to_owned() },
            TryLockError::Error(source) => io_error(&path, source),
        })?;
        Ok(Self {
            dir: dir.to_owned(),
            rows,
            log,
            lock: Some(lock),
            #[cfg(test)]
            backends: None,
        })
    }

    /// Files on storage of a test.
    #[cfg(test)]
    pub(crate) fn on(backends: Backends) -> Self {
        let dir = PathBuf::from("fake");
        let (rows, log) = (dir.join("rows.redb"), dir.join("log.redb"));
        Self { dir, rows, log, lock: None, backends: Some(backends) }
    }

    /// The lock, to be held as long as the files are open.
    pub(crate) fn into_lock(self) -> Option<File> {
        self.lock
    }

    pub(crate) fn rows_path(&self) -> &Path {
        &self.rows
    }

    pub(crate) fn log_path(&self) -> &Path {
        &self.log
    }

    pub(crate) fn rows(&self) -> Result<Db, OpenError> {
        #[cfg(test)]
        if let Some(backends) = &self.backends {
            return self.gated(&self.rows, (backends.rows)());
        }
        self.create(&self.rows)
    }

    pub(crate) fn log(&self) -> Result<Db, OpenError> {
        #[cfg(test)]
        if let Some(backends) = &self.backends {
            return self.gated(&self.log, (backends.log)());
        }
        self.create(&self.log)
    }

    /// Opens a file. A new one gets its name when it is a whole one, so that a crash in between
    /// leaves none behind that can't be opened.
    fn create(&self, path: &Path) -> Result<Db, OpenError> {
        if !fs::exists(path).map_err(|source| io_error(path, source))? {
            let new = path.with_extension("new");
            match fs::remove_file(&new) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(io_error(&new, error));
                }
                _ => {}
            }
            drop(Database::create(&new).map_err(|error| self.error(&new, error))?);
            fs::rename(&new, path).map_err(|source| io_error(path, source))?;
            // The name is durable only with the directory.
            File::open(&self.dir)
                .and_then(|dir| dir.sync_all())
                .map_err(|source| io_error(&self.dir, source))?;
        }
        let file = File::options().read(true).write(true).open(path);
        let file = file.map_err(|source| io_error(path, source))?;
        let storage = FileBackend::new(file).map_err(|error| self.error(path, error))?;
        self.gated(path, Box::new(storage))
    }

    fn gated(&self, path: &Path, storage: Box<dyn StorageBackend>) -> Result<Db, OpenError> {
        let gate = Gate::new(storage).map_err(|source| io_error(path, source))?;
        let storage = gate.clone();
        let open = || Database::builder().create_with_backend(storage);
        match catch_unwind(AssertUnwindSafe(open)) {
            Ok(opened) => {
                opened.map(|db| Db { db: Some(db), gate }).map_err(|error| self.error(path, error))
            }
            Err(_) => Err(contradictory(path)),
        }
    }

    fn error(&self, path: &Path, error: DatabaseError) -> OpenError {
        match error {
            DatabaseError::DatabaseAlreadyOpen => OpenError::AlreadyOpen { dir: self.dir.clone() },
            DatabaseError::Storage(StorageError::Io(source)) => io_error(path, source),
            other => OpenError::Damaged { path: path.to_owned(), reason: other.to_string() },
        }
    }
}

/// Creates a directory and those above it; each is durable in the one above.
fn create_dir(dir: &Path) -> Result<(), OpenError> {
    if dir.as_os_str().is_empty() || dir.is_dir() {
        return Ok(());
    }
    let above = dir.parent().unwrap_or(Path::new(""));
    create_dir(above)?;
    match fs::create_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(io_error(dir, error));
        }
        _ => {}
    }
    let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
    File::open(above).and_then(|above| above.sync_all()).map_err(|source| io_error(above, source))
}

/// The error for a file that redb panicked over: it checks much of a file, but not all.
pub(super) fn contradictory(path: &Path) -> OpenError {
    let reason = "its pages contradict each other".to_owned();
    OpenError::Damaged { path: path.to_owned(), reason }
}

pub(super) fn io_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::Io { path: path.to_owned(), source: Arc::new(source) }
}
