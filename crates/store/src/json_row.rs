//! One row as a line of a JSON dump.
//!
//! Invariant: a line that is written parses back to the same row.

use std::borrow::Cow;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::codec;
use crate::error::WriteError;
use crate::key::{KEY_LEN_MAX, KeyBuf, KeyBytes};
use crate::shape::Shape;
use crate::table::{Entry, Table};

/// The form in which a line holds its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    /// As bytes. The dump has the shape of their row type before them.
    Record,
}

/// Returns the line of a row that is kept as bytes.
pub(crate) fn kept_line(table: &str, key: &[u8], record: &[u8]) -> io::Result<Vec<u8>> {
    let (key, record) = (STANDARD.encode(key), STANDARD.encode(record));
    let mut line = serde_json::to_vec(&KeptLine { table: table.into(), key, record })?;
    line.push(b'\n');
    Ok(line)
}

/// A row of a table that is kept as bytes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptLine<'a> {
    #[serde(borrow)]
    pub(crate) table: Cow<'a, str>,
    key: String,
    record: String,
}

impl KeptLine<'_> {
    /// Decodes the key and the record.
    pub(crate) fn row(&self) -> Result<(KeyBytes, Vec<u8>), String> {
        let bytes = |name: &str, text: &str| {
            STANDARD.decode(text).map_err(|error| format!("the {name} is not base64: {error}"))
        };
        let key = bytes("key", &self.key)?;
        // Users edit dumps, so the limit is checked here as at every write.
        if key.len() > KEY_LEN_MAX {
            return Err("the key is longer than keys can be".to_owned());
        }
        Ok((KeyBytes::from_slice(&key), bytes("record", &self.record)?))
    }
}

/// A row of a dump that was read.
#[derive(Deserialize)]
pub(crate) struct Line<'a> {
    #[serde(borrow)]
    pub(crate) table: Cow<'a, str>,
    pub(crate) create_index: u64,
    pub(crate) modify_index: u64,
    #[serde(borrow)]
    row: &'a RawValue,
}

impl Line<'_> {
    /// Parses the row and returns it with its stamps.
    pub(crate) fn entry<T: Table>(&self) -> Result<Entry<T::Row>, String> {
        let row = serde_json::from_str(self.row.get()).map_err(|error| error.to_string())?;
        Ok(Entry::new(row, self.create_index, self.modify_index))
    }
}

/// Returns the line of a row: JSON if that parses back to the same row, else the record in base64.
pub(crate) fn line<T: Table>(
    key: &KeyBytes,
    entry: &Entry<T::Row>,
    shape: &Shape,
) -> io::Result<(Form, Vec<u8>)> {
    // Serialisation fails for values that JSON cannot hold, such as a map key that is not a string. Others,
    // such as infinite floats, are written as `null` without an error; only parsing the line back finds those.
    if let Ok(line) = json_line::<T>(entry)
        && let Ok(read) = serde_json::from_slice::<Line<'_>>(&line)
        && let Ok(read) = read.entry::<T>()
        && KeyBuf::of::<T::Key>(T::key(&read)).as_slice() == key.as_slice()
        && codec::is_same_row(&**entry, &*read, shape)
    {
        return Ok((Form::Json, line));
    }
    let record = codec::encode::<T>(entry, key.as_slice(), shape)
        .map_err(|reason| io::Error::other(WriteError::unstorable::<T>(key, reason)))?;
    Ok((Form::Record, kept_line(T::NAME, key.as_slice(), &record)?))
}

fn json_line<T: Table>(entry: &Entry<T::Row>) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Written<'a, R> {
        table: &'a str,
        create_index: u64,
        modify_index: u64,
        row: &'a R,
    }
    let row: &T::Row = entry;
    let written = Written {
        table: T::NAME,
        create_index: entry.create_index(),
        modify_index: entry.modify_index(),
        row,
    };
    // Serialised into memory first, because the line is parsed back before it is written.
    let mut line = serde_json::to_vec(&written)?;
    line.push(b'\n');
    Ok(line)
}
