//! What a host-volume plugin is being asked to do, written down before it is asked.
//!
//! A plugin's work and the row that tells of it can't be one step. An intent says, after a crash
//! between the two, which volume they may disagree about: what was being created and has no row is
//! removed again, what was being deleted is deleted for good. Nobody was told that either happened.
//!
//! Invariant: an intent is on the disk before its plugin is called, and removed after its row is
//! durable.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::host::HostVolumeRequest;

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
        fs::create_dir_all(&dir)?;
        Ok(Self { dir })
    }

    /// Writes an intent down.
    pub(crate) fn begin(&self, intent: &Intent) -> io::Result<()> {
        let path = self.path(intent.request.id);
        let next = path.with_extension("next");
        let mut file = File::create(&next)?;
        file.write_all(&serde_json::to_vec(intent)?)?;
        file.sync_all()?;
        fs::rename(&next, &path)?;
        self.sync()
    }

    /// Removes the intent for a volume: its row is durable, or nothing came of it.
    pub(crate) fn done(&self, id: Uuid) -> io::Result<()> {
        match fs::remove_file(self.path(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => self.sync(),
        }
    }

    /// Those that a crash left, in the order of the volumes' IDs.
    pub(crate) fn left(&self) -> io::Result<Vec<Intent>> {
        let mut left = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "next") {
                // Its plugin was not called yet.
                fs::remove_file(&path)?;
                continue;
            }
            let intent: Intent = serde_json::from_slice(&fs::read(&path)?).map_err(|error| {
                io::Error::other(format!("can't read the intent {}: {error}", path.display()))
            })?;
            left.push(intent);
        }
        left.sort_by_key(|intent| intent.request.id);
        Ok(left)
    }

    fn path(&self, id: Uuid) -> PathBuf {
        self.dir.join(id.to_string())
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }
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
    fn an_intent_that_was_half_written_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let intents = Intents::open(dir.path().to_owned()).unwrap();
        fs::write(dir.path().join(format!("{}.next", Uuid::from_u128(1))), "{").unwrap();
        assert!(intents.left().unwrap().is_empty());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
