//! The backlog of the queue as operators see it, by a clock that the test sets.

#![allow(clippy::unwrap_used, reason = "a test that can't go on may say so anywhere")]

use std::time::Duration;

use statehold_blockstorage::*;
use statehold_store::{ReadView, Store, WriteTxn};
use uuid::Uuid;

const SECOND: i64 = 1_000_000_000;

fn at<T>(now: i64, run: impl FnOnce(&Context<'_>) -> T) -> T {
    let config = Config::default();
    let caller =
        Caller { user: "u".into(), project: "p".into(), role: Role::Admin, ..Caller::default() };
    let version = Microversion::MAX;
    run(&Context { config: &config, caller: &caller, version, now, request_id: "req-1" })
}

fn create(txn: &mut WriteTxn<'_>, id: u128, size: u32, now: i64) {
    let spec = VolumeSpec { size: Some(size), ..VolumeSpec::default() };
    at(now, |cx| create_volume(txn, cx, Uuid::from_u128(id), spec)).unwrap();
}

/// Two volumes of 3 GiB, asked for 10 s and 40 s after the start, the first one on the back end `b`.
fn store() -> Store {
    let store = Store::in_memory(&schema());
    let mut txn = store.begin_write().unwrap();
    bootstrap(&mut txn, &Config::default(), 1, Uuid::from_u128(9)).unwrap();
    create(&mut txn, 1, 3, 10 * SECOND);
    create(&mut txn, 2, 3, 40 * SECOND);
    let place = Placement { host: "h@b#p".into(), ..Placement::default() };
    place_volume(&mut txn, Uuid::from_u128(1), place).unwrap();
    txn.commit().unwrap();
    store
}

#[test]
fn backlog_has_depth_and_age_of_each_task() {
    let store = store();
    let view = store.snapshot();
    let backlog = work_backlog(&view, 70 * SECOND);
    let creates = Backlog { depth: 2, age: Duration::from_mins(1) };
    assert_eq!(backlog["create_volume"], creates);
    assert_eq!(backlog["delete_backup"], Backlog::default());
    assert_eq!(backlog.len(), Task::NAMES.len());
    // The clock was set back behind the oldest item.
    assert_eq!(work_backlog(&view, 5 * SECOND)["create_volume"].age, Duration::ZERO);
}

#[test]
fn queued_room_is_that_of_new_and_growing_volumes() {
    let store = store();
    assert_eq!(queued_room(&store.snapshot()), [("h@b#p".into(), 3)].into());
    let mut txn = store.begin_write().unwrap();
    for _ in 0..2 {
        let next = next_work(&txn).unwrap();
        let (kind, target) = (next.kind, next.target);
        let item = start_work(&mut txn, 50 * SECOND, kind, target).unwrap().unwrap();
        let config = Config::default();
        finish_work(&mut txn, &config, 50 * SECOND, &item, &Outcome::DONE).unwrap();
    }
    assert!(queued_room(&txn).is_empty());
    let volume = Uuid::from_u128(1).to_string();
    at(60 * SECOND, |cx| extend_volume(&mut txn, cx, &volume, 5, Uuid::from_u128(3))).unwrap();
    assert_eq!(queued_room(&txn), [("h@b#p".into(), 2)].into());
    assert_eq!(work_backlog(&txn, 61 * SECOND)["extend_volume"].age, Duration::from_secs(1));
}

#[test]
fn exhausted_work_is_begun_as_often_as_it_may_be() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let config = Config::default();
    for _ in 0..ATTEMPTS_MAX {
        assert_eq!(exhausted_work(&txn).count(), 0);
        resume_work(&mut txn, &config, SECOND, || Uuid::from_u128(7)).unwrap();
        let next = next_work(&txn).unwrap();
        let (kind, target) = (next.kind, next.target);
        start_work(&mut txn, SECOND, kind, target).unwrap().unwrap();
    }
    let names: Vec<_> = exhausted_work(&txn).map(|item| item.task.name()).collect();
    assert_eq!(names, ["create_volume"]);
    resume_work(&mut txn, &config, SECOND, || Uuid::from_u128(7)).unwrap();
    let row = txn.get::<Volume>(Uuid::from_u128(1)).unwrap();
    assert_eq!(row.status, VolumeStatus::Error);
}
