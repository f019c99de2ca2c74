//! Block Storage with an identity service: the rights of each role, and the number of validations.

use crate::cloud;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use crate::cloud::identity::{FAR, Identity};
use crate::cloud::{Cloud, JSON, LATEST, Reply};

/// Sends a request with a JSON body as a stock client does.
fn call(cloud: &Cloud, token: &str, method: &str, path: &str, body: &Value) -> Reply {
    let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
    cloud.send(method, path, &body, &[("x-auth-token", token), JSON, LATEST])
}

fn get(cloud: &Cloud, token: &str, path: &str) -> Reply {
    call(cloud, token, "GET", path, &Value::Null)
}

struct Setting {
    identity: Identity,
    cloud: Cloud,
    _dir: tempfile::TempDir,
}

fn setting(arguments: &[&str]) -> Setting {
    let (identity, dir) = (Identity::start(), tempfile::tempdir().unwrap());
    identity.know("t-admin", "p0", &["admin", "member", "reader"], FAR);
    identity.know("t-member", "p1", &["member", "reader"], FAR);
    identity.know("t-reader", "p1", &["reader"], FAR);
    identity.know("t-other", "p2", &["member"], FAR);
    identity.know("t-none", "p1", &["auditor"], FAR);
    let url = identity.url();
    let mut all = vec!["--auth", "keystone", "--identity-url", &url];
    all.extend(arguments);
    let cloud = Cloud::start_with(dir.path(), &all);
    Setting { identity, cloud, _dir: dir }
}

#[test]
fn roles_and_projects_decide_the_rights_of_a_token() {
    let Setting { cloud, .. } = &setting(&[]);
    let body = json!({"volume": {"size": 1, "name": "own"}});
    let created = call(cloud, "t-member", "POST", "/v3/p1/volumes", &body);
    assert_eq!(created.status, 202, "{}", created.body);
    let id = created.json()["volume"]["id"].as_str().unwrap().to_owned();
    assert_eq!(created.json()["volume"]["user_id"], "user-of-p1");
    let path = format!("/v3/volumes/{id}");

    // Other projects MUST NOT learn that the volume exists.
    let foreign = get(cloud, "t-other", &path);
    assert_eq!(foreign.status, 404, "{}", foreign.body);
    assert_eq!(get(cloud, "t-other", "/v3/volumes").json(), json!({"volumes": []}));
    assert_eq!(get(cloud, "t-other", "/v3/volumes?all_tenants=1").json(), json!({"volumes": []}));
    assert_eq!(get(cloud, "t-other", "/v3/p1/volumes").status, 400);
    // A reader sees the volume and changes nothing.
    assert_eq!(get(cloud, "t-reader", &path).status, 200);
    let forbidden = [
        ("POST", "/v3/volumes".to_owned(), body.clone(), "volume:create"),
        ("PUT", path.clone(), json!({"volume": {"name": "x"}}), "volume:update"),
        ("DELETE", path.clone(), Value::Null, "volume:delete"),
        ("POST", format!("{path}/action"), json!({"os-extend": {"new_size": 2}}), "volume:extend"),
        (
            "POST",
            "/v3/snapshots".to_owned(),
            json!({"snapshot": {"volume_id": id}}),
            "volume:create_snapshot",
        ),
        (
            "POST",
            "/v3/types".to_owned(),
            json!({"volume_type": {"name": "t"}}),
            "volume_extension:type_create",
        ),
        (
            "POST",
            "/v3/attachments".to_owned(),
            json!({"attachment": {"volume_uuid": id}}),
            "volume:attachment_create",
        ),
        (
            "POST",
            "/v3/volume-transfers".to_owned(),
            json!({"transfer": {"volume_id": id}}),
            "volume:create_transfer",
        ),
        ("POST", "/v3/qos-specs".to_owned(), json!({}), "volume_extension:qos_specs_manage:create"),
    ];
    for (method, path, body, rule) in forbidden {
        let reply = call(cloud, "t-reader", method, &path, &body);
        assert_eq!(reply.status, 403, "{method} {path}: {}", reply.body);
        let message = format!("Policy doesn't allow {rule} to be performed.");
        assert_eq!(reply.json()["forbidden"]["message"], *message);
    }
    // Admin actions are refused for members.
    let reset = json!({"os-reset_status": {"status": "error"}});
    assert_eq!(call(cloud, "t-member", "POST", &format!("{path}/action"), &reset).status, 403);
    for path in ["/v3/qos-specs", "/v3/qos-specs/x", "/v3/default-types", "/v3/os-quota-sets/p2"] {
        assert_eq!(get(cloud, "t-member", path).status, 403, "{path}");
    }
    // A caller without a recognised role is refused reads too.
    let paths = [
        "/v3/volumes",
        "/v3/volumes/detail",
        "/v3/volumes/summary",
        "/v3/snapshots",
        "/v3/snapshots/x",
        "/v3/attachments",
        "/v3/attachments/x",
        "/v3/volume-transfers/detail",
        "/v3/volume-transfers/x",
        "/v3/types",
        "/v3/types/default",
        "/v3/types/x",
        "/v3/messages",
        "/v3/messages/x",
        "/v3/os-quota-sets/p1",
        &path,
    ];
    for path in paths {
        let reply = get(cloud, "t-none", path);
        assert_eq!(reply.status, 403, "{path}: {}", reply.body);
    }
    // An admin sees its own project by default, and all projects on request.
    assert_eq!(get(cloud, "t-admin", "/v3/p0/volumes").json(), json!({"volumes": []}));
    let all = get(cloud, "t-admin", "/v3/p0/volumes/detail?all_tenants=1").json();
    assert_eq!(all["volumes"][0]["os-vol-tenant-attr:tenant_id"], "p1");
    assert_eq!(get(cloud, "t-admin", &path).status, 200);
}

#[test]
fn a_request_without_a_valid_token_is_401_with_the_keystone_url() {
    let Setting { cloud, identity, .. } = &setting(&[]);
    identity.know("t-old", "p1", &["member"], "2020-01-01T00:00:00.000000Z");
    let long = "x".repeat(9 << 10);
    let mut refused = vec![cloud.send("GET", "/v3/volumes", b"", &[LATEST])];
    for token in ["nobody", "u1:p1", "t-old", &long] {
        refused.push(get(cloud, token, "/v3/volumes"));
    }
    for reply in refused {
        assert_eq!(reply.status, 401, "{}", reply.body);
        let challenge = format!("Keystone uri=\"{}/v3\"", identity.url());
        assert_eq!(reply.header("www-authenticate"), challenge);
        assert_eq!(
            reply.json(),
            json!({"error": {
                "code": 401, "title": "Unauthorized",
                "message": "The request you have made requires authentication.",
            }})
        );
    }
    assert_eq!(identity.asked(&long), 0);
    // The version documents need no token.
    for (path, status) in [("/", 300), ("/v3/", 200), ("/v3", 302), ("/v2/volumes", 404)] {
        assert_eq!(cloud.send("GET", path, b"", &[]).status, status, "{path}");
    }
}

#[test]
fn a_validated_token_is_cached_for_its_ttl() {
    let kept = setting(&[]);
    for _ in 0..5 {
        assert_eq!(get(&kept.cloud, "t-member", "/v3/volumes").status, 200);
    }
    assert_eq!(kept.identity.asked("t-member"), 1);
    let not_kept = setting(&["--identity-cache-ttl", "0s"]);
    for _ in 0..5 {
        assert_eq!(get(&not_kept.cloud, "t-member", "/v3/volumes").status, 200);
    }
    assert_eq!(not_kept.identity.asked("t-member"), 5);
    // The cache holds one token, so each of the two displaces the other.
    let one = setting(&["--identity-cache-max", "1"]);
    for token in ["t-member", "t-other", "t-member"] {
        assert_eq!(get(&one.cloud, token, "/v3/volumes").status, 200);
    }
    assert_eq!(one.identity.asked("t-member"), 2);
}

#[test]
fn concurrent_requests_validate_a_token_once() {
    let Setting { cloud, identity, .. } = &setting(&["--identity-cache-ttl", "1h"]);
    identity.hold(true);
    let host = cloud.url.strip_prefix("http://").unwrap();
    let request = format!(
        "GET /v3/volumes HTTP/1.1\r\nhost: {host}\r\nx-auth-token: t-member\r\nconnection: close\r\n\r\n"
    );
    let sockets: Vec<_> = (0..32)
        .map(|_| {
            let mut socket = TcpStream::connect(host).unwrap();
            socket.write_all(request.as_bytes()).unwrap();
            socket
        })
        .collect();
    identity.hold(false);
    for mut socket in sockets {
        let mut reply = String::new();
        socket.read_to_string(&mut reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
    }
    assert_eq!(identity.asked("t-member"), 1);
}

#[test]
fn without_keystone_cached_tokens_work_and_others_get_503() {
    let Setting { cloud, mut identity, _dir } = setting(&["--identity-wait-max", "100ms"]);
    // Retries, because a slow machine may not validate the token within 100 ms at first.
    let until = Instant::now() + cloud::PATIENCE;
    while get(&cloud, "t-member", "/v3/volumes").status == 503 {
        assert!(Instant::now() < until, "the identity service is never asked");
    }
    identity.hold(true);
    let slow = get(&cloud, "t-other", "/v3/volumes");
    assert_eq!((slow.status, &slow.json()["error"]["code"]), (503, &json!(503)));
    identity.stop();
    let down = get(&cloud, "t-other", "/v3/volumes");
    assert_eq!((down.status, &down.json()["error"]["title"]), (503, &json!("Service Unavailable")));
    assert_eq!(down.header("www-authenticate"), "");
    assert_eq!(get(&cloud, "t-member", "/v3/volumes").status, 200);
}

#[test]
fn no_token_is_in_the_log() {
    let (identity, dir) = (Identity::start(), tempfile::tempdir().unwrap());
    identity.know("secret-of-a-member", "p1", &["member"], FAR);
    let (url, log) = (identity.url(), dir.path().join("log"));
    let arguments = ["--auth", "keystone", "--identity-url", &url, "--log-level", "trace"];
    let cloud = Cloud::start_logged(dir.path(), &arguments, &log);
    let reset = json!({"os-reset_status": {"status": "error"}});
    for token in ["secret-of-a-member", "secret-of-nobody"] {
        get(&cloud, token, "/v3/volumes/detail");
        call(&cloud, token, "POST", "/v3/volumes", &json!({"volume": {"size": 1}}));
        call(&cloud, token, "POST", "/v3/volumes/x/action", &reset);
    }
    let list = ("GET", "/v3/volumes".to_owned(), Value::Null);
    call_for(&cloud, ("secret-of-a-member", "secret-of-a-service"), &list);
    drop(identity);
    get(&cloud, "secret-of-others", "/v3/volumes");
    // A log line is written after its reply, and a killed server writes no further ones.
    let until = Instant::now() + cloud::PATIENCE;
    while !std::fs::read_to_string(&log).unwrap().contains("the identity service is unavailable") {
        assert!(Instant::now() < until, "{}", std::fs::read_to_string(&log).unwrap());
        std::thread::yield_now();
    }
    drop(cloud);
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("/v3/volumes/detail"), "{log}");
    assert!(!log.contains("secret-of"), "{log}");
}

#[test]
fn keystone_auth_needs_a_usable_identity_url() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_statehold"));
        command.args(["serve", "--bind", "127.0.0.1:0", "--block-storage", "127.0.0.1:0"]);
        let done = command.args(arguments).arg("--data-dir").arg(dir.path()).output().unwrap();
        assert_eq!(done.status.code(), Some(2));
        String::from_utf8(done.stderr).unwrap()
    };
    assert!(refused(&["--auth", "keystone"]).contains("--identity-url"));
    // Without --auth the URL would be ignored, and the server open to all callers.
    assert!(refused(&["--identity-url", "http://127.0.0.1:5000"]).contains("--auth"));
    let tls = refused(&["--auth", "keystone", "--identity-url", "https://127.0.0.1:5000"]);
    assert!(tls.contains("https is not supported"), "{tls}");
}

/// Returns the requests that release an attachment: method, path and body.
fn releases(volume: &str, attachment: &str) -> [(&'static str, String, Value); 4] {
    let action = format!("{volume}/action");
    [
        ("DELETE", format!("/v3/attachments/{attachment}"), Value::Null),
        ("POST", action.clone(), json!({"os-detach": {"attachment_id": attachment}})),
        ("POST", action.clone(), json!({"os-force_detach": {"attachment_id": attachment}})),
        ("POST", action, json!({"os-terminate_connection": {"connector": {"host": "h"}}})),
    ]
}

/// Attaches a new volume, to an instance if one is named. Returns the volume's path and the attachment's ID.
fn attached(cloud: &Cloud, instance: Option<&str>) -> (String, String) {
    let created = call(cloud, "t-member", "POST", "/v3/volumes", &json!({"volume": {"size": 1}}));
    let id = created.json()["volume"]["id"].as_str().unwrap().to_owned();
    let path = format!("/v3/volumes/{id}");
    let until = Instant::now() + cloud::PATIENCE;
    while get(cloud, "t-member", &path).json()["volume"]["status"] != "available" {
        assert!(Instant::now() < until, "the volume is never available");
        std::thread::yield_now();
    }
    let mut body = json!({"volume_uuid": id, "connector": {"host": "h"}});
    if let Some(instance) = instance {
        body["instance_uuid"] = instance.into();
    }
    let body = json!({ "attachment": body });
    let created = call(cloud, "t-member", "POST", "/v3/attachments", &body);
    assert_eq!(created.status, 200, "{}", created.body);
    let attachment = created.json()["attachment"]["id"].as_str().unwrap().to_owned();
    let complete = json!({"os-complete": {}});
    let action = format!("/v3/attachments/{attachment}/action");
    assert_eq!(call(cloud, "t-member", "POST", &action, &complete).status, 204);
    (path, attachment)
}

/// Like [`call`], with a service token too.
fn call_for(
    cloud: &Cloud,
    (token, service): (&str, &str),
    (method, path, body): &(&str, String, Value),
) -> Reply {
    let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
    let headers = [("x-auth-token", token), ("x-service-token", service), JSON, LATEST];
    cloud.send(method, path, &body, &headers)
}

const INSTANCE: &str = "11111111-2222-4333-8444-555555555555";

#[test]
fn only_a_service_releases_the_attachment_of_an_instance() {
    let Setting { cloud, identity, .. } = &setting(&[]);
    identity.know("s-compute", "services", &["Service", "admin"], FAR);
    identity.know("s-member", "services", &["member"], FAR);
    let (volume, attachment) = attached(cloud, Some(INSTANCE));
    let all = releases(&volume, &attachment);
    let message = format!(
        "ConflictNovaUsingAttachment: Detach volume from instance {INSTANCE} using the Compute API"
    );
    for release in &all {
        let (method, path, body) = release;
        // A forced detach needs an admin, and is refused too: it would leave the same stale device behind.
        let own = if body.get("os-force_detach").is_some() { "t-admin" } else { "t-member" };
        for token in [own, "t-admin"] {
            let reply = call(cloud, token, method, path, body);
            assert_eq!(reply.status, 409, "{token} {method} {path} {body}: {}", reply.body);
            assert_eq!(reply.json()["conflictingRequest"]["message"], *message);
        }
        // A service token without the service role has no effect, but an invalid one is an error.
        assert_eq!(call_for(cloud, (own, "s-member"), release).status, 409);
        assert_eq!(call_for(cloud, (own, "s-unknown"), release).status, 401);
    }
    // A service token alone MUST NOT authenticate a user's request.
    let alone = cloud.send("GET", "/v3/volumes", b"", &[("x-service-token", "s-compute"), LATEST]);
    assert_eq!(alone.status, 401);
    assert_eq!(get(cloud, "t-member", &volume).json()["volume"]["status"], "in-use");
    assert_eq!(call_for(cloud, ("t-member", "s-compute"), &all[3]).status, 202);
    assert_eq!(call_for(cloud, ("t-member", "s-compute"), &all[0]).status, 200);
    assert_eq!(get(cloud, "t-member", &volume).json()["volume"]["status"], "available");
    for at in [1, 2] {
        let (volume, attachment) = attached(cloud, Some(INSTANCE));
        let release = &releases(&volume, &attachment)[at];
        let token = if at == 2 { "t-admin" } else { "t-member" };
        let reply = call_for(cloud, (token, "s-compute"), release);
        assert_eq!(reply.status, 202, "{}", reply.body);
        assert_eq!(get(cloud, "t-member", &volume).json()["volume"]["status"], "available");
    }
}

#[test]
fn owners_release_attachments_that_no_instance_uses() {
    let Setting { cloud, .. } = &setting(&[]);
    for at in [0, 1, 3] {
        let (volume, attachment) = attached(cloud, None);
        let (method, path, body) = &releases(&volume, &attachment)[at];
        let reply = call(cloud, "t-member", method, path, body);
        assert!(reply.status < 300, "{method} {path} {body}: {}", reply.body);
    }
    // An attachment without a connector has no connection that an instance could use.
    let created = call(cloud, "t-member", "POST", "/v3/volumes", &json!({"volume": {"size": 1}}));
    let id = created.json()["volume"]["id"].as_str().unwrap().to_owned();
    let until = Instant::now() + cloud::PATIENCE;
    let path = format!("/v3/volumes/{id}");
    while get(cloud, "t-member", &path).json()["volume"]["status"] != "available" {
        assert!(Instant::now() < until, "the volume is never available");
        std::thread::yield_now();
    }
    let body = json!({"attachment": {"volume_uuid": id, "instance_uuid": INSTANCE}});
    let created = call(cloud, "t-member", "POST", "/v3/attachments", &body);
    let path = format!("/v3/attachments/{}", created.json()["attachment"]["id"].as_str().unwrap());
    assert_eq!(call(cloud, "t-member", "DELETE", &path, &Value::Null).status, 200);
}

#[test]
fn clouds_name_the_role_of_services_or_have_no_compute() {
    let named = setting(&["--service-role", "Compute"]);
    named.identity.know("s-compute", "services", &["compute"], FAR);
    named.identity.know("s-service", "services", &["service"], FAR);
    let (volume, attachment) = attached(&named.cloud, Some(INSTANCE));
    let release = &releases(&volume, &attachment)[0];
    assert_eq!(call_for(&named.cloud, ("t-member", "s-service"), release).status, 409);
    assert_eq!(call_for(&named.cloud, ("t-member", "s-compute"), release).status, 200);
    let without = setting(&["--no-compute"]);
    let (volume, attachment) = attached(&without.cloud, Some(INSTANCE));
    let (method, path, body) = &releases(&volume, &attachment)[0];
    assert_eq!(call(&without.cloud, "t-member", method, path, body).status, 200);
}
