//! The claims of task groups on host volumes, over a socket.

use crate::common::{ALLOC, NODES, OTHER_ALLOC, Server, encode};
use serde_json::{Value, json};

const VOLUMES: [&str; 2] =
    ["1c1d6e5a-2b8f-4a57-9d53-0f9a9d6f0f11", "2c1d6e5a-2b8f-4a57-9d53-0f9a9d6f0f22"];

/// Starts a server with a node that reports two volumes. Two namespaces each have a job that claims one of
/// them for its group.
fn start(dir: &std::path::Path) -> Server {
    let server = Server::start(dir);
    server.put("/v1/namespace", &json!({ "Name": "prod" })).ok();
    let node = json!({ "Name": "n", "Status": "ready", "HostVolumes": {
        "data": { "Name": "data", "Path": "/srv/data", "ID": VOLUMES[0] },
        "logs": { "Name": "logs", "Path": "/srv/logs", "ID": VOLUMES[1] },
    } });
    server.put(&format!("/statehold/v1/nodes/{}", NODES[0]), &node).ok();
    for (namespace, job, source) in [("default", "web", "data"), ("prod", "db", "logs")] {
        let job_body = json!({ "TaskGroups": [{ "Name": "g", "Count": 1, "Volumes": {
            "v": { "Name": "v", "Type": "host", "Source": source, "Sticky": true },
        } }] });
        server.put(&format!("/statehold/v1/jobs/{namespace}/{job}"), &job_body).ok();
    }
    place(&server, ALLOC, "default", "web");
    place(&server, OTHER_ALLOC, "prod", "db");
    server
}

fn place(server: &Server, alloc: &str, namespace: &str, job: &str) {
    let body = json!({
        "ID": alloc, "Namespace": namespace, "Name": format!("{job}.g[0]"), "NodeID": NODES[0],
        "JobID": job, "TaskGroup": "g", "DesiredStatus": "run", "ClientStatus": "running",
    });
    server.put(&format!("/statehold/v1/allocations/{alloc}"), &body).ok();
}

fn claims(server: &Server, query: &str) -> Vec<Value> {
    let list = server.get(&format!("/v1/volumes/claims{query}")).ok();
    assert!(list.index.unwrap() >= 1);
    serde_json::from_value(list.json()).unwrap()
}

#[test]
fn placing_an_allocation_claims_its_groups_sticky_volume() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    let [claim] = &claims(&server, "")[..] else { panic!("not one claim") };
    let mut expected = json!({
        "Namespace": "default", "JobID": "web", "TaskGroupName": "g", "AllocID": ALLOC,
        "VolumeID": VOLUMES[0], "VolumeName": "data",
    });
    for name in ["ID", "CreateIndex", "ModifyIndex"] {
        expected[name] = claim[name].clone();
    }
    assert_eq!(*claim, expected);
}

#[test]
fn lists_select_by_every_parameter() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    let all = claims(&server, "?namespace=*");
    let jobs: Vec<_> = all.iter().map(|claim| claim["JobID"].as_str().unwrap()).collect();
    assert_eq!(jobs, ["web", "db"]);
    let id = all[1]["ID"].as_str().unwrap();
    let counts = [
        ("?namespace=*&job_id=db".to_owned(), 1),
        ("?job_id=db".to_owned(), 0),
        ("?namespace=*&task_group=g".to_owned(), 2),
        ("?namespace=*&task_group=h".to_owned(), 0),
        ("?namespace=*&volume_name=logs".to_owned(), 1),
        (format!("?namespace=*&prefix={}", &id[..8]), 1),
        (format!("?namespace=*&claim_id={}", &id[..8]), 1),
        (format!("?namespace=*&claim_id={}", &id[..8].to_uppercase()), 1),
        ("?namespace=*&prefix=zz".to_owned(), 0),
        (format!("?namespace=*&filter={}", encode("VolumeName == data")), 1),
    ];
    for (query, count) in counts {
        assert_eq!(claims(&server, &query).len(), count, "{query}");
    }
    let first = server.get("/v1/volumes/claims?namespace=*&per_page=1").ok();
    assert_eq!(first.column("JobID"), ["web"]);
    let token = first.next_token.unwrap();
    let second =
        server.get(&format!("/v1/volumes/claims?namespace=*&per_page=1&next_token={token}"));
    assert_eq!(second.ok().column("JobID"), ["db"]);
    let backwards = server.get("/v1/volumes/claims?namespace=*&reverse=true").ok();
    assert_eq!(backwards.column("JobID"), ["db", "web"]);
}

#[test]
fn a_claim_is_deleted_once_and_only_in_its_namespace() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    let id = claims(&server, "")[0]["ID"].as_str().unwrap().to_owned();
    let missing = |path: &str| {
        let reply = server.delete(path);
        assert_eq!(
            (reply.status, &*reply.body),
            (404, "task group volume claim does not exist"),
            "{path}"
        );
    };
    missing(&format!("/v1/volumes/claim/{id}?namespace=prod"));
    missing("/v1/volumes/claim/no-uuid");
    let index = server.get("/v1/volumes/claims").ok().index.unwrap();
    let path = format!("/v1/volumes/claims?index={index}&wait=60s");
    std::thread::scope(|threads| {
        let waiting = threads.spawn(|| server.get(&path).ok());
        server.wait_until_parked(1);
        let deleted = server.delete(&format!("/v1/volumes/claim/{id}")).ok();
        assert_eq!(deleted.body, "");
        let woken = waiting.join().unwrap();
        assert_eq!((woken.json(), woken.index), (json!([]), deleted.index));
    });
    missing(&format!("/v1/volume/claim/{id}"));
    let other = claims(&server, "?namespace=prod")[0]["ID"].as_str().unwrap().to_owned();
    server.delete(&format!("/v1/volume/claim/{other}?namespace=prod")).ok();
    assert!(claims(&server, "?namespace=*").is_empty());
}

#[test]
fn claims_outlive_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    let before = claims(&server, "?namespace=*");
    server.kill();
    let server = Server::start(dir.path());
    assert_eq!(claims(&server, "?namespace=*"), before);
}

#[test]
fn other_methods_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    for (method, path, status, text) in [
        ("DELETE", "/v1/volumes/claims", 405, "Invalid method"),
        ("GET", "/v1/volumes/claim/x", 405, "Invalid method"),
        ("DELETE", "/v1/volumes/claim/", 404, "resource not found"),
    ] {
        let reply = server.send(method, path, None);
        assert_eq!((reply.status, &*reply.body), (status, text), "{method} {path}");
    }
}
