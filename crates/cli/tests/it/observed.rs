//! Observability: metrics, the status, log lines, the OpenAPI document.

use crate::common;
use std::io::BufRead as _;
use std::process::{Command, Stdio};

use crate::common::{Server, command, volume_payload};
use serde_json::Value;

/// Returns the value of a sample.
fn sample(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find(|line| line.starts_with(name) && !line.starts_with('#'));
    let line = line.unwrap_or_else(|| panic!("no {name} in {metrics}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn metrics_count_requests_commits_rows_and_empty_wake_ups() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.feed_plugin();
    server.register(&volume_payload("a")).ok();
    server.get("/v1/volume/csi/nope");
    server.get("/nowhere/at/all");
    let index = server.get("/v1/volume/csi/a").ok().index.unwrap();
    let path = format!("/v1/volume/csi/a?index={index}");
    std::thread::scope(|scope| {
        let blocked = scope.spawn(|| server.get(&path));
        server.wait_until_parked(1);
        server.delete("/v1/volume/csi/a").ok();
        assert_eq!(blocked.join().unwrap().status, 404);
    });
    let reply = server.get("/metrics").ok();
    assert!(reply.content_type.unwrap().starts_with("application/openmetrics-text"));
    let metrics = reply.body;
    assert!(metrics.ends_with("# EOF\n"));
    for (name, at_least) in [
        (
            r#"statehold_http_requests_total{method="GET",route="/v1/volume/csi/{id}",status="404"}"#,
            1.0,
        ),
        (r#"statehold_http_requests_total{method="GET",route="",status="404"}"#, 1.0),
        (
            r#"statehold_http_requests_total{method="PUT",route="/v1/volume/csi/{id}",status="200"}"#,
            1.0,
        ),
        ("statehold_http_request_duration_seconds_count", 1.0),
        ("statehold_http_connections", 1.0),
        (r#"statehold_blocking_runs_again_total{useful="true"}"#, 1.0),
        ("statehold_blocking_woken_total", 1.0),
        ("statehold_store_index", 5.0),
        ("statehold_store_history_bytes", 100.0),
        (r#"statehold_store_rows{table="csi_plugins"}"#, 1.0),
        (r#"statehold_store_file_bytes{file="rows.redb"}"#, 1.0),
        ("statehold_store_commit_duration_seconds_count", 5.0),
        ("statehold_store_batch_commits_count", 1.0),
    ] {
        assert!(sample(&metrics, name) >= at_least, "{name} in {metrics}");
    }
    assert!(sample(&metrics, "statehold_blocking_parked") < 0.5);
    let status = server.get("/statehold/v1/status").ok().json();
    assert_eq!(status["Rows"]["csi_plugins"], 1);
    assert!(status["Connections"].as_u64() >= Some(1) && status["UptimeSeconds"].is_u64());
    assert!(status["Files"].as_object().unwrap().values().any(|bytes| bytes.as_u64() > Some(0)));
}

#[test]
fn a_log_line_has_the_request_id_and_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = command(dir.path());
    command.args(["--log-format", "json", "--log-level", "debug"]);
    let mut server = Server::spawn_with_stderr(&mut command, Stdio::piped());
    let log = server.stderr();
    let headers = [("X-Request-Id", "req-7"), ("X-Nomad-Token", "t0ken"), ("Cookie", "c00kie")];
    let path = "/v1/volumes?type=csi&filter=Name+==+s3cret";
    server.send_with("PUT", path, &headers, Some(b"{\"b0dy\": 1}"));
    server.stop();
    let lines: Vec<String> = log.lines().map(Result::unwrap).collect();
    let line = lines.iter().find(|line| line.contains("req-7")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["span"]["id"], "req-7");
    assert_eq!(line["span"]["path"], "/v1/volumes");
    assert_eq!((&line["status"], &line["level"]), (&400.into(), &"DEBUG".into()));
    for secret in ["t0ken", "c00kie", "s3cret", "b0dy"] {
        assert!(lines.iter().all(|line| !line.contains(secret)), "{secret}: {lines:?}");
    }
}

#[test]
fn a_callers_mistake_is_never_logged_as_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = command(dir.path());
    command.args(["--log-format", "json", "--log-level", "debug"]);
    let mut server = Server::spawn_with_stderr(&mut command, Stdio::piped());
    let log = server.stderr();
    assert_eq!(server.get("/v1/volumes?type=csi&region=elsewhere").status, 500);
    assert_eq!(server.put("/v1/operator/snapshot", &Value::Null).status, 501);
    let coding = "PUT /v1/namespace HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\
        Connection: close\r\n\r\n0\r\n\r\n";
    let refused = common::raw::read_all(common::raw::connect(server.address(), coding));
    assert_eq!(common::raw::status(&refused), 501);
    server.stop();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let lines: Vec<Value> = lines.filter(|line| line["status"].is_u64()).collect();
    let level = |status: u16| &lines.iter().find(|line| line["status"] == status).unwrap()["level"];
    assert_eq!((level(500), level(501)), (&"DEBUG".into(), &"DEBUG".into()), "{lines:?}");
    assert!(lines.iter().all(|line| line["level"] != "ERROR"), "{lines:?}");
}

#[test]
fn the_openapi_document_lists_the_served_endpoints() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let document = server.get("/statehold/v1/openapi.json").ok().json();
    assert_eq!(document["openapi"], "3.1.0");
    let list = &document["paths"]["/v1/volumes"]["get"];
    let parameter = |name: &str| {
        let mut all = list["parameters"].as_array().unwrap().iter();
        all.find(|found| found["name"] == name).unwrap_or_else(|| panic!("no {name}")).clone()
    };
    assert!(parameter("type")["schema"]["enum"].as_array().unwrap().contains(&"csi".into()));
    for name in ["prefix", "plugin_id", "node_id", "filter", "per_page", "next_token", "index"] {
        assert_eq!(parameter(name)["in"], "query");
    }
    let fields = &list["x-filter-fields"]["csi"]["properties"];
    assert_eq!(fields["Schedulable"]["type"], "boolean");
    assert!(fields.get("Secrets").is_none() && fields["MountOptions"].get("MountFlags").is_none());
    for path in document["paths"].as_object().unwrap().keys() {
        let path = path.replace("{id}", "x").replace(['{', '}'], "");
        let reply = server.send("PATCH", &path, None);
        assert_ne!((reply.status, reply.body.as_str()), (404, ""), "{path}");
    }
}

#[test]
fn history_flags_bound_the_journal_by_commits_and_by_bytes() {
    for (flags, kept) in
        [(["--history", "0"], false), (["--history-bytes", "0"], false), (["--history", "9"], true)]
    {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::spawn(command(dir.path()).args(flags));
        server.feed_plugin();
        server.register(&volume_payload("a")).ok();
        let signal = Command::new("kill").arg(server.id().to_string()).status();
        assert!(signal.unwrap().success() && server.wait().success());
        let mut inspect = Command::new(env!("CARGO_BIN_EXE_statehold"));
        inspect.arg("inspect").arg(dir.path());
        let report = String::from_utf8(inspect.output().unwrap().stdout).unwrap();
        let number = |name: &str| -> u64 {
            let line = report.lines().find(|line| line.starts_with(name)).unwrap();
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        assert_eq!(number("changes since") <= number("index"), kept, "{flags:?}: {report}");
    }
}
