//! Files and directories that only the owner of the process may use, and files that appear whole.
//!
//! Everything that the server and the commands create goes through here: rows, backups, dumps and volumes
//! hold secrets, and under a umask of 022 every local user could read them. The mode is given at creation,
//! because a later `chmod` leaves a moment in which another process opens the file. What exists keeps its
//! mode: an operator may have shared it on purpose.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// The mode of a new directory.
const DIR_MODE: u32 = 0o700;

/// The mode of a new file.
const FILE_MODE: u32 = 0o600;

/// The permission bits of the group and of all others.
const OTHERS: u32 = 0o077;

/// The extension of a file that [`replace`] has not named yet.
pub const UNNAMED: &str = "next";

/// Creates a directory with mode 0700; the one above it must exist.
pub fn create_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(DIR_MODE).create(path)
}

/// Creates a directory and the missing ones above it with mode 0700. One that exists stays as it is.
pub fn create_dir_all(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIR_MODE).create(path)
}

/// Creates a file with mode 0600 and opens it to write. Fails if the name is taken.
pub fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)
}

/// Like [`create_new`], but removes a file that a crash left under the name.
pub fn create_anew(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        // Truncating it instead would keep its mode.
        _ => create_new(path),
    }
}

/// Writes a file with mode 0600, durable on return. A crash leaves the old file or the new one under the
/// name, never a part.
///
/// # Errors
/// The file can't be written: the old one stays, and no part of the new one.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let next = path.with_extension(UNNAMED);
    let named = write_new(&next, bytes).and_then(|()| fs::rename(&next, path));
    // On a full disk the part would hold room that other writes need. One that can't be removed goes at the next
    // write of the same name.
    named.inspect_err(|_| drop(fs::remove_file(&next)))?;
    // The name is durable only with its directory.
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

/// Writes a new file, durable on return but for its name.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create_anew(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Logs a warning if other users may enter a directory that holds secrets: an earlier version created it
/// under the process's umask, or an operator did.
pub fn warn_if_shared(dir: &Path) {
    let mode = fs::metadata(dir).map_or(0, |about| about.permissions().mode());
    if mode & OTHERS != 0 {
        tracing::warn!(
            dir = %dir.display(), mode = format_args!("{:o}", mode & 0o7777),
            "other users may enter the data directory, which holds secrets; run chmod -R go= on it"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn new_files_and_directories_are_their_owners_alone() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("a/b");
        create_dir_all(&dir).unwrap();
        create_dir(&dir.join("c")).unwrap();
        for dir in [root.path().join("a"), dir.clone(), dir.join("c")] {
            assert_eq!(mode(&dir), DIR_MODE, "{}", dir.display());
        }
        create_new(&dir.join("new")).unwrap();
        assert_eq!(create_new(&dir.join("new")).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(mode(&dir.join("new")), FILE_MODE);
    }

    #[test]
    fn a_replaced_file_is_whole_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let (path, left) = (dir.path().join("file"), dir.path().join("file.next"));
        fs::write(&left, "half of what a crash interrupted").unwrap();
        fs::write(&path, "old").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(mode(&path), FILE_MODE);
        assert!(!left.exists());
    }

    #[test]
    fn a_failed_replacement_leaves_the_old_state_alone() {
        let dir = tempfile::tempdir().unwrap();
        // A file can't take the name of a directory: the last step fails.
        let path = dir.path().join("taken");
        fs::create_dir_all(path.join("full")).unwrap();
        replace(&path, b"new").unwrap_err();
        assert!(path.join("full").exists() && !dir.path().join("taken.next").exists());
    }
}
