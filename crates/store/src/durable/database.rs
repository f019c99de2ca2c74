//! Opening redb files: their location, their lock, and their errors.

use std::fs::{self, File, TryLockError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::panicking;

use redb::backends::FileBackend;
use redb::{CompactionError, Database, DatabaseError, StorageBackend, StorageError};

use super::deferred_backend::DeferredBackend;
use super::private;
use super::read_only::ReadOnlyFile;
use super::redb_panic::catch_redb_panic;
use crate::error::OpenError;

/// An open redb file.
///
/// In a file opened for writing, the checksum of every page matched, apart from free pages.
///
/// Until it is accepted, the file is not changed; a file that is never accepted stays as it was.
pub(crate) struct Db {
    db: Option<Database>,
    backend: DeferredBackend,
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
    /// Verifies every checksum. Returns whether all matched.
    pub(crate) fn check_integrity(mut self) -> Result<bool, DatabaseError> {
        self.db.as_mut().map_or(Ok(true), Database::check_integrity)
    }

    /// Accepts the file: deferred writes are applied, and later ones go through.
    pub(crate) fn accept(&self) -> io::Result<()> {
        self.backend.open()
    }

    /// Returns the length of the file in bytes.
    pub(crate) fn len(&self) -> io::Result<u64> {
        self.backend.len()
    }

    /// Moves pages to the front of the file and truncates its end. The file MUST be accepted.
    pub(crate) fn compact(&mut self) -> Result<bool, CompactionError> {
        self.db.as_mut().map_or(Ok(false), Database::compact)
    }

    /// Returns whether a sync of the file failed since it was opened.
    pub(crate) fn sync_failed(&self) -> bool {
        self.backend.sync_failed()
    }

    /// Blocks until all writes are on stable storage.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.backend.sync_data()
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        let db = self.db.take();
        let refused = self.backend.refuse();
        // Caught here, because `catch_redb_panic` passes on the unwinding that is started on purpose below.
        let _ = catch_unwind(AssertUnwindSafe(move || {
            catch_redb_panic(move || {
                let _closed = db;
                if refused && cfg!(panic = "unwind") && !panicking() {
                    // redb closes a file without writing to it while the thread unwinds. The damage of this
                    // file may be just what a last write would panic over, and a second panic would abort the
                    // process.
                    resume_unwind(Box::new(()));
                }
            })
        }));
    }
}

/// How the files of a directory are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// For writing; creates a store if there is none.
    Create,
    /// For writing; fails if there is no store.
    Write,
    /// For reading: no byte of the directory changes, and other processes may read it at the same time.
    Read,
}

/// The two files of a data directory, and the lock that excludes other processes.
pub(crate) struct Files {
    dir: PathBuf,
    rows: PathBuf,
    log: PathBuf,
    access: Access,
    /// Locked while it is open; `None` where a read-only directory lacks the lock file.
    _lock: Option<File>,
    #[cfg(test)]
    backends: Option<Backends>,
}

/// Creates the storage under each file; tests inject faults here.
#[cfg(test)]
pub(crate) struct Backends {
    pub(crate) rows: Box<dyn Fn() -> Box<dyn StorageBackend> + Send + Sync>,
    pub(crate) log: Box<dyn Fn() -> Box<dyn StorageBackend> + Send + Sync>,
}

impl Files {
    /// Returns the files in `dir`. Does not change a directory without a store, unless `access` is to create
    /// one.
    pub(crate) fn in_dir(dir: &Path, access: Access) -> Result<Self, OpenError> {
        let (rows, log) = (dir.join("rows.redb"), dir.join("log.redb"));
        if access == Access::Create {
            create_dir(dir)?;
        } else if !is_there(&rows)? && !is_there(&log)? {
            return Err(OpenError::NoStore { dir: dir.to_owned() });
        }
        Ok(Self {
            dir: dir.to_owned(),
            rows,
            log,
            access,
            _lock: lock(dir, access)?,
            #[cfg(test)]
            backends: None,
        })
    }

    /// Returns files on a test's storage.
    #[cfg(test)]
    pub(crate) fn on(backends: Backends, access: Access) -> Self {
        let dir = PathBuf::from("fake");
        let (rows, log) = (dir.join("rows.redb"), dir.join("log.redb"));
        Self { dir, rows, log, access, _lock: None, backends: Some(backends) }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn rows_path(&self) -> &Path {
        &self.rows
    }

    pub(crate) fn log_path(&self) -> &Path {
        &self.log
    }

    pub(crate) fn access(&self) -> Access {
        self.access
    }

    /// Opens the file of rows; `None` if it is absent or empty.
    pub(crate) fn rows(&self) -> Result<Option<Db>, OpenError> {
        #[cfg(test)]
        if let Some(backends) = &self.backends {
            return self.of_test(&self.rows, (backends.rows)());
        }
        self.open(&self.rows)
    }

    /// Opens the journal; `None` if it is absent or empty.
    pub(crate) fn log(&self) -> Result<Option<Db>, OpenError> {
        #[cfg(test)]
        if let Some(backends) = &self.backends {
            return self.of_test(&self.log, (backends.log)());
        }
        self.open(&self.log)
    }

    /// Creates the file of rows.
    pub(crate) fn create_rows(&self) -> Result<Db, OpenError> {
        #[cfg(test)]
        if let Some(backends) = &self.backends {
            return self.open_deferred(&self.rows, (backends.rows)());
        }
        self.create(&self.rows)
    }

    /// Creates the journal.
    pub(crate) fn create_log(&self) -> Result<Db, OpenError> {
        #[cfg(test)]
        if let Some(backends) = &self.backends {
            return self.open_deferred(&self.log, (backends.log)());
        }
        self.create(&self.log)
    }

    #[cfg(test)]
    fn of_test(
        &self,
        path: &Path,
        storage: Box<dyn StorageBackend>,
    ) -> Result<Option<Db>, OpenError> {
        let len = storage.len().map_err(|source| io_error(path, source))?;
        if len == 0 { Ok(None) } else { self.open_deferred(path, storage).map(Some) }
    }

    fn open(&self, path: &Path) -> Result<Option<Db>, OpenError> {
        let failed = |source| io_error(path, source);
        let read_only = self.access == Access::Read;
        let file = match File::options().read(true).write(!read_only).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(failed)?,
        };
        if file.metadata().map_err(failed)?.len() == 0 {
            return Ok(None);
        }
        let storage: Box<dyn StorageBackend> = if read_only {
            Box::new(ReadOnlyFile::lock(file).map_err(|error| self.lock_error(path, error))?)
        } else {
            Box::new(FileBackend::new(file).map_err(|error| self.error(path, error))?)
        };
        self.open_deferred(path, storage).map(Some)
    }

    /// Creates a file that is absent or empty. It gets its final name once it is complete, so that a crash
    /// never leaves a file that cannot be opened.
    fn create(&self, path: &Path) -> Result<Db, OpenError> {
        let new = path.with_extension("new");
        // A crash during an earlier creation may have left the file, of unknown contents.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error(&new, error));
            }
            _ => {}
        }
        let file = private::open_or_create(&new).map_err(|source| io_error(&new, source))?;
        let backend = FileBackend::new(file).map_err(|error| self.error(&new, error))?;
        let created = Database::builder().create_with_backend(backend);
        drop(created.map_err(|error| self.error(&new, error))?);
        fs::rename(&new, path).map_err(|source| io_error(path, source))?;
        // A new name is durable only after a sync of the directory.
        File::open(&self.dir)
            .and_then(|dir| dir.sync_all())
            .map_err(|source| io_error(&self.dir, source))?;
        self.open(path)?.ok_or_else(|| OpenError::Damaged {
            path: path.to_owned(),
            reason: "it was created and is empty".to_owned(),
        })
    }

    fn open_deferred(
        &self,
        path: &Path,
        storage: Box<dyn StorageBackend>,
    ) -> Result<Db, OpenError> {
        let backend = DeferredBackend::new(storage).map_err(|source| io_error(path, source))?;
        let storage = backend.clone();
        let verify = self.access != Access::Read;
        let opened = catch_redb_panic(move || -> Result<Database, DatabaseError> {
            let repaired = Arc::new(AtomicBool::new(false));
            let seen = Arc::clone(&repaired);
            let mut db = Database::builder()
                .set_repair_callback(move |_| seen.store(true, Ordering::Relaxed))
                .create_with_backend(storage)?;
            // redb trusts a file that was closed cleanly, and damage in its free pages would abort the process
            // at a later commit, by a panic during another one's unwinding. A repair has verified every page
            // already. An allocator state that does not match is rebuilt here; rows that were rolled back are
            // detected by the link to the journal.
            if verify && !repaired.load(Ordering::Relaxed) {
                db.check_integrity()?;
            }
            Ok(db)
        });
        match opened {
            Ok(opened) => opened
                .map(|db| Db { db: Some(db), backend })
                .map_err(|error| self.error(path, error)),
            Err(_) => Err(contradictory(path)),
        }
    }

    fn error(&self, path: &Path, error: DatabaseError) -> OpenError {
        match error {
            DatabaseError::DatabaseAlreadyOpen => OpenError::AlreadyOpen { dir: self.dir.clone() },
            // redb uses this kind for a file that is not its own; the operating system does not.
            DatabaseError::Storage(StorageError::Io(source))
                if source.kind() == io::ErrorKind::InvalidData =>
            {
                OpenError::Damaged { path: path.to_owned(), reason: source.to_string() }
            }
            DatabaseError::Storage(StorageError::Io(source)) => io_error(path, source),
            other => OpenError::Damaged { path: path.to_owned(), reason: other.to_string() },
        }
    }

    fn lock_error(&self, path: &Path, error: TryLockError) -> OpenError {
        lock_error(&self.dir, path, error)
    }
}

/// Locks a directory: exclusively for writing, shared for reading.
fn lock(dir: &Path, access: Access) -> Result<Option<File>, OpenError> {
    let path = dir.join("lock");
    let failed = |error| lock_error(dir, &path, error);
    if access == Access::Read {
        // A copy of a directory may lack the lock file, and reading must not create it: the locks of the two
        // data files then exclude a writer.
        let lock = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            lock => lock.map_err(|source| io_error(&path, source))?,
        };
        lock.try_lock_shared().map_err(failed)?;
        return Ok(Some(lock));
    }
    let lock = private::open_or_create(&path).map_err(|source| io_error(&path, source))?;
    lock.try_lock().map_err(failed)?;
    Ok(Some(lock))
}

fn lock_error(dir: &Path, path: &Path, error: TryLockError) -> OpenError {
    match error {
        TryLockError::WouldBlock => OpenError::AlreadyOpen { dir: dir.to_owned() },
        TryLockError::Error(source) => io_error(path, source),
    }
}

/// Returns whether a file exists. Fails for a directory without search permission: the file may exist.
fn is_there(path: &Path) -> Result<bool, OpenError> {
    fs::exists(path).map_err(|source| io_error(path, source))
}

/// Creates a directory and its parents, each durable in its parent.
fn create_dir(dir: &Path) -> Result<(), OpenError> {
    if dir.as_os_str().is_empty() {
        return Ok(());
    }
    match fs::metadata(dir) {
        Ok(about) if about.is_dir() => return Ok(()),
        Ok(_) => return Err(io_error(dir, io::ErrorKind::NotADirectory.into())),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error(dir, error)),
        Err(_) => {}
    }
    let above = dir.parent().unwrap_or(Path::new(""));
    create_dir(above)?;
    // Another process may have created it since the check above.
    match private::create_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(io_error(dir, error));
        }
        _ => {}
    }
    let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
    File::open(above).and_then(|above| above.sync_all()).map_err(|source| io_error(above, source))
}

/// Returns the error for a file over which redb panicked: redb verifies much of a file, but not all.
pub(super) fn contradictory(path: &Path) -> OpenError {
    let reason = "its pages contradict each other".to_owned();
    OpenError::Damaged { path: path.to_owned(), reason }
}

pub(super) fn io_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::Io { path: path.to_owned(), source: Arc::new(source) }
}
