//! Changing the type of a volume.

use statehold_store::{KeyRange, Order, ReadView, WriteTxn};
use uuid::Uuid;

use super::write_volume;
use crate::{
    caller::policy,
    context::{Context, find_volume},
    errors::{Error, VolumeRefusal},
    ops::{
        qos::is_front_end,
        type_rules::{check_size, check_unencrypted},
        types::find_type,
    },
    quota::{self, Deltas},
    rows::{Attachment, QosSpecs, QuotaKind, Task, Volume, VolumeStatus, VolumeType, WorkTarget},
    status_machine::VolumeOperation,
    work::queue,
};

/// Changes the type of a volume. Its row is `retyping`, and a worker carries it out. The quota of
/// the new type is reserved under the ID `reservation` until then.
///
/// # Errors
/// [`Error`]; [`VolumeRefusal::Retype`] unless the volume is idle and the type another one.
// Cinder: cinder/volume/api.py, API.retype.
pub fn retype_volume(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    new_type: &str,
    may_migrate: bool,
    reservation: Uuid,
) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    cx.caller.check_on(policy::VOLUME_RETYPE, &row)?;
    let new = VolumeType::clone(find_type(txn, cx.caller, new_type)?);
    check_size(&new, row.size)?;
    check_unencrypted(&new)?;
    let old = row.volume_type_id.and_then(|id| txn.get::<VolumeType>(id));
    let used = || {
        let range = KeyRange::exact(row.id);
        txn.scan_by(&Attachment::BY_VOLUME, &range, Order::Ascending).next().is_some()
    };
    if new.is_multiattach() != row.multiattach && (row.status != VolumeStatus::Available || used())
    {
        return Err(Error::input(
            "Changing volume type multiattach property is only allowed for volumes that are \
             available.",
        ));
    }
    // The host of a volume in use enforces the limits that it got with the connection.
    let in_use = row.status == VolumeStatus::InUse;
    let fixed_qos = in_use && {
        let front_end = |id: Option<Uuid>| {
            let specs = id.and_then(|id| txn.get::<QosSpecs>(id));
            specs.filter(|specs| is_front_end(&specs.consumer)).map(|specs| specs.id)
        };
        front_end(new.qos_specs_id) != front_end(old.and_then(|old| old.qos_specs_id))
    };
    let status = VolumeOperation::Retype.check(&row)?;
    if !row.is_settled()
        || row.group_id.is_some()
        || row.volume_type_id == Some(new.id)
        || fixed_qos
    {
        return Err(VolumeRefusal::Retype.into());
    }
    let mut deltas = Deltas::new();
    let size = i64::from(row.size);
    for (volume_type, sign) in [(Some(new.id), 1), (row.volume_type_id, -1)] {
        let Some(volume_type) = volume_type else { continue };
        // The counts of all types together do not change.
        for (kind, delta) in [(QuotaKind::Volumes, sign), (QuotaKind::Gigabytes, sign * size)] {
            deltas.insert(crate::rows::QuotaResource::of(kind, volume_type), delta);
        }
    }
    if row.consumes_quota {
        quota::reserve(txn, cx.config, cx.now, reservation, &row.project_id, deltas)?;
    }
    let target = (WorkTarget::Volume, row.id);
    row.previous_status = Some(row.status);
    row.status = status;
    write_volume(txn, cx.now, row)?;
    let task = Task::RetypeVolume { volume_type: new.id, may_migrate };
    queue(txn, cx, target, task, Some(reservation))?;
    Ok(())
}
