//! A server without sockets: from a method, a path and a body to operations and views.

#![allow(
    unreachable_pub,
    clippy::too_many_lines,
    clippy::too_many_arguments,
    clippy::unwrap_used,
    reason = "a test"
)]
#![allow(dead_code, reason = "not every test calls all of it")]

mod groups;
mod routes;

use serde_json::{Value, json};
use statehold_blockstorage::{input::*, *};
use statehold_store::{ReadView, Store, WriteTxn};
use uuid::Uuid;

use groups::{cgs, group_snapshots, group_types, groups};
use routes::{attachments, default_type_calls, messages, qos, quotas, snapshots, transfers, types};

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
    let mut members = response.as_object()?.values();
    members.find_map(|inner| inner.get("id")?.as_str()?.parse().ok())
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
        let reserved = "db7b7b24-ddc6-4207-a806-37b81aa0f786".parse().unwrap();
        bootstrap_groups(&mut txn, 3, reserved).unwrap();
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
                let cx = Context {
                    config: &self.config,
                    caller: &caller,
                    version,
                    now: self.now,
                    request_id: "req-1",
                };
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
            if item.task == Task::CreateGroup {
                outcome = Outcome::Done { moved: Some(host.clone()), provider_id: None };
            }
            if let Task::CreateVolume { .. } = item.task {
                let row = txn.get::<Volume>(item.target).unwrap();
                let named = row.volume_type_id.and_then(|id| txn.get::<VolumeType>(id));
                if named.is_some_and(|named| *named.name == *"nohost") {
                    let message = "1f33275d-eb81-47c2-bf93-95eab2eec75b".parse().unwrap();
                    outcome = Outcome::Failed { cause: FailureCause::NoBackend, message };
                } else {
                    place_volume(&mut txn, item.target, host).unwrap();
                }
            }
            assert!(finish_work(&mut txn, &self.config, self.now, &item, &outcome).unwrap());
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
        "types" if parts.len() == 1 && method == "GET" => {
            Some(list_types(txn, &query, cx.caller, cx.version, None).and_then(|listing| {
                let rows = listing.rows.iter();
                let rows: Vec<_> =
                    rows.map(|row| json_of(&VolumeTypeView::new(viewer, row))).collect();
                ok(200, json!({"volume_types": rows}))
            }))
        }
        "types" => types(txn, cx, viewer, method, &parts[1..], body, ids),
        "volume-transfers" | "os-volume-transfer" => {
            let old = parts[0] == "os-volume-transfer";
            transfers(txn, cx, viewer, (method, &parts[1..], old), &query, body, ids)
        }
        "qos-specs" => qos(txn, cx, viewer, (method, &parts[1..]), &query, body, ids),
        "limits" => {
            let project = query.first().map_or(&*cx.caller.project, |(_, project)| project);
            let limits = LimitsView::new(txn, cx.config, project);
            Some(ok(200, json!({"limits": json_of(&limits)})))
        }
        "group_types" => group_types(txn, cx, viewer, (method, &parts[1..]), &query, body, ids),
        "groups" => groups(txn, cx, viewer, (method, &parts[1..]), &query, body, ids),
        "group_snapshots" => {
            group_snapshots(txn, cx, viewer, (method, &parts[1..]), &query, body, ids)
        }
        "consistencygroups" | "cgsnapshots" => Some(cgs(txn, cx, viewer, parts[0], &query)),
        "messages" => messages(txn, cx, viewer, (method, &parts[1..]), &query),
        "v3" => default_type_calls(txn, cx, method, &parts[2..], body),
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
