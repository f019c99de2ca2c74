//! The commands for data directories that no server has open: backup, restore, verify, dump, load,
//! inspect, salvage.

mod files;

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use statehold_store::{
    Options, Progress, Report, RestoreError, RestoreOptions, Schema, Step, Store, UnreadableRow,
};

use crate::cli::{RestoreArgs, SalvageArgs};
use crate::maintenance::files::{at, fill_dir, write_new};
use crate::schema::{LackingTable, schema, with_tables};
use crate::stdout;

type Done = Result<(), Box<dyn Error>>;

/// Returns the tables of this build, and those of other builds as bytes, so that a backup is complete.
fn every_table() -> Schema {
    schema().keep_unknown()
}

/// Opens the store of a directory without changing a byte of it. A mistyped name MUST NOT create a new store.
fn open(dir: &Path) -> Result<Store, Box<dyn Error>> {
    let options = Options::default().read_only(true);
    Ok(Store::open_with(dir, &every_table(), &options)?)
}

pub(crate) fn backup(dir: &Path, file: &Path) -> Done {
    let store = open(dir)?;
    let index = write_new(file, |to| store.backup_with(to, progress()))?;
    writeln!(
        io::stdout(),
        "backup of {} at index {index} written to {}",
        dir.display(),
        file.display()
    )?;
    Ok(())
}

/// Returns the schema and options of a restore.
fn restoring(args: &RestoreArgs) -> Result<(Schema, RestoreOptions), Box<dyn Error>> {
    let schema = with_tables(every_table(), &args.tables)?;
    Ok((schema, RestoreOptions::default().empty_missing(args.empty_missing)))
}

/// Returns an error of a restore with its remedies as flags, because the store names its own methods.
fn refused(error: RestoreError) -> Box<dyn Error> {
    match error {
        RestoreError::UnknownTable { name } => LackingTable(&name).to_string().into(),
        RestoreError::MissingTable { table, rows } => format!(
            "the backup lacks the table {table:?}, of which the store has {rows} rows: delete them with \
             --empty-missing, or use another backup"
        )
        .into(),
        error => error.into(),
    }
}

pub(crate) fn restore(file: &Path, dir: &Path, args: &RestoreArgs) -> Done {
    // Before the directory is touched: a mistyped backup must create nothing.
    let from = File::open(file).map_err(at(file))?;
    let (schema, options) = restoring(args)?;
    let index = fill_dir(dir, |dir| {
        Store::open(dir, &schema)?.restore_using(&options, from, progress()).map_err(refused)
    })?;
    writeln!(io::stdout(), "{} restored from {} at index {index}", dir.display(), file.display())?;
    Ok(())
}

pub(crate) fn verify(dir: &Path) -> Done {
    let report = Store::verify_with(dir, &every_table(), progress())?;
    stdout::print(|to| {
        print(to, &report)?;
        writeln!(to, "{} is sound", dir.display())
    })?;
    Ok(())
}

pub(crate) fn dump(dir: &Path, file: Option<&Path>) -> Done {
    // A file appears when it is complete; standard output has no name to withhold, so its check is the exit status.
    let store = open(dir)?;
    match file {
        Some(file) => write_new(file, |to| store.dump_with(to, progress()))?,
        None => stdout::print(|to| store.dump_with(to, progress()))?,
    };
    Ok(())
}

pub(crate) fn load(dir: &Path, args: &RestoreArgs) -> Done {
    let (schema, options) = restoring(args)?;
    let index = fill_dir(dir, |dir| {
        let store = Store::open(dir, &schema)?;
        store.load_using(&options, io::stdin().lock(), progress()).map_err(refused)
    })?;
    writeln!(io::stdout(), "{} loaded at index {index}", dir.display())?;
    Ok(())
}

pub(crate) fn inspect(dir: &Path) -> Done {
    let report = open(dir)?.report();
    let mut files = Vec::new();
    for name in ["rows.redb", "log.redb"] {
        let path = dir.join(name);
        files.push((name, fs::metadata(&path).map_err(at(&path))?.len()));
    }
    stdout::print(|to| {
        print(to, &report)?;
        files.iter().try_for_each(|(name, bytes)| writeln!(to, "{name:<16} {bytes:>10} bytes"))
    })?;
    Ok(())
}

/// An unreadable row, as a line of JSON.
#[derive(Serialize)]
struct Unreadable<'r> {
    table: &'r str,
    /// In base64, like `record`.
    key: String,
    record: String,
    reason: String,
}

pub(crate) fn salvage(args: &SalvageArgs) -> Done {
    let (dir, file) = (&args.dir, &args.unreadable);
    let count = Arc::new(AtomicUsize::new(0));
    let save = {
        // Shared, because the store keeps the callback and calls it while it opens.
        let (count, file) = (Arc::clone(&count), file.clone());
        move |rows: &[UnreadableRow]| {
            count.store(rows.len(), Ordering::Relaxed);
            save(&file, rows)
        }
    };
    let options = Options::default().create(false).read_only(!args.remove).salvage(save);
    let store = Store::open_with(dir, &every_table(), &options)?;
    print(&mut io::stdout().lock(), &store.report())?;
    let (count, dir, file) = (count.load(Ordering::Relaxed), dir.display(), file.display());
    match count {
        0 => writeln!(io::stdout(), "every row of {dir} can be read")?,
        _ if args.remove => {
            writeln!(io::stdout(), "{count} rows removed from {dir} and written to {file}")?;
        }
        _ => writeln!(
            io::stdout(),
            "{count} rows of {dir} can't be read and are written to {file}; --remove removes them"
        )?,
    }
    Ok(())
}

/// Writes rows as lines of JSON to a new file.
fn save(file: &Path, rows: &[UnreadableRow]) -> io::Result<()> {
    let written = write_new(file, |to| {
        let mut to = BufWriter::new(to);
        for row in rows {
            let line = Unreadable {
                table: &row.table,
                key: STANDARD.encode(&row.key),
                record: STANDARD.encode(&row.record),
                reason: row.reason.to_string(),
            };
            serde_json::to_writer(&mut to, &line)?;
            to.write_all(b"\n")?;
        }
        to.flush()
    });
    written.map_err(io::Error::other)
}

/// Returns a callback that shows the progress in one line of the terminal, if standard error is one.
fn progress() -> impl FnMut(Progress) {
    let shown = io::stderr().is_terminal();
    move |progress| {
        if shown {
            // A closed terminal must not fail the work.
            let _ = write!(io::stderr(), "\r{}\x1b[K", text(&progress));
        }
    }
}

/// Returns the progress line; it is empty when the work is done, which erases it.
fn text(progress: &Progress) -> String {
    let step = match progress.step {
        Step::Writing => "writing",
        Step::Reading => "reading",
        Step::Replacing => "replacing the rows",
        Step::CheckingFiles => return "checking the files ..".to_owned(),
        Step::Loading => return "loading the rows ..".to_owned(),
        _ => return String::new(),
    };
    match (progress.rows, progress.rows_total) {
        (0, Some(total)) => format!("{step}: {total} rows .."),
        (rows, Some(total)) => format!("{step}: {rows} of {total} rows .."),
        (rows, None) => format!("{step}: {rows} rows .."),
    }
}

fn print(to: &mut impl Write, report: &Report) -> io::Result<()> {
    writeln!(to, "index            {:>10}", report.index)?;
    writeln!(to, "changes since    {:>10}", report.oldest_change)?;
    for table in &report.tables {
        let (name, rows, last) = (table.name, table.rows, table.last_index);
        writeln!(to, "{name:<16} {rows:>10} rows, last changed at {last}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use statehold_store::Schema;

    use super::*;

    #[test]
    fn progress_shows_step_and_rows_and_ends_with_an_empty_line() {
        let store = Store::in_memory(&Schema::new());
        let (mut backup, mut lines) = (Vec::new(), Vec::new());
        store.backup_with(&mut backup, |progress| lines.push(text(&progress))).unwrap();
        store.restore_with(backup.as_slice(), |progress| lines.push(text(&progress))).unwrap();
        let (writing, replacing) = ("writing: 0 rows ..", "replacing the rows: 0 rows ..");
        assert_eq!(lines, [writing, "", "reading: 0 rows ..", replacing, ""]);
    }
}
