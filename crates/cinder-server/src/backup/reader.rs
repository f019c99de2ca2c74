//! The data of a backup, as the source of an import.

use std::cell::RefCell;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use sha2::{Digest as _, Sha256};
use statehold_server_core::fs::regular;
use uuid::Uuid;

use crate::backend::{DriverError, ReadExtents};
use crate::backup::error::BackupError;
use crate::backup::manifest::{Entry, Head, ManifestReader};
use crate::backup::{BackupRepository, MANIFEST};

/// The data of a backup. Every block is checked by its SHA-256 when it is read.
pub(crate) struct BackupReader<'r> {
    id: Uuid,
    len: u64,
    /// The size of a block, in bytes.
    block: u64,
    blocks: RefCell<Blocks<'r>>,
}

/// The manifest, and the block and file that were read last.
struct Blocks<'r> {
    repository: &'r BackupRepository,
    manifest: ManifestReader,
    /// The backup and the number of the open file.
    open: Option<((u16, u32), File)>,
    /// The number of the block that `data` holds.
    number: Option<u64>,
    data: Vec<u8>,
}

impl<'r> BackupReader<'r> {
    pub(crate) fn open(repository: &'r BackupRepository, id: Uuid) -> Result<Self, BackupError> {
        let manifest = ManifestReader::open(&repository.backup_path(id).join(MANIFEST))?;
        if manifest.head.id != id {
            return Err(BackupError::Damaged("the manifest belongs to another backup"));
        }
        let (len, block) = (manifest.head.len, manifest.head.block);
        let data = vec![0; block as usize];
        let blocks = Blocks { repository, manifest, open: None, number: None, data };
        Ok(Self { id, len, block: block.into(), blocks: RefCell::new(blocks) })
    }

    /// Reads all blocks, and checks that the backup has this parent.
    ///
    /// # Errors
    /// [`BackupError::ParentMismatch`], and [`BackupError::Damaged`] if a block is not as it was written.
    pub(crate) fn verify(&self, parent: Option<Uuid>) -> Result<(), BackupError> {
        let blocks = &mut *self.blocks.borrow_mut();
        if blocks.manifest.head.parents.first() != parent.as_ref() {
            return Err(BackupError::ParentMismatch);
        }
        while let Some(entry) = blocks.manifest.next()? {
            self.offset(&entry)?;
            blocks.load(self.id, &entry)?;
        }
        Ok(())
    }

    /// Returns the offset of a block, in bytes.
    fn offset(&self, entry: &Entry) -> Result<u64, BackupError> {
        let offset = entry.number.checked_mul(self.block).filter(|offset| *offset < self.len);
        offset.ok_or(BackupError::Damaged("a block is behind the end"))
    }
}

impl Blocks<'_> {
    /// Reads and checks a block.
    fn load(&mut self, id: Uuid, entry: &Entry) -> Result<(), BackupError> {
        // Until the block is checked: a failure must not leave damaged data behind as if it were good.
        self.number = None;
        let place = (entry.origin, entry.object);
        let file = match self.open.take() {
            Some((open, file)) if open == place => file,
            _ => {
                let origin = origin(id, &self.manifest.head, entry.origin)?;
                regular::open(&self.repository.object_path(origin, entry.object))?
            }
        };
        let size = self.data.len() as u64;
        file.read_exact_at(&mut self.data, u64::from(entry.at) * size)?;
        if *Sha256::digest(&self.data) != entry.sum {
            return Err(BackupError::Damaged("a block was changed"));
        }
        self.open = Some((place, file));
        self.number = Some(entry.number);
        Ok(())
    }
}

/// Returns the ID of the backup that holds a block.
fn origin(id: Uuid, head: &Head, origin: u16) -> Result<Uuid, BackupError> {
    let parent = match usize::from(origin).checked_sub(1) {
        None => Some(id),
        Some(at) => head.parents.get(at).copied(),
    };
    parent.ok_or(BackupError::Damaged("a parent is missing"))
}

impl ReadExtents for BackupReader<'_> {
    fn size(&self) -> u64 {
        self.len
    }

    fn next_extent(&self, from: u64) -> Result<Option<Range<u64>>, DriverError> {
        let number = from / self.block;
        let Some(entry) = self.blocks.borrow_mut().manifest.at_or_after(number)? else {
            return Ok(None);
        };
        let start = self.offset(&entry)?;
        let end = (start + self.block).min(self.len);
        // Behind the last byte of a block that is cut off at the end of the volume there is nothing.
        Ok((from < end).then_some(start.max(from)..end))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), DriverError> {
        let blocks = &mut *self.blocks.borrow_mut();
        let mut rest = buffer;
        let mut at = offset;
        while !rest.is_empty() {
            let (number, skip) = (at / self.block, at % self.block);
            let len =
                usize::try_from(self.block - skip).map_or(rest.len(), |len| len.min(rest.len()));
            let (part, after) = rest.split_at_mut(len);
            // The parts of one block follow each other: it is read and checked once.
            if blocks.number != Some(number) {
                let entry = blocks.manifest.at_or_after(number)?;
                if let Some(entry) = entry.filter(|entry| entry.number == number) {
                    blocks.load(self.id, &entry)?;
                }
            }
            let skip = usize::try_from(skip).unwrap_or(usize::MAX);
            let data = blocks.data.get(skip..).and_then(|data| data.get(..len));
            match data.filter(|_| blocks.number == Some(number)) {
                Some(data) => part.copy_from_slice(data),
                // A block without an entry is a hole.
                None => part.fill(0),
            }
            at += len as u64;
            rest = after;
        }
        Ok(())
    }
}
