//! Block Storage over its own socket: replies, and the files on disk.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cloud::{Cloud, JSON, LATEST, TOKEN};

/// Returns the files of both back ends with their lengths in GiB.
fn files(dir: &Path) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    for backend in ["a", "b"] {
        for entry in std::fs::read_dir(dir.join(backend)).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                let name = entry.file_name().into_string().unwrap();
                found.push((name, entry.metadata().unwrap().len() >> 30));
            }
        }
    }
    found.sort();
    found
}

fn find(dir: &Path, name: &str) -> PathBuf {
    ["a", "b"].map(|backend| dir.join(backend).join(name)).into_iter().find(|p| p.exists()).unwrap()
}

#[test]
fn volumes_snapshots_and_clones_are_files() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let body = json!({"volume": {"size": 1, "name": "home", "metadata": {"k": "v"}}});
    let volume = cloud.create("/volumes", &body);
    let path = format!("/volumes/{volume}");
    let row = cloud.wait(&path, "available");
    assert_eq!((&row["name"], &row["volume_type"]), (&json!("home"), &json!("__DEFAULT__")));
    let file = find(dir.path(), &format!("volume-{volume}"));
    {
        use std::os::unix::fs::FileExt as _;
        let open = std::fs::File::options().write(true).open(&file).unwrap();
        open.write_all_at(b"then", 1 << 20).unwrap();
    }

    let snapshot = cloud.create("/snapshots", &json!({"snapshot": {"volume_id": volume}}));
    let snapshot_path = format!("/snapshots/{snapshot}");
    let row = cloud.wait(&snapshot_path, "available");
    assert_eq!(row["os-extended-snapshot-attributes:progress"], "100%");
    let clone = cloud.create("/volumes", &json!({"volume": {"snapshot_id": snapshot, "size": 2}}));
    cloud.wait(&format!("/volumes/{clone}"), "available");
    let copied = std::fs::File::open(find(dir.path(), &format!("volume-{clone}"))).unwrap();
    let mut text = [0; 4];
    std::os::unix::fs::FileExt::read_exact_at(&copied, &mut text, 1 << 20).unwrap();
    assert_eq!(&text, b"then");

    let action = format!("{path}/action");
    cloud.expect(202, "POST", &action, &json!({"os-extend": {"new_size": 3}}));
    assert_eq!(cloud.wait(&path, "available")["size"], 3);
    let connect = json!({"os-initialize_connection": {"connector": {"host": "h"}}});
    let info = cloud.expect(200, "POST", &action, &connect);
    let info = &info["connection_info"];
    assert_eq!(info["driver_volume_type"], "local");
    assert_eq!(
        Path::new(info["data"]["device_path"].as_str().unwrap()),
        file.canonicalize().unwrap()
    );

    let mut expected = vec![
        (format!("snapshot-{snapshot}"), 1),
        (format!("volume-{clone}"), 2),
        (format!("volume-{volume}"), 3),
    ];
    expected.sort();
    assert_eq!(files(dir.path()), expected);
    // A snapshot protects its volume, unless the deletion cascades.
    assert_eq!(cloud.call("DELETE", &path, &Value::Null).status, 400);
    cloud.expect(202, "DELETE", &format!("{path}?cascade=true"), &Value::Null);
    cloud.wait(&path, "404");
    cloud.expect(202, "DELETE", &format!("/volumes/{clone}"), &Value::Null);
    cloud.wait(&format!("/volumes/{clone}"), "404");
    assert_eq!(files(dir.path()), []);
    let limits = cloud.expect(200, "GET", "/limits", &Value::Null);
    assert_eq!(limits["limits"]["absolute"]["totalVolumesUsed"], 0);
}

#[test]
fn types_choose_back_ends_and_volumes_move() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    for name in ["a", "b", "nowhere"] {
        let specs = json!({"volume_backend_name": name});
        let body = json!({"volume_type": {"name": name, "extra_specs": specs}});
        cloud.expect(200, "POST", "/types", &body);
    }
    let of =
        |name: &str| cloud.create("/volumes", &json!({"volume": {"size": 1, "volume_type": name}}));
    let (first, none) = (of("b"), of("nowhere"));
    let path = format!("/volumes/{first}");
    let row = cloud.wait(&path, "available");
    assert!(row["os-vol-host-attr:host"].as_str().unwrap().ends_with("@b#b"), "{row}");
    cloud.wait(&format!("/volumes/{none}"), "error");
    let retype = json!({"os-retype": {"new_type": "a", "migration_policy": "on-demand"}});
    cloud.expect(202, "POST", &format!("{path}/action"), &retype);
    let row = cloud.wait(&path, "available");
    assert_eq!(row["volume_type"], "a");
    assert!(dir.path().join("a").join(format!("volume-{first}")).exists());
    let old = dir.path().join("b").join(format!("volume-{first}"));
    let until = Instant::now() + Duration::from_secs(60);
    while old.exists() {
        assert!(Instant::now() < until, "the old file stays");
    }
}

#[test]
fn an_attachment_has_connection_info_and_protects_its_volume() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let volume = cloud.create("/volumes", &json!({"volume": {"size": 1}}));
    let path = format!("/volumes/{volume}");
    cloud.wait(&path, "available");
    let body = json!({"attachment": {
        "volume_uuid": volume, "instance_uuid": "30e6632e-3432-4cd1-84a1-a9905457833e",
    }});
    let created = cloud.expect(200, "POST", "/attachments", &body);
    let attachment = format!("/attachments/{}", created["attachment"]["id"].as_str().unwrap());
    cloud.wait(&path, "reserved");
    assert_eq!(cloud.call("POST", "/attachments", &json!({"attachment": {}})).status, 400);
    let connector = json!({"attachment": {"connector": {"host": "h", "mountpoint": "/dev/vdb"}}});
    let connected = cloud.expect(200, "PUT", &attachment, &connector);
    let info = &connected["attachment"]["connection_info"];
    let device = dir.path().join("a").canonicalize().unwrap().join(format!("volume-{volume}"));
    assert_eq!(
        (&info["driver_volume_type"], &info["device_path"]),
        (&json!("local"), &json!(device))
    );
    cloud.expect(204, "POST", &format!("{attachment}/action"), &json!({"os-complete": {}}));
    let row = cloud.wait(&path, "in-use");
    assert_eq!(row["attachments"][0]["device"], "/dev/vdb");
    assert_eq!(cloud.call("DELETE", &path, &Value::Null).status, 400);
    let list = cloud.expect(200, "GET", "/attachments/detail?limit=1", &Value::Null);
    assert_eq!(list["attachments"][0]["status"], "attached");
    assert!(list.get("attachments_links").is_none(), "{list}");
    let left = cloud.expect(200, "DELETE", &attachment, &Value::Null);
    assert_eq!(left, json!({"attachments": []}));
    cloud.wait(&path, "available");
    let early = [JSON, TOKEN, ("openstack-api-version", "volume 3.26")];
    assert_eq!(cloud.send("GET", "/v3/attachments", b"", &early).status, 404);
}

#[test]
fn types_show_the_encryption_of_their_volumes() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let created = cloud.expect(200, "POST", "/types", &json!({"volume_type": {"name": "t"}}));
    let path = format!("/types/{}/encryption", created["volume_type"]["id"].as_str().unwrap());
    assert_eq!(cloud.expect(200, "GET", &path, &Value::Null), json!({}));
    let body = json!({"encryption": {"provider": "luks", "control_location": "front-end"}});
    let created = cloud.expect(200, "POST", &path, &body);
    let id = created["encryption"]["encryption_id"].as_str().unwrap();
    let shown = cloud.expect(200, "GET", &path, &Value::Null);
    assert_eq!((&shown["encryption_id"], &shown["provider"]), (&json!(id), &json!("luks")));
    assert_eq!(cloud.call("POST", &path, &body).status, 400);
    cloud.expect(202, "DELETE", &format!("{path}/{id}"), &Value::Null);
    assert_eq!(cloud.expect(200, "GET", &path, &Value::Null), json!({}));
}

#[test]
fn lists_page_count_and_filter() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    for name in ["x", "y", "z"] {
        cloud.create("/volumes", &json!({"volume": {"size": 1, "name": name}}));
    }
    let names = |list: &Value| -> Vec<String> {
        let rows = list["volumes"].as_array().unwrap().iter();
        rows.map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    let path = "/volumes?limit=2&sort=name:asc&with_count=true";
    let first = cloud.expect(200, "GET", path, &Value::Null);
    assert_eq!((names(&first), &first["count"]), (vec!["x".into(), "y".into()], &json!(3)));
    let next = first["volumes_links"][0]["href"].as_str().unwrap();
    let next = next.strip_prefix(&format!("{}/v3/p1", cloud.url)).unwrap();
    assert_eq!(names(&cloud.expect(200, "GET", next, &Value::Null)), ["z"]);
    let filtered = "/volumes/detail?filter=name%20in%20%22xz%22";
    assert_eq!(cloud.call("GET", filtered, &Value::Null).status, 400);
    let filtered = "/volumes/detail?filter=name%20!%3D%20%22x%22&sort=name";
    assert_eq!(names(&cloud.expect(200, "GET", filtered, &Value::Null)), ["z", "y"]);
    let sorted = |version| {
        let headers = [TOKEN, ("openstack-api-version", version)];
        cloud.send("GET", "/v3/snapshots?sort=name:asc", b"", &headers).status
    };
    assert_eq!([sorted("volume 3.29"), sorted("volume 3.30")], [400, 200]);
    let body = json!({"volume": {"size": 1, "name": "k", "metadata": {"k": ""}}});
    let id = cloud.create("/volumes", &body);
    cloud.wait(&format!("/volumes/{id}"), "available");
    let filtered = "/volumes?filter=status+%3D%3D+%22available%22+and+%22k%22+in+metadata";
    assert_eq!(names(&cloud.expect(200, "GET", filtered, &Value::Null)), ["k"]);
}

#[test]
fn versions_tokens_and_refusals_are_those_of_cinder() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    for (path, status) in [("/", 300), ("/v3/", 200)] {
        let reply = cloud.send("GET", path, b"", &[]);
        assert_eq!(reply.status, status);
        let version = &reply.json()["versions"][0];
        assert_eq!((&version["version"], &version["id"]), (&json!("3.71"), &json!("v3.0")));
        assert_eq!(version["links"][1]["href"], format!("{}/v3/", cloud.url));
    }
    let moved = cloud.send("GET", "/v3", b"", &[]);
    assert_eq!((moved.status, moved.header("location")), (302, &*format!("{}/v3/", cloud.url)));
    let greeting = cloud.send("GET", "/v3", b"", &[("x-auth-user", "u")]);
    assert_eq!(greeting.status, 302);
    let greeting = cloud.send("GET", "/v3/volumes", b"", &[("x-auth-user", "u")]);
    assert_eq!((greeting.status, greeting.header("x-auth-token")), (204, "u:admin"));

    let of = |version| ("openstack-api-version", version);
    let large = vec![b' '; 114_689];
    type Case<'c> = (&'c str, &'c str, &'c [u8], &'c [(&'c str, &'c str)], u16, &'c str);
    let cases: [Case<'_>; 13] = [
        ("GET", "/v3/nope", b"", &[TOKEN], 404, ""),
        ("PATCH", "/v3/volumes", b"", &[TOKEN], 404, ""),
        ("GET", "/v2/volumes", b"", &[TOKEN], 404, ""),
        ("GET", "/v3/volumes", b"", &[TOKEN, of("volume 3.72")], 406, "computeFault"),
        ("GET", "/v3/volumes", b"", &[TOKEN, of("volume 3")], 400, "badRequest"),
        ("GET", "/v3/volumes", b"", &[TOKEN, of("compute 2.1")], 400, "badRequest"),
        ("GET", "/v3/volumes/summary", b"", &[TOKEN, of("volume 3.11")], 404, "itemNotFound"),
        ("GET", "/v3/other/volumes", b"", &[TOKEN], 400, "badRequest"),
        ("GET", "/v3/volumes/zzz", b"", &[TOKEN], 404, "itemNotFound"),
        ("POST", "/v3/volumes", b"", &[TOKEN, JSON], 400, "badRequest"),
        ("POST", "/v3/volumes", b"{", &[TOKEN, JSON], 400, "badRequest"),
        (
            "POST",
            "/v3/volumes",
            b"{}",
            &[TOKEN, ("content-type", "text/plain")],
            415,
            "badMediaType",
        ),
        ("POST", "/v3/volumes", b"{}", &[TOKEN], 415, "badMediaType"),
    ];
    for (method, path, body, headers, status, key) in cases {
        let reply = cloud.send(method, path, body, headers);
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.body);
        assert!(reply.header("x-openstack-request-id").starts_with("req-"), "{path}");
        if key.is_empty() {
            assert_eq!(reply.json()["title"], "Not Found");
            assert_eq!(reply.header("openstack-api-version"), "", "{path}");
        } else {
            assert_eq!(reply.json()[key]["code"], status, "{}", reply.body);
        }
    }
    let reply = cloud.send("POST", "/v3/volumes", &large, &[TOKEN, JSON]);
    assert_eq!((reply.status, reply.header("content-type")), (413, "text/plain; charset=utf-8"));
    assert!(reply.body.contains("114688"), "{}", reply.body);
    let reply = cloud.send("GET", "/v3/volumes", b"", &[TOKEN, of("volume 3.72")]);
    assert_eq!(reply.header("openstack-api-version"), "volume 3.72");
    for path in ["/", "/v3/", "/v3/volumes", "/v3/volumes/nope"] {
        let get = cloud.send("GET", path, b"", &[TOKEN, LATEST]);
        let head = cloud.send("HEAD", path, b"", &[TOKEN, LATEST]);
        assert_eq!((head.status, &*head.body), (get.status, ""), "{path}");
        assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
    }
    let named = [("x-auth-token", "u:volumes"), LATEST];
    assert_eq!(
        cloud.send("GET", "/v3/volumes/volumes", b"", &named).json(),
        json!({"volumes": []})
    );
    let reply = cloud.send("GET", "/v3/volumes", b"", &[TOKEN, of("volume 3.27")]);
    assert_eq!(reply.header("openstack-api-version"), "volume 3.27");
    assert_eq!(reply.header("vary"), "OpenStack-API-Version");
    assert_eq!(reply.header("x-openstack-request-id"), reply.header("x-compute-request-id"));
    let over = json!({"volume": {"size": 2000}});
    let reply = cloud.call("POST", "/volumes", &over);
    assert_eq!((reply.status, reply.header("retry-after")), (413, "0"), "{}", reply.body);

    let volume = cloud.create("/volumes", &json!({"volume": {"size": 1, "metadata": {"k": "v"}}}));
    let path = format!("/v3/p1/volumes/{volume}/metadata");
    let tag = cloud.send("GET", &path, b"", &[TOKEN, LATEST]).header("etag").to_owned();
    let put = |tag: &str| {
        let body = br#"{"metadata": {"k": "w"}}"#;
        cloud.send("PUT", &path, body, &[TOKEN, LATEST, JSON, ("if-match", tag)]).status
    };
    assert_eq!([put(&tag), put(&tag)], [200, 412]);
}

#[test]
fn block_storage_alone_registers_no_node() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let binary = || std::process::Command::new(env!("CARGO_BIN_EXE_statehold"));
    let mut cloud = Cloud::start_alone(dir.path());
    let volume = cloud.create("/volumes", &json!({"volume": {"size": 1}}));
    cloud.wait(&format!("/volumes/{volume}"), "available");
    cloud.child.kill().unwrap();
    cloud.child.wait().unwrap();
    let rows = |table: &str| {
        let done = binary().arg("inspect").arg(&data).output().unwrap();
        let stdout = String::from_utf8(done.stdout).unwrap();
        let line = stdout.lines().find(|line| line.split_whitespace().any(|word| word == table));
        line.unwrap_or_else(|| panic!("no {table} in {stdout}")).to_owned()
    };
    assert!(rows("nodes").contains(" 0 rows"), "{}", rows("nodes"));
    assert!(!data.join("host_volumes").exists() && !data.join("intents").exists());
    for flags in [&["--bind", "127.0.0.1:0"][..], &["--acl", "x"], &["--node-name", "n"]] {
        let mut command = binary();
        command.args(["serve", "--no-nomad", "--block-storage", "127.0.0.1:0"]).args(flags);
        let done = command.arg("--data-dir").arg(&data).output().unwrap();
        assert_eq!(done.status.code(), Some(2), "{flags:?}");
    }
    let neither = binary().args(["serve", "--no-nomad", "--data-dir"]).arg(&data).output().unwrap();
    assert_eq!(neither.status.code(), Some(2));
    // Another server on the same data directory serves both APIs.
    let cloud = Cloud::start(dir.path());
    cloud.wait(&format!("/volumes/{volume}"), "available");
}

#[test]
fn two_back_ends_have_two_directories() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_statehold"));
    command.args(["serve", "--bind", "127.0.0.1:0", "--block-storage", "127.0.0.1:0"]);
    for name in ["a", "b"] {
        command.arg("--backend").arg(format!("{name}={}", dir.path().join("same").display()));
    }
    let done = command.arg("--data-dir").arg(dir.path().join("data")).output().unwrap();
    let stderr = String::from_utf8(done.stderr).unwrap();
    assert!(stderr.contains("two back ends have the same name or directory"), "{stderr}");
}

#[test]
fn a_restart_finishes_interrupted_volume_work() {
    let dir = tempfile::tempdir().unwrap();
    let mut known: Vec<(i32, String)> = Vec::new();
    for round in 0..4 {
        let mut cloud = Cloud::start(dir.path());
        for _ in 0..2 {
            known.push((round, cloud.create("/volumes", &json!({"volume": {"size": 1}}))));
        }
        // A third crash would mark the creation as failed.
        for (_, id) in known.iter().filter(|(created, _)| *created == round - 2) {
            cloud.wait(&format!("/volumes/{id}"), "available");
        }
        if round > 1 {
            let (_, gone) = known.remove(0);
            cloud.expect(202, "DELETE", &format!("/volumes/{gone}"), &Value::Null);
        }
        cloud.child.kill().unwrap();
    }
    let cloud = Cloud::start(dir.path());
    for (_, id) in &known {
        cloud.wait(&format!("/volumes/{id}"), "available");
    }
    let until = Instant::now() + Duration::from_secs(60);
    while cloud.expect(200, "GET", "/volumes", &Value::Null)["volumes"].as_array().unwrap().len()
        > known.len()
    {
        assert!(Instant::now() < until, "a volume is never deleted");
    }
    let mut expected: Vec<_> = known.iter().map(|(_, id)| (format!("volume-{id}"), 1)).collect();
    expected.sort();
    assert_eq!(files(dir.path()), expected);
}
