//! What the small server answers to calls about groups.

use serde_json::{Value, json};
use statehold_blockstorage::{input::*, *};
use statehold_store::{ReadView, WriteTxn};
use uuid::Uuid;

use super::{Answer, json_of, ok, page};

/// The IDs of what is made for each volume of a group: a snapshot and a copy.
const PART: &str = "0b48acad-4a00-4c6a-9297-fb29adcb073a";
const COPY: &str = "337dad91-35de-484c-b392-1a1cae637b97";

const API: GroupApi = GroupApi::Groups;

pub(super) fn group_types(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    viewer: Viewer<'_>,
    (method, parts): (&str, &[&str]),
    query: &[(String, String)],
    body: &[u8],
    (new, _): (Uuid, Uuid),
) -> Answer {
    let echo = || serde_json::from_slice::<Value>(body).unwrap();
    let show = |row: &GroupType| json_of(&GroupTypeView::new(viewer, row));
    Some(match (method, parts) {
        ("GET", []) => {
            page::<GroupType>(txn, cx, viewer, "group_types", "group_types", query, show)
        }
        ("POST", []) => {
            group_type_spec(body).and_then(|spec| create_group_type(txn, cx, new, spec)).and_then(
                |()| ok(202, json!({"group_type": show(txn.get::<GroupType>(new).unwrap())})),
            )
        }
        ("GET", ["default"]) => {
            default_group_type(txn, cx).and_then(|row| ok(200, json!({"group_type": show(row)})))
        }
        ("GET", [id]) => get_group_type(txn, cx.caller, id)
            .and_then(|row| ok(200, json!({"group_type": show(row)}))),
        ("PUT", [id]) => group_type_change(body)
            .and_then(|change| update_group_type(txn, cx, id, change))
            .and_then(|()| {
                let row = get_group_type(txn, cx.caller, id)?;
                ok(200, json!({"group_type": show(row)}))
            }),
        ("DELETE", [id]) => delete_group_type(txn, cx, id).map(|()| (202, Value::Null)),
        ("GET", [id, _]) => {
            get_group_specs(txn, cx, id).and_then(|specs| ok(200, json!({"group_specs": specs})))
        }
        ("POST", [id, _]) => input::group_specs(body)
            .and_then(|specs| set_group_specs(txn, cx, id, specs))
            .and_then(|()| ok(202, echo())),
        ("GET", [id, _, key]) => {
            get_group_spec(txn, cx, id, key).and_then(|value| ok(200, json!({*key: value})))
        }
        ("PUT", [id, _, key]) => extra_spec(body, key)
            .and_then(|specs| set_group_specs(txn, cx, id, specs))
            .and_then(|()| ok(200, echo())),
        ("DELETE", [id, _, key]) => {
            delete_group_spec(txn, cx, id, key).map(|()| (202, Value::Null))
        }
        _ => return None,
    })
}

pub(super) fn groups(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    viewer: Viewer<'_>,
    (method, parts): (&str, &[&str]),
    query: &[(String, String)],
    body: &[u8],
    (new, _): (Uuid, Uuid),
) -> Answer {
    const SINCE: u16 = 13;
    if !cx.version.at_least(SINCE) {
        return Some(Err(Missing::Operation.into()));
    }
    let volumes = query.iter().any(|(key, _)| key == "list_volume");
    let query: Vec<_> = query.iter().filter(|(key, _)| key != "list_volume").cloned().collect();
    let show = |row: &Group| json_of(&GroupView::new(txn, viewer, row, volumes));
    let stub = |row: &Group| json_of(&GroupStub::new(row));
    Some(match (method, parts) {
        ("GET", []) => {
            let page = page::<Group>(txn, cx, viewer, "groups", "groups", &query, stub);
            page.map(|(status, mut body)| {
                if let Some(links) = body.as_object_mut().unwrap().remove("groups_links") {
                    body["group_links"] = links;
                }
                (status, body)
            })
        }
        ("GET", ["detail"]) => {
            page::<Group>(txn, cx, viewer, "groups", "groups/detail", &query, show)
        }
        ("GET", [id]) => {
            find_group(txn, cx, API, id).and_then(|row| ok(200, json!({"group": show(row)})))
        }
        ("POST", []) => group_spec(body)
            .and_then(|spec| create_group(txn, cx, API, new, spec))
            .and_then(|()| ok(202, json!({"group": stub(txn.get::<Group>(new).unwrap())}))),
        ("POST", ["action"]) => group_source_spec(body, cx.version)
            .and_then(|spec| create_group_from(txn, cx, API, new, spec, || COPY.parse().unwrap()))
            .and_then(|()| ok(202, json!({"group": stub(txn.get::<Group>(new).unwrap())}))),
        ("PUT", [id]) => group_change(body)
            .and_then(|change| update_group(txn, cx, API, id, change))
            .map(|()| (202, Value::Null)),
        ("POST", [id, "action"]) => group_action(body)
            .and_then(|action| match action {
                GroupAction::Delete { delete_volumes } => {
                    delete_group(txn, cx, API, id, delete_volumes)
                }
                GroupAction::ResetStatus(status) => reset_group_status(txn, cx, id, &status),
                GroupAction::Replicate(what) => change_replication(txn, cx, id, what),
                _ => replication_targets(txn, cx, id).map(|_| ()),
            })
            .map(|()| (202, Value::Null)),
        _ => return None,
    })
}

pub(super) fn group_snapshots(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    viewer: Viewer<'_>,
    (method, parts): (&str, &[&str]),
    query: &[(String, String)],
    body: &[u8],
    (new, _): (Uuid, Uuid),
) -> Answer {
    let (rows, detail) = ("group_snapshots", "group_snapshots/detail");
    let show = |row: &GroupSnapshot| json_of(&GroupSnapshotView::new(viewer, row));
    Some(match (method, parts) {
        ("GET", []) => page::<GroupSnapshot>(txn, cx, viewer, rows, rows, query, |row| {
            json_of(&GroupSnapshotStub::new(row))
        }),
        ("GET", ["detail"]) => page::<GroupSnapshot>(txn, cx, viewer, rows, detail, query, show),
        ("GET", [id]) => find_group_snapshot(txn, cx, API, id)
            .and_then(|row| ok(200, json!({"group_snapshot": show(row)}))),
        ("POST", []) => group_snapshot_spec(body)
            .and_then(|spec| {
                create_group_snapshot(txn, cx, API, new, &spec, || PART.parse().unwrap())
            })
            .and_then(|()| {
                let row = txn.get::<GroupSnapshot>(new).unwrap();
                ok(202, json!({"group_snapshot": json_of(&GroupSnapshotStub::created(row))}))
            }),
        ("DELETE", [id]) => delete_group_snapshot(txn, cx, API, id).map(|()| (202, Value::Null)),
        ("POST", [id, _]) => group_snapshot_action(body)
            .and_then(|status| reset_group_snapshot_status(txn, cx, id, &status))
            .map(|()| (202, Value::Null)),
        _ => return None,
    })
}

/// Consistency groups, of which the recording has lists alone.
pub(super) fn cgs(
    txn: &WriteTxn<'_>,
    cx: &Context<'_>,
    viewer: Viewer<'_>,
    rows: &str,
    query: &[(String, String)],
) -> Result<(u16, Value), Error> {
    let none = |_: &Group| Value::Null;
    let no_snapshot = |_: &GroupSnapshot| Value::Null;
    if rows == "cgsnapshots" {
        page::<GroupSnapshot>(txn, cx, viewer, rows, rows, query, no_snapshot)
    } else {
        page::<Group>(txn, cx, viewer, rows, rows, query, none)
    }
}
