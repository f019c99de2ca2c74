//! A directory storage provider, killed while volumes and snapshots are created and deleted: rows and data
//! agree after each start.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::{Server, command};
use serde_json::{Value, json};

/// How often the server is killed.
const ROUNDS: usize = 8;

/// Clients whose requests the kill interrupts.
const CLIENTS: usize = 6;

fn serve(dir: &Path) -> Server {
    Server::spawn(command(dir).args(["--csi-dir-plugin", "disks"]))
}

fn volume(id: &str) -> Value {
    json!({
        "ID": id, "Name": id, "PluginID": "disks", "RequestedCapacityMin": 1 << 20,
        "RequestedCapabilities": [
            { "AccessMode": "single-node-writer", "AttachmentMode": "file-system" },
        ],
    })
}

fn shelf(dir: &Path, name: &str) -> PathBuf {
    dir.join("csi/disks").join(name)
}

fn names(dir: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn create(server: &Server, id: &str) -> Result<u16, ureq::Error> {
    let body = json!({ "Volumes": [volume(id)] }).to_string();
    let path = format!("/v1/volume/csi/{id}/create");
    Ok(server.try_send("PUT", &path, Some(body.as_bytes()))?.status)
}

/// Returns the external IDs by ID, of the volumes with a row.
fn rows(server: &Server) -> BTreeMap<String, String> {
    let ids = server.get("/v1/volumes?type=csi").ok().column("ID");
    let external = |id: &str| {
        let row = server.get(&format!("/v1/volume/csi/{id}")).ok().json();
        row["ExternalID"].as_str().unwrap().to_owned()
    };
    ids.into_iter().map(|id| (id.clone(), external(&id))).collect()
}

/// By volume, whether a client's last acknowledged change is its creation; none while a request is in flight.
type Known = BTreeMap<String, Option<bool>>;

/// Creates, snapshots and deletes until the server is gone.
fn work(server: &Server, client: usize, round: usize, acknowledged: &AtomicUsize) -> Known {
    let mut known = Known::new();
    let mut run = || -> Result<(), ureq::Error> {
        for number in 0.. {
            let id = format!("v-{round}-{client}-{number}");
            known.insert(id.clone(), None);
            assert_eq!(create(server, &id)?, 200);
            known.insert(id.clone(), Some(true));
            acknowledged.fetch_add(1, Ordering::SeqCst);
            if number % 2 == 1 {
                let body = json!({ "Snapshots": [{ "SourceVolumeID": id, "Name": id }] });
                let body = body.to_string();
                server.try_send("PUT", "/v1/volumes/snapshot", Some(body.as_bytes()))?.ok();
                acknowledged.fetch_add(1, Ordering::SeqCst);
            }
            if number % 3 != 2 {
                known.insert(id.clone(), None);
                server.try_send("DELETE", &format!("/v1/volume/csi/{id}/delete"), None)?.ok();
                known.insert(id, Some(false));
                acknowledged.fetch_add(1, Ordering::SeqCst);
            }
        }
        Ok(())
    };
    let _ = run();
    known
}

#[test]
fn rows_and_data_agree_after_repeated_kills() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = serve(dir.path());
    for round in 0..ROUNDS {
        let acknowledged = AtomicUsize::new(0);
        let known: Vec<Known> = std::thread::scope(|scope| {
            let (server, acknowledged) = (&server, &acknowledged);
            let clients: Vec<_> = (0..CLIENTS)
                .map(|client| scope.spawn(move || work(server, client, round, acknowledged)))
                .collect();
            // Each round kills at a different moment.
            while acknowledged.load(Ordering::SeqCst) < 10 + 7 * round {
                std::thread::yield_now();
            }
            let kill = Command::new("kill").args(["-9", &server.id().to_string()]).status();
            assert!(kill.unwrap().success());
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        server.wait();
        server = serve(dir.path());

        let rows = rows(&server);
        let data: BTreeSet<String> = rows.values().cloned().collect();
        assert_eq!(names(&shelf(dir.path(), "volumes")), data, "round {round}");
        for name in data {
            assert!(shelf(dir.path(), "volumes").join(name).join("data").is_file());
        }
        let listed = server.get("/v1/volumes/snapshot?plugin_id=disks").ok().json();
        let listed = listed["Snapshots"].as_array().unwrap().iter();
        let listed: BTreeSet<_> =
            listed.map(|one| one["ID"].as_str().unwrap().to_owned()).collect();
        assert_eq!(names(&shelf(dir.path(), "snapshots")), listed, "round {round}");
        assert!(names(&shelf(dir.path(), "intents")).is_empty());
        for (id, state) in known.into_iter().flatten() {
            match state {
                Some(created) => assert_eq!(rows.contains_key(&id), created, "{id}"),
                // The client never learned the outcome, and repeats its request.
                None => assert_eq!(create(&server, &id).unwrap(), 200, "{id}"),
            }
        }
    }
}

#[test]
fn a_delete_that_a_kill_interrupted_is_finished() {
    let dir = tempfile::tempdir().unwrap();
    let server = serve(dir.path());
    for id in ["gone", "kept"] {
        assert_eq!(create(&server, id).unwrap(), 200);
    }
    let external = rows(&server);
    server.kill();
    // Simulates a kill between the deletion of the data and of the row, and one before both.
    for (number, (id, external_id)) in external.iter().enumerate() {
        let pending = json!({ "namespace": "default", "id": id, "external_id": external_id });
        let name = format!("00000000-0000-4000-8000-00000000000{number}");
        let intent = json!({ "Delete": pending }).to_string();
        fs::write(shelf(dir.path(), "intents").join(name), intent).unwrap();
    }
    fs::remove_dir_all(shelf(dir.path(), "volumes").join(&external["gone"])).unwrap();
    let server = serve(dir.path());
    assert_eq!(server.get("/v1/volumes?type=csi").ok().column("ID"), ["kept"]);
    assert_eq!(create(&server, "gone").unwrap(), 200);
    assert_ne!(rows(&server)["gone"], external["gone"]);
}

#[test]
fn a_volume_without_data_is_not_recreated_under_its_old_id() {
    let dir = tempfile::tempdir().unwrap();
    let server = serve(dir.path());
    assert_eq!(create(&server, "v").unwrap(), 200);
    let external = rows(&server)["v"].clone();
    server.kill();
    fs::remove_dir_all(shelf(dir.path(), "volumes").join(external)).unwrap();
    let server = serve(dir.path());
    assert_eq!(create(&server, "v").unwrap(), 404);
    server.delete("/v1/volume/csi/v/delete").ok();
    assert_eq!(create(&server, "v").unwrap(), 200);
}

#[test]
fn a_bad_volume_or_intent_stops_no_start_and_files_stay() {
    let dir = tempfile::tempdir().unwrap();
    let server = serve(dir.path());
    for id in ["bad", "good"] {
        assert_eq!(create(&server, id).unwrap(), 200);
    }
    let external = rows(&server);
    server.kill();
    let volumes = shelf(dir.path(), "volumes");
    fs::write(volumes.join(&external["bad"]).join("meta.json"), "").unwrap();
    let intent = "d5eb3325-5d8c-4f2f-a94f-0c2cc2a2e8a7";
    let foreign = [
        volumes.join(".snapshots/monday"),
        volumes.join(".zfs/x"),
        volumes.join("lost+found/x"),
        shelf(dir.path(), "snapshots").join(".Trash-0/files"),
    ];
    for path in &foreign {
        fs::create_dir_all(path).unwrap();
    }
    for dir in [shelf(dir.path(), "intents"), dir.path().join("intents")] {
        fs::write(dir.join(intent), "").unwrap();
    }
    let server = serve(dir.path());
    assert!(foreign.iter().all(|path| path.exists()));
    let listed = server.get("/v1/volumes/external?plugin_id=disks").ok().json();
    assert_eq!(listed["Volumes"][0]["ExternalID"], external["good"].as_str());
    assert_eq!(listed["Volumes"].as_array().unwrap().len(), 1);
    assert_eq!(create(&server, "good").unwrap(), 200);
    assert_eq!(server.delete("/v1/volume/csi/bad/delete").status, 502, "its data is still there");
    server.get("/v1/volume/csi/bad").ok();
    assert!(volumes.join(&external["bad"]).join("data").is_file());
}

#[test]
fn the_ids_of_volumes_and_snapshots_fit_into_a_column() {
    let dir = tempfile::tempdir().unwrap();
    let server = serve(dir.path());
    assert_eq!(create(&server, "v").unwrap(), 200);
    assert!(rows(&server)["v"].len() <= 12);
    let body = json!({ "Snapshots": [{ "SourceVolumeID": "v", "Name": "s" }] });
    let taken = server.put("/v1/volumes/snapshot", &body).ok().json();
    assert!(taken["Snapshots"][0]["ID"].as_str().unwrap().len() <= 12);
}
