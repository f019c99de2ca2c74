//! The shapes of rows: which bytes the reader of a row type expects, found by asking the reader.
//!
//! Rows are stored without field names and without kinds, so bytes mean only what their reader takes
//! them for. A [`Shape`] is that meaning as data: [`probe`] runs the type's `Deserialize` on dummy
//! values and records which kinds it asks for; [`write`] walks the shape in step with `Serialize`
//! and refuses a row that its own reader would not get back; [`text`] is the shape as one line, which
//! the rows file keeps for each table and version; [`diff`] finds where two shapes part.
//!
//! Names of types are no part of a shape, nor are newtypes: neither is in the bytes, so renaming or
//! wrapping a type is no change. Names of fields and variants are part of it: bytes of two swapped fields
//! can only be told from each other by them.
//!
//! A value that validates can refuse every dummy, which hides the elements of a tuple behind it. The first row
//! that is written or loaded then has a value that is good: the probe runs again with the values of that row,
//! and [`Shape::latest`] is the shape that it found. [`merge`] keeps what an earlier probe knew.
//!
//! Invariant: a probe ends. Its passes, its steps and its depth have limits, and where one of them is
//! met the rest of the type is [`Node::Opaque`].

mod diff;
mod error;
mod explore;
mod finish;
mod merge;
mod probe;
mod recorded;
mod step;
mod text;
mod values;
mod versions;
mod write;

use std::any::TypeId;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use serde::de::DeserializeOwned;

use diff::compare_read;
pub(crate) use diff::{Compared, compare};
pub(crate) use error::Unreadable;
pub(crate) use recorded::{RecordedShape, RecordedShapes};
pub(crate) use values::Values;
pub(crate) use versions::Versions;
pub(crate) use write::{Outcome, Walk, What};

/// The position of a node in its shape.
type Id = u32;

/// What the reader of a row type asks for, as a graph: types that hold themselves are cycles.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The first one is the row.
    nodes: Box<[Node]>,
    /// Whether every part is known.
    whole: bool,
    /// Probes with the values of rows that this shape or an earlier one led to.
    probes: AtomicUsize,
    /// The shape that knows more of the type.
    later: OnceLock<Arc<Shape>>,
}

/// Probes with the values of rows for one type in a process at most. Each takes as long as the first one.
const PROBES_MAX: usize = 16;

/// A value that a reader asks for.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    Scalar(Scalar),
    Option(Id),
    /// A number of values that the bytes begin with.
    Seq(Id),
    Map(Id, Id),
    Fields(Fields),
    Enum(Box<[Variant]>),
    /// A value whose kind is not known, or not always the same one.
    Opaque,
}

/// Values one after the other: a struct, a tuple, an array, or the content of a variant.
#[derive(Clone, Debug, PartialEq)]
struct Fields {
    /// Whether it is a struct; its fields may lack names still.
    named: bool,
    list: Box<[Field]>,
    /// Whether the reader came to its end, so that there are no further fields.
    whole: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Field {
    /// The field's name for serde; `None` where the reader's list has aliases and so doesn't say.
    name: Option<Cow<'static, str>>,
    node: Id,
}

#[derive(Clone, Debug, PartialEq)]
struct Variant {
    /// As [`Field::name`].
    name: Option<Cow<'static, str>>,
    /// A unit, [`Fields`] or [`Node::Opaque`].
    content: Id,
}

/// A value without parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Scalar {
    Bool,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    String,
    Bytes,
    Unit,
}

impl Shape {
    fn new(nodes: Vec<Node>) -> Self {
        let whole = nodes.iter().all(|node| match node {
            Node::Opaque => false,
            Node::Fields(fields) => fields.whole,
            _ => true,
        });
        Self { nodes: nodes.into(), whole, probes: AtomicUsize::new(0), later: OnceLock::new() }
    }

    /// The shape of a row type. Probed once for each type in a process: some hundred passes over it.
    pub(crate) fn of<R: DeserializeOwned + 'static>() -> Result<Arc<Self>, Unreadable> {
        type Known = BTreeMap<TypeId, Result<Arc<Shape>, Unreadable>>;
        static KNOWN: Mutex<Known> = Mutex::new(BTreeMap::new());
        if let Some(known) = KNOWN.lock().get(&TypeId::of::<R>()) {
            return known.clone();
        }
        // Not under the lock: a reader is foreign code, and may build a schema of its own.
        let found = explore::explore::<R>(Values::default()).map(Arc::new);
        KNOWN.lock().entry(TypeId::of::<R>()).or_insert(found).clone()
    }

    /// Whether a row may come back in another order than it was written in, as a hash map does.
    pub(crate) fn has_lists(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node, Node::Seq(_) | Node::Map(..) | Node::Opaque))
    }

    /// The shape that knows most of the type by now.
    pub(crate) fn latest(&self) -> &Self {
        let mut latest = self;
        while let Some(later) = latest.later.get() {
            latest = later;
        }
        latest
    }

    /// How often the shape gained a part.
    pub(crate) fn gains(&self) -> usize {
        std::iter::successors(self.later.get(), |later| later.later.get()).count()
    }

    /// Whether every part of the type is known.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Probes the type of the rows again, with the values of a row that its reader accepts.
    pub(crate) fn learn<R: DeserializeOwned>(&self, values: Values) {
        let latest = self.latest();
        let probes = latest.probes.fetch_add(1, Ordering::Relaxed);
        if probes >= PROBES_MAX || latest.whole {
            return;
        }
        let Ok(found) = explore::explore::<R>(values) else { return };
        let joined = merge::merge(latest, &found);
        if joined.nodes != latest.nodes {
            joined.probes.store(probes + 1, Ordering::Relaxed);
            // Where another row came first, a later one brings the rest.
            let _ = latest.later.set(Arc::new(joined));
        }
    }

    fn node(&self, id: Id) -> &Node {
        self.nodes.get(id as usize).unwrap_or(&Node::Opaque)
    }
}

#[cfg(test)]
mod tests;
