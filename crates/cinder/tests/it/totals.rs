//! Totals of volumes and snapshots: the module that writes them, and their correction at a start.
//!
//! The model (`model.rs`) checks that they equal a recount after every operation.

use std::fs;
use std::path::{Path, PathBuf};

use statehold_cinder::*;
use statehold_store::{KeyRange, Order, ReadView, Snapshot as View, Store, Table as _, WriteTxn};
use uuid::Uuid;

const NOW: i64 = 1_795_224_837_605_101_000;

fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

#[test]
fn volumes_and_snapshots_are_written_in_one_module() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let domain = sources(&crates.join("cinder/src"));
    let server = sources(&crates.join("cinder-server/src"));
    let mut writers = Vec::new();
    for path in domain.iter().chain(&server) {
        let text = fs::read_to_string(path).unwrap();
        for row in ["Volume", "Snapshot"] {
            let writes = [
                format!("upsert::<{row}>"),
                format!("upsert_if::<{row}>"),
                format!("delete::<{row}>"),
                format!("txn.put({row} {{"),
                format!("{row}::BY_KEY"),
            ];
            if writes.iter().any(|write| text.contains(write.as_str())) {
                writers.push(path.file_name().unwrap().to_owned());
            }
        }
    }
    assert_eq!(writers, ["totals.rs", "totals.rs"], "write rows with crate::totals");
}

fn noted(view: &View) -> Vec<Total> {
    view.scan::<Total>(&KeyRange::all(), Order::Ascending).map(|row| Total::clone(row)).collect()
}

fn create(txn: &mut WriteTxn<'_>, config: &Config, (id, project, size): (u128, &str, u32)) {
    let caller = Caller {
        user: "u".into(),
        project: project.into(),
        role: Role::Member,
        ..Caller::default()
    };
    let version = Microversion::MAX;
    let cx = Context { config, caller: &caller, version, now: NOW, request_id: "req-1" };
    let spec = VolumeSpec { size: Some(size), ..VolumeSpec::default() };
    create_volume(txn, &cx, Uuid::from_u128(id), spec).unwrap();
    let placement = Placement { host: "h@b#p".into(), ..Placement::default() };
    assert!(place_volume(txn, 5, Uuid::from_u128(id), placement).unwrap());
}

fn filled() -> (Store, Config) {
    let (store, config) = (Store::in_memory(&schema()), Config::default());
    let mut txn = store.begin_write().unwrap();
    bootstrap(&mut txn, &config, NOW, Uuid::from_u128(1)).unwrap();
    for volume in [(11, "p", 1), (12, "p", 2), (13, "q", 4)] {
        create(&mut txn, &config, volume);
    }
    txn.commit().unwrap();
    (store, config)
}

#[test]
fn first_starts_count_a_directory_without_totals() {
    let (store, config) = filled();
    let before = noted(&store.snapshot());
    assert_eq!(before.len(), 6, "all, two projects, a back end, and both: {before:?}");

    // As an earlier release left it.
    let mut txn = store.begin_write().unwrap();
    Total::BY_KEY.delete_range(&mut txn, &KeyRange::all()).unwrap();
    QuotaUsage::BY_KEY.delete_range(&mut txn, &KeyRange::all()).unwrap();
    txn.commit().unwrap();

    let mut txn = store.begin_write().unwrap();
    assert!(!bootstrap(&mut txn, &config, NOW, Uuid::from_u128(2)).unwrap());
    txn.commit().unwrap();
    let view = store.snapshot();
    assert_eq!(noted(&view), before);
    let gigabytes = QuotaResource::all(QuotaKind::Gigabytes);
    assert_eq!(quota_usage(&view, &config, "p", gigabytes).in_use, 3);
}

#[test]
fn starts_correct_drifted_totals_and_quota() {
    let (store, config) = filled();
    let before = noted(&store.snapshot());
    let mut txn = store.begin_write().unwrap();
    let usage = |host: Option<&str>, volumes| Total {
        host: host.map(Box::from),
        project_id: None,
        volumes,
        volume_gib: 0,
        snapshots: 9,
        snapshot_gib: 9,
    };
    txn.put(usage(None, 0)).unwrap();
    txn.put(usage(Some("gone@b"), 7)).unwrap();
    let kind = QuotaKind::Volumes;
    let (project_id, volume_type) = ("q".into(), None);
    txn.put(QuotaUsage { project_id, kind, volume_type, in_use: 5, reserved: 1 }).unwrap();
    bootstrap(&mut txn, &config, NOW, Uuid::from_u128(2)).unwrap();
    txn.commit().unwrap();
    let view = store.snapshot();
    assert_eq!(noted(&view), before);
    let volumes = quota_usage(&view, &config, "q", QuotaResource::all(kind));
    assert_eq!(volumes, Usage { in_use: 1, reserved: 1 }, "what work has reserved stays");
}

#[test]
fn first_starts_move_type_access_to_rows() {
    let (store, config) = filled();
    let mut txn = store.begin_write().unwrap();
    let id = Uuid::from_u128(9);
    let mut row = VolumeType::clone(txn.get::<VolumeType>(Uuid::from_u128(1)).unwrap());
    (row.id, row.name, row.is_public) = (id, "private".into(), false);
    // As the migration of a row of version 1 leaves it.
    row.unmoved_projects = ["p".into(), "r".into()].into();
    txn.put(row).unwrap();
    bootstrap(&mut txn, &config, NOW, Uuid::from_u128(2)).unwrap();

    let row = txn.get::<VolumeType>(id).unwrap();
    assert!(row.unmoved_projects.is_empty());
    assert!(row.is_open_to(&txn, "p") && row.is_open_to(&txn, "r") && !row.is_open_to(&txn, "q"));
    let admin =
        Caller { user: "u".into(), project: "p".into(), role: Role::Admin, ..Caller::default() };
    let version = Microversion::MAX;
    let cx = Context { config: &config, caller: &admin, version, now: NOW, request_id: "" };
    let id = id.to_string();
    set_type_access(&mut txn, &cx, &id, "r", false).unwrap();
    set_type_access(&mut txn, &cx, &id, "s", true).unwrap();
    assert_eq!(set_type_access(&mut txn, &cx, &id, "s", true).unwrap_err().status(), 409);
    assert_eq!(set_type_access(&mut txn, &cx, &id, "r", false).unwrap_err().status(), 404);
    let projects: Vec<_> =
        type_access(&txn, &cx, &id).unwrap().map(|row| row.project_id.clone()).collect();
    assert_eq!(projects, ["p".into(), "s".into()]);
    delete_type(&mut txn, &cx, &id).unwrap();
    assert_eq!(txn.count::<TypeAccess>(), 0);
}
