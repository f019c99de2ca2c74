//! Opening redb files: where they are, and what can be wrong with them.

use std::fs::{self, File, TryLockError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, DatabaseError, StorageError};

use crate::error::OpenError;

/// An open redb file.
///
/// redb checks the bytes that it reads, but on a clean open not those of its allocator, and closing a
/// file that somebody damaged there can panic. Nothing is lost by that: what is closed is durable.
pub(crate) struct Db(Option<Database>);

impl std::ops::Deref for Db {
    type Target = Database;

    fn deref(&self) -> &Database {
        match &self.0 {
            Some(db) => db,
            None => unreachable!("a file is closed when it is dropped and not before"),
        }
    }
}

impl Db {
    /// Checks every checksum; whether all were right.
    pub(crate) fn check_integrity(mut self) -> Result<bool, DatabaseError> {
        self.0.as_mut().map_or(Ok(true), Database::check_integrity)
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        let db = self.0.take();
        let _ = catch_unwind(AssertUnwindSafe(move || drop(db)));
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
    /// The files in `dir`, which is created when it is absent.
    pub(crate) fn in_dir(dir: &Path) -> Result<Self, OpenError> {
        create_dir(dir)?;
        let path = dir.join("lock");
        let lock = File::create(&path).map_err(|source| io_error(&path, source))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => OpenError::AlreadyOpen { dir: dir.to_owned() },
            TryLockError::Error(source) => io_error(&path, source),
        })?;
        Ok(Self {
            dir: dir.to_owned(),
            rows: dir.join("rows.redb"),
            log: dir.join("log.redb"),
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
            return self.checked(
                &self.rows,
                Database::builder().create_with_backend(Dyn((backends.rows)())),
            );
        }
        self.create(&self.rows)
    }

    pub(crate) fn log(&self) -> Result<Db, OpenError> {
        #[cfg(test)]
        if let Some(backends) = &self.backends {
            return self.checked(
                &self.log,
                Database::builder().create_with_backend(Dyn((backends.log)())),
            );
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
            drop(self.checked(&new, Database::create(&new))?);
            fs::rename(&new, path).map_err(|source| io_error(path, source))?;
            // The name is durable only with the directory.
            File::open(&self.dir)
                .and_then(|dir| dir.sync_all())
                .map_err(|source| io_error(&self.dir, source))?;
        }
        self.checked(path, Database::create(path))
    }

    fn checked(
        &self,
        path: &Path,
        opened: Result<Database, DatabaseError>,
    ) -> Result<Db, OpenError> {
        opened.map(|db| Db(Some(db))).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => OpenError::AlreadyOpen { dir: self.dir.clone() },
            DatabaseError::Storage(StorageError::Io(source)) => io_error(path, source),
            other => OpenError::Damaged { path: path.to_owned(), reason: other.to_string() },
        })
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

fn io_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::Io { path: path.to_owned(), source: Arc::new(source) }
}

#[cfg(test)]
#[derive(Debug)]
struct Dyn(Box<dyn redb::StorageBackend>);

#[cfg(test)]
impl redb::StorageBackend for Dyn {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}
