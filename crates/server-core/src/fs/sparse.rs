//! Sparse files: created at any length, and copied without filling the holes.
//!
//! A copy shares its blocks with the original where the file system can (`FICLONE`); otherwise only the
//! extents that hold data are copied (`SEEK_DATA`).
//!
//! A crash can leave an incomplete file. The caller therefore MUST pass a name that is not final, such as one
//! in a directory that is renamed later, or emptied at the next start.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rustix::fs::SeekFrom as Part;
use rustix::io::Errno;

use crate::fs::private;
use crate::fs::regular;

/// The buffer of a copy, in bytes.
const CHUNK: usize = 256 << 10;

/// Creates a file of `len` bytes that is one hole. Fails if the name exists; leaves no file after a failure.
pub fn create(path: &Path, len: u64) -> io::Result<()> {
    let file = private::create_new(path)?;
    let filled = file.set_len(len).and_then(|()| file.sync_all());
    filled.inspect_err(|_| drop(fs::remove_file(path)))
}

/// Extends a file to `len` bytes. Never shortens it, so that a retry is harmless.
pub fn extend(path: &Path, len: u64) -> io::Result<()> {
    let file = regular::open_to_write(path)?;
    if file.metadata()?.len() < len {
        file.set_len(len)?;
        file.sync_all()?;
    }
    Ok(())
}

/// Copies a file into a new one of `len` bytes, which MUST be at least the length of the original. Fails if
/// the name exists; leaves no file after a failure.
pub fn copy(from: &Path, to: &Path, len: u64) -> io::Result<()> {
    copy_file(&regular::open(from)?, to, len)
}

/// Like [`copy`], of an open file. Data behind `len` is not copied.
pub fn copy_file(from: &File, to: &Path, len: u64) -> io::Result<()> {
    let file = private::create_new(to)?;
    let fill = || {
        // Fails on file systems without shared blocks, and across file systems.
        if rustix::fs::ioctl_ficlone(&file, from).is_err() {
            copy_data(from, &file)?;
        }
        // The copy ends with the last extent, and `len` may exceed the original.
        file.set_len(len)?;
        file.sync_all()
    };
    fill().inspect_err(|_| drop(fs::remove_file(to)))
}

/// Returns the first extent with data at or after `at`, or `None` if the rest of the file is a hole.
pub fn data(file: &File, at: u64) -> io::Result<Option<Range<u64>>> {
    let begin = match rustix::fs::seek(file, Part::Data(at)) {
        Ok(begin) => begin,
        // lseek(2): no data at or after the offset.
        Err(Errno::NXIO) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let end = rustix::fs::seek(file, Part::Hole(begin))?;
    Ok(Some(begin..end))
}

/// Copies the extents with data to the same offsets.
fn copy_data(from: &File, to: &File) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut at = 0;
    while let Some(part) = data(from, at)? {
        copy_part(from, to, part.clone(), &mut buffer)?;
        at = part.end;
    }
    Ok(())
}

fn copy_part(from: &File, to: &File, part: Range<u64>, buffer: &mut [u8]) -> io::Result<()> {
    let mut at = part.start;
    while at < part.end {
        let len = usize::try_from(part.end - at).map_or(buffer.len(), |len| len.min(buffer.len()));
        let Some(chunk) = buffer.get_mut(..len) else { break };
        let read = read_at(from, chunk, at)?;
        // The file became shorter: the rest is the hole that the copy has already.
        let Some(data) = chunk.get(..read).filter(|data| !data.is_empty()) else { break };
        to.write_all_at(data, at)?;
        at += read as u64;
    }
    Ok(())
}

/// Reads into a buffer until it is full or the file ends. Returns the number of bytes.
pub fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            // A signal arrived before the first byte.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    /// Creates a sparse file of 8 MiB with 4 bytes of data in the middle.
    fn original(dir: &Path) -> std::path::PathBuf {
        let path = dir.join("original");
        create(&path, 8 << 20).unwrap();
        File::options().write(true).open(&path).unwrap().write_all_at(b"data", 4 << 20).unwrap();
        path
    }

    #[test]
    fn a_copy_keeps_the_data_and_the_holes() {
        let dir = tempfile::tempdir().unwrap();
        let from = original(dir.path());
        let to = dir.path().join("copy");
        copy(&from, &to, 16 << 20).unwrap();
        let mut expected = std::fs::read(&from).unwrap();
        expected.resize(16 << 20, 0);
        assert!(std::fs::read(&to).unwrap() == expected, "the copy differs");
        let blocks = std::fs::metadata(&to).unwrap().blocks();
        assert!(blocks * 512 < 1 << 20, "{blocks} blocks of 512 bytes");
    }

    #[test]
    fn a_copy_by_extents_equals_the_original() {
        let dir = tempfile::tempdir().unwrap();
        let from = original(dir.path());
        let to = dir.path().join("copy");
        let file = File::create_new(&to).unwrap();
        copy_data(&File::open(&from).unwrap(), &file).unwrap();
        file.set_len(8 << 20).unwrap();
        assert!(std::fs::read(&to).unwrap() == std::fs::read(&from).unwrap(), "the copy differs");
    }

    #[test]
    fn no_file_is_overwritten_or_shortened() {
        let dir = tempfile::tempdir().unwrap();
        let path = original(dir.path());
        assert_eq!(create(&path, 1).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        extend(&path, 1).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 8 << 20);
        extend(&path, 9 << 20).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 9 << 20);
    }
}
