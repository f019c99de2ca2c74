//! Allocations come, change and go; the plugins that they are follow in the same transaction.
//!
//! Claims only note that their allocation is over: a claim outlives it until it is released, which keeps
//! a volume from being granted to others while a node still has it.

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use crate::{
    ops::{
        claims::{claim_sticky_volumes, follow_allocation},
        csi::{follow_expectation, forget_allocation},
    },
    rows::{Allocation, Allocations, DEFAULT_NAMESPACE, Job, Jobs, TaskGroup},
};

/// Takes over an allocation as it is now. The times in `allocation` are not looked at.
///
/// Its requests come from `group`; without one from what is already known of the allocation, and for a
/// new allocation from its job. A job that is not known yet completes the allocation when it arrives. An
/// allocation without statuses is meant to run and hasn't started.
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

/// Gives the allocations of `job` that were fed before it the volumes and plugins of their groups; of those
/// groups alone that `before`, the version it replaces, lacks.
///
/// Without this the order in which a feeder writes would decide whether a volume counts as in use.
///
/// Cost: none if `before` has all groups; else reads the job's allocations and writes those that lack it.
pub(super) fn complete_allocations(
    txn: &mut WriteTxn<'_>,
    now: i64,
    job: &Job,
    before: Option<&Job>,
    fresh: &mut dyn FnMut() -> Uuid,
) -> Result<(), WriteError> {
    // Allocations of a group that was known took its requests, and keep them whatever later versions ask.
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
    // A sticky claim passes to the allocation that was fed last, as it does when the job is known.
    completed.sort_by_key(|allocation| allocation.create_time);
    for mut allocation in completed {
        allocation.modify_time = now;
        txn.upsert::<Allocations>(allocation.clone())?;
        // One that has ended MUST NOT take the claim of one that runs.
        if !allocation.is_terminal() {
            claim_sticky_volumes(txn, &allocation, fresh)?;
        }
        if allocation.is_server_terminal() {
            forget_allocation(txn, now, &allocation)?;
        }
    }
    Ok(())
}

/// The allocation with the requests of its group; `None` if it lacks nothing of it.
fn completed(row: &Allocation, job: &Job, group: &TaskGroup) -> Option<Allocation> {
    // One that carried its job has the requests of that version already.
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
