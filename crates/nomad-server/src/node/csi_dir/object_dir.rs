//! A directory of objects, each a directory with `data` and `meta.json`; the descriptions are in memory, too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use statehold_nomad::provider::{ProviderError, ProviderErrorKind, ProviderPage};
use statehold_store::PageToken;

use crate::node::csi_dir::own::{Name, new_id, unfinished};
use statehold_server_core::fs::atomic;
use statehold_server_core::fs::private;
use statehold_server_core::fs::regular;

/// The volumes or the snapshots of a provider, by ID.
///
/// The caller MUST hold the lock of an object while it changes or removes it. The mutex here protects the descriptions
/// in memory only and is never held during disk work.
#[derive(Debug)]
pub(crate) struct ObjectDir<M> {
    dir: PathBuf,
    metas: Mutex<BTreeMap<Box<str>, M>>,
    damaged: BTreeSet<Box<str>>,
}

impl<M: Serialize + DeserializeOwned + Clone> ObjectDir<M> {
    /// Reads the directory, and removes objects that a crash left unfinished. Logs and skips an object with an
    /// unreadable description, because it MUST NOT prevent the others from being served.
    pub(crate) fn open(dir: PathBuf) -> io::Result<Self> {
        private::create_dir_all(&dir)?;
        let (mut metas, mut damaged) = (BTreeMap::new(), BTreeSet::new());
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                continue;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            let id = match Name::of(&name) {
                Name::Whole(id) => id,
                Name::Unfinished => {
                    fs::remove_dir_all(entry.path())?;
                    continue;
                }
                Name::Foreign => continue,
            };
            let meta = entry.path().join("meta.json");
            match regular::read(&meta).and_then(|text| Ok(serde_json::from_slice(&text)?)) {
                Ok(read) => drop(metas.insert(id.into(), read)),
                Err(error) => {
                    tracing::warn!(
                        file = %meta.display(), %error,
                        "skipping a volume or snapshot: its description can't be read"
                    );
                    damaged.insert(id.into());
                }
            }
        }
        Ok(Self { dir, metas: Mutex::new(metas), damaged })
    }

    pub(crate) fn get(&self, id: &str) -> Option<M> {
        self.metas.lock().get(id).cloned()
    }

    /// Returns whether an object exists whose description is unreadable.
    pub(crate) fn is_damaged(&self, id: &str) -> bool {
        self.damaged.contains(id)
    }

    /// Returns the first object in the order of IDs that satisfies `wanted`.
    pub(crate) fn find(&self, wanted: impl Fn(&M) -> bool) -> Option<(Box<str>, M)> {
        let metas = self.metas.lock();
        metas.iter().find(|(_, meta)| wanted(meta)).map(|(id, meta)| (id.clone(), meta.clone()))
    }

    /// Returns a new ID that no object has.
    pub(crate) fn free_id(&self, kind: &str) -> String {
        loop {
            let id = new_id(kind);
            if self.get(&id).is_none() && !self.is_damaged(&id) {
                return id;
            }
        }
    }

    /// Returns the path of an object's data.
    pub(crate) fn data(&self, id: &str) -> PathBuf {
        self.dir.join(id).join("data")
    }

    /// Creates an object, durable on return. `fill` creates its data at the path that it is called with.
    ///
    /// # Errors
    /// Those of `fill` and of the disk; no object is left.
    pub(crate) fn put(
        &self,
        id: &str,
        meta: M,
        fill: impl FnOnce(&Path) -> io::Result<()>,
    ) -> io::Result<()> {
        let unfinished = self.unfinished(id);
        let make = || {
            private::create_dir(&unfinished)?;
            fill(&unfinished.join("data"))?;
            write(&unfinished.join("meta.json"), &meta)?;
            atomic::sync_dir(&unfinished)?;
            atomic::publish(&unfinished, &self.dir.join(id))
        };
        make().inspect_err(|_| drop(fs::remove_dir_all(&unfinished)))?;
        self.metas.lock().insert(id.into(), meta);
        Ok(())
    }

    /// Changes a description, durable on return. Does nothing if the object does not exist.
    pub(crate) fn change(&self, id: &str, change: impl FnOnce(&mut M)) -> io::Result<()> {
        let Some(mut meta) = self.get(id) else { return Ok(()) };
        change(&mut meta);
        // The file first: readers of the description in memory MUST NOT see a change that a crash could undo.
        atomic::replace(&self.dir.join(id).join("meta.json"), &serde_json::to_vec(&meta)?)?;
        self.metas.lock().insert(id.into(), meta);
        Ok(())
    }

    /// Deletes an object with its data.
    pub(crate) fn remove(&self, id: &str) -> io::Result<()> {
        let unfinished = self.unfinished(id);
        fs::rename(self.dir.join(id), &unfinished)?;
        // Deleted from here on, even if the rest fails: the next start removes unfinished directories.
        self.metas.lock().remove(id);
        atomic::sync_dir(&self.dir)?;
        fs::remove_dir_all(&unfinished)
    }

    /// Returns a page in the order of IDs, with entries from `render`, and the token of the next page; empty for the
    /// last one.
    /// The object that a token names may be deleted meanwhile.
    ///
    /// # Errors
    /// The token is invalid. Taken for an ID it would often be after all of them, and the client would take the empty
    /// page for the end of the list.
    pub(crate) fn page<T>(
        &self,
        page: &ProviderPage<'_>,
        render: impl Fn(&str, &M) -> T,
    ) -> Result<(Vec<T>, Box<str>), ProviderError> {
        let listing = self.dir.to_string_lossy();
        let from = if page.token.is_empty() {
            Bound::Unbounded
        } else {
            let from = PageToken::parse::<String>(&listing, page.token).map_err(|error| {
                ProviderError::new(
                    ProviderErrorKind::InvalidArgument,
                    format!("invalid next_token: {error}"),
                )
            })?;
            Bound::Included(from.into_boxed_str())
        };
        let max = match page.entries_max {
            0 => usize::MAX,
            max => usize::try_from(max).unwrap_or(usize::MAX),
        };
        let metas = self.metas.lock();
        let mut rest = metas.range::<Box<str>, _>((from, Bound::Unbounded)).peekable();
        let mut entries = Vec::new();
        while let Some((id, meta)) = rest.next_if(|_| entries.len() < max) {
            entries.push(render(id, meta));
        }
        let token = rest.peek().map(|(id, _)| PageToken::new::<String>(&listing, id));
        Ok((entries, token.map(|token| token.as_str().into()).unwrap_or_default()))
    }

    fn unfinished(&self, id: &str) -> PathBuf {
        self.dir.join(unfinished(id))
    }
}

/// Writes a description into a directory that is not published yet.
fn write(path: &Path, meta: &impl Serialize) -> io::Result<()> {
    atomic::write_anew(path, &serde_json::to_vec(meta)?)
}
