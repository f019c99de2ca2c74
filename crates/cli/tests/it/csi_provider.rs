//! A directory storage provider over a socket: volumes, snapshots, attachments and the work that claims
//! wait for, from the request to the file.

use std::fs;
use std::path::Path;

use crate::common::{ALLOC, NODES, OTHER_ALLOC, Reply, Server, command, eventually};
use serde_json::{Value, json};

const GIB: i64 = 1 << 30;

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
        Server::spawn(command(dir).args(["--csi-dir-plugin", "disks"]))
    }

    fn restart(self) -> Self {
        self.server.kill();
        let server = Self::serve(self.dir.path());
        Self { server, dir: self.dir }
    }

    fn create(&self, volumes: &[Value]) -> Reply {
        self.server.put("/v1/volume/csi/any/create", &json!({ "Volumes": volumes }))
    }

    fn created(&self, id: &str) -> Value {
        self.create(&[volume(id)]).ok().json()["Volumes"][0].clone()
    }

    fn get(&self, id: &str) -> Value {
        self.server.get(&format!("/v1/volume/csi/{id}")).ok().json()
    }

    fn external(&self) -> Vec<Value> {
        let reply = self.server.get("/v1/volumes/external?plugin_id=disks").ok().json();
        reply["Volumes"].as_array().unwrap().clone()
    }

    fn node(&self) -> String {
        fs::read_to_string(self.dir.path().join("node-id")).unwrap().trim().to_owned()
    }

    /// Returns the files of the provider's volumes, by external ID.
    fn files(&self) -> Vec<String> {
        let dir = fs::read_dir(self.dir.path().join("csi/disks/volumes")).unwrap();
        let mut names: Vec<_> =
            dir.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn allocation(&self, id: &str, client_status: &str) {
        self.server.feed_allocation(id, &self.node(), client_status);
    }

    fn claim(&self, volume: &str, alloc: &str) -> Reply {
        self.server.claim(volume, alloc, &self.node(), "write")
    }
}

fn volume(id: &str) -> Value {
    json!({
        "ID": id, "Name": id, "PluginID": "disks",
        "RequestedCapacityMin": GIB, "RequestedCapacityMax": 2 * GIB,
        "RequestedCapabilities": [
            { "AccessMode": "single-node-writer", "AttachmentMode": "file-system" },
        ],
    })
}

#[track_caller]
fn refused(reply: &Reply, status: u16, text: &str) {
    assert_eq!((reply.status, &*reply.body), (status, text), "{reply:?}");
}

#[test]
fn a_volume_is_created_and_deleted_with_its_file() {
    let fixture = Fixture::start();
    let created = fixture.created("v");
    let external = created["ExternalID"].as_str().unwrap().to_owned();
    assert_eq!((&created["Capacity"], &created["Schedulable"]), (&json!(GIB), &json!(true)));
    assert_eq!(created["CreateIndex"], created["ModifyIndex"]);
    assert_eq!(fixture.get("v"), created);
    assert_eq!(fixture.files(), [&*external]);
    let listed = fixture.external();
    assert_eq!(
        listed,
        [json!({
            "ExternalID": external, "CapacityBytes": GIB, "VolumeContext": {}, "CloneID": "",
            "SnapshotID": "", "PublishedExternalNodeIDs": [], "IsAbnormal": false, "Status": "",
        })]
    );
    let headers = [("X-Nomad-CSI-Secrets", "user=me,key=a=b")];
    let deleted = fixture.server.send_with("DELETE", "/v1/volume/csi/v/delete", &headers, None);
    assert_eq!(deleted.status(), 200);
    assert!(fixture.files().is_empty());
    refused(&fixture.server.get("/v1/volume/csi/v"), 404, "volume not found");
    refused(&fixture.server.delete("/v1/volume/csi/v/delete"), 404, "volume not found: v");
}

#[test]
fn a_repeated_create_returns_the_volume_and_expands_it() {
    let fixture = Fixture::start();
    let created = fixture.created("v");
    let again = fixture.created("v");
    assert_eq!(again["ExternalID"], created["ExternalID"]);
    assert_eq!(fixture.files().len(), 1);
    let mut larger = volume("v");
    larger["RequestedCapacityMin"] = json!(3 * GIB);
    larger["RequestedCapacityMax"] = json!(4 * GIB);
    let reply = fixture.server.put("/v1/volumes", &json!({ "Volumes": [larger] })).ok();
    assert_eq!(reply.json()["Volumes"][0]["Capacity"], json!(3 * GIB));
    let file = fixture.dir.path().join("csi/disks/volumes").join(&fixture.files()[0]).join("data");
    assert_eq!(fs::metadata(file).unwrap().len(), 3 * GIB as u64);
}

#[test]
fn created_volumes_stay_when_others_of_the_request_fail() {
    let fixture = Fixture::start();
    let mut bad = volume("bad");
    bad["SnapshotID"] = json!("none");
    let reply = fixture.create(&[volume("good"), bad]);
    refused(
        &reply,
        404,
        "1 error occurred:\n\t* controller create volume: no such snapshot: \"none\"\n\n",
    );
    assert_eq!(fixture.get("good")["ExternalID"], fixture.files()[0].as_str());
    assert_eq!(fixture.server.get("/v1/volumes?type=csi").ok().column("ID"), ["good"]);
}

#[test]
fn requests_beyond_a_providers_abilities_are_refused() {
    let fixture = Fixture::start();
    fixture.server.feed_plugin();
    let info = json!({
        "PluginID": "far", "Healthy": true, "RequiresControllerPlugin": true,
        "ControllerInfo": { "SupportsCreateDelete": true, "SupportsListVolumes": true },
    });
    let node = json!({ "Name": "n", "Status": "ready", "CSIControllerPlugins": { "far": info } });
    fixture.server.put("/statehold/v1/nodes/fb2170a8-257d-3c64-b14d-bc06cc94e300", &node).ok();
    let of = |plugin: &str| {
        let mut volume = volume("v");
        volume["PluginID"] = json!(plugin);
        volume
    };
    refused(&fixture.create(&[]), 400, "missing volume definition");
    refused(&fixture.create(&[of("none")]), 400, "no CSI plugin named: none could be found");
    refused(&fixture.create(&[of("plugin-id1")]), 400, "plugin does not support creating volumes");
    refused(
        &fixture.create(&[of("far")]),
        502,
        "1 error occurred:\n\t* controller create volume: No path to node\n\n",
    );
    let external =
        |plugin: &str| fixture.server.get(&format!("/v1/volumes/external?plugin_id={plugin}"));
    refused(&external("none"), 404, "no such plugin");
    refused(&external("far"), 502, "controller list volumes: No path to node");
    external("di").ok();
    let snapshots = fixture.server.get("/v1/volumes/snapshot?plugin_id=far");
    refused(&snapshots, 400, "plugin does not support listing snapshots");
    assert!(fixture.files().is_empty());
}

#[test]
fn errors_of_provider_arguments_are_client_errors() {
    let fixture = Fixture::start();
    fixture.created("v");
    let wish = |id: &str, min: i64, max: i64| {
        let mut volume = volume(id);
        (volume["RequestedCapacityMin"], volume["RequestedCapacityMax"]) = (json!(min), json!(max));
        volume
    };
    for (min, max) in [(2 * GIB, GIB), (i64::MAX, 0), (-1, 0)] {
        let reply = fixture.create(&[wish("w", min, max)]);
        assert_eq!(reply.status, 400, "{min} to {max}: {reply:?}");
        let reply = fixture.create(&[wish("v", min, max)]);
        assert_eq!(reply.status, 400, "larger, {min} to {max}: {reply:?}");
    }
    let mut taken = wish("other", 3 * GIB, 4 * GIB);
    taken["Name"] = json!("v");
    assert_eq!(fixture.create(&[taken]).status, 409, "the name is another volume's");
    fixture.created("w");
    let take = |volume: &str, name: &str| {
        let body = json!({ "Snapshots": [{ "SourceVolumeID": volume, "Name": name }] });
        fixture.server.put("/v1/volumes/snapshot", &body).status
    };
    assert_eq!(take("v", "s"), 200);
    assert_eq!(take("w", "s"), 409, "the name is another snapshot's");
    assert_eq!(take("w", ""), 400);
    assert_eq!(take("w", &"n".repeat(129)), 400);
}

#[test]
fn an_unknown_external_volume_can_not_be_registered() {
    let fixture = Fixture::start();
    let mut unknown = volume("v");
    unknown["ExternalID"] = json!("unknown");
    let reply = fixture.server.put("/v1/volumes", &json!({ "Volumes": [unknown] }));
    refused(&reply, 404, "controller validate volume: no such volume: \"unknown\"");
    let created = fixture.created("w");
    fixture.server.delete("/v1/volume/csi/w").ok();
    assert_eq!(fixture.files().len(), 1);
    let mut known = volume("v");
    known["ExternalID"] = created["ExternalID"].clone();
    fixture.server.put("/v1/volumes", &json!({ "Volumes": [known] })).ok();
}

#[test]
fn snapshots_are_taken_listed_used_and_deleted() {
    let fixture = Fixture::start();
    let created = fixture.created("v");
    let take = |name: &str| {
        let body = json!({ "Snapshots": [{ "SourceVolumeID": "v", "Name": name }] });
        fixture.server.put("/v1/volumes/snapshot", &body).ok().json()["Snapshots"][0].clone()
    };
    let (monday, tuesday) = (take("monday"), take("tuesday"));
    assert_eq!(monday["ExternalSourceVolumeID"], created["ExternalID"]);
    assert_eq!((&monday["SizeBytes"], &monday["IsReady"]), (&json!(GIB), &json!(true)));
    assert_eq!(take("monday"), monday);
    let mut expected = [monday["ID"].clone(), tuesday["ID"].clone()];
    expected.sort_by_key(ToString::to_string);
    let mut found = Vec::new();
    let mut token = String::new();
    loop {
        let path = format!("/v1/volumes/snapshot?plugin_id=disks&per_page=1&next_token={token}");
        let page = fixture.server.get(&path).ok().json();
        found.extend(page["Snapshots"].as_array().unwrap().iter().map(|one| one["ID"].clone()));
        token = page["NextToken"].as_str().unwrap().to_owned();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(found, expected);

    let mut copy = volume("copy");
    copy["SnapshotID"] = monday["ID"].clone();
    fixture.create(&[copy]).ok();
    let copied = fixture.external().into_iter().any(|one| one["SnapshotID"] == monday["ID"]);
    assert!(copied);
    for snapshot in &expected {
        let id = snapshot.as_str().unwrap();
        let path = format!("/v1/volumes/snapshot?plugin_id=disks&snapshot_id={id}");
        assert_eq!(fixture.server.delete(&path).ok().body, "");
    }
    let none = fixture.server.get("/v1/volumes/snapshot?plugin_id=disks").ok().json();
    assert_eq!(none["Snapshots"], json!([]));
    let missing = json!({ "Snapshots": [{ "SourceVolumeID": "none", "Name": "n" }] });
    refused(
        &fixture.server.put("/v1/volumes/snapshot", &missing),
        400,
        "1 error occurred:\n\t* no such volume \"none\"\n\n",
    );
}

#[test]
fn a_claim_attaches_and_the_end_of_its_allocation_detaches() {
    let fixture = Fixture::start();
    let created = fixture.created("v");
    fixture.allocation(ALLOC, "running");
    let claimed = fixture.claim("v", ALLOC).ok().json();
    let path = claimed["PublishContext"]["path"].as_str().unwrap();
    assert!(Path::new(path).is_file());
    assert!(path.contains(created["ExternalID"].as_str().unwrap()));
    let attached = || fixture.external()[0]["PublishedExternalNodeIDs"].clone();
    assert_eq!(attached(), json!([fixture.node()]));
    refused(&fixture.server.delete("/v1/volume/csi/v/delete"), 409, "volume in use: v");
    assert_eq!(fixture.files().len(), 1);

    let fixture = fixture.restart();
    let attached = || fixture.external()[0]["PublishedExternalNodeIDs"].clone();
    assert_eq!(attached(), json!([fixture.node()]));
    let index = fixture.server.get("/v1/volume/csi/v").ok().index.unwrap();
    fixture.allocation(ALLOC, "complete");
    eventually(|| fixture.get("v")["WriteAllocs"] == json!({}));
    assert_eq!(attached(), json!([]));
    let volume = fixture.server.get("/v1/volume/csi/v").ok();
    assert!(volume.index.unwrap() > index);
    assert_eq!(volume.json()["AccessMode"], "");
    fixture.server.delete("/v1/volume/csi/v/delete").ok();
    assert!(fixture.files().is_empty());
}

#[test]
fn claims_show_their_owner_and_their_pending_work() {
    let fixture = Fixture::start();
    fixture.created("v");
    let claims =
        |query: &str| fixture.server.get(&format!("/statehold/v1/volume/csi/v/claims{query}")).ok();
    assert_eq!(claims("").json(), json!([]));
    fixture.allocation(ALLOC, "running");
    let index = claims("").index.unwrap();
    std::thread::scope(|threads| {
        let waiting = threads.spawn(|| claims(&format!("?index={index}&wait=60s")).json());
        fixture.server.wait_until_parked(1);
        fixture.claim("v", ALLOC).ok();
        let held = waiting.join().unwrap();
        let [claim] = &held.as_array().unwrap()[..] else { panic!("{held}") };
        assert_eq!(claim["AllocationID"], ALLOC);
        assert_eq!((&claim["JobID"], &claim["TaskGroup"]), (&json!("example"), &json!("cache")));
        assert_eq!((&claim["NodeID"], &claim["Mode"]), (&json!(fixture.node()), &json!("write")));
        assert!(claim["Since"].as_i64().unwrap() > 1_700_000_000_000_000_000);
        let text = claim["ReleasedBy"]["Text"].as_str().unwrap();
        assert!(text.contains(ALLOC) || text.contains("allocation"), "{text}");
    });
    let missing = fixture.server.get("/statehold/v1/volume/csi/none/claims");
    refused(&missing, 404, "volume not found");
}

#[test]
fn detach_releases_ended_claims_and_refuses_live_ones() {
    let fixture = Fixture::start();
    fixture.created("v");
    let node = fixture.node();
    let detach = |volume: &str| {
        fixture.server.delete(&format!("/v1/volume/csi/{volume}/detach?node={node}"))
    };
    refused(&fixture.server.delete("/v1/volume/csi/v/detach"), 400, "detach requires node ID");
    refused(&detach("none"), 404, "no such volume");
    detach("v").ok();
    fixture.allocation(ALLOC, "running");
    fixture.claim("v", ALLOC).ok();
    let reply = detach("v");
    assert_eq!(reply.status, 409, "{reply:?}");
    assert!(reply.body.starts_with("volume in use: v"), "{reply:?}");
    fixture.server.delete(&format!("/statehold/v1/allocations/{ALLOC}")).ok();
    detach("v").ok();
    assert_eq!(fixture.get("v")["WriteAllocs"], json!({}));
    assert_eq!(fixture.external()[0]["PublishedExternalNodeIDs"], json!([]));
    // Another allocation can claim it now.
    fixture.allocation(OTHER_ALLOC, "running");
    fixture.claim("v", OTHER_ALLOC).ok();
}

#[test]
fn unpublish_calls_the_provider() {
    let fixture = Fixture::start();
    fixture.created("v");
    fixture.allocation(ALLOC, "running");
    fixture.claim("v", ALLOC).ok();
    let body = json!({ "AllocationID": ALLOC, "NodeID": fixture.node(), "Mode": "gc" });
    fixture.server.put("/statehold/v1/volume/csi/v/unpublish", &body).ok();
    assert_eq!(fixture.get("v")["WriteAllocs"], json!({}));
    assert_eq!(fixture.external()[0]["PublishedExternalNodeIDs"], json!([]));
}

#[test]
fn claims_of_allocations_no_longer_fed_are_released() {
    let fixture = Fixture::start();
    fixture.server.feed_plugin();
    let mut far = volume("far");
    far["PluginID"] = json!("plugin-id1");
    far["RequestedCapacityMin"] = json!(0);
    far["RequestedCapacityMax"] = json!(0);
    fixture.server.put("/v1/volumes", &json!({ "Volumes": [far] })).ok();
    fixture.server.feed_allocation(ALLOC, NODES[1], "running");
    fixture.server.claim("far", ALLOC, NODES[1], "write").ok();
    fixture.server.delete(&format!("/statehold/v1/allocations/{ALLOC}")).ok();
    eventually(|| fixture.get("far")["WriteAllocs"] == json!({}));
    fixture.server.delete("/v1/volume/csi/far").ok();
}

#[test]
fn a_provider_without_its_directory_is_unhealthy() {
    let fixture = Fixture::start();
    fixture.created("v");
    let plugin = || fixture.server.get("/v1/plugin/csi/disks").ok().json();
    let shelf = fixture.dir.path().join("csi/disks/snapshots");
    fs::remove_dir(&shelf).unwrap();
    eventually(|| plugin()["ControllersHealthy"] == 0 && plugin()["NodesHealthy"] == 0);
    assert_eq!(fixture.get("v")["Schedulable"], false);
    fs::create_dir(&shelf).unwrap();
    eventually(|| plugin()["ControllersHealthy"] == 1 && plugin()["NodesHealthy"] == 1);
    assert_eq!(fixture.get("v")["Schedulable"], true);
}
