//! Properties of all replies and requests: headers, compression, paths, methods, bodies.

use std::io::Read as _;

use crate::common::{NODES, Server, volume_payload};
use serde_json::{Value, json};

/// Starts a server with fifty volumes.
fn start(dir: &std::path::Path) -> Server {
    let server = Server::start(dir);
    server.feed_plugin();
    let batch: Vec<Value> = (0..50)
        .map(|at| {
            let mut volume = volume_payload(&format!("vol-{at:02}"));
            volume["ExternalID"] = json!(format!("ext-{at}"));
            volume
        })
        .collect();
    server.put("/v1/volumes", &json!({ "Volumes": batch })).ok();
    server
}

#[test]
fn only_long_replies_are_compressed_if_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    let gzip = [("Accept-Encoding", "gzip")];
    let list = "/v1/volumes?type=csi";
    let plain = server.get(list).ok();
    let mut packed = server.send_with("GET", list, &gzip, None);
    assert_eq!(packed.headers()["Content-Encoding"], "gzip");
    assert_eq!(packed.headers()["X-Nomad-Index"], plain.index.unwrap().to_string());
    let mut text = String::new();
    let bytes = packed.body_mut().read_to_vec().unwrap();
    assert!(bytes.len() < plain.body.len() / 5);
    flate2::read::GzDecoder::new(&*bytes).read_to_string(&mut text).unwrap();
    assert_eq!(text, plain.body);
    for (method, path) in [
        ("GET", "/v1/volumes"),
        ("GET", "/v1/nothing"),
        ("DELETE", "/v1/volume/csi/vol-00"),
        ("DELETE", "/v1/volume/csi/vol-00"),
    ] {
        let reply = server.send_with(method, path, &gzip, None);
        assert!(!reply.headers().contains_key("Content-Encoding"), "{method} {path}: {reply:?}");
    }
}

#[test]
fn every_reply_has_an_id_and_varies_by_encoding() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    for (path, encoding) in
        [("/v1/volumes?type=csi", "gzip"), ("/v1/volumes", "identity"), ("/v1/nothing", "gzip")]
    {
        let headers = [("Accept-Encoding", encoding), ("X-Request-Id", "me-7")];
        let reply = server.send_with("GET", path, &headers, None);
        assert_eq!(reply.headers()["X-Request-Id"], "me-7", "{path}");
        let vary = reply.headers()["Vary"].to_str().unwrap().to_lowercase();
        assert_eq!(vary, "accept-encoding", "{path}");
        let own = server.send_with("GET", path, &[("X-Request-Id", "not fit")], None);
        assert_eq!(own.headers()["X-Request-Id"].len(), 16, "{path}");
    }
}

#[test]
fn paths_match_exactly_or_after_normalisation() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    for (path, status, to) in [
        ("/v1//volumes?type=csi", 307, Some("/v1/volumes?type=csi")),
        ("/v1/./volumes", 307, Some("/v1/volumes")),
        ("/v1/volume/../volumes/", 307, Some("/v1/volumes/")),
        ("//example.com/v1", 307, Some("/example.com/v1")),
        ("/v1/volume/csi//vol-00", 307, Some("/v1/volume/csi/vol-00")),
        ("/v1/volumes/", 404, None),
        ("/v1/plugins/", 404, None),
        ("/v1", 404, None),
        ("/", 404, None),
        ("/v1/volume/csi/vol%2D00", 200, None),
        ("/v1/plugin/csi/plugin-id1/ignored", 200, None),
    ] {
        let mut reply = server.send_with("GET", path, &[], None);
        assert_eq!(reply.status().as_u16(), status, "{path}");
        let location = reply.headers().get("Location").map(|to| to.to_str().unwrap().to_owned());
        assert_eq!(location.as_deref(), to, "{path}");
        if status == 404 {
            assert_eq!(reply.body_mut().read_to_string().unwrap(), "", "{path}");
        }
    }
}

#[test]
fn the_method_selects_the_handler_of_a_known_path() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    let volume = "/v1/volume/csi/vol-00";
    for (method, path, status, text) in [
        ("PATCH", "/v1/volumes".to_owned(), 405, "Invalid method"),
        ("GET", format!("{volume}/more"), 405, "Invalid method"),
        ("POST", format!("{volume}/more"), 405, "Invalid method"),
        ("PUT", format!("{volume}/more"), 404, "resource not found"),
        ("DELETE", format!("{volume}/more"), 404, "resource not found"),
        ("GET", format!("{volume}/a/b"), 404, "resource not found"),
        ("PUT", format!("{volume}/a/b"), 404, "resource not found"),
        ("GET", "/v1/plugin/csi/a/b/c".into(), 404, "resource not found"),
        ("POST", "/metrics".into(), 405, "Invalid method"),
        ("OPTIONS", format!("/statehold/v1/nodes/{}", NODES[0]), 405, "Invalid method"),
    ] {
        let reply = server.send(method, &path, None);
        assert_eq!((reply.status, &*reply.body), (status, text), "{method} {path}");
        assert_eq!(reply.index, None, "{method} {path}");
    }
}

#[test]
fn heads_are_gets_without_a_body() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    for path in ["/v1/volumes", "/v1/volumes?type=csi", "/v1/volume/csi/vol-00", "/v1/namespaces"] {
        let (get, head) = (server.get(path).ok(), server.send("HEAD", path, None).ok());
        assert_eq!((head.body.as_str(), head.index), ("", get.index), "{path}");
        assert_eq!(head.content_length, get.content_length, "{path}");
    }
}

#[test]
fn the_first_of_several_errors_is_always_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    for (query, status, text) in [
        ("region=global", 200, "["),
        ("region=", 200, "["),
        ("region=mars&stale=x&index=x", 500, "No path to region"),
        ("stale=x&per_page=x", 400, "Expect `true` or `false` for `stale`"),
        ("stale=&stale=x", 200, "["),
        ("per_page=x&wait=x", 400, "Expect a number for `per_page`"),
        ("per_page=2147483648", 400, "Expect a number for `per_page`"),
        ("wait=x&index=x", 400, "Invalid wait time"),
        ("index=x&filter=x", 400, "Invalid index"),
        ("index=-1", 400, "Invalid index"),
        ("unheard=of", 200, "["),
    ] {
        let reply = server.get(&format!("/v1/volumes?type=csi&{query}"));
        assert_eq!(reply.status, status, "{query}: {reply:?}");
        assert!(reply.body.starts_with(text), "{query}: {reply:?}");
        assert_eq!(reply.index.is_some(), status == 200, "{query}");
    }
    // A list without a type is empty, whatever its other parameters are.
    assert_eq!(server.get("/v1/volumes?index=x&region=mars").ok().body, "[]");
    assert_eq!(server.get("/v1/plugins?type=other").ok().body, "[]");
    assert_eq!(server.get("/v1/volumes?type=csi&type=tape").status, 200);
}

#[test]
fn body_names_ignore_case_and_trailing_data_is_ignored() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    let put = |body: &str| server.send("PUT", "/v1/namespace", Some(body.as_bytes()));
    put(r#"{"nAME": "a", "DESCRIPTION": "b", "Unknown": [1]} trailing"#).ok();
    assert_eq!(server.get("/v1/namespace/a").ok().json()["Description"], "b");
    for (body, text) in [
        ("", "Request body is empty"),
        ("{", "unexpected EOF"),
        ("{\"Name\": 7}", "json: cannot unmarshal number"),
    ] {
        let refused = put(body);
        assert_eq!(refused.status, 400, "{body}");
        assert!(refused.body.starts_with(text), "{body}: {}", refused.body);
    }
}
