//! Background work: the queue, the outcomes, and the release of rows that wait for work.
//!
//! An operation writes a row in a transitional status and queues a [`WorkItem`](crate::WorkItem) in the same
//! transaction. A worker reads [`next_work`], records with [`start_work`] that it begins, runs the work outside of any
//! transaction, and records the [`Outcome`] with [`finish_work`]. When a server starts, [`resume_work`] queues
//! interrupted work again, or fails it after [`ATTEMPTS_MAX`] attempts, so that no row stays in a transitional status.
//!
//! A crash may repeat work, so the work of a back end MUST be idempotent.

mod backlog;
mod backup;
mod finish;
mod group;
mod message;
mod outcome;
mod queue;
mod release;
mod snapshot;
mod volume;

pub use self::{
    backlog::{Backlog, exhausted_work, queued_room, work_backlog},
    finish::{finish_work, resume_work},
    outcome::{FailureCause, Outcome, Placement},
    queue::{ATTEMPTS_MAX, next_work, note_moving, ready_work, start_work},
    volume::place_volume,
};
pub(crate) use self::{
    group::{resolve_group, resolve_group_snapshot},
    queue::{holds, queue, snapshots_of},
    release::cancel,
    volume::{EXTEND_SIZE, awaits_host},
};
