//! Bodies whose verdicts were recorded from the reference.
//!
//! Goal: the tables equal the published schemas of the reference. Method: each member of each
//! request is set to each value of a pool, and the verdict compared with the recorded one. The reference's
//! validators ran on the same bodies; `verdicts.txt` describes its own form.

use serde_json::{Map, Value, json};
use statehold_store::Store;

use super::{Error, Microversion, REQUESTS, Request};
use crate::{Caller, Config, Role, schema, set_class_quotas, set_quotas};

const VERDICTS: &str = include_str!("verdicts.txt");
const POOL: &str = include_str!("pool.json");

/// A request of the recording.
struct Recorded<'r> {
    request: &'r Request,
    key: Option<&'r str>,
    base: Map<String, Value>,
}

impl Recorded<'_> {
    fn wrap(&self, object: &Value) -> Value {
        self.key.map_or_else(|| object.clone(), |key| json!({ key: object }))
    }

    /// Returns the body with a member of its base set, or without it.
    fn body(&self, member: &str, value: &Value) -> Value {
        let mut base = self.base.clone();
        match (member, member.strip_prefix('-')) {
            ("=", _) => return self.wrap(value),
            ("*", _) => {
                let key = self.key.expect("a sibling needs a key");
                return json!({ key: base, "zz": value });
            }
            ("-", _) => return json!({}),
            (_, Some(name)) => drop(base.remove(name)),
            (name, None) => {
                // The two sources exclude each other.
                if name == "group_snapshot_id" {
                    base.remove("source_group_id");
                }
                base.insert(name.into(), value.clone());
            }
        }
        self.wrap(&base.into())
    }
}

/// Reads the body of a request. Quotas are set in a store, because their keys are its volume types.
fn read(request: &Request, body: &Value, version: Microversion) -> Result<(), Error> {
    let body = body.to_string();
    let quotas = request.name.starts_with("quota_");
    if !quotas {
        return (request.read)(body.as_bytes(), version);
    }
    let store = Store::in_memory(&schema());
    let mut txn = store.begin_write().unwrap();
    let caller = Caller { role: Role::Admin, ..Caller::default() };
    if request.name == "quota_sets.update" {
        set_quotas(&mut txn, &Config::default(), &caller, "p", body.as_bytes())
    } else {
        set_class_quotas(&mut txn, &caller, "default", body.as_bytes())
    }
}

/// Whether a difference is meant.
fn is_meant(request: &Request, member: &str, value: &Value, error: Option<&Error>) -> bool {
    let name = request.name;
    match error {
        // The numbers 0 and 1 are booleans wherever booleans are.
        None => *value == json!(0) || *value == json!(1),
        Some(error) => {
            let text = error.to_string();
            // Actions are found by the one key of their body before their tables.
            (member == "*" && text == "Malformed request body")
                // The reference takes null and then fails on it.
                || (member == "=" && value.is_null() && name.starts_with("backups."))
                || (matches!(member, "-" | "=" | "*") && name == "default_types.update")
                // Checks behind the tables.
                || request.further.contains(&member)
        }
    }
}

#[test]
fn verdicts_match_the_recorded_ones_of_cinder() {
    let pool: Vec<Value> = serde_json::from_str(POOL).unwrap();
    let mut recorded: Option<Recorded<'_>> = None;
    let (mut differences, mut checked) = (Vec::new(), 0);
    for line in VERDICTS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(line) = line.strip_prefix("= ") {
            let (name, rest) = line.split_once(' ').unwrap();
            let (key, base) = rest.split_once(' ').unwrap();
            recorded = Some(Recorded {
                request: REQUESTS.iter().find(|one| one.name == name).expect(name),
                key: (key != "-").then_some(key),
                base: serde_json::from_str(base).unwrap(),
            });
            continue;
        }
        let recorded = recorded.as_ref().expect("a request comes first");
        let [version, member, verdicts] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let version = Microversion::new(version.strip_prefix("3.").unwrap().parse().unwrap());
        let early = recorded.request.name == "os-migrate_volume" && !version.at_least(16);
        let earlier = REQUESTS.iter().find(|one| one.name.ends_with("before 3.16")).unwrap();
        let request = if early { earlier } else { recorded.request };
        for (verdict, value) in verdicts.chars().zip(&pool) {
            let body = recorded.body(member, value);
            let outcome = read(request, &body, version);
            checked += 1;
            let same = match (verdict, &outcome) {
                ('.', Ok(())) => true,
                ('x' | '?', Err(error)) => error.status() == 400,
                ('.', Err(error)) => is_meant(request, member, value, Some(error)),
                _ => is_meant(request, member, value, None),
            };
            if !same {
                let name = request.name;
                differences.push(format!("{name} {version:?} {member} {body}: {outcome:?}"));
            }
        }
    }
    assert!(checked > 40_000, "{checked}");
    assert!(differences.is_empty(), "{}:\n{}", differences.len(), differences.join("\n"));
}
