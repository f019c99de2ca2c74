//! QoS specs: limits on the speed of volumes. Types refer to them.

mod associate;
mod create;
mod delete;
mod limits;
mod update;

use statehold_store::{Entry, KeyRange, Order, ReadView};

use crate::{
    caller::policy,
    context::Context,
    errors::{Error, Missing},
    id::parse_id,
    rows::{QosSpecs, VolumeType},
};

pub(super) use self::limits::is_front_end;
pub use self::{
    associate::{bind_type, unbind_types},
    create::{QosSpec, create_qos},
    delete::{delete_qos, delete_qos_keys},
    limits::front_end_qos,
    update::update_qos,
};

/// The sides that can enforce specs.
// Cinder: cinder/objects/fields.py, QoSConsumerValues.
const CONSUMERS: [&str; 3] = ["back-end", "front-end", "both"];

/// Returns the QoS specs with the ID `id`.
///
/// # Errors
/// [`Missing::Qos`].
pub fn find_qos<'v>(view: &'v impl ReadView, id: &str) -> Result<&'v Entry<QosSpecs>, Error> {
    let row = parse_id(id).and_then(|id| view.get::<QosSpecs>(id));
    Ok(row.ok_or_else(|| Missing::Qos(id.into()))?)
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
    // Cinder: cinder/api/contrib/qos_specs_manage.py, QoSSpecsController.associations.
    cx.caller.check(policy::QOS_GET_ALL)?;
    types_of(view, id)
}

/// Like [`qos_types`], for callers whose permission has been checked.
fn types_of<'v>(
    view: &'v impl ReadView,
    id: &str,
) -> Result<impl Iterator<Item = &'v Entry<VolumeType>>, Error> {
    let range = KeyRange::exact(find_qos(view, id)?.id);
    Ok(view.scan_by(&VolumeType::BY_QOS, &range, Order::Ascending))
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
