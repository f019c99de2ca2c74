//! Snapshots, plain and tracked.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use crate::range::Span;
use crate::root::{Root, TreeId};
use crate::view::{ReadView, sealed};

/// All tables as of one commit. A snapshot is immutable, costs one pointer and never blocks a writer.
#[derive(Clone)]
pub struct Snapshot(pub(crate) Arc<Root>);

impl Snapshot {
    /// Returns the index of the last commit in the snapshot; 0 for a store that was never written to.
    pub fn index(&self) -> u64 {
        self.0.index
    }

    /// Returns a snapshot of the same state that tracks the ranges read through it.
    ///
    /// For code that reads through a [`Tracked`] and must continue at an earlier state, such as the next page
    /// of a list. Cost: one pointer.
    pub fn tracked(&self) -> Tracked {
        Tracked::new(Arc::clone(&self.0))
    }
}

#[expect(private_interfaces, reason = "sealed")]
impl sealed::Reader for Snapshot {
    fn root(&self) -> &Root {
        &self.0
    }
}

impl ReadView for Snapshot {}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("index", &self.0.index).finish_non_exhaustive()
    }
}

/// A snapshot that tracks every range read through it, including absent keys, so that the reads can be watched:
/// see [`crate::Store::blocking`].
pub struct Tracked {
    root: Arc<Root>,
    reads: RefCell<Vec<(TreeId, Span)>>,
    /// Ranges that count for the index only.
    index_only: RefCell<Vec<(TreeId, Span)>>,
}

impl Tracked {
    pub(crate) fn new(root: Arc<Root>) -> Self {
        Self { root, reads: RefCell::default(), index_only: RefCell::default() }
    }

    /// Returns the index of all reads so far: the highest commit index at which a key in the tracked ranges
    /// changed, deletes included. Never returns 0.
    ///
    /// The index may be too new because of changes of neighbouring keys, but is never too old, and for the same
    /// reads it never decreases.
    pub fn index(&self) -> u64 {
        index_of(&self.root, &self.reads.borrow())
            .max(index_of(&self.root, &self.index_only.borrow()))
    }

    /// Returns the state that it reads, without the tracked ranges. Cost: one pointer.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(Arc::clone(&self.root))
    }

    /// Returns the ranges that were read.
    pub(crate) fn into_reads(self) -> Vec<(TreeId, Span)> {
        self.reads.into_inner()
    }
}

/// The index of data that never changed. Not 0, which clients use for "do not block". Not the index of a commit
/// either, or a reader of an empty store would miss the first commit.
pub(crate) const UNCHANGED: u64 = 1;

/// Returns the index of a set of ranges, at least [`UNCHANGED`].
pub(crate) fn index_of(root: &Root, reads: &[(TreeId, Span)]) -> u64 {
    reads.iter().map(|(tree, span)| root.last_change(*tree, span)).fold(UNCHANGED, u64::max)
}

#[expect(private_interfaces, reason = "sealed")]
impl sealed::Reader for Tracked {
    fn root(&self) -> &Root {
        &self.root
    }

    fn track(&self, tree: TreeId, span: &Span) {
        let mut reads = self.reads.borrow_mut();
        // A loop that reads the same row repeatedly needs one registration. Only the last range is compared,
        // because a search of all of them would make long queries quadratic.
        if reads.last().is_none_or(|last| last.0 != tree || last.1 != *span) {
            reads.push((tree, span.clone()));
        }
    }

    fn track_key(&self, tree: TreeId, key: &[u8]) {
        self.track(tree, &Span::key(key));
    }

    fn track_index(&self, tree: TreeId, span: &Span) {
        // Kept apart from `reads`, which the registry watches.
        self.index_only.borrow_mut().push((tree, span.clone()));
    }
}

impl ReadView for Tracked {}

impl fmt::Debug for Tracked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracked")
            .field("index", &self.root.index)
            .field("reads", &self.reads.borrow().len())
            .finish_non_exhaustive()
    }
}
