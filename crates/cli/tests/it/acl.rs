//! ACLs over a socket: the rights of each token, and that every other endpoint refuses it.

use crate::common;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use crate::common::{Server, command, volume_payload};
use serde_json::{Value, json};

/// `root` has every right; `reader` reads volumes in `team-*`, and `writer` writes them in `default`.
const FILE: &str = r#"
[[token]]
name = "root"
sha256 = "ROOT"
management = true

[[token]]
name = "reader"
sha256 = "READER"
policies = ["read"]

[[token]]
name = "writer"
sha256 = "WRITER"
policies = ["write"]

[policy.read]
plugin = "list"
namespace."team-*".capabilities = ["csi-list-volume", "csi-read-volume"]

[[token]]
name = "watcher"
sha256 = "WATCHER"
policies = ["watch"]

[policy.watch]
plugin = "read"
namespace."*".capabilities = ["read-job"]
namespace.other.capabilities = ["deny"]

[policy.write]
plugin = "read"
namespace.default.capabilities = ["csi-write-volume"]
"#;

const ROOT: &str = "root-token";
const READER: &str = "reader-token";
const WRITER: &str = "writer-token";
const WATCHER: &str = "watcher-token";

fn digest(token: &str) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(token).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn start(dir: &Path) -> Server {
    let file = dir.join("acl.toml");
    let text = FILE
        .replace("ROOT", &digest(ROOT))
        .replace("READER", &digest(READER))
        .replace("WRITER", &digest(WRITER))
        .replace("WATCHER", &digest(WATCHER));
    std::fs::write(&file, text).unwrap();
    Server::spawn(command(&dir.join("data")).arg("--acl").arg(file))
}

/// Sends a request with a token, and returns the status and body of the reply.
fn send(
    server: &Server,
    token: Option<&str>,
    method: &str,
    path: &str,
    body: &Value,
) -> (u16, String) {
    let headers: Vec<_> = token.map(|token| ("X-Nomad-Token", token)).into_iter().collect();
    let body = (!body.is_null()).then(|| body.to_string());
    let body = body.as_ref().map(|body| body.as_bytes());
    let mut reply = server.send_with(method, path, &headers, body);
    (reply.status().as_u16(), reply.body_mut().read_to_string().unwrap())
}

/// Registers a volume in `default` and one each in `team-a` and `other`.
fn volumes(server: &Server) {
    let put = |path: &str, body: &Value| {
        let (status, text) = send(server, Some(ROOT), "PUT", path, body);
        assert_eq!(status, 200, "{path}: {text}");
    };
    let node = common::NODES[0];
    put(&format!("/statehold/v1/nodes/{node}"), &common::node_payload(node, true));
    for namespace in ["default", "team-a", "other"] {
        put("/v1/namespace", &json!({ "Name": namespace }));
        put("/v1/volumes", &json!({ "Volumes": [volume_in(namespace)] }));
    }
}

fn volume_in(namespace: &str) -> Value {
    let mut volume = volume_payload(&format!("vol-{namespace}"));
    volume["Namespace"] = json!(namespace);
    volume["ExternalID"] = json!(format!("ext-{namespace}"));
    volume
}

#[test]
fn documented_endpoints_refuse_missing_and_unknown_tokens() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    let (status, document) =
        send(&server, Some(ROOT), "GET", "/statehold/v1/openapi.json", &Value::Null);
    assert_eq!(status, 200);
    let document: Value = serde_json::from_str(&document).unwrap();
    let mut asked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let path = path.replace("{id}", common::NODES[0]).replace(['{', '}'], "");
        for (method, operation) in operations.as_object().unwrap() {
            let types = &operation["parameters"].as_array().unwrap().iter();
            let types = types.clone().find(|parameter| parameter["name"] == "type");
            let types = types.and_then(|of| of["schema"]["enum"].as_array().cloned());
            let mut queries = vec![String::new()];
            for of_type in types.unwrap_or_default() {
                queries.push(format!("?type={}", of_type.as_str().unwrap()));
            }
            for query in queries {
                let path = format!("{path}{query}");
                let method = method.to_uppercase();
                let (status, text) = send(&server, None, &method, &path, &Value::Null);
                // Health checks send no token.
                if operation["security"] == json!([]) {
                    assert_eq!(status, 200, "{method} {path}");
                // This list omits rows of other namespaces instead of refusing the request.
                } else if path == "/v1/volumes?type=host" {
                    assert_eq!((status, &*text), (200, "[]"), "{method} {path}");
                } else {
                    assert_eq!((status, &*text), (403, "Permission denied"), "{method} {path}");
                }
                let (status, text) = send(&server, Some("nope"), &method, &path, &Value::Null);
                assert_eq!((status, &*text), (403, "ACL token not found"), "{method} {path}");
                asked += 1;
            }
        }
    }
    assert!(asked > 20, "{asked} requests");
}

#[test]
fn a_token_has_the_rights_and_rows_of_its_policies() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    volumes(&server);
    let none = &Value::Null;
    let more = &json!({ "Volumes": [volume_in("default")] });
    let elsewhere = &json!({ "Volumes": [volume_in("default"), volume_in("team-a")] });
    for (token, method, path, body, status, has) in [
        (READER, "GET", "/v1/volume/csi/vol-team-a?namespace=team-a", none, 200, "vol-team-a"),
        (READER, "GET", "/v1/volume/csi/vol-default", none, 403, "Permission denied"),
        (READER, "GET", "/v1/volumes?type=csi&namespace=team-a", none, 200, "vol-team-a"),
        (READER, "GET", "/v1/volumes?type=csi", none, 403, "Permission denied"),
        (READER, "GET", "/v1/plugins?type=csi", none, 200, "plugin-id1"),
        (READER, "GET", "/v1/plugin/csi/plugin-id1", none, 403, "Permission denied"),
        (READER, "GET", "/v1/namespace/team-a", none, 200, "team-a"),
        (READER, "GET", "/v1/namespace/other", none, 403, "Permission denied"),
        (READER, "PUT", "/v1/volumes", more, 403, "Permission denied"),
        (READER, "GET", "/metrics", none, 403, "Permission denied"),
        (WRITER, "PUT", "/v1/volumes", more, 200, "vol-default"),
        (WRITER, "PUT", "/v1/volumes", elsewhere, 403, "Permission denied"),
        (WRITER, "PUT", "/v1/volumes?namespace=team-a", more, 200, "vol-default"),
        (WRITER, "DELETE", "/v1/volume/csi/vol-team-a?namespace=team-a", none, 403, "Permission"),
        (WRITER, "DELETE", "/v1/volume/csi/vol-default", none, 200, ""),
        (WRITER, "PUT", "/v1/namespace/new", more, 403, "Permission denied"),
        (ROOT, "GET", "/metrics", none, 200, "statehold_store_index"),
        // The method is checked before the rights of the token.
        (READER, "DELETE", "/v1/volumes", none, 405, "Invalid method"),
    ] {
        let (found, text) = send(&server, Some(token), method, path, body);
        assert_eq!(found, status, "{token}: {method} {path}: {text}");
        assert!(text.contains(has), "{token}: {method} {path}: {text}");
    }
    let listed = |token, path: &str, name: &str| -> Vec<String> {
        let (status, text) = send(&server, Some(token), "GET", path, none);
        assert_eq!(status, 200, "{text}");
        let rows: Vec<Value> = serde_json::from_str(&text).unwrap();
        rows.iter().map(|row| row[name].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed(READER, "/v1/volumes?type=csi&namespace=*", "ID"), ["vol-team-a"]);
    assert_eq!(listed(READER, "/v1/volumes?type=csi&namespace=*&per_page=1", "ID"), ["vol-team-a"]);
    assert_eq!(listed(READER, "/v1/namespaces", "Name"), ["team-a"]);
    assert_eq!(listed(ROOT, "/v1/namespaces", "Name").len(), 3);
    let found = |token, query: &str, context: &str| {
        let body = json!({ "Prefix": "", "Context": context });
        let (status, text) =
            send(&server, Some(token), "PUT", &format!("/v1/search?{query}"), &body);
        assert!(status == 200 || text == "Permission denied", "{text}");
        serde_json::from_str::<Value>(&text).map(|reply| reply["Matches"].clone()).ok()
    };
    let only = Some(json!({ "volumes": ["vol-team-a"] }));
    assert_eq!(found(READER, "namespace=*", "volumes"), only);
    assert_eq!(found(READER, "", "volumes"), None);
    assert_eq!(found(READER, "", "nodes"), None);
    let all = found(READER, "namespace=*", "all").unwrap();
    assert_eq!((&all["namespaces"], &all["nodes"]), (&json!(["team-a"]), &Value::Null));
    let bearer = server.send_with(
        "GET",
        "/v1/namespaces",
        &[("Authorization", &format!("Bearer {ROOT}"))],
        None,
    );
    assert_eq!(bearer.status().as_u16(), 200);
}

#[test]
fn an_invalid_acl_file_stops_the_start_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("acl.toml");
    std::fs::write(&file, "[policy.read]\nplugins = \"read\"\n").unwrap();
    let data = dir.path().join("data");
    let output = command(&data).arg("--acl").arg(&file).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && !data.exists());
    assert!(stderr.contains(&format!("{}:2: unknown field `plugins`", file.display())), "{stderr}");
}

#[test]
fn a_plugin_hides_allocations_of_denied_namespaces() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    volumes(&server);
    let feed = |path: String, body: &Value| {
        assert_eq!(send(&server, Some(ROOT), "PUT", &path, body).0, 200, "{path}");
    };
    let node = common::NODES[1];
    for (allocation, namespace) in [(common::ALLOC, "team-a"), (common::OTHER_ALLOC, "other")] {
        let body = json!({ "Namespace": namespace, "NodeID": node, "JobID": "csi",
            "TaskGroup": "nodes", "DesiredStatus": "run", "ClientStatus": "running" });
        feed(format!("/statehold/v1/allocations/{allocation}"), &body);
    }
    for (node, allocation) in [(node, common::ALLOC), (common::NODES[2], common::OTHER_ALLOC)] {
        let mut body = common::node_payload(node, false);
        body["CSINodePlugins"]["plugin-id1"]["AllocID"] = json!(allocation);
        feed(format!("/statehold/v1/nodes/{node}"), &body);
    }
    let shown = |token: &str, namespace: &str| -> Value {
        let path = format!("/v1/plugin/csi/plugin-id1?namespace={namespace}");
        let (_, text) = send(&server, Some(token), "GET", &path, &Value::Null);
        let plugin: Value = serde_json::from_str(&text).unwrap();
        let allocations = plugin["Allocations"].as_array().into_iter().flatten();
        allocations.map(|allocation| allocation["Namespace"].clone()).collect()
    };
    assert_eq!(shown(ROOT, "*"), json!(["other", "team-a"]));
    assert_eq!(shown(WATCHER, "*"), json!(["team-a"]));
    assert_eq!(shown(WATCHER, "other"), json!([]));
    assert_eq!(shown(WRITER, "*"), json!([]));
}

/// Starts a server with the namespaces `team-a` and `team-b` and a storage provider. The token `root` has
/// every right, and `writer` writes to `team-b`.
fn start_with_teams(dir: &Path) -> Server {
    let file = dir.join("acl.toml");
    let token = |name: &str, rest: &str| {
        format!("[[token]]\nname = {name:?}\nsha256 = {:?}\n{rest}\n", digest(name))
    };
    let text = token("root", "management = true")
        + &token("writer", "policies = [\"write\"]")
        + "[policy.write]\nplugin = \"read\"\nnamespace.team-b.capabilities = \
           [\"csi-write-volume\", \"csi-list-volume\"]\n";
    std::fs::write(&file, text).unwrap();
    let data = dir.join("data");
    let server =
        Server::spawn(command(&data).arg("--acl").arg(&file).args(["--csi-dir-plugin", "disks"]));
    for name in ["team-a", "team-b"] {
        let path = format!("/v1/namespace/{name}");
        assert_eq!(send(&server, Some("root"), "PUT", &path, &json!({ "Name": name })).0, 200);
    }
    server
}

fn provided_volume(namespace: &str, id: &str) -> Value {
    json!({
        "Namespace": namespace, "ID": id, "Name": id, "PluginID": "disks",
        "RequestedCapabilities": [
            { "AccessMode": "single-node-writer", "AttachmentMode": "file-system" },
        ],
    })
}

/// An external ID MUST NOT give a token access to the data of another namespace's volume.
#[test]
fn an_external_id_gives_no_access_across_namespaces() {
    let dir = tempfile::tempdir().unwrap();
    let server = start_with_teams(dir.path());
    let data = dir.path().join("data");
    let send =
        |token, method, path: &str, body: &Value| send(&server, Some(token), method, path, body);
    let volume = provided_volume;
    let create = |token, volume: &Value| {
        send(token, "PUT", "/v1/volume/csi/any/create", &json!({ "Volumes": [volume] }))
    };
    let (status, body) = create("root", &volume("team-a", "payroll"));
    assert_eq!(status, 200, "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    let external = body["Volumes"][0]["ExternalID"].clone();

    let mut stolen = volume("team-b", "stolen");
    stolen["ExternalID"] = external.clone();
    let register =
        |token| send(token, "PUT", "/v1/volume/csi/stolen", &json!({ "Volumes": [&stolen] }));
    let (status, body) = register("writer");
    assert_eq!(status, 409, "{body}");
    assert!(body.contains("belongs to another volume"), "{body}");
    let twice = ["one", "two"].map(|id| {
        let mut volume = volume("team-b", id);
        volume["ExternalID"] = json!("vol-unclaimed");
        volume
    });
    let (status, body) = send("writer", "PUT", "/v1/volumes", &json!({ "Volumes": twice }));
    assert_eq!(status, 409, "two volumes of one request have the same data: {body}");
    let mut copy = volume("team-b", "copy");
    copy["CloneID"] = external.clone();
    assert_eq!(create("writer", &copy).0, 409);
    // `writer` may create and copy volumes of its own namespace.
    let (status, body) = create("writer", &volume("team-b", "own"));
    assert_eq!(status, 200, "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    copy["CloneID"] = body["Volumes"][0]["ExternalID"].clone();
    assert_eq!(create("writer", &copy).0, 200);

    // An operator may share data between volumes; none of them is deleted at the provider from then on.
    assert_eq!(register("root").0, 200);
    for (token, path) in [
        ("writer", "/v1/volume/csi/stolen/delete?namespace=team-b"),
        ("root", "/v1/volume/csi/payroll/delete?namespace=team-a"),
    ] {
        let (status, body) = send(token, "DELETE", path, &Value::Null);
        assert_eq!(status, 409, "{body}");
    }
    let files = data.join("csi/disks/volumes").join(external.as_str().unwrap()).join("data");
    assert!(files.exists());
    assert_eq!(
        send("writer", "DELETE", "/v1/volume/csi/stolen?namespace=team-b", &Value::Null).0,
        200
    );
    let path = "/v1/volume/csi/payroll/delete?namespace=team-a";
    assert_eq!(send("root", "DELETE", path, &Value::Null).0, 200);
    assert!(!files.exists());
}

#[test]
fn a_connection_survives_a_refusal_before_its_late_body() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    let mut socket = TcpStream::connect(server.address()).unwrap();
    socket
        .write_all(b"PUT /v1/volumes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n")
        .unwrap();
    // A complete exchange on another connection: by then the server has checked the head, before the body.
    send(&server, None, "GET", "/v1/volumes", &Value::Null);
    socket
        .write_all(b"{}GET /v1/regions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut replies = String::new();
    socket.read_to_string(&mut replies).unwrap();
    assert!(replies.starts_with("HTTP/1.1 403 "), "{replies}");
    assert!(replies.contains("HTTP/1.1 200 "), "{replies}");
}

#[test]
fn snapshots_belong_to_the_namespaces_of_their_volumes() {
    let dir = tempfile::tempdir().unwrap();
    let server = start_with_teams(dir.path());
    let send =
        |token, method, path: &str, body: &Value| send(&server, Some(token), method, path, body);
    let json = |(status, body): (u16, String)| -> Value {
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    };
    let create = |token, volume: &Value| {
        send(token, "PUT", "/v1/volume/csi/any/create", &json!({ "Volumes": [volume] }))
    };
    let take = |token, namespace: &str, volume: &str| {
        let body =
            json!({ "Snapshots": [{ "SourceVolumeID": volume, "Name": format!("of-{volume}") }] });
        let path = format!("/v1/volumes/snapshot?namespace={namespace}");
        let taken = json(send(token, "PUT", &path, &body));
        taken["Snapshots"][0]["ID"].as_str().unwrap().to_owned()
    };
    let secret = json(create("root", &provided_volume("team-a", "payroll")));
    let secret = secret["Volumes"][0]["ExternalID"].clone();
    let foreign = take("root", "team-a", "payroll");
    json(create("writer", &provided_volume("team-b", "own")));
    let own = take("writer", "team-b", "own");

    let listed = |token, what: &str, of: &str, column: &str| -> Vec<String> {
        let path = format!("/v1/volumes/{what}?plugin_id=disks&namespace=team-b");
        let all = json(send(token, "GET", &path, &Value::Null));
        let rows = all[of].as_array().unwrap().iter();
        rows.map(|row| row[column].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed("writer", "snapshot", "Snapshots", "ID"), [own.as_str()]);
    assert_eq!(listed("root", "snapshot", "Snapshots", "ID").len(), 2);
    let volumes = listed("writer", "external", "Volumes", "ExternalID");
    assert!(volumes.len() == 1 && volumes[0] != secret, "{volumes:?}");
    assert_eq!(listed("root", "external", "Volumes", "ExternalID").len(), 2);

    let mut copy = provided_volume("team-b", "copy");
    copy["SnapshotID"] = json!(foreign);
    let (status, body) = create("writer", &copy);
    assert!(status == 409 && body.contains("another namespace"), "{status}: {body}");
    let delete = |token, snapshot: &str| {
        let path =
            format!("/v1/volumes/snapshot?plugin_id=disks&snapshot_id={snapshot}&namespace=team-b");
        send(token, "DELETE", &path, &Value::Null)
    };
    let (status, body) = delete("writer", &foreign);
    assert!(status == 409 && body.contains("another namespace"), "{status}: {body}");
    assert_eq!(listed("root", "snapshot", "Snapshots", "ID").len(), 2, "it is still there");
    copy["SnapshotID"] = json!(own);
    json(create("writer", &copy));
    assert_eq!(delete("writer", &own).0, 200);
    assert_eq!(delete("root", &foreign).0, 200);
}
