//! Writes and deletes allocations. The plugins that they run are updated in the same transaction.
//!
//! A claim outlives its allocation until it is released, and only records that the allocation has
//! ended: a volume is not granted to other allocations while a node still has it.

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use crate::{
    ops::{
        claims::{claim_sticky_volumes, update_allocation_claims},
        csi::{delete_allocation_instances, update_expected_plugin},
    },
    rows::{Allocation, Allocations, DEFAULT_NAMESPACE, Job, Jobs, TaskGroup},
};

/// Writes the current state of an allocation. The times in `allocation` are ignored.
///
/// Its requests are those of `group`. Without a group they are those of the stored allocation, and
/// for a new allocation those of its job. If the job is not known yet,
/// [`upsert_job`](crate::upsert_job) completes the allocation. An allocation without statuses has
/// to run and is pending.
///
/// A new allocation inherits its group's claims on the sticky host volumes that its node has;
/// `fresh` returns the IDs of new claims.
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
    update_allocation_claims(txn, allocation.id)?;
    if before.is_none() {
        claim_sticky_volumes(txn, &allocation, fresh)?;
    }
    if allocation.is_server_terminal() {
        delete_allocation_instances(txn, now, &allocation)?;
    }
    // The expected count depends on allocations only for a system job.
    let was_expected = before.as_ref().is_some_and(Allocation::is_expected);
    if system && was_expected != allocation.is_expected() {
        update_expected_plugins(txn, now, &allocation)?;
    }
    Ok(())
}

/// Copies the volumes and plugins of its groups to the allocations of `job` that were written
/// before it; only of the groups that `before`, the version it replaces, lacks.
///
/// Otherwise the order in which a client writes would decide whether a volume counts as in use.
///
/// Cost: none if `before` has all groups; else reads the job's allocations and writes the
/// incomplete ones.
pub(super) fn complete_allocations(
    txn: &mut WriteTxn<'_>,
    now: i64,
    job: &Job,
    before: Option<&Job>,
    fresh: &mut dyn FnMut() -> Uuid,
) -> Result<(), WriteError> {
    // Allocations of a known group already have its requests, and keep them when later versions of
    // the job change.
    let is_new = |group: &&TaskGroup| before.is_none_or(|job| job.group(&group.name).is_none());
    let groups: Vec<&TaskGroup> = job.groups.iter().filter(is_new).collect();
    if groups.is_empty() {
        return Ok(());
    }
    let range = KeyRange::<(String, String)>::exact((&job.namespace, &job.id));
    let scan = txn.scan_by(&Allocations::BY_JOB, &range, Order::Ascending);
    let completed = scan.filter_map(|row| {
        let group = groups.iter().find(|group| group.name == row.task_group)?;
        completed(row, job, group)
    });
    let mut completed: Vec<Allocation> = completed.collect();
    // A sticky claim is handed to the allocation that was written last, as if the job had been
    // known.
    completed.sort_by_key(|allocation| allocation.create_time);
    for mut allocation in completed {
        allocation.modify_time = now;
        txn.upsert::<Allocations>(allocation.clone())?;
        // An ended allocation MUST NOT take the claim of one that runs.
        if !allocation.is_terminal() {
            claim_sticky_volumes(txn, &allocation, fresh)?;
        }
        if allocation.is_server_terminal() {
            delete_allocation_instances(txn, now, &allocation)?;
        }
    }
    Ok(())
}

/// Returns the allocation with the requests of its group; `None` if it is complete.
fn completed(row: &Allocation, job: &Job, group: &TaskGroup) -> Option<Allocation> {
    // An allocation that was sent with its job has the requests of that version already.
    let lacks_requests = row.volumes.is_empty() && row.plugins.is_empty();
    let gets_requests = lacks_requests && !(group.volumes.is_empty() && group.plugins.is_empty());
    let gets_type = row.job_type.is_empty() && !job.kind.is_empty();
    if !gets_requests && !gets_type {
        return None;
    }
    let mut allocation = row.clone();
    if gets_requests {
        (allocation.volumes, allocation.plugins) = (group.volumes.clone(), group.plugins.clone());
    }
    if gets_type {
        allocation.job_type.clone_from(&job.kind);
    }
    Some(allocation)
}

/// Deletes an allocation and its plugin instances. Returns false if it did not exist.
pub fn delete_allocation(txn: &mut WriteTxn<'_>, now: i64, id: Uuid) -> Result<bool, WriteError> {
    let before = txn.get::<Allocations>(id).map(|entry| Allocation::clone(entry));
    let Some(before) = before else { return Ok(false) };
    txn.delete::<Allocations>(id)?;
    update_allocation_claims(txn, id)?;
    delete_allocation_instances(txn, now, &before)?;
    if before.is_expected() {
        update_expected_plugins(txn, now, &before)?;
    }
    Ok(true)
}

fn update_expected_plugins(
    txn: &mut WriteTxn<'_>,
    now: i64,
    allocation: &Allocation,
) -> Result<(), WriteError> {
    for task in &allocation.plugins {
        update_expected_plugin(txn, now, &task.id)?;
    }
    Ok(())
}
