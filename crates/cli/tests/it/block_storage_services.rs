//! Services of Block Storage: the status of back ends, and the settings that operators change.

use std::process::Command;

use serde_json::{Value, json};

use crate::cloud::Cloud;

/// Returns the host and a member of each service of a binary.
fn services(cloud: &Cloud, binary: &str, member: &str) -> Vec<(String, Value)> {
    let list = cloud.get(&format!("/os-services?binary={binary}"));
    let rows = list["services"].as_array().unwrap().iter();
    rows.map(|row| (row["host"].as_str().unwrap().to_owned(), row[member].clone())).collect()
}

/// Creates a volume, waits until it has a status, and returns its row.
fn volume(cloud: &Cloud, status: &str) -> Value {
    let id = cloud.create("/volumes", &json!({"volume": {"size": 1}}));
    cloud.wait(&format!("/volumes/{id}"), status)
}

#[test]
fn back_ends_are_services_and_disabled_ones_get_no_volumes() {
    let dir = tempfile::tempdir().unwrap();
    let mut cloud = Cloud::start(dir.path());
    let states = services(&cloud, "cinder-volume", "state");
    let [(a, first), (b, second)] = &states[..] else { panic!("two back ends: {states:?}") };
    assert_eq!((first, second), (&json!("up"), &json!("up")));
    assert!(a.ends_with("@a") && b.ends_with("@b"), "{a} {b}");
    assert_eq!(services(&cloud, "cinder-scheduler", "state").len(), 1);
    assert_eq!(cloud.get("/os-services")["services"].as_array().unwrap().len(), 4);

    let body = json!({"host": a, "binary": "cinder-volume", "disabled_reason": "x"});
    let answer = cloud.expect(200, "PUT", "/os-services/disable-log-reason", &body);
    let expected = json!({
        "disabled_reason": "x", "disabled": true, "host": a, "service": "",
        "binary": "cinder-volume", "status": "disabled",
    });
    assert_eq!(answer, expected);
    let row = volume(&cloud, "available");
    assert_eq!(row["os-vol-host-attr:host"], json!(format!("{b}#b")));
    assert!(row["service_uuid"].is_string(), "{row}");
    cloud.restart(dir.path(), &[]);
    let row = &cloud.get(&format!("/os-services?host={a}"))["services"][0];
    assert_eq!((&row["status"], &row["disabled_reason"]), (&json!("disabled"), &json!("x")));
    assert_eq!(row["backend_state"], Value::Null);

    cloud.expect(200, "PUT", "/os-services/freeze", &json!({"host": b}));
    volume(&cloud, "error");
    let zones = cloud.get("/os-availability-zone");
    let zone = |there: bool| json!([{"zoneName": "nova", "zoneState": {"available": there}}]);
    assert_eq!(zones["availabilityZoneInfo"], zone(false));
    cloud.expect(200, "PUT", "/os-services/thaw", &json!({"host": b}));
    volume(&cloud, "available");
    assert_eq!(cloud.get("/os-availability-zone")["availabilityZoneInfo"], zone(true));
    let body = json!({"host": a, "binary": "cinder-volume"});
    let answer = cloud.expect(200, "PUT", "/os-services/enable", &body);
    assert_eq!((&answer["disabled"], &answer["status"]), (&json!(false), &json!("enabled")));
}

#[test]
fn invalid_service_requests_are_refused_like_cinder() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let host = services(&cloud, "cinder-volume", "host")[0].0.clone();
    let put = |action: &str, status, body: Value| {
        cloud.refused(status, "PUT", &format!("/os-services/{action}"), &body)
    };
    let volume = "cinder-volume";
    assert_eq!(
        put("enable", 404, json!({"host": "zz", "binary": volume})),
        "Service cinder-volume could not be found on host zz."
    );
    assert_eq!(
        put("enable", 400, json!({"binary": volume})),
        "Invalid input received: Host field is missing."
    );
    assert_eq!(put("zz", 400, json!({"host": "zz"})), "Invalid input received: Unknown action");
    assert_eq!(
        put("failover_host", 400, json!({"host": host})),
        format!(
            "Invalid input received: No service could be changed: replication_status in \
             ['{host}'] must be ['enabled', 'failed-over'] and must be up to failover."
        )
    );
    let blank = json!({"host": host, "binary": volume, "disabled_reason": " "});
    put("disable-log-reason", 400, blank);
    put("enable", 400, json!({"host": "a b", "binary": volume}));
    assert_eq!(
        put("freeze", 400, json!({"host": host, "cluster": "c"})),
        "Invalid input received: One and only one of cluster and host must be set."
    );
    put("set-log", 400, json!({"level": "INFO", "binary": "zz"}));
    let get = |path: &str, status| cloud.refused(status, "GET", path, &Value::Null);
    assert_eq!(get("/clusters?zz=1", 400), "Invalid input received: Invalid filter keys: zz");
    assert_eq!(
        get("/clusters/zz", 404),
        "Cluster {'binary': 'cinder-volume', 'name': 'zz'} could not be found."
    );
    assert_eq!(cloud.get("/clusters/detail"), json!({"clusters": []}));
    assert_eq!(get("/capabilities/zz", 404), "Can't find service: zz");
    assert_eq!(get("/os-hosts/zz", 404), "Service cinder-volume could not be found on host zz.");
    assert_eq!(
        get("/scheduler-stats/get_pools?zz=1", 400),
        "Invalid filters zz are found in query options."
    );
    assert_eq!(cloud.call_in(70, "PUT", &format!("/os-hosts/{host}"), &json!({})).0, 501);
    let cleanup = |status, body| cloud.expect(status, "POST", "/workers/cleanup", &body);
    assert_eq!(cleanup(202, json!({})), json!({"cleaning": [], "unavailable": []}));
    cleanup(400, json!({"resource_type": "zz"}));
    assert_eq!(cloud.call_in(23, "POST", "/workers/cleanup", &json!({})).0, 404);
}

#[test]
fn pools_show_the_capacity_and_hosts_the_use_of_their_disk() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let specs = json!({"volume_backend_name": "b"});
    let body = json!({"volume_type": {"name": "on-b", "extra_specs": specs}});
    cloud.expect(200, "POST", "/types", &body);
    let body = json!({"volume": {"size": 3, "volume_type": "on-b"}});
    let id = cloud.create("/volumes", &body);
    let row = cloud.wait(&format!("/volumes/{id}"), "available");
    let pool = row["os-vol-host-attr:host"].as_str().unwrap();

    let pools = cloud.get("/scheduler-stats/get_pools?detail=true&volume_type=on-b");
    let pools = pools["pools"].as_array().unwrap();
    assert_eq!((pools.len(), &pools[0]["name"]), (1, &json!(pool)));
    let has = &pools[0]["capabilities"];
    let (free, total) = (has["free_capacity_gb"].as_f64(), has["total_capacity_gb"].as_f64());
    assert!(free.unwrap() > 0.0 && free.unwrap() <= total.unwrap(), "{has}");
    assert_eq!((&has["allocated_capacity_gb"], &has["pool_name"]), (&json!(3), &json!("b")));
    let named = format!("/scheduler-stats/get_pools?name={}", pool.replace('#', "%23"));
    assert_eq!(cloud.get(&named)["pools"], json!([{"name": pool}]));
    // Versions without filters ignore the parameter.
    let (_, all) = cloud.call_in(27, "GET", "/scheduler-stats/get_pools?zz=1", &Value::Null);
    assert_eq!(all["pools"].as_array().unwrap().len(), 2);

    let host = pool.split_once('#').unwrap().0;
    let shown = cloud.get(&format!("/os-hosts/{host}"));
    let expected = |project: &str| {
        json!({"resource": {
            "host": host, "project": project, "volume_count": "1", "total_volume_gb": "3",
            "snapshot_count": "0", "total_snapshot_gb": "0",
        }})
    };
    assert_eq!(shown["host"], json!([expected("(total)"), expected("p1")]));
    assert_eq!(cloud.get("/os-hosts")["hosts"].as_array().unwrap().len(), 4);
    let capabilities = cloud.get(&format!("/capabilities/{host}"));
    assert_eq!(capabilities["volume_backend_name"], "b");
    assert_eq!(capabilities["properties"]["qos"]["type"], "boolean");
}

#[test]
fn a_volume_without_pending_work_is_cleaned_up() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let row = volume(&cloud, "available");
    let path = format!("/volumes/{}", row["id"].as_str().unwrap());
    let reset = json!({"os-reset_status": {"status": "extending"}});
    cloud.expect(202, "POST", &format!("{path}/action"), &reset);
    let body = json!({"resource_type": "Snapshot"});
    let answer = cloud.expect(202, "POST", "/workers/cleanup", &body);
    assert_eq!(answer["cleaning"], json!([]));
    let answer = cloud.expect(202, "POST", "/workers/cleanup", &json!({"is_up": true}));
    let host = row["os-vol-host-attr:host"].as_str().unwrap().split_once('#').unwrap().0;
    assert_eq!(answer["cleaning"][0]["host"], json!(host));
    cloud.wait(&path, "error_extending");
}

#[test]
fn the_log_level_is_shown_and_changed() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let body = json!({"binary": "cinder-api"});
    let level = || {
        let levels = cloud.expect(200, "PUT", "/os-services/get-log", &body);
        assert_eq!(levels["log_levels"].as_array().unwrap().len(), 1);
        levels["log_levels"][0]["levels"]["statehold"].clone()
    };
    assert_eq!(level(), "INFO");
    let set = |prefix: &str, level: &str| {
        let body = json!({"binary": "cinder-api", "prefix": prefix, "level": level});
        cloud.call_in(70, "PUT", "/os-services/set-log", &body).0
    };
    assert_eq!([set("cinder.api.zz", "DEBUG"), set("", "loud")], [202, 400]);
    assert_eq!(level(), "INFO");
    assert_eq!(set("", "error"), 202);
    assert_eq!(level(), "ERROR");
    assert_eq!(cloud.call_in(31, "PUT", "/os-services/get-log", &body).0, 400);
}

#[test]
fn extensions_and_filters_are_listed() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    assert_eq!(cloud.get("/extensions")["extensions"].as_array().unwrap().len(), 32);
    assert_eq!(cloud.get("/extensions/os-hosts")["extension"]["name"], "Hosts");
    cloud.refused(404, "GET", "/extensions/zz", &Value::Null);
    let filters = cloud.get("/resource_filters?resource=snapshot");
    let expected =
        ["name", "name~", "status", "volume_id", "metadata", "availability_zone", "consumes_quota"];
    let expected = json!([{"resource": "snapshot", "filters": expected}]);
    assert_eq!(filters["resource_filters"], expected);
    assert_eq!(cloud.get("/resource_filters?resource=zz")["resource_filters"], json!([]));
    assert_eq!(cloud.call_in(32, "GET", "/resource_filters", &Value::Null).0, 404);
}

#[test]
fn filters_apply_to_computed_lists_too() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    std::fs::File::create_new(dir.path().join("a/disk")).unwrap();
    let list = |path: &str, rows: &str, filter: &str| {
        let query: String = form_urlencoded(filter);
        let found = cloud.expect(200, "GET", &format!("{path}filter={query}"), &Value::Null);
        found[rows].as_array().unwrap().len()
    };
    assert_eq!(list("/os-services?", "services", r#"binary == "cinder-volume""#), 2);
    assert_eq!(list("/os-services?", "services", r#"status != "enabled""#), 0);
    assert_eq!(list("/os-hosts?", "hosts", r#"service contains "volume""#), 2);
    let pools = "/scheduler-stats/get_pools?detail=true&";
    assert_eq!(list(pools, "pools", r#"capabilities.volume_backend_name == "b""#), 1);
    let host = cloud.expect(200, "GET", "/scheduler-stats/get_pools", &Value::Null);
    let host = host["pools"][0]["name"].as_str().unwrap().replace('#', "%23");
    let path = format!("/manageable_volumes?host={host}&");
    assert_eq!(list(&path, "manageable-volumes", "safe_to_manage == true and size == 1"), 1);
    assert_eq!(list(&path, "manageable-volumes", "size > 1"), 0);
    cloud.create("/volumes", &json!({"volume": {"size": 3}}));
    assert_eq!(list("/volumes?", "volumes", "size >= 3 and created_at > 2020-01-01T00:00:00Z"), 1);
    let refused = cloud.call("GET", "/os-services?filter=binary", &Value::Null);
    assert_eq!(refused.status, 400, "{}", refused.body);
}

fn form_urlencoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
}

/// Returns the log of a server after one request, which must return this status.
fn log_of(arguments: &[&str], method: &str, path: &str, status: u16) -> String {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let arguments = [&["--log-level", "debug"], arguments].concat();
    let mut cloud = Cloud::start_logged(dir.path(), &arguments, &log);
    cloud.expect(status, method, path, &json!({ "status": "disable" }));
    // A server that shuts down in order writes all its lines first.
    let signal = Command::new("kill").arg(cloud.child.id().to_string()).status();
    assert!(signal.unwrap().success() && cloud.child.wait().unwrap().success());
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains(&format!("status={status}")), "{log}");
    log
}

#[test]
fn only_failures_of_the_server_are_errors_in_the_log() {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let unimplemented = log_of(&[], "PUT", &format!("/os-hosts/{}", machine.trim()), 501);
    assert!(!unimplemented.contains("ERROR"), "{unimplemented}");
    // Port 9 is reserved for the discard service, so no identity service listens there.
    let keystone = ["--auth", "keystone", "--identity-url", "http://127.0.0.1:9"];
    let unreachable = log_of(&keystone, "GET", "/volumes", 503);
    assert!(unreachable.contains("ERROR"), "{unreachable}");
}
