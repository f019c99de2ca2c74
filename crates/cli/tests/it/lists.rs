//! Lists: selection, order, pages, and the changes that wake them.

use crate::common::{ALLOC, NODES, Server, encode, volume_payload};
use serde_json::{Value, json};

/// Registers ten volumes in two namespaces, one of them claimed from the second node.
fn volumes(server: &Server) {
    server.feed_plugin();
    server.put("/v1/namespace/prod", &json!({ "Name": "prod" })).ok();
    let batch: Vec<Value> = (0..10)
        .map(|at| {
            let mut volume = volume_payload(&format!("vol-{at}"));
            volume["Namespace"] = json!(if at < 6 { "default" } else { "prod" });
            volume["ExternalID"] = json!(format!("ext-{at}"));
            volume
        })
        .collect();
    server.put("/v1/volumes", &json!({ "Volumes": batch })).ok();
    server.feed_allocation(ALLOC, NODES[1], "running");
    server.claim("vol-3", ALLOC, NODES[1], "write").ok();
}

/// Claims from nodes whose IDs start with `fb`.
fn claims(server: &Server) {
    for (volume, node) in [("vol-0", NODES[0]), ("vol-5", NODES[1]), ("vol-1", NODES[0])] {
        server.claim(volume, ALLOC, node, "read").ok();
    }
}

fn ids(server: &Server, query: &str) -> String {
    let reply = server.get(&format!("/v1/volumes?type=csi{query}")).ok();
    let ids: Vec<_> = reply.column("ID").iter().map(|id| id.replace("vol-", "")).collect();
    ids.join(",")
}

#[test]
fn parameters_select_each_and_combined() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    volumes(&server);
    let node = NODES[1].replace('-', "").to_uppercase();
    let filter = encode(r#"ID matches "[2-4]$" and PluginID == "plugin-id1""#);
    for (query, expected) in [
        (String::new(), "0,1,2,3,4,5"),
        ("&namespace=prod".into(), "6,7,8,9"),
        ("&namespace=*".into(), "0,1,2,3,4,5,6,7,8,9"),
        ("&namespace=nope".into(), ""),
        ("&namespace=*&reverse=true".into(), "9,8,7,6,5,4,3,2,1,0"),
        ("&prefix=vol-3".into(), "3"),
        ("&prefix=vol-&namespace=prod".into(), "6,7,8,9"),
        ("&prefix=nope".into(), ""),
        ("&plugin_id=plugin".into(), "0,1,2,3,4,5"),
        ("&plugin_id=plugin-id1&prefix=vol-5".into(), "5"),
        ("&plugin_id=plugin-id1&namespace=*&reverse=true".into(), "9,8,7,6,5,4,3,2,1,0"),
        ("&plugin_id=other".into(), ""),
        (format!("&node_id={}", NODES[1]), "3"),
        (format!("&node_id={node}"), "3"),
        (format!("&node_id={}", &node[..2]), "3"),
        (format!("&node_id={}", NODES[2]), ""),
        (format!("&node_id={}&plugin_id=other", NODES[1]), ""),
        (format!("&node_id={}&prefix=vol-3&plugin_id=plugin-id1", NODES[1]), "3"),
        (format!("&filter={filter}"), "2,3,4"),
        (format!("&filter={filter}&prefix=vol-4"), "4"),
        (format!("&filter={}", encode("CurrentWriters == 1")), "3"),
    ] {
        assert_eq!(ids(&server, &query), expected, "{query}");
    }
}

#[test]
fn emptiness_of_a_list_of_structs_is_filterable() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    volumes(&server);
    for (clause, expected) in [
        ("RequestedCapabilities is not empty", "0,1,2,3,4,5"),
        ("RequestedCapabilities is empty", ""),
        ("Topologies is not empty", "0,1,2,3,4,5"),
        ("Topologies is empty", ""),
    ] {
        assert_eq!(ids(&server, &format!("&filter={}", encode(clause))), expected, "{clause}");
    }
    let bound = json!([{ "LTarget": "r1", "RTarget": "r1", "Operand": "=" }]);
    for (name, constraints) in [("free", json!([])), ("bound", bound)] {
        let volume = json!({
            "Name": name, "NodeID": NODES[1], "HostPath": "/srv", "Constraints": constraints,
        });
        server.put("/v1/volume/host/register", &json!({ "Volume": volume })).ok();
    }
    for (clause, expected) in
        [("Constraints is empty", "free"), ("Constraints is not empty", "bound")]
    {
        let list = server.get(&format!("/v1/volumes?type=host&filter={}", encode(clause))).ok();
        assert_eq!(list.column("Name"), [expected], "{clause}");
    }
}

#[test]
fn pages_join_to_the_whole_list_in_both_directions() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    volumes(&server);
    claims(&server);
    for query in [
        "&namespace=*",
        "&namespace=*&reverse=true",
        "&namespace=*&plugin_id=plugin",
        "&namespace=*&node_id=fb",
        "&namespace=*&node_id=fb&reverse=true",
        "&namespace=*&filter=ID%20matches%20%22[02468]%22",
    ] {
        let whole = server.get(&format!("/v1/volumes?type=csi{query}")).ok();
        for per_page in [1, 3, 10, 11] {
            let mut joined = Vec::new();
            let mut token: Option<String> = None;
            loop {
                let from = token.map(|token| format!("&next_token={token}")).unwrap_or_default();
                let path = format!("/v1/volumes?type=csi{query}&per_page={per_page}{from}");
                let page = server.get(&path).ok();
                let rows = page.column("ID");
                assert!(rows.len() <= per_page);
                joined.extend(rows);
                token = page.next_token;
                if token.is_none() {
                    break;
                }
            }
            assert_eq!(joined, whole.column("ID"), "{query} by {per_page}");
        }
    }
}

#[test]
fn a_page_token_of_a_deleted_row_resumes_at_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    volumes(&server);
    let first = server.get("/v1/volumes?type=csi&per_page=2").ok();
    let token = first.next_token.unwrap();
    server.delete("/v1/volume/csi/vol-2").ok();
    assert_eq!(ids(&server, &format!("&per_page=2&next_token={token}")), "3,4");
    for other in ["/v1/plugins?type=csi", "/v1/volumes?type=csi&namespace=prod"] {
        let refused = server.get(&format!("{other}&next_token={token}"));
        assert_eq!(refused.status, 400);
        assert!(refused.body.starts_with("invalid next_token: a page token of another listing"));
    }
}

#[test]
fn a_list_by_plugin_is_woken_by_a_volume_of_the_plugin() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    volumes(&server);
    let list = "/v1/volumes?type=csi&plugin_id=plugin-id1";
    let since = server.get(list).ok().index.unwrap();
    std::thread::scope(|scope| {
        let blocked = scope.spawn(|| server.get(&format!("{list}&index={since}")).ok());
        server.wait_until_parked(1);
        let mut more = volume_payload("vol-new");
        more["ExternalID"] = json!("ext-new");
        let registered = server.register(&more).ok();
        let woken = blocked.join().unwrap();
        assert!(woken.column("ID").contains(&"vol-new".to_owned()));
        assert!(woken.index >= registered.index);
    });
}

#[test]
fn a_query_of_an_absent_volume_waits_until_its_deadline() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.feed_plugin();
    let missing = server.get("/v1/volume/csi/volume-id1");
    assert_eq!(missing.status, 404);
    let since = missing.index.unwrap();
    assert!(since >= 1);
    let path = format!("/v1/volume/csi/volume-id1?index={since}");
    let unchanged = server.get(&format!("{path}&wait=10ms"));
    assert_eq!((unchanged.status, unchanged.index), (404, Some(since)));
    std::thread::scope(|scope| {
        let blocked = scope.spawn(|| server.get(&path).ok());
        server.wait_until_parked(1);
        server.register(&volume_payload("volume-id1")).ok();
        assert!(blocked.join().unwrap().index.unwrap() > since);
    });
}

#[test]
fn pretty_indents_by_four_and_plugin_lists_page_and_filter_too() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.feed_plugin();
    let pretty = server.get("/v1/plugins?type=csi&pretty").ok().body;
    assert!(pretty.starts_with("[\n    {\n        \"") && pretty.ends_with("]\n"), "{pretty}");
    let compact = server.get("/v1/plugins?type=csi&pretty=0").ok();
    assert!(!compact.body.contains('\n'));
    let none = server.get(&format!("/v1/plugins?type=csi&filter={}", encode("NodesHealthy == 2")));
    assert_eq!(none.ok().body, "[]");
    let one = server.get(&format!("/v1/plugins?type=csi&filter={}", encode("NodesHealthy == 3")));
    let one = one.ok();
    assert_eq!(one.column("ID"), ["plugin-id1"]);
    assert_eq!(server.get("/v1/plugins?type=csi&prefix=x").ok().body, "[]");
    let head = server.send("HEAD", "/v1/plugins?type=csi", None).ok();
    assert_eq!((head.body.as_str(), head.index), ("", one.index));
    assert_eq!(head.content_length, compact.body.len().to_string().into());
}

#[test]
fn namespaces_are_listed_paged_and_filtered() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    for name in ["prod", "dev"] {
        let body = json!({ "Name": name, "Description": format!("for {name}") });
        server.put(&format!("/v1/namespace/{name}"), &body).ok();
    }
    let all = server.get("/v1/namespaces").ok();
    assert_eq!(all.column("Name"), ["default", "dev", "prod"]);
    let first = server.get("/v1/namespaces?per_page=2").ok();
    assert_eq!(first.column("Name"), ["default", "dev"]);
    let token = first.next_token.unwrap();
    let rest = server.get(&format!("/v1/namespaces?per_page=2&next_token={token}")).ok();
    assert_eq!((rest.column("Name"), rest.next_token), (vec!["prod".to_owned()], None));
    let filter = encode(r#"Description matches "^for d""#);
    assert_eq!(server.get(&format!("/v1/namespaces?filter={filter}")).ok().column("Name"), ["dev"]);
    assert_eq!(server.get("/v1/namespaces?filter=garbage+==+==").status, 400);
    server.delete("/v1/namespace/dev").ok();
    assert_eq!(server.get("/v1/namespace/dev").status, 404);
    assert_eq!(server.delete("/v1/namespace/default").status, 400);
}

#[test]
fn an_id_with_a_slash_is_addressed_by_its_encoded_form() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.feed_plugin();
    let body = json!({ "Volumes": [volume_payload("a/b c")] });
    server.put("/v1/volumes", &body).ok();
    assert_eq!(server.get("/v1/volume/csi/a%2Fb%20c").ok().json()["ID"], "a/b c");
    server.delete("/v1/volume/csi/a%2Fb%20c").ok();
    assert_eq!(server.get("/v1/volume/csi/a%2Fb%20c").status, 404);
}

#[test]
fn parts_of_a_long_list_join_to_the_same_rows() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.feed_plugin();
    let batch: Vec<Value> = (0..1000)
        .map(|at| {
            let mut volume = volume_payload(&format!("vol-{at:04}"));
            volume["ExternalID"] = json!(format!("ext-{at}"));
            volume["Name"] = json!("a \"name\" of\ntwo lines");
            volume
        })
        .collect();
    server.put("/v1/volumes", &json!({ "Volumes": batch })).ok();
    let whole = server.get("/v1/volumes?type=csi").ok();
    assert_eq!(whole.content_length, None, "it has a length, so it was built as a whole");
    assert!(whole.index.unwrap() > 1 && whole.next_token.is_none());
    let expected: Vec<_> = (0..1000).map(|at| format!("vol-{at:04}")).collect();
    assert_eq!(whole.column("ID"), expected);
    let pretty = server.get("/v1/volumes?type=csi&pretty").ok();
    assert_eq!(pretty.json(), whole.json());
    assert!(pretty.body.starts_with("[\n    {\n        \"") && pretty.body.ends_with("    }\n]\n"));
    let page = server.get("/v1/volumes?type=csi&per_page=999").ok();
    assert_eq!(page.column("ID").len(), 999);
    assert!(page.next_token.is_some());
}

#[test]
fn a_filter_that_costs_too_much_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.feed_plugin();
    let mut volume = volume_payload("vol-0");
    let parameters: serde_json::Map<String, Value> =
        (0..40).map(|n| (format!("k{n}"), json!("v"))).collect();
    volume["Parameters"] = Value::Object(parameters);
    server.put("/v1/volumes", &json!({ "Volumes": [volume] })).ok();
    let filter = "any Parameters as a { any Parameters as b { any Parameters as c { any Parameters as d { d == x } } } }";
    for paging in ["", "&per_page=1"] {
        let path = format!("/v1/volumes?type=csi&filter={}{paging}", encode(filter));
        let reply = server.get(&path);
        assert_eq!(reply.status, 400, "{paging}");
        assert!(reply.body.contains("row_steps"), "{}", reply.body);
    }
}

#[test]
fn filters_read_the_instances_of_plugins_in_every_notation() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.feed_plugin();
    let node = NODES[1];
    for filter in [
        format!(r#""{node}" in Nodes"#),
        format!(r#""{node}" in "/Nodes""#),
        format!(r#"Nodes["{node}"].Healthy == true"#),
        format!(r#""/Nodes/{node}/Healthy" == true"#),
        "any Nodes as _, info { info.Healthy == true }".into(),
        "Version == nothing or not (Nodes is empty)".into(),
        "Controllers is not empty".into(),
    ] {
        let path = format!("/v1/plugins?type=csi&filter={}", encode(&filter));
        let found = server.get(&path).ok().column("ID");
        assert!(found.contains(&"plugin-id1".into()), "{filter}: {found:?}");
    }
}

#[test]
fn filters_read_the_claims_on_volumes_in_every_notation() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    volumes(&server);
    for filter in [
        format!(r#""{ALLOC}" in WriteAllocs"#),
        format!(r#""{ALLOC}" in "/WriteClaims""#),
        format!(r#"WriteClaims["{ALLOC}"].State == "taken""#),
        format!(r#""/WriteClaims/{ALLOC}/Mode" == "write""#),
        "any WriteClaims as _, claim { claim.Mode == write }".into(),
        "ReadAllocs is empty and WriteAllocs is not empty".into(),
    ] {
        assert_eq!(ids(&server, &format!("&filter={}", encode(&filter))), "3", "{filter}");
    }
    server.release("vol-3", ALLOC).ok();
    assert_eq!(ids(&server, &format!("&filter={}", encode("WriteAllocs is not empty"))), "");
}
