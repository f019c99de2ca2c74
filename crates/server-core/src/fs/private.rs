//! Files and directories that only the process's user may open.
//!
//! The server and the commands MUST create every file here: rows, backups, dumps and volumes hold secrets,
//! and under a umask of 022 every local user could read them. The mode is set at creation, because a later
//! `chmod` leaves a moment in which another process can open the file. An existing file keeps its mode: an
//! operator may have shared it on purpose.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// The mode of a new directory.
pub(crate) const DIR_MODE: u32 = 0o700;

/// The mode of a new file.
pub(crate) const FILE_MODE: u32 = 0o600;

/// The permission bits of the group and of other users.
const OTHERS: u32 = 0o077;

/// Creates a directory with mode 0700; its parent MUST exist.
pub fn create_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(DIR_MODE).create(path)
}

/// Creates a directory and its missing parents with mode 0700. An existing one keeps its mode.
pub fn create_dir_all(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIR_MODE).create(path)
}

/// Creates a file with mode 0600 and opens it for writing. Fails if the name exists.
pub fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)
}

/// Like [`create_new`], but removes a file that a crash left under the name.
pub fn create_anew(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        // Truncating it instead would keep the mode of the old file.
        _ => create_new(path),
    }
}

/// Logs a warning if other users may enter a directory that holds secrets: an earlier version created it
/// under the process's umask, or an operator did. `purpose` names the directory in the warning.
pub fn warn_if_shared(dir: &Path, purpose: &str) {
    // The first use of an unreadable directory reports it.
    let mode = fs::metadata(dir).map_or(0, |about| about.permissions().mode());
    if mode & OTHERS != 0 {
        tracing::warn!(
            dir = %dir.display(), mode = format_args!("{:o}", mode & 0o7777),
            "other users may enter the {purpose}, which holds secrets; run chmod -R go= on it"
        );
    }
}

/// Gives an open file that the server adopts the mode 0600, durable on return.
///
/// # Errors
/// The process is neither the file's owner nor root.
pub fn adopt(file: &File) -> io::Result<()> {
    file.set_permissions(fs::Permissions::from_mode(FILE_MODE))?;
    // A crash must not undo it once the file has its new name.
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn new_files_and_directories_are_private() {
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
}
