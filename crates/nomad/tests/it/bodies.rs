//! Request bodies of every shape are decoded or rejected without a panic, and errors never leak
//! their values.

use proptest::prelude::*;
use serde_json::{Value, json};
use statehold_nomad::{input, parse_id};
use uuid::Uuid;

/// Field names of all bodies, some in another case, and unknown names.
const NAMES: [&str; 32] = [
    "Volumes",
    "volumes",
    "ID",
    "id",
    "Namespace",
    "PluginID",
    "Secrets",
    "secrets",
    "Segments",
    "MountOptions",
    "FsType",
    "MountFlags",
    "RequestedTopologies",
    "Required",
    "Topologies",
    "RequestedCapabilities",
    "AccessMode",
    "Capacity",
    "Mode",
    "State",
    "AllocationID",
    "NodeID",
    "CSINodePlugins",
    "CSIControllerPlugins",
    "NodeInfo",
    "ControllerInfo",
    "TaskGroups",
    "Tasks",
    "CSIPluginConfig",
    "Job",
    "Count",
    "other",
];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z\\PC]{0,8}".prop_map(Value::from),
        Just(json!("csi")),
        Just(json!("00000000-0000-0000-0000-000000000007")),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        let name = prop::sample::select(&NAMES[..]).prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Decodes the body with every decoder. Returns the messages of the errors.
fn read_all(body: &[u8]) -> Vec<String> {
    let id = Uuid::from_u128(7);
    [
        input::register_body(body).err(),
        input::claim_body(body).err(),
        input::node_body(body, id).err(),
        input::allocation_body(body, id).err(),
        input::job_body(body, "default", "job").err(),
        input::namespace_body(body, Some("default")).err(),
        input::host_volume_body(body).err(),
        input::snapshots_body(body).err(),
    ]
    .into_iter()
    .flatten()
    .map(|error| error.to_string())
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_json_is_decoded_or_rejected(value in value()) {
        for text in read_all(value.to_string().as_bytes()) {
            prop_assert!(!text.is_empty());
        }
    }

    #[test]
    fn any_bytes_are_decoded_or_rejected(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        read_all(&bytes);
        let _ = parse_id(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn errors_omit_secrets_of_the_wrong_type(secret in 1_000_000_000_u64..) {
        for wrong in [json!(secret), json!([secret.to_string()]), json!({"x": secret})] {
            let body = json!({"Volumes": [{"ID": "v", "Secrets": {"password": wrong}}]});
            let error = input::register_body(body.to_string().as_bytes()).unwrap_err();
            prop_assert!(!error.to_string().contains(&secret.to_string()), "{error}");
        }
    }
}
