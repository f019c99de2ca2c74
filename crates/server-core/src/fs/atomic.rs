//! Files and directories that appear whole under their final name, and outlive a loss of power.
//!
//! The argument is the same everywhere. The content is written under another name on the same file system and synced;
//! `rename` puts it under the final name in one step; syncing the directory makes the name durable. A crash before the
//! rename leaves the old state and an unfinished file, a crash after it the new state, and no crash leaves a part under
//! the final name. Deletion runs the other way: the object is renamed out of the way, the directory is synced, and only
//! then does its content go.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use crate::fs::private;

/// The extension of a file that [`replace`] has not published yet.
pub const UNFINISHED: &str = "next";

/// Writes a file with mode 0600, durable on return. A crash leaves the old file or the new one under the
/// name, never a part.
///
/// # Errors
/// The file can't be written: the old one stays, and no part of the new one.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let next = path.with_extension(UNFINISHED);
    let published = write_anew(&next, bytes).and_then(|()| fs::rename(&next, path));
    // On a full disk the part would hold room that other writes need. One that can't be removed goes at the next
    // write of the same name.
    published.inspect_err(|_| drop(fs::remove_file(&next)))?;
    sync_parent(path)
}

/// Writes a file with mode 0600 under a name that is not final, and syncs its content. An unfinished file of the name
/// is removed first.
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

/// Deletes a file or directory, and returns once it is gone for good. `trash` is a free name on the same file system,
/// which the next start empties if a crash comes before the content is deleted. An absent object counts as deleted.
pub fn remove(path: &Path, trash: &Path) -> io::Result<()> {
    match fs::rename(path, trash) {
        // An earlier attempt may have ended between the rename and the deletion.
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        renamed => renamed?,
    }
    match sync_parent(path) {
        // Without its directory the object can't be there either.
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
    fn a_replaced_file_is_whole_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let (path, left) = (dir.path().join("file"), dir.path().join("file.next"));
        fs::write(&left, "half of what a crash interrupted").unwrap();
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
        // A file can't take the name of a directory: the last step fails.
        let path = dir.path().join("taken");
        fs::create_dir_all(path.join("full")).unwrap();
        replace(&path, b"new").unwrap_err();
        assert!(path.join("full").exists() && !dir.path().join("taken.next").exists());
    }
}
