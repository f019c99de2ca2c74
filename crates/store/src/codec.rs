//! The encoding of rows.
//!
//! | bytes | content |
//! |---|---|
//! | 1 | format of this record, [`FORMAT`] |
//! | 2 | row-schema version, little endian |
//! | 8, 8 | create and modify index, little endian |
//! | … | the row: bincode 2, standard configuration (little endian, variable-length integers) |
//! | 4 | CRC-32 of all bytes before it, little endian |
//!
//! Invariant: only this module and its child use the codec, and none of its types is public.

mod read_back;

use std::cmp::Ordering;
use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::RowError;
use crate::shape::{Outcome, RecordedShape, RecordedShapes, Shape, Values, Walk};
use crate::table::{Entry, Table};

/// The record format that this build writes.
const FORMAT: u8 = 1;

/// Length in bytes of the envelope before the row.
const HEAD: usize = 1 + 2 + 8 + 8;

/// Length in bytes of the checksum after the row.
const TAIL: usize = 4;

/// Maximum length of a row's record in bytes.
const ROW_LEN_MAX: usize = 64 << 20;

const TOO_LARGE: &str =
    "it is larger than 64 MiB: keep large values in files, and their names in rows";

/// Maximum allocation of one decoding, in bytes as the codec counts them: it counts a short variable-length
/// integer at its full width, so this is more than the length of the row. Prevents a nonsense length from being
/// allocated.
const DECODE_MAX: usize = 1 << 30;

fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<DECODE_MAX>()
}

/// Encodes the row with this key, which MUST be its key in the table.
///
/// # Errors
/// The reason why it cannot be stored: the bytes do not decode to the same row, or it is too large.
pub(crate) fn encode<T: Table>(
    entry: &Entry<T::Row>,
    key: &[u8],
    shape: &Shape,
) -> Result<Vec<u8>, String> {
    // Most rows of a control plane fit without growing.
    let mut bytes = Vec::with_capacity(256);
    bytes.push(FORMAT);
    bytes.extend_from_slice(&T::VERSION.to_le_bytes());
    bytes.extend_from_slice(&entry.create_index().to_le_bytes());
    bytes.extend_from_slice(&entry.modify_index().to_le_bytes());
    let row: &T::Row = entry;
    let shape = shape.latest();
    let walk = Walk::new(shape);
    let written = bincode::serde::encode_into_std_write(walk.row(row), &mut bytes, config());
    let mut unknown = None;
    let kinds = match walk.outcome(written.is_ok()) {
        Outcome::Agrees => None,
        Outcome::Unknown(values) => {
            unknown = Some(values);
            None
        }
        Outcome::Refused => {
            return Err(written.map_or_else(|error| error.to_string(), |_| String::new()));
        }
        Outcome::Disagrees { certain: true, reason } => return Err(reason),
        Outcome::Disagrees { certain: false, reason } => {
            // The types differ, but the bytes may still be equal, as those of `u32` and `u64`, or bytes and a
            // string, are. Write the row again without the walk; the read-back below decides.
            bytes.truncate(HEAD);
            bincode::serde::encode_into_std_write(row, &mut bytes, config())
                .map_err(|_| reason.clone())?;
            Some(reason)
        }
    };
    // Checked at the write, because a record that cannot be read back would make the store unreadable.
    if bytes.len() > ROW_LEN_MAX {
        return Err(TOO_LARGE.to_owned());
    }
    // A difference of types is the cause of every later error, so it is the better message.
    read_back::check::<T>(row, &bytes[HEAD..], key, shape)
        .map_err(|found| kinds.unwrap_or(found))?;
    // Learned after the check, which proves that the reader accepts these values.
    if let Some(values) = unknown {
        shape.learn::<T::Row>(values);
    }
    seal(&mut bytes);
    Ok(bytes)
}

/// Completes the shape of a table's rows from one of them. Returns whether the shape is whole now.
pub(crate) fn learn<T: Table>(row: &T::Row, shape: &Shape) -> bool {
    let latest = shape.latest();
    // Most types are whole after their probe, so this is the common path.
    if latest.is_whole() {
        return true;
    }
    if let Some(values) = unknown_values(row, latest) {
        latest.learn::<T::Row>(values);
    }
    shape.latest().is_whole()
}

/// Returns the values of a row that the shape does not know yet.
fn unknown_values<R: Serialize>(row: &R, shape: &Shape) -> Option<Values> {
    let walk = Walk::new(shape);
    let written = bincode::serde::encode_into_std_write(walk.row(row), &mut io::sink(), config());
    match walk.outcome(written.is_ok()) {
        Outcome::Unknown(values) => Some(values),
        _ => None,
    }
}

/// Returns whether two rows have the same bytes, apart from the order of their hash maps.
pub(crate) fn is_same_row<R: Serialize>(row: &R, other: &R, shape: &Shape) -> bool {
    let bytes = bincode::serde::encode_to_vec(row, config());
    bytes.is_ok_and(|bytes| read_back::is_written_as(other, &bytes, shape))
}

/// A decoded row of any version.
pub(crate) struct Stored<R> {
    /// The row and its stamps; `None` if its migration dropped it.
    pub(crate) entry: Option<Entry<R>>,
    /// Whether the bytes had an earlier version.
    pub(crate) migrated: bool,
}

/// Decodes a row and its stamps from untrusted bytes. A migration is checked against the `recorded` shapes of
/// the table's earlier versions.
pub(crate) fn decode<T: Table>(
    bytes: &[u8],
    recorded: &RecordedShapes,
) -> Result<Stored<T::Row>, RowError> {
    let table = T::NAME;
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
    let create_index = u64::from_le_bytes(fields.next());
    let modify_index = u64::from_le_bytes(fields.next());
    let row = match found.cmp(&T::VERSION) {
        // The checksum matched, so these are the bytes that were written: the row type has changed.
        Ordering::Equal => Some(from_bytes(row).map_err(|reason| RowError::Fields {
            table,
            version: found,
            reason,
        })?),
        Ordering::Less => T::migrate_row(OldRow {
            table,
            version: found,
            bytes: row,
            shape: recorded.get(found),
        })?,
        Ordering::Greater => {
            return Err(RowError::NewerVersion { table, found, known: T::VERSION });
        }
    };
    Ok(Stored {
        entry: row.map(|row| Entry::new(row, create_index, modify_index)),
        migrated: found < T::VERSION,
    })
}

fn from_bytes<R: DeserializeOwned>(bytes: &[u8]) -> Result<R, &'static str> {
    match bincode::serde::decode_from_slice(bytes, config()) {
        // Surplus bytes mean that the type has lost a field at its end.
        Ok((row, used)) if used == bytes.len() => Ok(row),
        Ok(_) => Err("bytes are left after its last field"),
        Err(_) => Err("its bytes end too early, or a value does not fit its field"),
    }
}

/// A row as an earlier version of its table wrote it: the input of [`Table::migrate`].
#[derive(Clone, Copy)]
pub struct OldRow<'a> {
    table: &'static str,
    version: u16,
    bytes: &'a [u8],
    /// The recorded shape of the version.
    shape: Option<&'a RecordedShape>,
}

impl OldRow<'_> {
    /// Returns the version of the fields.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// Decodes the row as the type of its version: a struct with the fields of that version in their order, or
    /// a tuple of them.
    ///
    /// Today's row type cannot read it, even if the only change is a field with `#[serde(default)]` at its end:
    /// the bytes have neither names nor end marks, so a missing field cannot be detected. Declare the old
    /// struct, read that, and build the new row from it.
    ///
    /// The names, order and types of the fields MUST equal those recorded for the version; `#[serde(rename =
    /// "..")]` keeps a name. In a tuple only the order and types count, and an enum may have further variants
    /// at its end.
    ///
    /// Cost: one decoding. The first row of a type is also compared, which takes as long as
    /// [`Schema::try_table`](crate::Schema::try_table).
    /// # Errors
    /// [`RowError::MigrationShape`] if the type has another shape than the rows of the version.
    /// [`RowError::Migration`] if the bytes do not decode as the type, which is possible if the shape is
    /// unknown because no store was opened with that version by a build that records shapes.
    pub fn read<R: DeserializeOwned + 'static>(&self) -> Result<R, RowError> {
        if let Some(shape) = self.shape {
            shape.check::<R>().map_err(|differing| RowError::MigrationShape {
                table: self.table,
                version: self.version,
                difference: differing.difference,
                was: differing.was,
                is: differing.is,
            })?;
        }
        from_bytes(self.bytes).map_err(|reason| RowError::Migration {
            table: self.table,
            version: self.version,
            reason,
        })
    }

    /// Returns the error for a version without a migration.
    pub fn unknown(&self, known: u16) -> RowError {
        RowError::OlderVersion { table: self.table, found: self.version, known }
    }
}

impl std::fmt::Debug for OldRow<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OldRow")
            .field("table", &self.table)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// Appends the checksum of all bytes.
pub(crate) fn seal(bytes: &mut Vec<u8>) {
    let sum = crc32fast::hash(bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
}

/// Returns the bytes before their checksum, if it matches.
pub(crate) fn unseal(bytes: &[u8]) -> Option<&[u8]> {
    let (record, sum) = bytes.split_last_chunk::<TAIL>()?;
    (crc32fast::hash(record).to_le_bytes() == *sum).then_some(record)
}

/// Splits fixed-size fields off the front.
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
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::key::KeyBuf;

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

    struct Rows;

    impl Table for Rows {
        const NAME: &'static str = "rows";
        const VERSION: u16 = 1;
        type Key = String;
        type Row = Row;

        fn key(row: &Row) -> &str {
            &row.name
        }
    }

    /// The same rows two versions later, with the size as a string. The migration does not know version 2.
    struct NewRows;

    impl Table for NewRows {
        const NAME: &'static str = "rows";
        const VERSION: u16 = 3;
        type Key = String;
        type Row = (String, String);

        fn key(row: &(String, String)) -> &str {
            &row.0
        }

        fn migrate(old: OldRow<'_>) -> Result<(String, String), RowError> {
            match old.version() {
                1 => old.read().map(|old: Row| (old.name, old.size.to_string())),
                _ => Err(old.unknown(Self::VERSION)),
            }
        }
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

    /// Files of earlier builds hold these bytes: changing them changes the format.
    const GOLDEN: &str = "01010005000000000000000700000000000000\
                          03766f6c01fb2c010102c3a903010161011000000000000000000000000000000102";

    fn stored<T: Table>(row: T::Row) -> Result<Vec<u8>, String> {
        let key = KeyBuf::of::<T::Key>(T::key(&row));
        encode::<T>(&Entry::new(row, 5, 7), key.as_slice(), &Shape::of::<T::Row>().unwrap())
    }

    fn digit(nibble: u8) -> char {
        char::from_digit(nibble.into(), 16).unwrap()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit).collect()
    }

    #[test]
    fn record_has_the_golden_bytes() {
        let bytes = stored::<Rows>(row()).unwrap();
        assert_eq!(hex(&bytes[..bytes.len() - TAIL]), GOLDEN);
        let entry = decode::<Rows>(&bytes, RecordedShapes::NONE).unwrap().entry.unwrap();
        assert_eq!((entry.create_index(), entry.modify_index()), (5, 7));
        assert_eq!(*entry, row());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_an_error() {
        let bytes = stored::<Rows>(row()).unwrap();
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            assert!(decode::<Rows>(&bad, RecordedShapes::NONE).is_err(), "byte {at} flipped");
            assert!(decode::<Rows>(&bytes[..at], RecordedShapes::NONE).is_err(), "cut at {at}");
        }
    }

    struct Lists;

    impl Table for Lists {
        const NAME: &'static str = "lists";
        const VERSION: u16 = 1;
        type Key = u64;
        type Row = (u64, Vec<String>);

        fn key(row: &Self::Row) -> u64 {
            row.0
        }
    }

    #[test]
    fn row_is_stored_only_if_it_can_be_read_back() {
        // Many empty strings are few bytes, but the codec counts them at full width.
        for texts in [1_000, 1_000_000] {
            if let Ok(bytes) = stored::<Lists>((1, vec![String::new(); texts])) {
                assert_eq!(
                    decode::<Lists>(&bytes, RecordedShapes::NONE).unwrap().entry.unwrap().1.len(),
                    texts
                );
            }
        }
    }

    #[test]
    fn rows_of_an_earlier_version_migrate_and_keep_their_stamps() {
        let bytes = stored::<Rows>(row()).unwrap();
        let entry = decode::<NewRows>(&bytes, RecordedShapes::NONE).unwrap().entry.unwrap();
        assert_eq!(*entry, ("vol".to_owned(), "-2".to_owned()));
        assert_eq!((entry.create_index(), entry.modify_index()), (5, 7));
    }

    #[test]
    fn rows_of_an_unknown_version_are_refused_by_name() {
        let mut bytes = stored::<Rows>(row()).unwrap();
        bytes.truncate(bytes.len() - TAIL);
        bytes[1] = 2;
        seal(&mut bytes);
        assert_eq!(
            decode::<NewRows>(&bytes, RecordedShapes::NONE).err().unwrap(),
            RowError::OlderVersion { table: "rows", found: 2, known: 3 }
        );
        assert_eq!(
            decode::<Rows>(&bytes, RecordedShapes::NONE).err().unwrap(),
            RowError::NewerVersion { table: "rows", found: 2, known: 1 }
        );
    }
}
