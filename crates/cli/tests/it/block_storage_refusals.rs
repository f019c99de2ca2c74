//! The order of checks and the error texts, as in the reference implementation.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::cloud::Cloud;

const ABSENT: &str = "11111111-2222-3333-4444-555555555555";

/// Returns the host of the back end `a`, with its pool.
fn host_of(cloud: &Cloud, name: &str) -> String {
    let pools = cloud.get("/scheduler-stats/get_pools");
    let pools = pools["pools"].as_array().unwrap();
    let hosts = pools.iter().map(|pool| pool["name"].as_str().unwrap().to_owned());
    hosts.into_iter().find(|host| host.contains(&format!("@{name}#"))).unwrap()
}

fn machine(cloud: &Cloud) -> String {
    host_of(cloud, "a").split('@').next().unwrap().to_owned()
}

/// Creates a volume, waits until it is available, and returns its ID and path.
fn volume(cloud: &Cloud, more: &Value) -> (String, String) {
    let mut body = json!({"size": 1});
    body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    let id = cloud.create("/volumes", &json!({ "volume": body }));
    let path = format!("/volumes/{id}");
    cloud.wait(&path, "available");
    (id, path)
}

/// Returns the event and the text of each message about a resource.
fn messages(cloud: &Cloud, id: &str) -> Vec<(String, String)> {
    let found = cloud.get(&format!("/messages?resource_uuid={id}"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = found["messages"].as_array().unwrap();
    all.iter().map(|one| (text(&one["event_id"]), text(&one["user_message"]))).collect()
}

fn one_message(event: &str, words: &str) -> Vec<(String, String)> {
    vec![(event.to_owned(), words.to_owned())]
}

/// Waits until a migration has ended.
fn wait_for_move(cloud: &Cloud, path: &str, status: &str) {
    crate::common::eventually(|| cloud.get(path)["volume"]["migration_status"] == status);
}

#[test]
fn failed_migrations_leave_a_message_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let (used, path) = volume(&cloud, &json!({}));
    let body = json!({"attachment": {"volume_uuid": used, "connector": {"host": "h"}}});
    let attachment = cloud.expect(200, "POST", "/attachments", &body);
    let attachment = attachment["attachment"]["id"].as_str().unwrap();
    let complete = json!({"os-complete": {}});
    cloud.expect(204, "POST", &format!("/attachments/{attachment}/action"), &complete);
    let other = |cloud: &Cloud, path: &str| {
        let own = cloud.get(path)["volume"]["os-vol-host-attr:host"].as_str().unwrap().to_owned();
        if own == host_of(cloud, "a") { "b" } else { "a" }
    };
    let to = host_of(&cloud, other(&cloud, &path));
    let body = json!({"os-migrate_volume": {"host": to}});
    cloud.expect(202, "POST", &format!("{path}/action"), &body);
    wait_for_move(&cloud, &path, "error");
    let held = "schedule allocate volume:Volume status is invalid.";
    let attached = format!("{held} The volume is attached.");
    assert_eq!(messages(&cloud, &used), one_message("VOLUME_VOLUME_001_027", &attached));

    let (with_snapshot, path) = volume(&cloud, &json!({}));
    let snapshot = json!({"snapshot": {"volume_id": with_snapshot}});
    let snapshot = cloud.create("/snapshots", &snapshot);
    cloud.wait(&format!("/snapshots/{snapshot}"), "available");
    let specs = json!({"volume_backend_name": other(&cloud, &path)});
    let body = json!({"volume_type": {"name": "there", "extra_specs": specs}});
    cloud.expect(200, "POST", "/types", &body);
    for (policy, event, words) in [
        ("on-demand", "VOLUME_VOLUME_001_027", &*format!("{held} The volume has snapshots.")),
        (
            "never",
            "VOLUME_VOLUME_001_003",
            "schedule allocate volume:Could not find any available weighted backend.",
        ),
    ] {
        let body = json!({"os-retype": {"new_type": "there", "migration_policy": policy}});
        cloud.expect(202, "POST", &format!("{path}/action"), &body);
        cloud.wait(&path, "available");
        let last = messages(&cloud, &with_snapshot).remove(0);
        assert_eq!(last, (event.to_owned(), words.to_owned()), "{policy}");
    }
}

#[test]
fn failed_deletion_has_no_message_of_another_action() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let (id, path) = volume(&cloud, &json!({}));
    // A non-empty directory under the file's name fails the rename.
    for name in ["a", "b"] {
        fs::create_dir_all(dir.path().join(name).join(format!(".trash/volume-{id}/x"))).unwrap();
    }
    cloud.expect(202, "DELETE", &path, &Value::Null);
    cloud.wait(&path, "error_deleting");
    assert_eq!(messages(&cloud, &id), []);
}

/// Truncates the block files below a directory.
fn damage(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            damage(&path);
        } else if path.file_name().unwrap().to_string_lossy().starts_with("data-") {
            fs::write(&path, "").unwrap();
        }
    }
}

#[test]
fn failed_restore_to_a_new_volume_is_an_error_of_restoring() {
    let dir = tempfile::tempdir().unwrap();
    let backups = dir.path().join("backups");
    let cloud = Cloud::start_with(dir.path(), &["--backup-dir", backups.to_str().unwrap()]);
    let (id, _) = volume(&cloud, &json!({"name": "one"}));
    let file = ["a", "b"].map(|name| dir.path().join(name).join(format!("volume-{id}")));
    let file = file.iter().find(|file| file.exists()).unwrap();
    let mut file = fs::OpenOptions::new().write(true).open(file).unwrap();
    std::io::Write::write_all(&mut file, b"data").unwrap();
    let backup = cloud.create("/backups", &json!({"backup": {"volume_id": id}}));
    let path = format!("/backups/{backup}");
    cloud.wait(&path, "available");
    let restore = |cloud: &Cloud| {
        let body = json!({"restore": {}});
        let created = cloud.expect(202, "POST", &format!("{path}/restore"), &body);
        format!("/volumes/{}", created["restore"]["volume_id"].as_str().unwrap())
    };
    let whole = restore(&cloud);
    // The request returns once the volume has left `creating`.
    let status = cloud.get(&whole)["volume"]["status"].as_str().unwrap().to_owned();
    assert!(["restoring-backup", "available"].contains(&&*status), "{status}");
    let row = cloud.wait(&whole, "available");
    assert_eq!((&row["name"], &row["metadata"]["src_backup_id"]), (&json!("one"), &json!(backup)));
    cloud.wait(&path, "available");
    damage(&backups);
    let row = cloud.wait(&restore(&cloud), "error_restoring");
    assert_eq!(row["name"], format!("restore_backup_{backup}"));
    cloud.wait(&path, "available");
    let words = "restore backup:Backup driver failed to restore backup.";
    assert_eq!(messages(&cloud, &backup), one_message("VOLUME_VOLUME_BACKUP_015_026", words));
}

#[test]
fn connections_need_a_connector_with_a_host() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let (id, path) = volume(&cloud, &json!({}));
    let action = format!("{path}/action");
    let connector =
        |connector: &Value| json!({"os-initialize_connection": {"connector": connector}});
    for bad in [
        json!({}),
        json!(""),
        json!("str"),
        json!({"host": ""}),
        json!({"host": null}),
        json!({"host": 5}),
        json!({"initiator": "x"}),
    ] {
        let text = "Invalid input received: Connector doesn't have required information: host";
        assert_eq!(cloud.refused(400, "POST", &action, &connector(&bad)), text, "{bad}");
    }
    cloud.expect(200, "POST", &action, &connector(&json!({"host": "h"})));
    let body = json!({"attachment": {"volume_uuid": id, "connector": {"host": ""}}});
    cloud.refused(400, "POST", "/attachments", &body);
    // The volume is looked up before the connector is checked.
    let action = format!("/volumes/{ABSENT}/action");
    cloud.refused(404, "POST", &action, &connector(&json!({})));
}

#[test]
fn volumes_refuse_bad_references_and_values_like_cinder() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    for (member, value, status, text) in [
        ("multiattach", json!(null), 400, "Value 'None' for 'multiattach' is not a boolean."),
        (
            "multiattach",
            json!(0),
            400,
            "Invalid input for field/attribute multiattach. Value: 0. 0 is not valid under any of \
             the given schemas",
        ),
        ("group_id", json!(5), 404, "Group 5 could not be found."),
        ("group_id", json!("x"), 404, "Group x could not be found."),
        ("group_id", json!(true), 404, "Group True could not be found."),
        ("backup_id", json!(ABSENT), 404, &format!("Backup {ABSENT} could not be found.")),
        ("backup_id", json!(7), 404, "Backup 7 could not be found."),
    ] {
        let mut body = json!({"volume": {"size": 1}});
        body["volume"][member] = value;
        let (found, answer) = cloud.call_in(0, "POST", "/volumes", &body);
        let message = answer.as_object().unwrap().values().next().unwrap()["message"].clone();
        assert_eq!((found, &message), (status, &json!(text)), "{body}");
    }
    for body in [
        json!({"group_id": null}),
        json!({"backup_id": ""}),
        json!({"backup_id": 0}),
        json!({"backup_id": false}),
        json!({"backup_id": []}),
        json!({"backup_id": {}}),
    ] {
        let mut volume = json!({"size": 1});
        volume.as_object_mut().unwrap().extend(body.as_object().cloned().unwrap());
        let (found, _) = cloud.call_in(0, "POST", "/volumes", &json!({ "volume": volume }));
        assert_eq!(found, 202, "{body}");
    }
    let consumer = json!({"qos_specs": {"name": "q", "consumer": ""}});
    let text = cloud.refused(400, "POST", "/qos-specs", &consumer);
    assert!(text.starts_with("Invalid qos specs: Valid consumer of QoS specs are"), "{text}");
}

#[test]
fn snapshot_metadata_is_checked_like_cinder() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let (id, _) = volume(&cloud, &json!({}));
    let snapshot = cloud.create("/snapshots", &json!({"snapshot": {"volume_id": id}}));
    let path = format!("/snapshots/{snapshot}/metadata");
    let long = "x".repeat(256);
    for method in ["POST", "PUT"] {
        cloud.expect(200, method, &path, &json!({"metadata": {"a": "b"}, "x": 1}));
        for bad in [json!({}), json!([]), json!({"metadata": null}), json!({"metadata": []})] {
            let text = "Missing required element 'metadata' in request body.";
            assert_eq!(cloud.refused(400, method, &path, &bad), text, "{bad}");
        }
        let text = cloud.refused(413, method, &path, &json!({"metadata": {"a": long}}));
        let size = "Invalid metadata size: Metadata property key a value greater than 255 \
                    characters.";
        assert_eq!(text, size);
        let text = cloud.refused(400, method, &path, &json!({"metadata": {"a": 1}}));
        assert!(text.ends_with("Value for metadata key: a is not a string or unicode"), "{text}");
        // The snapshot is looked up before the length of the values is checked.
        let absent = format!("/snapshots/{ABSENT}/metadata");
        cloud.refused(404, method, &absent, &json!({"metadata": {"a": long}}));
    }
    let item = format!("{path}/a");
    cloud.expect(200, "PUT", &item, &json!({"meta": {"a": "b"}, "x": 1}));
    for (body, text) in [
        (json!({"meta": {"b": "a"}}), "Request body and URI mismatch"),
        (json!({"meta": {}}), "Request body and URI mismatch"),
        (json!({"meta": {"a": "b", "c": "d"}}), "Request body contains too many items"),
        (json!({}), "Missing required element 'meta' in request body."),
    ] {
        assert_eq!(cloud.refused(400, "PUT", &item, &body), text, "{body}");
    }
    // The volume is looked up before the deprecated `force` flag is checked.
    let body = json!({"snapshot": {"volume_id": ABSENT, "force": false}});
    cloud.refused(404, "POST", "/snapshots", &body);
    let body = json!({"snapshot": {"volume_id": id, "force": false}});
    cloud.refused(400, "POST", "/snapshots", &body);
}

#[test]
fn consistency_groups_are_found_before_their_bodies_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let update = format!("/consistencygroups/{ABSENT}/update");
    for body in [json!({}), json!({"name": 5}), json!({"add_volumes": 5})] {
        cloud.refused(404, "PUT", &update, &json!({ "consistencygroup": body }));
    }
    assert_eq!(cloud.refused(400, "PUT", &update, &json!({})), "Missing request body.");
    let delete = format!("/consistencygroups/{ABSENT}/delete");
    cloud.refused(404, "POST", &delete, &json!({}));
    let types = cloud.get("/types/default")["volume_type"]["id"].clone();
    let group = json!({"consistencygroup": {"volume_types": types}});
    let group = cloud.create("/consistencygroups", &group);
    cloud.wait(&format!("/consistencygroups/{group}"), "available");
    cloud.expect(202, "POST", &format!("/consistencygroups/{group}/delete"), &json!({}));
    for (body, status, text) in [
        (json!({"cgsnapshot_id": 5}), 404, "GroupSnapshot 5 could not be found."),
        (json!({"source_cgid": 5}), 404, "Group 5 could not be found."),
        (
            json!({"source_cgid": [], "cgsnapshot_id": 0}),
            400,
            "Either 'cgsnapshot_id' or 'source_cgid' must be provided to create consistency group \
             None from source.",
        ),
    ] {
        let body = json!({ "consistencygroup-from-src": body });
        let path = "/consistencygroups/create_from_src";
        assert_eq!(cloud.refused(status, "POST", path, &body), text);
    }
    for (id, text) in [(json!(5), "Group 5"), (json!(null), "Group None")] {
        let body = json!({"cgsnapshot": {"consistencygroup_id": id}});
        let found = cloud.refused(404, "POST", "/cgsnapshots", &body);
        assert_eq!(found, format!("{text} could not be found."));
    }
}

#[test]
fn hosts_and_clusters_are_refused_with_cinders_messages() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let (_, path) = volume(&cloud, &json!({}));
    let action = format!("{path}/action");
    let migrate = |to: Value| json!({ "os-migrate_volume": to });
    let (status, answer) = cloud.call_in(0, "POST", &action, &migrate(json!({"host": ""})));
    let text = json!("Invalid input received: Host field is missing.");
    assert_eq!((status, &answer["badRequest"]["message"]), (400, &text));
    let both = "Invalid input received: One and only one of cluster and host must be set.";
    assert_eq!(cloud.refused(400, "POST", &action, &migrate(json!({"host": ""}))), both);
    let own = cloud.get(&path)["volume"]["os-vol-host-attr:host"].as_str().unwrap().to_owned();
    let to = host_of(&cloud, if own == host_of(&cloud, "a") { "b" } else { "a" });
    cloud.expect(202, "POST", &action, &migrate(json!({"host": to, "cluster": ""})));
    wait_for_move(&cloud, &path, "success");

    let host = host_of(&cloud, "a");
    let manage = |more: Value| {
        let mut body = json!({"ref": {"source-name": "x"}});
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        json!({ "volume": body })
    };
    for (more, text) in [
        (
            json!({"host": host, "volume_type": "nope"}),
            "Invalid volume type: Cannot find requested 'nope' volume type",
        ),
        (json!({"cluster": "zz"}), "Cluster 'zz' not found"),
        (json!({"host": "zz"}), "Host 'zz' not found"),
        (json!({"host": host, "cluster": "zz"}), both),
    ] {
        let found = cloud.refused(400, "POST", "/manageable_volumes", &manage(more));
        assert_eq!(found, text);
    }
    // A host without a pool names the whole back end.
    fs::write(dir.path().join("a/found"), "x").unwrap();
    let service = host.split_once('#').unwrap().0;
    let body = json!({"volume": {"host": service, "ref": {"source-name": "found"}}});
    let id = cloud.create("/manageable_volumes", &body);
    let row = cloud.wait(&format!("/volumes/{id}"), "available");
    assert_eq!(row["os-vol-host-attr:host"], json!(host));
    for list in ["manageable_volumes", "manageable_snapshots"] {
        let path = |query: &str| format!("/{list}?{query}");
        let found = cloud.refused(404, "GET", &path("host=zz@a%23b"), &Value::Null);
        assert_eq!(found, "Service cinder-volume could not be found on host zz@a.");
        let found = cloud.refused(404, "GET", &path("cluster=x"), &Value::Null);
        assert_eq!(found, "Service cinder-volume could not be found.");
        assert_eq!(cloud.refused(400, "GET", &path("host="), &Value::Null), both);
    }
}

#[test]
fn operators_are_refused_with_cinders_messages() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let machine = machine(&cloud);
    let pending = json!({"resource_id": ABSENT});
    let text = cloud.refused(400, "POST", "/workers/cleanup", &pending);
    let reason = format!("There is no resource with UUID {ABSENT} pending cleanup.");
    assert_eq!(text, format!("Invalid input received: {reason}"));
    let located = json!({"resource_id": ABSENT, "host": machine});
    cloud.expect(202, "POST", "/workers/cleanup", &located);

    // The machine's name alone selects the first of its back ends.
    let binary = json!({"host": machine, "binary": "cinder-volume", "disabled_reason": "x"});
    let done = cloud.expect(200, "PUT", "/os-services/disable-log-reason", &binary);
    assert_eq!((&done["host"], &done["status"]), (&json!(machine), &json!("disabled")));
    let services = cloud.get("/os-services?binary=cinder-volume");
    let statuses: Vec<_> =
        services["services"].as_array().unwrap().iter().map(|row| row["status"].clone()).collect();
    assert_eq!(statuses, ["disabled", "enabled"]);
    let plain = json!({"host": machine, "binary": "cinder-volume"});
    cloud.expect(200, "PUT", "/os-services/enable", &plain);
    let usage = cloud.get(&format!("/os-hosts/{machine}"));
    assert_eq!(usage["host"][0]["resource"]["host"], json!(machine));
    cloud.refused(404, "GET", "/os-hosts/zz", &Value::Null);
    let text = cloud.refused(404, "PUT", "/os-hosts/zz", &json!({"status": "enable"}));
    assert_eq!(text, "Host zz could not be found.");

    for action in ["freeze", "thaw", "failover_host", "failover"] {
        let path = format!("/os-services/{action}");
        let text = cloud.refused(400, "PUT", &path, &json!({"host": "zz"}));
        assert_eq!(text, "No service found with host=zz");
        let text = cloud.refused(400, "PUT", &path, &json!({"host": machine}));
        assert_eq!(text, "Services from different clusters found.");
        if action != "failover_host" {
            let text = cloud.refused(400, "PUT", &path, &json!({"cluster": "zz"}));
            assert_eq!(text, "No service found with cluster=zz");
        }
    }
    cloud.expect(202, "PUT", "/os-services/set-log", &json!({"binary": "cinder-volume"}));
    cloud.refused(400, "PUT", "/os-services/set-log", &json!({}));
}

#[test]
fn flags_of_queries_are_refused_only_where_they_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let refused = |path: &str| {
        let method =
            if path.contains("force") || path.contains("cascade") { "DELETE" } else { "GET" };
        cloud.refused(400, method, path, &Value::Null)
    };
    for list in ["snapshots", "backups", "attachments", "groups", "types", "messages"] {
        for query in ["bootable=maybe", "created_at=gt:foo", "updated_at=zz:2020"] {
            cloud.get(&format!("/{list}?{query}"));
        }
        if list != "backups" {
            cloud.get(&format!("/{list}?all_tenants=foo"));
        }
    }
    assert_eq!(refused("/volumes?bootable=maybe"), "Invalid input received: 'bootable = maybe'");
    assert_eq!(refused("/volumes?created_at=zz:2020"), "Invalid zz operator");
    let text = "all_tenants must be a boolean, got 'foo'.";
    assert_eq!(refused("/backups?all_tenants=foo"), text);
    for (path, name) in [
        ("/volumes?all_tenants=x", "all_tenants"),
        ("/volumes/summary?all_tenants=x", "all_tenants"),
        ("/volumes?with_count=x", "with_count"),
        ("/snapshots?with_count=x", "with_count"),
        ("/scheduler-stats/get_pools?detail=x", "detail"),
        ("/os-quota-sets/p1?usage=x", "usage"),
        ("/volumes?consumes_quota=x", "use_quota"),
        ("/volumes/detail?consumes_quota=x", "use_quota"),
        ("/snapshots?consumes_quota=x", "use_quota"),
        ("/snapshots/detail?consumes_quota=x", "use_quota"),
        ("/clusters?is_up=x", "is_up"),
        ("/clusters/detail?is_up=y&disabled=x", "disabled"),
        ("/volumes/x?force=x", "force"),
        ("/volumes/x?cascade=x&force=y", "cascade"),
    ] {
        let text = format!("Value 'x' for '{name}' is not a boolean.");
        assert_eq!(refused(path), text, "{path}");
        let empty = path.replace("=x", "=");
        assert!(refused(&empty).starts_with("Value '' for"), "{empty}");
    }
}

#[test]
fn cascade_names_the_snapshot_that_cannot_be_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let (id, path) = volume(&cloud, &json!({}));
    let snapshot = cloud.create("/snapshots", &json!({"snapshot": {"volume_id": id}}));
    let own = format!("/snapshots/{snapshot}");
    cloud.wait(&own, "available");
    let reset = json!({"os-reset_status": {"status": "backing-up"}});
    cloud.expect(202, "POST", &format!("{own}/action"), &reset);
    let text = cloud.refused(400, "DELETE", &format!("{path}?cascade=true"), &Value::Null);
    let reason = format!(
        "Invalid volume: Failed to update snapshot. Snapshot {snapshot} status must be available \
         or error, but current status is: backing-up."
    );
    assert_eq!(text, reason);
    cloud.wait(&path, "available");
}

#[test]
fn parameters_of_lists_are_refused_like_cinder() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let (column, key) = (
        "Invalid input received: Invalid sort key",
        "Filter keys can only contain ASCII characters.",
    );
    for (path, text) in [
        ("/snapshots?sort=size:asc", column),
        ("/snapshots/detail?sort_key=size", column),
        ("/volumes?offset=x", "offset must be an integer"),
        ("/volumes?updated_at=", "Invalid  operator"),
        ("/volumes?%C3%A4=1", key),
        ("/snapshots/detail?%C3%A4=1", key),
        ("/groups?%C3%A4=1", key),
    ] {
        assert_eq!(cloud.refused(400, "GET", path, &Value::Null), text, "{path}");
    }
    cloud.get("/snapshots?sort=volume_size:asc");
    // Lists without filters for members refuse no key.
    for list in ["volume-transfers", "group_types", "qos-specs", "consistencygroups", "cgsnapshots"]
    {
        cloud.get(&format!("/{list}?%C3%A4=1"));
    }
}

#[test]
fn paths_may_begin_with_several_slashes() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    for path in ["//v3//p1//volumes", "///v3/volumes"] {
        let reply = cloud.send("GET", path, b"", &[crate::cloud::TOKEN, crate::cloud::LATEST]);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    }
}

#[test]
fn access_to_public_types_is_refused_as_an_invalid_type() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let made = cloud.expect(200, "POST", "/types", &json!({"volume_type": {"name": "t"}}));
    let path = format!("/types/{}/action", made["volume_type"]["id"].as_str().unwrap());
    for action in ["addProjectAccess", "removeProjectAccess"] {
        let text = cloud.refused(400, "POST", &path, &json!({action: {"project": ABSENT}}));
        let expected = "Invalid volume type: Type access modification is not applicable to public \
                        volume type.";
        assert_eq!(text, expected, "{action}");
    }
}

#[test]
fn disabled_services_adopt_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let (id, path) = volume(&cloud, &json!({}));
    let host = cloud.get(&path)["volume"]["os-vol-host-attr:host"].as_str().unwrap().to_owned();
    let service = host.split('#').next().unwrap();
    let body = json!({"host": service, "binary": "cinder-volume"});
    cloud.expect(200, "PUT", "/os-services/disable", &body);
    let volume = json!({"volume": {"host": host, "ref": {"source-name": "x"}}});
    let snapshot = json!({"snapshot": {"volume_id": id, "ref": {"source-name": "x"}}});
    let query = format!("host={}", host.replace('#', "%23"));
    for (method, path, body) in [
        ("POST", "/manageable_volumes".to_owned(), volume),
        ("POST", "/manageable_snapshots".to_owned(), snapshot),
        ("GET", format!("/manageable_volumes?{query}"), Value::Null),
        ("GET", format!("/manageable_snapshots/detail?{query}"), Value::Null),
    ] {
        let text = cloud.refused(400, method, &path, &body);
        assert_eq!(text, "Service is unavailable at this time.", "{method} {path}");
    }
}
