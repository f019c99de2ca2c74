//! A full disk stops writes, and only writes; they resume once the disk has room.

use crate::common;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use crate::cloud::Cloud;
use crate::common::{Server, command, eventually, volume_payload};
use serde_json::json;

/// A small file system in memory, unmounted on drop.
struct Small<'p>(&'p Path);

impl<'p> Small<'p> {
    /// Returns `None` where mounting is not permitted.
    fn mount(path: &'p Path) -> Option<Self> {
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "statehold-test"])
            .arg(path)
            .output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self(path))
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

/// Fills the file system.
fn fill(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    while file.write_all(&[7; 4096]).is_ok() {}
}

#[test]
fn writes_resume_once_a_full_disk_has_room_again() {
    let dir = tempfile::tempdir().unwrap();
    let Some(small) = Small::mount(dir.path()) else {
        println!("no file system can be mounted here: not run");
        return;
    };
    let server = Server::start(&dir.path().join("data"));
    server.feed_plugin();
    let register = |number: usize| {
        let mut volume = volume_payload(&format!("vol-{number}"));
        volume["ExternalID"] = json!(format!("external-{number}"));
        volume["Name"] = json!("n".repeat(2000));
        server.register(&volume).status
    };
    let status = || server.get("/statehold/v1/status").ok().json();
    assert_eq!(register(0), 200);
    assert_eq!(status()["Writable"], true);
    assert!(status()["StoreID"].is_string());

    let filler = dir.path().join("filler");
    fill(&filler);
    // redb uses up the space that it has preallocated first.
    let refused = (1..3000).find(|number| register(*number) != 200).unwrap();
    let failed = status();
    assert_eq!(failed["Writable"], false, "{failed}");
    assert!(failed["Failure"].is_string());
    assert!(server.get("/metrics").ok().body.contains("statehold_store_writable 0"));
    assert_eq!(server.get("/v1/volume/csi/vol-0").status, 200, "reads go on");
    let host = json!({ "Volume": { "Name": "h" } });
    assert_eq!(server.put("/v1/volume/host/create", &host).status, 503, "no bug of the server");
    assert_eq!(server.get(&format!("/v1/volume/csi/vol-{refused}")).status, 404);

    fs::remove_file(filler).unwrap();
    eventually(|| status()["Writable"] == true);
    assert_eq!(register(refused), 200);
    assert!(server.get("/metrics").ok().body.contains("statehold_store_writable 1"));
    let volumes = server.get("/v1/volumes?type=csi").ok().json().as_array().unwrap().len();
    assert_eq!(volumes, refused + 1);

    server.kill();
    let server = Server::start(&dir.path().join("data"));
    let again = server.get("/v1/volumes?type=csi").ok().json().as_array().unwrap().len();
    assert_eq!(again, volumes, "each acknowledged volume is there after a kill");
    drop(server);
    drop(small);
}

/// Returns a server whose start writes more than a full disk has room for.
fn with_large_node(dir: &Path) -> Command {
    let mut command = command(&dir.join("data"));
    command.args(["--csi-dir-plugin", "files", "--block-storage", "127.0.0.1:0"]);
    for part in 0..3 {
        command.arg("--node-meta").arg(format!("part{part}={}", "x".repeat(100_000)));
    }
    command
}

#[test]
fn a_start_on_a_full_disk_serves_reads_and_recovers_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let Some(small) = Small::mount(dir.path()) else {
        println!("no file system can be mounted here: not run");
        return;
    };
    let mut first = command(&dir.path().join("data"));
    first.args(["--csi-dir-plugin", "files", "--block-storage", "127.0.0.1:0"]);
    let server = Server::spawn(&mut first);
    server.feed_plugin();
    server.register(&volume_payload("v")).ok();
    let own = server.get("/v1/nodes?filter=Name+is+not+empty").ok().column("ID");
    let own = own.into_iter().find(|id| !common::NODES.contains(&id.as_str())).unwrap();
    server.kill();
    fill(&dir.path().join("filler"));

    let server = Server::spawn(&mut with_large_node(dir.path()));
    let status = || server.get("/statehold/v1/status").ok().json();
    let failed = status();
    assert_eq!((&failed["Writable"], failed["Failure"].is_string()), (&false.into(), true));
    assert!(server.get("/metrics").ok().body.contains("statehold_store_writable 0"));
    assert_eq!(server.get("/v1/volumes?type=csi").ok().column("ID"), ["v"], "reads go on");
    let refused = server.put("/v1/namespace", &json!({ "Name": "n" }));
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.body.contains("free space"), "{refused:?}");
    let host = json!({ "Volume": { "Name": "h" } });
    assert_eq!(server.put("/v1/volume/host/create", &host).status, 503, "and does not wait");

    fs::remove_file(dir.path().join("filler")).unwrap();
    eventually(|| status()["Writable"] == true);
    // The rest of the start is finished without a restart too.
    let node = || server.get(&format!("/v1/node/{own}")).ok().json();
    eventually(|| node()["Meta"]["part2"].is_string());
    server.put("/v1/namespace", &json!({ "Name": "n" })).ok();
    server.put("/v1/volume/host/create", &host).ok();
    drop(server);
    drop(small);
}

#[test]
fn a_first_start_without_room_ends_with_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let Some(small) = Small::mount(dir.path()) else {
        println!("no file system can be mounted here: not run");
        return;
    };
    let filler = dir.path().join("filler");
    fill(&filler);
    let ended = command(&dir.path().join("data")).output().unwrap();
    let log = String::from_utf8(ended.stderr).unwrap();
    assert!(!ended.status.success() && log.contains("No space left"), "{log}");
    fs::remove_file(&filler).unwrap();
    let server = Server::start(&dir.path().join("data"));
    assert_eq!(server.get("/statehold/v1/status").ok().json()["Writable"], true);
    drop(server);
    drop(small);
}

#[test]
fn a_failed_write_ends_the_server_with_its_flag() {
    let dir = tempfile::tempdir().unwrap();
    let Some(small) = Small::mount(dir.path()) else {
        println!("no file system can be mounted here: not run");
        return;
    };
    let mut command = command(&dir.path().join("data"));
    let server = Server::spawn(command.arg("--exit-on-write-failure"));
    server.feed_plugin();
    fill(&dir.path().join("filler"));
    for number in 0.. {
        let mut volume = volume_payload(&format!("vol-{number}"));
        volume["ExternalID"] = json!(format!("external-{number}"));
        volume["Name"] = json!("n".repeat(2000));
        let body = json!({ "Volumes": [volume] }).to_string();
        let sent = server.try_send("PUT", "/v1/volumes", Some(body.as_bytes()));
        if sent.is_err() || sent.is_ok_and(|reply| reply.status != 200) {
            break;
        }
    }
    assert!(!server.wait().success());
    drop(small);
}

#[test]
fn block_storage_is_healthy_while_the_store_takes_writes() {
    let dir = tempfile::tempdir().unwrap();
    let Some(small) = Small::mount(dir.path()) else {
        println!("no file system can be mounted here: not run");
        return;
    };
    let cloud = Cloud::start_alone(dir.path());
    let health = |method: &str| cloud.send(method, "/healthcheck", b"", &[]);
    assert_eq!((health("GET").status, health("HEAD").status), (200, 204));
    let create = |number: usize| {
        let specs: serde_json::Map<_, _> =
            (0..8).map(|key| (format!("k{key}"), json!("v".repeat(255)))).collect();
        let body = json!({"volume_type": {"name": format!("t{number}"), "extra_specs": specs}});
        cloud.call("POST", "/types", &body).status
    };
    let filler = dir.path().join("filler");
    fill(&filler);
    assert!((0..3000).any(|number| create(number) != 200), "a full disk takes all writes");
    let failed = health("GET");
    assert_eq!(failed.status, 503);
    assert!(failed.body.contains("accepts no writes"), "{}", failed.body);
    let head = health("HEAD");
    assert_eq!((head.status, &*head.body), (503, ""));

    fs::remove_file(filler).unwrap();
    eventually(|| health("GET").status == 200);
    assert_eq!(create(3000), 200);
    drop(cloud);
    drop(small);
}

#[test]
fn an_interrupted_host_delete_finishes_on_a_full_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (data, intents) = (dir.path().join("data"), dir.path().join("data/intents"));
    fs::create_dir_all(&intents).unwrap();
    // On a disk of its own, because the store's journal must have room, as on a disk that fills up later.
    let Some(small) = Small::mount(&intents) else {
        println!("no file system can be mounted here: not run");
        return;
    };
    let server = Server::start(&data);
    let host = json!({ "Volume": { "Name": "h", "PluginID": "mkdir" } });
    let created = server.put("/v1/volume/host/create", &host).ok().json()["Volume"].clone();
    let id = created["ID"].as_str().unwrap();
    server.kill();
    let request = json!({
        "id": id, "name": "h", "namespace": "default", "node_id": created["NodeID"],
        "node_pool": "default", "capacity_min": 0, "capacity_max": 0, "parameters": {},
    });
    let work = json!({ "Delete": { "path": created["HostPath"] } });
    let intent = json!({ "work": work, "plugin": "mkdir", "request": request });
    fs::write(intents.join(id), intent.to_string()).unwrap();
    fill(&intents.join("filler"));

    let server = Server::start(&data);
    server.wait_until_restored();
    assert_eq!(server.get("/statehold/v1/status").ok().json()["Writable"], true);
    assert_eq!(server.get(&format!("/v1/volume/host/{id}")).status, 404);
    assert!(!Path::new(created["HostPath"].as_str().unwrap()).exists());
    assert!(!intents.join(id).exists());
    drop(server);
    drop(small);
}

#[test]
fn provider_work_without_room_is_503_and_logs_its_cause() {
    let dir = tempfile::tempdir().unwrap();
    let Some(small) = Small::mount(dir.path()) else {
        println!("no file system can be mounted here: not run");
        return;
    };
    let data = dir.path().join("data");
    let mut command = command(&data);
    let mut server = Server::spawn_with_stderr(
        command.args(["--csi-dir-plugin", "files"]),
        std::process::Stdio::piped(),
    );
    let log = server.stderr();
    let create = |id: &str, size: u64| {
        let mut volume = volume_payload(id);
        volume["Name"] = json!(id);
        volume["PluginID"] = json!("files");
        volume["ExternalID"] = json!("");
        volume["RequestedCapacityMin"] = json!(size);
        volume["RequestedCapacityMax"] = json!(2 * size);
        let body = json!({ "Volumes": [volume] });
        server.put(&format!("/v1/volume/csi/{id}/create"), &body)
    };
    create("v", 1_000).ok();
    fill(&dir.path().join("filler"));
    let host = json!({ "Volume": { "Name": "h", "PluginID": "mkdir" } });
    let snapshot = json!({ "Snapshots": [{ "SourceVolumeID": "v", "Name": "s" }] });
    let replies = [
        create("w", 1_000),
        create("v", 20_000),
        server.put("/v1/volumes/snapshot", &snapshot),
        server.put("/v1/volume/host/create", &host),
    ];
    for reply in &replies {
        assert_eq!(reply.status, 503, "{reply:?}");
        assert!(reply.body.contains("No space left on device"), "{reply:?}");
        let names_the_disk = reply.body.contains(&*data.to_string_lossy());
        assert!(names_the_disk, "the store is not to blame: {reply:?}");
    }
    assert_eq!(server.get("/statehold/v1/status").ok().json()["Writable"], true);
    for intents in ["intents", "csi/files/intents"] {
        assert_eq!(fs::read_dir(data.join(intents)).unwrap().count(), 0, "{intents}");
    }
    server.stop();
    let log = std::io::read_to_string(log).unwrap();
    let failed: Vec<&str> = log.lines().filter(|line| line.contains("request failed")).collect();
    assert_eq!(failed.len(), replies.len(), "{log}");
    assert!(failed.iter().all(|line| line.contains("No space left on device")), "{log}");
    assert!(!log.contains("the store takes no writes"), "{log}");
    drop(small);
}
