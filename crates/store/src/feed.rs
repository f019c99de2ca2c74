//! The change feed: commits from the journal, in index order.

use std::collections::VecDeque;
use std::fmt;

use crate::codec;
use crate::durable::record;
use crate::error::{FeedError, RowError};
use crate::key::Key;
use crate::primary::PrimaryKey;
use crate::shape::RecordedShapes;
use crate::store::Store;
use crate::table::{Entry, Table};

/// Number of journal bytes read at once.
const READ_BYTES: usize = 1 << 20;

impl Store {
    /// Returns the commits after `index`, up to the newest one that is visible and on disk. Under
    /// [`crate::Durability::Relaxed`] commits that wait for their flush come with a later call.
    ///
    /// A consumer continues from the index of the last commit it received, also after a restart. One that fell
    /// behind the history kept by [`crate::Options::history`] and [`crate::Options::history_bytes`] gets an
    /// error, never a gap.
    ///
    /// # Errors
    /// [`FeedError::Compacted`] if commits after `index` were truncated. The feed itself returns the same error
    /// if a truncation overtakes it.
    ///
    /// ```
    /// # use statehold_store::{Store, Table};
    /// # #[derive(serde::Serialize, serde::Deserialize, Table)]
    /// # #[table(name = "names")]
    /// # struct Name { #[table(key)] name: String }
    /// let store = Store::in_memory(&Name::schema());
    /// let mut txn = store.begin_write()?;
    /// txn.put(Name { name: "web".into() })?;
    /// txn.commit()?;
    /// for commit in store.changes_since(0)? {
    ///     let commit = commit?;
    ///     assert_eq!(commit.index, 2);
    ///     assert_eq!(commit.changes[0].key(&Name::BY_KEY), Some("web".to_string()));
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn changes_since(&self, index: u64) -> Result<Feed<'_>, FeedError> {
        let feed = Feed {
            store: self,
            after: index,
            until: self.index(),
            read: VecDeque::new(),
            ended: false,
        };
        feed.check()?;
        Ok(feed)
    }
}

/// Commits of a store, in order.
pub struct Feed<'s> {
    store: &'s Store,
    /// The index of the last commit that was returned.
    after: u64,
    /// The last commit to return.
    until: u64,
    read: VecDeque<Commit>,
    ended: bool,
}

impl Feed<'_> {
    /// Returns the index of the last commit that was returned.
    pub(crate) fn after(&self) -> u64 {
        self.after
    }

    /// Extends the feed to the newest commit that is visible and on disk.
    pub(crate) fn extend(&mut self) {
        self.until = self.until.max(self.store.index().min(self.store.journal().last()));
        // A feed that had returned everything continues.
        self.ended = false;
    }

    fn check(&self) -> Result<(), FeedError> {
        let compacted = self.store.journal().compacted();
        // The commit after `after` is gone, so continuing would leave a gap.
        if self.after < compacted {
            return Err(FeedError::Compacted { oldest: compacted.saturating_add(1) });
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<(), FeedError> {
        let storage = |reason: String| FeedError::Storage { reason: reason.into() };
        let records = self
            .store
            .journal()
            .read_from(self.after + 1, READ_BYTES)
            .map_err(|error| storage(error.to_string()))?;
        // A truncation between the first check and the read may have left a gap before the records.
        self.check()?;
        for bytes in records {
            let record = record::decode(&bytes).map_err(|error| storage(error.to_string()))?;
            let commits = record
                .commits
                .into_iter()
                .filter(|commit| commit.index > self.after && commit.index <= self.until);
            self.read.extend(commits.map(|commit| Commit {
                index: commit.index,
                changes: commit.changes.iter().map(ChangedRow::new).collect(),
            }));
        }
        Ok(())
    }
}

impl Iterator for Feed<'_> {
    type Item = Result<Commit, FeedError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended || self.after >= self.until {
            return None;
        }
        if self.read.is_empty()
            && let Err(error) = self.fill()
        {
            self.ended = true;
            return Some(Err(error));
        }
        let commit = self.read.pop_front();
        match &commit {
            Some(commit) => self.after = commit.index,
            None => self.ended = true,
        }
        commit.map(Ok)
    }
}

impl fmt::Debug for Feed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed")
            .field("after", &self.after)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

/// The changes of one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Commit {
    /// The index of the commit.
    pub index: u64,
    /// The rows that it wrote and deleted, in order.
    pub changes: Vec<ChangedRow>,
}

impl Commit {
    /// Returns the commit in its journal form.
    pub(crate) fn recorded(&self) -> record::Commit<'_> {
        let changes = self.changes.iter().map(|change| record::Recorded {
            table: &change.table,
            key: &change.key,
            row: change.row.as_deref(),
        });
        record::Commit { index: self.index, changes: changes.collect() }
    }
}

/// A row that a transaction wrote or deleted.
#[derive(Clone, PartialEq, Eq)]
pub struct ChangedRow {
    table: Box<str>,
    key: Box<[u8]>,
    row: Option<Box<[u8]>>,
}

impl ChangedRow {
    fn new(change: &record::Recorded<'_>) -> Self {
        Self { table: change.table.into(), key: change.key.into(), row: change.row.map(Into::into) }
    }

    /// The name of the row's table.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Returns whether the row was deleted.
    pub fn is_delete(&self) -> bool {
        self.row.is_none()
    }

    /// Returns the row's primary key; `None` if the row belongs to another table.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use statehold_store::{Store, Table};
    /// #[derive(Serialize, Deserialize, Table)]
    /// #[table(name = "nodes")]
    /// struct Node { #[table(key)] name: String, cores: u32 }
    ///
    /// # let store = Store::in_memory(&Node::schema());
    /// # let mut txn = store.begin_write()?;
    /// # txn.put(Node { name: "web".into(), cores: 4 })?;
    /// # txn.commit()?;
    /// for commit in store.changes_since(0)? {
    ///     for change in &commit?.changes {
    ///         let Some(name) = change.key(&Node::BY_KEY) else { continue };
    ///         match change.row(&Node::BY_KEY)? {
    ///             Some(node) => println!("{name} has {} cores", node.cores),
    ///             None => println!("{name} was deleted"),
    ///         }
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn key<T: Table>(&self, table: &PrimaryKey<T>) -> Option<T::Key> {
        let _ = table;
        if *self.table != *T::NAME {
            return None;
        }
        let mut bytes = &*self.key;
        T::Key::decode(&mut bytes)
    }

    /// Returns the written row, migrated if an earlier version of the table wrote it. Returns `None` if the row
    /// was deleted, if its migration drops it, or if it belongs to another table. [`Store::transitions_since`]
    /// has the old row too.
    ///
    /// # Errors
    /// [`RowError`] if the row cannot be read: there is no migration from its version, or its version is later
    /// than [`Table::VERSION`].
    pub fn row<T: Table>(&self, table: &PrimaryKey<T>) -> Result<Option<Entry<T::Row>>, RowError> {
        let _ = table;
        match &self.row {
            Some(row) if *self.table == *T::NAME => {
                Ok(codec::decode::<T>(row, RecordedShapes::NONE)?.entry)
            }
            _ => Ok(None),
        }
    }
}

/// Prints the key but not the row, which may hold secrets.
impl fmt::Debug for ChangedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangedRow")
            .field("table", &self.table)
            .field("key", &String::from_utf8_lossy(&self.key))
            .field("delete", &self.is_delete())
            .finish_non_exhaustive()
    }
}
