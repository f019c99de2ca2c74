//! Replays calls recorded from a real cloud, in order: status, headers and body MUST be equal.
//!
//! The calls go over a socket to the real binary, with an identity service that knows the recorded users. IDs
//! in replies replace the recorded ones in later requests and expectations. Each change waits until no
//! work is pending, as the recording did.

use crate::cloud;
use serde_json::Value;

use crate::cloud::identity::Identity;
use crate::cloud::{Cloud, JSON, LATEST};
use crate::recording::{Call, Known, compare};

const MEMBER: (&str, &str) =
    ("4a7af72ad161459c9ec45762285a5ce1", "2c98a9fef62442ceb74366e985af8d5f");
const ADMIN: (&str, &str) =
    ("249f91e985984d0b93db39770c798087", "b74e5d81f9d44e60b55659a51c6cf08f");

/// Returns the reason for an intended difference from the recording.
fn differs(call: &Call) -> Option<&'static str> {
    Some(match call.at {
        6 => "version documents need no token, because clients request them first",
        12 => "version 3.71 came after the recording",
        29 => "an empty body is the client's fault: 400 instead of 500",
        98 | 127 | 231 | 519..=522 => "members may look for parts of names here",
        184 => "there are no images to upload to",
        296 => "without a compute service to ask, 409 instead of 500",
        515 | 545 | 548 => "a back end is another one, and has other volumes",
        556 => "which parts of a service log is its own matter",
        344 | 347 => "the backup is restored by then",
        533 | 535 | 541 => "ordered by names that have other IDs",
        539 | 543 => "the reply names the volume of a snapshot",
        567 => "the volume is taken over here",
        405 => "only the identity service knows which projects there are, and isn't asked",
        _ => return None,
    })
}

#[test]
fn replies_equal_the_recording() {
    let calls: Vec<Call> =
        serde_json::from_str(include_str!("data/block_storage_calls.json")).unwrap();
    let identity = Identity::start();
    identity.know_user("member", MEMBER, &["member", "reader"]);
    identity.know_user("admin", ADMIN, &["admin", "member", "reader"]);
    let dir = tempfile::tempdir().unwrap();
    let url = identity.url();
    let keystone = ["--auth", "keystone", "--identity-url", &url];
    // The recorded cloud created `__DEFAULT__` before the type that became its default.
    let mut cloud = Cloud::start_with(dir.path(), &keystone);
    let described = serde_json::json!({"volume_type": {"description": "Default Volume Type"}});
    let list = send(&cloud, "GET", "/v3/types", &Value::Null);
    let first = list["volume_types"][0]["id"].as_str().unwrap();
    send(&cloud, "PUT", &format!("/v3/types/{first}"), &described);
    cloud.restart(dir.path(), &[&keystone[..], &["--default-volume-type", "localdir"]].concat());

    let mut known = Known::default();
    known.learn("http://127.0.0.1:8776", &cloud.url);
    known.learn("http://127.0.0.1:5000", &url);
    let list = send(&cloud, "GET", "/v3/os-services?binary=cinder-scheduler", &Value::Null);
    known.learn("refhost", list["services"][0]["host"].as_str().unwrap());
    for (recorded, own) in [("1", "a"), ("2", "b")] {
        known.learn(&format!("@local{recorded}"), &format!("@{own}"));
        known.learn(&format!("#LOCAL{recorded}"), &format!("#{own}"));
        known.learn(&format!("%23LOCAL{recorded}"), &format!("%23{own}"));
    }
    known.learn("maximum is 3.70.", "maximum is 3.71.");
    let (mut held, mut wrong) = (0, Vec::new());
    for call in &calls {
        if differs(call).is_some() {
            continue;
        }
        let reply = call.send(&cloud, &known);
        let differences = compare(call, &reply, &mut known);
        if differences.is_empty() {
            held += 1;
        } else {
            wrong.push(format!(
                "{} {}: {} {} {}\n  {}",
                call.at,
                call.name,
                call.method,
                call.path,
                call.body,
                differences.join("\n  ")
            ));
        }
        if call.method != "GET" && !call.body.to_string().contains("os-reset_status") {
            settle(&cloud);
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), wrong.len() + held, wrong.join("\n"));
    assert!(held >= 569, "only {held} calls were answered");
}

fn send(cloud: &Cloud, method: &str, path: &str, body: &Value) -> Value {
    let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
    let reply = cloud.send(method, path, &body, &[("x-auth-token", "admin"), JSON, LATEST]);
    assert_eq!(reply.status, 200, "{method} {path}: {}", reply.body);
    reply.json()
}

/// Waits until no row is in a transitional status.
fn settle(cloud: &Cloud) {
    const BUSY: [&str; 11] = [
        "creating",
        "deleting",
        "extending",
        "retyping",
        "reverting",
        "updating",
        "backing-up",
        "restoring-backup",
        "uploading",
        "managing",
        "unmanaging",
    ];
    let until = std::time::Instant::now() + cloud::PATIENCE;
    loop {
        let busy =
            ["volumes", "snapshots", "groups", "group_snapshots", "backups"].iter().any(|rows| {
                let list =
                    send(cloud, "GET", &format!("/v3/{rows}/detail?all_tenants=1"), &Value::Null);
                let mut rows = list[rows].as_array().unwrap().iter();
                rows.any(|row| BUSY.iter().any(|busy| row["status"] == *busy))
            });
        if !busy {
            return;
        }
        assert!(std::time::Instant::now() < until, "work is never done");
        std::thread::yield_now();
    }
}
