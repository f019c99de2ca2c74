//! Converts the explored nodes into a shape.

use std::borrow::Cow;
use std::collections::HashMap;

use super::explore::{Draft, Explorer, Kind, OPAQUE, ROOT, Tried};
use super::{Field, Fields, Id, Node, Scalar, Shape, Variant};

/// Returns the shape that an explorer found.
pub(super) fn finish(explorer: Explorer) -> Shape {
    let mut shape = Finish { drafts: explorer.nodes, nodes: Vec::new(), numbers: HashMap::new() };
    let row = shape.drafts[ROOT as usize].children.first().copied().flatten();
    shape.node(row);
    Shape::new(shape.nodes)
}

struct Finish {
    drafts: Vec<Draft>,
    nodes: Vec<Node>,
    numbers: HashMap<Id, Id>,
}

impl Finish {
    /// Adds a node with its children and returns its number. A part that was never read is opaque.
    fn node(&mut self, draft: Option<Id>) -> Id {
        let draft = draft.unwrap_or(OPAQUE);
        if let Some(number) = self.numbers.get(&draft) {
            return *number;
        }
        let number = Id::try_from(self.nodes.len()).unwrap_or(Id::MAX);
        self.numbers.insert(draft, number);
        // Numbered before its children, which may contain it.
        self.nodes.push(Node::Opaque);
        let node = self.build(draft);
        self.nodes[number as usize] = node;
        number
    }

    fn build(&mut self, draft: Id) -> Node {
        let taken = &mut self.drafts[draft as usize];
        let (children, tried) = (std::mem::take(&mut taken.children), taken.tried.clone());
        let (kind, names, whole) = (taken.kind, taken.names, taken.taken);
        let child = |slot: usize| children.get(slot).copied().flatten();
        if taken.unsteady {
            return Node::Opaque;
        }
        match kind {
            Kind::Opaque => Node::Opaque,
            Kind::Scalar(scalar) => Node::Scalar(scalar),
            Kind::Option => Node::Option(self.node(child(0))),
            Kind::Seq => Node::Seq(self.node(child(0))),
            Kind::Map => {
                let key = self.node(child(0));
                Node::Map(key, self.node(child(1)))
            }
            Kind::Tuple | Kind::Struct => {
                // Fields after the end of an incomplete read are known by name only.
                let len = whole.unwrap_or(names.len().max(children.len()));
                let named = kind == Kind::Struct && names.len() == len;
                let list = (0..len).map(|slot| Field {
                    name: names.get(slot).filter(|_| named).map(|name| Cow::Borrowed(*name)),
                    node: self.node(child(slot)),
                });
                let list = list.collect();
                Node::Fields(Fields { named: kind == Kind::Struct, list, whole: whole.is_some() })
            }
            Kind::Enum => {
                let count = tried.iter().take_while(|tried| **tried != Tried::Absent).count();
                let named = names.len() == count;
                let variants = (0..count).map(|at| Variant {
                    name: names.get(at).filter(|_| named).map(|name| Cow::Borrowed(*name)),
                    content: self.node(child(at)),
                });
                Node::Enum(variants.collect())
            }
        }
    }
}

impl Node {
    pub(super) const UNIT: Self = Self::Scalar(Scalar::Unit);
}
