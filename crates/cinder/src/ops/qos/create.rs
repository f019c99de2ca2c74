//! Creation of QoS specs.

use statehold_store::{ReadView, WriteTxn};
use uuid::Uuid;

use super::check_consumer;
use crate::{Pairs, caller::policy, context::Context, errors::Error, rows::QosSpecs};

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
