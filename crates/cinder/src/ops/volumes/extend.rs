//! Extending volumes, at rest or in use.

use statehold_store::{ReadView, WriteTxn};
use uuid::Uuid;

use super::write_volume;
use crate::{
    caller::policy,
    context::{Context, find_volume},
    errors::Error,
    ops::type_rules::check_size,
    quota::{self, Deltas},
    rows::{QuotaKind, Task, Volume, VolumeStatus, VolumeType, WorkItem, WorkTarget},
    status_machine::{VolumeOperation, check_settled},
    work::{EXTEND_SIZE, FailureCause, Outcome, awaits_host, finish_work, queue},
};

/// First version that extends volumes in use.
const IN_USE_EXTEND_SINCE: u16 = 42;

/// Extends a volume to `size` GiB. Its row is `extending`, and a worker extends the data. The quota
/// is reserved under the ID `reservation` until then.
///
/// # Errors
/// [`Error`]; the size is checked before the status, the status before the quota.
// Cinder: cinder/volume/api.py, API._extend.
pub fn extend_volume(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    size: u32,
    reservation: Uuid,
) -> Result<(), Error> {
    let mut row = Volume::clone(find_volume(txn, cx.caller, id)?);
    let younger = cx.version.at_least(IN_USE_EXTEND_SINCE);
    let in_use = row.status == VolumeStatus::InUse && younger;
    let rule = if in_use { policy::VOLUME_EXTEND_ATTACHED } else { policy::VOLUME_EXTEND };
    cx.caller.check_on(rule, &row)?;
    if size <= row.size {
        return Err(Error::input(format!(
            "New size for extend must be greater than current size. (current: {}, extended: \
             {size}).",
            row.size
        )));
    }
    if let Some(own) = row.volume_type_id.and_then(|id| txn.get::<VolumeType>(id)) {
        check_size(own, size)?;
    }
    let action = if younger { VolumeOperation::ExtendInUse } else { VolumeOperation::Extend };
    let status = action.check(&row)?;
    check_settled(&row)?;
    quota::check_size(txn, cx.config, &row.project_id, size)?;
    let more = i64::from(size - row.size);
    let mut deltas = Deltas::new();
    quota::add(&mut deltas, QuotaKind::Gigabytes, row.volume_type_id, more);
    quota::reserve(txn, cx.config, cx.now, reservation, &row.project_id, deltas)?;
    let target = (WorkTarget::Volume, row.id);
    row.previous_status = Some(row.status);
    row.status = status;
    // An admin may have cancelled an earlier extension, which no host completes any more.
    row.admin_metadata.remove(EXTEND_SIZE);
    write_volume(txn, cx.now, row)?;
    let task = Task::ExtendVolume { size };
    queue(txn, cx, target, task, Some(reservation))?;
    Ok(())
}

/// Completes the extension of a volume in use: its host has the new size, or has `failed` to get
/// it. `message` is the ID of the message for a failure. Admins only.
///
/// The volume gets its size and its earlier status, or is `error_extending` with its old size. Its
/// file keeps the new length, which the next extension uses.
///
/// # Errors
/// [`Error`] with the status 400 unless the volume is `extending` and waits for its host.
// Cinder: cinder/volume/api.py, API.extend_volume_completion, which has these messages.
pub fn complete_extend(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: &str,
    failed: bool,
    message: Uuid,
) -> Result<(), Error> {
    let row = find_volume(txn, cx.caller, id)?;
    cx.caller.check_on(policy::VOLUME_EXTEND_COMPLETION, &**row)?;
    VolumeOperation::CompleteExtend.check(row)?;
    let item = txn.get::<WorkItem>((WorkTarget::Volume.as_str(), row.id));
    let Some(item) = item.filter(|item| awaits_host(txn, item)).map(|item| WorkItem::clone(item))
    else {
        // The back end has not finished its part, or no host takes part.
        return Err(Error::request(
            "Invalid volume: Required volume admin metadata is malformed or missing.",
        ));
    };
    let outcome = if failed {
        Outcome::Failed { cause: FailureCause::Extend, message }
    } else {
        Outcome::DONE
    };
    finish_work(txn, cx.config, cx.now, &item, &outcome)?;
    Ok(())
}
