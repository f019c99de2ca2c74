//! Values derived from other rows on read: health, expected counts, schedulability.
//!
//! Everything is read through a [`ReadView`], so a blocking query on the result also watches the
//! fingerprints, jobs and allocations it is derived from.
//!
//! Invariant: nothing here is ever stored. The numbers of a plugin's healthy instances are the
//! exception: they are read from the plugin's row, which the writing transactions keep.

use std::collections::BTreeMap;

use statehold_store::{Entry, KeyRange, Order, ReadView};
use uuid::Uuid;

use crate::rows::{
    Allocation, Allocations, ClaimCounts, CsiClaim, CsiClaims, CsiPlugin, CsiPluginInstance,
    CsiPluginInstances, CsiPlugins, CsiVolume, HostVolume, InstanceCounts, Job, Jobs, PluginRole,
    ReportedHostVolume, ReportedHostVolumes, TaskGroup,
};

/// The current health of a plugin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PluginHealth<'v> {
    /// The name that the plugin reports.
    pub provider: &'v str,
    /// The version that the plugin reports.
    pub version: &'v str,
    /// Whether its volumes need a controller.
    pub controller_required: bool,
    /// Number of healthy controllers.
    pub controllers_healthy: u64,
    /// Number of controllers that should run, never below `controllers_healthy`.
    pub controllers_expected: u64,
    /// Number of healthy node plugins.
    pub nodes_healthy: u64,
    /// Number of node plugins that should run, never below `nodes_healthy`.
    pub nodes_expected: u64,
}

impl<'v> PluginHealth<'v> {
    /// Computes the health of `plugin`. Cost: reads every job that runs it, and the allocations of
    /// its system jobs.
    pub fn of<V: ReadView>(view: &'v V, plugin: &'v CsiPlugin) -> Self {
        let (mut controllers, mut nodes) = (None, None);
        for found in expectations(view, &plugin.id) {
            for (runs, expected, sum) in [
                (found.runs_controllers, found.controllers, &mut controllers),
                (found.runs_nodes, found.nodes, &mut nodes),
            ] {
                if runs {
                    // `None` and 0 differ: without any job each reporting instance is expected.
                    *sum = Some(sum.unwrap_or(0_u64).saturating_add(expected));
                }
            }
        }
        Self {
            controllers_expected: expected(controllers, plugin.controllers),
            nodes_expected: expected(nodes, plugin.nodes),
            ..Self::from_row(plugin)
        }
    }

    /// Returns the health that the plugin's row alone holds; the expected counts are 0.
    pub(crate) fn from_row(plugin: &'v CsiPlugin) -> Self {
        Self {
            provider: &plugin.provider,
            version: &plugin.version,
            controller_required: plugin.controller_required,
            controllers_healthy: plugin.controllers.healthy,
            nodes_healthy: plugin.nodes.healthy,
            ..Self::default()
        }
    }

    /// Returns whether volumes of this plugin can be claimed: a node plugin is healthy, and a
    /// controller if one is required.
    pub fn schedulable(&self) -> bool {
        // Nomad: nomad/state/state_store.go, CSIVolumeDenormalizePluginsTxn.
        self.nodes_healthy > 0 && (!self.controller_required || self.controllers_healthy > 0)
    }
}

/// Returns the number of instances that should run: the number that the jobs request. Without a
/// job, for a plugin that runs outside of jobs, each reporting instance is expected.
///
/// Never below the number of healthy instances, because clients such as Terraform's `nomad_plugin`
/// wait until both are equal, and an instance that its job no longer requests may still report.
fn expected(by_jobs: Option<u64>, found: InstanceCounts) -> u64 {
    by_jobs.unwrap_or(found.reporting).max(found.healthy)
}

/// The number of instances of a plugin that one job requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expectation<'v> {
    pub(crate) job: &'v Job,
    /// Whether the job runs controllers at all, and how many.
    pub(crate) runs_controllers: bool,
    pub(crate) controllers: u64,
    /// Whether the job runs node plugins at all, and how many.
    pub(crate) runs_nodes: bool,
    pub(crate) nodes: u64,
}

/// Returns the jobs that run `plugin_id` and are not over, ordered by namespace and ID.
pub(crate) fn jobs_running<'v, V: ReadView>(
    view: &'v V,
    plugin_id: &str,
) -> impl Iterator<Item = &'v Job> + use<'v, V> {
    let range = KeyRange::<String>::exact(plugin_id);
    let jobs = view.scan_by(&Jobs::BY_PLUGIN, &range, Order::Ascending);
    jobs.map(|entry| &**entry).filter(|job| !job.is_over())
}

/// Returns the expectation of each job that runs `plugin_id`, ordered by namespace and ID. Jobs
/// that are over expect no instance.
pub(crate) fn expectations<'v, V: ReadView>(
    view: &'v V,
    plugin_id: &str,
) -> impl Iterator<Item = Expectation<'v>> {
    let jobs = jobs_running(view, plugin_id);
    let plugin_id: Box<str> = plugin_id.into();
    jobs.map(move |job| {
        let mut found = Expectation {
            job,
            runs_controllers: false,
            controllers: 0,
            runs_nodes: false,
            nodes: 0,
        };
        for group in &job.groups {
            let of = group.plugins.iter().filter(|task| *task.id == *plugin_id);
            let (controls, serves) = of.fold((false, false), |(controls, serves), task| {
                (controls || task.kind.controls(), serves || task.kind.serves_node())
            });
            if !controls && !serves {
                continue;
            }
            // A monolith plugin counts in both roles.
            let wanted = instances_wanted(view, job, group);
            if controls {
                found.runs_controllers = true;
                found.controllers = found.controllers.saturating_add(wanted);
            }
            if serves {
                found.runs_nodes = true;
                found.nodes = found.nodes.saturating_add(wanted);
            }
        }
        found
    })
}

/// Returns the group's count. A system job has none: its allocations that run or are pending count.
fn instances_wanted<V: ReadView>(view: &V, job: &Job, group: &TaskGroup) -> u64 {
    if !job.is_system() {
        return group.count;
    }
    let range = KeyRange::<(String, String)>::exact((&job.namespace, &job.id));
    let of_group = |allocation: &Allocation| allocation.task_group == group.name;
    view.scan_by(&Allocations::BY_JOB, &range, Order::Ascending)
        .filter(|allocation| of_group(allocation) && allocation.is_expected())
        .count() as u64
}

/// Returns the allocations on the volume's node that request it and have not ended there, in any
/// namespace, because nodes mount host volumes by name alone.
pub(crate) fn host_volume_users<'v, V: ReadView>(
    view: &'v V,
    volume: &HostVolume,
) -> impl Iterator<Item = &'v Entry<Allocation>> + use<'v, V> {
    let name = volume.name.clone();
    let key = (volume.node_id, Allocations::indexed_name(&name));
    let range = KeyRange::<(Uuid, String)>::exact(key);
    let allocations = view.scan_by(&Allocations::BY_HOST_VOLUME, &range, Order::Ascending);
    // The index key holds only the first bytes of a long name.
    allocations.filter(move |allocation| allocation.host_sources().any(|source| *source == *name))
}

/// Returns the host volumes that the node reports, ordered by name.
pub fn reported_host_volumes<V: ReadView>(
    view: &V,
    node: Uuid,
) -> impl Iterator<Item = &Entry<ReportedHostVolume>> {
    view.scan::<ReportedHostVolumes>(
        &KeyRange::<(Uuid, String)>::starting_with(node),
        Order::Ascending,
    )
}

/// Returns the instances of a plugin in one role, ordered by node.
pub fn plugin_instances<'v, V: ReadView>(
    view: &'v V,
    plugin_id: &str,
    role: PluginRole,
) -> impl Iterator<Item = &'v Entry<CsiPluginInstance>> + use<'v, V> {
    let range = KeyRange::<(String, PluginRole, Uuid)>::starting_with((plugin_id, role));
    view.scan::<CsiPluginInstances>(&range, Order::Ascending)
}

/// Returns the claims on a volume, ordered by allocation.
pub fn claims_on<'v, V: ReadView>(
    view: &'v V,
    volume: &CsiVolume,
) -> impl Iterator<Item = &'v Entry<CsiClaim>> + use<'v, V> {
    let range =
        KeyRange::<(String, String, Uuid)>::starting_with((&*volume.namespace, &*volume.id));
    view.scan::<CsiClaims>(&range, Order::Ascending)
}

/// The current health of a volume, derived from its plugin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VolumeHealth<'v> {
    /// The plugin's health. Without the plugin: the values stored in the volume's row, and counts
    /// of 0.
    pub plugin: PluginHealth<'v>,
    /// Whether it can be claimed.
    pub schedulable: bool,
}

impl<'v> VolumeHealth<'v> {
    /// Returns the health that a claim depends on; the expected counts are 0.
    pub(crate) fn for_claim<V: ReadView>(view: &'v V, volume: &'v CsiVolume) -> Self {
        let plugin = view.get::<CsiPlugins>(&volume.plugin_id);
        Self::from_plugin(volume, plugin.map(|plugin| PluginHealth::from_row(plugin)))
    }

    fn from_plugin(volume: &'v CsiVolume, plugin: Option<PluginHealth<'v>>) -> Self {
        match plugin {
            Some(plugin) => Self { plugin, schedulable: plugin.schedulable() },
            // A volume whose plugin was deleted still shows the plugin's last identity.
            None => Self {
                plugin: PluginHealth {
                    provider: &volume.provider,
                    version: &volume.provider_version,
                    controller_required: volume.controller_required,
                    ..Default::default()
                },
                schedulable: false,
            },
        }
    }
}

/// Computes the health of many volumes, and of each plugin only once.
#[derive(Debug)]
pub struct HealthReader<'v, V> {
    view: &'v V,
    known: BTreeMap<&'v str, Option<KnownPlugin<'v>>>,
    reads_claims: bool,
}

type KnownPlugin<'v> = (&'v Entry<CsiPlugin>, PluginHealth<'v>);

impl<'v, V: ReadView> HealthReader<'v, V> {
    /// Creates a reader with an empty cache.
    pub fn new(view: &'v V) -> Self {
        Self { view, known: BTreeMap::new(), reads_claims: true }
    }

    /// Leaves the claim fields of items empty, for filters that read none of
    /// [`VolumeItem::CLAIM_FIELDS`](crate::VolumeItem::CLAIM_FIELDS). The cost of a list is then
    /// independent of the number of claims.
    #[must_use]
    pub fn without_claims(mut self) -> Self {
        self.reads_claims = false;
        self
    }

    /// Returns the health of `volume`.
    pub fn of(&mut self, volume: &'v CsiVolume) -> VolumeHealth<'v> {
        self.of_volume(volume).0
    }

    /// Returns the health of `volume`, and the row of its plugin.
    pub(crate) fn of_volume(
        &mut self,
        volume: &'v CsiVolume,
    ) -> (VolumeHealth<'v>, Option<&'v Entry<CsiPlugin>>) {
        let plugin = self.plugin(&volume.plugin_id);
        let health = VolumeHealth::from_plugin(volume, plugin.map(|(_, health)| health));
        (health, plugin.map(|(entry, _)| entry))
    }

    /// Returns the claims on `volume`. `None` if this reader skips claims or the volume has none.
    pub(crate) fn claims_of(
        &self,
        volume: &'v CsiVolume,
    ) -> Option<impl Iterator<Item = &'v CsiClaim> + use<'v, V>> {
        // Most volumes have no claim: their counts save a scan for each.
        let reads = self.reads_claims && volume.claims != ClaimCounts::default();
        reads.then(|| claims_on(self.view, volume).map(|row| &**row))
    }

    fn plugin(&mut self, id: &'v str) -> Option<KnownPlugin<'v>> {
        let view = self.view;
        *self.known.entry(id).or_insert_with(|| {
            // A missing plugin is cached as well, so that each ID is looked up once.
            let entry = view.get::<CsiPlugins>(id)?;
            Some((entry, PluginHealth::of(view, entry)))
        })
    }
}
