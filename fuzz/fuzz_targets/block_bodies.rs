//! Any bytes are the body of a Block Storage request or rejected, and the parsed request can be
//! tried without a panic. The first byte is the minor version, the second the caller.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use statehold_cinder::{
    BackupSpec, Caller, Config, Context, DeleteOptions, Error, GroupApi, Microversion, Outcome,
    Placement, Role, SnapshotSpec, TransferKey, VolumeSpec, WorkItem, accept_transfer,
    attach_volume, bind_type, bootstrap, bootstrap_groups, clean_up_stuck, complete_migration,
    connect_attachment, create_attachment, create_backup, create_group, create_group_from,
    create_group_snapshot, create_group_type, create_qos, create_snapshot, create_transfer,
    create_type, create_volume, delete_backup, delete_group, delete_qos_keys, delete_snapshot,
    delete_volume, detach_volume, extend_volume, finish_work, force_detach_volume, import_backup,
    input::{self, BackupAction, GroupAction, SnapshotAction, TypeAction, VolumeAction},
    manage_snapshot, manage_volume, migrate_volume, next_work, place_volume, reimage_volume,
    report_snapshot_status, reset_backup_status, reset_group_snapshot_status, reset_group_status,
    reset_snapshot_status, reset_volume_status, restore_backup, retype_volume, revert_volume,
    schema, set_bootable, set_class_quotas, set_default_type, set_encryption, set_extra_specs,
    set_group_specs, set_image_metadata, set_metadata, set_quotas, set_readonly, set_type_access,
    start_work, unset_image_metadata, update_backup, update_encryption, update_group,
    update_group_type, update_qos, update_snapshot, update_type, update_volume, upload_volume,
};
use statehold_store::{Store, WriteTxn};
use uuid::Uuid;

/// The IDs in the seeds.
const VOLUME: Uuid = Uuid::from_u128(0x1111_1111_1111_4111_8111_1111_1111_1111);
const SNAPSHOT: Uuid = Uuid::from_u128(0x2222_2222_2222_4222_8222_2222_2222_2222);
const BACKUP: Uuid = Uuid::from_u128(0x3333_3333_3333_4333_8333_3333_3333_3333);
const GROUP: Uuid = Uuid::from_u128(0x5555_5555_5555_4555_8555_5555_5555_5555);
const TYPE: Uuid = Uuid::from_u128(0x4444_4444_4444_4444_8444_4444_4444_4444);

const HOST: &str = "h@b#b";

/// The store before each try. Transactions of tries are never committed.
static STORE: LazyLock<Store> = LazyLock::new(|| {
    let store = Store::in_memory(&schema());
    let config = Config::default();
    let caller =
        Caller { user: "u".into(), project: "p".into(), role: Role::Admin, ..Caller::default() };
    let version = Microversion::MAX;
    let cx = Context { config: &config, caller: &caller, version, now: 1, request_id: "req-1" };
    let mut txn = store.begin_write().expect("a store in memory accepts writes");
    prepare(&mut txn, &cx).expect("an empty store accepts the defaults");
    work(&mut txn, &config);
    txn.commit().expect("written rows can be committed");
    store
});

fn prepare(txn: &mut WriteTxn<'_>, cx: &Context<'_>) -> Result<(), Error> {
    bootstrap(txn, cx.config, 1, TYPE)?;
    bootstrap_groups(txn, 1, Uuid::from_u128(1))?;
    create_volume(txn, cx, VOLUME, VolumeSpec { size: Some(1), ..VolumeSpec::default() })?;
    work(txn, cx.config);
    let of_volume = VOLUME.to_string();
    let snapshot = SnapshotSpec { volume_id: of_volume.clone().into(), ..Default::default() };
    create_snapshot(txn, cx, SNAPSHOT, snapshot)?;
    let backup = BackupSpec { volume_id: of_volume.into(), ..BackupSpec::default() };
    create_backup(txn, cx, BACKUP, backup)?;
    let body = br#"{"group_type": {"name": "g"}}"#;
    create_group_type(txn, cx, GROUP, input::group_type_spec(body)?)?;
    let body = format!(r#"{{"group": {{"group_type": "g", "volume_types": ["{TYPE}"]}}}}"#);
    create_group(txn, cx, GroupApi::Groups, GROUP, input::group_spec(body.as_bytes())?)
}

/// A caller that tries requests, and its IDs.
struct Tried {
    config: Config,
    caller: Caller,
    version: Microversion,
    ids: u128,
}

/// Returns the result; an error must have a message, and must not be an internal one.
fn accepted<T>(result: Result<T, Error>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!((400..500).contains(&error.status()), "{} {error}", error.status());
            None
        }
    }
}

impl Tried {
    fn new(minor: u8, caller_byte: u8) -> Self {
        let role = [Role::Admin, Role::Member, Role::Reader][usize::from(caller_byte % 3)];
        Self {
            config: Config::default(),
            caller: Caller { user: "u".into(), project: "p".into(), role, ..Caller::default() },
            version: Microversion::new(u16::from(minor % 72)),
            ids: 1,
        }
    }

    fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }

    /// Tries a request in its own transaction, which is dropped, and completes the work that it
    /// queues.
    fn with<T>(&mut self, run: impl FnOnce(&mut WriteTxn<'_>, &Context<'_>) -> Result<T, Error>) {
        let cx = Context {
            config: &self.config,
            caller: &self.caller,
            version: self.version,
            now: 5,
            request_id: "req-2",
        };
        let mut txn = STORE.begin_write().expect("a store in memory accepts writes");
        if accepted(run(&mut txn, &cx)).is_some() {
            work(&mut txn, &self.config);
        }
    }
}

/// Completes the queued work, as a back end without failures.
fn work(txn: &mut WriteTxn<'_>, config: &Config) {
    while let Some(item) = next_work(txn).map(|item| WorkItem::clone(item)) {
        let begun = start_work(txn, 6, item.kind, item.target).expect("a store accepts writes");
        let begun = begun.expect("the next item is not started");
        let placement = Placement { host: HOST.into(), ..Placement::default() };
        place_volume(txn, 6, item.target, placement).expect("a store accepts writes");
        finish_work(txn, config, 6, &begun, &Outcome::DONE).expect("a store accepts writes");
    }
}

fn volumes(tried: &mut Tried, body: &[u8]) {
    let (version, id, volume) = (tried.version, tried.id(), VOLUME.to_string());
    let volume = &*volume;
    let is_up = |host: &str| host == HOST;
    if let Some(action) = accepted(input::volume_action(body, version)) {
        tried.with(|txn, cx| match action {
            VolumeAction::Attach(request) => attach_volume(txn, cx, volume, request, id),
            VolumeAction::Detach(attachment) => {
                detach_volume(txn, cx, volume, attachment.as_deref())
            }
            VolumeAction::ForceDetach(attachment) => {
                force_detach_volume(txn, cx, volume, attachment.as_deref())
            }
            VolumeAction::Extend(size) => extend_volume(txn, cx, volume, size, id),
            VolumeAction::SetBootable(to) => set_bootable(txn, cx, volume, to),
            VolumeAction::SetReadonly(to) => set_readonly(txn, cx, volume, to),
            VolumeAction::Retype { new_type, may_migrate } => {
                retype_volume(txn, cx, volume, &new_type, may_migrate, id)
            }
            VolumeAction::Revert(snapshot) => revert_volume(txn, cx, volume, snapshot),
            VolumeAction::SetImageMetadata(pairs) => {
                set_image_metadata(txn, cx, volume, pairs).map(drop)
            }
            VolumeAction::UnsetImageMetadata(key) => unset_image_metadata(txn, cx, volume, &key),
            VolumeAction::ResetStatus(reset) => reset_volume_status(txn, cx, volume, &reset),
            VolumeAction::Migrate(request) => migrate_volume(txn, cx, volume, request, is_up),
            VolumeAction::MigrateCompletion { new_volume, failed } => {
                complete_migration(txn, cx, volume, new_volume, failed).map(drop)
            }
            VolumeAction::UploadImage(request) => upload_volume(txn, cx, volume, request),
            VolumeAction::Reimage(request) => reimage_volume(txn, cx, volume, request),
            VolumeAction::ForceDelete => {
                let options = DeleteOptions { force: true, cascade: true };
                delete_volume(txn, cx, volume, options)
            }
            _ => Ok(()),
        });
    }
    if let Some(spec) = accepted(input::volume_spec(body, version)) {
        tried.with(|txn, cx| create_volume(txn, cx, id, spec));
    }
    if let Some(change) = accepted(input::volume_change(body, version)) {
        tried.with(|txn, cx| update_volume(txn, cx, volume, change));
    }
    for pairs in [accepted(input::metadata(body)), accepted(input::metadata_item(body, "k"))] {
        if let Some(pairs) = pairs {
            tried.with(|txn, cx| set_metadata(txn, cx, volume, pairs, true));
        }
    }
    if let Some(spec) = accepted(input::manage_volume_spec(body, version)) {
        let id = tried.id();
        tried.with(|txn, cx| {
            manage_volume(txn, cx, id, spec, |host| is_up(host).then(|| host.into()))
        });
    }
    if let Some(spec) = accepted(input::attachment_spec(body, version)) {
        let connector = accepted(input::attachment_connector(body));
        let id = tried.id();
        tried.with(|txn, cx| {
            create_attachment(txn, cx, id, &spec)?;
            match connector {
                Some(own) => connect_attachment(txn, cx, &id.to_string(), own, "{}".into()),
                None => Ok(()),
            }
        });
    }
    accepted(input::attachment_connector(body));
    accepted(input::attachment_action(body));
    for old_path in [false, true] {
        if let Some(spec) = accepted(input::transfer_spec(body, version, old_path)) {
            let id = tried.id();
            let key = TransferKey { salt: *b"01234567", key: "0123456789abcdef" };
            tried.with(|txn, cx| {
                create_transfer(txn, cx, id, spec, key)?;
                accept_transfer(txn, cx, &id.to_string(), "0123456789abcdef")
            });
        }
    }
    if let Some(key) = accepted(input::transfer_key(body)) {
        let offer = tried.id().to_string();
        tried.with(|txn, cx| accept_transfer(txn, cx, &offer, &key));
    }
}

fn copies(tried: &mut Tried, body: &[u8]) {
    let (version, id) = (tried.version, tried.id());
    let (snapshot, backup) = (SNAPSHOT.to_string(), BACKUP.to_string());
    let (snapshot, backup) = (&*snapshot, &*backup);
    if let Some(spec) = accepted(input::snapshot_spec(body)) {
        tried.with(|txn, cx| create_snapshot(txn, cx, id, spec));
    }
    if let Some(change) = accepted(input::snapshot_change(body)) {
        tried.with(|txn, cx| update_snapshot(txn, cx, snapshot, change));
    }
    if let Some(action) = accepted(input::snapshot_action(body)) {
        tried.with(|txn, cx| match action {
            SnapshotAction::ResetStatus(to) => reset_snapshot_status(txn, cx, snapshot, &to),
            SnapshotAction::Report { status, progress } => {
                report_snapshot_status(txn, cx, snapshot, &status, progress)
            }
            _ => delete_snapshot(txn, cx, snapshot, true),
        });
    }
    if let Some(spec) = accepted(input::manage_snapshot_spec(body)) {
        let id = tried.id();
        tried.with(|txn, cx| manage_snapshot(txn, cx, id, spec));
    }
    if let Some(spec) = accepted(input::backup_spec(body, version)) {
        let id = tried.id();
        tried.with(|txn, cx| create_backup(txn, cx, id, spec));
    }
    if let Some(change) = accepted(input::backup_change(body, version)) {
        tried.with(|txn, cx| update_backup(txn, cx, backup, change));
    }
    if let Some(spec) = accepted(input::restore_spec(body)) {
        let id = tried.id();
        tried.with(|txn, cx| restore_backup(txn, cx, backup, id, spec));
    }
    if let Some(record) = accepted(input::backup_record(body)) {
        tried.with(|txn, cx| import_backup(txn, cx, &record));
    }
    if let Some(action) = accepted(input::backup_action(body)) {
        tried.with(|txn, cx| match action {
            BackupAction::ResetStatus(to) => reset_backup_status(txn, cx, backup, &to),
            BackupAction::ForceDelete => delete_backup(txn, cx, backup, true),
        });
    }
}

fn types(tried: &mut Tried, body: &[u8]) {
    let (id, of_type) = (tried.id(), TYPE.to_string());
    let of_type = &*of_type;
    if let Some(spec) = accepted(input::type_spec(body)) {
        tried.with(|txn, cx| create_type(txn, cx, id, spec));
    }
    if let Some(change) = accepted(input::type_change(body)) {
        tried.with(|txn, cx| update_type(txn, cx, of_type, change));
    }
    if let Some(action) = accepted(input::type_action(body)) {
        let (TypeAction::AddAccess(project) | TypeAction::RemoveAccess(project)) = action;
        tried.with(|txn, cx| set_type_access(txn, cx, of_type, &project, true));
    }
    for specs in [accepted(input::extra_specs(body)), accepted(input::extra_spec(body, "k"))] {
        if let Some(specs) = specs {
            tried.with(|txn, cx| set_extra_specs(txn, cx, of_type, specs));
        }
    }
    if let Some(name) = accepted(input::default_type_name(body)) {
        tried.with(|txn, cx| set_default_type(txn, cx, "p", Some(&name)));
    }
    if let Some(encryption) = accepted(input::type_encryption(body, id, 5)) {
        tried.with(|txn, cx| set_encryption(txn, cx, of_type, encryption));
    }
    if let Some(change) = accepted(input::encryption_change(body)) {
        tried.with(|txn, cx| update_encryption(txn, cx, of_type, change));
    }
    if let Some(spec) = accepted(input::qos_spec(body)) {
        let id = tried.id();
        let change = accepted(input::qos_change(body));
        tried.with(|txn, cx| {
            create_qos(txn, cx, id, spec)?;
            let qos = id.to_string();
            bind_type(txn, cx, &qos, Some(of_type))?;
            match change {
                Some((consumer, specs)) => update_qos(txn, cx, &qos, consumer, specs),
                None => Ok(()),
            }
        });
    }
    accepted(input::qos_change(body));
    if let Some(keys) = accepted(input::qos_keys(body)) {
        tried.with(|txn, cx| delete_qos_keys(txn, cx, of_type, &keys));
    }
    tried.with(|txn, cx| set_quotas(txn, cx.config, cx.caller, "p", body));
    tried.with(|txn, cx| set_class_quotas(txn, cx.caller, "default", body));
}

fn groups(tried: &mut Tried, body: &[u8]) {
    let version = tried.version;
    let (new, id) = (tried.id(), tried.id());
    let group = &*GROUP.to_string();
    let api = GroupApi::Groups;
    let mut ids = 1_000_000;
    let mut member = || {
        ids += 1;
        Uuid::from_u128(ids)
    };
    if let Some(spec) = accepted(input::group_type_spec(body)) {
        tried.with(|txn, cx| create_group_type(txn, cx, id, spec));
    }
    if let Some(change) = accepted(input::group_type_change(body)) {
        tried.with(|txn, cx| update_group_type(txn, cx, group, change));
    }
    if let Some(specs) = accepted(input::group_specs(body)) {
        tried.with(|txn, cx| set_group_specs(txn, cx, group, specs));
    }
    if let Some(spec) = accepted(input::group_spec(body)) {
        tried.with(|txn, cx| create_group(txn, cx, api, new, spec));
    }
    if let Some(spec) = accepted(input::consistency_spec(body)) {
        tried.with(|txn, cx| create_group(txn, cx, GroupApi::Consistency, new, spec));
    }
    for change in
        [accepted(input::group_change(body)), accepted(input::consistency_change(body, version))]
    {
        if let Some(change) = change {
            tried.with(|txn, cx| update_group(txn, cx, api, group, change));
        }
    }
    let sources = [
        accepted(input::group_source_spec(body, version)),
        accepted(input::consistency_source_spec(body)),
    ];
    for spec in sources.into_iter().flatten() {
        let id = tried.id();
        tried.with(|txn, cx| create_group_from(txn, cx, api, id, spec, &mut member));
    }
    for spec in [accepted(input::group_snapshot_spec(body)), accepted(input::cgsnapshot_spec(body))]
    {
        if let Some(spec) = spec {
            let id = tried.id();
            tried.with(|txn, cx| create_group_snapshot(txn, cx, api, id, &spec, &mut member));
        }
    }
    if let Some(status) = accepted(input::group_snapshot_action(body, version)) {
        tried.with(|txn, cx| reset_group_snapshot_status(txn, cx, group, &status));
    }
    if let Some(delete_volumes) = accepted(input::consistency_delete(body)) {
        tried.with(|txn, cx| delete_group(txn, cx, api, group, delete_volumes));
    }
    if let Some(action) = accepted(input::group_action(body, version)) {
        tried.with(|txn, cx| match action {
            GroupAction::Delete { delete_volumes } => {
                delete_group(txn, cx, api, group, delete_volumes)
            }
            GroupAction::ResetStatus(status) => reset_group_status(txn, cx, group, &status),
            _ => Ok(()),
        });
    }
}

fn services(tried: &mut Tried, body: &[u8]) {
    for action in ["enable", "disable-log-reason", "freeze", "failover", "set-log", "get-log"] {
        if let Some(request) = accepted(input::service_request(action, body, Microversion::MAX)) {
            accepted(request.host_or_cluster(Microversion::MAX).map(drop));
            accepted(request.binary().map(drop));
        }
    }
    for enable in [false, true] {
        accepted(input::cluster_request(enable, body));
    }
    if let Some(request) = accepted(input::cleanup_request(body)) {
        tried.with(|txn, cx| clean_up_stuck(txn, cx, &request.filter, |_| true));
    }
}

fuzz_target!(|bytes: &[u8]| {
    let [minor, caller_byte, body @ ..] = bytes else { return };
    let mut tried = Tried::new(*minor, *caller_byte);
    volumes(&mut tried, body);
    copies(&mut tried, body);
    types(&mut tried, body);
    groups(&mut tried, body);
    services(&mut tried, body);
});
