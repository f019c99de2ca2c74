//! Merges two shapes of one type into one with the known parts of both.
//!
//! A probe may see less of a type than another one, because it had other values to try. Knowledge of the rows
//! of a version only grows.

use std::collections::HashMap;

use super::{Field, Fields, Id, Node, Shape, Variant};

/// Merges two shapes that do not differ.
pub(super) fn merge(was: &Shape, is: &Shape) -> Shape {
    let mut merge = Merge { was, is, nodes: Vec::new(), numbers: HashMap::new() };
    merge.node(Some(0), Some(0));
    Shape::new(merge.nodes)
}

struct Merge<'a> {
    was: &'a Shape,
    is: &'a Shape,
    nodes: Vec<Node>,
    numbers: HashMap<(Option<Id>, Option<Id>), Id>,
}

/// The part of one of the shapes at one place, if known.
type Part<'n> = Option<&'n Node>;

impl<'a> Merge<'a> {
    /// Adds the node at one place of both shapes and returns its number.
    fn node(&mut self, was: Option<Id>, is: Option<Id>) -> Id {
        let (of_was, of_is) = (self.was, self.is);
        let was = was.filter(|id| *of_was.node(*id) != Node::Opaque);
        let is = is.filter(|id| *of_is.node(*id) != Node::Opaque);
        if let Some(number) = self.numbers.get(&(was, is)) {
            return *number;
        }
        let number = Id::try_from(self.nodes.len()).unwrap_or(Id::MAX);
        self.numbers.insert((was, is), number);
        // Numbered before its children, which may contain it.
        self.nodes.push(Node::Opaque);
        let node = self.build(was.map(|id| of_was.node(id)), is.map(|id| of_is.node(id)));
        self.nodes[number as usize] = node;
        number
    }

    fn build(&mut self, was: Part<'a>, is: Part<'a>) -> Node {
        match is.or(was) {
            None | Some(Node::Opaque) => Node::Opaque,
            Some(Node::Scalar(scalar)) => Node::Scalar(*scalar),
            Some(Node::Option(_)) => {
                let inner = |part: Part<'_>| match part {
                    Some(Node::Option(inner)) => Some(*inner),
                    _ => None,
                };
                Node::Option(self.node(inner(was), inner(is)))
            }
            Some(Node::Seq(_)) => {
                let element = |part: Part<'_>| match part {
                    Some(Node::Seq(element)) => Some(*element),
                    _ => None,
                };
                Node::Seq(self.node(element(was), element(is)))
            }
            Some(Node::Map(..)) => {
                let entry = |part: Part<'_>| match part {
                    Some(Node::Map(key, value)) => (Some(*key), Some(*value)),
                    _ => (None, None),
                };
                let (was, is) = (entry(was), entry(is));
                let key = self.node(was.0, is.0);
                Node::Map(key, self.node(was.1, is.1))
            }
            Some(Node::Fields(one)) => {
                let fields = |part: Part<'a>| match part {
                    Some(Node::Fields(fields)) => Some(fields),
                    _ => None,
                };
                Node::Fields(self.fields(fields(was), fields(is), one.named))
            }
            Some(Node::Enum(_)) => {
                let variants = |part: Part<'a>| match part {
                    Some(Node::Enum(variants)) => &**variants,
                    _ => &[],
                };
                Node::Enum(self.variants(variants(was), variants(is)))
            }
        }
    }

    fn fields(&mut self, was: Option<&Fields>, is: Option<&Fields>, named: bool) -> Fields {
        let len = |fields: &Fields| fields.list.len();
        let end = |fields: Option<&Fields>| fields.filter(|fields| fields.whole).map(len);
        let whole = end(was).or(end(is));
        let longer = was.map_or(0, len).max(is.map_or(0, len));
        let list = (0..whole.unwrap_or(longer)).map(|at| {
            let of = |fields: Option<&Fields>| fields?.list.get(at).map(|field| field.node);
            // Names of a list that was not read to its end may belong to other fields.
            let name = |fields: Option<&Fields>| {
                let fields = fields.filter(|fields| fields.whole || whole.is_none())?;
                fields.list.get(at)?.name.clone()
            };
            Field { name: name(was).or_else(|| name(is)), node: self.node(of(was), of(is)) }
        });
        Fields { named, list: list.collect(), whole: whole.is_some() }
    }

    fn variants(&mut self, was: &[Variant], is: &[Variant]) -> Box<[Variant]> {
        let variants = (0..was.len().max(is.len())).map(|at| {
            let (was, is) = (was.get(at), is.get(at));
            let name = |variant: Option<&Variant>| variant?.name.clone();
            let content = |variant: Option<&Variant>| variant.map(|variant| variant.content);
            let content = self.node(content(was), content(is));
            Variant { name: name(was).or_else(|| name(is)), content }
        });
        variants.collect()
    }
}
