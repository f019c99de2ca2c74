//! The dump: lines of JSON for people and other programs.
//!
//! The first line is `{"statehold_dump":1,"index":N}`, the last one `{"rows":N}`, which tells a whole dump
//! from one that was cut off. Each one between them is a row:
//! `{"table":"…","create_index":N,"modify_index":N,"row":…}`, the row as its type serialises.

use std::borrow::Cow;
use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::progress::Meter;
use super::{Contents, RestoreError};
use crate::state::{Root, Schema};
use crate::table::{Entry, Table};

/// The format that this build writes.
const FORMAT: u64 = 1;

#[derive(Serialize, Deserialize)]
struct Header {
    statehold_dump: u64,
    index: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trailer {
    rows: u64,
}

/// A row of a dump that was read.
#[derive(Deserialize)]
pub(crate) struct Line<'a> {
    #[serde(borrow)]
    table: Cow<'a, str>,
    create_index: u64,
    modify_index: u64,
    #[serde(borrow)]
    row: &'a RawValue,
}

impl Line<'_> {
    /// The row with its stamps.
    pub(crate) fn entry<T: Table>(&self) -> Result<Entry<T::Row>, String> {
        let row = serde_json::from_str(self.row.get()).map_err(|error| error.to_string())?;
        Ok(Entry::new(row, self.create_index, self.modify_index))
    }
}

/// The line of a row.
pub(crate) fn line<T: Table>(entry: &Entry<T::Row>) -> io::Result<Vec<u8>> {
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
    let mut line = serde_json::to_vec(&written)?;
    line.push(b'\n');
    Ok(line)
}

pub(super) fn write(root: &Root, mut to: impl Write, meter: &mut Meter<'_>) -> io::Result<()> {
    let mut header = serde_json::to_vec(&Header { statehold_dump: FORMAT, index: root.index })?;
    header.push(b'\n');
    to.write_all(&header)?;
    for table in &root.tables {
        table.export_json(&mut |line| {
            meter.row();
            to.write_all(line)
        })?;
    }
    let mut trailer = serde_json::to_vec(&Trailer { rows: meter.rows() })?;
    trailer.push(b'\n');
    to.write_all(&trailer)?;
    to.flush()
}

pub(super) fn read(
    schema: &Schema,
    mut from: impl BufRead,
    meter: &mut Meter<'_>,
) -> Result<Contents, RestoreError> {
    let mut text = Vec::new();
    from.read_until(b'\n', &mut text)?;
    let header: Header = serde_json::from_slice(&text)
        .map_err(|_| RestoreError::damaged("its first line is not that of a dump"))?;
    if header.statehold_dump > FORMAT {
        return Err(RestoreError::NewerFormat { found: header.statehold_dump, known: FORMAT });
    }
    let mut tables: Vec<Vec<_>> = schema.tables.iter().map(|_| Vec::new()).collect();
    for number in 2.. {
        text.clear();
        if from.read_until(b'\n', &mut text)? == 0 {
            return Err(RestoreError::damaged("it ends too early"));
        }
        if text.trim_ascii().is_empty() {
            continue;
        }
        if let Ok(trailer) = serde_json::from_slice::<Trailer>(&text) {
            if trailer.rows == meter.rows() {
                break;
            }
            return Err(RestoreError::damaged("it has not as many rows as its last line says"));
        }
        meter.row();
        let bad = |reason: String| RestoreError::Line { line: number, reason: reason.into() };
        let line: Line<'_> =
            serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
        if line.create_index > line.modify_index || line.modify_index > header.index {
            return Err(bad("the row's indexes are not between 0 and the dump's".to_owned()));
        }
        let slot = schema.tables.iter().position(|def| def.name == line.table);
        let Some((slot, def)) = slot.and_then(|slot| Some((slot, schema.tables.get(slot)?))) else {
            return Err(RestoreError::UnknownTable { name: line.table.into() });
        };
        tables[slot].push(def.empty.import_json(&line).map_err(bad)?);
    }
    // Lines may come in any order: people edit dumps.
    for rows in &mut tables {
        rows.sort_by(|a: &(crate::key::KeyBytes, _), b| a.0.as_slice().cmp(b.0.as_slice()));
    }
    Ok(Contents { index: header.index, tables })
}
