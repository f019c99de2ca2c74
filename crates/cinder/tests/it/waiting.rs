//! The fields that background work leaves, which clients poll, and the refusals while it runs.

use statehold_cinder::*;
use statehold_store::{ReadView, Store, WriteTxn};
use uuid::Uuid;

const VOLUME: Uuid = Uuid::from_u128(1);
const TYPE: Uuid = Uuid::from_u128(2);
const OTHER: Uuid = Uuid::from_u128(3);
const SNAPSHOT: Uuid = Uuid::from_u128(4);
const BACKUP: Uuid = Uuid::from_u128(5);
const SPARE: Uuid = Uuid::from_u128(6);

/// The times of the request and of the end of the work.
const ASKED: i64 = 5;
const ENDED: i64 = 9;

fn cx<T>(run: impl FnOnce(&Context<'_>) -> T) -> T {
    let config = Config::default();
    let caller =
        Caller { user: "u".into(), project: "p".into(), role: Role::Admin, ..Caller::default() };
    let version = Microversion::MAX;
    run(&Context { config: &config, caller: &caller, version, now: ASKED, request_id: "req-1" })
}

fn placement(host: &str) -> Placement {
    Placement { host: host.into(), ..Placement::default() }
}

fn moved() -> Outcome {
    Outcome::Done { moved: Some(placement("h@c#c")), provider_id: None }
}

fn failed() -> Outcome {
    Outcome::Failed { cause: FailureCause::Unknown, message: Uuid::from_u128(99) }
}

fn begin(txn: &mut WriteTxn<'_>) -> WorkItem {
    let item = WorkItem::clone(next_work(txn).unwrap());
    let item = start_work(txn, ENDED, item.kind, item.target).unwrap().unwrap();
    if matches!(item.task, Task::CreateVolume { .. }) {
        place_volume(txn, 5, item.target, placement("h@b#b")).unwrap();
    }
    item
}

fn work(txn: &mut WriteTxn<'_>, outcome: &Outcome) {
    let item = begin(txn);
    assert!(finish_work(txn, &Config::default(), ENDED, &item, outcome).unwrap());
}

/// A store with a volume, a snapshot and a backup of it.
fn store() -> Store {
    let store = Store::in_memory(&schema());
    let mut txn = store.begin_write().unwrap();
    bootstrap(&mut txn, &Config::default(), 1, TYPE).unwrap();
    cx(|cx| {
        let spec = TypeSpec { name: "other".into(), ..TypeSpec::default() };
        create_type(&mut txn, cx, OTHER, spec)?;
        let metadata = [("k".into(), "v".into())].into();
        let description = Some("about it".into());
        let size = Some(1);
        let spec = VolumeSpec { size, description, metadata, ..VolumeSpec::default() };
        create_volume(&mut txn, cx, VOLUME, spec)
    })
    .unwrap();
    work(&mut txn, &Outcome::DONE);
    txn.commit().unwrap();
    store
}

fn snapshot(txn: &mut WriteTxn<'_>) -> Result<(), Error> {
    let spec = SnapshotSpec { volume_id: VOLUME.to_string().into(), ..SnapshotSpec::default() };
    cx(|cx| create_snapshot(txn, cx, SNAPSHOT, spec))
}

fn backup(txn: &mut WriteTxn<'_>) -> Result<(), Error> {
    let spec = BackupSpec { volume_id: VOLUME.to_string().into(), ..BackupSpec::default() };
    cx(|cx| create_backup(txn, cx, BACKUP, spec))
}

fn retype(txn: &mut WriteTxn<'_>) -> Result<(), Error> {
    cx(|cx| retype_volume(txn, cx, &VOLUME.to_string(), "other", true, SPARE))
}

fn migrate(txn: &mut WriteTxn<'_>) -> Result<(), Error> {
    let request = MigrateRequest { host: Some("h@c#c".into()), ..MigrateRequest::default() };
    cx(|cx| migrate_volume(txn, cx, &VOLUME.to_string(), request, |_| true))
}

fn extend(txn: &mut WriteTxn<'_>) -> Result<(), Error> {
    cx(|cx| extend_volume(txn, cx, &VOLUME.to_string(), 2, SPARE))
}

fn revert(txn: &mut WriteTxn<'_>) -> Result<(), Error> {
    cx(|cx| revert_volume(txn, cx, &VOLUME.to_string(), SNAPSHOT))
}

fn restore(txn: &mut WriteTxn<'_>) -> Result<(), Error> {
    let spec = RestoreSpec { volume_id: Some(VOLUME.to_string().into()), ..RestoreSpec::default() };
    cx(|cx| restore_backup(txn, cx, &BACKUP.to_string(), SPARE, spec).map(drop))
}

type Ask = fn(&mut WriteTxn<'_>) -> Result<(), Error>;

/// Status, progress of a migration, status before the work, and when the row changed.
type Fields = (VolumeStatus, Option<MigrationStatus>, Option<VolumeStatus>, Option<i64>);

fn fields(txn: &WriteTxn<'_>) -> Fields {
    let row = txn.get::<Volume>(VOLUME).unwrap();
    (row.status, row.migration_status, row.previous_status, row.updated_at)
}

#[test]
fn volumes_show_the_end_of_their_work() {
    use MigrationStatus::{Error as Lost, Success};
    use VolumeStatus::{Available, ErrorExtending, ErrorRestoring};
    let kinds: [(&str, Ask, Outcome, VolumeStatus, Option<MigrationStatus>); 13] = [
        ("retype", retype, Outcome::DONE, Available, None),
        ("retype that moves", retype, moved(), Available, Some(Success)),
        ("retype that fails", retype, failed(), Available, None),
        ("migrate", migrate, moved(), Available, Some(Success)),
        ("migrate to where it is", migrate, Outcome::DONE, Available, Some(Success)),
        ("migrate that fails", migrate, failed(), Available, Some(Lost)),
        ("extend", extend, Outcome::DONE, Available, None),
        ("extend that fails", extend, failed(), ErrorExtending, None),
        ("backup", backup, Outcome::BackedUp { objects: 1 }, Available, None),
        ("backup that fails", backup, failed(), Available, None),
        ("restore", restore, Outcome::DONE, Available, None),
        ("restore that fails", restore, failed(), ErrorRestoring, None),
        ("revert", revert, Outcome::DONE, Available, None),
    ];
    for (name, ask, outcome, status, migration) in kinds {
        let store = store();
        let mut txn = store.begin_write().unwrap();
        if name.starts_with("restore") {
            backup(&mut txn).unwrap();
            work(&mut txn, &Outcome::DONE);
        }
        if name == "revert" {
            snapshot(&mut txn).unwrap();
            work(&mut txn, &Outcome::DONE);
        }
        ask(&mut txn).unwrap();
        work(&mut txn, &outcome);
        assert_eq!(fields(&txn), (status, migration, None, Some(ENDED)), "{name}");
    }
}

#[test]
fn snapshots_and_backups_show_the_end_of_their_work() {
    for (outcome, ended, progress) in
        [(Outcome::DONE, SnapshotStatus::Available, 100), (failed(), SnapshotStatus::Error, 0)]
    {
        let store = store();
        let mut txn = store.begin_write().unwrap();
        snapshot(&mut txn).unwrap();
        work(&mut txn, &outcome);
        let row = txn.get::<Snapshot>(SNAPSHOT).unwrap();
        assert_eq!((row.status, row.progress, row.updated_at), (ended, progress, Some(ENDED)));
    }
    for (outcome, ended, objects) in [
        (Outcome::BackedUp { objects: 3 }, BackupStatus::Available, 3),
        (failed(), BackupStatus::Error, 0),
    ] {
        let store = store();
        let mut txn = store.begin_write().unwrap();
        backup(&mut txn).unwrap();
        work(&mut txn, &outcome);
        let row = txn.get::<Backup>(BACKUP).unwrap();
        assert_eq!((row.status, row.object_count, row.updated_at), (ended, objects, Some(ENDED)));
        assert_eq!(row.fail_reason.is_some(), ended == BackupStatus::Error);
    }
}

#[test]
fn work_that_has_to_wait_does_not_start() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let source = Some(VOLUME.to_string().into());
    let spec = VolumeSpec { source_volid: source, size: Some(1), ..VolumeSpec::default() };
    cx(|cx| create_volume(&mut txn, cx, SPARE, spec)).unwrap();
    migrate(&mut txn).unwrap();
    // A worker that chose the migration before the copy was queued would move the source away from it.
    assert_eq!(start_work(&mut txn, ENDED, WorkTarget::Volume, VOLUME).unwrap(), None);
    assert!(start_work(&mut txn, ENDED, WorkTarget::Volume, SPARE).unwrap().is_some());
}

#[test]
fn running_and_queued_migrations_differ() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    migrate(&mut txn).unwrap();
    assert_eq!(fields(&txn).1, Some(MigrationStatus::Starting));
    begin(&mut txn);
    assert_eq!(fields(&txn).1, Some(MigrationStatus::Migrating));
}

#[test]
fn refusals_during_a_migration_name_it() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    backup(&mut txn).unwrap();
    work(&mut txn, &Outcome::DONE);
    let attach: Ask = |txn| {
        let request = AttachRequest::default();
        cx(|cx| attach_volume(txn, cx, &VOLUME.to_string(), request, SPARE))
    };
    let attachment: Ask = |txn| {
        let volume = VOLUME.to_string().into();
        let spec = AttachmentSpec { volume, ..AttachmentSpec::default() };
        cx(|cx| create_attachment(txn, cx, SPARE, &spec))
    };
    let reserve: Ask = |txn| cx(|cx| reserve_volume(txn, cx, &VOLUME.to_string()));
    let manage: Ask = |txn| {
        let reference = Some("disk".into());
        let volume_id = VOLUME.to_string().into();
        let spec = ManageSnapshotSpec { volume_id, reference, ..ManageSnapshotSpec::default() };
        cx(|cx| manage_snapshot(txn, cx, SPARE, spec))
    };
    let offer: Ask = |txn| {
        let key = TransferKey { key: "24e6bf914a44e173", salt: [1; 8] };
        let spec = TransferSpec { volume_id: VOLUME.to_string().into(), ..TransferSpec::default() };
        cx(|cx| create_transfer(txn, cx, SPARE, spec, key))
    };
    let upload: Ask = |txn| {
        let request = UploadRequest { public: false };
        cx(|cx| upload_volume(txn, cx, &VOLUME.to_string(), request))
    };
    let reimage: Ask = |txn| {
        let request = ReimageRequest { image: SPARE, reserved: false };
        cx(|cx| reimage_volume(txn, cx, &VOLUME.to_string(), request))
    };
    migrate(&mut txn).unwrap();
    let text = format!(
        "Invalid volume: Volume {VOLUME} is being migrated: its migration_status is starting. Wait until \
         it is success or error."
    );
    let asks: [(&str, Ask); 11] = [
        ("attach", attach),
        ("attachment", attachment),
        ("reserve", reserve),
        ("snapshot", snapshot),
        ("manage a snapshot", manage),
        ("backup", backup),
        ("restore", restore),
        ("extend", extend),
        ("transfer", offer),
        ("upload", upload),
        ("reimage", reimage),
    ];
    for (name, ask) in asks {
        assert_eq!(ask(&mut txn).unwrap_err().to_string(), text, "{name}");
    }
    // These texts name every condition, the migration included.
    for (name, ask) in [("retype", retype as Ask), ("migrate", migrate as Ask)] {
        assert!(ask(&mut txn).unwrap_err().to_string().contains("migrat"), "{name}");
    }
}

#[test]
fn refusals_name_reasons_other_than_the_status() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let key = || TransferKey { key: "24e6bf914a44e173", salt: [1; 8] };
    let offer = |txn: &mut WriteTxn<'_>, id: u128| {
        let spec = TransferSpec { volume_id: VOLUME.to_string().into(), ..TransferSpec::default() };
        cx(|cx| create_transfer(txn, cx, Uuid::from_u128(id), spec, key()))
    };
    offer(&mut txn, 20).unwrap();
    let reset = StatusReset { status: Some("available".into()), ..StatusReset::default() };
    cx(|cx| reset_volume_status(&mut txn, cx, &VOLUME.to_string(), &reset)).unwrap();
    let offered = VolumeRefusal::Offered { volume: VOLUME, transfer: Uuid::from_u128(20) };
    assert_eq!(offer(&mut txn, 21), Err(offered.into()));

    let mut row = Volume::clone(txn.get::<Volume>(VOLUME).unwrap());
    row.host = None;
    txn.upsert::<Volume>(row).unwrap();
    let nowhere = VolumeRefusal::NoBackend { volume: VOLUME };
    assert_eq!(snapshot(&mut txn), Err(nowhere.into()));
}

#[test]
fn restored_volumes_have_their_description_and_metadata() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    let spec = BackupSpec {
        volume_id: VOLUME.to_string().into(),
        description: Some("of the backup".into()),
        ..BackupSpec::default()
    };
    cx(|cx| create_backup(&mut txn, cx, BACKUP, spec)).unwrap();
    work(&mut txn, &Outcome::DONE);
    cx(|cx| restore_backup(&mut txn, cx, &BACKUP.to_string(), SPARE, RestoreSpec::default()))
        .unwrap();
    work(&mut txn, &Outcome::DONE);
    let row = txn.get::<Volume>(SPARE).unwrap();
    assert_eq!(row.description.as_deref(), Some("about it"));
    assert_eq!(row.metadata.get("k").map(|value| &**value), Some("v"));
    // The values of a request take precedence.
    let other = Uuid::from_u128(7);
    let spec = VolumeSpec {
        backup_id: Some(BACKUP.to_string().into()),
        description: Some("mine".into()),
        metadata: [("k".into(), "w".into())].into(),
        ..VolumeSpec::default()
    };
    cx(|cx| create_volume(&mut txn, cx, other, spec)).unwrap();
    let row = txn.get::<Volume>(other).unwrap();
    assert_eq!(row.description.as_deref(), Some("mine"));
    assert_eq!(row.metadata.get("k").map(|value| &**value), Some("w"));
}

/// Imports the record of the backup after `edit`.
fn import(txn: &mut WriteTxn<'_>, edit: impl FnOnce(&mut serde_json::Value)) -> Uuid {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let mut record = cx(|cx| export_backup(txn, cx, &BACKUP.to_string())).unwrap();
    assert!(record.backup_service.starts_with("cinder.backup.drivers"));
    let mut fields =
        serde_json::from_slice(&BASE64_STANDARD.decode(&*record.backup_url).unwrap()).unwrap();
    edit(&mut fields);
    record.backup_url = BASE64_STANDARD.encode(fields.to_string()).into();
    cx(|cx| import_backup(txn, cx, &record)).unwrap()
}

#[test]
fn records_with_another_id_lead_to_the_same_data() {
    let store = store();
    let mut txn = store.begin_write().unwrap();
    backup(&mut txn).unwrap();
    work(&mut txn, &Outcome::DONE);
    let id = import(&mut txn, |fields| fields["id"] = SPARE.to_string().into());
    let row = Backup::clone(txn.get::<Backup>(id).unwrap());
    assert_eq!((id, row.data()), (SPARE, BACKUP));
    // An earlier release wrote no ID of the data.
    let third = Uuid::from_u128(7);
    let id = import(&mut txn, |fields| {
        fields["id"] = third.to_string().into();
        fields.as_object_mut().unwrap().remove("data_id");
    });
    assert_eq!(txn.get::<Backup>(id).unwrap().data(), BACKUP);
    let origin = Backup::clone(txn.get::<Backup>(BACKUP).unwrap());
    assert!(origin.shares_data(&txn) && row.shares_data(&txn));
    txn.delete::<Backup>(BACKUP).unwrap();
    assert!(row.shares_data(&txn), "the third has it still");
    txn.delete::<Backup>(third).unwrap();
    assert!(!row.shares_data(&txn));
}
