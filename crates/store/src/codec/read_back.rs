//! Decodes a row's bytes before they are stored.
//!
//! The shape of a row type covers the calls of its `Deserialize`, but not the values that it accepts or changes
//! (`try_from`, `deserialize_with`), nor fields that are not written (`skip`). Only a decoding can check those,
//! so each row is decoded once and MUST yield the same key and bytes.

use bincode::de::read::Reader;
use bincode::enc::write::Writer;
use bincode::error::{DecodeError, EncodeError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::config;
use crate::key::KeyBuf;
use crate::shape::{Outcome, Shape, Walk, What};
use crate::table::Table;

/// Checks that the bytes of a row decode to that row.
///
/// Cost: one decoding of the row, and one pass of `Serialize` that compares without a buffer.
///
/// # Errors
/// The reason why the decoding fails, or the first field that decodes to another value.
pub(super) fn check<T: Table>(
    row: &T::Row,
    bytes: &[u8],
    key: &[u8],
    shape: &Shape,
) -> Result<(), String> {
    let read = match bincode::serde::decode_from_slice::<T::Row, _>(bytes, config()) {
        Ok((read, used)) if used == bytes.len() => read,
        Ok(_) => return Err("its reader leaves bytes after the last field".to_owned()),
        Err(error) => return Err(refusal(row, bytes, shape, &error)),
    };
    // Checked first, because a key that is not written has no field to name.
    if KeyBuf::of::<T::Key>(T::key(&read)).as_slice() != key {
        return Err("it is read back under another primary key: write and read the fields of the \
                    key as they are, without #[serde(skip)] and #[serde(deserialize_with)]"
            .to_owned());
    }
    if is_written_as(&read, bytes, shape) {
        return Ok(());
    }
    Err(change(&read, bytes, shape))
}

/// Returns whether a row encodes to these bytes.
pub(super) fn is_written_as<R: Serialize>(row: &R, bytes: &[u8], shape: &Shape) -> bool {
    let mut same = Same { rest: bytes };
    let written = bincode::serde::encode_into_writer(row, &mut same, config());
    if written.is_ok() && same.rest.is_empty() {
        return true;
    }
    // A decoded hash map iterates in another order, which moves its bytes.
    shape.has_lists() && same_bytes(row, bytes)
}

/// A writer that accepts only the bytes it expects.
struct Same<'a> {
    rest: &'a [u8],
}

impl Writer for Same<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        match self.rest.split_at_checked(bytes.len()) {
            // Compared while it is written, so that no second buffer is needed.
            Some((same, rest)) if same == bytes => {
                self.rest = rest;
                Ok(())
            }
            _ => Err(EncodeError::Other("the bytes differ")),
        }
    }
}

/// Counts the occurrences of each byte.
struct Occurrences([u64; 256]);

impl Writer for Occurrences {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        for byte in bytes {
            self.0[usize::from(*byte)] += 1;
        }
        Ok(())
    }
}

/// Returns whether a row encodes to these bytes in any order.
fn same_bytes<R: Serialize>(row: &R, bytes: &[u8]) -> bool {
    let (mut written, mut expected) = (Occurrences([0; 256]), Occurrences([0; 256]));
    let all = bincode::serde::encode_into_writer(row, &mut written, config())
        .and_then(|()| expected.write(bytes));
    // Equal counts of every byte are no proof, but hash maps only permute their entries, and the primary key is
    // compared exactly.
    all.is_ok() && written.0 == expected.0
}

/// Returns the reason for a row that decodes to another one.
#[cold]
fn change<R: Serialize>(read: &R, bytes: &[u8], shape: &Shape) -> String {
    let walk = Walk::stopped(shape, What::Changed);
    let written =
        bincode::serde::encode_into_writer(walk.row(read), Same { rest: bytes }, config());
    match walk.outcome(written.is_ok()) {
        Outcome::Disagrees { reason, .. } => reason,
        _ => "it is read back as another row: let Serialize and Deserialize agree".to_owned(),
    }
}

/// A reader that knows how many bytes are left.
struct Counted<'a> {
    rest: &'a [u8],
}

impl Reader for Counted<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<(), DecodeError> {
        let (head, rest) = self.rest.split_at_checked(bytes.len()).ok_or_else(|| {
            DecodeError::UnexpectedEnd { additional: bytes.len().saturating_sub(self.rest.len()) }
        })?;
        bytes.copy_from_slice(head);
        self.rest = rest;
        Ok(())
    }
}

/// A writer that accepts bytes up to a length.
struct Until {
    left: usize,
}

impl Writer for Until {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        // The value that reaches the length is the one at which to stop.
        match self.left.checked_sub(bytes.len()) {
            Some(left) if left > 0 => {
                self.left = left;
                Ok(())
            }
            _ => Err(EncodeError::Other("the length is reached")),
        }
    }
}

/// Returns the reason for a row whose decoding fails.
#[cold]
fn refusal<R: Serialize + DeserializeOwned>(
    row: &R,
    bytes: &[u8],
    shape: &Shape,
    error: &DecodeError,
) -> String {
    // Only an error of the type itself points at a value: the codec's errors occur after the value at fault.
    let DecodeError::OtherString(words) = error else {
        return "it can't be read back: its bytes end too early, or a value does not fit its field"
            .to_owned();
    };
    let mut counted = Counted { rest: bytes };
    let left = match bincode::serde::decode_from_reader::<R, _, _>(&mut counted, config()) {
        Ok(_) => bytes.len(),
        Err(_) => bytes.len() - counted.rest.len(),
    };
    let walk = Walk::stopped(shape, What::Refused { words: words.clone() });
    let written = bincode::serde::encode_into_writer(walk.row(row), Until { left }, config());
    match walk.outcome(written.is_ok()) {
        Outcome::Disagrees { reason, .. } => reason,
        _ => format!("its reader refuses it: {words}"),
    }
}
