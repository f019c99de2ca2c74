//! Jobs come, change and go; the plugins that they run follow in the same transaction.

use std::{collections::BTreeSet, fmt};

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::allocations::{complete_allocations, delete_allocation};
use crate::{
    ops::{claims::delete_group_claims, csi::follow_expectation},
    rows::{Allocations, Job, Jobs},
};

/// Why a job couldn't be written or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobError {
    /// It has no ID.
    MissingId,
    /// There is no such job.
    NotFound,
    /// The store refused.
    Store(WriteError),
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingId => f.write_str("missing job ID"),
            Self::NotFound => f.write_str("job not found"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for JobError {}

impl From<WriteError> for JobError {
    fn from(error: WriteError) -> Self {
        Self::Store(error)
    }
}

/// Registers a job or a new version of it. The times in `job` are not looked at.
///
/// Each plugin that the old or the new version runs follows: a job creates the row of a plugin that no
/// node runs yet. Allocations that were fed before their group was known get its volumes and plugins, so
/// that a volume counts as in use in either order; `fresh` returns the IDs of new sticky claims.
///
/// Cost: reads the job's own allocations if it has a group that it had not before.
pub fn upsert_job(
    txn: &mut WriteTxn<'_>,
    now: i64,
    mut job: Job,
    fresh: &mut dyn FnMut() -> Uuid,
) -> Result<(), JobError> {
    if job.id.is_empty() {
        return Err(JobError::MissingId);
    }
    if job.namespace.is_empty() {
        job.namespace = crate::rows::DEFAULT_NAMESPACE.into();
    }
    let before = txn.get::<Jobs>((&job.namespace, &job.id)).map(|entry| Job::clone(entry));
    job.create_time = before.as_ref().map_or(now, |before| before.create_time);
    job.modify_time = now;
    let plugins = plugins_of([before.as_ref(), Some(&job)]);
    txn.upsert::<Jobs>(job.clone())?;
    complete_allocations(txn, now, &job, before.as_ref(), fresh)?;
    for plugin in plugins {
        follow_expectation(txn, now, &plugin)?;
    }
    Ok(())
}

/// Deletes a job, its allocations that have ended, and its groups' sticky claims on host volumes.
///
/// The other allocations stay with the volumes that they ask for, because their nodes may still write to
/// those: they never become free before the allocations are fed as ended, or are deleted themselves.
pub fn delete_job(
    txn: &mut WriteTxn<'_>,
    now: i64,
    namespace: &str,
    id: &str,
) -> Result<(), JobError> {
    let job = txn.get::<Jobs>((namespace, id)).map(|entry| Job::clone(entry));
    let Some(job) = job else { return Err(JobError::NotFound) };
    txn.delete::<Jobs>((namespace, id))?;
    let range = KeyRange::<(String, String)>::exact((namespace, id));
    let scan = txn.scan_by(&Allocations::BY_JOB, &range, Order::Ascending);
    let ended = scan.filter(|allocation| allocation.is_client_terminal());
    let allocations: Vec<Uuid> = ended.map(|allocation| allocation.id).collect();
    for allocation in allocations {
        delete_allocation(txn, now, allocation)?;
    }
    delete_group_claims(txn, namespace, id)?;
    for plugin in plugins_of([Some(&job), None]) {
        follow_expectation(txn, now, &plugin)?;
    }
    Ok(())
}

fn plugins_of(versions: [Option<&Job>; 2]) -> BTreeSet<Box<str>> {
    versions.into_iter().flatten().flat_map(Job::plugin_ids).map(Into::into).collect()
}
