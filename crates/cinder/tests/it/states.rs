//! The fields that clients poll, for every kind of work and each of its ends.
//!
//! Each line of [`TABLE`] has a kind of work, its ends, and the rows after them: the state machines of Cinder as this
//! server implements them.

use std::fmt::Write as _;

use statehold_cinder::*;
use statehold_store::{KeyRange, Order, ReadView, Store, WriteTxn};
use uuid::Uuid;

const TYPE: Uuid = Uuid::from_u128(1);
const OTHER_TYPE: Uuid = Uuid::from_u128(2);
const GROUP_TYPE: Uuid = Uuid::from_u128(3);
const VOLUME: Uuid = Uuid::from_u128(10);
const SNAPSHOT: Uuid = Uuid::from_u128(11);
const BACKUP: Uuid = Uuid::from_u128(12);
const GROUP: Uuid = Uuid::from_u128(13);
const GROUP_SNAPSHOT: Uuid = Uuid::from_u128(14);
const ATTACHMENT: Uuid = Uuid::from_u128(15);
const TRANSFER: Uuid = Uuid::from_u128(16);
const NEW: Uuid = Uuid::from_u128(20);
const RESERVATION: Uuid = Uuid::from_u128(30);

/// The times of the rows, the request, the begin of the work, and its end.
const CREATED: i64 = 1;
const ASKED: i64 = 5;
const BEGAN: i64 = 7;
const ENDED: i64 = 9;

const KEY: &str = "24e6bf914a44e173";

/// A stage or end of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The work is queued.
    Waits,
    /// A worker runs it.
    Runs,
    /// A worker copies the volume to another back end.
    Moves,
    /// The server was killed while it ran, and restarted.
    Killed,
    /// The server was killed at each attempt.
    GivenUp,
    /// The server was killed at each attempt to copy the volume to another back end.
    MoveGivenUp,
    Done,
    Moved,
    Failed,
    /// It failed while the volume was copied to another back end.
    MoveFailed,
    Busy,
}

use End::{
    Busy, Done, Failed, GivenUp, Killed, MoveFailed, MoveGivenUp, Moved, Moves, Runs, Waits,
};

fn at<T>(now: i64, project: &str, run: impl FnOnce(&Context<'_>) -> T) -> T {
    let config = Config::default();
    let caller = Caller {
        user: "u".into(),
        project: project.into(),
        role: Role::Admin,
        ..Caller::default()
    };
    let version = Microversion::MAX;
    run(&Context { config: &config, caller: &caller, version, now, request_id: "req-1" })
}

fn cx<T>(run: impl FnOnce(&Context<'_>) -> T) -> T {
    at(ASKED, "p", run)
}

fn placement(host: &str) -> Placement {
    Placement { host: host.into(), ..Placement::default() }
}

/// Begins the oldest work, at `now`.
fn begin(txn: &mut WriteTxn<'_>, now: i64) -> WorkItem {
    let item = WorkItem::clone(next_work(txn).unwrap());
    let item = start_work(txn, now, item.kind, item.target).unwrap().unwrap();
    if matches!(item.task, Task::CreateVolume { .. }) {
        place_volume(txn, now, item.target, placement("h@b#b")).unwrap();
    }
    item
}

fn outcome(item: &WorkItem, end: End) -> Outcome {
    let moved = |to| Outcome::Done { moved: Some(placement(to)), provider_id: None };
    match (end, &item.task) {
        (Done, Task::CreateBackup) => Outcome::BackedUp { objects: 3 },
        (Done, Task::ManageVolume { .. }) => {
            Outcome::Managed { size: 2, message: Uuid::from_u128(99) }
        }
        (Done, Task::CreateGroup) => moved("h@b#b"),
        (Done, _) => Outcome::DONE,
        (Moved, _) => moved("h@c#c"),
        (Busy, _) => Outcome::Busy,
        _ => Outcome::Failed { cause: FailureCause::Unknown, message: Uuid::from_u128(99) },
    }
}

/// Finishes all work with the same end.
fn work(txn: &mut WriteTxn<'_>, now: i64, end: End) {
    while next_work(txn).is_some() {
        let item = begin(txn, now);
        if matches!(end, MoveFailed) {
            assert!(note_moving(txn, now, &item).unwrap());
        }
        assert!(finish_work(txn, &Config::default(), now, &item, &outcome(&item, end)).unwrap());
    }
}

/// Runs the requested work up to `end`.
fn bring(txn: &mut WriteTxn<'_>, end: End) {
    let mut messages = (100..).map(Uuid::from_u128);
    let mut resume = |txn: &mut WriteTxn<'_>| {
        resume_work(txn, &Config::default(), ENDED, || messages.next().unwrap()).unwrap();
    };
    let moves = matches!(end, Moves | MoveGivenUp);
    let run = |txn: &mut WriteTxn<'_>| {
        let item = begin(txn, BEGAN);
        if moves {
            assert!(note_moving(txn, BEGAN, &item).unwrap());
        }
    };
    match end {
        Waits => {}
        Runs | Moves => run(txn),
        Killed => {
            run(txn);
            resume(txn);
        }
        GivenUp | MoveGivenUp => {
            while next_work(txn).is_some() {
                run(txn);
                resume(txn);
            }
        }
        _ => work(txn, ENDED, end),
    }
}

fn time(at: Option<i64>) -> &'static str {
    match at {
        None => "-",
        Some(CREATED) => "created",
        Some(ASKED) => "asked",
        Some(BEGAN) => "began",
        Some(ENDED) => "ended",
        Some(other) => panic!("{other}"),
    }
}

/// Returns the rows as clients read them: the fields of each, and the time of its last change.
fn shown(view: &impl ReadView) -> String {
    let mut text = String::new();
    for row in view.scan::<Volume>(&KeyRange::all(), Order::Ascending) {
        let name = if row.id == VOLUME { "volume" } else { "new" };
        let moving = row.migration_status.map_or("-", |status| status.as_str());
        let before = row.previous_status.map_or("-", |status| status.as_str());
        let (status, used, changed) = (row.status, row.attach_status, time(row.updated_at));
        write!(text, "{name} {status} {used} {moving} {before} {}G {changed}; ", row.size).unwrap();
    }
    for row in view.scan::<Snapshot>(&KeyRange::all(), Order::Ascending) {
        let changed = time(row.updated_at);
        write!(text, "snapshot {} {}% {changed}; ", row.status, row.progress).unwrap();
    }
    for row in view.scan::<Backup>(&KeyRange::all(), Order::Ascending) {
        let why = if row.fail_reason.is_some() { "reason" } else { "-" };
        let (objects, changed) = (row.object_count, time(row.updated_at));
        write!(text, "backup {} {objects} {why} {changed}; ", row.status).unwrap();
    }
    for row in view.scan::<Group>(&KeyRange::all(), Order::Ascending) {
        let name = if row.id == GROUP { "group" } else { "copy" };
        write!(text, "{name} {} {}; ", row.status, time(row.updated_at)).unwrap();
    }
    for row in view.scan::<GroupSnapshot>(&KeyRange::all(), Order::Ascending) {
        write!(text, "group_snapshot {} {}; ", row.status, time(row.updated_at)).unwrap();
    }
    for row in view.scan::<Attachment>(&KeyRange::all(), Order::Ascending) {
        write!(text, "attachment {} {}; ", row.attach_status, time(row.updated_at)).unwrap();
    }
    for _ in view.scan::<Transfer>(&KeyRange::all(), Order::Ascending) {
        text.push_str("transfer; ");
    }
    for row in view.scan::<Message>(&KeyRange::all(), Order::Ascending) {
        write!(text, "message {}; ", row.event_id).unwrap();
    }
    if text.is_empty() { "gone".to_owned() } else { text.trim_end_matches("; ").to_owned() }
}

fn id(of: Uuid) -> Box<str> {
    of.to_string().into()
}

type Step = fn(&mut WriteTxn<'_>, &Context<'_>) -> Result<(), Error>;

fn with_volume(txn: &mut WriteTxn<'_>, cx: &Context<'_>) -> Result<(), Error> {
    create_volume(txn, cx, VOLUME, VolumeSpec { size: Some(1), ..VolumeSpec::default() })
}

fn with_snapshot(txn: &mut WriteTxn<'_>, cx: &Context<'_>) -> Result<(), Error> {
    let spec = SnapshotSpec { volume_id: id(VOLUME), ..SnapshotSpec::default() };
    create_snapshot(txn, cx, SNAPSHOT, spec)
}

fn with_backup(txn: &mut WriteTxn<'_>, cx: &Context<'_>) -> Result<(), Error> {
    let spec = BackupSpec { volume_id: id(VOLUME), force: true, ..BackupSpec::default() };
    create_backup(txn, cx, BACKUP, spec)
}

fn with_group(txn: &mut WriteTxn<'_>, cx: &Context<'_>) -> Result<(), Error> {
    let spec = GroupSpec {
        group_type: id(GROUP_TYPE),
        volume_types: vec![id(TYPE)],
        ..GroupSpec::default()
    };
    create_group(txn, cx, GroupApi::Groups, GROUP, spec)
}

fn with_member(txn: &mut WriteTxn<'_>, cx: &Context<'_>) -> Result<(), Error> {
    let spec = VolumeSpec {
        size: Some(1),
        volume_type: Some(id(TYPE)),
        group_id: Some(id(GROUP)),
        ..VolumeSpec::default()
    };
    create_volume(txn, cx, VOLUME, spec)
}

fn with_group_snapshot(txn: &mut WriteTxn<'_>, cx: &Context<'_>) -> Result<(), Error> {
    let spec = GroupSnapshotSpec { group_id: id(GROUP), ..GroupSnapshotSpec::default() };
    create_group_snapshot(txn, cx, GroupApi::Groups, GROUP_SNAPSHOT, &spec, || SNAPSHOT)
}

fn used(txn: &mut WriteTxn<'_>, cx: &Context<'_>) -> Result<(), Error> {
    let request = AttachRequest { host: Some("h".into()), ..AttachRequest::default() };
    attach_volume(txn, cx, &id(VOLUME), request, ATTACHMENT)
}

fn reserved(txn: &mut WriteTxn<'_>, cx: &Context<'_>) -> Result<(), Error> {
    let spec = AttachmentSpec { volume: id(VOLUME), ..AttachmentSpec::default() };
    create_attachment(txn, cx, ATTACHMENT, &spec)
}

fn connected(txn: &mut WriteTxn<'_>, cx: &Context<'_>) -> Result<(), Error> {
    let (host, json) = (Some("h".into()), "{}".into());
    let connector = Connector { host, mountpoint: None, mode: None, json };
    connect_attachment(txn, cx, &id(ATTACHMENT), connector, "{}".into())
}

fn completed(txn: &mut WriteTxn<'_>, cx: &Context<'_>) -> Result<(), Error> {
    complete_attachment(txn, cx, &id(ATTACHMENT))
}

fn offered(txn: &mut WriteTxn<'_>, cx: &Context<'_>) -> Result<(), Error> {
    let spec = TransferSpec { volume_id: id(VOLUME), ..TransferSpec::default() };
    create_transfer(txn, cx, TRANSFER, spec, TransferKey { key: KEY, salt: [1; 8] })
}

fn ended_attachment(txn: &mut WriteTxn<'_>, cx: &Context<'_>) -> Result<(), Error> {
    delete_attachment(txn, cx, &id(ATTACHMENT)).map(drop)
}

fn retype(txn: &mut WriteTxn<'_>, cx: &Context<'_>) -> Result<(), Error> {
    retype_volume(txn, cx, &id(VOLUME), "other", true, RESERVATION)
}

fn migrate(txn: &mut WriteTxn<'_>, cx: &Context<'_>, lock_volume: bool) -> Result<(), Error> {
    let request =
        MigrateRequest { host: Some("h@c#c".into()), lock_volume, ..MigrateRequest::default() };
    migrate_volume(txn, cx, &id(VOLUME), request, |_| true)
}

fn reset(txn: &mut WriteTxn<'_>, cx: &Context<'_>, status: &str) -> Result<(), Error> {
    let reset = StatusReset { status: Some(status.into()), ..StatusReset::default() };
    reset_volume_status(txn, cx, &id(VOLUME), &reset)
}

fn delete(txn: &mut WriteTxn<'_>, cx: &Context<'_>, cascade: bool) -> Result<(), Error> {
    delete_volume(txn, cx, &id(VOLUME), DeleteOptions { cascade, force: false })
}

fn from_source(source: GroupSource, txn: &mut WriteTxn<'_>, cx: &Context<'_>) -> Result<(), Error> {
    let spec = GroupSourceSpec { name: None, description: None, source };
    create_group_from(txn, cx, GroupApi::Groups, Uuid::from_u128(17), spec, || NEW)
}

/// A kind of work: the rows that it needs, and its request.
struct Kind {
    name: &'static str,
    before: &'static [Step],
    ask: Step,
}

const KINDS: &[Kind] = &[
    Kind { name: "create", before: &[], ask: with_volume },
    Kind {
        name: "create from a snapshot",
        before: &[with_volume, with_snapshot],
        ask: |txn, cx| {
            let snapshot_id = Some(id(SNAPSHOT));
            create_volume(txn, cx, NEW, VolumeSpec { snapshot_id, ..VolumeSpec::default() })
        },
    },
    Kind {
        name: "create from a volume",
        before: &[with_volume],
        ask: |txn, cx| {
            let source_volid = Some(id(VOLUME));
            create_volume(txn, cx, NEW, VolumeSpec { source_volid, ..VolumeSpec::default() })
        },
    },
    Kind {
        name: "create from a backup",
        before: &[with_volume, with_backup],
        ask: |txn, cx| {
            let backup_id = Some(id(BACKUP));
            create_volume(txn, cx, NEW, VolumeSpec { backup_id, ..VolumeSpec::default() })
        },
    },
    Kind { name: "delete", before: &[with_volume], ask: |txn, cx| delete(txn, cx, false) },
    Kind {
        name: "delete with snapshots",
        before: &[with_volume, with_snapshot],
        ask: |txn, cx| delete(txn, cx, true),
    },
    Kind {
        name: "extend",
        before: &[with_volume],
        ask: |txn, cx| extend_volume(txn, cx, &id(VOLUME), 2, RESERVATION),
    },
    Kind {
        name: "extend in use",
        before: &[with_volume, used],
        ask: |txn, cx| extend_volume(txn, cx, &id(VOLUME), 2, RESERVATION),
    },
    Kind { name: "retype", before: &[with_volume], ask: retype },
    Kind { name: "retype in use", before: &[with_volume, used], ask: retype },
    Kind { name: "migrate", before: &[with_volume], ask: |txn, cx| migrate(txn, cx, false) },
    Kind { name: "migrate locked", before: &[with_volume], ask: |txn, cx| migrate(txn, cx, true) },
    Kind {
        name: "revert",
        before: &[with_volume, with_snapshot],
        ask: |txn, cx| revert_volume(txn, cx, &id(VOLUME), SNAPSHOT),
    },
    Kind {
        name: "manage",
        before: &[],
        ask: |txn, cx| {
            let (host, reference) = (Some("h@b#b".into()), Some("disk".into()));
            let spec = ManageVolumeSpec { host, reference, ..ManageVolumeSpec::default() };
            manage_volume(txn, cx, VOLUME, spec, |host| Some(host.into()))
        },
    },
    Kind {
        name: "delete one that was not managed",
        before: &[with_volume, |txn, cx| reset(txn, cx, "error_managing")],
        ask: |txn, cx| delete(txn, cx, false),
    },
    Kind {
        name: "unmanage",
        before: &[with_volume],
        ask: |txn, cx| unmanage_volume(txn, cx, &id(VOLUME)),
    },
    Kind { name: "snapshot", before: &[with_volume], ask: with_snapshot },
    Kind {
        name: "delete a snapshot",
        before: &[with_volume, with_snapshot],
        ask: |txn, cx| delete_snapshot(txn, cx, &id(SNAPSHOT), false),
    },
    Kind {
        name: "unmanage a snapshot",
        before: &[with_volume, with_snapshot],
        ask: |txn, cx| unmanage_snapshot(txn, cx, &id(SNAPSHOT)),
    },
    Kind {
        name: "manage a snapshot",
        before: &[with_volume],
        ask: |txn, cx| {
            let (volume_id, reference) = (id(VOLUME), Some("disk".into()));
            let spec = ManageSnapshotSpec { volume_id, reference, ..ManageSnapshotSpec::default() };
            manage_snapshot(txn, cx, SNAPSHOT, spec)
        },
    },
    Kind { name: "back up", before: &[with_volume], ask: with_backup },
    Kind { name: "back up in use", before: &[with_volume, used], ask: with_backup },
    Kind {
        name: "back up a snapshot",
        before: &[with_volume, with_snapshot],
        ask: |txn, cx| {
            let (volume_id, snapshot_id) = (id(VOLUME), Some(id(SNAPSHOT)));
            let spec = BackupSpec { volume_id, snapshot_id, ..BackupSpec::default() };
            create_backup(txn, cx, BACKUP, spec)
        },
    },
    Kind {
        name: "restore",
        before: &[with_volume, with_backup],
        ask: |txn, cx| {
            let spec = RestoreSpec { volume_id: Some(id(VOLUME)), ..RestoreSpec::default() };
            restore_backup(txn, cx, &id(BACKUP), NEW, spec).map(drop)
        },
    },
    Kind {
        name: "delete a backup",
        before: &[with_volume, with_backup],
        ask: |txn, cx| delete_backup(txn, cx, &id(BACKUP), false),
    },
    Kind { name: "group", before: &[], ask: with_group },
    Kind { name: "create in a group", before: &[with_group], ask: with_member },
    Kind {
        name: "delete a group",
        before: &[with_group, with_member],
        ask: |txn, cx| delete_group(txn, cx, GroupApi::Groups, &id(GROUP), true),
    },
    Kind { name: "group snapshot", before: &[with_group, with_member], ask: with_group_snapshot },
    Kind {
        name: "delete a group snapshot",
        before: &[with_group, with_member, with_group_snapshot],
        ask: |txn, cx| delete_group_snapshot(txn, cx, GroupApi::Groups, &id(GROUP_SNAPSHOT)),
    },
    Kind {
        name: "group from a group",
        before: &[with_group, with_member],
        ask: |txn, cx| from_source(GroupSource::Group(id(GROUP)), txn, cx),
    },
    Kind {
        name: "group from a group snapshot",
        before: &[with_group, with_member, with_group_snapshot],
        ask: |txn, cx| from_source(GroupSource::Snapshot(id(GROUP_SNAPSHOT)), txn, cx),
    },
    Kind {
        name: "take a volume out of a group",
        before: &[with_group, with_member],
        ask: |txn, cx| {
            let remove_volumes = vec![id(VOLUME)];
            let change = GroupChange { remove_volumes, ..GroupChange::default() };
            update_group(txn, cx, GroupApi::Groups, &id(GROUP), change)
        },
    },
    Kind { name: "offer", before: &[with_volume], ask: offered },
    Kind {
        name: "take an offer back",
        before: &[with_volume, offered],
        ask: |txn, cx| delete_transfer(txn, cx, &id(TRANSFER)),
    },
    Kind {
        name: "accept an offer",
        before: &[with_volume, with_snapshot, offered],
        ask: |txn, _| {
            at(ASKED, "taker", |cx| accept_transfer(txn, cx, &id(TRANSFER), KEY).map(drop))
        },
    },
    Kind {
        name: "detach while on offer",
        before: &[with_volume, offered],
        ask: |txn, cx| detach_volume(txn, cx, &id(VOLUME), None),
    },
    Kind {
        name: "os-reserve",
        before: &[with_volume],
        ask: |txn, cx| reserve_volume(txn, cx, &id(VOLUME)),
    },
    Kind {
        name: "os-unreserve",
        before: &[with_volume, |txn, cx| reserve_volume(txn, cx, &id(VOLUME))],
        ask: |txn, cx| unreserve_volume(txn, cx, &id(VOLUME)),
    },
    Kind { name: "os-attach", before: &[with_volume], ask: used },
    Kind {
        name: "os-begin_detaching",
        before: &[with_volume, used],
        ask: |txn, cx| begin_detaching(txn, cx, &id(VOLUME)),
    },
    Kind {
        name: "os-roll_detaching",
        before: &[with_volume, used, |txn, cx| begin_detaching(txn, cx, &id(VOLUME))],
        ask: |txn, cx| roll_detaching(txn, cx, &id(VOLUME)),
    },
    Kind {
        name: "os-detach",
        before: &[with_volume, used],
        ask: |txn, cx| detach_volume(txn, cx, &id(VOLUME), None),
    },
    Kind { name: "attachment", before: &[with_volume], ask: reserved },
    Kind { name: "connect an attachment", before: &[with_volume, reserved], ask: connected },
    Kind {
        name: "complete an attachment",
        before: &[with_volume, reserved, connected],
        ask: completed,
    },
    Kind {
        name: "delete a reserved attachment",
        before: &[with_volume, reserved],
        ask: ended_attachment,
    },
    Kind {
        name: "delete an attachment",
        before: &[with_volume, reserved, connected, completed],
        ask: ended_attachment,
    },
    Kind {
        name: "detach while extended",
        before: &[with_volume, used],
        ask: |txn, cx| {
            extend_volume(txn, cx, &id(VOLUME), 2, RESERVATION)?;
            detach_volume(txn, cx, &id(VOLUME), None)
        },
    },
    Kind {
        name: "reset while retyped",
        before: &[with_volume],
        ask: |txn, cx| {
            retype(txn, cx)?;
            reset(txn, cx, "available")
        },
    },
    Kind {
        name: "complete a migration",
        before: &[with_volume, used, |txn, cx| {
            create_volume(txn, cx, NEW, VolumeSpec { size: Some(1), ..VolumeSpec::default() })
        }],
        ask: |txn, cx| complete_migration(txn, cx, &id(VOLUME), NEW, false).map(drop),
    },
];

/// The rows after each end of every kind of work. Each line has a kind, the ends with the same rows, and the
/// rows: volumes as `status attach_status migration_status previous_status size updated_at`, snapshots as `status
/// progress updated_at`, backups as `status object_count fail_reason updated_at`, others as `status updated_at`.
const TABLE: &str = include_str!("states/table.txt");

/// Returns the ends of a kind of work by the task in the queue.
fn ends(view: &impl ReadView) -> Vec<End> {
    let Some(item) = next_work(view) else { return vec![Waits] };
    let mut ends = vec![Waits, Runs, Killed, Done];
    match &item.task {
        Task::RetypeVolume { .. } => ends.extend([Moves, Moved, MoveFailed, MoveGivenUp]),
        Task::MigrateVolume { .. } => ends.push(Moved),
        Task::DeleteVolume { .. } | Task::DeleteSnapshot { .. } | Task::RevertVolume { .. } => {
            ends.push(Busy);
        }
        _ => {}
    }
    ends.extend([Failed, GivenUp]);
    ends
}

/// Requests a kind of work in a new store.
fn asked(kind: &Kind) -> Store {
    let store = Store::in_memory(&schema());
    let mut txn = store.begin_write().unwrap();
    bootstrap(&mut txn, &Config::default(), CREATED, TYPE).unwrap();
    at(CREATED, "p", |cx| {
        let spec = TypeSpec { name: "other".into(), ..TypeSpec::default() };
        create_type(&mut txn, cx, OTHER_TYPE, spec).unwrap();
        let (name, group_specs) = ("groups".into(), Pairs::new());
        let spec = GroupTypeSpec { name, description: None, is_public: true, group_specs };
        create_group_type(&mut txn, cx, GROUP_TYPE, spec).unwrap();
        for step in kind.before {
            step(&mut txn, cx).unwrap();
            work(&mut txn, CREATED, Done);
        }
    });
    cx(|cx| (kind.ask)(&mut txn, cx)).unwrap_or_else(|error| panic!("{}: {error}", kind.name));
    txn.commit().unwrap();
    store
}

/// Returns the lines of a kind of work.
fn lines(kind: &Kind) -> Vec<String> {
    let store = asked(kind);
    let mut lines: Vec<(String, String)> = Vec::new();
    let ends = ends(&store.snapshot());
    for end in ends {
        let mut txn = store.begin_write().unwrap();
        bring(&mut txn, end);
        let (name, rows) = (format!("{end:?}"), shown(&txn));
        match lines.iter_mut().find(|(_, other)| *other == rows) {
            Some((names, _)) => {
                names.push(' ');
                names.push_str(&name);
            }
            None => lines.push((name, rows)),
        }
    }
    lines.into_iter().map(|(ends, rows)| format!("{} | {ends} | {rows}", kind.name)).collect()
}

#[test]
fn every_end_of_work_leaves_the_recorded_fields() {
    let lines: Vec<String> = KINDS.iter().flat_map(lines).collect();
    let table: Vec<&str> = TABLE.lines().collect();
    let all = lines.join("\n");
    for line in &lines {
        assert!(table.contains(&line.as_str()), "not in the table: {line}\nof\n{all}");
    }
    for line in table {
        assert!(lines.iter().any(|own| own == line), "only in the table: {line}");
    }
}
