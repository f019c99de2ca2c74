//! Invalid requests: the status, the error text, and that the state is unchanged.

use crate::common::{ALLOC, NODES, Server, command, encode, volume_payload};
use serde_json::{Value, json};

/// A request and its expected reply: method, path, body, status, start of the error text.
type Case<'c> = (&'c str, String, String, u16, &'c str);

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn bad_requests_get_their_message_and_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.feed_plugin();
    server.register(&volume_payload("volume-id1")).ok();
    let state = |server: &Server| {
        (
            server.get("/v1/volumes?type=csi&namespace=*").ok().body,
            server.get("/v1/plugins?type=csi").ok().body,
        )
    };
    let before = state(&server);

    let changed = |change: &dyn Fn(&mut Value)| {
        let mut volume = volume_payload("volume-id2");
        change(&mut volume);
        json!({ "Volumes": [volume] }).to_string()
    };
    let put = |body: String, status, text| -> Case<'_> {
        ("PUT", "/v1/volume/csi/volume-id2".to_owned(), body, status, text)
    };
    let get = |path: &str, status, text| -> Case<'_> {
        ("GET", path.to_owned(), String::new(), status, text)
    };
    let claim = "/statehold/v1/volume/csi/volume-id1/claim".to_owned();
    let cases: Vec<Case<'_>> = vec![
        // Bodies.
        put(String::new(), 400, "Request body is empty"),
        put("{".into(), 400, "unexpected EOF"),
        put("{\"Volumes\": 7}".into(), 400, "json: cannot unmarshal number"),
        put("{}".into(), 400, "missing volume definition"),
        put(changed(&|v| v["ID"] = json!("")), 400, "validation: missing volume id"),
        put(changed(&|v| v["PluginID"] = json!("")), 400, "validation: missing plugin id"),
        put(
            changed(&|v| {
                v["ID"] = json!("");
                v["RequestedCapabilities"] = json!([]);
            }),
            400,
            "validation: missing volume id, must include at least one capability block",
        ),
        put(
            changed(&|v| v["PluginID"] = json!("nope")),
            400,
            "no CSI plugin named: nope could be found",
        ),
        put(
            changed(&|v| v["Namespace"] = json!("nope")),
            400,
            "volume volume-id2 is in nonexistent namespace nope",
        ),
        put(
            changed(&|v| {
                v["ID"] = json!("volume-id1");
                v["ExternalID"] = json!("vol-other");
            }),
            400,
            "unable to update volume: 1 error occurred:\n\t* volume external ID cannot be updated",
        ),
        // The request is atomic: one invalid volume also rejects the valid one.
        put(
            json!({ "Volumes": [volume_payload("good"), { "ID": "bad" }] }).to_string(),
            400,
            "validation: missing plugin id",
        ),
        // Lists.
        get("/v1/volumes?type=tape", 404, "resource not found"),
        get("/v1/volumes?type=", 404, "resource not found"),
        get("/v1/volumes?type=csi&node_id=foo", 400, "invalid node_id: invalid hex digit 'o'"),
        get(
            "/v1/volumes?type=csi&node_id=fb2",
            400,
            "invalid node_id: must have an even number of hexadecimal characters, got 3",
        ),
        get("/v1/volumes?type=csi&per_page=x", 400, "Expect a number for `per_page`"),
        get("/v1/volumes?type=csi&per_page=-1", 400, "Expect a number of at least 0"),
        get("/v1/volumes?type=csi&next_token=nope!", 400, "invalid next_token: not a page token"),
        get("/v1/volumes?type=csi&index=x", 400, "Invalid index"),
        get("/v1/volumes?type=csi&wait=soon&index=x", 400, "Invalid wait time"),
        get("/v1/volumes?type=csi&stale=maybe", 400, "Expect `true` or `false` for `stale`"),
        // Objects.
        get("/v1/volume/csi/nope", 404, "volume not found"),
        get("/v1/volume/csi/volume-id1?namespace=*", 404, "volume not found"),
        get("/v1/volume/csi/", 400, "missing volume ID"),
        get("/v1/volume/csi/volume-id1/more", 405, "Invalid method"),
        get("/v1/volume/csi/volume-id1/more/and/more", 404, "resource not found"),
        get("/v1/plugin/csi/nope", 404, "plugin not found"),
        get("/v1/plugin/csi/", 400, "missing plugin ID"),
        get("/v1/nothing", 404, ""),
        ("DELETE", "/v1/volume/csi/nope".into(), String::new(), 404, "volume not found: nope"),
        (
            "DELETE",
            "/v1/volume/csi/volume-id1?force=maybe".into(),
            String::new(),
            400,
            "invalid force value",
        ),
        // Methods.
        ("DELETE", "/v1/volumes".into(), String::new(), 405, "Invalid method"),
        ("POST", "/v1/volume/csi/volume-id1".into(), "{}".into(), 405, "Invalid method"),
        ("PUT", "/v1/plugins".into(), "{}".into(), 405, "Invalid method"),
        ("DELETE", "/v1/plugin/csi/plugin-id1".into(), String::new(), 405, "Invalid method"),
        // The feed.
        ("PUT", "/statehold/v1/nodes/nope".into(), "{}".into(), 400, "UUID must be 36 characters"),
        ("GET", "/statehold/v1/nodes/nope".into(), String::new(), 405, "Invalid method"),
        ("PUT", format!("/statehold/v1/nodes/{}", NODES[0]), "[".into(), 400, "unexpected EOF"),
        (
            "PUT",
            claim.clone(),
            json!({ "AllocationID": ALLOC, "Mode": "write" }).to_string(),
            400,
            "Unknown allocation: a8198d79-cfdb-6593-a999-1e9adabcba2e",
        ),
        (
            "PUT",
            claim.clone(),
            json!({ "AllocationID": ALLOC, "Mode": "grab" }).to_string(),
            400,
            "unknown claim mode: \"grab\"",
        ),
        (
            "PUT",
            claim.replace("volume-id1", "nope"),
            json!({ "AllocationID": ALLOC, "NodeID": NODES[0], "Mode": "read" }).to_string(),
            404,
            "volume not found: nope",
        ),
    ];
    for (method, path, body, status, text) in cases {
        let body = (!body.is_empty()).then_some(body);
        let reply = server.send(method, &path, body.as_ref().map(|body| body.as_bytes()));
        assert_eq!(reply.status, status, "{method} {path}: {reply:?}");
        assert!(reply.body.starts_with(text), "{method} {path}: {reply:?}");
        if !reply.body.is_empty() {
            assert_eq!(reply.content_type.as_deref(), Some("text/plain; charset=utf-8"), "{path}");
        }
    }
    assert_eq!(state(&server), before);
}

#[test]
fn filter_errors_show_the_position_and_the_nearest_field() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let refused = |expression: &str| {
        let path = format!("/v1/volumes?type=csi&filter={}", encode(expression));
        let reply = server.get(&path);
        assert_eq!(reply.status, 400, "{expression}: {reply:?}");
        reply.body
    };
    // No row exists: the error MUST come from the expression alone.
    let unknown = refused("Nmae == x");
    assert!(unknown.contains('^') && unknown.contains("Name"), "{unknown}");
    let unquoted = refused("ID == volume-id1");
    assert!(unquoted.contains('^') && unquoted.contains("quote"), "{unquoted}");
    for (expression, about) in [
        ("Name ==", "Name =="),
        ("Capacity == many", "many"),
        ("Name matches \"[\"", "["),
        // A secret is not selectable, so that a filter can't probe its value.
        ("Secrets.password == xyzzy", "Secrets"),
        ("MountOptions.MountFlags is empty", "MountFlags"),
    ] {
        let message = refused(expression);
        assert!(message.contains('^') && message.contains(about), "{expression}: {message}");
    }
}

#[test]
fn a_body_over_the_limit_is_413() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::spawn(command(dir.path()).args(["--body-max", "1000"]));
    server.feed_plugin();
    let mut volume = volume_payload("volume-id1");
    volume["Name"] = json!("x".repeat(2000));
    let refused = server.register(&volume);
    assert_eq!(refused.status, 413);
    assert!(refused.body.contains("larger than 1000 bytes"), "{}", refused.body);
    volume["Name"] = json!("x");
    server.register(&volume).ok();
}

#[test]
fn a_reader_beyond_the_limit_is_429() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::spawn(command(dir.path()).args(["--parked-max", "0"]));
    let refused = server.get("/v1/volumes?type=csi&index=1000&wait=1s");
    assert_eq!(refused.status, 429);
    assert!(refused.body.contains("try again later"), "{}", refused.body);
    server.get("/v1/volumes?type=csi").ok();
}
