//! Operations on nodes and their workload: reports, allocations, jobs, and allocations of lost
//! nodes.

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
