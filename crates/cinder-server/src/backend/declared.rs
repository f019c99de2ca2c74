//! Back ends as the command line declares them: a directory each, its zone, and its NFS export.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::backend::export::Export;
use crate::backend::local_dir::LocalDir;
use crate::backend::scheduler::BackendSpec;

/// The name of the back end of a server without declared ones, and its directory in the data directory.
const DEFAULT: (&str, &str) = ("local", "block_storage");

/// The flags that declare back ends, in the order of the command line.
#[derive(Clone, Debug, Default)]
pub struct BackendFlags {
    /// `--backend NAME=DIR`.
    pub dirs: Vec<(Box<str>, PathBuf)>,
    /// `--availability-zone NAME`.
    pub default_zone: Box<str>,
    /// `--backend-zone NAME=ZONE`.
    pub zones: Vec<(Box<str>, Box<str>)>,
    /// `--export NAME=HOST:/PATH`.
    pub exports: Vec<(Box<str>, Export)>,
    /// `--export-options NAME=OPTIONS`.
    pub export_options: Vec<(Box<str>, Box<str>)>,
}

/// A back end in a directory, before it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Declared {
    pub(crate) name: Box<str>,
    pub(crate) dir: PathBuf,
    /// Its availability zone.
    pub(crate) zone: Box<str>,
    /// Its NFS export; without it, hosts have the directory under the same path.
    pub(crate) export: Option<Export>,
}

/// A flag that contradicts the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeclareError {
    /// A flag names a back end that no flag declares.
    NoBackend { flag: &'static str, name: Box<str>, known: Box<str> },
    /// Mount options of a back end that is not exported.
    NoExport { name: Box<str> },
    /// A flag that is allowed once for each back end is repeated.
    Twice { flag: &'static str, name: Box<str> },
}

impl fmt::Display for DeclareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBackend { flag, name, known } => write!(
                f,
                "{flag} {name}=...: no back end has the name {name:?}; use one of {known}, or declare it with \
                 --backend {name}=DIR"
            ),
            Self::NoExport { name } => write!(
                f,
                "--export-options {name}=...: the back end is not exported; declare it with --export \
                 {name}=HOST:/PATH"
            ),
            Self::Twice { flag, name } => {
                write!(f, "{flag} {name}=... is there twice; a back end has one, remove the other")
            }
        }
    }
}

impl BackendFlags {
    /// Returns all zones: the default one, and those of the back ends.
    pub fn all_zones(&self) -> BTreeSet<Box<str>> {
        let zones = self.zones.iter().map(|(_, zone)| zone.clone());
        zones.chain([self.default_zone.clone()]).collect()
    }

    /// Returns the back ends, or `local` in `data_dir` if none is declared.
    ///
    /// # Errors
    /// [`DeclareError`] for a flag that names another back end, or that is repeated.
    pub(crate) fn declared(&self, data_dir: &Path) -> Result<Vec<Declared>, DeclareError> {
        let mut dirs = self.dirs.clone();
        if dirs.is_empty() {
            dirs.push((DEFAULT.0.into(), data_dir.join(DEFAULT.1)));
        }
        check("--backend-zone", &dirs, &self.zones)?;
        check("--export", &dirs, &self.exports)?;
        check("--export-options", &dirs, &self.export_options)?;
        // Options of a mount that does not exist would silently have no effect.
        let lone = self.export_options.iter().find(|(name, _)| find(&self.exports, name).is_none());
        if let Some((name, _)) = lone {
            return Err(DeclareError::NoExport { name: name.clone() });
        }
        let of = |(name, dir): (Box<str>, PathBuf)| {
            let zone = find(&self.zones, &name).unwrap_or(&self.default_zone).clone();
            let options = find(&self.export_options, &name).map(|options| &**options);
            let export = find(&self.exports, &name).cloned();
            let export = export.map(|export| export.with_options(options));
            Declared { name, dir, zone, export }
        };
        Ok(dirs.into_iter().map(of).collect())
    }
}

/// Opens the directories of back ends.
///
/// # Errors
/// A directory that can't be used, or that two of them share; two of the same name.
pub(crate) fn open(
    declared: impl IntoIterator<Item = Declared>,
) -> Result<Vec<BackendSpec>, (PathBuf, io::Error)> {
    let mut specs: Vec<BackendSpec> = Vec::new();
    let mut dirs: Vec<PathBuf> = Vec::new();
    for Declared { name, dir, zone, export } in declared {
        // Before it is opened: the lock of the first one would be reported as that of another server.
        let canonical = dir.canonicalize().ok();
        if specs.iter().any(|other| other.name == name)
            || canonical.is_some_and(|dir| dirs.contains(&dir))
        {
            let error = io::Error::other("two back ends have the same name or directory");
            return Err((dir, error));
        }
        let opened =
            LocalDir::open(&dir, export).and_then(|driver| Ok((dir.canonicalize()?, driver)));
        let (canonical, driver) = opened.map_err(|error| (dir, error))?;
        dirs.push(canonical);
        specs.push(BackendSpec { name, zone, driver: Box::new(driver) });
    }
    Ok(specs)
}

fn find<'f, T>(values: &'f [(Box<str>, T)], backend: &str) -> Option<&'f T> {
    values.iter().find(|(name, _)| **name == *backend).map(|(_, value)| value)
}

/// Checks that the values of a flag name declared back ends, each at most once.
fn check<T>(
    flag: &'static str,
    dirs: &[(Box<str>, PathBuf)],
    values: &[(Box<str>, T)],
) -> Result<(), DeclareError> {
    for (at, (name, _)) in values.iter().enumerate() {
        if find(dirs, name).is_none() {
            let known: Vec<&str> = dirs.iter().map(|(name, _)| &**name).collect();
            let known = known.join(", ").into();
            return Err(DeclareError::NoBackend { flag, name: name.clone(), known });
        }
        if values.iter().take(at).any(|(other, _)| other == name) {
            return Err(DeclareError::Twice { flag, name: name.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_or_a_name_belongs_to_one_back_end() {
        let root = tempfile::tempdir().unwrap();
        let declared = |name: &str, dir: &str| {
            let (name, dir) = (name.into(), root.path().join(dir));
            Declared { name, dir, zone: "nova".into(), export: None }
        };
        assert_eq!(open([declared("a", "1"), declared("b", "2")]).unwrap().len(), 2);
        for (name, dir) in [("b", "1"), ("b", "1/../1"), ("a", "2")] {
            let (_, error) = open([declared("a", "1"), declared(name, dir)]).unwrap_err();
            assert!(error.to_string().contains("same name or directory"), "{name} {dir}: {error}");
        }
    }
}
