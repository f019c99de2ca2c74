//! A server that is killed now and then, and a model of its state.

mod checks;
mod operations;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Instant;

use serde_json::{Value, json};

use crate::cloud::{Cloud, JSON, LATEST, PATIENCE, TOKEN};

/// The offset of markers: every volume is larger.
pub(crate) const MARKER_AT: u64 = 4096;

/// The statuses that only a worker ends.
pub(crate) const TRANSITIONAL: &[&str] = &[
    "creating",
    "deleting",
    "extending",
    "retyping",
    "reverting",
    "managing",
    "unmanaging",
    "backing-up",
    "restoring-backup",
    "restoring",
    "updating",
    "maintenance",
];

/// The statuses of volumes that have a file.
pub(crate) const USABLE: &[&str] = &["available", "in-use", "awaiting-transfer"];

/// The members that name the source of a volume.
pub(crate) const SOURCES: &[&str] = &["snapshot_id", "source_volid"];

/// Random numbers that a seed determines.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    pub(crate) fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    pub(crate) fn of<T: Clone>(&mut self, all: &[T]) -> Option<T> {
        let at = usize::try_from(self.below(all.len() as u64)).unwrap();
        all.get(at).cloned()
    }
}

/// The possible contents of a volume, snapshot or backup.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    /// The possible contents now.
    pub(crate) last: BTreeSet<u32>,
    /// The possible contents since the last restart, and so those of its copies.
    pub(crate) ever: BTreeSet<u32>,
    /// The IDs of its possible sources.
    pub(crate) copies: Vec<String>,
    /// Whether it had other content before it became a copy, and the outcome of the copy is unknown.
    pub(crate) uncertain: bool,
}

/// The rows of all lists.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) volumes: Vec<Value>,
    pub(crate) snapshots: Vec<Value>,
    pub(crate) backups: Vec<Value>,
    pub(crate) groups: Vec<Value>,
    pub(crate) group_snapshots: Vec<Value>,
    pub(crate) transfers: Vec<Value>,
    pub(crate) attachments: Vec<Value>,
}

pub(crate) fn id(row: &Value) -> String {
    row["id"].as_str().unwrap().to_owned()
}

pub(crate) fn status(row: &Value) -> &str {
    row["status"].as_str().unwrap()
}

pub(crate) fn text<'v>(row: &'v Value, member: &str) -> &'v str {
    row[member].as_str().unwrap_or_default()
}

/// A server, and the model of its state.
pub(crate) struct Run {
    pub(crate) seed: u64,
    pub(crate) dice: Dice,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) cloud: Cloud,
    /// The requests and replies, to explain a failed run.
    pub(crate) log: String,
    /// Paths of resources whose creation was accepted, until a deletion is requested.
    pub(crate) accepted: BTreeSet<String>,
    /// Pairs of an owner and a member that is deleted with it: paths, and the IDs of volumes and groups.
    pub(crate) members: Vec<(String, String)>,
    /// Paths whose status an operator set, and which may have any status since.
    pub(crate) reset: BTreeSet<String>,
    /// Unmanaged files, by the former ID of their volume.
    pub(crate) unmanaged: BTreeSet<String>,
    /// Volumes whose adoption was requested. If it fails, for example for lack of quota, they are removed from
    /// the table and the file keeps its current name.
    pub(crate) managed: BTreeSet<String>,
    /// The contents by the ID of the row.
    pub(crate) contents: BTreeMap<String, Content>,
    /// The IDs of rows that existed after an earlier restart.
    pub(crate) seen: BTreeSet<String>,
    pub(crate) markers: u32,
    pub(crate) keys: BTreeMap<String, String>,
}

impl Run {
    pub(crate) fn start(seed: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cloud = Cloud::start_alone(dir.path());
        for name in ["a", "b"] {
            let specs = json!({ "volume_backend_name": name });
            let body = json!({"volume_type": {"name": name, "extra_specs": specs}});
            cloud.expect(200, "POST", "/types", &body);
        }
        cloud.expect(202, "POST", "/group_types", &json!({"group_type": {"name": "g"}}));
        for project in ["p1", "p2"] {
            let body = json!({"quota_set": {"volumes": 14, "gigabytes": 40, "backups": 6}});
            cloud.expect(200, "PUT", &format!("/os-quota-sets/{project}"), &body);
        }
        Self {
            seed,
            dice: Dice(seed),
            dir,
            cloud,
            log: String::new(),
            accepted: BTreeSet::new(),
            members: Vec::new(),
            reset: BTreeSet::new(),
            unmanaged: BTreeSet::new(),
            managed: BTreeSet::new(),
            contents: BTreeMap::new(),
            seen: BTreeSet::new(),
            markers: 0,
            keys: BTreeMap::new(),
        }
    }

    pub(crate) fn ask(&mut self, method: &str, path: &str, body: &Value) -> Option<Value> {
        self.ask_as("p1", method, path, body)
    }

    /// Sends a request, and returns the body of its reply unless it is refused.
    pub(crate) fn ask_as(
        &mut self,
        project: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Option<Value> {
        let sent = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
        let token = format!("u:{project}");
        let headers = [JSON, ("x-auth-token", &*token), LATEST];
        let reply = self.cloud.send(method, &format!("/v3/{project}{path}"), &sent, &headers);
        let _ = writeln!(
            self.log,
            "{project} {method} {path} {body}: {} {}",
            reply.status,
            &reply.body[..reply.body.len().min(160)]
        );
        assert!(reply.status < 500, "seed {}: {}\n{}", self.seed, reply.body, self.log);
        let answer = if reply.body.is_empty() { Value::Null } else { reply.json() };
        (reply.status < 300).then_some(answer)
    }

    pub(crate) fn list(&self, path: &str) -> Vec<Value> {
        let all = self.cloud.get(&format!("{path}/detail?all_tenants=1"));
        all.as_object().unwrap().values().find_map(Value::as_array).unwrap().clone()
    }

    pub(crate) fn rows(&self) -> Rows {
        Rows {
            volumes: self.list("/volumes"),
            snapshots: self.list("/snapshots"),
            backups: self.list("/backups"),
            groups: self.list("/groups"),
            group_snapshots: self.list("/group_snapshots"),
            transfers: self.list("/volume-transfers"),
            attachments: self.list("/attachments"),
        }
    }

    /// Creates a resource, and returns its ID if that is accepted.
    pub(crate) fn create(&mut self, path: &str, body: &Value) -> Option<String> {
        let created = self.ask("POST", path, body)?;
        let created = id(created.as_object().unwrap().values().next().unwrap());
        let place = path.strip_suffix("/action").unwrap_or(path);
        self.accepted.insert(format!("{place}/{created}"));
        Some(created)
    }

    /// Like [`create`](Self::create), for a resource that is deleted with `owner`.
    pub(crate) fn create_member(
        &mut self,
        owner: &str,
        path: &str,
        body: &Value,
    ) -> Option<String> {
        let created = self.create(path, body)?;
        self.members.push((owner.to_owned(), format!("{path}/{created}")));
        Some(created)
    }

    /// Records that a deletion was requested.
    pub(crate) fn deleted(&mut self, path: &str) {
        self.accepted.remove(path);
        for (owner, member) in &self.members {
            if path.ends_with(owner) {
                self.accepted.remove(member);
            }
        }
    }

    pub(crate) fn copy_of(&mut self, new: &str, source: &str) {
        let copy = Content { copies: vec![source.to_owned()], ..Content::default() };
        self.contents.insert(new.to_owned(), copy);
    }

    /// Records that the content of `target` is being replaced.
    pub(crate) fn replaced(&mut self, target: &str, source: &str) {
        let content = self.contents.entry(target.to_owned()).or_default();
        content.copies.push(source.to_owned());
        // Two replacements may run one after the other, so earlier contents no longer count.
        content.last.clear();
        if content.copies.len() > 1 {
            content.uncertain = true;
        }
    }

    pub(crate) fn act(&mut self, path: &str, body: &Value) -> bool {
        self.ask("POST", &format!("{path}/action"), body).is_some()
    }

    /// Kills the server, sometimes during a request, and restarts it.
    pub(crate) fn crash(&mut self) {
        for _ in 0..self.dice.below(4) {
            self.cloud.get("/volumes");
        }
        let body = json!({"volume": {"size": 1}}).to_string();
        if self.dice.one_in(2) {
            // The outcome of the request in flight is unknown.
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let headers = [JSON, TOKEN, LATEST];
                    let _ =
                        self.cloud.try_send("POST", "/v3/p1/volumes", body.as_bytes(), &headers);
                });
                // SIGKILL before the child is reaped, so its process ID can't have been reused.
                let pid = self.cloud.child.id().to_string();
                std::process::Command::new("kill").args(["-9", &pid]).status().unwrap();
            });
        }
        let _ = writeln!(self.log, "-- killed");
        self.cloud.restart_alone(self.dir.path());
    }

    /// Waits until every invariant holds, and records the contents of the volumes.
    pub(crate) fn settle(&mut self) {
        let until = Instant::now() + PATIENCE / 3;
        let (rows, wrong) = loop {
            let rows = self.rows();
            let wrong = self.wrong(&rows);
            if wrong.is_empty() || Instant::now() > until {
                break (rows, wrong);
            }
            std::thread::yield_now();
        };
        assert!(
            wrong.is_empty(),
            "seed {}: {wrong:#?}\n{}\n{}",
            self.seed,
            self.log,
            rows.volumes.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
        );
        self.check_contents(&rows);
    }
}
