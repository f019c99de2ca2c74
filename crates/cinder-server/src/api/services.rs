//! Services, their hosts, and the availability zones of the hosts.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Value, json};
use statehold_cinder::{
    Error, HostUsage, HostView, Missing, Service, ServiceView, clean_up_stuck, disable_service,
    enable_service, failover_service, find_service, freeze_service, host_usage,
    input::{self, ServiceRequest},
    is_pending, named_flag, policy, services, zones,
};
use statehold_store::{ReadView, Snapshot, WriteTxn};

use crate::api::list::filter_rows;
use crate::api::operation::{
    BINARY, CLUSTER, EMPTY, FILTER, HOST, OK_DONE, Reply, Shape, of, ok, ok_object,
};
use crate::api::routes;
use crate::api::routes::Route;
use crate::request::{ApiError, CinderReply, CinderRequest};
use crate::state::CinderState;
use statehold_cinder::input::bodies;
use statehold_server_core::logging;

/// The routes of services, hosts, zones and clusters.
pub(crate) static ROUTES: &[Route] = &[
    routes::read("/v3/os-services", "Lists services.", list)
        .query(&[HOST, BINARY, FILTER])
        .reply(ok("services", of::<Vec<ServiceView<'_>>>)),
    routes::write(
        "PUT",
        "/v3/os-services/{action}",
        "Acts on services: the path names the action.",
        act,
    )
    .body(bodies::SERVICE_UPDATE)
    .reply(ok_object(&[]))
    .or(&[OK_DONE, EMPTY]),
    routes::read("/v3/os-hosts", "Lists hosts with their services.", list_hosts)
        .query(&[FILTER])
        .reply(ok("hosts", of::<Vec<HostView<'_>>>)),
    routes::list(
        "/v3/os-hosts/{host}",
        "Shows the usage of a host, in total and by project.",
        show_host,
    )
    .reply(ok("host", of::<Vec<Value>>)),
    routes::write(
        "PUT",
        "/v3/os-hosts/{host}",
        "Always fails with 501, or 404 for an unknown host.",
        change_host,
    ),
    routes::read("/v3/os-availability-zone", "Lists availability zones.", list_zones)
        .open()
        .reply(ok("availabilityZoneInfo", of::<Vec<Value>>)),
    routes::write("POST", "/v3/workers/cleanup", "Settles interrupted work of services.", cleanup)
        .since(24)
        .body(bodies::CLEANUP)
        .reply(Reply(202, Shape::Object(&["cleaning", "unavailable"]))),
    routes::read("/v3/clusters", "Lists clusters: always none.", list_clusters)
        .since(7)
        .query(CLUSTER)
        .reply(ok("clusters", of::<Vec<Value>>)),
    routes::read("/v3/clusters/detail", "Lists clusters: always none.", list_clusters)
        .since(7)
        .query(CLUSTER)
        .reply(ok("clusters", of::<Vec<Value>>)),
    routes::read("/v3/clusters/{name}", "Shows a cluster: always 404.", show_cluster)
        .since(7)
        .query(&[BINARY])
        .reply(ok("cluster", of::<Value>)),
    routes::write(
        "PUT",
        "/v3/clusters/{action}",
        "Enables or disables a cluster: always 404.",
        change_cluster,
    )
    .since(7)
    .body(bodies::CLUSTER_UPDATE)
    .reply(ok("cluster", of::<Value>)),
];

/// The binary that serves requests, which registers no service.
const API: &str = "cinder-api";

/// The filters of clusters.
// Cinder: cinder/api/v3/clusters.py, ClusterController.allowed_list_keys.
const CLUSTER_FILTERS: [&str; 8] = [
    "name",
    "binary",
    "is_up",
    "disabled",
    "num_hosts",
    "num_down_hosts",
    "replication_status",
    "frozen",
];

/// Returns whether a service is up: it is up while this server has it.
fn is_up(state: &CinderState, row: &Service) -> bool {
    if row.is_backend() {
        state.backends().has_service(&row.host)
    } else {
        *row.host == *state.backends().machine()
    }
}

fn list(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::SERVICE_GET_ALL)?;
    let rows = services(view, call.parameter("host"), call.parameter("binary"))
        .map(|row| ServiceView::new(call.viewer, row, is_up(call.state, row), call.cx.now));
    CinderReply::ok("services", &filter_rows(call, rows)?)
}

fn act(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let (cx, action) = (&call.cx, call.segment("action"));
    cx.caller.check(policy::SERVICE_UPDATE)?;
    let request = input::service_request(action, call.body, cx.version)?;
    match action {
        "enable" => enable_service(txn, cx, request.host()?, request.binary()?)?,
        "disable" => disable_service(txn, cx, request.host()?, request.binary()?, None)?,
        "disable-log-reason" => {
            // The only action that stores a reason; `disable` removes it.
            let reason = request.disabled_reason.clone();
            disable_service(txn, cx, request.host()?, request.binary()?, reason)?;
        }
        // The reply to these has no body. Cinder: cinder/api/contrib/services.py, ServiceController._freeze.
        "freeze" | "thaw" => {
            let host = request.host_or_cluster(cx.version)?;
            freeze_service(txn, cx, host, action == "freeze")?;
            return Ok(CinderReply::empty_json(StatusCode::OK));
        }
        "failover_host" => failover_service(txn, cx, request.host()?)?,
        "failover" => failover_service(txn, cx, request.host_or_cluster(cx.version)?)?,
        "get-log" => return log_levels(txn, call, &request),
        "set-log" => return set_log_level(&request),
        _ => return Err(Error::Input("Unknown action".into()).into()),
    }
    // The reply repeats the request, with the status of the row.
    let row = find_service(txn, request.host()?, request.binary()?)?;
    let mut body = json!({
        "disabled": row.disabled,
        "host": request.host()?,
        "service": request.service.as_deref().unwrap_or_default(),
        "binary": request.binary.as_deref().unwrap_or_default(),
        "status": row.status(),
    });
    if let (true, Some(members)) = (action == "disable-log-reason", body.as_object_mut()) {
        members.insert("disabled_reason".into(), json!(row.disabled_reason));
    }
    CinderReply::json(StatusCode::OK, &body)
}

/// Returns the log level of each selected service. All of them share the level of the process.
// Cinder: cinder/api/contrib/services.py, ServiceController._get_log.
fn log_levels(
    view: &impl ReadView,
    call: &CinderRequest<'_>,
    request: &ServiceRequest,
) -> Result<CinderReply, ApiError> {
    let prefix = request.prefix.as_deref().unwrap_or_default();
    let mut levels = BTreeMap::new();
    if logging::matches_prefix(prefix) {
        levels.insert(logging::PREFIX, logging::level());
    }
    // Empty and `*` select all binaries.
    let binary = request.binary.as_deref().filter(|binary| !binary.is_empty() && *binary != "*");
    let machine = call.state.backends().machine();
    let entry =
        |host: &str, binary: &str| json!({"host": host, "binary": binary, "levels": levels});
    let mut entries: Vec<Value> = Vec::new();
    // The API has no row among the services.
    if binary.is_none_or(|binary| binary == API) {
        entries.push(entry(machine, API));
    }
    let own = services(view, None, binary).filter(|row| is_up(call.state, row));
    entries.extend(own.map(|row| entry(&row.host, &row.binary)));
    CinderReply::ok("log_levels", &entries)
}

fn set_log_level(request: &ServiceRequest) -> Result<CinderReply, ApiError> {
    // Only the API reads the level, so that a request about another service may lack it.
    // Cinder: cinder/api/contrib/services.py, ServiceController._set_log.
    let of_api = request.binary.as_deref().is_none_or(|binary| matches!(binary, "" | "*" | API));
    if request.level.is_none() && !of_api {
        return Ok(CinderReply::empty(StatusCode::ACCEPTED));
    }
    let level = request.level.as_deref().unwrap_or_default();
    let parsed = logging::parse_level(level);
    let parsed =
        parsed.ok_or_else(|| Error::Input(format!("{level} is not a valid log level.").into()))?;
    // No other prefix has log lines.
    if logging::matches_prefix(request.prefix.as_deref().unwrap_or_default()) {
        logging::set_level(parsed);
    }
    Ok(CinderReply::empty(StatusCode::ACCEPTED))
}

fn list_hosts(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::HOSTS)?;
    let rows = services(view, None, None)
        .map(|row| HostView::new(row, is_up(call.state, row), call.cx.now));
    CinderReply::ok("hosts", &filter_rows(call, rows)?)
}

fn show_host(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let host = call.segment("host");
    let (own, usage) = host_usage(view, &call.cx, host)?;
    // Counts are strings. Cinder: cinder/api/contrib/hosts.py, HostController.show.
    let resource = |project: &str, usage: HostUsage| {
        json!({"resource": {
            "host": host,
            "project": project,
            "volume_count": usage.volumes.to_string(),
            "total_volume_gb": usage.volume_gib.to_string(),
            "snapshot_count": usage.snapshots.to_string(),
            "total_snapshot_gb": usage.snapshot_gib.to_string(),
        }})
    };
    let total = HostUsage::total(view, &own);
    let mut all = vec![resource("(total)", total)];
    all.extend(usage.iter().map(|(project, usage)| resource(project, *usage)));
    CinderReply::ok("host", &all)
}

fn change_host(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::HOSTS)?;
    let host = call.segment("host");
    // Cinder: cinder/api/contrib/hosts.py, check_host.
    if !services(txn, None, None).any(|row| *row.host == *host) {
        return Err(Missing::Host(host.into()).into());
    }
    let text = "Hosts can not be changed; enable and disable services instead.";
    Err(ApiError::by_caller(StatusCode::NOT_IMPLEMENTED, text))
}

fn list_zones(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let zones = zones(view, call.cx.config, |host| call.state.backends().has_service(host));
    let zones: Vec<Value> = zones
        .iter()
        .map(|(name, up)| json!({"zoneName": name, "zoneState": {"available": up}}))
        .collect();
    CinderReply::ok("availabilityZoneInfo", &zones)
}

/// Ends the transitional statuses of rows without work.
// Cinder: cinder/api/v3/workers.py, WorkerController.cleanup.
fn cleanup(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::WORKERS_CLEANUP)?;
    let request = input::cleanup_request(call.body)?;
    if let Some(id) = request.filter.id.filter(|_| !request.is_located)
        && !is_pending(txn, &request.filter)
    {
        let text = format!("There is no resource with UUID {id} pending cleanup.");
        return Err(Error::Input(text.into()).into());
    }
    let named = request.host.as_deref();
    let all: Vec<Service> = services(txn, named, Some(Service::VOLUME))
        .filter(|row| request.binary.as_deref().is_none_or(|binary| binary == &*row.binary))
        .filter(|row| request.disabled.is_none_or(|disabled| disabled == row.disabled))
        .filter(|row| request.is_up.is_none_or(|up| up == is_up(call.state, row)))
        .filter(|_| request.cluster.is_none())
        .map(|row| Service::clone(row))
        .collect();
    // A row without a back end is selected unless the request names one.
    let includes = |host: Option<&str>| match host {
        Some(host) => all.iter().any(|row| *row.host == *host),
        None => named.is_none(),
    };
    let settled = clean_up_stuck(txn, &call.cx, &request.filter, includes)?;
    // The services that clean up, and those that are down. Both are cleaned here, because the rows need no service.
    let of = |up: bool| -> Vec<Value> {
        all.iter()
            .filter(|row| settled.contains(&row.host) && is_up(call.state, row) == up)
            .map(|row| {
                let (id, host, binary) = (row.id, &row.host, &row.binary);
                json!({"id": id, "host": host, "binary": binary, "cluster_name": null})
            })
            .collect()
    };
    let body = json!({"cleaning": of(true), "unavailable": of(false)});
    CinderReply::json(StatusCode::ACCEPTED, &body)
}

fn list_clusters(_: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::CLUSTER_GET_ALL)?;
    let unknown: Vec<&str> = call
        .query
        .iter()
        .map(|(key, _)| key.as_str())
        .filter(|key| !CLUSTER_FILTERS.contains(key) && *key != "active_backend_id")
        .collect();
    if !unknown.is_empty() {
        let text = format!("Invalid filter keys: {}", unknown.join(", "));
        return Err(Error::Input(text.into()).into());
    }
    // Cinder: cinder/api/v3/clusters.py, ClusterController._get_clusters.
    for key in ["disabled", "is_up"] {
        if let Some(value) = call.parameter(key) {
            named_flag(key, value)?;
        }
    }
    let none: [Value; 0] = [];
    CinderReply::ok("clusters", &none)
}

/// Returns the error of an unknown cluster: none exist.
fn no_cluster(binary: Option<&str>, name: &str) -> ApiError {
    let (binary, name) = (binary.unwrap_or(Service::VOLUME).into(), name.into());
    Error::from(Missing::Cluster { binary, name }).into()
}

fn show_cluster(_: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::CLUSTER_GET)?;
    Err(no_cluster(call.parameter("binary"), call.segment("name")))
}

fn change_cluster(_: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::CLUSTER_UPDATE)?;
    let enable = match call.segment("action") {
        "enable" => true,
        "disable" => false,
        _ => return Err(ApiError::unknown_operation()),
    };
    let (name, binary) = input::cluster_request(enable, call.body)?;
    Err(no_cluster(binary.as_deref(), &name))
}
