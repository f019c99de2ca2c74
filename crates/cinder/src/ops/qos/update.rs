//! Changes of QoS specs.

use statehold_store::WriteTxn;

use super::{check_consumer, find_qos};
use crate::{Pairs, caller::policy, context::Context, errors::Error, rows::QosSpecs};

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
