//! The file that says of which blocks a backup is made.
//!
//! It has a first line, the JSON of [`Head`] behind its length, an [`Entry`] for each block that isn't
//! all zero, in their order, and a SHA-256 of all that. Numbers have their lowest byte first. The
//! manifest of an incremental backup is whole: blocks that have not changed point to where they are
//! in an earlier backup, so reading one backup takes one manifest.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use statehold_server_core::fs::private;
use statehold_server_core::fs::regular;

/// The first line.
const MAGIC: &[u8] = b"statehold backup 1\n";

/// The most bytes that the JSON may have.
const HEAD_MAX: u32 = 1 << 20;

/// Bytes of an entry.
const ENTRY: usize = 8 + 2 + 4 + 4 + 32;

/// Bytes of the checksum.
const SUM: usize = 32;

/// What holds for the whole backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) id: Uuid,
    /// The length of the volume in bytes.
    pub(crate) len: u64,
    /// Bytes of a block.
    pub(crate) block: u32,
    /// The backups that have blocks of this one: its parent first, then the parent's, and so on.
    pub(crate) parents: Vec<Uuid>,
}

/// Where a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The number of the block.
    pub(crate) number: u64,
    /// 0 is the backup itself, others count its parents from 1.
    pub(crate) origin: u16,
    /// The file there.
    pub(crate) object: u32,
    /// The number of the block in the file.
    pub(crate) at: u32,
    pub(crate) sum: [u8; SUM],
}

pub(crate) fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a backup is damaged: {what}"))
}

/// Writes a manifest.
pub(crate) struct Writer {
    to: BufWriter<File>,
    sum: Sha256,
}

impl Writer {
    pub(crate) fn create(path: &Path, head: &Head) -> io::Result<Self> {
        let mut writer =
            Self { to: BufWriter::new(private::create_new(path)?), sum: Sha256::new() };
        let head = serde_json::to_vec(head)?;
        let len = u32::try_from(head.len()).ok().filter(|len| *len <= HEAD_MAX);
        let len = len.ok_or_else(|| io::Error::other("the backup has too many before it"))?;
        writer.put(MAGIC)?;
        writer.put(&len.to_le_bytes())?;
        writer.put(&head)?;
        Ok(writer)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.update(bytes);
        self.to.write_all(bytes)
    }

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

    /// Ends the manifest, and waits until it is on the disk.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        let sum = self.sum.finalize();
        self.to.write_all(&sum)?;
        self.to.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

/// Reads a manifest, block by block.
pub(crate) struct Reader {
    from: BufReader<io::Take<File>>,
    pub(crate) head: Head,
}

impl Reader {
    /// Opens a manifest. All of it is read once, to see whether it is as it was written.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = regular::open(path)?;
        let len = file.metadata()?.len();
        let end = len.checked_sub(SUM as u64).ok_or_else(|| damaged("its manifest is cut off"))?;
        check_sum(&mut file, end)?;
        file.seek(SeekFrom::Start(0))?;
        let mut from = BufReader::new(file.take(end));
        let mut magic = [0; MAGIC.len()];
        from.read_exact(&mut magic)?;
        if magic != MAGIC {
            return Err(damaged("its manifest is of another kind"));
        }
        let mut len = [0; 4];
        from.read_exact(&mut len)?;
        let len = u32::from_le_bytes(len);
        if len > HEAD_MAX {
            return Err(damaged("its manifest has no sound head"));
        }
        let mut head = Vec::new();
        (&mut from).take(u64::from(len)).read_to_end(&mut head)?;
        let head: Head = serde_json::from_slice(&head)?;
        if head.block == 0 || head.block > crate::backup::BLOCK_MAX {
            return Err(damaged("its blocks have no sound size"));
        }
        Ok(Self { from, head })
    }

    /// The next block; none at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Entry>> {
        let mut bytes = [0; ENTRY];
        let mut first = [0; 1];
        if self.from.read(&mut first)? == 0 {
            return Ok(None);
        }
        let [head, rest @ ..] = &mut bytes;
        *head = first[0];
        self.from.read_exact(rest)?;
        let mut rest = &bytes[..];
        let entry = Entry {
            number: u64::from_le_bytes(part(&mut rest)?),
            origin: u16::from_le_bytes(part(&mut rest)?),
            object: u32::from_le_bytes(part(&mut rest)?),
            at: u32::from_le_bytes(part(&mut rest)?),
            sum: part(&mut rest)?,
        };
        if usize::from(entry.origin) > self.head.parents.len() {
            return Err(damaged("a block is in a backup that it doesn't know"));
        }
        Ok(Some(entry))
    }
}

fn part<const N: usize>(from: &mut &[u8]) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn check_sum(file: &mut File, end: u64) -> io::Result<()> {
    let mut sum = Sha256::new();
    let mut body = file.take(end);
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = body.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        sum.update(bytes);
    }
    let mut noted = [0; SUM];
    file.read_exact(&mut noted)?;
    if *sum.finalize() == noted { Ok(()) } else { Err(damaged("its manifest was changed")) }
}
