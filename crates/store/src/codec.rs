//! Rows as bytes.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | format of this record, [`FORMAT`] |
//! | 2 | row-schema version, little endian |
//! | 8, 8 | create and modify index, little endian |
//! | … | the row: bincode 2, standard configuration (little endian, variable-length integers) |
//! | 4 | CRC-32 of all that stands before it, little endian |
//!
//! Invariant: this is the only module that names the codec, and no type of it is public.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::RowError;
use crate::table::Entry;

/// The format of the records that this build writes.
const FORMAT: u8 = 1;

/// Bytes before the row.
const HEAD: usize = 1 + 2 + 8 + 8;

/// Bytes after the row.
const TAIL: usize = 4;

/// The largest row in encoded bytes; the store's file format takes no larger value gracefully.
pub(crate) const ROW_LEN_MAX: usize = 64 << 20;

fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<ROW_LEN_MAX>()
}

/// The bytes of a row; `None` when it is not representable or too large.
///
/// Debug builds read every record back, so that a type which can't be is found before it is on disk.
pub(crate) fn encode<R: Serialize + DeserializeOwned>(
    version: u16,
    entry: &Entry<R>,
) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(256);
    bytes.push(FORMAT);
    bytes.extend_from_slice(&version.to_le_bytes());
    bytes.extend_from_slice(&entry.create_index().to_le_bytes());
    bytes.extend_from_slice(&entry.modify_index().to_le_bytes());
    let row: &R = entry;
    bincode::serde::encode_into_std_write(row, &mut bytes, config()).ok()?;
    if bytes.len() > ROW_LEN_MAX {
        return None;
    }
    seal(&mut bytes);
    if cfg!(debug_assertions) {
        decode::<R>("", version, &bytes).ok()?;
    }
    Some(bytes)
}

/// The row and its stamps from bytes that may be anything.
pub(crate) fn decode<R: DeserializeOwned>(
    table: &'static str,
    version: u16,
    bytes: &[u8],
) -> Result<Entry<R>, RowError> {
    let damaged = |reason| RowError::Damaged { table, reason };
    let record = unseal(bytes).ok_or(damaged("a record's checksum does not match"))?;
    let (head, row) = record
        .split_first_chunk::<HEAD>()
        .ok_or(damaged("a record is shorter than its envelope"))?;
    let (format, rest) = head.split_first().ok_or(damaged("a record is empty"))?;
    if *format != FORMAT {
        return Err(RowError::UnknownFormat { table, found: *format });
    }
    let mut fields = Fields(rest);
    let found = u16::from_le_bytes(fields.next());
    if found != version {
        return Err(RowError::OtherVersion { table, found, known: version });
    }
    let create_index = u64::from_le_bytes(fields.next());
    let modify_index = u64::from_le_bytes(fields.next());
    match bincode::serde::decode_from_slice(row, config()) {
        Ok((value, used)) if used == row.len() => Ok(Entry::new(value, create_index, modify_index)),
        Ok(_) => Err(damaged("a row has extra bytes")),
        Err(_) => Err(damaged("a row's fields can't be read")),
    }
}

/// Appends the checksum of all bytes so far.
pub(crate) fn seal(bytes: &mut Vec<u8>) {
    let sum = crc32fast::hash(bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
}

/// The bytes before their checksum, if it is theirs.
pub(crate) fn unseal(bytes: &[u8]) -> Option<&[u8]> {
    let (record, sum) = bytes.split_last_chunk::<TAIL>()?;
    (crc32fast::hash(record).to_le_bytes() == *sum).then_some(record)
}

/// Takes fixed-size fields off the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn next<const N: usize>(&mut self) -> [u8; N] {
        let mut field = [0; N];
        if let Some((head, rest)) = self.0.split_at_checked(N) {
            field.copy_from_slice(head);
            self.0 = rest;
        }
        field
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Kind {
        Plain,
        Counted(u32),
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Row {
        name: String,
        kind: Kind,
        note: Option<Box<str>>,
        size: i64,
        tags: std::collections::BTreeMap<String, bool>,
        id: uuid::Uuid,
    }

    fn row() -> Row {
        Row {
            name: "vol".to_owned(),
            kind: Kind::Counted(300),
            note: Some("\u{e9}".into()),
            size: -2,
            tags: [("a".to_owned(), true)].into(),
            id: uuid::Uuid::from_u128(0x0102),
        }
    }

    /// Files of earlier builds hold these bytes: a change here is a change of the format.
    const GOLDEN: &str = "01010005000000000000000700000000000000\
                          03766f6c01fb2c010102c3a903010161011000000000000000000000000000000102";

    fn digit(nibble: u8) -> char {
        char::from_digit(nibble.into(), 16).unwrap()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit).collect()
    }

    #[test]
    fn a_record_has_the_golden_bytes() {
        let bytes = encode(1, &Entry::new(row(), 5, 7)).unwrap();
        assert_eq!(hex(&bytes[..bytes.len() - TAIL]), GOLDEN);
        let entry: Entry<Row> = decode("rows", 1, &bytes).unwrap();
        assert_eq!((entry.create_index(), entry.modify_index()), (5, 7));
        assert_eq!(*entry, row());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_an_error() {
        let bytes = encode(1, &Entry::new(row(), 5, 7)).unwrap();
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            assert!(decode::<Row>("rows", 1, &bad).is_err(), "byte {at} flipped");
            assert!(decode::<Row>("rows", 1, &bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn rows_of_another_version_are_refused_by_name() {
        let bytes = encode(2, &Entry::new(row(), 5, 7)).unwrap();
        assert_eq!(
            decode::<Row>("rows", 1, &bytes).unwrap_err(),
            RowError::OtherVersion { table: "rows", found: 2, known: 1 }
        );
    }
}
