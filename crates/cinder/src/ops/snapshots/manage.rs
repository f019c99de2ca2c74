//! Adoption of snapshots that exist on a back end.

use statehold_store::WriteTxn;
use uuid::Uuid;

use crate::{
    Pairs,
    caller::policy,
    context::{Context, find_volume},
    errors::Error,
    ops::adoption::{check_adopting, check_reference, is_managed},
    quota,
    rows::{Snapshot, SnapshotStatus, Task, Volume, WorkTarget},
    status_machine::{VolumeOperation, check_settled},
    totals,
    work::queue,
};

/// A request to adopt a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManageSnapshotSpec {
    /// Its volume.
    pub volume_id: Box<str>,
    /// Its name on the back end.
    pub reference: Option<Box<str>>,
    /// Its name.
    pub name: Option<Box<str>>,
    /// Human-readable description.
    pub description: Option<Box<str>>,
    /// User-defined key/value metadata.
    pub metadata: Pairs,
}

/// Adopts a snapshot of a volume's back end with the ID `id`. Its row is `creating` until a worker
/// has measured it. Admins only.
///
/// # Errors
/// [`Error`] with the status 400 if it is managed already, 404 for an unknown volume.
// Cinder: cinder/volume/api.py, API.manage_existing_snapshot.
pub fn manage_snapshot(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    id: Uuid,
    spec: ManageSnapshotSpec,
) -> Result<(), Error> {
    cx.caller.check(policy::SNAPSHOT_MANAGE)?;
    let volume = Volume::clone(find_volume(txn, cx.caller, &spec.volume_id)?);
    cx.caller.check_on(policy::SNAPSHOT_MANAGE, &volume)?;
    let reference = check_reference(spec.reference)?;
    if is_managed(txn, &reference) {
        return Err(Error::request(format!(
            "Unable to manage existing snapshot. Snapshot {reference} already managed."
        )));
    }
    if let Some(host) = &volume.host {
        check_adopting(txn, host)?;
    }
    VolumeOperation::ManageSnapshot.check(&volume)?;
    check_settled(&volume)?;
    let project = &cx.caller.project;
    let deltas = quota::of_snapshot(cx.config, volume.volume_type_id, 1, volume.size);
    quota::charge(txn, cx.config, project, &deltas)?;
    totals::put_snapshot(
        txn,
        Snapshot {
            id,
            project_id: project.clone(),
            user_id: cx.caller.user.clone(),
            volume_id: volume.id,
            volume_type_id: volume.volume_type_id,
            name: spec.name,
            description: spec.description,
            size: volume.size,
            status: SnapshotStatus::Creating,
            progress: 0,
            created_at: cx.now,
            updated_at: None,
            group_snapshot_id: None,
            consumes_quota: true,
            metadata: spec.metadata,
        },
    )?;
    queue(txn, cx, (WorkTarget::Snapshot, id), Task::ManageSnapshot { reference }, None)?;
    Ok(())
}
