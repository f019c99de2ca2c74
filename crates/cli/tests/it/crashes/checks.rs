//! The invariants that hold once a restarted server has settled.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;

impl Run {
    /// Returns every violated invariant.
    pub(crate) fn wrong(&self, rows: &Rows) -> Vec<String> {
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
                if TRANSITIONAL.contains(&status(row)) {
                    wrong.push(format!("{kind}/{} is {}", id(row), status(row)));
                }
            }
        }
        for row in &rows.volumes {
            let users = rows.attachments.iter().filter(|user| user["volume_id"] == row["id"]);
            if (status(row) == "in-use") != (users.count() > 0) && !self.reset.contains(&id(row)) {
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

    pub(crate) fn compare_files(&self, rows: &Rows, wrong: &mut Vec<String>) {
        // The files on disk with their lengths, by back end and name.
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
            let reset = self.reset.contains(&id(row));
            if USABLE.contains(&status(row)) {
                if size != row["size"].as_u64() && !reset {
                    wrong.push(format!("volume {} is of {size:?} on {backend:?}", id(row)));
                }
            } else if !reset && !self.is_copy_of_reset(row, rows) {
                wrong.push(format!("volume {} is {}", id(row), status(row)));
            }
        }
        for row in &rows.snapshots {
            let backend = &backends[text(row, "volume_id")];
            let size = found.remove(&format!("{backend}/snapshot-{}", id(row)));
            let reset = self.reset.contains(text(row, "volume_id"));
            if reset {
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

    /// Returns whether a volume was created from one whose status an operator set.
    pub(crate) fn is_copy_of_reset(&self, row: &Value, rows: &Rows) -> bool {
        let snapshot = rows.snapshots.iter().find(|other| other["id"] == row["snapshot_id"]);
        let of = snapshot.map_or("", |snapshot| text(snapshot, "volume_id"));
        self.reset.contains(text(row, "source_volid")) || self.reset.contains(of)
    }

    pub(crate) fn compare_backups(&self, rows: &Rows, wrong: &mut Vec<String>) {
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
            if self.reset.contains(text(row, "volume_id")) {
                continue;
            }
            if status(row) != "available" || !there {
                wrong.push(format!("backup {} is {}, kept: {there}", id(row), status(row)));
            }
        }
        wrong.extend(found.iter().map(|id| format!("the backup {id} belongs to nothing")));
    }

    pub(crate) fn compare_quota(&self, rows: &Rows, project: &str, wrong: &mut Vec<String>) {
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
                wrong.push(format!("{project} has {} {resource} reserved", own["reserved"]));
            }
            // A snapshot counts towards the type that its volume had when it was created, which no list
            // shows.
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

    pub(crate) fn file(&self, row: &Value) -> PathBuf {
        let host = text(row, "os-vol-host-attr:host");
        let backend = host.rsplit_once('#').unwrap().1;
        self.dir.path().join(backend).join(format!("volume-{}", id(row)))
    }

    /// Records the parts of groups, which were created without a request of their own.
    pub(crate) fn learn(&mut self, rows: &Rows) {
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

    /// Checks the contents of all volumes, and writes new markers on some of them.
    pub(crate) fn check_contents(&mut self, rows: &Rows) {
        self.learn(rows);
        // The content of a copy is unknown as long as that of its source is.
        loop {
            let known: BTreeSet<String> = self.contents.keys().cloned().collect();
            self.contents.retain(|_, own| own.copies.iter().all(|source| known.contains(source)));
            if known.len() == self.contents.len() {
                break;
            }
        }
        // Propagates the possible contents of sources to copies until none changes.
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
            // The content that is read below replaces all earlier possibilities.
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
                assert!(self.reset.contains(&id(row)), "{} can't be opened", id(row));
                continue;
            };
            let mut bytes = [0; 4];
            file.read_exact_at(&mut bytes, MARKER_AT).unwrap();
            let mut held = u32::from_le_bytes(bytes);
            if let Some(may) = self.contents.get(&id(row)).map(|own| &own.last) {
                let (seed, log) = (self.seed, &self.log);
                let fits = may.contains(&held) || self.reset.contains(&id(row));
                assert!(fits, "seed {seed}: {} holds {held}, not {may:?}\n{log}", id(row));
            }
            if self.dice.one_in(2) {
                self.markers += 1;
                held = self.markers;
                file.write_all_at(&held.to_le_bytes(), MARKER_AT).unwrap();
                // Enough data that a copy takes a while.
                file.write_all_at(&vec![1; 4 << 20], 1 << 20).unwrap();
                let _ = writeln!(self.log, "-- {held} is written on {}", id(row));
            }
            let one = BTreeSet::from([held]);
            let content = Content { last: one.clone(), ever: one, ..Content::default() };
            self.contents.insert(id(row), content);
        }
    }
}
