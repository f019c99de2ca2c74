//! Allocations come, change and go; the plugins that they are follow in the same transaction.
//!
//! Claims only note that their allocation is over: a claim outlives it until it is released, which keeps
//! a volume from being granted to others while a node still has it.

use statehold_store::{ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::{
    claim_rows::follow_allocation,
    group_claims::claim_sticky_volumes,
    plugins::{follow_expectation, forget_allocation},
};
use crate::rows::{Allocation, Allocations, DEFAULT_NAMESPACE, Job, Jobs, TaskGroup};

/// Takes over an allocation as it is now. The times in `allocation` are not looked at.
///
/// What it asks for comes from `group`; without one from what is already known of the allocation,
/// and for a new allocation from its job. An allocation that says no statuses is meant to run and
/// hasn't started.
///
/// A new allocation takes over its group's claims on the sticky host volumes that its node has;
/// `fresh` makes the IDs of new ones.
pub fn upsert_allocation(
    txn: &mut WriteTxn<'_>,
    now: i64,
    mut allocation: Allocation,
    group: Option<TaskGroup>,
    fresh: &mut dyn FnMut() -> Uuid,
) -> Result<(), WriteError> {
    for (text, fallback) in [
        (&mut allocation.namespace, DEFAULT_NAMESPACE),
        (&mut allocation.desired_status, "run"),
        (&mut allocation.client_status, "pending"),
    ] {
        if text.is_empty() {
            *text = fallback.into();
        }
    }
    let before = txn.get::<Allocations>(allocation.id).map(|entry| Allocation::clone(entry));
    let job = txn.get::<Jobs>((&allocation.namespace, &allocation.job_id));
    let same_group = before.as_ref().filter(|before| {
        before.job_id == allocation.job_id && before.task_group == allocation.task_group
    });
    if let Some(group) = group {
        (allocation.volumes, allocation.plugins) = (group.volumes, group.plugins);
    } else if let Some(known) = same_group {
        (allocation.volumes, allocation.plugins) = (known.volumes.clone(), known.plugins.clone());
    } else if let Some(group) = job.and_then(|job| job.group(&allocation.task_group)) {
        (allocation.volumes, allocation.plugins) = (group.volumes.clone(), group.plugins.clone());
    }
    if allocation.job_type.is_empty()
        && let Some(job) = job
    {
        allocation.job_type.clone_from(&job.kind);
    }
    let system = job.is_some_and(|job| Job::is_system(job));
    allocation.create_time = before.as_ref().map_or(now, |before| before.create_time);
    allocation.modify_time = now;
    txn.upsert::<Allocations>(allocation.clone())?;
    follow_allocation(txn, allocation.id)?;
    if before.is_none() {
        claim_sticky_volumes(txn, &allocation, fresh)?;
    }
    if allocation.is_server_terminal() {
        forget_allocation(txn, now, &allocation)?;
    }
    // Only of a system job does the expected number depend on its allocations.
    let was_expected = before.as_ref().is_some_and(Allocation::is_expected);
    if system && was_expected != allocation.is_expected() {
        follow_all(txn, now, &allocation)?;
    }
    Ok(())
}

/// Deletes an allocation, and its part in every plugin. False when there was none.
pub fn delete_allocation(txn: &mut WriteTxn<'_>, now: i64, id: Uuid) -> Result<bool, WriteError> {
    let before = txn.get::<Allocations>(id).map(|entry| Allocation::clone(entry));
    let Some(before) = before else { return Ok(false) };
    txn.delete::<Allocations>(id)?;
    follow_allocation(txn, id)?;
    forget_allocation(txn, now, &before)?;
    if before.is_expected() {
        follow_all(txn, now, &before)?;
    }
    Ok(true)
}

fn follow_all(txn: &mut WriteTxn<'_>, now: i64, allocation: &Allocation) -> Result<(), WriteError> {
    for task in &allocation.plugins {
        follow_expectation(txn, now, &task.id)?;
    }
    Ok(())
}
