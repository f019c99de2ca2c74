//! Filters of clients on rows of a domain and of an application, served by the indexes of either.

use std::sync::Arc;
use std::time::{Duration, Instant};

use statehold::filter::Filter;
use statehold::nomad::{HealthReader, VolumeItem, VolumeQuery, list_volumes};
use statehold::store::{Order, ReadView, Table as _, Tracked};

use crate::application::{Owner, add_owned, open, write};

/// Commits a hundred volumes: one in ten is of the plugin `nfs` and of the team `web`.
fn fill(txn: &mut statehold::store::WriteTxn<'_>) {
    for at in 0..100 {
        let (plugin, team) = if at % 10 == 0 { ("nfs", "web") } else { ("ebs", "storage") };
        add_owned(txn, &format!("v{at:02}"), plugin, team);
    }
}

fn owners(view: &impl ReadView, filter: &Filter<Owner>) -> Vec<String> {
    let all = Owner::BY_KEY.all();
    let rows = Owner::BY_KEY.plan(view, &all, Order::Ascending, &filter.conjuncts());
    rows.filter(|owner| filter.matches(owner)).map(|owner| owner.volume.clone()).collect()
}

#[test]
fn an_index_of_a_derived_table_serves_a_filter() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    write(&store, fill).unwrap();
    let filter = Filter::<Owner>::compile(r#"team == web and volume matches "^v[0-4]""#).unwrap();
    let (view, all) = (store.snapshot(), Owner::BY_KEY.all());

    let plan = Owner::BY_KEY.plan(&view, &all, Order::Ascending, &filter.conjuncts());
    assert_eq!(plan.to_string(), r#"index team: 10 rows where team == "web""#);
    let scanned: Vec<_> = Owner::BY_KEY
        .scan(&view, &all, Order::Ascending)
        .filter(|owner| filter.matches(owner))
        .map(|owner| owner.volume.clone())
        .collect();
    assert_eq!(owners(&view, &filter), scanned);
    assert_eq!(scanned, ["v00", "v10", "v20", "v30", "v40"]);
}

#[test]
fn an_index_of_the_domain_serves_a_filter() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    write(&store, fill).unwrap();
    let filter = Filter::<VolumeItem>::compile("PluginID == nfs and ID != v00").unwrap();
    let conjuncts = filter.conjuncts();
    let query = VolumeQuery { conjuncts: &conjuncts, ..VolumeQuery::default() };
    let view = store.snapshot();

    let visited = list_volumes(&view, &query).count();
    assert_eq!(visited, 10, "the index excludes the rows of other plugins");
    let mut health = HealthReader::new(&view);
    let found: Vec<_> = list_volumes(&view, &query)
        .map(|volume| VolumeItem::new(&mut health, volume))
        .filter(|item| filter.matches(item))
        .map(|item| item.volume().id.to_string())
        .collect();
    assert_eq!(found.len(), 9);
    assert_eq!(found[0], "v10");
}

#[test]
fn a_planned_query_returns_once_its_result_changes() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(open(dir.path()));
    let index = write(&store, fill).unwrap();
    let reader = std::thread::spawn({
        let store = Arc::clone(&store);
        let deadline = Instant::now() + Duration::from_secs(60);
        move || {
            let filter = Filter::<Owner>::compile("team == web").unwrap();
            store.blocking_changed(index, deadline, |view: &Tracked| owners(view, &filter)).unwrap()
        }
    });
    while store.parked() == 0 {
        std::thread::yield_now();
    }
    // A row of another team leaves the result equal, so the reader stays parked.
    write(&store, |txn| add_owned(txn, "other", "ebs", "storage")).unwrap();
    let last = write(&store, |txn| add_owned(txn, "w", "ebs", "web")).unwrap();
    let woken = reader.join().unwrap();
    assert_eq!((woken.value.len(), woken.index), (11, last));
}
