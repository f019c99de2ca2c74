use std::collections::BTreeMap;
use std::ops::Bound;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Insert(u16, u32),
    Remove(u16),
    Snapshot,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        6 => (0u16..400, any::<u32>()).prop_map(|(key, value)| Op::Insert(key, value)),
        5 => (0u16..400).prop_map(Op::Remove),
        1 => Just(Op::Snapshot),
    ];
    proptest::collection::vec(op, 0..800)
}

fn key(number: u16) -> KeyBytes {
    KeyBytes::from_slice(&number.to_be_bytes())
}

fn number(key: &KeyBytes) -> u16 {
    u16::from_be_bytes(key.as_slice().try_into().unwrap())
}

fn span(lo: u16, hi: Option<u16>) -> Span {
    Span { lo: key(lo), hi: hi.map(key), exact: false }
}

fn assert_same(tree: &Tree<u32>, model: &BTreeMap<u16, u32>, lo: u16, hi: u16) {
    assert_eq!(tree.len(), model.len());
    for (bounds, span) in [
        ((Bound::Unbounded, Bound::Unbounded), Span::all()),
        ((Bound::Included(lo), Bound::Excluded(lo.max(hi))), span(lo, Some(lo.max(hi)))),
        ((Bound::Included(lo), Bound::Unbounded), span(lo, None)),
    ] {
        let expect: Vec<_> = model.range(bounds).map(|(k, v)| (*k, *v)).collect();
        let there: Vec<_> = tree.iter(&span).map(|(k, v)| (number(k), *v)).collect();
        assert_eq!(there, expect);
        let mut back: Vec<_> = tree.iter_rev(&span).map(|(k, v)| (number(k), *v)).collect();
        back.reverse();
        assert_eq!(back, expect);
    }
    for probe in 0..400 {
        assert_eq!(tree.get(key(probe).as_slice()), model.get(&probe));
    }
}

proptest! {
    #[test]
    fn a_tree_and_its_clones_equal_ordered_maps(
        ops in ops(), lo in 0u16..400, hi in 0u16..400, bulk in 0u16..300,
    ) {
        let mut model: BTreeMap<u16, u32> = (0..bulk).map(|n| (n, 0)).collect();
        let entries = model.iter().map(|(k, v)| (key(*k), *v)).collect();
        let mut tree = Tree::from_sorted(entries, 0);
        let mut snapshots = vec![];
        for (at, op) in ops.iter().enumerate() {
            let index = at as u64 + 1;
            match *op {
                Op::Insert(k, v) => prop_assert_eq!(
                    tree.insert(key(k), v, index),
                    model.insert(k, v)
                ),
                Op::Remove(k) => prop_assert_eq!(
                    tree.remove(key(k).as_slice(), index),
                    model.remove(&k)
                ),
                Op::Snapshot => snapshots.push((tree.clone(), model.clone())),
            }
        }
        snapshots.push((tree, model));
        for (tree, model) in &snapshots {
            assert_same(tree, model, lo, hi);
        }
    }

    #[test]
    fn the_last_change_of_a_range_is_never_too_old_and_never_goes_back(
        ops in ops(), lo in 0u16..400, width in 0u16..60,
    ) {
        let watched = span(lo, Some(lo + width));
        let mut tree = Tree::from_sorted((0..100).map(|k| (key(k), 0)).collect(), 0);
        let mut before = tree.last_change(&watched);
        for (at, op) in ops.iter().enumerate() {
            let index = at as u64 + 1;
            let changed = match *op {
                Op::Insert(k, v) => {
                    tree.insert(key(k), v, index);
                    Some(k)
                }
                Op::Remove(k) => tree.remove(key(k).as_slice(), index).map(|_| k),
                Op::Snapshot => None,
            };
            let now = tree.last_change(&watched);
            prop_assert!(now >= before && now <= index);
            if changed.is_some_and(|k| watched.contains(key(k).as_slice())) {
                prop_assert_eq!(now, index);
            }
            before = now;
        }
    }
}

#[test]
fn a_change_far_away_leaves_the_last_change_of_a_range_alone() {
    let mut tree = Tree::from_sorted((0..2000).map(|k| (key(k), 0)).collect(), 7);
    tree.insert(key(1999), 1, 8);
    tree.remove(key(1000).as_slice(), 9);
    assert_eq!(tree.last_change(&span(0, Some(100))), 7);
    assert_eq!(tree.last_change(&span(0, Some(1500))), 9);
    assert_eq!(tree.last_change(&Span::all()), 9);
}

#[test]
fn removing_everything_leaves_an_empty_tree_that_remembers_when() {
    let mut tree = Tree::from_sorted((0..500).map(|k| (key(k), 0)).collect(), 1);
    for (k, index) in (0..500).zip(2..) {
        tree.remove(key(k).as_slice(), index);
    }
    assert_eq!(tree.len(), 0);
    assert!(tree.iter(&Span::all()).next().is_none());
    assert_eq!(tree.last_change(&Span::all()), 501);
}
