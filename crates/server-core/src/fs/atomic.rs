//! Atomic, durable replacement and removal of files and directories.
//!
//! The crash-safety argument, once for every caller: the content is written under another name on the same file
//! system and synced; `rename` publishes it under the final name in one step; syncing the directory makes the name
//! durable. A crash before the rename leaves the old state and an unfinished file, a crash after it the new state, and
//! no crash leaves a part under the final name. Deletion runs in reverse: the object is renamed to a trash name, the
//! directory is synced, and only then is its content deleted.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use crate::fs::private;

/// The extension of a file that [`replace`] has not published yet.
pub const UNFINISHED: &str = "next";

/// Replaces a file with one of mode 0600, durable on return. A crash leaves the old file or the new one under
/// the name, never a part.
///
/// # Errors
/// The file can't be written. The old one stays, and no part of the new one.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let next = path.with_extension(UNFINISHED);
    let published = write_anew(&next, bytes).and_then(|()| fs::rename(&next, path));
    // On a full disk the part would take space that other writes need. The next write of the same name replaces a
    // part that can't be removed now.
    published.inspect_err(|_| drop(fs::remove_file(&next)))?;
    // Without it a loss of power could undo the rename.
    sync_parent(path)
}

/// Writes and syncs a file of mode 0600 under a name that is not final. An unfinished file of that name is removed
/// first.
pub fn write_anew(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = private::create_anew(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Renames a finished file or directory to its final name, durable on return. Its content MUST have been synced.
pub fn publish(finished: &Path, path: &Path) -> io::Result<()> {
    fs::rename(finished, path)?;
    sync_parent(path)
}

/// Deletes a file or directory, durable on return. `trash` MUST be a free name on the same file system, which the next
/// start empties after a crash before the content was deleted. An absent object counts as deleted.
pub fn remove(path: &Path, trash: &Path) -> io::Result<()> {
    match fs::rename(path, trash) {
        // An earlier attempt may have ended between the rename and the deletion.
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        renamed => renamed?,
    }
    match sync_parent(path) {
        // Without its directory the object can't exist either.
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        synced => synced?,
    }
    remove_unfinished(trash)
}

/// Deletes an unfinished file or directory with its content, if it exists.
pub fn remove_unfinished(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(about) if about.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Makes the names in a directory durable.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Makes the name of a file or directory durable.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), sync_dir)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_removed_directory_is_gone_with_its_trash() {
        let root = tempfile::tempdir().unwrap();
        let (path, trash) = (root.path().join("object"), root.path().join("trash"));
        fs::create_dir(&path).unwrap();
        fs::write(path.join("data"), "x").unwrap();
        for _ in 0..2 {
            remove(&path, &trash).unwrap();
            assert!(!path.exists() && !trash.exists());
        }
        remove(&root.path().join("absent/object"), &trash).unwrap();
    }

    #[test]
    fn a_published_directory_has_its_final_name_only() {
        let root = tempfile::tempdir().unwrap();
        let (new, path) = (root.path().join("new"), root.path().join("object"));
        fs::create_dir(&new).unwrap();
        publish(&new, &path).unwrap();
        assert!(path.is_dir() && !new.exists());
    }

    #[test]
    fn a_replaced_file_is_complete_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let (path, left) = (dir.path().join("file"), dir.path().join("file.next"));
        fs::write(&left, "half of a write that a crash interrupted").unwrap();
        fs::write(&path, "old").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        assert!(!left.exists());
    }

    #[test]
    fn a_failed_replacement_leaves_the_old_state_alone() {
        let dir = tempfile::tempdir().unwrap();
        // A file can't replace a directory: the rename fails.
        let path = dir.path().join("taken");
        fs::create_dir_all(path.join("full")).unwrap();
        replace(&path, b"new").unwrap_err();
        assert!(path.join("full").exists() && !dir.path().join("taken.next").exists());
    }
}
