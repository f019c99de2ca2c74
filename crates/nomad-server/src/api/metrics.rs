//! `/metrics` for Prometheus, and `/v1/metrics` with Nomad's names.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use serde::Serialize;
use statehold_nomad::{JobSummary, Jobs, Nodes};
use statehold_store::{KeyRange, Order, ReadView};
use uuid::Uuid;

use crate::api::Reply;
use crate::error::ApiError;
use crate::request::NomadRequest;
use statehold_server_core::meter::Meter;
use statehold_server_core::state::ServerState;
use statehold_server_core::turns::Urgency;

/// `GET /metrics`
pub(crate) fn serve(call: &NomadRequest) -> Reply {
    call.app.metrics().restoring(call.app.node().host_volumes().restoring(0).0);
    Ok(call.app.metrics_reply()?)
}

/// A gauge with its labels.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Gauge {
    name: &'static str,
    value: f64,
    labels: BTreeMap<&'static str, String>,
}

/// The body of `GET /v1/metrics`.
// go-metrics: inmem_endpoint.go, MetricsSummary.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Summary {
    timestamp: String,
    gauges: Vec<Gauge>,
    points: [(); 0],
    counters: [(); 0],
    samples: [(); 0],
}

/// Returns the body of `GET /v1/metrics`.
pub(crate) fn nomad_summary(gauges: Vec<Gauge>) -> Summary {
    let timestamp = jiff::Timestamp::now().to_string();
    Summary { timestamp, gauges, points: [], counters: [], samples: [] }
}

/// Computes those of Nomad's gauges for which the store has state. Waits for a turn, because it reads every job and
/// node.
pub(crate) async fn nomad_gauges(call: &NomadRequest) -> Result<Vec<Gauge>, ApiError> {
    let turn = call.app.turn(Urgency::Now).await?;
    let (gauges, mut meter) =
        ServerState::compute(call.app.meter(), turn, |meter| read_gauges(call, meter));
    // Sums without some of the rows look complete.
    meter.take_refusal().map_or(Ok(gauges), |refusal| Err(refusal.into()))
}

fn read_gauges(call: &NomadRequest, meter: &mut Meter) -> Vec<Gauge> {
    let view = call.app.store().snapshot();
    let mut gauges = Vec::new();
    let mut add = |name, value: u64, labels: &[(&'static str, &str)]| {
        let labels = labels.iter().map(|(label, value)| (*label, (*value).to_owned())).collect();
        // Far below 2^53, up to which a float is exact.
        #[expect(clippy::cast_precision_loss, reason = "numbers of rows")]
        gauges.push(Gauge { name, value: value as f64, labels });
    };
    let mut by_status = BTreeMap::from([("pending", 0), ("running", 0), ("dead", 0)]);
    for job in view.scan::<Jobs>(&KeyRange::<(String, String)>::all(), Order::Ascending) {
        if !meter.goes_on(false) {
            break;
        }
        let summary = JobSummary::of(&view, job);
        if let Some(count) = by_status.get_mut(summary.status(job)) {
            *count += 1;
        }
        for (group, counts) in summary.groups() {
            // Nomad: nomad/leader.go, Server.publishJobSummaryMetrics and iterateJobSummaryMetrics.
            let labels = [
                ("exported_job", &*job.id),
                ("namespace", &*job.namespace),
                ("task_group", &**group),
            ];
            for (name, count) in [
                ("nomad.nomad.job_summary.queued", counts.queued),
                ("nomad.nomad.job_summary.complete", counts.complete),
                ("nomad.nomad.job_summary.failed", counts.failed),
                ("nomad.nomad.job_summary.running", counts.running),
                ("nomad.nomad.job_summary.starting", counts.starting),
                ("nomad.nomad.job_summary.lost", counts.lost),
                ("nomad.nomad.job_summary.unknown", counts.unknown),
            ] {
                add(name, count, &labels);
            }
        }
    }
    add("nomad.nomad.job_status.pending", by_status["pending"], &[]);
    add("nomad.nomad.job_status.running", by_status["running"], &[]);
    add("nomad.nomad.job_status.dead", by_status["dead"], &[]);
    let ready = view.scan::<Nodes>(&KeyRange::<Uuid>::all(), Order::Ascending);
    let ready = ready.take_while(|_| meter.goes_on(false));
    add("nomad.nomad.heartbeat.active", ready.filter(|node| node.is_ready()).count() as u64, &[]);
    let index = view.index();
    add("nomad.raft.appliedIndex", index, &[]);
    add("nomad.raft.lastIndex", index, &[]);
    add("nomad.nomad.blocking_queries.parked", call.app.store().parked() as u64, &[]);
    gauges
}

/// The media type of Prometheus' text format, which Nomad sends.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Returns the gauges in Prometheus' text format, with `_` for the dots in their names.
pub(crate) fn nomad_text(mut gauges: Vec<Gauge>) -> Response<Body> {
    // All samples of a name must follow its type.
    gauges.sort_by(|a, b| a.name.cmp(b.name));
    let (mut text, mut last) = (String::new(), "");
    for gauge in &gauges {
        let name = gauge.name.replace('.', "_");
        if gauge.name != last {
            last = gauge.name;
            let _ = writeln!(text, "# TYPE {name} gauge");
        }
        text.push_str(&name);
        for (at, (label, value)) in gauge.labels.iter().enumerate() {
            // The text format escapes these three characters in label values.
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(text, "{}{label}=\"{value}\"", if at == 0 { '{' } else { ',' });
        }
        let close = if gauge.labels.is_empty() { "" } else { "}" };
        let _ = writeln!(text, "{close} {}", gauge.value);
    }
    let mut reply = Response::new(Body::from(text));
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROMETHEUS));
    reply
}
