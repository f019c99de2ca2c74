//! Opening redb files: where they are, and what can be wrong with them.

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
/// A file that is opened to write has the right checksum in every page, free ones aside.
///
/// Until it is accepted nothing of the file is changed, and when it never is nothing ever was.
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
    /// Checks every checksum; whether all were right.
    pub(crate) fn check_integrity(mut self) -> Result<bool, DatabaseError> {
        self.db.as_mut().map_or(Ok(true), Database::check_integrity)
    }

    /// Takes the file for ours: from here on it is written to.
    pub(crate) fn accept(&self) -> io::Result<()> {
        self.backend.open()
    }

    /// The length of the file, in bytes.
    pub(crate) fn len(&self) -> io::Result<u64> {
        self.backend.len()
    }

    /// Moves pages to the front of the file and cuts off its end. The file MUST be accepted.
    pub(crate) fn compact(&mut self) -> Result<bool, CompactionError> {
        self.db.as_mut().map_or(Ok(false), Database::compact)
    }

    /// Whether a sync of the file failed since it was opened.
    pub(crate) fn sync_failed(&self) -> bool {
        self.backend.sync_failed()
    }

    /// Returns when everything that was written is on stable storage.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.backend.sync_data()
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        let db = self.db.take();
        let refused = self.backend.refuse();
        // Caught here, because `catch_redb_panic` passes on the unwinding that is begun on purpose.
        let _ = catch_unwind(AssertUnwindSafe(move || {
            catch_redb_panic(move || {
                let _closed = db;
                if refused && cfg!(panic = "unwind") && !panicking() {
                    // An unwinding thread closes a file without writing to it. What is wrong with this
                    // one may be just what a last write would stumble over, twice, which ends the process.
                    resume_unwind(Box::new(()));
                }
            })
        }));
    }
}

/// How a directory's files are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// To write; a store is created where there is none.
    Create,
    /// To write; a directory without a store is an error.
    Write,
    /// To read: no byte of the directory changes, and others may read it at the same time.
    Read,
}

/// The two files of a data directory, and the lock that keeps others out.
pub(crate) struct Files {
    dir: PathBuf,
    rows: PathBuf,
    log: PathBuf,
    access: Access,
    /// Locked as long as it is open; none where a directory that is only read lacks the file.
    _lock: Option<File>,
    #[cfg(test)]
    backends: Option<Backends>,
}

/// Makes the storage under each file; tests inject faults here.
#[cfg(test)]
pub(crate) struct Backends {
    pub(crate) rows: Box<dyn Fn() -> Box<dyn StorageBackend> + Send + Sync>,
    pub(crate) log: Box<dyn Fn() -> Box<dyn StorageBackend> + Send + Sync>,
}

impl Files {
    /// The files in `dir`. A directory without a store is left as it is, unless one is to be created.
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

    /// Files on storage of a test.
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

    /// Opens the file of rows; `None` where it is absent or has no bytes.
    pub(crate) fn rows(&self) -> Result<Option<Db>, OpenError> {
        #[cfg(test)]
        if let Some(backends) = &self.backends {
            return self.of_test(&self.rows, (backends.rows)());
        }
        self.open(&self.rows)
    }

    /// Opens the journal; `None` where it is absent or has no bytes.
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

    /// Creates a file that is absent or empty. It gets its name when it is a whole one, so that a crash in
    /// between leaves none behind that can't be opened.
    fn create(&self, path: &Path) -> Result<Db, OpenError> {
        let new = path.with_extension("new");
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
        // The name is durable only with the directory.
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
            // redb trusts a file that was closed in order, and damage in its free pages would end the process
            // at a later commit, by a panic while another one unwinds. A repair has verified every page. An
            // allocator that did not match is rebuilt here; rows that are older than they were are found
            // by the link to the journal.
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
            // redb reports a file that is not its own as this kind; the system does not.
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

/// Takes the lock of a directory: an exclusive one to write, a shared one to read.
fn lock(dir: &Path, access: Access) -> Result<Option<File>, OpenError> {
    let path = dir.join("lock");
    let failed = |error| lock_error(dir, &path, error);
    if access == Access::Read {
        // A copy of a directory may lack the file, and reading creates none: the locks of the two files
        // themselves keep a writer out then.
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

/// Whether a file exists. A directory that may not be searched is an error, not a missing file.
fn is_there(path: &Path) -> Result<bool, OpenError> {
    fs::exists(path).map_err(|source| io_error(path, source))
}

/// Creates a directory and those above it; each is durable in the one above.
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
    match private::create_dir(dir) {
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
