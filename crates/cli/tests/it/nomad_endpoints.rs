//! Endpoints other than volumes and plugins that Nomad's stock programs request.

use crate::common;
use std::path::Path;

use crate::common::{ALLOC, NODES, OTHER_ALLOC, Server, command, encode, volume_payload};
use serde_json::{Value, json};

fn own_node(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("node-id")).unwrap().trim().to_owned()
}

/// Starts a server with a job of two groups, two of its allocations, and the nodes of a plugin.
fn fed(dir: &Path) -> Server {
    let server = Server::start(dir);
    server.feed_plugin();
    let job = json!({
        "Type": "service",
        "TaskGroups": [
            { "Name": "cache", "Count": 2, "Volumes": {
                "data": { "Type": "csi", "Source": "vol", "ReadOnly": true },
            } },
            { "Name": "ctl", "Tasks": [
                { "CSIPluginConfig": { "ID": "plugin-id1", "Type": "controller" } },
            ] },
        ],
    });
    server.put("/statehold/v1/jobs/default/example", &job).ok();
    server.feed_allocation(ALLOC, NODES[0], "running");
    server.feed_allocation(OTHER_ALLOC, NODES[0], "failed");
    server
}

#[test]
fn the_server_is_its_own_leader_and_only_peer() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let address = server.address();
    assert_eq!(server.get("/v1/status/leader").ok().json(), json!(address));
    assert_eq!(server.get("/v1/status/peers").ok().json(), json!([address]));
    assert_eq!(server.get("/v1/agent/servers").ok().json(), json!([address]));
    assert_eq!(server.get("/v1/regions").ok().json(), json!(["global"]));
    for path in ["/v1/status/leader", "/v1/regions", "/v1/agent/self", "/v1/agent/health"] {
        assert_eq!(server.put(path, &json!({})).status, 405, "{path}");
    }
}

#[test]
fn an_agent_describes_itself_as_nomads_do() {
    let dir = tempfile::tempdir().unwrap();
    let server =
        Server::spawn(command(dir.path()).args(["--node-name", "box", "--datacenter", "d"]));
    let own = server.get("/v1/agent/self").ok().json();
    assert_eq!(own["config"]["Region"], "global");
    assert_eq!(own["config"]["Datacenter"], "d");
    assert_eq!(own["config"]["Version"]["Version"], "2.0.6");
    assert_eq!(own["config"]["ACL"]["Enabled"], false);
    assert_eq!(own["member"]["Name"], "box.global");
    assert_eq!(own["stats"]["nomad"]["leader_addr"], server.address());
    assert_eq!(own["stats"]["client"]["node_id"], own_node(dir.path()));
    let members = server.get("/v1/agent/members").ok().json();
    assert_eq!(members["ServerRegion"], "global");
    assert_eq!(members["Members"], json!([own["member"]]));
    assert_eq!(members["Members"][0]["Tags"]["build"], "2.0.6");
    let well = json!({ "ok": true, "message": "ok" });
    let health = server.get("/v1/agent/health").ok().json();
    assert_eq!(health, json!({ "client": well, "server": well }));
    let client = server.get("/v1/agent/health?type=client").ok().json();
    assert_eq!(client, json!({ "client": well }));
    assert_eq!(server.get("/v1/agent/health?type=x").status, 400);
}

#[test]
fn a_node_is_read_with_its_plugins_and_allocations() {
    let dir = tempfile::tempdir().unwrap();
    let server = fed(dir.path());
    let path = format!("/v1/node/{}", NODES[0]);
    let node = server.get(&path).ok().json();
    assert_eq!((&node["Name"], &node["Status"]), (&json!("node-fb21"), &json!("ready")));
    assert_eq!(node["CSINodePlugins"]["plugin-id1"]["NodeInfo"]["MaxVolumes"], 51);
    assert_eq!(node["CSIControllerPlugins"]["plugin-id1"]["Healthy"], true);
    // Nomad's command line adds these up without a check for null.
    for name in ["Resources", "Reserved"] {
        assert_eq!(node[name]["CPU"], 0, "{name}");
    }
    assert_eq!(node["NodeResources"]["Memory"]["MemoryMB"], 0);
    for path in ["/v1/node/fb", "/v1/node/00000000-0000-0000-0000-000000000000"] {
        let missing = server.get(path);
        assert_eq!((missing.status, &*missing.body), (404, "node not found"));
    }
    let allocations = server.get(&format!("{path}/allocations")).ok();
    assert_eq!(allocations.column("ID"), [OTHER_ALLOC, ALLOC]);
    let first = &allocations.json()[0];
    assert_eq!(first["Job"]["ID"], "example");
    assert_eq!(first["Resources"]["CPU"], 0);
    let none = server.get(&format!("/v1/node/{}/allocations", NODES[1])).ok();
    assert_eq!(none.json(), json!([]));
}

#[test]
fn a_blocking_read_of_a_node_wakes_on_that_node_alone() {
    let dir = tempfile::tempdir().unwrap();
    let server = fed(dir.path());
    let path = format!("/v1/node/{}", NODES[1]);
    let since = server.get(&path).ok().index.unwrap();
    std::thread::scope(|scope| {
        let blocked = scope.spawn(|| server.get(&format!("{path}?index={since}")).ok());
        server.wait_until_parked(1);
        server.delete(&format!("/statehold/v1/nodes/{}", NODES[2])).ok();
        server.wait_until_parked(1);
        let down = common::node_payload(NODES[1], false);
        let mut down = down;
        down["Status"] = json!("down");
        server.put(&format!("/statehold/v1/nodes/{}", NODES[1]), &down).ok();
        assert_eq!(blocked.join().unwrap().json()["Status"], "down");
    });
}

#[test]
fn the_own_node_reports_attributes_for_constraints() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let node = server.get(&format!("/v1/node/{}", own_node(dir.path()))).ok().json();
    let attributes = &node["Attributes"];
    let arch = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
    assert_eq!(attributes["cpu.arch"], arch);
    assert_eq!(attributes["nomad.version"], "2.0.6");
    assert_eq!(attributes["kernel.name"], std::env::consts::OS);
    for name in ["os.name", "cpu.numcores", "memory.totalbytes", "unique.hostname"] {
        assert!(!attributes[name].as_str().unwrap().is_empty(), "{name}");
    }
    assert!(node["NodeResources"]["Memory"]["MemoryMB"].as_u64() > Some(0));
    let constraint = |left: &str, right: &str, operator: &str| json!({ "LTarget": left, "RTarget": right, "Operand": operator });
    let volume = json!({ "Volume": {
        "Name": "v", "PluginID": "mkdir", "Constraints": [
            constraint("${attr.cpu.arch}", arch, "="),
            constraint("${attr.os.name}", "", "is_set"),
            constraint("${attr.nomad.version}", ">= 1.10.0", "semver"),
        ],
    } });
    server.put("/v1/volume/host/create", &volume).ok();
}

#[test]
fn node_stubs_have_the_members_that_lists_request() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let path = format!("/statehold/v1/nodes/{}", NODES[0]);
    let node = json!({
        "Name": "n", "Attributes": {
            "os.name": "debian", "nomad.version": "1.9.0", "unique.network.ip-address": "10.0.0.7",
            "driver.docker": "1", "driver.docker.version": "28.1", "driver.exec": "0",
            "cpu.totalcompute": "4000", "memory.totalbytes": "2097152",
        },
        "HostVolumes": { "data": { "Path": "/srv", "ReadOnly": true } },
    });
    server.put(&path, &node).ok();
    let list = |query: &str| {
        server.get(&format!("/v1/nodes?prefix={}{query}", NODES[0])).ok().json()[0].clone()
    };
    let stub = list("");
    assert_eq!((&stub["Version"], &stub["Address"]), (&json!("1.9.0"), &json!("10.0.0.7")));
    assert_eq!(stub["Drivers"]["docker"]["Healthy"], true);
    assert_eq!(stub["Drivers"]["docker"]["Attributes"]["driver.docker.version"], "28.1");
    assert_eq!(stub["Drivers"]["exec"]["Healthy"], false);
    assert_eq!(stub["HostVolumes"]["data"]["Path"], "/srv");
    assert_eq!((stub.get("Attributes"), stub.get("NodeResources")), (None, None));
    assert_eq!(list("&os=true")["Attributes"], json!({ "os.name": "debian" }));
    let resources = list("&resources=true")["NodeResources"].clone();
    assert_eq!(
        (&resources["Cpu"]["CpuShares"], &resources["Memory"]["MemoryMB"]),
        (&json!(4000), &json!(2))
    );
}

#[test]
fn jobs_that_were_fed_are_listed_and_read() {
    let dir = tempfile::tempdir().unwrap();
    let server = fed(dir.path());
    let listed = server.get("/v1/jobs").ok().json();
    let stub = &listed[0];
    assert_eq!((&stub["ID"], &stub["Status"]), (&json!("example"), &json!("running")));
    let cache = json!({
        "Queued": 0, "Complete": 0, "Failed": 1, "Running": 1, "Starting": 0, "Lost": 0,
        "Unknown": 0,
    });
    assert_eq!(stub["JobSummary"]["Summary"]["cache"], cache);
    let summary = server.get("/v1/job/example/summary").ok().json();
    assert_eq!(summary["Summary"]["cache"], cache);
    for (query, found) in [
        ("?prefix=ex", 1),
        ("?prefix=zz", 0),
        ("?namespace=other", 0),
        ("?namespace=*", 1),
        (&*format!("?filter={}", encode(r#"Type == "service" and Stop == false"#)), 1),
        (&*format!("?filter={}", encode("any TaskGroups as g { g.Count == 2 }")), 1),
    ] {
        let rows = server.get(&format!("/v1/jobs{query}")).ok().json();
        assert_eq!(rows.as_array().unwrap().len(), found, "{query}");
    }
    let job = server.get("/v1/job/example").ok().json();
    assert_eq!(job["TaskGroups"][0]["Volumes"]["data"]["Source"], "vol");
    assert_eq!(job["TaskGroups"][1]["Tasks"][0]["CSIPluginConfig"]["Type"], "controller");
    assert_eq!(server.get("/v1/job/none").status, 404);
    assert_eq!(server.get("/v1/job/example?namespace=other").status, 404);
    let allocations = server.get("/v1/job/example/allocations").ok().column("ID");
    assert_eq!(allocations, [OTHER_ALLOC, ALLOC]);
    let versions = server.get("/v1/job/example/versions").ok().json();
    assert_eq!(versions["Versions"][0], job);
    assert_eq!(server.put("/v1/jobs", &json!({ "Job": {} })).status, 405);
}

#[test]
fn allocations_are_listed_paged_and_read() {
    let dir = tempfile::tempdir().unwrap();
    let server = fed(dir.path());
    assert_eq!(server.get("/v1/allocations").ok().column("ID"), [OTHER_ALLOC, ALLOC]);
    let page = server.get("/v1/allocations?per_page=1").ok();
    let token = page.next_token.unwrap();
    let rest = server.get(&format!("/v1/allocations?per_page=1&next_token={token}")).ok();
    assert_eq!((rest.column("ID"), rest.next_token), (vec![ALLOC.to_owned()], None));
    for (query, found) in [
        ("?prefix=a8", 1),
        ("?namespace=other", 0),
        (&*format!("?filter={}", encode(r#"ClientStatus == "failed""#)), 1),
        (&*format!("?filter={}", encode(&format!("NodeID == \"{}\"", NODES[0]))), 2),
    ] {
        let rows = server.get(&format!("/v1/allocations{query}")).ok().json();
        assert_eq!(rows.as_array().unwrap().len(), found, "{query}");
    }
    let one = server.get(&format!("/v1/allocation/{ALLOC}")).ok().json();
    assert_eq!((&one["JobID"], &one["Job"]["Type"]), (&json!("example"), &json!("service")));
    for id in ["a8", "00000000-0000-0000-0000-000000000000"] {
        let missing = server.get(&format!("/v1/allocation/{id}"));
        assert_eq!((missing.status, &*missing.body), (404, "alloc not found"));
    }
}

#[test]
fn lists_of_unsupported_objects_are_empty() {
    let dir = tempfile::tempdir().unwrap();
    let server = fed(dir.path());
    for path in [
        "/v1/evaluations",
        "/v1/deployments",
        "/v1/job/example/evaluations",
        "/v1/job/example/deployments",
    ] {
        assert_eq!(server.get(path).ok().json(), json!([]), "{path}");
    }
    assert_eq!(server.get("/v1/job/example/deployment").ok().json(), Value::Null);
}

#[test]
fn node_pools_are_those_that_exist_and_those_of_nodes() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.feed_plugin();
    let path = format!("/statehold/v1/nodes/{}", NODES[1]);
    server.put(&path, &json!({ "NodePool": "prod" })).ok();
    assert_eq!(server.get("/v1/node/pools").ok().column("Name"), ["all", "default", "prod"]);
    let page = server.get("/v1/node/pools?per_page=1&reverse=true").ok();
    let token = page.next_token.clone().unwrap();
    assert_eq!(page.column("Name"), ["prod"]);
    let path = format!("/v1/node/pools?per_page=1&reverse=true&next_token={token}");
    assert_eq!(server.get(&path).ok().column("Name"), ["default"]);
    assert_eq!(server.get("/v1/node/pool/prod").ok().json()["Name"], "prod");
    assert_eq!(server.get("/v1/node/pool/prod/nodes").ok().column("ID"), [NODES[1]]);
    assert_eq!(server.get("/v1/node/pool/all/nodes").ok().json().as_array().unwrap().len(), 4);
    assert_eq!(server.get("/v1/node/pool/none").status, 404);
}

#[test]
fn a_fuzzy_search_finds_parts_of_names() {
    let dir = tempfile::tempdir().unwrap();
    let server = fed(dir.path());
    let search = |text: &str, context: &str| {
        server.put("/v1/search/fuzzy", &json!({ "Text": text, "Context": context }))
    };
    let all = search("XAMP", "all").ok().json();
    assert_eq!(
        all["Matches"]["jobs"],
        json!([{ "ID": "example", "Scope": ["default", "example"] }])
    );
    assert_eq!(all["Matches"]["allocs"][0]["ID"], "example.cache[0]");
    assert_eq!(all["Truncations"]["jobs"], false);
    let node = search("fb21", "nodes").ok().json();
    assert_eq!(node["Matches"], json!({ "nodes": [{ "ID": "node-fb21", "Scope": [NODES[0]] }] }));
    let plugin = search("id1", "plugins").ok().json();
    assert_eq!(plugin["Matches"], json!({ "plugins": [{ "ID": "plugin-id1" }] }));
    let short = search("x", "all");
    assert_eq!(short.status, 400);
    assert!(short.body.contains("at least 2 characters, got 1"), "{}", short.body);
    assert_eq!(search("example", "nothing").status, 400);
}

#[test]
fn a_fuzzy_search_covers_volumes_pools_and_parts_of_jobs() {
    let dir = tempfile::tempdir().unwrap();
    let server = fed(dir.path());
    server.register(&volume_payload("db-data")).ok();
    let place = json!({ "Volume": { "Name": "scratch", "NodeID": NODES[1], "HostPath": "/srv" } });
    let placed = server.put("/v1/volume/host/register", &place).ok().json();
    let host = placed["Volume"]["ID"].as_str().unwrap();
    let search = |text: &str, context: &str| {
        let body = json!({ "Text": text, "Context": context });
        server.put("/v1/search/fuzzy", &body).ok().json()["Matches"].clone()
    };
    let found = json!([{ "ID": host, "Scope": ["default"] }]);
    assert_eq!(search("RATCH", "host_volumes"), json!({ "host_volumes": found }));
    assert_eq!(search(&host[..6], "host_volumes"), json!({ "host_volumes": found }));
    assert_eq!(search("ratch", "all")["host_volumes"], found);
    assert_eq!(search(&host[5..9], "host_volumes"), json!({}), "digits inside of an ID");
    let volumes = json!({ "volumes": [{ "ID": "db-data", "Scope": ["default"] }] });
    assert_eq!(search("data", "volumes"), volumes);
    assert_eq!(
        search("fault", "node_pools"),
        json!({ "node_pools": [{ "ID": "default", "Scope": ["default"] }] })
    );
    assert_eq!(
        search("ache", "jobs"),
        json!({ "groups": [{ "ID": "cache", "Scope": ["default", "example"] }] })
    );
    assert_eq!(
        search("ugin", "jobs")["tasks"],
        json!([{ "ID": "plugin-id1", "Scope": ["default", "example", "ctl"] }])
    );
    for context in ["evals", "deployment", "vars", "scaling_policy"] {
        assert_eq!(search("ab", context), json!({}), "{context}");
    }
}

#[test]
fn contexts_without_anything_are_null_in_a_search() {
    let dir = tempfile::tempdir().unwrap();
    let server = fed(dir.path());
    let search = |prefix: &str, context: &str| {
        let body = json!({ "Prefix": prefix, "Context": context });
        server.put("/v1/search", &body).ok().json()
    };
    for context in ["evals", "deployment", "vars", "scaling_policy"] {
        let found = search("a", context);
        assert_eq!(found["Matches"], json!({ context: null }));
        assert_eq!(found["Truncations"], json!({ context: false }));
    }
    assert_eq!(search("de", "node_pools")["Matches"], json!({ "node_pools": ["default"] }));
    assert_eq!(search("ex", "all")["Matches"]["jobs"], json!(["example"]));
}

#[test]
fn a_bad_escape_in_a_path_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let address = server.address().to_owned();
    for path in ["/v1/volume/csi/%zz", "/v1/volume/host/a%2", "/v1/plugin/csi/%"] {
        // A raw socket, because a client library would encode the '%'.
        use std::io::{Read as _, Write as _};
        let mut socket = std::net::TcpStream::connect(&address).unwrap();
        write!(socket, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut reply = String::new();
        socket.read_to_string(&mut reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 400 "), "{path}: {reply}");
    }
}

#[test]
fn metrics_have_nomads_names() {
    let dir = tempfile::tempdir().unwrap();
    let server = fed(dir.path());
    let metrics = server.get("/v1/metrics").ok().json();
    let gauges = metrics["Gauges"].as_array().unwrap();
    let value = |name: &str, group: Option<&str>| {
        let found = gauges.iter().find(|gauge| {
            let of_group = group.is_none_or(|group| gauge["Labels"]["task_group"] == group);
            gauge["Name"] == name && of_group
        });
        found.unwrap_or_else(|| panic!("{name}"))["Value"].as_f64().unwrap()
    };
    let is = |found: f64, wanted: f64| (found - wanted).abs() < f64::EPSILON;
    assert!(is(value("nomad.nomad.job_status.running", None), 1.0));
    assert!(is(value("nomad.nomad.job_summary.failed", Some("cache")), 1.0));
    assert!(value("nomad.raft.appliedIndex", None) > 1.0);
    let text = server.get("/v1/metrics?format=prometheus").ok();
    assert!(text.content_type.unwrap().starts_with("text/plain"));
    let line = "nomad_nomad_job_summary_running{exported_job=\"example\",namespace=\"default\",\
                task_group=\"cache\"} 1";
    assert!(text.body.lines().any(|found| found == line), "{}", text.body);
    assert!(text.body.contains("# TYPE nomad_nomad_job_status_dead gauge\n"));
}

#[test]
fn a_snapshot_over_http_is_a_backup_with_its_digest() {
    let dir = tempfile::tempdir().unwrap();
    let server = fed(dir.path());
    let mut reply = server.send_with("GET", "/v1/operator/snapshot", &[], None);
    assert_eq!(reply.status(), 200);
    let digest = reply.headers()["Digest"].to_str().unwrap().to_owned();
    assert!(digest.starts_with("sha-256="), "{digest}");
    let backup = reply.body_mut().read_to_vec().unwrap();
    let file = dir.path().join("over-http.backup");
    std::fs::write(&file, backup).unwrap();
    let copy = dir.path().join("copy");
    let restored = std::process::Command::new(env!("CARGO_BIN_EXE_statehold"))
        .arg("restore")
        .args([&file, &copy])
        .output()
        .unwrap();
    assert!(restored.status.success(), "{restored:?}");
    let other = Server::start(&copy);
    assert_eq!(other.get("/v1/jobs").ok().column("ID"), ["example"]);
    let refused = server.put("/v1/operator/snapshot", &json!({}));
    assert_eq!(refused.status, 501);
    assert!(refused.body.contains("statehold restore"), "{}", refused.body);
}

fn digest(token: &str) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(token).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

#[test]
fn tokens_see_the_jobs_and_allocations_of_their_namespaces() {
    let dir = tempfile::tempdir().unwrap();
    let acl = dir.path().join("acl.toml");
    let file = format!(
        r#"
        [[token]]
        name = "root"
        sha256 = "{}"
        management = true
        [[token]]
        name = "reader"
        sha256 = "{}"
        policies = ["read"]
        [policy.read]
        node = "read"
        namespace.other.capabilities = ["read-job"]
        "#,
        digest("root"),
        digest("reader")
    );
    std::fs::write(&acl, file).unwrap();
    let server = Server::spawn(command(&dir.path().join("data")).arg("--acl").arg(&acl));
    let send = |token: &str, method: &str, path: &str, body: &str| {
        let headers = [("X-Nomad-Token", token)];
        let mut reply = server.send_with(method, path, &headers, Some(body.as_bytes()));
        (reply.status().as_u16(), reply.body_mut().read_to_string().unwrap())
    };
    for (namespace, id) in [("default", ALLOC), ("other", OTHER_ALLOC)] {
        let job = format!("/statehold/v1/jobs/{namespace}/job");
        assert_eq!(send("root", "PUT", &job, "{}").0, 200);
        let body = json!({ "Namespace": namespace, "JobID": "job", "NodeID": NODES[0] });
        let path = format!("/statehold/v1/allocations/{id}");
        assert_eq!(send("root", "PUT", &path, &body.to_string()).0, 200);
    }
    let rows = |path: &str| -> Vec<String> {
        let (status, body) = send("reader", "GET", path, "");
        assert_eq!(status, 200, "{path}: {body}");
        let rows: Vec<Value> = serde_json::from_str(&body).unwrap();
        rows.iter().map(|row| row["Namespace"].as_str().unwrap().to_owned()).collect()
    };
    let of_node = format!("/v1/node/{}/allocations", NODES[0]);
    for path in ["/v1/jobs?namespace=*", "/v1/allocations?namespace=*", &*of_node] {
        assert_eq!(rows(path), ["other"], "{path}");
    }
    for (path, status) in [
        ("/v1/jobs", 403),
        ("/v1/job/job", 403),
        ("/v1/job/job?namespace=other", 200),
        (&*format!("/v1/allocation/{ALLOC}"), 404),
        (&*format!("/v1/allocation/{OTHER_ALLOC}"), 200),
        ("/v1/agent/self", 403),
        ("/v1/metrics", 403),
        ("/v1/operator/snapshot", 403),
        ("/v1/agent/members", 200),
    ] {
        assert_eq!(send("reader", "GET", path, "").0, status, "{path}");
    }
    // Health checks send no token.
    for path in ["/v1/status/leader", "/v1/status/peers", "/v1/regions", "/v1/agent/health"] {
        server.get(path).ok();
    }
    assert_eq!(server.get("/v1/agent/members").status, 403);
}
