//! Rules of groups and group snapshots, each with the fewest operations that reach it.

use statehold_cinder::*;
use statehold_store::{KeyRange, Order, ReadView, Store, Table as _, WriteTxn};
use uuid::Uuid;

const TYPE: Uuid = Uuid::from_u128(2);
const OTHER_TYPE: Uuid = Uuid::from_u128(3);
const GROUP_TYPE: Uuid = Uuid::from_u128(4);
const RESERVED: Uuid = Uuid::from_u128(5);
const GROUP: Uuid = Uuid::from_u128(10);
/// The two volumes of the group, and one outside.
const MEMBERS: [Uuid; 2] = [Uuid::from_u128(11), Uuid::from_u128(12)];
const LONER: Uuid = Uuid::from_u128(13);

const API: GroupApi = GroupApi::Groups;

fn with<T>(project: &str, role: Role, run: impl FnOnce(&Context<'_>) -> T) -> T {
    let config = Config::default();
    let caller = Caller { user: "u".into(), project: project.into(), role, ..Caller::default() };
    let version = Microversion::MAX;
    run(&Context { config: &config, caller: &caller, version, now: 5, request_id: "req-1" })
}

fn member<T>(run: impl FnOnce(&Context<'_>) -> T) -> T {
    with("p", Role::Member, run)
}

fn admin<T>(run: impl FnOnce(&Context<'_>) -> T) -> T {
    with("p", Role::Admin, run)
}

fn of(id: Uuid) -> String {
    id.to_string()
}

fn placement() -> Placement {
    Placement { host: "h@b#p".into(), ..Placement::default() }
}

/// Finishes the oldest work.
fn work(txn: &mut WriteTxn<'_>, outcome: &Outcome) {
    let item = WorkItem::clone(next_work(txn).unwrap());
    let item = start_work(txn, 5, item.kind, item.target).unwrap().unwrap();
    let mut outcome = outcome.clone();
    if matches!(item.task, Task::CreateVolume { .. }) {
        place_volume(txn, 5, item.target, placement()).unwrap();
    }
    if item.task == Task::CreateGroup && outcome == Outcome::DONE {
        outcome = Outcome::Done { moved: Some(placement()), provider_id: None };
    }
    assert!(finish_work(txn, &Config::default(), 5, &item, &outcome).unwrap());
}

fn work_off(txn: &mut WriteTxn<'_>) {
    while next_work(txn).is_some() {
        work(txn, &Outcome::DONE);
    }
}

fn failed() -> Outcome {
    Outcome::Failed { cause: FailureCause::Unknown, message: Uuid::from_u128(99) }
}

fn ids(from: u128) -> impl FnMut() -> Uuid {
    let mut next = from;
    move || {
        next += 1;
        Uuid::from_u128(next)
    }
}

fn make(txn: &mut WriteTxn<'_>, id: Uuid, group: Option<Uuid>) -> Result<(), Error> {
    let spec = VolumeSpec {
        size: Some(1),
        volume_type: Some(of(TYPE).into()),
        group_id: group.map(|group| of(group).into()),
        ..VolumeSpec::default()
    };
    member(|cx| create_volume(txn, cx, id, spec))
}

/// A store with a group of two volumes, and a volume outside.
fn store() -> Store {
    let store = Store::in_memory(&schema());
    let mut txn = store.begin_write().unwrap();
    bootstrap(&mut txn, &Config::default(), 1, TYPE).unwrap();
    bootstrap_groups(&mut txn, 1, RESERVED).unwrap();
    admin(|cx| {
        let spec = TypeSpec { name: "other".into(), ..TypeSpec::default() };
        create_type(&mut txn, cx, OTHER_TYPE, spec)?;
        let spec = GroupTypeSpec {
            name: "g".into(),
            description: None,
            is_public: true,
            group_specs: Pairs::new(),
        };
        create_group_type(&mut txn, cx, GROUP_TYPE, spec)
    })
    .unwrap();
    let spec = GroupSpec {
        group_type: "g".into(),
        volume_types: vec![of(TYPE).into()],
        ..GroupSpec::default()
    };
    member(|cx| create_group(&mut txn, cx, API, GROUP, spec)).unwrap();
    make(&mut txn, MEMBERS[0], Some(GROUP)).unwrap();
    make(&mut txn, MEMBERS[1], Some(GROUP)).unwrap();
    make(&mut txn, LONER, None).unwrap();
    work_off(&mut txn);
    txn.commit().unwrap();
    store
}

fn status(txn: &WriteTxn<'_>, id: Uuid) -> Option<GroupStatus> {
    txn.get::<Group>(id).map(|row| row.status)
}

fn snapshot_status(txn: &WriteTxn<'_>, id: Uuid) -> Option<GroupSnapshotStatus> {
    txn.get::<GroupSnapshot>(id).map(|row| row.status)
}

fn snapshot(txn: &mut WriteTxn<'_>, id: Uuid) -> Result<(), Error> {
    let spec = GroupSnapshotSpec { group_id: of(GROUP).into(), ..GroupSnapshotSpec::default() };
    member(|cx| create_group_snapshot(txn, cx, API, id, &spec, ids(id.as_u128())))
}

fn change(add: &[Uuid], remove: &[Uuid]) -> GroupChange {
    let texts = |ids: &[Uuid]| ids.iter().map(|id| of(*id).into()).collect();
    GroupChange { add_volumes: texts(add), remove_volumes: texts(remove), ..GroupChange::default() }
}

fn usage(txn: &WriteTxn<'_>, kind: QuotaKind) -> i64 {
    quota_usage(txn, &Config::default(), "p", QuotaResource::all(kind)).in_use
}

#[test]
fn members_reject_deletion_migration_and_transfer() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let id = of(MEMBERS[0]);
    for force in [false, true] {
        let options = DeleteOptions { cascade: force, force };
        let refusal = admin(|cx| delete_volume(&mut txn, cx, &id, options)).unwrap_err();
        assert_eq!(refusal, Error::Volume(VolumeRefusal::Delete { force }));
    }
    assert!(admin(|cx| unmanage_volume(&mut txn, cx, &id)).is_err());
    let other = of(OTHER_TYPE);
    let reservation = Uuid::from_u128(90);
    let refusal = member(|cx| retype_volume(&mut txn, cx, &id, &other, true, reservation));
    assert_eq!(refusal, Err(VolumeRefusal::Retype.into()));
    let request = MigrateRequest { host: Some("h@c#q".into()), ..MigrateRequest::default() };
    let refusal = admin(|cx| migrate_volume(&mut txn, cx, &id, request, |_| true));
    assert_eq!(refusal, Err(VolumeRefusal::Migrate { volume: MEMBERS[0] }.into()));
    let spec = TransferSpec { volume_id: id.into(), name: None, no_snapshots: true };
    let key = TransferKey { key: "24e6bf914a44e173", salt: [1; 8] };
    let refusal = member(|cx| create_transfer(&mut txn, cx, reservation, spec, key));
    let grouped = VolumeRefusal::InGroup { volume: MEMBERS[0], group: GROUP };
    assert_eq!(refusal, Err(grouped.into()));
    assert!(admin(|cx| delete_type(&mut txn, cx, &of(TYPE))).is_err());
    assert!(admin(|cx| delete_group_type(&mut txn, cx, &of(GROUP_TYPE))).is_err());
}

#[test]
fn unplaced_members_stay_in_their_group() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let id = Uuid::from_u128(20);
    make(&mut txn, id, Some(GROUP)).unwrap();
    let options = DeleteOptions::default();
    assert!(member(|cx| delete_volume(&mut txn, cx, &of(id), options)).is_err());
    assert!(txn.get::<Volume>(id).is_some());
}

#[test]
fn groups_get_a_back_end_before_their_volumes() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let (group, volume) = (Uuid::from_u128(20), Uuid::from_u128(21));
    let spec = GroupSpec {
        group_type: "g".into(),
        volume_types: vec!["__DEFAULT__".into()],
        ..GroupSpec::default()
    };
    member(|cx| create_group(&mut txn, cx, API, group, spec)).unwrap();
    make(&mut txn, volume, Some(group)).unwrap();
    let item = WorkItem::clone(next_work(&txn).unwrap());
    assert_eq!(item.target, group);
    start_work(&mut txn, 5, item.kind, item.target).unwrap().unwrap();
    assert!(next_work(&txn).is_none());
    // A worker repeats the work after a crash.
    resume_work(&mut txn, &Config::default(), 6, || Uuid::from_u128(98)).unwrap();
    work(&mut txn, &failed());
    assert_eq!(status(&txn, group), Some(GroupStatus::Error));
    assert_eq!(next_work(&txn).unwrap().target, volume);
}

#[test]
fn members_have_a_type_and_the_project_of_the_group() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let spec = |volume_type: Option<Uuid>| VolumeSpec {
        size: Some(1),
        volume_type: volume_type.map(|id| of(id).into()),
        group_id: Some(of(GROUP).into()),
        ..VolumeSpec::default()
    };
    let id = Uuid::from_u128(20);
    let error = member(|cx| create_volume(&mut txn, cx, id, spec(None))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Invalid input received: volume_type must be provided when creating a volume in a group."
    );
    let error = member(|cx| create_volume(&mut txn, cx, id, spec(Some(OTHER_TYPE)))).unwrap_err();
    assert_eq!(error.status(), 400);
    for role in [Role::Member, Role::Admin] {
        let error = with("q", role, |cx| create_volume(&mut txn, cx, id, spec(Some(TYPE))));
        assert_eq!(error, Err(Missing::Group(of(GROUP).into()).into()));
    }
}

#[test]
fn volumes_at_rest_can_be_added_and_removed() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let update = |txn: &mut WriteTxn<'_>, change| {
        member(|cx| update_group(txn, cx, API, &of(GROUP), change))
    };
    let text = |result: Result<(), Error>| result.unwrap_err().to_string();
    assert_eq!(
        text(update(&mut txn, change(&[LONER], &[LONER]))),
        format!("Invalid volume: UUIDs ['{LONER}'] are in both add and remove volume list.")
    );
    assert_eq!(
        text(update(&mut txn, change(&[], &[LONER]))),
        format!(
            "Invalid volume: Cannot remove volume {LONER} from group {GROUP} because it is not in \
             the group."
        )
    );
    assert!(text(update(&mut txn, change(&[MEMBERS[0]], &[]))).contains("already in group"));
    assert!(matches!(
        update(&mut txn, GroupChange::default()),
        Err(Error::Group(GroupRefusal::Unchanged { .. }))
    ));
    update(&mut txn, change(&[LONER], &[MEMBERS[1]])).unwrap();
    assert_eq!(txn.get::<Volume>(LONER).unwrap().group_id, Some(GROUP));
    assert_eq!(txn.get::<Volume>(MEMBERS[1]).unwrap().group_id, None);
    // A removed volume can be deleted or added again.
    let options = DeleteOptions::default();
    member(|cx| delete_volume(&mut txn, cx, &of(MEMBERS[1]), options)).unwrap();
    assert!(text(update(&mut txn, change(&[MEMBERS[1]], &[]))).contains("invalid state: deleting"));
    // A group of another project MUST NOT change the project whose quota the volume counts towards.
    let other = Uuid::from_u128(20);
    let spec = VolumeSpec { size: Some(1), ..VolumeSpec::default() };
    with("q", Role::Member, |cx| create_volume(&mut txn, cx, other, spec)).unwrap();
    let refusal = admin(|cx| update_group(&mut txn, cx, API, &of(GROUP), change(&[other], &[])));
    let why = CantAdd::Missing;
    let volume = of(other).into();
    assert_eq!(refusal, Err(GroupRefusal::Add { volume, group: GROUP, why }.into()));
}

#[test]
fn group_snapshots_are_available_with_their_last_snapshot() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let id = Uuid::from_u128(30);
    snapshot(&mut txn, id).unwrap();
    assert_eq!(usage(&txn, QuotaKind::Snapshots), 2);
    work(&mut txn, &Outcome::DONE);
    assert_eq!(snapshot_status(&txn, id), Some(GroupSnapshotStatus::Creating));
    work(&mut txn, &Outcome::DONE);
    assert_eq!(snapshot_status(&txn, id), Some(GroupSnapshotStatus::Available));
    let part = of(Uuid::from_u128(31));
    for force in [false, true] {
        let refusal = admin(|cx| delete_snapshot(&mut txn, cx, &part, force));
        assert_eq!(refusal, Err(SnapshotRefusal::Delete.into()));
    }
    assert_eq!(
        member(|cx| delete_group(&mut txn, cx, API, &of(GROUP), true)),
        Err(GroupRefusal::HasSnapshots.into())
    );
    member(|cx| delete_group_snapshot(&mut txn, cx, API, &of(id))).unwrap();
    work(&mut txn, &Outcome::DONE);
    assert_eq!(snapshot_status(&txn, id), Some(GroupSnapshotStatus::Deleting));
    work(&mut txn, &Outcome::DONE);
    assert_eq!((snapshot_status(&txn, id), usage(&txn, QuotaKind::Snapshots)), (None, 0));
}

#[test]
fn group_snapshots_with_a_failed_member_can_be_deleted() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let id = Uuid::from_u128(30);
    snapshot(&mut txn, id).unwrap();
    work(&mut txn, &failed());
    work(&mut txn, &Outcome::DONE);
    assert_eq!(snapshot_status(&txn, id), Some(GroupSnapshotStatus::Error));
    let delete = |txn: &mut WriteTxn<'_>| {
        member(|cx| delete_group_snapshot(txn, cx, API, &of(id))).unwrap();
    };
    delete(&mut txn);
    work(&mut txn, &failed());
    work(&mut txn, &Outcome::DONE);
    assert_eq!(snapshot_status(&txn, id), Some(GroupSnapshotStatus::Error));
    delete(&mut txn);
    work_off(&mut txn);
    assert_eq!(snapshot_status(&txn, id), None);
    assert_eq!(txn.count::<Snapshot>(), 0);
}

#[test]
fn group_snapshots_charge_quota_for_all_members_or_none() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let body = br#"{"quota_set": {"snapshots": 1}}"#;
    admin(|cx| set_quotas(&mut txn, cx.config, cx.caller, "p", body)).unwrap();
    let refusal = snapshot(&mut txn, Uuid::from_u128(30)).unwrap_err();
    assert_eq!(refusal.status(), 413);
    assert_eq!(usage(&txn, QuotaKind::Snapshots), 0);
}

/// Creates a group from another group or a group snapshot.
fn copy(txn: &mut WriteTxn<'_>, id: Uuid, source: GroupSource) -> Result<(), Error> {
    let spec = GroupSourceSpec { name: None, description: None, source };
    member(|cx| create_group_from(txn, cx, API, id, spec, ids(id.as_u128())))
}

#[test]
fn group_copies_are_available_with_their_last_volume() {
    let (snap, id) = (Uuid::from_u128(30), Uuid::from_u128(40));
    for source in [GroupSource::Group(of(GROUP).into()), GroupSource::Snapshot(of(snap).into())] {
        let store = store();
        let mut txn = store.begin_write().unwrap();
        snapshot(&mut txn, snap).unwrap();
        work_off(&mut txn);
        copy(&mut txn, id, source.clone()).unwrap();
        assert_eq!(usage(&txn, QuotaKind::Groups), 2);
        assert_eq!(usage(&txn, QuotaKind::Volumes), 5);
        work(&mut txn, &Outcome::DONE);
        assert_eq!(status(&txn, id), Some(GroupStatus::Creating));
        // The source stays until the copy exists.
        let gone = member(|cx| delete_group_snapshot(&mut txn, cx, API, &of(snap)));
        assert_eq!(gone.is_err(), matches!(source, GroupSource::Snapshot(_)));
        work_off(&mut txn);
        assert_eq!(status(&txn, id), Some(GroupStatus::Available));
        assert_eq!(volumes_of(&txn, id).count(), 2);
        assert!(volumes_of(&txn, id).all(|row| row.host.as_deref() == Some("h@b#p")));
    }
}

#[test]
fn group_copies_with_a_failed_volume_have_failed() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let id = Uuid::from_u128(40);
    copy(&mut txn, id, GroupSource::Group(of(GROUP).into())).unwrap();
    let refusal = member(|cx| delete_group(&mut txn, cx, API, &of(GROUP), true));
    assert_eq!(refusal, Err(GroupRefusal::Source { group: GROUP }.into()));
    work(&mut txn, &failed());
    work(&mut txn, &Outcome::DONE);
    assert_eq!(status(&txn, id), Some(GroupStatus::Error));
    member(|cx| delete_group(&mut txn, cx, API, &of(id), true)).unwrap();
    work_off(&mut txn);
    assert_eq!((status(&txn, id), usage(&txn, QuotaKind::Volumes)), (None, 3));
}

#[test]
fn empty_groups_cannot_be_copied_or_snapshotted() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let empty = change(&[], &MEMBERS);
    member(|cx| update_group(&mut txn, cx, API, &of(GROUP), empty)).unwrap();
    let id = Uuid::from_u128(40);
    let refusal = copy(&mut txn, id, GroupSource::Group(of(GROUP).into()));
    assert_eq!(refusal, Err(GroupRefusal::EmptyGroup.into()));
    let refusal = snapshot(&mut txn, id).unwrap_err();
    let text = "Invalid Group: Source group cannot be empty or in 'creating' or 'updating' state. No \
                group snapshot will be created.";
    assert_eq!((refusal.status(), &*refusal.to_string()), (400, text));
    assert_eq!(snapshot_status(&txn, id), None);
    // The group has no members, so it can be deleted.
    member(|cx| delete_group(&mut txn, cx, API, &of(GROUP), false)).unwrap();
    work_off(&mut txn);
    assert_eq!(status(&txn, GROUP), None);
}

#[test]
fn groups_are_deleted_after_their_volumes() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let delete = |txn: &mut WriteTxn<'_>, volumes| {
        member(|cx| delete_group(txn, cx, API, &of(GROUP), volumes))
    };
    assert_eq!(delete(&mut txn, false), Err(GroupRefusal::HasVolumes { group: GROUP }.into()));
    delete(&mut txn, true).unwrap();
    assert!(delete(&mut txn, true).is_err());
    assert!(snapshot(&mut txn, Uuid::from_u128(30)).is_err());
    assert!(make(&mut txn, Uuid::from_u128(20), Some(GROUP)).is_err());
    work(&mut txn, &Outcome::DONE);
    work(&mut txn, &Outcome::DONE);
    assert_eq!(status(&txn, GROUP), Some(GroupStatus::Deleting));
    assert_eq!(next_work(&txn).unwrap().kind, WorkTarget::Group);
    work(&mut txn, &Outcome::DONE);
    assert_eq!((status(&txn, GROUP), usage(&txn, QuotaKind::Groups)), (None, 0));
    assert_eq!(usage(&txn, QuotaKind::Volumes), 1);
}

#[test]
fn groups_stay_if_a_volume_stays() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let delete = |txn: &mut WriteTxn<'_>| {
        member(|cx| delete_group(txn, cx, API, &of(GROUP), true)).unwrap();
    };
    delete(&mut txn);
    work(&mut txn, &failed());
    assert_eq!(status(&txn, GROUP), Some(GroupStatus::Error));
    work_off(&mut txn);
    assert_eq!(volumes_of(&txn, GROUP).count(), 1);
    delete(&mut txn);
    let reset = StatusReset { status: Some("available".into()), ..StatusReset::default() };
    let left = volumes_of(&txn, GROUP).next().unwrap().id;
    admin(|cx| reset_volume_status(&mut txn, cx, &of(left), &reset)).unwrap();
    assert_eq!(status(&txn, GROUP), Some(GroupStatus::Error));
    assert_eq!(txn.count::<WorkItem>(), 0);
    delete(&mut txn);
    work_off(&mut txn);
    assert_eq!(status(&txn, GROUP), None);
}

#[test]
fn attached_or_snapshotted_volumes_keep_their_group() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let delete = |txn: &mut WriteTxn<'_>| member(|cx| delete_group(txn, cx, API, &of(GROUP), true));
    let request = AttachRequest { host: Some("h".into()), ..AttachRequest::default() };
    let id = of(MEMBERS[0]);
    member(|cx| attach_volume(&mut txn, cx, &id, request, Uuid::from_u128(20))).unwrap();
    assert_eq!(delete(&mut txn), Err(GroupRefusal::Attached { group: GROUP }.into()));
    member(|cx| detach_volume(&mut txn, cx, &id, None)).unwrap();
    member(|cx| extend_volume(&mut txn, cx, &id, 2, Uuid::from_u128(21))).unwrap();
    let (volume, status) = (MEMBERS[0], VolumeStatus::Extending);
    assert_eq!(delete(&mut txn), Err(GroupRefusal::Busy { volume, status }.into()));
    work_off(&mut txn);
    let spec = SnapshotSpec { volume_id: id.into(), ..SnapshotSpec::default() };
    member(|cx| create_snapshot(&mut txn, cx, Uuid::from_u128(22), spec)).unwrap();
    assert_eq!(delete(&mut txn), Err(GroupRefusal::VolumeSnapshots.into()));
}

#[test]
fn groups_count_towards_their_quota() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let body = br#"{"quota_set": {"groups": 1}}"#;
    admin(|cx| set_quotas(&mut txn, cx.config, cx.caller, "p", body)).unwrap();
    let refusal = copy(&mut txn, Uuid::from_u128(40), GroupSource::Group(of(GROUP).into()));
    assert_eq!(
        refusal.unwrap_err().to_string(),
        "GroupLimitExceeded: Maximum number of groups allowed (1) exceeded"
    );
    let spec = GroupSpec {
        group_type: "g".into(),
        volume_types: vec![of(OTHER_TYPE).into()],
        ..GroupSpec::default()
    };
    let id = Uuid::from_u128(41);
    let refusal = member(|cx| create_group(&mut txn, cx, API, id, spec.clone())).unwrap_err();
    assert_eq!(refusal.status(), 413);
    let body = br#"{"quota_set": {"groups": 2}}"#;
    admin(|cx| set_quotas(&mut txn, cx.config, cx.caller, "p", body)).unwrap();
    member(|cx| create_group(&mut txn, cx, API, id, spec)).unwrap();
    assert_eq!(usage(&txn, QuotaKind::Groups), 2);
    QuotaUsage::BY_KEY.delete_range(&mut txn, &KeyRange::all()).unwrap();
    bootstrap(&mut txn, &Config::default(), 1, Uuid::from_u128(42)).unwrap();
    assert_eq!(usage(&txn, QuotaKind::Groups), 2);
    // A group also keeps the volume types that it allows.
    assert!(admin(|cx| delete_type(&mut txn, cx, &of(OTHER_TYPE))).is_err());
}

#[test]
fn each_api_lists_its_own_groups_only() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let id = Uuid::from_u128(20);
    let spec = GroupSpec { volume_types: vec![of(TYPE).into()], ..GroupSpec::default() };
    let older = GroupApi::Consistency;
    member(|cx| create_group(&mut txn, cx, older, id, spec.clone())).unwrap();
    member(|cx| {
        let refusal = find_group(&txn, cx, API, &of(id)).unwrap_err();
        assert_eq!(refusal, GroupRefusal::Reserved { group_type: RESERVED }.into());
        let refusal = find_group(&txn, cx, older, &of(GROUP)).unwrap_err();
        assert_eq!(refusal, Missing::Group(of(GROUP).into()).into());
        assert!(find_group(&txn, cx, older, &of(id)).is_ok());
    });
    let reserved = GroupSpec { group_type: CONSISTENCY_TYPE.into(), ..spec };
    let refusal = member(|cx| create_group(&mut txn, cx, API, Uuid::from_u128(21), reserved));
    assert_eq!(refusal, Err(GroupRefusal::Reserved { group_type: RESERVED }.into()));
    assert!(admin(|cx| delete_group_type(&mut txn, cx, &of(RESERVED))).is_err());
    let all: Vec<_> = txn.scan::<Group>(&KeyRange::all(), Order::Ascending).collect();
    let listed = |api: GroupApi| {
        let rows = all.iter().filter(|row| api.lists(&txn, row.group_type_id));
        rows.map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!((listed(API), listed(older)), (vec![GROUP], vec![id]));
}

#[test]
fn other_projects_see_no_group_and_readers_change_none() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let text = of(GROUP);
    let other = with("q", Role::Member, |cx| find_group(&txn, cx, API, &text).map(|row| row.id));
    assert_eq!(other, Err(Missing::Group(text.clone().into()).into()));
    let renamed = GroupChange { name: Some("n".into()), ..GroupChange::default() };
    let refusal = with("p", Role::Reader, |cx| update_group(&mut txn, cx, API, &text, renamed));
    assert_eq!(refusal, Err(Error::Policy { rule: "group:update" }));
    let refusal = member(|cx| reset_group_status(&mut txn, cx, &text, "error"));
    assert_eq!(refusal, Err(Error::Policy { rule: "group:reset_status" }));
}

#[test]
fn added_volumes_are_on_the_back_end_of_the_group() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let there = Placement { host: "h@other#p".into(), ..Placement::default() };
    place_volume(&mut txn, 5, LONER, there).unwrap();
    let volume = of(LONER).into();
    let refusal = member(|cx| update_group(&mut txn, cx, API, &of(GROUP), change(&[LONER], &[])));
    let why = CantAdd::Elsewhere;
    assert_eq!(refusal, Err(GroupRefusal::Add { volume, group: GROUP, why }.into()));
    let spec = |source: Uuid| VolumeSpec {
        source_volid: Some(of(source).into()),
        volume_type: Some(of(TYPE).into()),
        group_id: Some(of(GROUP).into()),
        ..VolumeSpec::default()
    };
    let id = Uuid::from_u128(20);
    let refusal = member(|cx| create_volume(&mut txn, cx, id, spec(LONER))).unwrap_err();
    assert_eq!(refusal.status(), 400);
    member(|cx| create_volume(&mut txn, cx, id, spec(MEMBERS[0]))).unwrap();
}

#[test]
fn transfers_reject_members_of_group_snapshots() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    snapshot(&mut txn, Uuid::from_u128(30)).unwrap();
    work_off(&mut txn);
    let gone = change(&[], &MEMBERS);
    member(|cx| update_group(&mut txn, cx, API, &of(GROUP), gone)).unwrap();
    let mut offer = |no_snapshots| {
        let spec = TransferSpec { volume_id: of(MEMBERS[0]).into(), name: None, no_snapshots };
        let key = TransferKey { key: "24e6bf914a44e173", salt: [1; 8] };
        member(|cx| create_transfer(&mut txn, cx, Uuid::from_u128(90), spec, key))
    };
    let refusal = offer(false);
    assert!(matches!(refusal, Err(Error::Snapshot(SnapshotRefusal::InGroupSnapshot { .. }))));
    offer(true).unwrap();
    // A volume that awaits a transfer cannot be added, even after an operator reset its status.
    let reset = StatusReset { status: Some("available".into()), ..StatusReset::default() };
    admin(|cx| reset_volume_status(&mut txn, cx, &of(MEMBERS[0]), &reset)).unwrap();
    let back = change(&[MEMBERS[0]], &[]);
    let refusal = member(|cx| update_group(&mut txn, cx, API, &of(GROUP), back));
    let (volume, why) = (of(MEMBERS[0]).into(), CantAdd::Offered);
    assert_eq!(refusal, Err(GroupRefusal::Add { volume, group: GROUP, why }.into()));
}

#[test]
fn members_in_use_keep_their_group_snapshot() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let snap = Uuid::from_u128(30);
    snapshot(&mut txn, snap).unwrap();
    work_off(&mut txn);
    let (volume, part) = (of(MEMBERS[0]), Uuid::from_u128(31));
    let first = txn.get::<Snapshot>(part).unwrap().volume_id == MEMBERS[0];
    let part = if first { part } else { Uuid::from_u128(32) };
    member(|cx| revert_volume(&mut txn, cx, &volume, part)).unwrap();
    let refusal = member(|cx| delete_group_snapshot(&mut txn, cx, API, &of(snap)));
    assert_eq!(refusal, Err(GroupRefusal::DeleteSnapshot.into()));
    work_off(&mut txn);
    member(|cx| delete_group_snapshot(&mut txn, cx, API, &of(snap))).unwrap();
}

#[test]
fn groups_have_a_maximum_number_of_volumes() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let row = Volume::clone(txn.get::<Volume>(MEMBERS[0]).unwrap());
    for id in 0..GROUP_VOLUMES_MAX as u128 - 3 {
        let id = Uuid::from_u128(10_000 + id);
        txn.upsert::<Volume>(Volume { id, ..row.clone() }).unwrap();
    }
    let add = change(&[LONER], &[]);
    member(|cx| update_group(&mut txn, cx, API, &of(GROUP), add)).unwrap();
    let refusal = make(&mut txn, Uuid::from_u128(20), Some(GROUP)).unwrap_err();
    let volumes_max = GROUP_VOLUMES_MAX;
    assert_eq!(refusal, GroupRefusal::Full { group: GROUP, volumes_max }.into());
}
