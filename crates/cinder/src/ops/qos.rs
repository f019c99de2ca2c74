//! QoS specs: limits on the speed of volumes. Types refer to them.

use serde_json::{Map, Value};
use statehold_store::{Entry, KeyRange, Order, ReadView, WriteTxn};
use uuid::Uuid;

use super::types::known_type;
use crate::{
    Pairs,
    caller::policy,
    context::Context,
    errors::{Error, Missing},
    id::parse_id,
    rows::{QosSpecs, Volume, VolumeType},
};

/// The sides that can enforce specs.
// Cinder: cinder/objects/fields.py, QoSConsumerValues.
const CONSUMERS: [&str; 3] = ["back-end", "front-end", "both"];

/// A request for QoS specs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QosSpec {
    /// Their name.
    pub name: Box<str>,
    /// The enforcing side; `back-end` by default.
    pub consumer: Option<Box<str>>,
    /// The limits.
    pub specs: Pairs,
}

/// Returns the QoS specs with the ID `id`.
///
/// # Errors
/// [`Missing::Qos`].
pub fn find_qos<'v>(view: &'v impl ReadView, id: &str) -> Result<&'v Entry<QosSpecs>, Error> {
    let row = parse_id(id).and_then(|id| view.get::<QosSpecs>(id));
    Ok(row.ok_or_else(|| Missing::Qos(id.into()))?)
}

/// Returns whether hosts of machines enforce the specs, so that they cannot change while a volume
/// is in use.
pub(super) fn is_front_end(consumer: &str) -> bool {
    matches!(consumer, "front-end" | "both")
}

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

fn check_consumer(consumer: &str) -> Result<(), Error> {
    if CONSUMERS.contains(&consumer) {
        return Ok(());
    }
    Err(Error::request(
        "Invalid qos specs: Valid consumer of QoS specs are: \
         QoSConsumerValues(default=<class \
         'oslo_versionedobjects.fields.UnspecifiedDefault'>,nullable=False,\
         valid_values=('back-end', 'front-end', 'both'))",
    ))
}

/// Creates QoS specs with the ID `id`. Admins only.
///
/// # Errors
/// [`Error`]; [`Error::Conflict`] if the name is taken.
// Cinder: cinder/volume/qos_specs.py, create.
pub fn create_qos(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: Uuid,
    spec: QosSpec,
) -> Result<(), Error> {
    cx.caller.check(policy::QOS_CREATE)?;
    let consumer = spec.consumer.unwrap_or_else(|| "back-end".into());
    check_consumer(&consumer)?;
    if txn.find(&QosSpecs::BY_NAME, &spec.name).is_some() {
        return Err(Error::Conflict(format!("QoS Specs {} already exists.", spec.name).into()));
    }
    let (created_at, updated_at) = (cx.now, None);
    let row = QosSpecs { id, name: spec.name, consumer, specs: spec.specs, created_at, updated_at };
    txn.upsert::<QosSpecs>(row)?;
    Ok(())
}

/// Changes or adds limits, or changes the enforcing side. Admins only.
///
/// # Errors
/// [`Error`] with the status 400, 403 or 404.
// Cinder: cinder/volume/qos_specs.py, update.
pub fn update_qos(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    consumer: Option<Box<str>>,
    specs: Pairs,
) -> Result<(), Error> {
    cx.caller.check(policy::QOS_UPDATE)?;
    let mut row = QosSpecs::clone(find_qos(txn, id)?);
    if let Some(consumer) = consumer {
        check_consumer(&consumer)?;
        row.consumer = consumer;
    }
    row.specs.extend(specs);
    row.updated_at = Some(cx.now);
    txn.upsert::<QosSpecs>(row)?;
    Ok(())
}

/// Deletes limits: all of `keys`, or none if one of them is missing. Admins only.
///
/// # Errors
/// [`Error`]; [`Missing::QosKey`].
// Cinder: cinder/volume/qos_specs.py, delete_keys.
pub fn delete_qos_keys(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    keys: &[Box<str>],
) -> Result<(), Error> {
    cx.caller.check(policy::QOS_UPDATE)?;
    let mut row = QosSpecs::clone(find_qos(txn, id)?);
    for key in keys {
        if row.specs.remove(key).is_none() {
            let qos = row.id.to_string().into();
            return Err(Missing::QosKey { qos, key: key.clone() }.into());
        }
    }
    row.updated_at = Some(cx.now);
    txn.upsert::<QosSpecs>(row)?;
    Ok(())
}

/// Returns the types that refer to specs. Admins only.
///
/// # Errors
/// [`Missing::Qos`].
pub fn qos_types<'v>(
    view: &'v impl ReadView,
    cx: &Context<'_>,
    id: &str,
) -> Result<impl Iterator<Item = &'v Entry<VolumeType>>, Error> {
    cx.caller.check(policy::QOS_GET)?;
    let range = KeyRange::exact(find_qos(view, id)?.id);
    Ok(view.scan_by(&VolumeType::BY_QOS, &range, Order::Ascending))
}

/// Deletes specs. With `force` also the references of types to them. Admins only.
///
/// # Errors
/// [`Error`] with the status 400 if types refer to them and `force` is not set.
// Cinder: cinder/volume/qos_specs.py, delete.
pub fn delete_qos(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    force: bool,
) -> Result<(), Error> {
    cx.caller.check(policy::QOS_DELETE)?;
    let qos = find_qos(txn, id)?.id;
    let bound = qos_types(txn, cx, id)?.next().is_some();
    if bound && !force {
        return Err(Error::request("Qos specs still in use."));
    }
    unbind_types(txn, cx, id, None)?;
    txn.delete::<QosSpecs>(qos)?;
    Ok(())
}

/// Associates a type with specs. Admins only.
///
/// # Errors
/// [`Error`] with the status 400 if the type has other specs, or none is named.
// Cinder: cinder/volume/qos_specs.py, associate_qos_with_type.
pub fn bind_type(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    volume_type: Option<&str>,
) -> Result<(), Error> {
    cx.caller.check(policy::QOS_UPDATE)?;
    let volume_type = volume_type.ok_or_else(no_type)?;
    let qos = find_qos(txn, id)?.id;
    let mut row = VolumeType::clone(known_type(txn, cx.caller, volume_type)?);
    if row.qos_specs_id.is_some_and(|other| other != qos) {
        return Err(Error::request(format!(
            "Type {} is already associated with another qos specs: {}",
            row.id,
            row.qos_specs_id.unwrap_or_default()
        )));
    }
    row.qos_specs_id = Some(qos);
    txn.upsert::<VolumeType>(row)?;
    Ok(())
}

fn no_type() -> Error {
    Error::request("Volume Type id must not be None.")
}

/// Removes the association of a type with specs, or of all types if none is named. Admins only.
///
/// # Errors
/// [`Error`] with the status 403 or 404.
// Cinder: cinder/volume/qos_specs.py, disassociate_qos_specs and disassociate_all.
pub fn unbind_types(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    volume_type: Option<&str>,
) -> Result<(), Error> {
    cx.caller.check(policy::QOS_UPDATE)?;
    let mut rows: Vec<VolumeType> =
        qos_types(txn, cx, id)?.map(|row| VolumeType::clone(row)).collect();
    if let Some(volume_type) = volume_type {
        let only = known_type(txn, cx.caller, volume_type)?.id;
        rows.retain(|row| row.id == only);
    }
    for mut row in rows {
        row.qos_specs_id = None;
        txn.upsert::<VolumeType>(row)?;
    }
    Ok(())
}
