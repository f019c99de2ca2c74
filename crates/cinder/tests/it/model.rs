//! Random sequences of operations by two projects, with workers that succeed, fail and crash; checked
//! after each step.
//!
//! Most checks compare rows with rows: usage of quota equals a count of the rows, reserved quota equals the
//! reservations, each row in a transitional status has work, an attached volume has one user, members stay in their
//! group, and totals equal a recount. Each change of a status MUST be in the tables of the state machines.

use crate::wholes;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use statehold_cinder::*;
use statehold_store::{KeyRange, Order, ReadView, Snapshot as View, Store};
use uuid::Uuid;

const PROJECTS: [&str; 2] = ["p", "q"];
const PLAIN: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);
const MULTI: Uuid = Uuid::from_u128(3);

#[derive(Clone, Debug)]
enum Op {
    Create { size: u32, kind: usize, from: Option<usize> },
    Delete { at: usize, cascade: bool, force: bool },
    Unmanage { at: usize },
    Extend { at: usize, by: u32 },
    Retype { at: usize },
    Migrate { at: usize, lock: bool },
    Revert { at: usize },
    Snapshot { at: usize },
    DeleteSnapshot { at: usize, force: bool },
    CreateFromSnapshot { at: usize },
    Reserve { at: usize },
    Unreserve { at: usize },
    BeginDetaching { at: usize },
    Attach { at: usize, instance: u128 },
    Detach { at: usize },
    Keep { at: usize, instance: u128 },
    Connect { at: usize },
    Complete { at: usize },
    LetGo { at: usize },
    Reset { at: usize, broken: bool },
    Work { outcome: usize },
    Begin,
    Crash,
    Limit { volumes: i64 },
    Offer { at: usize, alone: bool },
    Withdraw { at: usize },
    Take { at: usize, known: bool },
    BackUp { at: usize, of_snapshot: bool, incremental: bool },
    Restore { at: usize, to: Option<usize> },
    DeleteBackup { at: usize, force: bool },
    ResetBackup { at: usize, broken: bool },
    Manage,
    Group,
    Grouped { at: usize, kind: usize },
    Regroup { at: usize, volume: usize, join: bool },
    DeleteGroup { at: usize, volumes: bool },
    ResetGroup { at: usize },
    GroupSnapshot { at: usize },
    DeleteGroupSnapshot { at: usize },
    CopyGroup { at: usize, snapshot: bool },
    ResetSnapshot { at: usize },
}

fn op() -> impl Strategy<Value = Op> {
    let at = 0..4_usize;
    let (flag, instance) = (any::<bool>(), 1..4_u128);
    prop_oneof![
        4 => (1..4_u32, 0..2_usize, proptest::option::weighted(0.3, at.clone()))
            .prop_map(|(size, kind, from)| Op::Create { size, kind, from }),
        3 => (at.clone(), flag, any::<bool>())
            .prop_map(|(at, cascade, force)| Op::Delete { at, cascade, force }),
        1 => at.clone().prop_map(|at| Op::Unmanage { at }),
        2 => (at.clone(), 0..3_u32).prop_map(|(at, by)| Op::Extend { at, by }),
        2 => at.clone().prop_map(|at| Op::Retype { at }),
        1 => (at.clone(), any::<bool>()).prop_map(|(at, lock)| Op::Migrate { at, lock }),
        2 => at.clone().prop_map(|at| Op::Revert { at }),
        3 => at.clone().prop_map(|at| Op::Snapshot { at }),
        2 => (at.clone(), any::<bool>())
            .prop_map(|(at, force)| Op::DeleteSnapshot { at, force }),
        1 => at.clone().prop_map(|at| Op::CreateFromSnapshot { at }),
        1 => at.clone().prop_map(|at| Op::Reserve { at }),
        1 => at.clone().prop_map(|at| Op::Unreserve { at }),
        1 => at.clone().prop_map(|at| Op::BeginDetaching { at }),
        3 => (at.clone(), instance.clone())
            .prop_map(|(at, instance)| Op::Attach { at, instance }),
        2 => at.clone().prop_map(|at| Op::Detach { at }),
        3 => (at.clone(), instance).prop_map(|(at, instance)| Op::Keep { at, instance }),
        2 => at.clone().prop_map(|at| Op::Connect { at }),
        2 => at.clone().prop_map(|at| Op::Complete { at }),
        2 => at.clone().prop_map(|at| Op::LetGo { at }),
        2 => (at.clone(), any::<bool>()).prop_map(|(at, broken)| Op::Reset { at, broken }),
        2 => (at.clone(), any::<bool>()).prop_map(|(at, alone)| Op::Offer { at, alone }),
        1 => at.clone().prop_map(|at| Op::Withdraw { at }),
        2 => (at.clone(), proptest::bool::weighted(0.8))
            .prop_map(|(at, known)| Op::Take { at, known }),
        3 => (at.clone(), any::<bool>(), any::<bool>()).prop_map(
            |(at, of_snapshot, incremental)| Op::BackUp { at, of_snapshot, incremental }),
        2 => (at.clone(), proptest::option::of(at.clone()))
            .prop_map(|(at, to)| Op::Restore { at, to }),
        2 => (at.clone(), any::<bool>()).prop_map(|(at, force)| Op::DeleteBackup { at, force }),
        1 => (at.clone(), any::<bool>()).prop_map(|(at, broken)| Op::ResetBackup { at, broken }),
        1 => Just(Op::Manage),
        5 => group_op(at),
        12 => prop_oneof![6 => Just(0_usize), 1 => Just(1), 1 => Just(2)]
            .prop_map(|outcome| Op::Work { outcome }),
        1 => Just(Op::Begin),
        1 => Just(Op::Crash),
        1 => (-1..4_i64).prop_map(|volumes| Op::Limit { volumes }),
    ]
}

fn group_op(at: std::ops::Range<usize>) -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => Just(Op::Group),
        3 => (at.clone(), 0..2_usize).prop_map(|(at, kind)| Op::Grouped { at, kind }),
        4 => (at.clone(), at.clone(), proptest::bool::weighted(0.7))
            .prop_map(|(at, volume, join)| Op::Regroup { at, volume, join }),
        2 => (at.clone(), proptest::bool::weighted(0.8))
            .prop_map(|(at, volumes)| Op::DeleteGroup { at, volumes }),
        1 => at.clone().prop_map(|at| Op::ResetGroup { at }),
        3 => at.clone().prop_map(|at| Op::GroupSnapshot { at }),
        2 => at.clone().prop_map(|at| Op::DeleteGroupSnapshot { at }),
        2 => (at.clone(), any::<bool>())
            .prop_map(|(at, snapshot)| Op::CopyGroup { at, snapshot }),
        1 => at.prop_map(|at| Op::ResetSnapshot { at }),
    ]
}

struct World {
    store: Store,
    config: Config,
    now: i64,
    next: u128,
    /// The number of operations. The projects take turns, and every third caller is an admin.
    turn: usize,
    /// The groups that were deleted with their volumes.
    doomed: BTreeSet<Uuid>,
}

fn id_at<T: ListResource>(view: &View, at: usize) -> String {
    let rows: Vec<_> = view.scan::<T>(&KeyRange::all(), Order::Ascending).collect();
    match rows.len() {
        0 => "none".to_owned(),
        count => rows[at % count].id().to_string(),
    }
}

impl World {
    fn new() -> Self {
        let config = Config::default();
        let store = Store::in_memory(&schema());
        let mut txn = store.begin_write().unwrap();
        bootstrap(&mut txn, &config, 1, PLAIN).unwrap();
        let admin = Caller { role: Role::Admin, ..Caller::default() };
        let version = Microversion::MAX;
        let cx = Context { config: &config, caller: &admin, version, now: 1, request_id: "" };
        for (id, name) in [(OTHER, "other"), (MULTI, "multi")] {
            let mut spec = TypeSpec { name: name.into(), ..TypeSpec::default() };
            if id == MULTI {
                spec.extra_specs.insert("multiattach".into(), "<is> True".into());
            }
            create_type(&mut txn, &cx, id, spec).unwrap();
        }
        bootstrap_groups(&mut txn, 1, Uuid::from_u128(4)).unwrap();
        txn.commit().unwrap();
        Self { store, config, now: 10, next: 100, turn: 0, doomed: BTreeSet::new() }
    }

    fn id(&mut self) -> Uuid {
        self.next += 1;
        Uuid::from_u128(self.next)
    }

    #[allow(clippy::too_many_lines, reason = "one arm an operation")]
    fn step(&mut self, op: &Op) {
        self.now += 1;
        self.turn += 1;
        let (id, spare) = (self.id(), self.id());
        // The IDs of the copies of each volume of a group.
        let first = self.next + 1;
        self.next += 100;
        let mut members = (first..).map(Uuid::from_u128);
        let mut part = || members.next().unwrap();
        let role = if self.turn.is_multiple_of(3) { Role::Admin } else { Role::Member };
        let project = PROJECTS[self.turn % 2].into();
        let (user, service) = ("u".into(), true);
        let caller = Caller { user, project, role, service, ..Caller::default() };
        let version = Microversion::MAX;
        let config = self.config.clone();
        let cx =
            Context { config: &config, caller: &caller, version, now: self.now, request_id: "" };
        let view = self.store.snapshot();
        let volume = |at: usize| id_at::<Volume>(&view, at);
        let snapshot = |at: usize| id_at::<Snapshot>(&view, at);
        let attachment = |at: usize| id_at::<Attachment>(&view, at);
        let backup = |at: usize| id_at::<Backup>(&view, at);
        let group = |at: usize| id_at::<Group>(&view, at);
        let api = GroupApi::Consistency;
        let mut txn = self.store.begin_write().unwrap();
        let connector = || Connector {
            host: Some("h".into()),
            mountpoint: None,
            mode: None,
            json: r#"{"secret": "xyzzy"}"#.into(),
        };
        let done = match *op {
            Op::Create { size, kind, from } => {
                let volume_type = Some(if kind == 0 { PLAIN } else { MULTI }.to_string().into());
                let source_volid = from.map(|at| volume(at).into());
                let size = Some(size);
                let spec = VolumeSpec { size, volume_type, source_volid, ..VolumeSpec::default() };
                create_volume(&mut txn, &cx, id, spec)
            }
            Op::CreateFromSnapshot { at } => {
                let snapshot_id = Some(snapshot(at).into());
                let spec = VolumeSpec { snapshot_id, ..VolumeSpec::default() };
                create_volume(&mut txn, &cx, id, spec)
            }
            Op::Delete { at, cascade, force } => {
                delete_volume(&mut txn, &cx, &volume(at), DeleteOptions { cascade, force })
            }
            Op::Unmanage { at } => unmanage_volume(&mut txn, &cx, &volume(at)),
            Op::Extend { at, by } => {
                let id = volume(at);
                let size = find_volume(&txn, &caller, &id).map_or(1, |row| row.size);
                extend_volume(&mut txn, &cx, &id, size + by, spare)
            }
            Op::Retype { at } => {
                let to = if at % 2 == 0 { PLAIN } else { OTHER }.to_string();
                retype_volume(&mut txn, &cx, &volume(at), &to, true, spare)
            }
            Op::Migrate { at, lock } => {
                let host = Some("other@b#p".into());
                let request =
                    MigrateRequest { host, lock_volume: lock, ..MigrateRequest::default() };
                migrate_volume(&mut txn, &cx, &volume(at), request, |_| true)
            }
            Op::Revert { at } => {
                let snapshots = view.scan::<Snapshot>(&KeyRange::all(), Order::Ascending);
                let row = snapshots.last();
                let (of, snapshot) =
                    row.map_or((volume(at), id), |row| (row.volume_id.to_string(), row.id));
                revert_volume(&mut txn, &cx, &of, snapshot)
            }
            Op::Snapshot { at } => {
                let volume_id = volume(at).into();
                let spec = SnapshotSpec { volume_id, ..SnapshotSpec::default() };
                create_snapshot(&mut txn, &cx, id, spec)
            }
            Op::DeleteSnapshot { at, force } => {
                delete_snapshot(&mut txn, &cx, &snapshot(at), force)
            }
            Op::Reserve { at } => reserve_volume(&mut txn, &cx, &volume(at)),
            Op::Unreserve { at } => unreserve_volume(&mut txn, &cx, &volume(at)),
            Op::BeginDetaching { at } => begin_detaching(&mut txn, &cx, &volume(at)),
            Op::Attach { at, instance } => {
                let instance = Some(Uuid::from_u128(instance));
                let request = AttachRequest { instance, ..AttachRequest::default() };
                attach_volume(&mut txn, &cx, &volume(at), request, id)
            }
            Op::Detach { at } => detach_volume(&mut txn, &cx, &volume(at), None),
            Op::Keep { at, instance } => {
                let instance = Some(Uuid::from_u128(instance));
                let volume = volume(at).into();
                let spec = AttachmentSpec { volume, instance, ..AttachmentSpec::default() };
                create_attachment(&mut txn, &cx, id, &spec)
            }
            Op::Connect { at } => {
                connect_attachment(&mut txn, &cx, &attachment(at), connector(), "{}".into())
            }
            Op::Complete { at } => complete_attachment(&mut txn, &cx, &attachment(at)),
            Op::LetGo { at } => delete_attachment(&mut txn, &cx, &attachment(at)).map(|_| ()),
            Op::Reset { at, broken } => {
                let status = if broken { "error" } else { "available" };
                let reset = StatusReset { status: Some(status.into()), ..StatusReset::default() };
                reset_volume_status(&mut txn, &cx, &volume(at), &reset)
            }
            Op::Offer { at, alone } => {
                let volume_id = volume(at).into();
                let spec = TransferSpec { volume_id, name: None, no_snapshots: alone };
                let key = TransferKey { key: "24e6bf914a44e173", salt: [1; 8] };
                create_transfer(&mut txn, &cx, id, spec, key)
            }
            Op::Withdraw { at } => delete_transfer(&mut txn, &cx, &id_at::<Transfer>(&view, at)),
            Op::Take { at, known } => {
                let key = if known { "24e6bf914a44e173" } else { "a1e21094b7d8544c" };
                accept_transfer(&mut txn, &cx, &id_at::<Transfer>(&view, at), key).map(|_| ())
            }
            Op::BackUp { at, of_snapshot, incremental } => {
                let of = snapshot(at);
                let row = find_snapshot(&txn, &caller, &of).map(|row| row.volume_id);
                let spec = match row {
                    Ok(volume_id) if of_snapshot => BackupSpec {
                        volume_id: volume_id.to_string().into(),
                        snapshot_id: Some(of.into()),
                        incremental,
                        ..BackupSpec::default()
                    },
                    _ => BackupSpec {
                        volume_id: volume(at).into(),
                        force: true,
                        incremental,
                        ..BackupSpec::default()
                    },
                };
                create_backup(&mut txn, &cx, id, spec)
            }
            Op::Restore { at, to } => {
                let spec = RestoreSpec { volume_id: to.map(|at| volume(at).into()), name: None };
                restore_backup(&mut txn, &cx, &backup(at), id, spec).map(|_| ())
            }
            Op::DeleteBackup { at, force } => delete_backup(&mut txn, &cx, &backup(at), force),
            Op::ResetBackup { at, broken } => {
                let status = if broken { "error" } else { "available" };
                reset_backup_status(&mut txn, &cx, &backup(at), status)
            }
            Op::Manage => {
                let spec = ManageVolumeSpec {
                    host: Some("h@b#p".into()),
                    reference: Some("file".into()),
                    ..ManageVolumeSpec::default()
                };
                manage_volume(&mut txn, &cx, id, spec, |host| Some(host.into()))
            }
            Op::Group => {
                let volume_types = [PLAIN, MULTI].map(|id| id.to_string().into()).to_vec();
                let spec = GroupSpec { volume_types, ..GroupSpec::default() };
                create_group(&mut txn, &cx, api, id, spec)
            }
            Op::Grouped { at, kind } => {
                let volume_type = Some(if kind == 0 { PLAIN } else { MULTI }.to_string().into());
                let (size, group_id) = (Some(1), Some(group(at).into()));
                let spec = VolumeSpec { size, volume_type, group_id, ..VolumeSpec::default() };
                create_volume(&mut txn, &cx, id, spec)
            }
            Op::Regroup { at, volume: which, join } => {
                let moved = vec![volume(which).into()];
                let change = if join {
                    GroupChange { add_volumes: moved, ..GroupChange::default() }
                } else {
                    GroupChange { remove_volumes: moved, ..GroupChange::default() }
                };
                update_group(&mut txn, &cx, api, &group(at), change)
            }
            Op::DeleteGroup { at, volumes } => {
                let id = group(at);
                let done = delete_group(&mut txn, &cx, api, &id, volumes);
                if done.is_ok() {
                    self.doomed.insert(id.parse().unwrap());
                }
                done
            }
            Op::ResetGroup { at } => {
                // As an operator would: the older API has no such call.
                let row = view.get::<Group>(group(at).parse::<Uuid>().unwrap_or_default());
                let Some(row) = row.filter(|_| caller.is_admin()) else { return };
                txn.delete::<WorkItem>((WorkTarget::Group.as_str(), row.id)).unwrap();
                let status = GroupStatus::Available;
                txn.upsert::<Group>(Group { status, ..Group::clone(row) })
                    .map(drop)
                    .map_err(Error::from)
            }
            Op::GroupSnapshot { at } => {
                let group_id = group(at).into();
                let spec = GroupSnapshotSpec { group_id, ..GroupSnapshotSpec::default() };
                create_group_snapshot(&mut txn, &cx, api, id, &spec, &mut part)
            }
            Op::DeleteGroupSnapshot { at } => {
                let id = id_at::<GroupSnapshot>(&view, at);
                delete_group_snapshot(&mut txn, &cx, api, &id)
            }
            Op::CopyGroup { at, snapshot } => {
                let source = if snapshot {
                    GroupSource::Snapshot(id_at::<GroupSnapshot>(&view, at).into())
                } else {
                    GroupSource::Group(group(at).into())
                };
                let spec = GroupSourceSpec { name: None, description: None, source };
                create_group_from(&mut txn, &cx, api, id, spec, &mut part)
            }
            Op::ResetSnapshot { at } => {
                reset_snapshot_status(&mut txn, &cx, &snapshot(at), "available")
            }
            Op::Begin => {
                if let Some(item) = next_work(&view) {
                    start_work(&mut txn, self.now, item.kind, item.target).unwrap();
                }
                Ok(())
            }
            Op::Crash => {
                let mut messages = (1_u128 << 64..).map(|id| Uuid::from_u128(id + self.next));
                resume_work(&mut txn, &config, self.now, || messages.next().unwrap()).unwrap();
                Ok(())
            }
            Op::Limit { volumes } => {
                let body = format!(r#"{{"quota_set": {{"volumes": {volumes}}}}}"#);
                set_quotas(&mut txn, &config, &caller, &caller.project, body.as_bytes())
            }
            Op::Work { outcome } => {
                drop(txn);
                let outcome = match outcome {
                    0 => Outcome::DONE,
                    1 => Outcome::Busy,
                    _ => Outcome::Failed { cause: FailureCause::Unknown, message: id },
                };
                self.work(&outcome);
                return;
            }
        };
        if let Err(error) = done {
            assert!(error.status() < 500, "{op:?}: {error}");
        } else {
            txn.commit().unwrap();
        }
    }

    /// Finishes the oldest work; `false` if none is queued.
    fn work(&mut self, outcome: &Outcome) -> bool {
        let view = self.store.snapshot();
        let Some(item) = next_work(&view) else { return false };
        let mut txn = self.store.begin_write().unwrap();
        let item = start_work(&mut txn, self.now, item.kind, item.target).unwrap().unwrap();
        if matches!(item.task, Task::CreateVolume { .. }) {
            let host = "h@b#p".into();
            place_volume(&mut txn, 5, item.target, Placement { host, ..Placement::default() })
                .unwrap();
        }
        let outcome = match (&item.task, outcome) {
            (Task::ManageVolume { .. }, Outcome::Done { .. }) => {
                Outcome::Managed { size: 3, message: Uuid::from_u128(99) }
            }
            (Task::CreateBackup, Outcome::Done { .. }) => Outcome::BackedUp { objects: 1 },
            (Task::CreateGroup, Outcome::Done { .. }) => {
                let placement = Placement { host: "h@b#p".into(), ..Placement::default() };
                Outcome::Done { moved: Some(placement), provider_id: None }
            }
            _ => outcome.clone(),
        };
        assert!(finish_work(&mut txn, &self.config, self.now, &item, &outcome).unwrap());
        txn.commit().unwrap();
        true
    }

    fn check(&self) {
        let view = self.store.snapshot();
        let all = KeyRange::<Uuid>::all;
        let works = |kind: WorkTarget, id| view.get::<WorkItem>((kind.as_str(), id)).is_some();
        let tasks = || view.scan::<WorkItem>(&KeyRange::all(), Order::Ascending);
        let made_from = |is: &dyn Fn(&Backup) -> bool| {
            tasks().any(|item| {
                let row = view.get::<Backup>(item.target);
                item.task == Task::CreateBackup && row.is_some_and(|row| is(row))
            })
        };
        let put_on = |id| tasks().any(|item| item.task == Task::RestoreBackup { volume: id });
        for row in view.scan::<Volume>(&all(), Order::Ascending) {
            let moves = row.migration_status == Some(MigrationStatus::Starting);
            let transitional = row.status.is_transitional() || moves;
            let work = works(WorkTarget::Volume, row.id)
                || (row.status == VolumeStatus::BackingUp
                    && made_from(&|backup| backup.volume_id == row.id))
                || (row.status == VolumeStatus::RestoringBackup && put_on(row.id));
            assert!(work || !transitional, "no work for {row:?}");
            Self::check_users(&view, row);
        }
        for row in view.scan::<Snapshot>(&all(), Order::Ascending) {
            assert!(view.get::<Volume>(row.volume_id).is_some(), "no volume of {row:?}");
            let work = works(WorkTarget::Snapshot, row.id)
                || (row.status == SnapshotStatus::BackingUp
                    && made_from(&|backup| backup.snapshot_id == Some(row.id)))
                || (row.status == SnapshotStatus::Restoring
                    && works(WorkTarget::Volume, row.volume_id));
            assert!(work || !row.status.is_transitional(), "no work for {row:?}");
        }
        for row in view.scan::<Backup>(&all(), Order::Ascending) {
            let work = works(WorkTarget::Backup, row.id)
                || (row.status == BackupStatus::Restoring
                    && tasks().any(|item| {
                        let source = VolumeSource::Backup(row.id);
                        matches!(item.task, Task::CreateVolume { source: own } if own == source)
                    }));
            assert!(work || !row.status.is_transitional(), "no work for {row:?}");
            let upon = row.parent_id.is_none_or(|id| view.get::<Backup>(id).is_some());
            assert!(upon, "the parent was deleted: {row:?}");
        }
        for row in view.scan::<Attachment>(&all(), Order::Ascending) {
            let volume = view.get::<Volume>(row.volume_id);
            assert!(volume.is_some(), "a volume in use was deleted: {row:?}");
            assert!(!format!("{row:?}").contains("xyzzy"));
        }
        for row in view.scan::<Transfer>(&all(), Order::Ascending) {
            assert!(view.get::<Volume>(row.volume_id).is_some(), "no volume of {row:?}");
        }
        for item in view.scan::<WorkItem>(&KeyRange::all(), Order::Ascending) {
            let there = match item.kind {
                WorkTarget::Volume => view.get::<Volume>(item.target).is_some(),
                WorkTarget::Snapshot => view.get::<Snapshot>(item.target).is_some(),
                WorkTarget::Backup => view.get::<Backup>(item.target).is_some(),
                WorkTarget::Group => view.get::<Group>(item.target).is_some(),
            };
            assert!(there, "no target of {item:?}");
            let held = item.reservation.is_none_or(|id| view.get::<Reservation>(id).is_some());
            assert!(held, "no reservation of {item:?}");
        }
        wholes::check(&view, &self.doomed);
        let admin = Caller { role: Role::Admin, ..Caller::default() };
        let (config, version) = (&self.config, Microversion::MAX);
        let cx = Context { config, caller: &admin, version, now: self.now, request_id: "" };
        let stuck = StuckFilter::default();
        let stuck = clean_up_stuck(&mut self.store.begin_write().unwrap(), &cx, &stuck, |_| true);
        assert!(stuck.as_ref().is_ok_and(BTreeSet::is_empty), "no work for {stuck:?}");
        for aside in view.scan::<Reservation>(&all(), Order::Ascending) {
            let used = view.find(&WorkItem::BY_RESERVATION, aside.id);
            assert!(used.is_some(), "no work for {aside:?}");
        }
        self.check_quota(&view);
        Self::check_totals(&view);
    }

    /// Checks each change of a status against the tables of the state machines. New rows MUST have a first status.
    fn check_statuses(&self, before: &View, op: &Op) {
        let after = self.store.snapshot();
        let all = KeyRange::<Uuid>::all;
        macro_rules! check {
            ($row:ty, $table:ident, $reset:pat) => {
                for row in before.scan::<$row>(&all(), Order::Ascending) {
                    let status = after.get::<$row>(row.id).map(|row| row.status);
                    // An operator can set any status.
                    let listed = matches!(op, $reset) || row.status.can_become(status);
                    assert!(status == Some(row.status) || listed, "{op:?}: {row:?} to {status:?}");
                }
                for row in after.scan::<$row>(&all(), Order::Ascending) {
                    let new = before.get::<$row>(row.id).is_none();
                    let mut created = $table.iter().filter(|rule| rule.allowed == AllowedIn::New);
                    let listed = created.any(|rule| rule.target == NextStatus::Is(row.status));
                    assert!(!new || listed, "{op:?}: created {row:?}");
                }
            };
        }
        check!(Volume, VOLUME_TRANSITIONS, Op::Reset { .. });
        check!(Snapshot, SNAPSHOT_TRANSITIONS, Op::ResetSnapshot { .. });
        check!(Backup, BACKUP_TRANSITIONS, Op::ResetBackup { .. });
        check!(Group, GROUP_TRANSITIONS, Op::ResetGroup { .. });
        check!(GroupSnapshot, GROUP_SNAPSHOT_TRANSITIONS, Op::ResetSnapshot { .. });
    }

    fn check_totals(view: &View) {
        let noted: BTreeMap<_, _> = view
            .scan::<Total>(&KeyRange::all(), Order::Ascending)
            .map(|row| ((row.host.clone(), row.project_id.clone()), HostUsage::from(&**row)))
            .collect();
        assert_eq!(noted, count_totals(view));
    }

    fn check_users(view: &View, row: &Volume) {
        let users: Vec<_> = view
            .scan_by(&Attachment::BY_VOLUME, &KeyRange::exact(row.id), Order::Ascending)
            .collect();
        if let (false, Some(first)) = (row.multiattach, users.first()) {
            let alone = users.iter().all(|user| user.instance == first.instance);
            assert!(alone, "several users of {row:?}: {users:?}");
        }
        let deleting = matches!(row.status, VolumeStatus::Deleting | VolumeStatus::Unmanaging);
        assert!(users.is_empty() || !deleting, "in use and deleted: {row:?}");
    }

    fn check_quota(&self, view: &View) {
        let mut reserved = BTreeMap::<(Box<str>, QuotaResource), i64>::new();
        for row in view.scan::<Reservation>(&KeyRange::all(), Order::Ascending) {
            for (resource, delta) in &row.deltas {
                let key = (row.project_id.clone(), *resource);
                *reserved.entry(key).or_default() += (*delta).max(0);
            }
        }
        for project in PROJECTS {
            for resource in quota_resources(view) {
                let usage = quota_usage(view, &self.config, project, resource);
                let counted = count_usage(view, &self.config, project, resource);
                let aside = reserved.get(&(project.into(), resource)).copied().unwrap_or(0);
                let expected = Usage { in_use: counted, reserved: aside };
                assert_eq!(usage, expected, "{project} {}", resource.name(view));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        ..ProptestConfig::default()
    })]

    #[test]
    fn rows_quota_and_work_agree(ops in proptest::collection::vec(op(), 1..80)) {
        let mut world = World::new();
        for op in &ops {
            let before = world.store.snapshot();
            world.step(op);
            world.check();
            world.check_statuses(&before, op);
        }
        // Once the workers have finished, no row is in a transitional status.
        world.step(&Op::Crash);
        let mut rounds = 0;
        while world.work(&Outcome::DONE) {
            rounds += 1;
            prop_assert!(rounds < 1000);
            world.check();
        }
        let view = world.store.snapshot();
        prop_assert_eq!(view.count::<WorkItem>(), 0);
        prop_assert_eq!(view.count::<Reservation>(), 0);
    }
}
