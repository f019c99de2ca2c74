//! Set-up and monitoring by operators: metrics and health, exports, zones and scheduler hints.

use crate::cloud;
use crate::cloud::identity::Identity;
use crate::cloud::{Cloud, TOKEN};
use crate::common::eventually;
use serde_json::json;

/// Returns the value of a sample of a metric.
#[track_caller]
fn sample(metrics: &str, name: &str) -> f64 {
    let line = metrics
        .lines()
        .find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
    let line = line.unwrap_or_else(|| panic!("no {name} in {metrics}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Returns the metrics that the address of Block Storage serves.
#[track_caller]
fn metrics(cloud: &Cloud) -> String {
    let reply = cloud.send("GET", "/metrics", b"", &[]);
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert!(reply.header("content-type").starts_with("application/openmetrics-text"));
    assert!(reply.body.ends_with("# EOF\n"));
    reply.body
}

#[test]
fn metrics_have_the_capacity_of_pools_and_the_backlog() {
    const GIB: f64 = 1_073_741_824.0;
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start_alone(dir.path());
    let before = metrics(&cloud);
    let pool = |text: &str, name: &str| {
        sample(text, &format!("statehold_block_storage_pool_{name}_bytes{{pool=\"a\"}}"))
    };
    assert!(pool(&before, "free") <= pool(&before, "total") && pool(&before, "total") > 0.0);
    for name in ["allocated", "provisioned", "reserved"] {
        assert!(pool(&before, name) < 0.5, "{name}");
    }
    let failed = r#"statehold_block_storage_work_failed_total{task="create_volume"}"#;
    assert!(sample(&before, failed) < 0.5);

    let body = json!({"volume_type": {"name": "t", "extra_specs": {"volume_backend_name": "a"}}});
    cloud.expect(200, "POST", "/types", &body);
    let body = json!({"volume": {"size": 2, "volume_type": "t"}});
    let volume = cloud.create("/volumes", &body);
    cloud.wait(&format!("/volumes/{volume}"), "available");
    let snapshot = cloud.create("/snapshots", &json!({"snapshot": {"volume_id": volume}}));
    cloud.wait(&format!("/snapshots/{snapshot}"), "available");
    let body = json!({"volume_type": {"name": "no", "extra_specs": {"volume_backend_name": "z"}}});
    cloud.expect(200, "POST", "/types", &body);
    let lost = cloud.create("/volumes", &json!({"volume": {"size": 1, "volume_type": "no"}}));
    cloud.wait(&format!("/volumes/{lost}"), "error");

    let close = |own: f64, wanted: f64| (own - wanted).abs() < 0.5;
    // The worker counts a failure after the row with the status is visible.
    eventually(|| close(sample(&metrics(&cloud), failed), 1.0));
    let after = metrics(&cloud);
    assert!(close(pool(&after, "allocated"), 2.0 * GIB), "{after}");
    assert!(close(pool(&after, "provisioned"), 4.0 * GIB), "{after}");
    assert!(close(pool(&after, "reserved"), 0.0), "{after}");
    assert!(close(sample(&after, failed), 1.0), "{after}");
    for name in ["queued", "oldest_seconds"] {
        let name = format!("statehold_block_storage_work_{name}{{task=\"create_volume\"}}");
        assert!(close(sample(&after, &name), 0.0), "{after}");
    }
    let requests = r#"statehold_http_requests_total{method="GET",route="/metrics",status="200"}"#;
    assert!(sample(&after, requests) >= 1.0, "{after}");
    assert_eq!(cloud.send("POST", "/metrics", b"", &[TOKEN]).status, 404);
}

#[test]
fn both_addresses_have_the_metrics_of_both_apis() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let own = metrics(&cloud);
    let other = ureq::get(format!("{}/metrics", cloud.nomad())).call().unwrap();
    let other = other.into_body().read_to_string().unwrap();
    for text in [own, other] {
        let total = r#"statehold_block_storage_pool_total_bytes{pool="b"}"#;
        assert!(sample(&text, total) > 0.0);
        assert!(sample(&text, r#"statehold_store_rows{table="nodes"}"#) >= 1.0);
    }
}

#[test]
fn health_needs_no_token_and_metrics_need_an_admins() {
    let dir = tempfile::tempdir().unwrap();
    let identity = Identity::start();
    identity.know_user("member", ("u1", "p1"), &["member"]);
    identity.know_user("admin", ("u2", "p2"), &["admin"]);
    let url = identity.url();
    let cloud = Cloud::start_with(dir.path(), &["--auth", "keystone", "--identity-url", &url]);
    let health = cloud.send("GET", "/healthcheck", b"", &[]);
    assert_eq!((health.status, &*health.body), (200, "OK"));
    assert!(health.header("content-type").starts_with("text/plain"));
    let head = cloud.send("HEAD", "/healthcheck", b"", &[]);
    assert_eq!((head.status, &*head.body), (204, ""));
    let status = |token: &[(&str, &str)]| cloud.send("GET", "/metrics", b"", token).status;
    assert_eq!(status(&[]), 401);
    assert_eq!(status(&[("x-auth-token", "member")]), 403);
    assert_eq!(status(&[("x-auth-token", "admin")]), 200);
}

#[test]
fn block_storage_serves_its_openapi_document_to_each_caller() {
    let dir = tempfile::tempdir().unwrap();
    let identity = Identity::start();
    identity.know_user("reader", ("u1", "p1"), &["reader"]);
    let url = identity.url();
    let cloud = Cloud::start_with(dir.path(), &["--auth", "keystone", "--identity-url", &url]);
    let token = ("x-auth-token", "reader");
    let served = cloud.send("GET", "/v3/openapi.json", b"", &[token]);
    assert_eq!((served.status, served.header("content-type")), (200, "application/json"));
    let committed = include_str!("../../../../docs/openapi-block-storage.json");
    let committed: serde_json::Value = serde_json::from_str(committed).unwrap();
    assert_eq!(served.json(), committed);
    assert_eq!(cloud.send("GET", "/v3/openapi", b"", &[token]).json(), committed);
    assert_eq!(cloud.send("GET", "/v3/openapi.json", b"", &[]).status, 401);
    let nothing = cloud.send("GET", "/v3/nothing", b"", &[token]).json();
    assert_eq!(
        (&nothing["code"], &nothing["title"]),
        (&"404 Not Found".into(), &"Not Found".into())
    );
}

#[test]
fn zones_are_listed_checked_and_honoured() {
    let dir = tempfile::tempdir().unwrap();
    let flags = ["--availability-zone", "east", "--backend-zone", "b=west"];
    let cloud = Cloud::start_with(dir.path(), &flags);
    let zones = cloud.get("/os-availability-zone");
    let zone = |name: &str| json!({"zoneName": name, "zoneState": {"available": true}});
    assert_eq!(zones["availabilityZoneInfo"], json!([zone("east"), zone("west")]));
    let services = cloud.get("/os-services");
    for service in services["services"].as_array().unwrap() {
        let west = service["host"].as_str().unwrap().ends_with("@b");
        assert_eq!(service["zone"], if west { "west" } else { "east" }, "{service}");
    }

    let volume = |body: serde_json::Value| {
        let id = cloud.create("/volumes", &json!({"volume": body}));
        cloud.wait(&format!("/volumes/{id}"), "available")
    };
    let host = |row: &serde_json::Value| row["os-vol-host-attr:host"].as_str().unwrap().to_owned();
    // The weigher alone would place both on the first back end: they share one file system.
    let west = volume(json!({"size": 1, "availability_zone": "west"}));
    assert!(west["availability_zone"] == "west" && host(&west).ends_with("@b#b"), "{west}");
    let east = volume(json!({"size": 1}));
    assert!(east["availability_zone"] == "east" && host(&east).ends_with("@a#a"), "{east}");
    let body = json!({"volume": {"size": 1, "availability_zone": "mars"}});
    let refused = cloud.refused(400, "POST", "/volumes", &body);
    assert_eq!(refused, "Availability zone 'mars' is invalid.");

    // A copy is in the zone of its source; a request may repeat that zone.
    let id = west["id"].as_str().unwrap();
    let clone = volume(json!({"source_volid": id}));
    assert!(clone["availability_zone"] == "west" && host(&clone).ends_with("@b#b"), "{clone}");
    let body = json!({"volume": {"source_volid": id, "availability_zone": "east"}});
    assert_eq!(
        cloud.refused(400, "POST", "/volumes", &body),
        "Invalid input received: Volume must be in the same availability zone as the source volume"
    );
    let snapshot = cloud.create("/snapshots", &json!({"snapshot": {"volume_id": id}}));
    cloud.wait(&format!("/snapshots/{snapshot}"), "available");
    let body = json!({"volume": {"snapshot_id": snapshot, "availability_zone": "east"}});
    assert_eq!(
        cloud.refused(400, "POST", "/volumes", &body),
        "Invalid input received: Volume must be in the same availability zone as the snapshot"
    );

    // A migration MUST NOT leave the zone either.
    let id = east["id"].as_str().unwrap();
    let body = json!({"os-migrate_volume": {"host": host(&west)}});
    cloud.expect(202, "POST", &format!("/volumes/{id}/action"), &body);
    let until = std::time::Instant::now() + cloud::PATIENCE;
    loop {
        let row = cloud.get(&format!("/volumes/{id}"))["volume"].clone();
        if row["migration_status"] == "error" {
            assert!(host(&row).ends_with("@a#a"));
            break;
        }
        assert!(std::time::Instant::now() < until, "{row}");
        std::thread::yield_now();
    }
    let file = dir.path().join("b/managed");
    std::fs::write(&file, b"x").unwrap();
    let body = json!({"volume": {
        "host": host(&west), "ref": {"source-name": "managed"}, "name": "m", "volume_type": "__DEFAULT__",
    }});
    let managed = cloud.create("/manageable_volumes", &body);
    let managed = cloud.wait(&format!("/volumes/{managed}"), "available");
    assert_eq!(managed["availability_zone"], "west");
}

#[test]
fn back_end_decides_among_the_zones_of_a_type() {
    let dir = tempfile::tempdir().unwrap();
    let flags = ["--availability-zone", "east", "--backend-zone", "b=west"];
    let cloud = Cloud::start_with(dir.path(), &flags);
    let specs = json!({"RESKEY:availability_zones": "east,west", "volume_backend_name": "b"});
    let body = json!({"volume_type": {"name": "both", "extra_specs": specs}});
    cloud.expect(200, "POST", "/types", &body);
    // No back end of the type is in the default zone, which the type allows too.
    let id = cloud.create("/volumes", &json!({"volume": {"size": 1, "volume_type": "both"}}));
    let row = cloud.wait(&format!("/volumes/{id}"), "available");
    assert_eq!(row["availability_zone"], "west");
}

#[test]
fn backup_fails_in_a_zone_without_a_backup_service() {
    let dir = tempfile::tempdir().unwrap();
    let flags = ["--availability-zone", "east", "--backend-zone", "b=west"];
    let cloud = Cloud::start_with(dir.path(), &flags);
    let volume = cloud.create("/volumes", &json!({"volume": {"size": 1}}));
    cloud.wait(&format!("/volumes/{volume}"), "available");
    let back_up = |zone: &str, end: &str| {
        let body = json!({"backup": {"volume_id": volume, "availability_zone": zone}});
        let id = cloud.create("/backups", &body);
        cloud.wait(&format!("/backups/{id}"), end)
    };
    let row = back_up("west", "error");
    assert_eq!(row["fail_reason"], "Service not found for creating backup.");
    cloud.wait(&format!("/volumes/{volume}"), "available");
    let messages = cloud.get("/messages");
    assert_eq!(messages["messages"][0]["event_id"], "VOLUME_VOLUME_BACKUP_013_024", "{messages}");
    back_up("east", "available");
}

#[test]
fn hints_choose_the_back_end_of_a_volume() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    for name in ["a", "b"] {
        let specs = json!({"volume_backend_name": name});
        let body = json!({"volume_type": {"name": name, "extra_specs": specs}});
        cloud.expect(200, "POST", "/types", &body);
    }
    let quota = json!({"quota_set": {"volumes": -1}});
    cloud.expect(200, "PUT", "/os-quota-sets/p1", &quota);
    let with = |volume: serde_json::Value, hints: serde_json::Value, status: &str| {
        let body = json!({"volume": volume, "OS-SCH-HNT:scheduler_hints": hints});
        let id = cloud.create("/volumes", &body);
        let row = cloud.wait(&format!("/volumes/{id}"), status);
        let host = row["os-vol-host-attr:host"].as_str().unwrap_or_default().to_owned();
        (id, host.rsplit('#').next().unwrap_or_default().to_owned())
    };
    let new = |hints: serde_json::Value| with(json!({"size": 1}), hints, "available").1;
    let none = |hints: serde_json::Value| {
        let (id, host) = with(json!({"size": 1}), hints, "error");
        assert_eq!(host, "");
        let messages = cloud.get(&format!("/messages?resource_uuid={id}"));
        let text = messages["messages"][0]["user_message"].as_str().unwrap().to_owned();
        assert_eq!(text, "schedule allocate volume:Could not find any available weighted backend.");
    };
    let (on_a, _) = with(json!({"size": 1, "volume_type": "a"}), json!(null), "available");
    let (on_b, _) = with(json!({"size": 1, "volume_type": "b"}), json!({}), "available");
    let unknown = "00000000-0000-4000-8000-000000000001";

    assert_eq!(new(json!({"same_host": on_b})), "b");
    assert_eq!(new(json!({"same_host": [on_b, unknown]})), "b");
    assert_eq!(new(json!({"different_host": on_a})), "b");
    assert_eq!(new(json!({"different_host": [on_b]})), "a");
    assert_eq!(new(json!({"different_host": unknown, "local_to_instance": unknown})), "a");
    none(json!({"same_host": unknown}));
    none(json!({"different_host": [on_a, on_b]}));
    none(json!({"same_host": on_a, "different_host": on_a}));

    assert_eq!(new(json!({"query": r#"["=", "$pool_name", "b"]"#})), "b");
    let query = r#"["and", [">", "$free_capacity_gb", 0], ["not", ["in", "$capabilities.pool_name", "a"]]]"#;
    assert_eq!(new(json!({"query": query})), "b");
    assert_eq!(new(json!({"query": r#"["=", "$service.availability_zone", "nova"]"#})), "a");
    none(json!({"query": r#"[">", "$free_capacity_gb", 1e12]"#}));
    none(json!({"query": "no JSON"}));

    // A copy is on the back end of its source; a hint for another one leaves it without any.
    let copy = json!({"source_volid": on_b});
    assert_eq!(with(copy.clone(), json!({"different_host": on_a}), "available").1, "b");
    with(copy, json!({"same_host": on_a}), "error");

    let body = json!({"volume": {"size": 1}, "OS-SCH-HNT:scheduler_hints": {"same_host": "x"}});
    assert_eq!(
        cloud.refused(400, "POST", "/volumes", &body),
        "Invalid input for field/attribute same_host. Value: x. 'x' is not valid under any of the given \
         schemas"
    );
    // A volume of another project is reported like an unknown one.
    let other = json!({"volume": {"size": 1}, "OS-SCH-HNT:scheduler_hints": {"same_host": on_a}});
    let token = ("x-auth-token", "u2:p2");
    let headers = [cloud::JSON, token, cloud::LATEST];
    let created = cloud.send("POST", "/v3/p2/volumes", other.to_string().as_bytes(), &headers);
    let path = format!("/v3/p2/volumes/{}", created.json()["volume"]["id"].as_str().unwrap());
    let until = std::time::Instant::now() + cloud::PATIENCE;
    while cloud.send("GET", &path, b"", &headers).json()["volume"]["status"] != "error" {
        assert!(std::time::Instant::now() < until, "{path}");
        std::thread::yield_now();
    }
}

#[test]
fn exported_back_ends_give_nfs_connections() {
    let dir = tempfile::tempdir().unwrap();
    let flags = ["--export", "a=[fd00::1]:/srv/a", "--export-options", "a=nfsvers=4.2,hard"];
    let cloud = Cloud::start_with(dir.path(), &flags);
    for (name, protocol) in [("a", "nfs"), ("b", "local")] {
        let specs = json!({"storage_protocol": protocol, "volume_backend_name": name});
        let body = json!({"volume_type": {"name": name, "extra_specs": specs}});
        cloud.expect(200, "POST", "/types", &body);
    }
    let volume = |volume_type: &str| {
        let body = json!({"volume": {"size": 1, "volume_type": volume_type}});
        let id = cloud.create("/volumes", &body);
        cloud.wait(&format!("/volumes/{id}"), "available");
        id
    };
    let (exported, local) = (volume("a"), volume("b"));
    assert!(dir.path().join(format!("a/volume-{exported}")).is_file());
    let initialize = json!({"os-initialize_connection": {"connector": {"host": "h"}}});
    let of = |id: &str| {
        let path = format!("/volumes/{id}/action");
        cloud.expect(200, "POST", &path, &initialize)["connection_info"].clone()
    };
    let wanted = json!({
        "driver_volume_type": "nfs",
        "mount_point_base": "/var/lib/statehold/mnt",
        "data": {
            "export": "[fd00::1]:/srv/a", "name": format!("volume-{exported}"),
            "options": "-o nfsvers=4.2,hard", "format": "raw", "qos_specs": null,
            "access_mode": "rw", "encrypted": false, "cacheable": false,
        },
    });
    assert_eq!(of(&exported), wanted);
    let other = of(&local);
    assert_eq!(other["driver_volume_type"], "local");
    assert!(other.get("mount_point_base").is_none() && other["data"]["device_path"].is_string());

    let body = json!({"attachment": {
        "volume_uuid": exported, "instance_uuid": "00000000-0000-4000-8000-000000000001",
        "connector": {"host": "h"},
    }});
    let attachment = cloud.expect(200, "POST", "/attachments", &body)["attachment"].clone();
    let info = &attachment["connection_info"];
    assert_eq!(info["driver_volume_type"], "nfs", "{attachment}");
    assert_eq!(info["export"], "[fd00::1]:/srv/a", "{attachment}");
    assert_eq!(info["name"], json!(format!("volume-{exported}")), "{attachment}");

    let pools = cloud.get("/scheduler-stats/get_pools?detail=true");
    assert_eq!(pools["pools"][0]["capabilities"]["storage_protocol"], "nfs");
}

/// Sends a request in version 3.71, and returns its status and the message of a refusal.
fn latest(cloud: &Cloud, path: &str, body: &serde_json::Value) -> (u16, String) {
    let (status, answer) = cloud.call_in(71, "POST", path, body);
    let text = answer["badRequest"]["message"].as_str().unwrap_or_default().to_owned();
    (status, text)
}

#[test]
fn hosts_complete_the_extension_of_exported_volumes_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let flags = ["--export", "a=nfs1:/srv/a"];
    let mut cloud = Cloud::start_with(dir.path(), &flags);
    let specs = json!({"storage_protocol": "nfs"});
    let body = json!({"volume_type": {"name": "nfs", "extra_specs": specs}});
    cloud.expect(200, "POST", "/types", &body);
    let body = json!({"volume": {"size": 1, "volume_type": "nfs"}});
    let id = cloud.create("/volumes", &body);
    let path = format!("/volumes/{id}");
    let action = format!("{path}/action");
    cloud.wait(&path, "available");
    let complete = |cloud: &Cloud, error: bool| {
        latest(cloud, &action, &json!({"os-extend_volume_completion": {"error": error}}))
    };
    let not_extending = (400, "Invalid volume: Volume is not being extended.".to_owned());
    assert_eq!(complete(&cloud, false), not_extending);
    let extend = |cloud: &Cloud, size: u32| {
        cloud.expect(202, "POST", &action, &json!({"os-extend": {"new_size": size}}));
    };
    // The volume is not attached: only the file is extended, without a host.
    extend(&cloud, 2);
    assert_eq!(cloud.wait(&path, "available")["size"], 2);

    let body = json!({"attachment": {
        "volume_uuid": id, "instance_uuid": "00000000-0000-4000-8000-000000000001",
        "connector": {"host": "h"},
    }});
    let attachment = cloud.expect(200, "POST", "/attachments", &body)["attachment"].clone();
    let attachment = format!("/attachments/{}/action", attachment["id"].as_str().unwrap());
    cloud.expect(204, "POST", &attachment, &json!({"os-complete": {}}));
    cloud.wait(&path, "in-use");
    let file = dir.path().join(format!("a/volume-{id}"));
    let grown = |gib: u64| {
        let until = std::time::Instant::now() + cloud::PATIENCE;
        while std::fs::metadata(&file).unwrap().len() != gib << 30 {
            assert!(std::time::Instant::now() < until, "the file is not extended");
            std::thread::yield_now();
        }
    };
    let missing = "Invalid volume: Required volume admin metadata is malformed or missing.";
    // The worker waits for the host once the file has its new length.
    let complete_awaited = |cloud: &Cloud, error: bool| {
        let until = std::time::Instant::now() + cloud::PATIENCE;
        loop {
            let done = complete(cloud, error);
            if done != (400, missing.to_owned()) {
                return done;
            }
            assert!(std::time::Instant::now() < until, "no completion is awaited");
        }
    };
    extend(&cloud, 3);
    grown(3);
    let row = cloud.get(&path)["volume"].clone();
    assert_eq!((&row["status"], &row["size"]), (&json!("extending"), &json!(2)));
    assert_eq!(complete_awaited(&cloud, false).0, 202);
    let row = cloud.get(&path)["volume"].clone();
    assert_eq!((&row["status"], &row["size"]), (&json!("in-use"), &json!(3)));
    assert_eq!(complete(&cloud, false), not_extending);

    // A restart continues the wait.
    extend(&cloud, 4);
    grown(4);
    cloud.restart(dir.path(), &flags);
    let waits = r#"statehold_block_storage_work_queued{task="extend_volume"}"#;
    assert!((sample(&metrics(&cloud), waits) - 1.0).abs() < 0.5);
    let used =
        |cloud: &Cloud| cloud.get("/limits")["limits"]["absolute"]["totalGigabytesUsed"].clone();
    assert_eq!(used(&cloud), 3);
    assert_eq!(complete_awaited(&cloud, true).0, 202);
    let row = cloud.get(&path)["volume"].clone();
    assert_eq!((&row["status"], &row["size"]), (&json!("error_extending"), &json!(3)));
    let messages = cloud.get(&format!("/messages?resource_uuid={id}"));
    let text = &messages["messages"][0]["user_message"];
    assert_eq!(*text, "extend volume:Volume Driver failed to extend volume.");
    assert_eq!(used(&cloud), 3);

    // A host can't complete an `extending` status that an operator set.
    cloud.expect(202, "POST", &action, &json!({"os-reset_status": {"status": "extending"}}));
    assert_eq!(complete(&cloud, false), (400, missing.to_owned()));

    // Versions before 3.71 lack the action.
    let body = json!({"os-extend_volume_completion": {"error": false}});
    let (status, answer) = cloud.call_in(70, "POST", &action, &body);
    assert_eq!(status, 404);
    assert_eq!(answer["itemNotFound"]["message"], "The resource could not be found.");
}

/// Starts a server that must refuse its flags, and returns the error.
fn refusal(flags: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_statehold"));
    command.args(["serve", "--no-nomad", "--block-storage", "127.0.0.1:0"]).args(flags);
    command.arg("--data-dir").arg(dir.path().join("data"));
    command.arg("--backend").arg(format!("a={}", dir.path().join("a").display()));
    let done = command.output().unwrap();
    assert!(!done.status.success());
    String::from_utf8(done.stderr).unwrap()
}

#[test]
fn errors_in_back_end_flags_name_the_flag() {
    for (flags, text) in [
        (&["--backend-zone", "z=east"][..], "--backend-zone z=...: no back end has the name \"z\""),
        (&["--backend-zone", "east"], "wanted NAME=ZONE"),
        (&["--backend-zone", "a= "], "not all blank"),
        (&["--availability-zone", ""], "not all blank"),
        (&["--export", "z=h:/p"], "--export z=...: no back end has the name"),
        (&["--export", "a=h:p"], "--export"),
        (&["--export", "a=fd00::1:/p"], "in brackets"),
        (&["--export", "h:/p"], "wanted NAME=HOST:/PATH"),
        (&["--export", "a=h:/p", "--export", "a=h:/q"], "--export a=... is there twice"),
        (&["--export-options", "a=hard"], "the back end is not exported"),
        (&["--export", "a=h:/p", "--export-options", "a=-o hard"], "as after mount -o"),
        (
            &["--backend-zone", "a=x", "--backend-zone", "a=y"],
            "--backend-zone a=... is there twice",
        ),
    ] {
        let printed = refusal(flags);
        assert!(printed.contains(text), "{flags:?}: {printed}");
    }
}
