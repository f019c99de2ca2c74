//! The filter fields of jobs and allocations.

use statehold_filter::Filterable;
use statehold_store::{Entry, ReadView};

use crate::{
    rows::{Allocation, Job},
    views::{AllocationStub, JobStub, JobSummary},
};

/// A job with the counts of its allocations at the time of the read.
#[derive(Clone, Debug, Filterable)]
#[filterable(rename_all = "PascalCase")]
#[filterable(computed(name = "CreateIndex", with = Self::create_index, ty = u64))]
#[filterable(computed(name = "ModifyIndex", with = Self::modify_index, ty = u64))]
pub struct JobItem {
    #[filterable(flatten(deref))]
    job: Entry<Job>,
    #[filterable(skip)]
    summary: JobSummary,
}

impl JobItem {
    /// Creates the item of `job`. Cost: reads its allocations.
    pub fn new<V: ReadView>(view: &V, job: &Entry<Job>) -> Self {
        Self { job: job.clone(), summary: JobSummary::of(view, job) }
    }

    /// Returns the job.
    pub fn job(&self) -> &Entry<Job> {
        &self.job
    }

    /// Returns the JSON view for a list.
    pub fn stub(&self) -> JobStub<'_> {
        JobStub::new(&self.job, &self.summary)
    }

    fn create_index(&self) -> u64 {
        self.job.create_index()
    }

    fn modify_index(&self) -> u64 {
        self.job.modify_index()
    }
}

/// An allocation of a list.
#[derive(Clone, Debug, Filterable)]
#[filterable(rename_all = "PascalCase")]
#[filterable(computed(name = "CreateIndex", with = Self::create_index, ty = u64))]
#[filterable(computed(name = "ModifyIndex", with = Self::modify_index, ty = u64))]
pub struct AllocationItem {
    #[filterable(flatten(deref))]
    allocation: Entry<Allocation>,
}

impl AllocationItem {
    /// Creates the item of `allocation`.
    pub fn new(allocation: &Entry<Allocation>) -> Self {
        Self { allocation: allocation.clone() }
    }

    /// Returns the allocation.
    pub fn allocation(&self) -> &Entry<Allocation> {
        &self.allocation
    }

    /// Returns the JSON view for a list.
    pub fn stub(&self) -> AllocationStub<'_> {
        AllocationStub::new(&self.allocation)
    }

    fn create_index(&self) -> u64 {
        self.allocation.create_index()
    }

    fn modify_index(&self) -> u64 {
        self.allocation.modify_index()
    }
}
