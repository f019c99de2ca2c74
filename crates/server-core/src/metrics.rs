//! The server's metrics, for Prometheus.
//!
//! Counters and histograms are updated as events happen; values that the store returns at any time, such as
//! rows and file sizes, are read on each scrape.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use statehold_store::{Batch, Catalog, Checkpointed, CommitError, Committed, Observer, Store};

use crate::edge_metrics::EdgeMetrics;
use crate::logging;

/// The labels of a request count.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    /// The path pattern of the route; empty for an unknown path.
    // Never the path itself, because each distinct value creates a time series.
    route: &'static str,
    status: u16,
}

/// The labels of request durations.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DurationLabels {
    // Without the status, which would multiply the buckets.
    method: &'static str,
    route: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TableLabel {
    table: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FileLabel {
    file: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UsefulLabel {
    useful: &'static str,
}

/// All metrics of the server.
pub struct Metrics {
    registry: Registry,
    started: Instant,
    data_dir: PathBuf,
    requests: Family<RequestLabels, Counter>,
    durations: Family<DurationLabels, Histogram>,
    connections: Gauge,
    ran_again: Family<UsefulLabel, Counter>,
    woken: Counter,
    commits: Histogram,
    batches: Histogram,
    batch_commits: Histogram,
    changes: Counter,
    journal_bytes: Counter,
    history_bytes: Gauge<u64, AtomicU64>,
    checkpoints: Histogram,
    failed_writes: Counter,
    restoring: Gauge,
    log_lines_dropped: Counter,
    parked: Gauge,
    index: Gauge<u64, AtomicU64>,
    writable: Gauge,
    rows: Family<TableLabel, Gauge<u64, AtomicU64>>,
    files: Family<FileLabel, Gauge<u64, AtomicU64>>,
    edge: EdgeMetrics,
    refreshers: Mutex<Vec<Refresher>>,
}

/// Sets gauges just before they are read.
type Refresher = Box<dyn Fn() + Send + Sync>;

/// Creates a histogram of seconds, from 0.1 ms to about 15 s.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.0001, 2.5, 14))
}

impl Metrics {
    /// Creates the metrics of a server whose files are in `data_dir`.
    pub fn new(data_dir: &Path) -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("statehold"),
            started: Instant::now(),
            data_dir: data_dir.to_owned(),
            requests: Family::default(),
            durations: Family::new_with_constructor(seconds),
            connections: Gauge::default(),
            ran_again: Family::default(),
            woken: Counter::default(),
            commits: seconds(),
            batches: seconds(),
            // Up to 2,048 transactions.
            batch_commits: Histogram::new(exponential_buckets(1.0, 2.0, 12)),
            changes: Counter::default(),
            journal_bytes: Counter::default(),
            history_bytes: Gauge::default(),
            checkpoints: seconds(),
            failed_writes: Counter::default(),
            restoring: Gauge::default(),
            log_lines_dropped: Counter::default(),
            parked: Gauge::default(),
            index: Gauge::default(),
            writable: Gauge::default(),
            rows: Family::default(),
            files: Family::default(),
            edge: EdgeMetrics::default(),
            refreshers: Mutex::default(),
        };
        metrics.register_all()
    }

    fn register_all(mut self) -> Self {
        let to = &mut self.registry;
        self.edge.register(to);
        to.register("http_requests", "Requests answered", self.requests.clone());
        to.register_with_unit(
            "http_request_duration",
            "Time from the head of a request to the head of its response, blocking included",
            Unit::Seconds,
            self.durations.clone(),
        );
        to.register("http_connections", "Open connections", self.connections.clone());
        to.register("blocking_parked", "Blocking queries currently waiting", self.parked.clone());
        to.register(
            "blocking_runs_again",
            "Reruns of blocking queries after a change of their input; useful if the rerun ended \
             the query",
            self.ran_again.clone(),
        );
        to.register("blocking_woken", "Readers woken by commits", self.woken.clone());
        to.register("store_index", "Index of the last commit", self.index.clone());
        to.register(
            "store_writable",
            "1 while the store accepts writes, 0 after a failed write until its files are reopened",
            self.writable.clone(),
        );
        to.register(
            "host_volumes_restoring",
            "Host volumes of this machine that startup has not restored yet",
            self.restoring.clone(),
        );
        to.register(
            "log_lines_dropped",
            "Log lines dropped because standard error was not read",
            self.log_lines_dropped.clone(),
        );
        to.register("store_rows", "Rows per table", self.rows.clone());
        to.register_with_unit(
            "store_file",
            "Sizes of the files in the data directory",
            Unit::Bytes,
            self.files.clone(),
        );
        to.register_with_unit(
            "store_commit_duration",
            "Time from commit call to durable and visible",
            Unit::Seconds,
            self.commits.clone(),
        );
        to.register_with_unit(
            "store_batch_duration",
            "Time of a durable write",
            Unit::Seconds,
            self.batches.clone(),
        );
        to.register(
            "store_batch_commits",
            "Transactions per durable write",
            self.batch_commits.clone(),
        );
        to.register("store_changes", "Rows written and deleted", self.changes.clone());
        to.register_with_unit(
            "store_journal_written",
            "Bytes written to the journal",
            Unit::Bytes,
            self.journal_bytes.clone(),
        );
        to.register_with_unit(
            "store_history",
            "Bytes of journal records kept for the change feed and the next checkpoint",
            Unit::Bytes,
            self.history_bytes.clone(),
        );
        to.register_with_unit(
            "store_checkpoint_duration",
            "Time of a checkpoint",
            Unit::Seconds,
            self.checkpoints.clone(),
        );
        to.register(
            "store_failed_writes",
            "Durable writes that failed, and writes rejected after a failed one",
            self.failed_writes.clone(),
        );
        self
    }

    /// Sets the number of host volumes that startup has not restored yet.
    pub fn restoring(&self, volumes: usize) {
        self.restoring.set(i64::try_from(volumes).unwrap_or(i64::MAX));
    }

    /// Returns the metrics of the HTTP edge.
    pub fn edge(&self) -> &EdgeMetrics {
        &self.edge
    }

    /// Adds the metrics that `register` names, such as those of one API.
    #[must_use]
    pub fn with(mut self, register: impl FnOnce(&mut Registry)) -> Self {
        register(&mut self.registry);
        self
    }

    /// Runs `refresh` before each [`Metrics::render`]: it sets gauges that are read on request. It may block.
    pub fn refresh_with(&self, refresh: impl Fn() + Send + Sync + 'static) {
        self.refreshers.lock().push(Box::new(refresh));
    }

    /// Counts a completed request.
    pub fn answered(&self, method: &'static str, route: &'static str, status: u16, took: Duration) {
        self.requests.get_or_create(&RequestLabels { method, route, status }).inc();
        self.durations.get_or_create(&DurationLabels { method, route }).observe(took.as_secs_f64());
    }

    /// Counts an open connection until the returned guard is dropped.
    pub fn connected(&self) -> Connected {
        self.connections.inc();
        Connected(self.connections.clone())
    }

    /// Counts a rerun of a blocking query after a wake-up; `useful` if the rerun ended the query.
    pub fn ran_again(&self, useful: bool) {
        let useful = if useful { "true" } else { "false" };
        self.ran_again.get_or_create(&UsefulLabel { useful }).inc();
    }

    /// Returns the number of open connections.
    pub fn connections(&self) -> i64 {
        self.connections.get()
    }

    /// Returns the time since the server started.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Returns the files of the data directory with their sizes in bytes.
    pub fn files(&self) -> Vec<(String, u64)> {
        let entries = std::fs::read_dir(&self.data_dir).into_iter().flatten().flatten();
        let files = entries.filter_map(|entry| {
            // A file may be deleted between the two calls.
            let data = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
            Some((entry.file_name().to_string_lossy().into_owned(), data.len()))
        });
        let mut files: Vec<_> = files.collect();
        files.sort_unstable();
        files
    }

    /// Renders all metrics in Prometheus' text format. May wait for disks, those of back ends included.
    pub fn render(&self, store: &Store) -> Result<String, fmt::Error> {
        // The counter can't be set, so it grows by the difference.
        let dropped = logging::dropped_lines();
        self.log_lines_dropped.inc_by(dropped.saturating_sub(self.log_lines_dropped.get()));
        for refresh in self.refreshers.lock().iter() {
            refresh();
        }
        self.index.set(store.index());
        self.history_bytes.set(store.history_bytes());
        self.writable.set(i64::from(store.failure().is_none()));
        self.parked.set(i64::try_from(store.parked()).unwrap_or(i64::MAX));
        for (table, rows) in rows(&store.snapshot()) {
            self.rows.get_or_create(&TableLabel { table }).set(rows as u64);
        }
        for (file, bytes) in self.files() {
            self.files.get_or_create(&FileLabel { file }).set(bytes);
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Returns the name and the number of rows of each table.
pub fn rows(view: &dyn Catalog) -> Vec<(&'static str, usize)> {
    view.tables().iter().map(|table| (table.name(), table.rows())).collect()
}

/// A guard that counts one open connection.
#[derive(Debug)]
pub struct Connected(Gauge);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Observer for Metrics {
    // The store takes the time from its observer, and reads no clock itself.
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn committed(&self, commit: &Committed) {
        self.commits.observe(commit.took.as_secs_f64());
        self.changes.inc_by(commit.changes as u64);
    }

    fn batch_written(&self, batch: &Batch) {
        self.batches.observe(batch.took.as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "a batch has no 2^52 transactions")]
        self.batch_commits.observe(batch.commits as f64);
        self.journal_bytes.inc_by(batch.bytes);
    }

    fn checkpointed(&self, checkpoint: &Checkpointed) {
        self.checkpoints.observe(checkpoint.took.as_secs_f64());
    }

    fn woken(&self, readers: usize) {
        self.woken.inc_by(readers as u64);
    }

    fn poisoned(&self, error: &CommitError) {
        tracing::error!(%error, "the store refuses writes until its files are opened again");
        self.failed_writes.inc();
    }
}
