//! The backup repository: a directory away from the back ends, in which each backup is a directory `55/b0/<id>`, with
//! files of blocks `data-000000`, `data-000001` and so on, and a [`manifest`].
//!
//! Holes and blocks of zeros are not stored. An incremental backup stores the blocks that differ from those of its
//! parent at the same place. Each block is checked by its SHA-256 when it is read.
//!
//! Backups are created and deleted by the rules of [`locked_dir`](crate::locked_dir): a backup is complete or absent.

mod error;
mod manifest;
mod reader;

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use statehold_server_core::fs::atomic;
use statehold_server_core::fs::private;
use uuid::Uuid;

use crate::backend::ReadExtents;
pub(crate) use crate::backup::error::BackupError;
use crate::backup::manifest::{Entry, Head, ManifestReader, ManifestWriter};
use crate::backup::reader::BackupReader;
use crate::locked_dir::LockedDir;

/// The size of a block, in bytes.
const BLOCK: u32 = 32 << 10;

/// The maximum size of a block of a backup that is read, in bytes.
const BLOCK_MAX: u32 = 16 << 20;

/// The maximum number of blocks in a file.
const OBJECT_BLOCKS: u32 = 2048;

const MANIFEST: &str = "manifest";

/// A directory of backups.
#[derive(Debug)]
pub(crate) struct BackupRepository {
    dir: LockedDir,
}

impl BackupRepository {
    /// Opens a directory, and creates it if it is absent.
    ///
    /// # Errors
    /// Another running server uses the directory, or the file system fails.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        let is_own = |name: &str| Uuid::parse_str(name).is_ok();
        Ok(Self { dir: LockedDir::open(dir, "directory of the backups", is_own)? })
    }

    /// Returns the directory of a backup. Two levels above it keep directories short.
    fn backup_path(&self, id: Uuid) -> PathBuf {
        let name = id.to_string();
        self.dir.path().join(&name[..2]).join(&name[2..4]).join(&name)
    }

    fn object_path(&self, id: Uuid, object: u32) -> PathBuf {
        self.backup_path(id).join(object_name(object))
    }

    /// Creates a backup of `source`, incremental if it has a parent. Returns the number of its files of blocks. One
    /// that exists is kept.
    ///
    /// # Errors
    /// [`BackupError::Source`] if the source can't be read, and [`BackupError::Damaged`] if the parent is damaged.
    pub(crate) fn create(
        &self,
        id: Uuid,
        parent: Option<Uuid>,
        source: &dyn ReadExtents,
    ) -> Result<u32, BackupError> {
        let to = self.backup_path(id);
        if to.try_exists()? {
            return Ok(self.count_objects(id)?);
        }
        let parent = match parent {
            Some(parent) => {
                Some((parent, ManifestReader::open(&self.backup_path(parent).join(MANIFEST))?))
            }
            None => None,
        };
        let new = self.dir.new_path(id.to_string());
        atomic::remove_unfinished(&new)?;
        private::create_dir(&new)?;
        let objects = write(&new, id, parent, source)
            .inspect_err(|_| drop(atomic::remove_unfinished(&new)))?;
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

    fn count_objects(&self, id: Uuid) -> io::Result<u32> {
        let mut objects = 0;
        while self.object_path(id, objects).try_exists()? {
            objects += 1;
        }
        Ok(objects)
    }

    /// Opens the data of a backup.
    ///
    /// # Errors
    /// [`BackupError::Damaged`] if the manifest is not as it was written. Blocks are checked when they are read.
    pub(crate) fn open_backup(&self, id: Uuid) -> Result<BackupReader<'_>, BackupError> {
        BackupReader::open(self, id)
    }

    /// Deletes a backup. An absent one counts as deleted.
    pub(crate) fn delete(&self, id: Uuid) -> Result<(), BackupError> {
        let trash = self.dir.trash_path(id.to_string());
        // A rename can't replace a directory that has content.
        atomic::remove_unfinished(&trash)?;
        Ok(atomic::remove(&self.backup_path(id), &trash)?)
    }
}

fn object_name(object: u32) -> String {
    format!("data-{object:06}")
}

/// Writes the blocks of a source, and the manifest. Returns the number of files of blocks.
fn write(
    dir: &Path,
    id: Uuid,
    parent: Option<(Uuid, ManifestReader)>,
    source: &dyn ReadExtents,
) -> Result<u32, BackupError> {
    let len = source.size();
    let (mut parents, mut earlier) = (Vec::new(), None);
    if let Some((parent, manifest)) = parent {
        if manifest.head.block != BLOCK {
            return Err(BackupError::BlockSize);
        }
        parents.push(parent);
        parents.extend(&manifest.head.parents);
        // An entry has 16 bits for the number of the parent.
        if u16::try_from(parents.len()).is_err() {
            return Err(BackupError::TooManyParents);
        }
        earlier = Some(Earlier { manifest, next: None });
    }
    let head = Head { id, len, block: BLOCK, parents };
    let mut manifest = ManifestWriter::create(&dir.join(MANIFEST), &head)?;
    let mut objects = Objects { dir, open: None, count: 0, at: 0 };
    let mut block = vec![0; BLOCK as usize];
    let (size, mut number) = (u64::from(BLOCK), 0);
    while let Some(part) = source.next_extent(number * size).map_err(BackupError::Source)? {
        // The block before may have reached into this extent.
        number = number.max(part.start / size);
        while number * size < part.end.min(len) {
            source.read_at(&mut block, number * size).map_err(BackupError::Source)?;
            if block.iter().any(|byte| *byte != 0) {
                let sum: [u8; 32] = Sha256::digest(&block).into();
                let same = match &mut earlier {
                    Some(earlier) => earlier.find(number)?.filter(|entry| entry.sum == sum),
                    None => None,
                };
                let entry = if let Some(entry) = same {
                    // This backup's n-th parent is its parent's n-1st.
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

/// The blocks of the parent, read in ascending order beside those of the source.
struct Earlier {
    manifest: ManifestReader,
    next: Option<Entry>,
}

impl Earlier {
    fn find(&mut self, number: u64) -> Result<Option<Entry>, BackupError> {
        while self.next.is_none_or(|entry| entry.number < number) {
            self.next = self.manifest.next()?;
            if self.next.is_none() {
                return Ok(None);
            }
        }
        Ok(self.next.filter(|entry| entry.number == number))
    }
}

/// Writes the files of blocks.
struct Objects<'d> {
    dir: &'d Path,
    open: Option<File>,
    /// The number of files.
    count: u32,
    /// The number of blocks in the last one.
    at: u32,
}

impl Objects<'_> {
    /// Appends a block. Returns the number of its file, and its number in the file.
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
