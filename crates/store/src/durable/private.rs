//! Files and directories with access for their owner only.
//!
//! Rows can hold secrets, and with a umask of 022 every local user could read them. The mode is set at
//! creation, because a later `chmod` leaves a window in which another process can open the file. Existing files
//! keep their mode: an operator may have shared them on purpose.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

/// The mode of a new directory.
#[cfg(unix)]
const DIR_MODE: u32 = 0o700;

/// The mode of a new file.
#[cfg(unix)]
const FILE_MODE: u32 = 0o600;

/// Creates a directory, with mode 0700 on Unix. Its parent MUST exist.
pub(super) fn create_dir(path: &Path) -> io::Result<()> {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has a mode to set"))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, DIR_MODE);
    builder.create(path)
}

/// Opens a file for reading and writing. Creates it with mode 0600 on Unix if it is absent; does not truncate
/// it.
pub(super) fn open_or_create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, FILE_MODE);
    options.open(path)
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use crate::{Schema, Store};

    #[test]
    fn new_store_is_accessible_by_its_owner_only() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("above/data");
        drop(Store::open(&dir, &Schema::new()).unwrap());
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode();
        for name in ["above", "above/data"] {
            assert_eq!(mode(&root.path().join(name)) & 0o777, 0o700, "{name}");
        }
        let mut files = 0;
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path) & 0o777, 0o600, "{}", path.display());
            files += 1;
        }
        assert_eq!(files, 3, "rows, journal and lock");
    }
}
