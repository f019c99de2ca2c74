//! Keeps backups in a directory, away from the back ends: a directory each, `55/b0/<id>`, with files
//! of blocks, `data-000000` and on, and a [`manifest`].
//!
//! Holes and blocks that are all zero are not kept. An incremental backup keeps the blocks that its
//! parent doesn't have at the same place. Each block is checked by its SHA-256 when it is read.
//!
//! What is made is made in `.new` and moved when it is whole and on the disk; what is deleted is moved
//! to `.trash` first. Both are emptied at the start. A directory is one server's at a time.

mod manifest;

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::backend::local_dir::{NEW, TRASH, open};
use crate::backup::manifest::{Entry, Head, Reader, Writer, damaged};
use statehold_server_core::fs::atomic;
use statehold_server_core::fs::private;
use statehold_server_core::fs::regular;
use statehold_server_core::fs::sparse;

/// Bytes of a block.
const BLOCK: u32 = 32 << 10;
/// The most bytes that the blocks of a backup may have.
const BLOCK_MAX: u32 = 16 << 20;
/// Blocks in a file.
const OBJECT_BLOCKS: u32 = 2048;

const MANIFEST: &str = "manifest";

/// A directory of backups.
#[derive(Debug)]
pub(crate) struct BackupRepository {
    dir: PathBuf,
    /// The directory, locked for as long as this is there.
    _open: File,
}

impl BackupRepository {
    /// Opens a directory; makes it when it is absent. One that another server has is refused.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        let (dir, open) = open(dir, |name| Uuid::parse_str(name).is_ok())?;
        private::warn_if_shared(&dir, "directory of the backups");
        Ok(Self { dir, _open: open })
    }

    fn place(&self, id: Uuid) -> PathBuf {
        let name = id.to_string();
        self.dir.join(&name[..2]).join(&name[2..4]).join(&name)
    }

    fn object(&self, id: Uuid, object: u32) -> PathBuf {
        self.place(id).join(object_name(object))
    }

    /// Backs up a file; how many files of blocks it took. One that is there already stays.
    pub(crate) fn create(&self, id: Uuid, parent: Option<Uuid>, from: &File) -> io::Result<u32> {
        let to = self.place(id);
        if to.try_exists()? {
            return self.objects(id);
        }
        let new = self.dir.join(NEW).join(id.to_string());
        atomic::remove_unfinished(&new)?;
        private::create_dir(&new)?;
        let parent = match parent {
            Some(parent) => Some((parent, Reader::open(&self.place(parent).join(MANIFEST))?)),
            None => None,
        };
        let objects =
            write(&new, id, parent, from).inspect_err(|_| drop(atomic::remove_unfinished(&new)))?;
        atomic::sync_dir(&new)?;
        if let Some(above) = to.parent() {
            private::create_dir_all(above)?;
            atomic::publish(&new, &to)?;
            // The directories above it may be new as well.
            for dir in above.ancestors().skip(1).take(2) {
                atomic::sync_dir(dir)?;
            }
        }
        Ok(objects)
    }

    fn objects(&self, id: Uuid) -> io::Result<u32> {
        let mut objects = 0;
        while self.object(id, objects).try_exists()? {
            objects += 1;
        }
        Ok(objects)
    }

    /// Writes what was backed up into a file that is all zero and no shorter than the data, and checks
    /// it on the way.
    pub(crate) fn restore(&self, id: Uuid, to: &File) -> io::Result<()> {
        let room = to.metadata()?.len();
        self.read(id, |at, bytes| {
            // The record of a backup may say less than there is.
            if at + bytes.len() as u64 > room {
                return Err(io::Error::other("the backup has more data than its volume has room"));
            }
            to.write_all_at(bytes, at)
        })
    }

    /// Looks whether all of a backup is there and as it was written, upon the one that is said.
    pub(crate) fn check(&self, id: Uuid, parent: Option<Uuid>) -> io::Result<()> {
        let head = Reader::open(&self.place(id).join(MANIFEST))?.head;
        if head.parents.first() != parent.as_ref() {
            return Err(io::Error::other("the backup is made upon another one than is said"));
        }
        self.read(id, |_, _| Ok(()))
    }

    /// Hands out each block with its place in bytes.
    fn read(&self, id: Uuid, mut out: impl FnMut(u64, &[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut manifest = Reader::open(&self.place(id).join(MANIFEST))?;
        if manifest.head.id != id {
            return Err(damaged("its manifest is another one's"));
        }
        let size = u64::from(manifest.head.block);
        let mut block = vec![0; manifest.head.block as usize];
        let mut open: Option<((u16, u32), File)> = None;
        while let Some(entry) = manifest.next()? {
            let of = (entry.origin, entry.object);
            let file = match open.take() {
                Some((already, file)) if already == of => file,
                _ => regular::open(
                    &self.object(origin(&manifest.head, entry.origin)?, entry.object),
                )?,
            };
            file.read_exact_at(&mut block, u64::from(entry.at) * size)?;
            if *Sha256::digest(&block) != entry.sum {
                return Err(damaged("a block was changed"));
            }
            let at = entry.number.checked_mul(size).filter(|at| *at < manifest.head.len);
            let at = at.ok_or_else(|| damaged("a block is behind the end"))?;
            let len = usize::try_from(manifest.head.len - at).unwrap_or(usize::MAX);
            out(at, block.get(..len).unwrap_or(&block))?;
            open = Some((of, file));
        }
        Ok(())
    }

    /// Deletes a backup, if it is there.
    pub(crate) fn delete(&self, id: Uuid) -> io::Result<()> {
        let trash = self.dir.join(TRASH).join(id.to_string());
        // A directory can't be renamed over another one that has content.
        atomic::remove_unfinished(&trash)?;
        atomic::remove(&self.place(id), &trash)
    }
}

fn object_name(object: u32) -> String {
    format!("data-{object:06}")
}

fn origin(head: &Head, origin: u16) -> io::Result<Uuid> {
    match usize::from(origin).checked_sub(1) {
        None => Ok(head.id),
        Some(at) => {
            head.parents.get(at).copied().ok_or_else(|| damaged("it lacks the one before it"))
        }
    }
}

/// Writes the blocks of a file, and the manifest; how many files of blocks it took.
fn write(dir: &Path, id: Uuid, parent: Option<(Uuid, Reader)>, from: &File) -> io::Result<u32> {
    let len = from.metadata()?.len();
    let (mut parents, mut earlier) = (Vec::new(), None);
    if let Some((parent, reader)) = parent {
        if reader.head.block != BLOCK {
            return Err(io::Error::other("the earlier backup has blocks of another size"));
        }
        parents.push(parent);
        parents.extend(&reader.head.parents);
        if u16::try_from(parents.len()).is_err() {
            return Err(io::Error::other("there are too many backups before it: make a whole one"));
        }
        earlier = Some(Earlier { reader, next: None });
    }
    let head = Head { id, len, block: BLOCK, parents };
    let mut manifest = Writer::create(&dir.join(MANIFEST), &head)?;
    let mut objects = Objects { dir, open: None, count: 0, at: 0 };
    let mut block = vec![0; BLOCK as usize];
    let (size, mut number) = (u64::from(BLOCK), 0);
    while let Some(part) = sparse::data(from, number * size)? {
        number = number.max(part.start / size);
        while number * size < part.end.min(len) {
            fill(from, number * size, &mut block)?;
            if block.iter().any(|byte| *byte != 0) {
                let sum: [u8; 32] = Sha256::digest(&block).into();
                let same = match &mut earlier {
                    Some(earlier) => earlier.find(number)?.filter(|entry| entry.sum == sum),
                    None => None,
                };
                let entry = if let Some(entry) = same {
                    Entry { origin: entry.origin + 1, ..entry }
                } else {
                    let (object, at) = objects.push(&block)?;
                    Entry { number, origin: 0, object, at, sum }
                };
                manifest.push(&entry)?;
            }
            number += 1;
        }
    }
    objects.close()?;
    manifest.finish()?;
    Ok(objects.count)
}

/// Reads a block; behind the end of the file it is zero.
fn fill(from: &File, at: u64, block: &mut [u8]) -> io::Result<()> {
    let mut done = 0;
    while let Some(rest) = block.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let read = match from.read_at(rest, at + done as u64) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read?,
        };
        if read == 0 {
            rest.fill(0);
            return Ok(());
        }
        done += read;
    }
    Ok(())
}

/// The blocks of the backup before, looked through in their order.
struct Earlier {
    reader: Reader,
    next: Option<Entry>,
}

impl Earlier {
    fn find(&mut self, number: u64) -> io::Result<Option<Entry>> {
        while self.next.is_none_or(|entry| entry.number < number) {
            self.next = self.reader.next()?;
            if self.next.is_none() {
                return Ok(None);
            }
        }
        Ok(self.next.filter(|entry| entry.number == number))
    }
}

/// The files of blocks that are being written.
struct Objects<'d> {
    dir: &'d Path,
    open: Option<File>,
    /// How many there are.
    count: u32,
    /// Blocks in the last one.
    at: u32,
}

impl Objects<'_> {
    fn push(&mut self, block: &[u8]) -> io::Result<(u32, u32)> {
        if self.open.is_none() || self.at == OBJECT_BLOCKS {
            self.close()?;
            self.open = Some(private::create_new(&self.dir.join(object_name(self.count)))?);
            self.count += 1;
            self.at = 0;
        }
        if let Some(file) = &mut self.open {
            file.write_all(block)?;
        }
        self.at += 1;
        Ok((self.count - 1, self.at - 1))
    }

    fn close(&mut self) -> io::Result<()> {
        self.open.take().map_or(Ok(()), |file| file.sync_all())
    }
}

#[cfg(test)]
mod tests;
