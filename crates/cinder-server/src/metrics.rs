//! Metrics of Block Storage: the capacity of back ends, the backlog of the work queue, failed work.

use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use statehold_cinder::{Backlog, Task};

/// The label of metrics of a back end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PoolLabel {
    pool: String,
}

/// The label of metrics of a task, as [`Task::name`] returns it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TaskLabel {
    task: &'static str,
}

type BytesByPool = Family<PoolLabel, Gauge<u64, AtomicU64>>;

/// The capacity of a back end, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PoolCapacity {
    /// The total and free bytes of its file system; `None` while they cannot be read.
    pub(crate) disk: Option<(u64, u64)>,
    /// The total size of its volumes.
    pub(crate) allocated: u64,
    /// The total size of its volumes and snapshots.
    pub(crate) provisioned: u64,
    /// The space that queued work still allocates.
    pub(crate) reserved: u64,
}

/// The metrics of Block Storage. Clones refer to the same values.
#[derive(Clone, Default)]
pub struct CinderMetrics {
    total: BytesByPool,
    free: BytesByPool,
    allocated: BytesByPool,
    provisioned: BytesByPool,
    reserved: BytesByPool,
    depth: Family<TaskLabel, Gauge<u64, AtomicU64>>,
    age: Family<TaskLabel, Gauge<f64, AtomicU64>>,
    failed: Family<TaskLabel, Counter>,
}

impl CinderMetrics {
    /// Registers the metrics under the names of `docs/block-storage.md`.
    pub fn register(&self, to: &mut Registry) {
        let rooms = [
            ("total", "Size of a back end's file system", &self.total),
            ("free", "Free space of a back end's file system", &self.free),
            ("allocated", "Total size of the volumes on a back end", &self.allocated),
            (
                "provisioned",
                "Total size of the volumes and snapshots on a back end",
                &self.provisioned,
            ),
            ("reserved", "Space that queued work will allocate on a back end", &self.reserved),
        ];
        for (name, help, gauge) in rooms {
            let name = format!("block_storage_pool_{name}");
            to.register_with_unit(name, help, Unit::Bytes, gauge.clone());
        }
        to.register(
            "block_storage_work_queued",
            "Queued work items, started ones included",
            self.depth.clone(),
        );
        to.register_with_unit(
            "block_storage_work_oldest",
            "Age of the oldest queued work item",
            Unit::Seconds,
            self.age.clone(),
        );
        to.register(
            "block_storage_work_failed",
            "Failed work items since startup",
            self.failed.clone(),
        );
        // Each task has a count from startup: a counter that first appears with its failure shows no increase.
        for task in Task::NAMES {
            drop(self.failed.get_or_create(&TaskLabel { task }));
        }
    }

    /// Sets the capacity of a back end.
    pub(crate) fn set_pool(&self, pool: &str, room: PoolCapacity) {
        let of = PoolLabel { pool: pool.to_owned() };
        // The gauges of an unreadable disk are removed, because the last known capacity would look current.
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
    pub(crate) fn set_backlog(&self, task: &'static str, backlog: Backlog) {
        self.depth.get_or_create(&TaskLabel { task }).set(backlog.depth);
        self.age.get_or_create(&TaskLabel { task }).set(backlog.age.as_secs_f64());
    }

    /// Counts a failed work item.
    pub(crate) fn count_failed(&self, task: &'static str) {
        self.failed.get_or_create(&TaskLabel { task }).inc();
    }
}

// By hand: the values would fill a log line, and locking them could block.
impl fmt::Debug for CinderMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CinderMetrics").finish_non_exhaustive()
    }
}
