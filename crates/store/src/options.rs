//! How a store is run.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::observer::{Observer, ObserverHandle};
use crate::salvage::{Salvage, UnreadableRow};

/// Readers that may wait in blocking queries at the same time, by default.
pub const PARKED_MAX_DEFAULT: usize = 100_000;

/// Commits that the journal keeps for the change feed, by default.
pub const HISTORY_DEFAULT: u64 = 10_000;

/// Bytes of records that the journal keeps for the change feed, by default.
///
/// As many as may wait for a checkpoint at most, so that the bound adds no more to the file than a busy store
/// needs anyway; 10,000 commits of 6 KiB fit. A consumer that is further behind than this reads a
/// snapshot sooner than the commits that it missed.
pub const HISTORY_BYTES_DEFAULT: u64 = 64 << 20;

/// When a commit is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// When it is on disk. Nobody sees what a crash could take back.
    #[default]
    Immediate,
    /// When it is visible; it is on disk at most `flush_every` later, together with all before it.
    ///
    /// A crash takes the last commits back, acknowledged ones too: what is there after it is what
    /// some prefix of them made. At most those of the last `flush_every` are lost, and the time that
    /// one durable write takes; or fewer, as a commit waits for the disk when more than
    /// [`UNFLUSHED_MAX`] bytes have gathered. Indexes that were taken back are given again.
    /// [`crate::Store::flush`] makes everything durable now; closing the store does too.
    Relaxed {
        /// How long a commit may wait for its durable write.
        flush_every: Duration,
    },
}

/// Bytes of changes that may wait for their durable write under [`Durability::Relaxed`].
pub const UNFLUSHED_MAX: u64 = 16 << 20;

/// How a store is run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Maximum number of commits that the journal keeps for [`crate::Store::changes_since`]. Default:
    /// [`HISTORY_DEFAULT`].
    ///
    /// A commit that passes this or [`Options::history_bytes`] drops the oldest ones, down to a sixteenth
    /// below the bound. One that the rows on disk lack is kept in any case, until the next checkpoint: that
    /// begins at 8 MiB of changes, and commits wait for it at 64 MiB.
    pub history: u64,
    /// Maximum size in bytes of the records that the journal keeps, with the exception of
    /// [`Options::history`]. Default: [`HISTORY_BYTES_DEFAULT`].
    ///
    /// The file is larger than its records: see [`crate::Store::history_bytes`].
    pub history_bytes: u64,
    /// Readers that may wait in blocking queries at the same time; one more gets
    /// [`crate::WatchError::TooMany`]. Default: [`PARKED_MAX_DEFAULT`].
    pub parked_max: usize,
    /// When a commit is acknowledged. Default: [`Durability::Immediate`].
    pub durability: Durability,
    /// Whether a store is made where there is none. Where not, opening such a directory is
    /// [`crate::OpenError::NoStore`]: for tools, which get names of directories from people. Default: yes.
    pub create: bool,
    /// Whether the store is only read: no byte of the directory changes, other readers may have it open at the
    /// same time, a writer may not, and every write is [`crate::BeginError::ReadOnly`]. A directory without
    /// a store is [`crate::OpenError::NoStore`]. Default: no.
    pub read_only: bool,
    /// The identity of a store that is created, or that an older build wrote without one. Default: a random
    /// one.
    pub id: Option<Uuid>,
    pub(crate) observer: ObserverHandle,
    pub(crate) salvage: Salvage,
}

/// The part of the journal that is kept for the change feed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct History {
    pub(crate) commits: u64,
    /// Bytes of records.
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

    /// Opens a store that has rows which can't be read: `save` gets all of them, and when it returns
    /// they are deleted, in one durable step. With [`Options::read_only`] they are only left out.
    /// Default: the first such row is the error of the open.
    ///
    /// `save` MUST have stored the rows durably when it returns `Ok`. It is not called when every row
    /// can be read. What it can't help with stays an error: damaged pages of a file, a record of the
    /// journal that can't be read, a row of a newer format.
    ///
    /// # Errors
    /// An error of `save` is [`crate::OpenError::Io`] of the open, and nothing is changed.
    #[must_use]
    pub fn salvage(
        mut self,
        save: impl Fn(&[UnreadableRow]) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
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
