//! A small cluster in memory: three nodes that run a plugin, allocations, volumes.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod provider;

use std::{
    collections::BTreeMap,
    future::Future as _,
    ops::Deref,
    sync::atomic::{AtomicU64, Ordering},
};

use statehold_nomad::*;
use statehold_store::{Attempt, Entry, Order, ReadView, Snapshot, Store, Tracked, WriteTxn};
use uuid::Uuid;

pub(crate) const NOW: i64 = 1_736_191_825_846_395_400;
pub(crate) const PLUGIN: &str = "foo";

pub(crate) fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// A volume with the claims on it, by allocation.
#[derive(Clone, Debug)]
pub(crate) struct Claimed {
    pub(crate) entry: Entry<CsiVolume>,
    pub(crate) read_claims: BTreeMap<Uuid, Claim>,
    pub(crate) write_claims: BTreeMap<Uuid, Claim>,
    pub(crate) past_claims: BTreeMap<Uuid, Claim>,
}

impl Claimed {
    pub(crate) fn active_claims(&self) -> impl Iterator<Item = &Claim> {
        self.read_claims.values().chain(self.write_claims.values())
    }
}

impl PartialEq for Claimed {
    fn eq(&self, other: &Self) -> bool {
        let claims = |own: &Self| {
            [&own.read_claims, &own.write_claims, &own.past_claims].map(BTreeMap::clone)
        };
        *self.entry == *other.entry && claims(self) == claims(other)
    }
}

impl Deref for Claimed {
    type Target = Entry<CsiVolume>;

    fn deref(&self) -> &Entry<CsiVolume> {
        &self.entry
    }
}

pub(crate) struct Cluster {
    pub(crate) store: Store,
}

impl Cluster {
    /// Creates a cluster with nothing except the default namespace.
    pub(crate) fn empty() -> Self {
        let cluster = Self { store: Store::in_memory(&schema()) };
        cluster.write(bootstrap).unwrap();
        cluster
    }

    /// Creates a cluster with the plugin `foo`: a controller on node 1, node plugins on nodes 2 and
    /// 3.
    pub(crate) fn with_plugin() -> Self {
        let cluster = Self::empty();
        cluster.add_plugin(PLUGIN, true);
        cluster
    }

    pub(crate) fn add_plugin(&self, plugin: &str, controller_required: bool) {
        for node in plugin_nodes(plugin, controller_required) {
            self.write(|txn| upsert_node(txn, NOW, node)).unwrap();
        }
    }

    /// Runs `work` in a transaction, and commits unless it fails.
    pub(crate) fn write<T, E: std::fmt::Debug>(
        &self,
        work: impl FnOnce(&mut WriteTxn<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut txn = self.store.begin_write().unwrap();
        let done = work(&mut txn)?;
        txn.commit().unwrap();
        Ok(done)
    }

    pub(crate) fn register(&self, spec: VolumeSpec) -> Result<Vec<VolumeKey>, RegisterError> {
        self.write(|txn| register(txn, NOW, "default", vec![spec]))
    }

    pub(crate) fn claim(&self, volume: &str, request: ClaimRequest) -> Result<(), ClaimError> {
        self.write(|txn| claim(txn, NOW + 1, "default", volume, request))
    }

    pub(crate) fn deregister(&self, volume: &str, force: bool) -> Result<(), DeregisterError> {
        self.write(|txn| deregister(txn, "default", &[volume], force))
    }

    pub(crate) fn allocation(&self, allocation: Allocation) {
        self.write(|txn| upsert_allocation(txn, NOW, allocation, None, &mut fresh())).unwrap();
    }

    pub(crate) fn view(&self) -> Snapshot {
        self.store.snapshot()
    }

    pub(crate) fn volume(&self, id: &str) -> Option<Claimed> {
        let view = self.view();
        let entry = view.get::<CsiVolumes>(("default", id))?;
        let mut claimed = Claimed {
            entry: entry.clone(),
            read_claims: BTreeMap::new(),
            write_claims: BTreeMap::new(),
            past_claims: BTreeMap::new(),
        };
        for row in claims_on(&view, entry) {
            for (claims, claim) in [
                (&mut claimed.read_claims, row.reading()),
                (&mut claimed.write_claims, row.writing()),
                (&mut claimed.past_claims, row.past.as_ref()),
            ] {
                claims.extend(claim.map(|claim| (row.allocation_id, claim.clone())));
            }
        }
        Some(claimed)
    }

    /// Returns the plugin's healthy and expected controllers, then its healthy and expected node
    /// plugins.
    pub(crate) fn counts(&self, plugin: &str) -> Option<(u64, u64, u64, u64)> {
        let view = self.view();
        let health = PluginHealth::of(&view, view.get::<CsiPlugins>(plugin)?);
        Some((
            health.controllers_healthy,
            health.controllers_expected,
            health.nodes_healthy,
            health.nodes_expected,
        ))
    }

    pub(crate) fn listed(&self, query: &VolumeQuery<'_>) -> Vec<String> {
        let view = self.view();
        list_volumes(&view, query).map(|row| format!("{}/{}", row.namespace, row.id)).collect()
    }

    pub(crate) fn json(&self, volume: &str) -> serde_json::Value {
        let view = self.view();
        let entry = view.get::<CsiVolumes>(("default", volume)).unwrap();
        serde_json::to_value(VolumeView::new(&view, entry)).unwrap()
    }
}

/// Parks a read in a blocking query and runs `change`. Returns whether the read was woken.
pub(crate) fn is_woken<R>(
    cluster: &Cluster,
    read: impl FnMut(&Tracked) -> R,
    change: impl FnOnce(&Cluster),
) -> bool {
    let attempt = cluster.store.try_blocking(cluster.view().index(), read).unwrap();
    let Attempt::Parked(changed) = attempt else { panic!("nothing changed yet") };
    change(cluster);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    std::pin::pin!(changed).poll(&mut context).is_ready()
}

pub(crate) fn controller(plugin: &str, required: bool) -> PluginInfo {
    PluginInfo {
        plugin_id: plugin.into(),
        healthy: true,
        provider: "com.hashicorp:mock".into(),
        provider_version: "0.1".into(),
        requires_controller_plugin: required,
        controller: Some(ControllerInfo {
            supports_attach_detach: true,
            supports_list_volumes: true,
            supports_read_only_attach: true,
            ..Default::default()
        }),
        ..Default::default()
    }
}

pub(crate) fn node_plugin(plugin: &str, required: bool, external_node_id: &str) -> PluginInfo {
    PluginInfo {
        controller: None,
        node: Some(NodeInfo {
            id: external_node_id.into(),
            max_volumes: 64,
            requires_node_stage_volume: true,
            ..Default::default()
        }),
        ..controller(plugin, required)
    }
}

pub(crate) fn plugin_nodes(plugin: &str, required: bool) -> [Node; 3] {
    let bare =
        |number| Node { id: id(number), name: format!("n{number}").into(), ..Default::default() };
    let served = |number: u128| Node {
        node_plugins: [(plugin.into(), node_plugin(plugin, required, &format!("i-{number}")))]
            .into(),
        ..bare(number)
    };
    let controlled = Node {
        controller_plugins: [(plugin.into(), controller(plugin, required))].into(),
        ..bare(1)
    };
    [controlled, served(2), served(3)]
}

pub(crate) fn capability(access: &str) -> Capability {
    Capability { access_mode: access.into(), attachment_mode: attachment_mode::FILE_SYSTEM.into() }
}

pub(crate) fn spec(volume: &str) -> VolumeSpec {
    VolumeSpec {
        id: volume.into(),
        name: "test-vol".into(),
        external_id: "vol-01".into(),
        plugin_id: PLUGIN.into(),
        requested_capabilities: vec![
            capability(access_mode::MULTI_NODE_SINGLE_WRITER),
            capability(access_mode::MULTI_NODE_READER),
        ],
        ..Default::default()
    }
}

/// A running allocation on a node.
pub(crate) fn running(allocation: u128, node: u128) -> Allocation {
    Allocation {
        id: id(allocation),
        namespace: "default".into(),
        name: "job.group[0]".into(),
        node_id: Some(id(node)),
        job_id: "job".into(),
        task_group: "group".into(),
        desired_status: "run".into(),
        client_status: "running".into(),
        ..Default::default()
    }
}

pub(crate) fn taken(allocation: u128, mode: ClaimMode) -> ClaimRequest {
    ClaimRequest {
        allocation_id: Some(id(allocation)),
        mode,
        access_mode: access_mode::MULTI_NODE_SINGLE_WRITER.into(),
        attachment_mode: attachment_mode::FILE_SYSTEM.into(),
        ..Default::default()
    }
}

pub(crate) fn released(allocation: u128, state: ClaimState) -> ClaimRequest {
    ClaimRequest {
        allocation_id: Some(id(allocation)),
        mode: ClaimMode::Gc,
        state,
        ..Default::default()
    }
}

pub(crate) fn all_of(namespace: &str) -> VolumeQuery<'_> {
    VolumeQuery { namespace, order: Order::Ascending, ..Default::default() }
}

/// Returns unused IDs, in order, from a number far from those that tests choose.
pub(crate) fn fresh() -> impl FnMut() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1 << 40);
    || id(u128::from(NEXT.fetch_add(1, Ordering::Relaxed)))
}
