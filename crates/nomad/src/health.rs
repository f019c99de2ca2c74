//! What follows from other rows, worked out when somebody reads: health, expectations, whether a
//! volume can be used.
//!
//! Everything comes through a [`ReadView`], so a watch on the answer also watches the fingerprints,
//! jobs and allocations that it follows from.
//!
//! Invariant: nothing in here is ever stored. The numbers of a plugin's healthy instances are read from its
//! row, which keeps them.

use std::collections::BTreeMap;

use statehold_store::{Entry, KeyRange, Order, ReadView};
use uuid::Uuid;

use crate::rows::{
    Allocation, Allocations, ClaimCounts, CsiClaim, CsiClaims, CsiPlugin, CsiPluginInstance,
    CsiPluginInstances, CsiPlugins, CsiVolume, HostVolume, InstanceCounts, Job, Jobs, PluginRole,
    ReportedHostVolume, ReportedHostVolumes, TaskGroup,
};

/// What is true of a plugin right now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PluginHealth<'v> {
    /// The name that the plugin gives itself.
    pub provider: &'v str,
    /// The version that the plugin gives itself.
    pub version: &'v str,
    /// Whether its volumes need a controller.
    pub controller_required: bool,
    /// How many controllers are well.
    pub controllers_healthy: u64,
    /// Number of controllers that should run, never below `controllers_healthy`.
    pub controllers_expected: u64,
    /// How many node plugins are well.
    pub nodes_healthy: u64,
    /// Number of node plugins that should run, never below `nodes_healthy`.
    pub nodes_expected: u64,
}

impl<'v> PluginHealth<'v> {
    /// Works out the facts of `plugin`. Reads every job that runs it, and for system jobs their
    /// allocations.
    pub fn of<V: ReadView>(view: &'v V, plugin: &'v CsiPlugin) -> Self {
        let (mut controllers, mut nodes) = (None, None);
        for found in expectations(view, &plugin.id) {
            for (runs, expected, sum) in [
                (found.runs_controllers, found.controllers, &mut controllers),
                (found.runs_nodes, found.nodes, &mut nodes),
            ] {
                if runs {
                    *sum = Some(sum.unwrap_or(0_u64).saturating_add(expected));
                }
            }
        }
        Self {
            controllers_expected: expected(controllers, plugin.controllers),
            nodes_expected: expected(nodes, plugin.nodes),
            ..Self::health(plugin)
        }
    }

    /// The facts that the plugin's row alone tells; nothing is known to be expected.
    pub(crate) fn health(plugin: &'v CsiPlugin) -> Self {
        Self {
            provider: &plugin.provider,
            version: &plugin.version,
            controller_required: plugin.controller_required,
            controllers_healthy: plugin.controllers.healthy,
            nodes_healthy: plugin.nodes.healthy,
            ..Self::default()
        }
    }

    /// Whether volumes of this plugin can be claimed: some node can use them, and the controller is
    /// there if needed.
    pub fn schedulable(&self) -> bool {
        self.nodes_healthy > 0 && (!self.controller_required || self.controllers_healthy > 0)
    }
}

/// Number of instances that should run: as many as the jobs want. Without a job, for a plugin of this
/// machine or one that is fed alone, every instance that reports is expected.
///
/// Never below the healthy ones: clients such as Terraform's `nomad_plugin` wait until both are equal, and an
/// instance that its job no longer wants may still report.
fn expected(by_jobs: Option<u64>, found: InstanceCounts) -> u64 {
    by_jobs.unwrap_or(found.reporting).max(found.healthy)
}

/// How many instances of a plugin one job wants.
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

/// The jobs that run `plugin_id` and aren't over, ordered by namespace and ID.
pub(crate) fn jobs_running<'v, V: ReadView>(
    view: &'v V,
    plugin_id: &str,
) -> impl Iterator<Item = &'v Job> + use<'v, V> {
    let range = KeyRange::<String>::exact(plugin_id);
    let jobs = view.scan_by(&Jobs::BY_PLUGIN, &range, Order::Ascending);
    jobs.map(|entry| &**entry).filter(|job| !job.is_over())
}

/// What each job that runs `plugin_id` expects, ordered by namespace and ID. Jobs that are over
/// expect nothing.
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

/// The group's count; for a system job, which has none, its allocations that run or are about to.
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

/// The allocations on the volume's node that ask for it and haven't ended there. Whatever their
/// namespace: it is their node that has the volume.
pub(crate) fn host_volume_users<'v, V: ReadView>(
    view: &'v V,
    volume: &HostVolume,
) -> impl Iterator<Item = &'v Entry<Allocation>> + use<'v, V> {
    let name = volume.name.clone();
    let key = (volume.node_id, Allocations::indexed_name(&name));
    let range = KeyRange::<(Uuid, String)>::exact(key);
    let allocations = view.scan_by(&Allocations::BY_HOST_VOLUME, &range, Order::Ascending);
    // The key has the beginning of a long name only.
    allocations.filter(move |allocation| allocation.host_sources().any(|source| *source == *name))
}

/// The host volumes that the node reports, by name.
pub fn reported_host_volumes<V: ReadView>(
    view: &V,
    node: Uuid,
) -> impl Iterator<Item = &Entry<ReportedHostVolume>> {
    view.scan::<ReportedHostVolumes>(
        &KeyRange::<(Uuid, String)>::starting_with(node),
        Order::Ascending,
    )
}

/// The instances of a plugin in one role, by node.
pub fn plugin_instances<'v, V: ReadView>(
    view: &'v V,
    plugin_id: &str,
    role: PluginRole,
) -> impl Iterator<Item = &'v Entry<CsiPluginInstance>> + use<'v, V> {
    let range = KeyRange::<(String, PluginRole, Uuid)>::starting_with((plugin_id, role));
    view.scan::<CsiPluginInstances>(&range, Order::Ascending)
}

/// The claims on a volume, by allocation.
pub fn claims_on<'v, V: ReadView>(
    view: &'v V,
    volume: &CsiVolume,
) -> impl Iterator<Item = &'v Entry<CsiClaim>> + use<'v, V> {
    let range =
        KeyRange::<(String, String, Uuid)>::starting_with((&*volume.namespace, &*volume.id));
    view.scan::<CsiClaims>(&range, Order::Ascending)
}

/// What is true of a volume right now, because of its plugin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VolumeHealth<'v> {
    /// The plugin's facts; without the plugin, what the volume remembers of it and counts of 0.
    pub plugin: PluginHealth<'v>,
    /// Whether it can be claimed at all.
    pub schedulable: bool,
}

impl<'v> VolumeHealth<'v> {
    /// What a claim has to know; nothing is known to be expected.
    pub(crate) fn for_claim<V: ReadView>(view: &'v V, volume: &'v CsiVolume) -> Self {
        let plugin = view.get::<CsiPlugins>(&volume.plugin_id);
        Self::from_plugin(volume, plugin.map(|plugin| PluginHealth::health(plugin)))
    }

    fn from_plugin(volume: &'v CsiVolume, plugin: Option<PluginHealth<'v>>) -> Self {
        match plugin {
            Some(plugin) => Self { plugin, schedulable: plugin.schedulable() },
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

/// Works out the facts of many volumes, each plugin's only once.
#[derive(Debug)]
pub struct HealthReader<'v, V> {
    view: &'v V,
    known: BTreeMap<&'v str, Option<KnownPlugin<'v>>>,
    reads_claims: bool,
}

type KnownPlugin<'v> = (&'v Entry<CsiPlugin>, PluginHealth<'v>);

impl<'v, V: ReadView> HealthReader<'v, V> {
    /// A reader that has read nothing yet.
    pub fn new(view: &'v V) -> Self {
        Self { view, known: BTreeMap::new(), reads_claims: true }
    }

    /// Reads no claims for items from now on: for filters that read none of
    /// [`VolumeItem::CLAIM_FIELDS`](crate::VolumeItem::CLAIM_FIELDS), which are empty then. A list of volumes costs the same for any number
    /// of claims on them.
    #[must_use]
    pub fn without_claims(mut self) -> Self {
        self.reads_claims = false;
        self
    }

    /// The facts of `volume`.
    pub fn of(&mut self, volume: &'v CsiVolume) -> VolumeHealth<'v> {
        self.of_volume(volume).0
    }

    /// The facts of `volume`, and the row of its plugin.
    pub(crate) fn of_volume(
        &mut self,
        volume: &'v CsiVolume,
    ) -> (VolumeHealth<'v>, Option<&'v Entry<CsiPlugin>>) {
        let plugin = self.plugin(&volume.plugin_id);
        let facts = VolumeHealth::from_plugin(volume, plugin.map(|(_, facts)| facts));
        (facts, plugin.map(|(entry, _)| entry))
    }

    /// The claims on `volume`, if this reader reads claims and the volume has any.
    pub(crate) fn claims_of(
        &self,
        volume: &'v CsiVolume,
    ) -> Option<impl Iterator<Item = &'v CsiClaim> + use<'v, V>> {
        // Most volumes have none.
        let reads = self.reads_claims && volume.claims != ClaimCounts::default();
        reads.then(|| claims_on(self.view, volume).map(|row| &**row))
    }

    fn plugin(&mut self, id: &'v str) -> Option<KnownPlugin<'v>> {
        let view = self.view;
        *self.known.entry(id).or_insert_with(|| {
            let entry = view.get::<CsiPlugins>(id)?;
            Some((entry, PluginHealth::of(view, entry)))
        })
    }
}
