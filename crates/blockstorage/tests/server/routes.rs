//! What the small server answers to calls that are not about volumes.

use serde_json::{Value, json};
use statehold_blockstorage::{input::*, *};
use statehold_store::{ReadView, WriteTxn};
use uuid::Uuid;

use super::{Answer, json_of, ok, page};

#[allow(clippy::too_many_arguments)]
pub(super) fn snapshots(
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

pub(super) fn attachments(
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

pub(super) fn types(
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

pub(super) fn transfers(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    viewer: Viewer<'_>,
    (method, parts, old): (&str, &[&str], bool),
    query: &[(String, String)],
    body: &[u8],
    (new, _): (Uuid, Uuid),
) -> Answer {
    // The keys that the cloud made, in their order.
    let keys = ["24e6bf914a44e173", "a1e21094b7d8544c"];
    let key = keys[usize::from(cx.caller.is_admin())];
    Some(match (method, parts) {
        ("POST", []) => transfer_spec(body, cx.version, old)
            .and_then(|spec| create_transfer(txn, cx, new, spec, TransferKey { key, salt: [7; 8] }))
            .and_then(|()| {
                let row = txn.get::<Transfer>(new).unwrap();
                let view = TransferView::created(viewer, row, key);
                ok(202, json!({"transfer": json_of(&view)}))
            }),
        ("GET", []) => {
            page::<Transfer>(txn, cx, viewer, "transfers", "os-volume-transfer", query, |row| {
                json_of(&TransferStub::new(viewer, row))
            })
        }
        ("GET", ["detail"]) => {
            page::<Transfer>(txn, cx, viewer, "transfers", "os-volume-transfer", query, |row| {
                json_of(&TransferView::new(viewer, row))
            })
        }
        ("GET", [id]) => find_transfer(txn, cx, id)
            .and_then(|row| ok(200, json!({"transfer": json_of(&TransferView::new(viewer, row))}))),
        ("POST", [id, "accept"]) => {
            transfer_key(body).and_then(|key| accept_transfer(txn, cx, id, &key)).and_then(|row| {
                ok(202, json!({"transfer": json_of(&TransferStub::new(viewer, &row))}))
            })
        }
        ("DELETE", [id]) => delete_transfer(txn, cx, id).map(|()| (202, Value::Null)),
        _ => return None,
    })
}

pub(super) fn qos(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    viewer: Viewer<'_>,
    (method, parts): (&str, &[&str]),
    query: &[(String, String)],
    body: &[u8],
    (new, _): (Uuid, Uuid),
) -> Answer {
    let echo = || serde_json::from_slice::<Value>(body).unwrap();
    let get =
        |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let one = |row: &QosSpecs| {
        let links = json_of(&QosView::links(viewer, row));
        json!({"qos_specs": json_of(&QosView::new(row)), "links": links})
    };
    let done = |result: Result<(), Error>| result.map(|()| (202, Value::Null));
    Some(match (method, parts) {
        ("GET", []) => cx.caller.check(policy::QOS_GET_ALL).and_then(|()| {
            page::<QosSpecs>(txn, cx, viewer, "qos_specs", "qos-specs", query, |row| {
                json_of(&QosView::new(row))
            })
        }),
        ("POST", []) => qos_spec(body)
            .and_then(|spec| create_qos(txn, cx, new, spec))
            .and_then(|()| ok(200, one(txn.get::<QosSpecs>(new).unwrap()))),
        ("GET", [id]) => find_qos(txn, id).and_then(|row| ok(200, one(row))),
        ("PUT", [id]) => qos_change(body)
            .and_then(|(consumer, specs)| update_qos(txn, cx, id, consumer, specs))
            .and_then(|()| ok(200, echo())),
        ("PUT", [id, _]) => {
            done(qos_keys(body).and_then(|keys| delete_qos_keys(txn, cx, id, &keys)))
        }
        ("DELETE", [id]) => done(delete_qos(txn, cx, id, get("force") == Some("True"))),
        ("GET", [id, "associations"]) => qos_types(txn, cx, id).and_then(|rows| {
            let rows: Vec<Value> = rows.map(|row| json_of(&QosAssociationView::new(row))).collect();
            ok(200, json!({"qos_associations": rows}))
        }),
        ("GET", [id, "associate"]) => done(bind_type(txn, cx, id, get("vol_type_id"))),
        ("GET", [id, _]) => done(unbind_types(txn, cx, id, get("vol_type_id"))),
        _ => return None,
    })
}

pub(super) fn messages(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    viewer: Viewer<'_>,
    (method, parts): (&str, &[&str]),
    query: &[(String, String)],
) -> Answer {
    let show = |row: &Message| json_of(&MessageView::new(viewer, row));
    Some(match (method, parts) {
        ("GET", []) if !cx.version.at_least(3) => Err(Missing::Operation.into()),
        ("GET", []) => page::<Message>(txn, cx, viewer, "messages", "messages", query, show),
        ("GET", [id]) => {
            find_message(txn, cx, id).and_then(|row| ok(200, json!({"message": show(row)})))
        }
        ("DELETE", [id]) => delete_message(txn, cx, id).map(|()| (204, Value::Null)),
        _ => return None,
    })
}

pub(super) fn default_type_calls(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    method: &str,
    parts: &[&str],
    body: &[u8],
) -> Answer {
    let show = |row: &DefaultType| json_of(&DefaultTypeView::new(row));
    Some(match (method, parts) {
        ("GET", []) => default_types(txn, cx).and_then(|rows| {
            let rows: Vec<Value> = rows.map(|row| show(row)).collect();
            ok(200, json!({"default_types": rows}))
        }),
        ("PUT", [project]) => default_type_name(body)
            .and_then(|name| set_default_type(txn, cx, project, Some(&name)))
            .and_then(|()| find_default_type(txn, cx, project))
            .and_then(|row| ok(200, json!({"default_type": show(row)}))),
        ("GET", [project]) => find_default_type(txn, cx, project)
            .and_then(|row| ok(200, json!({"default_type": show(row)}))),
        ("DELETE", [project]) => {
            set_default_type(txn, cx, project, None).map(|()| (204, Value::Null))
        }
        _ => return None,
    })
}

pub(super) fn quotas(
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
