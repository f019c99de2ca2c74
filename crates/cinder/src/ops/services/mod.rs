//! Services: the back ends of a cloud, and the switches that operators set on them.
//!
//! No row stores whether a service is up: the server knows which back ends it runs.

mod hosts;
mod stuck;

use std::collections::{BTreeMap, BTreeSet};

use statehold_store::{Entry, KeyRange, Order, ReadView, WriteTxn};
use uuid::Uuid;

use crate::{
    access::actions::Rule,
    caller::policy,
    config::Config,
    context::Context,
    errors::{Error, Missing},
    rows::Service,
};

pub use self::{
    hosts::{HostUsage, UsageByProject, host_usage},
    stuck::{StuckFilter, clean_up_stuck, is_pending},
};

/// Registers a service, with the ID `id` if it is new, and returns its ID. The operator's switches
/// stay as they are.
///
/// # Errors
/// [`Error::Store`].
pub fn register_service(
    txn: &mut WriteTxn<'_>,
    now: i64,
    id: Uuid,
    (binary, host, zone): (&str, &str, &str),
) -> Result<Uuid, Error> {
    let mut row = match txn.get::<Service>((binary, host)) {
        Some(row) => Service::clone(row),
        None => Service {
            binary: binary.into(),
            host: host.into(),
            id,
            zone: "".into(),
            disabled: false,
            disabled_reason: None,
            frozen: false,
            created_at: now,
            updated_at: now,
        },
    };
    row.zone = zone.into();
    row.updated_at = now;
    let id = row.id;
    txn.upsert::<Service>(row)?;
    Ok(id)
}

/// Returns the services by binary and host. A host's services are those on it and on its back ends.
pub fn services<'v>(
    view: &'v impl ReadView,
    host: Option<&str>,
    binary: Option<&str>,
) -> impl Iterator<Item = &'v Entry<Service>> {
    let is_of = move |row: &Service| {
        host.is_none_or(|host| {
            *row.host == *host
                || row.host.strip_prefix(host).is_some_and(|rest| rest.starts_with('@'))
        })
    };
    view.scan::<Service>(&KeyRange::all(), Order::Ascending)
        .filter(move |row| is_of(row) && binary.is_none_or(|binary| *row.binary == *binary))
}

/// Returns the service of a binary on a host: `host@backend`, or `host` for the first of its back
/// ends.
///
/// # Errors
/// [`Missing::Service`].
// Cinder: cinder/db/sqlalchemy/api.py, _service_query, whose filter `host` also finds the back ends on it.
pub fn find_service<'v>(
    view: &'v impl ReadView,
    host: &str,
    binary: &str,
) -> Result<&'v Entry<Service>, Error> {
    let missing = || Missing::Service { binary: binary.into(), host: host.into() };
    let exact = view.get::<Service>((binary, host));
    Ok(exact.or_else(|| services(view, Some(host), Some(binary)).next()).ok_or_else(missing)?)
}

/// Returns the service of back ends that a request to freeze, thaw or fail over names.
///
/// # Errors
/// [`Error`] with the status 400 for an unknown host, and for one with several back ends.
// Cinder: cinder/volume/api.py, API._get_cluster_and_services_for_replication.
fn find_replicated<'v>(view: &'v impl ReadView, host: &str) -> Result<&'v Entry<Service>, Error> {
    let mut all = services(view, Some(host), Some(Service::VOLUME));
    match (all.next(), all.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Error::request(format!("No service found with host={host}"))),
        (Some(_), Some(_)) => Err(Error::request("Services from different clusters found.")),
    }
}

fn modify_service(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    rule: Rule,
    (host, binary): (&str, &str),
    change: impl FnOnce(&mut Service),
) -> Result<(), Error> {
    cx.caller.check(rule)?;
    let mut row = Service::clone(find_service(txn, host, binary)?);
    change(&mut row);
    row.updated_at = cx.now;
    txn.upsert::<Service>(row)?;
    Ok(())
}

/// Enables a service: it gets new volumes. Admins only.
///
/// # Errors
/// [`Error::Policy`] or [`Missing::Service`].
// Cinder: cinder/api/contrib/services.py, ServiceController._enable.
pub fn enable_service(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    host: &str,
    binary: &str,
) -> Result<(), Error> {
    modify_service(txn, cx, policy::SERVICE_UPDATE, (host, binary), |row| {
        row.disabled = false;
        row.disabled_reason = None;
    })
}

/// Disables a service: it gets no new volumes. Admins only.
///
/// # Errors
/// As [`enable_service`].
// Cinder: cinder/api/contrib/services.py, ServiceController._disable.
pub fn disable_service(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    host: &str,
    binary: &str,
    reason: Option<Box<str>>,
) -> Result<(), Error> {
    modify_service(txn, cx, policy::SERVICE_UPDATE, (host, binary), |row| {
        row.disabled = true;
        row.disabled_reason = reason;
    })
}

/// Freezes a back end, or thaws it. A frozen back end accepts no work and gets no new volumes.
/// Admins only.
///
/// # Errors
/// As [`enable_service`].
// Cinder: cinder/volume/manager.py, VolumeManager.freeze_host disables the service with this
// reason.
pub fn freeze_service(
    txn: &mut WriteTxn<'_>,
    cx: &Context<'_>,
    host: &str,
    frozen: bool,
) -> Result<(), Error> {
    let rule = if frozen { policy::SERVICE_FREEZE } else { policy::SERVICE_THAW };
    cx.caller.check(rule)?;
    let host = find_replicated(txn, host)?.host.clone();
    modify_service(txn, cx, rule, (&host, Service::VOLUME), |row| {
        row.frozen = frozen;
        row.disabled = frozen;
        row.disabled_reason = frozen.then(|| "frozen".into());
    })
}

/// Rejects the failover of a back end, because no back end replicates. Admins only.
///
/// # Errors
/// Always: [`Error`] with the status 400 or 403.
// Cinder: cinder/volume/api.py, API.failover.
pub fn failover_service(view: &impl ReadView, cx: &Context<'_>, host: &str) -> Result<(), Error> {
    cx.caller.check(policy::SERVICE_FAILOVER)?;
    find_replicated(view, host)?;
    Err(Error::input(format!(
        "No service could be changed: replication_status in ['{host}'] must be ['enabled', \
         'failed-over'] and must be up to failover."
    )))
}

/// Returns the back ends that get no new volumes, as `host@backend`.
pub fn disabled_hosts(view: &impl ReadView) -> BTreeSet<Box<str>> {
    services(view, None, Some(Service::VOLUME))
        .filter(|row| row.disabled)
        .map(|row| row.host.clone())
        .collect()
}

/// Returns the availability zones of back ends, each with whether volumes can be created in it: it
/// has a back end that is enabled and `is_up`.
///
/// A zone whose back ends are all down or disabled is listed only if the configuration names it.
// Cinder: cinder/volume/api.py, API.list_availability_zones.
pub fn zones(
    view: &impl ReadView,
    config: &Config,
    is_up: impl Fn(&str) -> bool,
) -> BTreeMap<Box<str>, bool> {
    let mut zones = BTreeMap::new();
    for row in services(view, None, Some(Service::VOLUME)) {
        let usable = !row.disabled && is_up(&row.host);
        if usable || config.zones.contains(&row.zone) {
            *zones.entry(row.zone.clone()).or_default() |= usable;
        }
    }
    zones
}
