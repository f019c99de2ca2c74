//! Metrics of Block Storage: the room of back ends, the backlog of the work queue, failed work.

use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use statehold_cinder::{Backlog, Task};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPool {
    pool: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTask {
    task: &'static str,
}

type Bytes = Family<OfPool, Gauge<u64, AtomicU64>>;

/// The room of a back end, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PoolRoom {
    /// The size of its file system and the free part of it; `None` while that can't be read.
    pub(crate) disk: Option<(u64, u64)>,
    /// The sizes of its volumes.
    pub(crate) allocated: u64,
    /// The sizes of its volumes and snapshots.
    pub(crate) provisioned: u64,
    /// The room that queued work still takes.
    pub(crate) reserved: u64,
}

/// The metrics of Block Storage. Clones share their values.
#[derive(Clone, Default)]
pub struct CinderMetrics {
    total: Bytes,
    free: Bytes,
    allocated: Bytes,
    provisioned: Bytes,
    reserved: Bytes,
    depth: Family<OfTask, Gauge<u64, AtomicU64>>,
    age: Family<OfTask, Gauge<f64, AtomicU64>>,
    failed: Family<OfTask, Counter>,
}

impl CinderMetrics {
    /// Registers everything under the names of docs/block-storage.md.
    pub fn register(&self, to: &mut Registry) {
        let rooms = [
            ("total", "Size of a back end's file system", &self.total),
            ("free", "Free room of a back end's file system", &self.free),
            ("allocated", "Sizes of the volumes on a back end", &self.allocated),
            ("provisioned", "Sizes of volumes and snapshots on a back end", &self.provisioned),
            ("reserved", "Room that queued work still takes on a back end", &self.reserved),
        ];
        for (name, help, gauge) in rooms {
            let name = format!("block_storage_pool_{name}");
            to.register_with_unit(name, help, Unit::Bytes, gauge.clone());
        }
        to.register(
            "block_storage_work_queued",
            "Work items in the queue, begun or not",
            self.depth.clone(),
        );
        to.register_with_unit(
            "block_storage_work_oldest",
            "Time since the oldest work item in the queue was requested",
            Unit::Seconds,
            self.age.clone(),
        );
        to.register(
            "block_storage_work_failed",
            "Work that failed since the start",
            self.failed.clone(),
        );
        // Each task has a count from the start: a counter that appears with its first failure has no increase.
        for task in Task::NAMES {
            drop(self.failed.get_or_create(&OfTask { task }));
        }
    }

    /// Sets the room of a back end.
    pub(crate) fn pool(&self, pool: &str, room: PoolRoom) {
        let of = OfPool { pool: pool.to_owned() };
        // The last known room of a disk that can't be read would look as if it were current.
        let (total, free) = match room.disk {
            Some((total, free)) => (Some(total), Some(free)),
            None => (None, None),
        };
        for (gauge, value) in [
            (&self.total, total),
            (&self.free, free),
            (&self.allocated, Some(room.allocated)),
            (&self.provisioned, Some(room.provisioned)),
            (&self.reserved, Some(room.reserved)),
        ] {
            match value {
                Some(value) => drop(gauge.get_or_create(&of).set(value)),
                None => drop(gauge.remove(&of)),
            }
        }
    }

    /// Sets the backlog of a task.
    pub(crate) fn backlog(&self, task: &'static str, backlog: Backlog) {
        self.depth.get_or_create(&OfTask { task }).set(backlog.depth);
        self.age.get_or_create(&OfTask { task }).set(backlog.age.as_secs_f64());
    }

    /// Counts work that failed.
    pub(crate) fn failed(&self, task: &'static str) {
        self.failed.get_or_create(&OfTask { task }).inc();
    }
}

impl fmt::Debug for CinderMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CinderMetrics").finish_non_exhaustive()
    }
}
