//! The commands for data directories that no server has open: backup, restore, verify, dump, load,
//! inspect.

use std::error::Error;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use statehold_store::{Options, Progress, Report, Step, Store};

use crate::schema::schema;

type Done = Result<(), Box<dyn Error>>;

/// A file that can't be used.
#[derive(Debug)]
struct FileError {
    path: PathBuf,
    source: io::Error,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.source)
    }
}

impl Error for FileError {}

fn at(path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError { path, source }
}

/// Opens the store of a directory that has one: a mistyped name makes no new one.
fn open(dir: &Path) -> Result<Store, Box<dyn Error>> {
    let options = Options::default().create(false);
    Ok(Store::open_with(dir, &schema(), &options)?)
}

pub(crate) fn backup(dir: &Path, file: &Path) -> Done {
    let store = open(dir)?;
    let to = OpenOptions::new().write(true).create_new(true).open(file).map_err(at(file))?;
    let written =
        store.backup_with(&to, progress()).and_then(|index| to.sync_all().map(|()| index));
    let index = written.map_err(at(file))?;
    writeln!(
        io::stdout(),
        "backup of {} at index {index} written to {}",
        dir.display(),
        file.display()
    )?;
    Ok(())
}

pub(crate) fn restore(file: &Path, dir: &Path) -> Done {
    let from = File::open(file).map_err(at(file))?;
    let store = Store::open(dir, &schema())?;
    let index = store.restore_with(from, progress())?;
    writeln!(io::stdout(), "{} restored from {} at index {index}", dir.display(), file.display())?;
    Ok(())
}

pub(crate) fn verify(dir: &Path) -> Done {
    let report = Store::verify_with(dir, &schema(), progress())?;
    print(&report)?;
    writeln!(io::stdout(), "{} is sound", dir.display())?;
    Ok(())
}

pub(crate) fn dump(dir: &Path) -> Done {
    open(dir)?.dump_with(io::stdout().lock(), progress())?;
    Ok(())
}

pub(crate) fn load(dir: &Path) -> Done {
    let store = Store::open(dir, &schema())?;
    let index = store.load_with(io::stdin().lock(), progress())?;
    writeln!(io::stdout(), "{} loaded at index {index}", dir.display())?;
    Ok(())
}

pub(crate) fn inspect(dir: &Path) -> Done {
    print(&open(dir)?.report())?;
    for name in ["rows.redb", "log.redb"] {
        let path = dir.join(name);
        let bytes = fs::metadata(&path).map_err(at(&path))?.len();
        writeln!(io::stdout(), "{name:<16} {bytes:>10} bytes")?;
    }
    Ok(())
}

/// Says how far long work is, in one line of the terminal, if there is one.
fn progress() -> impl FnMut(Progress) {
    let shown = io::stderr().is_terminal();
    move |progress| {
        if shown {
            // Nothing is lost with it.
            let _ = write!(io::stderr(), "\r{}\x1b[K", text(&progress));
        }
    }
}

/// The line; none when the work is done.
fn text(progress: &Progress) -> String {
    let what = match progress.step {
        Step::Writing => "writing",
        Step::Reading => "reading",
        Step::Replacing => "replacing what is there",
        Step::CheckingFiles => return "checking the files ..".to_owned(),
        Step::Loading => return "loading the rows ..".to_owned(),
        _ => return String::new(),
    };
    match (progress.rows, progress.rows_total) {
        (0, Some(total)) => format!("{what}: {total} rows .."),
        (rows, Some(total)) => format!("{what}: {rows} of {total} rows .."),
        (rows, None) => format!("{what}: {rows} rows .."),
    }
}

fn print(report: &Report) -> io::Result<()> {
    let mut to = io::stdout().lock();
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
    fn long_work_is_told_by_step_and_rows_and_its_line_ends_empty() {
        let store = Store::in_memory(&Schema::new());
        let (mut backup, mut lines) = (Vec::new(), Vec::new());
        store.backup_with(&mut backup, |progress| lines.push(text(&progress))).unwrap();
        store.restore_with(backup.as_slice(), |progress| lines.push(text(&progress))).unwrap();
        let (writing, replacing) = ("writing: 0 rows ..", "replacing what is there: 0 rows ..");
        assert_eq!(lines, [writing, "", "reading: 0 rows ..", replacing, ""]);
    }
}
