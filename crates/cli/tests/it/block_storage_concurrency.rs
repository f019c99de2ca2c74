//! Concurrent clients of Block Storage: a volume has at most one user, and a project never exceeds its quota.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::{Value, json};

use crate::cloud::{Cloud, PATIENCE};

const USERS: usize = 64;
const MAKERS: usize = 32;

/// A volume that every client tries to attach exclusively.
struct Wanted<'c> {
    cloud: &'c Cloud,
    volume: String,
    /// The number of clients that hold it, each of which MUST be the only one.
    holders: AtomicUsize,
}

impl Wanted<'_> {
    fn action(&self, body: &Value) -> u16 {
        self.cloud.call("POST", &format!("/volumes/{}/action", self.volume), body).status
    }

    /// Attaches the volume by an action, checks that no other client holds it, and detaches it. Returns whether
    /// the attachment was accepted.
    fn by_action(&self, user: usize) -> bool {
        let host = format!("host-{user}");
        match self.action(&json!({"os-attach": {"host_name": host, "mountpoint": "/dev/vdb"}})) {
            202 => {}
            400 => return false,
            other => panic!("os-attach is answered {other}"),
        }
        let own = self.hold(|row| row["host_name"] == *host);
        assert_eq!(self.action(&json!({"os-begin_detaching": {}})), 202);
        self.holders.fetch_sub(1, Ordering::SeqCst);
        assert_eq!(self.action(&json!({"os-detach": {"attachment_id": own}})), 202);
        true
    }

    /// Like [`by_action`](Self::by_action), with the attachments API.
    fn by_attachment(&self, user: usize) -> bool {
        let connector = json!({"host": format!("host-{user}"), "mountpoint": "/dev/vdb"});
        let instance = format!("00000000-0000-4000-8000-{user:012}");
        let body = json!({"attachment": {
            "volume_uuid": self.volume, "instance_uuid": instance, "connector": connector,
        }});
        let created = self.cloud.call("POST", "/attachments", &body);
        match created.status {
            200 => {}
            400 => return false,
            other => panic!("an attachment is answered {other}: {}", created.body),
        }
        let created = created.json();
        let path = format!("/attachments/{}", created["attachment"]["id"].as_str().unwrap());
        let complete = json!({"os-complete": {}});
        self.cloud.expect(204, "POST", &format!("{path}/action"), &complete);
        let own = self.hold(|row| row["server_id"] == *instance);
        assert!(path.ends_with(&own));
        self.holders.fetch_sub(1, Ordering::SeqCst);
        self.cloud.expect(200, "DELETE", &path, &Value::Null);
        true
    }

    /// Checks that this client alone holds the volume, and returns the ID of its attachment.
    fn hold(&self, is_own: impl Fn(&Value) -> bool) -> String {
        assert_eq!(self.holders.fetch_add(1, Ordering::SeqCst), 0, "two have the volume");
        let path = format!("/attachments?volume_id={}", self.volume);
        let rows = self.cloud.expect(200, "GET", &path, &Value::Null);
        assert_eq!(rows["attachments"].as_array().unwrap().len(), 1, "{rows}");
        let path = format!("/volumes/{}", self.volume);
        let volume = self.cloud.expect(200, "GET", &path, &Value::Null);
        let used = volume["volume"]["attachments"].as_array().unwrap();
        assert!(used.len() == 1 && is_own(&used[0]), "{volume}");
        used[0]["attachment_id"].as_str().unwrap().to_owned()
    }
}

#[test]
fn a_single_attach_volume_never_has_two_attachments() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let volume = cloud.create("/volumes", &json!({"volume": {"size": 1}}));
    let path = format!("/volumes/{volume}");
    cloud.wait(&path, "available");
    let wanted = Wanted { cloud: &cloud, volume, holders: AtomicUsize::new(0) };
    let (start, until) = (Barrier::new(USERS), Instant::now() + PATIENCE);
    std::thread::scope(|scope| {
        for user in 0..USERS {
            let (wanted, start) = (&wanted, &start);
            scope.spawn(move || {
                start.wait();
                let had = || match user % 2 {
                    0 => wanted.by_action(user),
                    _ => wanted.by_attachment(user),
                };
                while !had() {
                    assert!(Instant::now() < until, "user {user} never had the volume");
                }
            });
        }
    });
    assert_eq!(cloud.wait(&path, "available")["attachments"], json!([]));
    let left = cloud.expect(200, "GET", "/attachments", &Value::Null);
    assert_eq!(left, json!({"attachments": []}));
}

/// Creates volumes from many threads at the same time, and returns how many were accepted.
fn make_all(cloud: &Cloud, gib: u32) -> usize {
    let (start, created) = (Barrier::new(MAKERS), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..MAKERS {
            scope.spawn(|| {
                start.wait();
                let reply = cloud.call("POST", "/volumes", &json!({"volume": {"size": gib}}));
                match reply.status {
                    202 => created.fetch_add(1, Ordering::SeqCst),
                    413 => 0,
                    other => panic!("{other}: {}", reply.body),
                };
                let usage = cloud.expect(200, "GET", "/os-quota-sets/p1?usage=true", &Value::Null);
                for of in ["volumes", "gigabytes"] {
                    let number = |what: &str| usage["quota_set"][of][what].as_i64().unwrap();
                    let (limit, has) = (number("limit"), number("in_use") + number("reserved"));
                    assert!(limit == -1 || has <= limit, "{usage}");
                }
            });
        }
    });
    created.into_inner()
}

#[test]
fn concurrent_creates_use_a_quota_exactly() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let limit = |volumes: i64, gigabytes: i64| {
        let body = json!({"quota_set": {"volumes": volumes, "gigabytes": gigabytes}});
        cloud.expect(200, "PUT", "/os-quota-sets/p1", &body);
    };
    limit(20, -1);
    assert_eq!(make_all(&cloud, 1), 20);
    // 20 GiB are in use: at 3 GiB each, seven more volumes fit into 41 GiB.
    limit(-1, 41);
    assert_eq!(make_all(&cloud, 3), 7);
    let limits = cloud.expect(200, "GET", "/limits", &Value::Null);
    assert_eq!(limits["limits"]["absolute"]["totalVolumesUsed"], 27);
    assert_eq!(limits["limits"]["absolute"]["totalGigabytesUsed"], 41);
}
