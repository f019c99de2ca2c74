//! The backlog of the queue as operators read it, with the clock of the test.

use std::time::Duration;

use statehold_cinder::*;
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

/// Returns a store with two volumes of 3 GiB, requested 10 s and 40 s after the start, the first on the back end `b`.
fn store() -> Store {
    let store = Store::in_memory(&schema());
    let mut txn = store.begin_write().unwrap();
    bootstrap(&mut txn, &Config::default(), 1, Uuid::from_u128(9)).unwrap();
    create(&mut txn, 1, 3, 10 * SECOND);
    create(&mut txn, 2, 3, 40 * SECOND);
    let place = Placement { host: "h@b#p".into(), ..Placement::default() };
    place_volume(&mut txn, 5, Uuid::from_u128(1), place).unwrap();
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

/// Begins the oldest work and returns its item.
fn start(txn: &mut WriteTxn<'_>, now: i64) -> WorkItem {
    let next = next_work(txn).unwrap();
    let (kind, target) = (next.kind, next.target);
    start_work(txn, now, kind, target).unwrap().unwrap()
}

#[test]
fn awaited_hosts_cost_no_attempt_and_end_the_work() {
    let (store, config) = (store(), Config::default());
    let mut txn = store.begin_write().unwrap();
    for _ in 0..2 {
        let item = start(&mut txn, SECOND);
        finish_work(&mut txn, &config, SECOND, &item, &Outcome::DONE).unwrap();
    }
    let id = Uuid::from_u128(1);
    let (text, message) = (id.to_string(), Uuid::from_u128(8));
    let extend = |txn: &mut WriteTxn<'_>, size: u32, reservation: u128| {
        at(SECOND, |cx| extend_volume(txn, cx, &text, size, Uuid::from_u128(reservation))).unwrap();
    };
    let complete = |txn: &mut WriteTxn<'_>, failed: bool| {
        let done = at(SECOND, |cx| complete_extend(txn, cx, &text, failed, message));
        done.map_err(|error| error.to_string())
    };
    let row = |txn: &WriteTxn<'_>| {
        let row = txn.get::<Volume>(id).unwrap();
        assert_eq!(
            row.admin_metadata.contains_key("extend_new_size"),
            row.status == VolumeStatus::Extending
        );
        (row.status, row.size)
    };
    let quota = |txn: &WriteTxn<'_>| {
        let resource = QuotaResource::all(QuotaKind::Gigabytes);
        let usage = quota_usage(txn, &config, "p", resource);
        (usage.in_use, usage.reserved)
    };

    extend(&mut txn, 5, 20);
    // The back end has not finished its part.
    let missing = "Invalid volume: Required volume admin metadata is malformed or missing.";
    assert_eq!(complete(&mut txn, false), Err(missing.to_owned()));
    let item = start(&mut txn, SECOND);
    assert_eq!(complete(&mut txn, false), Err(missing.to_owned()));
    assert!(finish_work(&mut txn, &config, SECOND, &item, &Outcome::AwaitsHost).unwrap());
    for _ in 0..=ATTEMPTS_MAX {
        assert_eq!(resume_work(&mut txn, &config, SECOND, || message).unwrap(), 0);
        assert!(next_work(&txn).is_none() && exhausted_work(&txn).next().is_none());
    }
    assert_eq!(row(&txn), (VolumeStatus::Extending, 3));
    assert_eq!(quota(&txn), (6, 2));
    complete(&mut txn, false).unwrap();
    assert_eq!(row(&txn), (VolumeStatus::Available, 5));
    assert_eq!(quota(&txn), (8, 0));
    let idle = "Invalid volume: Volume is not being extended.";
    assert_eq!(complete(&mut txn, false), Err(idle.to_owned()));

    extend(&mut txn, 6, 21);
    let item = start(&mut txn, SECOND);
    finish_work(&mut txn, &config, SECOND, &item, &Outcome::AwaitsHost).unwrap();
    complete(&mut txn, true).unwrap();
    assert_eq!(row(&txn), (VolumeStatus::ErrorExtending, 5));
    assert_eq!(quota(&txn), (8, 0));
    let message = txn.get::<Message>(message).unwrap();
    assert_eq!(&*message.user_message, "extend volume:Volume Driver failed to extend volume.");
}

#[test]
fn exhausted_work_has_no_attempts_left() {
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
