//! The limits that the host of a volume enforces.

use serde_json::{Map, Value};
use statehold_store::ReadView;

use crate::rows::{QosSpecs, Volume, VolumeType};

/// The limits that scale with the size of a volume if their `_per_gb` form is set. Cinder:
/// `cinder/volume/manager.py`, `VolumeManager._parse_connection_options`.
const PER_GIB: [&str; 6] = [
    "read_iops_sec",
    "read_bytes_sec",
    "write_iops_sec",
    "write_bytes_sec",
    "total_iops_sec",
    "total_bytes_sec",
];

/// Returns the limits that the host of a volume enforces: `qos_specs` of its connection. `None`
/// unless its type refers to specs whose consumer is `front-end` or `both`.
///
/// Values are strings as they were set. A limit `KEY_per_gb` is replaced by the number `KEY`: the
/// limit times the size in GiB, at least `KEY_per_gb_min` and at most `KEY_max`. A limit that is
/// not an integer stays as it was set.
///
/// ```
/// # use statehold_cinder::*;
/// # use statehold_store::{ReadView, Store};
/// # use uuid::Uuid;
/// # let store = Store::in_memory(&schema());
/// # let (config, caller) = (Config::default(), Caller { role: Role::Admin, ..Caller::default() });
/// # let version = Microversion::MAX;
/// # let cx = Context { config: &config, caller: &caller, version, now: 1, request_id: "" };
/// # let mut txn = store.begin_write()?;
/// # let [id, named, qos] = [1, 2, 3].map(Uuid::from_u128);
/// # bootstrap(&mut txn, &config, 1, named)?;
/// # create_volume(&mut txn, &cx, id, VolumeSpec { size: Some(4), ..VolumeSpec::default() })?;
/// let specs = [("total_iops_sec_per_gb".into(), "10".into())].into();
/// let spec = QosSpec { name: "slow".into(), consumer: Some("front-end".into()), specs };
/// create_qos(&mut txn, &cx, qos, spec)?;
/// bind_type(&mut txn, &cx, &qos.to_string(), Some(&named.to_string()))?;
/// let volume = txn.get::<Volume>(id).expect("it was created");
/// let limits = front_end_qos(&txn, volume).expect("the host enforces them");
/// assert_eq!(limits["total_iops_sec"], 40);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn front_end_qos(view: &impl ReadView, volume: &Volume) -> Option<Map<String, Value>> {
    let volume_type = volume.volume_type_id.and_then(|id| view.get::<VolumeType>(id))?;
    let specs = volume_type.qos_specs_id.and_then(|id| view.get::<QosSpecs>(id))?;
    if !is_front_end(&specs.consumer) {
        return None;
    }
    let mut limits: Map<String, Value> =
        specs.specs.iter().map(|(key, value)| (key.to_string(), (&**value).into())).collect();
    let parse_integer = |key: &str| specs.specs.get(key)?.trim().parse::<i64>().ok();
    for key in PER_GIB {
        let [per_gib, min, max] =
            ["_per_gb", "_per_gb_min", "_max"].map(|end| format!("{key}{end}"));
        let Some(rate) = parse_integer(&per_gib) else { continue };
        let scaled = rate.saturating_mul(volume.size.into()).max(parse_integer(&min).unwrap_or(0));
        let limit = parse_integer(&max).map_or(scaled, |max| scaled.min(max));
        for used in [per_gib, min, max] {
            limits.remove(&used);
        }
        limits.insert(key.into(), limit.into());
    }
    Some(limits)
}

/// Returns whether hosts of machines enforce the specs, so that they cannot change while a volume
/// is in use.
pub(in crate::ops) fn is_front_end(consumer: &str) -> bool {
    matches!(consumer, "front-end" | "both")
}
