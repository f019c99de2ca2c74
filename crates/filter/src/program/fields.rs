//! The most common clause: a field, or a key of a map field, by `==` or `!=`.
//!
//! Such a clause is evaluated on the type of the row instead of `dyn Record`, so a row costs one
//! jump to its field. [`Fields`] visits a row for that purpose; the derive implements
//! [`Filterable::accept`](crate::Filterable::accept).

use crate::datum::{Datum, Record, RowVisitor};
use crate::literal::{Scalar, same_text};
use crate::schema::Key;

/// A field of the row or of an element, compared with a value.
#[derive(Debug)]
pub(crate) struct FieldLeaf {
    pub(crate) owner: Owner,
    /// The slots from the owner to the struct that has the field.
    pub(crate) way: Box<[usize]>,
    pub(crate) slot: usize,
    /// The key to look up in the field, which is then a map.
    pub(crate) key: Option<Key>,
    pub(crate) literal: Scalar,
    pub(crate) negated: bool,
    /// Whether it is a field of the owner itself, with neither way nor key.
    pub(crate) own: bool,
}

/// The struct that a field belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Row,
    /// The element of the quantifier `.0` steps outwards.
    Element(usize),
}

/// A conjunction of clauses on the fields of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'p>(pub(crate) &'p [FieldLeaf]);

impl RowVisitor for Fields<'_> {
    #[inline]
    fn visit_record(self, record: &impl Record) -> bool {
        self.0.iter().all(|leaf| leaf.holds(record))
    }

    fn visit_datum(self, datum: &Datum<'_>) -> bool {
        self.0.iter().all(|leaf| leaf.holds_for(datum))
    }
}

impl FieldLeaf {
    /// Returns whether the struct at the start of the path satisfies the clause.
    #[inline]
    fn holds(&self, owner: &impl Record) -> bool {
        let equal = match (&self.literal, self.own) {
            (Scalar::Text(own), true) => {
                owner.text(self.slot).is_some_and(|text| same_text(own, text))
            }
            (Scalar::Bool(own), true) => bool_is(owner, self.slot, *own),
            (_, true) => self.equals_other(owner),
            (_, false) => self.equals_inside(owner),
        };
        equal != self.negated
    }

    /// Compares a field of a struct inside the owner, or a key of a map. Not inlined, to keep
    /// [`holds`](Self::holds) small.
    #[inline(never)]
    fn equals_inside(&self, owner: &impl Record) -> bool {
        match &*self.way {
            [] => self.equals(owner),
            [first, rest @ ..] => owner
                .record(*first)
                .and_then(|inner| follow(inner, rest))
                .is_some_and(|record| self.equals(record)),
        }
    }

    /// Like [`holds`](Self::holds) for a datum; one that is not a struct has no fields.
    #[inline]
    pub(crate) fn holds_for(&self, owner: &Datum<'_>) -> bool {
        let equal = match owner {
            Datum::Record(record) => {
                follow(*record, &self.way).is_some_and(|record| self.equals(record))
            }
            _ => false,
        };
        equal != self.negated
    }

    #[inline]
    fn equals<R: Record + ?Sized>(&self, record: &R) -> bool {
        match (&self.literal, &self.key) {
            (Scalar::Text(own), None) => {
                record.text(self.slot).is_some_and(|text| same_text(own, text))
            }
            (Scalar::Text(own), Some(key)) => record
                .map(self.slot)
                .and_then(|map| map.text(key))
                .is_some_and(|text| same_text(own, text)),
            _ => self.equals_other(record),
        }
    }

    /// Compares a value that is not a string. Not inlined, because each row's numbers would be read
    /// before any clause.
    #[inline(never)]
    fn equals_other<R: Record + ?Sized>(&self, record: &R) -> bool {
        match (&self.literal, &self.key) {
            (Scalar::Bool(own), None) => record.bool(self.slot) == Some(*own),
            (Scalar::Int(own), None) => record.int(self.slot) == Some(*own),
            (Scalar::Uint(own), None) => record.uint(self.slot) == Some(*own),
            (other, None) => other.equals(&record.field(self.slot)),
            (other, Some(key)) => record
                .map(self.slot)
                .and_then(|map| map.get(key))
                .is_some_and(|value| other.equals(&value)),
        }
    }
}

/// Compares a bool. Not inlined, because each row's bools would be read before any clause.
#[inline(never)]
fn bool_is(record: &impl Record, slot: usize, own: bool) -> bool {
    record.bool(slot) == Some(own)
}

/// Returns the struct at the end of a path of slots.
pub(crate) fn follow<'r>(record: &'r dyn Record, way: &[usize]) -> Option<&'r dyn Record> {
    way.iter().try_fold(record, |record, slot| record.record(*slot))
}
