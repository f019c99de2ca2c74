//! Transfers, QoS specs, default types, messages and encryption records over a socket.

use crate::cloud;
use serde_json::{Value, json};

use crate::cloud::{Cloud, JSON, Reply};

const NONE: Value = Value::Null;

fn cloud() -> (Cloud, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (Cloud::start(dir.path()), dir)
}

/// Sends a request of a version, by a caller in another project than that of [`Cloud::call`].
fn other(cloud: &Cloud, version: &str, method: &str, path: &str, body: &Value) -> Reply {
    let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
    let version = format!("volume {version}");
    let headers = [("x-auth-token", "u2:p2"), JSON, ("openstack-api-version", &*version)];
    cloud.send(method, &format!("/v3{path}"), &body, &headers)
}

fn id(created: &Value) -> &str {
    created.as_object().unwrap().values().next().unwrap()["id"].as_str().unwrap()
}

#[test]
fn a_transfer_moves_a_volume_to_the_holder_of_its_key() {
    let (cloud, _dir) = cloud();
    let volume = cloud.create("/volumes", &json!({"volume": {"size": 1}}));
    cloud.wait(&format!("/volumes/{volume}"), "available");
    let offer = json!({"transfer": {"volume_id": volume, "no_snapshots": true}});
    // The path of versions before 3.55 lacks `no_snapshots`.
    assert_eq!(cloud.call("POST", "/os-volume-transfer", &offer).status, 400);
    let created = cloud.expect(202, "POST", "/volume-transfers", &offer);
    let (id, key) = (id(&created).to_owned(), created["transfer"]["auth_key"].as_str().unwrap());
    assert!(key.len() == 16 && key.bytes().all(|byte| byte.is_ascii_hexdigit()), "{key}");
    for path in ["/volume-transfers", "/volume-transfers/detail", "/os-volume-transfer/detail"] {
        let list = cloud.expect(200, "GET", path, &NONE);
        assert_eq!(list["transfers"][0]["id"], *id, "{path}");
        assert!(!list.to_string().contains(key), "{path}: {list}");
    }
    let page = cloud.expect(200, "GET", "/volume-transfers?limit=1", &NONE);
    assert!(page["transfers_links"][0]["href"].as_str().unwrap().contains("limit=1&marker="));
    let early =
        other(&cloud, "3.58", "GET", "/volume-transfers?all_tenants=1&limit=1&sort=nope", &NONE);
    assert_eq!(early.json()["transfers"].as_array().unwrap().len(), 1);
    assert!(early.json().get("transfers_links").is_none());

    let path = format!("/volume-transfers/{id}/accept");
    let accept = |key: &str| {
        other(&cloud, "3.70", "POST", &path, &json!({"accept": {"auth_key": key}})).status
    };
    assert_eq!([accept("0000000000000000"), accept(key), accept(key)], [400, 202, 404]);
    let own = cloud.expect(200, "GET", &format!("/volumes/{volume}"), &NONE);
    assert_eq!(own["volume"]["os-vol-tenant-attr:tenant_id"], "p2");

    let offer = json!({"transfer": {"volume_id": volume}});
    let created = cloud.expect(202, "POST", "/os-volume-transfer", &offer);
    let path = format!("/os-volume-transfer/{}", created["transfer"]["id"].as_str().unwrap());
    cloud.expect(200, "GET", &path, &NONE);
    cloud.expect(202, "DELETE", &path, &NONE);
    cloud.expect(404, "GET", &path, &NONE);
}

#[test]
fn a_get_associates_a_type_with_qos_specs() {
    let (cloud, _dir) = cloud();
    let spec = json!({"qos_specs": {"name": "slow", "consumer": "front-end", "read_iops": "100"}});
    let created = cloud.expect(200, "POST", "/qos-specs", &spec);
    let path = format!("/qos-specs/{}", created["qos_specs"]["id"].as_str().unwrap());
    assert_eq!(created["qos_specs"]["specs"], json!({"read_iops": "100"}));
    assert_eq!(cloud.expect(200, "GET", &path, &NONE), created);
    let created = cloud.expect(200, "POST", "/types", &json!({"volume_type": {"name": "t"}}));
    let bind = format!("{path}/associate?vol_type_id={}", id(&created));
    // HEAD of an endpoint whose GET changes state MUST NOT change it.
    let head = cloud.call("HEAD", &bind, &NONE);
    assert_eq!(head.status, 404);
    let bound = || cloud.expect(200, "GET", &format!("{path}/associations"), &NONE);
    assert_eq!(bound(), json!({"qos_associations": []}));
    cloud.expect(202, "GET", &bind, &NONE);
    assert_eq!(bound()["qos_associations"][0]["name"], "t");
    cloud.expect(400, "DELETE", &path, &NONE);
    cloud.expect(400, "GET", &format!("{path}/disassociate"), &NONE);
    cloud.expect(202, "GET", &bind.replace("associate", "disassociate"), &NONE);
    assert_eq!(bound(), json!({"qos_associations": []}));
    cloud.expect(202, "GET", &bind, &NONE);
    cloud.expect(202, "GET", &format!("{path}/disassociate_all"), &NONE);
    cloud.expect(200, "PUT", &path, &json!({"qos_specs": {"write_iops": "5"}}));
    cloud.expect(202, "PUT", &format!("{path}/delete_keys"), &json!({"keys": ["read_iops"]}));
    let list = cloud.expect(200, "GET", "/qos-specs", &NONE);
    assert_eq!(list["qos_specs"][0]["specs"], json!({"write_iops": "5"}));
    cloud.expect(202, "DELETE", &path, &NONE);
    cloud.expect(404, "GET", &path, &NONE);
}

#[test]
fn projects_have_default_types() {
    let (cloud, _dir) = cloud();
    cloud.expect(200, "POST", "/types", &json!({"volume_type": {"name": "t"}}));
    let set = json!({"default_type": {"volume_type": "t"}});
    let put = other(&cloud, "3.70", "PUT", "/default-types/p1", &set);
    assert_eq!((put.status, &put.json()["default_type"]["project_id"]), (200, &json!("p1")));
    let volume = cloud.create("/volumes", &json!({"volume": {"size": 1}}));
    let volume = cloud.wait(&format!("/volumes/{volume}"), "available");
    assert_eq!(volume["volume_type"], "t");
    let list = other(&cloud, "3.70", "GET", "/default-types", &NONE).json();
    assert_eq!(list["default_types"].as_array().unwrap().len(), 1);
    assert_eq!(other(&cloud, "3.61", "GET", "/default-types", &NONE).status, 404);
    // The endpoint has no variant with a project in its path.
    assert_eq!(cloud.call("GET", "/default-types", &NONE).status, 404);
    assert_eq!(other(&cloud, "3.70", "DELETE", "/default-types/p1", &NONE).status, 204);
    assert_eq!(other(&cloud, "3.70", "GET", "/default-types/p1", &NONE).status, 404);
}

#[test]
fn a_message_has_the_reason_of_a_failed_creation() {
    let (cloud, _dir) = cloud();
    let specs = json!({"volume_backend_name": "nowhere"});
    let body = json!({"volume_type": {"name": "t", "extra_specs": specs}});
    cloud.expect(200, "POST", "/types", &body);
    for _ in 0..2 {
        let body = json!({"volume": {"size": 1, "volume_type": "t"}});
        let volume = cloud.create("/volumes", &body);
        cloud.wait(&format!("/volumes/{volume}"), "error");
        let found = cloud.expect(200, "GET", &format!("/messages?resource_uuid={volume}"), &NONE);
        assert_eq!(found["messages"][0]["event_id"], "VOLUME_VOLUME_001_003", "{found}");
    }
    let count = |version: &str| {
        let headers = [cloud::TOKEN, ("openstack-api-version", version)];
        let reply = cloud.send("GET", "/v3/messages?limit=1", b"", &headers);
        (reply.status, reply.json()["messages"].as_array().map(Vec::len))
    };
    // Versions before 3.5 ignore paging parameters.
    assert_eq!(count("volume 3.5"), (200, Some(1)));
    assert_eq!(count("volume 3.4"), (200, Some(2)));
    assert_eq!(count("volume 3.2"), (404, None));
    let all = cloud.expect(200, "GET", "/messages", &NONE);
    let path = format!("/messages/{}", all["messages"][0]["id"].as_str().unwrap());
    cloud.expect(200, "GET", &path, &NONE);
    cloud.expect(204, "DELETE", &path, &NONE);
    cloud.expect(404, "GET", &path, &NONE);
}

#[test]
fn the_encryption_of_a_type_changes_until_a_volume_uses_it() {
    let (cloud, _dir) = cloud();
    let created = cloud.expect(200, "POST", "/types", &json!({"volume_type": {"name": "t"}}));
    let path = format!("/types/{}/encryption", id(&created));
    let change = json!({"encryption": {"key_size": 128}});
    assert_eq!(cloud.call("PUT", &format!("{path}/x"), &change).status, 404);
    // The stock client sends null for each option that its user omits.
    let body = json!({"encryption": {
        "provider": "luks", "control_location": "front-end", "cipher": null, "key_size": null,
    }});
    let created = cloud.expect(200, "POST", &path, &body);
    let old = created["encryption"]["encryption_id"].as_str().unwrap();
    cloud.expect(202, "DELETE", &format!("{path}/{old}"), &NONE);
    for bad in [json!("x"), json!(-1), json!("-1"), json!(1.5), json!(1_u64 << 31)] {
        let body = json!({"encryption": {
            "provider": "luks", "control_location": "front-end", "key_size": bad,
        }});
        cloud.expect(400, "POST", &path, &body);
    }
    let body = json!({"encryption": {
        "provider": "luks", "control_location": "front-end", "cipher": "aes", "key_size": "256",
    }});
    let created = cloud.expect(200, "POST", &path, &body);
    let id = created["encryption"]["encryption_id"].as_str().unwrap();
    assert_eq!(cloud.expect(200, "PUT", &format!("{path}/{id}"), &change), change);
    let bad = json!({"encryption": {"control_location": "nowhere"}});
    assert_eq!(cloud.call("PUT", &format!("{path}/{id}"), &bad).status, 400);
    let shown = cloud.expect(200, "GET", &path, &NONE);
    assert_eq!((&shown["key_size"], &shown["cipher"]), (&json!(128), &json!("aes")));
    let field = cloud.expect(200, "GET", &format!("{path}/cipher"), &NONE);
    assert_eq!(field, json!({"cipher": "aes"}));
    cloud.expect(404, "GET", &format!("{path}/nope"), &NONE);

    // Without a key manager, creating an encrypted volume fails instead of storing plain data.
    let body = json!({"volume": {"size": 1, "volume_type": "t"}});
    let refused = cloud.refused(400, "POST", "/volumes", &body);
    assert!(refused.contains("no key manager"), "{refused}");
    cloud.expect(202, "DELETE", &format!("{path}/{id}"), &NONE);
    let volume = cloud.create("/volumes", &body);
    let of = format!("/volumes/{volume}/encryption");
    assert_eq!(cloud.expect(200, "GET", &of, &NONE), json!({"encryption_key_id": null}));
    assert_eq!(cloud.expect(200, "GET", &format!("{of}/encryption_key_id"), &NONE), NONE);
    cloud.expect(404, "GET", &format!("{of}/nope"), &NONE);
    let text = "Cannot create encryption specs. Volume type in use.";
    let body = json!({"encryption": {"provider": "luks", "control_location": "front-end"}});
    assert_eq!(cloud.refused(400, "POST", &path, &body), text);
}

#[test]
fn connections_carry_the_limits_that_hosts_enforce() {
    let (cloud, _dir) = cloud();
    let spec = json!({"qos_specs": {"name": "slow", "consumer": "both", "total_iops_sec": "100"}});
    let created = cloud.expect(200, "POST", "/qos-specs", &spec);
    let qos = created["qos_specs"]["id"].as_str().unwrap();
    let named = cloud.expect(200, "POST", "/types", &json!({"volume_type": {"name": "t"}}));
    let bind = format!("/qos-specs/{qos}/associate?vol_type_id={}", id(&named));
    cloud.expect(202, "GET", &bind, &NONE);
    let connector = json!({"host": "h", "initiator": "i"});
    let limits = |volume_type: &str| {
        let body = json!({"volume": {"size": 1, "volume_type": volume_type}});
        let volume = cloud.create("/volumes", &body);
        cloud.wait(&format!("/volumes/{volume}"), "available");
        let body = json!({"os-initialize_connection": {"connector": connector}});
        let by_action = cloud.expect(200, "POST", &format!("/volumes/{volume}/action"), &body);
        let body = json!({"attachment": {
            "volume_uuid": volume, "instance_uuid": volume, "connector": connector,
        }});
        let by_attachment = cloud.expect(200, "POST", "/attachments", &body);
        [
            by_action["connection_info"]["data"]["qos_specs"].clone(),
            by_attachment["attachment"]["connection_info"]["qos_specs"].clone(),
        ]
    };
    assert_eq!(limits("t"), [(); 2].map(|()| json!({"total_iops_sec": "100"})));
    assert_eq!(limits("__DEFAULT__"), [NONE, NONE]);
}

#[test]
fn actions_that_need_absent_services_are_refused_like_cinder() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(dir.path());
    let hints = json!({"same_host": [], "query": "[]"});
    let body = json!({"volume": {"size": 1}, "OS-SCH-HNT:scheduler_hints": hints});
    let [one, other] = [(); 2].map(|()| cloud.create("/volumes", &body));
    for id in [&one, &other] {
        cloud.wait(&format!("/volumes/{id}"), "available");
    }
    let path = format!("/volumes/{one}/action");
    let completion = json!({"os-migrate_volume_completion": {"new_volume": other}});
    let kept = cloud.expect(200, "POST", &path, &completion);
    assert_eq!(kept, json!({ "save_volume_id": other }));
    let upload = json!({"os-volume_upload_image": {"image_name": "x"}});
    let text = "Invalid image: there is no image service to take it.";
    assert_eq!(cloud.refused(400, "POST", &path, &upload), text);
    let bad = json!({"os-volume_upload_image": {"image_name": "x", "disk_format": "iso"}});
    assert!(cloud.refused(400, "POST", &path, &bad).contains("'iso' is not one of"));
    let reimage = json!({"os-reimage": {"image_id": other}});
    let text = cloud.refused(400, "POST", &path, &reimage);
    assert!(text.contains("there is no image service"), "{text}");
    let (status, early) = cloud.call_in(67, "POST", &path, &reimage);
    assert_eq!(status, 404);
    assert_eq!(early["itemNotFound"]["message"], "The resource could not be found.");
    cloud.expect(202, "POST", &path, &json!({"os-reserve": null}));
    let text = format!("Invalid volume: Volume {one} status must be available");
    assert_eq!(cloud.refused(400, "POST", &path, &upload), text);
}

#[test]
fn bodies_are_refused_as_by_the_published_schemas() {
    let (cloud, _dir) = cloud();
    let volume = cloud.create("/volumes", &json!({"volume": {"size": 1}}));
    cloud.wait(&format!("/volumes/{volume}"), "available");
    let created = cloud.expect(200, "POST", "/types", &json!({"volume_type": {"name": "t"}}));
    let (kind, act) = (id(&created), format!("/volumes/{volume}/action"));
    let refused = |method: &str, path: &str, body: Value| cloud.refused(400, method, path, &body);
    for connector in [json!({"connector": null}), json!({"connector": 5}), json!({})] {
        refused("POST", &act, json!({ "os-initialize_connection": connector }));
    }
    for text in ["a\0", "a\nb", "\u{200b}", "\u{1f600}"] {
        let described = |more: Value| {
            let mut body = more.as_object().unwrap().clone();
            body.insert("description".into(), text.into());
            body
        };
        let snapshot = json!({"snapshot": described(json!({"volume_id": volume}))});
        let group = json!({"group": described(json!({"group_type": "g", "volume_types": ["t"]}))});
        for (path, body) in [
            ("/snapshots", snapshot),
            ("/types", json!({"volume_type": described(json!({"name": "x"}))})),
            ("/group_types", json!({"group_type": described(json!({"name": "x"}))})),
            ("/groups", group),
        ] {
            let refusal = refused("POST", path, body);
            assert!(refusal.contains("does not match"), "{path}: {refusal}");
        }
    }
    assert_eq!(
        refused(
            "POST",
            &format!("/types/{kind}/action"),
            json!({
                "addProjectAccess": {"project": "demo"},
            })
        ),
        "Invalid input for field/attribute project. Value: demo. 'demo' is not a 'uuid'"
    );
    assert_eq!(
        refused("POST", "/volumes", json!({"volume": {"size": 1, "imageRef": ""}})),
        "Invalid image identifier or unable to access requested image."
    );
    for specs in [json!({"name": "q", "consumer": 5}), json!({"name": "q", "read_iops": 100})] {
        let refusal = refused("POST", "/qos-specs", json!({ "qos_specs": specs }));
        assert!(refusal.ends_with("is not a string or unicode"), "{refusal}");
    }
    for host in ["a b", "a\n[b]", ""] {
        refused("POST", "/workers/cleanup", json!({ "host": host }));
    }
}

#[test]
fn bodies_are_accepted_as_by_the_published_schemas() {
    let (cloud, _dir) = cloud();
    let volume = cloud.create("/volumes", &json!({"volume": {"size": 1}}));
    cloud.wait(&format!("/volumes/{volume}"), "available");
    let path = format!("/volumes/{volume}/action");
    for (value, shown) in [(json!(1), "true"), (json!(0), "false"), (json!("oN"), "")] {
        let status = if shown.is_empty() { 400 } else { 200 };
        cloud.expect(status, "POST", &path, &json!({"os-set_bootable": {"bootable": value}}));
        if status == 200 {
            assert_eq!(cloud.get(&format!("/volumes/{volume}"))["volume"]["bootable"], shown);
        }
    }
    let limits = json!({"quota_set": {"volumes": "7", "snapshots": " 8 "}});
    let set = cloud.expect(200, "PUT", "/os-quota-sets/p9", &limits);
    assert_eq!(
        (&set["quota_set"]["volumes"], &set["quota_set"]["snapshots"]),
        (&json!(7), &json!(8))
    );
    let class = json!({"quota_class_set": {"volumes": "11"}});
    let set = cloud.expect(200, "PUT", "/os-quota-class-sets/default", &class);
    assert_eq!(set["quota_class_set"]["volumes"], 11);
    cloud.expect(200, "PUT", "/os-quota-class-sets/default", &json!({"quota_class_set": {}}));
    cloud.refused(400, "PUT", "/os-quota-sets/p9", &json!({"quota_set": {}}));
    let specs = json!({"a b/c": "1", "empty": null});
    let kind = json!({"volume_type": {"name": "t", "extra_specs": specs}});
    let created = cloud.expect(200, "POST", "/types", &kind);
    assert_eq!(created["volume_type"]["extra_specs"]["a b/c"], "1");
    let reset = json!({"os-reset_status": {"status": "ERROR", "attach_status": ""}});
    cloud.expect(202, "POST", &path, &reset);
    cloud.wait(&format!("/volumes/{volume}"), "error");
}

/// The paths to which refused bodies of each resource are posted.
const POSTED: [(&str, &str); 12] = [
    ("volumes.create", "/volumes"),
    ("snapshots.create", "/snapshots"),
    ("manageable_volumes.create", "/manageable_volumes"),
    ("attachments.create", "/attachments"),
    ("backups.create", "/backups"),
    ("backups.import_record", "/backups/import_record"),
    ("types.create", "/types"),
    ("group_types.create", "/group_types"),
    ("groups.create", "/groups"),
    ("group_snapshots.create", "/group_snapshots"),
    ("qos.create", "/qos-specs"),
    ("workers.cleanup", "/workers/cleanup"),
];

#[test]
fn recorded_refusals_are_400_over_a_socket() {
    const VERDICTS: &str = include_str!("../../../cinder/src/input/tests/verdicts.txt");
    const POOL: &str = include_str!("../../../cinder/src/input/tests/pool.json");
    let (cloud, _dir) = cloud();
    let pool: Vec<Value> = serde_json::from_str(POOL).unwrap();
    let (mut request, mut seen) = (None, 0);
    for line in VERDICTS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        if let ["=", name, key, base] = words[..] {
            let path = POSTED.iter().find(|(posted, _)| *posted == name).map(|(_, path)| path);
            request = path.map(|path| (path, key, serde_json::from_str::<Value>(base).unwrap()));
            continue;
        }
        let (Some((path, key, base)), [version, member, verdicts]) = (&request, &words[..]) else {
            continue;
        };
        if matches!(*member, "=" | "*") || member.starts_with('-') {
            continue;
        }
        let minor = version.strip_prefix("3.").unwrap().parse().unwrap();
        let refused = verdicts.chars().zip(&pool).filter(|(verdict, value)| {
            // Booleans accept the numbers 0 and 1 here.
            *verdict == 'x' && **value != json!(0) && **value != json!(1)
        });
        for (_, value) in refused {
            seen += 1;
            // One in eight, because the unit tests of each reader send all of them.
            if seen % 8 != 0 {
                continue;
            }
            let mut body = base.clone();
            body[*member] = value.clone();
            let body = if *key == "-" { body } else { json!({ *key: body }) };
            let (status, answer) = cloud.call_in(minor, "POST", path, &body);
            assert_eq!(status, 400, "{path} {version} {body}: {answer}");
        }
    }
    assert!(seen > 3000, "{seen}");
}
