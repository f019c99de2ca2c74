//! Tests of the tables: every request with its table and its reader.
//!
//! [`generate`] derives accepted and refused bodies from each row of each table and gives them to the
//! readers. [`recorded`] does so with bodies whose verdicts were recorded from the reference.

mod generate;
mod recorded;

use serde_json::Value;

use super::*;
use crate::schema::parse;

/// A request, its table and its reader.
struct Request {
    name: &'static str,
    /// The action whose argument the table is about; else the table is about the whole body.
    action: Option<&'static str>,
    rule: &'static Rule,
    read: fn(&[u8], Microversion) -> Result<(), Error>,
    /// Members that the reader checks further once the table let them pass.
    further: &'static [&'static str],
}

const fn body(
    name: &'static str,
    rule: &'static Rule,
    read: fn(&[u8], Microversion) -> Result<(), Error>,
) -> Request {
    Request { name, action: None, rule, read, further: &[] }
}

const fn action(
    name: &'static str,
    action: &'static str,
    rule: &'static Rule,
    read: fn(&[u8], Microversion) -> Result<(), Error>,
) -> Request {
    Request { name, action: Some(action), rule, read, further: &[] }
}

/// Returns the first key of a body's member, or of the body: the key that its path would have.
fn path_key(body: &[u8], member: Option<&str>) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let object = member.map_or(Some(&body), |member| body.get(member));
    let keys = object.and_then(Value::as_object).map(|members| members.keys());
    keys.and_then(|mut keys| keys.next()).cloned().unwrap_or_default()
}

fn volume_act(body: &[u8], version: Microversion) -> Result<(), Error> {
    volume_action(body, version).map(drop)
}

fn snapshot_act(body: &[u8], _: Microversion) -> Result<(), Error> {
    snapshot_action(body).map(drop)
}

fn group_act(body: &[u8], _: Microversion) -> Result<(), Error> {
    group_action(body, Microversion::MAX).map(drop)
}

fn type_act(body: &[u8], _: Microversion) -> Result<(), Error> {
    type_action(body).map(drop)
}

/// Returns whether a name or a description is neither a string nor null.
fn is_named_oddly(value: &Value) -> bool {
    let odd = |value: &Value| !value.is_null() && !value.is_string();
    ["name", "description"].into_iter().any(|key| value.get(key).is_some_and(odd))
}

/// Reads a body that reverts a volume; an argument that is no object is refused in other words than the table's.
fn revert(body: &[u8], version: Microversion) -> Result<(), Error> {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    match value.get("revert") {
        Some(argument) if !argument.is_object() => {
            action::REVERT.check("revert", argument, Microversion::MAX)
        }
        _ => volume_act(body, version),
    }
}

fn consistency_body(body: &[u8], key: &str, rule: &Rule) -> Result<(), Error> {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    match value.get(key) {
        // The reader refuses these before the table does, in other words.
        Some(value) if !value.is_object() || is_named_oddly(value) => {
            rule.check(key, value, Microversion::MAX)
        }
        _ => consistency::read(body, key, rule).map(drop),
    }
}

const REQUESTS: &[Request] = &[
    Request {
        // The table has null.
        further: &["multiattach"],
        ..body("volumes.create", &volume::CREATE, |body, version| {
            volume_spec(body, version).map(drop)
        })
    },
    body("volumes.update", &volume::UPDATE, |body, version| volume_change(body, version).map(drop)),
    body("metadata.create", &volume::METADATA, |body, _| metadata(body).map(drop)),
    body("metadata.update", &volume::METADATA_ITEM, |body, _| {
        metadata_item(body, &path_key(body, Some("meta"))).map(drop)
    }),
    action("os-attach", "os-attach", &action::ATTACH, volume_act),
    action("os-detach", "os-detach", &action::DETACH, volume_act),
    action("os-force_detach", "os-force_detach", &action::FORCE_DETACH, volume_act),
    action("os-initialize_connection", "os-initialize_connection", &action::CONNECT, volume_act),
    action("os-terminate_connection", "os-terminate_connection", &action::DISCONNECT, volume_act),
    action("os-extend", "os-extend", &action::EXTEND, volume_act),
    action("os-set_bootable", "os-set_bootable", &action::BOOTABLE, volume_act),
    action("os-update_readonly_flag", "os-update_readonly_flag", &action::READONLY, volume_act),
    action("os-retype", "os-retype", &action::RETYPE, volume_act),
    action("revert", "revert", &action::REVERT, revert),
    action("os-set_image_metadata", "os-set_image_metadata", &action::SET_IMAGE, volume_act),
    action("os-unset_image_metadata", "os-unset_image_metadata", &action::UNSET_IMAGE, volume_act),
    action("os-reset_status", "os-reset_status", &action::RESET, volume_act),
    action("os-migrate_volume", "os-migrate_volume", &action::MIGRATE, |body, version| {
        volume_action(body, if version.at_least(16) { version } else { Microversion::new(16) })
            .map(drop)
    }),
    action(
        "os-migrate_volume before 3.16",
        "os-migrate_volume",
        &action::EARLY_MIGRATE,
        |body, _| volume_action(body, Microversion::new(15)).map(drop),
    ),
    action(
        "os-migrate_volume_completion",
        "os-migrate_volume_completion",
        &action::COMPLETION,
        volume_act,
    ),
    action(
        "os-extend_volume_completion",
        "os-extend_volume_completion",
        &action::EXTEND_COMPLETION,
        |body, version| {
            volume_action(body, if version.at_least(71) { version } else { Microversion::new(71) })
                .map(drop)
        },
    ),
    action("os-volume_upload_image", "os-volume_upload_image", &action::UPLOAD, volume_act),
    action("os-reimage", "os-reimage", &action::REIMAGE, volume_act),
    body("snapshots.create", &snapshot::CREATE, |body, _| snapshot_spec(body).map(drop)),
    body("snapshots.update", &snapshot::UPDATE, |body, _| snapshot_change(body).map(drop)),
    action("snapshots.os-reset_status", "os-reset_status", &snapshot::RESET, snapshot_act),
    action(
        "snapshots.os-update_snapshot_status",
        "os-update_snapshot_status",
        &snapshot::REPORT,
        snapshot_act,
    ),
    body("manageable_volumes.create", &manage::VOLUME, |body, version| {
        manage_volume_spec(body, version).map(drop)
    }),
    body("manageable_snapshots.create", &manage::SNAPSHOT, |body, _| {
        manage_snapshot_spec(body).map(drop)
    }),
    body("attachments.create", &attachment::CREATE, |body, version| {
        attachment_spec(body, version).map(drop)
    }),
    body("attachments.update", &attachment::UPDATE, |body, _| attachment_connector(body).map(drop)),
    body("backups.create", &backup::CREATE, |body, version| backup_spec(body, version).map(drop)),
    body("backups.update", &backup::UPDATE, |body, version| backup_change(body, version).map(drop)),
    body("backups.restore", &backup::RESTORE, |body, _| restore_spec(body).map(drop)),
    body("backups.import_record", &backup::IMPORT, |body, _| backup_record(body).map(drop)),
    action("backups.os-reset_status", "os-reset_status", &backup::RESET, |body, _| {
        backup_action(body).map(drop)
    }),
    body("types.create", &volume_type::CREATE, |body, _| type_spec(body).map(drop)),
    body("types.update", &volume_type::UPDATE, |body, _| type_change(body).map(drop)),
    body("extra_specs.create", &volume_type::EXTRA_SPECS, |body, _| extra_specs(body).map(drop)),
    body("extra_specs.update", &volume_type::EXTRA_SPEC, |body, _| {
        extra_spec(body, &path_key(body, None)).map(drop)
    }),
    action("addProjectAccess", "addProjectAccess", &volume_type::ACCESS, type_act),
    action("removeProjectAccess", "removeProjectAccess", &volume_type::ACCESS, type_act),
    body("encryption.create", &volume_type::ENCRYPT, |body, _| {
        type_encryption(body, uuid::Uuid::nil(), 0).map(drop)
    }),
    body("encryption.update", &volume_type::ENCRYPT_CHANGE, |body, _| {
        encryption_change(body).map(drop)
    }),
    body("default_types.update", &volume_type::DEFAULT, |body, _| {
        default_type_name(body).map(drop)
    }),
    body("group_types.create", &group_type::CREATE, |body, _| group_type_spec(body).map(drop)),
    body("group_types.update", &group_type::UPDATE, |body, _| group_type_change(body).map(drop)),
    body("group_specs.create", &group_type::GROUP_SPECS, |body, _| group_specs(body).map(drop)),
    body("groups.create", &group::CREATE, |body, _| group_spec(body).map(drop)),
    body("groups.update", &group::UPDATE, |body, _| group_change(body).map(drop)),
    action("create-from-src", "create-from-src", &group::SOURCE, |body, _| {
        group_source_spec(body, Microversion::MAX).map(drop)
    }),
    action("groups.delete", "delete", &group::DELETE, group_act),
    action("groups.reset_status", "reset_status", &group::RESET, group_act),
    action("failover_replication", "failover_replication", &group::FAILOVER, group_act),
    action("enable_replication", "enable_replication", &group::REPLICATE, group_act),
    action("disable_replication", "disable_replication", &group::REPLICATE, group_act),
    action("list_replication_targets", "list_replication_targets", &group::REPLICATE, group_act),
    body("group_snapshots.create", &group::SNAPSHOT, |body, _| group_snapshot_spec(body).map(drop)),
    action("group_snapshots.reset_status", "reset_status", &group::RESET_SNAPSHOT, |body, _| {
        group_snapshot_action(body, Microversion::MAX).map(drop)
    }),
    body("transfers.create", &transfer::CREATE, |body, version| {
        transfer_spec(body, version, false).map(drop)
    }),
    body("transfers.accept", &transfer::ACCEPT, |body, _| transfer_key(body).map(drop)),
    Request {
        // The table leaves the specs open.
        further: &["zz"],
        ..body("qos.create", &qos::CREATE, |body, _| qos_spec(body).map(drop))
    },
    body("qos.update", &qos::UPDATE, |body, _| qos_change(body).map(drop)),
    body("qos.delete_keys", &qos::UNSET, |body, _| qos_keys(body).map(drop)),
    body("services.enable", &service::ENABLE, |body, version| {
        service_request("enable", body, version).map(drop)
    }),
    body("services.disable-log-reason", &service::DISABLE_FOR, |body, version| {
        service_request("disable-log-reason", body, version).map(drop)
    }),
    body("services.freeze", &service::FREEZE, |body, version| {
        service_request("freeze", body, version).map(drop)
    }),
    body("services.failover", &service::FAILOVER, |body, version| {
        service_request("failover_host", body, version).map(drop)
    }),
    body("services.set-log", &service::SET_LOG, |body, _| {
        service_request("set-log", body, Microversion::MAX).map(drop)
    }),
    body("services.get-log", &service::GET_LOG, |body, _| {
        service_request("get-log", body, Microversion::MAX).map(drop)
    }),
    body("clusters.enable", &service::ENABLE_CLUSTER, |body, _| {
        cluster_request(true, body).map(drop)
    }),
    body("clusters.disable", &service::DISABLE_CLUSTER, |body, _| {
        cluster_request(false, body).map(drop)
    }),
    Request {
        further: &["resource_type"],
        ..body("workers.cleanup", &service::CLEANUP, |body, _| cleanup_request(body).map(drop))
    },
    // Their readers ask for more than the tables, and have words of their own for a wrong type.
    action("consistencygroups.create", "consistencygroup", &consistency::CREATE, |body, _| {
        consistency_body(body, "consistencygroup", &consistency::CREATE)
    }),
    action("create_from_src", "consistencygroup-from-src", &consistency::SOURCE, |body, _| {
        consistency_body(body, "consistencygroup-from-src", &consistency::SOURCE)
    }),
    action("consistencygroups.update", "consistencygroup", &consistency::UPDATE, |body, _| {
        consistency_body(body, "consistencygroup", &consistency::UPDATE)
    }),
    action("cgsnapshots.create", "cgsnapshot", &consistency::SNAPSHOT, |body, _| {
        consistency_body(body, "cgsnapshot", &consistency::SNAPSHOT)
    }),
    // The keys of quotas depend on the volume types: their readers take a view.
    body("quota_sets.update", &quota::QUOTA_SET, |body, version| {
        parse(body, &quota::QUOTA_SET, version).map(drop)
    }),
    body("quota_class_sets.update", &quota::QUOTA_CLASS_SET, |body, version| {
        parse(body, &quota::QUOTA_CLASS_SET, version).map(drop)
    }),
    body("limits of quota classes", &quota::CLASS_LIMITS, |body, version| {
        parse(body, &quota::CLASS_LIMITS, version).map(drop)
    }),
];

#[test]
fn names_of_requests_are_unique() {
    let names: std::collections::BTreeSet<_> = REQUESTS.iter().map(|one| one.name).collect();
    assert_eq!(names.len(), REQUESTS.len());
}

#[test]
fn each_action_of_a_table_has_a_reader() {
    type Reader = fn(&[u8], Microversion) -> Result<(), Error>;
    let tables: [(&[Action], Reader); 8] = [
        (action::ACTIONS, volume_act),
        (snapshot::ACTIONS, snapshot_act),
        (group::ACTIONS, group_act),
        (volume_type::ACTIONS, type_act),
        (group::SOURCE_ACTIONS, |body, version| group_source_spec(body, version).map(drop)),
        (group::SNAPSHOT_ACTIONS, |body, version| group_snapshot_action(body, version).map(drop)),
        (backup::ACTIONS, |body, _| backup_action(body).map(drop)),
        (attachment::ACTIONS, |body, _| attachment_action(body)),
    ];
    for (actions, read) in tables {
        for action in actions {
            let argument = generate::sample(action.rule, Microversion::MAX);
            let body = serde_json::json!({ action.name: argument }).to_string();
            assert_eq!(read(body.as_bytes(), Microversion::MAX), Ok(()), "{body}");
        }
    }
}

#[test]
fn an_action_is_described_once_with_its_first_version() {
    let schema = bodies::VOLUME_ACTION.json_schema();
    let described = |name: &str| {
        let all = schema["oneOf"].as_array().into_iter().flatten();
        all.filter(|action| action["title"] == name).cloned().collect::<Vec<_>>()
    };
    let [migrate] = &described("os-migrate_volume")[..] else { panic!("described once") };
    let members = &migrate["properties"]["os-migrate_volume"]["properties"];
    assert!(members.get("cluster").is_some(), "the newest table counts");
    assert_eq!(migrate.get("description"), None);
    assert_eq!(described("revert")[0]["description"], "Since microversion 3.40.");
    for (name, body) in bodies::ALL {
        let schema = body.json_schema();
        let is_described = ["properties", "oneOf", "anyOf", "patternProperties"]
            .iter()
            .any(|keyword| schema.get(*keyword).is_some());
        assert!(is_described, "{name}: {schema}");
    }
}
