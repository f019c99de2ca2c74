//! An `or` of equalities on one text field, as one look-up.

use super::{FieldLeaf, Node, Owner};
use crate::literal::Scalar;

/// From this many equalities on, a look-up is faster than asking one by one.
const POINTS_MIN: usize = 4;

/// A field of the row or of an element whose text is one of several.
#[derive(Debug)]
pub(crate) struct Points {
    pub(crate) owner: Owner,
    pub(crate) way: Box<[usize]>,
    pub(crate) slot: usize,
    /// The last bytes of each text, ascending: most are told apart by these, and numbers are quickly compared.
    tails: Box<[u64]>,
    /// The texts, ordered by their last bytes, then by themselves.
    texts: Box<[Box<str>]>,
}

impl Points {
    /// Whether `text` is one of them, in the logarithm of their number.
    pub(crate) fn contain(&self, text: &str) -> bool {
        let own = tail(text);
        let mut at = self.tails.partition_point(|tail| *tail < own);
        if self.tails.get(at) != Some(&own) {
            return false;
        }
        let end = at + self.tails[at..].partition_point(|tail| *tail == own);
        at += self.texts[at..end].partition_point(|other| **other < *text);
        at < end && *self.texts[at] == *text
    }
}

/// The last eight bytes of a text, or all of a shorter one.
fn tail(text: &str) -> u64 {
    match text.as_bytes().last_chunk() {
        Some(tail) => u64::from_le_bytes(*tail),
        None => text.bytes().fold(0, |tail, byte| tail << 8 | u64::from(byte)),
    }
}

/// Puts each run of equalities on one text field into one look-up; the order of all else stays.
pub(super) fn gather(operands: Vec<Node>) -> Vec<Node> {
    let mut gathered = Vec::with_capacity(operands.len());
    let mut run: Vec<FieldLeaf> = Vec::new();
    for operand in operands {
        match operand {
            Node::Field(leaf) if !leaf.negated && matches!(leaf.literal, Scalar::Text(_)) => {
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
    let mut texts: Vec<(u64, Box<str>)> = run
        .drain(..)
        .filter_map(|leaf| match leaf.literal {
            Scalar::Text(text) => Some((tail(&text), text)),
            _ => None,
        })
        .collect();
    texts.sort_unstable();
    texts.dedup();
    let (tails, texts): (Vec<u64>, Vec<Box<str>>) = texts.into_iter().unzip();
    let points = Points { owner, way, slot, tails: tails.into(), texts: texts.into() };
    into.push(Node::Points(Box::new(points)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(texts: &[&str]) -> Points {
        let leaf = |text: &&str| {
            let literal = Scalar::Text((*text).into());
            Node::Field(FieldLeaf {
                owner: Owner::Row,
                way: [].into(),
                slot: 0,
                literal,
                negated: false,
            })
        };
        match gather(texts.iter().map(leaf).collect()).pop() {
            Some(Node::Points(points)) => *points,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_look_up_finds_what_is_in_it_and_nothing_else() {
        let texts = ["", "a", "b", "ba", "1-same-end", "2-same-end", "3-same-end", "same-end", "a"];
        let points = points(&texts);
        for text in texts {
            assert!(points.contain(text), "{text}");
        }
        for text in ["\0", "c", "ab", "0-same-end", "4-same-end", "-same-end", "e-end", "\0a"] {
            assert!(!points.contain(text), "{text:?}");
        }
    }
}
