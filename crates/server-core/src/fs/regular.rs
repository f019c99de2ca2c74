//! Opens regular files, and rejects any other kind.
//!
//! A FIFO in place of a file blocks its opener until the other end is open, and a device may never end. A
//! worker that opened one would wait for ever, so the files of the server's own directories MUST be opened
//! here. A path from the command line need not be: an operator may pass a FIFO on purpose.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a file for reading.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if the path is not a regular file, and the errors of opening.
pub fn open(path: &Path) -> io::Result<File> {
    open_with(OpenOptions::new().read(true), path)
}

/// Opens a file for writing, without truncating it.
///
/// # Errors
/// Like [`open`].
pub fn open_to_write(path: &Path) -> io::Result<File> {
    open_with(OpenOptions::new().write(true), path)
}

/// Returns the content of a file.
///
/// # Errors
/// Like [`open`], and the errors of reading.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns the content of a UTF-8 file.
///
/// # Errors
/// Like [`read`], and [`ErrorKind::InvalidData`] if the content is not UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path)?).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
}

fn open_with(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    // Without the flag, opening a FIFO blocks until its other end is open. Regular files ignore it.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
    let file = options.custom_flags(flags).open(path)?;
    // Checked on the open file, because the name may lead to another file by now.
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    let text = format!("{} is not a regular file; remove it", path.display());
    Err(io::Error::new(ErrorKind::InvalidInput, text))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_fifo_is_rejected_without_blocking() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        fifo(&path);
        assert_eq!(open(&path).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(read(&path).unwrap_err().kind(), ErrorKind::InvalidInput);
        // Without a reader the system rejects the writer.
        assert!(open_to_write(&path).is_err());
        // With a reader the FIFO opens, and the type check rejects it.
        let options = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        assert_eq!(open_to_write(&path).unwrap_err().kind(), ErrorKind::InvalidInput);
        drop(options);
        assert!(open(dir.path()).is_err());
    }

    #[test]
    fn a_regular_file_is_read_and_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "text").unwrap();
        assert_eq!(read_to_string(&path).unwrap(), "text");
        io::Write::write_all(&mut open_to_write(&path).unwrap(), b"n").unwrap();
        assert_eq!(read(&path).unwrap(), b"next");
    }

    fn fifo(path: &Path) {
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mkfifoat(rustix::fs::CWD, path, mode).unwrap();
    }
}
