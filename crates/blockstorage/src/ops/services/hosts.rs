//! How much there is on a back end, by project.

use std::collections::BTreeMap;

use statehold_store::{KeyRange, Order, ReadView};

use super::find_service;
use crate::{
    caller::policy,
    context::Context,
    error::Error,
    rows::{Service, Volume},
    work::snapshots_of,
};

/// What a project has on a back end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostUsage {
    /// How many volumes.
    pub volumes: u64,
    /// Their sizes together, in GiB.
    pub volume_gib: u64,
    /// How many snapshots of them.
    pub snapshots: u64,
    /// The sizes of the snapshots together, in GiB.
    pub snapshot_gib: u64,
}

impl HostUsage {
    /// What there is on the back end `host`, `host@backend`, by project.
    ///
    /// Cost: looks at all volumes of the back end and their snapshots.
    pub fn of(view: &impl ReadView, host: &str) -> BTreeMap<Box<str>, Self> {
        let mut found = BTreeMap::<Box<str>, Self>::new();
        for volume in
            view.scan_by(&Volume::BY_HOST, &KeyRange::<String>::prefix(host), Order::Ascending)
        {
            let pool = volume.host.as_deref().and_then(|own| own.strip_prefix(host));
            // Another back end's name may begin in the same way.
            if !pool.is_some_and(|pool| pool.is_empty() || pool.starts_with('#')) {
                continue;
            }
            let usage = found.entry(volume.project_id.clone()).or_default();
            usage.volumes += 1;
            usage.volume_gib += u64::from(volume.size);
            for snapshot in snapshots_of(view, volume.id) {
                usage.snapshots += 1;
                usage.snapshot_gib += u64::from(snapshot.size);
            }
        }
        found
    }

    /// Two together.
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

/// What there is on a back end by project. Admins only.
///
/// # Errors
/// [`Error::Policy`] or [`crate::Missing::Service`].
pub fn host_usage(
    view: &impl ReadView,
    cx: &Context<'_>,
    host: &str,
) -> Result<BTreeMap<Box<str>, HostUsage>, Error> {
    cx.caller.check(policy::HOSTS)?;
    find_service(view, host, Service::VOLUME)?;
    Ok(HostUsage::of(view, host))
}
