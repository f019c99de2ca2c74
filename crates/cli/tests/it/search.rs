//! Search and the list of nodes: how the command line completes a prefix to the full ID.

use crate::common;
use crate::common::{ALLOC, NODES, Server, volume_payload};
use serde_json::{Value, json};

fn start(dir: &std::path::Path) -> Server {
    let server = Server::start(dir);
    server.feed_plugin();
    let batch: Vec<Value> = (0..25)
        .map(|at| {
            let mut volume = volume_payload(&format!("vol-{at:02}"));
            volume["ExternalID"] = json!(format!("ext-{at}"));
            volume
        })
        .collect();
    server.put("/v1/volumes", &json!({ "Volumes": batch })).ok();
    server.feed_allocation(ALLOC, NODES[0], "running");
    server
}

fn search(server: &Server, prefix: &str, context: &str) -> Value {
    server.put("/v1/search", &json!({ "Prefix": prefix, "Context": context })).ok().json()
}

#[test]
fn a_prefix_search_finds_objects_by_context() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    for (prefix, context, found) in [
        ("vol-03", "volumes", json!(["vol-03"])),
        ("nope", "volumes", json!([])),
        ("plug", "plugins", json!(["plugin-id1"])),
        ("fb2", "nodes", json!([NODES[0]])),
        ("FB2170A8-2", "nodes", json!([NODES[0]])),
        ("zz", "nodes", json!([])),
        ("a8198", "allocs", json!([ALLOC])),
        ("def", "namespaces", json!(["default"])),
    ] {
        let reply = search(&server, prefix, context);
        assert_eq!(reply["Matches"], json!({ context: found }), "{context}: {prefix}");
        assert_eq!(reply["Truncations"], json!({ context: false }), "{context}: {prefix}");
        assert!(reply["Index"].as_u64() >= Some(1) && reply["KnownLeader"] == true);
    }
    let many = search(&server, "vol-", "all");
    assert_eq!(many["Matches"]["volumes"].as_array().unwrap().len(), 20);
    assert_eq!(many["Truncations"]["volumes"], true);
    assert_eq!(many["Matches"]["nodes"], json!([]));
    let lower = server.send("POST", "/v1/search", Some(br#"{"prefix": "plug", "context": ""}"#));
    assert_eq!(lower.ok().json()["Matches"]["plugins"], json!(["plugin-id1"]));
}

#[test]
fn a_bad_search_gets_its_error() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    for (method, body, status, text) in [
        ("GET", "", 405, "Invalid method"),
        ("DELETE", "", 405, "Invalid method"),
        ("PUT", "", 400, "Request body is empty"),
        ("PUT", "{\"Context\": 7}", 400, "json: cannot unmarshal number"),
        ("PUT", "{\"Context\": \"x\"}", 400, "context must be one of ["),
    ] {
        let body = (!body.is_empty()).then_some(body.as_bytes());
        let reply = server.send(method, "/v1/search", body);
        assert_eq!(reply.status, status, "{method}: {reply:?}");
        assert!(reply.body.starts_with(text), "{method}: {reply:?}");
    }
}

#[test]
fn nodes_are_listed_by_prefix_page_filter_and_index() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    let fed = |reply: &common::Reply| {
        let mut ids = reply.column("ID");
        ids.retain(|id| NODES.contains(&id.as_str()));
        ids
    };
    let all = server.get("/v1/nodes").ok();
    assert_eq!(fed(&all), [NODES[2], NODES[0], NODES[1]]);
    assert_eq!(fed(&server.get("/v1/nodes?reverse=true").ok()), [NODES[1], NODES[0], NODES[2]]);
    for (prefix, found) in [
        ("fb", vec![NODES[0], NODES[1]]),
        ("FB21", vec![NODES[0]]),
        (NODES[1], vec![NODES[1]]),
        ("fb2170a8-25", vec![NODES[0]]),
    ] {
        assert_eq!(server.get(&format!("/v1/nodes?prefix={prefix}")).ok().column("ID"), found);
    }
    for (prefix, text) in
        [("fb2", "invalid prefix: must have an even number"), ("x", "invalid prefix")]
    {
        let refused = server.get(&format!("/v1/nodes?prefix={prefix}"));
        assert_eq!(refused.status, 400);
        assert!(refused.body.starts_with(text), "{}", refused.body);
    }
    let filter = common::encode(r#"Name == "node-fb21""#);
    assert_eq!(server.get(&format!("/v1/nodes?filter={filter}")).ok().column("ID"), [NODES[0]]);
    let page = server.get("/v1/nodes?prefix=fb&per_page=1").ok();
    let rest = format!("/v1/nodes?prefix=fb&per_page=1&next_token={}", page.next_token.unwrap());
    assert_eq!(server.get(&rest).ok().column("ID"), [NODES[1]]);
    let one = format!("/v1/nodes?prefix={}", NODES[1]);
    let since = server.get(&one).ok().index.unwrap();
    std::thread::scope(|scope| {
        let blocked = scope.spawn(|| server.get(&format!("{one}&index={since}")).ok());
        server.wait_until_parked(1);
        server.delete(&format!("/statehold/v1/nodes/{}", NODES[1])).ok();
        assert_eq!(blocked.join().unwrap().body, "[]");
    });
}
