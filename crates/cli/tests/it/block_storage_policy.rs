//! The policy of Block Storage: a file decides, a reload replaces it, a bad file is refused.

use crate::cloud;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use serde_json::{Value, json};

use crate::cloud::identity::{FAR, Identity};
use crate::cloud::{Cloud, JSON, LATEST, Reply};
use crate::recording::{Call, Known};

fn call(cloud: &Cloud, token: &str, method: &str, path: &str, body: &Value) -> Reply {
    let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
    cloud.send(method, path, &body, &[("x-auth-token", token), JSON, LATEST])
}

fn get(cloud: &Cloud, token: &str, path: &str) -> u16 {
    call(cloud, token, "GET", path, &Value::Null).status
}

fn statehold(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_statehold")).args(arguments).output().unwrap()
}

/// Returns the file that `statehold policy show` prints.
fn shown(arguments: &[&str]) -> String {
    let done = statehold(&[&["policy", "show"], arguments].concat());
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).unwrap()
}

/// Returns the default policy with another condition for every action.
fn with_actions(condition: &str) -> String {
    let mut file = String::new();
    for line in shown(&[]).lines() {
        let action = line.split_once(" = ").map(|(name, _)| name).filter(|name| name.contains(':'));
        match action.filter(|_| !line.starts_with('#')) {
            Some(name) => file.extend([name, " = \"", condition, "\"\n"]),
            None => file.extend([line, "\n"]),
        }
    }
    file
}

struct Setting {
    cloud: Cloud,
    dir: tempfile::TempDir,
    _identity: Identity,
}

/// Starts a server with a policy file, and with tokens of users of the project `p1`.
fn setting(policy: &str) -> Setting {
    let (identity, dir) = (Identity::start(), tempfile::tempdir().unwrap());
    identity.know("admin", "p0", &["admin"], FAR);
    identity.know_user("one", ("u1", "p1"), &["member"]);
    identity.know_user("two", ("u2", "p1"), &["member"]);
    identity.know_user("auditor", ("u3", "p1"), &["auditor"]);
    let file = dir.path().join("policy.toml");
    std::fs::write(&file, policy).unwrap();
    let (url, log) = (identity.url(), dir.path().join("log"));
    let file = file.to_str().unwrap();
    let arguments = ["--auth", "keystone", "--identity-url", &url, "--policy", file];
    let cloud = Cloud::start_logged(dir.path(), &arguments, &log);
    Setting { cloud, dir, _identity: identity }
}

/// Creates a volume, and returns its path.
fn volume(cloud: &Cloud, token: &str) -> String {
    let reply = call(cloud, token, "POST", "/v3/volumes", &json!({"volume": {"size": 1}}));
    assert_eq!(reply.status, 202, "{}", reply.body);
    format!("/v3/volumes/{}", reply.json()["volume"]["id"].as_str().unwrap())
}

#[test]
fn a_policy_file_decides_by_role_owner_and_project() {
    let Setting { cloud, .. } = &setting(
        "reads = \"rule:xena_system_admin_or_project_reader or (role:auditor and project_id:p1)\"\n\
         \"volume:get\" = \"rule:reads\"\n\
         \"volume:get_all\" = \"rule:reads\"\n\
         \"volume:update\" = \"rule:admin_api or user_id:%(user_id)s\"\n\
         \"volume:delete\" = [\"admin\"]\n\
         \"volume_extension:volume_admin_actions:reset_status\" = \"user_id:%(user_id)s\"\n\
         \"volume_extension:quotas:update\" = \"project_id:%(project_id)s\"\n",
    );
    let path = volume(cloud, "one");
    assert_eq!(get(cloud, "auditor", &path), 200);
    assert_eq!(get(cloud, "auditor", "/v3/volumes/detail"), 200);
    assert_eq!(get(cloud, "auditor", "/v3/snapshots"), 403);
    // The creator may and another user of the project may not, for admin actions of the defaults too.
    let rename = json!({"volume": {"name": "n"}});
    let reset = json!({"os-reset_status": {"status": "error"}});
    let action = format!("{path}/action");
    for (token, status) in [("one", 200), ("two", 403), ("admin", 200)] {
        let reply = call(cloud, token, "PUT", &path, &rename);
        assert_eq!(reply.status, status, "{token}: {}", reply.body);
    }
    for (token, status) in [("two", 403), ("admin", 403), ("one", 202)] {
        let reply = call(cloud, token, "POST", &action, &reset);
        assert_eq!(reply.status, status, "{token}: {}", reply.body);
    }
    let reply = call(cloud, "one", "DELETE", &path, &Value::Null);
    let message = "Policy doesn't allow volume:delete to be performed.";
    assert_eq!((reply.status, &reply.json()["forbidden"]["message"]), (403, &json!(message)));
    // The target of a quota is the project in the path, not the caller's own.
    let quota = json!({"quota_set": {"volumes": 5}});
    assert_eq!(call(cloud, "one", "PUT", "/v3/os-quota-sets/p1", &quota).status, 200);
    assert_eq!(call(cloud, "one", "PUT", "/v3/os-quota-sets/p2", &quota).status, 403);
}

#[test]
fn a_write_checks_only_its_own_action() {
    let writes = [
        "volume_extension:type_create",
        "volume_extension:type_update",
        "volume_extension:type_delete",
        "volume_extension:types_extra_specs:create",
        "volume_extension:types_extra_specs:index",
        "volume_extension:volume_type_encryption:create",
        "volume:create",
        "volume:attachment_create",
        "volume:attachment_update",
        "volume:attachment_delete",
        "volume:create_transfer",
        "volume:delete_transfer",
    ];
    let mut file: String = writes.map(|action| format!("\"{action}\" = [\"storage\"]\n")).concat();
    file.push_str("\"volume:get\" = [\"reader\"]\n\"volume_extension:type_get\" = [\"reader\"]\n");
    let Setting { cloud, _identity: identity, .. } = &setting(&file);
    identity.know_user("storage", ("u9", "p1"), &["storage"]);
    let send = |method: &str, path: &str, body: &Value, status: u16| {
        let reply = call(cloud, "storage", method, path, body);
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.body);
        if reply.body.is_empty() { Value::Null } else { reply.json() }
    };
    let id = |reply: &Value, name: &str| reply[name]["id"].as_str().unwrap().to_owned();
    let body = json!({"volume_type": {"name": "t"}});
    let path = format!("/v3/types/{}", id(&send("POST", "/v3/types", &body, 200), "volume_type"));
    send("PUT", &path, &json!({"volume_type": {"name": "u"}}), 200);
    let specs = format!("{path}/extra_specs");
    send("POST", &specs, &json!({"extra_specs": {"k": "v"}}), 200);
    send("GET", &specs, &Value::Null, 200);
    let encryption = json!({"encryption": {"provider": "luks", "control_location": "front-end"}});
    send("POST", &format!("{path}/encryption"), &encryption, 200);
    assert_eq!(get(cloud, "storage", &path), 403);
    send("DELETE", &path, &Value::Null, 202);

    let created = send("POST", "/v3/volumes", &json!({"volume": {"size": 1}}), 202);
    let volume = id(&created, "volume");
    assert_eq!(get(cloud, "storage", &format!("/v3/volumes/{volume}")), 403);
    let until = Instant::now() + cloud::PATIENCE;
    loop {
        let reply = call(cloud, "one", "GET", &format!("/v3/volumes/{volume}"), &Value::Null);
        if reply.json()["volume"]["status"] == "available" {
            break;
        }
        assert!(Instant::now() < until, "{}", reply.body);
        std::thread::yield_now();
    }
    let body = json!({"transfer": {"volume_id": volume}});
    let transfer = id(&send("POST", "/v3/volume-transfers", &body, 202), "transfer");
    send("DELETE", &format!("/v3/volume-transfers/{transfer}"), &Value::Null, 202);
    let body = json!({"attachment": {"volume_uuid": volume}});
    let attachment = id(&send("POST", "/v3/attachments", &body, 200), "attachment");
    let path = format!("/v3/attachments/{attachment}");
    send("PUT", &path, &json!({"attachment": {"connector": {"host": "h"}}}), 200);
    assert_eq!(get(cloud, "storage", &path), 403);
    send("DELETE", &path, &Value::Null, 200);
}

#[test]
fn by_default_members_do_not_see_the_encryption_of_types() {
    let Setting { cloud, .. } = &setting("");
    let body = json!({"volume_type": {"name": "t"}});
    let created = call(cloud, "admin", "POST", "/v3/types", &body).json();
    let path = format!("/v3/types/{}", created["volume_type"]["id"].as_str().unwrap());
    assert_eq!(get(cloud, "one", &path), 200);
    for path in [format!("{path}/encryption"), format!("{path}/encryption/cipher")] {
        assert_eq!(get(cloud, "one", &path), 403, "{path}");
    }
}

/// Sends SIGHUP, and waits for a log line.
fn reload(setting: &Setting, line: &str) {
    let log = setting.dir.path().join("log");
    let lines = || std::fs::read_to_string(&log).unwrap().matches(line).count();
    let before = lines();
    let pid = setting.cloud.child.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    let until = Instant::now() + cloud::PATIENCE;
    while lines() == before {
        assert!(Instant::now() < until, "{line:?} is never logged");
        std::thread::yield_now();
    }
}

#[test]
fn a_reload_puts_the_file_in_force_unless_it_is_bad() {
    let setting = &setting("");
    let file = setting.dir.path().join("policy.toml");
    assert_eq!(get(&setting.cloud, "one", "/v3/volumes"), 200);
    std::fs::write(&file, "\"volume:get_all\" = \"!\"").unwrap();
    reload(setting, "reloaded the policy file");
    assert_eq!(get(&setting.cloud, "one", "/v3/volumes"), 403);
    std::fs::write(&file, "\n\"volume:get_all\" = \"rule:nope\"").unwrap();
    reload(setting, "the policy stays as it was");
    assert_eq!(get(&setting.cloud, "one", "/v3/volumes"), 403);
    let log = std::fs::read_to_string(setting.dir.path().join("log")).unwrap();
    assert!(log.contains("line 2") && log.contains("`nope`"), "{log}");
    std::fs::write(&file, "").unwrap();
    reload(setting, "reloaded the policy file");
    assert_eq!(get(&setting.cloud, "one", "/v3/volumes"), 200);
}

/// A caller that may see resources and do nothing else is refused by the action that Cinder checks first.
#[test]
fn refusals_name_the_action_that_cinder_checks_first() {
    let setting = &setting("");
    let cloud = &setting.cloud;
    let metadata = json!({"k": "v"});
    let body = json!({"volume": {"size": 1, "metadata": metadata}});
    let made = call(cloud, "admin", "POST", "/v3/volumes", &body).json();
    let volume = format!("/v3/volumes/{}", made["volume"]["id"].as_str().unwrap());
    let until = Instant::now() + cloud::PATIENCE;
    while call(cloud, "admin", "GET", &volume, &Value::Null).json()["volume"]["status"]
        != "available"
    {
        assert!(Instant::now() < until, "the volume is never available");
        std::thread::yield_now();
    }
    let body = json!({"snapshot": {"volume_id": made["volume"]["id"], "metadata": metadata}});
    let made = call(cloud, "admin", "POST", "/v3/snapshots", &body).json();
    let snapshot = format!("/v3/snapshots/{}", made["snapshot"]["id"].as_str().unwrap());
    let made = call(cloud, "admin", "POST", "/v3/qos-specs", &json!({"qos_specs": {"name": "q"}}));
    let qos = made.json();
    let qos = format!("/v3/qos-specs/{}", qos["qos_specs"]["id"].as_str().unwrap());
    let mut file = with_actions("!");
    for shown in ["volume:get", "volume:get_snapshot"] {
        file = file.replace(&format!("\"{shown}\" = \"!\""), &format!("\"{shown}\" = \"@\""));
    }
    std::fs::write(setting.dir.path().join("policy.toml"), file).unwrap();
    reload(setting, "reloaded the policy file");
    let admin_actions = "volume_extension:volume_admin_actions";
    let unknown = "11111111-2222-4333-8444-555555555555";
    let act = format!("{volume}/action");
    for (method, path, body, action) in [
        (
            "POST",
            act.clone(),
            json!({"os-show_image_metadata": {}}),
            "volume:get_volume_metadata".into(),
        ),
        (
            "POST",
            act.clone(),
            json!({"os-force_delete": {}}),
            format!("{admin_actions}:force_delete"),
        ),
        (
            "POST",
            act.clone(),
            json!({"os-force_detach": {}}),
            format!("{admin_actions}:force_detach"),
        ),
        (
            "POST",
            act,
            json!({"os-migrate_volume_completion": {"new_volume": unknown}}),
            format!("{admin_actions}:migrate_volume_completion"),
        ),
        ("DELETE", format!("{volume}?force=true"), Value::Null, "volume:force_delete".into()),
        (
            "DELETE",
            format!("{volume}/metadata/k"),
            Value::Null,
            "volume:get_volume_metadata".into(),
        ),
        (
            "DELETE",
            format!("{snapshot}/metadata/k"),
            Value::Null,
            "volume:get_snapshot_metadata".into(),
        ),
        (
            "PUT",
            format!("{qos}/delete_keys"),
            json!({"keys": ["k"]}),
            "volume_extension:qos_specs_manage:delete".into(),
        ),
        (
            "GET",
            format!("{qos}/associations"),
            Value::Null,
            "volume_extension:qos_specs_manage:get_all".into(),
        ),
    ] {
        let reply = call(cloud, "admin", method, &path, &body);
        let message = format!("Policy doesn't allow {action} to be performed.");
        assert_eq!(reply.status, 403, "{method} {path} {body}: {}", reply.body);
        assert_eq!(reply.json()["forbidden"]["message"], message, "{method} {path} {body}");
    }
}

#[test]
fn limits_without_the_permission_lack_the_usage() {
    let Setting { cloud, .. } = &setting("\"limits_extension:used_limits\" = \"role:admin\"");
    for (token, shown) in [("one", false), ("admin", true)] {
        let reply = call(cloud, token, "GET", "/v3/limits", &Value::Null);
        assert_eq!(reply.status, 200, "{}", reply.body);
        let limits = reply.json()["limits"]["absolute"].clone();
        assert_eq!(limits["maxTotalVolumes"], 10, "{limits}");
        let used = limits.as_object().unwrap().keys().filter(|name| name.ends_with("Used"));
        assert_eq!(used.count(), if shown { 5 } else { 0 }, "{limits}");
    }
}

#[test]
fn a_bad_policy_file_is_refused_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("policy.toml");
    let refused = |path: &Path| {
        let data = dir.path().join("data");
        let (path, data) = (path.to_str().unwrap(), data.to_str().unwrap());
        let done = statehold(&[
            "serve",
            "--no-nomad",
            "--block-storage",
            "127.0.0.1:0",
            "--policy",
            path,
            "--data-dir",
            data,
        ]);
        assert_eq!(done.status.code(), Some(1));
        String::from_utf8(done.stderr).unwrap()
    };
    assert!(refused(&dir.path().join("absent")).contains("can't read the policy file"));
    for (text, line, reason) in [
        ("\"volume:get\" = \"@\"\n\"volume:gett\" = \"@\"", 2, "no endpoint asks for the action"),
        ("\"volume:get\" = \"rule:x\"", 1, "refers to the rule `x`"),
        ("\na = \"rule:b\"\nb = \"rule:a\"\n\"volume:get\" = \"rule:b\"", 2, "a -> b -> a"),
        ("\"volume:get\" = \"role:a role:b\"", 1, "an operator or the end is expected at byte 7"),
        ("\"volume:get\" = 1", 1, "a list of roles is expected"),
    ] {
        std::fs::write(&file, text).unwrap();
        let refusal = refused(&file);
        assert!(refusal.contains(&format!("line {line}: ")), "{text}: {refusal}");
        assert!(refusal.contains(reason), "{text}: {refusal}");
    }
}

#[test]
fn a_printed_policy_can_be_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("policy.toml");
    let defaults = shown(&[]);
    for line in [
        "\"volume:create\" = \"rule:xena_system_admin_or_project_member\"",
        "\"volume:get\" = \"rule:xena_system_admin_or_project_reader\"",
        "\"volume_extension:type_create\" = \"rule:admin_api\"",
        "\"context_is_admin\" = \"role:admin\"",
    ] {
        assert!(defaults.lines().any(|shown| shown == line), "{line}\n{defaults}");
    }
    std::fs::write(&file, &defaults).unwrap();
    assert_eq!(shown(&["--policy", file.to_str().unwrap()]), defaults);
    let own = "\"volume:get\" = [\"a\", \"b\"]";
    std::fs::write(&file, own).unwrap();
    let merged = shown(&["--policy", file.to_str().unwrap()]);
    assert!(merged.contains("\"volume:get\" = \"role:a or role:b\""), "{merged}");
}

/// The users of the recording, by role.
const MEMBER: (&str, &str) =
    ("4a7af72ad161459c9ec45762285a5ce1", "2c98a9fef62442ceb74366e985af8d5f");
const ADMIN: (&str, &str) =
    ("249f91e985984d0b93db39770c798087", "b74e5d81f9d44e60b55659a51c6cf08f");

/// A policy that grants nothing MUST refuse every call that the recorded cloud granted. The recording covers
/// every endpoint, so the test needs no list of them.
#[test]
fn every_endpoint_checks_the_policy() {
    let (identity, dir) = (Identity::start(), tempfile::tempdir().unwrap());
    identity.know_user("member", MEMBER, &["member"]);
    identity.know_user("admin", ADMIN, &["admin"]);
    let file = dir.path().join("policy.toml");
    std::fs::write(&file, with_actions("!")).unwrap();
    let (url, file) = (identity.url(), file.to_str().unwrap().to_owned());
    let arguments = ["--auth", "keystone", "--identity-url", &url, "--policy", &file];
    let cloud = Cloud::start_with(dir.path(), &arguments);
    let calls: Vec<Call> =
        serde_json::from_str(include_str!("data/block_storage_calls.json")).unwrap();
    let (mut refused, mut open, mut wrong) = (0, BTreeSet::new(), Vec::new());
    for call in calls.iter().filter(|call| (200..300).contains(&call.status)) {
        let path = call.path.split_once('?').map_or(&*call.path, |(path, _)| path);
        let path = path.replace(MEMBER.1, "").replace(ADMIN.1, "").replace("//", "/");
        let reply = call.send(&cloud, &Known::default());
        match reply.status {
            403 if reply.body.contains("Policy doesn't allow") => refused += 1,
            200 => {
                open.insert(path);
            }
            status => {
                let (method, body) = (&call.method, &call.body);
                wrong.push(format!("{method} {path} {body}: {status} {}", reply.body));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // These describe the server to every caller with a token, without a policy check.
    let free = [
        "/v3/",
        "/v3/extensions",
        "/v3/extensions/os-hosts",
        "/v3/limits",
        "/v3/os-availability-zone",
        "/v3/resource_filters",
    ];
    assert_eq!(open, free.map(str::to_owned).into());
    assert!(refused > 300, "{refused}");
}
