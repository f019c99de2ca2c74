//! Rules that random sequences rarely reach, each with the fewest operations that reach it.

use statehold_cinder::*;
use statehold_store::{KeyRange, Order, ReadView, Store, Table as _, WriteTxn};
use uuid::Uuid;

const VOLUME: Uuid = Uuid::from_u128(1);
const TYPE: Uuid = Uuid::from_u128(2);

/// Returns a store with one available volume.
fn store() -> Store {
    let store = Store::in_memory(&schema());
    let mut txn = store.begin_write().unwrap();
    bootstrap(&mut txn, &Config::default(), 1, TYPE).unwrap();
    make(&mut txn, VOLUME);
    work(&mut txn, &Outcome::DONE);
    txn.commit().unwrap();
    store
}

fn with<T>(role: Role, run: impl FnOnce(&Context<'_>) -> T) -> T {
    let config = Config::default();
    // Only a service may detach instances.
    let (user, project) = ("u".into(), "p".into());
    let caller = Caller { user, project, role, service: true, ..Caller::default() };
    let version = Microversion::MAX;
    run(&Context { config: &config, caller: &caller, version, now: 5, request_id: "req-1" })
}

fn member<T>(run: impl FnOnce(&Context<'_>) -> T) -> T {
    with(Role::Member, run)
}

fn make(txn: &mut WriteTxn<'_>, id: Uuid) {
    let spec = VolumeSpec { size: Some(1), ..VolumeSpec::default() };
    member(|cx| create_volume(txn, cx, id, spec)).unwrap();
}

fn work(txn: &mut WriteTxn<'_>, outcome: &Outcome) {
    let item = WorkItem::clone(next_work(txn).unwrap());
    let item = start_work(txn, 5, item.kind, item.target).unwrap().unwrap();
    let host = "h@b#p".into();
    place_volume(txn, 5, item.target, Placement { host, ..Placement::default() }).unwrap();
    assert!(finish_work(txn, &Config::default(), 5, &item, outcome).unwrap());
}

fn keep(txn: &mut WriteTxn<'_>, id: u128, instance: u128) -> Result<(), Error> {
    let spec = AttachmentSpec {
        volume: VOLUME.to_string().into(),
        instance: Some(Uuid::from_u128(instance)),
        ..AttachmentSpec::default()
    };
    member(|cx| create_attachment(txn, cx, Uuid::from_u128(id), &spec))
}

fn reset(txn: &mut WriteTxn<'_>, status: &str) {
    let reset = StatusReset { status: Some(status.into()), ..StatusReset::default() };
    with(Role::Admin, |cx| reset_volume_status(txn, cx, &VOLUME.to_string(), &reset)).unwrap();
}

fn status(txn: &WriteTxn<'_>) -> VolumeStatus {
    txn.get::<Volume>(VOLUME).unwrap().status
}

#[test]
fn attached_volumes_reset_to_available_stay_exclusive() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    keep(&mut txn, 10, 1).unwrap();
    reset(&mut txn, "available");
    let refusal = keep(&mut txn, 11, 2).unwrap_err();
    assert_eq!(refusal, VolumeRefusal::Held { volume: VOLUME }.into());
    keep(&mut txn, 12, 1).unwrap();
}

#[test]
fn forced_deletions_drop_waiting_attachments() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    keep(&mut txn, 10, 1).unwrap();
    let options = DeleteOptions { force: true, cascade: false };
    let id = VOLUME.to_string();
    with(Role::Admin, |cx| delete_volume(&mut txn, cx, &id, options)).unwrap();
    assert_eq!(txn.count::<Attachment>(), 0);
    work(&mut txn, &Outcome::DONE);
    assert_eq!(txn.count::<Volume>(), 0);
}

#[test]
fn repeatedly_crashing_work_fails_with_a_message() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let id = VOLUME.to_string();
    member(|cx| extend_volume(&mut txn, cx, &id, 3, Uuid::from_u128(9))).unwrap();
    let config = Config::default();
    for attempt in 1..=ATTEMPTS_MAX {
        assert_eq!(status(&txn), VolumeStatus::Extending, "attempt {attempt}");
        start_work(&mut txn, 5, WorkTarget::Volume, VOLUME).unwrap().unwrap();
        assert!(next_work(&txn).is_none());
        resume_work(&mut txn, &config, 6, || Uuid::from_u128(20)).unwrap();
    }
    assert_eq!(status(&txn), VolumeStatus::ErrorExtending);
    assert_eq!(txn.count::<Reservation>(), 0);
    let message = txn.get::<Message>(Uuid::from_u128(20)).unwrap();
    assert_eq!(&*message.user_message, "extend volume:Volume Driver failed to extend volume.");
    assert_eq!(&*message.request_id, "req-1");
}

#[test]
fn resets_by_an_operator_cancel_work() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let id = VOLUME.to_string();
    member(|cx| extend_volume(&mut txn, cx, &id, 3, Uuid::from_u128(9))).unwrap();
    let item = start_work(&mut txn, 5, WorkTarget::Volume, VOLUME).unwrap().unwrap();
    reset(&mut txn, "available");
    assert!(!finish_work(&mut txn, &Config::default(), 6, &item, &Outcome::DONE).unwrap());
    assert_eq!(txn.get::<Volume>(VOLUME).unwrap().size, 1);
    assert_eq!(txn.count::<Reservation>(), 0);
}

#[test]
fn unheld_reservations_expire() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let id = VOLUME.to_string();
    let config = Config::default();
    member(|cx| extend_volume(&mut txn, cx, &id, 3, Uuid::from_u128(9))).unwrap();
    // The work is slow, but still running.
    let late = RESERVATION_NS * 2;
    assert_eq!(expire_reservations(&mut txn, &config, late), Ok(0));
    WorkItem::BY_KEY.delete_range(&mut txn, &KeyRange::all()).unwrap();
    assert_eq!(expire_reservations(&mut txn, &config, late), Ok(1));
    let gigabytes = QuotaResource::all(QuotaKind::Gigabytes);
    assert_eq!(quota_usage(&txn, &config, "p", gigabytes), Usage { in_use: 1, reserved: 0 });
}

#[test]
fn copies_are_created_before_their_source_is_deleted() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let (copy, id) = (Uuid::from_u128(30), VOLUME.to_string());
    let source = Some(id.as_str().into());
    let spec = VolumeSpec { source_volid: source, ..VolumeSpec::default() };
    member(|cx| create_volume(&mut txn, cx, copy, spec)).unwrap();
    member(|cx| delete_volume(&mut txn, cx, &id, DeleteOptions::default())).unwrap();
    assert_eq!(next_work(&txn).unwrap().target, copy);
    start_work(&mut txn, 5, WorkTarget::Volume, copy).unwrap().unwrap();
    assert!(next_work(&txn).is_none());
}

#[test]
fn secrets_are_in_no_debug_output_and_no_filter() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let key = TransferKey { key: "xyzzyxyzzyxyzzyx", salt: [3; 8] };
    assert!(!format!("{key:?}").contains("xyzzy"));
    let volume_id = VOLUME.to_string().into();
    let spec = TransferSpec { volume_id, ..TransferSpec::default() };
    member(|cx| create_transfer(&mut txn, cx, Uuid::from_u128(40), spec, key)).unwrap();
    let rows: Vec<_> = txn.scan::<Transfer>(&KeyRange::all(), Order::Ascending).collect();
    assert!(!format!("{rows:?}").contains("hash") && rows[0].key_hash != [0; 32]);
    for text in ["salt == a", "key_hash == a"] {
        assert!(statehold_filter::Filter::<Transfer>::compile(text).is_err(), "{text}");
    }
    for text in ["connector == a", "connection_info == a"] {
        assert!(statehold_filter::Filter::<Attachment>::compile(text).is_err(), "{text}");
    }
    for text in ["host == a", "encryption_key_id == a", "admin_metadata is empty"] {
        assert!(statehold_filter::Filter::<Volume>::compile(text).is_err(), "{text}");
    }
}

#[test]
fn starts_recount_lost_quota() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let config = Config::default();
    QuotaUsage::BY_KEY.delete_range(&mut txn, &KeyRange::all()).unwrap();
    let volumes = QuotaResource::all(QuotaKind::Volumes);
    bootstrap(&mut txn, &config, 1, Uuid::from_u128(49)).unwrap();
    assert_eq!(quota_usage(&txn, &config, "p", volumes).in_use, 1);
    make(&mut txn, Uuid::from_u128(50));
    assert_eq!(quota_usage(&txn, &config, "p", volumes).in_use, 2);
}

/// Creates a snapshot of the volume.
fn snapshot(txn: &mut WriteTxn<'_>, id: u128) -> String {
    let volume_id = VOLUME.to_string().into();
    let spec = SnapshotSpec { volume_id, ..SnapshotSpec::default() };
    member(|cx| create_snapshot(txn, cx, Uuid::from_u128(id), spec)).unwrap();
    Uuid::from_u128(id).to_string()
}

#[test]
fn outcomes_of_replaced_work_are_discarded() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let id = snapshot(&mut txn, 60);
    let target = Uuid::from_u128(60);
    let making = start_work(&mut txn, 5, WorkTarget::Snapshot, target).unwrap().unwrap();
    with(Role::Admin, |cx| delete_snapshot(&mut txn, cx, &id, true)).unwrap();
    let deleting = start_work(&mut txn, 5, WorkTarget::Snapshot, target).unwrap().unwrap();
    let config = Config::default();
    assert!(!finish_work(&mut txn, &config, 6, &making, &Outcome::DONE).unwrap());
    assert_eq!(txn.count::<Snapshot>(), 1);
    assert!(finish_work(&mut txn, &config, 6, &deleting, &Outcome::DONE).unwrap());
    assert_eq!(txn.count::<Snapshot>(), 0);
}

#[test]
fn cancelled_work_releases_the_rows_that_wait_for_it() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let (volume, id) = (VOLUME.to_string(), snapshot(&mut txn, 60));
    let target = Uuid::from_u128(60);
    let item = start_work(&mut txn, 5, WorkTarget::Snapshot, target).unwrap().unwrap();
    finish_work(&mut txn, &Config::default(), 5, &item, &Outcome::DONE).unwrap();
    let of = |txn: &WriteTxn<'_>| txn.get::<Snapshot>(target).unwrap().status;

    member(|cx| revert_volume(&mut txn, cx, &volume, target)).unwrap();
    assert_eq!(of(&txn), SnapshotStatus::Restoring);
    reset(&mut txn, "available");
    assert_eq!(of(&txn), SnapshotStatus::Available);

    let options = DeleteOptions { cascade: true, force: false };
    member(|cx| delete_volume(&mut txn, cx, &volume, options)).unwrap();
    with(Role::Admin, |cx| reset_snapshot_status(&mut txn, cx, &id, "available")).unwrap();
    assert_eq!(status(&txn), VolumeStatus::ErrorDeleting);
    assert_eq!(txn.count::<WorkItem>(), 0);
}

#[test]
fn repeated_attach_during_a_retype_keeps_the_work() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let (id, other) = (VOLUME.to_string(), Uuid::from_u128(7));
    let spec = TypeSpec { name: "other".into(), ..TypeSpec::default() };
    with(Role::Admin, |cx| create_type(&mut txn, cx, other, spec)).unwrap();
    let request =
        || AttachRequest { instance: Some(Uuid::from_u128(1)), ..AttachRequest::default() };
    member(|cx| attach_volume(&mut txn, cx, &id, request(), Uuid::from_u128(10))).unwrap();
    member(|cx| retype_volume(&mut txn, cx, &id, "other", true, Uuid::from_u128(9))).unwrap();
    let again = member(|cx| attach_volume(&mut txn, cx, &id, request(), Uuid::from_u128(11)));
    if again.is_ok() {
        assert_eq!(status(&txn), VolumeStatus::Retyping);
    }
    work(&mut txn, &Outcome::DONE);
    assert_eq!(status(&txn), VolumeStatus::InUse);
    assert_eq!(txn.count::<Reservation>(), 0);
}

#[test]
fn transfers_debit_the_project_of_each_row() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let config = Config::default();
    // An admin of another project creates a snapshot of the volume.
    let of = |project: &str, role| Caller {
        user: "u".into(),
        project: project.into(),
        role,
        ..Caller::default()
    };
    let (admin, taker) = (of("a", Role::Admin), of("q", Role::Member));
    let version = Microversion::MAX;
    let cx = |caller| Context { config: &config, caller, version, now: 5, request_id: "" };
    let spec = SnapshotSpec { volume_id: VOLUME.to_string().into(), ..SnapshotSpec::default() };
    create_snapshot(&mut txn, &cx(&admin), Uuid::from_u128(10), spec).unwrap();
    work(&mut txn, &Outcome::DONE);
    let offer = Uuid::from_u128(11);
    let key = TransferKey { key: "24e6bf914a44e173", salt: [1; 8] };
    let spec = TransferSpec { volume_id: VOLUME.to_string().into(), ..TransferSpec::default() };
    member(|cx| create_transfer(&mut txn, cx, offer, spec, key)).unwrap();
    accept_transfer(&mut txn, &cx(&taker), &offer.to_string(), "24e6bf914a44e173").unwrap();
    let used = |project, kind| quota_usage(&txn, &config, project, QuotaResource::all(kind)).in_use;
    for (project, volumes, snapshots) in [("p", 0, 0), ("a", 0, 0), ("q", 1, 1)] {
        assert_eq!(used(project, QuotaKind::Volumes), volumes, "volumes of {project}");
        assert_eq!(used(project, QuotaKind::Snapshots), snapshots, "snapshots of {project}");
    }
}

#[test]
fn managed_volumes_cannot_be_managed_again() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let spec = SnapshotSpec { volume_id: VOLUME.to_string().into(), ..SnapshotSpec::default() };
    let snapshot = Uuid::from_u128(10);
    member(|cx| create_snapshot(&mut txn, cx, snapshot, spec)).unwrap();
    for name in [format!("volume-{VOLUME}"), format!("snapshot-{snapshot}")] {
        let spec = ManageVolumeSpec {
            host: Some("h@b#p".into()),
            reference: Some(name.clone().into()),
            ..ManageVolumeSpec::default()
        };
        let id = Uuid::from_u128(11);
        let done =
            with(Role::Admin, |cx| manage_volume(&mut txn, cx, id, spec, |host| Some(host.into())));
        assert!(done.is_err(), "{name}");
    }
}

fn migrate(txn: &mut WriteTxn<'_>) {
    let request = MigrateRequest { host: Some("h@c#c".into()), ..MigrateRequest::default() };
    with(Role::Admin, |cx| migrate_volume(txn, cx, &VOLUME.to_string(), request, |_| true))
        .unwrap();
}

fn clone(txn: &mut WriteTxn<'_>, id: u128) {
    let source_volid = Some(VOLUME.to_string().into());
    let spec = VolumeSpec { source_volid, ..VolumeSpec::default() };
    member(|cx| create_volume(txn, cx, Uuid::from_u128(id), spec)).unwrap();
}

#[test]
fn migrations_run_between_earlier_and_later_copies() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let ready =
        |txn: &WriteTxn<'_>| -> Vec<Uuid> { ready_work(txn).map(|item| item.target).collect() };
    clone(&mut txn, 20);
    migrate(&mut txn);
    assert_eq!(ready(&txn), [Uuid::from_u128(20)]);
    work(&mut txn, &Outcome::DONE);
    assert_eq!(ready(&txn), [VOLUME]);
    let item = migrating(&txn);
    let item = start_work(&mut txn, 5, item.kind, item.target).unwrap().unwrap();
    clone(&mut txn, 21);
    assert!(ready(&txn).is_empty());
    assert!(finish_work(&mut txn, &Config::default(), 5, &item, &Outcome::DONE).unwrap());
    assert_eq!(ready(&txn), [Uuid::from_u128(21)]);
}

fn migrating(txn: &WriteTxn<'_>) -> WorkItem {
    WorkItem::clone(txn.get::<WorkItem>((WorkTarget::Volume.as_str(), VOLUME)).unwrap())
}

fn attach(txn: &mut WriteTxn<'_>, volume: Uuid) -> Result<(), Error> {
    let request = AttachRequest {
        instance: Some(Uuid::from_u128(7)),
        host: None,
        mountpoint: "/dev/x".into(),
        mode: None,
    };
    member(|cx| attach_volume(txn, cx, &volume.to_string(), request, Uuid::from_u128(30)))
}

#[test]
fn volumes_detached_while_extended_become_available() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let volume = VOLUME.to_string();
    attach(&mut txn, VOLUME).unwrap();
    member(|cx| extend_volume(&mut txn, cx, &volume, 2, Uuid::from_u128(31))).unwrap();
    member(|cx| detach_volume(&mut txn, cx, &volume, None)).unwrap();
    assert_eq!(status(&txn), VolumeStatus::Extending);
    work(&mut txn, &Outcome::DONE);
    assert_eq!(status(&txn), VolumeStatus::Available);
    // The same for a backup, during which the volume stays in use for longer.
    attach(&mut txn, VOLUME).unwrap();
    let spec =
        BackupSpec { volume_id: volume.clone().into(), force: true, ..BackupSpec::default() };
    member(|cx| create_backup(&mut txn, cx, Uuid::from_u128(32), spec)).unwrap();
    member(|cx| detach_volume(&mut txn, cx, &volume, None)).unwrap();
    work(&mut txn, &Outcome::DONE);
    assert_eq!(status(&txn), VolumeStatus::Available);
}

/// Returns the reason why an admin's detachment of the volume failed, and why a forced one did.
fn detachments(txn: &mut WriteTxn<'_>, service: bool, attachment: &str) -> [String; 2] {
    let config = Config::default();
    let (user, project) = ("u".into(), "p".into());
    let caller = Caller { user, project, role: Role::Admin, service, ..Caller::default() };
    let version = Microversion::MAX;
    let cx = Context { config: &config, caller: &caller, version, now: 5, request_id: "req-1" };
    let volume = VOLUME.to_string();
    let reason = |done: Result<(), Error>| done.err().map(|error| error.to_string());
    [
        reason(detach_volume(txn, &cx, &volume, Some(attachment))),
        reason(force_detach_volume(txn, &cx, &volume, Some(attachment))),
    ]
    .map(Option::unwrap_or_default)
}

#[test]
fn detachment_of_an_attachment_elsewhere_is_refused() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let other = Uuid::from_u128(22);
    make(&mut txn, other);
    work(&mut txn, &Outcome::DONE);
    let elsewhere = Uuid::from_u128(41);
    let attach = |txn: &mut WriteTxn<'_>, volume: Uuid, id: Uuid| {
        let request = AttachRequest { host: Some("h".into()), ..AttachRequest::default() };
        member(|cx| attach_volume(txn, cx, &volume.to_string(), request, id)).unwrap();
    };
    attach(&mut txn, other, elsewhere);
    let mismatch = "Invalid input received: Mismatched volume and attachment";
    let absent = "ConflictNovaUsingAttachment: Detach volume from instance  using the Compute API";
    for attached in [false, true] {
        if attached {
            attach(&mut txn, VOLUME, Uuid::from_u128(43));
        }
        for service in [false, true] {
            let refusals = detachments(&mut txn, service, &elsewhere.to_string());
            assert_eq!(refusals, [mismatch; 2], "{service}");
        }
        for unknown in [Uuid::from_u128(42).to_string(), "unknown".to_owned()] {
            assert_eq!(detachments(&mut txn, false, &unknown), [absent; 2], "{unknown}");
            // A service may repeat a detachment.
            assert_eq!(detachments(&mut txn, true, &unknown), [""; 2], "{unknown}");
        }
        let expected = if attached { VolumeStatus::InUse } else { VolumeStatus::Available };
        assert_eq!(status(&txn), expected);
    }
    assert!(txn.get::<Attachment>(elsewhere).is_some());
    assert_eq!(txn.get::<Volume>(other).unwrap().status, VolumeStatus::InUse);
}

#[test]
fn reconnected_attachments_are_attaching_again() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let id = Uuid::from_u128(40);
    keep(&mut txn, 40, 7).unwrap();
    let connect = |txn: &mut WriteTxn<'_>, host: &str| {
        let (host, json) = (Some(host.into()), "{}".into());
        let connector = Connector { host, mountpoint: None, mode: None, json };
        member(|cx| connect_attachment(txn, cx, &id.to_string(), connector, "{}".into())).unwrap();
    };
    let statuses = |txn: &WriteTxn<'_>| {
        let volume = txn.get::<Volume>(VOLUME).unwrap();
        let own = txn.get::<Attachment>(id).unwrap().attach_status;
        (own, volume.status, volume.attach_status)
    };
    let attaching = (AttachStatus::Attaching, VolumeStatus::Attaching, AttachStatus::Attaching);
    for host in ["h1", "h2"] {
        connect(&mut txn, host);
        assert_eq!(statuses(&txn), attaching, "{host}");
        member(|cx| complete_attachment(&mut txn, cx, &id.to_string())).unwrap();
        let attached = (AttachStatus::Attached, VolumeStatus::InUse, AttachStatus::Attached);
        assert_eq!(statuses(&txn), attached, "{host}");
    }
}

#[test]
fn completed_migrations_move_the_attachments() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let new = Uuid::from_u128(22);
    make(&mut txn, new);
    work(&mut txn, &Outcome::DONE);
    attach(&mut txn, VOLUME).unwrap();
    let complete = |txn: &mut WriteTxn<'_>, failed| {
        let done = |cx: &Context<'_>| complete_migration(txn, cx, &VOLUME.to_string(), new, failed);
        with(Role::Admin, done)
    };
    assert_eq!(complete(&mut txn, true).unwrap(), new);
    assert_eq!(status(&txn), VolumeStatus::InUse);
    assert_eq!(complete(&mut txn, false).unwrap(), new);
    assert_eq!(status(&txn), VolumeStatus::Available);
    assert_eq!(txn.get::<Volume>(new).unwrap().status, VolumeStatus::InUse);
    migrate(&mut txn);
    let text = complete(&mut txn, false).unwrap_err().to_string();
    assert_eq!(text, "Invalid volume: Destination volume not mid-migration.");
    let asked = |cx: &Context<'_>| complete_migration(&mut txn, cx, &VOLUME.to_string(), new, true);
    assert!(matches!(member(asked).unwrap_err(), Error::Policy { .. }));
}

#[test]
fn image_actions_check_the_volume_before_the_service() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let volume = VOLUME.to_string();
    let upload = |txn: &WriteTxn<'_>| {
        let asked = |cx: &Context<'_>| upload_volume(txn, cx, &volume, UploadRequest::default());
        member(asked).unwrap_err().to_string()
    };
    let reimage = |txn: &WriteTxn<'_>| {
        let request = ReimageRequest { image: TYPE, reserved: false };
        member(|cx| reimage_volume(txn, cx, &volume, request)).unwrap_err()
    };
    assert_eq!(upload(&txn), "Invalid image: there is no image service to take it.");
    let none = format!("Invalid image: there is no image service to ask for {TYPE}.");
    assert_eq!(reimage(&txn).to_string(), none);
    let public =
        |cx: &Context<'_>| upload_volume(&txn, cx, &volume, UploadRequest { public: true });
    assert!(matches!(member(public).unwrap_err(), Error::Policy { .. }));
    keep(&mut txn, 10, 1).unwrap();
    let busy = format!("Invalid volume: Volume {VOLUME} status must be available");
    assert_eq!(upload(&txn), busy);
    let text = format!("{busy} or error, but current status is reserved.");
    assert_eq!(reimage(&txn).to_string(), text);
    keep(&mut txn, 11, 1).unwrap();
    assert_eq!(reimage(&txn).status(), 409);
}

#[test]
fn migrating_volumes_cannot_be_attached_or_transferred() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let id = VOLUME.to_string();
    let to = MigrateRequest { host: Some("h@c#c".into()), ..MigrateRequest::default() };
    with(Role::Admin, |cx| migrate_volume(&mut txn, cx, &id, to, |_| true)).unwrap();
    assert_eq!(status(&txn), VolumeStatus::Available);
    let request = AttachRequest { instance: Some(Uuid::from_u128(1)), ..AttachRequest::default() };
    assert!(member(|cx| reserve_volume(&mut txn, cx, &id)).is_err());
    assert!(keep(&mut txn, 10, 1).is_err());
    let attached = member(|cx| attach_volume(&mut txn, cx, &id, request, Uuid::from_u128(11)));
    assert!(attached.is_err());
    work(&mut txn, &Outcome::DONE);
    member(|cx| reserve_volume(&mut txn, cx, &id)).unwrap();
}

#[test]
fn volumes_detached_during_work_become_available() {
    let backup = |txn: &mut WriteTxn<'_>, id: &str| {
        let spec = BackupSpec { volume_id: id.into(), force: true, ..BackupSpec::default() };
        member(|cx| create_backup(txn, cx, Uuid::from_u128(20), spec))
    };
    let extend = |txn: &mut WriteTxn<'_>, id: &str| {
        member(|cx| extend_volume(txn, cx, id, 3, Uuid::from_u128(20)))
    };
    let migrate = |txn: &mut WriteTxn<'_>, id: &str| {
        let to = MigrateRequest { host: Some("h@c#c".into()), ..MigrateRequest::default() };
        with(Role::Admin, |cx| migrate_volume(txn, cx, id, to, |_| true))
    };
    type Begin = fn(&mut WriteTxn<'_>, &str) -> Result<(), Error>;
    for (name, begin) in
        [("backup", backup as Begin), ("extend", extend as Begin), ("migrate", migrate as Begin)]
    {
        let store = store();
        let mut txn = store.begin_write().unwrap();
        let id = VOLUME.to_string();
        let request =
            AttachRequest { instance: Some(Uuid::from_u128(1)), ..AttachRequest::default() };
        member(|cx| attach_volume(&mut txn, cx, &id, request, Uuid::from_u128(10))).unwrap();
        begin(&mut txn, &id).unwrap();
        member(|cx| detach_volume(&mut txn, cx, &id, None)).unwrap();
        work(&mut txn, &Outcome::DONE);
        assert_eq!(status(&txn), VolumeStatus::Available, "{name}");
    }
}

#[test]
fn data_of_unadopted_volumes_is_never_deleted() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let id = Uuid::from_u128(11);
    let spec = ManageVolumeSpec {
        host: Some("h@b#p".into()),
        reference: Some("disk".into()),
        ..ManageVolumeSpec::default()
    };
    with(Role::Admin, |cx| manage_volume(&mut txn, cx, id, spec, |host| Some(host.into())))
        .unwrap();
    let options = DeleteOptions { force: true, cascade: false };
    for _ in 0..2 {
        let text = id.to_string();
        with(Role::Admin, |cx| delete_volume(&mut txn, cx, &text, options)).unwrap();
        let task = next_work(&txn).unwrap().task.clone();
        assert_eq!(task, Task::DeleteVolume { keep_data: true });
    }
}

#[test]
fn types_awaited_by_a_retype_cannot_be_deleted() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let other = Uuid::from_u128(7);
    let spec = TypeSpec { name: "other".into(), ..TypeSpec::default() };
    with(Role::Admin, |cx| create_type(&mut txn, cx, other, spec)).unwrap();
    let id = VOLUME.to_string();
    member(|cx| retype_volume(&mut txn, cx, &id, "other", true, Uuid::from_u128(9))).unwrap();
    let delete = |txn: &mut WriteTxn<'_>, id: Uuid| {
        with(Role::Admin, |cx| delete_type(txn, cx, &id.to_string()))
    };
    assert!(delete(&mut txn, other).is_err());
    work(&mut txn, &Outcome::Failed { cause: FailureCause::Unknown, message: Uuid::from_u128(20) });
    delete(&mut txn, other).unwrap();
}

#[test]
fn records_are_imported_after_their_parent() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let backup = |txn: &mut WriteTxn<'_>, id: u128, now: i64, incremental: bool| {
        let id = Uuid::from_u128(id);
        let volume_id = VOLUME.to_string().into();
        let spec = BackupSpec { volume_id, incremental, ..BackupSpec::default() };
        member(|cx| create_backup(txn, &Context { now, ..*cx }, id, spec)).unwrap();
        work(txn, &Outcome::DONE);
        with(Role::Admin, |cx| export_backup(txn, cx, &id.to_string())).unwrap()
    };
    let whole = backup(&mut txn, 20, 6, false);
    let changes = backup(&mut txn, 21, 7, true);
    for id in [21, 20] {
        let id = Uuid::from_u128(id).to_string();
        member(|cx| delete_backup(&mut txn, cx, &id, false)).unwrap();
        work(&mut txn, &Outcome::DONE);
    }
    let mut import = |record| with(Role::Admin, |cx| import_backup(&mut txn, cx, record));
    assert!(import(&changes).is_err());
    import(&whole).unwrap();
    import(&changes).unwrap();
}

#[test]
fn metadata_is_limited_to_the_size_of_a_request() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let volume = VOLUME.to_string();
    let snapshot = snapshot(&mut txn, 10);
    let pairs = |at: usize| -> Pairs {
        (50 * at..50 * at + 50)
            .map(|key| (key.to_string().into(), "v".repeat(255).into()))
            .collect()
    };
    type Add = fn(&mut WriteTxn<'_>, &str, Pairs) -> Result<Pairs, Error>;
    let adds: [(Add, &str); 3] = [
        (|txn, id, pairs| member(|cx| set_metadata(txn, cx, id, pairs, false)), &volume),
        (|txn, id, pairs| member(|cx| set_image_metadata(txn, cx, id, pairs)), &volume),
        (|txn, id, pairs| member(|cx| set_snapshot_metadata(txn, cx, id, pairs, false)), &snapshot),
    ];
    for (add, id) in adds {
        let most = (0..100).take_while(|at| add(&mut txn, id, pairs(*at)).is_ok()).count();
        assert_eq!(most, 8);
    }
    member(|cx| set_metadata(&mut txn, cx, &volume, pairs(100), true)).unwrap();
}

#[test]
fn deletions_completed_after_a_reset_set_an_error() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let text = snapshot(&mut txn, 10);
    while next_work(&txn).is_some() {
        work(&mut txn, &Outcome::DONE);
    }
    let begin = |txn: &mut WriteTxn<'_>| {
        let item = WorkItem::clone(next_work(txn).unwrap());
        start_work(txn, 5, item.kind, item.target).unwrap().unwrap()
    };
    let config = Config::default();
    member(|cx| delete_snapshot(&mut txn, cx, &text, false)).unwrap();
    let item = begin(&mut txn);
    with(Role::Admin, |cx| reset_snapshot_status(&mut txn, cx, &text, "available")).unwrap();
    assert!(!finish_work(&mut txn, &config, 6, &item, &Outcome::DONE).unwrap());
    let row = txn.get::<Snapshot>(Uuid::from_u128(10)).unwrap();
    assert_eq!(row.status, SnapshotStatus::Error);
    let options = DeleteOptions { cascade: true, force: false };
    member(|cx| delete_volume(&mut txn, cx, &VOLUME.to_string(), options)).unwrap();
    work(&mut txn, &Outcome::DONE);
    let item = begin(&mut txn);
    reset(&mut txn, "available");
    assert!(!finish_work(&mut txn, &config, 6, &item, &Outcome::DONE).unwrap());
    assert_eq!(status(&txn), VolumeStatus::Error);
}

#[test]
fn volumes_have_a_maximum_number_of_attachments() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let most = (0..2000).take_while(|id| keep(&mut txn, 1000 + id, 1).is_ok()).count();
    assert_eq!(most, 1000);
}
