//! Metrics of the HTTP edge: rejected requests, cancelled reads, and the memory that requests hold.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// The limit or rule that rejected a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// `--filter-steps-max` and `--filter-row-steps-max`.
    FilterSteps,
    /// `--read-time-max`.
    ReadTime,
    /// `--bodies-max`.
    Bodies,
    /// `--unsent-max`.
    Unsent,
    /// `--parked-bytes-max`.
    ParkedBytes,
    /// `--parked-max` and `--parked-per-client-max`.
    Parked,
    /// `--writes-max`.
    Writes,
    /// `--connections-per-client-max`.
    Connections,
    /// A `Host` that the server does not accept.
    Host,
    /// A write from a web page of another origin.
    Origin,
}

impl RefusalReason {
    /// Every reason: each has a sample from the start, so that rates and alerts see the first rejection.
    const ALL: [Self; 10] = [
        Self::FilterSteps,
        Self::ReadTime,
        Self::Bodies,
        Self::Unsent,
        Self::ParkedBytes,
        Self::Parked,
        Self::Writes,
        Self::Connections,
        Self::Host,
        Self::Origin,
    ];

    fn label(self) -> ReasonLabel {
        // Dashboards and alerts use these values.
        let reason = match self {
            Self::FilterSteps => "filter_steps",
            Self::ReadTime => "read_time",
            Self::Bodies => "bodies",
            Self::Unsent => "unsent",
            Self::ParkedBytes => "parked_bytes",
            Self::Parked => "parked",
            Self::Writes => "writes",
            Self::Connections => "connections",
            Self::Host => "host",
            Self::Origin => "origin",
        };
        ReasonLabel { reason }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

/// The counters of the HTTP edge. Clones share the counters.
#[derive(Clone, Debug, Default)]
pub struct EdgeMetrics {
    refused: Family<ReasonLabel, Counter>,
    cancelled: Counter,
    /// Connections closed because their clients did not read.
    pub stalled: Counter,
    /// Bytes of request bodies in memory.
    pub bodies: Gauge,
    /// Bytes of replies that clients have not received yet.
    pub unsent: Gauge,
    /// Bytes of the filters and parameters of waiting blocking queries.
    pub parked: Gauge,
    /// Writes in progress.
    pub writes: Gauge,
    /// Reads and writes queued for a turn.
    pub queued: Gauge,
}

impl EdgeMetrics {
    /// Registers the metrics under the names of `docs/http.md`.
    pub fn register(&self, to: &mut Registry) {
        for reason in RefusalReason::ALL {
            drop(self.refused.get_or_create(&reason.label()));
        }
        to.register(
            "http_refused",
            "Requests rejected by a limit or rule, by reason",
            self.refused.clone(),
        );
        to.register(
            "http_cancelled",
            "Reads cancelled because the client disconnected",
            self.cancelled.clone(),
        );
        to.register(
            "http_stalled",
            "Connections closed because the client did not read within --send-wait-max",
            self.stalled.clone(),
        );
        let bytes = [
            ("http_bodies", "Request body bytes in memory", &self.bodies),
            (
                "http_unsent",
                "Response bytes in memory that clients have not received yet",
                &self.unsent,
            ),
            (
                "blocking_parked",
                "Bytes of the filters and parameters of waiting blocking queries",
                &self.parked,
            ),
        ];
        for (name, help, gauge) in bytes {
            to.register_with_unit(name, help, Unit::Bytes, gauge.clone());
        }
        to.register("http_writes", "Writes in progress", self.writes.clone());
        to.register("http_queued", "Reads and writes queued for a turn", self.queued.clone());
    }

    /// Counts a rejected request.
    pub fn refused(&self, by: RefusalReason) {
        self.refused.get_or_create(&by.label()).inc();
    }

    /// Counts a read whose client disconnected.
    pub fn cancelled(&self) {
        self.cancelled.inc();
    }
}
