//! Combines an `or` of equalities on one string field into one look-up.

use super::{FieldLeaf, Node, Owner, Texts};
use crate::literal::Scalar;

/// From this number of equalities a look-up is faster than comparing one by one.
const POINTS_MIN: usize = 4;

/// A string field of the row or of an element that equals one of several values.
#[derive(Debug)]
pub(crate) struct Points {
    pub(crate) owner: Owner,
    pub(crate) way: Box<[usize]>,
    pub(crate) slot: usize,
    pub(crate) texts: Texts,
}

/// Combines each run of equalities on one string field; the order of all other operands stays.
pub(super) fn gather(operands: Vec<Node>) -> Vec<Node> {
    let mut gathered = Vec::with_capacity(operands.len());
    let mut run: Vec<FieldLeaf> = Vec::new();
    // Only neighbours: moving an operand past one that can fail would change the result.
    for operand in operands {
        match operand {
            Node::Field(leaf) if is_point(&leaf) => {
                if run.last().is_some_and(|last| !same_field(last, &leaf)) {
                    flush(&mut run, &mut gathered);
                }
                run.push(leaf);
            }
            other => {
                flush(&mut run, &mut gathered);
                gathered.push(other);
            }
        }
    }
    flush(&mut run, &mut gathered);
    gathered
}

fn is_point(leaf: &FieldLeaf) -> bool {
    !leaf.negated && leaf.key.is_none() && matches!(leaf.literal, Scalar::Text(_))
}

fn same_field(one: &FieldLeaf, other: &FieldLeaf) -> bool {
    one.owner == other.owner && one.way == other.way && one.slot == other.slot
}

fn flush(run: &mut Vec<FieldLeaf>, into: &mut Vec<Node>) {
    if run.len() < POINTS_MIN {
        into.extend(run.drain(..).map(Node::Field));
        return;
    }
    let (owner, slot) = (run[0].owner, run[0].slot);
    let way = std::mem::take(&mut run[0].way);
    let texts = Texts::new(run.drain(..).filter_map(|leaf| match leaf.literal {
        Scalar::Text(text) => Some(text),
        _ => None,
    }));
    into.push(Node::Points(Box::new(Points { owner, way, slot, texts })));
}
