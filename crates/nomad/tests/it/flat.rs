//! Flat: the cost of a write does not grow with the number of its neighbours. Method: compares the
//! bytes added to the journal with 10 and with 1,000 neighbours.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::common::*;
use statehold_nomad::*;
use statehold_store::{Batch, Observer, Options, Store, WriteTxn};

/// Bytes by which the journal record of a write may differ, because integers are stored in a
/// variable number of bytes.
const SLACK: u64 = 16;

/// The writes of one transaction.
type Work<'w> = &'w dyn Fn(&mut WriteTxn<'_>);

/// Bytes written to the journal.
#[derive(Default)]
struct Written(AtomicU64);

impl Observer for Written {
    fn batch_written(&self, batch: &Batch) {
        self.0.fetch_add(batch.bytes, Ordering::Relaxed);
    }
}

/// Asserts that each of `writes` has the same size after `fill` wrote 10 and 1,000 neighbours.
fn assert_flat(fill: impl Fn(&mut WriteTxn<'_>, u128), writes: &[(&str, Work<'_>)]) {
    let [few, many] = [10, 1_000].map(|neighbours| {
        let (dir, written) = (tempfile::tempdir().unwrap(), Arc::new(Written::default()));
        let options = Options::default().observer(Arc::clone(&written) as Arc<dyn Observer>);
        let store = Store::open_with(dir.path(), &schema(), &options).unwrap();
        let cluster = Cluster { store };
        let write = |work: Work<'_>| {
            let before = written.0.load(Ordering::Relaxed);
            let done: Result<(), std::convert::Infallible> = cluster.write(|txn| {
                work(txn);
                Ok(())
            });
            done.unwrap();
            written.0.load(Ordering::Relaxed) - before
        };
        write(&|txn| {
            bootstrap(txn).unwrap();
            fill(txn, neighbours);
        });
        let sizes: Vec<u64> = writes.iter().map(|(_, work)| write(work)).collect();
        sizes
    });
    for (((name, _), few), many) in writes.iter().zip(few).zip(many) {
        assert!(few > 0 && few.abs_diff(many) <= SLACK, "{name}: {few} bytes, then {many}");
    }
}

/// A number far from those of the neighbours.
const OWN: u128 = 1 << 32;

fn served(number: u128, healthy: bool) -> Node {
    let info = PluginInfo { healthy, ..node_plugin(PLUGIN, false, "i") };
    Node { id: id(number), node_plugins: [(PLUGIN.into(), info)].into(), ..Default::default() }
}

#[test]
fn a_report_of_a_host_volume_is_flat_in_those_of_its_node() {
    let report = |txn: &mut WriteTxn<'_>, name: String| {
        let volume = NodeHostVolume { name: name.into(), ..Default::default() };
        report_host_volume(txn, NOW, id(1), volume).unwrap();
    };
    let fill = |txn: &mut WriteTxn<'_>, neighbours| {
        upsert_node(txn, NOW, Node { id: id(1), ..Default::default() }).unwrap();
        (0..neighbours).for_each(|at| report(txn, format!("v{at:06}")));
    };
    let withdraw = |txn: &mut WriteTxn<'_>| withdraw_host_volume(txn, NOW, id(1), "own").unwrap();
    let node = |txn: &mut WriteTxn<'_>| {
        upsert_node(txn, NOW + 1, Node { id: id(1), ..Default::default() }).unwrap();
    };
    assert_flat(
        fill,
        &[
            ("a new one", &|txn| report(txn, "own".into())),
            ("one that goes", &withdraw),
            ("the node", &node),
        ],
    );
}

#[test]
fn a_report_of_a_plugin_is_flat_in_its_instances() {
    let report = |txn: &mut WriteTxn<'_>, node| upsert_node(txn, NOW, node).unwrap();
    let fill = |txn: &mut WriteTxn<'_>, neighbours| {
        (0..neighbours).for_each(|at| report(txn, served(at, true)));
    };
    assert_flat(
        fill,
        &[
            ("a new instance", &|txn| report(txn, served(OWN, true))),
            ("its health", &|txn| report(txn, served(OWN, false))),
            ("one that leaves", &|txn| delete_node(txn, NOW, id(OWN)).unwrap()),
        ],
    );
}

#[test]
fn a_claim_is_flat_in_those_on_its_volume() {
    let allocate = |txn: &mut WriteTxn<'_>, number, status: &str| {
        let row = Allocation { client_status: status.into(), ..running(number, 2) };
        upsert_allocation(txn, NOW, row, None, &mut fresh()).unwrap();
    };
    let take = |txn: &mut WriteTxn<'_>, number| {
        claim(txn, NOW, "default", "v", taken(number, ClaimMode::Read)).unwrap();
    };
    let fill = |txn: &mut WriteTxn<'_>, neighbours| {
        for node in plugin_nodes(PLUGIN, true) {
            upsert_node(txn, NOW, node).unwrap();
        }
        register(txn, NOW, "default", vec![spec("v")]).unwrap();
        for number in (0..neighbours).chain([OWN]) {
            allocate(txn, number, "running");
        }
        (0..neighbours).for_each(|number| take(txn, number));
    };
    let release = |txn: &mut WriteTxn<'_>, state| {
        claim(txn, NOW, "default", "v", released(OWN, state)).unwrap();
    };
    let last = |txn: &mut WriteTxn<'_>| {
        let releases = overdue_releases(txn);
        let [release] = &releases[..] else { panic!("one is overdue: {releases:?}") };
        let done = record_release(txn, NOW, release, &Ok(())).unwrap();
        assert_eq!(done, ReleaseOutcome::Released);
    };
    assert_flat(
        fill,
        &[
            ("a new claim", &|txn| take(txn, OWN)),
            ("a step of its release", &|txn| release(txn, ClaimState::NodeDetached)),
            ("its end", &|txn| release(txn, ClaimState::ReadyToFree)),
            ("another claim", &|txn| take(txn, OWN)),
            ("the volume", &|txn| drop(register(txn, NOW, "default", vec![spec("v")]).unwrap())),
            ("the end of its allocation", &|txn| allocate(txn, OWN, "complete")),
            ("its release", &last),
        ],
    );
}
