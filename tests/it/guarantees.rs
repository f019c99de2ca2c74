//! Guarantees of `docs/guarantees.md` over tables of several crates: each must hold for the store as a whole, and not
//! for one table alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use statehold::nomad::{self, CsiVolumes};
use statehold::store::{OpenError, Order, PageToken, ReadView, Store, Table as _, paginate};

use crate::application::{Owner, add_owned, open, read, schema, write};

/// Returns the bytes of the two files of a store.
fn files(dir: &Path) -> BTreeMap<&'static str, Vec<u8>> {
    ["rows.redb", "log.redb"].map(|name| (name, fs::read(dir.join(name)).unwrap())).into()
}

/// Refusing: a directory with tables that the schema lacks MUST stay unchanged.
#[test]
fn opening_without_the_applications_table_changes_no_byte() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    write(&store, |txn| add_owned(txn, "data", "ebs", "storage")).unwrap();
    drop(store);
    let before = files(dir.path());

    let refused = Store::open(dir.path(), &nomad::schema()).unwrap_err();
    assert!(matches!(&refused, OpenError::UnknownTable { name, .. } if &**name == "owners"));
    assert!(files(dir.path()) == before, "a refused directory is unchanged");
    assert!(read(&open(dir.path()).snapshot(), "data").1.is_some());
}

/// Monotonic and Atomic: a restore replaces the tables of every crate, and the index still grows.
#[test]
fn a_restore_replaces_both_tables_and_continues_the_index() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    write(&store, |txn| add_owned(txn, "old", "ebs", "storage")).unwrap();
    let mut backup = Vec::new();
    let at = store.backup(&mut backup).unwrap();
    let last = write(&store, |txn| add_owned(txn, "new", "nfs", "web")).unwrap();

    let restored = store.restore(backup.as_slice()).unwrap();
    assert!(at < last && last < restored);
    let view = store.snapshot();
    assert_eq!(read(&view, "new"), (None, None));
    assert_eq!(read(&view, "old"), (Some("ebs".into()), Some("storage".into())));
    assert_eq!((view.count::<CsiVolumes>(), Owner::BY_KEY.count(&view)), (1, 1));
    drop(store);
    assert_eq!(open(dir.path()).index(), restored);
}

/// Recoverable: a dump has the rows of every crate, and loads into a new directory.
#[test]
fn a_dump_of_both_tables_loads_into_a_new_directory() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(from.path());
    write(&store, |txn| add_owned(txn, "data", "ebs", "storage")).unwrap();
    let mut dump = Vec::new();
    store.dump(&mut dump).unwrap();

    let loaded = Store::open(to.path(), &schema()).unwrap();
    loaded.load(dump.as_slice()).unwrap();
    assert_eq!(read(&loaded.snapshot(), "data"), read(&store.snapshot(), "data"));
    drop(loaded);
    let report = Store::verify(to.path(), &schema()).unwrap();
    let rows = |name: &str| report.tables.iter().find(|table| table.name == name).unwrap().rows;
    assert_eq!((rows("owners"), rows("csi_volumes")), (1, 1));
}

/// `PageStable`: writes of both tables between two pages neither repeat nor skip a row.
#[test]
fn pages_stay_stable_under_writes_of_both_tables() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    write(&store, |txn| {
        for id in ["b", "d", "f", "h"] {
            add_owned(txn, id, "ebs", "storage");
        }
    })
    .unwrap();
    // Before, between and behind the rows of the pages to come.
    let mut others = ["a", "e", "z", "c"].into_iter();
    let mut token: Option<PageToken> = None;
    let mut seen = Vec::new();
    loop {
        let view = store.snapshot();
        let mut range = Owner::BY_KEY.all();
        if let Some(token) = &token {
            let order = Order::Ascending;
            range = Owner::BY_KEY.resume(range, order, "owners", token.as_str()).unwrap();
        }
        let page = paginate(Owner::BY_KEY.scan(&view, &range, Order::Ascending), Some(1));
        seen.extend(page.rows.iter().map(|owner| owner.volume.clone()));
        let Some(next) = page.next else { break };
        token = Some(Owner::BY_KEY.token("owners", next.volume.as_str()));
        if let Some(other) = others.next() {
            write(&store, |txn| add_owned(txn, other, "nfs", "web")).unwrap();
        }
    }
    let stable: Vec<_> = seen.iter().filter(|id| "bdfh".contains(id.as_str())).collect();
    assert_eq!(stable, ["b", "d", "f", "h"]);
    assert!(seen.iter().any(|id| id == "z"), "a row behind the token is on a later page");
}
