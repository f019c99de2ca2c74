//! Only the owner can access the files that the program creates, with any umask.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::cloud::Cloud;
use rustix::fs::Mode;
use serde_json::{Value, json};

/// Collects the paths at or below `path` to which the group or others have any access.
fn shared(path: &Path, found: &mut Vec<String>, seen: &mut usize) {
    let about = fs::symlink_metadata(path).unwrap();
    let mode = about.permissions().mode() & 0o7777;
    let wanted = if about.is_dir() { 0o700 } else { 0o600 };
    *seen += 1;
    if mode != wanted {
        found.push(format!("{} {mode:o}", path.display()));
    }
    if about.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            shared(&entry.unwrap().path(), found, seen);
        }
    }
}

fn statehold(args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_statehold"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{args:?}");
    output.stdout
}

/// Manages two files with world-readable modes on the back end `a`, as a volume and its snapshot.
fn adopt(cloud: &Cloud, dir: &Path) {
    for name in ["found", "found-snapshot"] {
        let path = dir.join("a").join(name);
        fs::File::create(&path).unwrap().set_len(1 << 20).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    }
    let pools = cloud.get("/scheduler-stats/get_pools");
    let hosts =
        pools["pools"].as_array().unwrap().iter().map(|pool| pool["name"].as_str().unwrap());
    let host = hosts.into_iter().find(|host| host.contains("@a#")).unwrap();
    let reference = |name: &str| json!({ "source-name": name });
    let body = json!({"volume": {"host": host, "ref": reference("found")}});
    let volume = cloud.create("/manageable_volumes", &body);
    cloud.wait(&format!("/volumes/{volume}"), "available");
    let body = json!({"snapshot": {"volume_id": volume, "ref": reference("found-snapshot")}});
    let snapshot = cloud.create("/manageable_snapshots", &body);
    cloud.wait(&format!("/snapshots/{snapshot}"), "available");
}

/// Runs a session in which every part creates files: both APIs, and two starts.
fn session(dir: &Path) {
    let mut cloud = Cloud::start_with(dir, &["--csi-dir-plugin", "disks"]);
    let volume = cloud.create("/volumes", &json!({"volume": {"size": 1}}));
    cloud.wait(&format!("/volumes/{volume}"), "available");
    let file = ["a", "b"].map(|name| dir.join(name).join(format!("volume-{volume}")));
    let file = file.iter().find(|file| file.exists()).unwrap();
    fs::OpenOptions::new().write(true).open(file).unwrap().write_all(b"data").unwrap();
    let snapshot = cloud.create("/snapshots", &json!({"snapshot": {"volume_id": volume}}));
    cloud.wait(&format!("/snapshots/{snapshot}"), "available");
    let copy = cloud.create("/volumes", &json!({"volume": {"snapshot_id": snapshot}}));
    cloud.wait(&format!("/volumes/{copy}"), "available");
    let backup = cloud.create("/backups", &json!({"backup": {"volume_id": volume}}));
    cloud.wait(&format!("/backups/{backup}"), "available");
    adopt(&cloud, dir);

    let send = |method: &str, path: &str, body: &Value| {
        let url = format!("{}{path}", cloud.nomad());
        let request = ureq::http::Request::builder().method(method).uri(url);
        let agent: ureq::Agent = ureq::Agent::config_builder().build().into();
        agent.run(request.body(body.to_string().into_bytes()).unwrap()).unwrap();
    };
    send("PUT", "/v1/volume/host/create", &json!({"Volume": {"Name": "h", "PluginID": "mkdir"}}));
    let volume = json!({
        "ID": "v", "Name": "v", "PluginID": "disks", "Secrets": {"password": "xyzzy"},
        "RequestedCapabilities": [
            { "AccessMode": "single-node-writer", "AttachmentMode": "file-system" },
        ],
    });
    send("PUT", "/v1/volume/csi/v/create", &json!({ "Volumes": [volume] }));
    let snapshots = json!({ "Snapshots": [{ "SourceVolumeID": "v", "Name": "s" }] });
    send("PUT", "/v1/volumes/snapshot", &snapshots);
    cloud.restart(dir, &["--csi-dir-plugin", "disks"]);
}

#[test]
fn every_file_and_directory_is_its_owners_alone() {
    // The usual umask, for every test of this process. The servers inherit it.
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let root = tempfile::tempdir().unwrap();
    session(root.path());
    let path = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
    statehold(&["backup", &path("data"), &path("backup")], b"");
    let dump = statehold(&["dump", &path("data")], b"");
    statehold(&["dump", &path("data"), &path("dump")], b"");
    statehold(&["restore", &path("backup"), &path("deep/er/restored")], b"");
    statehold(&["load", &path("loaded")], &dump);
    let (mut found, mut seen) = (Vec::new(), 0);
    for name in ["data", "a", "b", "backup", "dump", "deep", "loaded"] {
        shared(&root.path().join(name), &mut found, &mut seen);
    }
    assert!(found.is_empty(), "others may use {found:#?}");
    assert!(seen > 40, "the session created {seen} files and directories");
}

#[test]
fn directories_that_others_may_enter_are_logged() {
    let root = tempfile::tempdir().unwrap();
    for (name, mode) in [("data", 0o755), ("a", 0o755), ("b", 0o700), ("backups", 0o710)] {
        let dir = root.path().join(name);
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(mode)).unwrap();
    }
    let (log, backups) = (root.path().join("log"), root.path().join("backups"));
    drop(Cloud::start_logged(root.path(), &["--backup-dir", backups.to_str().unwrap()], &log));
    let log = fs::read_to_string(&log).unwrap();
    let warned = |name: &str, purpose: &str| {
        let dir = root.path().join(name).display().to_string();
        log.lines().any(|line| {
            line.contains(&dir) && line.contains(&format!("may enter the {purpose}, which holds"))
        })
    };
    assert!(warned("data", "data directory"), "{log}");
    assert!(warned("a", "directory of the back end"), "{log}");
    assert!(warned("backups", "directory of the backups"), "{log}");
    assert!(!warned("b", "directory of the back end"), "{log}");
}
