//! Snapshots, plain and tracked.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use crate::range::Span;
use crate::root::{Root, TreeId};
use crate::view::{ReadView, sealed};

/// All tables as of one commit. It never changes, costs one pointer and holds up no writer.
#[derive(Clone)]
pub struct Snapshot(pub(crate) Arc<Root>);

impl Snapshot {
    /// The index of the last commit that is in the snapshot; 0 for a store never written to.
    pub fn index(&self) -> u64 {
        self.0.index
    }

    /// Returns a snapshot of the same state that notes the ranges read through it.
    ///
    /// For code that reads through a [`Tracked`] and has to go on at a state that it read before, such as
    /// the next part of a list. Cost: one pointer.
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

/// A snapshot that notes every range that is read through it, absent keys included, so that
/// whatever was read can be watched: see [`crate::Store::blocking`].
pub struct Tracked {
    root: Arc<Root>,
    reads: RefCell<Vec<(TreeId, Span)>>,
    /// Ranges that count for the index alone.
    index_only: RefCell<Vec<(TreeId, Span)>>,
}

impl Tracked {
    pub(crate) fn new(root: Arc<Root>) -> Self {
        Self { root, reads: RefCell::default(), index_only: RefCell::default() }
    }

    /// The index of what was read so far: the highest commit index at which something in the
    /// ranges changed, deletes included, and never 0.
    ///
    /// It may be too new by changes of neighbouring keys, but is never too old, and for the same
    /// reads it never goes back.
    pub fn index(&self) -> u64 {
        index_of(&self.root, &self.reads.borrow())
            .max(index_of(&self.root, &self.index_only.borrow()))
    }

    /// Returns the state that it reads, without its notes. Cost: one pointer.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(Arc::clone(&self.root))
    }

    /// The ranges that were read.
    pub(crate) fn into_reads(self) -> Vec<(TreeId, Span)> {
        self.reads.into_inner()
    }
}

/// The index of what never changed. Not 0, which clients take for "do not block", and no commit's, or
/// a reader of an empty store would not be told of the first one.
pub(crate) const UNCHANGED: u64 = 1;

/// The index of a set of ranges, at least [`UNCHANGED`].
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
        // A loop that asks for the same row again and again needs one registration.
        if reads.last().is_none_or(|last| last.0 != tree || last.1 != *span) {
            reads.push((tree, span.clone()));
        }
    }

    fn track_key(&self, tree: TreeId, key: &[u8]) {
        self.track(tree, &Span::key(key));
    }

    fn track_index(&self, tree: TreeId, span: &Span) {
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
