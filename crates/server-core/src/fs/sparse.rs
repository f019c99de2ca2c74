//! Files with holes: made at any length, copied without filling the holes.
//!
//! A copy shares its blocks with the original where the file system can (`FICLONE`), else only the
//! parts that hold data are copied (`SEEK_DATA`).
//!
//! A crash can leave a file that is not whole. The caller therefore MUST pass a name that is not final, such
//! as one in a directory that is renamed, or emptied at the next start.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;

use rustix::fs::SeekFrom as Part;
use rustix::io::Errno;

use crate::fs::private;
use crate::fs::regular;

/// Bytes that are copied at a time.
const CHUNK: usize = 256 << 10;

/// Creates a file of a length, all of it a hole. Fails if the name is taken; leaves nothing after a failure.
pub fn create(path: &Path, len: u64) -> io::Result<()> {
    let file = private::create_new(path)?;
    let filled = file.set_len(len).and_then(|()| file.sync_all());
    filled.inspect_err(|_| drop(fs::remove_file(path)))
}

/// Makes a file longer. One that is long enough already stays.
pub fn extend(path: &Path, len: u64) -> io::Result<()> {
    let file = regular::open_to_write(path)?;
    if file.metadata()?.len() < len {
        file.set_len(len)?;
        file.sync_all()?;
    }
    Ok(())
}

/// Copies a file into a new one of `len` bytes, which is at least the length of the original. Fails if the
/// name is taken; leaves nothing after a failure.
pub fn copy(from: &Path, to: &Path, len: u64) -> io::Result<()> {
    let mut from = regular::open(from)?;
    let mut file = private::create_new(to)?;
    let mut fill = || {
        if rustix::fs::ioctl_ficlone(&file, &from).is_err() {
            copy_data(&mut from, &mut file)?;
        }
        file.set_len(len)?;
        file.sync_all()
    };
    fill().inspect_err(|_| drop(fs::remove_file(to)))
}

/// The first part from `at` on that holds data; none when there is nothing but a hole up to the end.
pub fn data(file: &File, at: u64) -> io::Result<Option<Range<u64>>> {
    let begin = match rustix::fs::seek(file, Part::Data(at)) {
        Ok(begin) => begin,
        Err(Errno::NXIO) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let end = rustix::fs::seek(file, Part::Hole(begin))?;
    Ok(Some(begin..end))
}

/// Copies those parts that hold data to the same places.
fn copy_data(from: &mut File, to: &mut File) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut at = 0;
    while let Some(part) = data(from, at)? {
        from.seek(SeekFrom::Start(part.start))?;
        to.seek(SeekFrom::Start(part.start))?;
        copy_part(from, to, part.end - part.start, &mut buffer)?;
        at = part.end;
    }
    Ok(())
}

fn copy_part(from: &mut File, to: &mut File, len: u64, buffer: &mut [u8]) -> io::Result<()> {
    let mut part = from.take(len);
    loop {
        let read = part.read(buffer)?;
        let Some(data) = buffer.get(..read).filter(|data| !data.is_empty()) else { return Ok(()) };
        to.write_all(data)?;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileExt, MetadataExt};

    use super::*;

    /// 8 MiB with 4 bytes in the middle and the end a hole.
    fn original(dir: &Path) -> std::path::PathBuf {
        let path = dir.join("original");
        create(&path, 8 << 20).unwrap();
        File::options().write(true).open(&path).unwrap().write_all_at(b"data", 4 << 20).unwrap();
        path
    }

    #[test]
    fn a_copy_has_the_data_and_the_holes() {
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
    fn a_copy_of_data_alone_is_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let from = original(dir.path());
        let to = dir.path().join("copy");
        let mut file = File::create_new(&to).unwrap();
        copy_data(&mut File::open(&from).unwrap(), &mut file).unwrap();
        file.set_len(8 << 20).unwrap();
        assert!(std::fs::read(&to).unwrap() == std::fs::read(&from).unwrap(), "the copy differs");
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_shrinks() {
        let dir = tempfile::tempdir().unwrap();
        let path = original(dir.path());
        assert_eq!(create(&path, 1).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        extend(&path, 1).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 8 << 20);
        extend(&path, 9 << 20).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 9 << 20);
    }
}
