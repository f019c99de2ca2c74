//! Reads a row's bytes back before they are stored.
//!
//! The shape of a row type covers the calls of its reader, never the values that the reader accepts or
//! changes (`try_from`, `deserialize_with`), nor fields that are in no bytes (`skip`). Only the reader
//! itself decides those, so each row is decoded once more and MUST come to the same key and bytes.

use bincode::de::read::Reader;
use bincode::enc::write::Writer;
use bincode::error::{DecodeError, EncodeError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::config;
use crate::key::KeyBuf;
use crate::shape::{Outcome, Shape, Walk, What};
use crate::table::Table;

/// Checks that the bytes of a row are read as that row.
///
/// Cost: one decoding of the row, and one pass of `Serialize` that compares without a buffer.
///
/// # Errors
/// The reason why the reader refuses the bytes, or the first field that it reads as another value.
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
    // First, because a key that is in no bytes has no field to name.
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

/// Whether a row is written as these bytes.
pub(super) fn is_written_as<R: Serialize>(row: &R, bytes: &[u8], shape: &Shape) -> bool {
    let mut same = Same { rest: bytes };
    let written = bincode::serde::encode_into_writer(row, &mut same, config());
    if written.is_ok() && same.rest.is_empty() {
        return true;
    }
    // A hash map is read back in another order: its bytes have other places then.
    shape.has_lists() && same_bytes(row, bytes)
}

/// Accepts just the bytes that it expects.
struct Same<'a> {
    rest: &'a [u8],
}

impl Writer for Same<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        match self.rest.split_at_checked(bytes.len()) {
            Some((same, rest)) if same == bytes => {
                self.rest = rest;
                Ok(())
            }
            _ => Err(EncodeError::Other("the bytes differ")),
        }
    }
}

/// Counts how often each byte occurs.
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

/// Whether a row is written as these bytes in any order.
fn same_bytes<R: Serialize>(row: &R, bytes: &[u8]) -> bool {
    let (mut written, mut expected) = (Occurrences([0; 256]), Occurrences([0; 256]));
    let all = bincode::serde::encode_into_writer(row, &mut written, config())
        .and_then(|()| expected.write(bytes));
    all.is_ok() && written.0 == expected.0
}

/// The reason for a row that is read back as another one.
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

/// Reads bytes and can be asked how many are left.
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

/// Accepts bytes up to a length.
struct Until {
    left: usize,
}

impl Writer for Until {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        // The value that reaches the length is the one to stop in.
        match self.left.checked_sub(bytes.len()) {
            Some(left) if left > 0 => {
                self.left = left;
                Ok(())
            }
            _ => Err(EncodeError::Other("the length is reached")),
        }
    }
}

/// The reason for a row whose reader fails over its bytes.
#[cold]
fn refusal<R: Serialize + DeserializeOwned>(
    row: &R,
    bytes: &[u8],
    shape: &Shape,
    error: &DecodeError,
) -> String {
    // Only the type's own words have a place: the codec's errors come after the value at fault.
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
