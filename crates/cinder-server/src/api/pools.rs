//! Capacities and properties of back ends: pools for schedulers, capabilities for operators.

use axum::http::StatusCode;
use serde_json::{Value, json};
use statehold_cinder::{Error, HostUsage, Missing, VolumeType, find_type, policy, timestamp};
use statehold_store::{ReadView, Snapshot};

use crate::api::list::filter_rows;
use crate::api::operation::{DETAIL, FILTER, POOL, POOL_TYPE, of, ok, ok_object};
use crate::api::routes;
use crate::api::routes::Route;
use crate::backend::scheduler::{Backend, OVERSUBSCRIPTION};
use crate::request::{ApiError, CinderReply, CinderRequest};

/// The routes of pools and capabilities.
pub(crate) static ROUTES: &[Route] = &[
    routes::list("/v3/scheduler-stats/get_pools", "Lists the pools of back ends.", list)
        .query(&[DETAIL, POOL, POOL_TYPE, FILTER])
        .reply(ok("pools", of::<Vec<Value>>)),
    routes::read("/v3/capabilities/{host}", "Shows the capabilities of a back end.", capabilities)
        .reply(ok_object(&[
            "namespace",
            "vendor_name",
            "volume_backend_name",
            "storage_protocol",
            "properties",
        ])),
];

/// First version that filters pools by name.
// Cinder: cinder/api/microversions.py, POOL_FILTER.
const FILTER_SINCE: u16 = 28;

/// First version that filters pools by a volume type that they fit.
// Cinder: cinder/api/microversions.py, POOL_TYPE_FILTER.
const TYPE_SINCE: u16 = 35;

fn list(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let version = call.cx.version;
    call.cx.caller.check(policy::POOLS)?;
    let detail = call.flag("detail")?;
    // Earlier versions ignore unknown parameters.
    let known = |key: &str| matches!(key, "detail" | "name" | "volume_type" | "filter");
    let unknown: Vec<&str> =
        call.query.iter().map(|(key, _)| key.as_str()).filter(|key| !known(key)).collect();
    if version.at_least(FILTER_SINCE) && !unknown.is_empty() {
        let text = format!("Invalid filters {} are found in query options.", unknown.join(","));
        return Err(ApiError::bad_request(&text));
    }
    let name = call.parameter("name").filter(|_| version.at_least(FILTER_SINCE));
    let named = call.parameter("volume_type").filter(|_| version.at_least(TYPE_SINCE));
    let volume_type: Option<&VolumeType> = match named {
        None => None,
        Some(text) => Some(find_type(view, call.cx.caller, text)?),
    };
    let pools = call
        .state
        .backends()
        .all()
        .filter(|backend| name.is_none_or(|name| name == backend.host()))
        .filter(|backend| volume_type.is_none_or(|own| backend.fits(own)))
        .map(|backend| {
            if detail {
                let capabilities = pool_capabilities(view, call.cx.now, backend);
                json!({"name": backend.host(), "capabilities": capabilities})
            } else {
                json!({"name": backend.host()})
            }
        });
    CinderReply::ok("pools", &filter_rows(call, pools)?)
}

/// Converts bytes to GiB, rounded down to two decimals.
fn gib(bytes: u64) -> f64 {
    // In integers, because `u64` bytes do not fit a float exactly.
    let hundredths = (u128::from(bytes) * 100) >> 30;
    let hundredths = u32::try_from(hundredths).unwrap_or(u32::MAX);
    f64::from(hundredths) / 100.0
}

/// Returns the capabilities of a back end, as its pool shows them.
// Cinder: cinder/scheduler/host_manager.py, PoolState has the members.
pub(crate) fn pool_capabilities(view: &impl ReadView, now: i64, backend: &Backend) -> Value {
    let usage = HostUsage::total(view, backend.service_host());
    let (free, total) = match backend.driver.capacity() {
        Ok(capacity) => (json!(gib(capacity.free)), json!(gib(capacity.total))),
        Err(error) => {
            let location = backend.driver.location();
            tracing::error!(%error, location, "cannot read the capacity of a back end");
            // Cinder: cinder/scheduler/filters/capacity_filter.py handles `unknown`.
            (json!("unknown"), json!("unknown"))
        }
    };
    json!({
        "pool_name": backend.name(),
        "volume_backend_name": backend.name(),
        "total_capacity_gb": total,
        "free_capacity_gb": free,
        "reserved_percentage": 0,
        "allocated_capacity_gb": usage.volume_gib,
        "provisioned_capacity_gb": usage.volume_gib + usage.snapshot_gib,
        "max_over_subscription_ratio": f64::from(OVERSUBSCRIPTION),
        "location_info": format!("{}:{}", backend.protocol(), backend.driver.location()),
        "storage_protocol": backend.protocol(),
        "vendor_name": "Statehold",
        "driver_version": env!("CARGO_PKG_VERSION"),
        "QoS_support": false,
        "multiattach": true,
        // Files are sparse: they allocate only the blocks that were written.
        "thin_provisioning_support": true,
        "thick_provisioning_support": false,
        "consistent_group_snapshot_enabled": false,
        "online_extend_support": true,
        "timestamp": timestamp(now),
        "filter_function": null,
        "goodness_function": null,
    })
}

/// Returns the capabilities of one back end.
// Cinder: cinder/api/views/capabilities.py, ViewBuilder.summary; the properties are those of
// cinder/volume/driver.py, BaseVD.init_capabilities.
fn capabilities(_: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    call.cx.caller.check(policy::CAPABILITIES)?;
    let host = call.segment("host");
    let backend =
        call.state.backends().all().find(|own| own.service_host() == host || own.host() == host);
    let backend = backend.ok_or_else(|| Error::from(Missing::ServiceOf(host.into())))?;
    let property = |title: &str, description: &str| json!({"title": title, "description": description, "type": "boolean"});
    // Typed, because an empty array literal has no element type.
    let none: [Value; 0] = [];
    CinderReply::json(
        StatusCode::OK,
        &json!({
            "namespace": format!("OS::Storage::Capabilities::{host}"),
            "vendor_name": "Statehold",
            "volume_backend_name": backend.name(),
            "pool_name": null,
            "driver_version": env!("CARGO_PKG_VERSION"),
            "storage_protocol": backend.protocol(),
            "display_name": null,
            "description": null,
            "visibility": null,
            "replication_targets": none,
            "properties": {
                "thin_provisioning": property("Thin Provisioning", "Sets thin provisioning."),
                "compression": property("Compression", "Enables compression."),
                "qos": property("QoS", "Enables QoS."),
                "replication_enabled": property("Replication", "Enables replication."),
            },
        }),
    )
}
