//! QoS specs: limits on the speed of volumes, bound to types.

use statehold_store::{Entry, KeyRange, Order, ReadView, WriteTxn};
use uuid::Uuid;

use super::types::get_type;
use crate::{
    Pairs,
    caller::policy,
    context::Context,
    error::{Error, Missing},
    id::parse_id,
    rows::{QosSpecs, VolumeType},
};

/// Who can hold volumes to specs.
const CONSUMERS: [&str; 3] = ["back-end", "front-end", "both"];

/// QoS specs as somebody asks for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QosSpec {
    /// Their name.
    pub name: Box<str>,
    /// Who holds volumes to them; `back-end` by default.
    pub consumer: Option<Box<str>>,
    /// The limits.
    pub specs: Pairs,
}

/// The specs that a client calls by their ID.
///
/// # Errors
/// [`Missing::Qos`].
pub fn find_qos<'v>(view: &'v impl ReadView, id: &str) -> Result<&'v Entry<QosSpecs>, Error> {
    let row = parse_id(id).and_then(|id| view.get::<QosSpecs>(id));
    Ok(row.ok_or_else(|| Missing::Qos(id.into()))?)
}

/// Whether machines' hosts hold volumes to the specs, so that they can't change while one is used.
pub(super) fn is_front_end(consumer: &str) -> bool {
    matches!(consumer, "front-end" | "both")
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

/// Makes QoS specs with the ID `id`. Admins only.
///
/// # Errors
/// [`Error`]; [`Error::Conflict`] when there are some of this name.
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

/// Changes limits, adds some, or says who holds volumes to them. Admins only.
///
/// # Errors
/// [`Error`] with the status 400, 403 or 404.
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

/// Takes limits away: all of `keys`, or none when one of them isn't there. Admins only.
///
/// # Errors
/// [`Error`]; [`Missing::QosKey`].
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

/// The types that are bound to specs. Admins only.
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

/// Deletes specs. With `force` the types that are bound to them are let go. Admins only.
///
/// # Errors
/// [`Error`] with the status 400 when types are bound to them and they aren't forced.
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

/// Binds a type to specs. Admins only.
///
/// # Errors
/// [`Error`] with the status 400 when it is bound to others, or none is named.
pub fn bind_type(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    volume_type: Option<&str>,
) -> Result<(), Error> {
    cx.caller.check(policy::QOS_UPDATE)?;
    let volume_type = volume_type.ok_or_else(no_type)?;
    let qos = find_qos(txn, id)?.id;
    let mut row = VolumeType::clone(get_type(txn, cx.caller, volume_type)?);
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

/// Lets a type go that is bound to specs, or all of them when none is named. Admins only.
///
/// # Errors
/// [`Error`] with the status 403 or 404.
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
        let only = get_type(txn, cx.caller, volume_type)?.id;
        rows.retain(|row| row.id == only);
    }
    for mut row in rows {
        row.qos_specs_id = None;
        txn.upsert::<VolumeType>(row)?;
    }
    Ok(())
}
