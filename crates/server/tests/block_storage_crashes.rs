//! Block Storage killed again and again while clients change things: what is on the disk is what the
//! rows say.
//!
//! A run is decided by its seed, except for how far the server's workers have come when it is killed.
//! `STATEHOLD_CLOUD_SEEDS=7` has that one tried, `STATEHOLD_CLOUD_SEEDS=0..50` fifty of them.

#![allow(clippy::unwrap_used, reason = "a test that can't go on may say so anywhere")]

mod cloud;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use cloud::{Cloud, JSON, LATEST, PATIENCE};
use serde_json::{Value, json};

/// The seeds that are tried unless others are asked for.
const SEEDS: std::ops::Range<u64> = 0..3;

/// How often the server is killed in a run.
const ROUNDS: usize = 4;

/// The most that is asked for between two kills.
const OPERATIONS: u64 = 24;

/// Where markers are written: no volume is smaller.
const MARKER_AT: u64 = 4096;

/// The statuses that nobody but a worker brings something out of.
const UNDER_WAY: &[&str] = &[
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
const USABLE: &[&str] = &["available", "in-use", "awaiting-transfer"];

/// The members that say what a volume was made from.
const SOURCES: &[&str] = &["snapshot_id", "source_volid"];

/// Numbers that a seed decides.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> Option<T> {
        let at = usize::try_from(self.below(all.len() as u64)).unwrap();
        all.get(at).cloned()
    }
}

/// What a volume, snapshot or backup may hold.
#[derive(Clone, Debug, Default)]
struct Content {
    /// What it may hold in the end.
    last: BTreeSet<u32>,
    /// What it may have held since the last restart, and so what copies of it may hold.
    ever: BTreeSet<u32>,
    /// What it is a copy of.
    copies: Vec<String>,
    /// Whether it was something before it became a copy, and nobody knows whether it became one.
    uncertain: bool,
}

/// What all the lists have.
#[derive(Debug, Default)]
struct Rows {
    volumes: Vec<Value>,
    snapshots: Vec<Value>,
    backups: Vec<Value>,
    groups: Vec<Value>,
    group_snapshots: Vec<Value>,
    transfers: Vec<Value>,
    attachments: Vec<Value>,
}

fn id(row: &Value) -> String {
    row["id"].as_str().unwrap().to_owned()
}

fn status(row: &Value) -> &str {
    row["status"].as_str().unwrap()
}

fn text<'v>(row: &'v Value, member: &str) -> &'v str {
    row[member].as_str().unwrap_or_default()
}

/// A server, and what is known of what it was asked.
struct Run {
    seed: u64,
    dice: Dice,
    dir: tempfile::TempDir,
    cloud: Cloud,
    /// What was asked and answered, for who reads why a run failed.
    log: String,
    /// Paths of what was accepted to be made, until somebody asked for its deletion.
    accepted: BTreeSet<String>,
    /// What goes with what: paths, and the IDs of volumes and groups.
    members: Vec<(String, String)>,
    /// What an operator set a status of, which may say anything since.
    told: BTreeSet<String>,
    /// Files that were unmanaged: their volumes' former IDs.
    unmanaged: BTreeSet<String>,
    /// Volumes that were to be taken over. When that fails, as for want of quota, they are forgotten
    /// with the names that they have by then.
    managed: BTreeSet<String>,
    /// By the ID of the row.
    contents: BTreeMap<String, Content>,
    /// The IDs of rows that were there after an earlier restart.
    seen: BTreeSet<String>,
    markers: u32,
    keys: BTreeMap<String, String>,
}

impl Run {
    fn start(seed: u64) -> Self {
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
            told: BTreeSet::new(),
            unmanaged: BTreeSet::new(),
            managed: BTreeSet::new(),
            contents: BTreeMap::new(),
            seen: BTreeSet::new(),
            markers: 0,
            keys: BTreeMap::new(),
        }
    }

    fn ask(&mut self, method: &str, path: &str, body: &Value) -> Option<Value> {
        self.ask_as("p1", method, path, body)
    }

    /// What is answered, unless it is refused.
    fn ask_as(&mut self, project: &str, method: &str, path: &str, body: &Value) -> Option<Value> {
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

    fn list(&self, path: &str) -> Vec<Value> {
        let all = self.cloud.get(&format!("{path}/detail?all_tenants=1"));
        all.as_object().unwrap().values().find_map(Value::as_array).unwrap().clone()
    }

    fn rows(&self) -> Rows {
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

    /// Makes something; its ID when that is accepted.
    fn make(&mut self, path: &str, body: &Value) -> Option<String> {
        let made = self.ask("POST", path, body)?;
        let made = id(made.as_object().unwrap().values().next().unwrap());
        let place = path.strip_suffix("/action").unwrap_or(path);
        self.accepted.insert(format!("{place}/{made}"));
        Some(made)
    }

    /// The same for what goes when `owner` does.
    fn make_of(&mut self, owner: &str, path: &str, body: &Value) -> Option<String> {
        let made = self.make(path, body)?;
        self.members.push((owner.to_owned(), format!("{path}/{made}")));
        Some(made)
    }

    /// Somebody asked for the deletion of something.
    fn deleted(&mut self, path: &str) {
        self.accepted.remove(path);
        for (owner, member) in &self.members {
            if path.ends_with(owner) {
                self.accepted.remove(member);
            }
        }
    }

    fn copy_of(&mut self, new: &str, source: &str) {
        let copy = Content { copies: vec![source.to_owned()], ..Content::default() };
        self.contents.insert(new.to_owned(), copy);
    }

    /// What is on something is being replaced.
    fn replaced(&mut self, target: &str, source: &str) {
        let content = self.contents.entry(target.to_owned()).or_default();
        content.copies.push(source.to_owned());
        // Both may happen one after the other, and the first of them counts no more then.
        content.last.clear();
        if content.copies.len() > 1 {
            content.uncertain = true;
        }
    }

    fn act(&mut self, path: &str, body: &Value) -> bool {
        self.ask("POST", &format!("{path}/action"), body).is_some()
    }

    /// Asks for something, and notes what follows from its being accepted.
    #[expect(
        clippy::too_many_lines,
        clippy::many_single_char_names,
        reason = "it is a list of what can be asked for"
    )]
    fn operate(&mut self, rows: &Rows, focus: &Value) {
        // Most of it is about one volume, so that operations come upon each other.
        let mut near = |rows: &[Value], member: &str| {
            let own: Vec<Value> =
                rows.iter().filter(|row| row[member] == focus["id"]).cloned().collect();
            let own = if self.dice.one_in(3) { None } else { self.dice.of(&own) };
            own.or_else(|| self.dice.of(rows)).unwrap_or_default()
        };
        let volume = near(&rows.volumes, "id");
        let snapshot = near(&rows.snapshots, "volume_id");
        let backup = near(&rows.backups, "volume_id");
        let group = self.dice.of(&rows.groups).unwrap_or_default();
        let whole = self.dice.of(&rows.group_snapshots).unwrap_or_default();
        let named = |row: &Value| text(row, "id").to_owned();
        let (v, s, b) = (named(&volume), named(&snapshot), named(&backup));
        let (g, w) = (named(&group), named(&whole));
        let path = format!("/volumes/{v}");
        let of_type = self.dice.of(&["a", "b", "__DEFAULT__"]).unwrap();
        let grown = volume["size"].as_u64().unwrap_or(1) + self.dice.below(2);
        match self.dice.below(34) {
            0..=3 => {
                let body = json!({"volume": {"size": 1, "volume_type": of_type}});
                if let Some(new) = self.make("/volumes", &body) {
                    let empty = BTreeSet::from([0]);
                    let content =
                        Content { last: empty.clone(), ever: empty, ..Content::default() };
                    self.contents.insert(new, content);
                }
            }
            4 | 5 if !s.is_empty() => {
                let size = snapshot["size"].as_u64().unwrap() + self.dice.below(2);
                let body = json!({"volume": {"size": size, "snapshot_id": s}});
                if let Some(new) = self.make("/volumes", &body) {
                    self.copy_of(&new, &s);
                }
            }
            6 | 7 if !v.is_empty() => {
                let body = json!({"volume": {"size": grown, "source_volid": v}});
                if let Some(new) = self.make("/volumes", &body) {
                    self.copy_of(&new, &v);
                }
            }
            8 if !b.is_empty() => {
                let body = json!({"volume": {"size": 2, "backup_id": b}});
                if let Some(new) = self.make("/volumes", &body) {
                    self.copy_of(&new, &b);
                }
            }
            9 | 10 if !v.is_empty() => {
                let query = self.dice.of(&["", "?cascade=true", "?force=true"]).unwrap();
                if self.ask("DELETE", &format!("{path}{query}"), &Value::Null).is_some() {
                    self.deleted(&path);
                    if query == "?force=true" {
                        // What was being made of it fails.
                        self.told.insert(v.clone());
                    }
                }
            }
            11 | 12 if !v.is_empty() => {
                self.act(&path, &json!({"os-extend": {"new_size": grown + 1}}));
            }
            13..=15 if !v.is_empty() => {
                let body = json!({"snapshot": {"volume_id": v}});
                if let Some(new) = self.make_of(&v, "/snapshots", &body) {
                    self.copy_of(&new, &v);
                }
            }
            16 if !s.is_empty() => {
                let path = format!("/snapshots/{s}");
                if self.ask("DELETE", &path, &Value::Null).is_some() {
                    self.deleted(&path);
                }
            }
            17 if !s.is_empty() => {
                let of = text(&snapshot, "volume_id").to_owned();
                let latest = rows.snapshots.iter().filter(|row| row["volume_id"] == *of);
                let latest = latest.max_by_key(|row| text(row, "created_at").to_owned()).unwrap();
                let latest = id(latest);
                let body = json!({"revert": {"snapshot_id": latest}});
                if self.act(&format!("/volumes/{of}"), &body) {
                    self.replaced(&of, &latest);
                }
            }
            18 | 19 if !v.is_empty() => {
                let body = json!({"new_type": of_type, "migration_policy": "on-demand"});
                self.act(&path, &json!({ "os-retype": body }));
            }
            20 | 21 if !v.is_empty() => {
                let host = text(&volume, "os-vol-host-attr:host");
                let there = if host.ends_with("#a") {
                    host.replace("@a#a", "@b#b")
                } else {
                    host.replace("@b#b", "@a#a")
                };
                let body = json!({"host": there, "lock_volume": self.dice.one_in(2)});
                self.act(&path, &json!({ "os-migrate_volume": body }));
            }
            22 | 23 if !v.is_empty() => {
                let body = json!({"backup": {
                    "volume_id": v, "force": true, "incremental": self.dice.one_in(2),
                }});
                if let Some(new) = self.make("/backups", &body) {
                    self.copy_of(&new, &v);
                }
            }
            24 if !b.is_empty() => {
                let into = if self.dice.one_in(2) { json!({}) } else { json!({"volume_id": v}) };
                let path = format!("/backups/{b}/restore");
                let body = json!({ "restore": into });
                if let Some(answer) = self.ask("POST", &path, &body) {
                    let to = text(&answer["restore"], "volume_id").to_owned();
                    if to == v {
                        self.replaced(&to, &b);
                    } else {
                        self.accepted.insert(format!("/volumes/{to}"));
                        self.copy_of(&to, &b);
                    }
                }
            }
            25 if !b.is_empty() => {
                let path = format!("/backups/{b}");
                if self.ask("DELETE", &path, &Value::Null).is_some() {
                    self.deleted(&path);
                }
            }
            26 => self.transfer(&v, &rows.transfers),
            27 => {
                let types = [of_type];
                let body = json!({"group": {"group_type": "g", "volume_types": types}});
                if let Some(new) = self.make("/groups", &body) {
                    for _ in 0..self.dice.below(3) {
                        let body = json!({"volume": {
                            "size": 1, "group_id": new, "volume_type": of_type,
                        }});
                        if let Some(member) = self.make_of(&new, "/volumes", &body) {
                            let empty = BTreeSet::from([0]);
                            let content =
                                Content { last: empty.clone(), ever: empty, ..Content::default() };
                            self.contents.insert(member, content);
                        }
                    }
                }
            }
            28 if !g.is_empty() => {
                self.make("/group_snapshots", &json!({"group_snapshot": {"group_id": g}}));
            }
            29 if !g.is_empty() => {
                let from = if !w.is_empty() && self.dice.one_in(2) {
                    json!({"group_snapshot_id": w})
                } else {
                    json!({"source_group_id": g})
                };
                self.make("/groups/action", &json!({ "create-from-src": from }));
            }
            30 if !g.is_empty() => {
                if !w.is_empty() && self.dice.one_in(2) {
                    let path = format!("/group_snapshots/{w}");
                    if self.ask("DELETE", &path, &Value::Null).is_some() {
                        self.deleted(&path);
                    }
                } else if self
                    .act(&format!("/groups/{g}"), &json!({"delete": {"delete-volumes": true}}))
                {
                    self.deleted(&format!("/groups/{g}"));
                }
            }
            31 if !v.is_empty() => {
                let instance = "00000000-0000-4000-8000-000000000001";
                let body = if status(&volume) == "in-use" {
                    json!({"os-detach": {}})
                } else {
                    json!({"os-attach": {"mountpoint": "/dev/x", "instance_uuid": instance}})
                };
                self.act(&path, &body);
            }
            32 if !v.is_empty() => {
                let to = self.dice.of(&["available", "error"]).unwrap();
                if self.act(&path, &json!({"os-reset_status": {"status": to}})) {
                    self.told.insert(v.clone());
                    if let Some(content) = self.contents.get_mut(&v) {
                        content.uncertain = true;
                    }
                }
            }
            33 if !v.is_empty() => self.unmanage(&v, &volume),
            _ => {}
        }
    }

    /// Offers a volume, or takes one that is on offer.
    fn transfer(&mut self, volume: &str, offers: &[Value]) {
        if let Some(offer) = self.dice.of(offers) {
            let path = format!("/volume-transfers/{}", id(&offer));
            if self.dice.one_in(3) {
                self.ask("DELETE", &path, &Value::Null);
            } else if let Some(key) = self.keys.get(&id(&offer)).cloned() {
                let body = json!({"accept": {"auth_key": key}});
                self.ask_as("p2", "POST", &format!("{path}/accept"), &body);
            }
        } else if !volume.is_empty() {
            let body = json!({"transfer": {"volume_id": volume}});
            if let Some(made) = self.ask("POST", "/volume-transfers", &body) {
                let made = &made["transfer"];
                self.keys.insert(id(made), text(made, "auth_key").to_owned());
            }
        }
    }

    /// Has a volume forgotten, or what was forgotten taken over again.
    fn unmanage(&mut self, volume: &str, row: &Value) {
        if let Some(old) = self.unmanaged.first().cloned() {
            let name = format!("volume-{old}");
            let at =
                ["a", "b"].into_iter().find(|at| self.dir.path().join(at).join(&name).exists());
            let host = text(row, "os-vol-host-attr:host");
            if let (Some(at), Some((machine, _))) = (at, host.split_once('@')) {
                let body = json!({"volume": {
                    "host": format!("{machine}@{at}#{at}"), "ref": {"source-name": name},
                }});
                if let Some(new) = self.make("/manageable_volumes", &body) {
                    // Two of them may be after the same file.
                    self.accepted.remove(&format!("/manageable_volumes/{new}"));
                    self.told.insert(new.clone());
                    self.managed.insert(new.clone());
                    self.copy_of(&new, &old);
                }
            }
        } else if self.act(&format!("/volumes/{volume}"), &json!({"os-unmanage": {}})) {
            self.deleted(&format!("/volumes/{volume}"));
            self.unmanaged.insert(volume.to_owned());
        }
    }

    /// Kills the server, perhaps in the middle of a request, and starts it again.
    fn crash(&mut self) {
        for _ in 0..self.dice.below(4) {
            self.cloud.get("/volumes");
        }
        let body = json!({"volume": {"size": 1}}).to_string();
        if self.dice.one_in(2) {
            // Nobody knows whether it comes to pass.
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let headers = [JSON, cloud::TOKEN, LATEST];
                    let _ =
                        self.cloud.try_send("POST", "/v3/p1/volumes", body.as_bytes(), &headers);
                });
                // SIGKILL: the child isn't waited for here, so the ID is still its own.
                let pid = self.cloud.child.id().to_string();
                std::process::Command::new("kill").args(["-9", &pid]).status().unwrap();
            });
        }
        let _ = writeln!(self.log, "-- killed");
        self.cloud.restart_alone(self.dir.path());
    }

    /// Waits until everything is as it should be, and takes down what is on the volumes.
    fn settle(&mut self) {
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

    /// What is not as it should be.
    fn wrong(&self, rows: &Rows) -> Vec<String> {
        let mut wrong = Vec::new();
        let kinds = [
            ("/volumes", &rows.volumes),
            ("/snapshots", &rows.snapshots),
            ("/backups", &rows.backups),
            ("/groups", &rows.groups),
            ("/group_snapshots", &rows.group_snapshots),
        ];
        let mut there = BTreeSet::new();
        for (kind, list) in kinds {
            for row in list {
                there.insert(format!("{kind}/{}", id(row)));
                if UNDER_WAY.contains(&status(row)) {
                    wrong.push(format!("{kind}/{} is {}", id(row), status(row)));
                }
            }
        }
        for row in &rows.volumes {
            let users = rows.attachments.iter().filter(|user| user["volume_id"] == row["id"]);
            if (status(row) == "in-use") != (users.count() > 0) && !self.told.contains(&id(row)) {
                wrong.push(format!("volume {} is {}, but its users", id(row), status(row)));
            }
            let moving = text(row, "migration_status");
            if ["starting", "migrating", "completing"].contains(&moving) {
                wrong.push(format!("volume {} is {moving}", id(row)));
            }
        }
        for user in &rows.attachments {
            if !rows.volumes.iter().any(|row| row["id"] == user["volume_id"]) {
                wrong.push(format!("the attachment {} is of nothing", id(user)));
            }
        }
        wrong.extend(self.accepted.difference(&there).map(|path| format!("{path} is gone")));
        if wrong.is_empty() {
            self.compare_files(rows, &mut wrong);
            self.compare_backups(rows, &mut wrong);
            for project in ["p1", "p2"] {
                self.compare_quota(rows, project, &mut wrong);
            }
        }
        wrong
    }

    fn compare_files(&self, rows: &Rows, wrong: &mut Vec<String>) {
        // What is on the disk, by back end and name, with its length.
        let mut found = BTreeMap::new();
        for backend in ["a", "b"] {
            let dir = self.dir.path().join(backend);
            for entry in fs::read_dir(&dir).unwrap().map(Result::unwrap) {
                let name = entry.file_name().into_string().unwrap();
                let about = entry.metadata().unwrap();
                if about.is_dir() {
                    let left = fs::read_dir(entry.path()).unwrap().count();
                    if left > 0 {
                        wrong.push(format!("{left} files in {backend}/{name}"));
                    }
                } else {
                    found.insert(format!("{backend}/{name}"), about.len() >> 30);
                }
            }
        }
        let mut backends = BTreeMap::new();
        for row in &rows.volumes {
            let host = text(row, "os-vol-host-attr:host");
            let backend = host.rsplit_once('#').map_or("", |(_, backend)| backend);
            backends.insert(id(row), backend.to_owned());
            let size = found.remove(&format!("{backend}/volume-{}", id(row)));
            let told = self.told.contains(&id(row));
            if USABLE.contains(&status(row)) {
                if size != row["size"].as_u64() && !told {
                    wrong.push(format!("volume {} is of {size:?} on {backend:?}", id(row)));
                }
            } else if !told && !self.comes_from_told(row, rows) {
                wrong.push(format!("volume {} is {}", id(row), status(row)));
            }
        }
        for row in &rows.snapshots {
            let backend = &backends[text(row, "volume_id")];
            let size = found.remove(&format!("{backend}/snapshot-{}", id(row)));
            let told = self.told.contains(text(row, "volume_id"));
            if told {
                continue;
            }
            if status(row) != "available" || size != row["size"].as_u64() {
                wrong.push(format!("snapshot {} is {}, of {size:?}", id(row), status(row)));
            }
        }
        for name in found.keys() {
            let id = name.split_once("/volume-").map_or("", |(_, id)| id);
            if !self.unmanaged.contains(id) && !self.managed.contains(id) {
                wrong.push(format!("{name} belongs to nothing"));
            }
        }
    }

    /// Whether a volume was made of one that an operator set the status of.
    fn comes_from_told(&self, row: &Value, rows: &Rows) -> bool {
        let snapshot = rows.snapshots.iter().find(|other| other["id"] == row["snapshot_id"]);
        let of = snapshot.map_or("", |snapshot| text(snapshot, "volume_id"));
        self.told.contains(text(row, "source_volid")) || self.told.contains(of)
    }

    fn compare_backups(&self, rows: &Rows, wrong: &mut Vec<String>) {
        let kept = self.dir.path().join("data/block_storage_backups");
        let mut found = BTreeSet::new();
        let inner = |dir: &Path| -> Vec<PathBuf> {
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
        };
        for above in inner(&kept) {
            let name = above.file_name().unwrap().to_str().unwrap().to_owned();
            let below = inner(&above);
            if name.starts_with('.') {
                wrong.extend(below.iter().map(|left| format!("backups: {}", left.display())));
            } else {
                found.extend(
                    below
                        .iter()
                        .flat_map(|below| inner(below))
                        .map(|dir| dir.file_name().unwrap().to_str().unwrap().to_owned()),
                );
            }
        }
        for row in &rows.backups {
            let there = found.remove(&id(row));
            if self.told.contains(text(row, "volume_id")) {
                continue;
            }
            if status(row) != "available" || !there {
                wrong.push(format!("backup {} is {}, kept: {there}", id(row), status(row)));
            }
        }
        wrong.extend(found.iter().map(|id| format!("the backup {id} belongs to nothing")));
    }

    fn compare_quota(&self, rows: &Rows, project: &str, wrong: &mut Vec<String>) {
        let mut sums = BTreeMap::<String, u64>::new();
        let types = self.cloud.get("/types");
        let types: BTreeMap<String, String> = types["volume_types"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (id(row), text(row, "name").to_owned()))
            .collect();
        let mut add = |resource: &str, volume_type: Option<&str>, more: u64| {
            *sums.entry(resource.to_owned()).or_default() += more;
            if let Some(name) = volume_type.and_then(|id| types.get(id)) {
                *sums.entry(format!("{resource}_{name}")).or_default() += more;
            }
        };
        for row in &rows.volumes {
            if row["os-vol-tenant-attr:tenant_id"] == project {
                let volume_type = row["volume_type_id"].as_str();
                add("volumes", volume_type, 1);
                add("gigabytes", volume_type, row["size"].as_u64().unwrap());
            }
        }
        for row in &rows.snapshots {
            if row["os-extended-snapshot-attributes:project_id"] == project {
                add("snapshots", None, 1);
                add("gigabytes", None, row["size"].as_u64().unwrap());
            }
        }
        for row in &rows.backups {
            if row["os-backup-project-attr:project_id"] == project {
                add("backups", None, 1);
                add("backup_gigabytes", None, row["size"].as_u64().unwrap());
            }
        }
        for row in &rows.groups {
            if row["project_id"] == project {
                add("groups", None, 1);
            }
        }
        let usage = self.cloud.get(&format!("/os-quota-sets/{project}?usage=true"));
        for (resource, own) in usage["quota_set"].as_object().unwrap() {
            let Some(in_use) = own["in_use"].as_u64() else { continue };
            if own["reserved"] != 0 {
                wrong.push(format!("{project} has {} {resource} set aside", own["reserved"]));
            }
            // The type that a snapshot counts to is that of its volume when it was made, which no
            // list tells.
            let of_type = resource.starts_with("snapshots_") || resource.starts_with("gigabytes_");
            let sum = sums.get(resource).copied().unwrap_or_default();
            if in_use != sum && !(of_type && in_use > sum) {
                wrong.push(format!("{project} uses {in_use} {resource}, its rows say {sum}"));
            }
        }
        let limits = self.cloud.get(&format!("/limits?project_id={project}"));
        for (member, resource) in [
            ("totalVolumesUsed", "volumes"),
            ("totalGigabytesUsed", "gigabytes"),
            ("totalSnapshotsUsed", "snapshots"),
            ("totalBackupsUsed", "backups"),
            ("totalBackupGigabytesUsed", "backup_gigabytes"),
        ] {
            let sum = sums.get(resource).copied().unwrap_or_default();
            if limits["limits"]["absolute"][member] != sum {
                wrong.push(format!("{project}: the limits are wrong about {resource}"));
            }
        }
    }

    fn file(&self, row: &Value) -> PathBuf {
        let host = text(row, "os-vol-host-attr:host");
        let backend = host.rsplit_once('#').unwrap().1;
        self.dir.path().join(backend).join(format!("volume-{}", id(row)))
    }

    /// Notes what was made without being asked for by itself: the parts of groups.
    fn learn(&mut self, rows: &Rows) {
        for (row, members) in [(&rows.snapshots, &["volume_id"][..]), (&rows.volumes, SOURCES)]
            .into_iter()
            .flat_map(|(rows, members)| rows.iter().map(move |row| (row, members)))
        {
            let source = members.iter().find_map(|member| row[*member].as_str());
            let new = self.seen.insert(id(row)) && !self.contents.contains_key(&id(row));
            if let Some(source) = source.filter(|_| new) {
                self.copy_of(&id(row), source);
            }
        }
    }

    /// Looks whether volumes hold what they may, and writes something else on some of them.
    fn check_contents(&mut self, rows: &Rows) {
        self.learn(rows);
        // Nothing is known of copies of what is not known.
        loop {
            let known: BTreeSet<String> = self.contents.keys().cloned().collect();
            self.contents.retain(|_, own| own.copies.iter().all(|source| known.contains(source)));
            if known.len() == self.contents.len() {
                break;
            }
        }
        // What copies may hold, until nothing is added any more.
        loop {
            let before: usize = self.contents.values().map(|own| own.ever.len()).sum();
            let known = self.contents.clone();
            for own in self.contents.values_mut() {
                for source in &own.copies {
                    let held = known.get(source).map(|source| source.ever.clone());
                    own.ever.extend(held.unwrap_or_default());
                }
            }
            if before == self.contents.values().map(|own| own.ever.len()).sum::<usize>() {
                break;
            }
        }
        let known = self.contents.clone();
        for own in self.contents.values_mut() {
            for source in &own.copies {
                own.last.extend(known.get(source).map(|s| s.ever.clone()).unwrap_or_default());
            }
            if own.uncertain {
                own.last.clone_from(&own.ever);
            }
            // What is read below says more of volumes.
            own.ever.clone_from(&own.last);
            own.copies.clear();
            own.uncertain = false;
        }
        for row in &rows.volumes {
            if !USABLE.contains(&status(row)) {
                self.contents.remove(&id(row));
                continue;
            }
            let Ok(file) = File::options().read(true).write(true).open(self.file(row)) else {
                assert!(self.told.contains(&id(row)), "{} can't be opened", id(row));
                continue;
            };
            let mut bytes = [0; 4];
            file.read_exact_at(&mut bytes, MARKER_AT).unwrap();
            let mut held = u32::from_le_bytes(bytes);
            if let Some(may) = self.contents.get(&id(row)).map(|own| &own.last) {
                let (seed, log) = (self.seed, &self.log);
                let fits = may.contains(&held) || self.told.contains(&id(row));
                assert!(fits, "seed {seed}: {} holds {held}, not {may:?}\n{log}", id(row));
            }
            if self.dice.one_in(2) {
                self.markers += 1;
                held = self.markers;
                file.write_all_at(&held.to_le_bytes(), MARKER_AT).unwrap();
                // So that copying it takes a while.
                file.write_all_at(&vec![1; 4 << 20], 1 << 20).unwrap();
                let _ = writeln!(self.log, "-- {held} is written on {}", id(row));
            }
            let one = BTreeSet::from([held]);
            let content = Content { last: one.clone(), ever: one, ..Content::default() };
            self.contents.insert(id(row), content);
        }
    }
}

fn seeds() -> Vec<u64> {
    let Ok(asked) = std::env::var("STATEHOLD_CLOUD_SEEDS") else { return SEEDS.collect() };
    match asked.split_once("..") {
        Some((first, end)) => (first.parse().unwrap()..end.parse().unwrap()).collect(),
        None => vec![asked.parse().unwrap()],
    }
}

#[test]
fn files_equal_rows_however_often_the_server_is_killed() {
    for seed in seeds() {
        let mut run = Run::start(seed);
        for _ in 0..ROUNDS {
            let mut left = 4 + run.dice.below(OPERATIONS);
            while left > 0 {
                // Several in a row, which then come upon what is still under way.
                let rows = run.rows();
                run.learn(&rows);
                let burst = left.min(1 + run.dice.below(8));
                let focus = run.dice.of(&rows.volumes).unwrap_or_default();
                (0..burst).for_each(|_| run.operate(&rows, &focus));
                left -= burst;
            }
            run.crash();
            run.settle();
        }
    }
}

#[test]
fn a_volume_that_goes_while_it_moves_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start_alone(dir.path());
    for name in ["a", "b"] {
        let specs = json!({ "volume_backend_name": name });
        let body = json!({"volume_type": {"name": name, "extra_specs": specs}});
        cloud.expect(200, "POST", "/types", &body);
    }
    let volume = cloud.create("/volumes", &json!({"volume": {"size": 1, "volume_type": "a"}}));
    let path = format!("/volumes/{volume}");
    cloud.wait(&path, "available");
    let files = ["a", "b"].map(|name| dir.path().join(name).join(format!("volume-{volume}")));
    // So much that it is seldom there before the deletion is asked for.
    let file = File::options().write(true).open(&files[0]).unwrap();
    file.write_all_at(&vec![1; 96 << 20], 0).unwrap();
    let retype = json!({"os-retype": {"new_type": "b", "migration_policy": "on-demand"}});
    cloud.expect(202, "POST", &format!("{path}/action"), &retype);
    let copy = dir.path().join("b/.new").join(format!("volume-{volume}"));
    while !copy.exists() && cloud.get(&path)["volume"]["status"] == "retyping" {
        std::thread::yield_now();
    }
    cloud.expect(202, "POST", &format!("{path}/action"), &json!({"os-force_delete": {}}));
    cloud.wait(&path, "404");
    assert_eq!(files.map(|file| file.exists()), [false, false]);
}
