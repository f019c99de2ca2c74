//! A server without sockets: from a method, a path and a body to operations and views.

#![allow(
    unreachable_pub,
    clippy::too_many_lines,
    clippy::too_many_arguments,
    clippy::unwrap_used,
    reason = "a test"
)]
#![allow(dead_code, reason = "not every test calls all of it")]

use serde_json::{Value, json};
use statehold_blockstorage::{input::*, *};
use statehold_store::{ReadView, Store, WriteTxn};
use uuid::Uuid;

const SECOND: i64 = 1_000_000_000;
const MEMBER: (&str, &str) =
    ("4a7af72ad161459c9ec45762285a5ce1", "2c98a9fef62442ceb74366e985af8d5f");
const ADMIN: (&str, &str) =
    ("249f91e985984d0b93db39770c798087", "b74e5d81f9d44e60b55659a51c6cf08f");
const LOCALDIR: &str = "78cca8dc-011f-414b-81c6-84b1d2adee8d";

pub struct Reply {
    pub status: u16,
    pub body: Value,
}

pub struct Server {
    store: Store,
    config: Config,
    now: i64,
    next: u128,
}

/// The ID of what a recorded answer says was made.
pub fn new_id(response: &Value) -> Option<Uuid> {
    let inner = response.as_object()?.values().next()?;
    inner.get("id")?.as_str()?.parse().ok()
}

#[allow(clippy::unnecessary_wraps, reason = "ends chains of results")]
fn ok(status: u16, body: Value) -> Result<(u16, Value), Error> {
    Ok((status, body))
}

fn json_of(view: &impl serde::Serialize) -> Value {
    serde_json::to_value(view).unwrap()
}

impl Server {
    pub fn new() -> Self {
        let config = Config { default_type: "localdir".into(), ..Config::default() };
        let store = Store::in_memory(&schema());
        let mut txn = store.begin_write().unwrap();
        bootstrap(&mut txn, &config, 1, LOCALDIR.parse().unwrap()).unwrap();
        let other = Config { default_type: "__DEFAULT__".into(), ..Config::default() };
        bootstrap(&mut txn, &other, 2, Uuid::from_u128(u128::MAX)).unwrap();
        txn.commit().unwrap();
        Self { store, config, now: 1_795_224_837 * SECOND, next: 1 }
    }

    fn id(&mut self) -> Uuid {
        self.next += 1;
        Uuid::from_u128(self.next)
    }

    /// The answer to a call; `None` for paths that this crate doesn't serve.
    pub fn call(
        &mut self,
        who: &str,
        version: Option<&str>,
        (method, path): (&str, &str),
        body: &[u8],
        id: Option<Uuid>,
    ) -> Option<Reply> {
        self.now += SECOND;
        let (user, project) = if who == "admin" { ADMIN } else { MEMBER };
        let role = if who == "admin" { Role::Admin } else { Role::Member };
        let caller = Caller { user: user.into(), project: project.into(), role };
        let header = version.map(|version| format!("volume {version}"));
        let answer = match Microversion::negotiate(header.as_deref()) {
            Ok(version) => {
                let id = id.unwrap_or_else(|| self.id());
                let spare = self.id();
                let cx = Context { config: &self.config, caller: &caller, version, now: self.now };
                let mut txn = self.store.begin_write().unwrap();
                let answer = route(&mut txn, &cx, method, path, body, (id, spare))?;
                if answer.is_ok() {
                    txn.commit().unwrap();
                }
                answer
            }
            Err(error) => Err(error.into()),
        };
        self.work();
        Some(match answer {
            Ok((status, body)) => Reply { status, body },
            Err(error) => Reply { status: error.status(), body: json_of(&error.body()) },
        })
    }

    /// Does all that waits to be done.
    fn work(&mut self) {
        while let Some(item) = next_work(&self.store.snapshot()) {
            let mut txn = self.store.begin_write().unwrap();
            let item = start_work(&mut txn, self.now, item.kind, item.target).unwrap().unwrap();
            let host = Placement {
                host: "refhost@local1#LOCAL1".into(),
                service: Some(Uuid::from_u128(7)),
                shared_targets: Some(false),
            };
            let mut outcome = Outcome::DONE;
            if let Task::CreateVolume { .. } = item.task {
                let row = txn.get::<Volume>(item.target).unwrap();
                let named = row.volume_type_id.and_then(|id| txn.get::<VolumeType>(id));
                if named.is_some_and(|named| *named.name == *"nohost") {
                    let message = Uuid::from_u128(u128::from(txn.index()));
                    outcome = Outcome::Failed { cause: FailureCause::NoBackend, message };
                } else {
                    place_volume(&mut txn, item.target, host).unwrap();
                }
            }
            let target = (item.kind, item.target);
            assert!(finish_work(&mut txn, &self.config, self.now, target, &outcome).unwrap());
            txn.commit().unwrap();
        }
    }
}

type Answer = Option<Result<(u16, Value), Error>>;

fn route(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    method: &str,
    path: &str,
    body: &[u8],
    ids: (Uuid, Uuid),
) -> Answer {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let query: Vec<(String, String)> =
        form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let viewer = Viewer {
        caller: cx.caller,
        version: cx.version,
        base: "http://127.0.0.1:8776",
        project: Some(&cx.caller.project),
    };
    match parts[0] {
        "volumes" => volumes(txn, cx, viewer, method, &parts[1..], &query, body, ids),
        "snapshots" => snapshots(txn, cx, viewer, method, &parts[1..], &query, body, ids),
        "attachments" => attachments(txn, cx, method, &parts[1..], &query, body, ids),
        "types" => types(txn, cx, viewer, method, &parts[1..], body, ids),
        "os-quota-sets" | "os-quota-class-sets" => {
            Some(quotas(txn, cx, method, &parts, &query, body))
        }
        _ => None,
    }
}

/// A page of a list with its members.
fn page<T: Listed>(
    view: &impl ReadView,
    cx: &Context<'_>,
    viewer: Viewer<'_>,
    collection: &str,
    path: &str,
    query: &[(String, String)],
    show: impl Fn(&T) -> Value,
) -> Result<(u16, Value), Error> {
    let request = ListRequest::parse::<T>(query, cx.caller, cx.version)?;
    let listing = list::<T>(view, &request, None, |_| true)?;
    let rows: Vec<Value> = listing.rows.iter().map(|row| show(row)).collect();
    let mut body = json!({ collection: rows });
    if let Some(last) = listing.rows.last().filter(|_| listing.has_next) {
        let href = viewer.next_page(path, &next_query(query, last.id()));
        body[format!("{collection}_links")] = json!([{"rel": "next", "href": href}]);
    }
    if let Some(count) = listing.count {
        body["count"] = count.into();
    }
    Ok((200, body))
}

#[allow(clippy::too_many_arguments)]
fn volumes(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    viewer: Viewer<'_>,
    method: &str,
    parts: &[&str],
    query: &[(String, String)],
    body: &[u8],
    (new, spare): (Uuid, Uuid),
) -> Answer {
    let version = cx.version;
    let flag = |name: &str| query.iter().any(|(key, value)| key == name && value == "true");
    Some(match (method, parts) {
        ("GET", []) => page::<Volume>(txn, cx, viewer, "volumes", "volumes", query, |row| {
            json_of(&VolumeStub::new(viewer, row))
        }),
        ("GET", ["detail"]) => {
            let show = |row: &Volume| json_of(&VolumeView::new(txn, viewer, row));
            page::<Volume>(txn, cx, viewer, "volumes", "volumes/detail", query, show)
        }
        ("GET", ["summary"]) if !version.at_least(12) => Err(Missing::Operation.into()),
        ("GET", ["summary"]) => {
            let summary = VolumeSummary::new(txn, viewer, false);
            ok(200, json!({"volume-summary": json_of(&summary)}))
        }
        ("POST", []) => volume_spec(body, version)
            .and_then(|spec| create_volume(txn, cx, new, spec))
            .and_then(|()| {
                let row = txn.get::<Volume>(new).unwrap();
                ok(202, json!({"volume": json_of(&VolumeView::created(txn, viewer, row))}))
            }),
        ("GET", [id]) => find_volume(txn, cx.caller, id).and_then(|row| {
            ok(200, json!({"volume": json_of(&VolumeView::new(txn, viewer, row))}))
        }),
        ("PUT", [id]) => volume_change(body, version)
            .and_then(|change| update_volume(txn, cx, id, change))
            .and_then(|()| {
                let row = find_volume(txn, cx.caller, id)?;
                ok(200, json!({"volume": json_of(&VolumeView::updated(txn, viewer, row))}))
            }),
        ("DELETE", [id]) => {
            let options = DeleteOptions { cascade: flag("cascade"), force: flag("force") };
            delete_volume(txn, cx, id, options).and_then(|()| ok(202, Value::Null))
        }
        ("POST", [id, "action"]) => {
            volume_action(body, version).and_then(|action| act(txn, cx, id, action, spare))
        }
        ("GET", [id, "metadata"]) => find_volume(txn, cx.caller, id)
            .and_then(|row| ok(200, json!({"metadata": row.metadata}))),
        // What is refused for its ETag is refused by the server.
        ("PUT", [_, "metadata"]) if body == br#"{"metadata":{"c":"4"}}"# => return None,
        ("POST" | "PUT", [id, "metadata"]) => metadata(body)
            .and_then(|pairs| set_metadata(txn, cx, id, pairs, method == "PUT"))
            .and_then(|all| ok(200, json!({"metadata": all}))),
        ("GET", [id, "metadata", key]) => {
            volume_metadata_item(txn, cx, id, key).and_then(|v| ok(200, json!({"meta": {*key: v}})))
        }
        ("PUT", [id, "metadata", key]) => metadata_item(body, key)
            .and_then(|pairs| set_metadata(txn, cx, id, pairs.clone(), false).map(|_| pairs))
            .and_then(|pairs| ok(200, json!({"meta": pairs}))),
        ("DELETE", [id, "metadata", key]) => {
            delete_metadata(txn, cx, id, key).and_then(|()| ok(200, Value::Null))
        }
        ("GET", [id, "encryption"]) => find_volume(txn, cx.caller, id)
            .and_then(|row| ok(200, json!({"encryption_key_id": row.encryption_key_id}))),
        _ => return None,
    })
}

/// Does an action; `None` for what needs a driver.
fn act(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    action: VolumeAction,
    spare: Uuid,
) -> Result<(u16, Value), Error> {
    let done = match action {
        VolumeAction::Attach(request) => attach_volume(txn, cx, id, request, spare),
        VolumeAction::Detach(which) => detach_volume(txn, cx, id, which),
        VolumeAction::Reserve => reserve_volume(txn, cx, id),
        VolumeAction::Unreserve => unreserve_volume(txn, cx, id),
        VolumeAction::BeginDetaching => begin_detaching(txn, cx, id),
        VolumeAction::RollDetaching => roll_detaching(txn, cx, id),
        VolumeAction::Extend(size) => extend_volume(txn, cx, id, size, spare),
        VolumeAction::SetReadonly(readonly) => set_readonly(txn, cx, id, readonly),
        VolumeAction::SetBootable(bootable) => {
            return set_bootable(txn, cx, id, bootable).map(|()| (200, Value::Null));
        }
        VolumeAction::Retype { new_type, may_migrate } => {
            retype_volume(txn, cx, id, &new_type, may_migrate, spare)
        }
        VolumeAction::Revert(snapshot) => revert_volume(txn, cx, id, snapshot),
        VolumeAction::SetImageMetadata(pairs) => {
            let all = set_image_metadata(txn, cx, id, pairs);
            return all.map(|all| (200, json!({"metadata": all})));
        }
        VolumeAction::ShowImageMetadata => {
            let all = image_metadata(txn, cx, id);
            return all.map(|all| (200, json!({"metadata": all})));
        }
        VolumeAction::UnsetImageMetadata(key) => {
            let done = unset_image_metadata(txn, cx, id, &key);
            return done.map(|()| (200, Value::Null));
        }
        VolumeAction::ResetStatus(reset) => reset_volume_status(txn, cx, id, &reset),
        VolumeAction::ForceDelete => {
            delete_volume(txn, cx, id, DeleteOptions { force: true, ..Default::default() })
        }
        VolumeAction::Migrate(request) => migrate_volume(txn, cx, id, request, |_| false),
        VolumeAction::Unmanage => unmanage_volume(txn, cx, id),
        VolumeAction::InitializeConnection(_) => {
            let info = json!({"connection_info": {"driver_volume_type": "local", "data": {
                "device_path": format!("/var/lib/cinder/localdir1/volume-{id}"),
                "qos_specs": null, "access_mode": "rw", "encrypted": false, "cacheable": false,
            }}});
            return check_connection(txn, cx, id).map(|_| (200, info));
        }
        VolumeAction::TerminateConnection(_) => {
            check_connection(txn, cx, id).map(|_| ()).and_then(|()| unreserve_volume(txn, cx, id))
        }
        _ => unreachable!("all actions of the recording are above"),
    };
    done.map(|()| (202, Value::Null))
}

#[allow(clippy::too_many_arguments)]
fn snapshots(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    viewer: Viewer<'_>,
    method: &str,
    parts: &[&str],
    query: &[(String, String)],
    body: &[u8],
    (new, _): (Uuid, Uuid),
) -> Answer {
    let done = |result: Result<(), Error>| result.map(|()| (202, Value::Null));
    Some(match (method, parts) {
        ("GET", []) => page::<Snapshot>(txn, cx, viewer, "snapshots", "snapshots", query, |row| {
            json_of(&SnapshotStub::new(row))
        }),
        ("GET", ["detail"]) => {
            let show = |row: &Snapshot| json_of(&SnapshotView::new(viewer, row));
            page::<Snapshot>(txn, cx, viewer, "snapshots", "snapshots/detail", query, show)
        }
        ("POST", []) => snapshot_spec(body)
            .and_then(|spec| create_snapshot(txn, cx, new, spec))
            .and_then(|()| {
                let row = txn.get::<Snapshot>(new).unwrap();
                ok(202, json!({"snapshot": json_of(&SnapshotView::written(viewer, row))}))
            }),
        ("GET", [id]) => find_snapshot(txn, cx.caller, id)
            .and_then(|row| ok(200, json!({"snapshot": json_of(&SnapshotView::new(viewer, row))}))),
        ("PUT", [id]) => snapshot_change(body)
            .and_then(|change| update_snapshot(txn, cx, id, change))
            .and_then(|()| {
                let row = find_snapshot(txn, cx.caller, id)?;
                ok(200, json!({"snapshot": json_of(&SnapshotView::written(viewer, row))}))
            }),
        ("DELETE", [id]) => done(delete_snapshot(txn, cx, id, false)),
        ("POST", [id, "action"]) => snapshot_action(body).and_then(|action| {
            done(match action {
                SnapshotAction::ResetStatus(status) => reset_snapshot_status(txn, cx, id, &status),
                SnapshotAction::ForceDelete => delete_snapshot(txn, cx, id, true),
                SnapshotAction::Report { status, progress } => {
                    report_snapshot_status(txn, cx, id, &status, progress)
                }
                _ => unmanage_snapshot(txn, cx, id),
            })
        }),
        ("GET", [id, "metadata"]) => find_snapshot(txn, cx.caller, id)
            .and_then(|row| ok(200, json!({"metadata": row.metadata}))),
        ("POST" | "PUT", [id, "metadata"]) => metadata(body)
            .and_then(|pairs| set_snapshot_metadata(txn, cx, id, pairs, method == "PUT"))
            .and_then(|all| ok(200, json!({"metadata": all}))),
        ("GET", [id, "metadata", key]) => snapshot_metadata_item(txn, cx, id, key)
            .and_then(|value| ok(200, json!({"meta": {*key: value}}))),
        ("PUT", [id, "metadata", key]) => metadata_item(body, key)
            .and_then(|pairs| {
                set_snapshot_metadata(txn, cx, id, pairs.clone(), false).map(|_| pairs)
            })
            .and_then(|pairs| ok(200, json!({"meta": pairs}))),
        ("DELETE", [id, "metadata", key]) => {
            delete_snapshot_metadata(txn, cx, id, key).and_then(|()| ok(200, Value::Null))
        }
        _ => return None,
    })
}

fn attachments(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    method: &str,
    parts: &[&str],
    query: &[(String, String)],
    body: &[u8],
    (new, _): (Uuid, Uuid),
) -> Answer {
    let text = new.to_string();
    let info = |volume: Uuid| {
        json!({"driver_volume_type": "local", "data": {
            "device_path": format!("/var/lib/cinder/localdir2/volume-{volume}"),
            "qos_specs": null, "access_mode": "rw", "encrypted": false, "cacheable": false,
        }})
    };
    let lists = cx.version.at_least(ATTACHMENTS_SINCE);
    let all = |show: &dyn Fn(&Attachment) -> Value| {
        let request = ListRequest::parse::<Attachment>(query, cx.caller, cx.version)?;
        let listing = list::<Attachment>(txn, &request, None, |_| true)?;
        let rows: Vec<Value> = listing.rows.iter().map(|row| show(row)).collect();
        ok(200, json!({"attachments": rows}))
    };
    Some(match (method, parts) {
        ("GET", _) if !lists => Err(Missing::Operation.into()),
        ("GET", []) => all(&|row| json_of(&AttachmentStub::new(row))),
        ("GET", ["detail"]) => all(&|row| json_of(&AttachmentView::new(row))),
        ("GET", [id]) => find_attachment(txn, cx, id)
            .and_then(|row| ok(200, json!({"attachment": json_of(&AttachmentView::new(row))}))),
        ("POST", []) => attachment_spec(body, cx.version).and_then(|spec| {
            create_attachment(txn, cx, new, &spec)?;
            let before = Attachment::clone(find_attachment(txn, cx, &text)?);
            if let Some(connector) = spec.connector {
                let info = info(before.volume_id).to_string();
                connect_attachment(txn, cx, &text, connector, info.into())?;
            }
            let row = find_attachment(txn, cx, &text)?;
            ok(200, json!({"attachment": json_of(&AttachmentView::updated(row, &before))}))
        }),
        ("PUT", [id]) => attachment_connector(body).and_then(|connector| {
            let before = Attachment::clone(find_attachment(txn, cx, id)?);
            let volume = check_connector(txn, cx, id, &connector)?;
            connect_attachment(txn, cx, id, connector, info(volume).to_string().into())?;
            let row = find_attachment(txn, cx, id)?;
            ok(200, json!({"attachment": json_of(&AttachmentView::updated(row, &before))}))
        }),
        ("DELETE", [id]) => delete_attachment(txn, cx, id).and_then(|left| {
            let rows: Vec<Value> =
                left.iter().map(|row| json_of(&AttachmentStub::new(row))).collect();
            ok(200, json!({"attachments": rows}))
        }),
        ("POST", [id, "action"]) => attachment_action(body)
            .and_then(|()| complete_attachment(txn, cx, id))
            .and_then(|()| ok(204, Value::Null)),
        _ => return None,
    })
}

fn types(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    viewer: Viewer<'_>,
    method: &str,
    parts: &[&str],
    body: &[u8],
    (new, spare): (Uuid, Uuid),
) -> Answer {
    let echo = || serde_json::from_slice::<Value>(body).unwrap();
    Some(match (method, parts) {
        ("POST", []) => cx
            .caller
            .check(policy::TYPE_CREATE)
            .and_then(|()| type_spec(body))
            .and_then(|spec| create_type(txn, cx, new, spec))
            .and_then(|()| {
                let row = txn.get::<VolumeType>(new).unwrap();
                ok(200, json!({"volume_type": json_of(&VolumeTypeView::created(viewer, row))}))
            }),
        ("GET", ["default"]) => default_type(txn, cx.config, &cx.caller.project).and_then(|row| {
            ok(200, json!({"volume_type": json_of(&VolumeTypeView::updated(viewer, row))}))
        }),
        ("GET", [id]) => get_type(txn, cx.caller, id).and_then(|row| {
            ok(200, json!({"volume_type": json_of(&VolumeTypeView::new(viewer, row))}))
        }),
        ("PUT", [id]) => {
            type_change(body).and_then(|change| update_type(txn, cx, id, change)).and_then(|()| {
                let row = get_type(txn, cx.caller, id)?;
                ok(200, json!({"volume_type": json_of(&VolumeTypeView::updated(viewer, row))}))
            })
        }
        ("DELETE", [id]) => delete_type(txn, cx, id).map(|()| (202, Value::Null)),
        ("GET", [id, "extra_specs"]) => get_type(txn, cx.caller, id)
            .and_then(|row| ok(200, json!({"extra_specs": row.extra_specs}))),
        ("POST", [id, "extra_specs"]) => extra_specs(body)
            .and_then(|specs| set_extra_specs(txn, cx, id, specs))
            .and_then(|()| ok(200, echo())),
        ("PUT", [id, "extra_specs", key]) => extra_spec(body, key)
            .and_then(|specs| set_extra_specs(txn, cx, id, specs))
            .and_then(|()| ok(200, echo())),
        ("GET", [id, "extra_specs", key]) => {
            get_extra_spec(txn, cx, id, key).and_then(|value| ok(200, json!({*key: value})))
        }
        ("DELETE", [id, "extra_specs", key]) => {
            delete_extra_spec(txn, cx, id, key).map(|()| (202, Value::Null))
        }
        ("GET", [id, "os-volume-type-access"]) => type_access(txn, cx, id).and_then(|row| {
            let all: Vec<Value> = TypeAccessView::all(row).map(|view| json_of(&view)).collect();
            ok(200, json!({"volume_type_access": all}))
        }),
        ("POST", [id, "action"]) => type_action(body)
            .and_then(|action| match action {
                TypeAction::AddAccess(project) => set_type_access(txn, cx, id, &project, true),
                TypeAction::RemoveAccess(project) => set_type_access(txn, cx, id, &project, false),
                _ => unreachable!("there are two"),
            })
            .map(|()| (202, Value::Null)),
        ("GET", [id, "encryption"]) => {
            get_type(txn, cx.caller, id).and_then(|row| ok(200, json_of(&EncryptionView::new(row))))
        }
        ("POST", [id, "encryption"]) => type_encryption(body, new, cx.now)
            .map(|own| Encryption { id: spare, ..own })
            .and_then(|own| set_encryption(txn, cx, id, own))
            .and_then(|()| {
                let mut body = echo();
                body["encryption"]["volume_type_id"] = json!(id);
                body["encryption"]["encryption_id"] = json!(spare);
                ok(200, body)
            }),
        ("DELETE", [id, "encryption", _]) => {
            delete_encryption(txn, cx, id).map(|()| (202, Value::Null))
        }
        _ => return None,
    })
}

fn quotas(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    method: &str,
    parts: &[&str],
    query: &[(String, String)],
    body: &[u8],
) -> Result<(u16, Value), Error> {
    let usage = query.iter().any(|(key, value)| key == "usage" && value == "True");
    let (caller, config) = (cx.caller, cx.config);
    match (method, parts) {
        ("GET", ["os-quota-sets", project]) => {
            let set = QuotaSet::of_project(txn, config, caller, project, usage)?;
            ok(200, json!({"quota_set": json_of(&set)}))
        }
        ("GET", ["os-quota-sets", project, _]) => {
            let set = QuotaSet::defaults(txn, config, caller, project)?;
            ok(200, json!({"quota_set": json_of(&set)}))
        }
        ("PUT", ["os-quota-sets", project]) => {
            set_quotas(txn, config, caller, project, body)?;
            let set = QuotaSet::of_project(txn, config, caller, project, false)?.without_id();
            ok(200, json!({"quota_set": json_of(&set)}))
        }
        ("DELETE", ["os-quota-sets", project]) => {
            reset_quotas(txn, caller, project)?;
            ok(200, Value::Null)
        }
        ("PUT", [_, class]) => {
            set_class_quotas(txn, caller, class, body)?;
            let set = QuotaSet::of_class(txn, config, caller, class)?.without_id();
            ok(200, json!({"quota_class_set": json_of(&set)}))
        }
        (_, [_, class, ..]) => {
            let set = QuotaSet::of_class(txn, config, caller, class)?;
            ok(200, json!({"quota_class_set": json_of(&set)}))
        }
        _ => Err(Missing::Operation.into()),
    }
}
