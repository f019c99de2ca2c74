//! Rules that requests to adopt volumes and snapshots of a back end share.

use statehold_store::ReadView;

use crate::{
    errors::Error,
    id::parse_id,
    rows::{Service, Snapshot, Volume},
    version::Microversion,
};

/// A back end, or a cluster of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A back end, `host@backend#pool`.
    Host(Box<str>),
    /// A cluster. None exist.
    Cluster(Box<str>),
}

/// Returns the back end or the cluster of a request, which names one of them. Requests before
/// 3.`cluster_since` have no cluster.
///
/// # Errors
/// [`Error`] with the status 400 for neither and for both.
// Cinder: cinder/api/common.py, get_cluster_host.
pub fn named_host(
    version: Microversion,
    (host, cluster): (Option<Box<str>>, Option<Box<str>>),
    cluster_since: u16,
) -> Result<Named, Error> {
    let has_clusters = version.at_least(cluster_since);
    let given = |name: Option<Box<str>>| name.filter(|name| !name.is_empty());
    match (given(host), given(cluster).filter(|_| has_clusters)) {
        (Some(host), None) => Ok(Named::Host(host)),
        (None, Some(cluster)) => Ok(Named::Cluster(cluster)),
        _ if has_clusters => Err(Error::input("One and only one of cluster and host must be set.")),
        _ => Err(Error::input("Host field is missing.")),
    }
}

/// Checks that the service of a back end may adopt objects, which a disabled one may not.
///
/// # Errors
/// [`Error`] with the status 400.
// Cinder: cinder/volume/api.py, API._get_service_by_host_cluster; cinder/exception.py, ServiceUnavailable.
pub fn check_adopting(view: &impl ReadView, host: &str) -> Result<(), Error> {
    let service = host.split_once('#').map_or(host, |(service, _)| service);
    match view.get::<Service>((Service::VOLUME, service)) {
        Some(row) if row.disabled => Err(Error::request("Service is unavailable at this time.")),
        _ => Ok(()),
    }
}

/// Returns the name on the back end of an object to adopt.
///
/// # Errors
/// [`Error`] with the status 400 without a name.
// Cinder: cinder/volume/drivers/lvm.py has this message.
pub(super) fn check_reference(reference: Option<Box<str>>) -> Result<Box<str>, Error> {
    reference.filter(|name| !name.is_empty()).ok_or_else(|| {
        Error::request(
            "Manage existing volume failed due to invalid backend reference: Reference must \
             contain source-name element.",
        )
    })
}

/// Returns whether a back end's name belongs to a volume or snapshot that is managed already.
// The back end names its own volumes and snapshots by their IDs.
pub(super) fn is_managed(view: &impl ReadView, reference: &str) -> bool {
    let id = |prefix| reference.strip_prefix(prefix).and_then(parse_id);
    id("volume-").is_some_and(|id| view.get::<Volume>(id).is_some())
        || id("snapshot-").is_some_and(|id| view.get::<Snapshot>(id).is_some())
}
