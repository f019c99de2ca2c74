//! Files and directories that get their final name once they are complete.
//!
//! They are written under a temporary name beside the final one. A failure leaves neither name, so that the
//! command can be repeated; a crash leaves at most the temporary one.

use std::error::Error;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use statehold_server_core::fs::private;

/// The error of a file, with its path.
#[derive(Debug)]
pub(super) struct FileError {
    path: PathBuf,
    source: io::Error,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.source)
    }
}

impl Error for FileError {}

/// Returns a conversion of I/O errors that adds the path.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError { path, source }
}

/// A temporary name. Dropping it deletes its file or directory, unless `kept` is set.
struct Temporary {
    path: PathBuf,
    kept: bool,
}

impl Temporary {
    /// Creates a new name in `dir` for the final name `name`.
    fn new(dir: &Path, name: &Path) -> Self {
        let name = name.file_name().unwrap_or_default().to_string_lossy();
        let path = dir.join(format!(".{name}.{}.partial", Uuid::new_v4().simple()));
        Self { path, kept: false }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.kept {
            // Best effort: its failure would hide the reported one. After a hard link, this deletes the second name.
            let _ = fs::remove_file(&self.path).or_else(|_| fs::remove_dir_all(&self.path));
        }
    }
}

/// Writes a new file that only its owner can read, and returns the result of `write`.
///
/// The file is complete and durable on return.
///
/// # Errors
/// Returns [`FileError`] if a file exists under `path`, which stays unchanged, or if the write fails, which
/// creates no file.
pub(super) fn write_new<T>(
    path: &Path,
    write: impl FnOnce(&File) -> io::Result<T>,
) -> Result<T, FileError> {
    // An early check, because the work may take long; the link below guarantees it.
    if fs::symlink_metadata(path).is_ok() {
        return Err(at(path)(io::ErrorKind::AlreadyExists.into()));
    }
    let dir = parent(path);
    let temporary = Temporary::new(dir, path);
    let file = private::create_new(&temporary.path).map_err(at(path))?;
    let written = write(&file).and_then(|value| file.sync_all().map(|()| value));
    let value = written.map_err(at(path))?;
    name(&temporary.path, path).map_err(at(path))?;
    sync(dir).map_err(at(dir))?;
    Ok(value)
}

/// Moves a file to its final name, unless another file has it.
fn name(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            // A file system without hard links. A rename may replace a file created since the check.
            fs::rename(from, to)
        }
        linked => linked,
    }
}

/// Makes the names in a directory durable.
fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        // The parent of a relative name is empty, which is no path that can be opened.
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Fills a data directory, and returns the result of `fill`.
///
/// A missing directory is filled under a temporary name, and appears complete or not at all. In an existing one
/// without a store, a failure deletes the files that `fill` created.
pub(super) fn fill_dir<T>(
    dir: &Path,
    fill: impl FnOnce(&Path) -> Result<T, Box<dyn Error>>,
) -> Result<T, Box<dyn Error>> {
    // An existing directory keeps its owner and mode.
    if fs::symlink_metadata(dir).is_ok() {
        return fill_existing(dir, fill);
    }
    // In the nearest existing ancestor: parents that had to be created would be left behind by a failure.
    let mut above = parent(dir);
    while !above.is_dir() {
        above = parent(above);
    }
    let mut temporary = Temporary::new(above, dir);
    let value = fill(&temporary.path)?;
    private::create_dir_all(parent(dir)).map_err(at(parent(dir)))?;
    fs::rename(&temporary.path, dir).map_err(at(dir))?;
    temporary.kept = true;
    // A name is durable once the directory that holds it is synced.
    let mut named = parent(dir);
    loop {
        sync(named).map_err(at(named))?;
        if named == above {
            return Ok(value);
        }
        named = parent(named);
    }
}

fn fill_existing<T>(
    dir: &Path,
    fill: impl FnOnce(&Path) -> Result<T, Box<dyn Error>>,
) -> Result<T, Box<dyn Error>> {
    let files = ["rows.redb", "log.redb", "lock"].map(|name| dir.join(name));
    // The store creates its files under these names, and renames them when they are complete.
    let unfinished = ["rows.new", "log.new"].map(|name| dir.join(name));
    let is_missing = |path: &PathBuf| fs::symlink_metadata(path).is_err();
    // A directory with any of these files holds a store, which must not be deleted.
    let created: Vec<PathBuf> = if files.iter().all(is_missing) {
        files.into_iter().chain(unfinished).filter(is_missing).collect()
    } else {
        Vec::new()
    };
    fill(dir).inspect_err(|_| {
        for path in &created {
            // Best effort, like the drop of a temporary name.
            let _ = fs::remove_file(path);
        }
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
        fs::read_dir(dir).unwrap().map(|entry| name(entry).unwrap()).collect()
    }

    #[test]
    fn failed_write_leaves_no_file_and_can_be_retried() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("backup");
        let failed = write_new(&path, |mut file| {
            file.write_all(b"half")?;
            Err::<(), _>(io::ErrorKind::StorageFull.into())
        });
        assert!(failed.unwrap_err().to_string().contains("backup"));
        assert!(names(dir.path()).is_empty());
        write_new(&path, |mut file| file.write_all(b"whole")).unwrap();
        assert_eq!(names(dir.path()), ["backup"]);
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let taken = write_new(&path, |mut file| file.write_all(b"other"));
        assert!(taken.is_err());
        assert_eq!(fs::read(&path).unwrap(), b"whole");
    }

    #[test]
    fn file_created_by_another_program_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("backup");
        let taken = write_new(&path, |_| fs::write(&path, "theirs"));
        assert!(taken.is_err());
        assert_eq!(fs::read(&path).unwrap(), b"theirs");
        assert_eq!(names(dir.path()), ["backup"]);
    }

    #[test]
    fn failed_fill_leaves_no_directory() {
        let fail = |dir: &Path| -> Result<(), Box<dyn Error>> {
            fs::create_dir_all(dir)?;
            fs::write(dir.join("rows.redb"), "half")?;
            fs::write(dir.join("log.new"), "begun")?;
            Err("no".into())
        };
        let root = tempfile::tempdir().unwrap();
        assert!(fill_dir(&root.path().join("a/b/data"), fail).is_err());
        assert!(names(root.path()).is_empty(), "not even the directories above");
        let empty = root.path().join("empty");
        fs::create_dir(&empty).unwrap();
        assert!(fill_dir(&empty, fail).is_err());
        assert!(names(&empty).is_empty());
        let used = root.path().join("used");
        fs::create_dir(&used).unwrap();
        fs::write(used.join("note"), "").unwrap();
        assert!(fill_dir(&used, fail).is_err());
        assert_eq!(names(&used), ["note"]);
        for dir in [root.path().join("a/b/data"), empty] {
            fill_dir(&dir, |dir| {
                fs::create_dir_all(dir)?;
                Ok(fs::write(dir.join("rows.redb"), "whole")?)
            })
            .unwrap();
            assert_eq!(names(&dir), ["rows.redb"]);
        }
        assert_eq!(names(root.path()).len(), 3, "a, empty, used");
    }
}
