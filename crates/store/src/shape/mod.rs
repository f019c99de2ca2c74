//! The shapes of rows: the bytes that the reader of a row type expects, found by running the reader.
//!
//! Rows are stored without field names and types, so their bytes can be decoded only by their reader. A
//! [`Shape`] describes this encoding as data: [`probe`] runs the type's `Deserialize` on dummy values and
//! records the types that it requests; [`write`] walks the shape in step with `Serialize` and rejects a row
//! that its own reader would not get back; [`text`] is the shape on one line, which the rows file keeps for
//! each table and version; [`diff`] finds the first difference of two shapes.
//!
//! Names of types are not part of a shape, nor are newtypes: neither is in the bytes, so renaming or wrapping a
//! type is no change. Names of fields and variants are part of it: only they distinguish the bytes of two
//! swapped fields.
//!
//! A value that validates can reject every dummy, which hides the elements of a tuple after it. The first row
//! that is written or loaded then has an accepted value: the probe runs again with the values of that row, and
//! [`Shape::latest`] is the resulting shape. [`merge`] keeps the knowledge of earlier probes.
//!
//! Invariant: a probe terminates. Its passes, steps and depth have limits; at a limit the rest of the type
//! becomes [`Node::Opaque`].

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

/// The types that the reader of a row type requests, as a graph: recursive types are cycles.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The first one is the row.
    nodes: Box<[Node]>,
    /// Whether every part is known.
    whole: bool,
    /// Number of probes with the values of rows that led to this shape or an earlier one.
    probes: AtomicUsize,
    /// The shape with more knowledge of the type, once there is one.
    later: OnceLock<Arc<Shape>>,
}

/// Maximum number of probes with the values of rows for one type in a process. Each takes as long as the first
/// probe.
const PROBES_MAX: usize = 16;

/// A value that a reader requests.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    Scalar(Scalar),
    Option(Id),
    /// A number of values, with which the bytes begin.
    Seq(Id),
    Map(Id, Id),
    Fields(Fields),
    Enum(Box<[Variant]>),
    /// A value of unknown type, or of a type that varies.
    Opaque,
}

/// A sequence of values: a struct, a tuple, an array, or the content of a variant.
#[derive(Clone, Debug, PartialEq)]
struct Fields {
    /// Whether it is a struct, even if the names of its fields are unknown.
    named: bool,
    list: Box<[Field]>,
    /// Whether the reader reached its end, so that there are no further fields.
    whole: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Field {
    /// The field's name for serde; `None` if the reader's list has aliases, which makes it ambiguous.
    name: Option<Cow<'static, str>>,
    node: Id,
}

#[derive(Clone, Debug, PartialEq)]
struct Variant {
    /// See [`Field::name`].
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

    /// Returns the shape of a row type. Probed once for each type in a process, with some hundred passes.
    pub(crate) fn of<R: DeserializeOwned + 'static>() -> Result<Arc<Self>, Unreadable> {
        type Known = BTreeMap<TypeId, Result<Arc<Shape>, Unreadable>>;
        static KNOWN: Mutex<Known> = Mutex::new(BTreeMap::new());
        if let Some(known) = KNOWN.lock().get(&TypeId::of::<R>()) {
            return known.clone();
        }
        // Outside the lock: a reader is foreign code, which may build a schema of its own.
        let found = explore::explore::<R>(Values::default()).map(Arc::new);
        KNOWN.lock().entry(TypeId::of::<R>()).or_insert(found).clone()
    }

    /// Returns whether a row may decode to another order than it was written in, as a hash map does.
    pub(crate) fn has_lists(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node, Node::Seq(_) | Node::Map(..) | Node::Opaque))
    }

    /// Returns the shape with the most knowledge of the type.
    pub(crate) fn latest(&self) -> &Self {
        let mut latest = self;
        // The chain is short: each link is a probe, and `PROBES_MAX` limits them.
        while let Some(later) = latest.later.get() {
            latest = later;
        }
        latest
    }

    /// Returns the number of times the shape gained a part.
    pub(crate) fn gains(&self) -> usize {
        std::iter::successors(self.later.get(), |later| later.later.get()).count()
    }

    /// Returns whether every part of the type is known.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Probes the row type again, with the values of a row that its reader accepts.
    pub(crate) fn learn<R: DeserializeOwned>(&self, values: Values) {
        let latest = self.latest();
        let probes = latest.probes.fetch_add(1, Ordering::Relaxed);
        // A type whose parts no row reveals must not cost a probe for each row.
        if probes >= PROBES_MAX || latest.whole {
            return;
        }
        let Ok(found) = explore::explore::<R>(values) else { return };
        let joined = merge::merge(latest, &found);
        if joined.nodes != latest.nodes {
            joined.probes.store(probes + 1, Ordering::Relaxed);
            // Another row may have come first; a later one then adds the rest.
            let _ = latest.later.set(Arc::new(joined));
        }
    }

    fn node(&self, id: Id) -> &Node {
        self.nodes.get(id as usize).unwrap_or(&Node::Opaque)
    }
}

#[cfg(test)]
mod tests;
