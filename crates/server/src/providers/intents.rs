//! What a host-volume plugin is being asked to do, written down before it is asked.
//!
//! A plugin's work and the row that tells of it can't be one step. An intent says, after a crash
//! between the two, which volume they may disagree about: what was being created and has no row is
//! removed again, what was being deleted is deleted for good. Nobody was told that either happened.
//!
//! Invariant: an intent is on the disk before its plugin is called, and removed after its row is
//! durable.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::host::HostVolumeRequest;
use crate::private::{self, UNNAMED};

/// Something that a plugin is being asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Intent {
    pub(crate) work: Work,
    /// The plugin's ID.
    pub(crate) plugin: Box<str>,
    pub(crate) request: HostVolumeRequest,
}

/// What a plugin does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Work {
    Create,
    /// Deletes what was created at the path.
    Delete {
        path: Box<str>,
    },
}

/// A directory with a file for each intent, named by the volume's ID.
#[derive(Clone, Debug)]
pub(crate) struct Intents {
    dir: PathBuf,
}

impl Intents {
    /// The intents in a directory, which is created when absent.
    pub(crate) fn open(dir: PathBuf) -> io::Result<Self> {
        private::create_dir_all(&dir)?;
        Ok(Self { dir })
    }

    /// Writes an intent down.
    pub(crate) fn begin(&self, intent: &Intent) -> io::Result<()> {
        private::replace(&self.path(intent.request.id), &serde_json::to_vec(intent)?)
    }

    /// Removes the intent for a volume: its row is durable, or nothing came of it.
    pub(crate) fn done(&self, id: Uuid) -> io::Result<()> {
        match fs::remove_file(self.path(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => self.sync(),
        }
    }

    /// Returns the intents that a crash left, in the order of the volumes' IDs.
    ///
    /// One that can't be read is logged and stays, because an operator may still need it; its volume alone
    /// is not settled. Files with names that this program does not give are other programs' and stay too.
    pub(crate) fn left(&self) -> io::Result<Vec<Intent>> {
        let mut left = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let Some(unnamed) = own_name(&path) else { continue };
            if unnamed {
                // Its plugin was not called yet.
                fs::remove_file(&path)?;
                continue;
            }
            let read = fs::read(&path).and_then(|text| Ok(serde_json::from_slice(&text)?));
            match read {
                Ok(intent) => left.push(intent),
                Err(error) => tracing::warn!(
                    file = %path.display(), %error,
                    "an intent can't be read: its host volume may be half made or half deleted"
                ),
            }
        }
        left.sort_by_key(|intent: &Intent| intent.request.id);
        Ok(left)
    }

    fn path(&self, id: Uuid) -> PathBuf {
        self.dir.join(id.to_string())
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }
}

/// Whether a file of this module is one that has no final name yet; none for a file of others.
fn own_name(path: &Path) -> Option<bool> {
    let name = path.file_name()?.to_str()?;
    let unnamed = name.strip_suffix(UNNAMED).and_then(|name| name.strip_suffix('.'));
    Uuid::parse_str(unnamed.unwrap_or(name)).ok().map(|_| unnamed.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(number: u128, work: Work) -> Intent {
        let request = HostVolumeRequest { id: Uuid::from_u128(number), ..Default::default() };
        Intent { work, plugin: "mkdir".into(), request }
    }

    #[test]
    fn what_was_begun_and_not_done_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let intents = Intents::open(dir.path().join("intents")).unwrap();
        let delete = intent(1, Work::Delete { path: "/srv/x".into() });
        for begun in [&intent(3, Work::Create), &intent(2, Work::Create), &delete] {
            intents.begin(begun).unwrap();
        }
        intents.done(Uuid::from_u128(2)).unwrap();
        intents.done(Uuid::from_u128(2)).unwrap();
        let reopened = Intents::open(dir.path().join("intents")).unwrap();
        assert_eq!(reopened.left().unwrap(), [delete, intent(3, Work::Create)]);
    }

    #[test]
    fn an_unreadable_intent_and_foreign_files_stay() {
        let dir = tempfile::tempdir().unwrap();
        let intents = Intents::open(dir.path().to_owned()).unwrap();
        intents.begin(&intent(1, Work::Create)).unwrap();
        let foreign = [".nfs0001", "notes.next", "lost+found", &Uuid::from_u128(2).to_string()];
        for name in foreign {
            fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(intents.left().unwrap(), [intent(1, Work::Create)]);
        assert!(foreign.iter().all(|name| dir.path().join(name).exists()));
    }

    #[test]
    fn an_intent_that_was_half_written_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let intents = Intents::open(dir.path().to_owned()).unwrap();
        fs::write(dir.path().join(format!("{}.next", Uuid::from_u128(1))), "{").unwrap();
        assert!(intents.left().unwrap().is_empty());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
