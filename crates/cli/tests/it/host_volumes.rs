//! Host volumes over a socket: created, read, changed, listed and deleted, with real directories.

use crate::common;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::common::{ALLOC, NODES, Reply, Server, command, eventually};
use serde_json::{Value, json};

const UNKNOWN: &str = "0d5e2b1c-3f43-4a3b-8a0f-2d4c7e6b9a10";

/// A server in a directory of its own, whose node has the metadata `rack = r1`.
struct Fixture {
    server: Server,
    dir: tempfile::TempDir,
}

impl Fixture {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Self::serve(dir.path());
        Self { server, dir }
    }

    fn serve(dir: &Path) -> Server {
        Server::spawn(command(dir).args(["--node-meta", "rack=r1"]))
    }

    /// Kills the server, and restarts it in the same directory.
    fn restart(self) -> Self {
        self.server.kill();
        let server = Self::serve(self.dir.path());
        server.wait_until_restored();
        Self { server, dir: self.dir }
    }

    fn create(&self, volume: &Value) -> Reply {
        self.server.put("/v1/volume/host/create", &json!({ "Volume": volume }))
    }

    fn register(&self, volume: &Value) -> Reply {
        self.server.put("/v1/volume/host/register", &json!({ "Volume": volume }))
    }

    fn created(&self, volume: &Value) -> Value {
        self.create(volume).ok().json()["Volume"].clone()
    }

    fn get(&self, id: &str) -> Reply {
        self.server.get(&format!("/v1/volume/host/{id}"))
    }

    fn node_id(&self) -> String {
        fs::read_to_string(self.dir.path().join("node-id")).unwrap().trim().to_owned()
    }

    /// Writes the intent that a killed server would have left for a volume of [`volume`].
    fn leave_intent(&self, id: &str, name: &str, work: &Value) {
        let parameters = json!({ "mode": "0750" });
        let request = request(id, name, &self.node_id(), [100_000, 200_000], &parameters);
        let intent = json!({ "work": work, "plugin": "mkdir", "request": request });
        fs::write(self.dir.path().join("intents").join(id), intent.to_string()).unwrap();
    }

    fn directories(&self) -> Vec<String> {
        let dir = fs::read_dir(self.dir.path().join("host_volumes")).into_iter().flatten();
        let mut names: Vec<_> =
            dir.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// Returns the request in an intent, for a volume in the default pool.
fn request(id: &str, name: &str, node: &str, capacity: [u64; 2], parameters: &Value) -> Value {
    json!({
        "id": id, "name": name, "namespace": "default", "node_id": node, "node_pool": "default",
        "capacity_min": capacity[0], "capacity_max": capacity[1], "parameters": parameters,
    })
}

fn volume(name: &str) -> Value {
    json!({
        "Name": name, "PluginID": "mkdir",
        "RequestedCapacityMinBytes": 100_000, "RequestedCapacityMaxBytes": 200_000,
        "Constraints": [{ "LTarget": "${meta.rack}", "RTarget": "r1", "Operand": "=" }],
        "RequestedCapabilities": [
            { "AttachmentMode": "file-system", "AccessMode": "single-node-writer" },
        ],
        "Parameters": { "mode": "0750" },
    })
}

fn id(volume: &Value) -> String {
    volume["ID"].as_str().unwrap().to_owned()
}

#[track_caller]
fn refused(reply: &Reply, status: u16, text: &str) {
    assert_eq!((reply.status, &*reply.body), (status, text), "{reply:?}");
}

#[test]
fn a_volume_is_created_read_listed_and_deleted() {
    let fixture = Fixture::start();
    let reply = fixture.create(&volume("data")).ok();
    assert_eq!(reply.json()["Warnings"], "");
    assert_eq!(reply.json()["Index"], reply.index.unwrap());
    let created = reply.json()["Volume"].clone();
    assert_eq!(created["State"], "ready");
    assert_eq!(created["NodeID"], fixture.node_id());
    assert_eq!(created["NodePool"], "default");
    assert_eq!(created["CreateIndex"], reply.index.unwrap());
    assert_eq!(created["Allocations"], json!([]));
    let path = PathBuf::from(created["HostPath"].as_str().unwrap());
    assert_eq!(path, fixture.dir.path().join("host_volumes").join(id(&created)));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o750);

    assert_eq!(fixture.get(&id(&created)).ok().json(), created);
    assert_eq!(fixture.get(&id(&created).to_uppercase()).ok().json(), created);
    let list = fixture.server.get("/v1/volumes?type=host").ok();
    assert_eq!(list.column("ID"), [id(&created)]);
    let shown = list.json()[0].clone();
    let members: Vec<_> = shown.as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        members,
        [
            "CapacityBytes",
            "CreateIndex",
            "CreateTime",
            "ID",
            "ModifyIndex",
            "ModifyTime",
            "Name",
            "Namespace",
            "NodeID",
            "NodePool",
            "PluginID",
            "State",
        ]
    );

    let deleted = fixture.server.delete(&format!("/v1/volume/host/{}", id(&created))).ok();
    assert_eq!(deleted.json(), json!({ "Index": deleted.index.unwrap() }));
    assert!(!path.exists());
    let missing = fixture.get(&id(&created));
    refused(&missing, 404, "volume not found");
    assert!(missing.index.unwrap() >= 1);
    let again = fixture.server.delete(&format!("/v1/volume/host/{}", id(&created)));
    refused(&again, 404, &format!("no such volume: {}", id(&created)));
}

#[test]
fn invalid_volumes_are_refused_and_create_nothing() {
    let fixture = Fixture::start();
    let with = |name: &str, value: Value| {
        let mut volume = volume("data");
        volume[name] = value;
        volume
    };
    let bad = json!({
        "ID": "../../not-a-uuid", "Name": "x",
        "RequestedCapacityMinBytes": 200_000, "RequestedCapacityMaxBytes": 100_000,
        "RequestedCapabilities": [{ "AttachmentMode": "bad", "AccessMode": "single-node-writer" }],
        "Constraints": [{ "LTarget": "", "RTarget": "r1", "Operand": "=" }],
    });
    refused(
        &fixture.create(&bad),
        400,
        "volume validation failed: 4 errors occurred:\n\t* invalid ID \"../../not-a-uuid\"\n\t* \
         capacity_max (100000) must be larger than capacity_min (200000)\n\t* invalid attachment \
         mode: \"bad\"\n\t* invalid constraint: 1 error occurred:\n\t* no attribute provided but \
         is required by operator\n\n\n\n",
    );
    let cases = [
        (with("Name", json!("")), 400, "volume validation failed: missing name".to_owned()),
        (
            with("Namespace", json!("none")),
            400,
            "volume validation failed: no such namespace \"none\"".to_owned(),
        ),
        (
            with("ID", json!(UNKNOWN)),
            400,
            format!("cannot update volume \"{UNKNOWN}\": volume does not exist"),
        ),
        (
            with("NodeID", json!(UNKNOWN)),
            400,
            format!(
                "validating volume \"data\" against state failed: node \"{UNKNOWN}\" does not exist"
            ),
        ),
        (
            with("NodePool", json!("none")),
            400,
            "validating volume \"data\" against state failed: node pool \"none\" does not exist"
                .to_owned(),
        ),
        (
            with("PluginID", json!("none")),
            409,
            "could not place volume \"data\": no node meets constraints: 0 nodes had existing \
             volume, 0 nodes filtered by node pool governance, 1 nodes were infeasible"
                .to_owned(),
        ),
        (
            with("Parameters", json!({ "size": "1" })),
            400,
            "HostVolume.Create error: invalid value for \"size\": unknown mkdir parameter: \"size\""
                .to_owned(),
        ),
    ];
    for (volume, status, text) in cases {
        refused(&fixture.create(&volume), status, &text);
    }
    let none = fixture.server.put("/v1/volume/host/create", &json!({}));
    refused(&none, 400, "missing volume definition");
    let none = fixture.server.send("PUT", "/v1/volume/host/create", None);
    refused(&none, 400, "Request body is empty");
    assert_eq!(fixture.server.get("/v1/volumes?type=host").ok().json(), json!([]));
    assert!(fixture.directories().is_empty());
}

#[test]
fn other_methods_of_an_action_are_of_the_volume_with_its_name() {
    let fixture = Fixture::start();
    for action in ["create", "register"] {
        refused(&fixture.get(action), 404, "volume not found");
        let path = format!("/v1/volume/host/{action}");
        let deleted = fixture.server.send("DELETE", &path, None);
        refused(&deleted, 404, &format!("no such volume: {action}"));
        assert_eq!(fixture.server.send("PATCH", &path, None).status, 404);
    }
}

#[test]
fn two_volumes_of_a_name_do_not_fit_on_one_node() {
    let fixture = Fixture::start();
    fixture.created(&volume("data"));
    refused(
        &fixture.create(&volume("data")),
        409,
        "could not place volume \"data\": no node meets constraints: 1 nodes had existing volume, \
         0 nodes filtered by node pool governance, 0 nodes were infeasible",
    );
    assert_eq!(fixture.directories().len(), 1);
}

#[test]
fn an_update_keeps_the_path_and_the_creation_time() {
    let fixture = Fixture::start();
    let created = fixture.created(&volume("data"));
    let mut wish = volume("other");
    wish["ID"] = created["ID"].clone();
    wish["RequestedCapacityMaxBytes"] = json!(300_000);
    let changed = fixture.created(&wish);
    assert_eq!((&changed["ID"], &changed["HostPath"]), (&created["ID"], &created["HostPath"]));
    assert_eq!(changed["CreateTime"], created["CreateTime"]);
    assert_eq!(changed["CreateIndex"], created["CreateIndex"]);
    assert_eq!((&changed["Name"], &changed["State"]), (&json!("other"), &json!("ready")));
    assert!(changed["ModifyIndex"].as_u64() > created["ModifyIndex"].as_u64());
    wish["NodeID"] = json!(UNKNOWN);
    refused(
        &fixture.create(&wish),
        400,
        &format!(
            "validating volume \"{}\" update failed: 1 error occurred:\n\t* node ID cannot be \
             updated\n\n",
            id(&created)
        ),
    );
    assert_eq!(fixture.directories().len(), 1);
}

#[test]
fn a_volume_in_use_is_neither_changed_nor_removed() {
    let fixture = Fixture::start();
    let created = fixture.created(&volume("data"));
    let path = format!("/v1/volume/host/{}", id(&created));
    let job = json!({ "TaskGroups": [{ "Name": "cache", "Count": 1, "Volumes": {
        "v": { "Name": "v", "Type": "host", "Source": "data" },
    } }] });
    fixture.server.put("/statehold/v1/jobs/default/example", &job).ok();
    fixture.server.feed_allocation(ALLOC, &fixture.node_id(), "running");
    assert_eq!(fixture.get(&id(&created)).ok().json()["Allocations"][0]["ID"], ALLOC);
    refused(
        &fixture.server.delete(&path),
        409,
        &format!("volume {} in use by allocations: [{ALLOC}]", id(&created)),
    );
    let mut wish = volume("data");
    wish["ID"] = created["ID"].clone();
    let reply = fixture.create(&wish);
    assert!(reply.body.contains(&format!("claimed by allocs ({ALLOC})")), "{reply:?}");
    fixture.server.feed_allocation(ALLOC, &fixture.node_id(), "complete");
    fixture.server.delete(&path).ok();
    assert!(fixture.directories().is_empty());
}

#[test]
fn a_volume_in_use_stays_in_any_order_of_feeding() {
    let fixture = Fixture::start();
    let job = json!({ "TaskGroups": [{ "Name": "cache", "Count": 1, "Volumes": {
        "v": { "Name": "v", "Type": "host", "Source": "data" },
    } }] });
    let created = fixture.created(&volume("data"));
    let path = format!("/v1/volume/host/{}", id(&created));
    let in_use = |order: &str| {
        let read = fixture.get(&id(&created)).ok().json();
        assert_eq!(read["Allocations"][0]["ID"], ALLOC, "{order}");
        let text = format!("volume {} in use by allocations: [{ALLOC}]", id(&created));
        refused(&fixture.server.delete(&path), 409, &text);
        assert_eq!(fixture.directories().len(), 1, "{order}");
    };
    fixture.server.feed_allocation(ALLOC, &fixture.node_id(), "running");
    fixture.server.put("/statehold/v1/jobs/default/example", &job).ok();
    in_use("the allocation before its job");
    fixture.server.delete("/statehold/v1/jobs/default/example").ok();
    in_use("the job deleted under its allocation");
    fixture.server.feed_allocation(ALLOC, &fixture.node_id(), "complete");
    fixture.server.delete(&path).ok();
    assert!(fixture.directories().is_empty());
}

#[test]
fn a_registered_directory_must_exist_and_survives_its_volume() {
    let fixture = Fixture::start();
    let place = fixture.dir.path().join("place");
    let mut wish = volume("own");
    wish["PluginID"] = json!("");
    refused(&fixture.register(&wish), 400, "cannot register volume: node ID is required");
    wish["NodeID"] = json!(fixture.node_id());
    refused(&fixture.register(&wish), 400, "cannot register volume: host path is required");
    wish["HostPath"] = json!(place);
    let reply = fixture.register(&wish);
    assert_eq!(reply.status, 400);
    let text = format!("HostVolume.Register error: could not verify host path for {place:?}: ");
    assert!(reply.body.starts_with(&text), "{reply:?}");
    fs::create_dir(&place).unwrap();
    wish["CapacityBytes"] = json!(4096);
    let registered = fixture.register(&wish).ok().json()["Volume"].clone();
    assert_eq!(
        (&registered["State"], &registered["CapacityBytes"]),
        (&json!("ready"), &json!(4096))
    );
    fixture.server.delete(&format!("/v1/volume/host/{}", id(&registered))).ok();
    assert!(place.exists());
}

#[test]
fn registering_a_volume_of_a_plugin_runs_no_plugin() {
    let fixture = Fixture::start();
    let place = fixture.dir.path().join("place");
    let mut wish = volume("own");
    wish["NodeID"] = json!(fixture.node_id());
    wish["HostPath"] = json!(place);
    assert_eq!(fixture.register(&wish).status, 400, "nothing is there");
    fs::create_dir(&place).unwrap();
    let own = fixture.register(&wish).ok().json()["Volume"].clone();
    let fixture = fixture.restart();
    let read = fixture.get(&id(&own)).ok().json();
    assert_eq!((&read["State"], &read["HostPath"]), (&json!("ready"), &json!(place)));
    assert_eq!(fixture.directories(), [""; 0]);
    fs::remove_dir(&place).unwrap();
    let fixture = fixture.restart();
    assert_eq!(fixture.get(&id(&own)).ok().json()["State"], "unavailable");
    assert_eq!(fixture.directories(), [""; 0]);
}

#[test]
fn volumes_are_found_after_their_directory_was_moved() {
    let dir = tempfile::tempdir().unwrap();
    let (before, after) = (dir.path().join("before"), dir.path().join("after"));
    let server = Server::start(&before);
    let create = |server: &Server, name: &str| {
        let reply = server.put("/v1/volume/host/create", &json!({ "Volume": { "Name": name } }));
        reply.ok().json()["Volume"].clone()
    };
    let created = create(&server, "data");
    let path = |created: &Value| PathBuf::from(created["HostPath"].as_str().unwrap());
    fs::write(path(&created).join("kept"), "data").unwrap();
    server.kill();
    fs::rename(&before, &after).unwrap();
    let server = Server::start(&after);
    server.wait_until_restored();
    let read =
        |server: &Server| server.get(&format!("/v1/volume/host/{}", id(&created))).ok().json();
    let moved = read(&server);
    assert_eq!(path(&moved), after.join("host_volumes").join(id(&created)));
    assert_eq!((&moved["State"], path(&moved).join("kept").exists()), (&json!("ready"), true));
    server.kill();

    // New volumes are created in the new directory; this one stays, and is deleted, where it is.
    let elsewhere = dir.path().join("elsewhere");
    let server = Server::spawn(command(&after).arg("--host-volumes-dir").arg(&elsewhere));
    server.wait_until_restored();
    assert_eq!(path(&read(&server)), path(&moved));
    assert_eq!(path(&create(&server, "new")).parent(), Some(&*elsewhere));
    server.delete(&format!("/v1/volume/host/{}", id(&created))).ok();
    assert!(!path(&moved).exists());
}

#[test]
fn volumes_of_other_nodes_are_reported_not_managed() {
    let fixture = Fixture::start();
    fixture.server.feed_plugin();
    let mut wish = volume("far");
    wish["NodeID"] = json!(NODES[1]);
    wish["Constraints"] = json!([]);
    let text =
        format!("could not place volume \"far\": node {} is not feasible for volume", NODES[1]);
    refused(&fixture.create(&wish), 409, &text);
    wish["HostPath"] = json!("/srv/far");
    let registered = fixture.register(&wish).ok().json()["Volume"].clone();
    assert_eq!(registered["State"], "pending");
    let path = format!("/v1/volume/host/{}", id(&registered));
    refused(
        &fixture.server.delete(&path),
        409,
        "volume cannot be removed from unknown node without force=true",
    );
    fixture.server.delete(&format!("{path}?force=true")).ok();
}

#[test]
fn lists_select_by_name_node_and_pool_and_go_both_ways() {
    let fixture = Fixture::start();
    fixture.server.put("/v1/namespace", &json!({ "Name": "prod" })).ok();
    fixture.server.feed_plugin();
    for name in ["data-a", "data-b", "other"] {
        fixture.created(&volume(name));
    }
    let mut far =
        json!({ "Name": "far", "NodeID": NODES[1], "HostPath": "/srv", "Namespace": "prod" });
    fixture.register(&far).ok();
    far["Name"] = json!("far-2");
    fixture.register(&far).ok();
    let names = |query: &str| {
        let mut names =
            fixture.server.get(&format!("/v1/volumes?type=host{query}")).ok().column("Name");
        names.sort();
        names
    };
    assert_eq!(names(""), ["data-a", "data-b", "other"]);
    assert_eq!(names("&prefix=data-"), ["data-a", "data-b"]);
    assert_eq!(names("&namespace=*"), ["data-a", "data-b", "far", "far-2", "other"]);
    assert_eq!(names("&namespace=prod&prefix=far-"), ["far-2"]);
    assert_eq!(names(&format!("&namespace=*&node_id={}", &NODES[1][..8])), ["far", "far-2"]);
    assert_eq!(names("&namespace=*&node_pool=none"), [""; 0]);
    assert_eq!(names("&filter=Name%20matches%20%22%5Edata%22"), ["data-a", "data-b"]);
    let ids = |query: &str| {
        fixture.server.get(&format!("/v1/volumes?type=host{query}")).ok().column("ID")
    };
    let mut forward = ids("&namespace=*");
    let backward = ids("&namespace=*&reverse=true");
    forward.reverse();
    assert_eq!(forward, backward);

    for direction in ["", "&reverse=true"] {
        let mut paged = Vec::new();
        let mut query = format!("/v1/volumes?type=host&namespace=*&per_page=2{direction}");
        loop {
            let page = fixture.server.get(&query).ok();
            paged.extend(page.column("ID"));
            let Some(token) = page.next_token else { break };
            query = format!(
                "/v1/volumes?type=host&namespace=*&per_page=2{direction}&next_token={token}"
            );
        }
        assert_eq!(paged, ids(&format!("&namespace=*{direction}")));
    }
    let odd = fixture.server.get("/v1/volumes?type=host&node_id=abc");
    assert_eq!(odd.status, 400, "{odd:?}");
}

#[test]
fn a_blocking_read_wakes_when_the_volume_changes() {
    let fixture = Fixture::start();
    let created = fixture.created(&volume("data"));
    let path = format!("/v1/volume/host/{}", id(&created));
    let index = fixture.server.get(&path).ok().index.unwrap();
    std::thread::scope(|threads| {
        let reader =
            threads.spawn(|| fixture.server.get(&format!("{path}?index={index}&wait=60s")).ok());
        fixture.server.wait_until_parked(1);
        let mut wish = volume("data");
        wish["ID"] = created["ID"].clone();
        fixture.created(&wish);
        assert!(reader.join().unwrap().index.unwrap() > index);
    });
}

#[test]
fn lists_of_nodes_show_host_volumes_whatever_their_filter() {
    let fixture = Fixture::start();
    let node = fixture.node_id();
    let server = &fixture.server;
    let other = common::NODES[0];
    server.put(&format!("/statehold/v1/nodes/{other}"), &common::node_payload(other, false)).ok();
    let list = |filter: &str| format!("/v1/nodes?filter={}", common::encode(filter));
    fixture.created(&volume("shown"));
    for filter in [format!("ID == \"{node}\""), "HostVolumes is not empty".to_owned()] {
        let nodes = server.get(&list(&filter)).ok().json();
        assert_eq!(nodes[0]["ID"], *node, "{filter}");
        assert!(nodes[0]["HostVolumes"]["shown"].is_object(), "{filter}: {nodes}");
        assert_eq!(nodes.as_array().unwrap().len(), 1, "{filter}: {nodes}");
    }
    assert_eq!(server.get("/v1/nodes").ok().json().as_array().unwrap().len(), 2);
}

#[test]
fn filters_of_host_volumes_know_allocations() {
    let fixture = Fixture::start();
    fixture.created(&volume("a"));
    let found = |filter: &str| {
        let path = format!("/v1/volumes?type=host&filter={}", common::encode(filter));
        fixture.server.get(&path).ok().column("Name")
    };
    assert_eq!(found("Allocations is empty"), ["a"]);
    assert!(found("Allocations is not empty").is_empty());
}

#[test]
fn a_restart_recreates_missing_directories_and_reports_all() {
    let fixture = Fixture::start();
    let created = fixture.created(&volume("data"));
    let path = PathBuf::from(created["HostPath"].as_str().unwrap());
    fs::remove_dir(&path).unwrap();
    let node = fixture.node_id();
    let fixture = fixture.restart();
    assert_eq!(fixture.node_id(), node);
    assert!(path.is_dir());
    assert_eq!(fixture.get(&id(&created)).ok().json()["State"], "ready");

    let place = fixture.dir.path().join("place");
    fs::create_dir(&place).unwrap();
    let wish = json!({ "Name": "own", "NodeID": node, "HostPath": place });
    let own = fixture.register(&wish).ok().json()["Volume"].clone();
    assert_eq!(own["State"], "ready");
    fs::remove_dir(&place).unwrap();
    let fixture = fixture.restart();
    assert_eq!(fixture.get(&id(&own)).ok().json()["State"], "unavailable");
    assert_eq!(fixture.get(&id(&created)).ok().json()["State"], "ready");
}

#[test]
fn a_restart_finishes_interrupted_host_volume_work() {
    let fixture = Fixture::start();
    let kept = fixture.created(&volume("kept"));
    let gone = fixture.created(&volume("gone"));
    // Simulates a kill while the server created one volume and deleted another.
    let volumes = fixture.dir.path().join("host_volumes");
    fs::create_dir(volumes.join(UNKNOWN)).unwrap();
    fixture.leave_intent(UNKNOWN, "never", &json!("Create"));
    fixture.leave_intent(&id(&gone), "gone", &json!({ "Delete": { "path": gone["HostPath"] } }));
    let fixture = fixture.restart();
    assert_eq!(fixture.directories(), [id(&kept)]);
    assert_eq!(fixture.server.get("/v1/volumes?type=host").ok().column("ID"), [id(&kept)]);
    assert_eq!(fs::read_dir(fixture.dir.path().join("intents")).unwrap().count(), 0);
}

#[test]
fn an_interrupted_delete_spares_changed_and_used_volumes() {
    let fixture = Fixture::start();
    let (used, changed) = (fixture.created(&volume("used")), fixture.created(&volume("changed")));
    let job = json!({ "TaskGroups": [{ "Name": "cache", "Count": 1, "Volumes": {
        "v": { "Name": "v", "Type": "host", "Source": "used" },
    } }] });
    fixture.server.put("/statehold/v1/jobs/default/example", &job).ok();
    fixture.server.feed_allocation(ALLOC, &fixture.node_id(), "running");
    fixture.leave_intent(&id(&used), "used", &json!({ "Delete": { "path": used["HostPath"] } }));
    let other = json!({ "Delete": { "path": changed["HostPath"] } });
    fixture.leave_intent(&id(&changed), "its name before", &other);
    let fixture = fixture.restart();
    for spared in [&used, &changed] {
        assert_eq!(fixture.get(&id(spared)).ok().json()["State"], "ready");
        assert!(fixture.directories().contains(&id(spared)));
    }
    assert_eq!(fs::read_dir(fixture.dir.path().join("intents")).unwrap().count(), 0);
}

#[test]
fn an_interrupted_delete_is_tried_until_it_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    let (plugins, data) = (dir.path().join("plugins"), dir.path().join("data"));
    fs::create_dir(&plugins).unwrap();
    let script = "#!/bin/sh\n\
        d=\"$DHV_VOLUMES_DIR/$DHV_VOLUME_ID\"\n\
        case $1 in\n\
        fingerprint) echo '{\"version\": \"1.0.0\"}';;\n\
        create) /bin/mkdir -p \"$d\"; echo \"{\\\"path\\\": \\\"$d\\\", \\\"bytes\\\": 1}\";;\n\
        delete) test -e \"$DHV_PLUGIN_DIR/works\" || exit 1; /bin/rm -rf \"$d\";;\n\
        esac\n";
    fs::write(plugins.join("mine"), script).unwrap();
    fs::set_permissions(plugins.join("mine"), fs::Permissions::from_mode(0o755)).unwrap();
    let serve = || Server::spawn(command(&data).arg("--host-volume-plugin-dir").arg(&plugins));
    let server = serve();
    let wish = json!({ "Name": "x", "PluginID": "mine" });
    let reply = server.put("/v1/volume/host/create", &json!({ "Volume": wish })).ok();
    let created = reply.json()["Volume"].clone();
    assert_eq!(created["State"], "ready");
    let node = created["NodeID"].as_str().unwrap();
    let request = request(&id(&created), "x", node, [0, 0], &json!({}));
    let work = json!({ "Delete": { "path": created["HostPath"] } });
    let intent = json!({ "work": work, "plugin": "mine", "request": request });
    server.kill();
    fs::write(data.join("intents").join(id(&created)), intent.to_string()).unwrap();

    let server = serve();
    let path = format!("/v1/volume/host/{}", id(&created));
    eventually(|| server.get(&path).ok().json()["State"] == "unavailable");
    let status = server.get("/statehold/v1/status").ok().json();
    assert_eq!(status["HostVolumesRestoringIDs"], json!([created["ID"]]));
    for operation in ["create", "register"] {
        let mut change = wish.clone();
        change["ID"] = created["ID"].clone();
        change["NodeID"] = created["NodeID"].clone();
        change["HostPath"] = created["HostPath"].clone();
        let change = json!({ "Volume": change });
        let reply = server.put(&format!("/v1/volume/host/{operation}"), &change);
        assert_eq!(reply.status, 409, "{reply:?}");
        assert!(reply.body.contains("is being deleted"), "{reply:?}");
    }
    fs::write(plugins.join("works"), "").unwrap();
    server.wait_until_restored();
    assert_eq!(server.get(&path).status, 404);
    assert!(!Path::new(created["HostPath"].as_str().unwrap()).exists());
    assert_eq!(fs::read_dir(data.join("intents")).unwrap().count(), 0);
}

#[test]
fn a_program_in_the_plugin_directory_creates_volumes() {
    let dir = tempfile::tempdir().unwrap();
    let plugins = dir.path().join("plugins");
    fs::create_dir(&plugins).unwrap();
    let script = "#!/bin/sh\n\
        case $1 in\n\
        fingerprint) echo '{\"version\": \"3.2.1\"}';;\n\
        create) d=\"$DHV_VOLUMES_DIR/by-program-$DHV_VOLUME_NAME\"; /bin/mkdir -p \"$d\"\n\
            echo \"{\\\"path\\\": \\\"$d\\\", \\\"bytes\\\": $DHV_CAPACITY_MIN_BYTES}\";;\n\
        delete) /bin/rm -r \"$DHV_CREATED_PATH\";;\n\
        esac\n";
    fs::write(plugins.join("mine"), script).unwrap();
    fs::set_permissions(plugins.join("mine"), fs::Permissions::from_mode(0o755)).unwrap();
    let data = dir.path().join("data");
    let server = Server::spawn(command(&data).arg("--host-volume-plugin-dir").arg(&plugins));
    let wish = json!({ "Name": "x", "PluginID": "mine",
        "RequestedCapacityMinBytes": 5, "RequestedCapacityMaxBytes": 6 });
    let reply = server.put("/v1/volume/host/create", &json!({ "Volume": wish })).ok();
    let created = reply.json()["Volume"].clone();
    let path = data.join("host_volumes/by-program-x");
    assert_eq!((&created["HostPath"], &created["CapacityBytes"]), (&json!(path), &json!(5)));
    assert!(path.is_dir());
    server.delete(&format!("/v1/volume/host/{}", id(&created))).ok();
    assert!(!path.exists());
}

#[test]
fn paths_and_methods_are_answered_as_documented() {
    let fixture = Fixture::start();
    let created = fixture.created(&volume("data"));
    let path = format!("/v1/volume/host/{}", id(&created));
    fixture.server.get(&format!("{path}/anything/else")).ok();
    fixture.server.get(&format!("{path}/")).ok();
    refused(&fixture.server.get("/v1/volume/host/"), 404, "resource not found");
    refused(&fixture.server.send("PATCH", &path, None), 404, "resource not found");
    refused(&fixture.server.put(&path, &json!({})), 404, "resource not found");
    fixture.server.delete(&format!("{path}/delete?force=")).ok();
    refused(&fixture.server.delete(&format!("{path}?force=maybe")), 400, "invalid force value");
}
