//! The JSON of services, and of services in the list of hosts.
#![expect(clippy::option_option, reason = "a member that is null and one that is not there differ")]

use serde::Serialize;

use super::{Viewer, member_if};
use crate::{rows::Service, time::timestamp};

/// A service.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct ServiceView<'v> {
    binary: &'v str,
    host: &'v str,
    zone: &'v str,
    status: &'static str,
    state: &'static str,
    updated_at: String,
    disabled_reason: Option<&'v str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<Option<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backend_state: Option<Option<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replication_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    active_backend_id: Option<Option<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frozen: Option<bool>,
}

/// Returns the time at which a service was last seen: now, if it is up.
fn seen_at(row: &Service, up: bool, now: i64) -> String {
    // No row stores heartbeats: a service of this server is seen whenever the server answers.
    timestamp(if up { now.max(row.updated_at) } else { row.updated_at })
}

impl<'v> ServiceView<'v> {
    /// Returns the view of `row`, which is `up` or down at the time `now`.
    pub fn new(viewer: Viewer<'_>, row: &'v Service, up: bool, now: i64) -> Self {
        let (version, backend) = (viewer.version, row.is_backend());
        let state = if up { "up" } else { "down" };
        Self {
            binary: &row.binary,
            host: &row.host,
            zone: &row.zone,
            status: row.status(),
            state,
            updated_at: seen_at(row, up, now),
            disabled_reason: row.disabled_reason.as_deref(),
            // Cinder: cinder/api/contrib/services.py, ServiceController.index.
            cluster: member_if(version.at_least(7), None),
            backend_state: member_if(
                backend && version.at_least(49),
                (!row.disabled).then_some(state),
            ),
            replication_status: backend.then_some(Service::REPLICATION_STATUS),
            active_backend_id: member_if(backend, None),
            frozen: backend.then_some(row.frozen),
        }
    }
}

/// A service in the list of hosts.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct HostView<'v> {
    host_name: &'v str,
    service: &'v str,
    zone: &'v str,
    #[serde(rename = "service-status")]
    status: &'static str,
    #[serde(rename = "service-state")]
    state: &'static str,
    #[serde(rename = "last-update")]
    last_update: String,
}

impl<'v> HostView<'v> {
    /// Returns the view of `row`, which is `up` or down at the time `now`.
    pub fn new(row: &'v Service, up: bool, now: i64) -> Self {
        Self {
            host_name: &row.host,
            service: &row.binary,
            zone: &row.zone,
            // The two are swapped, compared with services. Cinder: cinder/api/contrib/hosts.py,
            // _list_hosts.
            status: if up { "available" } else { "unavailable" },
            state: row.status(),
            last_update: seen_at(row, up, now),
        }
    }
}
