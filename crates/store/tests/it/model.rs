//! Random transactions over two tables and all kinds of indexes against plain ordered maps, with
//! snapshots held and the store reopened in between.

use std::collections::BTreeMap;

use crate::common::{BY_EXTERNAL, BY_NODE, BY_PLUGIN, BY_SIZE, Names, Volume, Volumes, schema};
use proptest::prelude::*;
use statehold_store::{
    CommitError, Entry, Expect, HexPrefix, KeyRange, Order, ReadView, Snapshot, Store, Table as _,
    WriteError, WriteTxn,
};
use uuid::Uuid;

#[derive(Clone, Debug)]
enum Write {
    Put(Volume),
    Cas(Volume, u64),
    Delete(String, String),
    Name(String),
    /// Sets the size of a row.
    Update(String, String, i64),
    DeleteByPlugin(String),
    /// Deletes the rows of one size.
    DeleteWhere(i64),
    Import(Vec<Volume>),
    /// Deletes the rows with the smallest sizes up to this one, at most two.
    Expire(i64),
    /// Writes of a savepoint, and whether it succeeds.
    Savepoint(Vec<Write>, bool),
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Write>),
    Abort(Vec<Write>),
    /// A commit that checks its unique indexes at the end.
    Deferred(Vec<Volume>),
    Snapshot,
    Checkpoint,
    Reopen,
}

#[derive(Clone, Default, Debug, PartialEq)]
struct Model {
    index: u64,
    volumes: BTreeMap<(String, String), (Volume, u64, u64)>,
    names: BTreeMap<String, u64>,
}

fn node() -> impl Strategy<Value = Uuid> {
    (0u128..4).prop_map(|n| Uuid::from_u128((n << 124) | (n << 121)))
}

fn volume() -> impl Strategy<Value = Volume> {
    (
        "[ab]",
        "[ab-]{1,2}",
        "[pq]",
        prop_oneof![3 => Just(String::new()), 1 => "[xyz]"],
        proptest::collection::vec(node(), 0..3),
        -2i64..3,
    )
        .prop_map(|(namespace, id, plugin, external, nodes, size)| Volume {
            namespace,
            id,
            plugin,
            external,
            nodes,
            size,
        })
}

fn write() -> impl Strategy<Value = Write> {
    simple_write().prop_recursive(2, 8, 4, |inner| {
        let writes = proptest::collection::vec(inner, 0..4);
        (writes, any::<bool>()).prop_map(|(writes, stay)| Write::Savepoint(writes, stay))
    })
}

fn simple_write() -> impl Strategy<Value = Write> {
    prop_oneof![
        5 => volume().prop_map(Write::Put),
        1 => (volume(), 0u64..6).prop_map(|(volume, index)| Write::Cas(volume, index)),
        3 => ("[ab]", "[ab-]{1,2}").prop_map(|(namespace, id)| Write::Delete(namespace, id)),
        1 => "[a-c]".prop_map(Write::Name),
        1 => ("[ab]", "[ab-]{1,2}", -2i64..3).prop_map(|(namespace, id, size)| {
            Write::Update(namespace, id, size)
        }),
        1 => "[pq]".prop_map(Write::DeleteByPlugin),
        1 => (-2i64..3).prop_map(Write::DeleteWhere),
        1 => proptest::collection::vec(volume(), 0..12).prop_map(Write::Import),
        1 => (-2i64..3).prop_map(Write::Expire),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let writes = || proptest::collection::vec(write(), 0..6);
    let step = prop_oneof![
        8 => writes().prop_map(Step::Commit),
        2 => writes().prop_map(Step::Abort),
        3 => proptest::collection::vec(volume(), 0..6).prop_map(Step::Deferred),
        2 => Just(Step::Snapshot),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..25)
}

impl Model {
    /// Returns the expected result of a write, and applies its effect.
    fn apply(&mut self, write: &Write, index: u64) -> bool {
        match write {
            Write::Put(volume) => self.put(volume, index),
            Write::Cas(volume, expected) => {
                let key = (volume.namespace.clone(), volume.id.clone());
                let found = self.volumes.get(&key).map(|row| row.2);
                found == Some(*expected) && self.put(volume, index)
            }
            Write::Delete(namespace, id) => {
                self.volumes.remove(&(namespace.clone(), id.clone())).is_some()
            }
            Write::Name(name) => {
                self.names.insert(name.clone(), index);
                true
            }
            Write::Update(namespace, id, size) => {
                let key = (namespace.clone(), id.clone());
                let Some(row) = self.volumes.get_mut(&key) else { return false };
                row.0.size = *size;
                row.2 = index;
                true
            }
            Write::DeleteByPlugin(plugin) => self.delete(|volume| volume.plugin == *plugin),
            Write::DeleteWhere(size) => self.delete(|volume| volume.size == *size),
            Write::Import(volumes) => {
                let mut next = self.clone();
                for volume in volumes {
                    next.put_anyway(volume, index);
                }
                let done = next.is_unique();
                if done {
                    *self = next;
                }
                done && !volumes.is_empty()
            }
            Write::Expire(size) => {
                let by_size = self.sorted_by(|volume| vec![volume.size]);
                let gone: Vec<_> = by_size.iter().filter(|row| row.size <= *size).take(2).collect();
                self.delete(|volume| gone.contains(&volume))
            }
            Write::Savepoint(writes, stay) => {
                let mut next = self.clone();
                let mut wrote = false;
                for write in writes {
                    wrote |= next.apply(write, index);
                }
                if *stay {
                    *self = next;
                }
                *stay && wrote
            }
        }
    }

    fn delete(&mut self, gone: impl Fn(&Volume) -> bool) -> bool {
        let before = self.volumes.len();
        self.volumes.retain(|_, row| !gone(&row.0));
        self.volumes.len() < before
    }

    /// Returns whether no two rows have the same external name.
    fn is_unique(&self) -> bool {
        let externals = self.volumes.values().map(|row| &row.0.external);
        let mut externals: Vec<_> = externals.filter(|external| !external.is_empty()).collect();
        externals.sort();
        externals.windows(2).all(|pair| pair[0] != pair[1])
    }

    fn put(&mut self, volume: &Volume, index: u64) -> bool {
        let key = (volume.namespace.clone(), volume.id.clone());
        let taken = !volume.external.is_empty()
            && self.volumes.iter().any(|(k, row)| *k != key && row.0.external == volume.external);
        if taken {
            return false;
        }
        self.put_anyway(volume, index);
        true
    }

    fn put_anyway(&mut self, volume: &Volume, index: u64) {
        let key = (volume.namespace.clone(), volume.id.clone());
        let created = self.volumes.get(&key).map_or(index, |row| row.1);
        self.volumes.insert(key, (volume.clone(), created, index));
    }

    fn sorted_by<K: Ord>(&self, keys: impl Fn(&Volume) -> Vec<K>) -> Vec<Volume> {
        let mut all: Vec<_> = self
            .volumes
            .iter()
            .flat_map(|(primary, row)| {
                keys(&row.0).into_iter().map(move |key| (key, primary, &row.0))
            })
            .collect();
        all.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        all.dedup_by(|a, b| a.0 == b.0 && a.1 == b.1);
        all.into_iter().map(|(_, _, volume)| volume.clone()).collect()
    }
}

fn rows<'a>(scan: impl Iterator<Item = &'a Entry<Volume>>) -> Vec<Volume> {
    scan.map(|entry| (**entry).clone()).collect()
}

/// Compares every kind of read with the model.
fn assert_same(view: &impl ReadView, model: &Model) {
    let all = KeyRange::all();
    let stamped: Vec<_> = view
        .scan::<Volumes>(&all, Order::Ascending)
        .map(|entry| ((**entry).clone(), entry.create_index(), entry.modify_index()))
        .collect();
    let expected: Vec<_> = model.volumes.values().cloned().collect();
    assert_eq!(stamped, expected);
    assert_eq!(view.count::<Volumes>(), model.volumes.len());

    let mut backwards = rows(view.scan::<Volumes>(&all, Order::Descending));
    backwards.reverse();
    assert_eq!(backwards, expected.iter().map(|row| row.0.clone()).collect::<Vec<_>>());

    for (key, row) in &model.volumes {
        let entry = view.get::<Volumes>((&key.0, &key.1)).unwrap();
        assert_eq!(**entry, row.0);
    }
    for namespace in ["a", "b"] {
        for prefix in ["", "a", "b", "-", "a-"] {
            let range = KeyRange::<(String, String)>::starting_with_prefix(namespace, prefix);
            let expected: Vec<_> = model
                .volumes
                .values()
                .map(|row| row.0.clone())
                .filter(|v| v.namespace == namespace && v.id.starts_with(prefix))
                .collect();
            assert_eq!(rows(view.scan::<Volumes>(&range, Order::Ascending)), expected);
        }
    }
    let by_plugin = rows(view.scan_by(&BY_PLUGIN, &KeyRange::all(), Order::Ascending));
    assert_eq!(by_plugin, model.sorted_by(|v| vec![(v.plugin.clone(), v.size)]));
    let by_node = rows(view.scan_by(&BY_NODE, &KeyRange::all(), Order::Ascending));
    assert_eq!(by_node, model.sorted_by(|v| v.nodes.clone()));
    for digits in ["0", "2", "5", "50", "7", "2000"] {
        let prefix = HexPrefix::parse(digits).unwrap();
        let found = rows(view.scan_by(&BY_NODE, &KeyRange::<Uuid>::hex(&prefix), Order::Ascending));
        let expected = model.sorted_by(|v| {
            v.nodes.iter().copied().filter(|n| n.simple().to_string().starts_with(digits)).collect()
        });
        assert_eq!(found, expected, "hex prefix {digits}");
    }
    for external in ["x", "y", "z"] {
        let found = view.find(&BY_EXTERNAL, external).map(|entry| (**entry).clone());
        let expected =
            model.volumes.values().map(|row| row.0.clone()).find(|v| v.external == external);
        assert_eq!(found, expected);
    }
    let names: Vec<_> = view
        .scan::<Names>(&KeyRange::all(), Order::Ascending)
        .map(|entry| (entry.to_string(), entry.modify_index()))
        .collect();
    assert_eq!(names, model.names.clone().into_iter().collect::<Vec<_>>());
}

/// Runs a write. Returns whether it changed anything.
fn write_to(txn: &mut WriteTxn<'_>, write: &Write) -> bool {
    match write {
        Write::Put(volume) => txn.upsert::<Volumes>(volume.clone()).is_ok(),
        Write::Cas(volume, expected) => {
            let expect = Expect::ModifyIndex(*expected);
            let result = txn.upsert_if::<Volumes>(volume.clone(), expect);
            assert!(!matches!(result, Err(WriteError::KeyTooLong { .. })));
            result.is_ok()
        }
        Write::Delete(namespace, id) => {
            let there = txn.get::<Volumes>((namespace, id)).map(|row| (**row).clone());
            let gone = txn.delete::<Volumes>((namespace, id)).unwrap();
            assert_eq!(gone.as_ref().map(|row| (**row).clone()), there);
            gone.is_some()
        }
        Write::Name(name) => txn.upsert::<Names>(name.clone()).is_ok(),
        Write::Update(namespace, id, size) => {
            Volumes::BY_KEY.update(txn, (namespace, id), |row| row.size = *size).unwrap().is_some()
        }
        Write::DeleteByPlugin(plugin) => {
            let range = KeyRange::<(String, i64)>::starting_with(plugin);
            let count = txn.count_by(&BY_PLUGIN, &range);
            assert_eq!(txn.delete_by(&BY_PLUGIN, &range).unwrap(), count);
            count > 0
        }
        Write::DeleteWhere(size) => {
            Volumes::BY_KEY.delete_where(txn, &KeyRange::all(), |row| row.size == *size).unwrap()
                > 0
        }
        Write::Import(volumes) => {
            Volumes::BY_KEY.import(txn, volumes.clone()).is_ok_and(|count| count > 0)
        }
        Write::Expire(size) => {
            let expired = txn.expire_until(&BY_SIZE, *size, 2).unwrap();
            assert!(!expired.more || expired.rows.len() == 2);
            !expired.rows.is_empty()
        }
        Write::Savepoint(writes, stay) => {
            let mut wrote = false;
            let result = txn.savepoint(|txn| {
                for write in writes {
                    wrote |= write_to(txn, write);
                }
                if *stay { Ok(()) } else { Err(()) }
            });
            assert_eq!(result.is_ok(), *stay);
            *stay && wrote
        }
    }
}

fn run(steps: &[Step]) {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), &schema()).unwrap();
    let mut model = Model::default();
    let mut held: Vec<(Snapshot, Model)> = vec![];
    for step in steps {
        match step {
            Step::Commit(writes) | Step::Abort(writes) => {
                let mut txn = store.begin_write().unwrap();
                let index = txn.index();
                assert_eq!(index, model.index.max(1) + 1, "1 is the index of unchanged data");
                let mut next = model.clone();
                let mut wrote = false;
                for write in writes {
                    let expected = next.apply(write, index);
                    let done = write_to(&mut txn, write);
                    assert_eq!(done, expected, "{write:?}");
                    wrote |= done;
                    assert_same(&txn, &next);
                }
                if matches!(step, Step::Commit(_)) {
                    next.index = if wrote { index } else { model.index };
                    assert_eq!(txn.commit().unwrap(), next.index);
                    model = next;
                } else {
                    drop(txn);
                }
            }
            Step::Deferred(volumes) => {
                let mut txn = store.begin_write().unwrap();
                txn.defer_unique();
                let (index, mut next) = (txn.index(), model.clone());
                for volume in volumes {
                    txn.upsert::<Volumes>(volume.clone()).unwrap();
                    next.put_anyway(volume, index);
                    assert_eq!(txn.check_unique().is_ok(), next.is_unique());
                    assert_eq!(txn.count::<Volumes>(), next.volumes.len());
                    if next.is_unique() {
                        assert_same(&txn, &next);
                    }
                }
                match txn.commit() {
                    Ok(committed) => {
                        assert!(next.is_unique());
                        next.index = if volumes.is_empty() { model.index } else { index };
                        assert_eq!(committed, next.index);
                        model = next;
                    }
                    Err(CommitError::NotUnique { .. }) => assert!(!next.is_unique()),
                    Err(error) => panic!("{error}"),
                }
            }
            Step::Snapshot => held.push((store.snapshot(), model.clone())),
            Step::Checkpoint => store.checkpoint().unwrap(),
            Step::Reopen => {
                drop(store);
                store = Store::open(dir.path(), &schema()).unwrap();
            }
        }
        assert_eq!(store.index(), model.index);
        assert_same(&store.snapshot(), &model);
    }
    // A follower of the feed reaches the same states.
    let first = held.first().map(|(snapshot, _)| snapshot);
    if let Some(follow) = first.and_then(|first| store.transitions_since(first).ok()) {
        let last = follow.map(|transition| transition.unwrap().after).last();
        if let Some(last) = last {
            assert_eq!(last.index(), model.index);
            assert_same(&last, &model);
        }
    }
    let fork = store.snapshot().fork();
    assert_same(&fork.snapshot(), &model);
    for (snapshot, model) in &held {
        assert_eq!(snapshot.index(), model.index);
        assert_same(snapshot, model);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn every_view_equals_its_model(steps in steps()) {
        run(&steps);
    }
}
