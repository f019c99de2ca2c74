//! Lists: 10,000 volumes, with and without a filter, beside a hand-written loop over a `Vec`.
//!
//! `cargo bench --bench list`

#![allow(clippy::unwrap_used, reason = "a bench that fails should stop")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use statehold_filter::Filter;
use statehold_nomad::{
    CsiVolumes, HealthReader, VolumeItem, VolumeQuery, bootstrap, input, list_volumes, register,
    report_node, schema,
};
use statehold_store::{ReadView, Snapshot, Store};

/// Volumes in the list.
const VOLUMES: usize = 10_000;
/// Those of them that either filter selects.
const SELECTED: usize = VOLUMES / 100;
const FILTER: &str = r#"Schedulable == true and Provider == "ebs" and ExternalID matches "00$""#;

/// A condition that an index of the volumes serves.
const INDEXED: &str = r#"Schedulable == true and PluginID == "p2""#;

fn filled() -> Store {
    let store = Store::in_memory(&schema());
    let mut txn = store.begin_write().unwrap();
    bootstrap(&mut txn).unwrap();
    let node = br#"{"Name": "n", "Status": "ready", "CSINodePlugins": {"p1": {
        "PluginID": "p1", "Provider": "ebs", "Healthy": true, "NodeInfo": {"ID": "i"}}, "p2": {
        "PluginID": "p2", "Provider": "ebs", "Healthy": true, "NodeInfo": {"ID": "i"}}}}"#;
    let id = "fb2170a8-257d-3c64-b14d-bc06cc94e34c".parse().unwrap();
    report_node(&mut txn, 1, input::node_body(node, id).unwrap()).unwrap();
    for at in 0..VOLUMES {
        let plugin = if at % 100 == 7 { "p2" } else { "p1" };
        let body = format!(
            r#"{{"Volumes": [{{"ID": "volume-{at:06}", "Name": "volume {at}", "PluginID": "{plugin}",
                "ExternalID": "vol-{at:06}", "RequestedCapabilities": [
                {{"AccessMode": "single-node-writer", "AttachmentMode": "file-system"}}]}}]}}"#
        );
        let body = input::register_body(body.as_bytes()).unwrap();
        register(&mut txn, 1, "default", body.volumes).unwrap();
    }
    txn.commit().unwrap();
    store
}

fn list(view: &Snapshot, filter: Option<&Filter<VolumeItem>>) -> Vec<u8> {
    let mut facts = HealthReader::new(view);
    let conjuncts = filter.map(Filter::conjuncts).unwrap_or_default();
    let query =
        VolumeQuery { namespace: "default", conjuncts: &conjuncts, ..VolumeQuery::default() };
    let items: Vec<_> = list_volumes(view, &query)
        .map(|volume| VolumeItem::new(&mut facts, volume))
        .filter(|item| filter.is_none_or(|filter| filter.matches(item)))
        .collect();
    let stubs: Vec<_> = items.iter().map(VolumeItem::stub).collect();
    serde_json::to_vec(&stubs).unwrap()
}

fn lists(c: &mut Criterion) {
    let store = filled();
    let view = store.snapshot();
    assert_eq!(view.count::<CsiVolumes>(), VOLUMES);
    let filter = Filter::compile(FILTER).unwrap();
    let selected = list(&view, Some(&filter));
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&selected).unwrap();
    assert_eq!(rows.len(), SELECTED);

    let mut group = c.benchmark_group("list/10k");
    group.throughput(Throughput::Elements(VOLUMES as u64));
    group.bench_function("filter", |b| {
        b.iter(|| assert_eq!(black_box(list(&view, Some(&filter))).len(), selected.len()));
    });
    let indexed = Filter::compile(INDEXED).unwrap();
    let by_index = list(&view, Some(&indexed));
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&by_index).unwrap();
    assert_eq!(rows.len(), SELECTED);
    group.bench_function("filter_indexed", |b| {
        b.iter(|| assert_eq!(black_box(list(&view, Some(&indexed))).len(), by_index.len()));
    });
    group.bench_function("whole", |b| {
        b.iter(|| assert!(black_box(list(&view, None)).len() > selected.len()));
    });
    // The lower bound: the same three conditions by hand on rows in a `Vec`.
    let rows: Vec<_> =
        list_volumes(&view, &VolumeQuery::default()).map(|volume| (true, volume)).collect();
    group.bench_function("floor_by_hand", |b| {
        b.iter(|| {
            let selected = rows
                .iter()
                .filter(|(schedulable, volume)| {
                    *schedulable && &*volume.provider == "ebs" && volume.external_id.ends_with("00")
                })
                .count();
            assert_eq!(black_box(selected), SELECTED);
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default();
    targets = lists
}
criterion_main!(benches);
