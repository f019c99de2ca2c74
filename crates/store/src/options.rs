//! Options of a store.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::observer::{Observer, ObserverHandle};
use crate::salvage::{Salvage, UnreadableRow};

/// Default maximum number of readers parked in blocking queries.
pub const PARKED_MAX_DEFAULT: usize = 100_000;

/// Default number of commits that the journal keeps for the change feed.
pub const HISTORY_DEFAULT: u64 = 10_000;

/// Default number of record bytes that the journal keeps for the change feed.
///
/// Equal to the maximum that may wait for a checkpoint, so that the history adds no more to the file than a
/// busy store needs anyway; 10,000 commits of 6 KiB fit. A consumer that is further behind reads a snapshot
/// faster than the commits it missed.
pub const HISTORY_BYTES_DEFAULT: u64 = 64 << 20;

/// When a commit is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// Acknowledge a commit once it is on disk. Readers never observe a commit that a crash could undo.
    #[default]
    Immediate,
    /// Acknowledge a commit once it is visible; it reaches the disk within `flush_every`, together with all
    /// commits before it.
    ///
    /// A crash may lose the most recent commits, including acknowledged ones. The recovered state is always a
    /// prefix of the commit history. At most `flush_every` plus one disk write of commits is lost; commits
    /// block once more than [`UNFLUSHED_MAX`] bytes are pending. Indexes of lost commits are reused.
    /// [`crate::Store::flush`] and closing the store make everything durable.
    Relaxed {
        /// How long a commit may wait for its durable write.
        flush_every: Duration,
    },
}

/// Maximum number of bytes of changes that may wait for their durable write under [`Durability::Relaxed`].
pub const UNFLUSHED_MAX: u64 = 16 << 20;

/// Options of a store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Maximum number of commits that the journal keeps for [`crate::Store::changes_since`]. Default:
    /// [`HISTORY_DEFAULT`].
    ///
    /// A commit that exceeds this or [`Options::history_bytes`] drops the oldest ones, down to a sixteenth
    /// below the bound. A commit that the rows on disk lack is always kept until the next checkpoint, which
    /// begins at 8 MiB of changes; commits wait for it at 64 MiB.
    pub history: u64,
    /// Maximum size in bytes of the records that the journal keeps, with the exception of
    /// [`Options::history`]. Default: [`HISTORY_BYTES_DEFAULT`].
    ///
    /// The file is larger than its records: see [`crate::Store::history_bytes`].
    pub history_bytes: u64,
    /// Maximum number of readers parked in blocking queries; one more gets [`crate::WatchError::TooMany`].
    /// Default: [`PARKED_MAX_DEFAULT`].
    pub parked_max: usize,
    /// When a commit is acknowledged. Default: [`Durability::Immediate`].
    pub durability: Durability,
    /// Whether to create a store where there is none. If false, opening such a directory fails with
    /// [`crate::OpenError::NoStore`]: for tools, whose users may mistype the directory. Default: yes.
    pub create: bool,
    /// Whether to open the store read-only: no byte of the directory changes, other readers may have it open at
    /// the same time but no writer may, and every write fails with [`crate::BeginError::ReadOnly`]. A directory
    /// without a store fails with [`crate::OpenError::NoStore`]. Default: no.
    pub read_only: bool,
    /// The identity of a new store, or of one that an older build wrote without an identity. Default: random.
    pub id: Option<Uuid>,
    pub(crate) observer: ObserverHandle,
    pub(crate) salvage: Salvage,
}

/// The part of the journal kept for the change feed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct History {
    pub(crate) commits: u64,
    /// Maximum size of the records in bytes.
    pub(crate) bytes: u64,
}

impl Options {
    pub(crate) fn kept_history(&self) -> History {
        History { commits: self.history, bytes: self.history_bytes }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            history: HISTORY_DEFAULT,
            history_bytes: HISTORY_BYTES_DEFAULT,
            parked_max: PARKED_MAX_DEFAULT,
            durability: Durability::default(),
            create: true,
            read_only: false,
            id: None,
            observer: ObserverHandle::default(),
            salvage: Salvage::default(),
        }
    }
}

impl Options {
    /// Sets [`Options::history`].
    #[must_use]
    pub fn history(mut self, history: u64) -> Self {
        self.history = history;
        self
    }

    /// Sets [`Options::history_bytes`].
    #[must_use]
    pub fn history_bytes(mut self, history_bytes: u64) -> Self {
        self.history_bytes = history_bytes;
        self
    }

    /// Sets [`Options::parked_max`].
    #[must_use]
    pub fn parked_max(mut self, parked_max: usize) -> Self {
        self.parked_max = parked_max;
        self
    }

    /// Sets [`Options::durability`].
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets [`Options::create`].
    #[must_use]
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Sets [`Options::read_only`].
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Sets [`Options::id`].
    #[must_use]
    pub fn id(mut self, id: Uuid) -> Self {
        self.id = Some(id);
        self
    }

    /// Opens a store that has unreadable rows: `save` receives all of them, and after it returns they are
    /// deleted in one durable step. With [`Options::read_only`] they are left out and not deleted. Default: the
    /// open fails with the first such row.
    ///
    /// `save` MUST have stored the rows durably when it returns `Ok`. It is not called if every row can be
    /// read. Damage that it cannot repair remains an error of the open: damaged pages of a file, an unreadable
    /// record of the journal, a row of a newer format.
    ///
    /// # Errors
    /// If `save` fails, the open fails with [`crate::OpenError::Io`] and changes nothing.
    #[must_use]
    pub fn salvage(
        mut self,
        save: impl Fn(&[UnreadableRow]) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        // Also turns salvage on: without a function to save the rows, deleting them would lose them.
        self.salvage = Salvage(Some(Arc::new(save)));
        self
    }

    /// Sets the observer that the store reports its work to. Default: none.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = ObserverHandle(Some(observer));
        self
    }
}
