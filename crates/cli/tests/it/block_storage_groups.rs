//! Groups of Block Storage over their own socket: replies, and the files on disk.

use std::path::Path;

use serde_json::{Value, json};

use crate::cloud::Cloud;

/// Returns the sorted names of a back end's files.
fn files(dir: &Path, backend: &str) -> Vec<String> {
    let entries = std::fs::read_dir(dir.join(backend)).unwrap().map(Result::unwrap);
    let entries = entries.filter(|entry| entry.file_type().unwrap().is_file());
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Creates a group whose volumes are on the back end `b`, and returns its ID.
fn group(cloud: &Cloud) -> String {
    let specs = json!({"volume_backend_name": "b"});
    let body = json!({"volume_type": {"name": "on-b", "extra_specs": specs}});
    cloud.expect(200, "POST", "/types", &body);
    cloud.create("/group_types", &json!({"group_type": {"name": "g", "group_specs": {"k": "v"}}}));
    let body = json!({"group": {
        "name": "g1", "group_type": "g", "volume_types": ["on-b", "__DEFAULT__"],
    }});
    cloud.create("/groups", &body)
}

/// Creates a volume in a group, and returns its ID.
fn volume(cloud: &Cloud, group: &str, volume_type: &str) -> String {
    let body = json!({"volume": {"size": 1, "group_id": group, "volume_type": volume_type}});
    cloud.create("/volumes", &body)
}

#[test]
fn volumes_of_a_group_share_its_back_end_and_its_deletion() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let group = group(&cloud);
    // The default type alone would allow either back end.
    let mut volumes = [volume(&cloud, &group, "on-b"), volume(&cloud, &group, "__DEFAULT__")];
    volumes.sort();
    for id in &volumes {
        cloud.wait(&format!("/volumes/{id}"), "available");
    }
    let path = format!("/groups/{group}");
    cloud.wait(&path, "available");
    let row = &cloud.get(&format!("{path}?list_volume=true"))["group"];
    let mut listed: Vec<_> = row["volumes"].as_array().unwrap().clone();
    listed.sort_by_key(ToString::to_string);
    assert_eq!(listed, volumes);
    assert_eq!((&row["name"], &row["replication_status"]), (&json!("g1"), &json!("disabled")));
    let expected: Vec<_> = volumes.iter().map(|id| format!("volume-{id}")).collect();
    assert_eq!((files(dir.path(), "a"), files(dir.path(), "b")), (vec![], expected));

    let filtered = cloud.get(&format!("/volumes?group_id={group}"));
    assert_eq!(filtered["volumes"].as_array().unwrap().len(), 2);
    let refusal = cloud.refused(400, "DELETE", &format!("/volumes/{}", volumes[0]), &Value::Null);
    assert!(refusal.contains("belong to a group"), "{refusal}");
    let action = format!("{path}/action");
    let delete = |volumes: bool| json!({"delete": {"delete-volumes": volumes}});
    let refusal = cloud.refused(400, "POST", &action, &delete(false));
    assert!(refusal.ends_with("The delete-volumes flag is required to delete it."), "{refusal}");
    cloud.expect(202, "POST", &action, &delete(true));
    cloud.wait(&path, "404");
    assert_eq!(files(dir.path(), "b"), Vec::<String>::new());
    let quota = cloud.get("/os-quota-sets/p1?usage=true");
    assert_eq!(quota["quota_set"]["groups"]["in_use"], 0);
}

#[test]
fn group_snapshots_and_copies_equal_their_volumes() {
    use std::os::unix::fs::FileExt as _;
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let group = group(&cloud);
    let id = volume(&cloud, &group, "on-b");
    cloud.wait(&format!("/volumes/{id}"), "available");
    let file = dir.path().join("b").join(format!("volume-{id}"));
    let write = |text: &[u8]| {
        let open = std::fs::File::options().write(true).open(&file).unwrap();
        open.write_all_at(text, 4096).unwrap();
    };
    write(b"then");
    let body = json!({"group_snapshot": {"group_id": group, "name": "s"}});
    let snapshot = cloud.create("/group_snapshots", &body);
    let snapshot_path = format!("/group_snapshots/{snapshot}");
    assert_eq!(cloud.wait(&snapshot_path, "available")["group_id"], json!(group));
    let parts = cloud.get("/snapshots/detail");
    assert_eq!(parts["snapshots"][0]["group_snapshot_id"], json!(snapshot));
    assert_eq!(parts["snapshots"][0]["name"], "s");
    write(b"late");

    let expected: [(&str, &str, &[u8]); 2] =
        [("group_snapshot_id", &snapshot, b"then"), ("source_group_id", &group, b"late")];
    for (member, source, text) in expected {
        let body = json!({"create-from-src": {"name": "copy", member: source}});
        let copy = cloud.create("/groups/action", &body);
        let path = format!("/groups/{copy}");
        assert_eq!(cloud.wait(&path, "available")[member], json!(source));
        let row = cloud.get(&format!("{path}?list_volume=1"));
        let volume = row["group"]["volumes"][0].as_str().unwrap();
        let copied = dir.path().join("b").join(format!("volume-{volume}"));
        let mut found = [0; 4];
        std::fs::File::open(copied).unwrap().read_exact_at(&mut found, 4096).unwrap();
        assert_eq!(found, *text, "{member}");
    }
    cloud.expect(202, "DELETE", &snapshot_path, &Value::Null);
    cloud.wait(&snapshot_path, "404");
    assert!(files(dir.path(), "b").iter().all(|name| name.starts_with("volume-")));
}

#[test]
fn unplaceable_groups_fail_and_invalid_requests_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let specs = json!({"volume_backend_name": "nowhere"});
    let body = json!({"volume_type": {"name": "t", "extra_specs": specs}});
    cloud.expect(200, "POST", "/types", &body);
    let id = group(&cloud);
    let body = json!({"group": {"group_type": "g", "volume_types": ["t", "on-b"]}});
    let failed = format!("/groups/{}", cloud.create("/groups", &body));
    cloud.wait(&failed, "error");
    cloud.expect(202, "POST", &format!("{failed}/action"), &json!({"delete": {}}));
    cloud.wait(&failed, "404");

    let path = format!("/groups/{id}");
    cloud.wait(&path, "available");
    assert_eq!(cloud.call_in(12, "GET", "/groups", &Value::Null).0, 404);
    assert_eq!(cloud.call_in(13, "GET", "/groups", &Value::Null).0, 200);
    let (_, early) = cloud.call_in(13, "GET", &format!("{path}?list_volume=1"), &Value::Null);
    assert!(early["group"].get("volumes").is_none() && early["group"].get("project_id").is_none());
    let refusal = cloud.refused(400, "PUT", &path, &json!({"group": {"name": "g1"}}));
    assert!(refusal.contains("because no valid name, description"), "{refusal}");
    cloud.expect(202, "PUT", &path, &json!({"group": {"name": "g2"}}));
    let action = format!("{path}/action");
    let refusal = cloud.refused(400, "POST", &action, &json!({"enable_replication": {}}));
    assert!(refusal.starts_with("Invalid group type: "), "{refusal}");
    cloud.refused(400, "POST", &action, &json!({"reset_status": {"status": "zz"}}));
    cloud.expect(202, "POST", &action, &json!({"reset_status": {"status": "error"}}));
    let page = cloud.get("/groups/detail?limit=1");
    let next = page["group_links"][0]["href"].as_str().unwrap();
    assert!(next.contains(&format!("/v3/p1/groups/detail?limit=1&marker={id}")), "{next}");
    assert_eq!(page["groups"][0]["status"], "error");
}

#[test]
fn group_types_are_kept_with_their_specs() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let id = cloud.create("/group_types", &json!({"group_type": {"name": "g"}}));
    let path = format!("/group_types/{id}");
    let refusal = cloud.refused(409, "POST", "/group_types", &json!({"group_type": {"name": "g"}}));
    assert_eq!(refusal, "Group Type g already exists.");
    let renamed = cloud.expect(200, "PUT", &path, &json!({"group_type": {"name": "h"}}));
    assert_eq!(renamed["group_type"]["name"], "h");
    let specs = format!("{path}/group_specs");
    let body = json!({"group_specs": {"a": "b"}});
    assert_eq!(cloud.expect(202, "POST", &specs, &body), body);
    cloud.expect(200, "PUT", &format!("{specs}/a"), &json!({"a": "c"}));
    assert_eq!(cloud.get(&format!("{specs}/a")), json!({"a": "c"}));
    cloud.expect(202, "DELETE", &format!("{specs}/a"), &Value::Null);
    let refusal = cloud.refused(404, "GET", &format!("{specs}/a"), &Value::Null);
    assert_eq!(refusal, format!("Group Type {id} has no extra spec with key a."));
    let names = |list: &Value| -> Vec<String> {
        let rows = list["group_types"].as_array().unwrap().iter();
        rows.map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&cloud.get("/group_types")), ["h", "default_cgsnapshot_type"]);
    cloud.expect(202, "DELETE", &path, &Value::Null);
    assert_eq!(names(&cloud.get("/group_types")), ["default_cgsnapshot_type"]);
    cloud.refused(404, "GET", "/group_types/default", &Value::Null);
}

#[test]
fn consistency_groups_are_separate_groups_of_the_older_api() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    // The body of the stock command line.
    let body = json!({"consistencygroup": {
        "name": "c", "volume_types": "__DEFAULT__", "description": null, "availability_zone": null,
        "user_id": null, "project_id": null, "status": "creating",
    }});
    let id = cloud.create("/consistencygroups", &body);
    let path = format!("/consistencygroups/{id}");
    cloud.wait(&path, "available");
    let body = json!({"volume": {
        "size": 1, "consistencygroup_id": id, "volume_type": "__DEFAULT__",
    }});
    let volume = cloud.create("/volumes", &body);
    let row = cloud.wait(&format!("/volumes/{volume}"), "available");
    assert_eq!(row["consistencygroup_id"], json!(id));
    let outside = json!({"volume": {"size": 1}});
    let outside = cloud.create("/volumes", &outside);
    cloud.wait(&format!("/volumes/{outside}"), "available");
    let body = json!({"consistencygroup": {"remove_volumes": volume}});
    cloud.expect(202, "PUT", &format!("{path}/update"), &body);
    let body = json!({"consistencygroup": {"add_volumes": volume}});
    cloud.expect(202, "PUT", &path, &body);

    let body = json!({"cgsnapshot": {"consistencygroup_id": id, "status": "creating"}});
    let snapshot = cloud.create("/cgsnapshots", &body);
    let snapshot_path = format!("/cgsnapshots/{snapshot}");
    assert_eq!(cloud.wait(&snapshot_path, "available")["consistencygroup_id"], json!(id));
    let body = json!({"consistencygroup-from-src": {"cgsnapshot_id": snapshot}});
    let copy = cloud.create("/consistencygroups/create_from_src", &body);
    cloud.wait(&format!("/consistencygroups/{copy}"), "available");
    assert_eq!(cloud.get("/consistencygroups")["consistencygroups"].as_array().unwrap().len(), 2);

    // Groups and consistency groups are listed only by the API that created them.
    assert_eq!(cloud.get("/groups"), json!({"groups": []}));
    assert_eq!(cloud.get("/group_snapshots/detail"), json!({"group_snapshots": []}));
    let refusal = cloud.refused(400, "GET", &format!("/groups/{id}"), &Value::Null);
    assert!(refusal.ends_with("Migrated group can only be operated by CG APIs."), "{refusal}");
    cloud.refused(400, "DELETE", &format!("/group_snapshots/{snapshot}"), &Value::Null);
    let own = group(&cloud);
    cloud.refused(404, "GET", &format!("/consistencygroups/{own}"), &Value::Null);

    cloud.expect(202, "DELETE", &snapshot_path, &Value::Null);
    cloud.wait(&snapshot_path, "404");
    cloud.refused(400, "POST", &format!("{path}/delete"), &Value::Null);
    let force = json!({"consistencygroup": {"force": true}});
    cloud.expect(202, "POST", &format!("{path}/delete"), &force);
    cloud.wait(&path, "404");
    cloud.wait(&format!("/volumes/{volume}"), "404");
}

#[test]
fn a_restart_finishes_interrupted_group_work() {
    let dir = tempfile::tempdir().unwrap();
    let mut cloud = Cloud::start(dir.path());
    let group = group(&cloud);
    let id = volume(&cloud, &group, "on-b");
    cloud.restart(dir.path(), &[]);
    cloud.wait(&format!("/volumes/{id}"), "available");
    let body = json!({"create-from-src": {"source_group_id": group}});
    let copy = format!("/groups/{}", cloud.create("/groups/action", &body));
    let body = json!({"group_snapshot": {"group_id": group}});
    let snapshot = format!("/group_snapshots/{}", cloud.create("/group_snapshots", &body));
    cloud.restart(dir.path(), &[]);
    cloud.wait(&copy, "available");
    cloud.wait(&snapshot, "available");
    let delete = json!({"delete": {"delete-volumes": true}});
    cloud.expect(202, "POST", &format!("{copy}/action"), &delete);
    cloud.restart(dir.path(), &[]);
    cloud.wait(&copy, "404");
    assert_eq!(files(dir.path(), "b").len(), 2);
}
