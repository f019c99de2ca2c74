//! A disk that is full stops writes, and only writes; they go on when there is room again.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use common::{Server, command, eventually, volume_payload};
use serde_json::json;

/// A small file system in memory; unmounted when it is dropped.
struct Small<'p>(&'p Path);

impl<'p> Small<'p> {
    /// None where mounting is not permitted.
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

/// Takes all the room that is left.
fn fill(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    while file.write_all(&[7; 4096]).is_ok() {}
}

#[test]
fn writes_go_on_by_themselves_when_a_full_disk_has_room_again() {
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
    // What redb has reserved already is used up first.
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

#[test]
fn a_server_exits_on_a_failed_write_if_it_is_asked_to() {
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
