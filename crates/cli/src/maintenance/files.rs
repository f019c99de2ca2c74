//! Files and directories that get their names when they are whole.
//!
//! What is written has a temporary name beside the final one. After a failure nothing is left under
//! either, so that the same command can be run again; after a crash at most the temporary one.

use std::error::Error;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use statehold_server_core::fs::private;

/// A file that can't be used.
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

pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError { path, source }
}

/// Removes what has a temporary name, unless it got its final one.
struct Temporary {
    path: PathBuf,
    kept: bool,
}

impl Temporary {
    /// A new name in `dir` for what will be called `name`.
    fn new(dir: &Path, name: &Path) -> Self {
        let name = name.file_name().unwrap_or_default().to_string_lossy();
        let path = dir.join(format!(".{name}.{}.partial", Uuid::new_v4().simple()));
        Self { path, kept: false }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.kept {
            // Its own failure would hide the one that is reported.
            let _ = fs::remove_file(&self.path).or_else(|_| fs::remove_dir_all(&self.path));
        }
    }
}

/// Writes a new file, which only its owner can read: durable and whole on return, and not there at all
/// after an error. A file that exists is an error and stays as it is.
pub(super) fn write_new<T>(
    path: &Path,
    write: impl FnOnce(&File) -> io::Result<T>,
) -> Result<T, FileError> {
    // Before the work, which may take long; the link below is what guarantees it.
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

/// Gives a file its final name, if no other file has it.
fn name(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            // A file system without links: the name was free a moment ago.
            fs::rename(from, to)
        }
        linked => linked,
    }
}

fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Fills a data directory. One that does not exist is filled under a temporary name and is there as a
/// whole or not at all; in one without a store, the files that `fill` created are removed when it fails.
pub(super) fn fill_dir<T>(
    dir: &Path,
    fill: impl FnOnce(&Path) -> Result<T, Box<dyn Error>>,
) -> Result<T, Box<dyn Error>> {
    // One that exists keeps its owner and mode, whatever is in it.
    if fs::symlink_metadata(dir).is_ok() {
        return fill_existing(dir, fill);
    }
    // Not in the parent when that is missing too: it would be left behind after a failure.
    let mut above = parent(dir);
    while !above.is_dir() {
        above = parent(above);
    }
    let mut temporary = Temporary::new(above, dir);
    let value = fill(&temporary.path)?;
    private::create_dir_all(parent(dir)).map_err(at(parent(dir)))?;
    fs::rename(&temporary.path, dir).map_err(at(dir))?;
    temporary.kept = true;
    // Each name is durable with the directory that it is in.
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
    // Files that a store creates have these names before they are whole.
    let unfinished = ["rows.new", "log.new"].map(|name| dir.join(name));
    let is_missing = |path: &PathBuf| fs::symlink_metadata(path).is_err();
    // With one of them there it is a store, whose lock is no part of it.
    let created: Vec<PathBuf> = if files.iter().all(is_missing) {
        files.into_iter().chain(unfinished).filter(is_missing).collect()
    } else {
        Vec::new()
    };
    fill(dir).inspect_err(|_| {
        for path in &created {
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
