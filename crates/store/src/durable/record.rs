//! Journal records: the encoding of one batch of commits.
//!
//! All numbers are little endian.
//!
//! | bytes | content |
//! |---|---|
//! | 1 | format of the record, [`FORMAT`] |
//! | 4 | CRC-32 of the record before it: its last four bytes; format 1 lacks this |
//! | 2 | number of tables that the batch touches; for each its name: 2 bytes of length, UTF-8 |
//! | 4 | number of commits; for each: |
//! | 8, 4 | … its index and its number of changes; for each of these: |
//! | 2 | … … position of the table's name |
//! | 4, … | … … length of the key, the key |
//! | 4, … | … … length of the row, the row; `FF FF FF FF` and nothing for a row that was deleted |
//! | 4 | CRC-32 of all bytes before it |
//!
//! Rows keep their own envelope, so a record can be decoded without their types.
//!
//! Invariant: the checksums chain the records: a journal can continue only from the record that was appended
//! before, so records of another course of the history are detected.

use crate::change::Change;
use crate::codec;
use crate::error::RecordError;

/// The record format that this build writes.
const FORMAT: u8 = 2;

/// The format without the checksum of the record before.
const FORMAT_UNLINKED: u8 = 1;

/// The length that marks a deleted row.
const DELETED: u32 = u32::MAX;

/// The commits of a record.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    /// The checksum of the previous record; `None` in a record of format 1.
    pub(crate) before: Option<u32>,
    pub(crate) commits: Vec<Commit<'a>>,
}

/// The changes of one commit.
#[derive(Debug)]
pub(crate) struct Commit<'a> {
    pub(crate) index: u64,
    pub(crate) changes: Vec<Recorded<'a>>,
}

/// One changed row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recorded<'a> {
    pub(crate) table: &'a str,
    pub(crate) key: &'a [u8],
    /// The row's bytes; `None` if it was deleted.
    pub(crate) row: Option<&'a [u8]>,
}

/// Encodes a batch that follows the record with the checksum `before`; `names` are those of the schema's
/// tables. Returns `None` if a length exceeds the format.
pub(crate) fn encode<'c>(
    before: u32,
    names: &[&'static str],
    commits: impl ExactSizeIterator<Item = (u64, &'c [Change])> + Clone,
) -> Option<Vec<u8>> {
    let mut positions: Vec<Option<u16>> = vec![None; names.len()];
    let mut used: Vec<&str> = Vec::new();
    for change in commits.clone().flat_map(|(_, changes)| changes) {
        // Names are written once for each record, because most batches touch few tables.
        let position = positions.get_mut(change.table)?;
        if position.is_none() {
            *position = Some(u16::try_from(used.len()).ok()?);
            used.push(names.get(change.table)?);
        }
    }
    let mut bytes = Vec::with_capacity(1024);
    bytes.push(FORMAT);
    bytes.extend_from_slice(&before.to_le_bytes());
    bytes.extend_from_slice(&u16::try_from(used.len()).ok()?.to_le_bytes());
    for name in used {
        bytes.extend_from_slice(&u16::try_from(name.len()).ok()?.to_le_bytes());
        bytes.extend_from_slice(name.as_bytes());
    }
    bytes.extend_from_slice(&u32::try_from(commits.len()).ok()?.to_le_bytes());
    for (index, changes) in commits {
        bytes.extend_from_slice(&index.to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(changes.len()).ok()?.to_le_bytes());
        for change in changes {
            bytes.extend_from_slice(&positions[change.table]?.to_le_bytes());
            put(&mut bytes, change.key.as_slice())?;
            match &change.row {
                Some(row) => put(&mut bytes, row)?,
                None => bytes.extend_from_slice(&DELETED.to_le_bytes()),
            }
        }
    }
    codec::seal(&mut bytes);
    Some(bytes)
}

fn put(bytes: &mut Vec<u8>, field: &[u8]) -> Option<()> {
    // The marker of a deleted row must not be a length.
    let len = u32::try_from(field.len()).ok().filter(|len| *len != DELETED)?;
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(field);
    Some(())
}

/// Converts a record to the form that a build of format 1 would have written.
#[cfg(test)]
pub(crate) fn unlinked(record: &[u8]) -> Vec<u8> {
    let fields = &record[1 + 4..record.len() - 4];
    let mut bytes = vec![FORMAT_UNLINKED];
    bytes.extend_from_slice(fields);
    codec::seal(&mut bytes);
    bytes
}

/// Returns the checksum of a record, which the next one holds.
pub(crate) fn checksum(record: &[u8]) -> u32 {
    record.last_chunk().map_or(0, |sum| u32::from_le_bytes(*sum))
}

/// Decodes a record from untrusted bytes.
pub(crate) fn decode(bytes: &[u8]) -> Result<Record<'_>, RecordError> {
    let record = codec::unseal(bytes).ok_or(RecordError::Checksum)?;
    let (format, fields) = record.split_first().ok_or(RecordError::Unreadable)?;
    let mut rest = Rest(fields);
    let before = match *format {
        FORMAT => Some(rest.u32().ok_or(RecordError::Unreadable)?),
        // Journals of older builds stay readable; their chain cannot be checked.
        FORMAT_UNLINKED => None,
        found => return Err(RecordError::UnknownFormat { found }),
    };
    let record = rest.record(before).ok_or(RecordError::Unreadable)?;
    // The checksum covers surplus bytes as well, so they mean an unknown layout, not damage.
    if rest.0.is_empty() { Ok(record) } else { Err(RecordError::Unreadable) }
}

/// Returns the index of a record's last commit, and the names of the tables changed by its commits after
/// `after`; `None` if the record cannot be decoded.
pub(crate) fn tables(bytes: &[u8], after: u64) -> Option<(u64, Vec<&str>)> {
    let record = decode(bytes).ok()?;
    let last = record.commits.last()?.index;
    let mut names: Vec<&str> = Vec::new();
    let commits = record.commits.iter().filter(|commit| commit.index > after);
    for change in commits.flat_map(|commit| &commit.changes) {
        // A batch touches few tables: a linear search beats a set.
        if !names.contains(&change.table) {
            names.push(change.table);
        }
    }
    Some((last, names))
}

/// The undecoded rest of a record.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn record(&mut self, before: Option<u32>) -> Option<Record<'a>> {
        // Counts are untrusted, so no memory is reserved by them.
        let tables = self.u16()?;
        let mut names = Vec::new();
        for _ in 0..tables {
            let len = self.u16()?;
            names.push(std::str::from_utf8(self.take(len.into())?).ok()?);
        }
        let mut commits = Vec::new();
        for _ in 0..self.u32()? {
            let index = u64::from_le_bytes(self.array()?);
            let mut changes = Vec::new();
            for _ in 0..self.u32()? {
                // Positions are untrusted input, so an unknown one is an error instead of a panic.
                let table = *names.get(usize::from(self.u16()?))?;
                let len = self.u32()?;
                let key = self.take(usize::try_from(len).ok()?)?;
                let row = match self.u32()? {
                    DELETED => None,
                    len => Some(self.take(usize::try_from(len).ok()?)?),
                };
                changes.push(Recorded { table, key, row });
            }
            commits.push(Commit { index, changes });
        }
        Some(Record { before, commits })
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (field, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(field)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::KeyBytes;

    const NAMES: [&str; 3] = ["volumes", "nodes", "plugins"];
    const BEFORE: u32 = 0xA1B2_C3D4;

    type Raw = (usize, Vec<u8>, Option<Vec<u8>>);

    fn commits() -> impl Strategy<Value = Vec<(u64, Vec<Raw>)>> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..60);
        let change = (0..NAMES.len(), bytes(), proptest::option::of(bytes()));
        proptest::collection::vec((any::<u64>(), proptest::collection::vec(change, 0..4)), 0..4)
    }

    fn encoded(commits: &[(u64, Vec<Raw>)]) -> Vec<u8> {
        let commits: Vec<(u64, Vec<Change>)> = commits
            .iter()
            .map(|(index, changes)| {
                let changes = changes
                    .iter()
                    .map(|(table, key, row)| Change {
                        table: *table,
                        key: KeyBytes::from_slice(key),
                        row: row.clone(),
                    })
                    .collect();
                (*index, changes)
            })
            .collect();
        encode(BEFORE, &NAMES, commits.iter().map(|(index, changes)| (*index, changes.as_slice())))
            .unwrap()
    }

    proptest! {
        #[test]
        fn decoding_returns_the_encoded_commits(commits in commits()) {
            let bytes = encoded(&commits);
            let record = decode(&bytes).unwrap();
            let back: Vec<(u64, Vec<Raw>)> = record
                .commits
                .iter()
                .map(|commit| {
                    let raw = |change: &Recorded<'_>| {
                        let table = NAMES.iter().position(|name| *name == change.table).unwrap();
                        (table, change.key.to_vec(), change.row.map(<[u8]>::to_vec))
                    };
                    (commit.index, commit.changes.iter().map(raw).collect())
                })
                .collect();
            prop_assert_eq!(back, commits);
            prop_assert_eq!(record.before, Some(BEFORE));
        }

        #[test]
        fn damaged_record_is_an_error(commits in commits(), at in any::<usize>(), bit in 0u8..8) {
            let mut bytes = encoded(&commits);
            let at = at % bytes.len();
            prop_assert!(decode(&bytes[..at]).is_err());
            bytes[at] ^= 1u8 << bit;
            prop_assert_eq!(decode(&bytes).unwrap_err(), RecordError::Checksum);
        }

        #[test]
        fn well_sealed_nonsense_never_panics(mut raw in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(format) = raw.first_mut() {
                *format = FORMAT;
            }
            codec::seal(&mut raw);
            let _ = decode(&raw);
        }
    }
}
