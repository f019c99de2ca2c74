//! Intents: the work of a plugin, recorded on disk before the plugin runs.
//!
//! A plugin's work and the commit of the row can't be one atomic step. After a crash between the two, the intent
//! identifies the volume whose row and data may differ: an interrupted creation without a row is undone, an
//! interrupted deletion is finished. The client got a reply in neither case.
//!
//! Invariant: an intent is on disk before its plugin is called, and is removed after the row is durable.

use std::fs;
use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::node::host::{HostVolumeRequest, reason};
use statehold_server_core::fs::atomic;
use statehold_server_core::fs::private;
use statehold_server_core::fs::regular;

/// The work of a host-volume plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Intent {
    pub(crate) work: Work,
    /// The plugin's ID.
    pub(crate) plugin: Box<str>,
    pub(crate) request: HostVolumeRequest,
}

/// The operation of a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Work {
    Create,
    /// Deletes the volume at the path.
    Delete {
        path: Box<str>,
    },
}

/// A directory with a file for each intent, named by the ID of its volume.
#[derive(Clone, Debug)]
pub(crate) struct Intents<I> {
    dir: PathBuf,
    of: PhantomData<fn() -> I>,
}

impl<I: Serialize + DeserializeOwned> Intents<I> {
    /// Opens the intents in a directory, and creates it if absent.
    pub(crate) fn open(dir: PathBuf) -> io::Result<Self> {
        private::create_dir_all(&dir)?;
        Ok(Self { dir, of: PhantomData })
    }

    /// Writes an intent, durable on return. It replaces an earlier one of the same ID.
    ///
    /// # Errors
    /// The file can't be written. The error names the directory, which may be on another disk than the store.
    pub(crate) fn begin(&self, id: Uuid, intent: &I) -> io::Result<()> {
        let written = atomic::replace(&self.path(id), &serde_json::to_vec(intent)?);
        written.map_err(|error| {
            let named = format!("{}: {}", self.dir.display(), reason(&error));
            io::Error::new(error.kind(), named)
        })
    }

    /// Returns the intent of an ID, if it has one.
    ///
    /// # Errors
    /// The intent can't be read.
    pub(crate) fn get(&self, id: Uuid) -> io::Result<Option<I>> {
        match regular::read(&self.path(id)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes an intent, durable on return. Its row MUST be durable, or its work undone.
    pub(crate) fn done(&self, id: Uuid) -> io::Result<()> {
        // An absent file is synced as well: its removal may not be durable yet.
        match fs::remove_file(self.path(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => self.sync(),
        }
    }

    /// Returns the intents that a crash left, in the order of their IDs.
    ///
    /// Logs and skips an unreadable one, whose file stays for an operator; only its volume is not settled. Files with
    /// foreign names belong to other programs and stay, too.
    pub(crate) fn left(&self) -> io::Result<Vec<(Uuid, I)>> {
        let mut left = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let Some((id, unnamed)) = own_name(&path) else { continue };
            if unnamed {
                // An unfinished write: its plugin was not called yet.
                fs::remove_file(&path)?;
                continue;
            }
            let read = regular::read(&path).and_then(|text| Ok(serde_json::from_slice(&text)?));
            match read {
                Ok(intent) => left.push((id, intent)),
                Err(error) => tracing::warn!(
                    file = %path.display(), %error,
                    "can't read an intent: its volume may be half created or half deleted"
                ),
            }
        }
        left.sort_by_key(|(id, _)| *id);
        Ok(left)
    }

    fn path(&self, id: Uuid) -> PathBuf {
        self.dir.join(id.to_string())
    }

    fn sync(&self) -> io::Result<()> {
        atomic::sync_dir(&self.dir)
    }
}

/// Returns the ID in the name of a file, and whether the file is an unfinished write; `None` for a foreign file.
fn own_name(path: &Path) -> Option<(Uuid, bool)> {
    let name = path.file_name()?.to_str()?;
    let unnamed = name.strip_suffix(atomic::UNFINISHED).and_then(|name| name.strip_suffix('.'));
    Some((Uuid::parse_str(unnamed.unwrap_or(name)).ok()?, unnamed.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(intents: &Intents<Intent>, intent: &Intent) {
        intents.begin(intent.request.id, intent).unwrap();
    }

    fn left(intents: &Intents<Intent>) -> Vec<Intent> {
        intents.left().unwrap().into_iter().map(|(_, intent)| intent).collect()
    }

    fn intent(number: u128, work: Work) -> Intent {
        let request = HostVolumeRequest { id: Uuid::from_u128(number), ..Default::default() };
        Intent { work, plugin: "mkdir".into(), request }
    }

    #[test]
    fn intents_that_are_not_done_survive_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let intents = Intents::open(dir.path().join("intents")).unwrap();
        let delete = intent(1, Work::Delete { path: "/srv/x".into() });
        for begun in [&intent(3, Work::Create), &intent(2, Work::Create), &delete] {
            begin(&intents, begun);
        }
        intents.done(Uuid::from_u128(2)).unwrap();
        intents.done(Uuid::from_u128(2)).unwrap();
        let reopened = Intents::open(dir.path().join("intents")).unwrap();
        assert_eq!(left(&reopened), [delete, intent(3, Work::Create)]);
    }

    #[test]
    fn an_intent_without_room_names_its_directory() {
        let dir = tempfile::tempdir().unwrap();
        let intents = Intents::open(dir.path().join("intents")).unwrap();
        fs::remove_dir(dir.path().join("intents")).unwrap();
        let begun = intent(1, Work::Create);
        let failed = intents.begin(begun.request.id, &begun).unwrap_err().to_string();
        assert!(failed.contains(&*intents.dir.to_string_lossy()), "{failed}");
    }

    #[test]
    fn an_unreadable_intent_and_foreign_files_stay() {
        let dir = tempfile::tempdir().unwrap();
        let intents = Intents::open(dir.path().to_owned()).unwrap();
        begin(&intents, &intent(1, Work::Create));
        let foreign = [".nfs0001", "notes.next", "lost+found", &Uuid::from_u128(2).to_string()];
        for name in foreign {
            fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(left(&intents), [intent(1, Work::Create)]);
        assert!(foreign.iter().all(|name| dir.path().join(name).exists()));
    }

    #[test]
    fn a_half_written_intent_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let intents = Intents::open(dir.path().to_owned()).unwrap();
        fs::write(dir.path().join(format!("{}.next", Uuid::from_u128(1))), "{").unwrap();
        assert!(left(&intents).is_empty());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
