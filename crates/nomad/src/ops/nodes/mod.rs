//! Nodes and the workload on them: their reports, allocations and jobs, and allocations that are lost.

mod allocations;
mod jobs;
mod lost;
mod node;

pub use self::{
    allocations::{delete_allocation, upsert_allocation},
    jobs::{JobError, delete_job, upsert_job},
    lost::{LOST_AFTER_DEFAULT, mark_lost_allocations, overdue_allocations, record_lost_nodes},
    node::{NodeReport, delete_node, report_node, upsert_node},
};
