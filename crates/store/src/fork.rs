//! States besides the store's own: forks for trial changes, and a feed with the old rows.

use std::fmt;
use std::sync::Arc;

use crate::error::FeedError;
use crate::feed::{Commit, Feed};
use crate::options::Options;
use crate::root::Root;
use crate::snapshot::Snapshot;
use crate::store::Store;

impl Snapshot {
    /// Creates a store in memory that begins with this snapshot's rows and index: for "what if" runs, such as a
    /// scheduler's plan that is tried before it is committed.
    ///
    /// Writes to it never reach the original, and it is lost when the process ends. It is a full store: several
    /// transactions, blocking queries and a feed of its own commits work.
    ///
    /// Cost: one pointer for each table; rows are shared until one side changes them.
    ///
    /// ```
    /// # use statehold_store::{Store, Table};
    /// # #[derive(serde::Serialize, serde::Deserialize, Table)]
    /// # #[table(name = "names")]
    /// # struct Name { #[table(key)] name: String }
    /// # let store = Store::in_memory(&Name::schema());
    /// # let mut txn = store.begin_write()?;
    /// # txn.put(Name { name: "web".into() })?;
    /// # txn.commit()?;
    /// let fork = store.snapshot().fork();
    /// let mut txn = fork.begin_write()?;
    /// Name::BY_KEY.delete(&mut txn, "web")?;
    /// txn.commit()?;
    /// assert_eq!(Name::BY_KEY.count(&fork.snapshot()), 0);
    /// assert_eq!(Name::BY_KEY.count(&store.snapshot()), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fork(&self) -> Store {
        self.fork_with(&Options::default())
    }

    /// Like [`Snapshot::fork`], with options. See [`Store::in_memory_with`].
    pub fn fork_with(&self, options: &Options) -> Store {
        let schema = self.0.schema();
        let root = Root::new(schema, self.0.index, self.0.tables.to_vec());
        Store::of_root(schema, root, options)
    }
}

impl Store {
    /// Returns the commits after a snapshot, each with the state before and after it, so that a consumer has
    /// the old rows next to the new ones.
    ///
    /// The old rows come from `since`, onto which the feed of [`Store::changes_since`] is replayed: the journal
    /// holds only new rows, which keeps it small, and this works across restarts. A consumer continues from the
    /// last [`Transition::after`].
    ///
    /// Cost: that of each write again, in memory; rows are shared with `since`.
    ///
    /// # Errors
    /// Those of [`Store::changes_since`], and [`FeedError::OtherSchema`] if the snapshot belongs to a store
    /// with other tables.
    ///
    /// ```
    /// # use statehold_store::{Store, Table};
    /// # #[derive(serde::Serialize, serde::Deserialize, Table)]
    /// # #[table(name = "sizes")]
    /// # struct Size { #[table(key)] name: String, bytes: u64 }
    /// # let store = Store::in_memory(&Size::schema());
    /// let since = store.snapshot();
    /// # for size in [1, 2] {
    /// #     let mut txn = store.begin_write()?;
    /// #     txn.put(Size { name: "web".into(), bytes: size })?;
    /// #     txn.commit()?;
    /// # }
    /// for transition in store.transitions_since(&since)? {
    ///     let transition = transition?;
    ///     for change in &transition.commit.changes {
    ///         if let Some(key) = change.key(&Size::BY_KEY) {
    ///             let old = Size::BY_KEY.get(&transition.before, &key).map(|row| row.bytes);
    ///             let new = Size::BY_KEY.get(&transition.after, &key).map(|row| row.bytes);
    ///             println!("{key}: {old:?} -> {new:?}");
    ///         }
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn transitions_since(&self, since: &Snapshot) -> Result<Transitions<'_>, FeedError> {
        // Slots come from this store's schema, and would name other tables of another store's snapshot.
        if !since.0.has_tables_of(self.schema()) {
            return Err(FeedError::OtherSchema);
        }
        let feed = self.changes_since(since.index())?;
        Ok(Transitions { store: self, feed, state: since.clone(), ended: false })
    }
}

/// Commits with the states before and after them: see [`Store::transitions_since`].
pub struct Transitions<'s> {
    store: &'s Store,
    feed: Feed<'s>,
    state: Snapshot,
    ended: bool,
}

/// A commit between two states.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Transition {
    /// The commit.
    pub commit: Commit,
    /// The state before it.
    pub before: Snapshot,
    /// The state after it.
    pub after: Snapshot,
}

impl Transitions<'_> {
    fn step(&mut self, commit: Commit) -> Result<Transition, FeedError> {
        // One pointer for each table: the commit copies only the nodes that it changes.
        let mut root = Root::clone(&self.state.0);
        root.apply(self.store.schema(), &commit.recorded())
            .map_err(|error| FeedError::Storage { reason: error.to_string().into() })?;
        let after = Snapshot(Arc::new(root));
        let before = std::mem::replace(&mut self.state, after.clone());
        Ok(Transition { commit, before, after })
    }
}

impl Iterator for Transitions<'_> {
    type Item = Result<Transition, FeedError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.feed.next()?.and_then(|commit| self.step(commit));
        // A failed commit leaves no state to which the next one could be applied.
        self.ended = next.is_err();
        Some(next)
    }
}

impl fmt::Debug for Transitions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transitions").field("state", &self.state).finish_non_exhaustive()
    }
}
