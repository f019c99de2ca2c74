use std::collections::BTreeMap;
use std::ops::Bound;

use proptest::prelude::*;

use super::*;

/// Number of different keys: enough for a tree of three levels.
const KEYS: u16 = 1200;

#[derive(Clone, Debug)]
enum Op {
    Insert(u16, u32),
    Remove(u16),
    /// Removes all keys of a range, so that inner nodes merge.
    Clear(u16, u16),
    Snapshot,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        120 => (0..KEYS, any::<u32>()).prop_map(|(key, value)| Op::Insert(key, value)),
        100 => (0..KEYS).prop_map(Op::Remove),
        2 => (0..KEYS, 0..KEYS / 2).prop_map(|(from, width)| Op::Clear(from, width)),
        10 => Just(Op::Snapshot),
    ];
    proptest::collection::vec(op, 0..800)
}

/// Ascending keys of all kinds: short and long ones, with and without a shared prefix, some a prefix of
/// another, some equal in the eight bytes after the prefix.
fn key(number: u16) -> KeyBytes {
    let [_, group] = (number / 100).to_be_bytes();
    let within = number % 100;
    let mut bytes = match group {
        0 => Vec::new(),
        1..4 => vec![group],
        4..7 => format!("default{group}, and then the same for many").into_bytes(),
        7..10 => vec![0x80 + group; 100],
        _ => vec![0xF0, group],
    };
    match group % 3 {
        0 => bytes.extend_from_slice(&within.to_be_bytes()),
        // More and more zeros, so that each key is a prefix of the next one.
        1 => bytes.resize(bytes.len() + usize::from(within), 0),
        _ => bytes.extend_from_slice(format!("the same head{within:03}").as_bytes()),
    }
    KeyBytes::from_slice(&bytes)
}

#[test]
fn keys_of_the_tests_ascend() {
    for number in 1..KEYS {
        assert!(key(number - 1).as_slice() < key(number).as_slice(), "{number}");
    }
}

/// A reference implementation of the interface, from maps of the standard library.
#[derive(Clone)]
struct Reference {
    entries: BTreeMap<Vec<u8>, (KeyBytes, (u16, u32))>,
    changes: BTreeMap<Vec<u8>, u64>,
    built: u64,
}

type Entries<'t> = std::vec::IntoIter<(&'t KeyBytes, &'t (u16, u32))>;

impl OrdIndex<(u16, u32)> for Reference {
    type Iter<'t> = Entries<'t>;
    type IterRev<'t> = std::iter::Rev<Entries<'t>>;

    fn new(index: u64) -> Self {
        Self { entries: BTreeMap::new(), changes: BTreeMap::new(), built: index }
    }

    fn from_sorted(entries: Vec<(KeyBytes, (u16, u32))>, index: u64) -> Self {
        let entries =
            entries.into_iter().map(|(key, value)| (key.as_slice().to_vec(), (key, value)));
        Self { entries: entries.collect(), ..Self::new(index) }
    }

    fn len(&self) -> usize {
        self.entries.len()
    }

    fn get(&self, key: &[u8]) -> Option<&(u16, u32)> {
        self.entries.get(key).map(|(_, value)| value)
    }

    fn insert(&mut self, key: KeyBytes, value: (u16, u32), index: u64) -> Option<(u16, u32)> {
        let bytes = key.as_slice().to_vec();
        self.changes.insert(bytes.clone(), index);
        self.entries.insert(bytes, (key, value)).map(|(_, old)| old)
    }

    fn remove(&mut self, key: &[u8], index: u64) -> Option<(u16, u32)> {
        let old = self.entries.remove(key).map(|(_, old)| old)?;
        self.changes.insert(key.to_vec(), index);
        Some(old)
    }

    fn last_change(&self, span: &Span) -> u64 {
        let within = self.changes.iter().filter(|(key, _)| span.contains(key));
        within.map(|(_, index)| *index).fold(self.built, u64::max)
    }

    fn count(&self, span: &Span) -> usize {
        self.entries.keys().filter(|key| span.contains(key)).count()
    }

    fn iter(&self, span: &Span) -> Entries<'_> {
        let within = self.entries.iter().filter(|(key, _)| span.contains(key));
        within.map(|(_, (key, value))| (key, value)).collect::<Vec<_>>().into_iter()
    }

    fn iter_rev(&self, span: &Span) -> Self::IterRev<'_> {
        self.iter(span).rev()
    }
}

fn span(lo: u16, hi: Option<u16>) -> Span {
    Span { lo: key(lo), hi: hi.map(key), exact: false }
}

fn assert_same(tree: &impl OrdIndex<(u16, u32)>, model: &BTreeMap<u16, u32>, lo: u16, hi: u16) {
    assert_eq!(tree.len(), model.len());
    for (bounds, span) in [
        ((Bound::Unbounded, Bound::Unbounded), Span::all()),
        ((Bound::Included(lo), Bound::Excluded(lo.max(hi))), span(lo, Some(lo.max(hi)))),
        ((Bound::Included(lo), Bound::Unbounded), span(lo, None)),
    ] {
        let expect: Vec<_> = model.range(bounds).map(|(k, v)| (*k, *v)).collect();
        let there: Vec<_> = tree.iter(&span).map(|(_, v)| *v).collect();
        assert_eq!(there, expect);
        let mut back: Vec<_> = tree.iter_rev(&span).map(|(_, v)| *v).collect();
        back.reverse();
        assert_eq!(back, expect);
        assert_eq!(tree.count(&span), expect.len());
    }
    for (bytes, (number, _)) in tree.iter(&Span::all()) {
        assert_eq!(*bytes, key(*number));
    }
    for probe in 0..KEYS {
        let there = tree.get(key(probe).as_slice()).map(|(_, value)| value);
        assert_eq!(there, model.get(&probe));
    }
}

/// Compares scans that skip `steps` entries before each returned one with scans that read all.
fn assert_skips(tree: &Tree<(u16, u32)>, span: &Span, steps: &[usize]) {
    let all: Vec<_> = tree.iter(span).map(|(_, value)| *value).collect();
    let (mut up, mut down) = (tree.iter(span), tree.iter_rev(span));
    let (mut at, mut left) = (0, all.len());
    for &step in steps {
        up.skip_entries(step);
        at += step;
        assert_eq!(up.next().map(|(_, value)| *value), all.get(at).copied());
        at += 1;
        down.skip_entries(step);
        left = left.saturating_sub(step);
        let before = left.checked_sub(1);
        assert_eq!(down.next().map(|(_, value)| *value), before.map(|before| all[before]));
        left = before.unwrap_or(0);
    }
}

proptest! {
    #[test]
    fn tree_and_its_clones_equal_ordered_maps(
        ops in ops(), lo in 0..KEYS, hi in 0..KEYS, bulk in 0..KEYS,
        steps in proptest::collection::vec(0..300_usize, 1..20),
    ) {
        let mut model: BTreeMap<u16, u32> = (0..bulk).map(|n| (n, 0)).collect();
        let entries = || model.iter().map(|(k, v)| (key(*k), (*k, *v))).collect();
        let mut tree = Tree::from_sorted(entries(), 0);
        let mut map = Reference::from_sorted(entries(), 0);
        let mut snapshots = vec![];
        for (at, op) in ops.iter().enumerate() {
            let index = at as u64 + 1;
            match *op {
                Op::Insert(k, v) => {
                    let old = model.insert(k, v).map(|old| (k, old));
                    prop_assert_eq!(tree.insert(key(k), (k, v), index), old);
                    prop_assert_eq!(map.insert(key(k), (k, v), index), old);
                }
                Op::Remove(k) => {
                    let old = model.remove(&k).map(|old| (k, old));
                    prop_assert_eq!(tree.remove(key(k).as_slice(), index), old);
                    prop_assert_eq!(map.remove(key(k).as_slice(), index), old);
                }
                Op::Clear(from, width) => for k in from..KEYS.min(from + width) {
                    tree.remove(key(k).as_slice(), index);
                    map.remove(key(k).as_slice(), index);
                    model.remove(&k);
                },
                Op::Snapshot => snapshots.push((tree.clone(), map.clone(), model.clone())),
            }
            if at % 32 != 0 {
                continue;
            }
            // The reference knows when each key changed: the tree must never be behind it.
            let watched = span(lo.min(hi), Some(lo.max(hi)));
            prop_assert!(tree.last_change(&watched) >= map.last_change(&watched));
        }
        snapshots.push((tree, map, model));
        for (tree, map, model) in &snapshots {
            assert_same(tree, model, lo, hi);
            assert_same(map, model, lo, hi);
        }
        if let Some((tree, ..)) = snapshots.last() {
            for span in [Span::all(), span(lo.min(hi), Some(lo.max(hi))), span(lo, None)] {
                assert_skips(tree, &span, &steps);
            }
        }
    }

    #[test]
    fn last_change_of_a_range_is_never_too_old_and_never_decreases(
        ops in ops(), lo in 0..KEYS, width in 0u16..60,
    ) {
        let watched = span(lo, Some((lo + width).min(KEYS)));
        let mut tree = Tree::from_sorted((0..KEYS / 2).map(|k| (key(k), 0)).collect(), 0);
        let mut before = tree.last_change(&watched);
        for (at, op) in ops.iter().enumerate() {
            let index = at as u64 + 1;
            let mut changed = Vec::new();
            match *op {
                Op::Insert(k, v) => {
                    tree.insert(key(k), v, index);
                    changed.push(k);
                }
                Op::Remove(k) if tree.remove(key(k).as_slice(), index).is_some() => changed.push(k),
                Op::Clear(from, width) => for k in from..KEYS.min(from + width) {
                    if tree.remove(key(k).as_slice(), index).is_some() {
                        changed.push(k);
                    }
                },
                Op::Remove(_) | Op::Snapshot => {}
            }
            let now = tree.last_change(&watched);
            prop_assert!(now >= before && now <= index);
            if changed.iter().any(|k| watched.contains(key(*k).as_slice())) {
                prop_assert_eq!(now, index);
            }
            before = now;
        }
    }
}

#[test]
fn distant_change_keeps_the_last_change_of_a_range() {
    let mut tree = Tree::from_sorted((0..KEYS).map(|k| (key(k), 0)).collect(), 7);
    tree.insert(key(KEYS - 1), 1, 8);
    tree.remove(key(1000).as_slice(), 9);
    assert_eq!(tree.last_change(&span(0, Some(100))), 7);
    assert_eq!(tree.last_change(&span(0, Some(1050))), 9);
    assert_eq!(tree.last_change(&Span::all()), 9);
}

#[test]
fn removing_everything_keeps_the_last_change() {
    let mut tree = Tree::from_sorted((0..500).map(|k| (key(k), 0)).collect(), 1);
    for (k, index) in (0..500).zip(2..) {
        tree.remove(key(k).as_slice(), index);
    }
    assert_eq!(tree.len(), 0);
    assert!(tree.iter(&Span::all()).next().is_none());
    assert_eq!(tree.last_change(&Span::all()), 501);
}
