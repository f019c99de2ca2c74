//! Registers, updates and deletes jobs. The plugins that they run are updated in the same
//! transaction.

use std::{collections::BTreeSet, fmt};

use statehold_store::{KeyRange, Order, ReadView, WriteError, WriteTxn};
use uuid::Uuid;

use super::allocations::{complete_allocations, delete_allocation};
use crate::{
    ops::{claims::delete_group_claims, csi::update_expected_plugin},
    rows::{Allocations, Job, Jobs},
};

/// Why a job could not be written or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobError {
    /// It has no ID.
    MissingId,
    /// The job does not exist.
    NotFound,
    /// The store failed.
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

/// Registers a job or a new version of it. The times in `job` are ignored.
///
/// Each plugin that the old or the new version runs is updated: a job creates the row of a plugin
/// that no node reports yet. Allocations that were written before their group was known receive its
/// volumes and plugins, so that a volume counts as in use in either order; `fresh` returns the IDs
/// of new sticky claims.
///
/// Cost: reads the job's allocations if it has a group that it had not before.
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
    // Plugins that only the old version ran may now be unused.
    let plugins = plugins_of([before.as_ref(), Some(&job)]);
    txn.upsert::<Jobs>(job.clone())?;
    // Before the plugins: a stopped allocation deletes instances, on which the plugins' rows
    // depend.
    complete_allocations(txn, now, &job, before.as_ref(), fresh)?;
    for plugin in plugins {
        update_expected_plugin(txn, now, &plugin)?;
    }
    Ok(())
}

/// Deletes a job, its allocations that have ended, and its groups' sticky claims on host volumes.
///
/// The other allocations keep the volumes that they request, because their nodes may still write to
/// them: a volume is never freed before its allocation is reported as ended or is deleted.
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
    // A running allocation is kept, because its node may still write to its volumes.
    let ended = scan.filter(|allocation| allocation.is_client_terminal());
    let allocations: Vec<Uuid> = ended.map(|allocation| allocation.id).collect();
    for allocation in allocations {
        delete_allocation(txn, now, allocation)?;
    }
    delete_group_claims(txn, namespace, id)?;
    for plugin in plugins_of([Some(&job), None]) {
        update_expected_plugin(txn, now, &plugin)?;
    }
    Ok(())
}

fn plugins_of(versions: [Option<&Job>; 2]) -> BTreeSet<Box<str>> {
    versions.into_iter().flatten().flat_map(Job::plugin_ids).map(Into::into).collect()
}
