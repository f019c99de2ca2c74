//! The manifest of a backup: the list of its blocks, and where the data of each is.
//!
//! It has a first line, the JSON of [`Head`] after its length, an [`Entry`] for each block that is not all zeros, in
//! ascending order, and the SHA-256 of all of this. Numbers are little-endian. The manifest of an incremental backup
//! is complete: an unchanged block refers to the earlier backup that holds it, so a restore reads one manifest.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use statehold_server_core::fs::private;
use statehold_server_core::fs::regular;
use uuid::Uuid;

use crate::backup::BLOCK_MAX;
use crate::backup::error::BackupError;

/// The first line.
const MAGIC: &[u8] = b"statehold backup 1\n";

/// The maximum length of the JSON, in bytes.
const HEAD_MAX: u32 = 1 << 20;

/// The length of an entry, in bytes.
const ENTRY: usize = 8 + 2 + 4 + 4 + 32;

/// The length of a checksum, in bytes.
const SUM: usize = 32;

/// The number of entries that a reader holds at a time. Blocks are read in ascending order, mostly.
const WINDOW: u64 = 1024;

/// The properties of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) id: Uuid,
    /// The size of the volume, in bytes.
    pub(crate) len: u64,
    /// The size of a block, in bytes.
    pub(crate) block: u32,
    /// The backups that hold blocks of this one: its parent, the parent's parent, and so on.
    pub(crate) parents: Vec<Uuid>,
}

/// The place of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The number of the block.
    pub(crate) number: u64,
    /// The backup that holds it: 0 is this one, n the n-th of its parents.
    pub(crate) origin: u16,
    /// The number of the file in that backup.
    pub(crate) object: u32,
    /// The number of the block in the file.
    pub(crate) at: u32,
    /// The SHA-256 of the block.
    pub(crate) sum: [u8; SUM],
}

/// Writes a manifest.
pub(crate) struct ManifestWriter {
    to: BufWriter<File>,
    sum: Sha256,
}

impl ManifestWriter {
    /// Creates the file, and writes the head.
    ///
    /// # Errors
    /// [`BackupError::TooManyParents`] if the head is too long.
    pub(crate) fn create(path: &Path, head: &Head) -> Result<Self, BackupError> {
        let mut writer =
            Self { to: BufWriter::new(private::create_new(path)?), sum: Sha256::new() };
        let head = serde_json::to_vec(head).map_err(io::Error::from)?;
        // Only the list of parents grows.
        let len = u32::try_from(head.len()).ok().filter(|len| *len <= HEAD_MAX);
        let len = len.ok_or(BackupError::TooManyParents)?;
        writer.put(MAGIC)?;
        writer.put(&len.to_le_bytes())?;
        writer.put(&head)?;
        Ok(writer)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.update(bytes);
        self.to.write_all(bytes)
    }

    /// Appends an entry. Its number MUST be greater than that of the last one.
    pub(crate) fn push(&mut self, entry: &Entry) -> io::Result<()> {
        let mut bytes = [0; ENTRY];
        let parts: [&[u8]; 5] = [
            &entry.number.to_le_bytes(),
            &entry.origin.to_le_bytes(),
            &entry.object.to_le_bytes(),
            &entry.at.to_le_bytes(),
            &entry.sum,
        ];
        let mut rest = &mut bytes[..];
        for part in parts {
            rest.write_all(part)?;
        }
        self.put(&bytes)
    }

    /// Writes the checksum. The manifest is durable on return.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        let sum = self.sum.finalize();
        self.to.write_all(&sum)?;
        self.to.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

/// Reads a manifest, in order or by block.
pub(crate) struct ManifestReader {
    file: File,
    pub(crate) head: Head,
    /// The offset of the first entry, in bytes.
    entries_at: u64,
    /// The number of entries.
    count: u64,
    /// Entries from the index `first` on.
    window: Vec<Entry>,
    first: u64,
    /// The index of the entry that [`next`](Self::next) returns.
    next: u64,
}

impl ManifestReader {
    /// Opens a manifest, and reads all of it to check its SHA-256.
    ///
    /// # Errors
    /// [`BackupError::Damaged`] if it is not as it was written.
    pub(crate) fn open(path: &Path) -> Result<Self, BackupError> {
        let mut file = regular::open(path)?;
        let len = file.metadata()?.len();
        let end =
            len.checked_sub(SUM as u64).ok_or(BackupError::Damaged("the manifest is truncated"))?;
        check_sum(&mut file, end)?;
        file.seek(SeekFrom::Start(0))?;
        let mut from = (&file).take(end);
        let mut magic = [0; MAGIC.len()];
        from.read_exact(&mut magic)?;
        if magic != MAGIC {
            return Err(BackupError::Damaged("the manifest has another format"));
        }
        let mut len = [0; 4];
        from.read_exact(&mut len)?;
        let len = u32::from_le_bytes(len);
        // The length is not trusted: it sizes a buffer.
        if len > HEAD_MAX {
            return Err(BackupError::Damaged("the head of the manifest is too long"));
        }
        let mut head = Vec::new();
        // A truncated head is no error here, but fails to parse below.
        (&mut from).take(u64::from(len)).read_to_end(&mut head)?;
        let entries = from.limit();
        let head: Head = serde_json::from_slice(&head).map_err(io::Error::from)?;
        // It sizes the buffer of a reader, and 0 would divide by zero.
        if head.block == 0 || head.block > BLOCK_MAX {
            return Err(BackupError::Damaged("the size of its blocks is invalid"));
        }
        if entries % ENTRY as u64 != 0 {
            return Err(BackupError::Damaged("the manifest is truncated"));
        }
        let (entries_at, count) = (end - entries, entries / ENTRY as u64);
        Ok(Self { file, head, entries_at, count, window: Vec::new(), first: 0, next: 0 })
    }

    /// Returns the next entry, or `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, BackupError> {
        let entry = self.entry(self.next)?;
        self.next += u64::from(entry.is_some());
        Ok(entry)
    }

    /// Returns the entry of a block, or of the first one after it that has an entry. Costs a binary search, except for
    /// the block after the one of the last call.
    pub(crate) fn at_or_after(&mut self, number: u64) -> Result<Option<Entry>, BackupError> {
        // Restores ask for ascending blocks: the entry is the last one that was returned, or the next.
        for index in self.next.saturating_sub(1)..=self.next {
            let before = match index.checked_sub(1) {
                Some(before) => self.entry(before)?.is_none_or(|entry| entry.number >= number),
                None => false,
            };
            if !before && self.entry(index)?.is_none_or(|entry| entry.number >= number) {
                self.next = index;
                return self.next();
            }
        }
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.entry(middle)? {
                Some(entry) if entry.number < number => low = middle + 1,
                _ => high = middle,
            }
        }
        self.next = low;
        self.next()
    }

    /// Returns the entry at an index, or `None` after the last one.
    fn entry(&mut self, index: u64) -> Result<Option<Entry>, BackupError> {
        if index >= self.count {
            return Ok(None);
        }
        if let Some(entry) = self.in_window(index) {
            return Ok(Some(entry));
        }
        // One entry before it as well, which a search compares with.
        let first = index.saturating_sub(1);
        let count = (self.count - first).min(WINDOW);
        let mut bytes = vec![0; usize::try_from(count).map_or(0, |count| count * ENTRY)];
        self.file.read_exact_at(&mut bytes, self.entries_at + first * ENTRY as u64)?;
        let parents = self.head.parents.len();
        self.window = bytes
            .chunks_exact(ENTRY)
            .map(|bytes| read_entry(bytes, parents))
            .collect::<Result<_, _>>()?;
        self.first = first;
        Ok(self.in_window(index))
    }

    fn in_window(&self, index: u64) -> Option<Entry> {
        let at = index.checked_sub(self.first).and_then(|at| usize::try_from(at).ok())?;
        self.window.get(at).copied()
    }
}

fn read_entry(mut bytes: &[u8], parents: usize) -> Result<Entry, BackupError> {
    let entry = Entry {
        number: u64::from_le_bytes(part(&mut bytes)?),
        origin: u16::from_le_bytes(part(&mut bytes)?),
        object: u32::from_le_bytes(part(&mut bytes)?),
        at: u32::from_le_bytes(part(&mut bytes)?),
        sum: part(&mut bytes)?,
    };
    // 0 is the backup itself, so the last parent is allowed.
    if usize::from(entry.origin) > parents {
        return Err(BackupError::Damaged("a block is in an unknown backup"));
    }
    Ok(entry)
}

fn part<const N: usize>(from: &mut &[u8]) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn check_sum(file: &mut File, end: u64) -> Result<(), BackupError> {
    let mut sum = Sha256::new();
    let mut body = file.take(end);
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = body.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        sum.update(bytes);
    }
    let mut recorded = [0; SUM];
    file.read_exact(&mut recorded)?;
    if *sum.finalize() != recorded {
        return Err(BackupError::Damaged("the manifest was changed"));
    }
    Ok(())
}
