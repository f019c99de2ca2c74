//! The requests of clients and operators, as a seed determines them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Content, Rows, Run, id, status, text};

impl Run {
    /// Sends a request, and updates the model if it is accepted.
    #[expect(
        clippy::too_many_lines,
        clippy::many_single_char_names,
        reason = "it is a list of what can be asked for"
    )]
    pub(crate) fn operate(&mut self, rows: &Rows, focus: &Value) {
        // Most requests target one volume, so that operations collide.
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
                if let Some(new) = self.create("/volumes", &body) {
                    let empty = BTreeSet::from([0]);
                    let content =
                        Content { last: empty.clone(), ever: empty, ..Content::default() };
                    self.contents.insert(new, content);
                }
            }
            4 | 5 if !s.is_empty() => {
                let size = snapshot["size"].as_u64().unwrap() + self.dice.below(2);
                let body = json!({"volume": {"size": size, "snapshot_id": s}});
                if let Some(new) = self.create("/volumes", &body) {
                    self.copy_of(&new, &s);
                }
            }
            6 | 7 if !v.is_empty() => {
                let body = json!({"volume": {"size": grown, "source_volid": v}});
                if let Some(new) = self.create("/volumes", &body) {
                    self.copy_of(&new, &v);
                }
            }
            8 if !b.is_empty() => {
                let body = json!({"volume": {"size": 2, "backup_id": b}});
                if let Some(new) = self.create("/volumes", &body) {
                    self.copy_of(&new, &b);
                }
            }
            9 | 10 if !v.is_empty() => {
                let query = self.dice.of(&["", "?cascade=true", "?force=true"]).unwrap();
                if self.ask("DELETE", &format!("{path}{query}"), &Value::Null).is_some() {
                    self.deleted(&path);
                    if query == "?force=true" {
                        // Creations from this volume that are in progress fail.
                        self.reset.insert(v.clone());
                    }
                }
            }
            11 | 12 if !v.is_empty() => {
                self.act(&path, &json!({"os-extend": {"new_size": grown + 1}}));
            }
            13..=15 if !v.is_empty() => {
                let body = json!({"snapshot": {"volume_id": v}});
                if let Some(new) = self.create_member(&v, "/snapshots", &body) {
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
                if let Some(new) = self.create("/backups", &body) {
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
                if let Some(new) = self.create("/groups", &body) {
                    for _ in 0..self.dice.below(3) {
                        let body = json!({"volume": {
                            "size": 1, "group_id": new, "volume_type": of_type,
                        }});
                        if let Some(member) = self.create_member(&new, "/volumes", &body) {
                            let empty = BTreeSet::from([0]);
                            let content =
                                Content { last: empty.clone(), ever: empty, ..Content::default() };
                            self.contents.insert(member, content);
                        }
                    }
                }
            }
            28 if !g.is_empty() => {
                self.create("/group_snapshots", &json!({"group_snapshot": {"group_id": g}}));
            }
            29 if !g.is_empty() => {
                let from = if !w.is_empty() && self.dice.one_in(2) {
                    json!({"group_snapshot_id": w})
                } else {
                    json!({"source_group_id": g})
                };
                self.create("/groups/action", &json!({ "create-from-src": from }));
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
                    self.reset.insert(v.clone());
                    if let Some(content) = self.contents.get_mut(&v) {
                        content.uncertain = true;
                    }
                }
            }
            33 if !v.is_empty() => self.unmanage(&v, &volume),
            _ => {}
        }
    }

    /// Offers a volume for transfer, or accepts an offer.
    pub(crate) fn transfer(&mut self, volume: &str, offers: &[Value]) {
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
            if let Some(created) = self.ask("POST", "/volume-transfers", &body) {
                let created = &created["transfer"];
                self.keys.insert(id(created), text(created, "auth_key").to_owned());
            }
        }
    }

    /// Unmanages a volume, or manages an unmanaged file again.
    pub(crate) fn unmanage(&mut self, volume: &str, row: &Value) {
        if let Some(old) = self.unmanaged.first().cloned() {
            let name = format!("volume-{old}");
            let at =
                ["a", "b"].into_iter().find(|at| self.dir.path().join(at).join(&name).exists());
            let host = text(row, "os-vol-host-attr:host");
            if let (Some(at), Some((machine, _))) = (at, host.split_once('@')) {
                let body = json!({"volume": {
                    "host": format!("{machine}@{at}#{at}"), "ref": {"source-name": name},
                }});
                if let Some(new) = self.create("/manageable_volumes", &body) {
                    // Two requests may adopt the same file, and one of them fails.
                    self.accepted.remove(&format!("/manageable_volumes/{new}"));
                    self.reset.insert(new.clone());
                    self.managed.insert(new.clone());
                    self.copy_of(&new, &old);
                }
            }
        } else if self.act(&format!("/volumes/{volume}"), &json!({"os-unmanage": {}})) {
            self.deleted(&format!("/volumes/{volume}"));
            self.unmanaged.insert(volume.to_owned());
        }
    }
}
