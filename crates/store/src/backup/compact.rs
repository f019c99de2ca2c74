//! The compact form: one table after another, each row as it is on disk.
//!
//! All numbers are little endian.
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `SHBACKUP` |
//! | 1 | format, [`FORMAT`] |
//! | 8 | the index of the backup |
//! | 2 | number of tables; for each: |
//! | 2, … | … length of its name, the name |
//! | 4, … | … length of its shape, the shape, see [`shapes`]; 0 if it is unknown. Since format 2 |
//! | 4, … | … for each row, in key order: length of the key, the key |
//! | 4, … | … … length of the row, the row |
//! | 4 | … `FF FF FF FF` after the last row |
//! | 4 | CRC-32 of all bytes before it; no byte may follow |

use std::io::{self, Read, Write};

use super::progress::Meter;
use super::shapes::{self, SHAPE_LEN_MAX};
use super::{Contents, RestoreError};
use crate::key::{KEY_LEN_MAX, KeyBytes};
use crate::root::Root;
use crate::schema::Schema;
use crate::shape::Versions;

const MAGIC: &[u8; 8] = b"SHBACKUP";

/// The format that this build writes.
const FORMAT: u8 = 2;

/// The first format with shapes.
const FORMAT_SHAPES: u8 = 2;

/// Marks the end of a table, in place of the length of a key.
const END: u32 = u32::MAX;

/// Maximum length in bytes of a row that is read.
const ROW_LEN_MAX: u32 = 128 << 20;

pub(super) fn write(
    schema: &Schema,
    root: &Root,
    to: impl Write,
    meter: &mut Meter<'_>,
) -> io::Result<()> {
    let mut to = Summed { inner: to, sum: crc32fast::Hasher::new() };
    to.write_all(MAGIC)?;
    to.write_all(&[FORMAT])?;
    to.write_all(&root.index.to_le_bytes())?;
    to.write_all(&length::<u16>(schema.tables.len())?.to_le_bytes())?;
    for (def, table) in schema.tables.iter().zip(&root.tables) {
        to.write_all(&length::<u16>(def.name.len())?.to_le_bytes())?;
        to.write_all(def.name.as_bytes())?;
        let shape = shapes::recorded(def, &**table);
        to.write_all(&length::<u32>(shape.len())?.to_le_bytes())?;
        to.write_all(shape.as_bytes())?;
        table.export(&mut |key, row| {
            for field in [key, row] {
                to.write_all(&length::<u32>(field.len())?.to_le_bytes())?;
                to.write_all(field)?;
            }
            meter.row();
            Ok(())
        })?;
        to.write_all(&END.to_le_bytes())?;
    }
    let sum = to.sum.clone().finalize();
    to.inner.write_all(&sum.to_le_bytes())?;
    to.inner.flush()
}

fn length<N: TryFrom<usize>>(len: usize) -> io::Result<N> {
    N::try_from(len).map_err(|_| io::Error::other("longer than the format holds"))
}

pub(super) fn read(
    schema: &Schema,
    from: impl Read,
    meter: &mut Meter<'_>,
) -> Result<Contents, RestoreError> {
    // The checksum is at the end of the stream, so nothing may change before it is verified.
    let mut from = Summed { inner: from, sum: crc32fast::Hasher::new() };
    if from.array::<8>()? != *MAGIC {
        return Err(RestoreError::damaged("it does not begin as a backup does"));
    }
    let [format] = from.array()?;
    // No build wrote format 0: a zero byte here comes from a blank or overwritten file.
    if format == 0 {
        return Err(RestoreError::damaged("it has no format number"));
    }
    if format > FORMAT {
        return Err(RestoreError::NewerFormat { found: format.into(), known: FORMAT.into() });
    }
    let index = u64::from_le_bytes(from.array()?);
    let count = u16::from_le_bytes(from.array()?);
    let mut tables: Vec<Vec<_>> = schema.tables.iter().map(|_| Vec::new()).collect();
    let mut found: Vec<Box<str>> = Vec::new();
    let mut recorded: Vec<Vec<u8>> = schema.tables.iter().map(|_| Vec::new()).collect();
    for _ in 0..count {
        let len = u16::from_le_bytes(from.array()?);
        let name = String::from_utf8(from.bytes(len.into())?)
            .map_err(|_| RestoreError::damaged("a table's name is not text"))?;
        // A second list of rows would replace the first one without an error.
        if found.iter().any(|known| **known == *name) {
            return Err(RestoreError::damaged("it has a table twice"));
        }
        let slot = schema.slot(&name);
        // Format 1 has no shapes: its rows are assumed to have those of today's types.
        if format >= FORMAT_SHAPES {
            let len = u32::from_le_bytes(from.array()?);
            if len > SHAPE_LEN_MAX {
                return Err(RestoreError::damaged("a shape is longer than shapes can be"));
            }
            let shape = from.bytes(len)?;
            if let Some(recorded) = slot.and_then(|slot| recorded.get_mut(slot)) {
                *recorded = shape;
            }
        }
        let mut rows = slot.and_then(|slot| tables.get_mut(slot));
        // Rows of an undeclared table are never skipped silently, because the restore would lose them.
        if rows.is_none() && !schema.drops(&name) {
            return Err(RestoreError::UnknownTable { name: name.into() });
        }
        found.push(name.into());
        loop {
            let len = u32::from_le_bytes(from.array()?);
            // Checked first, because the marker is also longer than any key.
            if len == END {
                break;
            }
            if usize::try_from(len).is_ok_and(|len| len > KEY_LEN_MAX) {
                return Err(RestoreError::damaged("a key is longer than keys can be"));
            }
            let key = KeyBytes::from_slice(&from.bytes(len)?);
            let len = u32::from_le_bytes(from.array()?);
            if len > ROW_LEN_MAX {
                return Err(RestoreError::damaged("a row is longer than rows can be"));
            }
            let row = from.bytes(len)?;
            if let Some(rows) = &mut rows {
                rows.push((key, row));
            }
            meter.row();
        }
    }
    let sum = from.sum.clone().finalize();
    if from.array()? != sum.to_le_bytes() {
        return Err(RestoreError::damaged("its checksum does not match"));
    }
    if (&mut from.inner).take(1).read_to_end(&mut Vec::new())? != 0 {
        return Err(RestoreError::damaged("there are bytes after its checksum"));
    }
    // After the checksum, so that a changed byte in a shape counts as damage, not as a changed type.
    let mut kept = Vec::with_capacity(tables.len());
    for ((def, rows), recorded) in schema.tables.iter().zip(&tables).zip(&recorded) {
        // Without a row, no value can be decoded wrongly.
        let recorded =
            if rows.is_empty() { Versions::default() } else { shapes::check(def, recorded)? };
        kept.push(recorded);
    }
    Ok(Contents { index, tables, found, shapes: kept })
}

/// A stream that computes a checksum of its bytes.
struct Summed<S> {
    inner: S,
    sum: crc32fast::Hasher,
}

impl<W: Write> Summed<W> {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.update(bytes);
        self.inner.write_all(bytes)
    }
}

impl<R: Read> Summed<R> {
    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes)?;
        self.sum.update(&bytes);
        Ok(bytes)
    }

    fn bytes(&mut self, len: u32) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        // A nonsense length ends the stream instead of filling the memory.
        let read = (&mut self.inner).take(len.into()).read_to_end(&mut bytes)?;
        if u32::try_from(read) != Ok(len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.sum.update(&bytes);
        Ok(bytes)
    }
}
