//! The server over its socket: 10,000 volumes, one server process and one client process.
//!
//! `cargo bench -p statehold-cli --bench server`
//!
//! `cargo bench -p statehold-cli --bench server -- host_volumes_on_one_node` runs that part
//! only, and so do `fair`, `held` and `load`.
//!
//! Single requests first, one after the other; `json/list` is the cost of rendering the reply of a
//! list in memory, without the store and HTTP. Then the parts, each a table.

#![allow(clippy::unwrap_used, reason = "a bench that fails should stop")]
#![allow(clippy::cast_precision_loss, reason = "counts of requests")]

mod client;
mod fair;
mod fixture;
mod held;
mod host_volumes;
mod load;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group};
use statehold_nomad::{
    HealthReader, VolumeItem, VolumeQuery, bootstrap, input, list_volumes, parse_id, register,
    report_node, schema,
};
use statehold_store::Store;

use fixture::{ALLOCATIONS, Fixture, SELECTED, VOLUMES, allocation, volume, volume_id};

/// Selects a hundredth of the volumes by an index: `PluginID == "p2"`.
const INDEXED: &str = "PluginID%20%3D%3D%20%22p2%22";
/// Selects a hundredth of the volumes by a scan: `ExternalID matches "00$"`.
const SCANNED: &str = "ExternalID%20matches%20%2200%24%22";

/// A part that can run alone, with its name.
type Part = (&'static str, fn(bool));

const PARTS: [Part; 4] = [
    ("load", load::print),
    ("fair", fair::print),
    ("held", held::print),
    ("host_volumes_on_one_node", host_volumes::print),
];

fn requests(c: &mut Criterion) {
    let fixture = Fixture::start();
    let mut client = fixture.client();
    let whole = client.get("/v1/volumes?type=csi").body.len();

    let mut group = c.benchmark_group("http");
    group.bench_function("read", |b| {
        let path = format!("/v1/volume/csi/{}", volume_id(4711));
        b.iter(|| assert!(client.get(black_box(&path)).body.starts_with(b"{")));
    });
    group.bench_function("page_of_10", |b| {
        b.iter(|| assert!(client.get("/v1/volumes?type=csi&per_page=10").body.len() > 1000));
    });
    for (name, filter) in [("filter_indexed", INDEXED), ("filter_scanned", SCANNED)] {
        let path = format!("/v1/volumes?type=csi&filter={filter}");
        let found = client.get(&path).body;
        let rows: Vec<serde_json::Value> = serde_json::from_slice(&found).unwrap();
        assert_eq!(rows.len(), SELECTED);
        group.bench_function(name, |b| {
            b.iter(|| assert_eq!(client.get(&path).body.len(), found.len()));
        });
    }
    group.bench_function("list", |b| {
        b.iter(|| assert_eq!(client.get("/v1/volumes?type=csi").body.len(), whole));
    });
    group.sample_size(30);
    group.bench_function("register", |b| {
        let mut at = 0;
        b.iter(|| {
            at = (at + 1) % VOLUMES;
            client.register(&volume(at));
        });
    });
    group.bench_function("claim_and_release", |b| {
        let mut at = 0;
        b.iter(|| {
            at = (at + 1) % VOLUMES;
            client.claim_and_release(&volume_id(at), &allocation(at % ALLOCATIONS));
        });
    });
    group
        .bench_function("register_and_wake", |b| b.iter_custom(|n| register_and_wake(&fixture, n)));
    group.finish();
}

/// Measures from the sending of a write to the reply of the query that waits for it: a durable
/// commit (`http/register`) and a wake-up.
fn register_and_wake(fixture: &Fixture, times: u64) -> Duration {
    let (mut writer, mut reader) = (fixture.client(), fixture.client());
    let path = format!("/v1/volume/csi/{}", volume_id(0));
    let mut took = Duration::ZERO;
    for _ in 0..times {
        let index = reader.get(&path).index;
        reader.send("GET", &format!("{path}?index={index}&wait=60s"), b"");
        Fixture::wait_until_parked(&mut writer, 1);
        let sent = Instant::now();
        writer.register(&volume(0));
        assert!(reader.receive().index > index);
        took += sent.elapsed();
    }
    took
}

/// Renders the list's rows, without a server.
fn rendering(c: &mut Criterion) {
    let store = Store::in_memory(&schema());
    let mut txn = store.begin_write().unwrap();
    bootstrap(&mut txn).unwrap();
    let id = parse_id("fb2170a8-257d-3c64-b14d-bc06cc94e34c").unwrap();
    let node = fixture::node().to_string();
    report_node(&mut txn, 1, input::node_body(node.as_bytes(), id).unwrap()).unwrap();
    let volumes: Vec<_> = (0..VOLUMES).map(volume).collect();
    let body = serde_json::json!({ "Volumes": volumes }).to_string();
    let body = input::register_body(body.as_bytes()).unwrap();
    register(&mut txn, 1, "default", body.volumes).unwrap();
    txn.commit().unwrap();
    let view = store.snapshot();
    let mut facts = HealthReader::new(&view);
    let query = VolumeQuery { namespace: "default", ..VolumeQuery::default() };
    let items: Vec<_> =
        list_volumes(&view, &query).map(|volume| VolumeItem::new(&mut facts, volume)).collect();
    let stubs: Vec<_> = items.iter().map(VolumeItem::stub).collect();
    assert_eq!(stubs.len(), VOLUMES);

    let mut group = c.benchmark_group("json");
    group.throughput(Throughput::Elements(VOLUMES as u64));
    group.bench_function("list", |b| {
        b.iter(|| assert!(serde_json::to_vec(black_box(&stubs)).unwrap().len() > VOLUMES));
    });
    group.finish();
}

criterion_group!(benches, requests, rendering);

fn main() {
    let trial = std::env::args().any(|arg| arg == "--test");
    let mut alone = false;
    for (_, print) in PARTS.iter().filter(|(name, _)| std::env::args().any(|arg| arg == *name)) {
        print(trial);
        alone = true;
    }
    if alone {
        return;
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
    for (_, print) in PARTS {
        print(trial);
    }
}
