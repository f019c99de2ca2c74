//! The serializer that checks a row against the shape that its reader expects.
//!
//! It passes every call to the codec's serializer, so the bytes are the codec's, and stops at the first call
//! that the reader does not expect.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::ser::{Error, Serialize};

use super::step::Checked;
use super::{Field, Fields, Node, Scalar, Shape, Values, Variant};

/// The name of an option in messages.
pub(super) const AN_OPTION: &str = "an option";

/// A row on its way to the codec.
pub(crate) struct Walk<'a> {
    shape: &'a Shape,
    /// Whether a part was written that the shape does not know.
    unknown: Cell<bool>,
    /// The values of the row, if the shape is partly known.
    values: Option<RefCell<Values>>,
    fault: RefCell<Option<Fault>>,
}

/// The outcome of a row that was written by a [`Walk`].
pub(crate) enum Outcome {
    /// Its reader expects exactly the written values.
    Agrees,
    /// The shape does not know every written part: it can learn from these values.
    Unknown(Values),
    /// It was written differently than it is read. If only the kind of a value differs, the read-back may still
    /// succeed: `certain` is then false.
    Disagrees { certain: bool, reason: String },
    /// The codec rejected it.
    Refused,
}

/// A call that the reader does not expect.
struct Fault {
    what: What,
    /// The path to the value, from the inside out.
    path: Vec<String>,
}

/// The fault of a value.
pub(crate) enum What {
    /// It is read back as another value.
    Changed,
    /// Its reader rejects the value with this message.
    Refused {
        words: String,
    },
    Skipped,
    Fewer {
        written: usize,
        read: usize,
    },
    More {
        read: usize,
    },
    Moved,
    NoLength,
    Length {
        announced: usize,
        written: usize,
    },
    NoVariant,
    Kind {
        written: &'static str,
        read: &'static str,
        same_bytes: bool,
    },
    VariantName {
        written: &'static str,
        read: String,
    },
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => f.write_str(
                "is the first one that is read back as another value: let Serialize and Deserialize \
                 agree, and change values before they are written",
            ),
            Self::Refused { words } => write!(
                f,
                "is refused by its own reader ({words}): check it before it is written, or let its \
                 Deserialize accept it"
            ),
            Self::Skipped => f.write_str(
                "was left out when the row was written, and rows are read without names: remove \
                 #[serde(skip_serializing_if)], and give the API a type of its own",
            ),
            Self::Fewer { written, read } => write!(
                f,
                "is written with {written} fields and read with {read}: replace \
                 #[serde(skip_serializing)] by #[serde(skip)], and give the API a type of its own"
            ),
            Self::More { read } => write!(
                f,
                "is written with more than the {read} fields that are read: replace \
                 #[serde(skip_deserializing)] by #[serde(skip)], remove #[serde(tag)], and give the \
                 API a type of its own"
            ),
            Self::Moved => f.write_str(
                "is written in another place than it is read from: let Serialize and Deserialize \
                 name the fields in one order",
            ),
            Self::NoLength => f.write_str(
                "is a list or map whose length is not known before it is written: collect it first",
            ),
            Self::Length { announced, written } => write!(
                f,
                "is a list or map of {announced} elements by its Serialize, which then writes {written}: \
                 let it pass the number that it writes"
            ),
            Self::NoVariant => f.write_str(
                "has a variant that is never read: move variants with #[serde(skip)] to the end, \
                 and write none of them",
            ),
            Self::Kind { written, read, .. } => write!(
                f,
                "is written as {written} and read as {read}: let Serialize and Deserialize agree"
            ),
            Self::VariantName { written, read } => write!(
                f,
                "is written as the variant {written} and read as {read}: move variants with \
                 #[serde(skip)] to the end"
            ),
        }
    }
}

impl<'a> Walk<'a> {
    pub(crate) fn new(shape: &'a Shape) -> Self {
        // A whole shape has nothing to learn, so most rows collect no values.
        let values = (!shape.is_whole()).then(RefCell::default);
        Self { shape, unknown: Cell::new(false), values, fault: RefCell::new(None) }
    }

    /// Creates a walk over a row whose writer stops at a known fault, in order to find its field.
    pub(crate) fn stopped(shape: &'a Shape, what: What) -> Self {
        let fault = Fault { what, path: Vec::new() };
        Self { fault: RefCell::new(Some(fault)), ..Self::new(shape) }
    }

    /// Returns a row that is checked while it is written.
    pub(crate) fn row<'r, R: Serialize>(&'r self, row: &'r R) -> impl Serialize + 'r
    where
        'a: 'r,
    {
        Checked { value: row, at: At { walk: self, node: self.shape.node(0) } }
    }

    /// Returns the outcome, after the codec is done with the row.
    pub(crate) fn outcome(self, written: bool) -> Outcome {
        match self.fault.into_inner() {
            Some(fault) => {
                // Values of two kinds, and variants under another name, can have equal bytes: the read-back
                // decides those.
                let certain = !matches!(
                    fault.what,
                    What::Kind { same_bytes: true, .. } | What::VariantName { .. }
                );
                // Each level adds its step while the error unwinds, so the steps are in reverse.
                let path: Vec<String> = fault.path.into_iter().rev().collect();
                let reason = match path.join(".").replace(".[]", "[]") {
                    path if path.is_empty() => format!("the row {}", fault.what),
                    path => format!("the field `{path}` {}", fault.what),
                };
                Outcome::Disagrees { certain, reason }
            }
            None if !written => Outcome::Refused,
            None if self.unknown.get() => {
                Outcome::Unknown(self.values.map(RefCell::into_inner).unwrap_or_default())
            }
            None => Outcome::Agrees,
        }
    }
}

/// The place in a shape at which a value is written.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    walk: &'a Walk<'a>,
    pub(super) node: &'a Node,
}

impl<'a> At<'a> {
    #[inline]
    pub(super) fn to(self, node: &'a Node) -> Self {
        Self { node, ..self }
    }

    #[inline]
    pub(super) fn child(self, id: super::Id) -> Self {
        self.to(self.walk.shape.node(id))
    }

    #[cold]
    pub(super) fn fault<E: Error>(self, what: What) -> E {
        *self.walk.fault.borrow_mut() = Some(Fault { what, path: Vec::new() });
        // The codec discards this message; `outcome` builds the one that callers see.
        E::custom("a row that can't be read back")
    }

    #[cold]
    pub(super) fn kind<E: Error>(self, written: &'static str) -> E {
        let read = match self.node {
            Node::Scalar(scalar) => scalar.name(),
            Node::Option(_) => AN_OPTION,
            Node::Seq(_) => "a list",
            Node::Map(..) => "a map",
            Node::Fields(_) => "a struct or tuple",
            Node::Enum(_) => "an enum",
            Node::Opaque => "anything",
        };
        // Whether an option has a value is a byte of its own, so bytes that match by chance would have two
        // meanings, such as a bare 0 that is read as `None`.
        let same_bytes = written != AN_OPTION && !matches!(self.node, Node::Option(_));
        self.fault(What::Kind { written, read, same_bytes })
    }

    /// Adds a step to the path of a fault further in.
    #[cold]
    pub(super) fn inside(self, step: impl FnOnce() -> String) {
        if let Some(fault) = &mut *self.walk.fault.borrow_mut() {
            fault.path.push(step());
        }
    }

    /// Records a value from which the shape may learn.
    #[inline]
    pub(super) fn seen(self, add: impl FnOnce(&mut Values)) {
        if let Some(values) = &self.walk.values {
            add(&mut values.borrow_mut());
        }
    }

    /// Returns whether any value may be written here.
    #[inline]
    pub(super) fn is_unknown(self) -> bool {
        let unknown = matches!(self.node, Node::Opaque);
        if unknown {
            self.walk.unknown.set(true);
        }
        unknown
    }

    #[inline]
    pub(super) fn scalar<E: Error>(self, scalar: Scalar) -> Result<(), E> {
        match self.node {
            Node::Scalar(read) if *read == scalar => Ok(()),
            // The probe could not see this part, so the read-back decides.
            _ if self.is_unknown() => Ok(()),
            _ => Err(self.kind(scalar.name())),
        }
    }

    #[inline]
    pub(super) fn fields<E: Error>(self, written: &'static str) -> Result<Rest<'a>, E> {
        match self.node {
            Node::Fields(fields) => Ok(Rest::of(fields)),
            _ if self.is_unknown() => Ok(Rest::ANY),
            _ => Err(self.kind(written)),
        }
    }

    /// Returns the variant at a position; `None` if it is unknown.
    #[inline]
    pub(super) fn variant<E: Error>(
        self,
        position: u32,
        name: &'static str,
    ) -> Result<Option<&'a Variant>, E> {
        match self.node {
            Node::Enum(variants) => {
                let variant = variants.get(position as usize);
                let variant = variant.ok_or_else(|| self.fault(What::NoVariant))?;
                match &variant.name {
                    // The position is right, so the reader would accept the bytes as another variant.
                    Some(read) if !same(read, name) => {
                        let read = read.clone().into_owned();
                        Err(self.fault(What::VariantName { written: name, read }))
                    }
                    _ => Ok(Some(variant)),
                }
            }
            _ if self.is_unknown() => Ok(None),
            _ => Err(self.kind("an enum")),
        }
    }

    #[inline]
    pub(super) fn content<E: Error>(
        self,
        position: u32,
        name: &'static str,
        written: &'static str,
    ) -> Result<Rest<'a>, E> {
        match self.variant(position, name)? {
            None => Ok(Rest::ANY),
            Some(variant) => self.child(variant.content).fields(written),
        }
    }
}

/// The fields that remain to be written.
#[derive(Clone, Copy)]
pub(super) struct Rest<'a> {
    list: &'a [Field],
    pub(super) next: usize,
    /// Whether the list is complete.
    whole: bool,
}

impl<'a> Rest<'a> {
    pub(super) const ANY: Self = Self { list: &[], next: 0, whole: false };

    fn of(fields: &'a Fields) -> Self {
        Self { list: &fields.list, next: 0, whole: fields.whole }
    }

    #[inline]
    pub(super) fn next<E: Error>(
        &mut self,
        at: At<'a>,
        key: Option<&'static str>,
    ) -> Result<At<'a>, E> {
        let position = self.next;
        self.next += 1;
        match self.list.get(position) {
            Some(Field { name: Some(name), node }) => {
                // Names may differ from those that are read, as `rename` allows, but must not change places.
                if let Some(key) = key
                    && !same(name, key)
                    && self.list.iter().any(|field| field.name.as_deref() == Some(key))
                {
                    let fault = at.fault(What::Moved);
                    at.inside(|| key.to_owned());
                    return Err(fault);
                }
                Ok(at.child(*node))
            }
            Some(Field { node, .. }) => Ok(at.child(*node)),
            None if self.whole => Err(at.fault(What::More { read: self.list.len() })),
            // The probe did not reach the end of the fields, so further ones may follow.
            None => Ok(at.to(&Node::Opaque)),
        }
    }

    #[inline]
    pub(super) fn end<E: Error>(self, at: At<'a>) -> Result<(), E> {
        if !self.whole {
            at.walk.unknown.set(true);
        } else if self.next != self.list.len() {
            return Err(at.fault(What::Fewer { written: self.next, read: self.list.len() }));
        }
        Ok(())
    }
}

/// Returns whether two names are equal; usually they are the same constant.
#[inline]
fn same(read: &str, written: &str) -> bool {
    // The pointers are compared first, because both are usually one constant of the derive.
    std::ptr::eq(read, written) || read == written
}
