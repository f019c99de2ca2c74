//! What filter expressions see of a volume and of a plugin: what lists show, and the rest of the
//! stored object.
//!
//! Items own what they need, so a filter compiled for them can be kept while rows come and go.
//! Secrets, mount flags and what the row remembers of its plugin are not selectable.

mod host;
mod node;
mod pool;
mod workload;

use std::collections::BTreeMap;

use statehold_filter::Filterable;
use statehold_store::{Entry, ReadView};
use uuid::Uuid;

pub use self::{
    host::{HostVolumeItem, TaskGroupClaimItem},
    node::NodeItem,
    pool::{NodePool, list_node_pools},
    workload::{AllocationItem, JobItem},
};
use crate::{
    facts::{PluginFacts, VolumeFacts, plugin_instances},
    rows::{Claim, CsiClaim, CsiPlugin, CsiVolume, PluginInfo, PluginRole},
    view::{NEVER, PluginStub, VolumeStub},
};

/// How many instances of a plugin are well, and how many jobs want.
#[derive(Clone, Copy, Debug, Filterable)]
#[filterable(rename_all = "PascalCase")]
struct Counts {
    controllers_healthy: u64,
    controllers_expected: u64,
    nodes_healthy: u64,
    nodes_expected: u64,
}

impl Counts {
    fn new(facts: &PluginFacts<'_>) -> Self {
        Self {
            controllers_healthy: facts.controllers_healthy,
            controllers_expected: facts.controllers_expected,
            nodes_healthy: facts.nodes_healthy,
            nodes_expected: facts.nodes_expected,
        }
    }

    /// The facts of a plugin with these counts.
    fn facts<'v>(self, provider: &'v str, version: &'v str, required: bool) -> PluginFacts<'v> {
        PluginFacts {
            provider,
            version,
            controller_required: required,
            controllers_healthy: self.controllers_healthy,
            controllers_expected: self.controllers_expected,
            nodes_healthy: self.nodes_healthy,
            nodes_expected: self.nodes_expected,
        }
    }
}

/// A volume of a list, with the facts of its plugin at that moment.
///
/// # Examples
/// ```
/// use statehold_filter::Filter;
/// use statehold_nomad::VolumeItem;
///
/// let filter = Filter::<VolumeItem>::compile("Schedulable == true and NodesHealthy != 0");
/// assert!(filter.is_ok());
/// // Nobody finds out a secret by asking for it.
/// assert!(Filter::<VolumeItem>::compile("Secrets.password == xyzzy").is_err());
/// ```
#[derive(Clone, Debug, Filterable)]
#[filterable(rename_all = "PascalCase")]
#[filterable(computed(name = "Provider", with = Self::provider, ty = str))]
#[filterable(computed(name = "ProviderVersion", with = Self::provider_version, ty = str))]
#[filterable(computed(name = "CurrentReaders", with = Self::current_readers, ty = u64))]
#[filterable(computed(name = "CurrentWriters", with = Self::current_writers, ty = u64))]
#[filterable(computed(name = "ReadAllocs", with = Self::readers, ty = BTreeMap<Uuid, Claim>))]
#[filterable(computed(name = "WriteAllocs", with = Self::writers, ty = BTreeMap<Uuid, Claim>))]
#[filterable(computed(name = "ResourceExhausted", with = Self::resource_exhausted, ty = str))]
#[filterable(computed(name = "CreateIndex", with = Self::create_index, ty = u64))]
#[filterable(computed(name = "ModifyIndex", with = Self::modify_index, ty = u64))]
pub struct VolumeItem {
    #[filterable(flatten(deref))]
    volume: Entry<CsiVolume>,
    /// Active claims that read, by allocation.
    read_claims: BTreeMap<Uuid, Claim>,
    /// Active claims that write, by allocation.
    write_claims: BTreeMap<Uuid, Claim>,
    /// Claims that are being released, by allocation.
    past_claims: BTreeMap<Uuid, Claim>,
    #[filterable(skip)]
    plugin: Option<Entry<CsiPlugin>>,
    schedulable: bool,
    controller_required: bool,
    #[filterable(flatten)]
    counts: Counts,
}

impl VolumeItem {
    pub(crate) fn new(
        volume: Entry<CsiVolume>,
        plugin: Option<Entry<CsiPlugin>>,
        facts: VolumeFacts<'_>,
    ) -> Self {
        Self {
            volume,
            read_claims: BTreeMap::new(),
            write_claims: BTreeMap::new(),
            past_claims: BTreeMap::new(),
            plugin,
            schedulable: facts.schedulable,
            controller_required: facts.plugin.controller_required,
            counts: Counts::new(&facts.plugin),
        }
    }

    /// The fields that come from the rows of its claims.
    pub const CLAIM_FIELDS: [&str; 5] =
        ["ReadClaims", "WriteClaims", "PastClaims", "ReadAllocs", "WriteAllocs"];

    pub(crate) fn with_claims<'v>(mut self, rows: impl Iterator<Item = &'v CsiClaim>) -> Self {
        for row in rows {
            for (claims, claim) in [
                (&mut self.read_claims, row.reading()),
                (&mut self.write_claims, row.writing()),
                (&mut self.past_claims, row.past.as_ref()),
            ] {
                claims.extend(claim.map(|claim| (row.allocation_id, claim.clone())));
            }
        }
        self
    }

    /// The volume.
    pub fn volume(&self) -> &Entry<CsiVolume> {
        &self.volume
    }

    /// The JSON for a list.
    pub fn stub(&self) -> VolumeStub<'_> {
        let (provider, version) = (self.provider(), self.provider_version());
        let plugin = self.counts.facts(provider, version, self.controller_required);
        VolumeStub::new(&self.volume, VolumeFacts { plugin, schedulable: self.schedulable })
    }

    fn provider(&self) -> &str {
        self.plugin.as_ref().map_or(&self.volume.provider, |plugin| &plugin.provider)
    }

    fn provider_version(&self) -> &str {
        self.plugin.as_ref().map_or(&self.volume.provider_version, |plugin| &plugin.version)
    }

    fn current_readers(&self) -> u64 {
        self.volume.claims.readers
    }

    fn current_writers(&self) -> u64 {
        self.volume.claims.writers
    }

    fn readers(&self) -> &BTreeMap<Uuid, Claim> {
        &self.read_claims
    }

    fn writers(&self) -> &BTreeMap<Uuid, Claim> {
        &self.write_claims
    }

    #[expect(clippy::unused_self, reason = "no volume has ever been exhausted")]
    fn resource_exhausted(&self) -> &'static str {
        NEVER
    }

    fn create_index(&self) -> u64 {
        self.volume.create_index()
    }

    fn modify_index(&self) -> u64 {
        self.volume.modify_index()
    }
}

/// A plugin of a list, with its facts at that moment.
#[derive(Clone, Debug, Filterable)]
#[filterable(rename_all = "PascalCase")]
#[filterable(computed(name = "CreateIndex", with = Self::create_index, ty = u64))]
#[filterable(computed(name = "ModifyIndex", with = Self::modify_index, ty = u64))]
pub struct PluginItem {
    #[filterable(flatten(deref))]
    plugin: Entry<CsiPlugin>,
    /// Its controllers, by node.
    controllers: BTreeMap<Uuid, PluginInfo>,
    /// Its node plugins, by node.
    nodes: BTreeMap<Uuid, PluginInfo>,
    #[filterable(flatten)]
    counts: Counts,
}

impl PluginItem {
    /// The fields that come from the rows of its instances.
    pub const INSTANCE_FIELDS: [&str; 2] = ["Controllers", "Nodes"];

    /// The plugin with its facts and instances, as `view` has them. Cost: reads each instance.
    pub fn new<V: ReadView>(view: &V, plugin: &Entry<CsiPlugin>) -> Self {
        let infos = |role| {
            let instances = plugin_instances(view, &plugin.id, role);
            instances.map(|row| (row.node_id, row.info.clone())).collect()
        };
        Self {
            controllers: infos(PluginRole::Controller),
            nodes: infos(PluginRole::Node),
            ..Self::without_instances(view, plugin)
        }
    }

    /// Like [`new`](Self::new), without the instances: for filters that read none of
    /// [`INSTANCE_FIELDS`](Self::INSTANCE_FIELDS), which are empty. Cost: the same for any number of
    /// instances.
    pub fn without_instances<V: ReadView>(view: &V, plugin: &Entry<CsiPlugin>) -> Self {
        Self {
            plugin: plugin.clone(),
            controllers: BTreeMap::new(),
            nodes: BTreeMap::new(),
            counts: Counts::new(&PluginFacts::of(view, plugin)),
        }
    }

    /// The plugin.
    pub fn plugin(&self) -> &Entry<CsiPlugin> {
        &self.plugin
    }

    /// The JSON for a list.
    pub fn stub(&self) -> PluginStub<'_> {
        let plugin = &self.plugin;
        let required = plugin.controller_required;
        PluginStub::new(plugin, self.counts.facts(&plugin.provider, &plugin.version, required))
    }

    fn create_index(&self) -> u64 {
        self.plugin.create_index()
    }

    fn modify_index(&self) -> u64 {
        self.plugin.modify_index()
    }
}
