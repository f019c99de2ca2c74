//! The dump: lines of JSON for users and other programs.
//!
//! The first line is `{"statehold_dump":1,"index":N}`, the last one `{"rows":N}`, which distinguishes a
//! complete dump from a truncated one. Each line between them is a row:
//! `{"table":"…","create_index":N,"modify_index":N,"row":…}`, where the row is serialised by its type. A row of
//! a table that is kept as bytes is `{"table":"…","key":"…","record":"…"}`, both in base64. So is a row that
//! JSON cannot represent: infinite floats, maps whose keys are not strings, and `Some(None)` do not survive a
//! round trip. Each row is parsed back before its line is written, which finds all of them. Records can be
//! decoded only with their row type, so before the first one of a table comes `{"table":"…","shape":"…"}`, the
//! shape in the form of a backup.
//!
//! Invariant: a dump that was written can be loaded, and yields the rows that were dumped.
//!
//! The header lists the tables, which distinguishes a table without rows from an absent one: `"tables":["…"]`.
//! It has the version of each table's row type, `"versions":{"…":N}`, because rows of JSON cannot be migrated:
//! a load as another version is rejected. Dumps of earlier builds lack both.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};

use super::progress::Meter;
use super::{Contents, RestoreError, shapes};
use crate::json_row::{Form, KeptLine, Line};
use crate::key::KeyBytes;
use crate::root::Root;
use crate::schema::{Schema, TableDef};
use crate::shape::Versions;

/// The format that this build writes.
const FORMAT: u64 = 1;

#[derive(Serialize, Deserialize)]
struct Header {
    statehold_dump: u64,
    index: u64,
    #[serde(default)]
    tables: Vec<Box<str>>,
    #[serde(default)]
    versions: BTreeMap<Box<str>, u16>,
}

/// A line with the shapes of a table's records.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShapeLine<'a> {
    #[serde(borrow)]
    table: Cow<'a, str>,
    #[serde(borrow)]
    shape: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trailer {
    rows: u64,
}

pub(super) fn write(
    schema: &Schema,
    root: &Root,
    mut to: impl Write,
    meter: &mut Meter<'_>,
) -> io::Result<()> {
    let tables = schema.tables.iter().map(|def| def.name.into()).collect();
    // Rows of a table that is kept as bytes carry their versions in their records.
    let typed = schema.tables.iter().filter(|def| def.shape.is_some());
    let versions = typed.map(|def| (def.name.into(), def.version)).collect();
    let header = Header { statehold_dump: FORMAT, index: root.index, tables, versions };
    let mut header = serde_json::to_vec(&header)?;
    header.push(b'\n');
    to.write_all(&header)?;
    for (def, table) in schema.tables.iter().zip(&root.tables) {
        let mut shaped = false;
        table.export_json(&mut |form, line| {
            if form == Form::Record && !shaped {
                shaped = true;
                let shape = shapes::recorded(def, &**table);
                // An unknown shape is omitted, as in a backup.
                if !shape.is_empty() {
                    let line = ShapeLine { table: def.name.into(), shape: shape.into() };
                    serde_json::to_writer(&mut to, &line)?;
                    to.write_all(b"\n")?;
                }
            }
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
    // Tables with or without rows, including those that the schema drops.
    let mut found: Vec<Box<str>> = header.tables;
    // Rows in JSON name their fields; records need the shape of their type.
    let mut shapes: Vec<Versions> = schema.tables.iter().map(|_| Versions::default()).collect();
    for number in 2.. {
        text.clear();
        if from.read_until(b'\n', &mut text)? == 0 {
            return Err(RestoreError::damaged("it ends too early"));
        }
        // Editors and shells add blank lines.
        if text.trim_ascii().is_empty() {
            continue;
        }
        // Tried before a row: `deny_unknown_fields` keeps the kinds of lines apart.
        if let Ok(trailer) = serde_json::from_slice::<Trailer>(&text) {
            if trailer.rows != meter.rows() {
                return Err(RestoreError::damaged("its number of rows differs from its last line"));
            }
            ends(&mut from)?;
            break;
        }
        if let Ok(line) = serde_json::from_slice::<ShapeLine<'_>>(&text) {
            if let Some(slot) = slot(schema, &line.table)? {
                shapes[slot] = shapes::check(&schema.tables[slot], line.shape.as_bytes())?;
            }
            continue;
        }
        meter.row();
        let bad = |reason: String| RestoreError::Line { line: number, reason: reason.into() };
        let line: Line<'_> = match serde_json::from_slice(&text) {
            Ok(line) => line,
            Err(error) => {
                let kept: KeptLine<'_> =
                    serde_json::from_slice(&text).map_err(|_| bad(error.to_string()))?;
                note(&mut found, &kept.table);
                if let Some(slot) = slot(schema, &kept.table)? {
                    tables[slot].push(kept.row().map_err(bad)?);
                }
                continue;
            }
        };
        // A later index would be assigned again by the commits after the load.
        if line.create_index > line.modify_index || line.modify_index > header.index {
            return Err(bad("the row's indexes are not between 0 and the dump's".to_owned()));
        }
        note(&mut found, &line.table);
        if let Some(slot) = slot(schema, &line.table)? {
            check_version(&schema.tables[slot], &header.versions)?;
            tables[slot].push(schema.tables[slot].empty.import_json(&line).map_err(bad)?);
        }
    }
    // Lines may be in any order, because users edit dumps.
    for rows in &mut tables {
        rows.sort_by(|a: &(KeyBytes, _), b| a.0.as_slice().cmp(b.0.as_slice()));
    }
    for name in &found {
        // Checked for tables without rows too, so that a table that the schema lacks is never ignored silently.
        slot(schema, name)?;
    }
    Ok(Contents { index: header.index, tables, found, shapes })
}

/// Rejects rows of JSON of another version than the row type's: fields with the same names may have another
/// meaning.
fn check_version(def: &TableDef, versions: &BTreeMap<Box<str>, u16>) -> Result<(), RestoreError> {
    match versions.get(def.name) {
        // A table that is kept as bytes has no version to compare: its records carry theirs.
        Some(version) if def.shape.is_some() && *version != def.version => {
            let (table, found, known) = (def.name, *version, def.version);
            Err(RestoreError::RowVersion { table, found, known })
        }
        _ => Ok(()),
    }
}

/// Returns the position of a table; `None` if the schema drops it.
fn slot(schema: &Schema, name: &str) -> Result<Option<usize>, RestoreError> {
    match schema.slot(name) {
        None if !schema.drops(name) => Err(RestoreError::UnknownTable { name: name.into() }),
        slot => Ok(slot),
    }
}

fn note(found: &mut Vec<Box<str>>, name: &str) {
    if !found.iter().any(|known| **known == *name) {
        found.push(name.into());
    }
}

/// Checks that only blank lines follow.
fn ends(from: &mut impl BufRead) -> Result<(), RestoreError> {
    loop {
        let rest = from.fill_buf()?;
        if rest.is_empty() {
            return Ok(());
        }
        if !rest.trim_ascii().is_empty() {
            return Err(RestoreError::damaged("there are bytes after its last line"));
        }
        let len = rest.len();
        from.consume(len);
    }
}
