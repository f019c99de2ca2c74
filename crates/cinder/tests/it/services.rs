//! Rules of services: settings of operators stay, and cleanup ends statuses without work.

use std::collections::BTreeMap;

use statehold_cinder::*;
use statehold_store::{ReadView, Store, WriteTxn};
use uuid::Uuid;

const BACKEND: &str = "m@a";
const VOLUME: Uuid = Uuid::from_u128(1);
const TYPE: Uuid = Uuid::from_u128(2);

fn with<T>(role: Role, run: impl FnOnce(&Context<'_>) -> T) -> T {
    let config = Config::default();
    let caller = Caller { user: "u".into(), project: "p".into(), role, ..Caller::default() };
    let version = Microversion::MAX;
    run(&Context { config: &config, caller: &caller, version, now: 50, request_id: "req-1" })
}

fn admin<T>(run: impl FnOnce(&Context<'_>) -> T) -> T {
    with(Role::Admin, run)
}

fn register(txn: &mut WriteTxn<'_>, now: i64, id: u128, host: &str) -> Uuid {
    let service = (Service::VOLUME, host, "nova");
    register_service(txn, now, Uuid::from_u128(id), service).unwrap()
}

/// Returns a store with two back ends, whose names share a prefix, and a volume on each.
fn store() -> Store {
    let store = Store::in_memory(&schema());
    let mut txn = store.begin_write().unwrap();
    bootstrap(&mut txn, &Config::default(), 1, TYPE).unwrap();
    for (at, host) in [(0, BACKEND), (1, "m@ab")] {
        register(&mut txn, 5, 10 + at, host);
        let id = Uuid::from_u128(1 + 100 * at);
        let spec = VolumeSpec { size: Some(2), ..VolumeSpec::default() };
        admin(|cx| create_volume(&mut txn, cx, id, spec)).unwrap();
        let item = start_work(&mut txn, 5, WorkTarget::Volume, id).unwrap().unwrap();
        let host = format!("{host}#pool").into();
        place_volume(&mut txn, 5, id, Placement { host, ..Placement::default() }).unwrap();
        finish_work(&mut txn, &Config::default(), 5, &item, &Outcome::DONE).unwrap();
    }
    txn.commit().unwrap();
    store
}

fn set_status(txn: &mut WriteTxn<'_>, status: VolumeStatus) {
    let row = Volume::clone(txn.get::<Volume>(VOLUME).unwrap());
    txn.upsert::<Volume>(Volume { status, ..row }).unwrap();
}

fn settle(txn: &mut WriteTxn<'_>, filter: &StuckFilter) -> Vec<Box<str>> {
    let hosts = admin(|cx| clean_up_stuck(txn, cx, filter, |_| true)).unwrap();
    hosts.into_iter().collect()
}

#[test]
fn operator_settings_of_services_survive_restarts() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let (binary, reason) = (Service::VOLUME, Some("x".into()));
    admin(|cx| disable_service(&mut txn, cx, BACKEND, binary, reason)).unwrap();
    assert_eq!(register(&mut txn, 60, 99, BACKEND), Uuid::from_u128(10));
    let row = find_service(&txn, BACKEND, binary).unwrap();
    assert_eq!((row.status(), row.disabled_reason.as_deref()), ("disabled", Some("x")));
    assert_eq!((row.created_at, row.updated_at), (5, 60));
    assert_eq!(Vec::from_iter(disabled_hosts(&txn)), [BACKEND.into()]);
    admin(|cx| enable_service(&mut txn, cx, BACKEND, binary)).unwrap();
    assert_eq!(find_service(&txn, BACKEND, binary).unwrap().disabled_reason, None);
    let refusal = with(Role::Member, |cx| enable_service(&mut txn, cx, BACKEND, binary));
    assert_eq!(refusal, Err(Error::Policy { rule: "volume_extension:services:update" }));
    let refusal = admin(|cx| enable_service(&mut txn, cx, "zz", binary)).unwrap_err();
    assert_eq!(refusal.to_string(), "Service cinder-volume could not be found on host zz.");
}

#[test]
fn frozen_back_ends_get_no_new_volumes() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    admin(|cx| freeze_service(&mut txn, cx, BACKEND, true)).unwrap();
    let row = find_service(&txn, BACKEND, Service::VOLUME).unwrap();
    assert_eq!((row.frozen, row.disabled_reason.as_deref()), (true, Some("frozen")));
    assert!(disabled_hosts(&txn).contains(BACKEND));
    admin(|cx| freeze_service(&mut txn, cx, BACKEND, false)).unwrap();
    assert!(disabled_hosts(&txn).is_empty());
    let refusal = admin(|cx| failover_service(&txn, cx, BACKEND)).unwrap_err();
    assert!(refusal.to_string().contains("replication_status in ['m@a'] must be"));
}

#[test]
fn services_are_found_by_host_and_zones_by_running_ones() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let hosts = |view: &WriteTxn<'_>, host: &str| services(view, Some(host), None).count();
    assert_eq!((hosts(&txn, "m"), hosts(&txn, "m@a"), hosts(&txn, "m@")), (2, 1, 0));
    let config = Config::default();
    let there = |txn: &WriteTxn<'_>, up: bool| zones(txn, &config, |_| up)["nova"];
    assert!(there(&txn, true) && !there(&txn, false));
    for host in [BACKEND, "m@ab"] {
        admin(|cx| disable_service(&mut txn, cx, host, Service::VOLUME, None)).unwrap();
    }
    assert!(!there(&txn, true));
}

#[test]
fn usage_of_back_ends_is_counted_by_project() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let spec = SnapshotSpec { volume_id: VOLUME.to_string().into(), ..SnapshotSpec::default() };
    admin(|cx| create_snapshot(&mut txn, cx, Uuid::from_u128(20), spec)).unwrap();
    let usage = HostUsage { volumes: 1, volume_gib: 2, snapshots: 1, snapshot_gib: 2 };
    let (_, found) = admin(|cx| host_usage(&txn, cx, BACKEND)).unwrap();
    assert_eq!(found, BTreeMap::from([("p".into(), usage)]));
    assert_eq!(usage.plus(usage).volume_gib, 4);
    assert!(admin(|cx| host_usage(&txn, cx, "m@a#pool")).is_err());
}

#[test]
fn cleanup_ends_only_statuses_without_work() {
    let store = store();
    let all = StuckFilter::default();
    for (stuck, settled) in [
        (VolumeStatus::Creating, VolumeStatus::Error),
        (VolumeStatus::Extending, VolumeStatus::ErrorExtending),
        (VolumeStatus::Retyping, VolumeStatus::Available),
        (VolumeStatus::BackingUp, VolumeStatus::Available),
        (VolumeStatus::RestoringBackup, VolumeStatus::ErrorRestoring),
        (VolumeStatus::Deleting, VolumeStatus::Deleting),
    ] {
        let mut txn = store.begin_write().unwrap();
        set_status(&mut txn, stuck);
        let other = StuckFilter { id: Some(Uuid::from_u128(101)), ..all.clone() };
        assert_eq!(settle(&mut txn, &other), []);
        let snapshots = StuckFilter { kind: Some(WorkTarget::Snapshot), ..all.clone() };
        assert_eq!(settle(&mut txn, &snapshots), []);
        assert_eq!(settle(&mut txn, &all), [BACKEND.into()]);
        assert_eq!(txn.get::<Volume>(VOLUME).unwrap().status, settled);
        // A deletion is queued again.
        let waits = next_work(&txn).is_some();
        assert_eq!(waits, stuck == VolumeStatus::Deleting);
        assert_eq!(settle(&mut txn, &all), []);
    }
    let refusal = with(Role::Member, |cx| {
        clean_up_stuck(&mut store.begin_write().unwrap(), cx, &all, |_| true)
    });
    assert_eq!(refusal, Err(Error::Policy { rule: "workers:cleanup" }));
}

#[test]
fn disabled_back_ends_get_no_migrations() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let migrate = |txn: &mut WriteTxn<'_>| {
        let host = Some("m@ab#pool".into());
        let request = MigrateRequest { host, ..MigrateRequest::default() };
        admin(|cx| migrate_volume(txn, cx, &VOLUME.to_string(), request, |_| true))
    };
    admin(|cx| disable_service(&mut txn, cx, "m@ab", Service::VOLUME, None)).unwrap();
    assert_eq!(
        migrate(&mut txn).unwrap_err().to_string(),
        "Invalid host: No available service named 'm@ab#pool'"
    );
    admin(|cx| enable_service(&mut txn, cx, "m@ab", Service::VOLUME)).unwrap();
    migrate(&mut txn).unwrap();
}

#[test]
fn cleanup_keeps_sources_of_running_backups_and_reverts() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let volume_id: Box<str> = VOLUME.to_string().into();
    let snapshot = Uuid::from_u128(20);
    let spec = SnapshotSpec { volume_id: volume_id.clone(), ..SnapshotSpec::default() };
    admin(|cx| create_snapshot(&mut txn, cx, snapshot, spec)).unwrap();
    let work = |txn: &mut WriteTxn<'_>| {
        let item = WorkItem::clone(next_work(txn).unwrap());
        let item = start_work(txn, 5, item.kind, item.target).unwrap().unwrap();
        finish_work(txn, &Config::default(), 5, &item, &Outcome::DONE).unwrap();
    };
    work(&mut txn);
    admin(|cx| revert_volume(&mut txn, cx, &volume_id, snapshot)).unwrap();
    assert_eq!(settle(&mut txn, &StuckFilter::default()), []);
    work(&mut txn);
    let spec = BackupSpec { volume_id, ..BackupSpec::default() };
    admin(|cx| create_backup(&mut txn, cx, Uuid::from_u128(21), spec)).unwrap();
    assert_eq!(txn.get::<Volume>(VOLUME).unwrap().status, VolumeStatus::BackingUp);
    assert_eq!(settle(&mut txn, &StuckFilter::default()), []);
}
