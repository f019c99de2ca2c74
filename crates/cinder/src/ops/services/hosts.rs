//! The usage of a back end, by project.

use std::collections::BTreeMap;

use statehold_store::{Order, ReadView, Table as _};

use super::find_service;
use crate::{
    caller::policy,
    context::Context,
    errors::Error,
    rows::{Service, Total},
    totals,
};

/// The volumes and snapshots of a project, or of all, on a back end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostUsage {
    /// The number of volumes.
    pub volumes: u64,
    /// The sum of their sizes, in GiB.
    pub volume_gib: u64,
    /// The number of snapshots of them.
    pub snapshots: u64,
    /// The sum of the snapshots' sizes, in GiB.
    pub snapshot_gib: u64,
}

impl From<&Total> for HostUsage {
    fn from(row: &Total) -> Self {
        let &Total { volumes, volume_gib, snapshots, snapshot_gib, .. } = row;
        Self { volumes, volume_gib, snapshots, snapshot_gib }
    }
}

impl HostUsage {
    /// Returns the usage of the back end `host`, `host@backend`, by all projects.
    ///
    /// Cost: one row.
    pub fn total(view: &impl ReadView, host: &str) -> Self {
        totals::total(view, Some(host), None)
    }

    /// Returns the usage of the back end `host`, `host@backend`, by project.
    ///
    /// Cost: one row for each project.
    pub fn by_project(view: &impl ReadView, host: &str) -> BTreeMap<Box<str>, Self> {
        let own = Total::BY_KEY.starting_with(Some(host));
        view.scan::<Total>(&own, Order::Ascending)
            .filter_map(|row| Some((row.project_id.clone()?, Self::from(&**row))))
            .collect()
    }

    /// Returns the sum of two usages.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            volumes: self.volumes + other.volumes,
            volume_gib: self.volume_gib + other.volume_gib,
            snapshots: self.snapshots + other.snapshots,
            snapshot_gib: self.snapshot_gib + other.snapshot_gib,
        }
    }
}

/// The usage of a host for each project that has volumes or snapshots on it.
pub type UsageByProject = BTreeMap<Box<str>, HostUsage>;

/// Returns the back end that `host` names, `host@backend` or a host with back ends, and its usage by
/// project. Admins only.
///
/// # Errors
/// [`Error::Policy`] or [`crate::Missing::Service`].
// Cinder: cinder/api/contrib/hosts.py, HostController.show.
pub fn host_usage(
    view: &impl ReadView,
    cx: &Context<'_>,
    host: &str,
) -> Result<(Box<str>, UsageByProject), Error> {
    cx.caller.check(policy::HOSTS)?;
    let own = find_service(view, host, Service::VOLUME)?.host.clone();
    let usage = HostUsage::by_project(view, &own);
    Ok((own, usage))
}
